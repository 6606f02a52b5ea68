//! `homfac predict RUN --project F`: new rows are read, fitted to the other factors, and written completed or as coefficients.

use super::{Job, Out, header, index_names, is_dash};
use crate::cli::console;
use crate::cli::failure::Usage;
use crate::data::csv::Layout;
use crate::data::error::Place;
use crate::data::read::read;
use crate::data::source::{Absent, Format, Source};
use crate::data::{Array, DataError, memory, npy, read_factor};
use crate::linalg::Mat;
use crate::predict::{Cell, Projection, ProjectionError, TOLERANCE};
use crate::run::table::{self, Table};
use rayon::prelude::*;
use std::collections::{HashMap, HashSet};
use std::path::Path;

/// Numbers that are read at once.
const BATCH: usize = 1 << 20;

/// Fits and writes; what was done, in words.
///
/// # Errors
/// Usage, data, I/O.
pub(super) fn run(job: &Job, file: &Path) -> anyhow::Result<String> {
    let axis = job.args.axis.unwrap_or(1).checked_sub(1).ok_or_else(|| Usage("--axis counts from 1".into()))?;
    let projection = Projection::new(job.model, axis).map_err(|e| match e {
        ProjectionError::Refused(why) => anyhow::Error::from(Usage(format!("--project: {why}"))),
        ProjectionError::Data(e) => e.into(),
    })?;
    let rows = Rows { job, projection, axis, file: file.display().to_string(), sides: sides(job)? };
    if rows.sides.len() != rows.projection.sides().len() {
        let (wanted, found) = (rows.projection.sides().len(), rows.sides.len());
        return Err(Usage(format!(
            "--side: the spec has {wanted} extras `covariates` along this axis, {found} files were given"
        ))
        .into());
    }
    for (k, (side, wanted)) in rows.sides.iter().zip(rows.projection.sides()).enumerate() {
        if side.ncols() != wanted {
            let expected = format!("{wanted} columns, one per covariate");
            return Err(rows
                .misfit(&job.args.side[k].display().to_string(), expected, side.ncols().to_string())
                .into());
        }
    }
    if axis == 0 && job.model.sizes().len() == 2 && (is_dash(file) || is_table(file, &job.model.spec.data.target)) {
        return rows.streamed(file);
    }
    rows.whole(file)
}

/// Whether the file is a dense table, given what the target was.
fn is_table(file: &Path, target: &Source) -> bool {
    match Format::of_extension(file) {
        Some(Format::Csv) => target.format != Some(Format::Triplets),
        Some(format) => matches!(format, Format::Npy | Format::Npz),
        None => false,
    }
}

fn sides(job: &Job) -> Result<Vec<Mat>, DataError> {
    let plain = |p: &Path| Source::plain(p.to_path_buf(), p.display().to_string());
    job.args.side.iter().map(|p| Ok(read_factor(&plain(p))?.0)).collect()
}

/// A row with its coefficients.
struct Fitted {
    q: Vec<f64>,
    sides: Vec<Vec<f64>>,
    stationarity: f64,
}

/// Per new index: (place, value).
type Slices = Vec<Vec<(usize, f64)>>;

/// Why a row cannot be fitted.
enum Fault {
    /// A value that the loss or the transform does not take.
    Value { place: usize, expected: &'static str, found: f64 },
    /// The row as a whole.
    Row(DataError),
}

struct Rows<'a> {
    job: &'a Job<'a>,
    projection: Projection<'a>,
    axis: usize,
    file: String,
    sides: Vec<Mat>,
}

impl Rows<'_> {
    fn misfit(&self, file: &str, expected: String, found: String) -> DataError {
        DataError::Shape { file: file.into(), expected, found, hint: None }
    }

    /// Row t from its values (NaN: missing) at places.
    fn fit(&self, t: usize, values: impl Iterator<Item = (usize, f64)>) -> Result<Fitted, Fault> {
        let mut seen = Vec::new();
        for (place, found) in values.filter(|v| !v.1.is_nan()) {
            let bad = |expected| Fault::Value { place, expected, found };
            if found.is_infinite() {
                return Err(bad("a finite number"));
            }
            seen.push((place, self.projection.target(place, found).map_err(bad)?));
        }
        let mut sides = Vec::new();
        for (k, side) in self.sides.iter().enumerate() {
            if t >= side.nrows() {
                let file = self.job.args.side[k].display().to_string();
                let expected = format!("a row for each new one of {}", self.file);
                return Err(Fault::Row(self.misfit(&file, expected, side.nrows().to_string())));
            }
            sides.push(side.row(t).iter().copied().collect());
        }
        let found = self.projection.fit(&seen, &sides).map_err(|e| {
            let expected = format!("a new row {} {}", t + 1, e.expected);
            Fault::Row(self.misfit(&self.file, expected, e.found))
        })?;
        Ok(Fitted { q: found.q, sides, stationarity: found.stationarity })
    }

    fn scores(&self, f: &Fitted) -> Vec<f64> {
        self.projection.scores(&f.q, &f.sides)
    }

    /// A row of the table: coefficients, or the completed row of a matrix.
    fn cells(&self, f: &Fitted) -> Vec<Cell> {
        if self.job.args.factor {
            return f.q.iter().map(|q| Cell::Number(*q)).collect();
        }
        self.job.model.row(self.job.show, &self.scores(f))
    }

    fn done(&self, rows: usize, worst: f64) -> String {
        if worst > TOLERANCE && !self.job.args.quiet {
            console::complain(&format!(
                "warning: some rows are only stationary to {worst:.1e} of the largest slope, {TOLERANCE:e} was asked for\n"
            ));
        }
        format!("{rows} new rows fitted, stationary to {worst:.1e}")
    }

    /// Rows of a matrix, some at a time.
    fn streamed(&self, file: &Path) -> anyhow::Result<String> {
        let job = self.job;
        let mut stream = job.stream(file, Some(&job.model.spec.data.target))?;
        job.expect_columns(file, &stream, self.projection.places(), "those of the target")?;
        let names = if job.args.factor { self.projection.names().to_vec() } else { job.model.row_names(job.show) };
        let out = job.out()?;
        let mut table = job.written(Table::new(job.layout, out, &names))?;
        let (mut count, mut worst) = (0, 0.0f64);
        loop {
            let some = stream.numbers((BATCH / self.projection.places().max(1)).max(64), true)?;
            if some.nrows() == 0 {
                break;
            }
            let fitted: Vec<Fitted> = (0..some.nrows())
                .into_par_iter()
                .map(|i| self.fit(count + i, some.row(i).iter().copied().enumerate()))
                .collect::<Vec<_>>()
                .into_iter()
                .enumerate()
                // the first fault, whichever row was done first
                .map(|(i, f)| f.map_err(|f| self.fault(f, |place| Ok(stream.place(i, place)))))
                .collect::<Result<_, _>>()?;
            for f in &fitted {
                worst = worst.max(f.stationarity);
                job.written(table.row(&self.cells(f)))?;
            }
            count += some.nrows();
        }
        job.written(table.finish(false))?.publish()?;
        Ok(self.done(count, worst))
    }

    /// New indices along any axis, from a file that is read whole.
    fn whole(&self, file: &Path) -> anyhow::Result<String> {
        let job = self.job;
        let (slices, layout) = self.read(file)?;
        let fitted: Vec<Result<Fitted, Fault>> =
            slices.par_iter().enumerate().map(|(t, s)| self.fit(t, s.iter().copied())).collect();
        let place = |t: usize, place: usize| {
            let index = self.projection.indices(t, place);
            match (&layout, &index[..]) {
                (Some(layout), &[i, j]) => Ok(layout.place(i, j)),
                _ => Err(index.iter().map(|i| i + 1).collect()),
            }
        };
        let fitted: Vec<Fitted> = fitted
            .into_iter()
            .enumerate()
            .map(|(t, f)| f.map_err(|f| self.fault(f, |p| place(t, p))))
            .collect::<Result<_, _>>()?;
        let worst = fitted.iter().map(|f| f.stationarity).fold(0.0, f64::max);
        let out = job.out()?;
        let matrix = job.model.sizes().len() == 2;
        let out = if job.args.factor || (matrix && self.axis == 0) {
            let names = if job.args.factor { self.projection.names().to_vec() } else { job.model.row_names(job.show) };
            let mut table = job.written(Table::new(job.layout, out, &names))?;
            for f in &fitted {
                job.written(table.row(&self.cells(f)))?;
            }
            job.written(table.finish(false))?
        } else {
            self.array(&fitted, out)?
        };
        out.publish()?;
        Ok(self.done(fitted.len(), worst))
    }

    /// Completed columns of a matrix side by side; of an array all entries.
    fn array(&self, fitted: &[Fitted], mut out: Out) -> anyhow::Result<Out> {
        let (job, show) = (self.job, self.job.show);
        let mut sizes = job.model.sizes().to_vec();
        sizes[self.axis] = fitted.len();
        let count: usize = sizes.iter().product();
        memory::require(&self.file, count as f64 * (16.0 + 16.0 * sizes.len() as f64))?;
        let rows: Vec<Vec<f64>> = fitted.iter().map(|f| self.scores(f)).collect();
        let value = |index: &[usize]| {
            let place = self.projection.place(index);
            job.model.value(show, if self.axis == 0 { place } else { 0 }, rows[index[self.axis]][place])
        };
        if sizes.len() == 2 {
            let names: Vec<String> = (1..=fitted.len()).map(|j| format!("new{j}")).collect();
            let mut table = job.written(Table::new(job.layout, out, &names))?;
            for i in 0..sizes[0] {
                let cells: Vec<Cell> = (0..sizes[1]).map(|j| Cell::Number(value(&[i, j]))).collect();
                job.written(table.row(&cells))?;
            }
            return Ok(job.written(table.finish(false))?);
        }
        let mut index = vec![0; sizes.len()];
        let mut entries = Vec::with_capacity(count);
        for _ in 0..count {
            entries.push(index.clone());
            for (i, d) in index.iter_mut().zip(&sizes) {
                *i += 1;
                if *i < *d {
                    break;
                }
                *i = 0;
            }
        }
        if job.layout == table::Layout::Npy {
            let values: Vec<f64> = entries.iter().map(|e| value(e)).collect();
            job.written(npy::write(&mut out, &sizes, &values))?;
            return Ok(out);
        }
        let mut names = index_names(sizes.len());
        names.push(job.model.entry_name(show).into());
        let mut table = job.written(Table::new(job.layout, out, &names))?;
        for e in &entries {
            let mut cells: Vec<Cell> = e.iter().map(|i| Cell::Index(i + job.base())).collect();
            cells.push(Cell::Number(value(e)));
            job.written(table.row(&cells))?;
        }
        Ok(job.written(table.finish(false))?)
    }

    /// The error of a row; of a value by its place, or else by its indices from 1.
    fn fault(&self, fault: Fault, at: impl Fn(usize) -> Result<Place, Vec<usize>>) -> DataError {
        match fault {
            Fault::Row(e) => e,
            Fault::Value { place, expected, found } => {
                let (file, found) = (self.file.clone(), found.to_string());
                match at(place) {
                    Ok(place) => DataError::Cell { file, place, expected, found, hint: None },
                    Err(index) => DataError::Entry { file, index, expected, found },
                }
            }
        }
    }

    /// Per new index: (place, value), NaN where missing; and where cells stand in a dense table.
    fn read(&self, file: &Path) -> anyhow::Result<(Slices, Option<Layout>)> {
        if is_dash(file) {
            return Err(Usage("--project -: only new rows of a matrix are read from standard input".into()).into());
        }
        let sizes = self.job.model.sizes();
        let target = &self.job.model.spec.data.target;
        let mut source = Source::plain(file.to_path_buf(), self.file.clone());
        source.format = match Format::of_extension(file) {
            Some(Format::Csv) if target.format == Some(Format::Triplets) => Some(Format::Triplets),
            Some(format) => Some(format),
            None => target.format,
        };
        source.delimiter = target.delimiter.filter(|_| file.extension().is_none_or(|e| e != "tsv"));
        source.header = header(target);
        if !self.job.args.columns.is_empty() {
            return Err(Usage("--columns picks columns of new rows of a matrix, in a table".into()).into());
        }
        if self.axis == 0 {
            source.columns = target.columns.clone();
        }
        if matches!(source.format, Some(Format::Triplets | Format::MatrixMarket | Format::Tns)) {
            source.index_base = self.job.args.index_base.map(usize::from).or(target.index_base);
            source.absent = target.absent;
        }
        let loaded = read(&source, &mut Vec::new())?;
        let array = loaded.array;
        let shape = array.shape().to_vec();
        let dense = matches!(array, Array::Dense { .. });
        let fits = |k: usize| k == self.axis || if dense { shape[k] == sizes[k] } else { shape[k] <= sizes[k] };
        if shape.len() != sizes.len() || !(0..sizes.len()).all(fits) {
            let mut wanted: Vec<String> = sizes.iter().map(usize::to_string).collect();
            wanted[self.axis] = "any number".into();
            let found: Vec<String> = shape.iter().map(usize::to_string).collect();
            return Err(self.misfit(&self.file, wanted.join(" x "), found.join(" x ")).into());
        }
        memory::require(&self.file, shape[self.axis] as f64 * 64.0)?;
        let mut slices = vec![Vec::new(); shape[self.axis]];
        match array {
            Array::Dense { values, .. } => {
                let mut index = vec![0; shape.len()];
                for y in values {
                    slices[index[self.axis]].push((self.projection.place(&index), y));
                    for (i, d) in index.iter_mut().zip(&shape) {
                        *i += 1;
                        if *i < *d {
                            break;
                        }
                        *i = 0;
                    }
                }
            }
            Array::Coordinates { index, values, rows, .. } => {
                let mut listed = HashMap::new();
                for ((e, y), row) in index.chunks_exact(shape.len()).zip(values).zip(rows) {
                    if let Some(first) = listed.insert(e.to_vec(), row) {
                        let index = e.iter().map(|i| i + source.index_base.unwrap_or(0)).collect();
                        return Err(DataError::Duplicate { file: self.file.clone(), index, first, second: row }.into());
                    }
                    slices[e[self.axis]].push((self.projection.place(e), y));
                }
                if target.absent == Absent::Zero {
                    memory::require(&self.file, shape[self.axis] as f64 * self.projection.places() as f64 * 16.0)?;
                    for slice in &mut slices {
                        let known: HashSet<usize> = slice.iter().map(|s| s.0).collect();
                        slice.extend((0..self.projection.places()).filter(|p| !known.contains(p)).map(|p| (p, 0.0)));
                    }
                }
            }
        }
        Ok((slices, loaded.layout))
    }
}
