//! A lock concerns one factor on the telephone, and is lifted over the admin API or on the command line.

use std::process::Output;

use serde_json::{Value, json};

use crate::support::house::{ACCOUNT, House, OPERATOR, PIN, client};
use crate::support::process::Ran as _;
use crate::support::provider::Provider;
use crate::support::redis::RedisServer;
use crate::support::telephone::Telephone;

const MENU: &str = "For your balance";

fn house(store: &str, provider: &Provider) -> House {
    let mut house = House::set_up(store, &provider.api_base());
    let flow = house.folder.path().join("flows/desk.toml");
    let text = std::fs::read_to_string(&flow).unwrap();
    let text = text.replace(
        "digits = 6\non = { ok = \"menu\", failed = \"sorry\", locked = \"sorry\" }",
        "digits = 6\non = { ok = \"menu\", failed = \"web\", locked = \"web\" }",
    ) + "\n[states.web]\ntype = \"gather_service_code\"\nprompt = \"Key in the code from our website.\"\n\
         on = { ok = \"menu\", failed = \"sorry\", locked = \"sorry\" }\n";
    std::fs::write(&flow, text).unwrap();
    house.restart();
    house
}

async fn post(house: &House, path: &str, body: Value) -> (u16, Value) {
    let url = format!("{}{path}", house.admin());
    let request = client().post(url).bearer_auth(OPERATOR).json(&body);
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

/// Rings, and keys a PIN as often as it is asked for, at most `times`.
async fn ring(house: &House, name: &str, pin: &str, times: usize) -> Telephone {
    let mut phone = Telephone::new(name, "+15005550777");
    phone.ring(house).await;
    phone.key(house, ACCOUNT).await;
    for _ in 0..times {
        phone.key(house, pin).await;
    }
    phone
}

/// Five wrong PINs; then the right one is no better.
async fn lock(house: &House, name: &str) {
    ring(house, &format!("{name}1"), "111222", 3).await;
    ring(house, &format!("{name}2"), "111222", 3).await;
    let phone = ring(house, &format!("{name}3"), PIN, 3).await;
    assert_eq!(phone.spoken(), "Key in the code from our website.");
}

fn unlock(house: &House, arguments: &[&str]) -> Output {
    // Whoever lifts locks needs the state key, and none of the house's other secrets.
    house.keeper().arg("unlock").args(arguments).ran()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_locked_pin_leaves_service_codes_and_is_lifted_by_an_operator() {
    let provider = Provider::start();
    let house = house("embedded:callgate.redb", &provider);
    lock(&house, "CA").await;
    // The lock is the PIN's alone: a code from the web still gets in.
    let wanted = json!({ "account": ACCOUNT, "level": "aal2" });
    let (_, issued) = post(&house, "/api/service-codes", wanted).await;
    let mut phone = ring(&house, "CA4", PIN, 3).await;
    phone.key(&house, issued["code"].as_str().unwrap()).await;
    assert!(phone.spoken().starts_with(MENU), "{}", phone.spoken());
    // Another factor's lock is no business of the PIN's.
    let body = json!({ "account": ACCOUNT, "factor": "sms_otp" });
    assert_eq!(post(&house, "/api/unlock", body).await.0, 200);
    let phone = ring(&house, "CA5", PIN, 1).await;
    assert!(!phone.spoken().starts_with(MENU));
    let body = json!({ "account": ACCOUNT, "factor": "pin" });
    let (status, lifted) = post(&house, "/api/unlock", body).await;
    assert_eq!(status, 200);
    let expected = json!({ "unlocked": [{
        "factor": "pin", "failures_lifted": 5, "failures_this_year": 5, "locked_for_the_year": false,
    }] });
    assert_eq!(lifted, expected);
    let phone = ring(&house, "CA6", PIN, 1).await;
    assert!(phone.spoken().starts_with(MENU), "{}", phone.spoken());
    let metrics = house.metrics().await;
    assert!(metrics.contains("callgate_unlocked_total 2"));
    let set = metrics.lines().filter(|line| line.starts_with("callgate_locks_total"));
    let once = "callgate_locks_total{factor=\"pin\",lasts=\"AWhile\"} 1";
    assert_eq!(set.collect::<Vec<_>>(), [once], "a wrong entry sets one, and refused ones none");
    house.logs(r#""factors":["pin"]"#);
    let log = house.log();
    assert!(log.contains("callgate::audit") && log.contains(r#""by":"token tests""#), "{log}");
    assert!(!log.contains(ACCOUNT));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lock_in_redis_is_lifted_on_the_command_line() {
    let (redis, provider) = (RedisServer::start(), Provider::start());
    let house = house(&redis.url(), &provider);
    lock(&house, "CA").await;
    let output = unlock(&house, &[ACCOUNT, "--factor", "pin"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text, "pin: 5 failures lifted, 5 of 50 counted this year\n");
    let phone = ring(&house, "CA4", PIN, 1).await;
    assert!(phone.spoken().starts_with(MENU), "{}", phone.spoken());
    // Whoever mistypes the account must not take it for done.
    let output = unlock(&house, &["00000000", "--factor", "pin"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty(), "{output:?}");
    assert_eq!(output.stderr, b"error: there is no such account\n");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_unlocked_is_told() {
    let provider = Provider::start();
    let house = house("embedded:callgate.redb", &provider);
    for (body, status) in [
        (json!({ "account": "00000000" }), 404),
        (json!({ "account": ACCOUNT, "factor": "face" }), 400),
        (json!({ "factor": "pin" }), 400),
        (json!({ "account": ACCOUNT, "extra": 1 }), 400),
    ] {
        let (got, answer) = post(&house, "/api/unlock", body.clone()).await;
        assert_eq!(got, status, "{body}: {answer}");
        assert!(!answer.to_string().contains(ACCOUNT));
    }
    let url = format!("{}/api/unlock", house.admin());
    let response = client().post(url).json(&json!({ "account": ACCOUNT })).send().await.unwrap();
    assert_eq!(response.status().as_u16(), 401);
    // The embedded store is the server's while it runs.
    let output = unlock(&house, &[ACCOUNT]);
    assert_eq!(output.status.code(), Some(3), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.stdout.is_empty());
    assert!(String::from_utf8_lossy(&output.stderr).contains("when asked: POST /api/unlock"));
    let output = unlock(&house, &[ACCOUNT, "--factor", "face"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("it must be one of pin, passcode"));
    let output = unlock(&house, &[]);
    assert_eq!(output.status.code(), Some(2), "standard input is empty");
    let noise = house.folder.path().join("noise");
    std::fs::write(&noise, b"\xff\n").unwrap();
    let noise = std::fs::File::open(noise).unwrap();
    let output = house.keeper().arg("unlock").stdin(noise).ran();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("standard input is not text"));
}
