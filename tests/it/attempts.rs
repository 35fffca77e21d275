//! Guessing in parallel: 200 calls at once verify no more than the policy allows.

use std::sync::Arc;

use callgate::chance::SystemChance;
use callgate::clock::SystemClock;
use callgate::diagnostic::Problems;
use callgate::directory::Directory;
use callgate::directory::accounts::{Accounts, Secrets};
use callgate::engine::event::{Heard, Ring};
use callgate::engine::id::{CallId, Sid};
use callgate::engine::policy::Policy;
use callgate::engine::question::{Answer, Verdict};
use callgate::engine::reply::{Reply, Verb};
use callgate::exchange::{Exchange, Parts, Request, Wants};
use callgate::flow::condition::Attestation;
use callgate::secret::Secret;
use callgate::store::envelope::Vault;
use callgate::store::{self, Store};

use crate::support::redis::RedisServer;

const CALLS: usize = 200;
const ACCOUNT: &str = "73195528";

fn exchange(store: Arc<dyn Store>) -> Arc<Exchange> {
    let mut sources = callgate::diagnostic::Sources::default();
    sources.add("desk.toml", include_str!("e2e/desk.toml"));
    let (flows, findings) = callgate::flow::read(&sources);
    assert_eq!(findings, []);
    let problems = Problems::default();
    let accounts = format!("[[accounts]]\nid = \"{ACCOUNT}\"\npin = \"860317\"\n");
    let accounts = Accounts::read(&"accounts".into(), &accounts, Secrets::Plain, &problems);
    // Calls at once do not keep each other from the account: what is shown is the limit of its attempts.
    let mut policy = Policy::default();
    policy.shared.parallel_auth_sessions_per_account = u32::MAX;
    Arc::new(Exchange::new(Parts {
        store,
        vault: Vault::new(&[7; 32]),
        directory: Arc::new(Directory::new(accounts)),
        clock: Arc::new(SystemClock),
        chance: Arc::new(SystemChance),
        policy,
        flows,
    }))
}

async fn serve(exchange: &Exchange, call: CallId, sid: &Sid, wants: Wants, digits: &str) -> Reply {
    let heard = Heard { digits: Secret::new(digits), ..Heard::default() };
    let request = Request { call, sid: sid.clone(), wants, heard, fallback_number: None };
    exchange.serve(&request).await.unwrap().0
}

fn next(reply: &Reply) -> Wants {
    let gather = reply.verbs.iter().find_map(|verb| match verb {
        Verb::Gather(gather) => Some(gather.action),
        _ => None,
    });
    Wants::Turn(gather.unwrap())
}

/// Rings and claims the account: the call waits for its PIN.
async fn ring_to_pin(exchange: &Exchange, sid: Sid) -> (CallId, Sid, Wants) {
    let call = CallId::of("AC1", &sid);
    let ring = Ring {
        call,
        sid: sid.clone(),
        flow: "desk".into(),
        line: "+15005550006".into(),
        from: None,
        attestation: Attestation::None,
        forwarded: false,
        signals: std::collections::BTreeSet::new(),
    };
    let reply = serve(exchange, call, &sid, Wants::Ring(Box::new(ring)), "").await;
    let reply = serve(exchange, call, &sid, next(&reply), ACCOUNT).await;
    (call, sid, next(&reply))
}

async fn guess_in_parallel(store: Arc<dyn Store>) {
    let exchange = exchange(store);
    let mut ready = Vec::new();
    for n in 0..CALLS {
        ready.push(ring_to_pin(&exchange, Sid(format!("CA{n}"))).await);
    }
    let guesses: Vec<_> = ready
        .into_iter()
        .map(|(call, sid, wants)| {
            let exchange = exchange.clone();
            tokio::spawn(async move {
                serve(&exchange, call, &sid, wants, "111222").await;
                call
            })
        })
        .collect();
    let (mut verified, mut refused) = (0, 0);
    for guess in guesses {
        let journal = exchange.journal(guess.await.unwrap()).await.unwrap();
        for answer in journal.iter().flat_map(|entry| &entry.answers) {
            match answer.verdict() {
                Some(Verdict::Wrong) => verified += 1,
                Some(Verdict::Locked) => refused += 1,
                Some(Verdict::Right) => panic!("a wrong PIN was right"),
                _ => {}
            }
        }
    }
    let limit = usize::try_from(Policy::default().pin.soft_limit).unwrap();
    assert_eq!((verified, refused), (limit, CALLS - limit));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_parallel_guesses_verify_five_on_redb() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("embedded:{}", folder.path().join("s.redb").display());
    guess_in_parallel(store::open(&url).await.unwrap()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_parallel_guesses_verify_five_on_redis() {
    let redis = RedisServer::start();
    guess_in_parallel(store::open(&redis.url()).await.unwrap()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guesses_through_two_servers_share_one_limit() {
    let redis = RedisServer::start();
    let (one, two) =
        tokio::join!(async { exchange(store::open(&redis.url()).await.unwrap()) }, async {
            exchange(store::open(&redis.url()).await.unwrap())
        });
    let mut guesses = Vec::new();
    for n in 0..60 {
        let exchange = if n % 2 == 0 { one.clone() } else { two.clone() };
        guesses.push(tokio::spawn(async move {
            let (call, sid, wants) = ring_to_pin(&exchange, Sid(format!("CB{n}"))).await;
            serve(&exchange, call, &sid, wants, "111222").await;
            let journal = exchange.journal(call).await.unwrap();
            let wrong = |answer: &&Answer| answer.verdict() == Some(Verdict::Wrong);
            journal.iter().flat_map(|entry| &entry.answers).filter(wrong).count()
        }));
    }
    let mut verified = 0;
    for guess in guesses {
        verified += guess.await.unwrap();
    }
    assert_eq!(verified, usize::try_from(Policy::default().pin.soft_limit).unwrap());
}
