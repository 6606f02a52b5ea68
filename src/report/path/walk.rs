//! What the report of a run says of the path that it was chosen from: `path.csv` read back.

use crate::report::number::sci;

/// The rows of `path.csv` as they are drawn; what is not known is left out.
#[derive(Clone, Debug, PartialEq)]
pub struct Walk {
    /// The largest lambda first.
    pub rows: Vec<Row>,
    /// The number of the row chosen, from 0.
    pub chosen: usize,
    /// The word for how it was chosen; empty where that is not known.
    rule: String,
}

/// One lambda.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// lambda.
    pub lambda: f64,
    /// lambda / lambda_max.
    ratio: Option<f64>,
    /// f_r.
    pub objective: f64,
    /// Proven.
    pub lower_bound: Option<f64>,
    /// Relative.
    pub gap: Option<f64>,
    /// Number of slices.
    pub rank: usize,
    /// Loss per entry held out by the data.
    pub holdout: Option<f64>,
    /// Mean and standard error of the loss per entry that folds held out.
    pub folds: Option<(f64, f64)>,
}

impl Walk {
    /// Reads the file's text; `None` where it is not such a table.
    pub fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        let heads: Vec<&str> = lines.next()?.split(',').collect();
        let at = |name: &str| heads.iter().position(|h| *h == name);
        let wanted =
            ["lambda", "ratio", "objective", "lower_bound", "gap", "rank", "holdout_loss", "cv_loss", "cv_error"];
        let places: Vec<usize> = wanted.into_iter().map(at).collect::<Option<_>>()?;
        let (marked, ruled) = (at("chosen")?, at("rule"));
        let (mut rows, mut chosen) = (Vec::new(), None);
        for (k, line) in lines.enumerate() {
            let cells: Vec<&str> = line.split(',').collect();
            let cell = |k: usize| cells.get(places[k]).copied();
            // no more is drawn than what is finite
            let number = |k: usize| -> Option<Option<f64>> {
                let text = cell(k)?;
                if text.is_empty() {
                    Some(None)
                } else {
                    text.parse().ok().map(|x| Some(x).filter(|x: &f64| x.is_finite()))
                }
            };
            rows.push(Row {
                lambda: number(0)??,
                ratio: number(1)?,
                objective: number(2)??,
                lower_bound: number(3)?,
                gap: number(4)?,
                rank: cell(5)?.parse().ok()?,
                holdout: number(6)?,
                folds: number(7)?.zip(number(8)?),
            });
            if *cells.get(marked)? == "1" {
                chosen = Some((k, ruled.and_then(|r| cells.get(r)).map_or(String::new(), ToString::to_string)));
            }
        }
        chosen.map(|(chosen, rule)| Self { rows, chosen, rule })
    }

    /// Which point was chosen, and why.
    pub fn says(&self) -> String {
        let row = &self.rows[self.chosen];
        let ratio = row.ratio.map_or(String::new(), |r| format!(" = {} lambda_max", plain(r)));
        let reason = match (self.rule.as_str(), row.folds, row.holdout) {
            ("", ..) => String::new(),
            ("last", ..) => ": the smallest lambda".into(),
            ("1se", Some((mean, error)), _) => format!(
                ": the largest lambda whose loss per held-out entry, {} with a standard error of {}, is within one standard \
                 error of the least",
                sci(mean, 3),
                sci(error, 1)
            ),
            ("min", Some((mean, error)), _) => format!(
                ": its loss per held-out entry, {} with a standard error of {}, is the least",
                sci(mean, 3),
                sci(error, 1)
            ),
            ("min", None, Some(loss)) => format!(": its loss per held-out entry, {}, is the least", sci(loss, 3)),
            ("min" | "1se", ..) => ": nothing was known of what is held out when time was up".into(),
            _ => ": it was asked for by its number".into(),
        };
        let edge =
            if self.ends_at_the_edge() { " It is the smallest of the path: a smaller one may do better." } else { "" };
        let (number, all, lambda) = (self.chosen + 1, self.rows.len(), plain(row.lambda));
        format!("This is point {number} of {all} on a path of lambdas, at lambda = {lambda}{ratio}{reason}.{edge}")
    }

    /// Whether what is held out chose the smallest lambda of several.
    pub fn ends_at_the_edge(&self) -> bool {
        matches!(self.rule.as_str(), "min" | "1se") && self.chosen > 0 && self.chosen + 1 == self.rows.len()
    }
}

/// A few digits, by the power of ten where that is shorter.
fn plain(x: f64) -> String {
    let rounded: f64 = sci(x, 4).parse().unwrap_or(x);
    if (1e-4..1e6).contains(&rounded) { rounded.to_string() } else { sci(x, 4) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "point,lambda,ratio,objective,lower_bound,gap,rank,holdout_loss,cv_loss,cv_error,chosen,rule,time_s\n\
                         1,8.0,1.0,5.0,5.0,0.0,0,,0.75,0.125,0,,0.1\n\
                         2,4.0,0.5,4.0,,,3,,0.5,0.25,1,min,0.2\n";

    #[test]
    fn a_table_is_read_back_and_says_why_a_point_was_chosen() {
        let walk = Walk::parse(TABLE).unwrap();
        assert_eq!((walk.rows.len(), walk.chosen), (2, 1));
        assert_eq!((walk.rows[0].folds, walk.rows[1].lower_bound), (Some((0.75, 0.125)), None));
        let says = walk.says();
        assert!(
            says.starts_with("This is point 2 of 2 on a path of lambdas, at lambda = 4 = 0.5 lambda_max"),
            "{says}"
        );
        assert!(says.ends_with("is the least. It is the smallest of the path: a smaller one may do better."), "{says}");
        let other = |rule: &str| Walk::parse(&TABLE.replace("min", rule)).unwrap().says();
        assert!(other("1se").contains("within one standard error"));
        assert!(other("last").ends_with("the smallest lambda.") && other("2").ends_with("by its number."));
    }

    #[test]
    fn what_is_no_such_table_is_none() {
        for bad in
            ["", "a,b\n1,2\n", &TABLE.replace("4.0,0.5", "four,0.5"), &TABLE.replace(",1,min", ",0,min"), &TABLE[..150]]
        {
            assert_eq!(Walk::parse(bad), None, "{bad}");
        }
    }
}
