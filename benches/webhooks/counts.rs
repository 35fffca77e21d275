//! Counts that do not depend on the machine's mood: instructions and system calls of one webhook, over
//! one connection, held against `benches/baseline.json`.
//!
//! Two runs that differ in the number of webhooks alone tell what one costs, without the start and the
//! end of the process. What is counted is what the program does outside the kernel, as callgrind's own
//! processor does it: the same on every machine with the same instruction set extensions.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::call::Script;
use super::load::Callers;
use super::report::{Bound, Goal, Section, number};
use super::servers::{Redis, Server};

const FEW: u64 = 400;
const MANY: u64 = 2_400;
/// How much a count may grow before somebody must look.
const GROWTH_MAX: f64 = 0.03;

/// What one webhook of a whole call costs.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Counts {
    pub(crate) instructions: f64,
    pub(crate) syscalls: f64,
}

/// Who is counted.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Who {
    /// Callgate, in whole calls.
    Callgate,
    /// Callgate, in turns of one round trip.
    CallgateAgain,
    Limit,
}

pub(crate) fn baseline_path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/baseline.json")
}

pub(crate) fn of(who: Who) -> Counts {
    Counts { instructions: instructions(who, None), syscalls: syscalls(who) }
}

/// Instructions of one webhook; `keep`: where callgrind's record goes, for `callgrind_annotate`.
pub(crate) fn instructions(who: Who, keep: Option<&Path>) -> f64 {
    let count = |webhooks, keep: Option<&Path>| {
        let folder = tempfile::tempdir().expect("there is a place for temporary files");
        let out = folder.path().join("callgrind");
        let file = format!("--callgrind-out-file={}", out.display());
        run(who, &["valgrind", "--tool=callgrind", "--quiet", &file], webhooks);
        let text = std::fs::read_to_string(&out).expect("callgrind leaves its record");
        if let Some(keep) = keep {
            std::fs::write(keep, &text).expect("the record has a place");
        }
        let total = text.lines().find_map(|line| line.strip_prefix("summary: "));
        let total = total.or_else(|| text.lines().find_map(|line| line.strip_prefix("totals: ")));
        total.and_then(|n| n.trim().parse::<f64>().ok()).expect("the record has a total")
    };
    per_webhook(count(FEW, None), count(MANY, keep))
}

fn syscalls(who: Who) -> f64 {
    let count = |webhooks| -> f64 { syscalls_by_name(who, webhooks).values().sum() };
    per_webhook(count(FEW), count(MANY))
}

/// Which system calls were made, and how often.
pub(crate) fn syscalls_by_name(who: Who, webhooks: u64) -> BTreeMap<String, f64> {
    let folder = tempfile::tempdir().expect("there is a place for temporary files");
    let out = folder.path().join("strace");
    run(who, &["strace", "-f", "-c", "-o", &out.to_string_lossy()], webhooks);
    let table = std::fs::read_to_string(&out).expect("strace leaves its table");
    let rows = table.lines().filter_map(|row| {
        let words: Vec<_> = row.split_whitespace().collect();
        let name = words.last().filter(|name| **name != "total")?;
        // % time, seconds, usecs/call, calls, perhaps errors, name
        Some(((*name).to_owned(), words.get(3)?.parse::<f64>().ok()?))
    });
    rows.collect()
}

fn per_webhook(few: f64, many: f64) -> f64 {
    (many - few) / (MANY - FEW) as f64
}

/// One run: started, asked so often over one connection, stopped.
fn run(who: Who, by: &[&str], webhooks: u64) {
    let redis = Redis::start();
    let mut server = match who {
        Who::Callgate | Who::CallgateAgain => Server::callgate_by(by, &redis.url(0), "0"),
        Who::Limit => Server::limit_by(by, &redis.url(0), 1),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime needs little");
    let script = match who {
        Who::Callgate | Who::Limit => Script::Balance,
        Who::CallgateAgain => Script::Again,
    };
    let callers = Callers::new(server.address(), script, 1, 1);
    let slice = runtime.block_on(callers.so_many(webhooks));
    assert_eq!(slice.wrong, 0, "{} answers something else", server.name);
    server.process.stop();
}

const WHY: &str = "a turn is one round trip, but a call is more than its four turns: its number is counted when it \
    rings and its claim when the caller is identified (a round trip each), and the outbox writes its audit down when \
    it is over (seven round trips for all that end together). The bench counts all of that, and the sealing, the \
    journal and the log line of every turn; an eighth of it is hashing, for which real processors have instructions, \
    and callgrind's has none";

/// Both counts of callgate, beside those of the limit.
pub(crate) fn section() -> Section {
    let (ours, again, limits) = (of(Who::Callgate), of(Who::CallgateAgain), of(Who::Limit));
    let mut text = "What one webhook takes, over one connection: the difference between two runs that differ only in the number\n\
        of webhooks. Instructions are those outside the kernel, counted by callgrind. System calls are those of the\n\
        whole process, including what it does beside the webhook: the outbox writes down the audit of a call that is\n\
        over. A turn of one round trip is that of a caller who asks for the menu again.\n\n\
        | | instructions | system calls |\n|---|---|---|\n"
        .to_owned();
    let rows = [
        ("callgate, whole calls", ours),
        ("callgate, turns of one round trip", again),
        ("limit, whole calls", limits),
    ];
    for (name, counts) in rows {
        let instructions = number(counts.instructions);
        let _ = writeln!(text, "| {name} | {instructions} | {:.2} |", counts.syscalls);
    }
    let goals = vec![
        Goal::new("instructions per webhook", ours.instructions, Bound::AtMost(150_000.0))
            .because(WHY),
        Goal::new(
            "system calls per webhook with one round trip",
            again.syscalls,
            Bound::AtMost(7.0),
        ),
    ];
    Section { title: "Counts", text, goals }
}

/// Whether a count has grown beyond its baseline; says what was found either way.
pub(crate) fn check(write: bool) -> bool {
    let now = of(Who::Callgate);
    let path = baseline_path();
    if write {
        let rounded = Counts {
            instructions: now.instructions.round(),
            syscalls: (now.syscalls * 100.0).round() / 100.0,
        };
        let text = serde_json::to_string_pretty(&rounded).expect("two numbers are JSON");
        std::fs::write(&path, text + "\n").expect("the baseline can be written");
    }
    let text = std::fs::read_to_string(&path).expect("there is a baseline");
    let baseline: Counts = serde_json::from_str(&text).expect("the baseline is two numbers");
    let rows = [
        ("instructions", now.instructions, baseline.instructions),
        ("syscalls", now.syscalls, baseline.syscalls),
    ];
    let mut well = true;
    for (name, now, baseline) in rows {
        let growth = now / baseline - 1.0;
        let grown = growth > GROWTH_MAX;
        well &= !grown;
        println!(
            "{name} per webhook: {now:.1}, baseline {baseline:.1} ({:+.1} %){}",
            growth * 100.0,
            if grown { ": more than 3 % above the baseline" } else { "" }
        );
        if growth < -GROWTH_MAX {
            println!("  it has become better: write the new baseline with `-- check --write`");
        }
    }
    well
}
