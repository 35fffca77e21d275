//! Words: what strangers write is never a verb, a header, a key or a record, and tells nobody apart.

use std::sync::Arc;
use std::time::Duration;

use callgate::carrier::smtp::{Settings, SmtpMail};
use callgate::carrier::{Delivery, Mail as _, Reference};
use callgate::chance::{Chance as _, SeededChance};
use callgate::diagnostic::{Problems, Sources};
use callgate::directory::accounts::{Accounts, Secrets};
use callgate::engine::effect::Email;
use callgate::engine::event::Heard;
use callgate::engine::id::{CallId, EffectId, Sid};
use callgate::engine::policy::Policy;
use callgate::engine::reply::{Audible, Reply, Speech, Verb, Words};
use callgate::exchange::service_code::WebLevel;
use callgate::secret::Secret;
use callgate::server::metrics::Metrics;
use callgate::store::memory::MemoryStore;
use callgate::twiml;
use callgate::twiml::grammar::{self, Node};
use callgate::twiml::links::Links;
use secrecy::SecretString;
use uuid::Uuid;

use super::office::{ACCOUNT, DESK, Office, account};
use crate::support::house::{House, LINE, PIN};
use crate::support::provider::{ACCOUNT_SID, Provider};
use crate::support::redis::RedisServer;
use crate::support::smtp::{SmtpServer, Tls};
use crate::support::telephone::Telephone;

const CALLER: &str = "+15005550777";

/// A document without what is random in it: the nonces, and the call's own name.
fn masked(node: &Node) -> String {
    let text = format!("{node:?}");
    let mut kept = String::new();
    for part in text.split_inclusive('/') {
        let name = part.trim_end_matches(|c: char| !c.is_ascii_hexdigit());
        let random = name.len() >= 32 && name.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
        kept.push_str(if random { "…" } else { part });
    }
    kept
}

/// Known with a wrong PIN, known and locked, unknown: until the verdict they cannot be told apart.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t40_nobody_hears_which_accounts_exist() {
    let provider = Provider::start();
    let house = House::start("embedded:callgate.redb", &provider.api_base());
    let mut heard: Vec<Vec<String>> = Vec::new();
    // The last two calls meet a lock: five wrong PINs were keyed in before.
    for (n, claimed) in [ACCOUNT, "99999999", ACCOUNT, ACCOUNT, "99999998"].into_iter().enumerate()
    {
        let mut phone = Telephone::new(&format!("CA{n:032}"), "");
        phone.ring(&house).await;
        let mut said = vec![masked(&phone.heard)];
        for entry in [claimed, "", "12", &format!("1112{n}0"), &format!("1113{n}0")] {
            if !phone.hears("Gather") {
                break;
            }
            phone.key(&house, entry).await;
            said.push(masked(&phone.heard));
        }
        heard.push(said);
    }
    for other in &heard[1..] {
        assert_eq!(other, &heard[0]);
    }
    assert!(heard[0].len() > 3);
}

/// A customer without a telephone, and nobody: where a flow leads both alike they cannot be told apart,
/// however often a code is asked for, and by what comes of it.
#[tokio::test]
async fn t40_an_account_without_a_telephone_sounds_like_none_where_both_lead_alike() {
    let flow = "name = \"desk\"\nstart = \"who\"\n[levels]\nhas = { any = [\"sms_otp\"] }\n\
        [states.who]\ntype = \"identify\"\nby = [\"digits\"]\ndigits = 8\nprompt = \"Who?\"\n\
        on = { found = \"send\", unknown = \"send\" }\n\
        [states.send]\ntype = \"send_sms_otp\"\n\
        on = { sent = \"code\", unavailable = \"code\", limited = \"later\" }\n\
        [states.code]\ntype = \"gather_otp\"\ntries = 2\nprompt = \"Code?\"\n\
        on = { ok = \"in\", failed = \"more\", expired = \"more\", undelivered = \"more\" }\n\
        [states.more]\ntype = \"menu\"\nprompt = \"For another code press 1.\"\nkeys = { 1 = \"send\" }\n\
        on = { no_input = \"later\", no_match = \"later\" }\n\
        [states.in]\ntype = \"hangup\"\nrequires = \"has\"\nprompt = \"In.\"\non = { denied = \"later\" }\n\
        [states.later]\ntype = \"hangup\"\nprompt = \"Later.\"\n";
    let bare = format!("[[accounts]]\nid = \"{ACCOUNT}\"\npin = \"{PIN}\"\n");
    for waits_s in [1, 40] {
        let mut heard = Vec::new();
        for claimed in [ACCOUNT, "99999999"] {
            let office = Office::fresh(flow, &bare);
            let mut line = office.ring("CA1").await;
            line.key(claimed).await;
            let mut said = vec![line.spoken()];
            for key in ["", "123456", "1"].into_iter().cycle().take(18) {
                if !line.reply.verbs.iter().any(|verb| matches!(verb, Verb::Gather(_))) {
                    break;
                }
                line.key(key).await;
                said.push(line.spoken());
                office.clock.advance(Duration::from_secs(waits_s));
            }
            heard.push(said);
        }
        assert_eq!(heard[0], heard[1], "after {waits_s} s each");
        assert!(heard[0][0] == "Code?" && heard[0].last().unwrap() == "Later.", "{heard:?}");
    }
}

/// Texts that somebody would send who wants to be more than text.
fn hostile(chance: &SeededChance) -> String {
    const PIECES: [&str; 24] = [
        "</Say>",
        "<Dial>+19005550100</Dial>",
        "]]>",
        "<![CDATA[",
        "&amp;",
        "&#60;",
        "&",
        "<",
        ">",
        "\"",
        "'",
        "<!--",
        "-->",
        "<?xml?>",
        "<Redirect>",
        "\u{0}",
        "\u{1b}",
        "\u{fffe}",
        "\r\n",
        "\u{202e}",
        "🙂",
        "<!DOCTYPE x [<!ENTITY e SYSTEM \"file:///etc/passwd\">]>",
        "&e;",
        "word ",
    ];
    let bytes = chance.bytes();
    let count = usize::from(bytes[0] % 12);
    bytes[1..=count].iter().map(|byte| PIECES[usize::from(*byte) % PIECES.len()]).collect()
}

fn shape(node: &Node) -> Vec<String> {
    let mut names = vec![node.name.clone()];
    names.extend(node.children.iter().flat_map(shape));
    names
}

#[test]
fn t50_no_text_becomes_a_verb() {
    let call = CallId::of("AC1", &Sid("CA1".into()));
    let links = Links::new("https://ivr.example.com");
    let chance = SeededChance::new(50);
    let document = |text: String| {
        let speech = Speech { words: vec![Words::Text(text)], locale: "en-US".into(), voice: None };
        let verbs = vec![Verb::Hear(Audible::Say(speech)), Verb::Hangup];
        twiml::render(&Reply { verbs }, &links, call)
    };
    for _ in 0..100_000 {
        let text = format!("a {}", hostile(&chance));
        let written = document(text.clone());
        grammar::validate(&written).unwrap_or_else(|errors| panic!("{text:?}: {errors:?}"));
        let names = shape(&grammar::read(&written).unwrap());
        assert!(
            matches!(&names[..], [root, says @ .., end]
                if root == "Response" && end == "Hangup" && says.iter().all(|name| name == "Say")),
            "{text:?}: {names:?}"
        );
    }
}

/// What a caller says goes into a prompt: over the whole machine.
#[tokio::test]
async fn t50_what_a_caller_says_is_read_back_as_words() {
    let flow = "name = \"desk\"\nstart = \"ask\"\n\
        [states.ask]\ntype = \"gather\"\nkind = \"speech\"\nvar = \"name\"\nprompt = \"Your name?\"\n\
        on = { ok = \"back\", no_input = \"bye\", invalid = \"bye\" }\n\
        [states.back]\ntype = \"hangup\"\nprompt = \"Hello {{ name }}.\"\n\
        [states.bye]\ntype = \"hangup\"\nprompt = \"Bye.\"\n";
    let office = Office::fresh(flow, &account(ACCOUNT, "2024-01-01"));
    let links = Links::new("https://ivr.example.com");
    let chance = SeededChance::new(51);
    for n in 0..200 {
        let mut line = office.ring(&format!("CA{n}")).await;
        let speech = Secret::new(format!("Ann {}", hostile(&chance)));
        line.tell(line.next(), Heard { speech, ..Heard::default() }).await;
        let written = twiml::render(&line.reply, &links, line.call);
        grammar::validate(&written).unwrap();
        assert_eq!(shape(&grammar::read(&written).unwrap()), ["Response", "Say", "Hangup"]);
    }
}

#[test]
fn t51_no_contact_on_file_carries_a_line_of_its_own() {
    for (from, to) in [
        ("+15005550010", "+15005550010\\r\\nBcc: +19005550100"),
        ("+15005550010", "+1500555,+19005550100"),
        ("+15005550010", "15005550010"),
    ] {
        let problems = Problems::default();
        let text = account(ACCOUNT, "2024-01-01").replace(from, to);
        Accounts::read(&"accounts".into(), &text, Secrets::Plain, &problems);
        assert_ne!(problems.into_findings(), [], "{to}");
    }
    for address in [
        "ada@example.com\\r\\nBcc: eve@evil.example",
        "ada@example.com, eve@evil.example",
        "ada@example.com,eve@evil.example",
        "ada@evil.example@example.com",
        "ada@example.com;eve",
        "<ada@example.com>",
        "ada%evil.example@example..com",
        "Ada <ada@example.com>",
        "ada@example.com\\u0000",
        "ada",
    ] {
        let problems = Problems::default();
        let email = format!(
            "pin = \"{PIN}\"\nemail = {{ address = \"{address}\", since = \"2024-01-01\" }}"
        );
        let text = account(ACCOUNT, "2024-01-01")
            .replace(&format!("pin = \"{}\"", super::office::PIN), &email);
        Accounts::read(&"accounts".into(), &text, Secrets::Plain, &problems);
        assert_ne!(problems.into_findings(), [], "{address}");
    }
    // Nor does the name of the business, which stands in every message.
    let mut sources = callgate::diagnostic::Sources::default();
    sources.add("desk.toml", DESK.replace("\"Acme Bank\"", "\"Acme\\r\\nBcc: eve@evil.example\""));
    assert_ne!(callgate::flow::read(&sources).1, []);
}

/// Whatever stands in an accounts file for an address, a number or a name: what is taken is one address and one
/// number, and the mail that is written to it has the headers that every mail has.
#[tokio::test]
async fn t51_no_text_becomes_a_header_of_a_mail() {
    const TRIED: usize = 5_000;
    const PIECES: [&str; 16] = [
        "\r\n",
        "\n",
        "\r",
        "\u{85}",
        "\u{2028}",
        "\u{0}",
        ", ",
        "; ",
        "Bcc: eve@evil.example",
        "Subject: x",
        "<",
        ">",
        "\"",
        "@evil.example",
        "%0d%0aBcc: eve@evil.example",
        "=?utf-8?q?=0D=0ABcc:eve?=",
    ];
    let server = SmtpServer::start(Tls::None);
    let settings = |from: String| Settings {
        url: SecretString::from(server.url()),
        from,
        ca_pem: None,
        timeout: Duration::from_secs(2),
    };
    let chance = SeededChance::new(51);
    let (mut taken, mut refused, mut n) = (0, 0, 0_u128);
    let mut sent = Vec::new();
    for _ in 0..TRIED {
        let bytes = chance.bytes();
        let mixed = |from: usize| {
            let pieces = bytes[from..from + 3].iter().map(|byte| PIECES[usize::from(*byte) % 16]);
            pieces.collect::<String>()
        };
        let address = match bytes[0] % 3 {
            0 => format!("ada@example.com{}", mixed(1)),
            1 => format!("{}ada@example.com", mixed(1)),
            _ => format!("ada{}@example.com", mixed(1)),
        };
        let problems = Problems::default();
        let email = toml::Value::from(address.clone());
        let email = format!("email = {{ address = {email}, since = \"2024-01-01\" }}\nphones =");
        let text = account(ACCOUNT, "2024-01-01").replace("phones =", &email);
        Accounts::read(&"accounts".into(), &text, Secrets::Plain, &problems);
        if problems.into_findings().is_empty() {
            taken += 1;
            assert!(
                !address.contains(|c: char| c.is_control() || c.is_whitespace()),
                "{address:?}"
            );
            assert_eq!(address.matches('@').count(), 1, "{address:?}");
        } else {
            refused += 1;
        }
        // What a flow and an account may put into a mail, whatever they hold: a few of them are sent.
        if sent.len() < 40 {
            let subject = format!("Your code{}", mixed(4));
            let body = Secret::new(format!("Key in 048213.{}", mixed(7)));
            sent.push((subject, body));
        }
    }
    assert!(refused > TRIED / 2, "{refused} were refused, and {taken} taken");
    let metrics = Metrics::default();
    let mail =
        SmtpMail::new(&settings("Acme <no-reply@acme.example>".into()), metrics.outside.clone());
    let mail = mail.unwrap();
    for (subject, body) in sent {
        n += 1;
        let reference =
            Reference { call: CallId(Uuid::from_u128(1)), effect: EffectId(Uuid::from_u128(n)) };
        let (to, locale) = (Secret::new("ada@example.com"), callgate::flow::wording::english());
        let email = Email { to, subject: subject.clone(), body, locale, code_until: None };
        let told = mail.send_email(reference, &email).await;
        assert!(matches!(told, Delivery::Accepted(_)), "{subject:?}: {told:?}");
        let taken = server.taken().pop().unwrap();
        assert!(taken.to.contains("ada@example.com") && !taken.to.contains("evil"), "{}", taken.to);
        let head = taken.data.split("\r\n\r\n").next().unwrap();
        // A line that goes on begins with a space.
        let names = head.lines().filter(|line| !line.starts_with([' ', '\t']));
        for line in names {
            let name = line.split(':').next().unwrap().to_ascii_lowercase();
            let known = [
                "message-id",
                "from",
                "to",
                "subject",
                "auto-submitted",
                "date",
                "mime-version",
                "content-type",
            ];
            assert!(known.contains(&name.as_str()), "{subject:?}: {line}");
        }
    }
    // Nor does the name that mails come from.
    let bad = SmtpMail::new(
        &settings("Acme <no-reply@acme.example>\r\nBcc: eve@evil.example".into()),
        metrics.outside.clone(),
    );
    assert!(bad.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t52_no_name_makes_a_key_of_its_own() {
    let (redis, provider) = (RedisServer::start(), Provider::start());
    let house = House::start(&redis.url(), &provider.api_base());
    let names = ["CA:{p00}:due", "{p01}", "CA\n1", "cg:{p00}:call:x", "*", "CA' 1", "CA\u{0}"];
    for name in names {
        let form = [("AccountSid", ACCOUNT_SID), ("CallSid", name), ("From", CALLER), ("To", LINE)];
        assert_eq!(house.post("/twilio/voice", &form).await.0, 200, "{name:?}");
        for path in
            ["/twilio/turn/%7Bp00%7D:due/x", "/twilio/turn/..%2F..%2Fx/%0A", "/twilio/status/*/*"]
        {
            assert!([200, 204].contains(&house.post(path, &form).await.0), "{path}");
        }
        let mut phone = Telephone::new("CA00000000000000000000000000000052", CALLER);
        phone.ring(&house).await;
        phone.key(&house, name).await;
    }
    let client = redis::Client::open(redis.url()).unwrap();
    let keys: Vec<String> =
        redis::cmd("KEYS").arg("*").query(&mut client.get_connection().unwrap()).unwrap();
    assert!(!keys.is_empty());
    for key in keys {
        let rest = key.strip_prefix("cg:{p").and_then(|rest| rest.split_once("}:"));
        let (partition, rest) = rest.unwrap_or_else(|| panic!("{key}"));
        assert!(partition.bytes().all(|b| b.is_ascii_digit()), "{key}");
        let plain = |b: u8| b.is_ascii_alphanumeric() || b":-_".contains(&b);
        assert!(rest.bytes().all(plain), "{key}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t53_a_request_is_one_record_whatever_is_in_it() {
    let provider = Provider::start();
    let house = House::start("embedded:callgate.redb", &provider.api_base());
    let forged = "x\r\n{\"level\":\"ERROR\",\"fields\":{\"message\":\"forged\"}}\n";
    let mut phone = Telephone::new("CA00000000000000000000000000000053", forged);
    for name in ["CallerName", "StirVerstat", "SpeechResult", "ForwardedFrom", "Digits"] {
        phone.post(&house, "/twilio/voice", &[(name, forged)]).await;
    }
    phone.key(&house, forged).await;
    phone.post(&house, "/twilio/fallback", &[("ErrorUrl", forged), ("ErrorCode", forged)]).await;
    let form = [("AccountSid", ACCOUNT_SID), ("CallSid", forged), ("To", LINE)];
    house.post("/twilio/voice", &form).await;
    for line in house.log().lines() {
        let record: serde_json::Value =
            serde_json::from_str(line).unwrap_or_else(|_| panic!("no record: {line}"));
        assert_ne!(record["fields"]["message"], "forged", "{line}");
    }
}

/// A code from the web that was made for one action is none for another, and a message that a flow words names
/// what its code is for: so a customer who reads on hears what somebody else is about to do.
#[tokio::test]
async fn t71_a_code_for_one_action_is_none_for_another() {
    let flow = DESK
        .replace("on     = { found = \"pin\", unknown = \"pin\" }", "on     = { found = \"web\", unknown = \"web\" }")
        .replace("type = \"send_sms_otp\"", "type = \"send_sms_otp\"\nmessage = \"Acme Bank: {{ code }} lets a caller hear your balance. Nobody will ask you for it.\"")
        + "[states.web]\ntype = \"gather_service_code\"\npurpose = \"new_card\"\nprompt = \"The code for your new card.\"\n\
           on = { ok = \"menu\", failed = \"pin\", locked = \"pin\" }\n";
    let office = Office::fresh(&flow, &account(ACCOUNT, "2024-01-01"));
    let whose = Secret::new(ACCOUNT);
    // One that was made for nothing in particular is made for anything.
    for (purpose, right) in [(Some("balance"), false), (None, true), (Some("new_card"), true)] {
        let ttl = Duration::from_mins(5);
        let purpose = purpose.map(str::to_owned);
        let issued =
            office.exchange.issue_service_code(&whose, WebLevel::Aal2, purpose.clone(), ttl);
        let code = issued.await.unwrap().unwrap().code;
        let mut line = office.ring_from(&format!("CA{purpose:?}"), None).await;
        line.key(ACCOUNT).await;
        line.key(code.expose()).await;
        assert_eq!(office.facts(line.call).await.len(), usize::from(right), "{purpose:?}");
    }
    let mut line = office.ring_from("CA71", None).await;
    line.key(ACCOUNT).await;
    for _ in 0..3 {
        line.key("").await;
    }
    line.key(super::office::PIN).await;
    line.key("1").await;
    office.code(line.call).await;
    let messages = office.world.messages(line.call);
    assert!(messages[0].body.expose().contains("hear your balance"));
}

/// An action that has a code sent on the way to it asks for one each time, whatever was proved before, and its message
/// names it.
#[tokio::test]
async fn t71_an_action_that_sends_its_own_code_asks_each_time() {
    let flow = "name = \"desk\"\nstart = \"who\"\nbusiness = \"Acme Bank\"\n\
        [levels]\nphone = { any = [\"sms_otp\"] }\njust_now = { any = [\"sms_otp\"], within = \"1m\" }\n\
        [states.who]\ntype = \"identify\"\nby = [\"digits\"]\ndigits = 8\nprompt = \"Account?\"\non = { found = \"menu\", unknown = \"menu\" }\n\
        [states.menu]\ntype = \"menu\"\nprompt = \"To lock your card press 1.\"\nkeys = { 1 = \"send\" }\non = { no_input = \"bye\", no_match = \"bye\" }\n\
        [states.send]\ntype = \"send_sms_otp\"\nmessage = \"Acme Bank: {{ code }} lets a caller LOCK YOUR CARD. Nobody will ask you for it.\"\n\
        on = { sent = \"code\", unavailable = \"bye\", limited = \"bye\" }\n\
        [states.code]\ntype = \"gather_otp\"\nprompt = \"Code?\"\non = { ok = \"lock\", failed = \"bye\", expired = \"bye\", undelivered = \"bye\" }\n\
        [states.lock]\ntype = \"say\"\nrequires = \"just_now\"\nprompt = \"It is locked.\"\nnext = \"menu\"\non = { denied = \"bye\" }\n\
        [states.bye]\ntype = \"hangup\"\nprompt = \"Goodbye.\"\n";
    let office = Office::fresh(flow, &account(ACCOUNT, "2024-01-01"));
    let mut line = office.ring("CA1").await;
    line.key(ACCOUNT).await;
    let mut codes = Vec::new();
    for _ in 0..2 {
        line.key("1").await;
        assert_eq!(line.spoken(), "Code?", "{codes:?}");
        codes.push(office.code(line.call).await);
        line.key(codes.last().unwrap()).await;
        assert!(line.spoken().starts_with("It is locked."), "{}", line.spoken());
        office.clock.advance(Duration::from_mins(2));
    }
    let messages = office.world.messages(line.call);
    assert_eq!(messages.len(), 2);
    assert!(messages.iter().all(|sent| sent.body.expose().contains("LOCK YOUR CARD")));
    // The code of the first time is none for the second.
    line.key("1").await;
    line.key(&codes[0]).await;
    assert!(!line.spoken().contains("It is locked."), "{}", line.spoken());
}

/// Who passes a code on to an attacker cannot be kept from it; the message says what it is for, and the
/// code is good for that call alone.
#[tokio::test]
async fn t71_a_message_names_the_business_and_warns() {
    let office = Office::fresh(DESK, &account(ACCOUNT, "2024-01-01"));
    let mut line = office.ring_to_menu("CA1").await;
    line.key("1").await;
    let code = office.code(line.call).await;
    let messages = office.world.messages(line.call);
    let body = messages[0].body.expose();
    assert!(body.contains("Acme Bank") && body.contains(&code), "{body}");
    assert!(body.to_lowercase().contains("nobody will ask"), "{body}");
    for hash in ["<#>", "@", "#"] {
        assert!(!body.contains(hash), "nothing that fills it in elsewhere: {body}");
    }
    assert!(body.len() <= 160, "one message: {body}");
}

/// Another code is worded by the flow that sent the first, wherever it is asked for.
#[tokio::test]
async fn t71_another_code_names_what_the_first_one_named() {
    let desk = "name = \"desk\"\nstart = \"who\"\n[levels]\nl = { any = [\"sms_otp\"] }\n\
        [states.who]\ntype = \"identify\"\nby = [\"digits\"]\ndigits = 8\nprompt = \"Who?\"\n\
        on = { found = \"much\", unknown = \"much\" }\n\
        [states.much]\ntype = \"gather\"\nkind = \"digits\"\nvar = \"much\"\ndigits = 2\nprompt = \"How much?\"\n\
        on = { ok = \"send\", no_input = \"bye\", invalid = \"bye\" }\n\
        [states.send]\ntype = \"send_sms_otp\"\nmessage = \"{{ code }} to pay {{ much }} dollars\"\n\
        on = { sent = \"ask\", unavailable = \"bye\", limited = \"bye\" }\n\
        [states.ask]\ntype = \"call\"\nflow = \"sub\"\non = { ok = \"bye\" }\n[states.bye]\ntype = \"hangup\"\n";
    let sub = "name = \"sub\"\nstart = \"code\"\n\
        [states.code]\ntype = \"gather_otp\"\nprompt = \"The code?\"\n\
        on = { ok = \"back\", failed = \"back\", expired = \"back\", undelivered = \"back\" }\n\
        [states.back]\ntype = \"return\"\noutcome = \"ok\"\n";
    let mut sources = Sources::default();
    sources.add("desk.toml", desk);
    sources.add("sub.toml", sub);
    let store = Arc::new(MemoryStore::default());
    let office = Office::of(Policy::default(), store, &sources, &account(ACCOUNT, "2024-01-01"));
    let mut line = office.ring("CA1").await;
    line.key(ACCOUNT).await;
    line.key("42").await;
    office.outbox.drain().await.unwrap();
    office.clock.advance(Duration::from_mins(1));
    line.key("*").await;
    office.outbox.drain().await.unwrap();
    let messages = office.world.messages(line.call);
    let named = messages.iter().filter(|it| it.body.expose().ends_with(" to pay 42 dollars"));
    assert_eq!(named.count(), 2, "{}", messages.len());
}

/// A message names what its code approves, or there is none: whoever says a payee that no message has room for, so
/// that the owner reads no amount, gets a code from nobody.
#[tokio::test]
async fn t71_no_code_is_sent_that_cannot_name_what_it_is_for() {
    for message in
        ["{{ code }} to pay {{ whom }} {{ much }}", "Pay {{ whom }} {{ much }}: {{ code }}"]
    {
        let desk = format!(
            "name = \"desk\"\nstart = \"who\"\n[levels]\nl = {{ any = [\"sms_otp\"] }}\n\
            [states.who]\ntype = \"identify\"\nby = [\"digits\"]\ndigits = 8\nprompt = \"Who?\"\n\
            on = {{ found = \"much\", unknown = \"much\" }}\n\
            [states.much]\ntype = \"gather\"\nkind = \"digits\"\nvar = \"much\"\ndigits = 2\n\
            prompt = \"How much?\"\non = {{ ok = \"whom\", no_input = \"bye\", invalid = \"bye\" }}\n\
            [states.whom]\ntype = \"gather\"\nkind = \"speech\"\nvar = \"whom\"\nprompt = \"To whom?\"\n\
            on = {{ ok = \"send\", no_input = \"bye\", invalid = \"bye\" }}\n\
            [states.send]\ntype = \"send_sms_otp\"\nmessage = \"{message}\"\n\
            on = {{ sent = \"code\", unavailable = \"bye\", limited = \"bye\" }}\n\
            [states.code]\ntype = \"gather_otp\"\nprompt = \"The code?\"\n\
            on = {{ ok = \"bye\", failed = \"bye\", expired = \"bye\", undelivered = \"bye\" }}\n\
            [states.bye]\ntype = \"hangup\"\n"
        );
        for (to, sent) in [("Bob", 1), (&*"bob ".repeat(150), 0)] {
            let office = Office::fresh(&desk, &account(ACCOUNT, "2024-01-01"));
            let mut line = office.ring("CA1").await;
            line.key(ACCOUNT).await;
            line.key("42").await;
            let heard = Heard { speech: Secret::new(to), ..Heard::default() };
            line.tell(line.next(), heard).await;
            assert_eq!(line.spoken(), "The code?", "{message}");
            office.outbox.drain().await.unwrap();
            let messages = office.world.messages(line.call);
            assert_eq!(messages.len(), sent, "{message}: {messages:?}");
            assert!(messages.iter().all(|it| it.body.expose().contains("42")));
        }
    }
}
