//! `callgate audit`: verifies that nothing was taken out of the audit, changed in it, or put elsewhere, and prints
//! what is in it.

use std::io::BufRead as _;
use std::path::{Path, PathBuf};

use clap::{Subcommand, ValueEnum};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::configured::open_store;
use super::failure::{self, Failure};
use super::{Exit, print, say};
use crate::audit::reference;
use crate::audit::told::Told;
use crate::audit::verify::{ChainHead, Fault, Report, What, verify_and_tell};
use crate::clock::{Clock as _, SystemClock};
use crate::config::{DEFAULT_FILE, Kept};
use crate::engine::account::Whom;
use crate::engine::id::CallId;
use crate::secret::Secret;

/// What `audit` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  callgate audit verify --config /etc/callgate.toml
  callgate audit show --account 12345678 | sort")]
pub(super) struct Args {
    #[command(subcommand)]
    what: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Verify every chain: exit 1 if an entry was removed, altered or moved.
    Verify(Verify),
    /// Print the entries whose chains are intact, one JSON object a line, in no order.
    Show(Show),
}

/// What `audit verify` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  callgate audit verify                             every chain of the store of ./callgate.toml
  callgate audit verify --format json > ends.json   with the ends of all chains, to keep
  callgate audit verify --kept ends.json            the chains still go on from those ends

An embedded store can be verified while its server is stopped; Redis at any time. Of the
configuration only `store`, `[redis]` and the state key are read, and no other secret needs to
be there.

Exit codes: 0 every chain is whole; 1 one is not; 2 the configuration cannot be used, or its
state key is not that of the store; 3 the store cannot be read, or parts of it are those of a
newer callgate.")]
struct Verify {
    /// The configuration, which names the store and its key.
    #[arg(long, value_name = "FILE", default_value = DEFAULT_FILE)]
    config: PathBuf,

    /// How the result is printed.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,

    /// What `--format json` printed earlier: each chain must continue from the end that it had then. May be repeated.
    #[arg(long, value_name = "FILE")]
    kept: Vec<PathBuf>,
}

/// What `audit show` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  callgate audit show | sort                                 everything, by time
  callgate audit show --account 12345678 --since 2026-11-01  what is kept of a customer
  callgate audit show --account - < account.txt              the account stays out of the process list
  callgate audit show --call 01890a5d-ac96-574b-bcce-b302099a8057

`about` is the keyed hash of what was claimed, and the same for the same account. Dates begin at midnight UTC. An
embedded store can be read while its server is stopped; Redis at any time.

Exit codes: as those of `audit verify`; faults are told on standard error.")]
struct Show {
    /// The configuration, which names the store and its key.
    #[arg(long, value_name = "FILE", default_value = DEFAULT_FILE)]
    config: PathBuf,

    /// Only entries about this account, or about claims of it; `-` reads it from standard input.
    #[arg(long)]
    account: Option<String>,

    /// Only entries of the call with this id.
    #[arg(long, value_parser = read_call)]
    call: Option<CallId>,

    /// Nothing from before this day or moment: `2026-11-23`, `2026-11-23T15:00:00Z`.
    #[arg(long, value_name = "MOMENT", value_parser = read_moment)]
    since: Option<Timestamp>,

    /// Nothing from this day or moment on.
    #[arg(long, value_name = "MOMENT", value_parser = read_moment)]
    until: Option<Timestamp>,
}

fn read_call(text: &str) -> Result<CallId, String> {
    CallId::parse(text).ok_or_else(|| "it is not the id of a call".to_owned())
}

fn read_moment(text: &str) -> Result<Timestamp, String> {
    let day = |text: &str| {
        Some(text.parse::<Date>().ok()?.to_zoned_datetime(TimeZone::UTC).ok()?.timestamp())
    };
    let moment = if text.contains('T') { text.parse().ok() } else { day(text) };
    moment.ok_or_else(|| "it is no day or moment such as 2026-11-23T15:00:00Z".to_owned())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    Human,
    /// For programs, with the ends of all chains.
    Json,
}

pub(super) fn run(args: &Args) -> Exit {
    match &args.what {
        Command::Verify(args) => failure::run(report(args)),
        Command::Show(args) => failure::run(show(args)),
    }
}

async fn report(args: &Verify) -> Result<Exit, Failure> {
    let mut kept = Vec::new();
    for file in &args.kept {
        kept.extend(kept_in(file)?);
    }
    let report = followed(&args.config, &kept, |_| |_| ()).await?;
    match args.format {
        Format::Human => print(&human(&report)),
        Format::Json => {
            print(&format!("{}\n", serde_json::json!({ "version": 1, "report": report })));
        }
    }
    Ok(exit(&report))
}

async fn show(args: &Show) -> Result<Exit, Failure> {
    let account = match args.account.as_deref() {
        Some("-") => {
            let mut line = String::new();
            let read = std::io::stdin().lock().read_line(&mut line);
            read.map_err(|_| Failure::usage("standard input is not text"))?;
            Some(Secret::new(line.trim()))
        }
        given => given.map(Secret::new),
    };
    let report = followed(&args.config, &[], |kept| {
        let about = account.map(|account| reference(&kept.vault, &Whom::Account(account)));
        move |told| {
            let is_asked_for = about.as_ref().is_none_or(|about| *about == told.about)
                && args.call.is_none_or(|call| told.call == Some(call))
                && args.since.is_none_or(|since| told.at >= since)
                && args.until.is_none_or(|until| told.at < until);
            if is_asked_for && let Ok(line) = serde_json::to_string(&told) {
                print(&format!("{line}\n"));
            }
        }
    });
    let report = report.await?;
    for fault in &report.faults {
        say(&worded(fault));
    }
    Ok(exit(&report))
}

/// The ends that `audit verify --format json` printed into a file.
fn kept_in(file: &Path) -> Result<Vec<ChainHead>, Failure> {
    #[derive(serde::Deserialize)]
    struct Printed {
        report: Ends,
    }
    #[derive(serde::Deserialize)]
    struct Ends {
        heads: Vec<ChainHead>,
    }
    let name = file.display();
    let text = std::fs::read_to_string(file)
        .map_err(|error| Failure::usage(format!("`{name}` cannot be read: {error}")))?;
    let printed: Printed = serde_json::from_str(&text).map_err(|_| {
        Failure::usage(format!("`{name}` is not what `audit verify --format json` prints"))
    })?;
    Ok(printed.report.heads)
}

/// Follows every chain of the store that a configuration names; `tell`, made with it, gets each intact entry.
async fn followed<T: FnMut(Told) + Send>(
    config: &Path,
    ends: &[ChainHead],
    tell: impl FnOnce(&Kept) -> T,
) -> Result<Report, Failure> {
    let kept = Kept::load(config)?;
    if let Some(file) = kept.store.strip_prefix("embedded:")
        && !Path::new(file).exists()
    {
        return Err(Failure::environment(format!("there is no store `{file}`")));
    }
    let store = open_store(&kept.store, &kept.store_options, &kept.vault).await?;
    let mut tell = tell(&kept);
    verify_and_tell(store.as_ref(), &kept.vault, SystemClock.now(), ends, &mut tell)
        .await
        .map_err(Failure::environment)
}

/// Whether something that a newer callgate wrote is intact cannot be told here.
fn exit(report: &Report) -> Exit {
    if report.is_broken() || report.faults.is_empty() {
        Exit::found(report.is_broken())
    } else {
        Exit::Environment
    }
}

fn worded(fault: &Fault) -> String {
    let what = match fault.what {
        What::Removed => "was removed",
        What::Altered => "was altered",
        What::Reordered => "was put elsewhere",
        What::Newer => {
            "says that a newer callgate wrote it: verify it with that one; if none ran here, it was altered"
        }
    };
    let number = fault.number.map_or(String::new(), |number| format!(", entry {number}"));
    format!("{}{number}: {what}", fault.place)
}

fn human(report: &Report) -> String {
    let Report { calls, entries, links, faults, .. } = report;
    let found = match faults.len() {
        0 => "every chain is whole".to_owned(),
        1 => "1 fault".to_owned(),
        more => format!("{more} faults"),
    };
    let told: String = faults.iter().map(|fault| worded(fault) + "\n").collect();
    format!("{told}{links} links, {calls} chains of calls, {entries} entries: {found}\n")
}
