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
use callgate::exchange::{Exchange, Parts, Request, Wants};
use callgate::flow::condition::Attestation;
use callgate::flow::level::Fact;
use callgate::phone::PhoneNumber;
use callgate::secret::Secret;
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

fn call_id() -> CallId {
    CallId::of("AC1", &Sid("CA1".into()))
}

/// A call that waits for its code, as this version stores it.
async fn stored_now() -> Vec<u8> {
    let mut sources = Sources::default();
    sources.add("desk.toml", include_str!("e2e/desk.toml"));
    let problems = Problems::default();
    let accounts = "[[accounts]]\nid = \"73195528\"\npin = \"860317\"\n\
        phones = [{ number = \"+15005550010\", line = \"mobile\", since = \"2024-01-01\" }]\n";
    let exchange = Exchange::new(Parts {
        store: Arc::new(MemoryStore::new()),
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
    });
    let mut wants = Wants::Ring(Box::new(Ring {
        call: call_id(),
        sid: Sid("CA1".into()),
        flow: "desk".into(),
        line: "+15005550006".into(),
        from: PhoneNumber::parse("+15005550777"),
        attestation: Attestation::A,
        forwarded: false,
        signals: std::collections::BTreeSet::new(),
    }));
    for digits in ["", "73195528", "860317", "1"] {
        let heard = Heard { digits: Secret::new(digits), ..Heard::default() };
        let sid = Sid("CA1".into());
        let request = Request { call: call_id(), sid, wants, heard, fallback_number: None };
        let (reply, _) = exchange.serve(&request).await.unwrap();
        let gather = reply.verbs.iter().find_map(|verb| match verb {
            Verb::Gather(gather) => Some(gather.action),
            _ => None,
        });
        wants = Wants::Turn(gather.unwrap());
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
