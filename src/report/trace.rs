//! `trace.csv`: the log's table with full digits.

use crate::solve::observer::Iteration;

/// Reads the file's text back; `None` where a line is not a row of it.
pub fn parse(text: &str) -> Option<Vec<Iteration>> {
    let number = |cell: &str| if cell.is_empty() { Some(None) } else { cell.parse::<f64>().ok().map(Some) };
    let row = |line: &str| {
        let cells: Vec<&str> = line.split(',').collect();
        let &[iter, rank, objective, bound, gap, polar, step, time] = cells.as_slice() else { return None };
        Some(Iteration {
            iter: iter.parse().ok()?,
            rank: rank.parse().ok()?,
            objective: objective.parse().ok()?,
            lower_bound: number(bound)?,
            gap: number(gap)?,
            polar: polar.parse().ok()?,
            step: step.into(),
            time_s: time.parse().ok()?,
        })
    };
    text.lines().skip(1).map(row).collect()
}

/// The file's text.
pub fn csv(trace: &[Iteration]) -> String {
    let mut out = String::from("iter,rank,objective,lower_bound,gap,polar,step,time_s\n");
    let number = |x: Option<f64>| x.map_or(String::new(), |x| format!("{x:?}"));
    for i in trace {
        out.push_str(&format!(
            "{},{},{:?},{},{},{:?},{},{:.3}\n",
            i.iter,
            i.rank,
            i.objective,
            number(i.lower_bound),
            number(i.gap),
            i.polar,
            i.step,
            i.time_s
        ));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let one = Iteration {
            iter: 0,
            rank: 1,
            objective: 0.1 + 0.2,
            lower_bound: None,
            gap: Some(1e-300),
            polar: f64::INFINITY,
            step: "+5".into(),
            time_s: 0.25,
        };
        let two = Iteration { iter: 1, lower_bound: Some(-3.0), gap: None, ..one.clone() };
        let trace = vec![one, two];
        assert_eq!(parse(&csv(&trace)), Some(trace.clone()));
        assert_eq!(parse(&csv(&trace).replace("0.25", "soon")), None);
    }
}
