//! A server that is started while its store is away.

use std::collections::BTreeSet;
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::future::join;

use super::{NOBODY, serve};
use crate::support::eventually::eventually_async;
use crate::support::house::{ACCOUNT, House, LINE, client};
use crate::support::redis::RedisServer;
use crate::support::telephone::Telephone;

const AWAY: &str = "not ready: the store is away";

async fn health(house: &House, which: &str) -> (u16, String) {
    let answer = client().get(format!("{}/health/{which}", house.admin())).send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

async fn becomes_ready(house: &House) {
    eventually_async("a server that is ready", async || {
        (health(house, "ready").await.0 == 200).then_some(())
    })
    .await;
}

/// Whoever starts servers waits longer each time for one that ends; callers need not wait at all.
#[tokio::test]
async fn it_lives_puts_callers_through_and_is_ready_once_the_store_is_there() {
    let mut redis = RedisServer::stopped(&[]);
    let begun = Instant::now();
    let house = House::start(&redis.url(), NOBODY);
    house.logs(AWAY);
    assert_eq!(health(&house, "live").await.0, 200);
    let (status, told) = health(&house, "ready").await;
    assert!(status == 503 && told.contains("the store did not answer"), "{status}: {told}");
    let mut early = Telephone::new("CA1", "+15005550777");
    early.ring(&house).await;
    assert!(early.spoken().contains("something is not working"), "{}", early.spoken());
    assert!(early.hears("Dial"), "{}", early.spoken());

    redis.restart();
    becomes_ready(&house).await;
    let mut phone = Telephone::new("CA2", "+15005550777");
    phone.ring(&house).await;
    phone.key(&house, ACCOUNT).await;
    assert!(phone.spoken().to_lowercase().contains("pin"), "{}", phone.spoken());
    house.logs("the store is there");
    // It looks twice a second.
    house.logs("the outbox can look for work again");
    let told = house.log().matches("the outbox could not look for work").count() as u64;
    assert!((1..=1 + begun.elapsed().as_secs() / 5).contains(&told), "{told} lines");
}

/// That of another house, under another key, is not written into in the moment before that is found out.
#[tokio::test]
async fn a_store_of_another_key_that_comes_later_ends_it_untouched() {
    let redis = RedisServer::start();
    let mut another = House::start(&redis.url(), NOBODY);
    let mut phone = Telephone::new("CA1", "+15005550777");
    phone.ring(&another).await;
    another.kill();
    let kept = keys(&redis);
    assert!(kept.iter().any(|key| key.contains(":call:")), "{kept:?}");
    redis.freeze();
    let mut house = House::set_up(&redis.url(), NOBODY);
    house.set_environment("CALLGATE_STATE_KEY", &STANDARD.encode([7; 32]));
    house.restart();
    house.logs(AWAY);
    // This caller still waits when it is back.
    let ring = [("CallSid", "CA2"), ("From", "+15005550777"), ("To", LINE)];
    let (answer, ()) = join(house.post("/twilio/voice", &ring), async { redis.thaw() }).await;
    assert!(answer.1.contains("something is not working"), "{answer:?}");
    assert_eq!(house.wait(), Some(2));
    house.logs("the store was written under another state key");
    assert_eq!(keys(&redis), kept);
}

fn keys(redis: &RedisServer) -> BTreeSet<String> {
    redis::cmd("KEYS").arg("*").query(&mut RedisServer::connection(&redis.url())).unwrap()
}

/// What waiting does not mend is told at once, and ends it; so it does when it is found out later.
#[tokio::test]
async fn what_is_there_and_refuses_is_told_at_once() {
    let mut redis = RedisServer::start_with(&["--requirepass", "hunter2-hunter2-hunter2"]);
    let of = |user: &str| redis.url().replace("redis://", &format!("redis://{user}"));
    let no_redis = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let at = no_redis.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut stream in no_redis.incoming().map_while(Result::ok) {
            let _ = std::io::Write::write_all(&mut stream, b"HTTP/1.1 400 Bad Request\r\n\r\n");
        }
    });
    let wrong_database = of(":hunter2-hunter2-hunter2@") + "/99999";
    for (store, told) in [
        (of(""), "NOAUTH"),
        (of(":another@"), "WRONGPASS"),
        (wrong_database, "ERR"),
        (format!("redis://{at}/0"), "not the kind of value"),
    ] {
        let (code, stderr) = serve(&House::set_up(&store, NOBODY));
        assert!(code == Some(3) && stderr.contains(told), "{store}: {code:?} {stderr}");
        assert!(!stderr.contains(AWAY), "{stderr}");
    }
    let url = of(":another@");
    redis.stop();
    let mut house = House::start(&url, NOBODY);
    house.logs(AWAY);
    redis.restart();
    assert_eq!(house.wait(), Some(3));
    house.logs("WRONGPASS");
}
