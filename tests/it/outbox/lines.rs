//! A line whose messages pile up keeps no other line waiting, nor a server what another could do.

use std::sync::Arc;

use callgate::clock::{Clock as _, SystemClock};
use callgate::exchange::Exchange;
use callgate::limits;
use callgate::outbox::Outbox;
use callgate::store::memory::MemoryStore;
use callgate::store::redb::RedbStore;
use callgate::store::redis::RedisStore;
use callgate::store::{RecordKey, Store, Swap};
use jiff::SignedDuration;
use tokio_util::sync::CancellationToken;

use super::{carrier, exchange, leave_message};
use crate::support::eventually::eventually_async;
use crate::support::house::vault;
use crate::support::provider::Provider;
use crate::support::redis::RedisServer;

const BUSY: &str = "+15005550006";
const QUIET: &str = "+15005550007";
/// Nobody answers for this one until all are answered.
const DEAD_END: &str = "+15005550010";
const MOBILE: &str = "+15005550011";
/// Far more than are done at once.
const PILE: usize = 300;

fn outbox(store: Arc<dyn Store>, provider: &Provider) -> (Arc<Exchange>, Arc<Outbox>) {
    let exchange = exchange(store, vault(), Arc::new(SystemClock));
    let outbox = Outbox::new(exchange.clone(), carrier(provider), None);
    (exchange, outbox)
}

/// Who is given more to do than can be done at once leaves it where others find it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_more_is_claimed_than_can_be_done_at_once() {
    let store = Arc::new(MemoryStore::default());
    let provider = Provider::start();
    provider.hang_for(DEAD_END);
    let (exchange, busy) = outbox(store.clone(), &provider);
    // So many lines that none of them is passed over for the others.
    let all = limits::OUTBOX_TASKS_MAX * 2;
    for number in 0..all {
        leave_message(&exchange, &format!("+1500555{number:04}"), DEAD_END, number).await;
    }
    let running = tokio::spawn(busy.run(CancellationToken::new()));
    let sent = |to: &str| {
        provider.look(|requests, _| requests.iter().filter(|r| r.field("To") == Some(to)).count())
    };
    eventually_async("a house full of them", async || {
        (sent(DEAD_END) >= limits::OUTBOX_TASKS_MAX).then_some(())
    })
    .await;
    // It looks again, and leaves the rest to another server, which is in time.
    exchange.outbox().notify_one();
    let other_provider = Provider::start();
    let (_, other) = outbox(store, &other_provider);
    let other = tokio::spawn(other.run(CancellationToken::new()));
    eventually_async("the other to do the rest", async || {
        (other_provider.messages().len() == all - limits::OUTBOX_TASKS_MAX).then_some(())
    })
    .await;
    assert_eq!(sent(DEAD_END), limits::OUTBOX_TASKS_MAX);
    running.abort();
    other.abort();
}

/// Whoever works off what is due also forgets what has expired.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_forget_what_has_expired() {
    let store = Arc::new(MemoryStore::default());
    let (exchange, outbox) = outbox(store.clone(), &Provider::start());
    let (key, now) = (RecordKey { kind: "probe", id: "00".into() }, SystemClock.now());
    let long_ago = now - SignedDuration::from_hours(2);
    let swap = Swap { key: &key, expected: None, value: b"x" };
    let until = now - SignedDuration::from_hours(1);
    assert!(store.swap(swap, until, long_ago).await.unwrap());
    let running = tokio::spawn(outbox.run(CancellationToken::new()));
    eventually_async("it to be forgotten", async || {
        exchange.store().read(&key).await.unwrap().is_none().then_some(())
    })
    .await;
    running.abort();
}

async fn a_pile_keeps_nobody_waiting(store: Arc<dyn Store>) {
    let provider = Provider::start();
    provider.hang_for(DEAD_END);
    let (exchange, outbox) = outbox(store, &provider);
    for number in 0..PILE {
        leave_message(&exchange, BUSY, DEAD_END, number).await;
    }
    let stop = CancellationToken::new();
    let running = tokio::spawn(outbox.run(stop.clone()));
    let sent = |to: &str| {
        provider.look(|requests, _| requests.iter().filter(|r| r.field("To") == Some(to)).count())
    };
    let half = limits::OUTBOX_TASKS_MAX / 2;
    eventually_async("the pile to take all it may", async || {
        (sent(DEAD_END) >= half).then_some(())
    })
    .await;
    // It was posted last, and none of those before it is done.
    leave_message(&exchange, QUIET, MOBILE, 0).await;
    eventually_async("the other line's message", async || (sent(MOBILE) == 1).then_some(())).await;
    assert_eq!(sent(DEAD_END), half, "the pile has half of the places, and those are not done");

    // What was passed over was no try, and comes when there is a place.
    provider.answer_all();
    eventually_async("the pile is worked off", async || {
        let keys: std::collections::BTreeSet<_> = provider.look(|requests, _| {
            let of_pile = requests.iter().filter(|r| r.field("To") == Some(DEAD_END));
            of_pile.map(|r| r.field("StatusCallback").unwrap().to_owned()).collect()
        });
        (keys.len() == PILE).then_some(())
    })
    .await;
    assert!(exchange.dead_letters().await.unwrap().is_empty());
    running.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pile_keeps_nobody_waiting_in_memory() {
    a_pile_keeps_nobody_waiting(Arc::new(MemoryStore::default())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pile_keeps_nobody_waiting_on_redb() {
    let directory = tempfile::tempdir().unwrap();
    let store = RedbStore::open(&directory.path().join("calls.redb")).unwrap();
    a_pile_keeps_nobody_waiting(Arc::new(store)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pile_keeps_nobody_waiting_on_redis() {
    let store = RedisStore::connect(&RedisServer::shared().database()).unwrap();
    a_pile_keeps_nobody_waiting(Arc::new(store)).await;
}
