//! A number on file that somebody else may hold by now: a new SIM, another subscriber, a forwarding.

use callgate::clock::{Clock as _, SystemClock};
use serde_json::{Value, json};

use crate::numbers::{ask, house, is_sent};
use crate::support::eventually::eventually;
use crate::support::house::{ACCOUNT, MOBILE};
use crate::support::provider::Provider;

/// What a caller hears who asks for a balance, and one who asks for a card, while this is said of the
/// mobile on file; and how many messages and rings there were.
async fn heard(said: Value) -> ([String; 2], usize, usize) {
    let provider = Provider::start();
    provider.say_of(MOBILE, said);
    let house = house(&provider, "");
    let message = ask(&house, 1, ACCOUNT, "1").await;
    let mut words = vec![message.spoken()];
    if is_sent(&message) {
        eventually("a message", || (!provider.messages().is_empty()).then_some(()));
    }
    let ring = ask(&house, 2, ACCOUNT, "2").await;
    words.push(ring.spoken());
    if ring.spoken().contains("ringing") {
        eventually("a ring", || (!provider.calls().is_empty()).then_some(()));
    }
    (words.try_into().unwrap(), provider.messages().len(), provider.calls().len())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t19_no_code_and_no_ring_for_a_sim_that_was_changed_or_a_number_that_was_passed_on() {
    let (well, messages, rings) = heard(json!({})).await;
    assert!(well[0].starts_with("Key in the six digits"), "{well:?}");
    assert_eq!((messages, rings), (1, 1));
    let yesterday = SystemClock.now() - jiff::SignedDuration::from_hours(24);
    let swapped = json!({ "last_sim_swap": { "last_sim_swap_date": yesterday.to_string() } });
    let lately =
        json!({ "last_sim_swap": { "last_sim_swap_date": null, "swapped_in_period": true } });
    let mut words = Vec::new();
    for said in [
        json!({ "sim_swap": swapped }),
        json!({ "sim_swap": lately }),
        json!({ "reassigned_number": { "is_number_reassigned": "yes" } }),
        // Nobody says, and so nothing is sent.
        json!({ "sim_swap": null }),
        json!({ "reassigned_number": null }),
        // Another kind of line on file at all, where nothing is sent either.
        json!({ "line_type_intelligence": { "type": "nonFixedVoip" } }),
    ] {
        let (heard, messages, rings) = heard(said.clone()).await;
        assert_eq!((messages, rings), (0, 0), "{said}");
        words.push(heard);
    }
    // Why, nobody hears.
    words.dedup();
    assert_eq!(words.len(), 1, "{words:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t20_a_line_is_what_its_network_says_whatever_the_file_says() {
    for (kind, message, ring) in [
        ("mobile", 1, 1),
        ("landline", 0, 1),
        ("fixedVoip", 0, 1),
        ("nonFixedVoip", 0, 0),
        ("tollFree", 0, 0),
        ("premium", 0, 0),
        ("pager", 0, 0),
        ("voicemail", 0, 0),
    ] {
        let said = json!({ "line_type_intelligence": { "type": kind } });
        let (_, messages, rings) = heard(said).await;
        assert_eq!((messages, rings), (message, ring), "{kind}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t21_a_number_whose_calls_go_elsewhere_is_not_rung() {
    let (_, messages, rings) =
        heard(json!({ "call_forwarding": { "call_forwarding_enabled": true } })).await;
    assert_eq!((messages, rings), (1, 0), "a message does not follow a forwarding");
    let (_, messages, rings) = heard(json!({ "call_forwarding": null })).await;
    assert_eq!((messages, rings), (1, 0), "nobody says whether they do");
}
