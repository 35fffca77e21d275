//! Secrets: what is logged, counted, answered, sent and stored shows none of them.

use std::collections::HashSet;
use std::io::{self, Write};
use std::os::unix::process::ExitStatusExt as _;
use std::sync::{Arc, Mutex};

use callgate::engine::event::Heard;
use callgate::secret::Secret;
use callgate::twiml;
use callgate::twiml::grammar::Node;
use callgate::twiml::links::Links;
use sha2::{Digest as _, Sha256};

use super::office::{self, DESK, Office, account};
use crate::support::house::{ACCOUNT, House, MOBILE, PIN};
use crate::support::process::Ran as _;
use crate::support::provider::{Answer, Provider};
use crate::support::redis::RedisServer;
use crate::support::telephone::{Telephone, digits};

const CALLER: &str = "+15005557913";
const CALLS: usize = 40;

/// Everything that Redis holds.
pub(super) fn dump(redis: &RedisServer) -> Vec<Vec<u8>> {
    let client = redis::Client::open(redis.url()).unwrap();
    let mut connection = client.get_connection().unwrap();
    let keys: Vec<Vec<u8>> = redis::cmd("KEYS").arg("*").query(&mut connection).unwrap();
    let mut values = keys.clone();
    for key in &keys {
        let kind: String = redis::cmd("TYPE").arg(key).query(&mut connection).unwrap();
        let mut ask = |command: &str, more: &[&str]| {
            let mut asked = redis::cmd(command);
            asked.arg(key).arg(more);
            let parts: Vec<Vec<u8>> = asked.query(&mut connection).unwrap();
            values.extend(parts);
        };
        match kind.as_str() {
            "hash" => ask("HGETALL", &[]),
            "list" => ask("LRANGE", &["0", "-1"]),
            "zset" => ask("ZRANGE", &["0", "-1"]),
            "set" => ask("SMEMBERS", &[]),
            "string" => {
                let value: Vec<u8> = redis::cmd("GET").arg(key).query(&mut connection).unwrap();
                values.push(value);
            }
            // It ran out since it was listed.
            "none" => {}
            other => panic!("a {other}"),
        }
    }
    values
}

/// The code of the message that came after so many requests. A notice to the owner may come between.
fn code_sent(provider: &Provider, before: usize) -> String {
    for count in before + 1.. {
        let asked = provider.wait_for(count);
        let code = digits(asked[count - 1].field("Body").unwrap_or_default());
        if !code.is_empty() {
            return code;
        }
    }
    unreachable!("there is no last number")
}

/// Calls with a wrong PIN, the right one, and the code of a message, of which two fail; what they heard is added up.
async fn calls(house: &House, provider: &Provider) -> (Vec<String>, String) {
    let (mut secrets, mut heard) = (vec![PIN.to_owned()], String::new());
    let mut failures = vec![Answer::Error { status: 400, code: Some(21614) }, Answer::Drop];
    for n in 0..CALLS {
        let mut phone = Telephone::new(&format!("CA{n:032}"), CALLER);
        phone.ring(house).await;
        phone.key(house, ACCOUNT).await;
        let wrong = format!("5{n:02}731");
        secrets.push(wrong.clone());
        phone.key(house, &wrong).await;
        heard.push_str(&format!("{:?}", phone.heard));
        let sent = provider.requests().len();
        phone.key(house, PIN).await;
        if phone.spoken().starts_with("For your balance") {
            // Of what could not be done more is said than of what was.
            if let Some(answer) = failures.pop() {
                provider.next_message(answer);
            }
            phone.key(house, "1").await;
            heard.push_str(&format!("{:?}", phone.heard));
            if phone.spoken().starts_with("Key in the six digits") {
                let code = code_sent(provider, sent);
                phone.key(house, &code).await;
                secrets.push(code);
            }
        }
        heard.push_str(&format!("{:?}", phone.heard));
    }
    (secrets, heard)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t46_no_secret_is_in_what_is_logged_counted_answered_or_stored() {
    let (redis, provider) = (RedisServer::start(), Provider::start());
    let house = House::start(&redis.url(), &provider.api_base());
    let (mut secrets, heard) = calls(&house, &provider).await;
    assert!(secrets.len() > CALLS + 3, "messages were sent: {}", secrets.len());
    let metrics = house.metrics().await;
    let asked = provider.requests();
    let urls: Vec<_> =
        asked.iter().map(|asked| format!("{} {:?}", asked.path, asked.query)).collect();
    let urls = urls.join(
        "
",
    );
    for secret in &secrets {
        for (what, text) in [("answers", &heard), ("metrics", &metrics), ("addresses", &urls)] {
            assert!(!text.contains(secret.as_str()), "{what} hold {secret}");
        }
    }
    secrets.extend([ACCOUNT, MOBILE, &MOBILE[1..], CALLER, &CALLER[1..]].map(String::from));
    let log = house.log();
    let stored = dump(&redis);
    for secret in &secrets {
        if let Some(line) = log.lines().find(|line| line.contains(secret.as_str())) {
            // A time or a random name may have the same digits in it by chance: not in a row of six
            // between marks of its own.
            let whole = line.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| word == secret);
            assert!(!whole, "{secret} was logged: {line}");
        }
        for value in &stored {
            let found = value.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(
                !found || secret.len() == 6 && is_by_chance(value, secret),
                "{secret} is stored"
            );
        }
    }
}

/// What is logged on this thread, every last word of it.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn take(&self) -> String {
        String::from_utf8(std::mem::take(&mut *self.0.lock().unwrap())).unwrap()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Ten thousand calls, each with a secret of its own that nothing else has in it, keyed in or spoken where a PIN
/// is asked for: what is kept of each, what is logged and what is answered shows none of them.
#[tokio::test]
async fn t46_ten_thousand_secrets_leave_no_trace_in_calls_journals_logs_and_answers() {
    const CALLS: usize = 10_000;
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE);
    let subscriber = subscriber.json().with_writer(move || writer.clone()).finish();
    let _logged = tracing::subscriber::set_default(subscriber);
    let mut lines = 0;
    let spoken = DESK.replace(
        "digits = 6\non = { ok = \"menu\"",
        "digits = 6\nspeech = true\non = { ok = \"menu\"",
    );
    assert_ne!(spoken, DESK);
    let office = Office::fresh(&spoken, &account(office::ACCOUNT, "2024-01-01"));
    let links = Links::new("https://ivr.example.com");
    for n in 0..CALLS {
        // Nine digits are no PIN: none is looked at, which would take too long for so many.
        let canary = format!("9{n:05}4{:02}", n % 97);
        let mut line = office.ring_from(&format!("CA{n}"), None).await;
        line.key(office::ACCOUNT).await;
        if n.is_multiple_of(2) {
            line.key(&canary).await;
        } else {
            let speech = Secret::new(format!("it is {canary} I think"));
            line.tell(line.next(), Heard { speech, ..Heard::default() }).await;
        }
        let kept = office.exchange.load(line.call).await.unwrap().unwrap().call;
        let journal = office.exchange.journal(line.call).await.unwrap();
        let answer = twiml::render(&line.reply, &links, line.call);
        let logged = log.take();
        lines += logged.lines().count();
        for told in [
            logged,
            serde_json::to_string(&kept).unwrap(),
            serde_json::to_string(&journal).unwrap(),
            format!("{kept:?} {journal:?} {:?}", line.reply),
            answer,
        ] {
            assert!(!told.contains(&canary), "{canary}: {told}");
        }
    }
    assert!(lines > CALLS, "each call was logged: {lines}");
}

/// In memory is what was keyed in last. However the server dies, the system writes no file of it, though it would of
/// others: there is no core dump to look for secrets in.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t46_a_server_that_dies_leaves_no_core_dump() {
    let mut house = House::set_up("embedded:callgate.redb", "http://127.0.0.1:9");
    let unlimited = "ulimit -Sc $(ulimit -Hc) && exec \"$0\" \"$@\"";
    house.under = ["sh", "-c", unlimited].map(String::from).into();
    house.restart();
    let mut phone = Telephone::new("CA00000000000000000000000000000046", CALLER);
    phone.ring(&house).await;
    phone.key(&house, ACCOUNT).await;
    phone.key(&house, PIN).await;
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", house.pid())).unwrap();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max core file size")).unwrap();
    let most: Vec<_> = line.split_whitespace().take(2).map(str::parse::<u64>).collect();
    assert!(most.iter().all(|most| most.as_ref().is_ok_and(|most| *most <= 1)), "{line}");
    let ended = house.abort();
    assert_eq!((ended.signal(), ended.core_dumped()), (Some(6), false));
    let left = std::fs::read_dir(house.folder.path()).unwrap();
    let left = left.map(|file| file.unwrap().file_name().into_string().unwrap());
    assert_eq!(left.filter(|name| name.starts_with("core")).collect::<Vec<_>>(), [""; 0]);
}

const PANICS: &str = "CALLGATE_TEST_PANICS";

/// Not a test: what another process does, when this binary is started as one.
#[test]
fn as_a_process_that_panics() {
    if std::env::var_os(PANICS).is_some() {
        callgate::telemetry::tell_where();
        let given = String::from("é739168");
        // As a library does that is given what a caller keyed in.
        let panicked = std::thread::spawn(move || given.get(1..).expect(&given).len()).join();
        assert!(panicked.is_err());
    }
}

/// The text of a panic may quote what was keyed in: it is told where it was, and no more.
#[test]
fn t46_a_panic_tells_no_secret() {
    let panicked = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "threats::secrets::as_a_process_that_panics", "--nocapture"])
        .env(PANICS, "1")
        .ran();
    let told = String::from_utf8([panicked.stdout, panicked.stderr].concat()).unwrap();
    assert!(panicked.status.success(), "{told}");
    assert!(told.contains("error: panicked at tests/it/threats/secrets.rs:"), "{told}");
    assert!(!told.contains("739168"), "{told}");
}

/// Six digits in a row may stand in a time or in what is sealed.
fn is_by_chance(value: &[u8], secret: &str) -> bool {
    let text = String::from_utf8_lossy(value);
    !text.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| word == secret)
}

/// Whoever has the store and not the key tries every code and PIN there is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t47_what_is_stored_cannot_be_guessed_without_the_key() {
    let (redis, provider) = (RedisServer::start(), Provider::start());
    let house = House::start(&redis.url(), &provider.api_base());
    let mut phone = Telephone::new("CA00000000000000000000000000000047", CALLER);
    phone.ring(&house).await;
    phone.key(&house, ACCOUNT).await;
    phone.key(&house, PIN).await;
    phone.key(&house, "1").await;
    let code = digits(provider.wait_for(1)[0].field("Body").unwrap());
    assert!(phone.spoken().starts_with("Key in the six digits"), "its code waits in the store");
    // Every run of 32 bytes in it, as it is and from hexadecimal.
    let mut held = HashSet::new();
    for value in dump(&redis) {
        held.extend(value.windows(32).map(<[u8]>::to_vec));
        let text = String::from_utf8_lossy(&value).into_owned();
        for word in text.split(|c: char| !c.is_ascii_hexdigit()).filter(|word| word.len() == 64) {
            let bytes =
                (0..32).map(|at| u8::from_str_radix(&word[2 * at..2 * at + 2], 16).unwrap());
            held.insert(bytes.collect());
        }
    }
    assert!(held.len() > 1_000);
    for guess in 0..1_000_000 {
        let guess = format!("{guess:06}");
        let plain = Sha256::digest(guess.as_bytes());
        assert!(!held.contains(plain.as_slice()), "{guess}");
    }
    for with in
        [format!("{ACCOUNT}{code}"), format!("{ACCOUNT}:{code}"), format!("{code}{ACCOUNT}")]
    {
        assert!(!held.contains(Sha256::digest(with.as_bytes()).as_slice()), "{with}");
    }
}

fn records(node: &Node) -> bool {
    let asked = node.attribute("record").is_some_and(|how| how != "do-not-record");
    node.name == "Record" || asked || node.children.iter().any(records)
}

/// callgate records nothing while a secret is keyed in, and never begins to.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t48_nothing_is_recorded_around_a_secret() {
    let provider = Provider::start();
    let house = House::start("embedded:callgate.redb", &provider.api_base());
    let mut phone = Telephone::new("CA00000000000000000000000000000048", CALLER);
    phone.ring(&house).await;
    for entry in [ACCOUNT, PIN, "1", "000000", "000001", "000002"] {
        assert!(!records(&phone.heard));
        if phone.hears("Gather") {
            phone.key(&house, entry).await;
        }
    }
    for request in provider.requests() {
        assert!(request.field("Record").is_none(), "{}", request.path);
    }
}
