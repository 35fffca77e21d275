//! What is counted over many accounts, by many calls at once, in every store: sends to a prefix and in
//! total, the accounts of one caller ID, one secret on account after account.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use callgate::chance::SystemChance;
use callgate::clock::{Clock as _, SystemClock, VirtualClock};
use callgate::diagnostic::{Problems, Sources};
use callgate::directory::Directory;
use callgate::directory::accounts::{Accounts, Secrets};
use callgate::engine::account::Claim;
use callgate::engine::call::Call;
use callgate::engine::event::{Event, Heard, LegStatus, Ring};
use callgate::engine::id::{CallId, LegId, Sid};
use callgate::engine::policy::{Fuse, Policy};
use callgate::engine::question::{Answer, Verdict};
use callgate::engine::reply::{Reply, Verb};
use callgate::engine::risk::Signal;
use callgate::exchange::guards::{Guarded, Limit};
use callgate::exchange::{Exchange, Parts, Request, Wants};
use callgate::flow::condition::Attestation;
use callgate::limits;
use callgate::phone::PhoneNumber;
use callgate::secret::Secret;
use callgate::store::envelope::Vault;
use callgate::store::memory::MemoryStore;
use callgate::store::{self, Store};
use futures_util::future::join_all;

use crate::support::redis::RedisServer;

const FLOW: &str = r#"
name = "line"
start = "who"
locale = "en-US"
business = "Acme Bank"
[levels]
known = { any = ["pin"] }
[states.who]
type = "identify"
by = ["digits"]
digits = 8
prompt = "Who?"
on = { found = "pin", unknown = "pin" }
[states.pin]
type = "gather_pin"
digits = 6
tries = 1
prompt = "PIN?"
on = { ok = "send", failed = "send", locked = "send" }
[states.send]
type = "send_sms_otp"
on = { sent = "code", unavailable = "no", limited = "no" }
[states.code]
type = "gather_otp"
prompt = "Code?"
on = { ok = "no", failed = "no", expired = "no", undelivered = "no" }
[states.no]
type = "hangup"
prompt = "Goodbye."
"#;
const PIN: &str = "860317";
const CALLERS: Option<&str> = None;

struct Desk {
    exchange: Arc<Exchange>,
    clock: Arc<VirtualClock>,
}

/// Accounts 10000000 and on, each with a mobile of the prefix that it is given.
fn desk(store: Arc<dyn Store>, policy: Policy, prefix: impl Fn(usize) -> String) -> Desk {
    let mut sources = Sources::default();
    sources.add("line.toml", FLOW);
    let (flows, findings) = callgate::flow::read(&sources);
    assert_eq!(findings, []);
    let mut accounts = String::new();
    for n in 0..60 {
        let _ = writeln!(
            accounts,
            "[[accounts]]\nid = \"{}\"\npin = \"{PIN}\"\nphones = [{{ number = \"{}{n:04}\", line = \"mobile\", since = \"2020-01-01\" }}]",
            id(n),
            prefix(n),
        );
    }
    let problems = Problems::default();
    let accounts = Accounts::read(&"accounts".into(), &accounts, Secrets::Plain, &problems);
    let clock = Arc::new(VirtualClock::at(SystemClock.now()));
    let exchange = Arc::new(Exchange::new(Parts {
        store,
        vault: Vault::new(&[7; 32]),
        directory: Arc::new(Directory::new(accounts)),
        clock: clock.clone(),
        chance: Arc::new(SystemChance),
        policy,
        flows,
    }));
    Desk { exchange, clock }
}

fn id(n: usize) -> String {
    (10_000_000 + n).to_string()
}

impl Desk {
    async fn serve(&self, call: CallId, sid: &Sid, wants: Wants, digits: &str) -> Reply {
        let heard = Heard { digits: Secret::new(digits), ..Heard::default() };
        let request = Request { call, sid: sid.clone(), wants, heard, fallback_number: None };
        self.exchange.serve(&request).await.unwrap().0
    }

    /// Rings, claims an account and keys a PIN.
    async fn ring(&self, name: String, from: Option<&str>, account: String, pin: &str) -> CallId {
        let sid = Sid(name);
        let call = CallId::of("AC1", &sid);
        let ring = Ring {
            signals: std::collections::BTreeSet::new(),
            call,
            sid: sid.clone(),
            flow: "line".into(),
            line: "+15005550006".into(),
            from: from.and_then(PhoneNumber::parse),
            attestation: Attestation::None,
            forwarded: false,
        };
        let reply = self.serve(call, &sid, Wants::Ring(Box::new(ring)), "").await;
        let reply = self.serve(call, &sid, next(&reply), &account).await;
        self.serve(call, &sid, next(&reply), pin).await;
        call
    }

    /// Where a call stands.
    async fn state(&self, call: CallId) -> String {
        self.exchange.load(call).await.unwrap().unwrap().call.at.state.to_string()
    }

    /// Whether a code is on its way, and not one to nobody.
    async fn is_sent_a_code(&self, call: CallId) -> bool {
        let call = self.exchange.load(call).await.unwrap().unwrap().call;
        call.code.is_some_and(|code| code.effect.is_some())
    }

    fn refused(&self, limit: Limit) -> u64 {
        self.exchange.guards().refused.get_or_create(&Guarded { limit }).get()
    }
}

fn next(reply: &Reply) -> Wants {
    let gather = reply.verbs.iter().find_map(|verb| match verb {
        Verb::Gather(gather) => Some(gather.action),
        _ => None,
    });
    Wants::Turn(gather.unwrap())
}

async fn sends_to_a_prefix(store: Arc<dyn Store>) {
    let desk = desk(store, Policy::default(), |n| format!("+141555{}", 5 + n / 40));
    let desk = &desk;
    // Forty accounts of one block of numbers, and twenty of the next.
    let sent = |from: usize, to: usize, name: &'static str| async move {
        let rings = (from..to).map(|n| desk.ring(format!("{name}{n}"), CALLERS, id(n), PIN));
        let sent =
            join_all(join_all(rings).await.into_iter().map(|call| desk.is_sent_a_code(call)));
        sent.await.into_iter().filter(|sent| *sent).count()
    };
    assert_eq!(sent(0, 40, "CA").await, 20);
    assert_eq!(desk.refused(Limit::Prefix), 20);
    assert_eq!(sent(40, 50, "CB").await, 10, "another block has its own");
    desk.clock.advance(Duration::from_mins(66));
    assert_eq!(sent(0, 10, "CC").await, 10, "an hour later there are some again");
}

async fn sends_in_total(store: Arc<dyn Store>) {
    let mut policy = Policy::default();
    policy.sends.total_h = 7;
    policy.shared.parallel_auth_sessions_per_account = u32::MAX;
    let desk = desk(store, policy, |n| format!("+14155{n:02}"));
    let desk = &desk;
    // What exists nowhere costs nothing, and hears what everybody hears.
    for n in 0..9 {
        let call = desk.ring(format!("CX{n}"), CALLERS, "99999999".into(), PIN).await;
        let code = if n < 5 { "code" } else { "no" };
        assert_eq!(desk.state(call).await, code, "five messages an account");
    }
    let rings = (0..20).map(|n| desk.ring(format!("CA{n}"), CALLERS, id(n), PIN));
    let mut sent = 0;
    for call in join_all(rings).await {
        sent += usize::from(desk.state(call).await == "code");
    }
    assert_eq!((sent, desk.refused(Limit::Total)), (7, 13));
    let call = desk.ring("CY".into(), CALLERS, "88888888".into(), PIN).await;
    assert_eq!(desk.state(call).await, "no", "nobody is told apart by it");
}

/// What a block has no more of is nothing that the house pays for.
#[tokio::test]
async fn what_a_block_refuses_costs_the_house_nothing() {
    let mut policy = Policy::default();
    (policy.sends.per_prefix_h, policy.sends.total_h) = (2, 4);
    let desk = desk(Arc::new(MemoryStore::default()), policy, |n| format!("+141555{}", 5 + n / 40));
    let mut sent = Vec::new();
    for n in [0, 1, 2, 3, 4, 40, 41] {
        let call = desk.ring(format!("CA{n}"), CALLERS, id(n), PIN).await;
        sent.extend(desk.is_sent_a_code(call).await.then_some(n));
    }
    assert_eq!(sent, [0, 1, 40, 41]);
    assert_eq!((desk.refused(Limit::Prefix), desk.refused(Limit::Total)), (3, 0));
}

async fn accounts_of_a_caller(store: Arc<dyn Store>) {
    let desk = desk(store, Policy::default(), |n| format!("+14155{n:02}"));
    let desk = &desk;
    let caller = Some("+14155550199");
    let rings = (0..20).map(|n| desk.ring(format!("CA{n}"), caller, id(n), PIN));
    let mut real = 0;
    for call in join_all(rings).await {
        let call = desk.exchange.load(call).await.unwrap().unwrap().call;
        assert_eq!(call.at.state.to_string(), "code", "a decoy hears the same");
        real += usize::from(matches!(call.claim, Claim::Account(_)));
        assert_eq!(call.facts.0.is_empty(), !matches!(call.claim, Claim::Account(_)));
    }
    assert_eq!((real, desk.refused(Limit::Caller)), (5, 15));
    let other = desk.ring("CB".into(), Some("+14155550198"), id(7), PIN).await;
    assert!(matches!(
        desk.exchange.load(other).await.unwrap().unwrap().call.claim,
        Claim::Account(_)
    ));
    desk.clock.advance(Duration::from_hours(1));
    let later = desk.ring("CC".into(), caller, id(30), PIN).await;
    assert!(matches!(
        desk.exchange.load(later).await.unwrap().unwrap().call.claim,
        Claim::Account(_)
    ));
}

/// What a number has done lately speaks against its next call, and not against another number's.
async fn signals_of_a_caller(store: Arc<dyn Store>) {
    let desk = desk(store, Policy::default(), |n| format!("+14155{n:02}"));
    let (caller, other) = ("+14155550199", "+14155550198");
    let signals = async |name: &str, from: &str| {
        let call = CallId::of("AC1", &Sid(name.into()));
        let signals = desk.exchange.signals(call, &PhoneNumber::parse(from).unwrap()).await;
        signals.into_iter().collect::<Vec<_>>()
    };
    for n in 0..limits::CALLS_PER_CALLER_H {
        assert_eq!(signals(&format!("CA{n}"), caller).await, []);
    }
    assert_eq!(signals("CA0", caller).await, [], "a request sent again is one call");
    assert_eq!(signals("CB", caller).await, [Signal::ManyCalls]);
    for n in 0..5 {
        desk.ring(format!("CC{n}"), Some(caller), id(n), PIN).await;
    }
    assert_eq!(signals("CB", caller).await, [Signal::ManyAccounts, Signal::ManyCalls]);
    assert_eq!(signals("CD", other).await, []);
    desk.clock.advance(Duration::from_hours(1));
    assert_eq!(signals("CE", caller).await, []);
}

/// Two servers that both have a caller's count at hand lose nothing of it: whichever is asked, and however
/// old what it has is.
async fn a_caller_whom_two_servers_count(store: Arc<dyn Store>) {
    let two = [(); 2].map(|()| desk(store.clone(), Policy::default(), |n| format!("+14155{n:02}")));
    let caller = PhoneNumber::parse("+14155550199").unwrap();
    // What a slow disk does not tell in time is asked again: a call counts once.
    let signals = async |at: usize, name: &str| {
        let call = CallId::of("AC1", &Sid(name.into()));
        loop {
            let signals = two[at].exchange.signals(call, &caller).await;
            if !signals.contains(&Signal::LookUpFailed) {
                return signals.into_iter().collect::<Vec<_>>();
            }
        }
    };
    // In turn, then many by one alone, then all the rest at once at both.
    let most = usize::try_from(limits::CALLS_PER_CALLER_H).unwrap();
    for n in 0..most - 6 {
        let at = if n < 4 { n % 2 } else { 0 };
        assert_eq!(signals(at, &format!("CA{n}")).await, [], "call {n}");
    }
    let names: Vec<_> = (most - 6..most + 4).map(|n| format!("CA{n}")).collect();
    let all = names.iter().enumerate().map(|(n, name)| signals(n % 2, name));
    let refused = join_all(all).await.into_iter().filter(|signals| !signals.is_empty()).count();
    assert_eq!(refused, 4, "of ten more calls there was room for six");
    for at in [0, 1] {
        assert_eq!(signals(at, "CB").await, [Signal::ManyCalls], "server {at}");
    }
}

async fn what_a_caller_is_refused_costs_the_block_nothing(store: Arc<dyn Store>) {
    let mut policy = Policy::default();
    policy.shared.accounts_per_ani_prefix_h = 7;
    let two = [(); 2].map(|()| desk(store.clone(), policy.clone(), |n| format!("+14155{n:02}")));
    // Each call is rung and named at one of two servers, which have older copies of what the other counted.
    let is_found = async |caller: &str, n: usize| {
        let desk = &two[n % 2];
        let name = format!("CA{n}");
        let number = PhoneNumber::parse(caller).unwrap();
        desk.exchange.signals(CallId::of("AC1", &Sid(name.clone())), &number).await;
        let call = desk.ring(name, Some(caller), id(n), PIN).await;
        let call = desk.exchange.load(call).await.unwrap().unwrap().call;
        matches!(call.claim, Claim::Account(_))
    };
    let mut found = Vec::new();
    for n in 0..12 {
        let caller = if n < 8 { "+14155550198" } else { "+14155550199" };
        if is_found(caller, n).await {
            found.push(n);
        }
    }
    assert_eq!(found, [0, 1, 2, 3, 4, 8, 9], "five of one, and the two that are left of another");
    let refused = |limit| two.iter().map(|desk| desk.refused(limit)).sum::<u64>();
    assert_eq!((refused(Limit::Caller), refused(Limit::CallerPrefix)), (3, 2));
}

async fn one_secret_on_many_accounts(store: Arc<dyn Store>) {
    let mut policy = Policy::default();
    policy.shared.parallel_auth_sessions_per_account = u32::MAX;
    let desk = desk(store, policy, |n| format!("+14155{n:02}"));
    let desk = &desk;
    let verdict = |call| async move {
        let journal = desk.exchange.journal(call).await.unwrap();
        let verdicts = journal.iter().flat_map(|entry| &entry.answers);
        verdicts.filter_map(Answer::verdict).next_back()
    };
    // Customers who key in what is right are no attack, though they all chose the same.
    for n in 0..60 {
        let call = desk.ring(format!("CA{n}"), CALLERS, id(n), PIN).await;
        assert_eq!(verdict(call).await, Some(Verdict::Right));
    }
    // What exists nowhere is counted like what does.
    let nowhere = |n: usize| (90_000_000 + n).to_string();
    let rings = (0..60).map(|n| desk.ring(format!("CB{n}"), CALLERS, nowhere(n), PIN));
    for call in join_all(rings).await {
        assert_eq!(verdict(call).await, Some(Verdict::Wrong));
    }
    assert_eq!(desk.refused(Limit::Secret), 41, "the twentieth account raises the alarm");
    // Now it is wrong everywhere, for the account too whose PIN it is; other entries are not.
    let call = desk.ring("CC".into(), CALLERS, id(1), PIN).await;
    assert_eq!(verdict(call).await, Some(Verdict::Wrong));
    assert_eq!(desk.state(call).await, "code", "the same words");
    desk.clock.advance(Duration::from_hours(24));
    let call = desk.ring("CD".into(), CALLERS, id(1), PIN).await;
    assert_eq!(verdict(call).await, Some(Verdict::Right));
}

/// Forty calls at once to one account: one of them may try, and when it is over the next.
async fn calls_at_one_account(store: Arc<dyn Store>) {
    let mut policy = Policy::default();
    // Enough messages for all of them: none is over for want of one.
    (policy.otp.sends_per_10min, policy.sends.per_prefix_h) = (100, 100);
    policy.otp.sends_per_day = 100;
    let desk = desk(store, policy, |n| format!("+14155{n:02}"));
    let desk = &desk;
    let looked_at = |call| async move {
        let journal = desk.exchange.journal(call).await.unwrap();
        let answers = journal.iter().flat_map(|entry| &entry.answers);
        answers.filter_map(Answer::verdict).any(|verdict| verdict == Verdict::Wrong)
    };
    let rings = (0..40).map(|n| desk.ring(format!("CA{n}"), CALLERS, id(7), "111222"));
    let calls = join_all(rings).await;
    let mut tried = Vec::new();
    for (n, call) in calls.into_iter().enumerate() {
        assert_eq!(desk.state(call).await, "code", "all hear the same");
        if looked_at(call).await {
            tried.push((n, call));
        }
    }
    assert_eq!((tried.len(), desk.refused(Limit::Parallel)), (1, 39));
    let next = desk.ring("CB".into(), CALLERS, id(7), "111333").await;
    assert!(!looked_at(next).await, "it is there still");
    let (n, first) = tried[0];
    let sid = Sid(format!("CA{n}"));
    let over = |_: &Call| {
        let (leg, status) = (LegId::INBOUND, LegStatus::Completed);
        Some(Event::LegStatus { leg, sid: sid.clone(), status })
    };
    assert!(desk.exchange.tell(first, None, over).await.unwrap().is_some());
    let next = desk.ring("CC".into(), CALLERS, id(7), "111444").await;
    assert!(looked_at(next).await, "who hangs up frees the place");
    let other = desk.ring("CD".into(), CALLERS, id(8), "111555").await;
    assert!(looked_at(other).await, "another account has its own");
}

/// Callers of one block of numbers are one caller, if they claim account after account.
async fn accounts_of_a_block_of_callers(store: Arc<dyn Store>) {
    let mut policy = Policy::default();
    policy.shared.accounts_per_ani_prefix_h = 12;
    let desk = desk(store, policy, |n| format!("+14155{n:02}"));
    let desk = &desk;
    let callers: Vec<_> = (0..30).map(|n| format!("+141555501{n:02}")).collect();
    let rings = callers
        .iter()
        .zip(0..)
        .map(|(caller, n)| desk.ring(format!("CA{n}"), Some(caller), id(n), PIN));
    let mut real = 0;
    for call in join_all(rings).await {
        let call = desk.exchange.load(call).await.unwrap().unwrap().call;
        real += usize::from(matches!(call.claim, Claim::Account(_)));
    }
    assert_eq!((real, desk.refused(Limit::CallerPrefix)), (12, 18));
}

/// Whoever shows no number is one caller with all others of the line who show none, and nobody else's.
async fn accounts_of_callers_who_show_no_number(store: Arc<dyn Store>) {
    let mut policy = Policy::default();
    policy.shared.accounts_withheld_per_line_h = 12;
    let desk = desk(store, policy, |n| format!("+14155{n:02}"));
    let desk = &desk;
    let is_real = async |call| {
        let call = desk.exchange.load(call).await.unwrap().unwrap().call;
        matches!(call.claim, Claim::Account(_))
    };
    let rings = (0..30).map(|n| desk.ring(format!("CA{n}"), None, id(n), PIN));
    let mut real = Vec::new();
    for (call, n) in join_all(rings).await.into_iter().zip(0..) {
        if is_real(call).await {
            real.push(n);
        }
    }
    assert_eq!((real.len(), desk.refused(Limit::Withheld)), (12, 18));
    // An account that was claimed may be claimed again, and by who shows a number so may any.
    let again = desk.ring("CB1".into(), None, id(real[0]), PIN).await;
    assert!(is_real(again).await);
    let shown = desk.ring("CB2".into(), Some("+14155550199"), id(40), PIN).await;
    assert!(is_real(shown).await);
    let hidden = desk.ring("CB3".into(), None, id(41), PIN).await;
    assert!(!is_real(hidden).await);
    desk.clock.advance(Duration::from_hours(1));
    let later = desk.ring("CB4".into(), None, id(42), PIN).await;
    assert!(is_real(later).await);
}

/// Codes to one block of numbers that nobody keys in: it gets none for half a day.
async fn codes_that_nobody_keys_in(store: Arc<dyn Store>) {
    let desk = desk(store, Policy::default(), |_| "+1415555".into());
    let desk = &desk;
    let sent = |from: usize, to: usize, name: &'static str| async move {
        let rings = (from..to).map(|n| desk.ring(format!("{name}{n}"), CALLERS, id(n), PIN));
        let sent =
            join_all(join_all(rings).await.into_iter().map(|call| desk.is_sent_a_code(call)));
        sent.await.into_iter().filter(|sent| *sent).count()
    };
    assert_eq!(sent(0, 20, "CA").await, 20);
    desk.clock.advance(Duration::from_mins(45));
    assert_eq!(sent(20, 30, "CB").await, 0);
    desk.clock.advance(Duration::from_hours(11));
    assert_eq!(sent(30, 40, "CC").await, 0, "half a day");
    assert_eq!(desk.refused(Limit::Unanswered), 20);
    desk.clock.advance(Duration::from_mins(61));
    assert_eq!(sent(40, 50, "CD").await, 10);
}

/// Guesses at sixty accounts, below the limits of each: none is looked at for a quarter of an hour, the
/// right ones too, and all hear the same.
async fn a_house_whose_pins_are_nearly_all_wrong(store: Arc<dyn Store>) {
    let fuse = Fuse { wrong_percent_max: 90, callers_min: 32, blown_s: 900 };
    let mut policy = Policy { fuse, ..Policy::default() };
    policy.shared.parallel_auth_sessions_per_account = u32::MAX;
    let desk = desk(store, policy, |n| format!("+14155{n:02}"));
    let desk = &desk;
    let verdicts = |round: usize, right: bool, shown: bool| async move {
        let pin =
            |n: usize| if right { PIN.into() } else { (100_000 + n * 10 + round).to_string() };
        let callers = (0..60).map(|n| (shown.then(|| format!("+1415200{n:04}")), pin(n), n));
        let callers: Vec<(Option<String>, String, usize)> = callers.collect();
        let rings = callers.iter().map(|(from, pin, n)| {
            desk.ring(format!("CA{round}-{n}"), from.as_deref(), id(*n), pin)
        });
        let mut verdicts = Vec::new();
        for call in join_all(rings).await {
            assert_eq!(desk.state(call).await, "code", "all hear the same");
            let journal = desk.exchange.journal(call).await.unwrap();
            let answers = journal.iter().flat_map(|entry| &entry.answers);
            verdicts.extend(answers.filter_map(Answer::verdict).next_back());
        }
        verdicts
    };
    // Whoever shows no number is one caller, who blows nothing.
    for round in 0..2 {
        assert_eq!(verdicts(round, false, false).await, [Verdict::Wrong; 60]);
    }
    assert_eq!(desk.refused(Limit::Fuse), 0);
    // Each part of the accounts finds it out with its next caller, whose entry is looked at still.
    assert!(verdicts(2, false, true).await.contains(&Verdict::Wrong));
    let before = desk.refused(Limit::Fuse);
    assert_eq!(verdicts(3, true, true).await, [Verdict::Locked; 60]);
    assert_eq!(desk.refused(Limit::Fuse), before + 60);
    desk.clock.advance(Duration::from_mins(15));
    let call = desk.ring("CB".into(), CALLERS, id(7), PIN).await;
    let journal = desk.exchange.journal(call).await.unwrap();
    let answers = journal.iter().flat_map(|entry| &entry.answers);
    let last = answers.filter_map(Answer::verdict).next_back();
    assert_eq!(last, Some(Verdict::Right));
}

/// Each of these in each store.
macro_rules! in_every_store {
    ($($guard:ident)*) => {
        mod memory {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $guard() {
                super::$guard(super::store::open("memory:").await.unwrap()).await;
            })*
        }
        mod redb {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $guard() {
                let folder = tempfile::tempdir().unwrap();
                let url = format!("embedded:{}", folder.path().join("s.redb").display());
                super::$guard(super::store::open(&url).await.unwrap()).await;
            })*
        }
        mod redis {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $guard() {
                let redis = super::RedisServer::start();
                super::$guard(super::store::open(&redis.url()).await.unwrap()).await;
            })*
        }
    };
}

in_every_store! {
    sends_to_a_prefix
    sends_in_total
    accounts_of_a_caller
    signals_of_a_caller
    a_caller_whom_two_servers_count
    what_a_caller_is_refused_costs_the_block_nothing
    one_secret_on_many_accounts
    calls_at_one_account
    accounts_of_a_block_of_callers
    accounts_of_callers_who_show_no_number
    codes_that_nobody_keys_in
    a_house_whose_pins_are_nearly_all_wrong
}
