//! `callgate odds`: what guessing is worth against a flow.

use std::path::{Path, PathBuf};

use clap::ValueEnum;

use super::{Exit, print, say};
use crate::check::odds::{Odds, Siege, Terms, odds};
use crate::config::read_policy;
use crate::diagnostic::{Problems, Sources, any_error};
use crate::document;
use crate::engine::policy::Policy;
use crate::files;
use crate::flow::{self, FlowSet};
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
    /// A flow file, or the name of one in ./flows.
    #[arg(value_name = "FLOW")]
    pub(super) flow: PathBuf,

    /// Accounts whose numbers somebody knows.
    #[arg(long, default_value_t = Siege::default().accounts, value_parser = clap::value_parser!(u32).range(1..))]
    accounts: u32,

    /// Lines that they call on at the same time.
    #[arg(long, default_value_t = Siege::default().lines, value_parser = clap::value_parser!(u32).range(1..))]
    lines: u32,

    /// Calls in a day on each line.
    #[arg(long, default_value_t = Siege::default().calls_per_day, value_parser = clap::value_parser!(u32).range(1..))]
    calls_per_day: u32,

    /// How often a year the customer proves themself in between.
    #[arg(long, default_value_t = Siege::default().owner_calls)]
    owner_calls: u32,

    /// Digits of a PIN; otherwise what the flow says.
    #[arg(long, value_parser = clap::value_parser!(u32).range(4..=12))]
    pin_digits: Option<u32>,

    /// The configuration whose `[policy]` holds; otherwise the defaults.
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
        Err((exit, message)) => {
            say(&format!("error: {message}"));
            exit
        }
    }
}

impl Asked {
    /// The flows, and the odds of the one that is named.
    pub(super) fn odds(&self) -> Result<(FlowSet, Odds), (Exit, String)> {
        let terms = self.terms()?;
        let path = files::found(&self.flow);
        if path.is_dir() {
            let message = format!("`{}` is a folder; name one flow file", path.display());
            return Err((Exit::Usage, message));
        }
        let files = files::flows(std::slice::from_ref(&path))
            .map_err(|e| (Exit::from(&e), e.to_string()))?;
        let (flows, findings) = flow::read(&files.all);
        let findings = files.of_concern(findings);
        if any_error(&findings) {
            let shown = render::human::render(&findings, &files.all, false);
            return Err((Exit::Findings, format!("the flow has errors\n{shown}")));
        }
        let named = flows.iter().find(|flow| files.named.contains(&flow.file));
        let name = named.map(|flow| flow.name.to_string()).unwrap_or_default();
        let found = odds(&flows, &name, &terms).map_err(|no| (Exit::Usage, no.to_string()))?;
        let flows = flows.closure(&name).unwrap_or_default();
        Ok((flows, found))
    }

    fn terms(&self) -> Result<Terms, (Exit, String)> {
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

/// The `[policy]` of a configuration.
fn policy(path: &Path) -> Result<Policy, (Exit, String)> {
    let text = files::read_text(path).map_err(|error| (Exit::Usage, error.to_string()))?;
    let mut sources = Sources::default();
    let file = sources.add(&path.display().to_string(), text.clone());
    let problems = Problems::default();
    let policy = document::read(&file, &text, &problems, |root| match root.item("policy") {
        Some(item) => read_policy(&item),
        None => Some(Policy::default()),
    });
    let findings = problems.into_findings();
    if any_error(&findings) {
        let shown = render::human::render(&findings, &sources, false);
        return Err((Exit::Usage, format!("the policy has errors\n{shown}")));
    }
    policy.ok_or_else(|| (Exit::Usage, format!("no policy in `{}`", path.display())))
}
