//! The command line: one file a command.
//!
//! Data goes to standard output, everything else to standard error.

mod audit;
mod by_line;
mod check;
mod completions;
mod configured;
mod explain;
mod failure;
mod flow_file;
mod fmt;
mod graph;
mod hash_pin;
mod health;
mod lsp;
mod odds;
mod outbox;
pub mod replay;
mod schema;
mod serve;
pub mod simulate;
mod statement;
mod unlock;

use std::io::{self, Write as _};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::{Parser, Subcommand};

use crate::files::FilesError;
use crate::telemetry;

/// Answers voice webhooks, and lets nobody reach anything sensitive without real proof.
#[derive(Debug, Parser)]
#[command(
    version,
    max_term_width = 100,
    after_help = "Begin with `callgate serve`: without a configuration it runs a demo and says what to try."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,

    /// How much is logged: error, warn, info, debug or trace.
    #[arg(long, global = true, env = "CALLGATE_LOG", value_name = "LEVEL", hide_env_values = true)]
    log: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Answer webhooks; without a configuration, a demo.
    Serve(serve::Args),
    /// Find every mistake in flow files.
    Check(check::Args),
    /// Explain a code that `check` reports.
    Explain(explain::Args),
    /// Tell what guessing is worth against a flow, and what it takes to lock a customer out.
    Odds(odds::Args),
    /// Print a page about a flow that a security officer can file: what is proved before what.
    Statement(statement::Args),
    /// Run transcripts of calls, and compare what comes back.
    Replay(Box<replay::Args>),
    /// Ring a flow in the terminal.
    Simulate(simulate::Args),
    /// Format flow files; comments are kept.
    Fmt(fmt::Args),
    /// Draw a flow, what changed in it, or the way of a call.
    Graph(graph::Args),
    /// Serve an editor: findings, completion and more, on standard input and output.
    #[command(after_help = lsp::EXAMPLES)]
    Lsp,
    /// Print the JSON Schema of flow files, for editors.
    #[command(after_help = schema::EXAMPLES)]
    Schema,
    /// Verify the audit of calls, or print it.
    Audit(audit::Args),
    /// Print the hash of a PIN or passcode for the accounts file; those that guessers try first are refused.
    HashPin(hash_pin::Args),
    /// Look at effects that were given up on, try them again, or drop them.
    Outbox(outbox::Args),
    /// Ask a running server whether it is ready.
    Health(health::Args),
    /// Lift the locks that wrong entries have set.
    Unlock(unlock::Args),
    /// Print completions for a shell.
    Completions(completions::Args),
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// All is well.
    Well,
    /// The input has an error, or a replay differs.
    Findings,
    /// The command line or the configuration cannot be used.
    Usage,
    /// The store, a port or a file failed.
    Environment,
}

impl From<&FilesError> for Exit {
    /// A wrong path is an error of the command line, and wrong contents are findings; a path that cannot be read is
    /// neither.
    fn from(error: &FilesError) -> Self {
        match error {
            FilesError::Missing(_)
            | FilesError::Empty(..)
            | FilesError::NoFile(_)
            | FilesError::TooMany
            | FilesError::TooLarge => Self::Usage,
            FilesError::Unreadable { source, .. }
                if source.kind() == std::io::ErrorKind::NotFound =>
            {
                Self::Usage
            }
            FilesError::Encoding(..) => Self::Findings,
            FilesError::Unreadable { .. } => Self::Environment,
        }
    }
}

impl Exit {
    /// [`Self::Findings`] if there are any.
    fn found(any: bool) -> Self {
        if any { Self::Findings } else { Self::Well }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Well => 0,
            Exit::Findings => 1,
            Exit::Usage => 2,
            Exit::Environment => 3,
        })
    }
}

/// Runs the command that the arguments name.
pub fn main() -> ExitCode {
    telemetry::tell_where();
    let cli = Cli::parse();
    let exit = match cli.command {
        Command::Serve(args) => serve::run(&args, cli.log.as_deref()),
        Command::Check(args) => check::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Odds(args) => odds::run(&args),
        Command::Statement(args) => statement::run(&args),
        Command::Replay(args) => replay::run(&args),
        Command::Simulate(args) => simulate::run(&args),
        Command::Fmt(args) => fmt::run(&args),
        Command::Graph(args) => graph::run(&args),
        Command::Lsp => lsp::run(),
        Command::Schema => schema::run(),
        Command::Audit(args) => audit::run(&args),
        Command::HashPin(args) => hash_pin::run(&args),
        Command::Outbox(args) => outbox::run(&args, cli.log.as_deref()),
        Command::Health(args) => health::run(&args),
        Command::Unlock(args) => unlock::run(&args, cli.log.as_deref()),
        Command::Completions(args) => completions::run::<Cli>(&args),
    };
    if UNWRITTEN.load(Ordering::Relaxed) { Exit::Environment } else { exit }.into()
}

/// Whether data was lost on its way to standard output: then what is there is not complete.
static UNWRITTEN: AtomicBool = AtomicBool::new(false);

/// Writes data to standard output; a reader that has gone away is no failure.
pub(crate) fn print(text: &str) {
    let mut out = anstream::stdout();
    lost(out.write_all(text.as_bytes()).and_then(|()| out.flush()));
}

/// Remembers what became of data on its way to standard output.
pub(crate) fn lost(written: io::Result<()>) {
    if let Err(error) = written
        && error.kind() != io::ErrorKind::BrokenPipe
        && !UNWRITTEN.swap(true, Ordering::Relaxed)
    {
        say(&format!("error: cannot write to standard output: {error}"));
    }
}

/// So many of something: `1 call`, `2 calls`.
pub(crate) fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// Says something on standard error.
pub(crate) fn say(text: &str) {
    let _ = writeln!(anstream::stderr(), "{text}");
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    /// Every command that can be run, by its words, with what stands below its options.
    fn commands(command: &clap::Command, words: &[String], found: &mut Vec<(String, String)>) {
        for inner in command.get_subcommands() {
            let words: Vec<_> = words.iter().cloned().chain([inner.get_name().into()]).collect();
            commands(inner, &words, found);
            let after = inner.get_after_long_help().or(inner.get_after_help());
            found.push((words.join(" "), after.map(ToString::to_string).unwrap_or_default()));
        }
    }

    /// The words of an example, without what explains it or is joined to it.
    fn words(line: &str) -> Option<Vec<String>> {
        let (_, from) = line.split_once("callgate ")?;
        let ends = ["  ", " > ", " < ", " | ", " && "].map(|end| from.find(end));
        let end = ends.into_iter().flatten().min().unwrap_or(from.len());
        let own = from.get(..end)?.split(' ').map(|word| word.trim_matches('\'').to_owned());
        Some(std::iter::once("callgate".to_owned()).chain(own).collect())
    }

    #[test]
    fn every_command_shows_examples_and_each_of_them_is_taken() {
        let mut found = Vec::new();
        commands(&Cli::command(), &[], &mut found);
        assert!(found.len() > 15, "{found:?}");
        for (name, text) in found {
            let section = text.split("\n\n").find(|part| part.starts_with("Example"));
            assert!(section.is_some(), "`callgate {name}` shows no example:\n{text}");
            let is_example = |line: &&str| line.starts_with("  ") && line.contains("callgate ");
            let mut own = 0;
            for line in text.lines().filter(is_example) {
                let words = words(line).unwrap();
                if let Err(error) = Cli::try_parse_from(&words) {
                    panic!("`callgate {name}` shows {line}\n{error}");
                }
                own += usize::from(words.join(" ").contains(&name));
            }
            assert!(own > 0, "`callgate {name}` shows no example of itself:\n{text}");
        }
    }

    #[test]
    fn the_arguments_are_sound() {
        Cli::command().debug_assert();
    }
}
