//! What the outbox gives up on is kept, and an operator may look at it, try it again or drop it.

mod hands;
mod lines;
mod tries;

use std::sync::Arc;
use std::time::Duration;

use callgate::carrier::twilio::{Login, Sender, Settings, TwilioCarrier};
use callgate::chance::SystemChance;
use callgate::clock::Clock;
use callgate::directory::Directory;
use callgate::directory::accounts::Accounts;
use callgate::engine::effect::{Effect, Sms};
use callgate::engine::id::{CallId, EffectId, Sid, TurnId};
use callgate::engine::policy::Policy;
use callgate::exchange::{Exchange, Parts, Posted};
use callgate::flow::FlowSet;
use callgate::phone::PhoneNumber;
use callgate::secret::Secret;
use callgate::store::envelope::Vault;
use callgate::store::{Commit, NewEffect, Store, Version};
use callgate::twiml::links::Links;
use jiff::SignedDuration;
use secrecy::SecretString;
use serde_json::Value;
use uuid::Uuid;

use crate::support::eventually::eventually_async;
use crate::support::house::{ACCOUNT, House, LINE, OPERATOR, PIN, client};
use crate::support::process::Ran as _;
use crate::support::provider::{ACCOUNT_SID, AUTH_TOKEN, Answer, Provider};
use crate::support::redis::RedisServer;
use crate::support::telephone::Telephone;

/// The carrier's: what is kept waiting in a test is so until the test lets it go.
const PATIENCE: Duration = Duration::from_mins(1);

/// A house whose menu sends a link for `3`.
pub(crate) fn house(store: &str, provider: &Provider) -> House {
    let mut house = House::set_up(store, &provider.api_base());
    let flow = house.folder.path().join("flows/desk.toml");
    let text = std::fs::read_to_string(&flow).unwrap();
    let text = text.replace("9 = \"bye\" }", "9 = \"bye\", 3 = \"link\" }");
    let text =
        text.replace("To end the call press 9.", "For a link press 3. To end the call press 9.");
    let link = "\n[states.link]\ntype = \"send_link\"\nmessage = \"See https://example.com/card\"\n\
                on = { sent = \"menu\", unavailable = \"menu\", limited = \"menu\" }\n";
    std::fs::write(&flow, text + link).unwrap();
    house.restart();
    house
}

/// Rings, proves the PIN, and keys this in at the menu while the provider refuses messages.
pub(crate) async fn refused(house: &House, provider: &Provider, sid: &str, key: &str) {
    let mut phone = Telephone::new(sid, "+15005550777");
    phone.ring(house).await;
    phone.key(house, ACCOUNT).await;
    phone.key(house, PIN).await;
    provider.next_message(Answer::Error { status: 400, code: Some(21610) });
    phone.key(house, key).await;
}

/// An exchange for nothing but its outbox.
pub(crate) fn exchange(
    store: Arc<dyn Store>,
    vault: Vault,
    clock: Arc<dyn Clock>,
) -> Arc<Exchange> {
    Arc::new(Exchange::new(Parts {
        store,
        vault,
        directory: Arc::new(Directory::new(Accounts::default())),
        clock,
        chance: Arc::new(SystemChance),
        policy: Policy::default(),
        flows: FlowSet::default(),
    }))
}

fn carrier(provider: &Provider) -> Arc<TwilioCarrier> {
    let carrier = TwilioCarrier::new(Settings {
        account_sid: ACCOUNT_SID.into(),
        login: Login { user: ACCOUNT_SID.into(), password: SecretString::from(AUTH_TOKEN) },
        api_base: provider.api_base(),
        sender: Sender::From(LINE.into()),
        links: Links::new("https://ivr.example"),
        timeout: PATIENCE,
    });
    Arc::new(carrier.unwrap())
}

fn link(to: &str) -> Effect {
    Effect::SendSms(Sms {
        to: PhoneNumber::parse(to).unwrap(),
        body: Secret::new("See https://example.com/card"),
        valid_for_s: 600,
        code_until: None,
        look_up: Vec::new(),
    })
}

/// A call to a line, over by now but for a message that is still to be sent.
async fn leave_message(exchange: &Exchange, line: &str, to: &str, number: usize) {
    leave(exchange, line, &link(to), number).await;
}

/// A call to a line, over by now but for this.
async fn leave(exchange: &Exchange, line: &str, effect: &Effect, number: usize) {
    let now = exchange.now();
    let call = CallId::of(ACCOUNT_SID, &Sid(format!("CA{line}{number}")));
    let turn = TurnId(Uuid::from_u128(1));
    let id = EffectId::of(call, turn, 0);
    let body = exchange.seal_effect(id, &Posted::now(effect, line, 1));
    let commit = Commit {
        call,
        expected: None,
        version: Version { number: 1, turn },
        state: Vec::new(),
        expires_at: now + SignedDuration::from_hours(24),
        deadline: None,
        effects: vec![NewEffect { id, due: now, body }],
        settled: Vec::new(),
        entry: Vec::new(),
    };
    exchange.store().commit(&commit, now).await.unwrap();
}

async fn letters(house: &House, count: usize) -> Vec<Value> {
    eventually_async("dead letters", async || {
        let told = house.ask("/api/outbox").await;
        let letters = told["dead_letters"].as_array().unwrap().clone();
        (letters.len() == count).then_some(letters)
    })
    .await
}

async fn post(house: &House, effect: &str, deed: &str) -> u16 {
    let url = format!("{}/api/outbox/{effect}/{deed}", house.admin());
    client().post(url).bearer_auth(OPERATOR).send().await.unwrap().status().as_u16()
}

fn messages(provider: &Provider) -> usize {
    provider.look(|requests, _| {
        let sent = requests.iter().filter(|r| r.method == "POST");
        sent.filter(|request| request.path.ends_with("/Messages.json")).count()
    })
}

async fn kept_tried_again_and_dropped(store: &str) -> (House, Provider) {
    let provider = Provider::start();
    let house = house(store, &provider);
    refused(&house, &provider, "CA1", "3").await;
    let link = letters(&house, 1).await.remove(0);
    assert_eq!((&link["what"], &link["why"]), (&"send_sms".into(), &"refused".into()), "{link}");
    assert_eq!((&link["attempts"], &link["can_be_retried"]), (&1.into(), &true.into()), "{link}");
    assert!(!link.to_string().contains("15005550010"), "it does not say to whom: {link}");
    // It is seen as soon as it is put down, and counted after that.
    let counted = "dead_letters_total{effect=\"send_sms\",why=\"Refused\"} 1";
    eventually_async("it to be counted", async || {
        house.metrics().await.contains(counted).then_some(())
    })
    .await;

    let id = link["effect"].as_str().unwrap().to_owned();
    provider.next_message(Answer::Error { status: 500, code: None });
    assert_eq!(post(&house, &id, "retry").await, 502, "it was not done");
    assert_eq!(letters(&house, 1).await[0]["attempts"], 2);
    let before = messages(&provider);
    assert_eq!(post(&house, &id, "retry").await, 200);
    assert_eq!(messages(&provider), before + 1);
    assert_eq!(post(&house, &id, "retry").await, 404, "it is done once");
    assert_eq!(messages(&provider), before + 1);
    letters(&house, 0).await;

    // Two operators at once: one of them does it.
    refused(&house, &provider, "CA12", "3").await;
    let id = letters(&house, 1).await[0]["effect"].as_str().unwrap().to_owned();
    provider.next_message(Answer::Hang);
    let count = messages(&provider);
    let first = async { post(&house, &id, "retry").await };
    let second = async {
        eventually_async("the first to be at it", async || {
            (messages(&provider) > count).then_some(())
        })
        .await;
        assert_eq!(post(&house, &id, "retry").await, 409);
        assert_eq!(post(&house, &id, "drop").await, 204, "but it may be dropped");
    };
    tokio::join!(first, second);
    assert_eq!(messages(&provider), count + 1);
    assert_eq!(post(&house, &id, "drop").await, 404, "what was dropped does not come back");
    letters(&house, 0).await;

    // A code is of no use once the call has been told: the letter holds none.
    refused(&house, &provider, "CA2", "1").await;
    let code = letters(&house, 1).await.remove(0);
    assert_eq!(code["can_be_retried"], false, "{code}");
    let id = code["effect"].as_str().unwrap();
    assert_eq!(post(&house, id, "retry").await, 409);
    assert_eq!(post(&house, id, "drop").await, 204);
    assert_eq!(post(&house, id, "drop").await, 404);
    letters(&house, 0).await;
    (house, provider)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_letter_is_kept_tried_again_and_dropped_in_memory() {
    kept_tried_again_and_dropped("memory:").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_letter_is_kept_tried_again_and_dropped_on_redb() {
    let (mut house, provider) = kept_tried_again_and_dropped("embedded:callgate.redb").await;
    for sid in ["CA3", "CA4"] {
        refused(&house, &provider, sid, "3").await;
    }
    letters(&house, 2).await;
    let outbox = |house: &House, arguments: &[&str]| {
        let output = house.command().arg("outbox").args(arguments).ran();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    assert_eq!(outbox(&house, &["list"]).0, Some(3), "the file is the server's while it runs");

    // From the command line while the server is stopped.
    house.terminate();
    assert_eq!(house.wait(), Some(0));
    let (code, listed) = outbox(&house, &["list"]);
    assert_eq!((code, listed.lines().count()), (Some(0), 2), "{listed}");
    let ids: Vec<_> = listed.lines().map(|line| &line[..36]).collect();
    let before = messages(&provider);
    assert_eq!(outbox(&house, &["retry", ids[0]]).0, Some(0));
    assert_eq!(messages(&provider), before + 1);
    assert_eq!(outbox(&house, &["drop", ids[1]]).0, Some(0));
    assert_eq!(outbox(&house, &["list"]), (Some(0), String::new()));
    house.restart();
    letters(&house, 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_letter_is_kept_tried_again_and_dropped_on_redis() {
    let redis = RedisServer::start();
    let (house, provider) = kept_tried_again_and_dropped(&redis.url()).await;
    refused(&house, &provider, "CA3", "3").await;
    letters(&house, 1).await;

    // The same from the command line, beside the running server.
    let outbox = |arguments: &[&str]| {
        let output = house.command().arg("outbox").args(arguments).ran();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let (code, listed) = outbox(&["list"]);
    assert_eq!(code, Some(0));
    assert!(listed.contains("  send_sms  refused  "), "{listed}");
    // Whoever looks or drops needs no secret but the state key, and whoever tries again those of the house.
    let kept = |arguments: &[&str]| {
        let output = house.keeper().arg("outbox").args(arguments).ran();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    assert_eq!(kept(&["list"]), (Some(0), listed.clone()));
    assert_eq!(kept(&["drop", "01890a5d-ac96-774b-bcce-b302099a8057"]).0, Some(1));
    assert_eq!(kept(&["retry", "01890a5d-ac96-774b-bcce-b302099a8057"]).0, Some(2));
    let id = listed.split_whitespace().next().unwrap();
    assert!(EffectId::parse(id).is_some(), "{listed}");
    let before = messages(&provider);
    assert_eq!(outbox(&["retry", id]).0, Some(0));
    assert_eq!(messages(&provider), before + 1);
    assert_eq!(outbox(&["drop", id]).0, Some(1), "there is none any more");
    assert_eq!(outbox(&["list"]), (Some(0), String::new()));
    assert_eq!(outbox(&["drop", "x"]).0, Some(2));
}

#[tokio::test]
async fn the_outbox_is_for_operators() {
    let provider = Provider::start();
    let house = House::start("embedded:callgate.redb", &provider.api_base());
    let status =
        client().get(format!("{}/api/outbox", house.admin())).send().await.unwrap().status();
    assert_eq!(status.as_u16(), 401);
    // The name of the scheme may be written in either case.
    for (scheme, status) in [("Bearer", 200), ("bEARER", 200), ("Basic", 401)] {
        let asked = client().get(format!("{}/api/outbox", house.admin()));
        let asked = asked.header("Authorization", format!("{scheme} {OPERATOR}"));
        assert_eq!(asked.send().await.unwrap().status().as_u16(), status, "{scheme}");
    }
}
