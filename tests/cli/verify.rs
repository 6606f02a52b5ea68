//! `verify_run`: every number of a run folder derived again, from spec.toml, the data files and the factors.
//!
//! Tolerances: `ROUNDING` covers sums of the sizes used here in another order (a few hundred terms, 1e-16 each, with room);
//! everything that is the same floating-point operation is compared exactly.

use crate::naive::{self, Entry, Gauge, Grid, Listed, polar, read_npy, source_path, sum};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

const ROUNDING: f64 = 1e-12;
/// Beyond this side the naive polar is not worth its time.
const SMALL: usize = 40;

/// A fitted or held-out entry.
#[derive(Clone, Copy, Debug)]
struct Cell {
    i: usize,
    j: usize,
    y: f64,
    w: f64,
}

struct Spec {
    table: toml::Table,
    lambda: f64,
    psd: bool,
    sum_form: bool,
    gauges: Vec<Gauge>,
}

/// What was fitted, in observation order, and what was held out.
struct Fit {
    cells: Vec<Cell>,
    held: Vec<Cell>,
    offset: Vec<f64>,
    scale: Vec<f64>,
    log1p: bool,
}

/// Checks a run folder whose command ended with this exit code; returns its certificate.
#[track_caller]
pub fn verify_run(dir: &Path, code: i32) -> Value {
    let text = fs::read_to_string(dir.join("certificate.json")).unwrap();
    let c: Value = serde_json::from_str(&text).unwrap();
    layout(dir, &c, &text);
    let (spec, (m, n), listed, files) = load(dir);
    data_records(dir, &c, &files);
    let x: Vec<Grid> =
        (1..=spec.gauges.len()).map(|k| read_npy(&fs::read(dir.join(format!("factors/X{k}.npy"))).unwrap())).collect();
    for (k, f) in x.iter().enumerate() {
        assert_eq!(f.rows, if k == 0 && !spec.psd { m } else { n }, "rows of factor {}", k + 1);
        assert_eq!(f.cols, count(&c, "/rank"), "columns of factor {}", k + 1);
        let sign = spec.gauges[k].sign;
        assert!((0..f.rows).all(|i| (0..f.cols).all(|j| sign * f.at(i, j) >= 0.0)), "factor {} leaves its cone", k + 1);
    }
    let fit = fit(&spec, &listed, (m, n), &c, &x);
    let w = field(&spec, &fit, &x, (m, n));
    objective(&spec, &fit, &c, &x);
    gap_and_bound(&c);
    dual_point(dir, &spec, &fit, &c, (m, n));
    polars(&spec, &fit, &c, &w, (m, n));
    counts(&spec, &fit, &c, (m, n));
    conditions(&spec, &c, &w, &x);
    verdict(dir, &spec, &fit, &c, &x, code);
    report(dir, &c);
    trace(dir, &c);
    c
}

fn real(c: &Value, at: &str) -> f64 {
    c.pointer(at).and_then(Value::as_f64).unwrap_or_else(|| panic!("no number at {at}"))
}

fn maybe(c: &Value, at: &str) -> Option<f64> {
    let v = c.pointer(at).unwrap_or_else(|| panic!("no {at}"));
    assert!(v.is_null() || v.is_number(), "{at} is {v}");
    v.as_f64()
}

fn count(c: &Value, at: &str) -> usize {
    c.pointer(at).and_then(Value::as_u64).unwrap_or_else(|| panic!("no count at {at}")) as usize
}

fn word<'a>(c: &'a Value, at: &str) -> &'a str {
    c.pointer(at).and_then(Value::as_str).unwrap_or_else(|| panic!("no text at {at}"))
}

/// The folder's files, the keys of certificate.json and their order.
fn layout(dir: &Path, c: &Value, text: &str) {
    const KEYS: [&str; 21] = [
        "format",
        "homfac",
        "name",
        "verdict",
        "stopped_by",
        "lambda",
        "lambda_max",
        "objective",
        "lower_bound",
        "bound",
        "gap",
        "target_gap",
        "polar",
        "rank",
        "rank_bound",
        "degree",
        "conditions",
        "data",
        "holdout",
        "guarantees",
        "time",
    ];
    assert_eq!(c.as_object().unwrap().keys().map(String::as_str).collect::<BTreeSet<_>>(), BTreeSet::from(KEYS));
    let positions: Vec<usize> = KEYS.iter().map(|k| text.find(&format!("\n  \"{k}\":")).unwrap()).collect();
    assert!(positions.is_sorted(), "the keys stand in the contract's order");
    assert_eq!(count(c, "/format"), 1);
    assert_eq!(word(c, "/homfac"), env!("CARGO_PKG_VERSION"));
    assert!(real(c, "/time/solve_s") >= 0.0 && real(c, "/time/certify_s") >= 0.0);
    assert!(c["guarantees"].as_array().unwrap().iter().all(Value::is_string));

    let names: BTreeSet<String> =
        fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    let mut wanted = BTreeSet::from(
        ["spec.toml", "model.json", "factors", "certificate.json", "report.md", "report.html"].map(String::from),
    );
    if !c["lower_bound"].is_null() {
        wanted.insert("dual.npz".into());
    }
    if word(c, "/stopped_by") != "check" {
        wanted.insert("trace.csv".into());
    }
    if word(c, "/verdict") == "refuted" {
        wanted.insert("refutation".into());
    }
    if names.contains("path.csv") {
        wanted.extend(["path.csv", "path.svg"].map(String::from));
    }
    assert_eq!(names, wanted);
}

/// A file the spec names, with what was read from it.
struct Named {
    path: String,
    listed: Listed,
}

type Loaded = (Spec, (usize, usize), Vec<Cell>, Vec<Named>);

fn load(dir: &Path) -> Loaded {
    let table: toml::Table = fs::read_to_string(dir.join("spec.toml")).unwrap().parse().unwrap();
    let data = &table["data"];
    let mut files = Vec::new();
    let mut read = |source: &toml::Value| {
        let listed = naive::read_source(source, dir);
        files.push(Named { path: source_path(source).into(), listed: listed.clone() });
        listed
    };
    let target = read(&data["target"]);
    let (m, n) = target.shape;
    let mask = data.get("mask").map(&mut read);
    let weights = data.get("weights").map(|w| (read(w), w.get("axis").and_then(toml::Value::as_integer)));
    let held = data.get("holdout").filter(|h| h.is_table()).map(&mut read);
    let psd = table["mapping"]["kind"].as_str() == Some("psd");
    let rows = if psd { vec![n] } else { vec![m, n] };
    let factors = table["regularizer"]["factors"].as_array().unwrap();
    assert_eq!(factors.len(), rows.len(), "the resolved spec lists every factor");
    let gauges: Vec<Gauge> = factors
        .iter()
        .zip(&rows)
        .map(|(f, &d)| {
            let weights = match &f["weight"] {
                toml::Value::Float(w) => vec![*w; d],
                source => read(source).entries.iter().map(|e| e.value).collect(),
            };
            let sign = match f.get("cone").and_then(toml::Value::as_str) {
                None => 0.0,
                Some("nonnegative") => 1.0,
                Some("nonpositive") => -1.0,
                Some(other) => panic!("no naive cone {other}"),
            };
            Gauge { norm: f["norm"].as_str().unwrap().into(), weights, sign }
        })
        .collect();

    let weight = |e: &Entry| match &weights {
        None => 1.0,
        Some((w, None)) => w.get(e.i, e.j).unwrap_or(0.0),
        Some((w, Some(axis))) => w.entries[if *axis == 1 { e.i } else { e.j }].value,
    };
    let seen = |e: &Entry| mask.as_ref().is_none_or(|k| k.get(e.i, e.j).is_some_and(|v| v != 0.0 && !v.is_nan()));
    let mut cells: Vec<Cell> = target
        .entries
        .iter()
        .filter(|e| !e.value.is_nan() && seen(e) && weight(e) > 0.0)
        .map(|e| Cell { i: e.i, j: e.j, y: e.value, w: weight(e) })
        .collect();
    if table["mapping"].get("symmetrize").and_then(toml::Value::as_bool) == Some(true) {
        symmetrize(&mut cells);
    }
    if let Some(h) = held {
        // marked by a negative weight until `fit` takes them out
        cells.iter_mut().filter(|c| h.get(c.i, c.j).is_some_and(|v| v != 0.0 && !v.is_nan())).for_each(|c| c.w = -c.w);
    }
    let lambda = table["lambda"].as_float().expect("the resolved lambda is a number");
    let sum_form = table["regularizer"]["form"].as_str() == Some("sum");
    (Spec { table, lambda, psd, sum_form, gauges }, (m, n), cells, files)
}

fn symmetrize(cells: &mut Vec<Cell>) {
    let before = cells.clone();
    let find = |i: usize, j: usize| before.iter().find(|c| (c.i, c.j) == (i, j));
    for c in cells.iter_mut() {
        if let Some(o) = find(c.j, c.i) {
            (c.y, c.w) = (0.5 * (c.y + o.y), 0.5 * (c.w + o.w));
        }
    }
    let lone: Vec<&Cell> = before.iter().filter(|c| find(c.j, c.i).is_none()).collect();
    cells.extend(lone.iter().map(|c| Cell { i: c.j, j: c.i, ..**c }));
}

fn data_records(dir: &Path, c: &Value, files: &[Named]) {
    let records = c["data"].as_array().unwrap();
    assert_eq!(records.len(), files.len(), "every file is recorded");
    for (r, f) in records.iter().zip(files) {
        let bytes = fs::read(dir.join(&f.path)).unwrap();
        let digest: String = Sha256::digest(&bytes).iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(word(r, "/sha256"), digest, "{}", f.path);
        let name = |p: &str| Path::new(p).file_name().unwrap().to_owned();
        assert_eq!(name(word(r, "/path")), name(&f.path));
        assert_eq!(r["shape"], serde_json::json!(f.listed.shown_shape), "{}", f.path);
        let observed = f.listed.entries.iter().filter(|e| !e.value.is_nan()).count();
        assert_eq!(count(r, "/observed"), observed, "{}", f.path);
    }
}

/// Takes the held-out entries away and transforms. A drawn holdout is found by trying all subsets of its size: exactly one
/// must explain the loss that was reported.
fn fit(spec: &Spec, all: &[Cell], shape: (usize, usize), c: &Value, x: &[Grid]) -> Fit {
    let fraction = spec.table["data"].get("holdout").and_then(toml::Value::as_float);
    let Some(fraction) = fraction else {
        let cells =
            |held: bool| all.iter().filter(|c| (c.w < 0.0) == held).map(|c| Cell { w: c.w.abs(), ..*c }).collect();
        let fit = transformed(spec, cells(false), cells(true), shape);
        holdout(spec, &fit, c, x).unwrap();
        return fit;
    };
    let size = (fraction * all.len() as f64).round() as usize;
    assert!(!spec.psd && (1..=2).contains(&size), "hold out at most two entries of a matrix in these tests");
    let mut explain = Vec::new();
    for a in 0..all.len() {
        for b in if size == 1 { a..a + 1 } else { a + 1..all.len() } {
            let (held, kept): (Vec<usize>, Vec<usize>) = (0..all.len()).partition(|k| *k == a || *k == b);
            let pick = |keys: Vec<usize>| keys.into_iter().map(|k| all[k]).collect();
            let fit = transformed(spec, pick(kept), pick(held), shape);
            let loss = loss(&fit.cells, spec, x);
            if (loss - real(c, "/objective/loss")).abs() <= 1e-9 * loss && holdout(spec, &fit, c, x).is_ok() {
                explain.push(fit);
            }
        }
    }
    assert_eq!(explain.len(), 1, "one choice of held-out entries explains the numbers");
    explain.remove(0)
}

fn transformed(spec: &Spec, mut cells: Vec<Cell>, mut held: Vec<Cell>, (m, n): (usize, usize)) -> Fit {
    let (mut offset, mut scale, mut log1p) = (vec![0.0; n], vec![1.0; n], false);
    let column = |j: usize| cells.iter().filter(|c| c.j == j).map(|c| c.y).collect::<Vec<_>>();
    let mean = |y: &[f64]| y.iter().sum::<f64>() / y.len() as f64;
    let transform = &spec.table["data"]["transform"];
    if let Some(s) = transform.get("subtract") {
        offset.fill(s.as_float().unwrap());
    }
    for j in (0..n).filter(|j| !column(*j).is_empty()) {
        let y = column(j);
        let deviation = mean(&y.iter().map(|v| (v - mean(&y)).powi(2)).collect::<Vec<_>>()).sqrt();
        let word = transform.as_str().unwrap_or("");
        if ["center", "standardize"].contains(&word) {
            offset[j] = mean(&y);
        }
        if ["scale", "standardize"].contains(&word) {
            scale[j] = deviation;
        }
        log1p |= word == "log1p";
    }
    for c in cells.iter_mut().chain(&mut held) {
        c.y = if log1p { (1.0 + c.y).ln() } else { (c.y - offset[c.j]) / scale[c.j] };
    }
    let full = held.is_empty() && cells.len() == m * n && cells.is_sorted_by_key(|c| (c.j, c.i));
    if !full {
        cells.sort_by_key(|c| (c.i, c.j));
    }
    Fit { cells, held, offset, scale, log1p }
}

/// Whether the reported RMSE is that of these held-out entries.
fn holdout(spec: &Spec, fit: &Fit, c: &Value, x: &[Grid]) -> Result<(), String> {
    if fit.held.is_empty() {
        assert!(c["holdout"].is_null());
        return Ok(());
    }
    let original = |j: usize, v: f64| if fit.log1p { v.exp() - 1.0 } else { fit.offset[j] + fit.scale[j] * v };
    let squares = fit.held.iter().map(|h| (original(h.j, predict(spec, x, h.i, h.j)) - original(h.j, h.y)).powi(2));
    let rmse = (sum(squares) / fit.held.len() as f64).sqrt();
    assert_eq!(count(c, "/holdout/entries"), fit.held.len());
    let values = || fit.held.iter().map(|h| original(h.j, h.y));
    let mean = sum(values()) / fit.held.len() as f64;
    let spread = sum(values().map(|y| (y - mean).powi(2)));
    if let Some(r2) = maybe(c, "/holdout/r2") {
        let by_hand = 1.0 - rmse.powi(2) * fit.held.len() as f64 / spread;
        if (r2 - by_hand).abs() > 1e-9 * by_hand.abs().max(1.0) {
            return Err(format!("R2 {r2}, but {by_hand} by hand"));
        }
    }
    let said = real(c, "/holdout/rmse");
    if (said - rmse).abs() <= 1e-9 * rmse { Ok(()) } else { Err(format!("RMSE {said}, but {rmse} by hand")) }
}

fn predict(spec: &Spec, x: &[Grid], i: usize, j: usize) -> f64 {
    let (u, v) = (&x[0], if spec.psd { &x[0] } else { &x[1] });
    sum((0..u.cols).map(|k| u.at(i, k) * v.at(j, k)))
}

fn loss(cells: &[Cell], spec: &Spec, x: &[Grid]) -> f64 {
    sum(cells.iter().map(|c| 0.5 * c.w * (c.y - predict(spec, x, c.i, c.j)).powi(2)))
}

/// g of slice k in the form named, and the same balanced.
fn g(spec: &Spec, x: &[Grid], k: usize) -> (f64, f64) {
    let v: Vec<f64> = spec.gauges.iter().zip(x).map(|(g, x)| g.value(&x.column(k))).collect();
    match v.as_slice() {
        [u] => (u * u, u * u),
        [u, v] => (if spec.sum_form { (u * u + v * v) / 2.0 } else { u * v }, u * v),
        _ => panic!("two factors at most"),
    }
}

fn regularizer(spec: &Spec, x: &[Grid]) -> f64 {
    spec.lambda * sum((0..x[0].cols).map(|k| g(spec, x, k).0))
}

/// -grad l / lambda.
fn field(spec: &Spec, fit: &Fit, x: &[Grid], (m, n): (usize, usize)) -> Grid {
    let mut w = Grid::from_fn(m, n, |_, _| 0.0);
    fit.cells.iter().for_each(|c| w.set(c.i, c.j, c.w * (c.y - predict(spec, x, c.i, c.j)) / spec.lambda));
    w
}

fn objective(spec: &Spec, fit: &Fit, c: &Value, x: &[Grid]) {
    let (l, r) = (loss(&fit.cells, spec, x), regularizer(spec, x));
    // the loss is a difference of numbers of the size of the data
    let size = sum(fit.cells.iter().map(|c| c.w * c.y * c.y)) + l;
    let (said_l, said_r) = (real(c, "/objective/loss"), real(c, "/objective/regularizer"));
    assert!((said_l - l).abs() <= ROUNDING * size, "loss {said_l}, by hand {l}");
    assert!((said_r - r).abs() <= ROUNDING * r, "regularizer {said_r}, by hand {r}");
    assert_eq!(real(c, "/objective/extras"), 0.0);
    let total = real(c, "/objective/total");
    assert!(
        total >= said_l + said_r && total <= (said_l + said_r) * (1.0 + ROUNDING),
        "the total is the sum, rounded up"
    );
    // two roundings: l + r itself, and the last of the compensated sums
    assert!(total >= (l + r) * (1.0 - 2.0 * f64::EPSILON), "the total {total} is below the naive objective {}", l + r);
    assert_eq!(real(c, "/lambda"), spec.lambda, "spec.toml and certificate.json agree on lambda");
    assert_eq!(word(c, "/name"), spec.table["name"].as_str().unwrap());
    assert_eq!(real(c, "/target_gap"), spec.table["certificate"]["target_gap"].as_float().unwrap());
}

fn gap_and_bound(c: &Value) {
    let total = real(c, "/objective/total");
    let Some(bound) = maybe(c, "/lower_bound") else {
        assert!(c["bound"].is_null() && maybe(c, "/gap/absolute").is_none() && maybe(c, "/gap/relative").is_none());
        return;
    };
    assert!(bound <= total, "the bound {bound} exceeds the objective {total}");
    assert_eq!(real(c, "/gap/absolute"), total - bound);
    let scale = total.abs().max(bound.abs());
    assert_eq!(real(c, "/gap/relative"), if scale == 0.0 { 0.0 } else { (total - bound) / scale });
    assert!(real(c, "/bound/slack") >= 0.0);
    // `probabilistic` is there only where no tight bound can be proven, which is beyond these sizes
    let keys: Vec<&str> = c["bound"].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, ["method", "slack", "source"]);
    assert!(!word(c, "/bound/source").is_empty() && !word(c, "/bound/method").is_empty());
}

/// The saved dual point is feasible and proves the bound: a field Z itself, a majorant M of it, or a lift
/// [[T_u, S], [S', T_v]] with T >= 0 only where the factor lies in an orthant.
fn dual_point(dir: &Path, spec: &Spec, fit: &Fit, c: &Value, (m, n): (usize, usize)) {
    let Some(bound) = maybe(c, "/lower_bound") else { return };
    let arrays = naive::read_npz_all(&fs::read(dir.join("dual.npz")).unwrap());
    let named: Vec<(&str, &[f64])> = arrays.iter().map(|(name, values)| (name.as_str(), values.as_slice())).collect();
    let matrix = |values: &[f64], rows: usize, cols: usize| {
        assert_eq!(values.len(), rows * cols);
        Grid::from_fn(rows, cols, |i, j| values[j * rows + i])
    };
    let (first, last) = (&spec.gauges[0], spec.gauges.last().unwrap());
    let sign = first.sign * last.sign;
    // z y - z^2 / (2 w) is largest at w y
    let below = |dense: &Grid| -> Vec<f64> {
        assert!(sign != 0.0, "a majorant needs both factors in orthants");
        fit.cells.iter().map(|c| sign * (sign * dense.at(c.i, c.j)).min(sign * c.w * c.y)).collect()
    };
    let small = m.max(n) <= SMALL;
    let (z, reached): (Vec<f64>, f64) = match named.as_slice() {
        [("z", values)] => {
            assert_eq!(values.len(), fit.cells.len());
            let mut dense = Grid::from_fn(m, n, |_, _| 0.0);
            fit.cells.iter().zip(*values).for_each(|(c, z)| dense.set(c.i, c.j, *z));
            (values.to_vec(), if small { polar(&dense, &spec.gauges).0 } else { 0.0 })
        }
        [("majorant", values)] => {
            let dense = matrix(values, m, n);
            let free: Vec<Gauge> = spec.gauges.iter().map(|g| Gauge { sign: 0.0, ..g.clone() }).collect();
            observed_sign(fit, &dense, sign);
            (below(&dense), if small { polar(&dense, &free).0 } else { 0.0 })
        }
        [("lift", s), ("lift_u", u), ("lift_v", v)] => {
            let s = matrix(s, m, n);
            let block = |t: &[f64], side: usize, gauge: &Gauge| {
                assert!(t.is_empty() || gauge.sign != 0.0, "a block needs its factor in an orthant");
                assert!(t.iter().all(|t| *t >= 0.0), "a block has no negative entry");
                if t.is_empty() { Grid::from_fn(side, side, |_, _| 0.0) } else { matrix(t, side, side) }
            };
            let (u, v) = (block(u, m, first), block(v, n, last));
            let whole = Grid::from_fn(m + n, m + n, |i, j| match (i < m, j < m) {
                (true, true) => u.at(i, j),
                (true, false) => s.at(i, j - m),
                (false, true) => s.at(j, i - m),
                (false, false) => v.at(i - m, j - m),
            });
            assert!(spec.gauges.iter().all(|g| g.norm == "l2"));
            // the polar of c_u ||u|| c_v ||v|| is that of the plain norms over c_u c_v
            let reached =
                if small { naive::largest_eigenvalue(&whole) / (first.weights[0] * last.weights[0]) } else { 0.0 };
            observed_sign(fit, &s, sign);
            (if sign == 0.0 { fit.cells.iter().map(|c| s.at(c.i, c.j)).collect() } else { below(&s) }, reached)
        }
        other => panic!("no naive proof for {:?}", other.iter().map(|a| a.0).collect::<Vec<_>>()),
    };
    assert!(reached <= spec.lambda * (1.0 + ROUNDING), "the dual point's polar reaches {reached} > {}", spec.lambda);
    let value = sum(fit.cells.iter().zip(&z).map(|(c, z)| z * c.y - z * z / (2.0 * c.w)));
    let slack = real(c, "/bound/slack");
    let size = sum(fit.cells.iter().zip(&z).map(|(c, z)| (z * c.y).abs()));
    assert!(value >= bound - 4.0 * f64::EPSILON * size, "the dual point proves {value}, not {bound}");
    // a witness is saved as it came; for its proof it is scaled once more, by 1 less some roundings and 2 u ||Z||_F / ||Z||_2
    let scaled = (8.0 + 2.0 * (m.min(n) as f64).sqrt()) * f64::EPSILON * size;
    assert!(value - 2.0 * slack <= bound + scaled, "{value} less the margin {slack} is not {bound}");
}

/// Where nothing is observed Z is 0: what lies above it must not be below, and what equals it must be 0.
fn observed_sign(fit: &Fit, dense: &Grid, sign: f64) {
    let seen: BTreeSet<(usize, usize)> = fit.cells.iter().map(|c| (c.i, c.j)).collect();
    for (i, j) in (0..dense.rows).flat_map(|i| (0..dense.cols).map(move |j| (i, j))).filter(|e| !seen.contains(e)) {
        let x = dense.at(i, j);
        assert!(if sign == 0.0 { x == 0.0 } else { sign * x >= 0.0 }, "{x} at the unobserved entry {i}, {j}");
    }
}

fn polars(spec: &Spec, fit: &Fit, c: &Value, w: &Grid, (m, n): (usize, usize)) {
    let at_zero = {
        let mut z = Grid::from_fn(m, n, |_, _| 0.0);
        fit.cells.iter().for_each(|c| z.set(c.i, c.j, c.w * c.y));
        z
    };
    for (lower, upper, w) in [("/polar/lower", "/polar/upper", w), ("/lambda_max/found", "/lambda_max/upper", &at_zero)]
    {
        let (low, high) = (real(c, lower), maybe(c, upper));
        assert!(low >= 0.0 && high.is_none_or(|h| low <= h * (1.0 + ROUNDING)), "{lower} {low}, {upper} {high:?}");
        if m.max(n) > SMALL {
            continue;
        }
        let (attained, known) = polar(w, &spec.gauges);
        assert!(
            high.is_none_or(|h| attained <= h * (1.0 + ROUNDING)),
            "{upper} is {high:?}, but {attained} is attained"
        );
        assert!(
            known.is_none_or(|k| low <= k * (1.0 + ROUNDING) + 1e-14),
            "{lower} is {low}, above the polar {known:?}"
        );
    }
    assert!(
        !c["polar"]["exact"].as_bool().unwrap() || maybe(c, "/polar/upper").is_some(),
        "exact without an upper end"
    );
    assert!(!word(c, "/polar/method").is_empty());
}

fn counts(spec: &Spec, fit: &Fit, c: &Value, (m, n): (usize, usize)) {
    assert_eq!((count(c, "/degree/mapping"), count(c, "/degree/regularizer")), (2, 2));
    let free_l2 = spec.gauges.iter().all(|g| g.norm == "l2" && g.sign == 0.0);
    let lines = |k: usize| (if spec.gauges[k].sign == 0.0 { 2 } else { 1 }) * (if k == 0 { m } else { n });
    let axis = spec.gauges.iter().position(|g| g.norm == "l1");
    let kind = match (free_l2, axis) {
        (true, _) => m.min(n),
        (false, Some(k)) => lines(k),
        _ => usize::MAX,
    };
    assert_eq!(count(c, "/rank_bound"), (fit.cells.len() + 1).min(kind));
}

fn conditions(spec: &Spec, c: &Value, w: &Grid, x: &[Grid]) {
    const IDS: [&str; 11] = [
        "degree_match",
        "nondegenerate",
        "loss_convex",
        "extras_convex",
        "minimum_exists",
        "stationary",
        "equal_slices",
        "zero_slice",
        "polar",
        "extras_optimal",
        "rank_bound",
    ];
    let all = c["conditions"].as_array().unwrap();
    assert_eq!(all.iter().map(|k| word(k, "/id")).collect::<Vec<_>>(), IDS);
    let find = |id: &str| all.iter().find(|k| k["id"] == id).unwrap();
    for k in all {
        assert!(!word(k, "/source").is_empty() && !word(k, "/says").is_empty());
        if let (Some(v), Some(t), true) = (maybe(k, "/value"), maybe(k, "/tolerance"), k["id"] != "polar") {
            assert_eq!(k["holds"].as_bool(), Some(v <= t), "{k}");
        }
    }
    let slices = || (0..x[0].cols).map(|k| g(spec, x, k).1);
    let top = slices().fold(0.0, f64::max);
    let v = if spec.psd { &x[0] } else { x.last().unwrap() };
    let inner = |k: usize| {
        (0..w.rows)
            .flat_map(|i| (0..w.cols).map(move |j| (i, j)))
            .map(|(i, j)| w.at(i, j) * x[0].at(i, k) * v.at(j, k))
            .sum::<f64>()
    };
    let unequal =
        slices().enumerate().filter(|(_, g)| *g > 0.0).map(|(k, g)| (inner(k) - g).abs() / top).fold(0.0, f64::max);
    let said = real(find("equal_slices"), "/value");
    assert!((said - unequal).abs() <= 1e-9 * (1.0 + unequal), "equal_slices {said}, by hand {unequal}");
    assert_eq!(real(find("polar"), "/value"), real(c, "/polar/lower") - 1.0);
    assert_eq!(real(find("rank_bound"), "/value"), count(c, "/rank") as f64);
    assert_eq!(real(find("rank_bound"), "/tolerance"), count(c, "/rank_bound") as f64);
    let smallest = (0..x[0].cols).map(|k| g(spec, x, k).0).fold(f64::INFINITY, f64::min);
    match maybe(find("zero_slice"), "/value") {
        None => assert_eq!(x[0].cols, 0),
        Some(said) => assert!((said - smallest).abs() <= ROUNDING * smallest),
    }
}

/// Contract section 4, in its order; and the exit code.
fn verdict(dir: &Path, spec: &Spec, fit: &Fit, c: &Value, x: &[Grid], code: i32) {
    let (total, gap) = (real(c, "/objective/total"), maybe(c, "/gap/relative"));
    let target = real(c, "/target_gap");
    let refuted = dir.join("refutation").exists().then(|| {
        let appended: Vec<Grid> = x
            .iter()
            .enumerate()
            .map(|(k, x)| {
                let slice = read_npy(&fs::read(dir.join(format!("refutation/X{}.npy", k + 1))).unwrap());
                assert_eq!((slice.rows, slice.cols), (x.rows, 1));
                Grid::from_fn(x.rows, x.cols + 1, |i, j| if j < x.cols { x.at(i, j) } else { slice.at(i, 0) })
            })
            .collect();
        for (g, a) in spec.gauges.iter().zip(&appended) {
            assert!((0..a.rows).all(|i| g.sign * a.at(i, a.cols - 1) >= 0.0), "the slice leaves its cone");
        }
        let before = loss(&fit.cells, spec, x) + regularizer(spec, x);
        before - loss(&fit.cells, spec, &appended) - regularizer(spec, &appended)
    });
    let wanted = match (gap, refuted) {
        (Some(g), None) if g <= target.min(1e-3) => "global",
        (_, Some(decrease)) => {
            assert!(decrease > 1e-7 * total, "the written slice lowers the objective by {decrease} of {total} only");
            "refuted"
        }
        _ if maybe(c, "/lower_bound").is_some_and(|b| b > 0.0) => "within",
        _ => "local",
    };
    assert_eq!(word(c, "/verdict"), wanted);
    // the exact step along a slice of value p: decrease = (lambda (p - 1))^2 / (2 sum w phi^2), and ||phi||^2 <= radius^2
    if wanted == "within" || wanted == "local" {
        let radius = |g: &Gauge| {
            let smallest = g.weights.iter().fold(f64::INFINITY, |m, d| m.min(*d));
            if g.norm == "linf" { (g.weights.len() as f64).sqrt() / smallest } else { 1.0 / smallest }
        };
        let radius: f64 = radius(&spec.gauges[0]) * radius(spec.gauges.last().unwrap());
        let heaviest = fit.cells.iter().fold(0.0, |m: f64, c| m.max(c.w));
        let excess = spec.lambda * (real(c, "/polar/lower") - 1.0).max(0.0);
        let decrease = excess * excess / (2.0 * heaviest * radius * radius);
        assert!(
            decrease <= 1e-7 * total * 1.01,
            "a slice that lowers the objective by {decrease} was found, yet {wanted}"
        );
    }
    let met = wanted != "refuted" && gap.is_some_and(|g| g <= target);
    let due = if word(c, "/stopped_by") == "interrupt" { 130 } else { i32::from(!met) };
    assert_eq!(code, due, "exit code of verdict {wanted}, gap {gap:?}, target {target}");
}

fn report(dir: &Path, c: &Value) {
    let text = fs::read_to_string(dir.join("report.md")).unwrap();
    let row = |label: &str, value: String| {
        let line = format!("| {label} | {value} |");
        assert!(text.contains(&line), "report.md lacks {line}\n{text}");
    };
    // printed proofs never cross what they print: bounds are rounded down, objectives and gaps up
    let printed = |label: &str, x: Option<f64>, towards: f64| {
        let start = format!("| {label} | ");
        let line = text.lines().find(|l| l.starts_with(&start)).unwrap_or_else(|| panic!("report.md lacks {label}"));
        let cell = line.strip_prefix(&start).unwrap().trim_end_matches(" |");
        let Some(x) = x else { return assert_eq!(cell, "-", "{label}") };
        let (mantissa, exponent) = cell.split_once('e').unwrap_or_else(|| panic!("{label}: {cell}"));
        assert_eq!(mantissa.trim_start_matches('-').len(), 14, "{label}: 12 decimals in {cell}");
        assert!(exponent.starts_with(['+', '-']) && exponent.len() >= 3, "{label}: {cell}");
        let off = cell.parse::<f64>().unwrap() - x;
        assert!(off.abs() <= 1.1e-12 * x.abs() && off * towards >= 0.0, "{label}: {cell} against {x:e}");
    };
    printed("objective", Some(real(c, "/objective/total")), 1.0);
    printed("of which loss", Some(real(c, "/objective/loss")), 0.0);
    printed("lower bound (proven)", maybe(c, "/lower_bound"), -1.0);
    printed("absolute gap", maybe(c, "/gap/absolute"), 1.0);
    printed("relative gap", maybe(c, "/gap/relative"), 1.0);
    row("rank", format!("{} ({} always suffice)", count(c, "/rank"), count(c, "/rank_bound")));
    row("lambda", format!("{:?}", real(c, "/lambda")));
    assert!(text.starts_with(&format!("# {}\n", word(c, "/name"))));
    let verdict = word(c, "/verdict");
    let headline = text.lines().nth(2).unwrap().to_lowercase();
    assert!(headline.starts_with(&format!("**{verdict}")), "{headline}");
    for d in c["data"].as_array().unwrap() {
        assert!(text.contains(word(d, "/sha256")));
    }
    if let Some(h) = c["holdout"].as_object() {
        printed(&format!("RMSE over {} held-out entries", h["entries"]), h["rmse"].as_f64(), 0.0);
    }
}

fn trace(dir: &Path, c: &Value) {
    let Ok(text) = fs::read_to_string(dir.join("trace.csv")) else { return };
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("iter,rank,objective,lower_bound,gap,polar,step,time_s"));
    let cell = |s: &str| if s.is_empty() { None } else { Some(s.parse::<f64>().unwrap()) };
    let (mut objective, mut bound, mut rank) = (f64::INFINITY, None, 0);
    let mut count_of_rows = 0;
    for (k, line) in lines.enumerate() {
        let row: Vec<&str> = line.split(',').collect();
        assert_eq!((row.len(), row[0].parse()), (8, Ok(k)), "{line}");
        let (f, b, gap) = (cell(row[2]).unwrap(), cell(row[3]), cell(row[4]));
        assert!(f <= objective * (1.0 + ROUNDING), "the objective rises from {objective} to {f}");
        assert!(bound.is_none() || b >= bound, "the bound falls from {bound:?} to {b:?}");
        if let Some(b) = b {
            assert!(b <= f * (1.0 + ROUNDING), "the bound {b} exceeds the objective {f}");
            let scale = f.abs().max(b.abs());
            assert_eq!(gap, Some(if scale == 0.0 { 0.0 } else { (f - b) / scale }));
        }
        assert!(cell(row[5]).unwrap() >= 0.0 && cell(row[7]).unwrap() >= 0.0 && !row[6].is_empty());
        (objective, bound, rank) = (f, b, row[1].parse().unwrap());
        count_of_rows += 1;
    }
    assert!(count_of_rows > 0);
    let total = real(c, "/objective/total");
    assert!((total - objective).abs() <= ROUNDING * total, "the last row has {objective}, certificate.json {total}");
    assert_eq!(rank, count(c, "/rank"));
    // the final proof has the solver's best dual point among its witnesses
    if let Some(b) = bound {
        let last = real(c, "/lower_bound");
        assert!(last >= b - ROUNDING * b.abs(), "the solver had proven {b}, certificate.json says {last}");
    }
}

/// A verification that accepts a false number is worth nothing: each of these must be noticed.
mod mutants {
    use super::verify_run;
    use crate::common::{L2L2, NONNEGATIVE, Place, csv, scattered, spec};
    use crate::naive::{self, Grid};
    use serde_json::Value;
    use std::fs;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    fn run(factors: &str) -> (Place, Value) {
        let place = Place::new();
        place.write("Y.csv", csv(&scattered(5, 4)));
        place.write("held.csv", "0,1,0,0\n0,0,0,0\n0,0,1,0\n0,0,0,0\n0,0,0,0\n");
        let c = place.solve(&spec("0.4", "matrix", factors, "holdout = \"held.csv\""), "run", &[], 0);
        (place, c)
    }

    #[track_caller]
    fn noticed(place: &Place, code: i32, what: &str) {
        let verified = catch_unwind(AssertUnwindSafe(|| verify_run(&place.path("run"), code)));
        assert!(verified.is_err(), "{what} went unnoticed");
    }

    #[test]
    fn every_number_of_the_certificate_is_checked() {
        let (place, c) = run(L2L2);
        let text = place.read("run/certificate.json");
        // replaced in the text, so that the order of the keys stays
        let forge = |key: &str, old: &Value, new: &str| {
            let from = format!("\"{key}\": {old}");
            assert!(text.contains(&from), "{from}");
            place.write("run/certificate.json", text.replacen(&from, &format!("\"{key}\": {new}"), 1));
            noticed(&place, 0, &format!("{key} {new} instead of {old}"));
        };
        let numbers = [
            "/objective/total",
            "/objective/loss",
            "/objective/regularizer",
            "/lower_bound",
            "/gap/absolute",
            "/gap/relative",
            "/lambda",
            "/target_gap",
            "/lambda_max/upper",
            "/polar/upper",
            "/holdout/rmse",
            "/holdout/r2",
        ];
        for at in numbers {
            let value = c.pointer(at).unwrap();
            let key = at.rsplit('/').next().unwrap();
            let x = value.as_f64().unwrap();
            forge(key, value, &format!("{:?}", x * (1.0 - 1e-6)));
            // a proven upper end may be weak, never too low
            if key != "upper" {
                forge(key, value, &format!("{:?}", x * (1.0 + 1e-6)));
            }
        }
        // and a found value may be weak, never too high
        for at in ["/lambda_max/found", "/polar/lower"] {
            let value = c.pointer(at).unwrap();
            let key = at.rsplit('/').next().unwrap();
            forge(key, value, &format!("{:?}", value.as_f64().unwrap() * (1.0 + 1e-6)));
        }
        for at in ["/rank", "/rank_bound", "/format", "/degree/mapping", "/degree/regularizer", "/holdout/entries"] {
            let key = at.rsplit('/').next().unwrap();
            let value = c.pointer(at).unwrap();
            forge(key, value, &(value.as_u64().unwrap() + 1).to_string());
        }
        forge("slack", &c["bound"]["slack"], "-1.0");
        forge("observed", &c["data"][0]["observed"], "19");
        for (at, wrong) in [("/verdict", "within"), ("/name", "other"), ("/homfac", "9.9.9"), ("/data/0/sha256", "00")]
        {
            forge(at.rsplit('/').next().unwrap(), c.pointer(at).unwrap(), &format!("\"{wrong}\""));
        }
        place.write("run/certificate.json", &text);
        verify_run(&place.path("run"), 0);
        noticed(&place, 1, "a wrong exit code");
    }

    #[test]
    fn every_file_of_the_folder_is_checked() {
        let (place, _) = run(NONNEGATIVE);
        let tampered = |file: &str, change: &dyn Fn(&[u8]) -> Vec<u8>| {
            let honest = fs::read(place.path(file)).unwrap();
            place.write(file, change(&honest));
            noticed(&place, 0, file);
            place.write(file, honest);
        };
        let scaled = |f: f64| move |bytes: &[u8]| naive::npy_bytes(&naive::read_npy(bytes).map(|x| f * x));
        tampered("run/factors/X1.npy", &scaled(1.0 + 1e-6));
        tampered("run/factors/X2.npy", &scaled(-1.0));
        tampered("run/dual.npz", &|bytes| {
            let (name, z) = naive::read_npz_all(bytes).remove(0);
            let grid = Grid::from_fn(z.len(), 1, |i, _| 1.001 * z[i]);
            naive::npz_bytes(&[(&name, &grid)])
        });
        tampered("Y.csv", &|bytes| [bytes, b"\n"].concat());
        let edited = |from: &'static str, to: &'static str| {
            move |bytes: &[u8]| {
                let text = std::str::from_utf8(bytes).unwrap();
                assert!(text.contains(from), "{from} is not in\n{text}");
                text.replacen(from, to, 1).into_bytes()
            }
        };
        tampered("run/spec.toml", &edited("lambda = 0.4", "lambda = 0.5"));
        tampered("run/report.md", &edited("| objective | ", "| objective | 1"));
        tampered("run/trace.csv", &|bytes| {
            let text = std::str::from_utf8(bytes).unwrap();
            let last = text.lines().last().unwrap();
            let mut cells: Vec<&str> = last.split(',').collect();
            cells[2] = "1000.0";
            text.replace(last, &cells.join(",")).into_bytes()
        });
        fs::write(place.path("run/stray.txt"), "").unwrap();
        noticed(&place, 0, "a stray file");
        fs::remove_file(place.path("run/stray.txt")).unwrap();
        verify_run(&place.path("run"), 0);
    }

    #[test]
    fn a_refutation_that_does_not_descend_is_noticed() {
        let place = Place::new();
        place.write("Y.csv", csv(&scattered(5, 4)));
        place.solve(&spec("0.4", "matrix", L2L2, ""), "run", &["--set", "solver.max_rank=1"], 1);
        let honest = fs::read(place.path("run/refutation/X1.npy")).unwrap();
        place.write("run/refutation/X1.npy", naive::npy_bytes(&naive::read_npy(&honest).map(|x| -x)));
        noticed(&place, 1, "a slice that ascends");
        fs::remove_dir_all(place.path("run/refutation")).unwrap();
        noticed(&place, 1, "a missing slice");
    }
}
