//! What is counted over many accounts: sends to a number prefix and in total, the accounts that one
//! caller ID claims, or all who show none on one line, and the accounts that one secret is tried on.
//!
//! Each is one record, changed with one compare-and-set; what is refused is counted and logged without
//! saying whose it was.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::engine::account::Whom;
use crate::engine::budget::Budget;
use crate::engine::fuse::{Fuse, PARTS};
use crate::engine::id::CallId;
use crate::engine::ledger::{Ledger, Notifies};
use crate::engine::question::{Answer, Notify, Verify};
use crate::engine::spread::{Room, Spread};
use crate::exchange::watch::guards::{Guards, Limit};
use crate::exchange::{Exchange, ExchangeError};
use crate::flow::level::Fact;
use crate::phone::PhoneNumber;
use crate::secret::Secret;
use crate::store::{self, RecordKey};

const BUDGET: &str = "budget";
const CALLER: &str = store::CALLERS;
const CALLER_PREFIX: &str = store::CALLER_PREFIXES;
const WITHHELD: &str = "withheld";
const SECRET: &str = "sprayed";
const FUSE: &str = "fuse";
/// Longer than a fuse's hour, and that of those who show no number.
const HOURS_KEPT_FOR: Duration = Duration::from_hours(2);
/// A little longer than a caller's hour, by whatever clock.
pub(super) const HOUR_KEPT_FOR: Duration = Duration::from_mins(65);
/// Longer than a budget's hour, and than the three days for which a prefix may be shut.
const BUDGET_KEPT_FOR: Duration = Duration::from_hours(74);
/// Longer than a secret's day.
const DAY_KEPT_FOR: Duration = Duration::from_hours(25);
pub(super) const HOUR: SignedDuration = SignedDuration::from_hours(1);
const DAY: SignedDuration = SignedDuration::from_hours(24);
/// Characters of a keyed hash that tell a hundred million keys apart.
const SHORT: usize = 24;

/// What a caller ID has done within an hour.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(in crate::exchange) struct Caller {
    /// Its calls.
    #[serde(default)]
    pub(super) calls: Spread,
    /// The accounts that it has claimed.
    #[serde(default)]
    pub(super) accounts: Spread,
}

/// The budget of a block of numbers.
fn prefix_of(number: &PhoneNumber) -> [&[u8]; 2] {
    ["prefix".as_bytes(), number.prefix().as_bytes()]
}

impl Exchange {
    /// Takes a message or a ring out of the budgets of the account, of the number's prefix and of the house. A
    /// decoy's message costs nothing, and is refused when everybody's is; neither does the house pay for what a
    /// prefix refuses.
    pub(super) async fn spend(
        &self,
        call: CallId,
        (key, whom, factor): (&str, &Whom, Fact),
        to: Option<&PhoneNumber>,
        code: bool,
        now: Timestamp,
    ) -> Result<Answer, ExchangeError> {
        let spend = |ledger: &mut Ledger| {
            let spent = ledger.spend(call, factor, key, &self.policy, now);
            (spent, code && ledger.is_exhausted(factor, key, now))
        };
        let (spent, exhausted) = self.change_ledger(whom, now, spend).await?;
        if !spent || exhausted {
            self.guards.refuse(Limit::Account);
        }
        if !spent {
            return Ok(Answer::Spent(false));
        }
        let key = self.budget_key(key);
        let limits = &self.policy.sends;
        // What the provider no longer sends does not count for the prefix either.
        let mut block_spent = exhausted;
        if let Some(number) = to.filter(|_| !exhausted) {
            let spend = |budget: &mut Budget| {
                if budget.is_shut(key, limits, now) {
                    return Err(Limit::Unanswered);
                }
                let spent = budget.spend(key, limits.per_prefix_h, now);
                if spent && code {
                    budget.sent_code(key, now);
                }
                if spent { Ok(()) } else { Err(Limit::Prefix) }
            };
            if let Err(limit) = self.change_budget(&prefix_of(number), now, spend).await? {
                self.guards.refuse(limit);
                block_spent = true;
            }
        }
        let costs = matches!(whom, Whom::Account(_)) && !block_spent;
        let spend = |budget: &mut Budget| {
            if costs {
                budget.spend(key, limits.total_h, now)
            } else {
                budget.has_left(limits.total_h, now)
            }
        };
        let left = self.change_budget(&["total".as_bytes()], now, spend).await?;
        if !left {
            self.guards.refuse(Limit::Total);
        }
        Ok(if left && block_spent { Answer::BlockSpent } else { Answer::Spent(left) })
    }

    /// Takes a notice out of the budgets of notices: of the number's prefix, of the house, and last of the
    /// account, where it is also written down.
    pub(super) async fn notify(
        &self,
        notify: &Notify,
        now: Timestamp,
    ) -> Result<Notifies, ExchangeError> {
        let Notify { key, whom, of, to } = notify;
        let of_budget = self.budget_key(key);
        let limits = &self.policy.sends;
        let of_prefix = to.as_ref().map(|number| {
            (["notices of a prefix".as_bytes(), number.prefix().as_bytes()], limits.per_prefix_h)
        });
        let of_house = (["notices".as_bytes(), "total".as_bytes()], limits.total_h);
        for (of, per_hour) in of_prefix.into_iter().chain([of_house]) {
            let spend = |budget: &mut Budget| budget.spend(of_budget, per_hour, now);
            if !self.change_budget(&of, now, spend).await? {
                self.guards.refuse(Limit::Notices);
                return Ok(Notifies::NoneLeft);
            }
        }
        let of = of.as_ref().map(|(alert, factor, attempt)| (*alert, *factor, attempt.as_str()));
        let notify = |ledger: &mut Ledger| ledger.notify(of, key, &self.policy, now);
        let answer = self.change_ledger(whom, now, notify).await?;
        if answer == Notifies::NoneLeft {
            self.guards.refuse(Limit::Notices);
        }
        Ok(answer)
    }

    /// A code that went to this number was keyed in.
    pub(super) async fn entered(
        &self,
        number: &PhoneNumber,
        attempt: &str,
        now: Timestamp,
    ) -> Result<(), ExchangeError> {
        let key = self.budget_key(attempt);
        let entered = |budget: &mut Budget| budget.entered(key, now);
        self.change_budget(&prefix_of(number), now, entered).await
    }

    /// Counts an account, or what would be one, among those that a caller has claimed; whether there is room for
    /// it. Callers on one line who show no number count as one.
    pub(super) async fn reach(
        &self,
        caller: Option<&PhoneNumber>,
        line: &str,
        account: &Secret,
        now: Timestamp,
    ) -> Result<bool, ExchangeError> {
        let account = self.mark("claimed", &[account.expose().as_bytes()]);
        let refused = if let Some(caller) = caller {
            self.reach_as(caller, account, now).await?
        } else {
            let limit = self.policy.shared.accounts_withheld_per_line_h;
            let touch = |spread: &mut Spread| spread.touch(account, limit, HOUR, now);
            let id = self.vault.keyed_hex(WITHHELD, &[line.as_bytes()]);
            let key = RecordKey { kind: WITHHELD, id };
            let room = self.change_record(&key, HOURS_KEPT_FOR, now, touch).await?;
            (room == Room::None).then_some(Limit::Withheld)
        };
        if let Some(limit) = refused {
            self.guards.refuse(limit);
        }
        Ok(refused.is_none())
    }

    /// The limit by which a caller who shows this number is refused.
    async fn reach_as(
        &self,
        caller: &PhoneNumber,
        account: u64,
        now: Timestamp,
    ) -> Result<Option<Limit>, ExchangeError> {
        let limits = &self.policy.shared;
        let of_caller = |known: &mut Caller| {
            known.accounts.touch(account, limits.accounts_per_ani_h, HOUR, now)
        };
        // Whoever can show any number of a prefix is one caller all the same.
        let of_block = |spread: &mut Spread| {
            spread.touch(account, limits.accounts_per_ani_prefix_h, HOUR, now)
        };
        let caller_key = self.caller_key(caller);
        let id = self.short(CALLER_PREFIX, &[caller.prefix().as_bytes()]);
        let block_key = RecordKey { kind: CALLER_PREFIX, id };
        let has_room = |room: &Room| *room != Room::None;
        let (own, block) = self
            .change_both_at_hand(
                (&caller_key, of_caller),
                (&block_key, of_block),
                has_room,
                (HOUR_KEPT_FOR, now),
            )
            .await?;
        Ok(match (own, block) {
            (Room::None, _) => Some(Limit::Caller),
            (_, Some(Room::None)) => Some(Limit::CallerPrefix),
            _ => None,
        })
    }

    /// Counts an account among those that this secret is tried on, before the entry is checked.
    pub(super) async fn try_secret(
        &self,
        tried: &Verify,
        now: Timestamp,
    ) -> Result<bool, ExchangeError> {
        let account = self.tried_on(tried);
        let limit = self.policy.shared.accounts_per_secret_day;
        let touch = |spread: &mut Spread| spread.touch(account, limit, DAY, now);
        let key = self.secret_key(tried.factor, &tried.entry);
        let room = self.change_record(&key, DAY_KEPT_FOR, now, touch).await?;
        if room != Room::Left {
            self.guards.refuse(Limit::Secret);
        }
        Ok(room != Room::None)
    }

    /// The secret was right: it was no guess.
    pub(super) async fn forgive_secret(
        &self,
        tried: &Verify,
        now: Timestamp,
    ) -> Result<(), ExchangeError> {
        let account = self.tried_on(tried);
        let forgive = |spread: &mut Spread| spread.forgive(account);
        let key = self.secret_key(tried.factor, &tried.entry);
        self.change_record(&key, DAY_KEPT_FOR, now, forgive).await
    }

    /// The account that a secret is tried on: the one claimed, so that a customer who calls again and again is one,
    /// whomever the attempts count on.
    fn tried_on(&self, tried: &Verify) -> u64 {
        self.mark("tried", &[self.subject(&tried.claimed).as_bytes()])
    }

    /// Whether PINs and passcodes are checked at the moment.
    pub(super) async fn fuse_is_whole(
        &self,
        whom: &Whom,
        now: Timestamp,
    ) -> Result<bool, ExchangeError> {
        let fuse: Option<Fuse> = self.opened(&self.fuse_key(whom)).await?;
        let whole = fuse.is_none_or(|fuse| !fuse.is_blown(now));
        if !whole {
            self.guards.refuse(Limit::Fuse);
        }
        Ok(whole)
    }

    /// Counts a caller whose PIN or passcode was checked; callers who show no number count as one.
    pub(super) async fn load_fuse(
        &self,
        whom: &Whom,
        caller: Option<&PhoneNumber>,
        right: bool,
        now: Timestamp,
    ) -> Result<(), ExchangeError> {
        let number = caller.map_or("", PhoneNumber::as_e164);
        let caller = self.mark("at the fuse", &[number.as_bytes()]);
        let limits = &self.policy.fuse;
        let entered = |fuse: &mut Fuse| fuse.entered(caller, right, limits, now);
        if self.change_record(&self.fuse_key(whom), HOURS_KEPT_FOR, now, entered).await? {
            tracing::error!(
                "nearly every PIN and passcode is wrong: for a while none of this part of the accounts is looked at"
            );
        }
        Ok(())
    }

    /// Which part of all accounts this one belongs to.
    fn fuse_key(&self, whom: &Whom) -> RecordKey {
        let subject = self.subject(whom);
        let sum = subject.bytes().fold(0_u32, |sum, byte| sum.wrapping_add(byte.into()));
        RecordKey { kind: FUSE, id: format!("{:02x}", sum % PARTS) }
    }

    /// What tells a message or ring from others in the budgets.
    fn budget_key(&self, key: &str) -> u64 {
        self.mark("budget key", &[key.as_bytes()])
    }

    async fn change_budget<R>(
        &self,
        of: &[&[u8]],
        now: Timestamp,
        change: impl Fn(&mut Budget) -> R,
    ) -> Result<R, ExchangeError> {
        let key = RecordKey { kind: BUDGET, id: self.vault.keyed_hex(BUDGET, of) };
        self.change_record(&key, BUDGET_KEPT_FOR, now, change).await
    }

    /// Where the calls of a caller ID, and the accounts that it has claimed, are counted.
    pub(super) fn caller_key(&self, caller: &PhoneNumber) -> RecordKey {
        let id = self.short(CALLER, &[caller.as_e164().as_bytes()]);
        RecordKey { kind: CALLER, id }
    }

    fn secret_key(&self, factor: Fact, entry: &Secret) -> RecordKey {
        let parts = [factor.as_str().as_bytes(), entry.expose().as_bytes()];
        RecordKey { kind: SECRET, id: self.vault.keyed_hex(SECRET, &parts) }
    }

    /// What tells accounts apart in a count: the beginning of a keyed hash.
    fn mark(&self, purpose: &str, parts: &[&[u8]]) -> u64 {
        let hash = self.vault.keyed_hash(purpose, parts);
        hash.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes))
    }

    fn short(&self, purpose: &str, parts: &[&[u8]]) -> String {
        let mut hash = self.vault.keyed_hex(purpose, parts);
        hash.truncate(SHORT);
        hash
    }

    /// What the limits over many accounts have refused.
    pub fn guards(&self) -> &Guards {
        &self.guards
    }
}
