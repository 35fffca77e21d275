//! Codes by e-mail: what a real mail server is handed, what is made of each of its answers, and a call
//! that is proved by one.

use std::io::Write as _;
use std::net::TcpListener;
use std::thread;
use std::time::Duration;

use callgate::carrier::smtp::{Settings, SmtpMail};
use callgate::carrier::{Delivery, Mail as _, Reference};
use callgate::engine::effect::Email;
use callgate::engine::id::{CallId, EffectId};
use callgate::flow::wording;
use callgate::secret::Secret;
use callgate::server::metrics::Metrics;
use jiff::Timestamp;
use secrecy::SecretString;
use tokio::time::timeout;
use toml_edit::DocumentMut;
use uuid::Uuid;

use crate::configuration::{LEAST, load_in};
use crate::support::eventually::{PATIENCE, eventually_async};
use crate::support::house::{ACCOUNT, House};
use crate::support::process::Ran as _;
use crate::support::provider::Provider;
use crate::support::smtp::{Manner, SmtpServer, Tls};
use crate::support::telephone::{Telephone, digits};

const ADDRESS: &str = "ada@example.com";
const FROM: &str = "Acme Bänk <no-reply@acme.example>";

fn email() -> Email {
    Email {
        to: Secret::new(ADDRESS),
        subject: "Your code for your call to Acme Bänk".into(),
        body: Secret::new(
            "You are on the telephone with Acme & Söns.\n\nKey in 048213 on your phone.",
        ),
        locale: wording::english(),
        code_until: Some(Timestamp::MAX),
    }
}

fn reference(effect: u128) -> Reference {
    Reference { call: CallId(Uuid::from_u128(1)), effect: EffectId(Uuid::from_u128(effect)) }
}

/// A sender to this server that trusts its certificate and has little patience.
fn sender(server: &SmtpServer, metrics: &Metrics) -> SmtpMail {
    let settings = Settings {
        url: SecretString::from(server.url()),
        from: FROM.into(),
        ca_pem: Some(server.certificate.clone().into_bytes()),
        timeout: Duration::from_secs(2),
    };
    SmtpMail::new(&settings, metrics.outside.clone()).unwrap()
}

#[tokio::test]
async fn a_mail_goes_over_each_kind_of_connection_and_the_next_over_the_same() {
    for tls in [Tls::None, Tls::Upgraded, Tls::FromTheStart] {
        let (server, metrics) = (SmtpServer::start(tls), Metrics::default());
        let mail = sender(&server, &metrics);
        for effect in [2, 3] {
            let sent = mail.send_email(reference(effect), &email()).await;
            assert!(matches!(sent, Delivery::Accepted(_)), "{tls:?}: {sent:?}");
        }
        assert_eq!(server.connections(), 1, "{tls:?}");
        let taken = server.taken();
        assert_eq!(taken.len(), 2);
        assert_eq!(taken[0].to, ADDRESS);
        assert_eq!(taken[0].login.as_deref(), Some("\0bank\0p@ss"));
        let name = |effect| format!("<{}@acme.example>", EffectId(Uuid::from_u128(effect)));
        assert_eq!(taken[0].field("Message-ID"), name(2));
        assert_eq!(taken[1].field("Message-ID"), name(3));
        assert_eq!(taken[0].field("Auto-Submitted"), "auto-generated");
        assert!(taken[0].field("Content-Type").starts_with("multipart/alternative"));
        assert!(taken[0].field("Subject").is_ascii());
        assert!(!taken[0].field("Subject").contains("048213"), "a locked screen shows the subject");
        let both = taken[0].data.matches("048213").count();
        assert_eq!(both, 2, "as text and as HTML: {}", taken[0].data);
        assert!(taken[0].data.contains("<p>Key in 048213 on your phone.</p>"));
        assert!(taken[0].data.contains("Acme &amp; S"));
        assert!(
            metrics
                .text()
                .contains("callgate_asked_of_others_total{peer=\"Mail\",outcome=\"Done\"} 2"),
            "{}",
            metrics.text()
        );
    }
}

/// Whether it is what a mail server meant.
type IsRight = fn(&Delivery) -> bool;

#[tokio::test]
async fn each_answer_of_the_server_means_one_thing() {
    let table: [(Manner, IsRight, usize); 5] = [
        (Manner::Refuse, |sent| *sent == Delivery::Refused { code: Some(550) }, 0),
        (Manner::TryAgain, |sent| *sent == Delivery::NotDone { retry_after: None }, 0),
        (Manner::Stall, |sent| *sent == Delivery::Unknown, 0),
        (Manner::TakeAndDrop, |sent| *sent == Delivery::Unknown, 1),
        (Manner::DropInside, |sent| *sent == Delivery::Unknown, 0),
    ];
    for (manner, is_right, taken) in table {
        let (server, metrics) = (SmtpServer::start(Tls::FromTheStart), Metrics::default());
        let mail = sender(&server, &metrics);
        server.next(manner);
        let sent = timeout(PATIENCE, mail.send_email(reference(2), &email())).await;
        let sent = sent.unwrap_or_else(|_| panic!("{manner:?}: still waiting"));
        assert!(is_right(&sent), "{manner:?}: {sent:?}");
        assert_eq!(server.taken().len(), taken, "{manner:?}");
        // The same mail again: over a connection that is in no unknown state, under the same name.
        let again = mail.send_email(reference(2), &email()).await;
        assert!(matches!(again, Delivery::Accepted(_)), "{manner:?}: {again:?}");
        let names: Vec<_> =
            server.taken().iter().map(|mail| mail.field("Message-ID").to_owned()).collect();
        assert_eq!(names.len(), taken + 1, "{manner:?}");
        assert!(names.iter().all(|name| *name == names[0]), "{names:?}");
        let outcome = if manner == Manner::Refuse { "Refused" } else { "Failed" };
        let line = format!("{{peer=\"Mail\",outcome=\"{outcome}\"}} 1");
        assert!(metrics.text().contains(&line), "{manner:?}: {}", metrics.text());
    }
}

/// A mail that the server refuses would seem to be taken.
#[tokio::test]
async fn what_is_said_beside_the_reply_to_starttls_is_no_answer() {
    let (server, metrics) = (SmtpServer::start(Tls::Injected), Metrics::default());
    server.next(Manner::Refuse);
    let mail = sender(&server, &metrics);
    let sent = timeout(PATIENCE, mail.send_email(reference(2), &email())).await.unwrap();
    assert_eq!(sent, Delivery::NotDone { retry_after: None });
}

/// Before the encryption begins whoever is on the way may say anything.
#[tokio::test]
async fn a_line_that_does_not_end_is_not_read_to_its_end() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let settings = Settings {
        url: SecretString::from(format!(
            "smtp://localhost:{}?tls=required",
            listener.local_addr().unwrap().port()
        )),
        from: FROM.into(),
        ca_pem: None,
        timeout: PATIENCE,
    };
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let (line, mut written) = (vec![b'2'; 64 * 1024], 0);
        while stream.write_all(&line).is_ok() && written < ENDLESS_BYTES {
            written += line.len();
        }
        written
    });
    let mail = SmtpMail::new(&settings, Metrics::default().outside.clone()).unwrap();
    let sent = timeout(PATIENCE, mail.send_email(reference(4), &email())).await.unwrap();
    assert_eq!(sent, Delivery::NotDone { retry_after: None });
    let written = server.join().unwrap();
    assert!(written < ENDLESS_BYTES, "{written} bytes were taken");
}

/// More than lies in the buffers of the system.
const ENDLESS_BYTES: usize = 64 * 1024 * 1024;

#[tokio::test]
async fn a_connection_that_the_server_closed_is_not_used_again() {
    let server = SmtpServer::start(Tls::Upgraded);
    let mail = sender(&server, &Metrics::default());
    server.next(Manner::TakeAndClose);
    for effect in [2, 3] {
        let sent = mail.send_email(reference(effect), &email()).await;
        assert!(matches!(sent, Delivery::Accepted(_)), "{sent:?}");
    }
    assert_eq!((server.connections(), server.taken().len()), (2, 2));
}

#[tokio::test]
async fn nothing_is_sent_to_a_server_that_is_not_who_it_says() {
    let server = SmtpServer::start(Tls::FromTheStart);
    let settings = Settings {
        url: SecretString::from(server.url()),
        from: FROM.into(),
        ca_pem: None,
        timeout: Duration::from_secs(2),
    };
    let mail = SmtpMail::new(&settings, Metrics::default().outside).unwrap();
    let sent = mail.send_email(reference(2), &email()).await;
    assert_eq!(sent, Delivery::NotDone { retry_after: None });
    assert_eq!(server.taken().len(), 0);
    let shown = format!("{settings:?} {mail:?} {:?}", email());
    assert!(!shown.contains("p%40ss") && !shown.contains(ADDRESS) && !shown.contains("048213"));
}

/// A server whose customers get codes by e-mail.
fn house(provider: &Provider, smtp: Option<&SmtpServer>) -> House {
    let house = House::set_up("embedded:calls.redb", &provider.api_base());
    let write = |name: &str, text: &str| {
        std::fs::write(house.folder.path().join(name), text).unwrap();
    };
    write("flows/mail.toml", include_str!("../../fixtures/calls/flows/mail.toml"));
    write(
        "accounts.toml",
        &format!(
            "[[accounts]]\nid = \"{ACCOUNT}\"\nemail = {{ address = \"{ADDRESS}\", since = \"2024-01-01\" }}\n\
             fields = {{ next_visit = \"2026-12-03\" }}\n"
        ),
    );
    house.change_configuration("flow = \"desk\"", "flow = \"mail\"");
    if let Some(smtp) = smtp {
        write("smtp.url", &smtp.url());
        write("smtp.pem", &smtp.certificate);
        house.change_configuration(
            "[twilio]",
            "[smtp]\nurl_file = \"smtp.url\"\nfrom = \"Riverside <no-reply@riverside.example>\"\nca_file = \"smtp.pem\"\n[twilio]",
        );
    }
    house
}

#[tokio::test]
async fn a_call_is_proved_by_a_code_from_a_mail() {
    let (provider, smtp) = (Provider::start(), SmtpServer::start(Tls::Upgraded));
    let mut house = house(&provider, Some(&smtp));
    house.restart();
    let mut phone = Telephone::new("CA00000000000000000000000000000007", "+15005550777");
    phone.ring(&house).await;
    phone.key(&house, ACCOUNT).await;
    assert!(phone.spoken().contains("by e-mail"), "{}", phone.spoken());
    let mail = eventually_async("a mail", async || smtp.taken().first().cloned()).await;
    assert_eq!(mail.to, ADDRESS);
    let code = digits(mail.text());
    assert_eq!(code.len(), 6, "one run of six digits: {}", mail.text());
    phone.key(&house, &code).await;
    assert!(phone.spoken().contains("December 3, 2026"), "{}", phone.spoken());

    // Another call, and the server will not take the mail: the caller is told so, not left waiting.
    smtp.next(Manner::Refuse);
    let mut phone = Telephone::new("CA00000000000000000000000000000008", "+15005550777");
    phone.ring(&house).await;
    phone.key(&house, ACCOUNT).await;
    let redirect = eventually_async("a redirect", async || {
        let path = format!("/Calls/{}.json", phone.sid);
        provider.requests().into_iter().find(|request| request.path.ends_with(&path))
    })
    .await;
    let url = redirect.field("Url").unwrap();
    let path = url.strip_prefix("https://ivr.example.com").unwrap().to_owned();
    phone.post(&house, &path, &[("CallStatus", "in-progress")]).await;
    assert!(phone.spoken().contains("cannot reach you by e-mail"), "{}", phone.spoken());

    house.logs("the mail server answered with an error\",\"code\":550");
    house.logs("refused with code 550");
    let log = house.log();
    for secret in [ADDRESS, code.as_str(), ACCOUNT, "p%40ss", "p@ss"] {
        assert!(!log.contains(secret), "`{secret}` is in the log");
    }
    let counted = "callgate_asked_of_others_total{peer=\"Mail\",outcome=\"Refused\"} 1";
    assert!(house.metrics().await.contains(counted), "{}", house.metrics().await);
}

/// What a mail server has not taken for certain it is handed again, under the same name; the caller is asked
/// for the code meanwhile, and has it.
#[tokio::test]
async fn a_mail_server_that_fails_or_hangs_up_loses_no_caller() {
    let (provider, smtp) = (Provider::start(), SmtpServer::start(Tls::Upgraded));
    let mut house = house(&provider, Some(&smtp));
    house.restart();
    // How it answers first, and how many mails have come in the end.
    let manners = [
        (Manner::TryAgain, 1),
        (Manner::Mumble, 1),
        (Manner::DropInside, 1),
        (Manner::TakeAndDrop, 2),
    ];
    for (sid, (manner, mails)) in (1..).zip(manners) {
        let before = smtp.taken().len();
        smtp.next(manner);
        let mut phone = Telephone::new(&format!("CA{sid:032x}"), "+15005550777");
        phone.ring(&house).await;
        phone.key(&house, ACCOUNT).await;
        assert!(phone.spoken().contains("by e-mail"), "{manner:?}: {}", phone.spoken());
        let taken = eventually_async("the mail", async || {
            let taken = smtp.taken().split_off(before);
            let settled = house.log().matches("the provider accepted an effect").count() == sid;
            (taken.len() == mails && settled).then_some(taken)
        })
        .await;
        let names: Vec<_> = taken.iter().map(|mail| mail.field("Message-ID")).collect();
        assert!(names.iter().all(|name| *name == names[0]), "{manner:?}: {names:?}");
        let code = digits(taken[0].text());
        phone.key(&house, &code).await;
        assert!(phone.spoken().contains("December 3, 2026"), "{manner:?}: {}", phone.spoken());
        assert!(!house.log().contains(&code) && !house.log().contains(ADDRESS));
    }
    let counted = "callgate_asked_of_others_total{peer=\"Mail\",outcome=\"Failed\"} 4";
    assert!(house.metrics().await.contains(counted), "{}", house.metrics().await);
    house.logs("the provider did not accept an effect");
    house.logs("the mail server answered with what cannot be read");
}

#[test]
fn a_flow_that_sends_mail_needs_a_mail_server() {
    let provider = Provider::start();
    let house = house(&provider, None);
    let output = house.command().args(["serve", "--config", "callgate.toml"]).ran();
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.contains("state `send` of flow `mail` sends codes by e-mail, and the configuration has no `[smtp]`"),
        "{said}"
    );
}

#[test]
fn who_notifies_owners_and_has_no_mail_server_is_warned() {
    let (provider, smtp) = (Provider::start(), SmtpServer::start(Tls::None));
    for mail in [false, true] {
        let mut house = House::set_up("memory:", &provider.api_base());
        let write = |name: &str, text: &str| {
            std::fs::write(house.folder.path().join(name), text).unwrap();
        };
        let flow = include_str!("e2e/desk.toml");
        write("flows/desk.toml", &flow.replacen("requires", "notify = true\nrequires", 1));
        write("smtp.url", &smtp.url());
        if mail {
            let smtp =
                "[smtp]\nurl_file = \"smtp.url\"\nfrom = \"no-reply@acme.example\"\n[twilio]";
            house.change_configuration("[twilio]", smtp);
        }
        house.restart();
        let warned = house.log().contains("`notify` tells nobody who has one");
        assert_eq!(warned, !mail, "{}", house.log());
    }
}

/// Without a mail server a notice by mail would reach nobody, and be the only one.
#[test]
fn owners_are_told_by_mail_where_there_is_a_mail_server() {
    for mail in [false, true] {
        let mut whole: DocumentMut = LEAST.parse().unwrap();
        if mail {
            let smtp = "[smtp]\nurl_env = \"SMTP_URL\"\nfrom = \"no-reply@example.com\"\n";
            whole["smtp"] = smtp.parse::<DocumentMut>().unwrap()["smtp"].clone();
        }
        assert_eq!(
            load_in(tempfile::tempdir().unwrap().path(), &whole, true)
                .unwrap()
                .policy
                .notices
                .by_mail,
            mail
        );
    }
}

#[test]
fn a_mail_server_that_would_show_codes_is_refused_and_not_shown() {
    let (provider, smtp) = (Provider::start(), SmtpServer::start(Tls::None));
    let house = house(&provider, Some(&smtp));
    std::fs::write(house.folder.path().join("smtp.url"), "smtp://bank:hush@mail.example.com")
        .unwrap();
    let output = house.command().args(["serve", "--config", "callgate.toml"]).ran();
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("over the network in the clear"), "{said}");
    assert!(!said.contains("hush") && !said.contains("mail.example.com"), "{said}");
}
