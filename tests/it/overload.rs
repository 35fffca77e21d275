//! A house that is full turns new calls away, and goes on with those it has.

use std::sync::Arc;

use futures_util::future::join_all;

use crate::support::eventually::eventually_async;
use crate::support::house::House;
use crate::support::provider::Provider;
use crate::support::redis::RedisServer;
use crate::support::telephone::Telephone;

const TURNS_MAX: usize = 6;
const CALLER: &str = "+15005550777";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_house_turns_new_calls_away_and_goes_on_with_those_it_has() {
    let redis = RedisServer::start();
    let provider = Provider::start();
    let mut house = House::set_up(&redis.url(), &provider.api_base());
    house.configure(&format!("turns_max = {TURNS_MAX}\n"));
    house.restart();
    let house = Arc::new(house);
    let mut phones: Vec<_> =
        (0..TURNS_MAX).map(|n| Telephone::new(&format!("CA{n}"), CALLER)).collect();
    for phone in &mut phones {
        phone.ring(&house).await;
        assert!(phone.hears("Gather"), "{:?}", phone.heard);
    }

    // The store stands still, and with it a turn of each call.
    redis.freeze();
    let waiting: Vec<_> = phones
        .into_iter()
        .map(|mut phone| {
            let house = house.clone();
            tokio::spawn(async move {
                phone.wait(&house).await;
                phone
            })
        })
        .collect();
    let full = format!("callgate_turns_in_progress {TURNS_MAX}");
    eventually_async("the house to be full", async || {
        house.metrics().await.lines().any(|line| line == full).then_some(())
    })
    .await;
    let mut new = Telephone::new("CA0000000000000000000000000000000new", CALLER);
    new.ring(&house).await;
    assert_eq!(new.heard.children.len(), 1, "{:?}", new.heard);
    assert_eq!(new.heard.children[0].name, "Reject");
    assert_eq!(new.heard.children[0].attribute("reason"), Some("busy"));
    redis.thaw();
    for phone in join_all(waiting).await {
        let phone = phone.unwrap();
        assert!(phone.hears("Gather"), "a call in progress goes on: {:?}", phone.heard);
    }
    eventually_async("the house to be empty again", async || {
        house.metrics().await.lines().any(|l| l == "callgate_turns_in_progress 0").then_some(())
    })
    .await;
    new.ring(&house).await;
    assert!(new.hears("Gather"), "who was turned away and rings again is taken: {:?}", new.heard);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_may_send_them_elsewhere() {
    let redis = RedisServer::start();
    let provider = Provider::start();
    let mut house = House::set_up(&redis.url(), &provider.api_base());
    house.configure("turns_max = 1\n");
    house.change_configuration(
        "fallback_number = ",
        "overflow_number = \"+15005550008\", fallback_number = ",
    );
    house.restart();
    let house = Arc::new(house);
    let mut phone = Telephone::new("CA1", CALLER);
    phone.ring(&house).await;
    redis.freeze();
    let waiting = {
        let house = house.clone();
        tokio::spawn(async move { phone.wait(&house).await.clone() })
    };
    eventually_async("the house to be full", async || {
        let text = house.metrics().await;
        text.lines().any(|line| line == "callgate_turns_in_progress 1").then_some(())
    })
    .await;
    let mut new = Telephone::new("CA2", CALLER);
    new.ring(&house).await;
    assert_eq!(new.heard.children[0].name, "Dial", "{:?}", new.heard);
    redis.thaw();
    waiting.await.unwrap();
}
