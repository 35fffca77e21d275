//! Webhooks per second, and everything else that `docs/performance.md` tells: one command measures it
//! and writes it.
//!
//! `cargo bench --bench webhooks` runs everything; `-- --help` tells what else there is.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a measurement that meets what it did not expect must end"
)]
#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "what is measured is not exact to the last bit"
)]

mod call;
mod counts;
mod embedded;
mod engine;
mod house;
mod latency;
mod limit;
mod load;
mod machine;
mod peers;
mod report;
mod servers;
mod size;
mod throughput;
mod versus;
mod workers;

use std::path::Path;
use std::process::ExitCode;
use std::sync::OnceLock;

use clap::Parser;
use report::Section;

/// As the program that it is compared with.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Part = fn() -> Section;

/// What there is to measure, in the order of the report.
const PARTS: [(&str, Part); 7] = [
    ("throughput", throughput::section),
    ("counts", counts::section),
    ("latency", latency::section),
    ("size", size::section),
    ("embedded", embedded::section),
    ("engine", engine::section),
    ("workers", workers::section),
];

/// Measure what a webhook costs; with no word, all of it, into docs/performance.md
#[derive(Debug, Parser)]
#[expect(clippy::struct_excessive_bools, reason = "each is a word of its own on the command line")]
#[command(bin_name = "cargo bench --bench webhooks --", after_help = WORDS_HELP)]
struct Words {
    /// What is done, or the parts that are measured and printed
    what: Vec<String>,
    /// Measure this build of callgate
    #[arg(long, value_name = "PATH")]
    callgate: Option<String>,
    /// Show what the servers say
    #[arg(long)]
    loud: bool,
    /// Count a million live calls as well, which takes some 6 GiB of memory
    #[arg(long)]
    million: bool,
    /// Of live calls: those in the embedded store alone
    #[arg(long)]
    embedded_only: bool,
    /// With `check`: write benches/baseline.json anew
    #[arg(long)]
    write: bool,
    /// Said by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

const WORDS_HELP: &str = "\
What is done:
  check             hold instructions and system calls against benches/baseline.json
  profile callgate  tell where the instructions are (or: profile limit, profile again)
Parts:
  throughput, counts, latency, size, embedded, engine, workers";

/// What was asked for on the command line.
fn words() -> &'static Words {
    static WORDS: OnceLock<Words> = OnceLock::new();
    WORDS.get_or_init(Words::parse)
}

fn main() -> ExitCode {
    let words = words();
    let what: Vec<&str> = words.what.iter().map(String::as_str).collect();
    if let ["limit", redis, port, workers] = what.as_slice() {
        let served = limit::serve(redis, port.parse().unwrap(), workers.parse().unwrap());
        served.expect("the limit serves");
        return ExitCode::SUCCESS;
    }
    machine::pin_to(machine::LOAD_CORE);
    match what.as_slice() {
        [] => {
            let sections: Vec<Section> =
                PARTS.iter().map(|(name, part)| run(name, *part)).collect();
            let page = report::page(&machine::name(), &sections);
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/performance.md");
            std::fs::write(path, page).expect("the report has a place");
        }
        ["check"] => {
            let well = counts::check(words.write);
            return if well { ExitCode::SUCCESS } else { ExitCode::FAILURE };
        }
        ["profile", who] => {
            let who = match *who {
                "limit" => counts::Who::Limit,
                "again" => counts::Who::CallgateAgain,
                _ => counts::Who::Callgate,
            };
            let keep = Path::new(env!("CARGO_TARGET_TMPDIR")).join("callgrind.out");
            println!(
                "{:.0} instructions per webhook; see {}",
                counts::instructions(who, Some(&keep)),
                keep.display()
            );
            println!("{:#?}", counts::syscalls_by_name(who, 1_000));
        }
        names => {
            for name in names {
                let Some((name, part)) = PARTS.iter().find(|(known, _)| known == name) else {
                    eprintln!("there is no part `{name}`: see --help");
                    return ExitCode::FAILURE;
                };
                let section = run(name, *part);
                println!("{}", report::page(&machine::name(), &[section]));
            }
        }
    }
    ExitCode::SUCCESS
}

fn run(name: &str, part: Part) -> Section {
    eprintln!("measuring: {name}");
    part()
}
