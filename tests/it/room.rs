//! Who takes up all the room there is: connections, and bodies that never end.

use std::process::Command;

use callgate::limits;
use futures_util::future::join_all;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::support::house::{House, OPERATOR, program};
use crate::support::process::Ran as _;

/// A server that may open so many files: `-S` of a soft limit, `-H` of a hard one.
fn limited(store: &str, limits: &str) -> House {
    let mut house = House::set_up(store, "http://127.0.0.1:9");
    let set = format!("{limits} && exec \"$0\" \"$@\"");
    house.under = ["sh".to_owned(), "-c".to_owned(), set].into();
    house.restart();
    house
}

/// The limits of its open files in force, the soft one and the hard one.
fn open_files(house: &House) -> Vec<u64> {
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", house.pid())).unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    line.split_whitespace().filter_map(|word| word.parse().ok()).collect()
}

const FEW: &str = "few files may be open";

#[test]
fn the_limit_of_open_files_is_raised_as_far_as_it_may_be() {
    let house = limited("memory:", "ulimit -Sn 64 && ulimit -Hn 4000");
    assert_eq!(open_files(&house), [4_000, 4_000]);
    // It is too low all the same, and somebody must know.
    house.logs(FEW);
    let workers = std::thread::available_parallelism().unwrap().get() as u64;
    let all = limits::OPEN_BESIDE + workers * limits::CONNECTIONS_MAX as u64;
    // Where a test may not open so many itself, there is nothing more to see.
    let own = std::fs::read_to_string("/proc/self/limits").unwrap();
    let own = own.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let may = own.split_whitespace().filter_map(|word| word.parse::<u64>().ok()).max().unwrap();
    let house = limited("memory:", "ulimit -Sn 64");
    assert_eq!(open_files(&house), [may, may]);
    assert_eq!(house.log().contains(FEW), may < all);
}

/// A worker that cannot begin would be waited for without end.
#[test]
fn too_few_open_files_to_begin_with_are_told() {
    let mut house = House::set_up("memory:", "http://127.0.0.1:9");
    let set = "ulimit -n 24 && exec timeout 20 \"$0\" \"$@\"";
    house.under = ["sh", "-c", set].map(str::to_owned).into();
    let output = house.command().args(["serve", "--config", "callgate.toml"]).ran();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{told}");
    assert!(told.contains("cannot begin: 24 files may be open, and "), "{told}");
}

/// A runtime that lacks a thread panics, or waits for it without end.
#[test]
fn too_few_threads_to_begin_with_are_told() {
    const SOMEBODY: [&str; 6] = ["setpriv", "--reuid", "4242", "--regid", "4242", "--clear-groups"];
    // Whoever may do everything is not limited: somebody else is, where they may run the program at all.
    let is_root = rustix::process::getuid().is_root();
    let run = |limit: &[&str], argument: &str| {
        let words = [&["timeout", "20"][..], if is_root { &SOMEBODY } else { &[] }, limit].concat();
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).arg(program()).arg(argument).current_dir("/").ran()
    };
    if !run(&[], "--version").status.success() {
        return;
    }
    for limit in ["--nproc=1", "--nproc=3", "--nproc=8", "--nproc=12"] {
        let output = run(&["prlimit", limit], "serve");
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(3), "{limit}: {told}");
        let says = "threads are needed, and the system does not give them";
        assert!(told.contains(says) && told.ends_with("nothing is served\n"), "{limit}: {told}");
    }
}

/// Sends what it has to an address, and says what comes back until the end.
async fn sent(address: &str, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // It may be refused before it is sent whole.
    let _ = stream.write_all(request.as_bytes()).await;
    let mut answer = Vec::new();
    // A connection that is reset has ended too.
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8(answer).unwrap()
}

/// Nothing is read of whom no token lets in, and of nobody without end; two tokens are none.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_admin_listener_waits_for_no_body_without_end() {
    let house = House::start("memory:", "http://127.0.0.1:9");
    let address = house.admin().replace("http://", "");
    let begun = |token: &str, more: &str| {
        format!(
            "POST /api/unlock HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\n{more}\r\n\r\n{{"
        )
    };
    let ours = format!("Bearer {OPERATOR}");
    let lower = format!("bearer {OPERATOR}");
    for (token, more, status) in [
        ("Bearer x", "Content-Length: 100", 401),
        ("Bearer x", "Content-Length: 1000000000", 401),
        (&ours, "Content-Length: 100", 408),
        (&lower, "Content-Length: 100", 408),
        (&ours, "Content-Length: 1000000000", 413),
        (&ours, "Authorization: Bearer x\r\nContent-Length: 1", 401),
        ("Bearer x", &format!("Authorization: {ours}\r\nContent-Length: 1"), 401),
    ] {
        let answer = sent(&address, &begun(token, more)).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{more}: {answer}");
    }
}

/// Whoever begins a request and does not end it, or says nothing, is not waited for, by operators' listener either.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_listener_waits_for_a_head_without_end() {
    let house = House::start("memory:", "http://127.0.0.1:9");
    let half = "GET /health/live HTTP/1.1\r\nHost: x\r\nX-";
    let addresses = [house.public(), house.admin()].map(|url| url.replace("http://", ""));
    let began = addresses.iter().flat_map(|address| ["", half].map(|head| (address, head)));
    join_all(began.map(async |(address, head)| {
        let ended = timeout(4 * limits::REQUEST_HEAD_TIMEOUT, sent(address, head)).await;
        let answer = ended.unwrap_or_else(|_| panic!("`{head}` is still waited for"));
        assert!(!answer.contains(" 200 "), "{answer}");
    }))
    .await;
}

/// What is no HTTP is refused, and is no error of ours that somebody is woken for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_http_makes_no_error_of_ours() {
    let house = House::start("memory:", "http://127.0.0.1:9");
    let head = "POST /twilio/voice HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n";
    for address in [house.public(), house.admin()].map(|url| url.replace("http://", "")) {
        for request in [
            "\u{16}\u{3}\u{1}\r\n\r\n".to_owned(),
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(),
            format!("{head}Transfer-Encoding: chunked\r\n\r\nabc"),
            format!("{head}Content-Length: 4\r\n\r\nabcd"),
            format!("{head}Transfer-Encoding : chunked\r\n\r\nabc"),
            format!("{head}X: a\r\n b\r\n\r\nabc"),
            head.replace('3', "-3") + "\r\n",
            head.replace("h: 3", "h: +3") + "\r\nabc",
            format!("{head}X: {}\r\n\r\nabc", "a".repeat(200_000)),
        ] {
            let answer = sent(&address, &request).await;
            let refused = answer.is_empty() || answer.contains(" 400 ") || answer.contains(" 431 ");
            assert!(refused, "{}: {answer}", &request[..request.len().min(80)]);
            assert!(!answer.contains(" 200 "), "{answer}");
        }
    }
    let log = house.log();
    assert!(!log.contains("\"ERROR\""), "{log}");
}
