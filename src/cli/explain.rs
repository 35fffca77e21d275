//! `callgate explain`: the page of a code, a state type or a section of the configuration, and the references
//! they are from.

use super::{Exit, print, say};
use crate::check::{explain, pages, reference as rules};
use crate::config::reference as configuration;
use crate::diagnostic::did_you_mean;
use crate::flow::reference;
use crate::flow::states::TYPES;

/// What `explain` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  callgate explain unrouted-outcome
  callgate explain menu                  what a `menu` does, its keys and its outcomes
  callgate explain policy.pin            a section of the configuration, or a key of it
  callgate explain --language            the flow language, as one document
  callgate explain --configuration       every key of the configuration, as one document
  callgate explain --all                 every page of a code, as one document")]
pub(super) struct Args {
    /// A code that `check` prints in brackets, a state type, or a section or key of the configuration (in brackets,
    /// such as `[lookup]`, if a state type has the same name).
    #[arg(required_unless_present = "whole", conflicts_with = "whole")]
    code: Option<String>,

    /// Print the pages of all codes, as one document.
    #[arg(long, group = "whole")]
    all: bool,

    /// Print the reference of the flow language, as one document.
    #[arg(long, group = "whole")]
    language: bool,

    /// Print the reference of the configuration, as one document.
    #[arg(long, group = "whole")]
    configuration: bool,
}

pub(super) fn run(args: &Args) -> Exit {
    let Some(code) = &args.code else {
        print(&if args.language {
            reference::reference()
        } else if args.configuration {
            configuration::reference()
        } else {
            rules()
        });
        return Exit::Well;
    };
    if let Some(page) = page(code).or_else(|| page(in_brackets(code)?)) {
        print(&page);
        return Exit::Well;
    }
    let pages = pages();
    let known = pages.iter().map(|page| page.code).chain(TYPES.iter().map(|of| of.name));
    let sections = configuration::sections();
    let known = known.chain(sections.iter().map(String::as_str));
    let near = did_you_mean(code, known);
    let near = near.unwrap_or_else(|| "`callgate explain --all` prints them all".to_owned());
    say(&format!("error: there is no code, state type or section `{code}`; {near}"));
    say(
        "help: the words of flows are in `callgate explain --language`, those of the configuration in `--configuration`",
    );
    Exit::Usage
}

fn page(code: &str) -> Option<String> {
    explain(code).or_else(|| reference::page(code)).or_else(|| configuration::page(code))
}

/// A code as `check` prints it: `error[unproved]:`.
fn in_brackets(printed: &str) -> Option<&str> {
    let (_, code) = printed.trim_end_matches(':').split_once('[')?;
    code.strip_suffix(']')
}
