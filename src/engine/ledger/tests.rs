//! The rules of attempts, sends, places and notices, each by its arithmetic.

use uuid::Uuid;

use super::*;
use crate::engine::ledger::Notifies;

const DAY_SECONDS: i64 = 86_400;

const ONE: CallId = CallId(Uuid::from_u128(1));
const OTHER: CallId = CallId(Uuid::from_u128(2));

fn of<'a>(factor: Fact, key: &'a str, digest: &'a str) -> Attempt<'a> {
    Attempt { call: ONE, factor, key, digest, length: 6 }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn tries(ledger: &mut Ledger, policy: &Policy, from: usize, to: usize, now: i64) -> usize {
    let granted = |n: &usize| {
        let key = format!("k{n}");
        ledger.reserve(&of(Fact::Pin, &key, "d"), &[], policy, at(now)) == Reserved::Granted
    };
    (from..to).filter(granted).count()
}

#[test]
fn five_failures_lock_and_the_lock_doubles() {
    let (mut ledger, mut policy) = (Ledger::default(), Policy::default());
    // So that nothing else refuses them.
    (policy.shared.all_factor_failures_24h, policy.pin.hard_cap) = (100, 100);
    assert_eq!(tries(&mut ledger, &policy, 0, 100, 0), 5);
    assert_eq!(tries(&mut ledger, &policy, 100, 200, 1_799), 0);
    assert_eq!(tries(&mut ledger, &policy, 200, 300, 1_800), 5);
    assert_eq!(tries(&mut ledger, &policy, 300, 400, 1_800 + 3_599), 0);
    assert_eq!(tries(&mut ledger, &policy, 400, 500, 1_800 + 3_600), 5);
}

#[test]
fn the_attempt_that_sets_a_lock_says_so_and_the_last_one_until_when() {
    let (mut ledger, policy) = (Ledger::default(), Policy::default());
    let mut set = Vec::new();
    for n in 0..20 {
        let (now, key) = (at(n * 86_400 / 5), format!("k{n}"));
        let attempt = of(Fact::Pin, &key, "d");
        assert_eq!(ledger.reserve(&attempt, &[], &policy, now), Reserved::Granted);
        set.extend(ledger.lock_of(&attempt, &policy, now).map(|lock| (n + 1, lock)));
    }
    let awhile = [5, 10, 15].map(|n| (n, Lock::ForAWhile));
    assert_eq!(set, [&awhile[..], &[(20, Lock::UntilLifted)]].concat());
}

#[test]
fn no_year_of_guessing_passes_the_hard_cap() {
    let (mut ledger, policy) = (Ledger::default(), Policy::default());
    let mut granted = 0;
    for hour in 0..24 * 365 {
        let first = usize::try_from(hour).unwrap() * 10;
        granted += tries(&mut ledger, &policy, first, first + 10, hour * 3_600);
    }
    assert_eq!(granted, 20);
}

#[test]
fn the_same_attempt_counts_once_and_another_entry_is_no_second_try() {
    let (mut ledger, policy) = (Ledger::default(), Policy::default());
    assert_eq!(ledger.reserve(&of(Fact::Pin, "k", "a"), &[], &policy, at(0)), Reserved::Granted);
    assert_eq!(ledger.reserve(&of(Fact::Pin, "k", "a"), &[], &policy, at(1)), Reserved::Again);
    assert_eq!(ledger.reserve(&of(Fact::Pin, "k", "b"), &[], &policy, at(1)), Reserved::Other);
    assert_eq!(ledger.failures(Fact::Pin), 1);
}

#[test]
fn success_forgets_what_came_before_it_and_nothing_since() {
    let (mut ledger, policy) = (Ledger::default(), Policy::default());
    tries(&mut ledger, &policy, 0, 3, 0);
    ledger.reserve(&of(Fact::Pin, "good", "d"), &[], &policy, at(10));
    tries(&mut ledger, &policy, 3, 4, 20);
    ledger.clear(Fact::Pin, "good", at(10));
    assert_eq!(ledger.failures(Fact::Pin), 1);
    ledger.clear(Fact::Pin, "good", at(30));
    assert_eq!(ledger.failures(Fact::Pin), 1, "a success clears once");
}

#[test]
fn owners_who_call_every_day_do_not_refill_the_year() {
    let (mut ledger, policy) = (Ledger::default(), Policy::default());
    let mut guesses = 0;
    for day in 0..365 {
        let now = day * DAY_SECONDS;
        let first = usize::try_from(day).unwrap() * 10;
        guesses += tries(&mut ledger, &policy, first, first + 4, now);
        let key = format!("own{day}");
        if ledger.reserve(&of(Fact::Pin, &key, "d"), &[], &policy, at(now + 1)) == Reserved::Granted
        {
            ledger.clear(Fact::Pin, &key, at(now + 1));
        }
    }
    assert!(guesses <= 50, "{guesses}");
}

#[test]
fn a_lock_is_lifted_for_its_factor_alone() {
    let (mut ledger, policy) = (Ledger::default(), Policy::default());
    assert_eq!(tries(&mut ledger, &policy, 0, 9, 0), 5);
    assert_eq!(
        ledger.reserve(&of(Fact::Passcode, "p", "d"), &[], &policy, at(1)),
        Reserved::Granted,
        "another factor is not locked"
    );
    assert_eq!(ledger.lift(Fact::Pin), Lifted { failures: 5, year: 5 });
    assert_eq!((ledger.failures(Fact::Pin), ledger.failures(Fact::Passcode)), (0, 1));
    assert_eq!(tries(&mut ledger, &policy, 10, 19, 2), 5, "it is locked again as at first");
    assert_eq!(ledger.lift(Fact::Pin).year, 10);
}

/// A success lets nobody guess on within the day; an operator who lifts the lock does.
#[test]
fn what_a_success_had_followed_is_lifted_as_well() {
    let (mut ledger, policy) = (Ledger::default(), Policy::default());
    for (from, to, own, now) in [(0, 4, "own1", 0), (4, 8, "own2", 10)] {
        assert_eq!(tries(&mut ledger, &policy, from, to, now), 4);
        let own = of(Fact::Pin, own, "d");
        assert_eq!(ledger.reserve(&own, &[], &policy, at(now + 1)), Reserved::Granted);
        ledger.clear(Fact::Pin, own.key, at(now + 1));
    }
    // Of the ten of the day two are failures in a row.
    assert_eq!(tries(&mut ledger, &policy, 8, 99, 20), 2);
    let next = |ledger: &mut Ledger, factor, key| {
        ledger.reserve(&of(factor, key, "d"), &[], &policy, at(100))
    };
    assert_eq!(ledger.failures(Fact::Pin), 2);
    assert_eq!(next(&mut ledger, Fact::Pin, "a"), Reserved::Refused);
    assert_eq!(next(&mut ledger, Fact::Passcode, "b"), Reserved::Refused);
    assert_eq!(ledger.lift(Fact::Passcode), Lifted { failures: 0, year: 0 });
    assert_eq!(next(&mut ledger, Fact::Pin, "a"), Reserved::Refused, "they are the PIN's");
    assert_eq!(ledger.lift(Fact::Pin), Lifted { failures: 10, year: 10 });
    assert_eq!(next(&mut ledger, Fact::Pin, "a"), Reserved::Granted);
    assert_eq!(next(&mut ledger, Fact::Passcode, "b"), Reserved::Granted);
}

#[test]
fn a_clock_set_back_gives_no_guesses_and_no_sends() {
    let (mut ledger, policy) = (Ledger::default(), Policy::default());
    assert_eq!(tries(&mut ledger, &policy, 0, 9, 1_000_000), 5);
    assert_eq!(tries(&mut ledger, &policy, 9, 19, 0), 0);
    assert_eq!(tries(&mut ledger, &policy, 19, 29, 1_000_000 + 1_799), 0);
    assert_eq!(tries(&mut ledger, &policy, 29, 39, 1_000_000 + 1_800), 5);
    let spent = |ledger: &mut Ledger, keys: std::ops::Range<u32>, now| {
        keys.filter(|n| ledger.spend(ONE, Fact::SmsOtp, &format!("s{n}"), &policy, at(now))).count()
    };
    assert_eq!(spent(&mut ledger, 0..9, 2_000_000), 5);
    assert_eq!(spent(&mut ledger, 9..19, 0), 0);
}

/// Nor is a lock over sooner that was set meanwhile, or told of that was over before.
#[test]
fn a_lock_that_is_set_while_the_clock_is_back_is_as_long() {
    let (mut ledger, policy) = (Ledger::default(), Policy::default());
    assert_eq!(tries(&mut ledger, &policy, 0, 1, 1_000_000), 1);
    assert_eq!(tries(&mut ledger, &policy, 1, 9, 0), 4);
    assert_eq!(tries(&mut ledger, &policy, 9, 19, 1_000_000 + 1_799), 0);
    assert_eq!(tries(&mut ledger, &policy, 19, 20, 1_000_000 + 1_800), 1);
    assert_eq!(tries(&mut ledger, &policy, 20, 21, 1_000_000), 1, "it has been later");
    assert_eq!(ledger.lock_of(&of(Fact::Pin, "k20", "d"), &policy, at(1_000_000)), None);
}

/// A clock that was once ahead locks nobody out for longer than that.
#[test]
fn whoever_lifts_a_lock_knows_the_time() {
    let (mut ledger, policy) = (Ledger::default(), Policy::default());
    assert_eq!(tries(&mut ledger, &policy, 0, 9, 2_000_000), 5);
    assert_eq!(ledger.lift(Fact::Pin).failures, 5);
    assert_eq!(tries(&mut ledger, &policy, 9, 19, 1_000_000), 5);
    assert_eq!(tries(&mut ledger, &policy, 19, 29, 1_000_000 + 1_799), 0);
    assert_eq!(tries(&mut ledger, &policy, 29, 39, 1_000_000 + 1_800), 5);
}

#[test]
fn a_success_makes_the_next_lock_as_short_as_the_first() {
    let (mut ledger, policy) = (Ledger::default(), Policy::default());
    assert_eq!(tries(&mut ledger, &policy, 0, 9, 0), 5);
    let own = of(Fact::Pin, "own", "d");
    assert_eq!(ledger.reserve(&own, &[], &policy, at(1_800)), Reserved::Granted);
    ledger.clear(Fact::Pin, "own", at(1_800));
    let next_day = 2 * DAY_SECONDS;
    assert_eq!(tries(&mut ledger, &policy, 9, 19, next_day), 5);
    assert_eq!(tries(&mut ledger, &policy, 19, 29, next_day + 1_799), 0);
    assert_eq!(tries(&mut ledger, &policy, 29, 39, next_day + 1_800), 5);
}

#[test]
fn a_failure_counts_for_365_days() {
    for (day, year) in [(364, 3), (365, 1)] {
        let (mut ledger, policy) = (Ledger::default(), Policy::default());
        assert_eq!(tries(&mut ledger, &policy, 0, 2, 0), 2);
        assert_eq!(tries(&mut ledger, &policy, 2, 3, day * DAY_SECONDS), 1);
        assert_eq!(ledger.lift(Fact::Pin).year, year, "{day}");
    }
}

#[test]
fn factors_share_a_daily_budget() {
    let (mut ledger, policy) = (Ledger::default(), Policy::default());
    let mut granted = 0;
    for factor in Fact::ALL {
        for n in 0..5 {
            let key = format!("{factor}{n}");
            granted += usize::from(
                ledger.reserve(&of(factor, &key, "d"), &[], &policy, at(0)) == Reserved::Granted,
            );
        }
    }
    assert_eq!(granted, 10);
}

#[test]
fn a_burst_is_told_of_once_and_a_disabled_factor_always() {
    let (mut ledger, policy) = (Ledger::default(), Policy::default());
    let mut told = Vec::new();
    for hour in 0..24 * 30 {
        for n in 0..5 {
            let (key, now) = (format!("{hour}/{n}"), at(hour * 3_600 + n));
            if ledger.reserve(&of(Fact::Pin, &key, "d"), &[], &policy, now) != Reserved::Granted {
                continue;
            }
            if let Some(alert) = ledger.due(&of(Fact::Pin, &key, "d"), true, &policy, now) {
                ledger.tell(alert, Fact::Pin, &key, now);
                assert_eq!(ledger.due(&of(Fact::Pin, &key, "d"), true, &policy, now), Some(alert));
                told.push((alert, hour / 24));
            }
        }
    }
    // Fives of guesses, the locks between them longer and longer; ten a day over all.
    let days: Vec<_> = told.iter().map(|(_, day)| *day).collect();
    let alerts: Vec<_> = told.iter().map(|(alert, _)| *alert).collect();
    assert_eq!(alerts, [Alert::Failures, Alert::Failures, Alert::Disabled], "{days:?}");
    assert!(days.is_sorted_by(|a, b| a <= b) && days[0] < days[1], "{days:?}");
}

#[test]
fn a_failure_is_no_burst_and_factors_tried_in_turn_are() {
    let (mut ledger, policy) = (Ledger::default(), Policy::default());
    let due = |ledger: &mut Ledger, factor, key: &str| {
        ledger.reserve(&of(factor, key, "d"), &[], &policy, at(0));
        ledger.due(&of(factor, key, "d"), true, &policy, at(0))
    };
    for n in 0..4 {
        let factor = Fact::ALL[n];
        assert_eq!(due(&mut ledger, factor, &format!("k{n}")), None);
    }
    assert_eq!(due(&mut ledger, Fact::Pin, "k4"), Some(Alert::Failures));
    assert_eq!(ledger.due(&of(Fact::Pin, "k4", "d"), false, &policy, at(0)), None, "it was right");
}

#[test]
fn a_lock_is_told_of_however_many_failures_a_burst_has() {
    let (mut ledger, mut policy) = (Ledger::default(), Policy::default());
    policy.notices.failures = 2 * policy.pin.soft_limit;
    let due = |ledger: &Ledger, key| ledger.due(&of(Fact::Pin, key, "d"), true, &policy, at(0));
    assert_eq!(tries(&mut ledger, &policy, 0, 4, 0), 4);
    assert_eq!(due(&ledger, "k3"), None);
    assert_eq!(tries(&mut ledger, &policy, 4, 5, 0), 1);
    assert_eq!(due(&ledger, "k4"), Some(Alert::Failures));
}

#[test]
fn who_uses_a_lifted_lock_is_told_of_once() {
    let (mut ledger, policy) = (Ledger::default(), Policy::default());
    ledger.lift(Fact::Pin);
    ledger.reserve(&of(Fact::Pin, "a", "d"), &[], &policy, at(0));
    assert_eq!(
        ledger.due(&of(Fact::Pin, "a", "d"), true, &policy, at(0)),
        None,
        "there was no lock"
    );
    tries(&mut ledger, &policy, 0, 9, 0);
    ledger.lift(Fact::Pin);
    ledger.reserve(&of(Fact::Pin, "b", "d"), &[], &policy, at(1));
    assert_eq!(ledger.due(&of(Fact::Pin, "b", "d"), false, &policy, at(1)), Some(Alert::Lifted));
    ledger.tell(Alert::Lifted, Fact::Pin, "b", at(1));
    assert_eq!(ledger.due(&of(Fact::Pin, "b", "d"), false, &policy, at(1)), Some(Alert::Lifted));
    ledger.reserve(&of(Fact::Pin, "c", "d"), &[], &policy, at(2));
    assert_eq!(ledger.due(&of(Fact::Pin, "c", "d"), false, &policy, at(2)), None);
}

#[test]
fn one_call_at_a_time_tries_to_prove_it() {
    let (mut ledger, policy) = (Ledger::default(), Policy::default());
    let mut tried = |call, factor, key: &str, over: &[CallId], now| {
        ledger.reserve(&Attempt { call, ..of(factor, key, "d") }, over, &policy, at(now))
    };
    assert_eq!(tried(ONE, Fact::Pin, "a", &[], 0), Reserved::Granted);
    assert_eq!(tried(OTHER, Fact::Pin, "b", &[], 299), Reserved::Busy(vec![ONE]));
    assert_eq!(tried(OTHER, Fact::ServiceCode, "c", &[], 299), Reserved::Granted);
    assert_eq!(tried(OTHER, Fact::Passcode, "b", &[], 300), Reserved::Granted, "it is idle");
    assert_eq!(tried(ONE, Fact::Pin, "a", &[], 301), Reserved::Again, "it was counted before");
    assert_eq!(tried(ONE, Fact::Pin, "d", &[], 301), Reserved::Busy(vec![OTHER]));
    assert_eq!(tried(ONE, Fact::Pin, "d", &[OTHER], 301), Reserved::Granted, "it is over");
    ledger.clear(Fact::Pin, "d", at(301));
    let next = Attempt { call: OTHER, ..of(Fact::Pin, "e", "d") };
    assert_eq!(ledger.reserve(&next, &[], &policy, at(302)), Reserved::Granted, "it was right");
}

#[test]
fn a_call_has_its_place_from_what_it_tried_last() {
    let (mut ledger, policy) = (Ledger::default(), Policy::default());
    for (key, now) in [("a", 0), ("b", 200)] {
        let own = of(Fact::Pin, key, "d");
        assert_eq!(ledger.reserve(&own, &[], &policy, at(now)), Reserved::Granted);
    }
    let other = Attempt { call: OTHER, ..of(Fact::Pin, "c", "d") };
    assert_eq!(ledger.reserve(&other, &[], &policy, at(499)), Reserved::Busy(vec![ONE]));
    assert_eq!(ledger.reserve(&other, &[], &policy, at(500)), Reserved::Granted);
}

#[test]
fn who_was_sent_a_code_has_the_first_place() {
    let (mut ledger, policy) = (Ledger::default(), Policy::default());
    assert!(ledger.spend(ONE, Fact::SmsOtp, "s", &policy, at(0)));
    let other = Attempt { call: OTHER, ..of(Fact::Pin, "a", "d") };
    assert_eq!(ledger.reserve(&other, &[], &policy, at(1)), Reserved::Busy(vec![ONE]));
    assert!(ledger.spend(OTHER, Fact::SmsOtp, "t", &policy, at(2)), "sends are another matter");
    assert_eq!(ledger.failures(Fact::Pin), 0);
}

#[test]
fn a_short_pin_is_disabled_after_ten() {
    let (mut ledger, policy) = (Ledger::default(), Policy::default());
    let mut granted = 0;
    for hour in 0..24 * 365 {
        let key = format!("k{hour}");
        let short = Attempt { length: 5, ..of(Fact::Pin, &key, "d") };
        let reserved = ledger.reserve(&short, &[], &policy, at(hour * 3_600));
        granted += usize::from(reserved == Reserved::Granted);
    }
    assert_eq!(granted, 10);
}

#[test]
fn a_provider_that_sends_no_more_is_asked_for_no_more_for_ten_minutes() {
    let (mut ledger, policy) = (Ledger::default(), Policy::default());
    assert!(ledger.spend(ONE, Fact::SmsOtp, "a", &policy, at(0)));
    ledger.exhaust_sends(Fact::SmsOtp, at(10));
    assert!(!ledger.is_exhausted(Fact::SmsOtp, "a", at(11)), "it was sent before");
    assert!(!ledger.is_exhausted(Fact::Callback, "c", at(11)));
    for second in [11, 609] {
        assert!(ledger.spend(ONE, Fact::SmsOtp, "b", &policy, at(second)), "it is counted");
        assert!(ledger.is_exhausted(Fact::SmsOtp, "b", at(second)));
    }
    assert!(!ledger.is_exhausted(Fact::SmsOtp, "c", at(610)));
}

#[test]
fn what_was_not_sent_is_not_told() {
    let (mut ledger, mut policy) = (Ledger::default(), Policy::default());
    tries(&mut ledger, &policy, 0, 5, 0);
    let last = of(Fact::Pin, "k4", "d");
    policy.notices.per_day = 0;
    let burst = Some((Alert::Failures, Fact::Pin, "k4"));
    assert_eq!(ledger.notify(burst, "n", &policy, at(0)), Notifies::NoneLeft);
    assert_eq!(ledger.due(&last, true, &policy, at(0)), Some(Alert::Failures), "it is still due");
    policy.notices.per_day = 1;
    assert_eq!(ledger.notify(burst, "n", &policy, at(0)), Notifies::Yes);
    assert_eq!(ledger.notify(burst, "n", &policy, at(1)), Notifies::Yes, "the same notice");
    let other = Some((Alert::Failures, Fact::Pin, "k3"));
    assert_eq!(ledger.notify(other, "m", &policy, at(1)), Notifies::Told);
    assert_eq!(ledger.notify(burst, "m", &policy, at(1)), Notifies::NoneLeft, "it is its own");
    assert_eq!(ledger.notify(None, "o", &policy, at(1)), Notifies::NoneLeft);
    assert_eq!(ledger.notify(None, "o", &policy, at(86_400)), Notifies::Yes);
}

#[test]
fn sends_have_a_budget_and_a_key_spends_once() {
    let (mut ledger, policy) = (Ledger::default(), Policy::default());
    let spent = (0..9)
        .filter(|n| ledger.spend(ONE, Fact::SmsOtp, &format!("k{n}"), &policy, at(0)))
        .count();
    assert_eq!(spent, 5);
    assert!(ledger.spend(ONE, Fact::SmsOtp, "k0", &policy, at(1)));
    assert!(ledger.spend(ONE, Fact::Callback, "c", &policy, at(1)));
    assert!(!ledger.spend(ONE, Fact::SmsOtp, "sooner", &policy, at(599)));
    assert!(ledger.spend(ONE, Fact::SmsOtp, "later", &policy, at(600)));
    let sends = |ledger: &mut Ledger, factor, from: i64, at_s: i64| {
        let key = |n: &i64| format!("{factor}{n}");
        (from..from + 9).filter(|n| ledger.spend(ONE, factor, &key(n), &policy, at(at_s))).count()
    };
    assert_eq!(sends(&mut ledger, Fact::SmsOtp, 0, 1_200), 4, "ten a day");
    assert_eq!(sends(&mut ledger, Fact::SmsOtp, 10, 86_399), 0);
    assert_eq!(sends(&mut ledger, Fact::SmsOtp, 20, 86_400), 5);
    assert_eq!(sends(&mut ledger, Fact::Callback, 0, 86_400), 3, "three rings an hour");
    assert_eq!(sends(&mut ledger, Fact::Callback, 10, 86_400 + 3_599), 0);
    assert_eq!(sends(&mut ledger, Fact::Callback, 20, 86_400 + 3_600), 3);
}
