//! `callgate replay`: runs transcripts of calls, and shows how the results differ.

mod captures;
mod colour;
mod live;
mod skeletons;

use std::io::{self, IsTerminal as _, Write};
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use console::Term;
use indicatif::{ProgressBar, ProgressStyle};
use tokio::runtime::Runtime;

use super::failure::Failure;
use super::{Exit, counted};
use crate::files::FilesError;
use crate::replay::coverage;
use crate::replay::folder::{FolderError, Outcome, Wish, flows, run_telling, run_texts};
use crate::replay::{Layout, against, junit};
use crate::writing::{create, renew};

const EXAMPLES: &str = "\
Examples:
  callgate replay                                 run every transcript of fixtures/calls
  callgate replay --filter balance                those with `balance` in their path
  callgate replay --twiml fixtures/calls/bank.balance.toml
                                                  with the TwiML of what differs
  callgate replay --layout side-by-side           the expected beside the actual
  callgate replay --flows new/ --junit out.xml    against other flows, for a build server
  callgate replay --coverage                      which states and outcomes no transcript reaches
  callgate replay --coverage --skeletons calls/   and a transcript for each of them
  callgate replay --against new/                  who would end elsewhere or hear other words
  callgate replay --against new/ --format markdown    the same, for a pull request
  callgate replay --against new/ --last 200       the last calls of the store of ./callgate.toml
  callgate replay --from-journal ID -o call.toml  a live call as a transcript, its secrets replaced
  callgate replay capture.http --public-url https://ivr.example.com
                                                  raw requests of the provider, once more
  callgate replay capture.http --config callgate.toml
                                                  with the lines, policy, accounts and
                                                  tokens of a configuration
  callgate replay --bless fixtures/calls/bank.balance.toml
                                                  write what came back into the transcript

Exit codes: 0 everything is as expected; 1 something differs, or a transcript cannot be read;
2 there is nothing to run, or the flows have errors; 3 a file cannot be written.";

/// Runs calls from files, and fails on whatever differs from what they expect.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Transcripts, or folders of them; or captures of a provider's requests (*.http).
    #[arg(value_name = "PATH", default_value = "fixtures/calls")]
    pub paths: Vec<PathBuf>,
    /// Write what came back into the transcripts.
    #[arg(long)]
    pub bless: bool,
    /// Run only those with this text in their path.
    #[arg(long, value_name = "TEXT")]
    pub filter: Option<String>,
    /// Show the whole TwiML document of each turn that differs.
    #[arg(long)]
    pub twiml: bool,
    /// How a difference is laid out: side by side on a terminal of 120 columns or more, otherwise unified.
    #[arg(long, value_enum, default_value_t = Arranged::Auto)]
    pub layout: Arranged,
    /// Write the outcomes as JUnit XML into this file.
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// The folder of flows for transcripts that name no flows: without it ./flows or, with a configuration or calls from
    /// a store, the folder that the configuration names.
    #[arg(long, value_name = "DIR")]
    pub flows: Option<PathBuf>,
    /// Report what of each flow the transcripts reach, and what none of them does.
    #[arg(long, conflicts_with = "against")]
    pub coverage: bool,
    /// Write a transcript into this folder for each outcome, and for each set of levels that can be
    /// met there, that no transcript reaches.
    #[arg(long, value_name = "DIR", requires = "coverage")]
    pub skeletons: Option<PathBuf>,
    /// Report what would become of the same calls with the flows of this folder.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["bless", "junit"])]
    pub against: Option<PathBuf>,
    /// The format of what `--against` reports.
    #[arg(long, value_enum, default_value_t = Format::Text, requires = "against")]
    pub format: Format,
    /// Take the latest calls of the store, at most this many, in place of files.
    #[arg(long, value_name = "N", requires = "against", conflicts_with = "paths")]
    pub last: Option<usize>,
    /// Make a transcript of this call of the store.
    #[arg(long, value_name = "CALL", conflicts_with_all = ["paths", "bless", "junit", "coverage", "against"])]
    pub from_journal: Option<String>,
    /// Where the transcript goes; an existing file is not overwritten.
    #[arg(long, short, value_name = "FILE", requires = "from_journal")]
    pub output: Option<PathBuf>,
    /// The flow for the calls of a capture: without it that of the line with `--config`, or else `bank`.
    #[arg(long, value_name = "FLOW")]
    pub flow: Option<String>,
    /// The accounts for the calls of a capture, with PINs in plain text: without it those of `--config`,
    /// or else the demo's.
    #[arg(long, value_name = "FILE")]
    pub accounts: Option<PathBuf>,
    /// The address that the provider called, under which a capture is signed: without it that of
    /// `--config`, or else the host that the first request went to.
    #[arg(long, value_name = "URL")]
    pub public_url: Option<String>,
    /// The environment variable with the token that a capture is signed with: without it the one that
    /// `--config` names, or else `TWILIO_AUTH_TOKEN`.
    #[arg(long, value_name = "NAME")]
    pub auth_token_env: Option<String>,
    /// The file with that token instead.
    #[arg(long, value_name = "FILE", conflicts_with = "auth_token_env")]
    pub auth_token_file: Option<PathBuf>,
    /// The configuration. It names the store (without it, ./callgate.toml does); a capture is replayed
    /// with its lines, policy, accounts, tokens and public URL.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

impl Args {
    /// The folder of the flows.
    fn flows(&self) -> &Path {
        self.flows.as_deref().unwrap_or(Path::new("flows"))
    }
}

/// How a difference is laid out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Arranged {
    /// As the terminal has room.
    #[default]
    Auto,
    /// The expected above the actual.
    Unified,
    /// The expected beside the actual.
    SideBySide,
}

/// How what would be otherwise is said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
    /// For a comment on a pull request.
    Markdown,
}

/// Runs the command.
pub fn run(args: &Args) -> Exit {
    // It draws on a terminal alone.
    let bar = ProgressBar::new(0).with_style(
        ProgressStyle::with_template(BAR).unwrap_or_else(|_| ProgressStyle::default_bar()),
    );
    let mut err = io::stderr();
    if io::stdout().is_terminal() {
        let mut out = colour::coloured(anstream::stdout());
        return run_showing(args, &mut out, &mut err, &bar);
    }
    run_showing(args, &mut io::stdout(), &mut err, &bar)
}

const BAR: &str = "{bar:32} {pos}/{len} calls";

/// The same, printing elsewhere and drawing nothing.
pub fn run_with(args: &Args, out: &mut dyn Write, err: &mut dyn Write) -> Exit {
    run_showing(args, out, err, &ProgressBar::hidden())
}

fn run_showing(args: &Args, out: &mut dyn Write, err: &mut dyn Write, bar: &ProgressBar) -> Exit {
    replayed(args, out, err, bar).unwrap_or_else(|failure| {
        let _ = writeln!(err, "{}", failure.told(false));
        failure.exit()
    })
}

fn replayed(
    args: &Args,
    out: &mut dyn Write,
    err: &mut dyn Write,
    bar: &ProgressBar,
) -> Result<Exit, Failure> {
    if let Some(call) = &args.from_journal {
        return from_journal(args, call, out);
    }
    if let (Some(folder), Some(count)) = (&args.against, args.last) {
        return of_store(args, folder, count, out, err);
    }
    if args.paths.iter().any(|path| captures::is_capture(path)) {
        return captures::run(args, out, err);
    }
    let wish = Wish {
        paths: args.paths.clone(),
        filter: args.filter.clone(),
        flows: args.flows().to_owned(),
        bless: args.bless,
    };
    let outcomes = outcomes(&wish, args.skeletons.is_some(), bar)?;
    if let Some(folder) = &args.against {
        return against(args, &wish, folder, (&outcomes, bar), out);
    }
    if let Some(file) = &args.junit {
        renew(file, &junit::document(&outcomes), "XML").map_err(Failure::environment)?;
    }
    match print(&outcomes, args, out) {
        Ok(()) if args.coverage => cover(args, &outcomes, out, err)?,
        written => super::lost(written),
    }
    Ok(Exit::found(outcomes.iter().any(|outcome| !outcome.passed())))
}

/// `begins`: there need be none yet.
fn outcomes(wish: &Wish, begins: bool, bar: &ProgressBar) -> Result<Vec<Outcome>, Failure> {
    let mut tell = |done: usize, all: usize| {
        bar.set_length(u64::try_from(all).unwrap_or(u64::MAX));
        bar.set_position(u64::try_from(done).unwrap_or(u64::MAX));
    };
    let ran = Runtime::new()?.block_on(run_telling(wish, &mut tell));
    bar.finish_and_clear();
    let outcomes = ran.map_err(|error| match error {
        FolderError::Files(FilesError::Missing(path)) if path == wish.flows => {
            let path = path.display();
            Failure::usage(format!("there is no `{path}`; `--flows` names the folder of the flows"))
        }
        error => error.into(),
    })?;
    if outcomes.is_empty() && !begins {
        let begin = "a call by `callgate simulate` is kept as one (`:save FILE`), and `--coverage --skeletons DIR` writes some";
        return Err(Failure::usage(format!("there is no transcript to run there: {begin}")));
    }
    Ok(outcomes)
}

fn against(
    args: &Args,
    wish: &Wish,
    folder: &Path,
    (before, bar): (&[Outcome], &ProgressBar),
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let now = outcomes(&Wish { flows: folder.to_owned(), ..wish.clone() }, false, bar)?;
    tell(args, (args.flows(), folder), before, &now, out)
}

/// A call of the store as a transcript.
fn from_journal(args: &Args, call: &str, out: &mut dyn Write) -> Result<Exit, Failure> {
    let recorded = Runtime::new()?.block_on(live::one(args.config.as_deref(), call))?;
    match &args.output {
        Some(file) => create(file, &recorded.text).map_err(Failure::environment)?,
        // Whoever reads may stop reading.
        None => drop(out.write_all(recorded.text.as_bytes())),
    }
    match recorded.astray {
        None => Ok(Exit::Well),
        Some(astray) => {
            let message = format!("the transcript is not as the call was: {astray}");
            Err(Failure::Other(Exit::Findings, message))
        }
    }
}

/// The same calls of the store against two folders of flows.
fn of_store(
    args: &Args,
    folder: &Path,
    count: usize,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Result<Exit, Failure> {
    let runtime = Runtime::new()?;
    let (flows, recorded, untold) = runtime.block_on(live::last(args.config.as_deref(), count))?;
    let own = args.flows.as_deref().unwrap_or(&flows);
    for call in &untold {
        note(err, &format!("left out: {call}"));
    }
    for call in &recorded {
        if let Some(astray) = &call.astray {
            note(err, &format!("{}: {astray}", call.call));
        }
    }
    let name = |call: &crate::replay::recorder::Recorded| {
        (PathBuf::from(format!("{}.{}", call.flow, call.call)), call.text.clone())
    };
    let texts: Vec<_> = recorded.iter().map(name).collect();
    let before = runtime.block_on(run_texts(&texts, own))?;
    let now = runtime.block_on(run_texts(&texts, folder))?;
    tell(args, (own, folder), &before, &now, out)
}

fn tell(
    args: &Args,
    (own, folder): (&Path, &Path),
    before: &[Outcome],
    now: &[Outcome],
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let (old, new) = (flows(own)?, flows(folder)?);
    let changes = against::compare((&old, before), (&new, now));
    let shown = match args.format {
        Format::Text => against::text(&changes, before.len()),
        Format::Json => format!("{:#}\n", against::json(&changes, before.len())),
        Format::Markdown => against::markdown(&changes, before.len()),
    };
    // Whoever reads may stop reading.
    let _ = out.write_all(shown.as_bytes());
    Ok(Exit::found(!changes.is_empty()))
}

fn cover(
    args: &Args,
    outcomes: &[Outcome],
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Result<(), Failure> {
    let flows = flows(args.flows())?;
    let measured = coverage::measure(&flows, outcomes);
    // If there is no transcript yet, all flows lack some.
    let looked_at: Vec<_> = if outcomes.is_empty() {
        measured.iter().collect()
    } else {
        coverage::touched(&measured).collect()
    };
    for coverage in &looked_at {
        for line in coverage.lines() {
            // Whoever reads may stop reading.
            let _ = writeln!(out, "{line}");
        }
    }
    if let Some(folder) = &args.skeletons {
        let missing = looked_at.iter().flat_map(|coverage| coverage.missing());
        let told = Runtime::new()?.block_on(skeletons::write(&flows, missing, folder))?;
        for line in told {
            note(err, &line);
        }
    }
    Ok(())
}

/// Says what is no error.
fn note(err: &mut dyn Write, message: &str) {
    let _ = writeln!(err, "note: {message}");
}

/// Side by side is for terminals with enough room.
fn layout(wanted: Arranged) -> Layout {
    let term = Term::stdout();
    let width = term.size_checked().map_or(WIDTH_SIDE_BY_SIDE, |(_, columns)| columns.into());
    match wanted {
        Arranged::SideBySide => Layout::SideBySide(width),
        Arranged::Auto if term.is_term() && width >= WIDTH_SIDE_BY_SIDE => {
            Layout::SideBySide(width)
        }
        Arranged::Auto | Arranged::Unified => Layout::Unified,
    }
}

/// The least columns in which two texts beside each other read well; as many where there is no
/// terminal.
const WIDTH_SIDE_BY_SIDE: usize = 120;

fn print(outcomes: &[Outcome], args: &Args, out: &mut dyn Write) -> io::Result<()> {
    let layout = layout(args.layout);
    for outcome in outcomes {
        for line in outcome.lines(layout) {
            writeln!(out, "{line}")?;
        }
        for line in outcome.documents().iter().filter(|_| args.twiml) {
            writeln!(out, "{line}")?;
        }
    }
    let failed = outcomes.iter().filter(|outcome| !outcome.passed()).count();
    let passed = outcomes.len() - failed;
    let turns: usize = outcomes.iter().map(|outcome| outcome.report.turns.len()).sum();
    let done = if args.bless { "blessed or as expected" } else { "as expected" };
    let passed = counted(passed, "call", "calls");
    let turns = counted(turns, "turn", "turns");
    writeln!(out, "{passed} {done}, {failed} not; {turns}")?;
    out.flush()
}
