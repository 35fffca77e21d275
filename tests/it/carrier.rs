//! The carriers: what Twilio is sent, word for word, and what is made of each answer.

use std::io::{self, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use callgate::carrier::console::ConsoleCarrier;
use callgate::carrier::twilio::{Login, Sender, Settings, SettingsError, TwilioCarrier};
use callgate::carrier::{Carrier, Delivery, Found, Reference};
use callgate::engine::effect::{PlaceCall, Sms};
use callgate::engine::id::{CallId, EffectId, LegId, Nonce, Sid};
use callgate::limits;
use callgate::phone::PhoneNumber;
use callgate::secret::Secret;
use callgate::twiml::links::Links;
use secrecy::SecretString;
use tokio::time::timeout;
use uuid::Uuid;

use crate::support::eventually::PATIENCE;
use crate::support::provider::{ACCOUNT_SID, AUTH_TOKEN, Answer, Placed, Provider, owned};

const CALL: &str = "00000000-0000-0000-0000-000000000001";
const EFFECT: &str = "00000000-0000-0000-0000-000000000002";
const NONCE: &str = "00000000000000000000000000000003";
const BASE: &str = "https://ivr.example";
const TO: &str = "+15005550010";
const LINE: &str = "+15005550006";

fn reference() -> Reference {
    Reference { call: CallId(Uuid::from_u128(1)), effect: EffectId(Uuid::from_u128(2)) }
}

fn sms() -> Sms {
    Sms {
        to: PhoneNumber::parse(TO).unwrap(),
        body: Secret::new("Your code is 048213 & no other: é"),
        valid_for_s: 600,
        code_until: None,
        look_up: Vec::new(),
    }
}

fn place() -> PlaceCall {
    PlaceCall {
        leg: LegId(1),
        nonce: Nonce(Uuid::from_u128(3)),
        to: PhoneNumber::parse(TO).unwrap(),
        from: LINE.into(),
        ring_s: 25,
        asked_at: jiff::Timestamp::UNIX_EPOCH,
    }
}

fn login(password: &str) -> Login {
    Login { user: ACCOUNT_SID.into(), password: SecretString::from(password) }
}

fn settings(api_base: String) -> Settings {
    Settings {
        account_sid: ACCOUNT_SID.into(),
        login: login(AUTH_TOKEN),
        api_base,
        sender: Sender::From(LINE.into()),
        links: Links::new(BASE),
        timeout: limits::CARRIER_TIMEOUT,
    }
}

fn twilio(provider: &Provider) -> TwilioCarrier {
    TwilioCarrier::new(settings(provider.api_base())).unwrap()
}

fn accepted(sid: &str) -> Delivery {
    Delivery::Accepted(Sid(sid.into()))
}

#[tokio::test]
async fn a_message_is_sent_as_the_provider_wants_it() {
    let provider = Provider::start();
    let delivery = twilio(&provider).send_sms(reference(), &sms()).await;
    assert_eq!(delivery, accepted("SM00000000000000000000000000000001"));
    let [request] = &provider.requests()[..] else { panic!("one request") };
    assert_eq!(request.method, "POST");
    assert_eq!(request.path, format!("/2010-04-01/Accounts/{ACCOUNT_SID}/Messages.json"));
    assert_eq!(request.header("content-type"), Some("application/x-www-form-urlencoded"));
    assert!(request.header("user-agent").unwrap().starts_with("callgate/"));
    assert_eq!(
        request.form,
        owned(&[
            ("To", TO),
            ("From", LINE),
            ("Body", "Your code is 048213 & no other: é"),
            ("StatusCallback", &format!("{BASE}/twilio/message/{CALL}/{EFFECT}")),
            ("ValidityPeriod", "600"),
        ])
    );
}

#[tokio::test]
async fn a_messaging_service_stands_in_for_the_number() {
    let provider = Provider::start();
    let sender = Sender::MessagingService("MG1".into());
    let carrier =
        TwilioCarrier::new(Settings { sender, ..settings(provider.api_base() + "/") }).unwrap();
    for (valid_for_s, written) in [(0, "6"), (600, "600"), (u32::MAX, "36000")] {
        carrier.send_sms(reference(), &Sms { valid_for_s, ..sms() }).await;
        let request = provider.requests().pop().unwrap();
        assert_eq!(request.field("MessagingServiceSid"), Some("MG1"));
        assert_eq!(request.field("From"), None);
        assert_eq!(request.field("ValidityPeriod"), Some(written));
    }
}

#[tokio::test]
async fn a_call_is_placed_as_the_provider_wants_it() {
    let provider = Provider::start();
    let delivery = twilio(&provider).place_call(reference(), &place()).await;
    assert_eq!(delivery, accepted("CA00000000000000000000000000000001"));
    let [request] = &provider.requests()[..] else { panic!("one request") };
    assert_eq!(request.method, "POST");
    assert_eq!(request.path, format!("/2010-04-01/Accounts/{ACCOUNT_SID}/Calls.json"));
    assert_eq!(
        request.form,
        owned(&[
            ("To", TO),
            ("From", LINE),
            ("Url", &format!("{BASE}/twilio/leg/{CALL}/{NONCE}")),
            ("Method", "POST"),
            ("FallbackUrl", &format!("{BASE}/twilio/fallback")),
            ("FallbackMethod", "POST"),
            ("StatusCallback", &format!("{BASE}/twilio/status/{CALL}/{EFFECT}")),
            ("StatusCallbackMethod", "POST"),
            ("StatusCallbackEvent", "initiated"),
            ("StatusCallbackEvent", "ringing"),
            ("StatusCallbackEvent", "answered"),
            ("StatusCallbackEvent", "completed"),
            ("Timeout", "25"),
            ("MachineDetection", "Enable"),
        ])
    );
}

#[tokio::test]
async fn a_live_leg_is_redirected_and_ended() {
    let provider = Provider::start();
    let carrier = twilio(&provider);
    let Delivery::Accepted(sid) = carrier.place_call(reference(), &place()).await else {
        panic!("placed");
    };
    let redirected = carrier.redirect_leg(reference().call, LegId(1), &sid).await;
    assert_eq!(redirected, accepted(&sid.0));
    assert_eq!(carrier.end_leg(&sid).await, accepted(&sid.0));
    let requests = provider.requests();
    let path = format!("/2010-04-01/Accounts/{ACCOUNT_SID}/Calls/{}.json", sid.0);
    assert_eq!((&requests[1].path, &requests[2].path), (&path, &path));
    let url = format!("{BASE}/twilio/resume/{CALL}/1");
    assert_eq!(requests[1].form, owned(&[("Url", &url), ("Method", "POST")]));
    assert_eq!(requests[2].form, owned(&[("Status", "completed")]));

    let over = carrier.redirect_leg(reference().call, LegId(1), &sid).await;
    assert_eq!(over, Delivery::Refused { code: Some(21220) });
    let nobody = carrier.end_leg(&Sid("CA9".into())).await;
    assert_eq!(nobody, Delivery::Refused { code: Some(20404) });
}

#[tokio::test]
async fn a_strange_sid_stays_within_its_part_of_the_address() {
    let provider = Provider::start();
    let carrier = twilio(&provider);
    for sid in ["../Messages", "a/b?c#d", "%2e%2e", "..", ""] {
        let delivery = carrier.end_leg(&Sid(sid.into())).await;
        assert_eq!(delivery, Delivery::Refused { code: Some(20404) }, "{sid}");
        let path = provider.requests().pop().unwrap().path;
        let below = path.strip_prefix(&format!("/2010-04-01/Accounts/{ACCOUNT_SID}/Calls/"));
        assert!(below.is_some_and(|rest| !rest.contains('/')), "{path}");
    }
}

#[tokio::test]
async fn each_answer_says_what_became_of_it() {
    let provider = Provider::start();
    let carrier = twilio(&provider);
    let raw = |status, body: &[u8]| Answer::Raw { status, body: body.to_vec() };
    let most = limits::CARRIER_BODY_BYTES_MAX;
    let huge = [br#"{"sid":"SM1","x":""#, vec![b'x'; most].as_slice(), br#""}"#].concat();
    let refused = |code| Delivery::Refused { code };
    let wait = |seconds| Delivery::NotDone { retry_after: Some(Duration::from_secs(seconds)) };
    let too_many = |after: &str| Answer::TooMany { retry_after: Some(after.into()) };
    for (answer, expected) in [
        (Answer::Error { status: 400, code: Some(21211) }, refused(Some(21211))),
        (Answer::Error { status: 401, code: Some(20003) }, refused(Some(20003))),
        (Answer::Error { status: 400, code: None }, refused(None)),
        (raw(404, b"<html>"), refused(None)),
        (raw(400, &huge), refused(None)),
        (Answer::TooMany { retry_after: None }, Delivery::NotDone { retry_after: None }),
        (too_many("7"), wait(7)),
        (too_many(" 0 "), wait(0)),
        (too_many("99999999"), wait(3_600)),
        (too_many("soon"), Delivery::NotDone { retry_after: None }),
        (too_many("Fri, 31 Dec 2100 23:59:59 GMT"), wait(3_600)),
        (too_many("Sun, 06 Nov 1994 08:49:37 GMT"), wait(0)),
        (Answer::Error { status: 500, code: Some(20500) }, Delivery::Unknown),
        (Answer::Error { status: 503, code: None }, Delivery::Unknown),
        (raw(201, b"not JSON"), Delivery::Unknown),
        (raw(201, b""), Delivery::Unknown),
        (raw(201, b"{\"sid\":null}"), Delivery::Unknown),
        (raw(201, b"{\"sid\":\"a b\"}"), Delivery::Unknown),
        (raw(201, &huge), Delivery::Unknown),
        (raw(200, b"{\"sid\":\"SM7\"}"), accepted("SM7")),
        (Answer::Drop, Delivery::Unknown),
        (Answer::Redirect(provider.api_base()), Delivery::Unknown),
    ] {
        let before = provider.requests().len();
        provider.next(answer.clone());
        assert_eq!(carrier.send_sms(reference(), &sms()).await, expected, "{answer:?}");
        assert_eq!(provider.requests().len(), before + 1, "asked once: {answer:?}");
    }
}

#[tokio::test]
async fn a_wrong_key_is_refused() {
    let provider = Provider::start();
    let login = login("wrong");
    let carrier = TwilioCarrier::new(Settings { login, ..settings(provider.api_base()) }).unwrap();
    let delivery = carrier.send_sms(reference(), &sms()).await;
    assert_eq!(delivery, Delivery::Refused { code: Some(20003) });
}

#[tokio::test]
async fn silence_after_sending_leaves_it_unknown() {
    let provider = Provider::start();
    let short = Duration::from_secs(1);
    let carrier =
        TwilioCarrier::new(Settings { timeout: short, ..settings(provider.api_base()) }).unwrap();
    provider.set_now("2026-03-02T09:00:00Z".parse().unwrap());
    provider.next(Answer::Hang);
    assert_eq!(carrier.place_call(reference(), &place()).await, Delivery::Unknown);
    // It had been done all the same, and is found.
    let since = provider.calls()[0].created;
    let carrier = twilio(&provider);
    let found = carrier.find_call(&place(), since, &[]).await;
    assert_eq!(found, Found::Call(Sid(provider.calls()[0].sid.clone())));
}

#[tokio::test]
async fn a_sent_message_is_found_again() {
    let provider = Provider::start();
    let carrier = twilio(&provider);
    let (ours, page) = (sms(), usize::try_from(limits::CARRIER_PAGE_MESSAGES).unwrap());
    assert!(!carrier.has_sms(&ours).await);
    provider.next(Answer::Drop);
    assert_eq!(carrier.send_sms(reference(), &ours).await, Delivery::Unknown);
    assert!(carrier.has_sms(&ours).await);
    let request = provider.requests().pop().unwrap();
    assert_eq!(request.method, "GET");
    assert_eq!(request.query, owned(&[("To", TO), ("PageSize", "8")]));
    let to = PhoneNumber::parse(LINE).unwrap();
    assert!(!carrier.has_sms(&Sms { to, ..sms() }).await, "it went to another number");

    // Whoever does not say has not sent it.
    let nothing = Answer::Raw { status: 200, body: b"{}".to_vec() };
    for answer in [Answer::Error { status: 503, code: None }, Answer::Drop, nothing] {
        provider.next(answer.clone());
        assert!(!carrier.has_sms(&ours).await, "{answer:?}");
    }
    let other = Sms { body: Secret::new("Your code is 048214 & no other: é"), ..sms() };
    for number in 0..page {
        assert!(carrier.has_sms(&ours).await, "{number} messages later");
        carrier.send_sms(reference(), &other).await;
    }
    assert!(!carrier.has_sms(&ours).await, "the last page is not looked at");

    // Those of others may be as long as the provider takes them, and are escaped.
    let long =
        format!("{{\"body\":\"{}\",\"uri\":\"{}\"}},", "\\u6f22".repeat(1_600), "x".repeat(800));
    let own = serde_json::json!({ "body": ours.body.expose() });
    let listed = format!("{{\"messages\":[{}{own}]}}", long.repeat(page - 1));
    provider.next(Answer::Raw { status: 200, body: listed.into_bytes() });
    assert!(carrier.has_sms(&ours).await);
}

#[tokio::test]
async fn what_was_never_sent_is_not_done() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let provider = Provider::start();
    let not_tls = provider.api_base().replace("http://", "https://");
    for api_base in [format!("http://{closed}"), "http://nobody.invalid".into(), not_tls] {
        let carrier = TwilioCarrier::new(settings(api_base.clone())).unwrap();
        let delivery = carrier.send_sms(reference(), &sms()).await;
        assert_eq!(delivery, Delivery::NotDone { retry_after: None }, "{api_base}");
    }
    assert_eq!(provider.requests(), []);
}

#[tokio::test]
async fn a_placed_call_is_found_again() {
    let provider = Provider::start();
    let carrier = twilio(&provider);
    let since = "2026-03-01T12:00:00.9Z".parse().unwrap();
    let placed = |sid: &str, created: &str| Placed {
        sid: sid.into(),
        to: TO.into(),
        from: LINE.into(),
        created: created.parse().unwrap(),
        direction: "outbound-api".into(),
        status: "completed".into(),
    };
    assert_eq!(carrier.find_call(&place(), since, &[]).await, Found::None);
    provider.list(placed("CAearlier", "2026-03-01T11:59:59Z"));
    provider.list(Placed {
        direction: "outbound-dial".into(),
        ..placed("CAdialled", "2026-03-01T12:00:01Z")
    });
    provider.list(Placed { to: LINE.into(), ..placed("CAother", "2026-03-01T12:00:01Z") });
    assert_eq!(carrier.find_call(&place(), since, &[]).await, Found::None);
    provider.list(placed("CAours", "2026-03-01T12:00:00Z"));
    assert_eq!(carrier.find_call(&place(), since, &[]).await, Found::Call(Sid("CAours".into())));
    let request = provider.requests().pop().unwrap();
    assert_eq!(request.method, "GET");
    assert_eq!(request.query, owned(&[("To", TO), ("From", LINE), ("PageSize", "20")]));

    // Of two that may be it nobody can say which is; another that is known is none.
    provider.list(placed("CAlater", "2026-03-01T12:30:00Z"));
    assert_eq!(carrier.find_call(&place(), since, &[]).await, Found::Unknown);
    let [ours, later] = ["CAours", "CAlater"].map(|sid| Sid(sid.into()));
    for (other, found) in [(&later, &ours), (&ours, &later)] {
        let others = std::slice::from_ref(other);
        assert_eq!(carrier.find_call(&place(), since, others).await, Found::Call(found.clone()));
    }
    let both = [ours, later.clone()];
    assert_eq!(carrier.find_call(&place(), since, &both).await, Found::None);

    let mut others = vec![later];
    for i in 0..50 {
        provider.list(placed(&format!("CA{i}"), "2026-03-01T13:00:00Z"));
        others.push(Sid(format!("CA{i}")));
    }
    let before = provider.requests().len();
    assert_eq!(
        carrier.find_call(&place(), since, &others).await,
        Found::Call(Sid("CAours".into()))
    );
    assert_eq!(provider.requests().len(), before + 3, "three pages");

    for i in 0..50 {
        provider.list(placed(&format!("CB{i}"), "2026-02-20T13:00:00Z"));
    }
    let before = provider.requests().len();
    assert_eq!(
        carrier.find_call(&place(), since, &others).await,
        Found::Call(Sid("CAours".into()))
    );
    assert_eq!(provider.requests().len(), before + 3, "what is long past is not read");

    for i in 0..100 {
        provider.list(placed(&format!("CC{i}"), "2026-03-01T13:00:00Z"));
        others.push(Sid(format!("CC{i}")));
    }
    assert_eq!(carrier.find_call(&place(), since, &others).await, Found::Unknown);
}

/// Every field of what it lists may be null, says the provider's description.
#[tokio::test]
async fn what_is_not_told_of_one_listed_hides_no_other() {
    let provider = Provider::start();
    let carrier = twilio(&provider);
    let list = |name: &str, listed: serde_json::Value| {
        let page = serde_json::json!({ name: listed, "next_page_uri": null });
        provider.next(Answer::Raw { status: 200, body: page.to_string().into() });
    };
    let body = sms().body.expose().to_owned();
    list("messages", serde_json::json!([{ "body": null }, { "body": body }]));
    assert!(carrier.has_sms(&sms()).await);
    list("messages", serde_json::json!([{ "body": null }]));
    assert!(!carrier.has_sms(&sms()).await);

    let since = "2026-03-01T12:00:00Z".parse().unwrap();
    let created = "Sun, 01 Mar 2026 12:00:01 +0000";
    let other =
        serde_json::json!({ "sid": "CA1", "to": null, "from": null, "date_created": created });
    // The last page's path has been an empty text as well.
    let body = serde_json::json!({ "calls": [other], "next_page_uri": "" }).to_string();
    provider.next(Answer::Raw { status: 200, body: body.into() });
    assert_eq!(carrier.find_call(&place(), since, &[]).await, Found::None);
    list("calls", serde_json::json!([other]));
    assert_eq!(carrier.find_call(&place(), since, &[]).await, Found::None);
    let begun = serde_json::json!({ "sid": "CA2", "to": TO, "from": LINE, "date_created": null });
    list("calls", serde_json::json!([other, begun]));
    assert_eq!(carrier.find_call(&place(), since, &[]).await, Found::Call(Sid("CA2".into())));
}

#[tokio::test]
async fn a_search_that_fails_says_so() {
    let provider = Provider::start();
    let carrier = twilio(&provider);
    let thief = Provider::start();
    let stolen = format!("{}/2010-04-01/Accounts/{ACCOUNT_SID}/Calls.json", thief.api_base());
    let raw = |body: &str| Answer::Raw { status: 200, body: body.into() };
    let elsewhere = |uri: &str| raw(&format!(r#"{{"calls":[],"next_page_uri":"{uri}"}}"#));
    for answer in [
        Answer::Error { status: 500, code: None },
        Answer::Error { status: 404, code: Some(20404) },
        Answer::TooMany { retry_after: None },
        Answer::Drop,
        raw("{}"),
        raw(r#"{"calls":[{"sid":"CA1","to":"a","from":"b","date_created":"yesterday"}]}"#),
        elsewhere(&stolen),
        elsewhere("https://evil.example/Calls.json"),
        elsewhere("//evil.example/Calls.json"),
        elsewhere("/2010-04-01/Accounts/AC2/Calls.json"),
        elsewhere(&format!("/2010-04-01/Accounts/{ACCOUNT_SID}2/Calls.json")),
        elsewhere(&format!("/2010-04-01/Accounts/{ACCOUNT_SID}/../AC2/Calls.json")),
    ] {
        let before = provider.requests().len();
        provider.next(answer.clone());
        let since = "2026-03-01T12:00:00Z".parse().unwrap();
        assert_eq!(carrier.find_call(&place(), since, &[]).await, Found::Unknown, "{answer:?}");
        assert_eq!(provider.requests().len(), before + 1, "{answer:?}");
    }
    assert_eq!(thief.requests(), [], "the key stays with the provider");
}

#[test]
fn unusable_settings_are_refused() {
    for api_base in ["", "api.twilio.com", "ftp://a.example", "https://", "https://a.example?x=1"] {
        let refused = TwilioCarrier::new(settings(api_base.into()));
        assert!(matches!(refused, Err(SettingsError::ApiBase)), "{api_base}");
    }
    for account_sid in ["", "AC/../x", "AC 1", "AC?"] {
        let account_sid = account_sid.to_owned();
        let settings = Settings { account_sid, ..settings("https://a.example".into()) };
        assert!(matches!(TwilioCarrier::new(settings), Err(SettingsError::AccountSid)));
    }
}

#[test]
fn nothing_secret_is_ever_shown() {
    let settings = settings("https://a.example".into());
    let shown = format!("{settings:?} {:?} {:?}", settings.sender, settings.login);
    let carrier = TwilioCarrier::new(settings).unwrap();
    let shown = format!("{shown} {carrier:?} {:?}", sms());
    for secret in [AUTH_TOKEN, LINE, TO, "048213", "15005550006"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

// ---- the console ------------------------------------------------------------------------------

#[derive(Clone, Default)]
struct Terminal(Arc<Mutex<Vec<u8>>>);

impl Write for Terminal {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A terminal that has gone away.
struct Gone;

impl Write for Gone {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn the_console_shows_what_would_be_done() {
    let terminal = Terminal::default();
    let carrier = ConsoleCarrier::new(Links::new(BASE), Box::new(terminal.clone()));
    let message = Sms { body: Secret::new("Your code is 048213.\n\u{1b}[2J"), ..sms() };
    let sent = carrier.send_sms(reference(), &message).await;
    let placed = carrier.place_call(reference(), &place()).await;
    let Delivery::Accepted(sid) = placed.clone() else { panic!("placed") };
    assert!(matches!(&sent, Delivery::Accepted(sid) if sid.0.starts_with("SM")));
    assert!(sid.0.starts_with("CA") && sid.0.len() == 34, "{sid:?}");
    assert_eq!(
        carrier.find_call(&place(), "2026-03-01T12:00:00Z".parse().unwrap(), &[]).await,
        Found::None
    );
    assert_eq!(carrier.redirect_leg(reference().call, LegId(0), &sid).await, placed);
    assert_eq!(carrier.end_leg(&sid).await, placed);
    let shown = String::from_utf8(terminal.0.lock().unwrap().clone()).unwrap();
    let sid = &sid.0;
    assert_eq!(
        shown,
        format!(
            "[text message to {TO}]\n    Your code is 048213.\n    [2J\n\
             [ringing {TO}, showing {LINE}]\n    Whoever answers is {sid}; answering fetches\n    \
             POST {BASE}/twilio/leg/{CALL}/{NONCE}\n\
             [taking {sid} on to its present prompt]\n    POST {BASE}/twilio/resume/{CALL}/0\n\
             [hanging up {sid}]\n"
        )
    );
    assert_eq!(carrier.send_sms(reference(), &message).await, sent, "the same effect");
    let gone = ConsoleCarrier::new(Links::new(BASE), Box::new(Gone));
    let unseen = gone.send_sms(reference(), &message).await;
    assert_eq!(unseen, Delivery::NotDone { retry_after: None });
    assert_eq!(format!("{gone:?}"), "ConsoleCarrier { .. }");
}

#[tokio::test]
async fn a_request_that_must_come_is_waited_for() {
    let provider = Provider::start();
    let carrier = twilio(&provider);
    let sending = tokio::spawn(async move { carrier.send_sms(reference(), &sms()).await });
    let waited = tokio::task::spawn_blocking(move || provider.wait_for(1).len());
    assert_eq!(timeout(2 * PATIENCE, waited).await.unwrap().unwrap(), 1);
    assert!(matches!(sending.await.unwrap(), Delivery::Accepted(_) | Delivery::Unknown));
}
