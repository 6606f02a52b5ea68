//! `homfac predict RUN`: what the model of a run says of entries, of everything, of new inputs.

mod project;

use super::args::PredictArgs;
use super::console;
use super::failure::{self, Usage};
use crate::data::source::{Column, Format};
use crate::data::stream::Stream;
use crate::data::{DataError, Remembered, Source, npy};
use crate::mapping;
use crate::predict::{Cell, Model, Show};
use crate::run::table::{Layout, Table};
use crate::run::{RunError, Whole, load};
use crate::spec;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// Samples of a network that are taken at once.
const SAMPLES: usize = 1 << 14;

/// Runs the command; the exit code.
///
/// # Errors
/// Usage, data, I/O.
pub fn run(args: &PredictArgs) -> anyhow::Result<u8> {
    let model = open(&args.run)?;
    let job = Job::new(args, &model)?;
    let outcome = match (&args.input, &args.project) {
        (Some(input), _) if model.is_network() => job.network(input),
        (Some(input), _) => job.entries(input),
        (None, Some(file)) => project::run(&job, file),
        (None, None) => job.everything(),
    };
    // a reader that went away is not an error
    let closed = |e: &anyhow::Error| {
        let pipe = |c: &(dyn std::error::Error + 'static)| {
            c.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe)
        };
        is_dash(&args.out) && e.chain().any(pipe)
    };
    match outcome {
        Err(e) if closed(&e) => Ok(failure::DONE),
        Err(e) => Err(e),
        Ok(what) => {
            if !args.quiet {
                let place =
                    if is_dash(&args.out) { String::new() } else { format!("; written to {}", args.out.display()) };
                console::complain(&format!("{}: {what}{place}\n", model.spec.name));
            }
            Ok(failure::DONE)
        }
    }
}

fn is_dash(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// The model of a run folder.
fn open(folder: &Path) -> anyhow::Result<Model> {
    let path = load::spec_path(folder)?;
    let text =
        std::fs::read_to_string(&path).map_err(|source| RunError::Io { path: path.clone(), doing: "read", source })?;
    let spec = spec::parse(&text, &path, &[])?;
    let remembered = match load::remembered(folder)? {
        Some(remembered) => remembered,
        None => again(folder, &spec)?,
    };
    let kind = mapping::kind(&spec.mapping).expect("registered");
    let count = kind.count(remembered.sizes.len(), spec.layers.as_ref());
    let factors = load::factors(folder, count)?;
    let extras = load::extras(folder, spec.extras.iter().map(|e| e.kind.as_str()))?;
    Ok(Model::new(spec, remembered, factors, extras, &folder.display().to_string())?)
}

/// What a folder without `model.json` would have remembered: the data is read again, and must be what it was.
fn again(folder: &Path, spec: &spec::Spec) -> anyhow::Result<Remembered> {
    let dataset = crate::data::load(&spec.data)?;
    let (_, weights) = spec::assemble(spec, &dataset)?;
    let files: Vec<_> = dataset.files.iter().cloned().chain(weights).collect();
    load::same_data(folder, &files)?;
    Ok(Remembered::of(&dataset))
}

/// What is asked for, and how it is to be said.
struct Job<'a> {
    args: &'a PredictArgs,
    model: &'a Model,
    show: Show,
    layout: Layout,
}

impl<'a> Job<'a> {
    /// Refuses what the command line and the spec show to be impossible.
    fn new(args: &'a PredictArgs, model: &'a Model) -> Result<Self, Usage> {
        // what the parser would ask for, did these not exclude each other
        let flags = [
            ("--axis", args.axis.is_some(), "--project", args.project.is_some()),
            ("--side", !args.side.is_empty(), "--project", args.project.is_some()),
            ("--factor", args.factor, "--project", args.project.is_some()),
            ("--columns", !args.columns.is_empty(), "--input or --project", !args.complete),
        ];
        if let Some((flag, _, needs, _)) = flags.iter().find(|(_, given, _, there)| *given && !there) {
            return Err(Usage(format!("{flag} belongs to {needs}")));
        }
        if args.factor && (args.scores || args.probabilities) {
            return Err(Usage("--factor writes coefficients: there is nothing to say of their scores".into()));
        }
        let show = match (args.scores, args.probabilities) {
            (true, _) => Show::Scores,
            (_, true) => Show::Probabilities,
            _ => Show::Values,
        };
        model.can_show(show).map_err(|why| Usage(format!("--probabilities: {why}")))?;
        if model.is_network() && args.input.is_none() {
            let mapping = &model.spec.mapping;
            return Err(Usage(format!("mapping `{mapping}` predicts from inputs: say `--input FILE`")));
        }
        if model.is_network() && args.index_base.is_some() {
            return Err(Usage("--index-base: the inputs of a network are no indices".into()));
        }
        let layout = if is_dash(&args.out) { Some(Layout::Csv(b',')) } else { Layout::of(&args.out) };
        let layout = layout.ok_or_else(|| {
            Usage(format!("--out {}: expected a file that ends in .csv, .tsv or .npy", args.out.display()))
        })?;
        let numeric = model.remembered.meaning.classes.iter().all(|c| c.parse::<f64>().is_ok());
        if layout == Layout::Npy && model.has_classes() && show == Show::Values && !numeric {
            let hint = "write a .csv file, or say `--scores`";
            return Err(Usage(format!("--out {}: labels are text\n  hint: {hint}", args.out.display())));
        }
        Ok(Self { args, model, show, layout })
    }

    /// What indices are counted from.
    fn base(&self) -> usize {
        self.args.index_base.map(usize::from).or(self.model.spec.data.target.index_base).unwrap_or(0)
    }

    fn out(&self) -> Result<Out, RunError> {
        if is_dash(&self.args.out) {
            return Ok(Out::Standard(BufWriter::new(io::stdout())));
        }
        Whole::create(&self.args.out, self.args.force).map(Out::File)
    }

    fn written<T>(&self, result: io::Result<T>) -> Result<T, RunError> {
        result.map_err(|source| RunError::Io { path: self.args.out.clone(), doing: "write", source })
    }

    /// A file of rows, named on the command line.
    fn stream(&self, input: &Path, like: Option<&Source>) -> Result<Stream, DataError> {
        let stdin = is_dash(input);
        let shown = if stdin { "standard input".into() } else { input.display().to_string() };
        let mut source = Source::plain(input.to_path_buf(), shown);
        if stdin {
            source.format = Some(Format::Csv);
        }
        let text = source.format.or_else(|| Format::of_extension(input)) == Some(Format::Csv);
        if let Some(like) = like.filter(|_| text) {
            source.header = header(like);
            source.delimiter = like.delimiter.filter(|_| input.extension().is_none_or(|e| e != "tsv"));
        }
        source.columns = like.and_then(|l| l.columns.clone());
        if !self.args.columns.is_empty() {
            let column = |c: &String| c.parse().map_or_else(|_| Column::Name(c.clone()), Column::Number);
            source.columns = Some(self.args.columns.iter().map(column).collect());
        }
        Stream::open(&source, stdin)
    }

    fn expect_columns(&self, input: &Path, stream: &Stream, wanted: usize, what: &str) -> Result<(), DataError> {
        if stream.columns() == wanted {
            return Ok(());
        }
        let shown = if is_dash(input) { "standard input".into() } else { input.display().to_string() };
        Err(DataError::Shape {
            file: shown,
            expected: format!("{wanted} columns: {what}"),
            found: stream.columns().to_string(),
            hint: Some("`--columns` picks them, by name or number".into()),
        })
    }

    /// Values at the entries that a table lists.
    fn entries(&self, input: &Path) -> anyhow::Result<String> {
        let model = self.model;
        // of classes a row is asked for
        let sizes = if model.has_classes() { &model.sizes()[..1] } else { model.sizes() };
        let mut stream = self.stream(input, None)?;
        self.expect_columns(input, &stream, sizes.len(), "an index for each of the model's")?;
        let base = self.base();
        let mut names = stream.names().unwrap_or_else(|| index_names(sizes.len()));
        if model.has_classes() {
            names.extend(model.row_names(self.show));
        } else {
            names.push(model.entry_name(self.show).into());
        }
        let out = self.out()?;
        let mut table = self.written(Table::new(self.layout, out, &names))?;
        let mut count = 0;
        loop {
            let asked = stream.indices(model.batch(), base, sizes)?;
            if asked.is_empty() {
                break;
            }
            count += asked.len();
            let places = |e: &Vec<usize>| -> Vec<(usize, usize)> {
                let across = if model.has_classes() { (0..model.shape().1).collect() } else { vec![column(sizes, e)] };
                across.into_iter().map(|j| (e[0], j)).collect()
            };
            let entries: Vec<(usize, usize)> = asked.iter().flat_map(places).collect();
            let x = model.at(&entries);
            let width = entries.len() / asked.len();
            for (e, (scores, place)) in asked.iter().zip(x.chunks(width).zip(entries.chunks(width))) {
                let mut cells: Vec<Cell> = e.iter().map(|i| Cell::Index(i + base)).collect();
                if model.has_classes() {
                    cells.extend(model.row(self.show, scores));
                } else {
                    cells.push(Cell::Number(model.value(self.show, place[0].1, scores[0])));
                }
                self.written(table.row(&cells))?;
            }
        }
        let flat = !model.has_classes() || self.show == Show::Values;
        self.written(table.finish(flat))?.publish()?;
        // one line is all there is: not likely to be one of names
        let named = if count == 0 && stream.names().is_some() { ": its one row was taken for a header" } else { "" };
        Ok(format!("{count} {} predicted{named}", if model.has_classes() { "rows" } else { "entries" }))
    }

    /// Outputs of a network on the inputs that a table lists.
    fn network(&self, input: &Path) -> anyhow::Result<String> {
        let model = self.model;
        let mut stream = self.stream(input, model.spec.data.input.as_ref().map(|i| &i.source))?;
        self.expect_columns(input, &stream, model.inputs(), "the inputs of the network")?;
        let mut names = model.row_names(self.show);
        if !model.has_classes() && model.remembered.meaning.columns.is_none() {
            names =
                if names.len() == 1 { vec!["y".into()] } else { (1..=names.len()).map(|j| format!("y{j}")).collect() };
        }
        let out = self.out()?;
        let mut table = self.written(Table::new(self.layout, out, &names))?;
        let mut count = 0;
        loop {
            let inputs = stream.numbers(SAMPLES, false)?;
            if inputs.nrows() == 0 {
                break;
            }
            count += inputs.nrows();
            let outputs = model.outputs(inputs);
            for row in outputs.row_iter() {
                let scores: Vec<f64> = row.iter().copied().collect();
                self.written(table.row(&model.row(self.show, &scores)))?;
            }
        }
        self.written(table.finish(false))?.publish()?;
        Ok(format!("{count} samples predicted"))
    }

    /// Every entry: a table of a matrix, an array or a list of entries of what has more indices.
    fn everything(&self) -> anyhow::Result<String> {
        let model = self.model;
        let mut out = self.out()?;
        let x = model.everywhere(&self.args.run.display().to_string())?;
        let (m, n) = model.shape();
        if model.sizes().len() == 2 {
            let mut table = self.written(Table::new(self.layout, out, &model.row_names(self.show)))?;
            for i in 0..m {
                let scores: Vec<f64> = (0..n).map(|j| x[j * m + i]).collect();
                self.written(table.row(&model.row(self.show, &scores)))?;
            }
            out = self.written(table.finish(false))?;
        } else if self.layout == Layout::Npy {
            let values: Vec<f64> = x.iter().enumerate().map(|(k, x)| model.value(self.show, k / m, *x)).collect();
            self.written(npy::write(&mut out, model.sizes(), &values))?;
        } else {
            let base = self.base();
            let mut names = index_names(model.sizes().len());
            names.push(model.entry_name(self.show).into());
            let mut table = self.written(Table::new(self.layout, out, &names))?;
            for (k, x) in x.iter().enumerate() {
                let mut cells: Vec<Cell> = model.indices((k % m, k / m)).map(|i| Cell::Index(i + base)).collect();
                cells.push(Cell::Number(model.value(self.show, k / m, *x)));
                self.written(table.row(&cells))?;
            }
            out = self.written(table.finish(false))?;
        }
        out.publish()?;
        let sizes: Vec<String> = model.sizes().iter().map(usize::to_string).collect();
        Ok(format!("all of {} predicted", sizes.join(" x ")))
    }
}

/// What is known of the header of a file like another: where some columns were picked of one without, text in the others makes none.
fn header(like: &Source) -> Option<bool> {
    like.header.filter(|h| !h && like.columns.is_some())
}

/// Column of an entry in the unfolding.
fn column(sizes: &[usize], index: &[usize]) -> usize {
    index[1..].iter().zip(&sizes[1..]).rev().fold(0, |j, (i, d)| j * d + i)
}

/// i, j, k, or i1, i2, ..
fn index_names(count: usize) -> Vec<String> {
    match count {
        0..=3 => ["i", "j", "k"][..count].iter().map(|n| n.to_string()).collect(),
        _ => (1..=count).map(|k| format!("i{k}")).collect(),
    }
}

/// Where predictions go.
enum Out {
    /// A file that appears whole.
    File(Whole),
    /// Standard output.
    Standard(BufWriter<io::Stdout>),
}

impl Out {
    /// All has been written.
    fn publish(self) -> Result<(), RunError> {
        match self {
            Self::File(whole) => whole.publish(),
            Self::Standard(mut out) => out.flush().map_err(|source| RunError::Io {
                path: PathBuf::from("standard output"),
                doing: "write",
                source,
            }),
        }
    }
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::File(whole) => whole.write(bytes),
            Self::Standard(out) => out.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::File(whole) => whole.flush(),
            Self::Standard(out) => out.flush(),
        }
    }
}
