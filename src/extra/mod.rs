//! Extra variables Q of (20): a linear map A into the field, and a convex H(Q). One file per kind.
//!
//! ```text
//! min over X, Q of l(Phi(X) + A Q) + lambda Omega(X) + H(Q)  >=  -l*(-Z) - H*(A'Z)        Omega°(Z) <= lambda
//! ```
//!
//! A free Q (H = 0) asks for A'Z = 0, exactly: [`exact`] finds such a Z near a given one. Outliers under an l1 norm or a sign are
//! minimised out of the loss ([`crate::loss::profiled`]). To add a kind: a file with a `KIND`, and its line in [`KINDS`].

pub mod covariates;
pub mod exact;
pub mod fit;
pub mod intercept;
pub mod joint;
pub mod outliers;
pub mod penalty;

pub use penalty::Penalty;

use crate::data::Observations;
use crate::linalg::Mat;
use crate::loss::Targets;
use crate::loss::profiled::Profiled;

/// A, from coefficients to the field.
pub trait Extra: Send + Sync {
    /// The kind's name.
    fn name(&self) -> &'static str;

    /// Rows and columns of Q as it is saved; coefficients are stored column-major.
    fn shape(&self) -> (usize, usize);

    /// out += A q.
    fn add(&self, q: &[f64], out: &mut [f64]);

    /// A'z.
    fn adjoint(&self, z: &[f64]) -> Vec<f64>;

    /// [lo, hi] around each entry of the exact A'z, (0, 0) only for an exact zero.
    fn adjoint_exact(&self, z: &[f64]) -> Vec<(f64, f64)>;

    /// sum_e d_e A_ek^2 for each coefficient k.
    fn curvature(&self, d: &[f64]) -> Vec<f64>;

    /// An upper bound of || |A| |q| ||_2, and of the number of terms per entry.
    fn magnitude(&self, q: &[f64]) -> (f64, usize);

    /// The coefficient that each entry adds, where A adds exactly one with factor 1.
    fn index(&self) -> Option<&[u32]> {
        None
    }

    /// The coefficients that entry e adds, and their factors.
    fn terms(&self, e: usize) -> Vec<(usize, f64)>;

    /// A as a side matrix times coefficients of lines of a matrix, where it is that: coefficient l p + k is the k-th of line l.
    fn lines(&self) -> Option<Lines> {
        None
    }

    /// For maps without an [`Extra::index`]: bounds of ||C||_F and of the largest norm of a line of C, for the least C on the
    /// entries that are `free` with A'(z - C) = 0, or <= 0 if `below`, in exact arithmetic. `None` if there may be none.
    fn correction(&self, _z: &[f64], _below: bool, _free: &[bool]) -> Option<(f64, f64)> {
        None
    }

    /// Why the data leaves some coefficient undetermined, in words.
    fn unseen(&self) -> Option<String>;
}

/// A side matrix times coefficients of every line across it.
pub struct Lines {
    /// What the side matrix has a row for: 0, every row (the lines are columns), or 1, every column.
    pub axis: usize,
    /// The side matrix, with p columns.
    pub side: Mat,
}

/// A and H.
pub struct Block {
    /// A.
    pub map: Box<dyn Extra>,
    /// H.
    pub penalty: Penalty,
    /// Whether the loss has this block minimised out.
    pub profiled: bool,
}

impl Block {
    /// Whether A'z must be 0 (or <= 0) exactly, and no z in floating point need meet it.
    pub fn is_corrected(&self) -> bool {
        self.map.index().is_none() && matches!(self.penalty, Penalty::None | Penalty::Nonnegative)
    }

    /// Number of coefficients.
    pub fn len(&self) -> usize {
        let (m, n) = self.map.shape();
        m * n
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// One vector of coefficients per block.
pub type Coefficients = Vec<Vec<f64>>;

/// Every block, in the order of the spec.
#[derive(Default)]
pub struct Extras {
    /// The blocks.
    pub blocks: Vec<Block>,
    /// The loss with outliers minimised out, where there are blocks.
    pub profiled: Option<Profiled>,
}

impl Extras {
    /// The blocks that are not minimised out of the loss, with their place among all.
    pub fn explicit(&self) -> impl Iterator<Item = (usize, &Block)> {
        self.blocks.iter().enumerate().filter(|(_, b)| !b.profiled)
    }

    /// Q = 0.
    pub fn zero(&self) -> Coefficients {
        self.blocks.iter().map(|b| vec![0.0; b.len()]).collect()
    }

    /// sum over the explicit blocks of A q, in a field of this length.
    pub fn offset(&self, q: &Coefficients, length: usize) -> Vec<f64> {
        let mut out = vec![0.0; length];
        self.explicit().for_each(|(k, b)| b.map.add(&q[k], &mut out));
        out
    }

    /// Fills the outliers that are minimised out, for predictions Phi + A q of the explicit blocks.
    pub fn complete(&self, t: Targets, prediction: &[f64], q: &mut Coefficients) {
        let Some(profiled) = &self.profiled else { return };
        for (k, _) in self.blocks.iter().enumerate().filter(|(_, b)| b.profiled) {
            q[k] = profiled.outliers(t, prediction);
        }
    }

    /// sum of H over the explicit blocks.
    pub fn value(&self, q: &Coefficients) -> f64 {
        self.explicit().map(|(k, b)| b.penalty.value(&q[k])).sum()
    }

    /// A lower bound of -sum H*(A'z~) over the explicit blocks, less those that are met by a correction, for every z~ with
    /// ||z~ - z||_F <= `drift`; `None` where it is -inf or not known to be finite. A correction made for one block moves what the
    /// others see: |A_k'(z~ - z)| <= ||A_k|| drift for each column of A.
    pub fn dual_lower(&self, z: &[f64], drift: f64) -> Option<f64> {
        let seen = |b: &Block| {
            let mut intervals = b.map.adjoint_exact(z);
            if drift > 0.0 {
                let squares = b.map.curvature(&vec![1.0; z.len()]);
                for (v, square) in intervals.iter_mut().zip(squares) {
                    // the margin covers the rounding of the sum of squares and of what follows
                    let by = square.sqrt() * drift * (1.0 + 1e-6) + f64::MIN_POSITIVE;
                    *v = ((v.0 - by).next_down(), (v.1 + by).next_up());
                }
            }
            intervals
        };
        let corrected = self.corrected();
        let beside = |b: &Block| !corrected.iter().any(|c| std::ptr::eq(*c, b));
        let blocks = self.explicit().filter(|(_, b)| beside(b));
        blocks.map(|(_, b)| b.penalty.dual_lower(&seen(b))).sum()
    }

    /// The blocks whose equalities (signs) hold of a corrected z only: where there is one that no z in floating point need meet, that
    /// and every other with equalities or signs, since a correction for some would spoil what the others see.
    pub fn corrected(&self) -> Vec<&Block> {
        let all = || self.explicit().map(|(_, b)| b);
        if !all().any(Block::is_corrected) {
            return Vec::new();
        }
        all().filter(|b| matches!(b.penalty, Penalty::None | Penalty::Nonnegative)).collect()
    }

    /// Whether some A'z must meet an equality or a sign exactly.
    pub fn constrains_exactly(&self) -> bool {
        self.explicit().any(|(_, b)| matches!(b.penalty, Penalty::None | Penalty::Nonnegative))
    }

    /// The largest s for which s z meets the norms that the penalties put on A'z, short of it by rounding.
    pub fn largest_scale(&self, z: &[f64]) -> f64 {
        let limit = |b: &Block| b.penalty.largest_scale(&b.map.adjoint(z));
        self.explicit().map(|(_, b)| limit(b)).fold(f64::INFINITY, f64::min)
    }
}

/// What an index along an axis is called in messages.
pub(crate) fn line_name(sizes: &[usize], axis: usize) -> String {
    match (sizes.len(), axis) {
        (2, 0) => "row".into(),
        (2, _) => "column".into(),
        _ => format!("axis {}, index", axis + 1),
    }
}

/// What a block is built from.
pub struct Setup<'a> {
    /// Where the data is.
    pub observations: &'a Observations,
    /// Sizes d_1 .. d_K of X, of which the observations see the unfolding d_1 x (d_2 .. d_K).
    pub sizes: &'a [usize],
    /// From 0, below K; `None` for `"global"`.
    pub axis: Option<usize>,
    /// The side matrix, for kinds that have one.
    pub side: Option<&'a Mat>,
}

/// A kind as the spec names it.
pub struct Kind {
    /// `extra.kind`.
    pub name: &'static str,
    /// One line for lists and docs.
    pub summary: &'static str,
    /// Whether it has an `axis`, and whether that may be `"global"`.
    pub axis: Axis,
    /// Whether it takes a side matrix.
    pub side: bool,
    /// Whether H may be left out.
    pub free: bool,
    /// Builds it.
    pub build: fn(&Setup) -> Box<dyn Extra>,
}

/// What a kind's `axis` may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Axis {
    /// There is none.
    None,
    /// A number from 1.
    One,
    /// A number from 1, or `"global"`.
    OneOrGlobal,
}

/// Every kind. One line each.
pub const KINDS: &[&Kind] = &[&intercept::KIND, &outliers::KIND, &covariates::KIND];

/// The kind of this name.
pub fn kind(name: &str) -> Option<&'static Kind> {
    KINDS.iter().copied().find(|k| k.name == name)
}
