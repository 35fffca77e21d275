//! How fast calls run again: the machine alone, and folders of transcripts of growing size.
//!
//! `cargo bench --bench replay`. The machine is given the turns of all shipped transcripts as it is in a
//! live call: once for every question it asks, and once more when it has all the answers. No store, no
//! seal, no TwiML. The folders hold the shipped transcripts again and again, and run as `callgate replay`
//! runs them: read, played over a store and compared, on every core.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a benchmark that meets what it did not expect is to fail"
)]

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use callgate::engine::turn::{Entry, Step};
use callgate::engine::{Setting, step};
use callgate::flow::FlowSet;
use callgate::replay::folder::{Outcome, Wish, flows, run_all};
use callgate::replay::play::Player;
use callgate::replay::provider::Setup;
use callgate::replay::transcript::{Input, Transcript};

/// Turns a second and core that the machine is to make.
const MACHINE_TURNS_S: f64 = 100_000.0;
/// How long a thousand transcripts may take.
const THOUSAND_MAX: Duration = Duration::from_secs(2);

fn main() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let machine = runtime.block_on(machine());
    let thousand = runtime.block_on(folders());
    let verdict = |well| if well { "as it is to be" } else { "MISSED" };
    println!(
        "\nmachine: at least {MACHINE_TURNS_S:.0} turns/s and core: {}",
        verdict(machine >= MACHINE_TURNS_S)
    );
    println!(
        "1,000 transcripts in at most {THOUSAND_MAX:?}: {}",
        verdict(thousand <= THOUSAND_MAX)
    );
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The transcripts, and the folder of flows that each runs against.
fn shipped() -> Vec<(PathBuf, String)> {
    let folder = root().join("fixtures/calls");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = files.filter(|path| path.is_file()).collect();
    files.sort();
    files.into_iter().map(|file| (file.clone(), std::fs::read_to_string(file).unwrap())).collect()
}

/// A call that was played, to be stepped through again.
struct Played {
    flows: FlowSet,
    edition: String,
    transcript: Transcript,
    entries: Vec<Entry>,
}

async fn play(transcript: Transcript, flows: &FlowSet) -> Played {
    let flows = flows.closure(&transcript.flow).unwrap();
    let setup = Setup::of(&transcript, flows.clone());
    let mut player = Player::new(setup, transcript.from.clone());
    for (index, turn) in transcript.turns.iter().enumerate() {
        // The first call is enough.
        if index > 0 && matches!(turn.act.input, Input::Ring(_)) {
            break;
        }
        player.play(&turn.act).await.unwrap();
    }
    let edition = player.provider.call().await.unwrap().unwrap().edition;
    Played { flows, edition, transcript, entries: player.provider.journal().await }
}

/// Steps through every entry of a call; gives the turns and the runs of the machine.
fn step_through(played: &Played) -> (u64, u64) {
    let setting = Setting {
        flows: &played.flows,
        edition: &played.edition,
        policy: &played.transcript.policy,
        fallback_number: None,
        unenforced: played.transcript.unenforced.as_ref(),
    };
    let (mut call, mut turns, mut runs) = (None, 0, 0);
    for entry in &played.entries {
        for asked in 0..=entry.answers.len() {
            let answers = &entry.answers[..asked];
            runs += 1;
            let done = step(setting, call.as_ref(), &entry.event, &entry.moment, answers);
            if let Some(Step::Turn(turn)) = done {
                call = Some(std::hint::black_box(*turn).call);
                turns += 1;
                break;
            }
        }
    }
    (turns, runs)
}

/// Turns a second on one core.
async fn machine() -> f64 {
    let own = flows(&root().join("flows")).unwrap();
    let beside = flows(&root().join("fixtures/calls/flows")).unwrap();
    let mut calls = Vec::new();
    for (file, text) in shipped() {
        let transcript = Transcript::read(&file.display().to_string(), &text).0.unwrap();
        let flows = if transcript.flows.is_some() { &beside } else { &own };
        calls.push(play(transcript, flows).await);
    }
    let entries: usize = calls.iter().map(|call| call.entries.len()).sum();
    println!("machine alone, one core: {} calls of {entries} turns", calls.len());
    let mut best = 0.0_f64;
    for _ in 0..5 {
        let (begun, had) = (Instant::now(), core_time());
        let (mut turns, mut runs) = (0, 0);
        while begun.elapsed() < Duration::from_secs(1) {
            for call in &calls {
                let (some, more) = step_through(call);
                turns += some;
                runs += more;
            }
        }
        // On a machine that others use too, only the time on a core counts.
        let used = core_time().zip(had).map(|(now, before)| now.saturating_sub(before));
        let seconds = used.unwrap_or_else(|| begun.elapsed()).as_secs_f64();
        let per_s = |count: u64| f64::from(u32::try_from(count).unwrap()) / seconds;
        println!("  {:>9.0} turns/s, {:>9.0} runs/s", per_s(turns), per_s(runs));
        best = best.max(per_s(turns));
    }
    best
}

/// How long this thread has run on a core; `None`: the system does not tell.
fn core_time() -> Option<Duration> {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    Some(Duration::from_nanos(told.split(' ').next()?.parse().ok()?))
}

/// How long a thousand take.
async fn folders() -> Duration {
    let shipped = shipped();
    let folder = tempfile::tempdir().unwrap();
    let calls = folder.path().join("calls");
    std::fs::create_dir(&calls).unwrap();
    copy(&root().join("fixtures/calls/flows"), &calls.join("flows"));
    let wish = Wish { paths: vec![calls.clone()], flows: root().join("flows"), ..Wish::default() };
    println!("\ntranscripts, every core:");
    let (mut there, mut thousand) = (0, Duration::MAX);
    for count in [125, 250, 500, 1_000, 2_000] {
        while there < count {
            let (file, text) = &shipped[there % shipped.len()];
            let name = file.file_stem().unwrap().to_string_lossy();
            std::fs::write(calls.join(format!("{name}.{there}.toml")), text).unwrap();
            there += 1;
        }
        let mut best = Duration::MAX;
        let mut turns = 0;
        for _ in 0..3 {
            let begun = Instant::now();
            let outcomes = run_all(&wish).await.unwrap();
            best = best.min(begun.elapsed());
            assert!(outcomes.iter().all(Outcome::passed));
            turns = outcomes.iter().map(|outcome| outcome.report.turns.len()).sum::<usize>();
        }
        let per_s = f64::from(u32::try_from(turns).unwrap()) / best.as_secs_f64();
        println!("  {count:>5}: {best:>10.3?}, {per_s:>7.0} turns/s");
        if count == 1_000 {
            thousand = best;
        }
    }
    thousand
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}
