//! `callgate audit`: verifies that nothing was taken out of the audit, changed in it, or put elsewhere.

use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};

use super::configured::open_store;
use super::failure::{self, Failure};
use super::{Exit, print, say};
use crate::audit::verify::{Fault, Report, What, verify};
use crate::clock::{Clock as _, SystemClock};
use crate::config::{DEFAULT_FILE, Kept};

/// What `audit` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  callgate audit verify --config /etc/callgate.toml")]
pub(super) struct Args {
    #[command(subcommand)]
    what: Deed,
}

#[derive(Debug, Subcommand)]
enum Deed {
    /// Verify every chain: exit 1 if an entry was removed, altered or put elsewhere.
    Verify(Verify),
}

/// What `audit verify` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  callgate audit verify                             every chain of the store of ./callgate.toml
  callgate audit verify --format json > ends.json   with the ends of all chains, to keep

An embedded store can be verified while its server is stopped; Redis at any time. Of the
configuration only `store`, `[redis]` and the state key are read, and no other secret needs to
be there.

Exit codes: 0 every chain is whole; 1 one is not; 2 the configuration cannot be used, or its
state key is not that of the store; 3 the store cannot be read.")]
struct Verify {
    /// The configuration, which names the store and its key.
    #[arg(long, value_name = "FILE", default_value = DEFAULT_FILE)]
    config: PathBuf,

    /// How the result is printed.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    Human,
    /// For programs, with the ends of all chains.
    Json,
}

pub(super) fn run(args: &Args) -> Exit {
    let Deed::Verify(args) = &args.what;
    failure::run(report(args))
}

async fn report(args: &Verify) -> Result<Exit, Failure> {
    let kept = Kept::load(&args.config)?;
    if let Some(file) = kept.store.strip_prefix("embedded:")
        && !std::path::Path::new(file).exists()
    {
        say(&format!("error: there is no store `{file}`"));
        return Ok(Exit::Environment);
    }
    let store = open_store(&kept.store, &kept.store_options, &kept.vault).await?;
    let report = match verify(store.as_ref(), &kept.vault, SystemClock.now()).await {
        Ok(report) => report,
        Err(error) => {
            say(&format!("error: {error}"));
            return Ok(Exit::Environment);
        }
    };
    match args.format {
        Format::Human => print(&human(&report)),
        Format::Json => {
            print(&format!("{}\n", serde_json::json!({ "version": 1, "report": report })));
        }
    }
    Ok(if report.faults.is_empty() { Exit::Well } else { Exit::Findings })
}

fn human(report: &Report) -> String {
    let told = |fault: &Fault| {
        let what = match fault.what {
            What::Removed => "was removed",
            What::Altered => "was altered",
            What::Reordered => "was put elsewhere",
        };
        let number = fault.number.map_or(String::new(), |number| format!(", entry {number}"));
        format!("{}{number}: {what}\n", fault.place)
    };
    let Report { calls, entries, links, faults, .. } = report;
    let found = match faults.len() {
        0 => "every chain is whole".to_owned(),
        1 => "1 fault".to_owned(),
        more => format!("{more} faults"),
    };
    let told: String = faults.iter().map(told).collect();
    format!("{told}{links} links, {calls} chains of calls, {entries} entries: {found}\n")
}
