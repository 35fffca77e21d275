//! `callgate explain`: the page of a code.

use super::{Exit, print, say};
use crate::check::{explain, pages};
use crate::diagnostic::did_you_mean;

/// What `explain` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  callgate explain unrouted-outcome")]
pub(super) struct Args {
    /// The code, as `check` prints it in brackets.
    code: String,
}

pub(super) fn run(args: &Args) -> Exit {
    if let Some(page) = explain(&args.code) {
        print(&page);
        return Exit::Well;
    }
    let pages = pages();
    let near = did_you_mean(&args.code, pages.iter().map(|page| page.code)).unwrap_or_default();
    say(&format!("error: there is no code `{}`; {near}", args.code));
    Exit::Usage
}
