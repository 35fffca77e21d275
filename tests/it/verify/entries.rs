//! What is made of an entry that the provider is asked about: by two servers at once, and again and again.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use callgate::carrier::{Delivery, Reference};
use callgate::engine::effect::BeginVerification;
use callgate::engine::id::Sid;
use callgate::engine::policy::Policy;
use callgate::engine::question::Verdict;
use callgate::outbound::verifications::Verifications;
use callgate::outbox::Outbox;
use callgate::phone::PhoneNumber;
use callgate::secret::Secret;
use callgate::store::Store;
use callgate::store::memory::MemoryStore;
use tokio::sync::Semaphore;

use crate::threats::office::{ACCOUNT, DESK, Office, account};

/// A provider that says the same of every entry, once it is let.
#[derive(Debug)]
struct Says {
    verdict: Verdict,
    asked: AtomicUsize,
    leave: Semaphore,
}

impl Says {
    fn new(verdict: Verdict, leave: usize) -> Arc<Self> {
        Arc::new(Self { verdict, asked: AtomicUsize::new(0), leave: Semaphore::new(leave) })
    }
}

#[async_trait]
impl Verifications for Says {
    async fn begin(&self, _: Reference, _: &BeginVerification) -> Delivery {
        Delivery::Accepted(Sid("VE1".into()))
    }

    async fn check(&self, _: Option<&PhoneNumber>, _: &Secret, _: tokio::time::Instant) -> Verdict {
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.leave.acquire().await.unwrap().forget();
        self.verdict
    }

    async fn wait(&self, _: tokio::time::Instant) {}
}

/// An office whose codes are that provider's.
fn office(store: Arc<dyn Store>, flow: &str, provider: &Arc<Says>) -> Office {
    let mut policy = Policy::default();
    policy.otp.by_provider = true;
    policy.otp.resend_backoff_s = vec![0];
    policy.pin.soft_limit = 100;
    let Office { exchange, clock, outbox, world } =
        Office::under(policy, store, flow, &account(ACCOUNT, "2024-01-01"));
    drop(outbox);
    let exchange = Arc::into_inner(exchange).unwrap().verifying_with(provider.clone());
    let exchange = Arc::new(exchange);
    let outbox = Outbox::new(exchange.clone(), world.clone(), Some(world.clone()));
    Office { exchange, clock, outbox, world }
}

/// Of two servers that take the same turn one asks, and both go by what it is told.
#[tokio::test]
async fn servers_that_take_the_same_turn_ask_once() {
    let store = Arc::new(MemoryStore::default());
    let provider = Says::new(Verdict::Right, 0);
    let [one, other] = [(); 2].map(|()| office(store.clone(), DESK, &provider));
    let mut line = one.ring_to_menu("CA1").await;
    line.key("1").await;
    one.outbox.drain().await.unwrap();
    let mut same = line.copy_at(&other);
    // From here on nobody waits longer than it takes.
    tokio::time::pause();
    let asked = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        provider.leave.add_permits(1);
    };
    tokio::join!(line.key("048213"), same.key("048213"), asked);
    assert!(line.spoken().starts_with("Your balance is"), "{}", line.spoken());
    assert_eq!(same.reply, line.reply);
    assert_eq!(provider.asked.load(Ordering::SeqCst), 1);
}

/// The provider sends the same code again, and how often it may be tried is not begun anew.
#[tokio::test]
async fn a_code_that_is_sent_again_is_tried_no_more_often() {
    let flow = DESK.replace("type = \"gather_otp\"", "type = \"gather_otp\"\ntries = 9");
    let provider = Says::new(Verdict::Wrong, 100);
    let office = office(Arc::new(MemoryStore::default()), &flow, &provider);
    let checks = usize::from(office.exchange.policy().otp.checks);
    let mut line = office.ring_to_menu("CA1").await;
    for key in ["1", "000001", "*", "000002", "*", "000003", "000004", "000005", "000006"] {
        line.key(key).await;
    }
    assert!(line.spoken().contains("Key in the six digits"), "{}", line.spoken());
    assert_eq!((checks, provider.asked.load(Ordering::SeqCst)), (3, 3));
}

/// A server whose copy of the call is out of date takes the turn once more, in vain: it is told what the first was.
#[tokio::test]
async fn a_server_that_comes_later_asks_no_more() {
    let store = Arc::new(MemoryStore::default());
    let provider = Says::new(Verdict::Right, 2);
    let [one, other] = [(); 2].map(|()| office(store.clone(), DESK, &provider));
    let mut late = other.ring_to_menu("CA1").await;
    late.key("1").await;
    other.outbox.drain().await.unwrap();
    let mut first = late.copy_at(&one);
    first.key("048213").await;
    late.key("048213").await;
    assert!(late.spoken().starts_with("Your balance is"), "{}", late.spoken());
    assert_eq!(late.reply, first.reply);
    assert_eq!(provider.asked.load(Ordering::SeqCst), 1);
}

/// Of nobody's code a provider says neither that it has expired nor that it was tried too often: who has proved
/// nothing yet hears of neither.
#[tokio::test]
async fn a_stranger_hears_of_no_code_that_there_is_one() {
    let flow = DESK.replace(
        "{ found = \"pin\", unknown = \"pin\" }",
        "{ found = \"menu\", unknown = \"menu\" }",
    );
    let mut heard = Vec::new();
    for (claimed, verdict) in [
        ("99999999", Verdict::Wrong),
        (ACCOUNT, Verdict::Wrong),
        (ACCOUNT, Verdict::Expired),
        (ACCOUNT, Verdict::Exhausted),
    ] {
        let provider = Says::new(verdict, 9);
        let office = office(Arc::new(MemoryStore::default()), &flow, &provider);
        let mut line = office.ring("CA1").await;
        let mut words = Vec::new();
        for key in [claimed, "1", "048213", "048214", "048215"] {
            line.key(key).await;
            words.push(line.spoken());
        }
        heard.push(words);
    }
    heard.dedup();
    assert_eq!(heard.len(), 1, "{heard:?}");
}
