//! Two proofs in a row, and one verdict on both.

use std::time::Duration;

use callgate::flow::level::Fact;
use callgate::replay::world::Outgoing;
use callgate::twiml;
use callgate::twiml::links::Links;

use super::office::{ACCOUNT, Line, Office, PIN, account};

const PAIR: &str = include_str!("../../../fixtures/calls/flows/pair.toml");
const WRONG_PIN: &str = "111222";
const WRONG_CODE: &str = "000000";

/// What the caller hears, the nonce of the next request left out.
fn heard(line: &Line) -> String {
    let text = twiml::render(&line.reply, &Links::new("https://ivr.example.com"), line.call);
    let call = format!("{}/", line.call);
    let mut parts = text.split(&call);
    let first = parts.next().unwrap().to_owned();
    // A nonce is 36 characters long.
    parts.fold(first, |text, rest| format!("{text}<call>/<nonce>{}", &rest[36..]))
}

/// A call to the flow of two proofs that has claimed this account, and asked for the box.
async fn at_pin(office: &Office, sid: &str, claimed: &str) -> Line {
    let mut line = office.ring_from(sid, None).await;
    line.key(claimed).await;
    line.key("1").await;
    line
}

/// The four combinations, an account that does not exist, and one that is locked: until the verdict every
/// answer is the same, byte for byte, and so is the verdict wherever it is no.
#[tokio::test]
async fn t39_a_wrong_pin_is_not_told_from_a_wrong_code() {
    let flow = PAIR.replace("name     = \"pair\"", "name     = \"desk\"");
    let mut verdicts = Vec::new();
    let mut ways = Vec::new();
    for (n, (claimed, pin, right_code, locked)) in [
        (ACCOUNT, PIN, true, false),
        (ACCOUNT, PIN, false, false),
        (ACCOUNT, WRONG_PIN, true, false),
        (ACCOUNT, WRONG_PIN, false, false),
        ("99999999", PIN, false, false),
        (ACCOUNT, PIN, false, true),
    ]
    .into_iter()
    .enumerate()
    {
        let office = Office::fresh(&flow, &account(ACCOUNT, "2024-01-01"));
        for wrong in 0..if locked { 5 } else { 0 } {
            let mut line = at_pin(&office, &format!("CB{wrong}"), claimed).await;
            line.key(&format!("{:06}", 500_000 + wrong)).await;
        }
        // The budget of messages is as full again; the lock lasts longer.
        office.clock.advance(Duration::from_mins(11));
        office.outbox.drain().await.unwrap();
        office.world.take_outgoing();
        let mut line = at_pin(&office, &format!("CA{n}"), claimed).await;
        let mut way = vec![heard(&line)];
        line.key(pin).await;
        way.push(heard(&line));
        office.outbox.drain().await.unwrap();
        let sent =
            office.world.take_outgoing().iter().any(|one| matches!(one, Outgoing::SendSms { .. }));
        assert_eq!(sent, pin == PIN && claimed == ACCOUNT && !locked, "call {n}");
        let code =
            if right_code && sent { office.code(line.call).await } else { WRONG_CODE.into() };
        line.key(&code).await;
        if !(right_code && sent) {
            way.push(heard(&line));
            line.key(WRONG_CODE).await;
        }
        verdicts.push((heard(&line), office.facts(line.call).await));
        ways.push(way);
    }
    let (right, wrong) = verdicts.split_first().unwrap();
    assert_eq!(right.1, [Fact::Pin, Fact::SmsOtp]);
    assert!(right.0.contains("Your box is"), "{}", right.0);
    for (n, way) in ways.iter().enumerate() {
        assert_eq!(way[..2], ways[0][..2], "call {n}");
        assert!(n == 0 || way == &ways[1], "call {n}");
    }
    for verdict in wrong {
        assert_eq!(verdict, &wrong[0]);
        assert_eq!(verdict.1, [], "the PIN alone counts for nothing, right or not");
    }
}

/// What a failed verdict leaves behind does not tell the PIN either: a state that asks for it alone is as
/// shut after a right one as after a wrong one.
#[tokio::test]
async fn t39_the_pin_alone_opens_nothing_after_the_verdict() {
    let flow = PAIR
        .replace("name     = \"pair\"", "name     = \"desk\"")
        .replace("[disclose]", "basic = { any = [\"pin\"] }\n[disclose]")
        .replace("keys   = { 1 = \"menu\" }", "keys   = { 1 = \"basic\" }")
        + "\n[states.basic]\ntype = \"say\"\nrequires = \"basic\"\nprompt = \"In.\"\n\
           on = { denied = \"bye\" }\nnext = \"bye\"\n";
    let mut said = Vec::new();
    for pin in [PIN, WRONG_PIN] {
        let office = Office::fresh(&flow, &account(ACCOUNT, "2024-01-01"));
        let mut line = at_pin(&office, "CA1", ACCOUNT).await;
        for entry in [pin, WRONG_CODE, WRONG_CODE, "1"] {
            line.key(entry).await;
        }
        said.push(heard(&line));
    }
    assert_eq!(said[0], said[1]);
    assert!(!said[0].contains("In."));
}
