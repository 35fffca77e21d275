//! `callgate check`: every mistake in flow files, at its place.

mod fix;
mod fixtures;

use std::path::PathBuf;

use clap::ValueEnum;

use super::{Exit, flow_file, print, say};
use crate::check::check_sources_telling;
use crate::diagnostic::alike::Telling;
use crate::diagnostic::{Finding, Severity, any_error};
use crate::render;

/// What `check` takes.
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "four flags, each on its own")]
#[command(after_help = "Examples:
  callgate check                       every flow in ./flows
  callgate check bank                  flows/bank.toml, with the sub-flows it calls
  callgate check --fix                 correct what can only be a slip
  callgate check --format sarif > callgate.sarif")]
pub(super) struct Args {
    /// Flow files or folders, or names of flows in ./flows; without that folder, of shipped flows.
    #[arg(default_value = "flows")]
    paths: Vec<PathBuf>,

    /// How findings are printed.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,

    /// Exit 1 for warnings too.
    #[arg(long)]
    deny_warnings: bool,

    /// Print every finding and write every transcript, however many are alike.
    #[arg(long)]
    all: bool,

    /// Correct in place what can only be a slip; comments and layout stay.
    #[arg(long)]
    fix: bool,

    /// Write a transcript of each hole into this folder, for `callgate replay` to show.
    #[arg(long, value_name = "DIR")]
    write_fixtures: Option<PathBuf>,

    /// Overwrite transcripts that exist.
    #[arg(long, requires = "write_fixtures")]
    force: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people, with excerpts of the files.
    Human,
    /// For programs.
    Json,
    /// For code scanning (SARIF 2.1.0).
    Sarif,
    /// Annotations of a GitHub workflow.
    Github,
}

pub(super) fn run(args: &Args) -> Exit {
    let mut sources = match flow_file::files(&args.paths) {
        Ok(files) => files,
        Err(error) => {
            say(&format!("error: {error}"));
            return Exit::from(&error);
        }
    };
    for folder in &sources.unread {
        say(&format!("flows in `{}` are not read: name that folder too", folder.display()));
    }
    if args.fix
        && let Err(exit) = fix::mend(&mut sources)
    {
        return exit;
    }
    let telling = if args.all { Telling::Everything } else { Telling::Enough };
    let (flows, findings) = check_sources_telling(&sources.all, telling);
    if let Some(folder) = &args.write_fixtures
        && let Err(exit) = fixtures::write(&flows, folder, args.force, telling)
    {
        return exit;
    }
    // A flow is as sound as those that it calls: their errors are its own.
    let asked_for = |finding: &Finding| {
        finding.severity == Severity::Error
            || finding.place().is_none_or(|place| sources.named.contains(&place.file))
    };
    let findings: Vec<_> = sources.of_concern(findings).into_iter().filter(asked_for).collect();
    let all = &sources.all;
    match args.format {
        Format::Human => {
            print(&render::human::render(&findings, all, true));
            say(&render::human::summary(&findings));
            if let Some(offer) = fix::offer(&findings) {
                say(&offer);
            }
            if findings.iter().any(|finding| finding.more > 0) {
                say("`--all` tells every one of those that are alike");
            }
        }
        Format::Json => print(&render::json::render(&findings, all)),
        Format::Sarif => print(&render::sarif::render(&findings, all)),
        Format::Github => print(&render::github::render(&findings, all)),
    }
    let warned = findings.iter().any(|finding| finding.severity == Severity::Warning);
    let failed = any_error(&findings) || (args.deny_warnings && warned);
    if failed { Exit::Findings } else { Exit::Well }
}
