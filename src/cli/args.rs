//! What the command line may say.

use super::path::choice;
use crate::spec::{Override, tree};
use clap::{ArgGroup, Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;
use std::time::Duration;

/// Fit positively homogeneous factor models and prove how close the answer is to the global optimum.
///
/// Exit codes: 0 done, and a verdict's gap is proven to meet the target; 1 a solution was written or checked but its gap is
/// larger or unknown, or it is refuted; 2 usage or spec error; 3 data or I/O error; 4 numerical failure or a defect found by
/// homfac itself; 130 interrupted.
#[derive(Debug, Parser)]
#[command(name = "homfac", version, max_term_width = 110)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Solve a spec, certify the answer, write the run folder.
    Solve(SolveArgs),
    /// Prove or refute saved factors, homfac's own or another tool's, from the data alone.
    Check(CheckArgs),
    /// Solve a spec along descending lambdas, each from the answer at the last; choose one, by cross-validation if asked.
    Path(PathArgs),
    /// Predict entries, everything, new rows, or the outputs of a network on new inputs.
    Predict(PredictArgs),
    /// Say what a spec's problem is, what can be proven of it at what cost, and the memory it needs.
    Explain(ExplainArgs),
    /// Rebuild report.md and report.html of a run folder, and of its data where that is at hand.
    Report(ReportArgs),
    /// Print a commented spec to start from; without KIND, list the kinds.
    Init(InitArgs),
    /// Print the JSON Schema of specs, for editors and scripts.
    Schema,
    /// Print completions for a shell.
    Completions(CompletionsArgs),
    /// Print the manual page, of homfac or of one command.
    Man(ManArgs),
    /// A command of a later version, or none at all.
    #[command(external_subcommand)]
    Other(Vec<String>),
}

/// `homfac solve`.
#[derive(Debug, Args)]
pub struct SolveArgs {
    /// The spec, a TOML file; `-`: standard input.
    pub spec: PathBuf,
    /// Flags about checkpoints.
    #[command(flatten)]
    pub checkpoints: CheckpointArgs,
    /// Flags about the spec.
    #[command(flatten)]
    pub overrides: OverrideArgs,
    /// Flags about output.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// `homfac check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// A run folder.
    #[arg(required_unless_present = "spec", conflicts_with_all = ["spec", "factors"])]
    pub run: Option<PathBuf>,
    /// A spec, for factors that any tool made.
    #[arg(long, requires = "factors")]
    pub spec: Option<PathBuf>,
    /// One file per factor (.npy, .csv, .npz), each D^k x r; an archive may hold them all.
    #[arg(long, num_args = 1.., requires = "spec", value_name = "FILE")]
    pub factors: Vec<PathBuf>,
    /// One file per extra block, in the order of the spec; left out, the best values are taken.
    #[arg(long, num_args = 1.., requires = "spec", value_name = "FILE")]
    pub extras: Vec<PathBuf>,
    /// Factor K (counted from 1) is stored as r x D^k (repeatable).
    #[arg(long, value_name = "K")]
    pub transpose: Vec<usize>,
    /// Project entries that lie outside a cone onto it, instead of refusing them.
    #[arg(long)]
    pub project: bool,
    /// Flags about the spec.
    #[command(flatten)]
    pub overrides: OverrideArgs,
    /// Flags about output.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// `homfac path`.
#[derive(Debug, Args)]
pub struct PathArgs {
    /// The spec, a TOML file (`-`: standard input); its lambda plays no part.
    pub spec: PathBuf,
    /// How many lambdas, geometrically from lambda_max down.
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub points: usize,
    /// The smallest of them, as a fraction of lambda_max.
    #[arg(long, value_name = "FRACTION", default_value_t = 0.05)]
    pub smallest: f64,
    /// The lambdas as fractions of lambda_max, such as `1,0.5,0.2`.
    #[arg(long, value_name = "LIST", value_delimiter = ',', conflicts_with_all = ["points", "smallest", "lambdas"])]
    pub ratios: Vec<f64>,
    /// The lambdas as numbers.
    #[arg(long, value_name = "LIST", value_delimiter = ',', conflicts_with_all = ["points", "smallest"])]
    pub lambdas: Vec<f64>,
    /// Cross-validate with K folds of the observed entries (of the samples, for networks and classes).
    #[arg(long, value_name = "K")]
    pub folds: Option<usize>,
    /// Which point to write: `min`, the least held-out loss (default where anything is held out), `1se`, the largest lambda
    /// within one standard error of it, `last` (default otherwise), or the number of a point.
    #[arg(long, value_name = "RULE", value_parser = choice::rule)]
    pub choose: Option<choice::Rule>,
    /// Prove every point as far as `solve` would, not only the one that is written.
    #[arg(long)]
    pub prove_all: bool,
    /// Flags about checkpoints.
    #[command(flatten)]
    pub checkpoints: CheckpointArgs,
    /// Flags about the spec.
    #[command(flatten)]
    pub overrides: OverrideArgs,
    /// Flags about output.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// `homfac explain`.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// The spec, a TOML file; `-`: standard input.
    pub spec: PathBuf,
    /// Flags about the spec.
    #[command(flatten)]
    pub overrides: OverrideArgs,
    /// Print it as one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// `homfac predict`.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("what").required(true)))]
pub struct PredictArgs {
    /// A run folder.
    pub run: PathBuf,
    /// Predict the entries of this table of indices (rows, for classes), or a network's outputs on this table of inputs
    /// (.csv, .tsv, .npy, ..; `-`: CSV on standard input).
    #[arg(short, long, value_name = "FILE", group = "what")]
    pub input: Option<PathBuf>,
    /// Predict every entry.
    #[arg(long, group = "what")]
    pub complete: bool,
    /// Fit these new rows to the other factors and complete them; laid out and read as the target was, any number of rows.
    #[arg(long, value_name = "FILE", group = "what")]
    pub project: Option<PathBuf>,
    /// What is new in --project: rows (1), columns (2), or the K-th index of an array [default: 1].
    #[arg(long, value_name = "K")]
    pub axis: Option<usize>,
    /// The new rows' side matrix, one file per extra `covariates` along that axis.
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub side: Vec<PathBuf>,
    /// Write the new rows of the factor, and of extra variables, instead of completed rows.
    #[arg(long)]
    pub factor: bool,
    /// Where indices are counted from: 0 or 1 [default: as in the target].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(0..=1))]
    pub index_base: Option<u8>,
    /// Columns of the input, by name or by number from 1 [default: for a network those of the spec, else all].
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub columns: Vec<String>,
    /// Write X + A Q as the loss sees it: no transform undone, no sign, label or count.
    #[arg(long)]
    pub scores: bool,
    /// Write probabilities, of 1 or of each class.
    #[arg(long, conflicts_with = "scores")]
    pub probabilities: bool,
    /// The file to write (.csv, .tsv, .npy), whole or not at all; `-`: CSV on standard output.
    #[arg(short, long, value_name = "FILE", default_value = "-")]
    pub out: PathBuf,
    /// Replace an existing file.
    #[arg(long)]
    pub force: bool,
    /// Print errors only.
    #[arg(short, long)]
    pub quiet: bool,
}

/// `homfac report`.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// A run folder.
    pub run: PathBuf,
}

/// `homfac init`.
#[derive(Debug, Args)]
pub struct InitArgs {
    /// What to factorize, such as `nmf` or `completion`.
    pub kind: Option<String>,
}

/// `homfac completions`.
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// The shell.
    pub shell: clap_complete::Shell,
}

/// `homfac man`.
#[derive(Debug, Args)]
pub struct ManArgs {
    /// The command whose page is wanted, such as `solve`.
    pub command: Option<String>,
}

/// Flags that change the spec.
#[derive(Clone, Debug, Args)]
pub struct OverrideArgs {
    /// Set a key of the spec, such as `--set solver.max_rank=5` (repeatable; the value is TOML, or else a string).
    #[arg(long, value_name = "KEY=VALUE", value_parser = assignment)]
    pub set: Vec<(String, String)>,
    /// Set lambda: a number, or `{ relative = 0.1 }`.
    #[arg(long, value_name = "LAMBDA", allow_negative_numbers = true)]
    pub lambda: Option<String>,
    /// Set solver.seed.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub seed: Option<String>,
    /// Set solver.threads.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub threads: Option<String>,
}

/// Flags about checkpoints.
#[derive(Debug, Args)]
pub struct CheckpointArgs {
    /// Go on from the checkpoint of a run that was killed, interrupted or out of time; without one, start anew.
    #[arg(long)]
    pub resume: bool,
    /// How often to write a checkpoint beside the run folder: a duration, or `never`.
    #[arg(long, value_name = "TIME", value_parser = interval, default_value = "30s")]
    pub checkpoint: Interval,
}

/// Flags about time and output.
#[derive(Debug, Args)]
pub struct OutputArgs {
    /// The run folder to write.
    #[arg(short, long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Bound solving and certifying together, such as `60s`, `500ms`, `1h30m`.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub time_limit: Option<Duration>,
    /// Print certificate.json on stdout.
    #[arg(long)]
    pub json: bool,
    /// Print errors only.
    #[arg(short, long, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Print more: conditions of the theory, and what the solver does.
    #[arg(short, long)]
    pub verbose: bool,
    /// No progress bar, even on a terminal.
    #[arg(long)]
    pub no_progress: bool,
    /// How the log on standard error is written: for people, or one JSON object a line.
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t)]
    pub log_format: LogFormat,
    /// Replace an existing run folder.
    #[arg(long)]
    pub force: bool,
}

/// `--log-format`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// A table.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

fn assignment(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("expected KEY=VALUE, such as solver.max_rank=5")?;
    Ok((key.trim().into(), value.trim().into()))
}

/// How often; `None`: never.
#[derive(Clone, Copy, Debug)]
pub struct Interval(pub Option<Duration>);

fn interval(text: &str) -> Result<Interval, String> {
    if text == "never" {
        return Ok(Interval(None));
    }
    let time = tree::seconds(text).ok_or("expected `never` or a positive duration such as 30s, 500ms, 1h30m")?;
    Ok(Interval(Some(time)))
}

fn duration(text: &str) -> Result<Duration, String> {
    tree::seconds(text).ok_or_else(|| "expected a positive duration such as 60s, 500ms, 1h30m".into())
}

impl OverrideArgs {
    /// As the spec reader takes them; dedicated flags win over `--set`.
    pub fn overrides(&self) -> Vec<Override> {
        let set = self.set.iter().map(|(key, value)| Override {
            key: key.clone(),
            value: value.clone(),
            flag: format!("--set {key}"),
        });
        let dedicated = [
            ("lambda", "--lambda", self.lambda.clone()),
            ("solver.seed", "--seed", self.seed.clone()),
            ("solver.threads", "--threads", self.threads.clone()),
        ];
        let dedicated = dedicated
            .into_iter()
            .filter_map(|(key, flag, value)| value.map(|value| Override { key: key.into(), value, flag: flag.into() }));
        set.chain(dedicated).collect()
    }
}
