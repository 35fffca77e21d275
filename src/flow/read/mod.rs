//! Text → flows, collecting every problem of every file.

mod file;
mod resolve;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use indexmap::IndexMap;

use super::{Flow, FlowSet};
use crate::diagnostic::alike::Telling;
use crate::diagnostic::{Finding, Problems, Sources};

/// The codes that say that something is not there.
const ABSENCES: [&str; 10] = [
    "missing-key",
    "unrouted-outcome",
    "unknown-state",
    "unknown-level",
    "unknown-hours",
    "unknown-variable",
    "undisclosed-field",
    "unknown-outcome",
    "unknown-flow",
    "bad-level",
];

/// Reads flow files that may call each other. The set holds every flow that could be read at all; it
/// is to be used only if no finding is an error.
pub fn read(sources: &Sources) -> (FlowSet, Vec<Finding>) {
    read_telling(sources, Telling::Enough)
}

/// The same, telling so much of what is wrong.
pub fn read_telling(sources: &Sources, telling: Telling) -> (FlowSet, Vec<Finding>) {
    let problems = Problems::new(telling);
    let mut flows: IndexMap<_, Arc<Flow>> = IndexMap::new();
    let mut all_read = true;
    for (file, text) in sources.read() {
        let Some((flow, named)) = file::read(file, text, &problems) else {
            all_read = false;
            continue;
        };
        all_read &= named;
        if let Some(other) = flows.get(&flow.name) {
            problems.add(
                Finding::error(
                    "duplicate-flow",
                    format!("a flow named `{}` is in `{}` already", flow.name, other.file),
                    flow.places.name.clone(),
                )
                .help("give each file its own `name`"),
            );
            continue;
        }
        flows.insert(flow.name.clone(), Arc::new(flow));
    }
    let set: FlowSet = flows.into_values().collect();
    let broken = problems.files_with_errors();
    let passed = resolve::passed(&set);
    let (callers, outcomes) = (resolve::callers(&set), resolve::outcomes(&set));
    let used = resolve::used(&set, &callers);
    let known = resolve::Known {
        all_read,
        broken: &broken,
        passed: &passed,
        callers: &callers,
        outcomes: &outcomes,
        used: &used,
    };
    for flow in set.iter() {
        resolve::resolve(flow, &set, &known, &problems);
    }
    let lost: HashMap<_, _> = sources
        .iter()
        .map(|(file, text)| (file.clone(), problems.lost_text(file, text)))
        .filter(|(_, lost)| !lost.is_empty())
        .collect();
    let lost: HashMap<_, HashSet<_>> =
        lost.iter().map(|(file, text)| (file, text.split(parts_names).collect())).collect();
    let mut findings = problems.into_findings();
    // What seems to be missing may stand in what could not be read.
    findings.retain(|finding| {
        let lost = finding.place().and_then(|place| lost.get(&place.file));
        let follows = |lost: &HashSet<&str>| finding.more > 0 || names_of(finding, lost);
        !(ABSENCES.contains(&finding.code) && lost.is_some_and(follows))
    });
    sources.sort(&mut findings);
    (set, findings)
}

/// What stands between names.
fn parts_names(c: char) -> bool {
    !(c.is_alphanumeric() || matches!(c, '_' | '-'))
}

/// Whether one of the words in backticks that a finding is about is among these.
fn names_of(finding: &Finding, words: &HashSet<&str>) -> bool {
    let quoted = finding.message.split('`').skip(1).step_by(2);
    quoted
        .flat_map(|quoted| quoted.split(parts_names))
        .any(|word| !word.is_empty() && words.contains(word))
}

/// Reads one flow that calls no other.
pub fn read_one(file: &str, text: &str) -> (Option<Arc<Flow>>, Vec<Finding>) {
    let mut sources = Sources::default();
    sources.add(file, text);
    let (set, findings) = read(&sources);
    (set.iter().next().cloned(), findings)
}
