//! Laws of [`Mapping`]: homogeneity, the adjoint, sums over slices, the Gram matrix, and two layouts that agree with each other
//! and with phi written out.

use crate::draw::{
    EPS, Rng, claim, dot, dot_size, holds, inputs, log_uniform, moved, norm, normals, rejects, scaled, second_order,
};
use homfac::data::Observations;
use homfac::linalg::{Mat, Pattern};
use homfac::mapping::{Activation, Count, Factors, KINDS, Kind, Layers, Mapping, Setup};
use rand::RngExt;

type Law = fn(&dyn Mapping, &Instance, &mut Rng) -> Result<(), String>;

/// Each law with the mutants it must reject.
const LAWS: &[(&str, Law, &[Mutant])] = &[
    ("Phi(a X) = a^p Phi(X)", homogeneous, &[Mutant::Affine, Mutant::WrongDegree]),
    ("sum_k <pullback_k(W), X^k> = p <W, Phi(X)>", euler, &[Mutant::SteepPullback, Mutant::WrongDegree]),
    ("the pullback is the derivative", adjoint, &[Mutant::SteepPullback, Mutant::TransposedField]),
    ("Phi of joined factors is the sum", joins, &[Mutant::Affine, Mutant::LostSlice]),
    ("the Gram matrix holds the inner products", gram, &[Mutant::GramOfSums]),
    ("magnitude bounds the slices' norms", magnitude, &[Mutant::HalfMagnitude]),
    ("gain bounds phi of unit factors", gain, &[Mutant::SmallGain]),
    ("Phi is phi as written, in both layouts", naive_phi, &[Mutant::LostSlice, Mutant::TransposedField]),
    ("both layouts pull back alike", naive_pullback, &[Mutant::TransposedField]),
    ("all pullbacks at once are those one by one", at_once, &[Mutant::SteepPullback]),
];

/// Observations of an output that the kind takes, and factors for it.
struct Instance {
    name: &'static str,
    layers: Layers,
    sizes: Vec<usize>,
    at: Observations,
    x: Factors,
}

/// A kind, with hidden layers if it has any.
struct Case {
    kind: &'static Kind,
    layers: Layers,
}

impl Case {
    fn label(&self) -> String {
        if self.kind.factors == Count::Layers {
            format!("{} {:?}", self.kind.name, self.layers)
        } else {
            self.kind.name.into()
        }
    }

    /// Networks on three inputs.
    fn build(&self) -> Box<dyn Mapping> {
        let sizes = sizes(self.kind);
        (self.kind.build)(&Setup { sizes: &sizes, inputs: Some(&inputs(sizes[0], 3)), layers: Some(&self.layers) })
    }
}

/// Every kind, networks of several layers with every activation, with and without pooling.
fn cases() -> Vec<Case> {
    let plain = |widths: &[usize], activation| Layers::new(widths.to_vec(), activation);
    let mut out = Vec::new();
    for kind in KINDS {
        let layers = match kind.name {
            "relu_deep" => vec![
                plain(&[3, 2], Activation::Relu),
                plain(&[2], Activation::Abs),
                Layers { pool: vec![2, 1], ..plain(&[4, 2], Activation::Leaky(0.2)) },
                Layers { pool: vec![3], ..plain(&[3], Activation::Relu) },
                Layers { pool: vec![1, 2], ..plain(&[2, 2], Activation::Linear) },
            ],
            "linear_net" => vec![plain(&[3, 2], Activation::Linear)],
            _ => vec![plain(&[1], Activation::Relu)],
        };
        out.extend(layers.into_iter().map(|layers| Case { kind, layers }));
    }
    out
}

impl Instance {
    fn draw(case: &Case, mapping: &dyn Mapping, full: bool, rng: &mut Rng) -> Self {
        let (kind, layers) = (case.kind, case.layers.clone());
        let sizes = sizes(kind);
        let at = if full {
            whole(&sizes)
        } else {
            let (m, n) = whole(&sizes).shape();
            let all = (0..m).flat_map(|i| (0..n).map(move |j| (i, j)));
            let listed: Vec<(usize, usize)> = all.filter(|_| rng.random_bool(0.6)).collect();
            Observations::Coordinates(Pattern::new(m, n, &listed).unwrap().0)
        };
        let rank = rng.random_range(1..5);
        let x = factors(mapping, &sizes, rank, rng);
        Self { name: kind.name, layers, sizes, at, x }
    }

    /// <W, Phi(X)>.
    fn pairing(&self, m: &dyn Mapping, w: &[f64], x: &Factors) -> f64 {
        dot(w, &m.apply(&self.at, x))
    }

    /// Rounding of an inner product of two fields, or of the factors.
    fn rounding(&self, m: &dyn Mapping, w: &[f64]) -> f64 {
        16.0 * (self.at.len() + self.x.rank() + 1) as f64 * EPS * norm(w) * m.magnitude(&self.x)
    }
}

/// A square matrix (every mapping of matrices takes one), or an array of higher order.
fn sizes(kind: &Kind) -> Vec<usize> {
    if kind.factors == Count::Indices { vec![4, 3, 2, 3] } else { vec![5, 5] }
}

/// Every entry, in the unfolding d_1 x (d_2 .. d_K).
fn whole(sizes: &[usize]) -> Observations {
    Observations::Full { rows: sizes[0], cols: sizes[1..].iter().product() }
}

fn factors(mapping: &dyn Mapping, sizes: &[usize], rank: usize, rng: &mut Rng) -> Factors {
    let rows = mapping.factor_rows(whole(sizes).shape());
    Factors(rows.iter().map(|&d| Mat::from_vec(d, rank, normals(d * rank, rng))).collect())
}

fn combine(x: &Factors, t: f64, d: &Factors) -> Factors {
    Factors(x.0.iter().zip(&d.0).map(|(x, d)| x + d * t).collect())
}

/// Slice i alone.
fn single(x: &Factors, i: usize) -> Factors {
    Factors(x.0.iter().map(|x| x.columns(i, 1).into_owned()).collect())
}

fn close(a: &[f64], b: &[f64], rounding: f64, what: &str) -> Result<(), String> {
    claim(a.len() == b.len(), || format!("{what}: {} entries, expected {}", a.len(), b.len()))?;
    let worst = a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    claim(worst <= rounding, || format!("{what}: differs by {worst:e}: {a:?}, expected {b:?}"))
}

fn homogeneous(m: &dyn Mapping, inst: &Instance, rng: &mut Rng) -> Result<(), String> {
    let a = log_uniform(1e-3..1e3, rng);
    let power = a.powi(m.degree() as i32);
    let far = m.apply(&inst.at, &Factors(inst.x.0.iter().map(|x| x * a).collect()));
    let rounding = 16.0 * inst.x.rank() as f64 * EPS * power * m.magnitude(&inst.x);
    close(&far, &scaled(&m.apply(&inst.at, &inst.x), power), rounding, "Phi(a X)")
}

fn euler(m: &dyn Mapping, inst: &Instance, rng: &mut Rng) -> Result<(), String> {
    let w = normals(inst.at.len(), rng);
    let along: f64 = inst.x.0.iter().enumerate().map(|(k, x)| m.pullback(&inst.at, &w, &inst.x, k).dot(x)).sum();
    let p = f64::from(m.degree());
    close(&[along], &[p * inst.pairing(m, &w, &inst.x)], p * inst.rounding(m, &w), "<grad, X>")
}

/// Finite differences of <W, Phi> in a random direction that moves one factor, then all.
fn adjoint(m: &dyn Mapping, inst: &Instance, rng: &mut Rng) -> Result<(), String> {
    let w = normals(inst.at.len(), rng);
    let here = inst.pairing(m, &w, &inst.x);
    let grads: Vec<Mat> = (0..inst.x.0.len()).map(|k| m.pullback(&inst.at, &w, &inst.x, k)).collect();
    for only in (0..inst.x.0.len()).map(Some).chain([None]) {
        let mut d = factors(m, &inst.sizes, inst.x.rank(), rng);
        for (k, d) in d.0.iter_mut().enumerate() {
            d.scale_mut(if only.is_none_or(|o| o == k) { 1.0 } else { 0.0 });
        }
        if m.inputs().is_some() {
            // so short that no hidden unit changes its sign, and no other is the largest of its group
            let steps = [1.0, 0.5, 0.2, -0.2, -0.5, -1.0];
            let here = kinks(inst, &inst.x);
            while steps.iter().any(|t| kinks(inst, &combine(&inst.x, *t, &d)) != here) {
                d.0.iter_mut().for_each(|d| d.scale_mut(0.3));
            }
        }
        let slope: f64 = grads.iter().zip(&d.0).map(|(g, d)| g.dot(d)).sum();
        let signed = |t: f64| inst.pairing(m, &w, &combine(&inst.x, t, &d)) - here - t * slope;
        // terms of odd order may cancel those of even order at some t, and then not at -t
        let error = |t: f64| signed(t).abs().max(signed(-t).abs());
        second_order(error, 100.0 * inst.rounding(m, &w)).map_err(|e| format!("factor {only:?}: {e}"))?;
    }
    Ok(())
}

fn joins(m: &dyn Mapping, inst: &Instance, rng: &mut Rng) -> Result<(), String> {
    let rank = rng.random_range(0..4);
    let more = factors(m, &inst.sizes, rank, rng);
    let mut both = inst.x.clone();
    both.append(&more);
    let (a, b) = (m.apply(&inst.at, &inst.x), m.apply(&inst.at, &more));
    let sum: Vec<f64> = a.iter().zip(&b).map(|(a, b)| a + b).collect();
    close(&m.apply(&inst.at, &both), &sum, 16.0 * both.rank() as f64 * EPS * m.magnitude(&both), "Phi of the join")
}

fn at_once(m: &dyn Mapping, inst: &Instance, rng: &mut Rng) -> Result<(), String> {
    let w = normals(inst.at.len(), rng);
    for (k, all) in m.pullbacks(&inst.at, &w, &inst.x).iter().enumerate() {
        let one = m.pullback(&inst.at, &w, &inst.x, k);
        close(all.as_slice(), one.as_slice(), 64.0 * EPS * one.norm(), &format!("factor {k}"))?;
    }
    Ok(())
}

/// sum_j c_j (d Phi_j)^2, where the mapping has that of two layers: field by field.
fn curvatures(m: &dyn Mapping, inst: &Instance, rng: &mut Rng) -> Result<(), String> {
    let c: Vec<f64> = normals(inst.at.len(), rng).iter().map(|c| c.abs()).collect();
    let Some(found) = m.curvatures(&inst.at, &c, &inst.x) else { return Ok(()) };
    for (k, found) in found.iter().enumerate() {
        let mut expected = Mat::zeros(found.nrows(), found.ncols());
        for (j, c) in c.iter().enumerate() {
            let mut one = vec![0.0; inst.at.len()];
            one[j] = 1.0;
            expected += m.pullback(&inst.at, &one, &inst.x, k).map(|d| c * d * d);
        }
        close(found.as_slice(), expected.as_slice(), 1e-12 * expected.norm(), &format!("factor {k}"))?;
    }
    Ok(())
}

/// Over the whole output, whatever is observed.
fn gram(m: &dyn Mapping, inst: &Instance, _rng: &mut Rng) -> Result<(), String> {
    let whole = whole(&inst.sizes);
    let phi: Vec<Vec<f64>> = (0..inst.x.rank()).map(|i| m.apply(&whole, &single(&inst.x, i))).collect();
    let g = m.gram(&inst.x);
    for (i, a) in phi.iter().enumerate() {
        for (j, b) in phi.iter().enumerate() {
            let rounding = 4.0 * whole.len() as f64 * EPS * norm(a) * norm(b);
            close(&[g[(i, j)]], &[dot(a, b)], rounding, &format!("Gram entry ({i}, {j})"))?;
        }
    }
    Ok(())
}

/// The slices; of networks of several layers with one unit in each, whose outputs are as large as such networks make them.
fn chained(inst: &Instance) -> Factors {
    let mut x = inst.x.clone();
    if matches!(inst.name, "relu_deep" | "linear_net") {
        let (last, width) = (x.0.len() - 1, inst.layers.widths[0]);
        x.0[0].row_iter_mut().enumerate().filter(|(k, _)| k % width != 0).for_each(|(_, mut r)| r.fill(0.0));
        (1..last).for_each(|k| x.0[k].row_iter_mut().skip(1).for_each(|mut r| r.fill(0.0)));
        x.0[last].row_iter_mut().skip(5).for_each(|mut r| r.fill(0.0));
    }
    x
}

fn magnitude(m: &dyn Mapping, inst: &Instance, rng: &mut Rng) -> Result<(), String> {
    let whole = whole(&inst.sizes);
    // beyond the square root of the largest double too: the bound may be infinite there, but not small
    let size = if rng.random_bool(0.3) { 1e160 } else { log_uniform(1e-140..1e140, rng) };
    let mut x = chained(inst);
    x.0[0] *= size;
    let sum: f64 = (0..x.rank())
        .map(|i| {
            let phi = m.apply(&whole, &single(&x, i));
            let top = phi.iter().fold(0.0, |t: f64, p| t.max(p.abs()));
            if top == 0.0 || top.is_infinite() { top } else { top * norm(&scaled(&phi, 1.0 / top)) }
        })
        .sum();
    let bound = m.magnitude(&x);
    claim(bound >= sum * (1.0 - 32.0 * EPS), || format!("{bound:e} below {sum:e} at size {size:e}"))
}

fn gain(m: &dyn Mapping, inst: &Instance, _rng: &mut Rng) -> Result<(), String> {
    let whole = whole(&inst.sizes);
    let mut unit = single(&chained(inst), 0);
    unit.0.iter_mut().for_each(|x| *x = x.normalize());
    let size = norm(&m.apply(&whole, &unit));
    claim(size <= m.gain() * (1.0 + 1e-14), || format!("||phi|| = {size} at unit factors, above {}", m.gain()))
}

/// phi(.., x + y, ..) = phi(.., x, ..) + phi(.., y, ..), for any factor of a mapping of several; if it says otherwise, the last.
fn linear(m: &dyn Mapping, inst: &Instance, rng: &mut Rng) -> Result<(), String> {
    let count = inst.x.0.len();
    let k = if m.is_multilinear() { rng.random_range(0..count) } else { count - 1 };
    let (a, mut b) = (single(&inst.x, 0), single(&inst.x, 0));
    b.0[k] = single(&factors(m, &inst.sizes, 1, rng), 0).0[k].clone();
    let mut sum = a.clone();
    sum.0[k] += &b.0[k];
    let expected = moved(&m.apply(&inst.at, &a), 1.0, &m.apply(&inst.at, &b));
    let mut both = a;
    both.append(&b);
    close(&m.apply(&inst.at, &sum), &expected, 32.0 * EPS * m.magnitude(&both), &format!("factor {k}"))
}

/// The units of the last hidden layer of a network for sample i, and which piece every unit is on: unit by unit, weights read line
/// by line.
fn hidden(layers: &Layers, v: &Mat, slice: &[&[f64]], i: usize) -> (Vec<f64>, Vec<bool>) {
    let mut h: Vec<f64> = v.row(i).iter().copied().collect();
    let mut pieces = Vec::new();
    for ((x, width), pool) in slice.iter().zip(&layers.widths).zip(&layers.pool) {
        let unit = |b: usize| h.iter().enumerate().map(|(a, h)| h * x[a * width + b]).sum::<f64>();
        let act = |t: f64| match layers.activation {
            Activation::Relu => t.max(0.0),
            Activation::Leaky(slope) => t.max(0.0) + slope * t.min(0.0),
            Activation::Abs => t.abs(),
            Activation::Linear => t,
        };
        let units: Vec<f64> = (0..*width).map(unit).collect();
        pieces.extend(units.iter().map(|t| *t > 0.0));
        let units: Vec<f64> = units.into_iter().map(act).collect();
        let largest = |g: &[f64]| g.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        pieces.extend(units.chunks(*pool).flat_map(|g| g.iter().map(move |t| *t == largest(g))));
        h = units.chunks(*pool).map(largest).collect();
    }
    (h, pieces)
}

/// The pieces of all units for all samples.
fn kinks(inst: &Instance, x: &Factors) -> Vec<bool> {
    let v = inputs(5, 3);
    let slice = |k| (0..5).flat_map(|i| hidden(&inst.layers, &v, &x.slice(k), i).1).collect::<Vec<_>>();
    (0..x.rank()).flat_map(slice).collect()
}

/// phi of one slice, written out. A new mapping gets its formula here; without one it does not pass.
fn phi(inst: &Instance, slice: &[&[f64]], i: usize, mut j: usize) -> f64 {
    match (inst.name, slice) {
        ("cp", [first, others @ ..]) => {
            let mut product = first[i];
            for x in others {
                product *= x[j % x.len()];
                j /= x.len();
            }
            product
        }
        ("matrix", [u, v]) => u[i] * v[j],
        ("psd", [u]) => u[i] * u[j],
        ("relu", [u, v]) => {
            let inputs = inputs(5, 3);
            (0..3).map(|k| inputs[(i, k)] * u[k]).sum::<f64>().max(0.0) * v[j]
        }
        ("relu_deep" | "linear_net", [.., last]) => {
            hidden(&inst.layers, &inputs(5, 3), slice, i).0.iter().enumerate().map(|(a, h)| h * last[a * 5 + j]).sum()
        }
        _ => panic!("write out phi of `{}` here", inst.name),
    }
}

fn naive_phi(m: &dyn Mapping, inst: &Instance, _rng: &mut Rng) -> Result<(), String> {
    let entry = |(i, j)| (0..inst.x.rank()).map(|k| phi(inst, &inst.x.slice(k), i, j)).sum::<f64>();
    let expected: Vec<f64> = inst.at.entries().map(entry).collect();
    let rounding = 4.0 * inst.x.rank() as f64 * EPS * m.magnitude(&inst.x);
    close(&m.apply(&inst.at, &inst.x), &expected, rounding, "Phi")
}

/// A field over some entries is the field over all of them that is 0 elsewhere.
fn naive_pullback(m: &dyn Mapping, inst: &Instance, rng: &mut Rng) -> Result<(), String> {
    let whole = whole(&inst.sizes);
    let (m_rows, n) = whole.shape();
    let w = normals(inst.at.len(), rng);
    let mut filled = Mat::zeros(m_rows, n);
    inst.at.entries().zip(&w).for_each(|(ij, w)| filled[ij] = *w);
    let everywhere: Vec<(usize, usize)> = (0..m_rows).flat_map(|i| (0..n).map(move |j| (i, j))).collect();
    let (pattern, order) = Pattern::new(m_rows, n, &everywhere).unwrap();
    let by_rows: Vec<f64> = order.iter().map(|&k| filled[everywhere[k]]).collect();
    for k in 0..inst.x.0.len() {
        let here = m.pullback(&inst.at, &w, &inst.x, k);
        let rounding = 16.0 * n as f64 * EPS * norm(&w) * inst.x.0.iter().map(|x| x.norm()).fold(1.0, f64::max).powi(3);
        for other in [
            m.pullback(&whole, filled.as_slice(), &inst.x, k),
            m.pullback(&Observations::Coordinates(pattern.clone()), &by_rows, &inst.x, k),
        ] {
            close(here.as_slice(), other.as_slice(), rounding, &format!("pullback to factor {k}"))?;
        }
    }
    claim(dot_size(&w, &w) > 0.0 || w.is_empty(), || "an empty field".into())
}

/// What a mutant does to the mapping it wraps.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Mutant {
    /// Adds a constant to Phi.
    Affine,
    /// Declares p + 1.
    WrongDegree,
    /// 1.01 times the derivative.
    SteepPullback,
    /// Reads the field by rows where it is by columns: right for symmetric fields.
    TransposedField,
    /// Forgets the last slice.
    LostSlice,
    /// <X_i, X_j> of the factors, not of phi.
    GramOfSums,
    /// Half the bound.
    HalfMagnitude,
    /// A tenth of the bound.
    SmallGain,
    /// Says that it is linear in every factor.
    ClaimsMore,
}

struct Wrapped<'a>(&'a dyn Mapping, Mutant);

impl Wrapped<'_> {
    fn transposes(&self, at: &Observations) -> bool {
        self.1 == Mutant::TransposedField && matches!(at, Observations::Full { .. })
    }
}

fn transposed(field: &[f64], at: &Observations) -> Vec<f64> {
    let (m, n) = at.shape();
    Mat::from_column_slice(m, n, field).transpose().as_slice().to_vec()
}

impl Mapping for Wrapped<'_> {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn degree(&self) -> u32 {
        self.0.degree() + u32::from(self.1 == Mutant::WrongDegree)
    }

    fn factor_rows(&self, shape: (usize, usize)) -> Vec<usize> {
        self.0.factor_rows(shape)
    }

    fn apply(&self, at: &Observations, x: &Factors) -> Vec<f64> {
        let mut x = x.clone();
        if self.1 == Mutant::LostSlice && x.rank() > 0 {
            let last = x.rank() - 1;
            x.keep(&(0..x.rank()).map(|i| i < last).collect::<Vec<_>>());
        }
        let out = self.0.apply(at, &x);
        match self.1 {
            Mutant::Affine => out.iter().map(|x| x + 1e-3).collect(),
            // a symmetric Phi is its own transpose: shift the columns too
            Mutant::TransposedField if self.transposes(at) => {
                let mut out = transposed(&out, at);
                out.rotate_left(1);
                out
            }
            _ => out,
        }
    }

    fn pullback(&self, at: &Observations, w: &[f64], x: &Factors, k: usize) -> Mat {
        let factor = if self.1 == Mutant::SteepPullback { 1.01 } else { 1.0 };
        if self.transposes(at) {
            // not linear in W + W' alone, so that psd sees it as well
            let mut w = transposed(w, at);
            w.rotate_left(1);
            return self.0.pullback(at, &w, x, k);
        }
        self.0.pullback(at, w, x, k) * factor
    }

    fn curvatures(&self, at: &Observations, c: &[f64], x: &Factors) -> Option<Vec<Mat>> {
        let mut c = c.to_vec();
        if self.1 == Mutant::TransposedField {
            c.rotate_left(1);
        }
        self.0.curvatures(at, &c, x)
    }

    fn pullbacks(&self, at: &Observations, w: &[f64], x: &Factors) -> Vec<Mat> {
        self.0.pullbacks(at, w, x)
    }

    fn gram(&self, x: &Factors) -> Mat {
        if self.1 == Mutant::GramOfSums {
            return x.0.iter().map(|x| x.transpose() * x).fold(Mat::zeros(x.rank(), x.rank()), |a, b| a + b);
        }
        self.0.gram(x)
    }

    fn gain(&self) -> f64 {
        self.0.gain() * if self.1 == Mutant::SmallGain { 0.1 } else { 1.0 }
    }

    fn roundings(&self) -> usize {
        self.0.roundings()
    }

    fn inputs(&self) -> Option<&Mat> {
        self.0.inputs()
    }

    fn is_multilinear(&self) -> bool {
        self.0.is_multilinear() || self.1 == Mutant::ClaimsMore
    }

    fn magnitude(&self, x: &Factors) -> f64 {
        self.0.magnitude(x) * if self.1 == Mutant::HalfMagnitude { 0.5 } else { 1.0 }
    }
}

#[test]
fn every_mapping_obeys_every_law_in_both_layouts() {
    for case in cases() {
        let mapping = case.build();
        for (name, law, _) in LAWS {
            for full in [true, false] {
                holds(&format!("{}, full {full}: {name}", case.label()), |rng| {
                    law(mapping.as_ref(), &Instance::draw(&case, mapping.as_ref(), full, rng), rng)
                });
            }
        }
    }
}

#[test]
fn every_law_rejects_its_mutants() {
    for case in cases() {
        let mapping = case.build();
        for (name, law, mutants) in LAWS {
            for &mutant in *mutants {
                let wrong = Wrapped(mapping.as_ref(), mutant);
                rejects(&format!("{}, {mutant:?}: {name}", case.label()), |rng| {
                    let full = rng.random_bool(0.5);
                    law(&wrong, &Instance::draw(&case, mapping.as_ref(), full, rng), rng)
                });
            }
        }
    }
}

#[test]
fn curvatures_of_two_layers_are_sums_of_squares() {
    for case in cases() {
        let mapping = case.build();
        if mapping.degree() != 2 || mapping.is_multilinear() {
            continue;
        }
        let law = |m: &dyn Mapping, rng: &mut Rng| curvatures(m, &Instance::draw(&case, m, false, rng), rng);
        holds(&case.label(), |rng| law(mapping.as_ref(), rng));
        rejects(&case.label(), |rng| law(&Wrapped(mapping.as_ref(), Mutant::TransposedField), rng));
    }
}

#[test]
fn phi_is_linear_in_the_factors_that_a_mapping_says() {
    for case in cases().iter().filter(|c| c.kind.factors != Count::Exactly(1)) {
        let mapping = case.build();
        let law = |m: &dyn Mapping, rng: &mut Rng| linear(m, &Instance::draw(case, m, true, rng), rng);
        holds(&case.label(), |rng| law(mapping.as_ref(), rng));
        rejects(&case.label(), |rng| law(&Wrapped(mapping.as_ref(), Mutant::Affine), rng));
        // a linear network is linear in every factor, but no outer product
        if !mapping.is_multilinear() && !case.layers.is_linear() {
            rejects(&case.label(), |rng| law(&Wrapped(mapping.as_ref(), Mutant::ClaimsMore), rng));
        }
    }
}

#[test]
fn every_kind_has_as_many_factors_as_it_says() {
    for case in cases() {
        let sizes = sizes(case.kind);
        let mapping = case.build();
        let (rows, shapes) = (mapping.factor_rows(whole(&sizes).shape()), mapping.slice_shapes(whole(&sizes).shape()));
        assert_eq!(rows.len(), case.kind.count(sizes.len(), Some(&case.layers)), "{}", case.label());
        assert_eq!(rows, shapes.iter().map(|s| s.iter().product()).collect::<Vec<usize>>(), "{}", case.label());
    }
}
