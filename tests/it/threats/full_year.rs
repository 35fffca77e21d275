//! A year of guessing at its full size: fifty calls an hour, at one account and over a thousand, with owners
//! who call in between. It is the ledger and the policy alone, by a virtual clock; what is granted is held
//! against the policy by a reckoning of its own, that knows nothing of how the ledger counts.

use std::collections::{BTreeMap, BTreeSet};

use callgate::engine::id::CallId;
use callgate::engine::ledger::{Attempt, Ledger, Reserved};
use callgate::engine::policy::Policy;
use callgate::engine::spread::{Room, Spread};
use callgate::flow::level::Fact;
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

const AT_ONCE: usize = 50;
const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;
const WEEK_HOURS: i64 = 7 * 24;
const YEAR_HOURS: i64 = 365 * 24;
/// A length that is no short PIN.
const LENGTH: usize = 6;

/// An account, with what an attacker was granted at it.
#[derive(Default)]
struct Account {
    ledger: Ledger,
    /// The seconds of the guesses that were looked at, by factor; all of them were wrong.
    guesses: BTreeMap<Fact, Vec<i64>>,
    /// When its owner last proved a factor.
    proved_at: BTreeMap<Fact, i64>,
}

impl Account {
    fn of(&self, factor: Fact) -> &[i64] {
        self.guesses.get(&factor).map_or(&[], Vec::as_slice)
    }

    fn all(&self) -> usize {
        self.guesses.values().map(Vec::len).sum()
    }

    /// The guesses at a factor since its owner was let in.
    fn in_a_row(&self, factor: Fact) -> &[i64] {
        let proved_at = self.proved_at.get(&factor).copied().unwrap_or(-1);
        let guesses = self.of(factor);
        &guesses[guesses.partition_point(|at| *at <= proved_at)..]
    }

    /// Puts a guess down, and holds it against everything that the policy bounds.
    fn guessed(&mut self, factor: Fact, now: i64, policy: &Policy) {
        self.guesses.entry(factor).or_default().push(now);
        let bound = |bound: u32| usize::try_from(bound).unwrap();
        let in_a_row = self.in_a_row(factor);
        let count = in_a_row.len();
        assert!(count <= bound(policy.pin.hard_cap), "{factor}: {count} in a row at {now}");
        let of_year = self.of(factor).len();
        assert!(of_year <= bound(policy.pin.year_budget), "{factor}: {of_year} in a year");
        let of_day = self.guesses.values().flat_map(|all| all.iter().rev());
        let of_day = of_day.filter(|at| now - **at < DAY).count();
        assert!(of_day <= bound(policy.shared.all_factor_failures_24h), "{of_day} in a day");
        // After five, ten and fifteen in a row there is a lock, each twice as long as the one before.
        let (soft, before) = (bound(policy.pin.soft_limit), count - 1);
        if before > 0 && before.is_multiple_of(soft) {
            let doubled = i64::from(policy.pin.soft_lock_s) << (before / soft - 1);
            let lock = doubled.min(policy.pin.soft_lock_max_s.into());
            let waited = now - in_a_row[before - 1];
            assert!(waited >= lock, "{factor}: after {before} in a row {waited} s were waited");
        }
    }
}

/// A year, and who calls in it.
struct Year {
    policy: Policy,
    accounts: Vec<Account>,
    /// So far: each has a key of its own.
    attempts: u64,
    owners_let_in: usize,
}

impl Year {
    /// So many accounts under the policy as it is shipped, but for how many calls may be at one account.
    fn of(accounts: usize, at_once: u32) -> Self {
        let mut policy = Policy::default();
        policy.shared.parallel_auth_sessions_per_account = at_once;
        let accounts = (0..accounts).map(|_| Account::default()).collect();
        Self { policy, accounts, attempts: 0, owners_let_in: 0 }
    }

    fn reserve(
        &mut self,
        account: usize,
        (call, factor): (CallId, Fact),
        over: &[CallId],
        now: i64,
    ) -> (Reserved, String) {
        self.attempts += 1;
        let key = self.attempts.to_string();
        let attempt = Attempt { call, factor, key: &key, digest: "d", length: LENGTH };
        let ledger = &mut self.accounts[account].ledger;
        (ledger.reserve(&attempt, over, &self.policy, at(now)), key)
    }

    /// A call guesses at an account until it is refused; how often it was not.
    fn attack(&mut self, account: usize, (call, factor): (CallId, Fact), now: i64) -> usize {
        let mut looked_at = 0;
        while self.reserve(account, (call, factor), &[], now).0 == Reserved::Granted {
            self.accounts[account].guessed(factor, now, &self.policy);
            looked_at += 1;
        }
        looked_at
    }

    /// Fifty calls at once: the accounts one after the other, and once round them the next factor.
    fn wave(&mut self, hour: i64) {
        let now = hour * HOUR;
        let mut at_it: BTreeMap<usize, BTreeSet<CallId>> = BTreeMap::new();
        for n in 0..AT_ONCE {
            let call = usize::try_from(hour).unwrap() * AT_ONCE + n;
            let (round, account) = (call / self.accounts.len(), call % self.accounts.len());
            let factor = Fact::ALL[round % Fact::ALL.len()];
            let call = call_of(call);
            if self.attack(account, (call, factor), now) > 0 && factor != Fact::ServiceCode {
                at_it.entry(account).or_default().insert(call);
            }
        }
        let most = at_it.values().map(BTreeSet::len).max().unwrap_or(0);
        let bound = self.policy.shared.parallel_auth_sessions_per_account;
        assert!(u32::try_from(most).unwrap() <= bound, "{most} calls at one account at once");
    }

    /// The owner keys the right PIN in while another call guesses: what that one is granted after it counts on.
    fn owner(&mut self, account: usize, hour: i64) {
        let (owner, other) = (call_of(usize::MAX), call_of(usize::MAX - 1));
        let now = hour * HOUR + HOUR / 2;
        let (reserved, key) = self.reserve(account, (owner, Fact::Pin), &[], now);
        if reserved != Reserved::Granted {
            return;
        }
        let before: Vec<_> =
            Fact::ALL.iter().map(|factor| self.failures(account, *factor)).collect();
        self.attack(account, (other, Fact::Pin), now + 1);
        self.owners_let_in += 1;
        let of = &mut self.accounts[account];
        of.ledger.clear(Fact::Pin, &key, at(now));
        of.proved_at.insert(Fact::Pin, now);
        let since = self.accounts[account].in_a_row(Fact::Pin).len();
        for (factor, before) in Fact::ALL.into_iter().zip(before) {
            let left = if factor == Fact::Pin { since } else { before };
            assert_eq!(self.failures(account, factor), left, "{factor}, once the PIN was right");
        }
    }

    fn failures(&self, account: usize, factor: Fact) -> usize {
        self.accounts[account].ledger.failures(factor)
    }

    /// How many guesses each factor of an account had.
    fn by_factor(&self, account: usize) -> BTreeMap<Fact, usize> {
        Fact::ALL
            .into_iter()
            .map(|factor| (factor, self.accounts[account].of(factor).len()))
            .collect()
    }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn call_of(n: usize) -> CallId {
    CallId(Uuid::from_u128(u128::try_from(n).unwrap()))
}

/// Every factor alike, but a PIN whose owner is let in has the year's budget.
fn bounds(pin: usize) -> BTreeMap<Fact, usize> {
    let policy = Policy::default();
    let cap = usize::try_from(policy.pin.hard_cap).unwrap();
    Fact::ALL
        .into_iter()
        .map(|factor| (factor, if factor == Fact::Pin { pin } else { cap }))
        .collect()
}

#[test]
fn t30_a_year_of_fifty_calls_an_hour_at_one_account_is_twenty_guesses_a_factor() {
    for at_once in [1, u32::MAX] {
        let mut year = Year::of(1, at_once);
        (0..YEAR_HOURS).for_each(|hour| year.wave(hour));
        assert_eq!(year.by_factor(0), bounds(20), "no more, and the policy grants so many");
    }
}

#[test]
fn t30_a_year_of_fifty_calls_an_hour_over_a_thousand_accounts_is_the_sum_of_their_bounds() {
    const ACCOUNTS: usize = 1_000;
    let mut year = Year::of(ACCOUNTS, 1);
    (0..YEAR_HOURS).for_each(|hour| year.wave(hour));
    for account in 0..ACCOUNTS {
        assert_eq!(year.by_factor(account), bounds(20));
    }
    let all: usize = year.accounts.iter().map(Account::all).sum();
    assert_eq!(all, ACCOUNTS * Fact::ALL.len() * 20);
}

/// The attacker stays away for six days of the week, so that the owner is let in on one of them.
#[test]
fn t36_owners_who_call_every_week_leave_an_attacker_the_years_budget_of_that_factor_alone() {
    let mut year = Year::of(1, u32::MAX);
    for hour in 0..YEAR_HOURS {
        match hour % WEEK_HOURS {
            0..24 => year.wave(hour),
            96 => year.owner(0, hour),
            _ => {}
        }
    }
    assert_eq!(year.by_factor(0), bounds(50));
    assert!(year.owners_let_in > 5, "{}", year.owners_let_in);
}

#[test]
fn t36_a_thousand_owners_who_call_every_week_are_a_thousand_budgets() {
    const ACCOUNTS: usize = 1_000;
    let mut year = Year::of(ACCOUNTS, u32::MAX);
    for hour in 0..YEAR_HOURS {
        year.wave(hour);
        for account in 0..ACCOUNTS {
            let of_week = i64::try_from(account).unwrap() * 11 % WEEK_HOURS;
            if hour % WEEK_HOURS == of_week {
                year.owner(account, hour);
            }
        }
    }
    for account in 0..ACCOUNTS {
        assert_eq!(year.by_factor(account), bounds(50), "account {account}");
    }
    assert!(year.owners_let_in > 5 * ACCOUNTS, "{}", year.owners_let_in);
}

/// One PIN tried on a thousand accounts, fifty an hour, and on none of them twice within a day: on twenty of
/// them it is looked at, and nowhere else.
#[test]
fn t32_a_year_of_one_secret_over_a_thousand_accounts_is_twenty_a_day() {
    const A_DAY: SignedDuration = SignedDuration::from_hours(24);
    let limit = Policy::default().shared.accounts_per_secret_day;
    let mut spread = Spread::default();
    let mut looked_at: Vec<(i64, u64)> = Vec::new();
    for nth in 0..YEAR_HOURS * 50 {
        let (hour, account) = (nth / 50, u64::try_from(nth).unwrap() % 1_000);
        let of_day = || looked_at.iter().rev().take_while(|(at, _)| hour - at < 24);
        if of_day().any(|(_, known)| *known == account) {
            continue;
        }
        if spread.touch(account, limit, A_DAY, at(hour * HOUR)) != Room::None {
            assert!(of_day().count() < 20, "a day has so many, and hour {hour} one more");
            looked_at.push((hour, account));
        }
    }
    assert_eq!(looked_at.len(), 20 * 365);
}
