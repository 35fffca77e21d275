//! What the store in Redis promises besides: every key expires, and faults pass.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use callgate::engine::id::CallId;
use callgate::limits::{CALLS_PER_PARTITION_MAX, STORE_QUESTION_TIMEOUT};
use callgate::store::redis::RedisStore;
use callgate::store::{Claim, Claimed, Commit, Committed, Revision, Store, StoreError};
use futures_util::future::join_all;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::{after, at, claim, effect, first, fresh_call, of_many, record, write};
use crate::support::eventually::eventually_async;
use crate::support::redis::RedisServer;
use crate::support::relay::Relay;

/// An answer within the time that a turn has, whatever Redis does.
async fn unavailable<T: std::fmt::Debug>(answer: impl Future<Output = Result<T, StoreError>>) {
    let begun = Instant::now();
    let error = answer.await.expect_err("Redis cannot have answered");
    assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
}

/// A turn with all that a turn can have.
fn full(mut commit: Commit) -> Commit {
    commit.effects = (0..3).map(|index| effect(&commit, index, at(0))).collect();
    commit.deadline = Some(at(5));
    commit
}

#[tokio::test]
async fn every_key_has_a_time_to_live() {
    let url = RedisServer::shared().database();
    let store = RedisStore::connect(&url).unwrap();
    for _ in 0..20 {
        let one = full(first(fresh_call()));
        store.commit(&one, at(0)).await.unwrap();
        let mut two = full(after(&one));
        two.settled = vec![one.effects[0].id];
        store.commit(&two, at(1)).await.unwrap();
    }
    for id in (0..20).map(|n| format!("{n:02x}")) {
        for key in [record(&id), of_many(&id)] {
            for revision in [None, Some(Revision(1))] {
                assert!(store.swap(write(&key, revision, b"x"), at(3_600), at(0)).await.unwrap());
            }
        }
    }
    for round in 0..10 {
        let some = Claim { count_max: 20, ..claim(at(10 + round)) };
        for (index, due) in store.claim(some).await.unwrap().into_iter().enumerate() {
            let callgate::store::DueWhat::Effect { id, ref body, .. } = due.what else { continue };
            if index % 2 == 0 {
                assert!(store.settle(due.claimed(id)).await.unwrap());
            } else {
                assert!(store.put_off(due.claimed(id), at(400), body.clone()).await.unwrap());
            }
        }
    }

    let mut redis = RedisServer::connection(&url);
    let keys: Vec<String> = redis::cmd("KEYS").arg("*").query(&mut redis).unwrap();
    assert!(keys.len() > 80, "{}", keys.len());
    for key in keys {
        assert!(key.starts_with("cg:{p"), "{key}");
        let ttl: i64 = redis::cmd("TTL").arg(&key).query(&mut redis).unwrap();
        let most = if is_shared(&key) { 2 * 86_400 } else { 86_400 };
        assert!((1..=most).contains(&ttl), "{key}: {ttl}");
    }
}

/// However many calls begin, no more of a partition are listed than are ever shown.
#[tokio::test]
async fn a_partition_lists_no_more_calls_than_are_shown() {
    let url = RedisServer::shared().database();
    let store = RedisStore::connect(&url).unwrap();
    let partition = |call: &CallId| Sha256::digest(call.0.as_bytes())[7] % 64;
    let calls = (0..).map(|n| CallId(Uuid::from_u128(n))).filter(|call| partition(call) == 7);
    for (call, second) in calls.zip(0..).take(CALLS_PER_PARTITION_MAX + 9) {
        store.commit(&first(call), at(second)).await.unwrap();
    }
    let mut redis = RedisServer::connection(&url);
    let lists: Vec<String> = redis::cmd("KEYS").arg("*:calls").query(&mut redis).unwrap();
    assert_eq!(lists.len(), 1, "they are of one partition");
    let listed: usize = redis::cmd("ZCARD").arg(&lists[0]).query(&mut redis).unwrap();
    assert_eq!(listed, CALLS_PER_PARTITION_MAX);
}

/// Whether it is of a partition and not of one call.
fn is_shared(key: &str) -> bool {
    key.ends_with(":due4") || key.ends_with(":calls")
}

#[tokio::test]
async fn what_calls_share_outlives_the_longest_of_them() {
    let url = RedisServer::shared().database();
    let store = RedisStore::connect(&url).unwrap();
    let mut one = full(first(fresh_call()));
    one.expires_at = at(500);
    store.commit(&one, at(0)).await.unwrap();
    let mut two = full(after(&one));
    two.expires_at = at(1_000);
    store.commit(&two, at(0)).await.unwrap();
    let mut three = full(after(&two));
    three.expires_at = at(400);
    store.commit(&three, at(0)).await.unwrap();

    let mut redis = RedisServer::connection(&url);
    let keys: Vec<String> = redis::cmd("KEYS").arg("*").query(&mut redis).unwrap();
    assert_eq!(keys.len(), 4, "{keys:?}");
    for key in keys {
        let ttl: i64 = redis::cmd("TTL").arg(&key).query(&mut redis).unwrap();
        // What is shared lives up to twice as long; a second may have passed.
        let expected = if is_shared(&key) { 900..=2_000 } else { 300..=400 };
        assert!(expected.contains(&ttl), "{key}: {ttl}");
    }
}

/// How a call was kept before.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kept {
    /// As a list: state and journal.
    List,
    /// As a hash, and its journal beside.
    Hash,
}

/// A call and a record as callgates before this kept them, and the call's deadline among those due.
fn older(redis: &mut redis::Connection, one: &Commit, kept: Kept) -> [String; 3] {
    let keys: Vec<String> = redis::cmd("KEYS").arg("*").query(redis).unwrap();
    let find = |part: &str| keys.iter().find(|key| key.contains(part)).unwrap().clone();
    let (call, record) = (find(":call:"), find(":rec:"));
    let journal = call.replace(":call:", ":journal:");
    redis::cmd("DEL").arg(&call).arg(&record).exec(redis).unwrap();
    let turn = one.version.turn.0;
    if kept == Kept::List {
        let first = [b"1:", turn.as_bytes().as_slice(), b"old state"].concat();
        redis::cmd("RPUSH").arg(&call).arg(first).arg(&["old 1", "old 2"]).exec(redis).unwrap();
    } else {
        let fields = ["n", "1", "t", &turn.as_hyphenated().to_string(), "s", "old state"];
        redis::cmd("HSET").arg(&call).arg(&fields).exec(redis).unwrap();
        redis::cmd("RPUSH").arg(&journal).arg(&["old 1", "old 2"]).exec(redis).unwrap();
    }
    redis::cmd("HSET").arg(&record).arg(&["r", "7", "v", "old value"]).exec(redis).unwrap();
    let (due, id) = (call.replace(&format!("call:{}", one.call), "due"), one.call);
    let at_us = at(7_205).as_microsecond();
    redis::cmd("ZADD").arg(due).arg(at_us).arg(format!("d:{id}")).exec(redis).unwrap();
    [call, journal, record]
}

#[tokio::test]
async fn what_an_older_callgate_left_is_read_and_written_on() {
    for kept in [Kept::List, Kept::Hash] {
        read_and_written_on(kept).await;
    }
}

async fn read_and_written_on(kept: Kept) {
    let url = RedisServer::shared().database();
    let store = RedisStore::connect(&url).unwrap();
    let one = first(fresh_call());
    store.commit(&one, at(0)).await.unwrap();
    let key = record("aa");
    store.swap(write(&key, None, b"x"), at(9), at(0)).await.unwrap();
    let mut redis = RedisServer::connection(&url);
    let [call, journal, of_record] = older(&mut redis, &one, kept);
    let older_due = if kept == Kept::List { "due3" } else { "due" };
    let due = call.replace(&format!("call:{}", one.call), older_due);
    let deadline = format!("d:{}", one.call);
    redis::cmd("ZADD").arg(&due).arg(1).arg(&deadline).exec(&mut redis).unwrap();

    let loaded = store.load(one.call).await.unwrap().unwrap();
    assert_eq!((loaded.version, loaded.state.as_slice()), (one.version, &b"old state"[..]));
    assert_eq!(store.journal(one.call).await.unwrap(), [b"old 1", b"old 2"]);
    assert_eq!(store.read(&key).await.unwrap(), Some((Revision(7), b"old value".to_vec())));
    assert_eq!(store.calls(9).await.unwrap(), [one.call]);

    // It is compared with as ever.
    assert_eq!(store.commit(&one, at(0)).await.unwrap(), Committed::AlreadyYours);
    assert_eq!(store.commit(&first(one.call), at(0)).await.unwrap(), Committed::Conflict);
    assert!(!store.swap(write(&key, None, b"x"), at(9), at(0)).await.unwrap());
    assert!(!store.swap(write(&key, Some(Revision(6)), b"x"), at(9), at(0)).await.unwrap());
    assert_eq!(store.load(one.call).await.unwrap().unwrap(), loaded);

    let two = Commit { deadline: Some(at(7_205)), ..after(&one) };
    assert_eq!(store.commit(&two, at(0)).await.unwrap(), Committed::Applied);
    assert_eq!(store.commit(&two, at(0)).await.unwrap(), Committed::AlreadyYours);
    assert!(store.claim(claim(at(0))).await.unwrap().is_empty(), "it wants to be woken no more");
    let loaded = store.load(one.call).await.unwrap().unwrap();
    assert_eq!((loaded.version, &loaded.state), (two.version, &two.state));
    let entries = [b"old 1".to_vec(), b"old 2".to_vec(), two.entry.clone()];
    assert_eq!(store.journal(one.call).await.unwrap(), entries);
    assert!(store.swap(write(&key, Some(Revision(7)), b"new value"), at(9), at(0)).await.unwrap());
    assert_eq!(store.read(&key).await.unwrap(), Some((Revision(8), b"new value".to_vec())));

    // Its deadline waits now like others, and comes once.
    let due: Vec<String> = redis::cmd("ZRANGE")
        .arg(call.replace(&format!("call:{}", one.call), "due4"))
        .arg(0)
        .arg(-1)
        .query(&mut redis)
        .unwrap();
    assert_eq!(due, [format!("f:{}", at(7_200).as_microsecond())]);
    assert_eq!(store.claim(claim(at(7_205))).await.unwrap().len(), 1);

    for (key, kind) in [(&call, "string"), (&journal, "none"), (&of_record, "string")] {
        let found: String = redis::cmd("TYPE").arg(key).query(&mut redis).unwrap();
        assert_eq!(found, kind, "{key}");
        let ttl: i64 = redis::cmd("TTL").arg(key).query(&mut redis).unwrap();
        assert!(ttl > 0 || kind == "none", "{key}: {ttl}");
    }
}

/// An older server that still runs would claim what newer ones have to do, could not read it, and would put it off.
#[tokio::test]
async fn nothing_is_due_to_an_older_callgate_and_what_was_is_taken_over() {
    let url = RedisServer::shared().database();
    let store = RedisStore::connect(&url).unwrap();
    let one = full(first(fresh_call()));
    store.commit(&one, at(0)).await.unwrap();
    let mut redis = RedisServer::connection(&url);
    let lists = |redis: &mut redis::Connection| -> Vec<String> {
        let mut keys: Vec<String> = redis::cmd("KEYS").arg("*:due*").query(redis).unwrap();
        keys.sort();
        keys
    };
    let ours = lists(&mut redis);
    assert!(ours.len() == 1 && ours[0].ends_with("}:due4"), "{ours:?}");

    let theirs = ours[0].trim_end_matches('4').to_owned();
    redis::cmd("RENAME").arg(&ours[0]).arg(&theirs).exec(&mut redis).unwrap();
    // The deadline is not due yet, and stays where it is.
    let due = store.claim(claim(at(1))).await.unwrap();
    assert_eq!(due.len(), 3);
    assert_eq!(lists(&mut redis), [theirs.clone(), ours[0].clone()]);
    let ttl: i64 = redis::cmd("TTL").arg(&ours[0]).query(&mut redis).unwrap();
    assert!(ttl > 80_000, "{ttl}");
    assert!(store.settle(due[0].claimed(one.effects[0].id)).await.unwrap());
    assert!(store.put_off(due[1].claimed(one.effects[1].id), at(400), Vec::new()).await.unwrap());
    // It is under a lease that an older server knows nothing of, and then due again.
    assert!(store.claim(claim(at(2))).await.unwrap().is_empty());
    let due = store.claim(claim(at(20))).await.unwrap();
    assert_eq!(due.len(), 2, "an effect and the deadline");
    assert_eq!(lists(&mut redis), [ours[0].clone()]);
    assert_eq!(store.claim(claim(at(400))).await.unwrap().len(), 3);
}

#[tokio::test]
async fn what_waits_or_is_one_of_many_takes_no_key_of_its_own() {
    let url = RedisServer::shared().database();
    let store = RedisStore::connect(&url).unwrap();
    let mut redis = RedisServer::connection(&url);
    let mut keys = |part: &str| {
        let keys: Vec<String> =
            redis::cmd("KEYS").arg(format!("*{part}*")).query(&mut redis).unwrap();
        let lives = |key: &String| redis::cmd("TTL").arg(key).query::<i64>(&mut redis).unwrap();
        assert!(keys.iter().map(lives).all(|ttl| (1..=86_400).contains(&ttl)), "{keys:?}");
        keys.len()
    };
    let mut last = None;
    for n in 0..1_000 {
        let one = Commit { deadline: Some(at(14_400)), ..first(fresh_call()) };
        store.commit(&one, at(n / 100)).await.unwrap();
        let key = of_many(&format!("{n:024x}"));
        assert!(store.swap(write(&key, None, b"x"), at(3_900), at(0)).await.unwrap());
        last = Some(one);
    }
    assert_eq!((keys(":call:"), keys(":far:")), (1_000, 64));
    assert!(keys(":many:") <= 64);
    // It is there once, wherever the hour leads it.
    let key = of_many(&format!("{:024x}", 7));
    assert!(store.swap(write(&key, Some(Revision(1)), b"y"), at(7_300), at(3_600)).await.unwrap());
    assert_eq!(keys(":many:callers:2") + keys(":many:callers:1") + keys(":many:callers:0"), 65);

    // All come when they are due, and leave nothing behind.
    let some = Claim { count_max: 1_000, ..claim(at(14_400)) };
    let mut due = HashSet::new();
    for _ in 0..9 {
        due.extend(store.claim(some).await.unwrap().into_iter().map(|due| due.call));
    }
    assert_eq!((due.len(), keys(":far:")), (1_000, 0));
    assert!(due.contains(&last.unwrap().call));
    assert_eq!(store.backlog(at(14_405)).await.unwrap().count, 0);
}

#[tokio::test]
async fn what_is_due_of_a_lost_call_is_dropped() {
    let url = RedisServer::shared().database();
    let store = RedisStore::connect(&url).unwrap();
    let mut calls = Vec::new();
    for _ in 0..10 {
        let commit = full(first(fresh_call()));
        store.commit(&commit, at(0)).await.unwrap();
        calls.push(commit.call);
    }
    let mut redis = RedisServer::connection(&url);
    for call in &calls[..9] {
        for pattern in [format!("*:call:{call}"), format!("*:effects:{call}")] {
            let keys: Vec<String> = redis::cmd("KEYS").arg(pattern).query(&mut redis).unwrap();
            let _: u32 = redis::cmd("DEL").arg(keys).query(&mut redis).unwrap();
        }
    }
    // The lost ones come first often enough, and do not stand in the way.
    let mut claimed = Vec::new();
    for _ in 0..12 {
        let some = Claim { count_max: 2, until: at(900), ..claim(at(10)) };
        claimed.extend(store.claim(some).await.unwrap());
    }
    assert_eq!(claimed.len(), 4);
    assert!(claimed.iter().all(|due| due.call == calls[9]));
    let due: Vec<String> = redis::cmd("KEYS").arg("*:due4").query(&mut redis).unwrap();
    assert_eq!(due.len(), 1, "{due:?}");
    assert_eq!(store.calls(100).await.unwrap(), [calls[9]]);
}

/// One damaged name keeps no message of any call from being sent.
#[tokio::test]
async fn what_names_nothing_among_the_due_things_is_dropped() {
    let url = RedisServer::shared().database();
    let store = RedisStore::connect(&url).unwrap();
    let one = full(first(fresh_call()));
    store.commit(&one, at(0)).await.unwrap();
    let mut redis = RedisServer::connection(&url);
    let key: Vec<String> = redis::cmd("KEYS").arg("*:due4").query(&mut redis).unwrap();
    let [key] = key.as_slice() else { panic!("{key:?}") };
    let call = one.call;
    let damaged = [
        b"\xff\xfe".to_vec(),
        b"hunter2".to_vec(),
        format!("d:{call}0").into(),
        format!("e:{call}:").into(),
    ];
    for name in &damaged {
        redis::cmd("ZADD").arg(key).arg(1).arg(name).exec(&mut redis).unwrap();
    }
    let mut claimed = Vec::new();
    for _ in 0..4 {
        let some = Claim { count_max: 4, until: at(900), ..claim(at(10)) };
        claimed.extend(store.claim(some).await.unwrap());
    }
    assert_eq!(claimed.len(), 4, "its three effects and its deadline: {claimed:?}");
    for name in &damaged {
        let standing: Option<f64> =
            redis::cmd("ZSCORE").arg(key).arg(name).query(&mut redis).unwrap();
        assert_eq!(standing, None);
    }
}

#[tokio::test]
async fn forgotten_scripts_are_sent_again() {
    let server = RedisServer::start();
    let store = RedisStore::connect(&server.url()).unwrap();
    let mut redis = RedisServer::connection(&server.url());
    let mut flush = || redis::cmd("SCRIPT").arg("FLUSH").exec(&mut redis).unwrap();
    let one = full(first(fresh_call()));
    flush();
    assert_eq!(store.commit(&one, at(0)).await.unwrap(), Committed::Applied);
    flush();
    let due = store.claim(claim(at(0))).await.unwrap();
    flush();
    assert!(store.settle(due[0].claimed(one.effects[0].id)).await.unwrap());
    flush();
    let off = due[0].claimed(one.effects[1].id);
    assert!(store.put_off(off, at(9), Vec::new()).await.unwrap());
    flush();
    assert!(store.swap(write(&record("aa"), None, b"x"), at(9), at(0)).await.unwrap());
}

#[tokio::test]
async fn it_is_made_before_redis_is_up_and_outlives_its_restarts() {
    let mut server = RedisServer::stopped(&[]);
    let store = RedisStore::connect(&server.url()).unwrap();
    for _ in 0..3 {
        unavailable(store.ping()).await;
        unavailable(store.load(fresh_call())).await;
        unavailable(store.commit(&first(fresh_call()), at(0))).await;
        unavailable(store.claim(claim(at(0)))).await;

        server.restart();
        // The very first question is answered: nobody hears an apology for an outage that is over.
        assert!(store.swap(write(&record("aa"), None, b"x"), at(9), at(0)).await.unwrap());
        let one = full(first(fresh_call()));
        assert_eq!(store.commit(&one, at(0)).await.unwrap(), Committed::Applied);
        assert!(store.load(one.call).await.unwrap().is_some());
        server.stop();
    }
}

#[tokio::test]
async fn an_outage_that_is_over_is_not_told() {
    let mut server = RedisServer::stopped(&[]);
    let store = RedisStore::connect(&server.url()).unwrap();
    unavailable(store.ping()).await;
    // It goes on by itself, on a task beside the one that every connection has, until its last attempt
    // to connect has failed too.
    let runtime = tokio::runtime::Handle::current().metrics();
    assert!(runtime.num_alive_tasks() > 1);
    eventually_async("the last attempt to fail", async || {
        (runtime.num_alive_tasks() == 1).then_some(())
    })
    .await;
    server.restart();
    assert!(store.swap(write(&record("aa"), None, b"x"), at(9), at(0)).await.unwrap());
}

#[tokio::test]
async fn a_restart_between_two_questions_is_not_noticed() {
    let mut server = RedisServer::start();
    let store = RedisStore::connect(&server.url()).unwrap();
    store.ping().await.unwrap();
    for _ in 0..5 {
        server.restart();
        let one = full(first(fresh_call()));
        assert_eq!(store.commit(&one, at(0)).await.unwrap(), Committed::Applied);
    }
}

#[tokio::test]
async fn an_idle_connection_that_was_cut_is_made_anew_by_itself() {
    let server = RedisServer::start();
    let store = RedisStore::connect(&server.url()).unwrap();
    store.ping().await.unwrap();
    let mut redis = RedisServer::connection(&server.url());
    let own: u64 = redis::cmd("CLIENT").arg("ID").query(&mut redis).unwrap();
    let mut other = || {
        let clients: String = redis::cmd("CLIENT").arg("LIST").query(&mut redis).unwrap();
        let ids = clients.lines().filter_map(|line| line.strip_prefix("id=")?.split(' ').next());
        ids.filter_map(|id| id.parse::<u64>().ok()).filter(|id| *id != own).max()
    };
    let before = other().unwrap();
    let mut second = RedisServer::connection(&server.url());
    let gone = redis::cmd("CLIENT").arg("KILL").arg("ID").arg(before).query::<u32>(&mut second);
    assert_eq!(gone.unwrap(), 1);
    let id: u64 = redis::cmd("CLIENT").arg("ID").query(&mut second).unwrap();
    eventually_async("a new connection", async || other().filter(|other| *other > id)).await;
    // Not a question that may be put twice.
    assert!(store.swap(write(&record("aa"), None, b"x"), at(9), at(0)).await.unwrap());
}

#[tokio::test]
async fn a_frozen_redis_is_unavailable_until_it_goes_on() {
    let server = RedisServer::start();
    let store = RedisStore::connect(&server.url()).unwrap();
    store.ping().await.unwrap();
    server.freeze();
    let asked = Instant::now();
    unavailable(store.load(fresh_call())).await;
    // So that a turn which asks once more has an answer before its caller has the apology.
    assert!(asked.elapsed() < STORE_QUESTION_TIMEOUT, "{:?}", asked.elapsed());
    let loads = (0..50).map(|_| unavailable(store.load(fresh_call())));
    join_all(loads).await;
    unavailable(store.swap(write(&record("aa"), None, b"x"), at(9), at(0))).await;
    server.thaw();
    store.ping().await.unwrap();
    assert_eq!(store.load(fresh_call()).await.unwrap(), None);
}

#[tokio::test]
async fn a_turn_that_was_written_after_all_is_already_yours() {
    let server = RedisServer::start();
    let store = RedisStore::connect(&server.url()).unwrap();
    // The script is known, so that the commit is one command, and under way when Redis freezes.
    store.commit(&first(fresh_call()), at(0)).await.unwrap();
    let one = full(first(fresh_call()));
    server.freeze();
    unavailable(store.commit(&one, at(0))).await;
    server.thaw();
    eventually_async("the commit to be found written", async || {
        store.load(one.call).await.unwrap().map(|stored| assert_eq!(stored.version, one.version))
    })
    .await;
    assert_eq!(store.commit(&one, at(1)).await.unwrap(), Committed::AlreadyYours);
    assert_eq!(store.journal(one.call).await.unwrap().len(), 1);
    assert_eq!(store.claim(claim(at(0))).await.unwrap().len(), 3);
}

/// A question whose answer was lost may have been answered. Put again, a commit is already yours; whoever claims or
/// gives back what is due would hear that others have it, and takes that for the truth.
#[tokio::test]
async fn what_may_have_been_done_is_asked_again_only_where_the_answer_is_as_good() {
    let server = RedisServer::start();
    // All scripts are known, so that each question is one request.
    let plain = RedisStore::connect(&server.url()).unwrap();
    let known = Commit { deadline: None, ..full(first(fresh_call())) };
    plain.commit(&known, at(0)).await.unwrap();
    let due = plain.claim(claim(at(0))).await.unwrap();
    for (due, effect) in due.iter().zip(&known.effects) {
        assert!(plain.put_off(due.claimed(effect.id), at(5), Vec::new()).await.unwrap());
    }
    let due = plain.claim(claim(at(10))).await.unwrap();
    for (due, effect) in due.iter().zip(&known.effects) {
        assert!(plain.settle(due.claimed(effect.id)).await.unwrap());
    }
    plain.swap(write(&record("aa"), None, b"x"), at(900), at(0)).await.unwrap();

    let relay = Relay::to(server.port);
    let store = RedisStore::connect(&format!("redis://127.0.0.1:{}", relay.port)).unwrap();
    let one = Commit { deadline: None, ..full(first(fresh_call())) };
    relay.lose_answer_to(&one.call.to_string());
    assert_eq!(store.commit(&one, at(20)).await.unwrap(), Committed::AlreadyYours);

    let lost = claim(at(20));
    relay.lose_answer_to(&lost.lease.0.to_string());
    unavailable(store.claim(lost)).await;
    assert!(store.claim(claim(at(20))).await.unwrap().is_empty(), "they were claimed");
    let again = claim(at(40));
    assert_eq!(store.claim(again).await.unwrap().len(), 3);

    let of = |index: usize| Claimed {
        call: one.call,
        effect: one.effects[index].id,
        lease: again.lease,
    };
    relay.lose_answer_to(&again.lease.0.to_string());
    unavailable(store.settle(of(0))).await;
    assert!(!store.settle(of(0)).await.unwrap(), "it was settled");
    relay.lose_answer_to(&again.lease.0.to_string());
    unavailable(store.put_off(of(1), at(400), b"off".to_vec())).await;
    assert!(!store.put_off(of(1), at(400), b"off".to_vec()).await.unwrap(), "it was put off");

    let (key, value) = (record("bb"), b"a value that comes but once");
    relay.lose_answer_to("a value that comes but once");
    unavailable(store.swap(write(&key, None, value), at(900), at(0))).await;
    assert_eq!(store.read(&key).await.unwrap(), Some((Revision(1), value.to_vec())));
}

#[tokio::test]
async fn a_password_put_right_needs_no_new_store() {
    let server = RedisServer::start_with(&["--requirepass", "other"]);
    let url = server.url().replace("redis://", "redis://:hunter2@");
    let store = RedisStore::connect(&url).unwrap();
    let error = store.ping().await.expect_err("a wrong password").to_string();
    assert_eq!(
        error,
        "the store did not answer: Redis refused with WRONGPASS (the user or the password is wrong)"
    );

    let mut redis = RedisServer::connection(&server.url().replace("redis://", "redis://:other@"));
    let mut set = redis::cmd("CONFIG");
    set.arg("SET").arg("requirepass").arg("hunter2").exec(&mut redis).unwrap();
    store.ping().await.unwrap();
}

#[tokio::test]
async fn a_replica_is_unavailable_until_it_is_a_primary() {
    let server = RedisServer::start();
    let store = RedisStore::connect(&server.url()).unwrap();
    let mut redis = RedisServer::connection(&server.url());
    let mut replicaof = |host: &str, port: &str| {
        redis::cmd("REPLICAOF").arg(host).arg(port).exec(&mut redis).unwrap();
    };
    let one = first(fresh_call());
    // Port 1: a primary that never answers.
    replicaof("127.0.0.1", "1");
    unavailable(store.commit(&one, at(0))).await;
    replicaof("NO", "ONE");
    assert_eq!(store.commit(&one, at(0)).await.unwrap(), Committed::Applied);
}

#[tokio::test]
async fn what_callgate_did_not_write_is_corrupt_and_never_quoted() {
    let url = RedisServer::shared().database();
    let store = RedisStore::connect(&url).unwrap();
    let one = full(first(fresh_call()));
    store.commit(&one, at(0)).await.unwrap();
    store.swap(write(&record("aa"), None, b"hunter2"), at(9), at(0)).await.unwrap();

    let mut redis = RedisServer::connection(&url);
    let keys: Vec<String> = redis::cmd("KEYS").arg("*").query(&mut redis).unwrap();
    for key in &keys {
        let _: () = redis::cmd("DEL").arg(key).query(&mut redis).unwrap();
        let fields = redis::cmd("HSET")
            .arg(key)
            .arg("n")
            .arg("hunter2")
            .arg("r")
            .arg("hunter2")
            .query::<u32>(&mut redis);
        fields.unwrap();
    }
    let mut errors = vec![
        store.load(one.call).await.expect_err("not a number"),
        store.read(&record("aa")).await.expect_err("not a number"),
        store.journal(one.call).await.expect_err("not a list"),
        store.calls(9).await.expect_err("not a sorted set"),
        store.claim(claim(at(0))).await.expect_err("not a sorted set"),
    ];
    for key in &keys {
        let _: () = redis::cmd("SET").arg(key).arg("hunter2").query(&mut redis).unwrap();
    }
    errors.push(store.load(one.call).await.expect_err("not a hash"));
    errors.push(store.commit(&after(&one), at(0)).await.expect_err("not a hash"));
    for error in errors {
        assert!(matches!(error, StoreError::Corrupt(_)), "{error}");
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
    }
}
