//! Each token opens what its role is for, and an operator's opens everything.

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::office::{AGENT, DESIGNER, call_of, caller, house};
use crate::support::house::{House, OPERATOR, client};
use crate::support::provider::Provider;

async fn get(house: &House, path: &str, token: &str) -> (u16, Value) {
    let request = client().get(format!("{}{path}", house.admin())).bearer_auth(token);
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

#[tokio::test]
async fn each_role_opens_its_own_routes() {
    let provider = Provider::start();
    let house = house("memory:", &provider);
    let _phone = caller(&house, "CA30", true).await;
    let call = format!("/api/calls/{}", call_of("CA30"));
    let (journal, asked) = (format!("{call}/journal"), format!("{call}/step-up"));
    // By operator, agent, designer, and a token that is none.
    let routes = [
        ("/api/calls", [200, 403, 403, 401]),
        (call.as_str(), [200, 200, 403, 401]),
        (journal.as_str(), [200, 403, 403, 401]),
        (asked.as_str(), [404, 404, 403, 401]),
        ("/api/flows", [200, 403, 200, 401]),
    ];
    for (path, expected) in routes {
        for (token, status) in [OPERATOR, AGENT, DESIGNER, "none"].into_iter().zip(expected) {
            assert_eq!(get(&house, path, token).await.0, status, "{path} with {token}");
        }
    }
    // What happens in all calls is told as long as somebody listens.
    for (token, status) in [(OPERATOR, 200), (AGENT, 403), (DESIGNER, 403), ("none", 401)] {
        let events = client().get(format!("{}/api/events", house.admin())).bearer_auth(token);
        assert_eq!(events.send().await.unwrap().status().as_u16(), status, "{token}");
    }
    let (_, listed) = get(&house, "/api/flows", DESIGNER).await;
    let flow = &listed["flows"][0];
    assert_eq!((&flow["name"], &flow["versions"][0]["live_calls"]), (&"desk".into(), &1.into()));
    assert_eq!(flow["versions"][0]["edition"], flow["edition"]);
}

/// A token that is nearly one of ours: a character of it, or a byte of what it is compared by.
#[tokio::test]
async fn a_token_that_is_near_is_not_ours() {
    let provider = Provider::start();
    let house = House::start("memory:", &provider.api_base());
    let mut near = vec![OPERATOR[1..].to_owned(), format!("{OPERATOR}s"), OPERATOR.to_uppercase()];
    for (place, letter) in OPERATOR.char_indices() {
        let other = if letter == 'x' { "y" } else { "x" };
        near.push(format!("{}{other}{}", &OPERATOR[..place], &OPERATOR[place + 1..]));
    }
    let ours = Sha256::digest(OPERATOR);
    for place in 0..ours.len() {
        let mut others = (0..).map(|n: u32| n.to_string());
        near.push(others.find(|other| Sha256::digest(other)[place] == ours[place]).unwrap());
    }
    assert_eq!(get(&house, "/api/calls", OPERATOR).await.0, 200);
    for token in near {
        assert_eq!(get(&house, "/api/calls", &token).await.0, 401, "{token}");
    }
}
