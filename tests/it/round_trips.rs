//! How often a turn asks the store: once, where this server took the turn before it.

use std::sync::Arc;
use std::time::Duration;

use callgate::limits;

use crate::support::cluster::said;
use crate::support::eventually::eventually_async;
use crate::support::house::{ACCOUNT, House, PIN};
use crate::support::provider::Provider;
use crate::support::redis::RedisServer;
use crate::support::relay::Relay;
use crate::support::telephone::Telephone;

/// Has Redis remember everything that it is asked.
fn remember(server: &RedisServer) {
    for (setting, value) in [("slowlog-max-len", "100000"), ("slowlog-log-slower-than", "0")] {
        assert_eq!(said(server, &["CONFIG", "SET", setting, value]).trim(), "OK");
    }
}

/// How often Redis has run a script, and how often it was asked for a whole string, as a call is: once in the
/// script that commits, and once by whoever loads a call. That the outbox looks for what is due, now and again, does
/// not count.
fn asked(server: &RedisServer) -> (usize, u32) {
    /// Its number, when it came, how long it took, what it was, and who asked.
    type Asked = (i64, i64, i64, Vec<Vec<u8>>, String, String);
    let mut behind = RedisServer::connection(&server.url());
    let all: Vec<Asked> = redis::cmd("SLOWLOG").arg("GET").arg(-1).query(&mut behind).unwrap();
    // After a script's hash and the number of its keys comes the first of them.
    let is_turns =
        |(_, _, _, asked, ..): &&Asked| asked[0] == b"EVALSHA" && !asked[3].ends_with(b":due4");
    let stats = said(server, &["INFO", "commandstats"]);
    let gets = stats.lines().find_map(|line| line.strip_prefix("cmdstat_get:calls="));
    let gets = gets.map_or(0, |line| line.split(',').next().unwrap().parse().unwrap());
    (all.iter().filter(is_turns).count(), gets)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_turn_is_one_round_trip_and_a_reload_where_another_server_took_the_last() {
    let redis = RedisServer::start();
    remember(&redis);
    let provider = Provider::start();
    let one = House::start(&redis.url(), &provider.api_base());
    let other = House::start(&redis.url(), &provider.api_base());
    // The first call of a server brings the flow into the store.
    for (house, sid) in [(&one, "CA1"), (&other, "CA2")] {
        Telephone::new(sid, "+15005550777").ring(house).await;
    }

    // Of a number that is withheld nothing is counted.
    let mut phone = Telephone::new("CA3", "");
    let before = asked(&redis);
    phone.ring(&one).await;
    let welcome = phone.spoken();
    assert!(welcome.contains("account number"), "{welcome}");
    phone.wait(&one).await;
    assert!(phone.spoken().contains("account number"), "{}", phone.spoken());
    let alone = asked(&redis);
    assert_eq!(
        (alone.0 - before.0, alone.1 - before.1),
        (2, 2),
        "two turns, two scripts, no loading"
    );
    // What a number has done lately is counted when it rings, and at no other turn; one that rings for
    // the first time is counted without having been looked at.
    let mut shown = Telephone::new("CA5", "+15005550778");
    shown.ring(&one).await;
    let rung = asked(&redis);
    assert_eq!((rung.0 - alone.0, rung.1 - alone.1), (2, 1), "a ring, and its number's count");
    shown.wait(&one).await;
    let waited = asked(&redis);
    assert_eq!((waited.0 - rung.0, waited.1 - rung.1), (1, 1), "one script again");
    shown.key(&one, ACCOUNT).await;
    let named = asked(&redis);
    assert_eq!(
        (named.0 - waited.0, named.1 - waited.1),
        (2, 1),
        "a turn, and before it the counts of the number and of its block at once"
    );

    // The other server loads the call, and then the copy of the first is an old one.
    phone.wait(&other).await;
    assert!(phone.hears("Gather") || phone.hears("Hangup"), "{:?}", phone.heard);
    let mut second = Telephone::new("CA4", "+15005550777");
    second.ring(&one).await;
    second.wait(&other).await;
    let before = asked(&redis);
    second.wait(&one).await;
    let reloaded = asked(&redis);
    assert_eq!((reloaded.0 - before.0, reloaded.1 - before.1), (1, 2), "one reload, one script");
    assert_eq!(second.spoken(), phone.spoken(), "the third silence ends it, whoever hears it");

    // A request that comes again elsewhere finds it answered, and the race that was lost is counted.
    let mut third = Telephone::new("CA8", "");
    third.ring(&one).await;
    let path = third.action();
    let answer = third.wait(&other).await.clone();
    let again = third.post(&one, &path, &[("CallStatus", "in-progress")]).await;
    assert_eq!(*again, answer);
    let lost = "callgate_store_questions_total{operation=\"Commit\",outcome=\"Conflict\"} 1\n";
    assert!(one.metrics().await.contains(lost));
}

/// Each worker takes one connection after the other, and has its own to the store from its first call on.
async fn let_all_connect(house: &House) {
    for n in 0..2 * std::thread::available_parallelism().unwrap().get() {
        Telephone::new(&format!("CA6{n}"), "").ring(house).await;
    }
}

/// A store that is away for less than a caller can wait is nothing that a caller hears of.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_is_away_for_a_moment_is_asked_again() {
    let redis = RedisServer::start();
    let provider = Provider::start();
    let house = Arc::new(House::start(&redis.url(), &provider.api_base()));
    let_all_connect(&house).await;
    let mut phone = Telephone::new("CA6", "");
    phone.ring(&house).await;
    redis.freeze();
    let waiting = {
        let house = house.clone();
        tokio::spawn(async move {
            phone.wait(&house).await;
            phone.spoken()
        })
    };
    // The turn was put down twice, and neither time was there an answer.
    eventually_async("two commits to fail", async || {
        let failed = "callgate_store_questions_total{operation=\"Commit\",outcome=\"Failed\"} 2\n";
        house.metrics().await.contains(failed).then_some(())
    })
    .await;
    redis.thaw();
    let heard = waiting.await.unwrap();
    assert!(heard.contains("account number"), "{heard}");
}

/// One that stays away is asked for a turn only while its caller waits: what nobody hears keeps no place in the house.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_stays_away_is_asked_no_more_when_nobody_waits() {
    let redis = RedisServer::start();
    let provider = Provider::start();
    let house = House::start(&redis.url(), &provider.api_base());
    let_all_connect(&house).await;
    let mut phone = Telephone::new("CA6", "");
    phone.ring(&house).await;
    redis.freeze();
    phone.wait(&house).await;
    assert!(phone.spoken().contains("sorry"), "{}", phone.spoken());
    eventually_async("the turn to be given up", async || {
        house.metrics().await.contains("\ncallgate_turns_in_progress 0\n").then_some(())
    })
    .await;
    // A turn whose commit failed begins anew, with the call as the store has it.
    let page = house.metrics().await;
    let failed = |operation: &str| {
        let name = format!(
            "callgate_store_questions_total{{operation=\"{operation}\",outcome=\"Failed\"}} "
        );
        page.lines().find_map(|line| line.strip_prefix(&name)?.parse::<usize>().ok()).unwrap_or(0)
    };
    let (failed, ever) = (failed("Commit") + failed("Load"), 1 + limits::STORE_AWAY_WAITS.len());
    assert!((1..ever).contains(&failed), "{failed} of {ever}");
}

/// A store may answer each question in time, and all of them together too late for the caller; what was begun is
/// finished all the same, and whoever asks once more hears it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_turn_of_many_slow_answers_is_apologised_for_in_time_and_finished() {
    let redis = RedisServer::start();
    let relay = Relay::to(redis.port);
    let provider = Provider::start();
    let store = format!("redis://127.0.0.1:{}", relay.port);
    let mut house = House::set_up(&store, &provider.api_base());
    house.change_configuration("[directory]", "[policy.fuse]\nwrong_percent_max = 90\n[directory]");
    house.restart();
    let_all_connect(&house).await;
    let mut phone = Telephone::new("CA7", "");
    phone.ring(&house).await;
    phone.key(&house, ACCOUNT).await;
    // Whether a PIN is right, and the fuse whole, takes many questions before the turn is put down.
    let action = phone.action();
    relay.slow_down(limits::STORE_ANSWER_TIMEOUT * 13 / 20);
    phone.post(&house, &action, &[("Digits", PIN)]).await;
    assert!(phone.spoken().contains("sorry"), "{}", phone.spoken());
    house.logs("it took longer than a caller can wait");
    eventually_async("the turn to be finished", async || {
        house.metrics().await.contains("\ncallgate_turns_in_progress 0\n").then_some(())
    })
    .await;
    relay.slow_down(Duration::ZERO);
    phone.post(&house, &action, &[("Digits", PIN)]).await;
    assert!(phone.spoken().starts_with("For your balance"), "{}", phone.spoken());
    let replayed = "callgate_webhooks_total{route=\"Turn\",outcome=\"Replayed\"} 1";
    assert!(house.metrics().await.contains(replayed), "{}", house.metrics().await);
}

/// How often records were read and written by a turn that looks at a PIN.
async fn records(house: &House, sid: &str) -> (u32, u32) {
    let mut phone = Telephone::new(sid, "+15005550777");
    phone.ring(house).await;
    phone.key(house, ACCOUNT).await;
    let count = async |operation: &str| {
        let name = format!(
            "callgate_store_questions_total{{operation=\"{operation}\",outcome=\"Done\"}} "
        );
        let page = house.metrics().await;
        page.lines().find_map(|line| line.strip_prefix(&name)?.parse::<u32>().ok()).unwrap_or(0)
    };
    let before = (count("Read").await, count("Swap").await);
    phone.key(house, "111222").await;
    (count("Read").await - before.0, count("Swap").await - before.1)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_house_without_a_fuse_asks_nothing_for_it() {
    let provider = Provider::start();
    let mut house = House::start("memory:", &provider.api_base());
    assert_eq!(
        records(&house, "CA1").await,
        (2, 2),
        "the account's attempts, and the secret's accounts"
    );
    house.kill();
    house.change_configuration("[directory]", "[policy.fuse]\nwrong_percent_max = 90\n[directory]");
    house.restart();
    assert_eq!(records(&house, "CA2").await, (4, 3), "whether it is whole, and who was at it");
}
