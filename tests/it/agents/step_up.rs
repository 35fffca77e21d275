//! A specialist in a conference asks that the caller prove more, and learns what came of it alone.

use serde_json::{Value, json};

use super::office::{CALLER, agent, call_of, caller, code_of, house};
use crate::support::eventually::eventually_async;
use crate::support::house::{ACCOUNT, House, LINE, PIN};
use crate::support::provider::{ACCOUNT_SID, Provider};
use crate::support::redis::RedisServer;
use crate::support::telephone::Telephone;

/// A caller in the conference, and the call's name.
async fn in_room(house: &House, sid: &str) -> (Telephone, String) {
    let mut phone = caller(house, sid, true).await;
    phone.key(house, "4").await;
    let room = room_of(&phone);
    let call = call_of(sid);
    assert_eq!(room, format!("desk-{call}"), "each caller has a room of their own");
    assert!(phone.spoken().contains("One moment"));
    (phone, call)
}

fn room_of(phone: &Telephone) -> String {
    let dial = phone.heard.children.iter().find(|verb| verb.name == "Dial").unwrap();
    assert_eq!(dial.children[0].attribute("endConferenceOnExit"), Some("false"));
    dial.children[0].text.clone()
}

async fn ask(house: &House, call: &str, level: &str) -> (u16, Value) {
    let path = format!("/api/calls/{call}/step-up");
    agent(house, Some(json!({ "level": level })), &path).await
}

async fn told(house: &House, call: &str) -> Value {
    agent(house, None, &format!("/api/calls/{call}/step-up")).await.1
}

/// The provider takes the leg where it was asked to: to its present prompt.
async fn taken(house: &House, provider: &Provider, phone: &mut Telephone, times: usize) {
    let path = format!("/Calls/{}.json", phone.sid);
    eventually_async("the leg is taken out of the conference", async || {
        let requests = provider.requests();
        let redirects = requests
            .iter()
            .filter(|request| request.method == "POST" && request.path.ends_with(&path));
        (redirects.count() == times).then_some(())
    })
    .await;
    let call = call_of(&phone.sid);
    phone.post(house, &format!("/twilio/resume/{call}/0"), &[("CallStatus", "in-progress")]).await;
}

async fn passes(store: &str) {
    let provider = Provider::start();
    let house = house(store, &provider);
    let (mut phone, call) = in_room(&house, "CA20").await;
    let left = phone.action();
    let before = agent(&house, None, &format!("/api/calls/{call}")).await.1;
    assert_eq!(before["shared"], json!({ "first_name": "Ada" }));
    assert_eq!((&before["levels"], &before["step_up"]), (&json!(["basic"]), &Value::Null));

    let (status, asked) = ask(&house, &call, "strong").await;
    assert_eq!((status, &asked["result"]), (202, &json!("pending")));
    // A double click, and another wish while the caller is at this one.
    assert_eq!(ask(&house, &call, "strong").await, (202, asked.clone()));
    assert_eq!(ask(&house, &call, "basic").await.0, 409);
    // The dial ends with the redirect: that is not the end of the transfer.
    let ended = [("DialCallStatus", "answered"), ("CallStatus", "in-progress")];
    phone.post(&house, &left, &ended).await;
    assert_eq!(phone.spoken(), "Key in the code that we have just sent you.");
    taken(&house, &provider, &mut phone, 1).await;
    assert_eq!(phone.spoken(), "Key in the code that we have just sent you.");
    let code = code_of(&provider, 1).await;
    let meanwhile = agent(&house, None, &format!("/api/calls/{call}")).await.1;
    assert_eq!(meanwhile["shared"], json!({ "first_name": "Ada" }));
    for seen in [&asked, &told(&house, &call).await, &meanwhile] {
        assert!(!seen.to_string().contains(&code), "the specialist never sees the code");
    }

    phone.key(&house, &code).await;
    assert_eq!(room_of(&phone), format!("desk-{call}"), "back to the same room");
    assert!(!phone.spoken().contains("One moment"));
    assert_eq!(told(&house, &call).await["result"], "passed");
    assert_eq!(told(&house, &call).await["id"], asked["id"]);
    let seen = agent(&house, None, &format!("/api/calls/{call}")).await.1;
    assert_eq!(seen["shared"], json!({ "first_name": "Ada", "balance": 1234.56 }));
    // A level that is met disturbs nobody.
    let (status, again) = ask(&house, &call, "strong").await;
    assert_eq!((status, &again["result"]), (202, &json!("passed")));
    assert_eq!(told(&house, &call).await["id"], again["id"]);
    // The first dial's end comes late: the leg is where it is.
    phone.post(&house, &left, &ended).await;
    assert_eq!(room_of(&phone), format!("desk-{call}"));

    let action = phone.action();
    phone.post(&house, &action, &ended).await;
    assert_eq!(phone.spoken(), "Thank you. Goodbye.");
    assert_eq!(ask(&house, &call, "strong").await.0, 409, "the call is over");
    let seen = agent(&house, None, &format!("/api/calls/{call}")).await.1;
    assert_eq!((&seen["shared"], &seen["over"]), (&json!({}), &json!(true)));
    assert!(!house.log().contains(&code), "no code is logged");
}

#[tokio::test]
async fn a_caller_proves_more_and_comes_back_on_redb() {
    passes("embedded:calls.redb").await;
}

#[tokio::test]
async fn a_caller_proves_more_and_comes_back_on_redis() {
    let redis = RedisServer::start();
    passes(&redis.url()).await;
}

#[tokio::test]
async fn a_caller_who_does_not_prove_it_comes_back_as_they_went() {
    let provider = Provider::start();
    let house = house("memory:", &provider);
    let (mut phone, call) = in_room(&house, "CA21").await;
    ask(&house, &call, "strong").await;
    taken(&house, &provider, &mut phone, 1).await;
    for _ in 0..3 {
        phone.key(&house, "000001").await;
    }
    assert_eq!(room_of(&phone), format!("desk-{call}"));
    assert_eq!(told(&house, &call).await["result"], "failed");
    let seen = agent(&house, None, &format!("/api/calls/{call}")).await.1;
    assert_eq!(seen["shared"], json!({ "first_name": "Ada" }));
    // Asked once more it is another asking.
    let first = told(&house, &call).await["id"].clone();
    let (status, second) = ask(&house, &call, "strong").await;
    assert_eq!((status, &second["result"]), (202, &json!("failed")), "no other code so soon");
    assert_ne!(second["id"], first);
}

#[tokio::test]
async fn a_caller_who_hangs_up_meanwhile_has_not_proved_it() {
    let provider = Provider::start();
    let house = house("memory:", &provider);
    let (mut phone, call) = in_room(&house, "CA22").await;
    ask(&house, &call, "strong").await;
    taken(&house, &provider, &mut phone, 1).await;
    phone.status(&house, "/twilio/status", &[("CallStatus", "completed")]).await;
    assert_eq!(told(&house, &call).await["result"], "failed");
    let journal = house.ask(&format!("/api/calls/{call}/journal")).await.to_string();
    assert!(journal.contains("step_up"), "{journal}");
}

#[tokio::test]
async fn of_a_call_that_is_over_a_specialist_sees_no_field() {
    let provider = Provider::start();
    let house = house("memory:", &provider);
    let (phone, call) = in_room(&house, "CA26").await;
    let path = format!("/api/calls/{call}");
    let seen = agent(&house, None, &path).await.1;
    assert_eq!((&seen["shared"], &seen["over"]), (&json!({ "first_name": "Ada" }), &json!(false)));
    assert_eq!(seen["levels"], json!(["basic"]));
    phone.status(&house, "/twilio/status", &[("CallStatus", "completed")]).await;
    let seen = agent(&house, None, &path).await.1;
    assert_eq!((&seen["shared"], &seen["over"]), (&json!({}), &json!(true)));
    assert_eq!(seen["levels"], json!([]), "nothing is met of a call that is over");
    assert!(seen["age_s"]["pin"].is_u64(), "but it is told what was proved: {seen}");
}

/// A server with that bank's flow, in which this is replaced.
fn house_with(provider: &Provider, replaced: &[(&str, &str)]) -> House {
    let mut house = house("memory:", provider);
    for (from, to) in replaced {
        house.change("flows/desk.toml", from, to);
    }
    house.restart();
    house
}

/// A menu before the caller goes back.
const WAITS: &str = "[states.waits]\ntype = \"menu\"\nprompt = \"To go back press 1.\"\n\
    keys = { 1 = \"done\" }\non = { no_input = \"done\", no_match = \"done\" }\n[states.done]";

/// The same bank, where whoever has proved more waits at that menu.
fn house_that_waits(provider: &Provider) -> House {
    let replaced = [("on = { ok = \"done\"", "on = { ok = \"waits\""), ("[states.done]", WAITS)];
    house_with(provider, &replaced)
}

/// The caller may not come back: what they hear of meanwhile is theirs.
#[tokio::test]
async fn what_is_proved_away_from_the_specialist_is_told_when_the_caller_is_back() {
    let provider = Provider::start();
    let house = house_that_waits(&provider);
    let (mut phone, call) = in_room(&house, "CA27").await;
    assert_eq!(ask(&house, &call, "strong").await.0, 202);
    taken(&house, &provider, &mut phone, 1).await;
    let code = code_of(&provider, 1).await;
    phone.key(&house, &code).await;
    assert_eq!(phone.spoken(), "To go back press 1.");
    let path = format!("/api/calls/{call}");
    let seen = agent(&house, None, &path).await.1;
    assert_eq!(seen["shared"], json!({ "first_name": "Ada" }));
    assert_eq!((&seen["levels"], &seen["age_s"]["sms_otp"]), (&json!(["basic"]), &Value::Null));
    phone.key(&house, "1").await;
    let seen = agent(&house, None, &path).await.1;
    assert_eq!(seen["shared"], json!({ "first_name": "Ada", "balance": 1234.56 }));
}

/// What a specialist has seen stays on the screen, whatever the caller does again.
#[tokio::test]
async fn what_is_proved_again_away_from_the_specialist_is_told_as_before() {
    let provider = Provider::start();
    let again = format!(
        "[states.again]\ntype = \"gather_pin\"\nprompt = \"Your PIN once more.\"\ndigits = 6\ntries = 1\n\
         on = {{ ok = \"waits\", failed = \"waits\", locked = \"waits\" }}\n\
         accept = [\"failure-shares-success\"]\n{WAITS}"
    );
    let house = house_with(
        &provider,
        &[("agent_step_up = \"prove\"", "agent_step_up = \"again\""), ("[states.done]", &again)],
    );
    let (mut phone, call) = in_room(&house, "CA29").await;
    assert_eq!(ask(&house, &call, "strong").await.0, 202);
    taken(&house, &provider, &mut phone, 1).await;
    phone.key(&house, PIN).await;
    assert_eq!(phone.spoken(), "To go back press 1.");
    let seen = agent(&house, None, &format!("/api/calls/{call}")).await.1;
    assert!(seen["age_s"]["pin"].is_u64(), "{seen}");
    assert_eq!(seen["shared"], json!({ "first_name": "Ada" }));
    assert_eq!(
        (&seen["levels"], &seen["step_up"]["result"]),
        (&json!(["basic"]), &json!("pending"))
    );
}

/// Whoever claims another account on the way is not back yet.
#[tokio::test]
async fn what_is_proved_of_another_account_is_told_when_the_caller_is_back() {
    let provider = Provider::start();
    let house = house_that_waits(&provider);
    let mut phone = caller(&house, "CA30", true).await;
    phone.key(&house, "5").await;
    let call = call_of("CA30");
    let path = format!("/api/calls/{call}");
    assert_eq!(ask(&house, &call, "strong").await.0, 202);
    taken(&house, &provider, &mut phone, 1).await;
    phone.key(&house, ACCOUNT).await;
    let code = code_of(&provider, 1).await;
    phone.key(&house, &code).await;
    assert_eq!(phone.spoken(), "To go back press 1.");
    let seen = agent(&house, None, &path).await.1;
    assert_eq!((&seen["age_s"], &seen["levels"]), (&json!({}), &json!([])), "{seen}");
    phone.key(&house, "1").await;
    let seen = agent(&house, None, &path).await.1;
    assert!(seen["age_s"]["sms_otp"].is_u64(), "{seen}");
}

/// The next specialist is told of the caller as they are now.
#[tokio::test]
async fn what_was_proved_of_one_account_is_not_told_of_the_next() {
    let provider = Provider::start();
    let room = "agent_step_up = \"prove\"\non = { completed = ";
    let again = format!("{room}\"who\"");
    let house = house_with(&provider, &[(&format!("{room}\"bye\""), &again)]);
    let (mut phone, call) = in_room(&house, "CA28").await;
    assert_eq!(ask(&house, &call, "basic").await.1["result"], "passed");
    let ended = [("DialCallStatus", "answered"), ("CallStatus", "in-progress")];
    let left = phone.action();
    phone.post(&house, &left, &ended).await;
    assert!(phone.spoken().contains("account number"), "{}", phone.spoken());
    let path = format!("/api/calls/{call}");
    phone.key(&house, "99999999").await;
    let seen = agent(&house, None, &path).await.1;
    assert_eq!((&seen["step_up"], &seen["levels"]), (&Value::Null, &json!([])), "{seen}");
}

#[tokio::test]
async fn whoever_claims_another_account_proves_nothing_of_the_first() {
    let provider = Provider::start();
    let house = house("memory:", &provider);
    let mut phone = caller(&house, "CA23", true).await;
    phone.key(&house, "5").await;
    let call = call_of("CA23");
    let (status, _) = ask(&house, &call, "basic").await;
    assert_eq!(status, 202, "it is met, and nobody is disturbed");
    assert_eq!(ask(&house, &call, "strong").await.0, 202);
    taken(&house, &provider, &mut phone, 1).await;
    assert!(phone.spoken().contains("account number"), "{}", phone.spoken());
    phone.key(&house, ACCOUNT).await;
    assert_eq!(told(&house, &call).await["result"], "failed");
    let code = code_of(&provider, 1).await;
    phone.key(&house, &code).await;
    assert!(phone.hears("Dial"));
    assert_eq!(told(&house, &call).await["result"], "failed", "though the level is met now");
}

#[tokio::test]
async fn what_cannot_be_asked_is_refused() {
    let provider = Provider::start();
    let house = house("memory:", &provider);
    let mut phone = caller(&house, "CA24", true).await;
    let call = call_of("CA24");
    assert_eq!(ask(&house, &call, "strong").await.0, 409, "in no conference");
    assert_eq!(ask(&house, &call, "mighty").await.0, 422);
    let nobody = call_of("CA99");
    assert_eq!(ask(&house, &nobody, "strong").await.0, 404);
    let path = format!("/api/calls/{call}/step-up");
    assert_eq!(agent(&house, None, &path).await.0, 404, "nothing was asked yet");
    for body in [json!({}), json!({ "level": 1 }), json!({ "level": "strong", "code": "1" })] {
        assert_eq!(agent(&house, Some(body), &path).await.0, 400);
    }
    assert_eq!(told(&house, "no-call").await["error"].as_str().map(|_| ()), Some(()));
    // A transfer to a number is no conference.
    phone.key(&house, "3").await;
    assert_eq!(ask(&house, &call, "strong").await.0, 409);
    let form = [
        ("AccountSid", ACCOUNT_SID),
        ("CallSid", "CA24"),
        ("From", CALLER),
        ("To", LINE),
        ("CallStatus", "completed"),
    ];
    assert_eq!(house.post("/twilio/status", &form).await.0, 204);
    assert_eq!(ask(&house, &call, "strong").await.0, 409, "the call is over");
}
