//! `callgate replay`: runs transcripts of calls, and says what came back otherwise.

use std::io::{self, Write};
use std::path::PathBuf;

use crate::replay::folder::{FolderError, Outcome, Wish, replace, run_all};
use crate::replay::junit;

const EXAMPLES: &str = "\
Examples:
  callgate replay                                 run every transcript of fixtures/calls
  callgate replay --filter balance                those with `balance` in their path
  callgate replay --flows new/ --junit out.xml    against other flows, for a build server
  callgate replay --bless fixtures/calls/bank.balance.toml
                                                  write what came back into the transcript

Exit codes: 0 all came as it was to come; 1 something differs, or a transcript cannot be read;
2 there is nothing to run, or the flows are not well; 3 a file cannot be written.";

/// Runs calls from files, and fails on whatever comes back otherwise than they say.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Transcripts, or folders of them.
    #[arg(value_name = "PATH", default_value = "fixtures/calls")]
    pub paths: Vec<PathBuf>,
    /// Write what came back into the transcripts.
    #[arg(long)]
    pub bless: bool,
    /// Run those alone whose path has this text in it.
    #[arg(long, value_name = "TEXT")]
    pub filter: Option<String>,
    /// Write the outcomes as JUnit XML into this file.
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// The folder of flows for transcripts that name none of their own.
    #[arg(long, value_name = "DIR", default_value = "flows")]
    pub flows: PathBuf,
}

/// Runs the command and gives its exit code.
pub fn run(args: &Args) -> u8 {
    let (mut out, mut err) = (io::stdout().lock(), io::stderr().lock());
    run_with(args, &mut out, &mut err)
}

/// The same, printing elsewhere.
pub fn run_with(args: &Args, out: &mut dyn Write, err: &mut dyn Write) -> u8 {
    let wish = Wish {
        paths: args.paths.clone(),
        filter: args.filter.clone(),
        flows: args.flows.clone(),
        bless: args.bless,
    };
    let outcomes = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime.block_on(run_all(&wish)),
        Err(error) => return say(err, 3, &format!("no threads to run on: {error}")),
    };
    let outcomes = match outcomes {
        Ok(outcomes) if outcomes.is_empty() => {
            return say(err, 2, "there is no transcript to run there");
        }
        Ok(outcomes) => outcomes,
        Err(error @ FolderError::Write { .. }) => return say(err, 3, &error.to_string()),
        Err(error) => return say(err, 2, &error.to_string()),
    };
    if let Some(file) = &args.junit
        && let Err(error) = replace(file, &junit::document(&outcomes))
    {
        return say(err, 3, &error.to_string());
    }
    match print(&outcomes, args.bless, out) {
        // Whoever reads may stop reading.
        Ok(()) | Err(_) => u8::from(outcomes.iter().any(|outcome| !outcome.passed())),
    }
}

fn say(err: &mut dyn Write, code: u8, message: &str) -> u8 {
    let _ = writeln!(err, "callgate replay: {message}");
    code
}

fn print(outcomes: &[Outcome], blesses: bool, out: &mut dyn Write) -> io::Result<()> {
    for outcome in outcomes {
        for line in outcome.lines() {
            writeln!(out, "{line}")?;
        }
    }
    let failed = outcomes.iter().filter(|outcome| !outcome.passed()).count();
    let passed = outcomes.len() - failed;
    let turns: usize = outcomes.iter().map(|outcome| outcome.report.turns.len()).sum();
    let done = if blesses { "blessed or as expected" } else { "as expected" };
    writeln!(out, "{passed} calls {done}, {failed} not; {turns} turns")?;
    out.flush()
}
