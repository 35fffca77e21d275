//! Every guard of the shipped flows, taken away: whatever a caller can make of it, the
//! checker has found. What it finds though nobody can make anything of it is listed here.

use std::fs;
use std::path::Path;

use callgate::check::check_sources;
use callgate::diagnostic::{Severity, Sources};
use callgate::engine::turn::Hop;
use callgate::flow::level::Facts;
use callgate::flow::name::LevelName;
use callgate::flow::outcome::Outcome;
use callgate::flow::state::Kind;
use callgate::flow::{Flow, FlowSet};
use expect_test::expect_file;
use toml_edit::{DocumentMut, Item, Table, value};

use super::explore::{Grain, explore};
use super::judge::fields;
use super::world::{Came, World};

/// Calls that are told apart in one mutant.
const CALLS_MAX: usize = 150_000;

/// The flows that are dialled.
const STARTS: [&str; 2] = ["bank", "clinic"];

/// The outcomes by which a state has done what it is there for.
const SUCCESS: [&str; 4] = ["ok", "sent", "found", "completed"];

fn shipped() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("flows");
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), path))
        .map(|(name, path)| (name, fs::read_to_string(path).unwrap()))
        .collect();
    files.sort();
    files
}

fn sources(files: &[(String, String)]) -> Sources {
    let mut sources = Sources::default();
    for (name, text) in files {
        sources.add(name, text.as_str());
    }
    sources
}

/// Each flow with one thing changed: what, and the text.
fn mutants(text: &str) -> Vec<(String, String)> {
    let document: DocumentMut = text.parse().unwrap();
    let mut mutants = Vec::new();
    let mut change = |what: String, how: &dyn Fn(&mut DocumentMut)| {
        let mut document = document.clone();
        how(&mut document);
        mutants.push((what, document.to_string()));
    };
    if let Some(disclose) = document.get("disclose").and_then(Item::as_table) {
        for (field, _) in disclose {
            change(format!("disclose.{field} removed"), &|document| {
                document["disclose"].as_table_mut().unwrap().remove(field);
            });
        }
    }
    for (name, state) in document["states"].as_table().unwrap() {
        let state = state.as_table().unwrap();
        for key in ["requires", "step_up"].into_iter().filter(|key| state.contains_key(key)) {
            change(format!("{name}: {key} removed"), &|document| {
                document["states"][name].as_table_mut().unwrap().remove(key);
            });
        }
        let on = state.get("on").and_then(Item::as_table_like);
        let routes: Vec<(String, String)> = on
            .map(|on| {
                on.iter().map(|(k, v)| (k.to_owned(), v.as_str().unwrap().to_owned())).collect()
            })
            .unwrap_or_default();
        let success = routes.iter().find(|(outcome, _)| SUCCESS.contains(&outcome.as_str()));
        for (outcome, _) in routes.iter().filter(|(it, _)| !SUCCESS.contains(&it.as_str())) {
            change(format!("{name}: {outcome} removed"), &|document| {
                document["states"][name]["on"].as_table_like_mut().unwrap().remove(outcome);
            });
        }
        if state["type"].as_str() == Some("identify") {
            let (_, found) = success.unwrap();
            change(format!("{name}: claims nobody anew"), &|document| {
                let mut say = Table::new();
                say["type"] = value("say");
                say["prompt"] = value("One moment.");
                say["next"] = value(found);
                document["states"][name] = Item::Table(say);
            });
        }
    }
    mutants
}

/// Whether a call gets into a state, as the flows stand now, without what that state demanded as they
/// were before.
fn gets_in(before: &FlowSet, now: &FlowSet, start: &str, came: &Came) -> bool {
    let call = &came.scene.call;
    let begin = before.get(start).unwrap();
    let meets = |facts: &Facts, flow: &Flow, name: &LevelName| {
        let level = begin.levels.get(name).or_else(|| flow.levels.get(name));
        level.is_some_and(|level| level.is_met(facts, came.scene.now, call.risk()))
    };
    let inside = |hop: &Hop, facts: &Facts| {
        let flow = now.get(hop.at.flow.as_str()).unwrap();
        let state = flow.state(&hop.at.state).unwrap();
        let met = state.requires.as_ref().is_none_or(|(name, _)| meets(facts, flow, name));
        let waits = hop.outcome.is_none() && hop.at == call.at && call.end.is_none();
        matches!(state.kind, Kind::Branch(_) | Kind::Call(_)) && met
            || waits
            || hop.outcome.as_ref().is_some_and(|outcome| *outcome != Outcome::Denied)
    };
    // What was entered before may have grown old since.
    let stood = came.before.as_ref().map(|before| &before.at);
    let earlier = came.entry.hops.first().is_some_and(|hop| Some(&hop.at) == stood);
    let hops = came.entry.hops.iter().enumerate().skip(usize::from(earlier));
    let hops = hops.map(|(number, hop)| (hop, came.facts_at(number, now)));
    hops.filter(|(hop, facts)| inside(hop, facts)).any(|(hop, facts)| {
        let flow = before.get(hop.at.flow.as_str()).unwrap();
        let Some(state) = flow.state(&hop.at.state) else { return false };
        let own = state.requires.iter().map(|(level, _)| level);
        let disclosed = fields(state);
        let theirs = disclosed.iter().filter_map(|field| begin.disclose.get(field.as_str()));
        own.chain(theirs).any(|name| !meets(&facts, flow, name))
    })
}

/// No call through the flows as they are gets in anywhere.
fn nobody_gets_in(flows: &FlowSet, start: &str) {
    let world = World::new(flows, start);
    let all = explore(&world, Grain::Coarse, CALLS_MAX, &mut |came| {
        assert!(!gets_in(flows, flows, start, came), "{start}: {:?}", came.scene.call.at);
        false
    });
    assert!(all, "every call through `{start}` was looked at");
}

#[test]
fn whatever_a_caller_can_make_of_a_missing_guard_is_found() {
    let files = shipped();
    let (before, _) = check_sources(&sources(&files));
    std::thread::scope(|scope| {
        for start in STARTS {
            let before = &before;
            scope.spawn(move || nobody_gets_in(before, start));
        }
    });
    let (mut made, mut unread, mut exploited) = (0, 0, 0);
    let (mut missed, mut needless) = (Vec::new(), Vec::new());
    for (index, (file, text)) in files.iter().enumerate() {
        for (what, text) in mutants(text) {
            let mut files = files.clone();
            files[index].1 = text;
            let sources = sources(&files);
            let (now, findings) = check_sources(&sources);
            let (_, unreadable) = callgate::flow::read(&sources);
            made += 1;
            if unreadable.iter().any(|finding| finding.severity == Severity::Error) {
                // No such flow is ever served.
                unread += 1;
                continue;
            }
            let found = findings.iter().any(|finding| finding.severity == Severity::Error);
            let mut gets = false;
            for start in
                STARTS.iter().filter(|start| file == "verify.toml" || file.starts_with(**start))
            {
                let world = World::new(&now, start);
                explore(&world, Grain::Coarse, CALLS_MAX, &mut |came| {
                    gets |= gets_in(&before, &now, start, came);
                    gets |= !world.refusals(came).0.is_empty();
                    gets
                });
            }
            exploited += usize::from(gets);
            match (found, gets) {
                (false, true) => missed.push(format!("{file} {what}")),
                (true, false) => {
                    let codes: Vec<_> = findings.iter().map(|finding| finding.code).collect();
                    needless.push(format!("{file} {what}: {}\n", codes.join(", ")));
                }
                _ => {}
            }
        }
    }
    assert_eq!(missed, [""; 0], "a caller gets in, and the checker is silent");
    let (count, needless) = (needless.len(), needless.concat());
    let list = format!(
        "{made} mutants: {unread} that no flow is read from, {exploited} that a caller gets in by, all \
         found.\n{count} that are found though nobody gets in:\n{needless}"
    );
    expect_file!["./mutation.txt"].assert_eq(&list);
}
