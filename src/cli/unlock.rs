//! `callgate unlock`: lifts the locks of an account's factors.

use std::io::BufRead as _;
use std::path::PathBuf;

use super::configured::{caretaker, open_directory, open_store};
use super::failure::{self, Failure};
use super::{Exit, print, say};
use crate::config::{self, DEFAULT_FILE, KeptAccounts};
use crate::exchange::unlock::By;
use crate::flow::level::Fact;
use crate::secret::Secret;
use crate::server::metrics::Metrics;
use crate::telemetry;

/// What `unlock` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "Only the telephone's locks are lifted: web login knows nothing of them. \
An embedded store belongs to the server that runs on it; ask that server instead: POST /api/unlock.
Of the configuration only `store`, `[redis]`, the state key, `[directory]` and `[policy]` are read, and no other \
secret needs to be there.

Examples:
  callgate unlock 12345678 --factor pin
  callgate unlock < account.txt            the account stays out of the process list")]
pub(super) struct Args {
    /// The account; read from standard input if it is not given.
    account: Option<String>,

    /// The factor: `pin`, `passcode`, `sms_otp`, `email_otp`, `callback` or `service_code`; without it, all of
    /// them.
    #[arg(long, value_parser = read_factor)]
    factor: Option<Fact>,

    /// The configuration.
    #[arg(long, value_name = "FILE", default_value = DEFAULT_FILE)]
    config: PathBuf,
}

fn read_factor(text: &str) -> Result<Fact, String> {
    let names: Vec<_> = Fact::ALL.iter().map(|fact| fact.as_str()).collect();
    Fact::parse(text).ok_or_else(|| format!("it must be one of {}", names.join(", ")))
}

pub(super) fn run(args: &Args, log: Option<&str>) -> Exit {
    let _watch = telemetry::start(log, config::environment);
    let mut account = args.account.clone().unwrap_or_default();
    if args.account.is_none() && std::io::stdin().lock().read_line(&mut account).is_err() {
        say("error: standard input is not text");
        return Exit::Usage;
    }
    let account = account.trim();
    if account.is_empty() {
        say("error: no account was given, neither as an argument nor on standard input");
        return Exit::Usage;
    }
    failure::run_or_ask("POST /api/unlock", unlock(args, &Secret::new(account)))
}

async fn unlock(args: &Args, account: &Secret) -> Result<Exit, Failure> {
    let KeptAccounts { kept, directory, policy } = KeptAccounts::load(&args.config)?;
    let store = open_store(&kept.store, &kept.store_options, &kept.vault).await?;
    let directory = open_directory(directory, &Metrics::default())?;
    let exchange = caretaker(store, kept.vault, directory, policy);
    match exchange.unlock(account, args.factor, By::CommandLine).await {
        Ok(Some(lifted)) => {
            for of_factor in lifted {
                print(&format!("{}\n", exchange.told_of(of_factor)));
            }
            Ok(Exit::Well)
        }
        Ok(None) => {
            say("error: there is no such account");
            Ok(Exit::Findings)
        }
        Err(error) => {
            say(&format!("error: {error}"));
            Ok(Exit::Environment)
        }
    }
}
