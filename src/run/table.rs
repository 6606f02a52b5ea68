//! A table of predictions, as CSV row by row or as an array.

use crate::data::npy;
use crate::predict::Cell;
use std::io::{self, Write};
use std::path::Path;

/// How a table is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// Comma-separated values, or what stands in place of the comma.
    Csv(u8),
    /// A NumPy array of the numbers alone.
    Npy,
}

impl Layout {
    /// What the extension of a file tells.
    pub fn of(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "csv" | "txt" => Some(Self::Csv(b',')),
            "tsv" => Some(Self::Csv(b'\t')),
            "npy" => Some(Self::Npy),
            _ => None,
        }
    }
}

/// A table in the making.
pub enum Table<W: Write> {
    /// Written as it comes.
    Csv(Box<::csv::Writer<W>>),
    /// Collected.
    Npy {
        /// Where it goes.
        out: W,
        /// The numbers, row by row.
        numbers: Vec<f64>,
        /// How many rows there are.
        rows: usize,
    },
}

impl<W: Write> Table<W> {
    /// With columns of these names.
    ///
    /// # Errors
    /// Whatever the writer says.
    pub fn new(layout: Layout, out: W, names: &[String]) -> io::Result<Self> {
        match layout {
            Layout::Npy => Ok(Self::Npy { out, numbers: Vec::new(), rows: 0 }),
            Layout::Csv(delimiter) => {
                let mut writer = ::csv::WriterBuilder::new().delimiter(delimiter).from_writer(out);
                writer.write_record(names).map_err(plain)?;
                Ok(Self::Csv(Box::new(writer)))
            }
        }
    }

    /// A further row.
    ///
    /// # Errors
    /// Whatever the writer says.
    pub fn row(&mut self, cells: &[Cell]) -> io::Result<()> {
        match self {
            Self::Csv(writer) => writer.write_record(cells.iter().map(text)).map_err(plain),
            Self::Npy { numbers, rows, .. } => {
                numbers.extend(cells.iter().filter_map(|c| match c {
                    Cell::Index(_) => None,
                    Cell::Number(x) => Some(*x),
                    Cell::Class(name) => Some(name.parse().unwrap_or(f64::NAN)),
                }));
                *rows += 1;
                Ok(())
            }
        }
    }

    /// The rest of it; an array of one column is a vector if it is `flat`.
    ///
    /// # Errors
    /// Whatever the writer says.
    pub fn finish(self, flat: bool) -> io::Result<W> {
        match self {
            Self::Csv(writer) => writer.into_inner().map_err(|e| io::Error::new(e.error().kind(), e.to_string())),
            Self::Npy { mut out, numbers, rows } => {
                let columns = numbers.len().checked_div(rows).unwrap_or(0);
                if flat {
                    npy::write(&mut out, &[numbers.len()], &numbers)?;
                } else {
                    let turned: Vec<f64> = (0..columns)
                        .flat_map(|j| (0..rows).map(move |i| i * columns + j))
                        .map(|k| numbers[k])
                        .collect();
                    npy::write(&mut out, &[rows, columns], &turned)?;
                }
                Ok(out)
            }
        }
    }
}

/// What happened to the writer itself: a closed pipe is told from other errors.
fn plain(e: ::csv::Error) -> io::Error {
    match e.into_kind() {
        ::csv::ErrorKind::Io(e) => e,
        other => io::Error::other(format!("{other:?}")),
    }
}

fn text(cell: &Cell) -> String {
    match cell {
        Cell::Index(i) => i.to_string(),
        // whole numbers as such, the others so that they read back exactly
        Cell::Number(x) if x.fract() == 0.0 && x.abs() < 1e15 => format!("{x:.0}"),
        Cell::Number(x) => format!("{x:?}"),
        Cell::Class(name) => name.clone(),
    }
}
