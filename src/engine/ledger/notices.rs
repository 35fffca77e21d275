//! What the owner of an account is told about failures, and that it is told once.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::counts::{DAY, count, count_of};
use super::{Attempt, Ledger};
use crate::engine::policy::Policy;
use crate::flow::level::Fact;

/// Something that the owner of an account is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Alert {
    /// Somebody has failed to prove that they are the owner, again and again.
    Failures,
    /// A factor is disabled until somebody lifts it.
    Disabled,
    /// A factor that an operator had lifted was tried.
    Lifted,
}

impl Alert {
    /// Its name in the audit.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Failures => "failures",
            Self::Disabled => "disabled",
            Self::Lifted => "lifted",
        }
    }
}

/// Whether a notice may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Notifies {
    /// It may.
    Yes,
    /// There is none left.
    NoneLeft,
    /// Another call tells it.
    Told,
}

/// That the owner was told, and for which attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Told {
    key: String,
    at: Timestamp,
}

impl Ledger {
    /// What the owner must be told when this reserved attempt is found to be wrong or right; the same answer as
    /// often as it is asked. One burst of failures is told once.
    pub fn due(
        &self,
        attempt: &Attempt<'_>,
        wrong: bool,
        policy: &Policy,
        now: Timestamp,
    ) -> Option<Alert> {
        let Attempt { factor, key, .. } = *attempt;
        let notices = &policy.notices;
        if notices.failures == 0 {
            return None;
        }
        if let Some((alert, _)) = self.told.iter().find(|(_, told)| told.key == key) {
            return Some(*alert);
        }
        if self.lifted.contains(&factor) {
            return Some(Alert::Lifted);
        }
        let in_a_row = self.factors.get(&factor).map_or(0, |tally| count(&tally.failures));
        let quiet = SignedDuration::from_hours(notices.quiet_h.into());
        let told = self.told.get(&Alert::Failures);
        let told = told.is_some_and(|told| now.max(self.seen).duration_since(told.at) < quiet);
        // A lock is always told.
        let burst = notices.failures.min(policy.pin.soft_limit);
        if !wrong {
            None
        } else if in_a_row >= policy.pin.cap_of(factor, attempt.length) {
            Some(Alert::Disabled)
        } else if in_a_row.max(count(&self.day)) >= burst && !told {
            Some(Alert::Failures)
        } else {
            None
        }
    }

    /// Takes a notice out of the day's, and writes down what the owner is told; of many calls at once, one tells
    /// it. The same key is counted once.
    pub fn notify(
        &mut self,
        of: Option<(Alert, Fact, &str)>,
        key: &str,
        policy: &Policy,
        now: Timestamp,
    ) -> Notifies {
        let at = now.max(self.seen);
        self.notices.retain(|_, sent| at.duration_since(*sent) < DAY);
        if self.notices.contains_key(key) {
            return Notifies::Yes;
        }
        if let Some((alert, factor, attempt)) = of
            && self.is_told(alert, factor, attempt, policy, at)
        {
            return Notifies::Told;
        }
        if count_of(self.notices.len()) >= policy.notices.per_day {
            return Notifies::NoneLeft;
        }
        self.notices.insert(key.to_owned(), at);
        if let Some((alert, factor, attempt)) = of {
            self.tell(alert, factor, attempt, now);
        }
        Notifies::Yes
    }

    /// Whether another attempt has led to the owner's being told this.
    fn is_told(
        &self,
        alert: Alert,
        factor: Fact,
        attempt: &str,
        policy: &Policy,
        at: Timestamp,
    ) -> bool {
        let told = self.told.get(&alert);
        if told.is_some_and(|told| told.key == attempt) {
            return false;
        }
        let quiet = SignedDuration::from_hours(policy.notices.quiet_h.into());
        match alert {
            Alert::Failures => told.is_some_and(|told| at.duration_since(told.at) < quiet),
            Alert::Disabled => false,
            Alert::Lifted => !self.lifted.contains(&factor),
        }
    }

    /// Notes that the owner is told this, for the attempt under `key`.
    pub(super) fn tell(&mut self, alert: Alert, factor: Fact, key: &str, now: Timestamp) {
        let at = now.max(self.seen);
        let known = self.told.get(&alert).is_some_and(|told| told.key == key);
        if !known {
            self.told.insert(alert, Told { key: key.to_owned(), at });
        }
        if alert == Alert::Lifted {
            self.lifted.remove(&factor);
        }
    }
}
