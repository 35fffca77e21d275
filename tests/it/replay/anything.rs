//! Callers who do anything at all.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use callgate::demo;
use callgate::directory::Directory;
use callgate::engine::account::Claim;
use callgate::engine::call::{Call, Role};
use callgate::engine::event::{AnsweredBy, DialStatus, Heard, LegStatus, QueueResult};
use callgate::engine::id::Nonce;
use callgate::engine::policy::Policy;
use callgate::flow::condition::Attestation;
use callgate::flow::{self, FlowSet};
use callgate::phone::PhoneNumber;
use callgate::replay::default_clock;
use callgate::replay::provider::{Answered, Lapse, Provider, Setup};
use callgate::replay::telephone::Doing;
use callgate::secret::Secret;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use uuid::Uuid;

/// Something that happens to a call.
#[derive(Clone, Debug)]
enum Input {
    Digits(Role, String),
    Speech(Role, String),
    Silence(Role),
    Resume(Role),
    Again,
    Stale(Role),
    MadeUp(Role, u128),
    Wait(u64),
    Answered(AnsweredBy),
    Status(Role, LegStatus),
    Message(bool),
    Whisper,
    Dial(DialStatus),
    Queue(QueueResult),
    Recorded(bool),
    Over(Role),
}

fn role() -> impl Strategy<Value = Role> {
    prop_oneof![6 => Just(Role::Inbound), 2 => Just(Role::Callback), 1 => Just(Role::Whisper)]
}

fn input() -> impl Strategy<Value = Input> {
    let account =
        prop::sample::select(vec!["12345678", "23456789", "34567890", "45678901", "99999999"]);
    let wrong_pin = prop::sample::select(vec!["111111", "000000", "1234", "123456789012345"]);
    let dial = prop::sample::select(vec![
        DialStatus::Completed,
        DialStatus::Answered,
        DialStatus::Busy,
        DialStatus::NoAnswer,
        DialStatus::Failed,
        DialStatus::Canceled,
    ]);
    let queue = prop::sample::select(vec![
        QueueResult::Bridged,
        QueueResult::Full,
        QueueResult::Left,
        QueueResult::Error,
        QueueResult::Hangup,
    ]);
    let status = prop::sample::select(vec![
        LegStatus::Ringing,
        LegStatus::InProgress,
        LegStatus::Completed,
        LegStatus::Busy,
        LegStatus::NoAnswer,
        LegStatus::Failed,
        LegStatus::Canceled,
    ]);
    let by = prop::sample::select(vec![
        AnsweredBy::Human,
        AnsweredBy::Unknown,
        AnsweredBy::Machine,
        AnsweredBy::Fax,
    ]);
    prop_oneof![
        6 => (role(), "[0-9*#]").prop_map(|(role, keys)| Input::Digits(role, keys)),
        4 => account.prop_map(|keys| Input::Digits(Role::Inbound, keys.to_owned())),
        2 => (role(), wrong_pin).prop_map(|(role, keys)| Input::Digits(role, keys.to_owned())),
        1 => (role(), "[0-9*#]{0,70}").prop_map(|(role, keys)| Input::Digits(role, keys)),
        1 => (role(), ".{0,40}").prop_map(|(role, words)| Input::Speech(role, words)),
        1 => (role(), "(balance|card|nurse|one two three|two hundred dollars|results)")
            .prop_map(|(role, words)| Input::Speech(role, words)),
        3 => role().prop_map(Input::Silence),
        1 => role().prop_map(Input::Resume),
        2 => Just(Input::Again),
        1 => role().prop_map(Input::Stale),
        1 => (role(), any::<u128>()).prop_map(|(role, nonce)| Input::MadeUp(role, nonce)),
        2 => (0_u64..900).prop_map(Input::Wait),
        2 => by.prop_map(Input::Answered),
        1 => (role(), status).prop_map(|(role, status)| Input::Status(role, status)),
        1 => any::<bool>().prop_map(Input::Message),
        1 => Just(Input::Whisper),
        2 => dial.prop_map(Input::Dial),
        2 => queue.prop_map(Input::Queue),
        1 => any::<bool>().prop_map(Input::Recorded),
        1 => role().prop_map(Input::Over),
    ]
}

async fn happen(provider: &mut Provider, input: &Input) -> Result<Vec<Answered>, Lapse> {
    let answered = match input {
        Input::Digits(role, keys) => {
            let digits = Secret::new(keys.as_str());
            provider.hear(*role, Heard { digits, ..Heard::default() }).await?
        }
        Input::Speech(role, words) => {
            let speech = Secret::new(words.as_str());
            provider.hear(*role, Heard { speech, ..Heard::default() }).await?
        }
        Input::Silence(role) => provider.hear(*role, Heard::default()).await?,
        Input::Resume(role) => provider.resume(*role).await?,
        Input::Again => provider.again().await?,
        Input::Stale(role) => {
            let spent =
                provider.telephone(*role)?.spent.first().copied().ok_or(Lapse::NoRequest)?;
            provider.spend(*role, spent, Heard::default()).await?
        }
        Input::MadeUp(role, nonce) => {
            let heard = Heard { digits: Secret::new("1"), ..Heard::default() };
            provider.spend(*role, Nonce(Uuid::from_u128(*nonce)), heard).await?
        }
        Input::Wait(seconds) => {
            let outgoing = provider.wait(Duration::from_secs(*seconds)).await?;
            return provider.follow(&outgoing).await;
        }
        Input::Answered(by) => provider.answer(*by).await?,
        Input::Status(role, status) => {
            provider.status(*role, *status).await?;
            return Ok(Vec::new());
        }
        Input::Message(arrived) => {
            provider.message_status(*arrived).await?;
            return Ok(Vec::new());
        }
        Input::Whisper => provider.whisper().await?,
        Input::Dial(dial) => {
            let heard = Heard { dial: Some(*dial), ..Heard::default() };
            provider.hear(Role::Inbound, heard).await?
        }
        Input::Queue(queue) => {
            let heard = Heard { queue: Some(*queue), ..Heard::default() };
            provider.hear(Role::Inbound, heard).await?
        }
        Input::Recorded(recorded) => {
            let heard = Heard { recorded: *recorded, ..Heard::default() };
            provider.hear(Role::Inbound, heard).await?
        }
        Input::Over(role) => provider.hear(*role, Heard { over: true, ..Heard::default() }).await?,
    };
    Ok(vec![answered])
}

/// Does what is due, however often that brings about more.
async fn settle(provider: &mut Provider) -> Vec<Answered> {
    let mut answers = Vec::new();
    for _ in 0..50 {
        let outgoing = provider.settle().await.unwrap();
        if outgoing.is_empty() {
            return answers;
        }
        answers.extend(provider.follow(&outgoing).await.unwrap());
    }
    unreachable!("what is due never ends");
}

/// A call of the demo's house in this flow.
pub(super) fn setup(flows: &FlowSet, flow: &str, seed: u64) -> Setup {
    Setup {
        flows: flows.closure(flow).unwrap(),
        flow: flow.to_owned(),
        to: "+15005550006".to_owned(),
        attestation: Attestation::None,
        forwarded: false,
        signals: BTreeSet::new(),
        directory: Arc::new(Directory::new(demo::accounts())),
        policy: Policy::default(),
        clock: default_clock(),
        seed,
        unenforced: None,
    }
}

/// What holds after every turn of a caller who knows no secret.
async fn hold(provider: &Provider, answers: &[Answered]) -> Call {
    for answered in answers {
        assert_eq!(answered.problems(), Vec::<String>::new(), "{}", answered.document);
    }
    let call = provider.call().await.unwrap().unwrap();
    assert!(call.facts.0.is_empty(), "something was proved without its secret: {:?}", call.facts);
    if call.end.is_some() {
        assert!(call.code.is_none() && call.ringing.is_none(), "a code outlived its call");
    }
    call
}

/// Nobody keys or says anything any more: the provider goes on as it does by itself.
async fn fall_silent(provider: &mut Provider) {
    for _ in 0..200 {
        let call = provider.call().await.unwrap().unwrap();
        if call.end.is_some() {
            return;
        }
        for role in [Role::Callback, Role::Inbound] {
            let Ok(telephone) = provider.telephone(role) else { continue };
            let (heard, status) = match &telephone.doing {
                Doing::Dials(_) => {
                    (Some(Heard { dial: Some(DialStatus::NoAnswer), ..Heard::default() }), None)
                }
                Doing::Queues(_) => {
                    (Some(Heard { queue: Some(QueueResult::Left), ..Heard::default() }), None)
                }
                Doing::Rings(_) => (None, Some(LegStatus::NoAnswer)),
                Doing::Over | Doing::Talks => (None, Some(LegStatus::Completed)),
                Doing::Listens(_) | Doing::Records(_) | Doing::Waits(..) => {
                    (Some(Heard::default()), None)
                }
            };
            if let Some(heard) = heard {
                let answered = provider.hear(role, heard).await.unwrap();
                hold(provider, &[answered]).await;
            }
            if let Some(status) = status {
                provider.status(role, status).await.unwrap();
            }
            let answers = settle(provider).await;
            hold(provider, &answers).await;
        }
        let outgoing = provider.wait(Duration::from_secs(5)).await.unwrap();
        let answers = provider.follow(&outgoing).await.unwrap();
        hold(provider, &answers).await;
    }
    let call = provider.call().await.unwrap().unwrap();
    let Call { at, ringing, legs, end, .. } = call;
    assert!(end.is_some(), "the call does not end in silence: {at:?} {ringing:?} {legs:?}");
}

async fn live(flows: &FlowSet, flow: &str, seed: u64, from: &str, inputs: &[Input]) {
    let mut provider = Provider::new(setup(flows, flow, seed));
    let rung = provider.ring(PhoneNumber::parse(from)).await.unwrap();
    hold(&provider, &[rung]).await;
    for input in inputs {
        let before = provider.call().await.unwrap().unwrap();
        let idle =
            matches!(input, Input::Again | Input::Stale(_) | Input::MadeUp(..) | Input::Resume(_));
        match happen(&mut provider, input).await {
            Ok(answers) => {
                let call = hold(&provider, &answers).await;
                if idle {
                    assert_eq!(call, before, "{input:?} changed the call");
                }
            }
            // The provider cannot do so now.
            Err(lapse) => assert!(!matches!(lapse, Lapse::Exchange(_)), "{lapse}"),
        }
        let answers = settle(&mut provider).await;
        hold(&provider, &answers).await;
    }
    fall_silent(&mut provider).await;
}

#[test]
fn whatever_a_caller_does_nothing_is_proved_and_the_call_ends() {
    let (flows, _) = flow::read(&demo::flows());
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let config = Config { cases: 150, failure_persistence: None, ..Config::default() };
    let from =
        prop::sample::select(vec!["+15005550010", "+15005550011", "+15005550099", "anonymous"]);
    let flow = prop::sample::select(vec!["bank", "clinic"]);
    let calls = (flow, any::<u64>(), from, prop::collection::vec(input(), 0..60));
    TestRunner::new(config)
        .run(&calls, |(flow, seed, from, inputs)| {
            runtime.block_on(live(&flows, flow, seed, from, &inputs));
            Ok(())
        })
        .unwrap();
}

/// The right secrets do prove something: what the test above looks for can be found.
#[tokio::test]
async fn the_right_secret_is_told_from_the_others() {
    let (flows, _) = flow::read(&demo::flows());
    let mut provider = Provider::new(setup(&flows, "bank", 1));
    provider.ring(None).await.unwrap();
    for keys in ["", "12345678", "2", "730495"] {
        happen(&mut provider, &Input::Digits(Role::Inbound, keys.to_owned())).await.unwrap();
    }
    let call = provider.call().await.unwrap().unwrap();
    assert!(matches!(call.claim, Claim::Account(_)));
    assert_eq!(call.facts.0.len(), 1);
}
