//! Codes from the web: issued over the admin API, redeemed once on the telephone.

use serde_json::{Value, json};

use crate::support::house::{ACCOUNT, House, OPERATOR, PIN, client};
use crate::support::process::Ran as _;
use crate::support::provider::Provider;
use crate::support::telephone::Telephone;

const CALLER: &str = "+15005550777";

async fn issue(house: &House, body: Value) -> (u16, Value) {
    let response = client()
        .post(format!("{}/api/service-codes", house.admin()))
        .bearer_auth(OPERATOR)
        .json(&body)
        .send()
        .await
        .unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

async fn code(house: &House, level: &str) -> String {
    let (status, body) = issue(house, json!({ "account": ACCOUNT, "level": level })).await;
    assert_eq!(status, 201, "{body}");
    body["code"].as_str().unwrap().to_owned()
}

fn house() -> (House, Provider) {
    let provider = Provider::start();
    let mut house = House::set_up("embedded:callgate.redb", &provider.api_base());
    let flow = house.folder.path().join("flows/desk.toml");
    let text = std::fs::read_to_string(&flow).unwrap();
    let text = text
        .replace("{ found = \"pin\", unknown = \"pin\" }", "{ found = \"web\", unknown = \"web\" }")
        .replace("any = [\"sms_otp\", \"callback\"]", "any = [\"possession\"]")
        + "\n[states.web]\ntype = \"gather_service_code\"\nprompt = \"Key in the code from our website.\"\n\
           tries = 2\npurpose = \"balance\"\non = { ok = \"menu\", failed = \"pin\", locked = \"pin\" }\n";
    std::fs::write(&flow, text).unwrap();
    house.restart();
    (house, provider)
}

async fn ring(house: &House, name: &str) -> Telephone {
    let mut phone = Telephone::new(name, CALLER);
    phone.ring(house).await;
    phone.key(house, ACCOUNT).await;
    assert_eq!(phone.spoken(), "Key in the code from our website.");
    phone
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_code_is_redeemed_once_and_inherits_the_level_of_its_session() {
    let (house, _provider) = house();
    let strong = code(&house, "aal2").await;
    let mut phone = ring(&house, "CA1").await;
    phone.key(&house, &strong).await;
    phone.key(&house, "1").await;
    assert!(phone.spoken().starts_with("Your balance is"), "{}", phone.spoken());
    // The same code on another call is nothing.
    let mut phone = ring(&house, "CA2").await;
    phone.key(&house, &strong).await;
    phone.key(&house, &strong).await;
    assert_eq!(phone.spoken(), "Please key in your PIN.");
    phone.key(&house, PIN).await;
    assert!(phone.spoken().starts_with("For your balance"));
    // A code of a session with one factor gets in, and is no possession.
    let weak = code(&house, "aal1").await;
    let mut phone = ring(&house, "CA3").await;
    phone.key(&house, &weak).await;
    assert!(phone.spoken().starts_with("For your balance"));
    phone.key(&house, "1").await;
    assert_eq!(
        phone.spoken(),
        "Key in the six digits we have just sent you.",
        "a step-up is needed"
    );
    assert!(!house.log().contains(&strong) && !house.log().contains(&weak));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_code_revokes_the_old_and_a_purpose_binds() {
    let (house, _provider) = house();
    let old = code(&house, "aal2").await;
    let body = json!({ "account": ACCOUNT, "level": "aal2", "purpose": "address", "ttl": "5m" });
    let (_, other) = issue(&house, body).await;
    let mut phone = ring(&house, "CA1").await;
    phone.key(&house, &old).await;
    phone.key(&house, other["code"].as_str().unwrap()).await;
    assert_eq!(phone.spoken(), "Please key in your PIN.", "neither opens this");
}

/// A telephone that has claimed too many accounts is taken for nobody's, and what it keys in costs nobody a code.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_taken_for_nobody_spends_no_code() {
    let (house, _provider) = house();
    let code = code(&house, "aal2").await;
    for n in 0..5 {
        let mut phone = Telephone::new(&format!("CA{n}"), CALLER);
        phone.ring(&house).await;
        phone.key(&house, &format!("9000000{n}")).await;
    }
    let mut phone = ring(&house, "CA6").await;
    phone.key(&house, &code).await;
    assert_eq!(phone.spoken(), "Key in the code from our website.", "it is wrong here");
    phone.status(&house, "/twilio/status", &[("CallStatus", "completed")]).await;
    let mut phone = Telephone::new("CA7", "+15005550888");
    phone.ring(&house).await;
    phone.key(&house, ACCOUNT).await;
    phone.key(&house, &code).await;
    assert!(phone.spoken().starts_with("For your balance"), "{}", phone.spoken());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_redemptions_at_once_are_one() {
    let (house, _provider) = house();
    let code = code(&house, "aal2").await;
    let mut phones = Vec::new();
    for n in 0..10 {
        phones.push(ring(&house, &format!("CA{n}")).await);
    }
    let redeemed = phones.iter_mut().map(|phone| async {
        phone.key(&house, &code).await;
        phone.spoken().starts_with("For your balance")
    });
    let redeemed = futures_util::future::join_all(redeemed).await;
    assert_eq!(redeemed.iter().filter(|redeemed| **redeemed).count(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_issued_is_told() {
    let (house, _provider) = house();
    for (body, status) in [
        (json!({ "account": "00000000", "level": "aal2" }), 404),
        (json!({ "account": ACCOUNT, "level": "aal3" }), 400),
        (json!({ "account": ACCOUNT }), 400),
        (json!({ "account": ACCOUNT, "level": "aal1", "ttl": "2d" }), 400),
        (json!({ "account": ACCOUNT, "level": "aal1", "ttl": 0 }), 400),
        (json!({ "account": ACCOUNT, "level": "aal1", "ttl": 300.5 }), 400),
        (json!({ "account": ACCOUNT, "level": "aal1", "purpose": "" }), 400),
        (json!({ "account": ACCOUNT, "level": "aal1", "extra": 1 }), 400),
    ] {
        let (got, answer) = issue(&house, body.clone()).await;
        assert_eq!(got, status, "{body}: {answer}");
        assert!(!answer.to_string().contains(ACCOUNT));
    }
    // A letter is a letter, however many bytes it takes.
    for (letters, status) in [(64, 201), (65, 400)] {
        let purpose = "\u{e9}".repeat(letters);
        let body = json!({ "account": ACCOUNT, "level": "aal1", "purpose": purpose });
        assert_eq!(issue(&house, body).await.0, status, "{letters}");
    }
    // To clients that know one kind of number 300.0 is a whole one; and a day is not too long.
    let document = include_str!("../../docs/openapi.json");
    let document: serde_json::Value = serde_json::from_str(document).unwrap();
    let wanted = &document["components"]["schemas"]["ServiceCodeWanted"];
    let wanted = jsonschema::validator_for(wanted).unwrap();
    for (ttl, status) in [
        (json!(300.0), 201),
        (json!("90s"), 201),
        (json!("2m 30s"), 201),
        (json!("24h"), 201),
        (json!("1d"), 201),
        (json!(86_401), 400),
        (json!("5 s m"), 400),
        (json!("30s 2m"), 400),
        (json!("-5m"), 400),
        (json!("0s"), 400),
    ] {
        let body = json!({ "account": ACCOUNT, "level": "aal1", "ttl": ttl });
        assert_eq!(wanted.is_valid(&body), status == 201, "{ttl}");
        let (got, answer) = issue(&house, body).await;
        assert_eq!(got, status, "{ttl}: {answer}");
    }
    let unauthorised = client()
        .post(format!("{}/api/service-codes", house.admin()))
        .json(&json!({ "account": ACCOUNT, "level": "aal2" }))
        .send()
        .await
        .unwrap();
    assert_eq!(unauthorised.status().as_u16(), 401);
}

#[test]
fn a_flow_that_takes_codes_of_another_length_than_are_made_is_not_served() {
    let (mut house, _provider) = house();
    house.kill();
    let flow = house.folder.path().join("flows/desk.toml");
    let text = std::fs::read_to_string(&flow).unwrap();
    let of = |digits: u32| text.replacen("tries = 2", &format!("digits = {digits}\ntries = 2"), 1);
    std::fs::write(&flow, of(8)).unwrap();
    let other = house.folder.path().join("flows/other.toml");
    let asks = "name = \"other\"\nstart = \"ask\"\n[states.ask]\ntype = \"lookup\"\nbackend = \"crm\"\naccount = false\n\
        on = { ok = \"bye\", failed = \"bye\" }\n[states.bye]\ntype = \"hangup\"\n";
    std::fs::write(&other, asks).unwrap();
    let output = house.command().args(["serve", "--config", "callgate.toml"]).ran();
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.contains("state `web` of flow `desk` takes codes from the web of 8 digits, and `[policy.service_code] digits` makes them of 6"),
        "{said}"
    );
    assert!(
        said.contains("\nerror: state `ask` of flow `other` asks the back end `crm`"),
        "{said}"
    );
    std::fs::remove_file(&other).unwrap();
    std::fs::write(&flow, of(6)).unwrap();
    house.restart();
}
