//! The whole house in virtual time, driven by one seed: many callers, an attacker, servers that die at
//! any moment, a store that loses answers, goes back in time and forgets, a provider that does things
//! twice, late and never. What runs is the real thing: routes, exchange, machine, outbox, memory store.
//!
//! A server that dies is one that nothing comes back to: whatever it waits for of the store or of the
//! provider never ends, which is all that the world can see of a death.
//!
//! `CALLGATE_SIM_SEED=7 cargo test --test it sim` runs one seed, `CALLGATE_SIM_SEEDS=5000` so many.

mod dice;
mod explore;
mod ground;
mod oracle;
mod others;
mod person;
mod planted;
mod run;
mod server;
mod telco;
mod telephone;
mod town;
mod wire;
mod world;

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use oracle::Tally;
use run::{Outcome, run};

/// Seeds of every run of the tests.
const SEEDS: u64 = 36;
/// Runs at once.
const THREADS: usize = 2;

#[expect(clippy::disallowed_methods, reason = "which seeds to run is said to the test alone")]
fn from_environment(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is no number: {text}")))
}

#[test]
fn whatever_goes_wrong_the_house_keeps_its_promises() {
    let (first, end) = match from_environment("CALLGATE_SIM_SEED") {
        Some(seed) => (seed, seed + 1),
        None => (0, from_environment("CALLGATE_SIM_SEEDS").unwrap_or(SEEDS)),
    };
    let (next, total) = (AtomicU64::new(first), Mutex::new(Tally::default()));
    let broken = Mutex::new(None);
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while broken.lock().unwrap().is_none() {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= end {
                        return;
                    }
                    let outcome = run(seed, None);
                    if outcome.violations.is_empty() {
                        total.lock().unwrap().add(&outcome.tally);
                    } else {
                        broken.lock().unwrap().get_or_insert((seed, outcome));
                    }
                }
            });
        }
    });
    if let Some((seed, outcome)) = broken.into_inner().unwrap() {
        panic!("{}", told(seed, &outcome));
    }
    let total = total.into_inner().unwrap();
    println!("{} seeds: {total:?}", end - first);
    // A storm in which nothing happens shows nothing.
    if first + SEEDS <= end {
        for (what, count) in total.parts() {
            assert!(count > 0, "in all seeds there was not one of: {what}");
        }
    }
}

/// What is said of a seed in which something went wrong.
fn told(seed: u64, outcome: &Outcome) -> String {
    let Outcome { violations, trace: (story, _), .. } = outcome;
    format!(
        "seed {seed}: {}\n\nthe end of its story:\n{}\n\nrun it again: \
         CALLGATE_SIM_SEED={seed} cargo test --test it sim::whatever",
        violations.join("\n"),
        story.join("\n")
    )
}

/// Whoever sees a seed fail is told what went wrong, and how to see it again: the command runs that seed, and no other.
#[test]
fn a_seed_that_fails_says_how_it_is_run_again() {
    const SEED: u64 = 5;
    let outcome = run(SEED, Some(planted::Plant::SaysNothing));
    assert!(!outcome.violations.is_empty());
    let told = told(SEED, &outcome);
    let story = outcome.trace.0.last().unwrap();
    // The story tells of it too.
    let first = format!("seed {SEED}: {}\n", outcome.violations.join("\n"));
    assert!(told.starts_with(&first) && told.contains(story), "{told}");
    let command = told.lines().last().unwrap().strip_prefix("run it again: ").unwrap();
    let (setting, rest) = command.split_once(' ').unwrap();
    let (name, seed) = setting.split_once('=').unwrap();
    assert_eq!(seed, SEED.to_string());
    let test = rest.strip_prefix("cargo test --test it ").unwrap();
    let again = std::process::Command::new(std::env::current_exe().unwrap())
        .args([test, "--nocapture"])
        .env(name, seed)
        .output()
        .unwrap();
    let said = String::from_utf8(again.stdout).unwrap();
    assert!(said.contains("running 1 test") && said.contains("1 seeds: "), "{said}");
}

#[test]
fn a_seed_is_the_same_run_again() {
    for seed in [2, 3] {
        assert_eq!(run(seed, None), run(seed, None), "seed {seed}");
    }
}
