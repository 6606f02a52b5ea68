//! A second, slow opinion: readers of data files, losses, gauges and polars written from the formulas alone.

use std::fs;
use std::io::{Cursor, Read};
use std::path::Path;
use toml::Value;

/// A table, row by row; NaN = missing.
#[derive(Clone, Debug, PartialEq)]
pub struct Grid {
    pub rows: usize,
    pub cols: usize,
    values: Vec<f64>,
}

impl Grid {
    pub fn from_fn(rows: usize, cols: usize, f: impl Fn(usize, usize) -> f64) -> Self {
        Self {
            rows,
            cols,
            values: (0..rows).flat_map(|i| (0..cols).map(move |j| (i, j))).map(|(i, j)| f(i, j)).collect(),
        }
    }

    pub fn at(&self, i: usize, j: usize) -> f64 {
        self.values[i * self.cols + j]
    }

    pub fn set(&mut self, i: usize, j: usize, x: f64) {
        self.values[i * self.cols + j] = x;
    }

    pub fn column(&self, j: usize) -> Vec<f64> {
        (0..self.rows).map(|i| self.at(i, j)).collect()
    }

    pub fn transposed(&self) -> Self {
        Self::from_fn(self.cols, self.rows, |i, j| self.at(j, i))
    }

    pub fn map(&self, f: impl Fn(f64) -> f64) -> Self {
        Self::from_fn(self.rows, self.cols, |i, j| f(self.at(i, j)))
    }

    /// One line of text per row.
    pub fn lines(&self, separator: &str, show: impl Fn(f64) -> String) -> String {
        let line = |i| (0..self.cols).map(|j| show(self.at(i, j))).collect::<Vec<_>>().join(separator) + "\n";
        (0..self.rows).map(line).collect()
    }
}

/// One listed entry of a target, mask or weight file.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Entry {
    pub i: usize,
    pub j: usize,
    pub value: f64,
}

/// A file as listed: its shape, its entries in the file's order (dense: column by column).
#[derive(Clone, Debug)]
pub struct Listed {
    pub shape: (usize, usize),
    pub shown_shape: Vec<usize>,
    pub entries: Vec<Entry>,
}

impl Listed {
    fn dense(grid: &Grid, shown_shape: Vec<usize>) -> Self {
        let order = (0..grid.cols).flat_map(|j| (0..grid.rows).map(move |i| (i, j)));
        let entries = order.map(|(i, j)| Entry { i, j, value: grid.at(i, j) }).collect();
        Self { shape: (grid.rows, grid.cols), shown_shape, entries }
    }

    /// The value at an entry, if it is listed.
    pub fn get(&self, i: usize, j: usize) -> Option<f64> {
        self.entries.iter().find(|e| (e.i, e.j) == (i, j)).map(|e| e.value)
    }
}

fn text_of<'a>(source: &'a Value, key: &str) -> Option<&'a str> {
    source.get(key).and_then(Value::as_str)
}

/// The path a source of a spec names.
pub fn source_path(source: &Value) -> &str {
    source.as_str().or_else(|| text_of(source, "path")).expect("a path")
}

/// Reads a data file as a source table of a spec describes it.
pub fn read_source(source: &Value, folder: &Path) -> Listed {
    let path = folder.join(source_path(source));
    let bytes = fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let extension = path.extension().unwrap().to_str().unwrap().to_string();
    let format = text_of(source, "format").unwrap_or(match extension.as_str() {
        "tsv" | "txt" => "csv",
        e => e,
    });
    match format {
        "csv" | "triplets" => {
            let tab = if extension == "tsv" { "\t" } else { "," };
            let delimiter = match text_of(source, "delimiter") {
                Some("tab") => "\t",
                Some(d) => d,
                None => tab,
            };
            read_text(std::str::from_utf8(&bytes).unwrap(), delimiter, format == "triplets", source)
        }
        "npy" => pick(read_npy_any(&bytes), source),
        "npz" => pick(read_npz(&bytes, text_of(source, "key")), source),
        "mtx" => read_mtx(std::str::from_utf8(&bytes).unwrap(), source),
        other => panic!("no naive reader for {other}"),
    }
}

fn missing(cell: &str) -> bool {
    ["", "NA"].contains(&cell.trim()) || cell.trim().eq_ignore_ascii_case("nan")
}

fn number(cell: &str) -> f64 {
    if missing(cell) { f64::NAN } else { cell.trim().parse().unwrap_or_else(|_| panic!("not a number: {cell}")) }
}

fn read_text(text: &str, delimiter: &str, triplets: bool, source: &Value) -> Listed {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let unquoted = |c: &str| c.trim().trim_matches('"').to_string();
    let mut rows: Vec<Vec<String>> =
        text.lines().filter(|l| !l.is_empty()).map(|l| l.split(delimiter).map(unquoted).collect()).collect();
    let words = rows[0].iter().any(|c| !missing(c) && c.trim().parse::<f64>().is_err());
    let header = source.get("header").and_then(Value::as_bool).unwrap_or(words);
    let names = if header { rows.remove(0) } else { Vec::new() };
    if triplets {
        let base = source.get("index_base").and_then(Value::as_integer).unwrap_or(0) as usize;
        let list = |r: &Vec<String>| Entry {
            i: r[0].trim().parse::<usize>().unwrap() - base,
            j: r[1].trim().parse::<usize>().unwrap() - base,
            value: number(&r[2]),
        };
        let entries: Vec<Entry> = rows.iter().map(list).collect();
        let shape = source.get("shape").and_then(Value::as_array).map_or_else(
            || (entries.iter().map(|e| e.i).max().unwrap() + 1, entries.iter().map(|e| e.j).max().unwrap() + 1),
            |s| (s[0].as_integer().unwrap() as usize, s[1].as_integer().unwrap() as usize),
        );
        return fill(Listed { shape, shown_shape: vec![shape.0, shape.1], entries }, source);
    }
    let all: Vec<usize> = (0..rows[0].len()).collect();
    let columns = source.get("columns").and_then(Value::as_array).map_or(all, |picked| {
        let find = |c: &Value| match c {
            Value::Integer(k) => *k as usize - 1,
            name => names.iter().position(|n| Some(n.trim()) == name.as_str()).unwrap(),
        };
        picked.iter().map(find).collect()
    });
    let grid = Grid::from_fn(rows.len(), columns.len(), |i, j| number(&rows[i][columns[j]]));
    Listed::dense(&grid, vec![grid.rows, grid.cols])
}

/// `absent = "zero"`: entries that are not listed are observed zeros.
fn fill(listed: Listed, source: &Value) -> Listed {
    if text_of(source, "absent") != Some("zero") {
        return listed;
    }
    let mut grid = Grid::from_fn(listed.shape.0, listed.shape.1, |_, _| 0.0);
    listed.entries.iter().for_each(|e| grid.set(e.i, e.j, e.value));
    Listed::dense(&grid, listed.shown_shape)
}

fn pick((grid, shape): (Grid, Vec<usize>), source: &Value) -> Listed {
    match source.get("columns").and_then(Value::as_array) {
        None => Listed::dense(&grid, shape),
        Some(columns) => {
            let k: Vec<usize> = columns.iter().map(|c| c.as_integer().unwrap() as usize - 1).collect();
            let picked = Grid::from_fn(grid.rows, k.len(), |i, j| grid.at(i, k[j]));
            Listed::dense(&picked, vec![grid.rows, k.len()])
        }
    }
}

/// A matrix (or vector, as a column) in NumPy's format, with its shape.
fn read_npy_any(bytes: &[u8]) -> (Grid, Vec<usize>) {
    assert_eq!(&bytes[..6], b"\x93NUMPY");
    let (start, length) = match bytes[6] {
        1 => (10, u16::from_le_bytes([bytes[8], bytes[9]]) as usize),
        _ => (12, u32::from_le_bytes(bytes[8..12].try_into().unwrap()) as usize),
    };
    let header = std::str::from_utf8(&bytes[start..start + length]).unwrap();
    let after = |key: &str| header.split(key).nth(1).unwrap();
    let descr = after("'descr':").split('\'').nth(1).unwrap();
    let fortran = after("'fortran_order':").trim().starts_with("True");
    let shape = after("'shape':").split('(').nth(1).unwrap().split(')').next().unwrap();
    let shape: Vec<usize> = shape.split(',').filter_map(|d| d.trim().parse().ok()).collect();
    let data = &bytes[start + length..];
    let size: usize = descr[2..].parse().unwrap();
    let item = |k: usize| -> f64 {
        let mut b = data[k * size..(k + 1) * size].to_vec();
        if descr.starts_with('>') {
            b.reverse();
        }
        match &descr[1..] {
            "f8" => f64::from_le_bytes(b.try_into().unwrap()),
            "f4" => f32::from_le_bytes(b.try_into().unwrap()).into(),
            "i1" => i8::from_le_bytes(b.try_into().unwrap()).into(),
            "i2" => i16::from_le_bytes(b.try_into().unwrap()).into(),
            "i4" => i32::from_le_bytes(b.try_into().unwrap()).into(),
            "i8" => i64::from_le_bytes(b.try_into().unwrap()) as f64,
            "u1" | "b1" => b[0].into(),
            "u2" => u16::from_le_bytes(b.try_into().unwrap()).into(),
            "u4" => u32::from_le_bytes(b.try_into().unwrap()).into(),
            "u8" => u64::from_le_bytes(b.try_into().unwrap()) as f64,
            other => panic!("no naive reader for {other}"),
        }
    };
    let (m, n) = match *shape.as_slice() {
        [m] => (m, 1),
        [m, n] => (m, n),
        _ => panic!("not a matrix: {shape:?}"),
    };
    assert_eq!(data.len(), m * n * size);
    (Grid::from_fn(m, n, |i, j| item(if fortran { j * m + i } else { i * n + j })), shape)
}

pub fn read_npy(bytes: &[u8]) -> Grid {
    read_npy_any(bytes).0
}

fn read_npz(bytes: &[u8], key: Option<&str>) -> (Grid, Vec<usize>) {
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
    let name = key.map_or_else(|| archive.file_names().next().unwrap().unwrap().to_string(), |k| format!("{k}.npy"));
    let mut content = Vec::new();
    archive.by_name(&name).unwrap().read_to_end(&mut content).unwrap();
    read_npy_any(&content)
}

/// The arrays of an archive, by name.
pub fn read_npz_all(bytes: &[u8]) -> Vec<(String, Vec<f64>)> {
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
    let names: Vec<String> = archive.file_names().map(|n| n.unwrap().to_string()).collect();
    names
        .into_iter()
        .map(|name| {
            let mut content = Vec::new();
            archive.by_name(&name).unwrap().read_to_end(&mut content).unwrap();
            (name.trim_end_matches(".npy").to_string(), read_npy(&content).column(0))
        })
        .collect()
}

/// `f8`, C order, version 1: what other tools would hand us.
pub fn npy_bytes(grid: &Grid) -> Vec<u8> {
    npy_with(
        &format!("({}, {})", grid.rows, grid.cols),
        "<f8",
        &grid.values.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<_>>(),
    )
}

/// A version 1 file with this shape, dtype and data in C order.
pub fn npy_with(shape: &str, descr: &str, data: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}");
    let padded = format!("{header:<117}\n");
    let mut out = b"\x93NUMPY\x01\x00".to_vec();
    out.extend((padded.len() as u16).to_le_bytes());
    out.extend(padded.as_bytes());
    out.extend(data);
    out
}

/// An archive of `f8` arrays.
pub fn npz_bytes(arrays: &[(&str, &Grid)]) -> Vec<u8> {
    let members: Vec<(String, Vec<u8>)> = arrays.iter().map(|(n, g)| (format!("{n}.npy"), npy_bytes(g))).collect();
    zip_bytes(&members)
}

/// A zip archive of these members.
pub fn zip_bytes(members: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in members {
        archive.start_file(name.as_str(), zip::write::SimpleFileOptions::default()).unwrap();
        std::io::Write::write_all(&mut archive, bytes).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

fn read_mtx(text: &str, source: &Value) -> Listed {
    let base = source.get("index_base").and_then(Value::as_integer).unwrap_or(1) as usize;
    let mut lines = text.lines();
    let banner = lines.next().unwrap().to_lowercase();
    let mut words = lines.filter(|l| !l.starts_with('%')).flat_map(str::split_whitespace);
    let mut next = || words.next().unwrap().parse::<f64>().unwrap();
    let (m, n) = (next() as usize, next() as usize);
    let sign = if banner.contains("skew") { -1.0 } else { 1.0 };
    let mirrored = banner.contains("symmetric");
    if banner.contains("coordinate") {
        let count = next() as usize;
        let mut entries = Vec::new();
        for _ in 0..count {
            let (i, j) = (next() as usize - base, next() as usize - base);
            let value = if banner.contains("pattern") { 1.0 } else { next() };
            entries.push(Entry { i, j, value });
            if mirrored && i != j {
                entries.push(Entry { i: j, j: i, value: sign * value });
            }
        }
        let listed = Listed { shape: (m, n), shown_shape: vec![m, n], entries };
        return fill(listed, source);
    }
    let mut grid = Grid::from_fn(m, n, |_, _| 0.0);
    for j in 0..n {
        let first = if !mirrored { 0 } else { j + usize::from(sign < 0.0) };
        for i in first..m {
            let value = next();
            grid.set(i, j, value);
            if mirrored && i != j {
                grid.set(j, i, sign * value);
            }
        }
    }
    Listed::dense(&grid, vec![m, n])
}

/// norm(d .* x) on a cone.
#[derive(Clone, Debug)]
pub struct Gauge {
    pub norm: String,
    pub weights: Vec<f64>,
    /// +1, -1, or 0 where there is no cone.
    pub sign: f64,
}

impl Gauge {
    pub fn value(&self, x: &[f64]) -> f64 {
        let y: Vec<f64> = x.iter().zip(&self.weights).map(|(x, d)| (x * d).abs()).collect();
        match self.norm.as_str() {
            "l1" => y.iter().sum(),
            "l2" => y.iter().map(|y| y * y).sum::<f64>().sqrt(),
            "linf" => y.iter().fold(0.0, |m: f64, y| m.max(*y)),
            other => panic!("no naive norm {other}"),
        }
    }

    /// The x with value 1 that makes <x, y> largest, and that largest value.
    pub fn best(&self, y: &[f64]) -> (Vec<f64>, f64) {
        let allowed = |y: f64| if self.sign * y < 0.0 { 0.0 } else { y };
        let y: Vec<f64> = y.iter().zip(&self.weights).map(|(y, d)| allowed(*y) / d).collect();
        let mut x = vec![0.0; y.len()];
        let dual = match self.norm.as_str() {
            "l1" => {
                let k = (0..y.len()).fold(0, |k, i| if y[i].abs() > y[k].abs() { i } else { k });
                x[k] = y[k].signum();
                y[k].abs()
            }
            "l2" => {
                let size = y.iter().map(|y| y * y).sum::<f64>().sqrt();
                if size > 0.0 {
                    x = y.iter().map(|y| y / size).collect();
                }
                size
            }
            _ => {
                x = y.iter().map(|y| if *y == 0.0 { 0.0 } else { y.signum() }).collect();
                y.iter().map(|y| y.abs()).sum()
            }
        };
        (x.iter().zip(&self.weights).map(|(x, d)| x / d).collect(), dual)
    }

    fn free_plain_l2(&self) -> bool {
        self.norm == "l2" && self.sign == 0.0 && self.weights.iter().all(|d| *d == 1.0)
    }

    /// Vertices of the unit ball, if they can be listed.
    fn vertices(&self) -> Option<Vec<Vec<f64>>> {
        let n = self.weights.len();
        let signs: &[f64] = if self.sign == 0.0 { &[1.0, -1.0] } else { std::slice::from_ref(&self.sign) };
        match self.norm.as_str() {
            "l1" => {
                let vertex =
                    |k: usize, s: f64| (0..n).map(|i| if i == k { s / self.weights[k] } else { 0.0 }).collect();
                Some((0..n).flat_map(|k| signs.iter().map(move |s| vertex(k, *s))).collect())
            }
            "linf" if n <= 10 => {
                let (on, off) = if self.sign == 0.0 { (1.0, -1.0) } else { (self.sign, 0.0) };
                let vertex =
                    |bits: usize| (0..n).map(|i| if bits >> i & 1 == 1 { on } else { off } / self.weights[i]).collect();
                Some((0..1usize << n).map(vertex).collect())
            }
            _ => None,
        }
    }
}

fn times(w: &Grid, v: &[f64]) -> Vec<f64> {
    (0..w.rows).map(|i| (0..w.cols).map(|j| w.at(i, j) * v[j]).sum()).collect()
}

/// max <W, phi(z)> over g(z) <= 1: an attained value, and the value itself where it is known. One gauge means psd.
pub fn polar(w: &Grid, gauges: &[Gauge]) -> (f64, Option<f64>) {
    if let [one] = gauges {
        let s = Grid::from_fn(w.rows, w.cols, |i, j| 0.5 * (w.at(i, j) + w.at(j, i)));
        let scaled = Grid::from_fn(s.rows, s.cols, |i, j| s.at(i, j) / (one.weights[i] * one.weights[j]));
        let top = largest_eigenvalue(&scaled).max(0.0);
        let exact = (one.sign == 0.0).then_some(top);
        return (exact.unwrap_or_else(|| climb_symmetric(&scaled)), exact);
    }
    let turned = w.transposed();
    for (a, b, w) in [(0, 1, &turned), (1, 0, w)] {
        if let Some(vertices) = gauges[a].vertices() {
            let best = vertices.iter().map(|x| gauges[b].best(&times(w, x)).1).fold(0.0, f64::max);
            return (best, Some(best));
        }
    }
    let mut attained: f64 = 0.0;
    for start in 0..24usize {
        let mut v: Vec<f64> = (0..w.cols).map(|j| (((start + 1) * (j + 3) * 7919) % 101) as f64 / 50.0 - 1.0).collect();
        v = gauges[1].best(&v).0;
        for _ in 0..200 {
            let u = gauges[0].best(&times(w, &v)).0;
            let (next, value) = gauges[1].best(&times(&turned, &u));
            v = next;
            attained = attained.max(value);
        }
    }
    let exact = gauges.iter().all(Gauge::free_plain_l2).then(|| {
        let gram = Grid::from_fn(w.cols, w.cols, |a, b| (0..w.rows).map(|i| w.at(i, a) * w.at(i, b)).sum());
        largest_eigenvalue(&gram).max(0.0).sqrt()
    });
    (attained, exact)
}

/// Nonnegative u of norm 1 with a high u' S u (the sign of u does not matter).
fn climb_symmetric(s: &Grid) -> f64 {
    let size =
        (0..s.rows).flat_map(|i| (0..s.cols).map(move |j| (i, j))).map(|(i, j)| s.at(i, j).powi(2)).sum::<f64>().sqrt();
    let mut best: f64 = 0.0;
    for start in 0..24usize {
        let mut u: Vec<f64> = (0..s.rows).map(|i| (((start + 1) * (i + 3) * 7919) % 101) as f64 + 1.0).collect();
        for _ in 0..500 {
            let norm = u.iter().map(|x| x * x).sum::<f64>().sqrt();
            if norm == 0.0 {
                break;
            }
            u.iter_mut().for_each(|x| *x /= norm);
            let su = times(s, &u);
            best = best.max(su.iter().zip(&u).map(|(a, b)| a * b).sum());
            u = su.iter().zip(&u).map(|(a, x)| (a + size * x).max(0.0)).collect();
        }
    }
    best
}

/// By Jacobi rotations until nothing is left off the diagonal.
pub fn largest_eigenvalue(s: &Grid) -> f64 {
    let n = s.rows;
    let mut a = s.clone();
    for _ in 0..60 {
        let off: f64 = (0..n).flat_map(|i| (0..i).map(move |j| (i, j))).map(|(i, j)| a.at(i, j).powi(2)).sum();
        let all: f64 = a.values.iter().map(|x| x * x).sum();
        if off <= 1e-32 * all {
            break;
        }
        for p in 0..n {
            for q in p + 1..n {
                if a.at(p, q) == 0.0 {
                    continue;
                }
                let theta = (a.at(q, q) - a.at(p, p)) / (2.0 * a.at(p, q));
                let t = if theta == 0.0 { 1.0 } else { theta.signum() / (theta.abs() + (1.0 + theta * theta).sqrt()) };
                let c = 1.0 / (1.0 + t * t).sqrt();
                let s = t * c;
                for k in 0..n {
                    let (x, y) = (a.at(k, p), a.at(k, q));
                    a.set(k, p, c * x - s * y);
                    a.set(k, q, s * x + c * y);
                }
                for k in 0..n {
                    let (x, y) = (a.at(p, k), a.at(q, k));
                    a.set(p, k, c * x - s * y);
                    a.set(q, k, s * x + c * y);
                }
            }
        }
    }
    (0..n).map(|i| a.at(i, i)).fold(f64::NEG_INFINITY, f64::max)
}

/// Sum with an error term carried along.
pub fn sum(terms: impl IntoIterator<Item = f64>) -> f64 {
    let (mut total, mut lost) = (0.0f64, 0.0f64);
    for x in terms {
        let next = total + x;
        lost += if total.abs() >= x.abs() { (total - next) + x } else { (x - next) + total };
        total = next;
    }
    total + lost
}
