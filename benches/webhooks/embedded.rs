//! The embedded store under load: turns a second, each on the disk before it is answered.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use callgate::exchange::Exchange;
use callgate::store::Store;
use callgate::store::memory::MemoryStore;
use callgate::store::redb::RedbStore;
use futures_util::future::join_all;

use super::call::fresh_run;
use super::house::{Caller, exchange};
use super::report::{Bound, Goal, Section, number};
use super::versus::median;

const ROUND: Duration = Duration::from_secs(3);
const ROUNDS: usize = 5;

pub(crate) fn section() -> Section {
    // The writer's thread, and what reads, have the other cores.
    super::machine::unpin();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.expect("a runtime needs little");
    let mut text = format!(
        "Whole calls within one process, with a file and without HTTP. A ring is two writes (the call, and the count of\n\
         its number), naming an account is three (the call, and the counts of the number and of its block), and any\n\
         other turn is one. The store in memory shows what is left without a file. Medians of {ROUNDS} rounds of {} s.\n\n\
         | store | callers | turns/s | µs per turn |\n|---|---|---|---|\n",
        ROUND.as_secs()
    );
    let mut goals = Vec::new();
    for (in_file, callers) in [(true, 1), (true, 64), (false, 64)] {
        let turns_s = runtime.block_on(turns_s(in_file, callers));
        let us = 1e6 * callers as f64 / turns_s;
        let store = if in_file { "embedded" } else { "memory" };
        let _ = writeln!(text, "| {store} | {callers} | {} | {us:.0} |", number(turns_s));
        if in_file && callers == 64 {
            let goal = Goal::new(
                "turns/s of the embedded store at 64 callers",
                turns_s,
                Bound::AtLeast(15_000.0),
            );
            goals.push(goal.because(
                "a turn is more than a write: a core steps, seals and copies for it, and the other cores were not idle",
            ));
        }
    }
    super::machine::pin_to(super::machine::LOAD_CORE);
    Section { title: "The embedded store", text, goals }
}

async fn turns_s(in_file: bool, callers: usize) -> f64 {
    let folder = tempfile::tempdir().expect("there is a place for temporary files");
    let store: Arc<dyn Store> = if in_file {
        let path = folder.path().join("calls.redb");
        Arc::new(RedbStore::open(&path).expect("the folder is ours"))
    } else {
        Arc::new(MemoryStore::new())
    };
    let exchange = Arc::new(exchange(store));
    let mut rates = Vec::new();
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        let run = fresh_run();
        let tasks = (0..callers).map(|n| {
            let exchange = exchange.clone();
            tokio::spawn(async move { calls(&exchange, run, n as u64, begun).await })
        });
        let turns: u64 =
            join_all(tasks).await.into_iter().map(|turns| turns.expect("it ends well")).sum();
        rates.push(turns as f64 / begun.elapsed().as_secs_f64());
    }
    median(&rates)
}

/// One caller's calls, one after the other.
async fn calls(exchange: &Exchange, run: u64, first: u64, begun: Instant) -> u64 {
    let (mut turns, mut n) = (0, first << 32);
    while begun.elapsed() < ROUND {
        let mut caller = Caller::new(run, n);
        n += 1;
        loop {
            let goes_on = caller.turn(exchange).await;
            turns += 1;
            if !goes_on {
                break;
            }
        }
    }
    turns
}
