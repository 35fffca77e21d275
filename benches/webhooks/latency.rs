//! Waits at a fixed rate, whether or not those before were answered: a caller's wait begins when the
//! provider would have asked, not when a busy client gets round to it.

use std::fmt::Write as _;
use std::time::Duration;

use super::call::{Script, fresh_run};
use super::load::{Callers, Slice};
use super::machine::Foreign;
use super::peers;
use super::report::{Bound, Goal, Section};
use super::servers::{Redis, Server};
use super::versus::{CONNECTIONS, median};

const PER_SECOND: u32 = 500;
const SLICE: Duration = Duration::from_secs(4);
const ROUNDS: usize = 6;
/// Calls of three webhooks, one of which checks a PIN.
const PIN_WEBHOOKS_S: u32 = 30;

/// One server, and what its slices found.
struct Row<'a> {
    name: &'static str,
    server: &'a Server,
    callers: Callers,
    /// Who has their PIN checked meanwhile.
    beside: Option<Callers>,
    slices: Vec<Slice>,
}

impl<'a> Row<'a> {
    fn new(name: &'static str, server: &'a Server, with_pins: bool) -> Self {
        let callers = |script| Callers::new(server.address(), script, fresh_run(), CONNECTIONS);
        let beside = with_pins.then(|| callers(Script::Pin));
        Self { name, server, callers: callers(Script::Balance), beside, slices: Vec::new() }
    }

    async fn slice(&self, for_: Duration) -> Slice {
        let own = self.callers.at_rate(PER_SECOND, for_);
        match &self.beside {
            Some(beside) => tokio::join!(own, beside.at_rate(PIN_WEBHOOKS_S, for_)).0,
            None => own.await,
        }
    }

    /// The median over the slices, in milliseconds.
    fn percentile(&self, share: f64) -> f64 {
        let of = self.slices.iter().map(|slice| slice.percentile_ms(share));
        median(&of.collect::<Vec<_>>())
    }
}

pub(crate) fn section() -> Section {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime needs little");
    let redis = Redis::start();
    let callgate = Server::callgate(&redis.url(0), "0");
    let limit = Server::limit(&redis.url(1), 1);
    let fastify = peers::ALL[0].start(&redis.url(2));
    let mut rows = vec![
        Row::new("callgate", &callgate, false),
        Row::new("callgate, 10 PINs/s beside", &callgate, true),
        Row::new("limit", &limit, false),
    ];
    rows.extend(fastify.as_ref().map(|server| Row::new("fastify", server, false)));
    let mut own: Vec<u32> = rows.iter().flat_map(|row| row.server.process.pids()).collect();
    own.extend([redis.process.pid(), std::process::id()]);
    let foreign = Foreign::watch(own);
    for row in &rows {
        runtime.block_on(row.slice(Duration::from_secs(1)));
    }
    for round in 0..ROUNDS {
        let count = rows.len();
        for at in 0..count {
            let at = if round % 2 == 0 { at } else { count - 1 - at };
            let slice = runtime.block_on(rows[at].slice(SLICE));
            rows[at].slices.push(slice);
        }
    }
    report(&rows, foreign.cores())
}

fn report(rows: &[Row<'_>], foreign: f64) -> Section {
    let mut text = format!(
        "{PER_SECOND} webhooks a second over {CONNECTIONS} connections, whether or not earlier ones were answered. Times are in milliseconds\n\
         from when each webhook was due; each number is the median of {ROUNDS} slices of {} s, with all servers running. Other\n\
         programs kept {foreign:.2} cores busy meanwhile. A PIN is checked with Argon2id (19 MiB) on the same core.\n\n\
         | | p50 | p99 | p99.9 | wrong |\n|---|---|---|---|---|\n",
        SLICE.as_secs()
    );
    for row in rows {
        let [p50, p99, p999] = [0.5, 0.99, 0.999].map(|share| row.percentile(share));
        let wrong: u64 = row.slices.iter().map(|slice| slice.wrong).sum();
        let _ = writeln!(text, "| {} | {p50:.2} | {p99:.2} | {p999:.2} | {wrong} |", row.name);
    }
    let p99 = |name: &str| rows.iter().find(|row| row.name == name).map(|row| row.percentile(0.99));
    let mut goals = Vec::new();
    for ours in &rows[..2] {
        let found = ours.percentile(0.99);
        for (other, times) in [("limit", 3.0), ("fastify", 0.5)] {
            if let Some(theirs) = p99(other) {
                let what = format!("p99 at {PER_SECOND}/s relative to {other} ({})", ours.name);
                goals.push(Goal::new(what, found / theirs, Bound::AtMost(times)).because(
                    "an answer takes four times the work of `limit` on the same core, and a slow one waits for others",
                ));
            }
        }
    }
    Section { title: "Waits at a fixed rate", text, goals }
}
