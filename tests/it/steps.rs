//! Clocks that are set far forward while a server runs.

use crate::support::clock::{give_a_clock, set_clock};
use crate::support::house::{ACCOUNT, House, PIN};
use crate::support::redis::RedisServer;
use crate::support::telephone::Telephone;

const NOBODY: &str = "http://127.0.0.1:9";
const DAY: &str = "+86400";
const LONGER_THAN_A_CALL: &str = "+18000";
const DAY_BEFORE: &str = "-86400";

async fn called(store: &str, clock: &str) -> (House, Telephone) {
    let mut house = House::set_up(store, NOBODY);
    give_a_clock(&mut house, clock);
    house.restart();
    let mut phone = Telephone::new("CA1", "+15005550777");
    phone.ring(&house).await;
    (house, phone)
}

/// Of two clocks the one that was set is the wrong one: nobody's call has lasted too long by it.
#[tokio::test]
async fn a_clock_set_a_day_forward_ends_no_call_while_that_of_the_store_is_not() {
    let store = RedisServer::shared().database();
    let (house, mut phone) = called(&store, "+0").await;
    set_clock(&house, DAY);
    house.logs("the clock of this machine was set forward and that of the store was not");
    phone.key(&house, ACCOUNT).await;
    assert!(phone.spoken().contains("PIN"), "{}", phone.spoken());
    assert!(!house.log().contains("\"event\":\"deadline\""));
}

/// Nor by one that was wrong when another server started, which serves calls of the first.
#[tokio::test]
async fn a_server_that_is_started_a_day_ahead_of_the_store_ends_no_call() {
    let store = RedisServer::shared().database();
    let (house, mut phone) = called(&store, "+0").await;
    let mut other = House::set_up(&store, NOBODY);
    give_a_clock(&mut other, DAY);
    other.restart();
    other.logs("this server begins by the time of the store");
    phone.key(&other, ACCOUNT).await;
    assert!(phone.spoken().contains("PIN"), "{}", phone.spoken());
    set_clock(&other, "+0");
    phone.key(&house, PIN).await;
    assert!(phone.spoken().starts_with("For your balance"), "{}", phone.spoken());
    assert!(!other.log().contains("\"event\":\"deadline\""));
}

/// It was wrong when the server started, and has been set right.
#[tokio::test]
async fn a_clock_that_is_set_as_that_of_the_store_is_followed() {
    let store = RedisServer::shared().database();
    let (house, _) = called(&store, DAY_BEFORE).await;
    set_clock(&house, "+0");
    house.logs("so is that of the store, and it is followed");
    house.logs("\"event\":\"deadline\"");
}

/// There is nobody to ask.
#[tokio::test]
async fn an_embedded_store_goes_by_the_machines_clock() {
    let (house, _) = called("embedded:callgate.redb", "+0").await;
    set_clock(&house, LONGER_THAN_A_CALL);
    house.logs("\"event\":\"deadline\"");
}
