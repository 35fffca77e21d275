//! What a live call takes: bytes in Redis and in the embedded file, and whether a turn takes longer among
//! many of them.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use callgate::exchange::Exchange;
use callgate::store::redb::RedbStore;
use callgate::store::redis::RedisStore;
use futures_util::StreamExt as _;
use futures_util::stream;

use super::call::fresh_run;
use super::house::{Caller, exchange};
use super::report::{Bound, Goal, Section, number};
use super::servers::Redis;
use super::versus::median;

/// Turns at a time.
const AT_ONCE: usize = 64;
/// Calls of which each turn is timed, at each size.
const TIMED: u64 = 500;
const TIMED_ROUNDS: usize = 8;

/// At which the parts are told: few enough for one script.
const BY_PART: u64 = 100_000;
/// Sums the memory of the keys by their kinds.
const PARTS: &str = "
local bytes, kinds, told, at = {}, {}, {}, '0'
repeat
  local page = redis.call('SCAN', at, 'COUNT', 1000)
  at = page[1]
  for _, key in ipairs(page[2]) do
    local kind = string.match(key, '^cg:{p%d%d}:(rec:[%a-]+)') or string.match(key, '^cg:{p%d%d}:(%a+)')
    if not bytes[kind] then
      bytes[kind] = 0
      kinds[#kinds + 1] = kind
    end
    bytes[kind] = bytes[kind] + redis.call('MEMORY', 'USAGE', key)
  end
until at == '0'
table.sort(kinds)
for i, kind in ipairs(kinds) do
  told[i] = kind .. '=' .. bytes[kind]
end
return told
";

/// What was found at one size.
struct Found {
    calls: u64,
    bytes: f64,
    turn_us: f64,
}

pub(crate) fn section() -> Section {
    let sizes: &[u64] =
        if super::words().million { &[1_000, 100_000, 1_000_000] } else { &[1_000, 100_000] };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime needs little");
    let mut text = format!(
        "A live call has been greeted and has named its account. It takes its state, two entries of its journal, its\n\
         deadline, and what is counted of its number for an hour. Turns are timed with {AT_ONCE} at a time.\n\n\
         | store | live calls | bytes per call | µs per turn |\n|---|---|---|---|\n"
    );
    let mut goals = Vec::new();
    let mut parts = String::new();
    let mut stores = Vec::new();
    if !super::words().embedded_only {
        stores.push(("Redis", runtime.block_on(in_redis(sizes, &mut parts))));
    }
    stores.push(("embedded", runtime.block_on(in_file(sizes))));
    for (store, found) in stores {
        for row in &found {
            let (calls, bytes) = (number(row.calls as f64), number(row.bytes));
            let _ = writeln!(text, "| {store} | {calls} | {bytes} | {:.0} |", row.turn_us);
        }
        let (Some(first), Some(last)) = (found.first(), found.last()) else { continue };
        if store == "Redis" {
            let what = format!("bytes in Redis per live call at {}", number(last.calls as f64));
            goals.push(Goal::new(what, last.bytes, Bound::AtMost(1_200.0)).because(
                "the goal was set for a state alone: a call's journal and audit, and what is counted of its number, take \
                 half of the memory, and keys, their expiries and the tables that find them a quarter",
            ));
        }
        let what = format!(
            "time of a turn in {store}, {} live calls relative to {}",
            number(last.calls as f64),
            number(first.calls as f64)
        );
        let goal = Goal::new(what, last.turn_us / first.turn_us, Bound::AtMost(1.2));
        goals.push(goal.because(match store {
            "Redis" => {
                "a million calls are a gigabyte of memory, which no processor's cache holds; runs differ by a third"
            }
            _ => {
                "with so many rows the trees are a level or two deeper, and a flush also writes what is above the rows that \
                 it changes; the rows themselves lie side by side, however many there are"
            }
        }));
    }
    if !parts.is_empty() {
        let _ = writeln!(text, "\nOf the {} in Redis:\n\n{parts}", number(BY_PART as f64));
    }
    Section { title: "Live calls", text, goals }
}

/// Each size in a Redis of its own: calls whose turns were timed have ended in it.
async fn in_redis(sizes: &[u64], parts: &mut String) -> Vec<Found> {
    let mut found = Vec::new();
    for calls in sizes {
        let redis = Redis::start();
        let store = RedisStore::connect(&redis.url(0)).expect("the address is the harness's own");
        let exchange = exchange(Arc::new(store));
        // The flow's text and the first of everything.
        live(&exchange, 10).await;
        let before = redis.used_bytes();
        live(&exchange, *calls).await;
        let bytes = redis.used_bytes().saturating_sub(before) as f64 / *calls as f64;
        if *calls == BY_PART {
            *parts = by_part(&redis, *calls, bytes);
        }
        found.push(Found { calls: *calls, bytes, turn_us: turn_us(&exchange).await });
    }
    found
}

/// What of that each kind of key takes, and beside them the tables of keys and of their expiries.
fn by_part(redis: &Redis, calls: u64, of: f64) -> String {
    let told = redis.ask(&["EVAL", PARTS, "0"]);
    let (mut text, mut rest) = (String::from("| kind of key | bytes per call |\n|---|---|\n"), of);
    for line in told.lines() {
        let (kind, bytes) = line.split_once('=').expect("the script tells a kind and its bytes");
        let bytes = bytes.parse::<f64>().expect("bytes are a number") / calls as f64;
        rest -= bytes;
        let _ = writeln!(text, "| `{kind}` | {bytes:.0} |");
    }
    let _ = writeln!(text, "| the expiries of keys, and the tables that find keys | {rest:.0} |");
    text
}

async fn in_file(sizes: &[u64]) -> Vec<Found> {
    let mut found = Vec::new();
    for calls in sizes {
        let folder = tempfile::tempdir().expect("there is a place for temporary files");
        let path = folder.path().join("calls.redb");
        let exchange = exchange(Arc::new(RedbStore::open(&path).expect("the folder is ours")));
        live(&exchange, *calls).await;
        let bytes = bytes_of(&path) / *calls as f64;
        found.push(Found { calls: *calls, bytes, turn_us: turn_us(&exchange).await });
    }
    found
}

fn bytes_of(path: &Path) -> f64 {
    use std::os::unix::fs::MetadataExt as _;
    let file = std::fs::metadata(path).expect("the file is there");
    file.blocks() as f64 * 512.0
}

/// So many more live calls.
async fn live(exchange: &Exchange, calls: u64) {
    let run = fresh_run();
    let begun = stream::iter(0..calls).map(async |n| {
        let mut caller = Caller::new(run, n);
        for _ in 0..2 {
            assert!(caller.turn(exchange).await, "the call goes on");
        }
    });
    begun.buffer_unordered(AT_ONCE).for_each(async |()| ()).await;
}

/// How long a turn takes now: the median over some rounds. The calls come to their end.
async fn turn_us(exchange: &Exchange) -> f64 {
    let mut rounds = Vec::new();
    for _ in 0..TIMED_ROUNDS {
        let (run, begun) = (fresh_run(), Instant::now());
        let calls = stream::iter(0..TIMED).map(async |n| {
            let mut caller = Caller::new(run, n);
            while caller.turn(exchange).await {}
        });
        calls.buffer_unordered(AT_ONCE).for_each(async |()| ()).await;
        rounds.push(begun.elapsed().as_secs_f64() * 1e6 / (TIMED * 4) as f64);
    }
    median(&rounds)
}
