//! What the limits over many accounts have refused, counted and logged for an operator, without saying whose it
//! was.

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;

use crate::engine::ledger;
use crate::flow::level::Fact;

/// What was refused, and what else was counted.
#[derive(Clone, Debug, Default)]
pub struct Guards {
    /// By the limit that refused it.
    pub refused: Family<Guarded, Counter>,
    /// Locks that wrong entries have set.
    pub locks: Family<Locked, Counter>,
    /// Accounts whose locks were lifted.
    pub unlocked: Counter,
    /// Numbers on file that were looked up, by the result.
    pub looked_up: Family<LookedUp, Counter>,
}

/// A lock that was set on a factor of an account, or of a claim that is none.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Locked {
    /// The factor.
    pub factor: &'static str,
    /// How long it lasts.
    pub lasts: Lasts,
}

/// How long a lock lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
pub enum Lasts {
    /// Until it ends by itself.
    AWhile,
    /// Until somebody lifts it.
    UntilLifted,
}

/// A limit that refused something, or was reached.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Guarded {
    /// Which limit.
    pub limit: Limit,
}

/// A limit over many accounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
pub enum Limit {
    /// Sends of one account.
    Account,
    /// Sends to one number prefix.
    Prefix,
    /// All sends.
    Total,
    /// Codes to one number prefix, of which too few were keyed in.
    Unanswered,
    /// Accounts that one caller ID claims.
    Caller,
    /// Accounts that the caller IDs of one prefix claim.
    CallerPrefix,
    /// Accounts that callers who show no number claim on one line.
    Withheld,
    /// Notices to owners.
    Notices,
    /// Callers who enter PINs and passcodes, of whom nearly all enter wrong ones.
    Fuse,
    /// Calls that try to prove one account at the same time.
    Parallel,
    /// Accounts that one secret is tried on.
    Secret,
}

/// A number that was looked up, without the number.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct LookedUp {
    /// Whether it may be used, and why not.
    pub fit: &'static str,
}

impl Guards {
    pub(in crate::exchange) fn lock(&self, factor: Fact, lock: ledger::Lock) {
        let lasts = match lock {
            ledger::Lock::ForAWhile => Lasts::AWhile,
            ledger::Lock::UntilLifted => Lasts::UntilLifted,
        };
        self.locks.get_or_create(&Locked { factor: factor.as_str(), lasts }).inc();
    }

    pub(in crate::exchange) fn refuse(&self, limit: Limit) {
        self.refused.get_or_create(&Guarded { limit }).inc();
        tracing::warn!(?limit, "a limit over many accounts was reached");
    }
}
