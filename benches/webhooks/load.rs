//! The load: whole calls over connections that stay open, as fast as they are answered or at a rate.

use std::cell::Cell;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio::sync::mpsc;

use super::call::{Call, Heard, Script};

/// A server that takes this long is broken.
const ANSWER_MAX: Duration = Duration::from_secs(20);
const HEADERS_MAX: usize = 24;

/// What one slice of load found.
#[derive(Clone, Debug, Default)]
pub(crate) struct Slice {
    /// Answers that were right.
    pub(crate) answers: u64,
    /// Answers that were not, and requests without one.
    pub(crate) wrong: u64,
    /// Calls that came to their end.
    pub(crate) calls: u64,
    pub(crate) seconds: f64,
    /// Of each answer, in microseconds.
    pub(crate) latencies_us: Vec<u32>,
}

impl Slice {
    pub(crate) fn rate(&self) -> f64 {
        self.answers as f64 / self.seconds
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.answers += other.answers;
        self.wrong += other.wrong;
        self.calls += other.calls;
        self.seconds += other.seconds;
        self.latencies_us.extend(other.latencies_us);
    }

    /// The latency below which this share of the answers came, in milliseconds.
    pub(crate) fn percentile_ms(&self, share: f64) -> f64 {
        let mut sorted = self.latencies_us.clone();
        sorted.sort_unstable();
        let at = ((sorted.len() as f64 * share).ceil() as usize).saturating_sub(1);
        sorted.get(at).map_or(f64::NAN, |us| f64::from(*us) / 1_000.0)
    }
}

/// A connection with the call that goes on over it.
struct Line {
    stream: Option<TcpStream>,
    call: Call,
    out: Vec<u8>,
    held: Vec<u8>,
}

/// Callers of one server.
pub(crate) struct Callers {
    to: SocketAddr,
    script: Script,
    run: u64,
    calls_begun: Cell<u64>,
    lines: Vec<Mutex<Line>>,
}

impl Callers {
    /// `run` tells the calls of one from those of another.
    pub(crate) fn new(to: SocketAddr, script: Script, run: u64, connections: usize) -> Self {
        let line = |_| {
            let call = Call::new(script, run, u64::MAX);
            Mutex::new(Line { stream: None, call, out: Vec::new(), held: Vec::new() })
        };
        let mut callers = Self {
            to,
            script,
            run,
            calls_begun: Cell::new(0),
            lines: (0..connections).map(line).collect(),
        };
        for at in 0..connections {
            let call = callers.next_call();
            callers.lines[at].get_mut().call = call;
        }
        callers
    }

    fn next_call(&self) -> Call {
        let n = self.calls_begun.get();
        self.calls_begun.set(n + 1);
        Call::new(self.script, self.run, n)
    }

    /// Every connection asks again as soon as it is answered.
    pub(crate) async fn as_fast_as_answered(&self, for_: Duration) -> Slice {
        let begun = Instant::now();
        let mut slice = self
            .all(async |line, slice| {
                while begun.elapsed() < for_ {
                    self.webhook(line, slice, Instant::now()).await;
                }
            })
            .await;
        slice.seconds = begun.elapsed().as_secs_f64();
        slice
    }

    /// So many webhooks over all connections, and no more.
    pub(crate) async fn so_many(&self, webhooks: u64) -> Slice {
        let left = Cell::new(webhooks);
        let begun = Instant::now();
        let mut slice = self
            .all(async |line, slice| {
                while left.get() > 0 {
                    left.set(left.get() - 1);
                    self.webhook(line, slice, Instant::now()).await;
                }
            })
            .await;
        slice.seconds = begun.elapsed().as_secs_f64();
        slice
    }

    /// Webhooks fall due at a rate, whether or not those before were answered, and the wait of one
    /// counts from when it was due. A thread keeps the pace with the kernel's own timer, for a
    /// runtime's rounds to a millisecond.
    pub(crate) async fn at_rate(&self, per_second: u32, for_: Duration) -> Slice {
        let every = Duration::from_secs(1) / per_second;
        let (due, falls_due) = mpsc::unbounded_channel::<Instant>();
        let falls_due = Mutex::new(falls_due);
        let begun = Instant::now();
        let pace = std::thread::spawn(move || {
            let mut next = begun;
            while next.duration_since(begun) < for_ {
                std::thread::sleep(next.saturating_duration_since(Instant::now()));
                let _ = due.send(next);
                next += every;
            }
        });
        let mut slice = self
            .all(async |line, slice| {
                loop {
                    let due = falls_due.lock().await.recv().await;
                    let Some(due) = due else { break };
                    self.webhook(line, slice, due).await;
                }
            })
            .await;
        slice.seconds = begun.elapsed().as_secs_f64();
        pace.join().unwrap();
        slice
    }

    async fn all(&self, work: impl AsyncFn(&mut Line, &mut Slice)) -> Slice {
        let slices = self.lines.iter().map(async |line| {
            let mut slice = Slice::default();
            work(&mut *line.lock().await, &mut slice).await;
            slice
        });
        let mut all = Slice::default();
        for slice in join_all(slices).await {
            all.add(slice);
        }
        all
    }

    async fn webhook(&self, line: &mut Line, slice: &mut Slice, since: Instant) {
        line.call.write(&mut line.out);
        let answer = tokio::time::timeout(ANSWER_MAX, exchange(line, self.to)).await;
        let heard = match answer {
            Ok(Ok((200, body))) => {
                let heard = line.call.hear(&body);
                if heard == Heard::Wrong {
                    eprintln!("not what was asked for: {body}");
                }
                heard
            }
            other => {
                eprintln!("no answer: {other:?}");
                line.stream = None;
                Heard::Wrong
            }
        };
        let us = u32::try_from(since.elapsed().as_micros()).unwrap_or(u32::MAX);
        match heard {
            Heard::Asked => slice.answers += 1,
            Heard::Done => {
                slice.answers += 1;
                slice.calls += 1;
                line.call = self.next_call();
            }
            Heard::Wrong => {
                slice.wrong += 1;
                line.call = self.next_call();
                return;
            }
        }
        slice.latencies_us.push(us);
    }
}

/// Sends what is written and reads the whole answer. A connection that the server has closed meanwhile,
/// for it was idle, is made anew.
async fn exchange(line: &mut Line, to: SocketAddr) -> std::io::Result<(u16, String)> {
    if let Some(stream) = &mut line.stream {
        line.held.clear();
        match answer(stream, &line.out, &mut line.held).await {
            Err(_) if line.held.is_empty() => {}
            done => return done,
        }
    }
    let stream = TcpStream::connect(to).await?;
    stream.set_nodelay(true)?;
    line.held.clear();
    answer(line.stream.insert(stream), &line.out, &mut line.held).await
}

async fn answer(
    stream: &mut TcpStream,
    request: &[u8],
    held: &mut Vec<u8>,
) -> std::io::Result<(u16, String)> {
    stream.write_all(request).await?;
    loop {
        if stream.read_buf(held).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut response = httparse::Response::new(&mut headers);
        let parsed = response.parse(held).map_err(std::io::Error::other)?;
        let httparse::Status::Complete(head) = parsed else { continue };
        let length =
            response.headers.iter().find(|h| h.name.eq_ignore_ascii_case("content-length"));
        let length = length.and_then(|h| std::str::from_utf8(h.value).ok()?.parse().ok());
        let length: usize = length.ok_or(std::io::ErrorKind::InvalidData)?;
        if held.len() >= head + length {
            let body = String::from_utf8_lossy(&held[head..head + length]).into_owned();
            return Ok((response.code.unwrap_or(0), body));
        }
    }
}
