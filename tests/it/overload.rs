//! A house that is full turns new calls away, and goes on with those it has.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use callgate::limits;
use futures_util::future::join_all;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::support::backend::{Backend, Manner};
use crate::support::crowd::{Crowd, account, pin_of, telephone};
use crate::support::eventually::{eventually, eventually_async};
use crate::support::house::{ACCOUNT, House, LINE};
use crate::support::process::Process;
use crate::support::provider::Provider;
use crate::support::redis::RedisServer;
use crate::support::telephone::Telephone;

const TURNS_MAX: usize = 6;
const CALLER: &str = "+15005550777";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_house_turns_new_calls_away_and_goes_on_with_those_it_has() {
    let redis = RedisServer::start();
    let provider = Provider::start();
    let mut house = House::set_up(&redis.url(), &provider.api_base());
    house.configure(&format!("turns_max = {TURNS_MAX}\n"));
    house.restart();
    let house = Arc::new(house);
    let mut phones: Vec<_> =
        (0..TURNS_MAX).map(|n| Telephone::new(&format!("CA{n}"), CALLER)).collect();
    for phone in &mut phones {
        phone.ring(&house).await;
        assert!(phone.hears("Gather"), "{:?}", phone.heard);
    }

    // The store stands still, and with it a turn of each call.
    redis.freeze();
    let waiting: Vec<_> = phones
        .into_iter()
        .map(|mut phone| {
            let house = house.clone();
            tokio::spawn(async move {
                phone.wait(&house).await;
                phone
            })
        })
        .collect();
    let full = format!("callgate_turns_in_progress {TURNS_MAX}");
    eventually_async("the house to be full", async || {
        house.metrics().await.lines().any(|line| line == full).then_some(())
    })
    .await;
    let mut new = Telephone::new("CA0000000000000000000000000000000new", CALLER);
    new.ring(&house).await;
    assert_eq!(new.heard.children.len(), 1, "{:?}", new.heard);
    assert_eq!(new.heard.children[0].name, "Reject");
    assert_eq!(new.heard.children[0].attribute("reason"), Some("busy"));
    redis.thaw();
    for phone in join_all(waiting).await {
        let phone = phone.unwrap();
        assert!(phone.hears("Gather"), "a call in progress goes on: {:?}", phone.heard);
    }
    eventually_async("the house to be empty again", async || {
        house.metrics().await.lines().any(|l| l == "callgate_turns_in_progress 0").then_some(())
    })
    .await;
    new.ring(&house).await;
    assert!(new.hears("Gather"), "who was turned away and rings again is taken: {:?}", new.heard);
}

/// Whoever rings once more is no new call: the provider did not hear how theirs begins.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_in_progress_that_rings_once_more_is_answered_by_a_full_house() {
    let provider = Provider::start();
    // Whoever names an account waits for it, and takes up the only place.
    let directory = Backend::start(|_| Manner::Stall);
    let mut house = House::set_up("memory:", &provider.api_base());
    house.configure("turns_max = 1\n");
    house.ask_directory(&directory.url(), "TEST_OPERATOR", "2500ms");
    house.restart();
    let house = Arc::new(house);
    let [mut waiting, mut other, mut new] =
        ["CA1", "CA2", "CA3"].map(|sid| Telephone::new(sid, CALLER));
    waiting.ring(&house).await;
    other.ring(&house).await;
    let present = other.wait(&house).await.clone();
    assert!(other.hears("Gather"), "{present:?}");
    let waited = {
        let house = house.clone();
        tokio::spawn(async move {
            waiting.key(&house, ACCOUNT).await;
        })
    };
    eventually_async("the directory to be asked", async || {
        (!directory.asked().is_empty()).then_some(())
    })
    .await;
    other.ring(&house).await;
    assert_eq!(other.heard, present);
    new.ring(&house).await;
    assert!(new.hears("Reject"), "the house is full: {:?}", new.heard);
    // Thousands do so in a minute: they are counted, and fill no disk with lines.
    let more = 2 * limits::REFUSALS_TOLD_A_MINUTE;
    for n in 0..more {
        let mut new = Telephone::new(&format!("CAnew{n}"), CALLER);
        new.ring(&house).await;
        assert!(new.hears("Reject"), "the house is full: {:?}", new.heard);
    }
    waited.await.unwrap();
    let away = "callgate_webhooks_total{route=\"Voice\",outcome=\"TurnedAway\"}";
    let metrics = house.metrics().await;
    assert!(metrics.contains(&format!("{away} {}\n", more + 1)), "{metrics}");
    let mut house = Arc::into_inner(house).unwrap();
    house.terminate();
    assert_eq!(house.wait(), Some(0));
    let left_out = more + 1 - limits::REFUSALS_TOLD_A_MINUTE;
    eventually("what was left out", || {
        let log = house.log();
        let line = log.lines().find(|line| line.contains("than lines tell of"))?;
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(line["fields"]["reason"], "TurnedAway");
        assert_eq!(line["fields"]["left_out"], left_out);
        Some(())
    });
    let told = house.log().matches("a new call was turned away").count() as u64;
    assert_eq!(told, limits::REFUSALS_TOLD_A_MINUTE);
}

/// What the server's process holds in memory (`VmRSS`), or the most that it ever held (`VmHWM`), in KiB.
fn memory_kib(house: &House, which: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", house.pid())).unwrap();
    let value = |line: &str| line.strip_prefix(which)?.strip_prefix(':').map(str::to_owned);
    let line = status.lines().find_map(value).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Of a file of accounts no more is in memory at a time than is kept of it, and some.
#[tokio::test]
async fn accounts_of_a_file_take_little_more_than_is_kept_of_them() {
    const ACCOUNTS: usize = 20_000;
    let mut house = House::set_up("memory:", "http://127.0.0.1:9");
    house.restart();
    let before = memory_kib(&house, "VmHWM");
    Crowd::settle_in(&house, ACCOUNTS);
    house.restart();
    let each = 1_024 * memory_kib(&house, "VmHWM").saturating_sub(before) / ACCOUNTS as u64;
    assert!(each < 3_000, "each took {each} bytes");
}

/// A PIN takes 19 MiB and a processor: of many at once some are hashed and the others wait, and the house goes
/// on meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_pins_at_once_wait_for_each_other_and_keep_nobody_else_waiting() {
    const CALLERS: usize = 150;
    let provider = Provider::start();
    let mut house = House::set_up("memory:", &provider.api_base());
    Crowd::settle_in(&house, CALLERS);
    house.restart();
    let house = Arc::new(house);
    let mut phones: Vec<_> =
        (0..CALLERS).map(|n| Telephone::new(&format!("CA{n}"), &telephone(n))).collect();
    for (n, phone) in phones.iter_mut().enumerate() {
        phone.ring(&house).await;
        phone.key(&house, &account(n)).await;
        assert!(phone.spoken().contains("PIN"), "{:?}", phone.heard);
    }

    let before = memory_kib(&house, "VmHWM");
    let begun = Instant::now();
    let keyed = phones.into_iter().enumerate().map(|(n, mut phone)| {
        let house = house.clone();
        tokio::spawn(async move {
            phone.key(&house, &pin_of(n)).await;
            phone.spoken()
        })
    });
    let keyed: Vec<_> = keyed.collect();
    // Whoever keys in no PIN, and whoever rings, waits behind none of them.
    let mut others = Vec::new();
    while !keyed.iter().all(JoinHandle::is_finished) {
        let asked = Instant::now();
        let mut phone = Telephone::new(&format!("CA{}", CALLERS + others.len()), CALLER);
        phone.ring(&house).await;
        assert!(phone.hears("Gather"), "a new call is taken: {:?}", phone.heard);
        phone.wait(&house).await;
        assert!(phone.hears("Gather"), "a call in progress goes on: {:?}", phone.heard);
        others.push(asked.elapsed());
    }
    let all = begun.elapsed();
    let (mut served, mut apologies) = (0, 0);
    for heard in join_all(keyed).await {
        match heard.unwrap() {
            words if words.contains("For your balance") => served += 1,
            words if words.contains("We are sorry") => apologies += 1,
            words => panic!("neither served nor told: {words}"),
        }
    }
    others.sort_unstable();
    println!("{served} served and {apologies} told in {all:?}, others within {others:?}");
    assert!(served > 0);
    // What else the machine does may hold up one of them.
    let late = others.iter().filter(|took| **took > all / 3).count();
    assert!(late * 10 <= others.len(), "of {all:?} others waited {others:?}");
    let grown = memory_kib(&house, "VmHWM") - before;
    assert!(grown < 128 * 1024, "{CALLERS} PINs took {grown} KiB at once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_say_nothing_and_bodies_without_end_cost_little_and_stop_nobody() {
    const FLOOD: usize = 400;
    let provider = Provider::start();
    let house = House::start("embedded:callgate.redb", &provider.api_base());
    let address = house.public().strip_prefix("http://").unwrap().to_owned();
    let mut phone = Telephone::new("CA1", CALLER);
    phone.ring(&house).await;
    let before = memory_kib(&house, "VmRSS");

    let head = "POST /twilio/voice HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n";
    let endless = "POST /twilio/voice HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    let chunk = [b"8000\r\n".to_vec(), vec![b'a'; 0x8000], b"\r\n".to_vec()].concat();
    let open = (0..FLOOD).map(async |n| {
        let mut stream = TcpStream::connect(&address).await.unwrap();
        match n % 4 {
            // Nothing, half a head, a body that does not come, a body that does not end.
            0 => {}
            1 => stream.write_all(b"POST /twilio/voice HT").await.unwrap(),
            2 => stream.write_all(format!("{head}CallSid=").as_bytes()).await.unwrap(),
            _ => {
                stream.write_all(endless.as_bytes()).await.unwrap();
                let write = async { while stream.write_all(&chunk).await.is_ok() {} };
                tokio::time::timeout(Duration::from_secs(30), write).await.expect("it is cut off");
            }
        }
        stream
    });
    let held = join_all(open).await;
    assert_eq!(held.len(), FLOOD);
    // A call in progress goes on, and a new one is taken.
    phone.wait(&house).await;
    assert!(phone.hears("Gather"), "{:?}", phone.heard);
    let mut new = Telephone::new("CA2", CALLER);
    new.ring(&house).await;
    assert!(new.hears("Gather"), "{:?}", new.heard);
    let grown = memory_kib(&house, "VmRSS").saturating_sub(before);
    assert!(grown < 64 * 1024, "{FLOOD} connections cost {grown} KiB");

    // The server ends them all by itself.
    for mut stream in held {
        let read =
            async { while stream.read(&mut [0; 4_096]).await.is_ok_and(|count| count > 0) {} };
        tokio::time::timeout(Duration::from_secs(30), read).await.expect("it is ended in time");
    }
    assert!(house.metrics().await.contains("webhooks_refused_total{reason=\"Slow\"}"));
}

/// The system keeps no more of those who come than it was told to; of who finds no room and then says nothing, it keeps
/// nothing, and the server never knows of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_who_come_while_the_server_stands_still_find_room() {
    const AT_ONCE: usize = 600;
    let house = House::start("memory:", "http://127.0.0.1:9");
    let address = house.public().strip_prefix("http://").unwrap().to_owned();
    let pid = house.pid().to_string();
    assert!(Command::new("kill").args(["-STOP", &pid]).status().unwrap().success());
    let connect = async || timeout(Duration::from_secs(10), TcpStream::connect(&address)).await;
    let held = join_all((0..AT_ONCE).map(|_| connect())).await;
    let found_room = held.iter().filter(|one| matches!(one, Ok(Ok(_)))).count();
    assert_eq!(found_room, AT_ONCE);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_may_send_them_elsewhere() {
    let redis = RedisServer::start();
    let provider = Provider::start();
    let mut house = House::set_up(&redis.url(), &provider.api_base());
    house.configure("turns_max = 1\n");
    house.change_configuration(
        "fallback_number = ",
        "overflow_number = \"+15005550008\", fallback_number = ",
    );
    house.restart();
    let house = Arc::new(house);
    let mut phone = Telephone::new("CA1", CALLER);
    phone.ring(&house).await;
    redis.freeze();
    let waiting = {
        let house = house.clone();
        tokio::spawn(async move { phone.wait(&house).await.clone() })
    };
    eventually_async("the house to be full", async || {
        let text = house.metrics().await;
        text.lines().any(|line| line == "callgate_turns_in_progress 1").then_some(())
    })
    .await;
    let mut new = Telephone::new("CA2", CALLER);
    new.ring(&house).await;
    let dial = &new.heard.children[0];
    assert_eq!(dial.name, "Dial", "{:?}", new.heard);
    let number = dial.children.first().map_or(&dial.text, |number| &number.text);
    assert_eq!(number, "+15005550008");
    assert_eq!(dial.attribute("callerId"), None, "the caller's own is shown");
    let mut withheld = Telephone::new("CA3", "anonymous");
    withheld.ring(&house).await;
    assert_eq!(withheld.heard.children[0].attribute("callerId"), Some(LINE));
    redis.thaw();
    waiting.await.unwrap();
}

/// Whoever takes the log may stall, as a collector does whose disk is full. Callers do not wait for it, and the
/// server ends when it is told to.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_nobody_takes_keeps_no_caller_waiting() {
    let provider = Provider::start();
    let mut house = House::set_up("memory:", &provider.api_base());
    let mut server = house.command();
    server.args(["serve", "--config", "callgate.toml", "--log", "info"]);
    let server = server.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut server = Process(server);
    // From then on nobody reads on.
    let mut log = BufReader::new(server.0.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("callgate answers") {
        line.clear();
        assert_ne!(log.read_line(&mut line).unwrap(), 0, "the server ended");
    }
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    house.stand_behind(format!("http://{}", line["fields"]["public"].as_str().unwrap()));

    // A line a turn: a pipe has room for some two hundred.
    let rung = async || {
        for sid in 0..1_500 {
            let mut phone = Telephone::new(&format!("CA{sid:032x}"), CALLER);
            phone.ring(&house).await;
            assert!(phone.hears("Gather"), "{:?}", phone.heard);
        }
    };
    // Whoever waited for the log would wait without end.
    timeout(Duration::from_mins(3), rung()).await.expect("every caller is answered");
    let pid = server.0.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    let ended = eventually("the server to end", || server.0.try_wait().unwrap());
    assert_eq!(ended.code(), Some(0));
}

/// The disk of the log may be full: callers are served, and when there is room again, the log says what it lacks. Nobody
/// has said how much is logged: it is what becomes of each turn, and not how.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_whose_disk_was_full_says_how_much_was_lost() {
    const ROOM: u64 = 16 * 512;
    let provider = Provider::start();
    let mut house = House::set_up("memory:", &provider.api_base());
    let full = "trap '' XFSZ; ulimit -f 16; exec \"$@\"";
    house.under = ["sh", "-c", full, "sh"].map(str::to_owned).to_vec();
    let path = house.folder.path().join("log");
    let log = File::options().append(true).create(true).open(&path).unwrap();
    let mut server = house.command();
    server.env_remove("CALLGATE_LOG").args(["serve", "--config", "callgate.toml"]);
    let server = server.stdout(Stdio::null()).stderr(log.try_clone().unwrap()).spawn().unwrap();
    let _server = Process(server);
    let read = || std::fs::read_to_string(&path).unwrap();
    let public = eventually("the server answers", || {
        let line = read().lines().find(|line| line.contains("callgate answers"))?.to_owned();
        let line: serde_json::Value = serde_json::from_str(&line).ok()?;
        line["fields"]["public"].as_str().map(str::to_owned)
    });
    house.stand_behind(format!("http://{public}"));
    let mut sid = 0;
    eventually_async("the log to say that it lacks lines", async || {
        sid += 1;
        let mut phone = Telephone::new(&format!("CA{sid:032x}"), CALLER);
        phone.ring(&house).await;
        assert!(phone.hears("Gather"), "{:?}", phone.heard);
        let text = read();
        assert!(!text.contains("\"level\":\"DEBUG\""), "{text}");
        if log.metadata().unwrap().len() == ROOM {
            assert!(text.contains("a turn was committed"), "{text}");
            log.set_len(0).unwrap();
        }
        text.contains("lines of the log were lost").then_some(())
    })
    .await;
}
