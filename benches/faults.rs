//! The faults of `tests/it/faults`, with two hundred callers and more: `cargo bench --bench faults` runs
//! one after the other and writes `docs/faults.md`. A word of a fault's name as an argument runs
//! those alone, and writes nothing. `CALLGATE_TEST_PROGRAM` names another build of the server.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a run that meets what it did not expect is to fail, and so are the stand-ins that serve it"
)]

#[path = "../tests/it/faults/runs.rs"]
mod runs;
#[path = "../tests/it/support/mod.rs"]
#[expect(dead_code, reason = "the tests stand on more of it")]
mod support;

use std::path::Path;
use std::pin::Pin;
use std::time::{Duration, Instant};

use clap::Parser;
use runs::{Outcome, Size};

/// Each thinks for less than any person does, so that they are worth a thousand people.
const LARGE: Size = Size {
    callers: 240,
    within: Duration::from_secs(10),
    think: Duration::from_secs(1),
    more: 240,
};

type Run = Pin<Box<dyn Future<Output = Outcome>>>;
type Fault = (&'static str, fn(Size) -> Run);

macro_rules! faults {
    ($($fault:ident),* $(,)?) => {
        [$((stringify!($fault), (|size| Box::pin(runs::$fault(size)) as Run) as fn(Size) -> Run)),*]
    };
}

const FAULTS: [Fault; 11] = faults![
    a_server_is_killed,
    a_server_is_killed_in_mid_delivery,
    the_primary_behind_sentinels_is_killed,
    a_primary_of_a_cluster_is_killed,
    the_primary_behind_sentinels_takes_turns_with_it,
    a_primary_of_a_cluster_takes_turns_with_it,
    a_primary_takes_nothing_that_a_replica_must_have,
    the_network_is_cut,
    the_disk_is_full,
    the_file_is_read_only,
    the_clock_is_set,
];

/// Run every fault with two hundred callers and more, and write docs/faults.md
#[derive(Parser)]
#[command(bin_name = "cargo bench --bench faults --")]
struct Words {
    /// Run those alone that have one of these words in their names, and write nothing
    words: Vec<String>,
    /// Said by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() {
    let wanted = Words::parse().words;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|word| name.contains(word));
    let faults: Vec<Fault> = FAULTS.into_iter().filter(|(name, _)| is_wanted(name)).collect();
    let (mut rows, begun) = (String::new(), Instant::now());
    for (name, fault) in faults {
        let outcome = runtime.block_on(fault(LARGE));
        println!("{}", outcome.row());
        outcome.check();
        assert!(outcome.in_progress >= 200, "{name}: {} calls in progress", outcome.in_progress);
        rows += &(outcome.row() + "\n");
    }
    println!("{} s", begun.elapsed().as_secs());
    if wanted.is_empty() {
        let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/faults.md");
        std::fs::write(page, page_of(&rows)).unwrap();
    }
}

fn page_of(rows: &str) -> String {
    let program = support::house::program();
    let is_release = Path::new(&program).components().any(|part| part.as_os_str() == "release");
    let build = if is_release { "a release build" } else { "a debug build" };
    let driver = if cfg!(debug_assertions) { "a debug build" } else { "a release build" };
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let processor = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let processor = processor.lines().find(|line| line.starts_with("model name"));
    let processor = processor.and_then(|line| line.split(": ").nth(1)).unwrap_or("unnamed");
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or_default();
    let Size { callers, think, .. } = LARGE;
    format!(
        "# Faults\n\n\
         Written by `cargo bench --bench faults` on {} ({}, {processor}), {cores} cores, Linux {}. The\n\
         servers are {build}, the program that plays the callers is {driver}, and they share one machine with\n\
         Redis, the proxy and the provider. The faults run one after the other; the load was {load} at the end. Do not\n\
         edit this page; run the bench again.\n\n\
         {callers} callers ring again and again, each with an account of their own. They key in account and PIN, and\n\
         hear their balance after a code by text message; every fourth is called back as well. Each thinks for\n\
         {} s before each answer. The stand-in for the provider sends what is not answered once more, and then to\n\
         the fallback URL. In the middle of this, something is really killed, cut or filled up, and every call is\n\
         followed to its end.\n\n\
         {}\n{}\n{rows}\n{}",
        std::fs::read_to_string("/etc/hostname").unwrap_or_default().trim(),
        std::env::consts::ARCH,
        kernel.trim(),
        think.as_secs(),
        runs::HEAD,
        runs::RULE,
        NOTES,
    )
}

const NOTES: &str = "\
- *In progress*: calls when the fault struck. *Calls*, *webhooks*: those of the whole run.
- *Affected*: calls that heard an apology, had a webhook sent again, or were turned down by their flow
  because a proof could not be given in time. Calls that began during the fault are included.
- *Put through*: heard the apology and were connected to the line's fallback number.
- *Turned down*: reached the end that their flow has for callers who cannot prove who they are.
- *Lost*: anything else. There must be none.
- *Turns at risk*: webhooks while the primary that was to die was cut off from its replica; *the last*: only
  those of the moment before its death. Only a Redis primary that dies can take acknowledged writes with it.
  *Turns forgotten*: answered, and later unknown, so that the caller heard the prompt before that again;
  never more than were at risk. *Done anew*: messages and rings of such turns, asked for again under
  another key; never more than turns had to be taken again.
- *Messages again*, *rings again*: asked for again under the same key. The provider is asked first
  whether it has them. There must be none, except messages which the store has forgotten, in a fail-over,
  as sent: those are sent again with the same code.
- *Normal after*: seconds from the fault to the last webhook that went wrong; a cut and a full disk last
  eight seconds.

If the store is away, a turn asks it again for as long as the caller can wait, so that nobody notices a
fail-over of less than four seconds. With `replicas = 1`, no turn is answered that only one server knows.

The full disk and the file that takes no writes are limits that the system sets for the running server
(`prlimit --fsize`); to the program, they are the same as a full disk.
";
