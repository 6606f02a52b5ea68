//! What a page shows beside the certificate: plain data that others worked out, ready to be drawn.

use super::describe::Line;
use super::path::Walk;
use super::plots::raster::Raster;
use crate::run::Document;
use crate::solve::observer::Iteration;

/// A run as its page shows it.
pub struct Portrait<'a> {
    /// `certificate.json`.
    pub document: &'a Document,
    /// The choices made while reading the data.
    pub notes: &'a [String],
    /// The resolved spec.
    pub spec: &'a str,
    /// `trace.csv`; empty where nothing was solved.
    pub trace: &'a [Iteration],
    /// `path.csv`, where the point was chosen from a path.
    pub path: Option<&'a Walk>,
    /// The factors and what is seen of them, or why they are not shown.
    pub point: Result<Point<'a>, String>,
}

/// The saved point.
pub struct Point<'a> {
    /// One per factor.
    pub factors: Vec<Factor<'a>>,
    /// One per slice, the largest g first.
    pub slices: Vec<Slice>,
    /// What the data says of it, or why that is not known.
    pub seen: Result<Seen, String>,
}

/// One factor.
pub struct Factor<'a> {
    /// `X1` ..
    pub name: String,
    /// What its coordinates belong to, such as `rows of the target`.
    pub of: String,
    /// Its norm and cone.
    pub gauge: String,
    /// Length of its columns.
    pub length: usize,
    /// card(D^k) x r, column-major.
    pub values: &'a [f64],
    /// Names of the coordinates, where they have any.
    pub names: Vec<String>,
    /// Rows and columns of the image that a column is, read line by line.
    pub image: Option<(usize, usize)>,
}

impl Factor<'_> {
    /// Column i.
    pub fn column(&self, i: usize) -> &[f64] {
        &self.values[i * self.length..(i + 1) * self.length]
    }
}

/// One slice.
pub struct Slice {
    /// Which column it is of every factor, from 0.
    pub column: usize,
    /// g(X_i), lambda left out.
    pub value: f64,
    /// Its share of the sum of all g.
    pub share: f64,
    /// The gauge of its column of each factor.
    pub gauges: Vec<f64>,
    /// ||phi(X_i)||_F, where the inputs that it takes are at hand.
    pub size: Option<f64>,
}

/// What takes the data to see.
pub struct Seen {
    /// The problem in words.
    pub problem: Vec<Line>,
    /// The entries that were fitted.
    pub fitted: Fit,
    /// Those that were held out.
    pub held_out: Option<Fit>,
    /// The extra variables.
    pub extras: Vec<Block>,
    /// Some images of the target, what the model makes of them, and what is left.
    pub samples: Vec<Sample>,
}

/// Predictions against targets.
pub struct Fit {
    /// Number of entries (of samples, where there are classes).
    pub entries: usize,
    /// A few numbers with their names.
    pub numbers: Vec<(&'static str, Quantity)>,
    /// What can be drawn.
    pub views: Vec<View>,
}

/// A number about a fit.
pub enum Quantity {
    /// In the units of the data.
    Size(f64),
    /// A share, 1 being all.
    Share(f64),
    /// So many of so many.
    Part(usize, usize),
}

/// One way to look at predictions.
pub enum View {
    /// The prediction over the target.
    Agreement(Cloud),
    /// How often target - prediction is of which size.
    Residuals(Histogram),
    /// How often which score is given to targets of each sign: -1, then 1.
    Scores([Histogram; 2]),
    /// How often samples of class i are taken for class j.
    Confusion {
        /// The classes.
        names: Vec<String>,
        /// A row per class.
        counts: Vec<Vec<usize>>,
    },
}

/// (target, prediction) of entries: each one, or how many lie where.
pub enum Cloud {
    /// Each.
    Points(Vec<(f64, f64)>),
    /// Counts over the square [lo, hi]^2, the largest prediction in the first row; NaN where there is none.
    Counts {
        /// The low end of both.
        lo: f64,
        /// The high end of both.
        hi: f64,
        /// Logarithms to base 10 of the counts.
        logs: Raster,
        /// The largest count.
        most: usize,
    },
}

/// Counts of equal intervals of [lo, hi].
pub struct Histogram {
    /// The low end.
    pub lo: f64,
    /// The high end.
    pub hi: f64,
    /// How many lie in each interval; what lies beyond an end is counted in the last one before it.
    pub counts: Vec<usize>,
    /// How many lie beyond.
    pub beyond: usize,
}

/// A block of extra variables.
pub struct Block {
    /// Kind, axis and penalty in words.
    pub says: String,
    /// Where it is saved.
    pub file: String,
    /// Its rows and columns.
    pub shape: (usize, usize),
    /// How many of its values are not 0.
    pub nonzeros: usize,
    /// Its values, where they are few enough to be drawn one by one.
    pub values: Option<Vec<f64>>,
    /// How they are distributed, those that are not 0.
    pub spread: Option<Histogram>,
}

/// One image of the data.
pub struct Sample {
    /// Which row or column it is, from 0.
    pub index: usize,
    /// Target, model, and their difference.
    pub images: [Raster; 3],
}
