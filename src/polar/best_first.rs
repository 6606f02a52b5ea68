//! The queue of a branch and bound that splits what has the highest bound first.

use super::bound::Aim;
use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// What a search over directions found.
#[derive(Clone, Debug)]
pub struct Found {
    /// f is no larger on the unit ball.
    pub upper: f64,
    /// The largest value seen.
    pub lower: f64,
    /// Where.
    pub direction: Vec<f64>,
    /// Cells that were bounded.
    pub cells: usize,
}

impl Found {
    /// Of a function of d coordinates that is nowhere below 0.
    pub fn nothing(d: usize) -> Self {
        Self { upper: 0.0, lower: 0.0, direction: vec![0.0; d], cells: 0 }
    }

    /// The bound below which nothing is gained: what is attained.
    pub fn enough(&self, aim: &Aim) -> f64 {
        aim.limit.max(self.lower * (1.0 + aim.tolerance))
    }

    /// Keeps a value that is attained, if it is the largest.
    pub fn see(&mut self, value: f64, u: &[f64]) {
        if value > self.lower {
            (self.lower, self.direction) = (value, u.to_vec());
        }
    }
}

/// A part of the feasible set with its bound.
pub trait Cell {
    /// The function is no larger on it.
    fn upper(&self) -> f64;
    /// How often it was split off.
    fn depth(&self) -> usize;
    /// About how many bytes it takes.
    fn bytes(&self) -> usize;
}

/// A bound that is no number bounds nothing.
fn proven(upper: f64) -> f64 {
    if upper.is_nan() { f64::INFINITY } else { upper }
}

/// By bound.
struct Ranked<C>(C);

impl<C: Cell> Ranked<C> {
    fn upper(&self) -> f64 {
        proven(self.0.upper())
    }
}

impl<C: Cell> PartialEq for Ranked<C> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<C: Cell> Eq for Ranked<C> {}

impl<C: Cell> PartialOrd for Ranked<C> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<C: Cell> Ord for Ranked<C> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.upper().total_cmp(&other.upper())
    }
}

/// The open cells, and the highest bound of those that need not be split.
pub struct Queue<C> {
    heap: BinaryHeap<Ranked<C>>,
    settled: f64,
    depth: usize,
    bytes: usize,
}

impl<C: Cell> Default for Queue<C> {
    /// Of a function that is nowhere below 0.
    fn default() -> Self {
        Self { heap: BinaryHeap::new(), settled: 0.0, depth: 0, bytes: 0 }
    }
}

impl<C: Cell> Queue<C> {
    /// Opens cells to start from.
    pub fn open(&mut self, cells: Vec<C>) {
        self.bytes += cells.iter().map(C::bytes).sum::<usize>();
        self.heap.extend(cells.into_iter().map(Ranked));
    }

    /// Opens a cell if its bound is above `stop`.
    pub fn offer(&mut self, cell: C, stop: f64) {
        self.depth = self.depth.max(cell.depth());
        if cell.upper() <= stop {
            self.settle(cell.upper());
        } else {
            self.bytes += cell.bytes();
            self.heap.push(Ranked(cell));
        }
    }

    /// Leaves a cell of this bound as it is.
    pub fn settle(&mut self, upper: f64) {
        self.settled = self.settled.max(proven(upper));
    }

    /// The next cells to split, the highest first, and the bound that is low enough; `None` where all have it, or limits are met.
    /// Notes the bound so far.
    pub fn next(
        &mut self,
        most: usize,
        found: &mut Found,
        aim: &Aim,
        work: f64,
        memory: usize,
    ) -> Option<(Vec<C>, f64)> {
        found.upper = self.top();
        let stop = found.enough(aim);
        let full = work >= aim.work || self.bytes >= memory;
        let over = found.upper <= stop || self.heap.is_empty() || full || aim.budget.exhausted();
        (!over).then(|| (self.batch(most, stop), stop))
    }

    /// Takes out as many cells, at most, of bounds above `stop`, the highest first.
    fn batch(&mut self, most: usize, stop: f64) -> Vec<C> {
        let mut batch = Vec::with_capacity(most);
        while batch.len() < most && self.heap.peek().is_some_and(|c| c.upper() > stop) {
            batch.extend(self.heap.pop().map(|c| c.0));
        }
        self.bytes -= batch.iter().map(C::bytes).sum::<usize>();
        batch
    }

    /// The function is nowhere larger, as long as no batch is out.
    fn top(&self) -> f64 {
        self.heap.peek().map_or(0.0, Ranked::upper).max(self.settled)
    }

    /// The open cells, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &C> {
        self.heap.iter().map(|c| &c.0)
    }

    /// The depth of the deepest cell that was offered.
    pub fn depth(&self) -> usize {
        self.depth
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget::Budget;

    struct Known(f64);

    impl Cell for Known {
        fn upper(&self) -> f64 {
            self.0
        }

        fn depth(&self) -> usize {
            0
        }

        fn bytes(&self) -> usize {
            1
        }
    }

    /// The bound of a queue where this cell was opened, offered or settled beside one of 1.
    fn bounds(upper: f64) -> [f64; 3] {
        let aim = Aim { limit: 0.5, tolerance: 0.0, work: 0.0, budget: &Budget::unlimited(), seen: None, tree: None };
        [0, 1, 2].map(|how| {
            let mut queue = Queue::default();
            queue.open(vec![Known(1.0)]);
            match how {
                0 => queue.open(vec![Known(upper)]),
                1 => queue.offer(Known(upper), 0.5),
                _ => queue.settle(upper),
            }
            let mut found = Found::nothing(1);
            assert!(queue.next(1, &mut found, &aim, 1.0, 100).is_none(), "the work is done");
            found.upper
        })
    }

    #[test]
    fn a_cell_whose_bound_is_no_number_leaves_no_bound() {
        assert_eq!(bounds(0.7), [1.0; 3]);
        assert_eq!(bounds(2.0), [2.0; 3]);
        assert_eq!(bounds(f64::NAN), [f64::INFINITY; 3]);
        assert_eq!(bounds(-f64::NAN), [f64::INFINITY; 3]);
    }
}
