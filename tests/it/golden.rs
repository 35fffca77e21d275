//! Calls that older versions left in stores must still be read: one golden state a version, for ever.

use std::sync::Arc;

use callgate::chance::SeededChance;
use callgate::clock::VirtualClock;
use callgate::diagnostic::{Problems, Sources};
use callgate::directory::Directory;
use callgate::directory::accounts::{Accounts, Secrets};
use callgate::engine::call::Call;
use callgate::engine::event::{Heard, Ring};
use callgate::engine::id::{CallId, Sid};
use callgate::engine::policy::Policy;
use callgate::engine::reply::Verb;
use callgate::exchange::{Exchange, ExchangeError, Parts, Request, Wants};
use callgate::flow::condition::Attestation;
use callgate::flow::level::Fact;
use callgate::phone::PhoneNumber;
use callgate::secret::Secret;
use callgate::store::Store;
use callgate::store::envelope::{Kind, Vault};
use callgate::store::memory::MemoryStore;

use crate::support::tree::root;

/// The last is what this version writes.
const GOLDENS: [&str; 4] = [
    "fixtures/state/v1/call.json",
    "fixtures/state/v2/call.sealed",
    "fixtures/state/v3/call.sealed",
    "fixtures/state/v4/call.sealed",
];
const KEY: [u8; 32] = [7; 32];
const DESK: &str = include_str!("e2e/desk.toml");

fn call_id() -> CallId {
    CallId::of("AC1", &Sid("CA1".into()))
}

/// An exchange over this store, with this flow, whatever is wrong with it.
fn exchange(store: Arc<dyn Store>, flow: &str) -> Exchange {
    let mut sources = Sources::default();
    sources.add("desk.toml", flow);
    let problems = Problems::default();
    let accounts = "[[accounts]]\nid = \"73195528\"\npin = \"860317\"\n\
        phones = [{ number = \"+15005550010\", line = \"mobile\", since = \"2024-01-01\" }]\n";
    Exchange::new(Parts {
        store,
        vault: Vault::new(&KEY),
        directory: Arc::new(Directory::new(Accounts::read(
            &"accounts".into(),
            accounts,
            Secrets::Plain,
            &problems,
        ))),
        clock: Arc::new(VirtualClock::at("2026-11-22T12:00:00Z".parse().unwrap())),
        chance: Arc::new(SeededChance::new(1)),
        policy: Policy::default(),
        flows: callgate::flow::read(&sources).0,
    })
}

fn ring() -> Wants {
    Wants::Ring(Box::new(Ring {
        call: call_id(),
        sid: Sid("CA1".into()),
        flow: "desk".into(),
        line: "+15005550006".into(),
        from: PhoneNumber::parse("+15005550777"),
        attestation: Attestation::A,
        forwarded: false,
        signals: std::collections::BTreeSet::new(),
    }))
}

/// One turn, and what the next is to spend.
async fn turn(exchange: &Exchange, wants: Wants, digits: &str) -> Result<Wants, ExchangeError> {
    let heard = Heard { digits: Secret::new(digits), ..Heard::default() };
    let sid = Sid("CA1".into());
    let request = Request { call: call_id(), sid, wants, heard, fallback_number: None };
    let (reply, _) = exchange.serve(&request).await?;
    let gather = reply.verbs.iter().find_map(|verb| match verb {
        Verb::Gather(gather) => Some(gather.action),
        _ => None,
    });
    Ok(Wants::Turn(gather.unwrap()))
}

/// A call that waits for its code, as this version stores it.
async fn stored_now() -> Vec<u8> {
    let exchange = exchange(Arc::new(MemoryStore::new()), DESK);
    let mut wants = ring();
    for digits in ["", "73195528", "860317", "1"] {
        wants = turn(&exchange, wants, digits).await.unwrap();
    }
    exchange.store().load(call_id()).await.unwrap().unwrap().state
}

fn open(state: &[u8]) -> Call {
    Vault::new(&KEY).open(Kind::Call, &call_id().to_string(), state).unwrap().read().unwrap()
}

#[tokio::test]
async fn a_call_of_every_version_is_read() {
    let root = root();
    if callgate::config::environment("UPDATE_GOLDEN").is_some() {
        // Written once, when the version is made; never again.
        let path = root.join(GOLDENS[GOLDENS.len() - 1]);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, stored_now().await).unwrap();
    }
    for golden in GOLDENS {
        let call = open(&std::fs::read(root.join(golden)).unwrap());
        assert_eq!(call.at.state.as_str(), "code", "{golden}");
        assert!(call.facts.has(Fact::Pin));
        assert_eq!((call.turns, call.sends, call.legs.len()), (4, 1, 1));
        assert!(call.code.is_some_and(|code| code.effect.is_some()));
        assert!(call.end.is_none());
    }
}

#[tokio::test]
async fn what_is_stored_shows_nothing_of_the_caller() {
    let state = stored_now().await;
    let shows = |text: &str| state.windows(text.len()).any(|part| part == text.as_bytes());
    for secret in ["73195528", "860317", "15005550010", "15005550777", "desk"] {
        assert!(!shows(secret));
    }
    assert_eq!(state[0], 4, "the version");
}

/// Of a flow that another release took, what is not understood here may be what keeps callers out.
#[tokio::test]
async fn a_call_does_not_go_on_with_a_flow_that_is_refused_here() {
    let store = Arc::new(MemoryStore::new());
    let other = DESK.replace("type = \"gather_pin\"\n", "type = \"gather_pin\"\nsince = 2030\n");
    let there = exchange(store.clone(), &other);
    let wants = turn(&there, ring(), "").await.unwrap();
    let here = exchange(store, DESK);
    let refused = turn(&here, wants.clone(), "73195528").await.unwrap_err();
    assert!(matches!(refused, ExchangeError::FlowRefused), "{refused}");
    assert!(turn(&there, wants, "73195528").await.is_ok());
}
