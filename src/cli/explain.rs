//! `callgate explain`: the page of a code or of a state type, and the references they are from.

use super::{Exit, print, say};
use crate::check::{explain, pages, reference as rules};
use crate::diagnostic::did_you_mean;
use crate::flow::reference;
use crate::flow::states::TYPES;

/// What `explain` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  callgate explain unrouted-outcome
  callgate explain menu                  what a `menu` does, its keys and its outcomes
  callgate explain --language            the flow language, as one document
  callgate explain --all                 every page of a code, as one document")]
pub(super) struct Args {
    /// A code, as `check` prints it in brackets, or a state type.
    #[arg(required_unless_present_any = ["all", "language"], conflicts_with_all = ["all", "language"])]
    code: Option<String>,

    /// Print the pages of all codes, as one document.
    #[arg(long, conflicts_with = "language")]
    all: bool,

    /// Print the reference of the flow language, as one document.
    #[arg(long)]
    language: bool,
}

pub(super) fn run(args: &Args) -> Exit {
    let Some(code) = &args.code else {
        print(&if args.language { reference::reference() } else { rules() });
        return Exit::Well;
    };
    if let Some(page) = explain(code).or_else(|| reference::page(code)) {
        print(&page);
        return Exit::Well;
    }
    let pages = pages();
    let known = pages.iter().map(|page| page.code).chain(TYPES.iter().map(|of| of.name));
    let near = did_you_mean(code, known);
    let near = near.unwrap_or_else(|| "`callgate explain --all` prints them all".to_owned());
    say(&format!("error: there is no code or state type `{code}`; {near}"));
    Exit::Usage
}
