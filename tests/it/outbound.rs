//! The guarded client: whom it asks, whom it does not, and what it makes of bad answers.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use callgate::outbound::{AddressError, Failure, Peer, Settings, networks};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use secrecy::SecretString;
use serde_json::json;
use tokio::time::timeout;

use crate::support::backend::{Asked, Backend, Manner};
use crate::support::eventually::PATIENCE;

fn settings(url: &str, allow: &[&str]) -> Settings {
    Settings {
        url: url.into(),
        token: Some(SecretString::from("the-token-of-the-tests")),
        timeout: Duration::from_secs(10),
        allow: allow.iter().map(|text| networks::parse(text).unwrap()).collect(),
    }
}

fn echo(asked: &Asked) -> Manner {
    Manner::Json(json!({ "you_asked": asked.body }))
}

async fn ask(peer: &Peer) -> Result<serde_json::Value, Failure> {
    peer.ask("find", Some("the-key"), &json!({ "by": "id" }), 1_000).await
}

#[tokio::test]
async fn a_question_carries_its_token_and_its_key() {
    let backend = Backend::start(echo);
    let peer = Peer::new(&settings(&backend.url(), &["127.0.0.0/8"])).unwrap();
    assert_eq!(ask(&peer).await.unwrap(), json!({ "you_asked": { "by": "id" } }));
    let asked = backend.asked().remove(0);
    assert_eq!(asked.path, "/callgate/find");
    assert_eq!(asked.header("authorization"), Some("Bearer the-token-of-the-tests"));
    assert_eq!(asked.header("idempotency-key"), Some("the-key"));
    assert_eq!(asked.header("content-type"), Some("application/json"));
    // A `lookup` that says no path asks the address itself.
    peer.ask("", None, &json!({}), 1_000).await.unwrap();
    assert_eq!(backend.asked()[1].path, "/callgate");
}

#[test]
fn private_addresses_are_refused_in_every_spelling() {
    let refused = |url: &str, allow: &[&str]| Peer::new(&settings(url, allow)).err();
    for url in [
        "https://127.0.0.1/",
        "https://127.1/",
        "https://2130706433/",
        "https://0x7f.0.0.1/",
        "https://0177.0.0.1/",
        "https://127.0.0.1./",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[::ffff:a00:1]/",
        "https://169.254.169.254/latest/meta-data",
        "https://[fd00:ec2::254]/",
        "https://10.0.0.1/",
    ] {
        assert_eq!(refused(url, &[]), Some(AddressError::Private), "{url}");
        assert_eq!(refused(url, &["10.99.0.0/16"]), Some(AddressError::Private), "{url}");
    }
    assert_eq!(refused("http://customers.example.com/", &[]), Some(AddressError::ClearText));
    assert_eq!(refused("http://8.8.8.8/", &["10.0.0.0/8"]), Some(AddressError::Private));
    for url in ["ftp://example.com/", "https://u:p@example.com/", "https://example.com/?a", "x"] {
        assert_eq!(refused(url, &["10.0.0.0/8"]), Some(AddressError::Address), "{url}");
    }
    assert_eq!(refused("https://customers.example.com/callgate", &[]), None);
    assert_eq!(refused("https://10.20.0.1/", &["10.20.0.0/16"]), None);
}

#[tokio::test]
async fn a_name_is_what_it_leads_to() {
    // The name sounds harmless, and the system's own resolver leads it to the loopback.
    let backend = Backend::start(echo);
    let url = format!("http://localhost:{}/", backend.port());
    let peer = Peer::new(&settings(&url, &["10.0.0.0/8"])).unwrap();
    assert_eq!(ask(&peer).await, Err(Failure::Private));
    let secured = format!("https://localhost:{}/", backend.port());
    assert_eq!(ask(&Peer::new(&settings(&secured, &[])).unwrap()).await, Err(Failure::Private));
    assert!(backend.asked().is_empty());
    let peer = Peer::new(&settings(&url, &["127.0.0.0/8", "::1"])).unwrap();
    assert!(ask(&peer).await.is_ok());
}

/// A name service that says something else each time.
struct Turncoat(Mutex<VecDeque<Vec<IpAddr>>>);

impl Resolve for Turncoat {
    fn resolve(&self, _name: Name) -> Resolving {
        let next = self.0.lock().unwrap().pop_front().unwrap();
        let next: Vec<_> = next.into_iter().map(|ip| SocketAddr::new(ip, 0)).collect();
        Box::pin(async move { Ok(Box::new(next.into_iter()) as Addrs) })
    }
}

#[tokio::test]
async fn a_name_that_leads_elsewhere_later_is_looked_at_again() {
    let backend = Backend::start(|_| Manner::Drop);
    let ip = |text: &str| -> IpAddr { text.parse().unwrap() };
    let said = [
        vec![ip("127.0.0.1")],
        vec![ip("127.0.0.2")],
        vec![ip("::ffff:127.0.0.2"), ip("169.254.169.254")],
        // Of several only the one that may be asked is.
        vec![ip("169.254.169.254"), ip("127.0.0.1")],
    ];
    let names = Arc::new(Turncoat(Mutex::new(said.into())));
    let url = format!("http://customers.example.com:{}/", backend.port());
    let peer = Peer::resolving_with(&settings(&url, &["127.0.0.1"]), names).unwrap();
    assert_eq!(ask(&peer).await, Err(Failure::Broken), "asked, and dropped");
    assert_eq!(ask(&peer).await, Err(Failure::Private));
    assert_eq!(ask(&peer).await, Err(Failure::Private));
    backend.answer(echo);
    assert!(ask(&peer).await.is_ok());
    assert_eq!(backend.asked().len(), 2);
}

#[tokio::test]
async fn every_bad_answer_is_a_failure_in_time() {
    let other = Backend::start(echo);
    let table = [
        (Manner::Stall, Failure::Late),
        (Manner::StallInside, Failure::Late),
        (Manner::Drop, Failure::Broken),
        (Manner::Huge(5_000_000), Failure::TooLarge),
        (Manner::Raw(200, "<html>".into()), Failure::NotJson),
        (Manner::Raw(200, String::new()), Failure::NotJson),
        (Manner::Raw(200, "[".repeat(900)), Failure::NotJson),
        (Manner::Raw(204, String::new()), Failure::Status(204)),
        (Manner::Raw(401, "{}".into()), Failure::Status(401)),
        (Manner::Raw(500, "{}".into()), Failure::Status(500)),
        (Manner::Redirect(other.url()), Failure::Redirected),
    ];
    for (manner, failure) in table {
        let answer = manner.clone();
        let backend = Backend::start(move |_| answer.clone());
        let mut settings = settings(&backend.url(), &["127.0.0.1"]);
        if failure == Failure::Late {
            settings.timeout = Duration::from_millis(400);
        }
        let peer = Peer::new(&settings).unwrap();
        let answer = timeout(PATIENCE, ask(&peer)).await;
        let answer = answer.unwrap_or_else(|_| panic!("{manner:?}: still waiting"));
        assert_eq!(answer, Err(failure), "{manner:?}");
    }
    assert!(other.asked().is_empty(), "a redirect is not followed");
    let peer = Peer::new(&settings("http://127.0.0.1:1/", &["127.0.0.1"])).unwrap();
    assert_eq!(ask(&peer).await, Err(Failure::Unreachable));
}
