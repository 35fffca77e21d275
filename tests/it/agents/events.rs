//! Who watches the events of a server sees every turn as it is taken, and nothing of who called or what
//! was said.

use callgate::limits::WATCHERS_MAX;
use serde_json::Value;

use super::office::{AGENT, CALLER, DESIGNER, call_of, caller, house};
use crate::support::house::{ACCOUNT, House, OPERATOR, PIN, client};
use crate::support::provider::Provider;
use crate::threats::office::{DESK, Office, account};

async fn watch(house: &House, token: &str) -> reqwest::Response {
    let request = client().get(format!("{}/api/events", house.admin())).bearer_auth(token);
    request.send().await.unwrap()
}

/// What is told until this is in it.
async fn told(watch: &mut reqwest::Response, until: &str) -> String {
    let mut text = String::new();
    while !text.contains(until) {
        let part = watch.chunk().await.unwrap().expect("it goes on");
        text.push_str(std::str::from_utf8(&part).unwrap());
    }
    text
}

#[tokio::test]
async fn a_turn_is_told_as_it_is_taken_and_no_secret_with_it() {
    let provider = Provider::start();
    let mut house = house("memory:", &provider);
    for token in [AGENT, DESIGNER] {
        assert_eq!(watch(&house, token).await.status(), 403);
    }
    let mut desk = watch(&house, OPERATOR).await;
    assert_eq!(desk.headers()["content-type"], "text/event-stream");
    told(&mut desk, ": watching\n\n").await;

    let phone = caller(&house, "CA62", true).await;
    phone.status(&house, "/twilio/status", &[("CallStatus", "completed")]).await;
    let text = told(&mut desk, "\"end\":\"caller_left\"").await;
    let turns: Vec<Value> = text
        .lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .map(|data| serde_json::from_str(data).unwrap())
        .collect();
    let journal = house.ask(&format!("/api/calls/{}/journal", call_of("CA62"))).await;
    let journal = journal["turns"].as_array().unwrap();
    assert_eq!(turns.len(), journal.len(), "{text}");
    for (turn, entry) in turns.iter().zip(journal) {
        assert_eq!((&turn["turn"], &turn["event"]), (&entry["number"], &entry["event"]));
        assert_eq!(turn["call"], call_of("CA62"));
    }
    assert!(turns.iter().any(|turn| turn["proved"] == serde_json::json!(["pin"])));
    for secret in [CALLER, ACCOUNT, PIN] {
        assert!(!text.contains(secret), "{text}");
    }

    // It ends when the server is told to stop, and keeps nothing from stopping.
    house.terminate();
    while desk.chunk().await.unwrap().is_some() {}
    assert_eq!(house.wait(), Some(0));
}

#[tokio::test]
async fn those_who_watch_are_bounded() {
    let provider = Provider::start();
    let house = house("memory:", &provider);
    let mut desks = Vec::new();
    loop {
        let desk = watch(&house, OPERATOR).await;
        if desk.status() == 503 {
            break;
        }
        assert_eq!(desk.status(), 200);
        desks.push(desk);
        assert!(desks.len() < 100);
    }
    assert!(desks.len() > 3);
}

#[tokio::test]
async fn no_more_watch_than_may() {
    let office = Office::fresh(DESK, &account(ACCOUNT, "2024-01-01"));
    let watch = || office.exchange.watch();
    let mut watching: Vec<_> = (0..WATCHERS_MAX).map(|_| watch().unwrap()).collect();
    assert!(watch().is_none());
    watching.pop();
    assert!(watch().is_some());
}
