//! `trace.csv`: the log's table with full digits.

use crate::solve::observer::Iteration;

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
