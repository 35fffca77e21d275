//! Requests that the provider never made, or made for something else.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use callgate::carrier::signature;
use callgate::chance::{Chance as _, SeededChance};
use secrecy::SecretString;

use super::secrets::dump;
use crate::support::eventually::{eventually, eventually_async};
use crate::support::house::{ACCOUNT, House, LINE, OPERATOR, PIN, PUBLIC_URL, client, command_in};
use crate::support::process::Ran as _;
use crate::support::provider::{ACCOUNT_SID, AUTH_TOKEN, Provider};
use crate::support::redis::RedisServer;
use crate::support::telephone::{Telephone, digits};

const CALLER: &str = "+15005550777";

type Fields = Vec<(String, String)>;

/// A request as it goes over the wire.
struct Sent<'a> {
    target: &'a str,
    fields: &'a Fields,
    signature: &'a str,
    headers: &'a [(&'a str, &'a str)],
}

fn fields(sid: &str, more: &[(&str, &str)]) -> Fields {
    let mut fields = vec![
        ("AccountSid", ACCOUNT_SID),
        ("CallSid", sid),
        ("CallStatus", "in-progress"),
        ("From", CALLER),
        ("To", LINE),
    ];
    fields.extend(more);
    fields.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn sign(target: &str, fields: &Fields) -> String {
    let url = format!("{PUBLIC_URL}{target}");
    signature::sign(&SecretString::from(AUTH_TOKEN.to_owned()), &url, fields)
}

async fn send(house: &House, sent: Sent<'_>) -> (u16, String) {
    let mut request = client()
        .post(format!("{}{}", house.public(), sent.target))
        .header("X-Twilio-Signature", sent.signature)
        .form(sent.fields);
    for (name, value) in sent.headers {
        request = request.header(*name, *value);
    }
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

async fn status(house: &House, target: &str, fields: &Fields, signature: &str) -> u16 {
    send(house, Sent { target, fields, signature, headers: &[] }).await.0
}

fn house() -> (House, Provider) {
    let provider = Provider::start();
    let house = House::start("embedded:callgate.redb", &provider.api_base());
    (house, provider)
}

/// Another letter or digit in this place.
fn mutated(text: &str, place: usize) -> String {
    let other = |c: char| if c == 'a' { 'b' } else { 'a' };
    text.chars().enumerate().map(|(at, c)| if at == place { other(c) } else { c }).collect()
}

async fn only_call(house: &House) -> serde_json::Value {
    let calls = house.ask("/api/calls").await;
    let calls = calls["calls"].as_array().unwrap().clone();
    assert_eq!(calls.len(), 1, "{calls:?}");
    house.ask(&format!("/api/calls/{}", calls[0].as_str().unwrap())).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t01_a_request_with_any_byte_changed_is_refused_and_leaves_no_trace_on_redb() {
    let (house, _provider) = house();
    refuses_any_byte_changed(&house, None).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t01_a_request_with_any_byte_changed_is_refused_and_leaves_no_trace_on_redis() {
    let (redis, provider) = (RedisServer::start(), Provider::start());
    let house = House::start(&redis.url(), &provider.api_base());
    refuses_any_byte_changed(&house, Some(&redis)).await;
}

/// Everything that is stored, in an order of its own.
fn stored(redis: &RedisServer) -> Vec<Vec<u8>> {
    let mut all = dump(redis);
    all.sort_unstable();
    all
}

async fn refuses_any_byte_changed(house: &House, redis: Option<&RedisServer>) {
    // The server itself writes the store's name, once, soon after it is ready.
    eventually_async("the store has its name", async || {
        house.metrics().await.contains("callgate_store_info{").then_some(())
    })
    .await;
    let before = redis.map(stored);
    let fields = fields("CA00000000000000000000000000000001", &[("Digits", "1")]);
    let target = "/twilio/voice";
    let good = sign(target, &fields);
    let mut refused = 0;
    for place in 0..good.len() - 1 {
        // The last sextet but one ends in bits that stand for nothing: it is no other spelling.
        assert_eq!(status(house, target, &fields, &mutated(&good, place)).await, 403, "{place}");
        refused += 1;
    }
    for (field, (name, value)) in fields.iter().enumerate() {
        for place in 0..name.len() + value.len() {
            let mut changed = fields.clone();
            let of_name = place < name.len();
            changed[field] = if of_name {
                (mutated(name, place), value.clone())
            } else {
                (name.clone(), mutated(value, place - name.len()))
            };
            assert_eq!(status(house, target, &changed, &good).await, 403, "{changed:?}");
            refused += 1;
        }
    }
    for other in ["/twilio/voice?a=b", "/twilio/fallback", "/twilio/status", "/twilio/voice?"] {
        assert_eq!(status(house, other, &fields, &good).await, 403, "{other}");
        refused += 1;
    }
    // What was signed for any other address is signed for another.
    let url = format!("{PUBLIC_URL}{target}");
    let key = SecretString::from(AUTH_TOKEN.to_owned());
    for place in 0..url.len() {
        let elsewhere = signature::sign(&key, &mutated(&url, place), &fields);
        assert_eq!(status(house, target, &fields, &elsewhere).await, 403, "{place}");
        refused += 1;
    }
    for without in ["", "x", &good.repeat(2), &good.to_lowercase()] {
        assert_eq!(status(house, target, &fields, without).await, 403, "{without}");
        refused += 1;
    }
    assert_eq!(redis.map(stored), before, "nothing was written");
    let calls = house.ask("/api/calls").await;
    assert_eq!(calls["calls"].as_array().unwrap().len(), 0, "nothing was written");
    let counted = format!("callgate_webhooks_refused_total{{reason=\"Signature\"}} {refused}");
    assert!(house.metrics().await.contains(&counted), "{counted}");
    assert_eq!(status(house, target, &fields, &good).await, 200);
    assert!(before.is_none() || redis.map(stored) != before, "what is signed is written");
}

/// Of two signatures a proxy may have looked at the one and we at the other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t01_of_two_signatures_neither_counts() {
    let (house, _provider) = house();
    let fields = fields("CA00000000000000000000000000000001", &[]);
    let target = "/twilio/voice";
    let good = sign(target, &fields);
    for (first, second) in [(&*good, "x"), ("x", &good), (&good, &good)] {
        let headers = [("X-Twilio-Signature", second)];
        let sent = Sent { target, fields: &fields, signature: first, headers: &headers };
        assert_eq!(send(&house, sent).await.0, 403, "{first}, {second}");
    }
    assert_eq!(status(&house, target, &fields, &good).await, 200);
}

#[test]
fn t02_without_a_key_nothing_is_served() {
    let house = House::set_up("embedded:callgate.redb", "http://127.0.0.1:9");
    let unset = |names: &[&str]| {
        let mut command = command_in(house.folder.path());
        for name in names {
            command.env_remove(name);
        }
        command.args(["serve", "--config", "callgate.toml"]).ran()
    };
    for names in [&["TEST_AUTH_TOKEN"][..], &["TEST_AUTH_TOKEN", "TEST_OLD_TOKEN"]] {
        let output = unset(names);
        assert_eq!(output.status.code(), Some(2));
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains("TEST_AUTH_TOKEN"), "{said}");
    }
    let mut empty = command_in(house.folder.path());
    empty.env("TEST_AUTH_TOKEN", "").env("TEST_OLD_TOKEN", "");
    let output = empty.args(["serve", "--config", "callgate.toml"]).ran();
    assert_eq!(output.status.code(), Some(2), "an empty key is none");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t03_forwarded_hosts_neither_sign_nor_lead_anywhere() {
    let (house, _provider) = house();
    let fields = fields("CA00000000000000000000000000000003", &[]);
    let target = "/twilio/voice";
    let headers = [
        ("Host", "evil.example"),
        ("X-Forwarded-Host", "evil.example"),
        ("X-Forwarded-Proto", "http"),
        ("Forwarded", "host=evil.example;proto=http"),
        ("X-Original-URL", "https://evil.example/twilio/voice"),
    ];
    let key = SecretString::from(AUTH_TOKEN.to_owned());
    let theirs = signature::sign(&key, "https://evil.example/twilio/voice", &fields);
    let sent = Sent { target, fields: &fields, signature: &theirs, headers: &headers };
    assert_eq!(send(&house, sent).await.0, 403, "a signature for their host is none for ours");
    let ours = sign(target, &fields);
    let sent = Sent { target, fields: &fields, signature: &ours, headers: &headers };
    let (status, answer) = send(&house, sent).await;
    assert_eq!(status, 200);
    assert!(answer.contains(PUBLIC_URL) && !answer.contains("evil"), "{answer}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t04_a_captured_request_means_nothing_in_any_later_turn_on_redb() {
    let (house, provider) = house();
    nothing_is_replayed(&house, &provider, None).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t04_a_captured_request_means_nothing_in_any_later_turn_on_redis() {
    let (redis, provider) = (RedisServer::start(), Provider::start());
    let house = House::start(&redis.url(), &provider.api_base());
    nothing_is_replayed(&house, &provider, Some(&redis)).await;
}

/// What the store holds once every effect is done: ledgers and budgets, calls and journals.
fn at_rest(redis: &RedisServer) -> Vec<Vec<u8>> {
    eventually("every effect is done", || {
        let all = stored(redis);
        let waits = all.iter().any(|it| String::from_utf8_lossy(it).contains(":effects:"));
        (!waits).then_some(all)
    })
}

/// Walks a call to its balance, with a wrong PIN on the way, and before each step sends again all that went
/// before.
async fn nothing_is_replayed(house: &House, provider: &Provider, redis: Option<&RedisServer>) {
    let mut phone = Telephone::new("CA00000000000000000000000000000004", CALLER);
    phone.ring(house).await;
    let mut sent = vec![("/twilio/voice".to_owned(), String::new())];
    let mut messages = 0;
    for step in 0..6 {
        let entry = match step {
            0 => ACCOUNT.to_owned(),
            1 => "111222".to_owned(),
            2 => PIN.to_owned(),
            3 => "1".to_owned(),
            4 => {
                messages = provider.wait_for(1).len();
                digits(provider.requests()[0].field("Body").unwrap_or_default())
            }
            _ => "9".to_owned(),
        };
        let held = redis.map(at_rest);
        let before = only_call(house).await;
        let present = phone.heard.clone();
        for (path, digits) in &sent[..sent.len() - 1] {
            phone.post(house, path, &[("Digits", digits), ("CallStatus", "in-progress")]).await;
            assert_eq!(phone.heard, present, "{path} is answered with the present prompt");
        }
        let (path, last) = sent.last().unwrap().clone();
        phone.post(house, &path, &[("Digits", &last), ("CallStatus", "in-progress")]).await;
        assert_eq!(phone.heard, present, "the last one gets its stored answer");
        let after = only_call(house).await;
        assert_eq!(after, before, "step {step}");
        assert!(redis.map(stored) == held, "step {step}: nothing was written, ledgers included");
        sent.push((phone.action(), entry.clone()));
        phone.key(house, &entry).await;
    }
    assert_eq!(phone.spoken(), "Thank you. Goodbye.");
    assert_eq!(provider.requests().len(), messages, "no second message was sent");
    // The wrong PIN, sent four times, is one failure of the year.
    let asked = serde_json::json!({ "account": ACCOUNT, "factor": "pin" }).to_string();
    let request = client().post(format!("{}/api/unlock", house.admin())).bearer_auth(OPERATOR);
    let told: serde_json::Value = request.body(asked).send().await.unwrap().json().await.unwrap();
    assert_eq!(told["unlocked"][0]["failures_this_year"], 1, "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t05_a_header_that_nobody_signed_makes_no_second_effect() {
    let (house, provider) = house();
    let mut phone = Telephone::new("CA00000000000000000000000000000005", CALLER);
    phone.ring(&house).await;
    phone.key(&house, ACCOUNT).await;
    phone.key(&house, PIN).await;
    let target = phone.action();
    let fields = fields(&phone.sid, &[("Digits", "1")]);
    let signature = sign(&target, &fields);
    let mut answers = Vec::new();
    for token in ["one", "two", "three"] {
        let headers = [("I-Twilio-Idempotency-Token", token)];
        let sent =
            Sent { target: &target, fields: &fields, signature: &signature, headers: &headers };
        answers.push(send(&house, sent).await);
    }
    assert_eq!(answers[0].0, 200);
    assert!(answers.iter().all(|answer| *answer == answers[0]), "byte for byte");
    provider.wait_for(1);
    assert_eq!(only_call(&house).await["turns"], 4);
    phone.post(&house, &target, &[("Digits", "1"), ("CallStatus", "in-progress")]).await;
    assert_eq!(provider.requests().len(), 1, "one message");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t06_a_signature_has_one_spelling() {
    let (house, _provider) = house();
    let target = "/twilio/voice";
    // One whose signature is spelt differently in the alphabet for URLs.
    let (fields, good) = (0..)
        .map(|n| fields(&format!("CA{n:032}"), &[]))
        .map(|fields| (sign(target, &fields), fields))
        .find_map(|(signature, fields)| {
            let special = signature.contains('+') && signature.contains('/');
            special.then_some((fields, signature))
        })
        .unwrap();
    let bytes = STANDARD.decode(&good).unwrap();
    let sextet =
        |c: char| "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".find(c);
    let last = good.chars().nth(26).unwrap();
    let spare = char::from(
        b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
            [sextet(last).unwrap() + 1],
    );
    for other in [
        URL_SAFE.encode(&bytes),
        good.trim_end_matches('=').to_owned(),
        format!("{good}="),
        format!("{}{spare}=", &good[..26]),
        good.replace('+', "%2B"),
        format!("{} {}", &good[..10], &good[10..]),
        bytes.iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}")),
    ] {
        assert_eq!(status(&house, target, &fields, &other).await, 403, "{other}");
    }
    assert_eq!(status(&house, target, &fields, &good).await, 200);
}

/// The provider signs names and values without a mark between them, so that another division of the
/// same text has the same signature: none of them is an entry.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t09_neither_repeated_nor_shifted_parameters_are_an_entry() {
    let (house, _provider) = house();
    let shifts: Vec<(&str, Fields)> = vec![
        ("into the name", vec![(format!("Digits{}", &PIN[..1]), PIN[1..].to_owned())]),
        ("out of the name", vec![("Digit".into(), format!("s{PIN}"))]),
        ("over the next field", vec![("Digits".into(), format!("{PIN}From{CALLER}"))]),
        ("all of it a name", vec![(format!("Digits{PIN}"), String::new())]),
    ];
    for (n, (how, shifted)) in shifts.into_iter().enumerate() {
        let mut phone = Telephone::new(&format!("CA{:032}", 900 + n), CALLER);
        phone.ring(&house).await;
        phone.key(&house, ACCOUNT).await;
        let target = phone.action();
        let honest = fields(&phone.sid, &[("Digits", PIN)]);
        let mut forged: Fields =
            honest.iter().filter(|(name, _)| name != "Digits").cloned().collect();
        if how == "over the next field" {
            forged.retain(|(name, _)| name != "From");
        }
        forged.extend(shifted);
        let signature = sign(&target, &honest);
        assert_eq!(sign(&target, &forged), signature, "{how}: the signature is the same");
        let (status, answer) = send(
            &house,
            Sent { target: &target, fields: &forged, signature: &signature, headers: &[] },
        )
        .await;
        assert_eq!(status, 200, "{how}");
        assert!(!answer.contains("For your balance"), "{how}: {answer}");
    }
    // The same parameter twice is refused even where the signature covers both.
    let twice = fields("CA00000000000000000000000000000099", &[("Digits", "1"), ("Digits", PIN)]);
    let target = "/twilio/voice";
    assert_eq!(status(&house, target, &twice, &sign(target, &twice)).await, 400);
    let equal = fields("CA00000000000000000000000000000099", &[("Digits", PIN), ("Digits", PIN)]);
    assert_eq!(status(&house, target, &equal, &sign(target, &equal)).await, 400);
    let calls = house.ask("/api/calls").await;
    for call in calls["calls"].as_array().unwrap() {
        let call = house.ask(&format!("/api/calls/{}", call.as_str().unwrap())).await;
        assert_eq!(call["facts"].as_array().unwrap().len(), 0, "nothing is proved");
    }
}

/// Divisions of what was signed that have its signature, drawn at random: none is an entry, nor is what names
/// an entry twice, and what nobody knows changes nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t09_no_division_of_what_was_signed_is_an_entry() {
    const TRIED: usize = 60;
    let (house, _provider) = house();
    let chance = SeededChance::new(9);
    let target = "/twilio/voice";
    let honest_of = |phone: &Telephone| fields(&phone.sid, &[("Digits", &format!("{PIN}0"))]);
    let mut waiting = Vec::new();
    for n in 0..TRIED {
        let mut phone = Telephone::new(&format!("CA{:032}", 9_000 + n), CALLER);
        phone.ring(&house).await;
        phone.key(&house, ACCOUNT).await;
        waiting.push(phone);
    }
    let mut told_apart = BTreeSet::new();
    for phone in &mut waiting {
        let (honest, target) = (honest_of(phone), phone.action());
        let signature = sign(&target, &honest);
        let forged = loop {
            let forged = divided(&honest, &chance);
            if forged != honest && sign(&target, &forged) == signature {
                break forged;
            }
        };
        told_apart.insert(forged.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>());
        let sent = Sent { target: &target, fields: &forged, signature: &signature, headers: &[] };
        let (status, answer) = send(&house, sent).await;
        assert!([200, 400, 403].contains(&status), "{forged:?}: {status}");
        assert!(!answer.contains("For your balance"), "{forged:?}: {answer}");
    }
    assert!(told_apart.len() > TRIED / 3, "{}", told_apart.len());
    // Twice, in any two spellings, at any two places: refused.
    for n in 0..TRIED {
        let mut twice = fields("CA00000000000000000000000000000098", &[]);
        let [one, other, ..] = chance.bytes();
        let name = ["Digits", "From", "To", "CallSid", "SpeechResult"][n % 5];
        for (place, value) in [(one, PIN), (other, "1")] {
            let place = usize::from(place) % (twice.len() + 1);
            twice.insert(place, (name.to_owned(), value.to_owned()));
        }
        assert_eq!(status(&house, target, &twice, &sign(target, &twice)).await, 400, "{twice:?}");
    }
    for call in house.ask("/api/calls").await["calls"].as_array().unwrap() {
        let call = house.ask(&format!("/api/calls/{}", call.as_str().unwrap())).await;
        assert_eq!(call["facts"].as_array().unwrap().len(), 0, "nothing is proved");
    }
    // What is unknown, in any number and spelling, takes nothing from an honest entry.
    let mut phone = Telephone::new("CA00000000000000000000000000000097", CALLER);
    phone.ring(&house).await;
    phone.key(&house, ACCOUNT).await;
    let unknown =
        ["digits", "DIGITS", "Digits ", " Digits", "Digits[]", "Digits[0]", "Digits\u{0}"];
    let mut more: Vec<(&str, &str)> = unknown.into_iter().map(|name| (name, "111222")).collect();
    more.push(("Digits", PIN));
    let path = phone.action();
    phone.post(&house, &path, &more).await;
    assert!(phone.spoken().starts_with("For your balance"), "{}", phone.spoken());
}

/// The same text as these fields in their order, divided at other places.
fn divided(fields: &Fields, chance: &SeededChance) -> Fields {
    let mut sorted = fields.clone();
    sorted.sort();
    let bytes = chance.bytes();
    // One border between a name, its value and the next name is moved, or taken away.
    let at = usize::from(bytes[0]) % (2 * sorted.len() - 1);
    let mut parts: Vec<String> =
        sorted.into_iter().flat_map(|(name, value)| [name, value]).collect();
    let both = format!("{}{}", parts[at], parts[at + 1]);
    let cut = usize::from(bytes[1]) % (both.len() + 1);
    let (left, right) = both.split_at(cut);
    (parts[at], parts[at + 1]) = (left.to_owned(), right.to_owned());
    parts.chunks(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect()
}

/// Every state has been asked at the address of every other one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t11_no_step_is_reached_but_from_the_one_before_it() {
    let (house, provider) = house();
    // A call that goes all the way: its addresses are those of the later states.
    let mut guide = Telephone::new("CA00000000000000000000000000000011", CALLER);
    guide.ring(&house).await;
    let mut addresses = vec![guide.action()];
    for entry in [ACCOUNT, PIN, "1"] {
        guide.key(&house, entry).await;
        addresses.push(guide.action());
    }
    let code = digits(provider.wait_for(1)[0].field("Body").unwrap_or_default());
    let entries = [ACCOUNT, PIN, "1", &code];
    let mut phone = Telephone::new("CA00000000000000000000000000000012", CALLER);
    phone.ring(&house).await;
    let own = phone.action().split('/').nth(3).unwrap().to_owned();
    for step in 0..3 {
        let present = phone.heard.clone();
        for (address, entry) in addresses.iter().zip(entries) {
            // At the other call's address, and with the other call's nonce on this one.
            let nonce = address.rsplit('/').next().unwrap();
            let grafted = format!("/twilio/turn/{own}/{nonce}");
            let more = [("Digits", entry), ("CallStatus", "in-progress")];
            phone.post(&house, address, &more).await;
            assert!(phone.hears("Hangup"), "a stranger to that call");
            phone.post(&house, &grafted, &more).await;
            assert_eq!(phone.heard, present, "step {step}");
        }
        let call = house.ask(&format!("/api/calls/{own}")).await;
        assert_eq!(call["facts"].as_array().unwrap().len(), usize::from(step == 2));
        assert_eq!(call["turns"], step + 1);
        phone.key(&house, entries[step]).await;
    }
}
