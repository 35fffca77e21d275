//! `callgate outbox`: looks at effects that were given up on, tries them again, or drops them.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Subcommand;

use super::configured::{caretaker, carrier_of, look_ups, mail_of, open_store};
use super::failure::{self, Failure};
use super::{Exit, print, say};
use crate::config::{self, Config, DEFAULT_FILE, Kept};
use crate::directory::Directory;
use crate::directory::accounts::Accounts;
use crate::engine::id::EffectId;
use crate::engine::policy::Policy;
use crate::exchange::Exchange;
use crate::exchange::unlock::By;
use crate::outbox::{Outbox, Retried};
use crate::server::metrics::Metrics;
use crate::telemetry;

/// What `outbox` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  callgate outbox list                                           what was not delivered
  callgate outbox retry 01890a5d-ac96-774b-bcce-b302099a8057     one of them, once more

With Redis it works at any time. An embedded store belongs to the server that runs on it; while it
does, ask it instead: GET /api/outbox, POST /api/outbox/EFFECT/retry, POST /api/outbox/EFFECT/drop.
For `list` and `drop` only `store`, `[redis]` and the state key of the configuration are read,
and no other secret needs to be there.

Exit codes: 0 done; 1 there is no such letter, or it was not done again; 2 the configuration
cannot be used; 3 the store failed.")]
pub(super) struct Args {
    #[command(subcommand)]
    what: Command,

    /// The configuration.
    #[arg(long, global = true, value_name = "FILE", default_value = DEFAULT_FILE)]
    config: PathBuf,
}

#[derive(Clone, Copy, Debug, Subcommand)]
enum Command {
    /// List them, the newest first: effect, call, what, why, when and how often it was tried.
    #[command(after_help = "Example:
  callgate outbox list --config /etc/callgate.toml")]
    List,
    /// Do one now: a message or a mail without a code, or the end of a leg.
    #[command(after_help = "Example:
  callgate outbox retry 01890a5d-ac96-774b-bcce-b302099a8057")]
    Retry {
        /// The effect, as listed.
        #[arg(value_parser = read_effect)]
        effect: EffectId,
    },
    /// Forget one.
    #[command(after_help = "Example:
  callgate outbox drop 01890a5d-ac96-774b-bcce-b302099a8057")]
    Drop {
        /// The effect, as listed.
        #[arg(value_parser = read_effect)]
        effect: EffectId,
    },
}

fn read_effect(text: &str) -> Result<EffectId, String> {
    EffectId::parse(text).ok_or_else(|| "it must be the id that `outbox list` shows".into())
}

pub(super) fn run(args: &Args, log: Option<&str>) -> Exit {
    let _watch = telemetry::start(log, config::environment);
    failure::run_or_ask("GET /api/outbox, POST /api/outbox/EFFECT/retry or …/drop", carry_out(args))
}

async fn carry_out(args: &Args) -> Result<Exit, Failure> {
    let done = match args.what {
        Command::List => letters_of(args).await?.dead_letters().await.map(|letters| {
            if letters.is_empty() {
                say("nothing was given up on");
            }
            for letter in letters {
                let tried = letter.attempts;
                print(&format!(
                    "{}  {}  {}  {}  {}  tried {tried}{}\n",
                    letter.effect,
                    letter.call,
                    letter.what,
                    letter.why.as_str(),
                    letter.at,
                    if letter.again.is_some() { "" } else { ", of no use any more" },
                ));
            }
            Exit::Well
        }),
        Command::Retry { effect } => {
            outbox_of(args).await?.retry(effect, By::CommandLine).await.map(told_of)
        }
        Command::Drop { effect } => letters_of(args)
            .await?
            .drop_letter(effect, By::CommandLine)
            .await
            .map(|dropped| if dropped { Exit::Well } else { told_of(Retried::Unknown) }),
    };
    Ok(done.unwrap_or_else(|error| {
        say(&format!("error: {error}"));
        Exit::Environment
    }))
}

/// A command that only looks at letters needs nothing that reaches anybody.
async fn letters_of(args: &Args) -> Result<Exchange, Failure> {
    let kept = Kept::load(&args.config)?;
    let store = open_store(&kept.store, &kept.store_options, &kept.vault).await?;
    let directory = Directory::new(Accounts::default());
    Ok(caretaker(store, kept.vault, directory, Policy::default()))
}

async fn outbox_of(args: &Args) -> Result<Arc<Outbox>, Failure> {
    let config = Config::load(&args.config)?;
    let store = open_store(&config.store, &config.store_options, &config.vault).await?;
    let metrics = Metrics::default();
    let carrier = carrier_of(&config, &metrics)?;
    let mail = mail_of(&config, &metrics)?;
    let numbers = look_ups(&config, &metrics)?;
    let directory = Directory::new(Accounts::default());
    let exchange = caretaker(store, config.vault, directory, config.policy);
    let exchange = Arc::new(match numbers {
        Some(numbers) => numbers.asked_by(exchange),
        None => exchange,
    });
    Ok(Outbox::new(exchange, carrier, mail))
}

fn told_of(retried: Retried) -> Exit {
    let error = match retried {
        Retried::Done => return Exit::Well,
        Retried::Failed(why) => format!("it was not done: {}", why.as_str()),
        Retried::Pointless => "it is of no use any more; drop it".into(),
        Retried::Taken => "somebody is trying it just now".into(),
        Retried::Unknown => "there is no such dead letter".into(),
    };
    say(&format!("error: {error}"));
    Exit::Findings
}
