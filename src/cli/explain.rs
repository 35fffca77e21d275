//! `callgate explain`: the page of a code.

use super::{Exit, print, say};
use crate::check::{explain, pages, reference};
use crate::diagnostic::did_you_mean;

/// What `explain` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  callgate explain unrouted-outcome
  callgate explain --all > rules.md      every page")]
pub(super) struct Args {
    /// The code, as `check` prints it in brackets.
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    code: Option<String>,

    /// Print the pages of all codes, as one document.
    #[arg(long)]
    all: bool,
}

pub(super) fn run(args: &Args) -> Exit {
    let Some(code) = &args.code else {
        print(&reference());
        return Exit::Well;
    };
    if let Some(page) = explain(code) {
        print(&page);
        return Exit::Well;
    }
    let pages = pages();
    let near = did_you_mean(code, pages.iter().map(|page| page.code)).unwrap_or_default();
    say(&format!("error: there is no code `{code}`; {near}"));
    Exit::Usage
}
