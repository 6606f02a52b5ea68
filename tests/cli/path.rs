//! `homfac path`: answers known in closed form, points that agree with separate solves, cross-validation on planted data, what is
//! written, what is refused.

use crate::common::*;
use crate::naive::Grid;
use std::collections::BTreeMap;

/// `path.csv`, a row per point.
struct Table(Vec<BTreeMap<String, String>>);

impl Table {
    #[track_caller]
    fn read(place: &Place, run: &str) -> Self {
        let text = place.read(&format!("{run}/path.csv"));
        let mut lines = text.lines().map(|l| l.split(',').map(String::from).collect::<Vec<_>>());
        let head = lines.next().unwrap();
        let row = |cells: Vec<String>| {
            assert_eq!(cells.len(), head.len());
            head.iter().cloned().zip(cells).collect()
        };
        Self(lines.map(row).collect())
    }

    #[track_caller]
    fn column(&self, name: &str) -> Vec<f64> {
        self.0.iter().map(|r| r[name].parse().unwrap_or_else(|_| panic!("{name}: `{}`", r[name]))).collect()
    }

    fn words(&self, name: &str) -> Vec<&str> {
        self.0.iter().map(|r| r[name].as_str()).collect()
    }

    /// The number of the point chosen, from 1.
    #[track_caller]
    fn chosen(&self) -> usize {
        assert_eq!(self.words("chosen").iter().filter(|c| **c == "1").count(), 1);
        self.words("chosen").iter().position(|c| *c == "1").unwrap() + 1
    }
}

#[track_caller]
fn walked(place: &Place, spec: &str, more: &[&str], code: i32) -> Table {
    place.write("spec.toml", spec);
    let args = ["path", "spec.toml", "-q", "--force", "-o", "walk"];
    place.run(&args.iter().chain(more).copied().collect::<Vec<_>>()).exits(code);
    Table::read(place, "walk")
}

/// U V' of rank two with entries of the order of 1, and noise of a third of that; every fifth entry is missing.
fn planted(m: usize, n: usize) -> Grid {
    let (u, v, e) = (noise(m, 2), noise(n, 2), noise(m, n));
    Grid::from_fn(m, n, |i, j| match (7 * i + 3 * j) % 5 {
        0 => f64::NAN,
        _ => 2.0 * (u.at(i, 0) * v.at(j, 0) + u.at(i, 1) * v.at(j, 1)) + 0.6 * e.at(i, j),
    })
}

#[test]
fn singular_values_are_thresholded_at_every_lambda() {
    let place = Place::new();
    place.write("Y.csv", csv(&diagonal()));
    let t = walked(&place, &spec("1.0", "matrix", L2L2, ""), &["--lambdas", "0.5,2,4,3"], 0);
    assert_eq!(t.column("lambda"), [4.0, 3.0, 2.0, 0.5]);
    assert_eq!(t.column("ratio"), [1.0, 0.75, 0.5, 0.125]);
    assert_eq!(t.column("rank"), [0.0, 1.0, 2.0, 3.0]);
    let wanted = |lambda: f64| {
        [4.0f64, 3.0, 1.0]
            .iter()
            .map(|s| if *s > lambda { lambda * s - lambda * lambda / 2.0 } else { s * s / 2.0 })
            .sum()
    };
    for (lambda, f) in t.column("lambda").iter().zip(t.column("objective")) {
        close(f, wanted(*lambda), 1e-4);
    }
    assert_eq!(t.words("verdict"), ["global"; 4]);
    // the smallest is written, as a run like any other
    assert_eq!(t.chosen(), 4);
    let c = verify_run(&place.path("walk"), 0);
    assert_eq!((number(&c, "/lambda"), number(&c, "/lambda_max/found")), (0.5, 4.0));
    let again = place.run(&["check", "walk", "-q", "--json"]).exits(0).json();
    assert_eq!(again["objective"], c["objective"]);
    assert!(place.read("walk/spec.toml").contains("\nlambda = 0.5\n"));
    // and so is any other
    let t = walked(&place, &spec("1.0", "matrix", L2L2, ""), &["--ratios", "0.75,0.125,0.5", "--choose", "2"], 0);
    assert_eq!((t.chosen(), t.column("lambda")), (2, vec![3.0, 2.0, 0.5]));
    assert_eq!(number(&verify_run(&place.path("walk"), 0), "/rank"), 2.0);
    // the default: 20 points down to a twentieth of lambda_max
    let t = walked(&place, &spec("1.0", "matrix", L2L2, ""), &[], 0);
    let ratios = t.column("ratio");
    assert_eq!((ratios.len(), ratios[0], ratios[19]), (20, 1.0, 0.05));
    ratios.windows(2).for_each(|w| close(w[1] / w[0], 0.05f64.powf(1.0 / 19.0), 1e-12));
}

#[test]
fn every_point_agrees_with_a_separate_solve_and_the_path_is_monotone() {
    let place = Place::new();
    place.write("Y.csv", csv(&planted(9, 7).map(|y| if y.is_nan() { y } else { y.abs() })));
    for (factors, proven) in [(L2L2, true), (NONNEGATIVE, false)] {
        let text = spec("1.0", "matrix", factors, "[certificate]\ntarget_gap = 1e-3\n");
        for more in [vec!["--points", "6"], vec!["--points", "6", "--prove-all"]] {
            let t = walked(&place, &text, &more, 0);
            let (f, low) = (t.column("objective"), t.column("lower_bound"));
            let omega: Vec<f64> = t.column("regularizer").iter().zip(t.column("lambda")).map(|(r, l)| r / l).collect();
            assert!(f.windows(2).all(|w| w[1] < w[0]), "{f:?}");
            assert!(omega.windows(2).all(|w| w[1] > w[0]), "{omega:?}");
            for (k, r) in t.0.iter().enumerate() {
                let one = place.run(&[
                    "solve",
                    "spec.toml",
                    "-q",
                    "--json",
                    "--force",
                    "-o",
                    "one",
                    "--lambda",
                    &r["lambda"],
                ]);
                let one = one.json();
                let (total, bound) = (number(&one, "/objective/total"), number(&one, "/lower_bound"));
                assert!(bound <= f[k] && low[k] <= total, "{bound} {total} and {} {}", low[k], f[k]);
                // no verdict is better than what was proven, and what can be proven is
                let gap = (f[k] - low[k]) / f[k];
                let verdict = r["verdict"].as_str();
                assert!(if gap <= 1e-3 { verdict == "global" } else { verdict == "within" }, "{verdict} {gap}");
                if proven || more.len() > 2 {
                    assert_eq!(verdict, word(&one, "/verdict"));
                }
                // the point is as good as that of a solve, up to the target
                assert!(f[k] <= total * (1.0 + 1.1e-3), "{} {total}", f[k]);
            }
        }
    }
}

#[test]
fn cross_validation_finds_the_planted_scale_and_is_deterministic() {
    let place = Place::new();
    place.write("Y.csv", csv(&planted(18, 14)));
    let text = spec("1.0", "matrix", L2L2, "");
    let args = ["--folds", "4", "--points", "7", "--smallest", "0.02", "--threads", "1", "--seed", "3"];
    let t = walked(&place, &text, &args, 0);
    let (cv, error) = (t.column("cv_loss"), t.column("cv_error"));
    let least = (0..7).min_by(|&a, &b| cv[a].total_cmp(&cv[b])).unwrap();
    assert_eq!(t.chosen(), least + 1);
    // neither nothing nor the noise is fitted
    assert!(0 < least && least < 6 && cv[0] > 2.0 * cv[least] && cv[6] > 1.02 * cv[least], "{cv:?}");
    assert!(error.iter().all(|e| *e > 0.0));
    // noise of variance 0.36 / 3: a loss of half that is what is left where all else is learnt
    assert!(cv[least] > 0.06 && cv[least] < 0.18, "{cv:?}");
    verify_run(&place.path("walk"), 0);
    place.run(&["check", "walk", "-q"]).exits(0);
    let first = timeless(&place.tree("walk"));
    walked(&place, &text, &args, 0);
    assert_eq!(first, timeless(&place.tree("walk")));
    // another seed draws other folds
    let other = walked(&place, &text, &["--folds", "4", "--points", "7", "--smallest", "0.02", "--seed", "4"], 0);
    assert_ne!(other.column("cv_loss"), cv);
    // the largest lambda that is not clearly worse
    let rule: Vec<&str> = args.iter().copied().chain(["--choose", "1se"]).collect();
    let t = walked(&place, &text, &rule, 0);
    let wanted = (0..7).find(|&k| cv[k] <= cv[least] + error[least]).unwrap();
    assert_eq!((t.chosen(), t.column("cv_loss")), (wanted + 1, cv));
    verify_run(&place.path("walk"), 0);
}

#[test]
fn the_loss_kept_out_is_that_of_a_fit_without_the_fold() {
    // every entry is a fold, and X = 0 for a lambda as large as that
    let (place, y) = (Place::new(), [[1.0, 2.0, 3.0, 6.0], [0.0, 1.0, 0.0, 1.0f64]]);
    place.write("Y.csv", csv(&Grid::from_fn(4, 2, |i, j| y[j][i])));
    let args = ["--lambdas", "90,80", "--folds", "8"];
    let half_squares = |of: &dyn Fn(&[f64; 4], f64) -> f64| -> Vec<f64> {
        y.iter().flat_map(|c| c.iter().map(|y| of(c, *y).powi(2) / 2.0).collect::<Vec<_>>()).collect()
    };
    let agree = |t: &Table, losses: Vec<f64>| {
        let mean = losses.iter().sum::<f64>() / 8.0;
        let error = (losses.iter().map(|l| (l - mean).powi(2)).sum::<f64>() / 7.0 / 8.0).sqrt();
        t.column("cv_loss").iter().for_each(|c| close(*c, mean, 1e-9));
        t.column("cv_error").iter().for_each(|e| close(*e, error, 1e-9));
    };
    agree(&walked(&place, &spec("1.0", "matrix", L2L2, ""), &args, 0), half_squares(&|_, y| y));
    // with an intercept per column: the mean of the others
    let text = spec("1.0", "matrix", L2L2, "[[extra]]\nkind = \"intercept\"\naxis = 2\n");
    agree(&walked(&place, &text, &args, 0), half_squares(&|c, y| y - (c.iter().sum::<f64>() - y) / 3.0));
    // centred by column: the same
    let text = spec("1.0", "matrix", L2L2, "transform = \"center\"");
    agree(&walked(&place, &text, &args, 0), half_squares(&|c, y| y - (c.iter().sum::<f64>() - y) / 3.0));
}

#[test]
fn what_is_held_out_by_the_data_chooses_too() {
    let place = Place::new();
    place.write("Y.csv", csv(&planted(18, 14)));
    let t = walked(&place, &spec("1.0", "matrix", L2L2, "holdout = 0.2"), &["--points", "8", "--smallest", "0.01"], 0);
    let held = t.column("holdout_loss");
    let least = (0..8).min_by(|&a, &b| held[a].total_cmp(&held[b])).unwrap();
    assert_eq!(t.chosen(), least + 1);
    assert!(0 < least, "{held:?}");
    let again = place.run(&["check", "walk", "-q", "--json"]).exits(0).json();
    close(number(&again, "/holdout/loss"), held[least], 1e-12);
    let last = ["--points", "8", "--smallest", "0.01", "--choose", "last"];
    assert_eq!(walked(&place, &spec("1.0", "matrix", L2L2, "holdout = 0.2"), &last, 0).chosen(), 8);
}

#[test]
fn folds_go_with_every_kind_of_data() {
    let place = Place::new();
    let folds = ["--folds", "3", "--points", "3", "--smallest", "0.3"];
    let scores = |text: &str| {
        place.write("spec.toml", text);
        let args = ["path", "spec.toml", "-q", "--force", "-o", "walk"];
        let out = place.run(&args.iter().chain(&folds).copied().collect::<Vec<_>>());
        assert!(out.code <= 1, "{}", out.stderr);
        place.run(&["check", "walk", "-q"]);
        let cv = Table::read(&place, "walk").column("cv_loss");
        assert!(cv.iter().all(|c| c.is_finite() && *c >= 0.0), "{cv:?}");
        cv
    };
    // samples of a network: t and its positive part
    let rows: String =
        (0..24).map(|k| format!("{},{}\n", f64::from(k) - 12.0, (f64::from(k) - 14.0).max(0.0))).collect();
    place.write("t.csv", format!("a,y\n{rows}"));
    let input = "input = { path = \"t.csv\", columns = [\"a\"], bias = true, standardize = true }";
    let target = "{ path = \"t.csv\", columns = [\"y\"] }";
    let cv = scores(&spec_on(target, "1.0", "relu", "{ norm = \"l2\" }", input));
    assert!(cv[2] < 0.4 * cv[0], "{cv:?}");
    // a transform is that of what is fitted
    let cv = scores(&spec_on(target, "1.0", "relu", "{ norm = \"l2\" }", &format!("{input}\ntransform = \"center\"")));
    assert!(cv[2] < cv[0], "{cv:?}");
    // classes
    place.write("Y.csv", (0..12).map(|k| format!("{}\n", ["a", "b"][k % 2])).collect::<String>());
    scores(&spec("1.0", "matrix", L2L2, "[loss]\nkind = \"multinomial\"\n"));
    // symmetric
    place.write("Y.csv", csv(&Grid::from_fn(6, 6, |i, j| (1 + i) as f64 * (1 + j) as f64 / 9.0)));
    let cv = scores(&spec("1.0", "psd", "{ norm = \"l2\" }", ""));
    assert!(cv[2] < cv[0], "{cv:?}");
    // extras of both axes beside outliers, standardised
    place.write("Y.csv", csv(&planted(18, 14)));
    scores(&spec(
        "1.0",
        "matrix",
        L2L2,
        "transform = \"standardize\"\n[[extra]]\nkind = \"intercept\"\naxis = 1\n[[extra]]\nkind = \"outliers\"\n\
         penalty = { norm = \"l1\", weight = 1.0 }\n",
    ));
    // measurements
    place.write("A.csv", csv(&noise(14, 12)));
    place.write("b.csv", csv(&noise(14, 1)));
    scores(&spec_on(
        "{ path = \"b.csv\", header = false }",
        "0.4",
        "matrix",
        L2L2,
        "operator = { path = \"A.csv\", dims = [4, 3] }",
    ));
}

#[test]
fn an_entry_alone_in_its_line_is_always_fitted() {
    let place = Place::new();
    // each row has one entry, each column three: every entry is the only one of its row
    place.write("Y.csv", "1,,\n,2,\n,,3\n4,,\n,5,\n,,6\n");
    place.write("spec.toml", spec("1.0", "matrix", L2L2, ""));
    let says = ["--folds 3", "nothing is left for fold 1"];
    place.run(&["path", "spec.toml", "--folds", "3"]).exits(3).says(&says);
}

#[test]
fn the_folder_and_what_is_printed() {
    let place = Place::new();
    place.write("Y.csv", csv(&diagonal()));
    place.write("small.toml", spec("1.0", "matrix", L2L2, ""));
    let out = place.run(&["path", "small.toml", "--points", "3", "--json"]).exits(0);
    let says = [
        "3 lambdas from 4.000000e+00 down to",
        "point        lambda",
        "chosen         point 3 of 3",
        "runs/small-path",
    ];
    let out = out.says(&says);
    assert_eq!(out.stdout, place.read("runs/small-path/certificate.json"));
    let svg = place.read("runs/small-path/path.svg");
    assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"));
    for title in ["objective and proven lower bound", "relative gap", "rank"] {
        assert!(svg.contains(title), "{title}");
    }
    assert!(!svg.contains("held-out"));
    // an existing folder is replaced by force alone
    place.run(&["path", "small.toml", "--points", "3", "-q"]).exits(3).says(&["--force"]);
    place.run(&["path", "small.toml", "--points", "4", "-q", "--force", "--folds", "2"]).exits(0);
    assert_eq!(Table::read(&place, "runs/small-path").0.len(), 4);
    assert!(place.read("runs/small-path/path.svg").contains("held-out"));
}

#[test]
fn a_path_out_of_time_keeps_what_is_there() {
    let place = Place::new();
    place.write("Y.csv", csv(&noise(300, 200)));
    place.write("spec.toml", spec("1.0", "matrix", NONNEGATIVE, ""));
    let limit = ["path", "spec.toml", "--points", "500", "--time-limit", "2s", "-o", "walk"];
    place.run(&limit).exits(1);
    let t = Table::read(&place, "walk");
    assert!(!t.0.is_empty() && t.0.len() < 500, "{}", t.0.len());
    assert_eq!(t.chosen(), t.0.len());
    // the point itself may well meet its target
    let met = !place.read("walk/certificate.json").contains("\"verdict\": \"within\"");
    verify_run(&place.path("walk"), i32::from(!met));
}

#[test]
fn what_cannot_be_walked_is_refused_by_its_flag() {
    let place = Place::new();
    place.write("Y.csv", csv(&diagonal()));
    place.write("spec.toml", spec("1.0", "matrix", L2L2, ""));
    let refused = |more: &[&str], code: i32, says: &[&str]| {
        let args: Vec<&str> =
            ["path", "spec.toml", "-q", "-o", "walk"].into_iter().chain(more.iter().copied()).collect();
        place.run(&args).exits(code).says(says);
        assert!(!place.path("walk").exists());
    };
    refused(&["--points", "1"], 2, &["--points 1", "from 2 to"]);
    refused(&["--points", "many"], 2, &["--points"]);
    refused(&["--smallest", "1.5"], 2, &["--smallest 1.5", "between 0 and 1"]);
    refused(&["--smallest", "nan"], 2, &["--smallest"]);
    refused(&["--lambdas", "1,-2"], 2, &["--lambdas", "-2", "> 0"]);
    refused(&["--ratios", "0.5,0.1,0.5"], 2, &["--ratios", "0.5 is listed twice"]);
    refused(&["--ratios", "0.5", "--lambdas", "1"], 2, &["--ratios", "--lambdas"]);
    refused(&["--ratios", "0.5", "--points", "3"], 2, &["--ratios", "--points"]);
    refused(&["--folds", "1"], 2, &["--folds 1", "at least 2"]);
    refused(&["--folds", "13"], 3, &["--folds 13", "only 12 entries"]);
    refused(&["--choose", "best"], 2, &["--choose", "1se"]);
    refused(&["--choose", "min"], 2, &["--choose min", "--folds"]);
    refused(&["--choose", "1se"], 2, &["--choose 1se", "--folds"]);
    refused(&["--choose", "21"], 2, &["--choose 21", "20 points"]);
    refused(&["--lambda", "2"], 2, &["--lambda", "--lambdas"]);
    refused(&["--set", "lambda=2"], 2, &["--lambda", "--ratios"]);
    // a free intercept per row sees one entry of each fold's rest at least, a matrix of covariates may not
    place.write("side.csv", csv(&noise(4, 3)));
    let extra = "[[extra]]\nkind = \"covariates\"\naxis = 1\nside = \"side.csv\"\n";
    place.write("spec.toml", spec("1.0", "matrix", L2L2, extra));
    refused(&["--folds", "2"], 3, &["--folds 2", "without fold", "covariates"]);
}

/// `solver.warm_start` was ignored without a word: the first point starts from it.
#[test]
fn a_path_starts_from_a_warm_start() {
    let place = Place::new();
    place.write("Y.csv", csv(&scattered(12, 9)));
    place.solve(&spec("0.3", "matrix", L2L2, ""), "cold", &[], 0);
    let iterations = |more: &str, run: &str| {
        place.write("spec.toml", spec("0.3", "matrix", L2L2, more));
        let args = ["path", "spec.toml", "-q", "--lambdas", "0.3", "--choose", "1", "--prove-all", "-o", run];
        place.run(&args).exits(0);
        place.read(&format!("{run}/trace.csv")).lines().count() - 1
    };
    let (anew, warm) = (iterations("", "anew"), iterations("[solver]\nwarm_start = \"cold\"", "warm"));
    assert!(warm < anew, "{warm} iterations from the answer, {anew} from nothing");
    place.write("spec.toml", spec("0.3", "matrix", L2L2, "[solver]\nwarm_start = \"nowhere\""));
    place.run(&["path", "spec.toml", "-o", "none"]).exits(3).says(&["nowhere/factors/X1.npy"]);
    assert!(!place.path("none").exists());
}
