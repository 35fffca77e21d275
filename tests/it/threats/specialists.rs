//! Specialists: what their side is given of a caller, and what cannot be had of it.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::agents::office::{AGENT, CALLER, agent, call_of, caller, code_of, house};
use crate::support::eventually::eventually_async;
use crate::support::house::{ACCOUNT, House, MOBILE, OPERATOR, PIN, PUBLIC_URL, client};
use crate::support::provider::Provider;
use crate::support::telephone::Telephone;

/// What the account has that is nobody's business before it is proved whose it is.
const PERSONAL: [&str; 6] = ["Ada", "1234.56", ACCOUNT, PIN, MOBILE, CALLER];

/// The attributes of the task in the last answer.
fn task(phone: &Telephone) -> Value {
    let enqueue = phone.heard.children.iter().find(|verb| verb.name == "Enqueue").unwrap();
    serde_json::from_str(&enqueue.children[0].text).unwrap()
}

/// The names of an object's fields.
fn names(value: &Value) -> BTreeSet<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

/// A call as the specialist's screen is told of it.
async fn screen(house: &House, call: &str) -> Value {
    let (status, seen) = agent(house, None, &format!("/api/calls/{call}")).await;
    assert_eq!(status, 200, "{seen}");
    seen
}

/// The specialist asks for more proof, and the caller's leg comes to where it is proved.
async fn asked_for_more(house: &House, provider: &Provider, phone: &mut Telephone) -> Value {
    let call = call_of(&phone.sid);
    let path = format!("/api/calls/{call}/step-up");
    let (status, asked) = agent(house, Some(json!({ "level": "strong" })), &path).await;
    assert_eq!(status, 202, "{asked}");
    let live = format!("/Calls/{}.json", phone.sid);
    eventually_async("the leg is taken out of the conference", async || {
        provider.requests().iter().any(|request| request.path.ends_with(&live)).then_some(())
    })
    .await;
    phone.post(house, &format!("/twilio/resume/{call}/0"), &[("CallStatus", "in-progress")]).await;
    asked
}

/// Of somebody who claims nobody's account, and of somebody who claims one and proves nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t43_a_screen_shows_nothing_of_a_caller_who_has_proved_nothing() {
    let provider = Provider::start();
    let house = house("memory:", &provider);
    for (sid, claimed) in [("CA4300", "99999999"), ("CA4301", ACCOUNT)] {
        let mut phone = Telephone::new(sid, CALLER);
        phone.ring(&house).await;
        phone.key(&house, claimed).await;
        phone.key(&house, "111222").await;
        phone.key(&house, "1").await;
        let (task, screen) = (task(&phone), screen(&house, &call_of(sid)).await);
        let given = BTreeSet::from([
            "age_s",
            "at",
            "callgate_call",
            "edition",
            "flow",
            "language",
            "levels",
            "proved",
            "shared",
            "voucher",
        ]);
        assert_eq!(names(&task), given);
        let given = ["age_s", "id", "levels", "locale", "over", "shared", "step_up"];
        assert_eq!(names(&screen), BTreeSet::from(given));
        for told in [&task, &screen] {
            assert_eq!((&told["shared"], &told["levels"]), (&json!({}), &json!([])), "{told}");
            for personal in PERSONAL {
                assert!(!told.to_string().contains(personal), "{personal}: {told}");
            }
        }
    }
}

/// Whoever is in a conference hears everybody in it, whether or not its specialist can ask for more proof.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t43_nobody_is_led_into_the_conference_of_another() {
    let provider = Provider::start();
    let mut house = house("memory:", &provider);
    house.change("flows/desk.toml", "agent_step_up = \"prove\"\n", "");
    house.restart();
    for (sid, pin, key) in [("CA4310", true, "4"), ("CA4311", false, "4"), ("CA4312", false, "5")] {
        let mut phone = caller(&house, sid, pin).await;
        phone.key(&house, key).await;
        let dial = phone.heard.children.iter().find(|verb| verb.name == "Dial").unwrap();
        assert_eq!(dial.children[0].text, format!("desk-{}", call_of(sid)));
    }
}

/// With the specialist's own token, at each level, and whatever is asked for beside it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t44_the_server_keeps_back_what_the_level_does_not_allow() {
    let provider = Provider::start();
    let house = house("memory:", &provider);
    for (sid, pin, shared) in
        [("CA4400", false, json!({})), ("CA4401", true, json!({ "first_name": "Ada" }))]
    {
        let mut phone = caller(&house, sid, pin).await;
        let call = call_of(sid);
        assert_eq!(screen(&house, &call).await["shared"], json!({}), "nobody has the caller yet");
        phone.key(&house, "4").await;
        let with = |more: &str| format!("{call}{more}");
        for path in [with(""), with("?level=strong"), with("?share=balance&role=operator")] {
            assert_eq!(screen(&house, &path).await["shared"], shared, "{path}");
        }
        let path = format!("/api/calls/{call}");
        for path in ["/api/calls", &format!("{path}/journal"), "/api/flows", "/api/outbox"] {
            assert_eq!(agent(&house, None, path).await.0, 403, "{path}");
        }
        let asked = json!({ "account": ACCOUNT, "level": "aal2" });
        assert_eq!(agent(&house, Some(asked), "/api/service-codes").await.0, 403);
        let asked = json!({ "account": ACCOUNT });
        assert_eq!(agent(&house, Some(asked), "/api/unlock").await.0, 403);
        if pin {
            asked_for_more(&house, &provider, &mut phone).await;
            let code = code_of(&provider, 1).await;
            phone.key(&house, &code).await;
            let all = json!({ "first_name": "Ada", "balance": 1234.56 });
            assert_eq!(screen(&house, &call).await["shared"], all);
        }
    }
}

/// Everything that the specialist's side is sent while a caller proves more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t45_nothing_that_a_specialist_is_sent_has_a_code_or_a_pin_in_it() {
    let provider = Provider::start();
    let house = house("memory:", &provider);
    let mut sent = Vec::new();
    // By task, by SIP and by whisper.
    for (sid, key) in [("CA4500", "1"), ("CA4501", "2"), ("CA4502", "3")] {
        let mut phone = caller(&house, sid, true).await;
        phone.key(&house, key).await;
        sent.push(format!("{:?}", phone.heard));
        if key == "3" {
            let dial = phone.heard.children.iter().find(|verb| verb.name == "Dial").unwrap();
            let whisper = dial.children[0].attribute("url").unwrap();
            let whisper = whisper.strip_prefix(PUBLIC_URL).unwrap().to_owned();
            let mut specialist = Telephone::rung("CA4502W", "+15005550042");
            specialist.post(&house, &whisper, &[("CallStatus", "in-progress")]).await;
            sent.push(format!("{:?}", specialist.heard));
        }
    }
    let mut phone = caller(&house, "CA4503", true).await;
    phone.key(&house, "4").await;
    let conference = format!("{:?}", phone.heard);
    assert!(!conference.contains("record"), "no recording begins: {conference}");
    sent.push(conference);
    let call = call_of("CA4503");
    sent.push(asked_for_more(&house, &provider, &mut phone).await.to_string());
    let code = code_of(&provider, 1).await;
    let step_up = format!("/api/calls/{call}/step-up");
    for entry in [&*other(&code), &code] {
        // While it is keyed in the leg is with us alone: no room, nobody dialled.
        assert!(phone.hears("Gather") && !phone.hears("Dial"), "{:?}", phone.heard);
        phone.key(&house, entry).await;
        sent.push(agent(&house, None, &step_up).await.1.to_string());
        sent.push(screen(&house, &call).await.to_string());
    }
    assert_eq!(agent(&house, None, &step_up).await.1["result"], "passed");
    sent.push(format!("{:?}", phone.heard));
    assert_eq!(sent.len(), 11);
    for payload in &sent {
        for secret in [PIN, &code, &other(&code)] {
            let words = payload.split(|c: char| !c.is_ascii_alphanumeric());
            assert!(!{ words }.any(|word| word == secret), "{secret}: {payload}");
        }
    }
}

/// Another code, as long.
fn other(code: &str) -> String {
    super::office::other_than(code)
}

/// A specialist hears of a code from the web that it was right, and how old that is: not the code.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t67_a_specialist_never_has_a_code_from_the_web() {
    let provider = Provider::start();
    let mut house = house("memory:", &provider);
    let path = house.folder.path().join("flows/desk.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let by_web = text
        .replace("basic = { any = [\"pin\"] }", "basic = { any = [\"pin\", \"service_code\"] }")
        .replace("type = \"gather_pin\"", "type = \"gather_service_code\"");
    assert_ne!(by_web, text);
    std::fs::write(&path, by_web).unwrap();
    house.restart();
    let issued = client()
        .post(format!("{}/api/service-codes", house.admin()))
        .bearer_auth(OPERATOR)
        .body(json!({ "account": ACCOUNT, "level": "aal2" }).to_string())
        .send()
        .await
        .unwrap();
    let issued: Value = issued.json().await.unwrap();
    let code = issued["code"].as_str().unwrap();
    let mut phone = Telephone::new("CA6700", CALLER);
    phone.ring(&house).await;
    phone.key(&house, ACCOUNT).await;
    phone.key(&house, code).await;
    phone.key(&house, "1").await;
    let (task, screen) = (task(&phone), screen(&house, &call_of("CA6700")).await);
    assert_eq!(task["proved"], json!(["service_code"]));
    for told in [&task, &screen] {
        let words = told.to_string();
        let mut words = words.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        assert!(!words.any(|word| word == code || word == "code"), "{told}");
        assert!(told["age_s"]["service_code"].is_u64(), "{told}");
    }
    // Nor can they have one made, and one that they overheard is spent.
    let asked = json!({ "account": ACCOUNT, "level": "aal2" });
    assert_eq!(agent(&house, Some(asked), "/api/service-codes").await.0, 403);
    let mut replayed = Telephone::new("CA6701", CALLER);
    replayed.ring(&house).await;
    replayed.key(&house, ACCOUNT).await;
    replayed.key(&house, code).await;
    replayed.key(&house, "1").await;
    assert_eq!(self::task(&replayed)["proved"], json!([]));
    assert!(!house.log().contains(AGENT), "and no token is logged");
}
