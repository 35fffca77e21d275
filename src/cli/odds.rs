//! `callgate odds`: what guessing is worth against a flow.

use std::path::{Path, PathBuf};

use clap::ValueEnum;

use super::failure::Failure;
use super::{Exit, flow_file, print};
use crate::check::odds::{Odds, Siege, Terms, odds};
use crate::config::{read_policy, shown};
use crate::diagnostic::{Problems, Sources, any_error};
use crate::document;
use crate::engine::policy::Policy;
use crate::files;
use crate::flow::FlowSet;
use crate::render;

/// What `odds` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  callgate odds bank                                     the flow of flows/bank.toml
  callgate odds bank --policy callgate.toml              with the limits of that configuration
  callgate odds bank --accounts 1000000 --lines 100      tried on a million accounts
  callgate odds bank --format json")]
pub(super) struct Args {
    #[command(flatten)]
    asked: Asked,

    /// How the odds are printed.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

/// What the odds of a flow are asked for.
#[derive(Debug, clap::Args)]
pub(super) struct Asked {
    /// A flow file, or the name of a flow in ./flows; without that folder, of a shipped flow.
    #[arg(value_name = "FLOW")]
    pub(super) flow: PathBuf,

    /// How many account numbers the attacker knows.
    #[arg(long, value_name = "N", default_value_t = Siege::default().accounts, value_parser = clap::value_parser!(u32).range(1..))]
    accounts: u32,

    /// How many lines the attacker calls on at the same time.
    #[arg(long, value_name = "N", default_value_t = Siege::default().lines, value_parser = clap::value_parser!(u32).range(1..))]
    lines: u32,

    /// How many calls a day the attacker makes on each line.
    #[arg(long, value_name = "N", default_value_t = Siege::default().calls_per_day, value_parser = clap::value_parser!(u32).range(1..))]
    calls_per_day: u32,

    /// How often a year the customer proves who they are meanwhile.
    #[arg(long, value_name = "N", default_value_t = Siege::default().owner_calls)]
    owner_calls: u32,

    /// How many digits a PIN has; without it, what the flow says.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(4..=12))]
    pin_digits: Option<u32>,

    /// The configuration whose `[policy]` applies; without it, the defaults.
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A table for people.
    Human,
    /// For programs.
    Json,
}

pub(super) fn run(args: &Args) -> Exit {
    match args.asked.odds() {
        Ok((_, odds)) => {
            print(&match args.format {
                Format::Human => render::odds::human(&odds),
                Format::Json => render::odds::json(&odds),
            });
            Exit::Well
        }
        Err(failure) => failure.tell(),
    }
}

impl Asked {
    /// The flows, and the odds of the one that is named.
    pub(super) fn odds(&self) -> Result<(FlowSet, Odds), Failure> {
        let terms = self.terms()?;
        let (flows, flow) = flow_file::read(&self.flow)?;
        let name = flow.name.as_str();
        let found = odds(&flows, name, &terms).map_err(|no| Failure::usage(no.to_string()))?;
        Ok((flows.closure(name).unwrap_or_default(), found))
    }

    fn terms(&self) -> Result<Terms, Failure> {
        let policy = self.policy.as_deref().map_or_else(|| Ok(Policy::default()), policy)?;
        let siege = Siege {
            accounts: self.accounts,
            lines: self.lines,
            calls_per_day: self.calls_per_day,
            owner_calls: self.owner_calls,
        };
        Ok(Terms { policy, siege, pin_digits: self.pin_digits })
    }
}

/// The `[policy]` of a configuration, which is shown without its secrets.
fn policy(path: &Path) -> Result<Policy, Failure> {
    let text = files::read_text(path)?;
    let mut sources = Sources::default();
    let file = sources.add(&path.display().to_string(), shown::configuration(&text));
    let problems = Problems::default();
    let policy = document::read(&file, &text, &problems, |root| match root.item("policy") {
        Some(item) => read_policy(&item),
        None => Some(Policy::default()),
    });
    let findings = problems.into_findings();
    if any_error(&findings) {
        return Err(Failure::Findings {
            what: "the policy has errors".into(),
            findings,
            sources,
            exit: Exit::Usage,
        });
    }
    policy.ok_or_else(|| Failure::usage(format!("no policy in `{}`", path.display())))
}
