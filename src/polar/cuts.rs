//! The cuts of a branch and bound: what a search that ran out of time goes on from.
//!
//! A tree says where the whole was cut, never what a part is worth. Whoever goes on from one cuts the whole again and bounds
//! every leaf anew: whatever the tree says, its leaves cover the whole, so that nothing of it needs to be believed.

use crate::budget::Budget;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::slice;
use std::sync::Arc;

/// How a part was cut in two.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Cut {
    /// A box, at a place of a side.
    Side(u32, f64),
    /// A cone, at a point of the edge between two generators: the share of the second.
    Edge(u32, u32, f64),
}

/// What became of a part: two others, or a leaf; with what helps to bound it, where it was bounded lower than its parts were.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Part {
    Cut(Cut, Hints),
    Leaf(Hints),
}

/// What a bound may start from: it decides how soon it is good, never whether it holds.
pub type Hints = Vec<Vec<u8>>;

/// A tree of cuts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Tree {
    /// In preorder, from the first root to the last.
    parts: Arc<Vec<Part>>,
    dimension: u32,
    work: f64,
}

impl Tree {
    /// Inputs of what was cut.
    pub fn dimension(&self) -> usize {
        self.dimension as usize
    }

    /// Cells that it was cut into.
    pub fn leaves(&self) -> usize {
        self.parts.iter().filter(|p| matches!(p, Part::Leaf(_))).count()
    }

    /// The work done so far, as the search counts it.
    pub fn work(&self) -> f64 {
        self.work.max(0.0)
    }
}

/// Parts that a tree notes at most: what is cut beyond counts as whole, and is cut again.
const PARTS: usize = 1 << 21;
/// Bytes that its hints may take.
const BYTES: usize = 1 << 27;
/// No search goes deeper.
const DEPTH: usize = 1 << 12;

/// The place of a part in its tree.
pub type Place = u32;
const NOWHERE: Place = Place::MAX;

/// A tree as it grows.
#[derive(Default)]
pub struct Growing {
    nodes: Vec<Node>,
    roots: usize,
    bytes: usize,
}

#[derive(Clone, Default)]
struct Node {
    cut: Option<Cut>,
    /// The parts: so many from here on.
    parts: (Place, u8),
    hints: Vec<Arc<[u8]>>,
}

impl Growing {
    /// From so many roots, in order, which have the first places; of a tree that nobody asks for nothing is noted.
    pub fn rooted(roots: usize, wanted: bool) -> Self {
        let roots = if wanted { roots } else { 0 };
        Self { nodes: vec![Node::default(); roots], roots, bytes: 0 }
    }

    /// Notes that the part at a place was cut into so many, and whether what helps to bound it is still of use; the place of the
    /// first, which the others follow.
    pub fn cut(&mut self, at: Place, cut: Cut, parts: usize, useful: bool) -> Place {
        if at as usize >= self.nodes.len() || self.nodes.len() + parts > PARTS {
            return NOWHERE;
        }
        let first = self.nodes.len() as Place;
        let node = &mut self.nodes[at as usize];
        (node.cut, node.parts) = (Some(cut), (first, parts as u8));
        if !useful {
            self.bytes -= node.hints.iter().map(|h| h.len()).sum::<usize>();
            node.hints = Vec::new();
        }
        self.nodes.resize(self.nodes.len() + parts, Node::default());
        first
    }

    /// Notes what helps to bound the part at a place.
    pub fn hint(&mut self, at: Place, hints: &[Arc<[u8]>]) {
        let count: usize = hints.iter().map(|h| h.len()).sum();
        if (at as usize) < self.nodes.len() && self.bytes + count <= BYTES {
            self.bytes += count;
            self.nodes[at as usize].hints = hints.to_vec();
        }
    }

    /// As it stands.
    pub fn tree(&self, dimension: usize, work: f64) -> Tree {
        let mut parts = Vec::with_capacity(self.nodes.len());
        let mut stack: Vec<Place> = (0..self.roots as Place).rev().collect();
        while let Some(at) = stack.pop() {
            let node = &self.nodes[at as usize];
            let (first, count) = node.parts;
            let hints = node.hints.iter().map(|h| h.to_vec()).collect();
            parts.push(match node.cut {
                Some(cut) => Part::Cut(cut, hints),
                None => Part::Leaf(hints),
            });
            stack.extend((first..first + Place::from(count)).rev());
        }
        Tree { parts: parts.into(), dimension: dimension as u32, work }
    }
}

/// The place of the k-th part after the first.
pub fn place(first: Place, k: usize) -> Place {
    if first == NOWHERE { NOWHERE } else { first + k as Place }
}

/// A part that is not cut, its place, and what helps to bound it.
pub type Leaf<'a, C> = (Place, C, &'a [Vec<u8>]);

/// Leaves that are bounded together: fixed, so that results do not depend on the number of threads.
const LEAVES: usize = 256;

/// Cuts what a search starts from as a tree says, and bounds the leaves. `cut` makes the parts of one, which are bounded as it is
/// by its hints, if it has any; `None` where it cannot be cut so: it is a leaf then, as is all that a tree which ends too soon
/// says nothing of. `take` has what became of every leaf, in order. Whether there was time for all.
pub fn regrow<'a, C: Send, B: Send>(
    tree: &'a Tree,
    roots: Vec<C>,
    growing: &mut Growing,
    cut: impl Fn(&C, Cut, &[Vec<u8>]) -> Option<Vec<C>>,
    bound: impl Fn(Leaf<'a, C>) -> B + Sync,
    mut take: impl FnMut(B, &mut Growing),
    budget: &Budget,
) -> bool {
    let mut walk = Walk::new(tree, roots);
    loop {
        let leaves: Vec<Leaf<'a, C>> = (0..LEAVES).map_while(|_| walk.next(growing, &cut)).collect();
        if leaves.is_empty() || budget.exhausted() {
            return leaves.is_empty();
        }
        let bounded: Vec<B> = leaves.into_par_iter().map(&bound).collect();
        bounded.into_iter().for_each(|b| take(b, growing));
    }
}

/// The leaves of a tree, one by one: what is not come to is not made.
struct Walk<'a, C> {
    parts: slice::Iter<'a, Part>,
    /// Places, depths and parts.
    stack: Vec<(Place, usize, C)>,
}

impl<'a, C> Walk<'a, C> {
    fn new(tree: &'a Tree, roots: Vec<C>) -> Self {
        let stack = roots.into_iter().enumerate().rev().map(|(k, c)| (k as Place, 0, c)).collect();
        Self { parts: tree.parts.iter(), stack }
    }

    fn next(
        &mut self,
        growing: &mut Growing,
        cut: &impl Fn(&C, Cut, &[Vec<u8>]) -> Option<Vec<C>>,
    ) -> Option<Leaf<'a, C>> {
        while let Some((at, depth, part)) = self.stack.pop() {
            let (how, hints) = match self.parts.next() {
                Some(Part::Cut(how, hints)) => (Some(*how), &hints[..]),
                Some(Part::Leaf(hints)) => (None, &hints[..]),
                None => (None, &[][..]),
            };
            let parts = how.filter(|_| depth < DEPTH).and_then(|how| Some((how, cut(&part, how, hints)?)));
            let Some((how, parts)) = parts else { return Some((at, part, hints)) };
            growing.hint(at, &hints.iter().map(|h| h[..].into()).collect::<Vec<_>>());
            let first = growing.cut(at, how, parts.len(), true);
            self.stack.extend(parts.into_iter().enumerate().rev().map(|(k, c)| (place(first, k), depth + 1, c)));
        }
        None
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::linalg::lanczos::gaussian;
    use crate::polar::best_first::Found;
    use crate::polar::bound::Aim;
    use crate::polar::neurons::{Neurons, normalise};
    use rand::{RngExt, SeedableRng};
    use std::cell::RefCell;
    use std::time::Duration;

    /// A tree that nobody has grown: any cuts at all, of any sides and edges at any places, with hints of any length and numbers.
    fn forged(seed: u64, d: usize) -> Tree {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
        let mut wild = move || {
            let x: f64 = rng.random_range(-1.5..1.5);
            match rng.random_range(0..12) {
                0 => f64::NAN,
                1 => f64::INFINITY,
                2 => x * 1e300,
                3 => 0.0,
                _ => x,
            }
        };
        let index = |x: f64| (x.abs() * d as f64) as u32 % (d as u32 + 2);
        let count = 1 + index(wild()) as usize * 40;
        let part = |wild: &mut dyn FnMut() -> f64| {
            let length = index(wild()) as usize * 9;
            let hints =
                vec![(0..length).map(|_| (index(wild()) as u8).wrapping_mul(50)).collect(); index(wild()) as usize % 3];
            match index(wild()) % 5 {
                0 | 1 => Part::Cut(Cut::Side(index(wild()), wild()), hints),
                2 => Part::Cut(Cut::Edge(index(wild()), index(wild()), wild()), hints),
                _ => Part::Leaf(hints),
            }
        };
        let parts: Vec<Part> = (0..count).map(|_| part(&mut wild)).collect();
        Tree { parts: parts.into(), dimension: index(wild()), work: wild() }
    }

    /// The same tree with numbers of its leaves and places of its cuts changed here and there, or cut off.
    fn damaged(tree: &Tree, seed: u64) -> Tree {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
        let mut parts = tree.parts.to_vec();
        for part in &mut parts {
            if let Part::Cut(Cut::Side(_, at) | Cut::Edge(_, _, at), _) = part
                && rng.random_range(0..6) == 0
            {
                *at += rng.random_range(-0.3..0.3);
            }
            let (Part::Cut(_, hints) | Part::Leaf(hints)) = part;
            for x in hints.iter_mut().flatten() {
                *x = [x.wrapping_neg(), *x ^ 1, 0, 255, *x, *x, *x, *x, *x, *x, *x, *x][rng.random_range(0..12)];
            }
        }
        parts.truncate(rng.random_range(parts.len() / 2..=parts.len()));
        Tree { parts: parts.into(), ..*tree }
    }

    /// A search for a bound.
    type Search = fn(&Neurons, &[Vec<f64>], &Aim) -> Found;

    /// f of a network whose outputs may depend on each other, from many starts.
    pub fn best_found(n: &Neurons, seed: u64) -> f64 {
        let mut u = gaussian(n.rank(), 400, seed);
        normalise(&mut u);
        let lengths = n.lengths();
        let best = n.ascend(&mut u, 0..60, || false).into_iter().fold(0.0, f64::max);
        u.column_iter().map(|c| n.snap(&mut c.iter().copied().collect(), &lengths)).fold(best, f64::max)
    }

    /// Stops a search after so much work and goes on from it, against one that nobody stopped; the tree it was stopped at, if it was.
    pub fn gone_on(n: &Neurons, seed: u64, search: Search, (work, times): (f64, f64)) -> Option<Tree> {
        let (held, budget) = (RefCell::new(None), Budget::unlimited());
        let aim = |work: f64| Aim { limit: 0.0, tolerance: 1e-6, work, budget: &budget, seen: None, tree: Some(&held) };
        let first = search(n, &[], &aim(work));
        let tree = held.take()?;
        assert!(tree.work() >= work && tree.dimension() == n.rank(), "seed {seed}");
        // no more work: where it was, but for the rounding of what proves the cells
        held.replace(Some(tree.clone()));
        let again = search(n, &[], &aim(work));
        assert!(again.upper <= first.upper * (1.0 + 1e-3), "seed {seed}: {} after {}", again.upper, first.upper);
        assert_eq!(held.take().expect("nor was it now").leaves(), tree.leaves(), "seed {seed}");
        // more: no worse, and about what one that was not stopped comes to
        held.replace(Some(tree.clone()));
        let on = search(n, &[], &aim(times * work));
        let whole = search(n, &[], &Aim { tree: None, ..aim(times * work) });
        let best = best_found(n, seed);
        assert!(on.upper >= best, "seed {seed}: {} below {best}", on.upper);
        let close = (on.upper - whole.upper).abs() <= 0.2 * (first.upper - whole.upper);
        assert!(on.upper < first.upper && close, "seed {seed}: {first:?}, {on:?}, {whole:?}");
        Some(tree)
    }

    /// Whatever a tree says, forged or grown in so much work and damaged, it proves no less than the truth; with time or without.
    pub fn believed(n: &Neurons, seed: u64, search: Search, tolerance: f64, (grown, more): (f64, f64)) {
        let best = best_found(n, seed);
        let held = RefCell::new(None);
        let aim = |work: f64, budget| Aim { limit: 0.0, tolerance, work, budget, seen: None, tree: Some(&held) };
        let (whole, spent) = (Budget::unlimited(), Budget::unlimited().within(Some(Duration::ZERO)));
        search(n, &[], &aim(grown, &whole));
        let grown = held.take().map(|t| damaged(&t, seed));
        for tree in [Some(forged(seed, n.rank())), grown].into_iter().flatten() {
            for (work, budget) in [(0.0, &whole), (more, &whole), (more, &spent)] {
                held.replace(Some(tree.clone()));
                let found = search(n, &[], &aim(work, budget));
                assert!(found.upper >= best, "seed {seed}, work {work}: {} below {best}", found.upper);
                assert!(found.upper.is_finite(), "seed {seed}");
            }
        }
    }

    /// Intervals of [0, 1].
    fn halved(c: &(f64, f64), cut: Cut, _: &[Vec<u8>]) -> Option<Vec<(f64, f64)>> {
        let Cut::Side(0, x) = cut else { return None };
        (c.0 < x && x < c.1).then(|| vec![(c.0, x), (x, c.1)])
    }

    #[test]
    fn a_tree_is_cut_again_as_it_was_cut() {
        let mut growing = Growing::rooted(2, true);
        let first = growing.cut(1, Cut::Side(0, 0.25), 2, false);
        growing.hint(first, &[Arc::from([7u8])]);
        growing.hint(place(first, 1), &[Arc::from([8u8])]);
        growing.cut(place(first, 1), Cut::Side(0, 0.5), 2, true);
        let tree = growing.tree(1, 3.0);
        assert_eq!((tree.leaves(), tree.dimension(), tree.work()), (4, 1, 3.0));
        let mut again = Growing::rooted(2, true);
        let mut leaves = Vec::new();
        let roots = vec![(0.0, 1.0); 2];
        let take = |(at, c, hints): Leaf<(f64, f64)>, growing: &mut Growing| {
            let hints: Vec<Arc<[u8]>> = hints.iter().map(|h| h[..].into()).collect();
            growing.hint(at, &hints);
            leaves.push(c);
        };
        assert!(regrow(&tree, roots, &mut again, halved, |leaf| leaf, take, &Budget::unlimited()));
        assert_eq!(leaves, [(0.0, 1.0), (0.0, 0.25), (0.25, 0.5), (0.5, 1.0)]);
        assert_eq!(again.tree(1, 3.0), tree);
    }

    #[test]
    fn the_leaves_of_any_tree_cover_the_whole() {
        for seed in 0..300 {
            let mut covered = 0.0;
            let take = |(_, c, _): Leaf<(f64, f64)>, _: &mut Growing| covered += c.1 - c.0;
            let (tree, mut growing) = (forged(seed, 2), Growing::rooted(1, true));
            regrow(&tree, vec![(0.0, 1.0)], &mut growing, halved, |leaf| leaf, take, &Budget::unlimited());
            assert!((covered - 1.0).abs() < 1e-12, "seed {seed}: {covered}");
        }
    }
}
