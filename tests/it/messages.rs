//! What the provider says of a message, late, twice and out of order: it takes a caller who waits for the
//! code to another proof, once, and changes nothing else.

use std::net::TcpListener;

use callgate::carrier::signature;
use callgate::clock::{Clock as _, SystemClock};
use serde_json::Value;

use crate::support::cluster::effects_due;
use crate::support::eventually::{eventually, eventually_async};
use crate::support::house::{ACCOUNT, House, MOBILE, PIN, PUBLIC_URL, client};
use crate::support::provider::{Answer, Provider, Request};
use crate::support::redis::RedisServer;
use crate::support::telephone::{Telephone, digits};

const FLOW: &str = include_str!("messages/desk.toml");
const CALLER: &str = "+15005550777";
const ASKED: &str = "Key in the code.";
const OTHER: &str = "We cannot reach your mobile. To speak to somebody press 1.";

fn house(store: &str, provider: &Provider) -> House {
    let mut house = House::set_up(store, &provider.api_base());
    std::fs::write(house.folder.path().join("flows/desk.toml"), FLOW).unwrap();
    house.change_configuration(
        "[policy.enumeration]",
        "[policy.otp]\nresend_backoff_s = [0]\n[policy.enumeration]",
    );
    house.restart();
    house
}

/// A text message: its code, and the path where the provider tells what became of it.
struct Message {
    code: String,
    status: String,
}

/// The text message of this number.
async fn message(provider: &Provider, count: usize) -> Message {
    eventually_async("a text message", async || {
        let requests = provider.requests();
        let sent = requests.iter().filter(|request| request.path.ends_with("/Messages.json"));
        let request = { sent }.nth(count - 1)?;
        let status = request.field("StatusCallback").unwrap();
        Some(Message {
            code: digits(request.field("Body").unwrap()),
            status: status.strip_prefix(PUBLIC_URL).unwrap().to_owned(),
        })
    })
    .await
}

/// Tells what became of a message.
async fn tell(house: &House, phone: &Telephone, path: &str, status: &str) {
    let form = [("MessageSid", "SM1"), ("MessageStatus", status)];
    phone.status(house, path, &form).await;
}

/// A caller to whom a code was sent.
async fn told(house: &House, sid: &str) -> Telephone {
    let mut phone = Telephone::new(sid, CALLER);
    phone.ring(house).await;
    phone.key(house, ACCOUNT).await;
    assert!(phone.spoken().starts_with("We have sent you a code."), "{}", phone.spoken());
    phone
}

/// A caller who is asked for the code.
async fn asked(house: &House, sid: &str) -> Telephone {
    let mut phone = told(house, sid).await;
    phone.key(house, "1").await;
    assert_eq!(phone.spoken(), ASKED);
    phone
}

/// How the newest call stands.
async fn standing(house: &House, phone: &Telephone) -> Value {
    let call = crate::agents::call_of(&phone.sid);
    house.ask(&format!("/api/calls/{call}")).await
}

/// Where the provider was asked to take this leg: once for each time.
fn redirects(provider: &Provider, phone: &Telephone) -> Vec<String> {
    let path = format!("/Calls/{}.json", phone.sid);
    let requests = provider.requests().into_iter();
    let own = requests.filter(|request| request.method == "POST" && request.path.ends_with(&path));
    let url = |request: &crate::support::provider::Request| {
        request.field("Url").unwrap().strip_prefix(PUBLIC_URL).unwrap().to_owned()
    };
    own.map(|request| url(&request)).collect()
}

/// The provider takes the leg where it was asked to.
async fn taken(house: &House, provider: &Provider, phone: &mut Telephone) {
    let path = eventually_async("the live call is redirected", async || {
        redirects(provider, phone).first().cloned()
    })
    .await;
    phone.post(house, &path, &[("CallStatus", "in-progress")]).await;
    assert_eq!(phone.spoken(), OTHER);
}

/// The caller is rescued by what `reporter` hears, which may be another server.
async fn rescued(house: &mut House, reporter: Option<&House>, provider: &Provider) {
    let mut phone = asked(house, "CA40").await;
    phone.copies = 2;
    let stale = phone.action();
    let sent = message(provider, 1).await;
    for status in ["queued", "sending", "sent"] {
        tell(house, &phone, &sent.status, status).await;
    }
    let before = standing(house, &phone).await;
    assert_eq!(before["state"], "desk.code");
    tell(reporter.unwrap_or(house), &phone, &sent.status, "undelivered").await;
    taken(house, provider, &mut phone).await;
    let after = standing(house, &phone).await;
    assert_eq!(after["turns"], before["turns"].as_u64().unwrap() + 1, "one turn");
    // Whatever else is told of the message, and by whom: the caller stays where they are.
    house.kill();
    house.restart();
    for status in ["undelivered", "delivered", "failed", "read", "canceled", "sent", "nonsense", ""]
    {
        tell(house, &phone, &sent.status, status).await;
        tell(reporter.unwrap_or(house), &phone, &sent.status, status).await;
    }
    assert_eq!(standing(house, &phone).await, after);
    // What the caller keyed on the old prompt comes too late, be it right or wrong.
    phone.post(house, &stale, &[("Digits", sent.code.as_str())]).await;
    assert_eq!(phone.spoken(), OTHER);
    assert_eq!(standing(house, &phone).await, after);
    phone.key(house, "1").await;
    assert!(phone.hears("Dial"));
    assert_eq!(redirects(provider, &phone).len(), 1, "once");
    assert_eq!(standing(house, &phone).await["facts"], serde_json::json!([]));
    assert!(!house.log().contains(&sent.code), "no code is logged");
}

/// A server that dies while the provider keeps it waiting leaves the message to the next, which has the file to itself:
/// it goes out before any that is asked for later.
#[tokio::test]
async fn the_message_that_a_killed_server_had_in_hand_goes_out_at_once() {
    let provider = Provider::start();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let api_base = format!("http://{}", silent.local_addr().unwrap());
    let mut house = house("embedded:calls.redb", &provider);
    house.kill();
    house.change_configuration(&provider.api_base(), &api_base);
    house.restart();
    asked(&house, "CA70").await;
    let _asked = silent.accept().unwrap();
    house.kill();
    house.change_configuration(&api_base, &provider.api_base());
    house.restart();
    asked(&house, "CA71").await;
    let sent =
        eventually("both messages", || Some(provider.messages()).filter(|sent| sent.len() == 2));
    let by = |sid: &str| {
        let call = crate::agents::call_of(sid);
        let of = |request: &Request| request.field("StatusCallback").unwrap().contains(&call);
        sent.iter().position(of).unwrap()
    };
    assert!(by("CA70") < by("CA71"), "{sent:?}");
}

#[tokio::test]
async fn a_waiting_caller_is_rescued_once_on_redb() {
    let provider = Provider::start();
    let mut house = house("embedded:calls.redb", &provider);
    rescued(&mut house, None, &provider).await;
}

#[tokio::test]
async fn a_waiting_caller_is_rescued_once_whichever_server_is_told() {
    let provider = Provider::start();
    let redis = RedisServer::start();
    let mut one = house(&redis.url(), &provider);
    let other = house(&redis.url(), &provider);
    rescued(&mut one, Some(&other), &provider).await;
}

#[tokio::test]
async fn the_last_word_of_a_message_counts() {
    let provider = Provider::start();
    let house = house("memory:", &provider);
    let mut phone = asked(&house, "CA41").await;
    let sent = message(&provider, 1).await;
    let before = standing(&house, &phone).await;
    tell(&house, &phone, &sent.status, "delivered").await;
    assert_eq!(standing(&house, &phone).await, before, "a message that arrives is as expected");
    tell(&house, &phone, &sent.status, "undelivered").await;
    taken(&house, &provider, &mut phone).await;
}

/// Each of the provider's words for a message that does not come.
#[tokio::test]
async fn a_message_that_fails_or_is_called_off_is_undelivered() {
    let provider = Provider::start();
    let house = house("memory:", &provider);
    for (n, status) in ["undelivered", "failed", "canceled"].into_iter().enumerate() {
        let mut phone = asked(&house, &format!("CA5{n}")).await;
        let sent = message(&provider, n + 1).await;
        tell(&house, &phone, &sent.status, status).await;
        taken(&house, &provider, &mut phone).await;
    }
}

#[tokio::test]
async fn a_code_that_was_right_did_arrive() {
    let provider = Provider::start();
    let house = house("memory:", &provider);
    let mut phone = asked(&house, "CA42").await;
    let sent = message(&provider, 1).await;
    phone.key(&house, &sent.code).await;
    assert!(phone.spoken().starts_with("You have proved it."), "{}", phone.spoken());
    let before = standing(&house, &phone).await;
    for status in ["undelivered", "failed", "delivered"] {
        tell(&house, &phone, &sent.status, status).await;
    }
    assert_eq!(standing(&house, &phone).await, before);
    phone.key(&house, "1").await;
    assert!(phone.hears("Dial"), "and the proof stands");
    assert_eq!(redirects(&provider, &phone), Vec::<String>::new());
}

#[tokio::test]
async fn of_two_codes_the_newer_counts() {
    let provider = Provider::start();
    let house = house("memory:", &provider);
    let mut phone = asked(&house, "CA43").await;
    let old = message(&provider, 1).await;
    phone.key(&house, "*").await;
    let new = message(&provider, 2).await;
    assert_ne!(old.status, new.status);
    let before = standing(&house, &phone).await;
    for status in ["undelivered", "failed"] {
        tell(&house, &phone, &old.status, status).await;
    }
    assert_eq!(standing(&house, &phone).await, before, "another code is under way");
    tell(&house, &phone, &new.status, "undelivered").await;
    taken(&house, &provider, &mut phone).await;
    assert_eq!(redirects(&provider, &phone).len(), 1);
}

#[tokio::test]
async fn nobody_is_moved_by_what_is_not_theirs() {
    let provider = Provider::start();
    let house = house("memory:", &provider);
    let phone = asked(&house, "CA44").await;
    let own = message(&provider, 1).await;
    let other = asked(&house, "CA45").await;
    let others = message(&provider, 2).await;
    let before = (standing(&house, &phone).await, standing(&house, &other).await);

    let call = |message: &Message| message.status.split('/').nth(3).unwrap().to_owned();
    let effect = |message: &Message| message.status.split('/').nth(4).unwrap().to_owned();
    let nobody = crate::agents::call_of("CA99");
    for path in [
        format!("/twilio/message/{}/{}", call(&own), effect(&others)),
        format!("/twilio/message/{}/{}", call(&others), effect(&own)),
        format!("/twilio/message/{}/{nobody}", call(&own)),
        format!("/twilio/message/{nobody}/{}", effect(&own)),
        format!("/twilio/message/{}/{}", effect(&own), call(&own)),
        "/twilio/message/none/none".to_owned(),
    ] {
        tell(&house, &phone, &path, "undelivered").await;
    }
    // Signed with another key, for another address, for other words, and not at all.
    let form = [("MessageSid", "SM1"), ("MessageStatus", "undelivered")];
    let form = form.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let key = |key: &str| secrecy::SecretString::from(key.to_owned());
    let good = key(crate::support::provider::AUTH_TOKEN);
    let url = format!("{PUBLIC_URL}{}", own.status);
    let elsewhere = format!("{PUBLIC_URL}{}", others.status);
    for signature in [
        Some(signature::sign(&key("guessed"), &url, &form)),
        Some(signature::sign(&good, &elsewhere, &form)),
        Some(signature::sign(&good, &url, &form[..1])),
        None,
    ] {
        let post = client().post(format!("{}{}", house.public(), own.status)).form(&form);
        let post = match signature {
            Some(signature) => post.header("X-Twilio-Signature", signature),
            None => post,
        };
        assert_eq!(post.send().await.unwrap().status().as_u16(), 403);
    }
    let after = (standing(&house, &phone).await, standing(&house, &other).await);
    assert_eq!(after, before);
    let moved = [&phone, &other].map(|phone| redirects(&provider, phone).len());
    assert_eq!(moved, [0, 0]);
}

#[tokio::test]
async fn a_caller_who_is_elsewhere_is_left_there_and_learns_it_when_it_matters() {
    let provider = Provider::start();
    let house = house("memory:", &provider);
    let mut phone = told(&house, "CA46").await;
    let prompt = phone.heard.clone();
    let sent = message(&provider, 1).await;
    tell(&house, &phone, &sent.status, "undelivered").await;
    assert_eq!(standing(&house, &phone).await["state"], "desk.told");
    let call = crate::agents::call_of(&phone.sid);
    phone.post(&house, &format!("/twilio/resume/{call}/0"), &[]).await;
    assert_eq!(phone.heard, prompt);
    phone.key(&house, "1").await;
    assert_eq!(phone.spoken(), OTHER, "nobody is asked for a code that did not arrive");

    // In a conversation.
    let mut phone = told(&house, "CA47").await;
    let sent = message(&provider, 2).await;
    phone.key(&house, "2").await;
    assert!(phone.hears("Dial"));
    tell(&house, &phone, &sent.status, "undelivered").await;
    assert_eq!(standing(&house, &phone).await["state"], "desk.person");
    let action = phone.action();
    let done = [("DialCallStatus", "completed"), ("CallStatus", "in-progress")];
    phone.post(&house, &action, &done).await;
    assert_eq!(phone.spoken(), "Thank you. Goodbye.");
    // And after the end.
    tell(&house, &phone, &sent.status, "undelivered").await;
    assert_eq!(standing(&house, &phone).await["end"], "hangup");
    assert_eq!(redirects(&provider, &phone), Vec::<String>::new());
}

#[tokio::test]
async fn a_redirect_that_is_refused_for_now_waits_for_as_long_as_the_provider_asks() {
    let (provider, redis) = (Provider::start(), RedisServer::start());
    let house = house(&redis.url(), &provider);
    let phone = asked(&house, "CA49").await;
    let sent = message(&provider, 1).await;
    provider.next(Answer::TooMany { retry_after: Some("900".into()) });
    let begun = SystemClock.now().as_microsecond();
    tell(&house, &phone, &sent.status, "undelivered").await;
    eventually_async("the redirect to be put off", async || {
        let long = |due: &i64| *due >= begun + 900_000_000;
        effects_due(&redis).iter().any(long).then_some(())
    })
    .await;
    assert_eq!(redirects(&provider, &phone).len(), 1);
}

#[tokio::test]
async fn a_redirect_that_comes_late_tears_nobody_out_of_a_conversation() {
    let provider = Provider::start();
    let house = house("memory:", &provider);
    let mut phone = asked(&house, "CA48").await;
    let sent = message(&provider, 1).await;
    provider.next(Answer::TooMany { retry_after: Some("1".into()) });
    tell(&house, &phone, &sent.status, "undelivered").await;
    eventually_async("the redirect is refused for now", async || {
        (redirects(&provider, &phone).len() == 1).then_some(())
    })
    .await;
    // The caller keys something, hears where they are, and is with somebody before it is tried again.
    phone.key(&house, "000000").await;
    assert_eq!(phone.spoken(), OTHER);
    phone.key(&house, "1").await;
    assert!(phone.hears("Dial"));
    eventually_async("the redirect is let go", async || {
        house.log().contains("a leg has gone on by itself").then_some(())
    })
    .await;
    assert_eq!(redirects(&provider, &phone).len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn why_the_provider_was_not_reached_is_told() {
    let house = House::start("memory:", "http://127.0.0.1:9");
    let mut phone = Telephone::new("CA1", "+15005550777");
    phone.ring(&house).await;
    for keys in [ACCOUNT, PIN, "1"] {
        phone.key(&house, keys).await;
    }
    house.logs("the provider did not answer\",\"error\":\"error sending request: ");
    // What became of it is told after that.
    house.logs("\"outcome\":\"not done\"");
    let log = house.log();
    assert!(log.contains("Connection refused"), "{log}");
    assert!(!log.contains(MOBILE), "{log}");
}
