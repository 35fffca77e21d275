//! Words: what strangers write is never a verb, a header, a key or a record, and tells nobody apart.

use callgate::chance::{Chance as _, SeededChance};
use callgate::diagnostic::Problems;
use callgate::directory::accounts::{Accounts, Secrets};
use callgate::engine::event::Heard;
use callgate::engine::id::{CallId, Sid};
use callgate::engine::reply::{Audible, Reply, Speech, Verb, Words};
use callgate::secret::Secret;
use callgate::twiml;
use callgate::twiml::grammar::{self, Node};
use callgate::twiml::links::Links;

use super::office::{ACCOUNT, DESK, Office, account};
use crate::support::house::{House, LINE, PIN};
use crate::support::provider::{ACCOUNT_SID, Provider};
use crate::support::redis::RedisServer;
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
