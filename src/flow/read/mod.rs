//! Text → flows, collecting every problem of every file.

mod file;
mod resolve;

use std::sync::Arc;

use indexmap::IndexMap;

use super::{Flow, FlowSet};
use crate::diagnostic::{Finding, Problems, Sources};

/// Reads flow files that may call each other. The set holds every flow that could be read at all; it
/// is to be used only if no finding is an error.
pub fn read(sources: &Sources) -> (FlowSet, Vec<Finding>) {
    let problems = Problems::default();
    let mut flows: IndexMap<_, Arc<Flow>> = IndexMap::new();
    for (file, text) in sources.iter() {
        let Some(flow) = file::read(file, text, &problems) else { continue };
        if let Some(other) = flows.get(&flow.name) {
            problems.add(
                Finding::error(
                    "duplicate-flow",
                    format!("a flow named `{}` is in `{}` already", flow.name, other.file),
                    file::beginning(&flow.file),
                )
                .help("give each file its own `name`"),
            );
            continue;
        }
        flows.insert(flow.name.clone(), Arc::new(flow));
    }
    let set: FlowSet = flows.into_values().collect();
    for flow in set.iter() {
        resolve::resolve(flow, &set, &problems);
    }
    let mut findings = problems.into_findings();
    sort(&mut findings, sources);
    (set, findings)
}

/// Reads one flow that calls no other.
pub fn read_one(file: &str, text: &str) -> (Option<Arc<Flow>>, Vec<Finding>) {
    let mut sources = Sources::default();
    sources.add(file, text);
    let (set, findings) = read(&sources);
    (set.iter().next().cloned(), findings)
}

/// Puts findings in the order of files and places, and drops what was found twice.
fn sort(findings: &mut Vec<Finding>, sources: &Sources) {
    let files: Vec<_> = sources.iter().map(|(file, _)| file.clone()).collect();
    findings.sort_by_key(|finding| {
        let place = finding.place();
        let file = place.and_then(|place| files.iter().position(|file| *file == place.file));
        (file, place.map(|place| place.span.start))
    });
    findings.dedup();
}
