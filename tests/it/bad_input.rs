//! What comes in wrong: keys that are no entry, codes that are another's, a provider and a mail server that
//! stall, refuse, or take and hang up. The caller hears something sensible, it is counted, and the log says
//! so without a secret.
//!
//! Directories are in `directory.rs`, back ends in `lookup.rs`, and what a specialist is shown in `agents`.

use callgate::clock::{Clock as _, SystemClock};
use callgate::limits;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::support::eventually::{eventually, eventually_async};
use crate::support::house::{ACCOUNT, House, MOBILE, OPERATOR, PIN, PUBLIC_URL, client};
use crate::support::provider::{Answer, Provider};
use crate::support::telephone::{Telephone, digits};

const CALLER: &str = "+15005550777";
const OTHER: &str = "73195529";

async fn counted(house: &House, sample: &str) -> u64 {
    let metrics = house.metrics().await;
    let name = format!("callgate_{sample} ");
    metrics.lines().find_map(|line| line.strip_prefix(&name)?.parse().ok()).unwrap_or(0)
}

/// The lines of the log that tell of a committed turn with this field, as it stands there.
fn turns_with(house: &House, field: &str, value: impl Into<Value>) -> usize {
    let value = value.into();
    let log = house.log();
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter(|line| line["fields"][field] == value).count()
}

fn hides(house: &House, secrets: &[&str]) {
    let log = house.log();
    for secret in secrets.iter().chain(&[ACCOUNT, PIN, MOBILE, CALLER]) {
        assert!(!log.contains(secret), "`{secret}` is in the log");
    }
}

async fn at_pin(house: &House, sid: u32) -> Telephone {
    let mut phone = Telephone::new(&format!("CA{sid:032x}"), CALLER);
    phone.ring(house).await;
    phone.key(house, ACCOUNT).await;
    phone
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_that_are_no_entry_are_asked_for_again_and_cost_no_attempt() {
    let provider = Provider::start();
    let house = House::start("memory:", &provider.api_base());
    let long = format!("0000000000{PIN}0000000000000000");
    let endless = PIN.repeat(2_000);
    let full_width = "\u{ff18}\u{ff16}\u{ff10}\u{ff13}\u{ff11}\u{ff17}";
    let tried = [
        (&*long, "Keys"),
        (&*endless, "Keys"),
        (&PIN[..5], "Keys"),
        ("86*317", "Keys"),
        ("86A317", "Keys"),
        ("86031x", "NoKeys"),
        ("8603l7", "NoKeys"),
        (full_width, "NoKeys"),
        ("", "Silence"),
    ];
    assert_eq!(long.len(), 32);
    for (sid, (entry, given)) in (1..).zip(tried) {
        let sample = format!("unusable_entries_total{{given=\"{given}\"}}");
        let (before, lines) =
            (counted(&house, &sample).await, turns_with(&house, "unusable", given));
        let mut phone = at_pin(&house, sid).await;
        phone.key(&house, entry).await;
        assert_eq!(phone.spoken(), "That did not work. Please key in your PIN.", "{entry}");
        assert_eq!(counted(&house, &sample).await, before + 1, "{entry}");
        eventually("a line of the log", || {
            (turns_with(&house, "unusable", given) == lines + 1).then_some(())
        });
        phone.key(&house, PIN).await;
        assert!(phone.spoken().starts_with("For your balance"), "{entry}: {}", phone.spoken());
    }
    for verdict in ["Wrong", "Locked"] {
        let sample = format!("attempts_total{{factor=\"pin\",verdict=\"{verdict}\"}}");
        assert_eq!(counted(&house, &sample).await, 0, "none of them was a guess");
    }
    hides(&house, &["86031x", "8603l7", &long]);
}

/// An account number of any length is as long as it was keyed: the beginning of a longer one is another's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_entry_that_is_too_long_is_not_cut_to_one_that_fits() {
    let provider = Provider::start();
    let mut house = House::set_up("memory:", &provider.api_base());
    let path = house.folder.path().join("flows/desk.toml");
    let flow = std::fs::read_to_string(&path).unwrap();
    assert!(flow.contains("digits = 8\n"));
    std::fs::write(&path, flow.replace("digits = 8\n", "")).unwrap();
    house.restart();
    for (more, hears) in [
        (0, "Please key in your PIN."),
        (1, "Please key in your eight"),
        (9, "Please key in your eight"),
    ] {
        let mut phone = Telephone::new(&format!("CA{more:032x}"), CALLER);
        phone.ring(&house).await;
        phone.key(&house, &"7".repeat(limits::DIGITS_MAX + more)).await;
        assert!(phone.spoken().starts_with(hears), "{more}: {}", phone.spoken());
    }
}

/// The provider hears 400 and falls back, and the caller is where they were.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_parameter_that_comes_twice_is_refused_and_the_call_goes_on() {
    let provider = Provider::start();
    let house = House::start("memory:", &provider.api_base());
    let mut phone = at_pin(&house, 1).await;
    let path = phone.action();
    let form = |more: &[(&'static str, &'static str)]| {
        let mut form = vec![
            ("AccountSid", crate::support::provider::ACCOUNT_SID),
            ("CallSid", "CA00000000000000000000000000000001"),
            ("CallStatus", "in-progress"),
        ];
        form.extend(more);
        form
    };
    for pair in [[("Digits", "111222"), ("Digits", PIN)], [("Digits", PIN), ("Digits", PIN)]] {
        assert_eq!(house.post(&path, &form(&pair)).await.0, 400);
    }
    assert_eq!(counted(&house, "webhooks_refused_total{reason=\"Repeated\"}").await, 2);
    house.logs("a webhook was refused");
    let failed = format!("{PUBLIC_URL}{path}");
    phone.post(&house, "/twilio/fallback", &[("ErrorUrl", &failed), ("ErrorCode", "11200")]).await;
    assert_eq!(phone.spoken(), "Please key in your PIN.", "the present prompt, and no try is lost");
    phone.key(&house, PIN).await;
    assert!(phone.spoken().starts_with("For your balance"), "{}", phone.spoken());
    hides(&house, &["111222"]);
}

/// A house with two customers that takes codes from its website.
fn web_house(provider: &Provider) -> House {
    let mut house = House::set_up("memory:", &provider.api_base());
    let change = |file: &str, change: &dyn Fn(String) -> String| {
        let path = house.folder.path().join(file);
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, change(text)).unwrap();
    };
    change("flows/desk.toml", &|text| {
        let web = "{ found = \"web\", unknown = \"web\" }";
        text.replace("{ found = \"pin\", unknown = \"pin\" }", web)
            + "\n[states.web]\ntype = \"gather_service_code\"\nprompt = \"Key in the code from our website.\"\n\
               tries = 1\npurpose = \"balance\"\non = { ok = \"menu\", failed = \"pin\", locked = \"pin\" }\n"
    });
    change("accounts.toml", &|text| format!("{text}\n[[accounts]]\nid = \"{OTHER}\"\n"));
    house.restart();
    house
}

async fn issue(house: &House, body: Value) -> (String, Timestamp) {
    let url = format!("{}/api/service-codes", house.admin());
    let answer = client().post(url).bearer_auth(OPERATOR).json(&body).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 201);
    let issued: Value = answer.json().await.unwrap();
    let text = |name: &str| issued[name].as_str().unwrap().to_owned();
    (text("code"), text("expires_at").parse().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_code_from_the_web_of_another_account_purpose_or_day_leads_to_the_next_way() {
    let provider = Provider::start();
    let house = web_house(&provider);
    let bad = [
        ("another account", json!({ "account": OTHER, "level": "aal2" })),
        ("another purpose", json!({ "account": ACCOUNT, "level": "aal2", "purpose": "address" })),
        ("another day", json!({ "account": ACCOUNT, "level": "aal2", "ttl": "1s" })),
    ];
    let mut codes = Vec::new();
    for (sid, (of, body)) in (1..).zip(bad) {
        let (code, until) = issue(&house, body).await;
        let mut phone = at_pin(&house, sid).await;
        assert_eq!(phone.spoken(), "Key in the code from our website.", "{of}");
        if of == "another day" {
            eventually("its day to be over", || (SystemClock.now() > until).then_some(()));
        }
        phone.key(&house, &code).await;
        assert_eq!(phone.spoken(), "Please key in your PIN.", "{of}");
        let wrong = counted(&house, "attempts_total{factor=\"service_code\",verdict=\"Wrong\"}");
        assert_eq!(wrong.await, u64::from(sid), "{of}");
        eventually("a line of the log", || {
            let told = turns_with(&house, "judged", vec!["service_code wrong"]);
            (told == usize::try_from(sid).unwrap()).then_some(())
        });
        phone.key(&house, PIN).await;
        assert!(phone.spoken().starts_with("For your balance"), "{of}: {}", phone.spoken());
        codes.push(code);
    }
    let (code, _) = issue(&house, json!({ "account": ACCOUNT, "level": "aal2" })).await;
    let mut phone = at_pin(&house, 9).await;
    phone.key(&house, &code).await;
    assert!(phone.spoken().starts_with("For your balance"), "its own: {}", phone.spoken());
    let codes: Vec<_> = codes.iter().map(String::as_str).collect();
    hides(&house, &codes);
}

/// A message that the provider does not take at once comes a moment later, once, and its code is right; one
/// that it will not take leads to the flow's next way.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_provider_that_refuses_fails_or_takes_and_hangs_up_loses_no_caller() {
    let provider = Provider::start();
    let house = House::start("memory:", &provider.api_base());
    let bodies = |provider: &Provider| {
        let requests = provider.requests().into_iter();
        let sent = requests.filter(|it| it.method == "POST" && it.path.ends_with("/Messages.json"));
        sent.map(|it| it.field("Body").unwrap().to_owned()).collect::<Vec<_>>()
    };
    // How it answers first, and how often the message is handed in: what it took it is not handed twice.
    let answers = [
        (Answer::Drop, 1),
        (Answer::Error { status: 500, code: None }, 2),
        (Answer::TooMany { retry_after: Some("1".into()) }, 2),
        (Answer::Error { status: 503, code: Some(20500) }, 2),
    ];
    let count = u64::try_from(answers.len()).unwrap();
    let mut codes = Vec::new();
    for (sid, (answer, handed_in)) in (1..).zip(answers) {
        let before = bodies(&provider).len();
        let mut phone = at_pin(&house, sid).await;
        phone.key(&house, PIN).await;
        provider.next(answer.clone());
        phone.key(&house, "1").await;
        assert!(phone.spoken().contains("six digits"), "{answer:?}: {}", phone.spoken());
        // It is settled once it was accepted, or found.
        eventually_async("the message to be settled", async || {
            let accepted = ["the provider accepted an effect", "a message had been sent before"];
            let told = accepted.iter().map(|it| house.log().matches(it).count()).sum::<usize>();
            (told == usize::try_from(sid).unwrap()).then_some(())
        })
        .await;
        let sent = bodies(&provider);
        assert_eq!(sent.len(), before + handed_in, "{answer:?}");
        let code = digits(sent.last().unwrap());
        assert!(sent[before..].iter().all(|body| digits(body) == code), "{answer:?}: one code");
        phone.key(&house, &code).await;
        assert!(phone.spoken().contains("1,234 dollars"), "{answer:?}: {}", phone.spoken());
        codes.push(code);
    }
    let of_provider =
        |outcome: &str| format!("asked_of_others_total{{peer=\"Provider\",outcome=\"{outcome}\"}}");
    assert_eq!(counted(&house, &of_provider("Failed")).await, count);
    assert_eq!(counted(&house, &of_provider("Refused")).await, 0);

    let mut phone = at_pin(&house, 99).await;
    phone.key(&house, PIN).await;
    provider.next(Answer::Error { status: 400, code: Some(21610) });
    phone.key(&house, "1").await;
    let redirect = eventually_async("a redirect", async || {
        let path = format!("/Calls/{}.json", phone.sid);
        provider.requests().into_iter().find(|request| request.path.ends_with(&path))
    })
    .await;
    let url = redirect.field("Url").unwrap().strip_prefix(PUBLIC_URL).unwrap().to_owned();
    phone.post(&house, &url, &[("CallStatus", "in-progress")]).await;
    assert!(phone.spoken().contains("key in this code"), "the next way: {}", phone.spoken());
    // The message, and to redirect a call of which this provider has never heard: it is counted once the
    // provider has answered.
    eventually_async("two refusals to be counted", async || {
        (counted(&house, &of_provider("Refused")).await == 2).then_some(())
    })
    .await;
    house.logs("the provider did not accept an effect");
    let codes: Vec<_> = codes.iter().map(String::as_str).collect();
    hides(&house, &codes);
}
