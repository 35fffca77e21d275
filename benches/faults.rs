//! The faults of `tests/it/faults`, with two hundred callers: `cargo bench --bench faults` runs them
//! one after the other and writes `docs/faults.md`. A word of a fault's name as an argument runs
//! those alone, and writes nothing.

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

use std::fmt::Write as _;
use std::path::Path;
use std::pin::Pin;
use std::time::Duration;

use runs::{Outcome, Size};

const LARGE: Size = Size { callers: 210, think: Duration::from_secs(2), more: 260 };

type Run = Pin<Box<dyn Future<Output = Outcome>>>;
type Fault = (&'static str, fn(Size) -> Run);

macro_rules! faults {
    ($($fault:ident),* $(,)?) => {
        [$((stringify!($fault), (|size| Box::pin(runs::$fault(size)) as Run) as fn(Size) -> Run)),*]
    };
}

const FAULTS: [Fault; 8] = faults![
    a_server_is_killed,
    a_server_is_killed_in_mid_delivery,
    the_primary_behind_sentinels_is_killed,
    a_primary_of_a_cluster_is_killed,
    the_network_is_cut,
    the_disk_is_full,
    the_file_is_read_only,
    the_clock_is_set,
];

fn main() {
    let wanted: Vec<String> =
        std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let mut rows = String::new();
    for (name, fault) in FAULTS {
        if !wanted.is_empty() && !wanted.iter().any(|word| name.contains(word.as_str())) {
            continue;
        }
        let outcome = runtime.block_on(fault(LARGE));
        println!("{}", outcome.row());
        writeln!(rows, "{}", outcome.row()).unwrap();
        outcome.check();
        assert!(outcome.in_progress >= 200, "{name}: {} calls in progress", outcome.in_progress);
    }
    if wanted.is_empty() {
        let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/faults.md");
        std::fs::write(page, page_of(&rows)).unwrap();
    }
}

fn page_of(rows: &str) -> String {
    let build = if cfg!(debug_assertions) { "a debug build" } else { "a release build" };
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let Size { callers, think, .. } = LARGE;
    format!(
        "# Faults\n\n\
         Written by `cargo bench --bench faults` on {} ({}), {cores} cores, Linux {}: {build}, with all\n\
         servers, Redis, proxy and callers on that one machine. Do not edit it; run it again.\n\n\
         {callers} callers ring again and again, each with an account of their own: they key in account\n\
         and PIN, hear their balance after a code by text message, every fourth is rung back as well, and\n\
         each thinks {} s before each answer. The stand-in for the provider sends what is not answered once\n\
         more, and then to the fallback URL. In the midst of it something is really killed, cut or filled\n\
         up, and every call is followed to its end.\n\n\
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
- *In progress*: calls when the fault struck. *Calls*, *webhooks*: of the whole run.
- *Affected*: calls that heard an apology, had a webhook sent again, or were turned down by their flow
  because a proof could not be brought in time; calls that only began during the fault are among them.
- *Put through*: heard the apology and were connected to the line's fallback number.
- *Turned down*: came to an end that their flow has for who cannot prove themselves.
- *Lost*: anything else. There must be none.
- *Messages again*: sent once more under the same key and with the same code, because nobody could know
  whether they had been sent. *Rings again*: there must be none; the provider is asked first.
- *Normal after*: seconds from the fault to the last webhook that went wrong; a cut and a full disk last
  eight seconds.

A turn that finds the store away asks again for as long as the caller can wait, so that a fail-over of
less than four seconds is heard by nobody. A Redis primary that dies may take acknowledged writes with it
(`replicas = 1` prevents that): such a caller hears the prompt before once more, and what the forgotten turn
did is done again under another key, at most one message or ring for each turn that was forgotten.

The full disk and the file that takes no writes are limits of the system on the running server
(`prlimit --fsize`), which to the program are what a full disk is.
";
