//! `callgate statement`: a page about a flow that a security officer can file.

use super::odds::Asked;
use super::{Exit, print, say};
use crate::check::check;
use crate::diagnostic::any_error;
use crate::render::statement::{Statement, render};

/// What `statement` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  callgate statement bank > bank.md
  callgate statement bank --policy callgate.toml --date 2026-11-30 > bank.md")]
pub(super) struct Args {
    #[command(flatten)]
    asked: Asked,

    /// The date on the page; without it there is none, so that the same flow makes the same page.
    #[arg(long, value_name = "YYYY-MM-DD")]
    date: Option<jiff::civil::Date>,
}

pub(super) fn run(args: &Args) -> Exit {
    let (flows, odds) = match args.asked.odds() {
        Ok(found) => found,
        Err(failure) => return failure.tell(),
    };
    let warnings = check(&flows);
    if any_error(&warnings) {
        say(
            "error: `callgate check` finds errors in this flow: there is nothing to state until they are mended",
        );
        return Exit::Findings;
    }
    let date = args.date.map(|date| date.to_string());
    let statement =
        Statement { flows: &flows, odds: &odds, warnings: &warnings, date: date.as_deref() };
    print(&render(&statement));
    Exit::Well
}
