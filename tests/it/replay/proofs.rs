//! Callers who know their secrets, and do anything with them: what the running call has proved is never
//! less than what the checker says it may have.

use std::collections::BTreeSet;
use std::time::Duration;

use callgate::check::{Arrival, arrivals};
use callgate::demo;
use callgate::diagnostic::Sources;
use callgate::engine::call::{Call, Role};
use callgate::engine::event::{AnsweredBy, DialStatus, Heard, LegStatus, QueueResult};
use callgate::flow::level::Fact;
use callgate::flow::state::Kind;
use callgate::flow::{self, FlowSet};
use callgate::phone::PhoneNumber;
use callgate::replay::provider::Provider;
use callgate::replay::telephone::Doing;
use callgate::secret::Secret;
use jiff::Timestamp;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::anything::setup;

/// What the caller is up to in a turn.
#[derive(Clone, Debug)]
enum Wish {
    /// What is asked for: the account, the PIN, the code.
    Right,
    /// A key.
    Key(char),
    Silence,
    Wait(u64),
    Undelivered,
}

fn wish() -> impl Strategy<Value = Wish> {
    prop_oneof![
        6 => Just(Wish::Right),
        5 => prop::char::range('0', '6').prop_map(Wish::Key),
        2 => Just(Wish::Silence),
        2 => (1_u64..200).prop_map(Wish::Wait),
        1 => Just(Wish::Undelivered),
    ]
}

fn keys(keys: &str) -> Heard {
    Heard { digits: Secret::new(keys), ..Heard::default() }
}

fn code_sent(provider: &Provider) -> String {
    let messages = provider.world().messages(provider.call_id().unwrap());
    let body = messages.last().map(|message| message.body.expose().to_owned()).unwrap_or_default();
    let runs = body.split(|c: char| !c.is_ascii_digit());
    runs.rev().find(|run| run.len() == 6).unwrap_or("000000").to_owned()
}

/// Does what the wish says where the call is; what cannot be done now is not.
async fn act(provider: &mut Provider, flows: &FlowSet, call: &Call, wish: &Wish) {
    match wish {
        Wish::Wait(seconds) => {
            let deeds = provider.wait(Duration::from_secs(*seconds)).await.unwrap();
            let _ = provider.follow(&deeds).await;
            return;
        }
        Wish::Undelivered => {
            let _ = provider.message_status(false).await;
            return;
        }
        _ => {}
    }
    let flow = flows.get(call.at.flow.as_str()).unwrap();
    let kind = &flow.state(&call.at.state).unwrap().kind;
    if matches!(kind, Kind::Callback(_)) && matches!(wish, Wish::Right) {
        let code = provider.said().map(|code| code.expose().to_owned()).unwrap_or_default();
        let _ = provider.answer(AnsweredBy::Human).await;
        let _ = provider.hear(Role::Callback, keys(&code)).await;
    }
    let Ok(role) = provider.speaking().await else { return };
    let heard = match &provider.telephone(role).unwrap().doing {
        Doing::Dials(_) => Heard { dial: Some(DialStatus::Busy), ..Heard::default() },
        Doing::Queues(_) => Heard { queue: Some(QueueResult::Full), ..Heard::default() },
        Doing::Over => {
            let _ = provider.status(role, LegStatus::Completed).await;
            return;
        }
        Doing::Listens(_) => match (wish, kind) {
            (Wish::Key(key), _) => keys(&key.to_string()),
            (Wish::Right, Kind::Identify(_)) => keys("12345678"),
            (Wish::Right, Kind::GatherPin(_)) => keys("730495"),
            (Wish::Right, Kind::GatherOtp(_)) => keys(&code_sent(provider)),
            _ => Heard::default(),
        },
        _ => Heard::default(),
    };
    let _ = provider.hear(role, heard).await;
}

/// Whether the checker has said that the call may be so.
fn is_foreseen(
    call: &Call,
    before: &Call,
    foreseen: &[Arrival],
    kind: &Kind,
    at: Timestamp,
) -> bool {
    let now = call.facts.0.iter();
    // A claim drops what was proved when its state is entered, and a call back proves something while
    // its state waits.
    let now: Vec<_> = match kind {
        Kind::Identify(_) => return true,
        Kind::Callback(_) => now.filter(|(fact, _)| **fact != Fact::Callback).collect(),
        _ => now.collect(),
    };
    let oldest = foreseen.iter().flat_map(|arrival| arrival.facts.values()).max();
    let entered = call.at != before.at;
    foreseen.iter().any(|arrival| {
        let mut facts = arrival.facts.clone();
        if matches!(kind, Kind::Callback(_)) {
            facts.remove(&Fact::Callback);
        }
        arrival.at == (call.at.flow.clone(), call.at.state.clone())
            && facts.len() == now.len()
            && now.iter().all(|(fact, proof)| {
                let age_s = at.duration_since(proof.at).as_secs();
                facts.get(*fact).is_some_and(|most_s| {
                    !entered || Some(most_s) == oldest || age_s <= i64::from(*most_s)
                })
            })
    })
}

async fn live(flows: &FlowSet, start: &str, seed: u64, wishes: &[Wish]) -> BTreeSet<Fact> {
    let flows = flows.closure(start).unwrap();
    let foreseen = arrivals(&flows, start);
    let mut provider = Provider::new(setup(&flows, start, seed));
    provider.ring(PhoneNumber::parse("+15005550099")).await.unwrap();
    let mut proved = BTreeSet::new();
    for wish in wishes {
        let before = provider.call().await.unwrap().unwrap();
        if before.end.is_some() {
            break;
        }
        act(&mut provider, &flows, &before, wish).await;
        for _ in 0..20 {
            let deeds = provider.settle().await.unwrap();
            if deeds.is_empty() {
                break;
            }
            let _ = provider.follow(&deeds).await;
        }
        let call = provider.call().await.unwrap().unwrap();
        proved.extend(call.facts.0.keys().copied());
        let state = flows.get(call.at.flow.as_str()).unwrap().state(&call.at.state).unwrap();
        assert!(
            is_foreseen(&call, &before, &foreseen, &state.kind, provider.now()),
            "{start}, {wish:?}: {:?} with {:?}",
            call.at,
            call.facts
        );
    }
    for hop in provider.hops().await {
        let at = (hop.at.flow, hop.at.state);
        assert!(foreseen.iter().any(|arrival| arrival.at == at), "{at:?} was not foreseen");
    }
    proved
}

#[test]
fn what_is_proved_was_foreseen() {
    let mut sources = Sources::default();
    for (name, text) in demo::flows().iter() {
        sources.add(name, text.clone());
    }
    sources.add("desk.toml", include_str!("../e2e/desk.toml"));
    sources.add("counter.toml", include_str!("../../../fixtures/calls/flows/counter.toml"));
    let (flows, _) = flow::read(&sources);
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let config = Config { cases: 200, failure_persistence: None, ..Config::default() };
    let start = prop::sample::select(vec!["bank", "clinic", "desk", "counter"]);
    let calls = (start, any::<u64>(), prop::collection::vec(wish(), 0..40));
    let proved = std::cell::RefCell::new(BTreeSet::new());
    let all = BTreeSet::from([Fact::Pin, Fact::SmsOtp, Fact::EmailOtp, Fact::Callback]);
    // Some proofs are given in one call of many: more calls are made until each has been.
    for _ in 0..20 {
        TestRunner::new(config.clone())
            .run(&calls, |(start, seed, wishes)| {
                proved.borrow_mut().extend(runtime.block_on(live(&flows, start, seed, &wishes)));
                Ok(())
            })
            .unwrap();
        if proved.borrow().is_superset(&all) {
            break;
        }
    }
    assert_eq!(proved.into_inner(), all, "every proof is given by somebody");
}
