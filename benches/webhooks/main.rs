//! Webhooks per second, and everything else that `docs/performance.md` tells: one command measures it
//! and writes it.
//!
//! `cargo bench --bench webhooks` runs everything. `-- check` counts instructions and system calls and
//! holds them against `benches/baseline.json`; `-- check --write` writes that anew. `-- profile callgate`
//! tells where the instructions are. `-- NAME…` runs some parts and prints them. `--callgate PATH`
//! measures another build, and `--loud` shows what servers say.

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

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let named = arguments.iter().skip_while(|word| *word != "--callgate").nth(1);
    let words: Vec<&str> =
        arguments.iter().filter(|word| Some(*word) != named).map(String::as_str).collect();
    if let ["limit", redis, port, workers] = words.as_slice() {
        let served = limit::serve(redis, port.parse().unwrap(), workers.parse().unwrap());
        served.expect("the limit serves");
        return ExitCode::SUCCESS;
    }
    machine::pin_to(machine::LOAD_CORE);
    let (options, names): (Vec<&str>, Vec<&str>) =
        words.iter().partition(|word| word.starts_with("--"));
    match names.as_slice() {
        [] => {
            let sections: Vec<Section> =
                PARTS.iter().map(|(name, part)| run(name, *part)).collect();
            let page = report::page(&machine::name(), &sections);
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/performance.md");
            std::fs::write(path, page).expect("the report has a place");
        }
        ["check"] => {
            let well = counts::check(options.contains(&"--write"));
            return if well { ExitCode::SUCCESS } else { ExitCode::FAILURE };
        }
        ["profile", who] => {
            let who = if *who == "limit" { counts::Who::Limit } else { counts::Who::Callgate };
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
                let part = PARTS.iter().find(|(known, _)| known == name);
                let (name, part) = part.unwrap_or_else(|| panic!("there is no part `{name}`"));
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
