//! At once, again, after the end, and while the store fails: on real Redis and on the embedded store.

use std::sync::Arc;
use std::time::Duration;

use callgate::engine::call::Call;
use callgate::engine::event::{Event, LegStatus};
use callgate::engine::id::LegId;
use callgate::engine::policy::Policy;
use callgate::engine::turn::Entry;
use callgate::exchange::guards::{Guarded, Limit};
use callgate::exchange::service_code::WebLevel;
use callgate::exchange::{Served, Wants};
use callgate::flow::level::Fact;
use callgate::limits;
use callgate::secret::Secret;
use callgate::store::{self, Store};
use futures_util::future::join_all;
use jiff::SignedDuration;

use super::guesses::SHOP;
use super::office::{ACCOUNT, DESK, Line, MOBILE, Office, PIN, account, other_than};
use crate::support::eventually::eventually_async;
use crate::support::house::{self, House};
use crate::support::provider::Provider;
use crate::support::redis::RedisServer;
use crate::support::telephone::Telephone;

/// A PIN that is not the account's.
const WRONG: &str = "111222";
/// Failures of a factor that the policy lets be looked at before it locks.
const LIMIT: usize = 5;

async fn on_redb(test: impl AsyncFn(Arc<dyn Store>)) {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("embedded:{}", folder.path().join("s.redb").display());
    test(store::open(&url).await.unwrap()).await;
}

async fn on_redis(test: impl AsyncFn(Arc<dyn Store>)) {
    test(store::open(&RedisServer::shared().database()).await.unwrap()).await;
}

/// The same row on both stores.
macro_rules! on_both {
    ($row:ident, $redb:ident, $redis:ident) => {
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $redb() {
            on_redb($row).await;
        }

        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $redis() {
            on_redis($row).await;
        }
    };
}

/// Sends a request so often at once; says what each was, and the answers.
async fn at_once(line: &Line, office: &Office, entries: &[&str]) -> Vec<(Served, Line)> {
    let ask = |digits: &&str| {
        let mut copy = line.copy_at(office);
        let digits = (*digits).to_owned();
        let wants = line.next();
        tokio::spawn(async move {
            let served = copy.ask(wants, &digits).await;
            (served, copy)
        })
    };
    let asked: Vec<_> = entries.iter().map(ask).collect();
    join_all(asked).await.into_iter().map(Result::unwrap).collect()
}

async fn journal(office: &Office, line: &Line) -> Vec<Entry> {
    office.exchange.journal(line.call).await.unwrap()
}

on_both!(
    one_answer_and_one_attempt,
    t07_a_request_sent_again_is_one_attempt_with_one_answer_on_redb,
    t07_a_request_sent_again_is_one_attempt_with_one_answer_on_redis
);

async fn one_answer_and_one_attempt(store: Arc<dyn Store>) {
    let office = Office::over(store);
    let line = office.ring_to_pin("CA7").await;
    let turns = journal(&office, &line).await.len();
    let answers = at_once(&line, &office, &[WRONG; 5]).await;
    let late = at_once(&line, &office, &[WRONG; 5]).await;
    let first = &answers[0].1.reply;
    for (_, answer) in answers.iter().chain(&late) {
        assert_eq!(answer.reply, *first);
    }
    let bought = answers.iter().chain(&late).filter(|(served, _)| *served == Served::Turn);
    assert_eq!(bought.count(), 1);
    assert_eq!(journal(&office, &line).await.len(), turns + 1);
    assert_eq!(office.looked_at(line.call).await, (1, 0));
}

on_both!(
    no_second_guess,
    t08_another_entry_with_a_spent_nonce_is_no_guess_on_redb,
    t08_another_entry_with_a_spent_nonce_is_no_guess_on_redis
);

async fn no_second_guess(store: Arc<dyn Store>) {
    let office = Office::over(store);
    let line = office.ring_to_pin("CA8").await;
    let guesses = [WRONG, "222111", "333111", "444111", "555111", "666111"];
    let answers = at_once(&line, &office, &guesses).await;
    assert_eq!(office.looked_at(line.call).await, (1, 0), "one of them was looked at");
    for (_, answer) in &answers {
        assert_eq!(answer.reply, answers[0].1.reply, "all hear the same");
    }
    // The right one comes too late too, and is told apart for an operator's eye.
    let late = at_once(&line, &office, &[super::office::PIN]).await;
    assert_eq!(late[0].0, Served::Contradicted);
    assert_eq!(office.facts(line.call).await, []);
    assert_eq!(office.looked_at(line.call).await, (1, 0));
}

on_both!(
    nothing_after_the_end,
    t12_what_comes_after_the_end_changes_nothing_on_redb,
    t12_what_comes_after_the_end_changes_nothing_on_redis
);

async fn nothing_after_the_end(store: Arc<dyn Store>) {
    let office = Office::over(store);
    let mut line = office.ring_to_menu("CA12").await;
    let status = |status| {
        let sid = line.sid.clone();
        move |_: &Call| Some(Event::LegStatus { leg: LegId::INBOUND, sid: sid.clone(), status })
    };
    let (completed, ringing) = (status(LegStatus::Completed), status(LegStatus::InProgress));
    assert!(office.exchange.tell(line.call, None, completed).await.unwrap().is_some());
    office.outbox.drain().await.unwrap();
    let before = office.exchange.load(line.call).await.unwrap().unwrap().call;
    assert!(before.end.is_some());
    let turns = journal(&office, &line).await.len();
    assert!(office.exchange.tell(line.call, None, ringing).await.unwrap().is_none());
    let deadline = |_: &Call| Some(Event::Deadline);
    assert!(office.exchange.tell(line.call, None, deadline).await.unwrap().is_none());
    let next = line.next();
    for wants in [next.clone(), Wants::Resume(LegId::INBOUND), Wants::Fallback(None), next] {
        assert_ne!(line.ask(wants, "1").await, Served::Turn);
    }
    office.outbox.drain().await.unwrap();
    let after = office.exchange.load(line.call).await.unwrap().unwrap().call;
    assert_eq!(after, before);
    assert_eq!(journal(&office, &line).await.len(), turns);
    assert!(office.world.take_outgoing().is_empty());
}

on_both!(
    one_success,
    t26_a_code_submitted_a_hundred_times_at_once_succeeds_once_on_redb,
    t26_a_code_submitted_a_hundred_times_at_once_succeeds_once_on_redis
);

async fn one_success(store: Arc<dyn Store>) {
    let office = Office::over(store);
    let mut line = office.ring_to_menu("CA26").await;
    line.key("1").await;
    let code = office.code(line.call).await;
    let answers = at_once(&line, &office, &[code.as_str(); 100]).await;
    let turns = answers.iter().filter(|(served, _)| *served == Served::Turn).count();
    assert_eq!(turns, 1);
    let proved = journal(&office, &line).await.into_iter().flat_map(|entry| entry.proved);
    assert_eq!(proved.filter(|fact| *fact == Fact::SmsOtp).count(), 1);
    let call = office.exchange.load(line.call).await.unwrap().unwrap().call;
    assert_eq!(call.code, None, "it is erased with its success");
}

on_both!(
    exactly_the_limit,
    t31_a_thousand_guesses_at_once_are_five_on_redb,
    t31_a_thousand_guesses_at_once_are_five_on_redis
);

async fn exactly_the_limit(store: Arc<dyn Store>) {
    const CALLS: usize = 1_000;
    let office = Arc::new(Office::over(store));
    let mut lines = Vec::new();
    for n in 0..CALLS {
        lines.push(office.ring_to_pin(&format!("CA31{n}")).await);
    }
    let guess = |mut line: Line| {
        tokio::spawn(async move {
            line.key_until_there_is_room(WRONG).await;
            line
        })
    };
    let guesses: Vec<_> = lines.into_iter().map(guess).collect();
    let (mut looked_at, mut refused) = (0, 0);
    for line in join_all(guesses).await {
        let (looked, not) = office.looked_at(line.unwrap().call).await;
        (looked_at, refused) = (looked_at + looked, refused + not);
    }
    assert_eq!((looked_at, refused), (LIMIT, CALLS - LIMIT));
}

/// At whatever step the store goes away: a polite word, nothing sensitive, and no way on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t63_without_a_store_nobody_gets_anywhere() {
    let mut redis = RedisServer::start();
    let provider = Provider::start();
    let house = House::start(&redis.url(), &provider.api_base());
    let keys = [house::ACCOUNT, house::PIN, "1", "123456"];
    for step in 0..=keys.len() {
        let sid = format!("CA63{step}");
        let mut phone = Telephone::new(&sid, "+15005550777");
        let mut walk = keys.iter().take(step);
        if step > 0 {
            let copy = sid.clone();
            phone = eventually_async("the store to be there again", async || {
                let mut phone = Telephone::new(&copy, "+15005550777");
                phone.ring(&house).await;
                (!phone.spoken().contains("not working")).then_some(phone)
            })
            .await;
            for key in walk.by_ref().take(step - 1) {
                phone.key(&house, key).await;
            }
        }
        redis.stop();
        match step {
            0 => phone.ring(&house).await,
            _ => phone.key(&house, keys[step - 1]).await,
        };
        let heard = phone.spoken();
        assert!(heard.contains("something is not working on our side"), "step {step}: {heard}");
        assert!(phone.hears("Dial") && !heard.contains("balance is"), "step {step}: {heard}");
        redis.restart();
    }
}

/// A fail-over that forgets the last guesses lets no more of them be made again than it has forgotten.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t64_a_fail_over_gives_back_no_more_guesses_than_it_forgets() {
    const FORGOTTEN: usize = 2;
    let url = RedisServer::shared().database();
    let office = Office::over(store::open(&url).await.unwrap());
    let mut behind = RedisServer::connection(&url);
    let guess = async |from: usize, to: usize| {
        let mut looked_at = 0;
        for n in from..to {
            let mut line = office.ring_to_pin(&format!("CA64{n}")).await;
            line.key(WRONG).await;
            looked_at += office.looked_at(line.call).await.0;
        }
        looked_at
    };
    let mut all = guess(0, LIMIT - FORGOTTEN).await;
    let kept: Vec<(Vec<u8>, Vec<u8>)> = redis::cmd("KEYS")
        .arg("*")
        .query::<Vec<Vec<u8>>>(&mut behind)
        .unwrap()
        .into_iter()
        .map(|key| {
            let dump = redis::cmd("DUMP").arg(&key).query(&mut behind).unwrap();
            (key, dump)
        })
        .collect();
    all += guess(10, 20).await;
    assert_eq!(all, LIMIT, "locked");
    let () = redis::cmd("FLUSHDB").query(&mut behind).unwrap();
    for (key, dump) in kept {
        let () = redis::cmd("RESTORE").arg(key).arg(0).arg(dump).query(&mut behind).unwrap();
    }
    all += guess(20, 40).await;
    assert_eq!(all, LIMIT + FORGOTTEN);
}

on_both!(
    one_at_an_account,
    t61_a_stranger_who_is_at_an_account_gives_way_to_a_number_on_file_on_redb,
    t61_a_stranger_who_is_at_an_account_gives_way_to_a_number_on_file_on_redis
);

/// One call at a time may try to prove an account. A stranger who is at it keeps its place from others who show no
/// number on file, and gives way to one that does; who shows one keeps it from everybody.
async fn one_at_an_account(store: Arc<dyn Store>) {
    let accounts = account(ACCOUNT, "2024-01-01");
    let office = Office::under(Policy::default(), store, SHOP, &accounts);
    let tries = async |sid: &str, from: Option<&str>, pin: &str| {
        let mut line = office.ring_from(sid, from).await;
        line.key(ACCOUNT).await;
        line.key("1").await;
        line.key(pin).await;
        let proved = office.facts(line.call).await;
        (line, proved)
    };
    let refused = || {
        let limit = Guarded { limit: Limit::Parallel };
        office.exchange.guards().refused.get_or_create(&limit).get()
    };
    let (mut stranger, _) = tries("CA1", None, "111222").await;
    let (_, proved) = tries("CA2", Some("+15005550777"), PIN).await;
    assert_eq!((proved, refused()), (vec![], 1), "one at a time");
    let (_, proved) = tries("CA3", Some(MOBILE), "111222").await;
    assert_eq!((proved, refused()), (vec![], 1), "it is looked at, and wrong");
    stranger.key("1").await;
    stranger.key(PIN).await;
    assert_eq!((office.facts(stranger.call).await, refused()), (vec![], 2), "the place is gone");
    let (_, proved) = tries("CA4", Some(MOBILE), PIN).await;
    assert_eq!((proved, refused()), (vec![], 3), "of two that show it the first keeps it");
    office.clock.advance(limits::PLACE_KEPT_FOR);
    let (_, proved) = tries("CA5", Some(MOBILE), PIN).await;
    assert_eq!((proved, refused()), (vec![Fact::Pin], 3));
}

on_both!(
    one_redemption,
    t70_a_code_from_the_web_redeemed_a_hundred_times_at_once_is_redeemed_once_on_redb,
    t70_a_code_from_the_web_redeemed_a_hundred_times_at_once_is_redeemed_once_on_redis
);

async fn one_redemption(store: Arc<dyn Store>) {
    let flow = DESK.replace(
        "{ found = \"pin\", unknown = \"pin\" }",
        "{ found = \"web\", unknown = \"web\" }",
    ) + "\n[states.web]\ntype = \"gather_service_code\"\nprompt = \"Key in the code from our website.\"\n\
           on = { ok = \"menu\", failed = \"pin\", locked = \"pin\" }\n";
    let office = Office::with(store, &flow, &account(ACCOUNT, "2024-01-01"));
    let (whose, ttl) = (Secret::new(ACCOUNT), Duration::from_mins(5));
    let issued = office.exchange.issue_service_code(&whose, WebLevel::Aal2, None, ttl).await;
    let code = issued.unwrap().unwrap().code.expose().to_owned();
    let mut lines = Vec::new();
    for n in 0..100 {
        lines.push(office.ring_to_pin(&format!("CA70{n}")).await);
    }
    let redeem = |mut line: Line| {
        let code = code.clone();
        tokio::spawn(async move {
            line.key(&code).await;
            line.call
        })
    };
    let redeemed: Vec<_> = lines.into_iter().map(redeem).collect();
    let mut count = 0;
    for call in join_all(redeemed).await {
        count += office.facts(call.unwrap()).await.len();
    }
    assert_eq!(count, 1);
}

on_both!(
    no_younger_by_the_clock,
    t73_a_clock_set_back_makes_nothing_last_longer_on_redb,
    t73_a_clock_set_back_makes_nothing_last_longer_on_redis
);

async fn no_younger_by_the_clock(store: Arc<dyn Store>) {
    let office = Office::over(store);
    let back = |by: SignedDuration| office.clock.set(office.now().checked_sub(by).unwrap());
    // A code that was seen to be old stays old.
    let mut line = office.ring_to_menu("CA73").await;
    line.key("1").await;
    let code = office.code(line.call).await;
    office.clock.advance(Duration::from_secs(590));
    line.key(&other_than(&code)).await;
    office.clock.advance(Duration::from_secs(11));
    line.key("12").await;
    back(SignedDuration::from_mins(10));
    line.key(&code).await;
    assert!(!office.facts(line.call).await.contains(&Fact::SmsOtp), "{}", line.spoken());
    // A lock is not lifted, and nothing is refilled, by going back or forth before it ends.
    for n in 0..LIMIT {
        office.ring_to_pin(&format!("CA73{n}")).await.key(WRONG).await;
    }
    for by in [SignedDuration::from_hours(48), SignedDuration::from_hours(-47)] {
        back(by);
        let mut line = office.ring_to_pin(&format!("CA73back{}", by.as_hours())).await;
        line.key(WRONG).await;
        assert_eq!(office.looked_at(line.call).await, (0, 1));
    }
}
