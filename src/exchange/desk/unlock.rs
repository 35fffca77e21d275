//! Lifts locks that failures have set: only for the telephone, and of one factor if one is named.

use crate::engine::account::Whom;
use crate::engine::audit::Deed;
use crate::engine::ledger::{Ledger, Lifted};
use crate::exchange::{Exchange, ExchangeError};
use crate::flow::level::Fact;
use crate::secret::Secret;

/// Who lifted a lock, for the audit.
#[derive(Clone, Copy, Debug)]
pub enum By<'a> {
    /// Whoever may read the configuration, on the command line.
    CommandLine,
    /// An admin token, by its name.
    Token(&'a str),
}

impl std::fmt::Display for By<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::CommandLine => f.write_str("the command line"),
            Self::Token(name) => write!(f, "token {name}"),
        }
    }
}

impl Exchange {
    /// Lifts the lock of a factor, or of all; `Ok(None)`: there is no such account.
    pub async fn unlock(
        &self,
        account: &Secret,
        factor: Option<Fact>,
        by: By<'_>,
    ) -> Result<Option<Vec<(Fact, Lifted)>>, ExchangeError> {
        if self.directory.by_id(account.expose()).await?.is_none() {
            return Ok(None);
        }
        let whom = Whom::Account(account.clone());
        let factors = factor.map_or_else(|| Fact::ALL.to_vec(), |factor| vec![factor]);
        let lift = |ledger: &mut Ledger| {
            factors.iter().map(|factor| (*factor, ledger.lift(*factor))).collect::<Vec<_>>()
        };
        let lifted = self.change_ledger(&whom, self.clock.now(), lift).await?;
        self.guards.unlocked.inc();
        let names: Vec<_> = factors.iter().map(|factor| factor.as_str()).collect();
        let subject = self.subject(&whom);
        tracing::info!(target: "callgate::audit", %by, subject, factors = ?names, "locks were lifted");
        self.audit_outside(&whom, Deed::Unlocked { by: by.to_string() }).await?;
        Ok(Some(lifted))
    }

    /// What is said of a factor whose lock was lifted.
    pub fn told_of(&self, (factor, lifted): (Fact, Lifted)) -> String {
        let Lifted { failures, year } = lifted;
        let budget = self.policy.pin.year_budget;
        let spent =
            if year >= budget { "; it stays locked, for the year's budget is spent" } else { "" };
        format!("{factor}: {failures} failures lifted, {year} of {budget} counted this year{spent}")
    }
}
