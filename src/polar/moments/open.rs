//! What the search keeps open: a box of directions of the inputs with a cone of directions of the outputs, its bound, and the
//! ways to cut it.

use super::cell::{Cell, Sides, Units, sides};
use super::interior::{self, Goal, Reached};
use super::outputs::Outputs;
use crate::polar::best_first;
use crate::polar::cuts::{Cut, Leaf, Place};
use crate::polar::generators::{Span, between, orthant};
use rayon::prelude::*;
use std::sync::Arc;

/// A box is bounded to this share of its distance to the limit.
const SHARE: f64 = 0.05;
/// The share at which an edge of a cone is cut.
const HALF: f64 = 0.5;
/// No side is cut thinner.
const THIN: f64 = 1e-12;

/// A box of directions of the inputs with a cone of directions of the outputs.
#[derive(Clone)]
pub struct Open {
    /// Its bound.
    pub upper: f64,
    cell: Cell,
    cone: Vec<f64>,
    /// H_j.
    values: Vec<f64>,
    /// How often the cone was halved.
    depth: usize,
    /// Where the box is to be split: side and place.
    split: (usize, f64),
    /// What proves H_j.
    pub proofs: Vec<Arc<[u8]>>,
    /// The place in the tree.
    pub at: Place,
}

impl best_first::Cell for Open {
    fn upper(&self) -> f64 {
        self.upper
    }

    fn depth(&self) -> usize {
        self.depth
    }

    fn bytes(&self) -> usize {
        let numbers = 2 * self.cell.low.len() + self.cone.len() + self.values.len();
        size_of::<Self>() + size_of::<f64>() * numbers + self.proofs.iter().map(|p| p.len()).sum::<usize>()
    }
}

/// What became of a box and cone.
#[derive(Default)]
pub struct Parts {
    /// How it was cut.
    pub cut: Option<Cut>,
    /// What it was cut into.
    pub open: Vec<Open>,
    /// Directions worth trying, one for every relaxation solved.
    pub seen: Vec<Vec<f64>>,
    /// What it took.
    pub work: f64,
}

/// Every orthant of the outputs with the whole sphere.
pub fn whole(outputs: &Outputs, stop: f64) -> Parts {
    let r = outputs.rank();
    let limit = stop / (r as f64).sqrt();
    let axis = |k: usize| (0..r).map(|j| if j != k / 2 { 0.0 } else { 1.0 - 2.0 * (k % 2) as f64 }).collect::<Vec<_>>();
    let cell = Cell::whole(outputs.inputs());
    let bounded: Vec<Value> =
        (0..2 * r).into_par_iter().map(|k| value(&outputs.units(&axis(k)), &cell, limit, None)).collect();
    let open = (0..1usize << r).map(|signs| {
        let at: Vec<&Value> = (0..r).map(|j| &bounded[2 * j + (signs >> j & 1)]).collect();
        let highest = at.iter().max_by(|a, b| a.upper.total_cmp(&b.upper)).expect("r >= 1");
        let values = at.iter().map(|v| v.upper).collect();
        let proofs = at.iter().map(|v| v.proof.clone()).collect();
        let (cell, cone) = (cell.clone(), orthant(r, signs));
        let (depth, at) = (0, signs as Place);
        Open { upper: f64::INFINITY, cell, cone, values, depth, split: highest.split, proofs, at }.bounded()
    });
    let work = bounded.iter().map(|v| v.work).sum();
    Parts { cut: None, open: open.collect(), work, seen: bounded.iter().map(|v| v.at.clone()).collect() }
}

impl Open {
    /// With its bound, which never rises.
    fn bounded(mut self) -> Self {
        let upper = Span::new(&self.cone, self.values.len()).bound(&self.values, 0.0).upper;
        self.upper = self.upper.min(upper);
        self
    }

    fn highest(&self) -> f64 {
        self.values.iter().fold(f64::NEG_INFINITY, |a, b| a.max(*b))
    }

    pub fn split(&self, outputs: &Outputs, stop: f64) -> Parts {
        let (by_cone, by_box) = (self.upper - self.highest(), self.highest() - stop);
        if self.values.len() > 1 && by_cone > by_box.max(0.0) {
            self.halve(outputs, stop)
        } else {
            self.cut(outputs, stop)
        }
    }

    /// The longest edge of the cone.
    fn edge(&self) -> (usize, usize) {
        let r = self.values.len();
        let length = |&(j, k): &(usize, usize)| {
            (0..r).map(|x| (self.cone[j * r + x] - self.cone[k * r + x]).powi(2)).sum::<f64>()
        };
        let edges = (0..r).flat_map(|k| (0..k).map(move |j| (j, k)));
        edges.max_by(|a, b| length(a).total_cmp(&length(b))).unwrap_or((0, 0))
    }

    /// The cones on either side of the middle of an edge, without generator j and without k, and the middle.
    fn halves(&self, (j, k): (usize, usize)) -> ([Vec<f64>; 2], Vec<f64>) {
        let r = self.values.len();
        let middle = between(&self.cone, r, (j, k, HALF));
        let replaced = |gone: usize| {
            let mut cone = self.cone.clone();
            cone[gone * r..(gone + 1) * r].copy_from_slice(&middle);
            cone
        };
        ([j, k].map(replaced), middle)
    }

    /// The parts of the cone on either side of the middle of its longest edge.
    fn halve(&self, outputs: &Outputs, stop: f64) -> Parts {
        let (j, k) = self.edge();
        let (cones, middle) = self.halves((j, k));
        let limit = cones.iter().map(|c| stop * tightness(c)).fold(f64::INFINITY, f64::min);
        let new = value(&outputs.units(&middle), &self.cell, limit, None);
        let upper = new.upper;
        let open = [j, k].into_iter().zip(cones).map(|(gone, cone)| {
            let (mut values, mut proofs) = (self.values.clone(), self.proofs.clone());
            (values[gone], proofs[gone]) = (upper, new.proof.clone());
            let highest = self.values.iter().enumerate().all(|(x, v)| x == gone || *v <= upper);
            let split = if highest { new.split } else { self.split };
            Open { cell: self.cell.clone(), cone, values, depth: self.depth + 1, split, proofs, ..*self }.bounded()
        });
        let cut = Some(Cut::Edge(j as u32, k as u32, HALF));
        Parts { cut, open: open.collect(), seen: vec![new.at], work: new.work }
    }

    /// The parts of the box.
    fn cut(&self, outputs: &Outputs, stop: f64) -> Parts {
        let (side, at) = self.split;
        let units = self.units(outputs);
        let mut parts = Parts { cut: Some(Cut::Side(side as u32, at)), ..Parts::default() };
        for cell in self.boxes(side, at) {
            let open = Open { cell, cone: self.cone.clone(), values: self.values.clone(), proofs: Vec::new(), ..*self };
            open.valued(&units, &[], stop, &mut parts);
        }
        parts
    }

    fn boxes(&self, side: usize, at: f64) -> impl Iterator<Item = Cell> {
        self.cell.split(side, at).into_iter().filter(Cell::meets_sphere)
    }

    /// sum_i (a_i'g_j) (v_i'u)_+ for every generator.
    fn units(&self, outputs: &Outputs) -> Vec<Units> {
        self.cone.chunks(self.values.len()).map(|g| outputs.units(g)).collect()
    }

    /// Among others, with every H_j no more than what it was.
    fn valued(mut self, units: &[Units], proofs: &[Vec<u8>], stop: f64, parts: &mut Parts) {
        let limit = stop * tightness(&self.cone);
        let mut highest = f64::NEG_INFINITY;
        self.proofs.clear();
        for (j, units) in units.iter().enumerate() {
            let new = value(units, &self.cell, limit, proofs.get(j).map(Vec::as_slice));
            if new.upper > highest {
                (highest, self.split) = (new.upper, new.split);
            }
            self.values[j] = self.values[j].min(new.upper);
            self.proofs.push(new.proof);
            parts.seen.push(new.at);
            parts.work += new.work;
        }
        parts.open.push(self.bounded());
    }

    /// The parts that a tree says this was cut into, nothing known of them but what was of the whole; `None` where it cannot be so.
    pub fn cut_again(&self, cut: Cut) -> Option<Vec<Self>> {
        let r = self.values.len();
        let part = |cell: Cell, cone: Vec<f64>, depth: usize| Self {
            cell,
            cone,
            values: self.values.clone(),
            depth,
            proofs: Vec::new(),
            ..*self
        };
        match cut {
            Cut::Side(side, at) => {
                let side = side as usize;
                let (low, high) = (self.cell.low.get(side)?, self.cell.high.get(side)?);
                let inside = low + THIN < at && at + THIN < *high;
                inside.then(|| self.boxes(side, at).map(|c| part(c, self.cone.clone(), self.depth)).collect())
            }
            Cut::Edge(..) => {
                let (j, k) = self.edge();
                let (cones, _) = (r > 1).then(|| self.halves((j, k)))?;
                let half = |(gone, cone)| {
                    let mut half = part(self.cell.clone(), cone, self.depth + 1);
                    half.values[gone] = f64::INFINITY;
                    half
                };
                Some([j, k].into_iter().zip(cones).map(half).collect())
            }
        }
    }

    /// Whether its bound, or an H_j, is that of the whole it was cut from.
    pub fn owes(&self, whole: &Self) -> bool {
        let mut values = self.values.iter().zip(&whole.values);
        self.upper >= whole.upper || (self.cone == whole.cone && values.any(|(own, of_whole)| own >= of_whole))
    }

    /// With the bound that it had before, as far as these prove it.
    pub fn recalled(&self, proofs: &[Vec<u8>], outputs: &Outputs) -> Self {
        let mut open = self.clone();
        for ((g, value), proof) in self.cone.chunks(self.values.len()).zip(&mut open.values).zip(proofs) {
            let units = outputs.units(g);
            let known = interior::recall(&units, &self.cell, &sides(&units, &self.cell), proof);
            *value = known.map_or(*value, |k| value.min(k.upper));
        }
        open.bounded()
    }

    /// A leaf of a tree, bounded.
    pub fn bounded_again((at, mut leaf, proofs): Leaf<Self>, outputs: &Outputs, stop: f64) -> Parts {
        leaf.at = at;
        let (mut parts, units) = (Parts::default(), leaf.units(outputs));
        leaf.valued(&units, proofs, stop, &mut parts);
        parts
    }
}

/// One over the bound of a cone with all values 1.
fn tightness(cone: &[f64]) -> f64 {
    let r = cone.len().isqrt();
    1.0 / Span::new(cone, r).bound(&vec![1.0; r], 0.0).upper
}

/// A box, bounded for one direction of the outputs.
struct Value {
    upper: f64,
    at: Vec<f64>,
    split: (usize, f64),
    work: f64,
    proof: Arc<[u8]>,
}

fn value(units: &Units, cell: &Cell, limit: f64, proof: Option<&[u8]>) -> Value {
    let sides = sides(units, cell);
    let recalled = proof.and_then(|p| interior::recall(units, cell, &sides, p));
    let reached = recalled.unwrap_or_else(|| interior::bound(units, cell, &sides, Goal { limit, share: SHARE }));
    let split = split(units, cell, &sides, &reached);
    let unknowns = (units.d * (units.d + 3) / 2) as f64;
    let cost = (reached.iterations + 1) as f64 * (sides.crossing.len() as f64 + unknowns / 3.0) * unknowns * unknowns;
    Value { upper: reached.upper.min(units.most()), at: reached.at, split, work: cost / 500.0, proof: reached.proof }
}

/// The side along which crossing rows lose most, at the mean clipped to the middle half.
fn split(units: &Units, cell: &Cell, sides: &Sides, reached: &Reached) -> (usize, f64) {
    let mut weights = vec![0.0; units.d];
    for c in &sides.crossing {
        let share = c.weight.abs() / (c.high - c.low);
        weights.iter_mut().zip(units.row(c.row)).for_each(|(s, v)| *s += share * v * v);
    }
    let width = |j: usize| cell.high[j] - cell.low[j];
    let spread = |j: usize| (reached.squares[j] - reached.mean[j].powi(2)).clamp(0.0, 0.25 * width(j).powi(2));
    let score = |j: usize| weights[j] * spread(j);
    let j = (0..units.d).max_by(|&a, &b| score(a).total_cmp(&score(b)).then(b.cmp(&a))).unwrap_or(0);
    let j = if score(j) > 0.0 { j } else { (0..units.d).max_by(|&a, &b| width(a).total_cmp(&width(b))).unwrap_or(0) };
    let quarter = 0.25 * width(j);
    (j, reached.mean[j].clamp(cell.low[j] + quarter, cell.high[j] - quarter))
}
