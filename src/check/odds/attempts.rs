//! How many guesses the limits leave, in a call, a day and a year: counted by the very ledger that
//! counts them in a call.

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::engine::id::CallId;
use crate::engine::ledger::{Attempt, Ledger, Reserved};
use crate::engine::policy::Policy;
use crate::flow::level::Fact;
use crate::limits;

/// How hard somebody tries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Siege {
    /// Accounts whose numbers are known.
    pub accounts: u32,
    /// Lines that ring at the same time.
    pub lines: u32,
    /// Calls of one line in a day.
    pub calls_per_day: u32,
    /// How often a year the customer proves themself in between, which clears what was counted in a
    /// row.
    pub owner_calls: u32,
}

impl Default for Siege {
    fn default() -> Self {
        Self { accounts: 10_000, lines: 10, calls_per_day: 500, owner_calls: 52 }
    }
}

impl Siege {
    /// Calls in a day, over all lines.
    pub fn calls(&self) -> u32 {
        self.lines.saturating_mul(self.calls_per_day)
    }
}

/// Guesses at one factor of one account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guesses {
    /// In one call.
    pub call: u32,
    /// In the worst 24 hours.
    pub day: u32,
    /// In 365 days.
    pub year: u32,
}

const CALLER: CallId = CallId(Uuid::nil());
const DAY: SignedDuration = SignedDuration::from_hours(24);
const YEAR_DAYS: u32 = 365;
/// Limits end on whole seconds of a policy; a guesser who looks every minute misses none that counts.
const STEP_S: i64 = 60;

/// The guesses that the policy leaves somebody who makes so many calls. `tries` are those of one ring.
pub(super) fn guesses(fact: Fact, policy: &Policy, siege: &Siege, tries: u32) -> Guesses {
    let longest = SignedDuration::try_from(limits::CALL_DURATION_MAX).unwrap_or(DAY);
    let spoken = matches!(fact, Fact::Pin | Fact::Passcode | Fact::ServiceCode);
    let in_call = most_within(fact, policy, siege, longest, tries);
    let call = if spoken { in_call.min(policy.pin.per_call.into()) } else { in_call };
    let calls = siege.calls();
    let day = most_within(fact, policy, siege, DAY, tries).min(calls.saturating_mul(call));
    // What is counted in a row begins anew whenever the customer succeeds; the year's budget does not.
    let in_a_row = policy.pin.hard_cap.saturating_mul(siege.owner_calls.saturating_add(1));
    let year = day.saturating_mul(YEAR_DAYS).min(in_a_row).min(policy.pin.year_budget);
    Guesses { call, day, year }
}

/// The guesses within a day or less. What is counted in a row begins anew whenever the customer succeeds in
/// between; what is counted of the day does not.
fn most_within(
    fact: Fact,
    policy: &Policy,
    siege: &Siege,
    within: SignedDuration,
    tries: u32,
) -> u32 {
    let in_a_row = grants(fact, policy, within, tries, usize::MAX).len();
    let times = usize::try_from(siege.owner_calls.div_ceil(YEAR_DAYS)).unwrap_or(usize::MAX);
    let most = in_a_row.saturating_mul(times.saturating_add(1));
    let mut never_in_a_row = policy.clone();
    (never_in_a_row.pin.soft_limit, never_in_a_row.pin.hard_cap) = (u32::MAX, u32::MAX);
    count(&grants(fact, &never_in_a_row, within, tries, most))
}

fn count(granted: &[i64]) -> u32 {
    u32::try_from(granted.len()).unwrap_or(u32::MAX)
}

/// The seconds at which the ledger grants an attempt to somebody who tries whenever it does, `most` of
/// them.
fn grants(
    fact: Fact,
    policy: &Policy,
    within: SignedDuration,
    tries: u32,
    most: usize,
) -> Vec<i64> {
    let mut ledger = Ledger::default();
    let mut granted = Vec::new();
    // Tries that the present code or ring still has.
    let mut left = 0;
    let mut second = 0;
    while second < within.as_secs() && granted.len() < most {
        let Ok(now) = Timestamp::from_second(second) else { break };
        while granted.len() < most {
            let key = granted.len().to_string();
            if left == 0 && !renewed(fact, &mut ledger, policy, now, &key) {
                break;
            }
            if left == 0 {
                left = per_code(fact, policy, tries);
            }
            // Whoever calls again has hung up before.
            let attempt =
                Attempt { call: CALLER, factor: fact, key: &key, digest: "", length: usize::MAX };
            if ledger.reserve(&attempt, &[], policy, now) != Reserved::Granted {
                break;
            }
            granted.push(second);
            left -= 1;
        }
        second += STEP_S;
    }
    granted
}

/// Whether there is another code to guess at.
fn renewed(fact: Fact, ledger: &mut Ledger, policy: &Policy, now: Timestamp, key: &str) -> bool {
    match fact {
        Fact::SmsOtp | Fact::EmailOtp | Fact::Callback => {
            ledger.spend(CALLER, fact, key, policy, now)
        }
        Fact::Pin | Fact::Passcode | Fact::ServiceCode => true,
    }
}

/// Tries that one code has, one ring, or one secret that does not change.
pub(super) fn per_code(fact: Fact, policy: &Policy, tries: u32) -> u32 {
    match fact {
        Fact::SmsOtp | Fact::EmailOtp => policy.otp.checks.into(),
        Fact::Callback => tries.max(1),
        Fact::ServiceCode => policy.service_code.failures.max(1),
        Fact::Pin | Fact::Passcode => u32::MAX,
    }
}

/// What somebody must do to keep a customer out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lockout {
    /// Wrong entries in a row that lock a factor for a while.
    pub soft_entries: u32,
    /// The calls that takes.
    pub soft_calls: u32,
    /// For how long, the first time.
    pub soft_lock_s: u32,
    /// Wrong entries that disable the factor until somebody lifts it.
    pub hard_entries: u32,
    /// The calls that takes.
    pub hard_calls: u32,
    /// The least time that takes; `None`: longer than a year.
    pub hard_s: Option<u32>,
}

/// What keeps a customer out of one factor. `tries` are those of one ring.
pub(super) fn lockout(fact: Fact, policy: &Policy, call: u32, tries: u32) -> Lockout {
    let calls = |entries: u32| entries.div_ceil(call.max(1));
    let limits = &policy.pin;
    let soft = limits.soft_limit.min(limits.hard_cap);
    let hard = limits.hard_cap.min(limits.year_budget);
    Lockout {
        soft_entries: soft,
        soft_calls: calls(soft),
        soft_lock_s: limits.soft_lock_s.min(limits.soft_lock_max_s),
        hard_entries: hard,
        hard_calls: calls(hard),
        hard_s: seconds_until(fact, policy, hard, tries),
    }
}

/// How long it takes to be granted so many attempts.
fn seconds_until(fact: Fact, policy: &Policy, entries: u32, tries: u32) -> Option<u32> {
    let most = usize::try_from(entries).ok()?;
    let granted = grants(fact, policy, DAY.saturating_mul(365), tries, most);
    u32::try_from(*granted.get(most.checked_sub(1)?)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::policy::{Attempts, Shared};
    use crate::flow::budget::Pins;

    /// A policy with these limits in a row, and no other.
    fn limited(soft_limit: u32, soft_lock_s: u32, hard_cap: u32) -> Policy {
        let pin = Attempts {
            per_call: 5,
            soft_limit,
            soft_lock_s,
            soft_lock_max_s: soft_lock_s,
            hard_cap,
            hard_cap_short: hard_cap,
            year_budget: u32::MAX,
        };
        let shared = Shared { all_factor_failures_24h: u32::MAX, ..Shared::default() };
        Policy { pin, shared, ..Policy::default() }
    }

    fn year(policy: &Policy, owner_calls: u32) -> u32 {
        let siege = Siege { owner_calls, ..Siege::default() };
        guesses(Fact::Pin, policy, &siege, 3).year
    }

    /// The share of customers whose PIN is found, in percent, by where the PINs come from.
    fn found(guesses: u32) -> [f64; 4] {
        Pins::ALL.map(|pins| {
            let digits = if pins == Pins::Random { 6 } else { 4 };
            pins.chance(guesses, digits) * 100.0
        })
    }

    #[test]
    fn a_year_of_guessing_finds_what_the_limits_leave() {
        for (policy, guesses, shares) in [
            (limited(100, 3_600, u32::MAX), 876_000, [87.6, 100.0, 100.0, 100.0]),
            (limited(5, 1_800, u32::MAX), 87_600, [8.76, 100.0, 100.0, 100.0]),
            (limited(5, 86_400, u32::MAX), 1_825, [0.1825, 75.0, 61.0, 42.0]),
            (limited(5, 1_800, 100), 100, [0.01, 40.12, 13.64, 4.24]),
            (limited(5, 1_800, 10), 10, [0.001, 16.63, 2.29, 0.449]),
            (limited(5, 1_800, 5), 5, [0.000_5, 11.11, 1.29, 0.225]),
        ] {
            assert_eq!(year(&policy, 0), guesses);
            for (found, wanted) in found(guesses).into_iter().zip(shares) {
                assert!((found - wanted).abs() < wanted * 0.001, "{guesses}: {found}, {wanted}");
            }
        }
    }

    #[test]
    fn a_customer_who_calls_every_week_refills_all_but_the_years_budget() {
        let mut policy = limited(5, 1_800, 5);
        assert_eq!(year(&policy, 51), 260);
        assert!((found(260)[1] - 49.0).abs() < 0.1 && (found(260)[2] - 23.5).abs() < 0.1);
        policy.pin.year_budget = 50;
        assert_eq!(year(&policy, 51), 50);
    }

    #[test]
    fn a_customer_who_calls_in_between_refills_what_is_counted_in_a_row_within_the_day() {
        let mut policy = limited(5, 86_400, 20);
        let day = |policy: &Policy, owner_calls| {
            let siege = Siege { owner_calls, ..Siege::default() };
            guesses(Fact::Pin, policy, &siege, 3).day
        };
        assert_eq!((day(&policy, 0), day(&policy, 52), day(&policy, 366)), (5, 10, 15));
        policy.shared.all_factor_failures_24h = 7;
        assert_eq!(day(&policy, 52), 7, "all factors together are counted on");
    }

    #[test]
    fn the_shipped_policy_leaves_few() {
        let (policy, siege) = (Policy::default(), Siege::default());
        let of = |fact| guesses(fact, &policy, &siege, 3);
        assert_eq!(of(Fact::Pin), Guesses { call: 3, day: 10, year: 50 });
        assert_eq!(of(Fact::SmsOtp), Guesses { call: 10, day: 10, year: 50 });
        let lock = lockout(Fact::Pin, &policy, 3, 3);
        assert_eq!((lock.soft_entries, lock.soft_calls, lock.hard_calls), (5, 2, 7));
        assert!(lock.hard_s.is_some_and(|seconds| seconds >= 86_400), "{lock:?}");
        let few = Siege { lines: 1, calls_per_day: 1, ..siege };
        assert_eq!(guesses(Fact::Pin, &policy, &few, 3).day, 3);
    }
}
