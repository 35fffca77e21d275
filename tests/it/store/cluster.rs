//! The store in several Redis at once: a cluster, and a primary that Sentinels watch.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use callgate::store::redis::RedisStore;
use callgate::store::{Commit, Committed, Held, Options, Replicas, Store, StoreError, open_with};
use futures_util::future::join_all;

use super::{after, at, claim, effect, first, fresh_call};
use crate::support::cluster::{RedisCluster, Watched, said};
use crate::support::eventually::{eventually, eventually_async};
use crate::support::redis::RedisServer;
use crate::support::relay::Relay;

#[tokio::test]
async fn calls_spread_over_the_primaries_of_a_cluster() {
    let (cluster, _alone) = RedisCluster::alone().await;
    let store = RedisStore::connect(&cluster.url()).unwrap();
    for _ in 0..60 {
        assert_eq!(store.commit(&first(fresh_call()), at(0)).await.unwrap(), Committed::Applied);
    }
    let sizes: Vec<u32> =
        cluster.primaries().map(|node| said(node, &["DBSIZE"]).trim().parse().unwrap()).collect();
    assert_eq!(sizes.len(), 3);
    // By chance one may have few of them.
    assert!(sizes.iter().all(|size| *size > 6), "{sizes:?}");
}

#[tokio::test]
async fn a_slot_that_has_moved_is_found() {
    let cluster = RedisCluster::start();
    let store = RedisStore::connect(&cluster.url()).unwrap();
    let calls: Vec<_> = (0..30).map(|_| first(fresh_call())).collect();
    for call in &calls {
        store.commit(call, at(0)).await.unwrap();
    }
    // Every replica takes over from its primary, which goes on as its replica.
    for node in cluster.nodes.iter().filter(|node| said(node, &["ROLE"]).starts_with("slave")) {
        let mut told = None;
        eventually_async("the replica to take over", async || {
            // Redis gives it up after five seconds.
            if told.is_none_or(|at: Instant| at.elapsed() > Duration::from_secs(6)) {
                said(node, &["CLUSTER", "FAILOVER"]);
                told = Some(Instant::now());
            }
            said(node, &["ROLE"]).starts_with("master").then_some(())
        })
        .await;
    }
    for call in &calls {
        let next = after(call);
        assert_eq!(store.commit(&next, at(1)).await.unwrap(), Committed::Applied);
        assert_eq!(store.journal(call.call).await.unwrap().len(), 2);
    }
}

/// A slot goes from one primary to another key by key. What is in one key is found wherever it is by then; a turn
/// needs several, and is taken when they have all arrived, and once.
#[tokio::test]
async fn a_slot_on_its_way_is_followed_and_no_turn_is_torn() {
    let (cluster, _alone) = RedisCluster::alone().await;
    let store = RedisStore::connect(&cluster.url()).unwrap();
    let mut one = first(fresh_call());
    one.effects = vec![effect(&one, 0, at(0))];
    store.commit(&one, at(0)).await.unwrap();

    let pattern = format!("*:call:{}", one.call);
    let holds = |node: &&RedisServer| !said(node, &["KEYS", &pattern]).trim().is_empty();
    let from = cluster.primaries().find(holds).unwrap();
    let to = cluster.primaries().find(|node| node.port != from.port).unwrap();
    let call_key = said(from, &["KEYS", &pattern]).trim().to_owned();
    let slot = said(from, &["CLUSTER", "KEYSLOT", &call_key]).trim().to_owned();
    let id = |node: &RedisServer| said(node, &["CLUSTER", "MYID"]).trim().to_owned();
    let set = |node: &RedisServer, how: &str, other: &RedisServer| {
        let told = said(node, &["CLUSTER", "SETSLOT", &slot, how, &id(other)]);
        assert_eq!(told.trim(), "OK");
    };
    let port = to.port.to_string();
    let send = |keys: &[&str]| {
        let command = [&["MIGRATE", "127.0.0.1", &port, "", "0", "5000", "KEYS"], keys].concat();
        assert_eq!(said(from, &command).trim(), "OK");
    };
    set(to, "IMPORTING", from);
    set(from, "MIGRATING", to);
    send(&[&call_key]);
    let next = after(&one);
    let torn = store.commit(&next, at(1)).await.unwrap_err();
    assert!(matches!(torn, StoreError::Unavailable(_)), "{torn}");
    assert_eq!(store.load(one.call).await.unwrap().unwrap().version, one.version);

    // Now all of it has arrived, and only the primary that it came from says so.
    let rest = said(from, &["CLUSTER", "GETKEYSINSLOT", &slot, "100"]);
    send(&rest.lines().collect::<Vec<_>>());
    assert_eq!(store.load(one.call).await.unwrap().unwrap().version, one.version);
    said(to, &["SCRIPT", "FLUSH"]);
    for node in [to, from].into_iter().chain(cluster.primaries()) {
        set(node, "NODE", to);
    }
    assert_eq!(store.commit(&next, at(1)).await.unwrap(), Committed::Applied);
    assert_eq!(store.commit(&next, at(1)).await.unwrap(), Committed::AlreadyYours);
    assert_eq!(store.journal(one.call).await.unwrap().len(), 2);
    assert_eq!(store.claim(claim(at(1))).await.unwrap().len(), 1);
}

#[tokio::test]
async fn the_loss_of_a_primary_is_over_when_its_replica_has_taken_over() {
    let mut cluster = RedisCluster::start();
    // Each turn is with a replica before it is answered: so none is lost.
    let replicas = Some(Replicas { count: 1, within_ms: 500 });
    let options = Options { replicas, ..Options::default() };
    let store = RedisStore::connect_with(&cluster.url(), &options).unwrap();
    let mut calls: Vec<_> = (0..30).map(|_| first(fresh_call())).collect();
    for call in &calls {
        replicated(&store, call).await;
    }
    let lost = cluster.nodes.iter().position(|node| said(node, &["ROLE"]).starts_with("master"));
    cluster.nodes[lost.unwrap()].stop();

    // The other two primaries' calls go on; those of the lost one as soon as its replica may write.
    let store = RedisStore::connect(&cluster.url()).unwrap();
    for call in &mut calls {
        let next = after(call);
        let committed = eventually_async("the turn to be written", async || {
            store.commit(&next, at(1)).await.ok()
        });
        // A turn that timed out may have been written.
        let committed = committed.await;
        assert!(matches!(committed, Committed::Applied | Committed::AlreadyYours));
        assert_eq!(store.journal(call.call).await.unwrap().len(), 2);
        *call = next;
    }

    // Where one must have each turn, it is the replicas of whoever holds the call that are asked: the lost
    // one's calls have none now.
    let store = RedisStore::connect_with(&cluster.url(), &options).unwrap();
    let mut count = 0;
    // One after the other: a server that waits for its replicas lets the connection wait too.
    for call in &calls {
        let next = after(call);
        let answered =
            eventually_async("an answer", async || match store.commit(&next, at(2)).await {
                Ok(_) => Some(true),
                Err(error) => {
                    error.to_string().contains("0 of 1 replicas have it").then_some(false)
                }
            });
        count += usize::from(answered.await);
    }
    assert!((1..calls.len()).contains(&count), "{count} turns were answered");
}

#[tokio::test]
async fn a_primary_that_stands_still_is_left_behind_and_nothing_claimed_is_lost() {
    let cluster = RedisCluster::start();
    let store = with_effects_to_claim(&cluster).await;
    cluster.primaries().next().unwrap().freeze();

    // No lease ends, for the clock stands still too: what is claimed and not handed out is never seen.
    let mut count = 0;
    eventually_async("the effects of all partitions to be claimed", async || {
        count += store.claim(claim(at(1))).await.map_or(0, |due| due.len());
        (count == 60).then_some(())
    })
    .await;
}

#[tokio::test]
async fn partitions_that_are_gone_keep_nothing_of_the_others_back() {
    let mut cluster = RedisCluster::start();
    for node in &cluster.nodes {
        said(node, &["CONFIG", "SET", "cluster-require-full-coverage", "no"]);
    }
    let store = with_effects_to_claim(&cluster).await;
    let lost = cluster.primaries().next().unwrap().port;
    let others: BTreeSet<String> = cluster
        .primaries()
        .filter(|node| node.port != lost)
        .flat_map(|node| {
            let keys = said(node, &["KEYS", "*:call:*"]);
            keys.lines()
                .filter_map(|key| Some(key.rsplit_once(':')?.1.to_owned()))
                .collect::<Vec<_>>()
        })
        .collect();
    assert!((1..60).contains(&others.len()));
    let follows = format!("slave\n127.0.0.1\n{lost}\n");
    for node in &mut cluster.nodes {
        if node.port == lost || said(node, &["ROLE"]).starts_with(&follows) {
            node.stop();
        }
    }

    // What is claimed in vain, for its answer is late, is due again when its lease ends.
    let (mut claimed, mut now) = (BTreeSet::new(), 1);
    eventually_async("the others' effects to be claimed", async || {
        now += 1_000;
        let due = store.claim(claim(at(now))).await.unwrap_or_default();
        claimed.extend(due.into_iter().map(|due| due.call.to_string()));
        (claimed.len() >= others.len()).then_some(())
    })
    .await;
    assert_eq!(claimed, others);
}

/// Sixty calls in all partitions, each with an effect, and each with a replica.
async fn with_effects_to_claim(cluster: &RedisCluster) -> RedisStore {
    let replicas = Some(Replicas { count: 1, within_ms: 500 });
    let options = Options { replicas, ..Options::default() };
    let store = RedisStore::connect_with(&cluster.url(), &options).unwrap();
    for _ in 0..60 {
        let mut call = first(fresh_call());
        call.effects = vec![effect(&call, 0, at(0))];
        replicated(&store, &call).await;
    }
    store
}

/// Commits a turn, and again until a replica has it.
async fn replicated(store: &RedisStore, commit: &Commit) {
    eventually_async("a replica to have it", async || store.commit(commit, at(0)).await.ok()).await;
}

#[tokio::test]
async fn a_turn_that_no_replica_has_is_not_answered_where_one_must() {
    let mut watched = Watched::start(1);
    let replicas = Some(Replicas { count: 1, within_ms: 300 });
    let store = async |count: u32| {
        let replicas = replicas.map(|replicas| Replicas { count, ..replicas });
        let options = Options { replicas, ..Options::default() };
        open_with(&watched.url(), &options).await.unwrap()
    };
    let (two_must, store) = (store(2).await, store(1).await);
    let one = first(fresh_call());
    eventually_async("the one replica to have it", async || store.commit(&one, at(0)).await.ok())
        .await;
    eventually_async("one of two to be too few", async || {
        let error = two_must.commit(&one, at(0)).await.unwrap_err().to_string();
        error.contains("1 of 2 replicas have it").then_some(())
    })
    .await;

    watched.replicas[0].stop();
    let next = after(&one);
    // It was written; that makes no replica have it, however often it is asked for.
    for _ in 0..2 {
        let error = store.commit(&next, at(1)).await.unwrap_err().to_string();
        assert!(error.contains("0 of 1 replicas have it"), "{error}");
    }
    // Nor does it if somebody else reads it, who has written nothing.
    let options = Options { replicas, ..Options::default() };
    let other = open_with(&watched.url(), &options).await.unwrap();
    let error = other.hold(Held::Call(one.call)).await.unwrap_err().to_string();
    assert!(error.contains("0 of 1 replicas have it"), "{error}");
}

/// A replica that is far away is waited for by many turns at once, and what needs none is not kept waiting by them.
#[tokio::test]
async fn turns_that_wait_for_a_replica_stand_in_no_line() {
    const TURNS: u32 = 64;
    const ALONE: u32 = 4;
    let away = Duration::from_millis(50);
    let primary = RedisServer::start();
    let relay = Relay::to(primary.port);
    let of = format!("127.0.0.1 {}", relay.port);
    let _replica = RedisServer::start_with(&["--replicaof", &of]);
    // Long enough for one that stands behind others on its connection, on a machine that is busy otherwise.
    let replicas = Some(Replicas { count: 1, within_ms: 2_000 });
    let options = Options { replicas, ..Options::default() };
    let store = RedisStore::connect_with(&primary.url(), &options).unwrap();
    replicated(&store, &first(fresh_call())).await;
    relay.slow_down(away);
    // What one takes here and now, of which a busy machine makes more.
    let begun = Instant::now();
    for _ in 0..ALONE {
        store.commit(&first(fresh_call()), at(0)).await.unwrap();
    }
    let one = begun.elapsed() / ALONE;
    assert!(one >= away, "it is waited for: {one:?}");
    let begun = Instant::now();
    let turns = (0..TURNS).map(|_| async {
        store.commit(&first(fresh_call()), at(0)).await.unwrap();
        begun.elapsed()
    });
    let reads = async {
        for _ in 0..10 {
            assert_eq!(store.load(fresh_call()).await.unwrap(), None);
        }
        begun.elapsed()
    };
    let (turns, read) = tokio::join!(join_all(turns), reads);
    let all = turns.into_iter().max().unwrap();
    assert!(all >= away, "they are waited for: {all:?}");
    assert!(all < TURNS * 3 / 4 * one, "one after the other: {all:?}, and one {one:?}");
    assert!(read < all, "ten reads took {read:?}, and the turns {all:?}");
}

/// Whoever is asked last whether replicas have a turn may be another primary by then, which never had it: its replicas
/// are no witnesses.
#[tokio::test]
async fn replicas_answer_for_what_their_own_primary_has() {
    let (old, new) = (Replicated::start(), Replicated::start());
    let way = Relay::to(old.primary.port);
    let replicas = Some(Replicas { count: 1, within_ms: 300 });
    let options = Options { replicas, ..Options::default() };
    let url = format!("redis://127.0.0.1:{}", way.port);
    let store = RedisStore::connect_with(&url, &options).unwrap();
    store.commit(&first(fresh_call()), at(0)).await.unwrap();
    let one = first(fresh_call());
    way.fail_over_at("WAIT", new.primary.port);
    let committed = store.commit(&one, at(0)).await;
    let stored = RedisStore::connect(&new.primary.url()).unwrap().load(one.call).await.unwrap();
    assert!(committed.is_err() || stored.is_some(), "{committed:?}, and nobody has it");
    // The one that is asked again says so after no other turn of its own.
    assert!(store.commit(&one, at(0)).await.is_ok());
}

/// A primary and its replica.
struct Replicated {
    primary: RedisServer,
    _replica: RedisServer,
}

impl Replicated {
    fn start() -> Self {
        let primary = RedisServer::start();
        let port = primary.port.to_string();
        let replica = RedisServer::start_with(&["--replicaof", "127.0.0.1", &port]);
        eventually("the replica to follow", || {
            said(&replica, &["INFO", "replication"]).contains("master_link_status:up").then_some(())
        });
        Self { primary, _replica: replica }
    }
}

#[tokio::test]
async fn sentinels_lead_to_the_new_primary() {
    let watched = Watched::start(1);
    let store = RedisStore::connect(&watched.url()).unwrap();
    let one = first(fresh_call());
    assert_eq!(store.commit(&one, at(0)).await.unwrap(), Committed::Applied);
    eventually_async("the replica to have the call", async || {
        (said(&watched.replicas[0], &["DBSIZE"]).trim() != "0").then_some(())
    })
    .await;

    // It says nothing any more, which is worse than to be gone: nothing is refused.
    watched.primary.freeze();
    let next = after(&one);
    let committed = eventually_async("the new primary to take the turn", async || {
        let committed = tokio::time::timeout(Duration::from_secs(4), store.commit(&next, at(1)));
        committed.await.expect("an answer in time, whatever it is").ok()
    });
    assert_eq!(committed.await, Committed::Applied);
    assert!(said(&watched.replicas[0], &["ROLE"]).starts_with("master"));
    assert_eq!(store.journal(one.call).await.unwrap().len(), 2);
}

/// Until the Sentinels have made a replica of it, a primary that was replaced takes what it will forget then.
#[tokio::test]
async fn a_primary_that_was_replaced_is_left_though_it_answers() {
    let watched = Watched::start(1);
    let store = RedisStore::connect(&watched.url()).unwrap();
    store.ping().await.unwrap();
    // They never can.
    said(&watched.primary, &["ACL", "SETUSER", "default", "-replicaof", "-slaveof"]);
    watched.fail_over();
    let new = RedisStore::connect(&watched.replicas[0].url()).unwrap();
    eventually_async("a turn to be taken by the new primary", async || {
        let one = first(fresh_call());
        assert_eq!(store.commit(&one, at(0)).await.unwrap(), Committed::Applied);
        new.load(one.call).await.unwrap().map(drop)
    })
    .await;
    assert!(said(&watched.primary, &["ROLE"]).starts_with("master"));
}
