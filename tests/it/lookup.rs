//! Look-ups at a business's own server, from the provider's webhook to what is spoken.

use serde_json::{Value, json};

use crate::support::backend::{Backend, Manner};
use crate::support::house::{ACCOUNT, House, PIN};
use crate::support::process::Ran as _;
use crate::support::provider::Provider;
use crate::support::telephone::Telephone;

const TOKEN: &str = "billing-token-of-the-tests";
const CALLER: &str = "+15005550077";

fn open() -> Value {
    json!({ "amount": 120.5, "due": "2026-12-31", "late": false, "office": "the desk", "more": [1] })
}

fn set_up(provider: &Provider, backend: &Backend) -> House {
    let mut house = House::set_up("memory:", &provider.api_base());
    let flow = include_str!("../../fixtures/calls/flows/invoices.toml");
    // Whoever reads numbers strictly takes `2.0` for none that is whole.
    assert_eq!(flow.matches("final = true").count(), 1);
    let flow = flow.replace("final = true", "final = true, copies = 2, share = 0.5");
    std::fs::write(house.folder.path().join("flows/invoices.toml"), flow).unwrap();
    house.change_configuration("flow = \"desk\"", "flow = \"invoices\"");
    house.change_configuration(
        "[[admin.tokens]]",
        &format!(
            "[backends.billing]\nurl = \"{}\"\ntoken_env = \"TEST_BILLING\"\ntimeout = \"1s\"\n\
             allow = [\"127.0.0.0/8\"]\n[[admin.tokens]]",
            backend.url()
        ),
    );
    house.set_environment("TEST_BILLING", TOKEN);
    house
}

fn house(provider: &Provider, backend: &Backend) -> House {
    let mut house = set_up(provider, backend);
    house.restart();
    house
}

/// A caller who asks what is owed in March, and proves that it is theirs to know.
async fn ask(house: &House, sid: u32, copies: usize) -> Telephone {
    let mut telephone = Telephone::new(&format!("CA{sid:032x}"), CALLER);
    telephone.ring(house).await;
    telephone.key(house, ACCOUNT).await;
    telephone.key(house, "03").await;
    telephone.copies = copies;
    telephone.key(house, PIN).await;
    telephone
}

fn hides_everything(house: &House) {
    house.hides(&[TOKEN, ACCOUNT, PIN, "120.5", "the desk"]);
}

#[tokio::test]
async fn a_back_end_is_asked_once_and_its_answer_is_spoken() {
    let provider = Provider::start();
    let backend = Backend::start(|_| Manner::Json(open()));
    let house = house(&provider, &backend);
    // The provider sends the request three times over.
    let telephone = ask(&house, 1, 3).await;
    let spoken = telephone.spoken();
    assert_eq!(spoken, "You owe 120 dollars and 50 cents, due on December 31, 2026. Goodbye.");
    let [asked] = &backend.asked()[..] else { panic!("{:?}", backend.asked()) };
    assert_eq!(asked.path, "/callgate/invoices/open");
    assert_eq!(asked.header("authorization"), Some(&*format!("Bearer {TOKEN}")));
    let expected = json!({ "month": "03", "final": true, "copies": 2, "share": 0.5 });
    assert_eq!(asked.body, json!({ "account": ACCOUNT, "proved": ["pin"], "values": expected }));
    let key = asked.header("idempotency-key").unwrap().to_owned();
    assert_eq!(key.len(), 64, "a hash, for the key has a nonce in it");
    ask(&house, 2, 1).await;
    assert_ne!(backend.asked()[1].header("idempotency-key"), Some(&*key));
    let counted = "callgate_asked_of_others_total{peer=\"Backend\",outcome=\"Done\"} 2";
    assert!(house.metrics().await.contains(counted));
    hides_everything(&house);
}

#[tokio::test]
async fn every_bad_answer_is_failed_in_time() {
    let provider = Provider::start();
    let backend = Backend::start(|_| Manner::Drop);
    let other = Backend::start(|_| Manner::Json(open()));
    let house = house(&provider, &backend);
    let with = |key: &str, value: Value| {
        let mut answer = open();
        answer[key] = value;
        Manner::Json(answer)
    };
    let manners = [
        Manner::Stall,
        Manner::StallInside,
        Manner::Drop,
        Manner::Huge(1_000_000),
        Manner::Raw(200, "no JSON".into()),
        Manner::Raw(500, open().to_string()),
        Manner::Raw(403, open().to_string()),
        Manner::Redirect(other.url()),
        Manner::Json(json!([open()])),
        Manner::Json(json!({})),
        with("amount", json!("120.5")),
        with("amount", json!(null)),
        with("due", json!("soon")),
        with("late", json!(0)),
        with("office", json!("x".repeat(3_000))),
        with("office", json!({ "name": "desk" })),
    ];
    let count = manners.len();
    for (sid, manner) in manners.into_iter().enumerate() {
        let answer = manner.clone();
        backend.answer(move |_| answer.clone());
        // In time: whoever has to wait for longer than a turn may take hears an apology.
        let telephone = ask(&house, 10 + u32::try_from(sid).unwrap(), 1).await;
        let spoken = telephone.spoken();
        assert!(spoken.contains("cannot look that up"), "{manner:?}: {spoken}");
    }
    assert!(other.asked().is_empty(), "a redirect is not followed");
    let metrics = house.metrics().await;
    let counted = |outcome: &str, count: usize| {
        let line = format!(
            "callgate_asked_of_others_total{{peer=\"Backend\",outcome=\"{outcome}\"}} {count}"
        );
        assert!(metrics.contains(&line), "{line}: {metrics}");
    };
    counted("Failed", count - 1);
    counted("Refused", 1);
    house.logs("a back end did not answer");
    house.logs("lacks what was asked for");
    hides_everything(&house);
}

/// A flow that asks whom the configuration does not name is not served.
#[test]
fn a_back_end_must_have_an_address() {
    let provider = Provider::start();
    let backend = Backend::start(|_| Manner::Drop);
    let house = set_up(&provider, &backend);
    house.change_configuration("[backends.billing]", "[backends.biling]");
    let output = house.command().args(["serve", "--config", "callgate.toml"]).ran();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(told.contains("asks the back end `billing`"), "{told}");
    assert!(told.contains("did you mean `biling`?"), "{told}");
}

/// What cannot be asked is said at its key.
#[test]
fn an_address_that_cannot_be_asked_is_refused_at_its_key() {
    let provider = Provider::start();
    let backend = Backend::start(|_| Manner::Drop);
    for (allow, told) in [
        ("allow = [\"10.0.0.0/8\"]", "a private address that `allow` does not name"),
        ("allow = [\"127.0.0/8\"]", "`127.0.0/8` is not a network"),
        ("allow = []", "asked only within networks that `allow` names"),
    ] {
        let house = set_up(&provider, &backend);
        house.change_configuration("allow = [\"127.0.0.0/8\"]", allow);
        let output = house.command().args(["serve", "--config", "callgate.toml"]).ran();
        let shown = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{shown}");
        assert!(shown.contains(told) && shown.contains("callgate.toml:"), "{shown}");
    }
}
