//! A call that something else wrote over in the store stands in nobody's way: neither the owner of the account that it
//! tried to prove nor an operator is kept from anything else.

use crate::agents::call_of;
use crate::support::house::{ACCOUNT, House, OPERATOR, PIN, client};
use crate::support::redis::RedisServer;
use crate::support::telephone::Telephone;

/// A call that has tried this account and taken its only place, and where it lies.
async fn stranger(house: &House, redis: &mut redis::Connection, sid: &str) -> String {
    let mut stranger = Telephone::new(sid, "+15005550777");
    stranger.ring(house).await;
    stranger.key(house, ACCOUNT).await;
    stranger.key(house, "271828").await;
    assert!(stranger.spoken().starts_with("That did not work"), "{}", stranger.spoken());
    let pattern = format!("*:call:{}", call_of(sid));
    let keys: Vec<String> = redis::cmd("KEYS").arg(pattern).query(redis).unwrap();
    keys.into_iter().next().unwrap()
}

#[tokio::test]
async fn a_call_that_was_written_over_keeps_nobody_from_anything_else() {
    let server = RedisServer::start();
    let mut house = House::set_up(&server.url(), "http://127.0.0.1:9");
    house.change_configuration(
        "parallel_auth_sessions_per_account = 100",
        "parallel_auth_sessions_per_account = 1",
    );
    house.restart();
    let mut redis = RedisServer::connection(&server.url());
    for (number, kind) in ["text", "list", "another call's"].into_iter().enumerate() {
        let at = stranger(&house, &mut redis, &format!("CA{number}1")).await;
        match kind {
            "text" => redis::cmd("SET").arg(&at).arg("hunter2").exec(&mut redis).unwrap(),
            "list" => {
                redis::cmd("DEL").arg(&at).exec(&mut redis).unwrap();
                redis::cmd("RPUSH").arg(&at).arg("hunter2").exec(&mut redis).unwrap();
            }
            _ => {
                let mut other = Telephone::new("CA9", "+15005550778");
                other.ring(&house).await;
                let pattern = format!("*:call:{}", call_of("CA9"));
                let keys: Vec<String> = redis::cmd("KEYS").arg(pattern).query(&mut redis).unwrap();
                let value: Vec<u8> = redis::cmd("GET").arg(&keys[0]).query(&mut redis).unwrap();
                redis::cmd("SET").arg(&at).arg(value).exec(&mut redis).unwrap();
            }
        }

        let mut owner = Telephone::new(&format!("CA{number}2"), "+15005550779");
        owner.ring(&house).await;
        owner.key(&house, ACCOUNT).await;
        owner.key(&house, PIN).await;
        assert!(owner.spoken().starts_with("For your balance"), "{kind}: {}", owner.spoken());
        owner.key(&house, "9").await;
        for path in ["/", "/api/flows"] {
            let request = client().get(format!("{}{path}", house.admin())).bearer_auth(OPERATOR);
            assert_eq!(request.send().await.unwrap().status(), 200, "{kind}: {path}");
        }
    }
    house.logs("a call that cannot be read is passed over");
    house.hides(&["hunter2"]);
}
