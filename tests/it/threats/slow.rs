//! Clients that send slowly, or without end: they hold little, and keep nobody else waiting.

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::{Duration, Instant};

use callgate::limits;
use futures_util::future::join_all;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::support::eventually::eventually_async;
use crate::support::house::{House, client};
use crate::support::provider::Provider;
use crate::support::redis::RedisServer;
use crate::support::telephone::Telephone;

/// Slow clients in all.
const CLIENTS: usize = 10_000;
/// As many of them at once as a server on one processor takes, with room for those who are served.
const AT_ONCE: usize = 3_000;
/// Answers of callers meanwhile, at least: enough to speak of the slowest hundredth.
const SERVED: usize = 100;
/// What each may cost at most, in bytes: less than a body that was made room for before it came.
const BYTES_EACH: usize = 48 * 1024;

/// What is taken of one who sends without end, at most, in bytes: what the system holds of it is less.
const TAKEN_MAX: usize = 64 * 1024 * 1024;

/// The longest that a request may take to come in.
const LONGEST: Duration = {
    let (head, body) = (limits::REQUEST_HEAD_TIMEOUT, limits::REQUEST_BODY_TIMEOUT);
    if head.as_millis() > body.as_millis() { head } else { body }
};

/// The memory that the server holds, in bytes.
fn resident(house: &House) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", house.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
}

/// How many connections a test may have open at once, once its limit is raised as far as it may be.
fn at_once() -> usize {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).unwrap();
    let may = usize::try_from(maximum.or(current).unwrap_or(u64::MAX)).unwrap();
    AT_ONCE.min(may / 2)
}

/// Begins a request, and says no more.
async fn begin(house: &House, request: &str) -> TcpStream {
    let address = house.public().replace("http://", "");
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

/// What comes back until the connection is closed, or has long had to be.
async fn end(mut stream: TcpStream) -> String {
    let mut answer = Vec::new();
    // A connection that is reset has ended too.
    let _ = timeout(4 * LONGEST, stream.read_to_end(&mut answer)).await;
    String::from_utf8(answer).unwrap()
}

fn head(length: &str) -> String {
    format!(
        "POST /twilio/voice HTTP/1.1\r\nHost: x\r\nX-Twilio-Signature: x\r\n\
         Content-Type: application/x-www-form-urlencoded\r\n{length}\r\n\r\n"
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t10_slow_and_endless_requests_hold_little_and_keep_nobody_waiting() {
    let provider = Provider::start();
    let house = House::start("memory:", &provider.api_base());
    let mut phone = Telephone::new("CA10", "");
    phone.ring(&house).await;
    let before = resident(&house);

    let whole = head(&format!("Content-Length: {}", limits::BODY_BYTES_MAX));
    let slow_body = format!("{whole}CallSid=CA1");
    let slow_head = "POST /twilio/voice HTTP/1.1\r\nHost: x\r\nX-Twilio";
    let slots = Arc::new(Semaphore::new(at_once()));
    let address = house.public().replace("http://", "");
    let clients = (0..CLIENTS).map(|n| {
        let request = if n % 2 == 0 { slow_body.clone() } else { slow_head.to_owned() };
        let (slots, address) = (slots.clone(), address.clone());
        tokio::spawn(async move {
            let _slot = slots.acquire().await.unwrap();
            let begun = Instant::now();
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(request.as_bytes()).await.unwrap();
            (end(stream).await, begun.elapsed())
        })
    });
    let clients = tokio::spawn(join_all(clients.collect::<Vec<_>>()));
    // Meanwhile callers are served, and in time.
    let (mut took, mut grown) = (Vec::new(), 0);
    while !clients.is_finished() {
        let asked = Instant::now();
        Telephone::new(&format!("CA10{}", took.len()), "").ring(&house).await;
        took.push(asked.elapsed());
        grown = grown.max(resident(&house).saturating_sub(before));
    }
    took.sort_unstable();
    assert!(took.len() >= SERVED, "{}", took.len());
    let p99 = took[took.len() * 99 / 100];
    assert!(p99 < limits::TURN_DEADLINE / 2, "{p99:?}");
    assert!(grown < AT_ONCE * BYTES_EACH, "{grown} bytes");
    // None of them stays for longer than a provider would take.
    for ended in clients.await.unwrap() {
        let (answer, took) = ended.unwrap();
        assert!(!answer.contains(" 200 ") && took < 4 * LONGEST, "{took:?}: {answer}");
    }
    let slow = format!("callgate_webhooks_refused_total{{reason=\"Slow\"}} {}", CLIENTS / 2);
    eventually_async("the slow bodies to be counted", async || {
        house.metrics().await.contains(&slow).then_some(())
    })
    .await;

    // One that says that it is large is not read; one that does not say so is read up to there.
    let large = begin(&house, &head("Content-Length: 1000000000")).await;
    assert!(end(large).await.starts_with("HTTP/1.1 413"));
    let mut endless = begin(&house, &head("Transfer-Encoding: chunked")).await;
    let chunk = format!("4000\r\n{}\r\n", "a".repeat(0x4000));
    let mut sent = 0;
    while endless.write_all(chunk.as_bytes()).await.is_ok() {
        sent += chunk.len();
        assert!(sent < TAKEN_MAX, "it is heard on and on");
    }
    drop(endless);
    let size = "callgate_webhooks_refused_total{reason=\"Size\"} 2";
    eventually_async("both large ones to be refused", async || {
        house.metrics().await.contains(size).then_some(())
    })
    .await;
    phone.wait(&house).await;
    assert!(phone.hears("Gather"), "the call goes on: {:?}", phone.heard);
}

/// Requests one after the other, of which nobody takes the answers: those who send them are not heard any further,
/// hold little, and are let go.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t10_who_takes_no_answers_is_heard_no_further_and_let_go() {
    const CLIENTS: usize = 6;
    const SECOND: Duration = Duration::from_secs(1);
    const GROWN_MAX: usize = 32 * 1024 * 1024;
    let provider = Provider::start();
    let house = House::start("memory:", &provider.api_base());
    let before = resident(&house);
    // One is answered without a body, the other with one.
    let requests = [head("Content-Length: 0"), "GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_owned()];
    let requests = requests.map(|request| request.repeat(64 * 1024 / request.len()));
    let address = house.public().replace("http://", "").parse().unwrap();
    let mut deaf = Vec::new();
    for n in 0..CLIENTS {
        // Its own system holds little for it, so that it is soon seen to take nothing.
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4 * 1024).unwrap();
        let mut stream = socket.connect(address).await.unwrap();
        let request = &requests[n % requests.len()];
        let mut sent = 0;
        // For as long as it is taken.
        let mut write = async || timeout(SECOND, stream.write_all(request.as_bytes())).await;
        while sent < TAKEN_MAX && matches!(write().await, Ok(Ok(()))) {
            sent += request.len();
        }
        assert!(sent < TAKEN_MAX, "{n}: it is heard on and on");
        deaf.push(stream);
    }
    let grown = resident(&house).saturating_sub(before);
    assert!(grown < GROWN_MAX, "{grown} bytes");
    let mut phone = Telephone::new("CA10", "");
    phone.ring(&house).await;
    assert!(phone.hears("Gather"), "{:?}", phone.heard);
    eventually_async("all of them to be let go", async || {
        let gone = |stream: &TcpStream| {
            stream.try_write(b"x").is_err_and(|error| error.kind() != ErrorKind::WouldBlock)
        };
        deaf.iter().all(gone).then_some(())
    })
    .await;
}

/// Whoever has had an answer is waited for no longer than anybody: a second request that never comes to an end would
/// hold its connection for good otherwise, a byte at a time or none.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t10_a_later_request_that_does_not_end_is_let_go_too() {
    let provider = Provider::start();
    let house = House::start("memory:", &provider.api_base());
    let answered = async |request: &str| {
        let mut stream = begin(&house, request).await;
        let read = stream.read(&mut [0; 4_096]).await.unwrap();
        assert_ne!(read, 0, "it is answered");
        stream
    };
    let first = head("Content-Length: 0");
    let mut silent = answered(&first).await;
    silent.write_all(b"POST /twilio/voice HTTP/1.1\r\nHo").await.unwrap();
    let mut slow = answered(&first).await;
    slow.write_all(b"POST /twilio/voice HTTP/1.1\r\nX: ").await.unwrap();
    let held = timeout(2 * limits::UNANSWERED_FOR, async {
        while slow.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        end(silent).await
    });
    held.await.expect("both are let go");
}

/// More connections than there are files for: those of the webhooks have their part of them and no more, so that the
/// store and the admin listener go on, and callers do once it is over.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t10_a_flood_of_connections_leaves_the_store_and_the_admin_listener_theirs() {
    const FILES: usize = 900;
    const FLOOD: usize = 1_000;
    let (redis, provider) = (RedisServer::start(), Provider::start());
    let mut house = House::set_up(&redis.url(), &provider.api_base());
    let limited = format!("ulimit -Sn {FILES} && ulimit -Hn {FILES} && exec \"$0\" \"$@\"");
    house.under = ["sh".to_owned(), "-c".to_owned(), limited].into();
    house.restart();
    let open = || std::fs::read_dir(format!("/proc/{}/fd", house.pid())).unwrap().count();
    let room = FILES - usize::try_from(limits::OPEN_BESIDE).unwrap();
    let (before, most) = (open(), at_once());
    assert!(most > FLOOD, "a test may open {most}");
    let mut flood = Vec::new();
    for _ in 0..FLOOD {
        flood.push(begin(&house, "POST /twilio/voice HTTP/1.1\r\nHost: x\r\nX-Twilio").await);
    }
    eventually_async("the webhooks' part to be full", async || {
        (open() >= before + room * 9 / 10).then_some(())
    })
    .await;
    // It asks the store for something, for which it needs a new connection each time.
    for _ in 0..5 {
        let mut connection = RedisServer::connection(&redis.url());
        redis::cmd("CLIENT")
            .arg(&["KILL", "TYPE", "normal", "SKIPME", "yes"])
            .exec(&mut connection)
            .unwrap();
        let ready = client().get(format!("{}/health/ready", house.admin())).send().await.unwrap();
        assert_eq!(ready.status().as_u16(), 200);
        // Half of what is kept for others is still to be had.
        let left = usize::try_from(limits::OPEN_BESIDE).unwrap() / 2;
        assert!(open() < FILES - left, "{} files", open());
    }
    assert!(house.metrics().await.contains("callgate_store_questions"));
    let log = house.log();
    assert!(!log.contains("Too many open files"), "{log}");
    drop(flood);
    let mut phone = Telephone::new("CA10", "");
    phone.ring(&house).await;
    assert!(phone.hears("Gather"), "{:?}", phone.heard);
}
