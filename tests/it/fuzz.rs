//! Whatever is made of a flow file is read and checked to the end. The corpus is every flow there is and
//! the seeds in `fixtures/fuzz`, to which an input that ever fell over is added. Each target is run for a
//! few seconds; `CALLGATE_FUZZ_SECONDS=600 cargo test --test it fuzz` runs longer, and with other dice.
//! Nothing here looks at what an input has come to: `fuzz/` does, with the same targets.

mod targets;

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::proof::random::Dice;
use crate::support::tree::{entries, is_toml, root};
use crate::support::work::on_cpu;

/// The longest that one input may be worked on, unoptimised.
const INPUT_TIME_MAX: Duration = Duration::from_secs(20);
const SECONDS: u64 = 4;
/// Inputs that are made of the corpus at least, however busy the machine is.
const MADE_MIN: usize = 200;

fn corpus() -> Vec<String> {
    let folders = ["flows", "fixtures/flows", "fixtures/calls/flows", "fixtures/fuzz"];
    let mut folders: Vec<PathBuf> = folders.map(|f| root().join(f)).into();
    let mut texts = Vec::new();
    while let Some(folder) = folders.pop() {
        for path in entries(&folder) {
            if path.is_dir() {
                folders.push(path);
            } else if is_toml(&path) {
                texts.push(fs::read_to_string(path).unwrap());
            }
        }
    }
    // One is large on purpose.
    texts.retain(|text| text.len() < 20_000);
    texts
}

/// Where words, numbers, quotes and signs of a text begin.
fn tokens(text: &str) -> Vec<usize> {
    let mut before = ' ';
    let mut starts = Vec::new();
    for (at, c) in text.char_indices() {
        if !(c.is_alphanumeric() && before.is_alphanumeric()) {
            starts.push(at);
        }
        before = c;
    }
    starts.push(text.len());
    starts
}

fn mutated(dice: &mut Dice, corpus: &[String]) -> String {
    let mut text = dice.one(corpus).clone();
    for _ in 0..=dice.below(4) {
        let starts = tokens(&text);
        let from = dice.below(starts.len());
        let to = (from + dice.below(12)).min(starts.len() - 1);
        let (from, to) = (starts[from], starts[to]);
        text = match dice.below(6) {
            0 => text[..from].to_owned() + &text[to..],
            1 => text[..to].to_owned() + &text[from..],
            2 => {
                let other = dice.one(corpus);
                let starts = tokens(other);
                let at = dice.below(starts.len());
                let end = (at + dice.below(12)).min(starts.len() - 1);
                text[..from].to_owned() + &other[starts[at]..starts[end]] + &text[to..]
            }
            3 => {
                // A byte, where that still makes a text.
                let mut bytes = text.clone().into_bytes();
                if !bytes.is_empty() {
                    let at = dice.below(bytes.len());
                    bytes[at] = u8::try_from(dice.below(256)).unwrap();
                }
                String::from_utf8(bytes).unwrap_or(text)
            }
            4 => {
                let number = *dice.one(&["0", "-1", "1e308", "99999999999999999999", "0x", "\"\""]);
                text[..from].to_owned() + number + &text[to..]
            }
            _ => {
                // The value of one key under another.
                let mut lines: Vec<_> = text.lines().collect();
                if !lines.is_empty() {
                    let (a, b) = (dice.below(lines.len()), dice.below(lines.len()));
                    lines.swap(a, b);
                }
                lines.join("\n")
            }
        };
    }
    text
}

/// Runs a target over the seeds as they are, and then over what is made of them, while there is time.
fn fuzz(target: fn(&str)) {
    #[expect(
        clippy::disallowed_methods,
        reason = "how long to run is told to the test, not to callgate"
    )]
    let asked = std::env::var("CALLGATE_FUZZ_SECONDS").ok().map(|seconds| seconds.parse().unwrap());
    let corpus = corpus();
    // The same dice again and again find the same again and again.
    let mut dice = Dice(asked.map_or(7, |seconds| seconds ^ u64::from(std::process::id())));
    let until = Instant::now() + Duration::from_secs(asked.unwrap_or(SECONDS));
    let put = |text: &str| {
        let before = on_cpu();
        let went = std::panic::catch_unwind(|| target(text));
        let took = on_cpu().saturating_sub(before);
        assert!(went.is_ok(), "this input belongs into fixtures/fuzz:\n{text}");
        assert!(took < INPUT_TIME_MAX, "{took:?} for\n{text}");
    };
    for text in &corpus {
        put(text);
    }
    let mut made = 0;
    while made < MADE_MIN || Instant::now() < until {
        put(&mutated(&mut dice, &corpus));
        made += 1;
    }
}

#[test]
fn whatever_is_made_of_a_flow_is_read_to_the_end() {
    fuzz(targets::reader);
}

#[test]
fn whatever_is_made_of_a_flow_is_checked_to_the_end() {
    fuzz(targets::checker);
}
