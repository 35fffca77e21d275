//! Every guard of the shipped flows, taken away, and every edge of small ones, led where it should not: what
//! a caller can make of it, the checker has found. What it finds though nobody can make anything of it is
//! listed.
//!
//! Most guards cannot be taken away unnoticed: no flow is read in which an outcome leads nowhere. So edges
//! are led elsewhere too, as a designer in a hurry leads them, and there the checker is all there is.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use callgate::check::check_sources;
use callgate::diagnostic::{Finding, Severity, Sources};
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

/// Small flows whose states ask for proof and send nobody off to give it, so that no step-up mends what an
/// edge does; how finely their calls are told apart hangs on whether they have variables.
const SMALL: [(&str, Grain); 4] = [
    ("counter", Grain::Coarse),
    ("guards", Grain::Coarse),
    ("invoices", Grain::Fine),
    ("owed", Grain::Fine),
];

/// The outcomes by which a state has done what it is there for.
const SUCCESS: [&str; 4] = ["ok", "sent", "found", "completed"];

fn files_of(folder: &str) -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
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

fn changed(document: &DocumentMut, how: &dyn Fn(&mut DocumentMut)) -> String {
    let mut document = document.clone();
    how(&mut document);
    document.to_string()
}

/// Each flow with one thing changed: what, and the text.
fn mutants(text: &str) -> Vec<(String, String)> {
    let document: DocumentMut = text.parse().unwrap();
    let mut mutants = Vec::new();
    let mut change = |what: String, how: &dyn Fn(&mut DocumentMut)| {
        mutants.push((what, changed(&document, how)));
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

/// Each flow with one edge led elsewhere: a failure where success leads, a branch that goes one way
/// whatever it asks, each edge to each state that requires a level.
fn rerouted(text: &str) -> Vec<(String, String)> {
    let document: DocumentMut = text.parse().unwrap();
    let mut mutants = Vec::new();
    let mut change = |what: String, how: &dyn Fn(&mut DocumentMut)| {
        mutants.push((what, changed(&document, how)));
    };
    let states = document["states"].as_table().unwrap();
    let requires = |state: &Item| state.get("requires").is_some() && state.get("step_up").is_none();
    let guarded: Vec<&str> = states.iter().filter(|(_, it)| requires(it)).map(|(n, _)| n).collect();
    for (name, state) in states {
        let edges = |key: &str| -> Vec<(String, String)> {
            let table = state.get(key).and_then(Item::as_table_like);
            let edges = table.into_iter().flat_map(|table| table.iter());
            edges.map(|(k, v)| (k.to_owned(), v.as_str().unwrap().to_owned())).collect()
        };
        let routes = edges("on");
        let success = routes.iter().find(|(outcome, _)| SUCCESS.contains(&outcome.as_str()));
        for key in ["on", "keys"] {
            for (edge, to) in edges(key) {
                let joined =
                    success.filter(|(ok, to_ok)| key == "on" && *ok != edge && *to_ok != to);
                let others = guarded.iter().filter(|other| **other != name && **other != to);
                let targets = joined.iter().map(|(_, to)| to.as_str()).chain(others.copied());
                for target in targets.collect::<BTreeSet<_>>() {
                    change(format!("{name}: {edge} leads to {target}"), &|document| {
                        let edges = document["states"][name][key].as_table_like_mut().unwrap();
                        edges.insert(&edge, value(target));
                    });
                }
            }
        }
        let cases = state.get("cases").and_then(Item::as_array);
        for (number, case) in cases.into_iter().flatten().enumerate() {
            let next = case.as_inline_table().unwrap()["next"].as_str().unwrap();
            change(format!("{name}: otherwise as in case {}", number + 1), &|document| {
                document["states"][name]["otherwise"] = value(next);
            });
            change(format!("{name}: case {} as otherwise", number + 1), &|document| {
                let otherwise = state["otherwise"].as_str().unwrap();
                let cases = document["states"][name]["cases"].as_array_mut().unwrap();
                let case = cases.get_mut(number).unwrap().as_inline_table_mut().unwrap();
                case.insert("next", otherwise.into());
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

/// A change to look at.
struct Mutant {
    /// The file and what is changed in it.
    what: String,
    sources: Sources,
    starts: Vec<&'static str>,
    grain: Grain,
}

/// What came of a mutant.
enum Fate {
    /// No flow is read from it, so none is ever served.
    Unread,
    /// The checker is silent, and nobody gets in.
    Harmless,
    /// A caller gets in, and the checker has found it.
    Found,
    /// A caller gets in, and the checker is silent.
    Missed,
    /// The checker has found these, and nobody gets in.
    Needless(Vec<&'static str>),
}

impl Mutant {
    fn fate(&self, before: &FlowSet) -> Fate {
        let (_, unreadable) = callgate::flow::read(&self.sources);
        let is_error = |finding: &&Finding| finding.severity == Severity::Error;
        if unreadable.iter().any(|finding| is_error(&finding)) {
            return Fate::Unread;
        }
        let (now, findings) = check_sources(&self.sources);
        let codes: Vec<_> = findings.iter().filter(is_error).map(|finding| finding.code).collect();
        let mut gets = false;
        for start in &self.starts {
            let world = World::new(&now, start);
            explore(&world, self.grain, CALLS_MAX, &mut |came| {
                gets |= gets_in(before, &now, start, came);
                gets |= !world.refusals(came).0.is_empty();
                gets
            });
        }
        match (codes.is_empty(), gets) {
            (true, false) => Fate::Harmless,
            (false, true) => Fate::Found,
            (true, true) => Fate::Missed,
            (false, false) => Fate::Needless(codes),
        }
    }
}

/// What came of all mutants of these flows, in words; none may be missed.
fn measured(before: &FlowSet, mutants: &[Mutant]) -> String {
    let (one, other) = mutants.split_at(mutants.len() / 2);
    let fates: Vec<Fate> = std::thread::scope(|scope| {
        let looks = [one, other].map(|half| {
            scope.spawn(move || half.iter().map(|mutant| mutant.fate(before)).collect::<Vec<_>>())
        });
        looks.into_iter().flat_map(|look| look.join().unwrap()).collect()
    });
    let count = |is: fn(&Fate) -> bool| fates.iter().filter(|fate| is(fate)).count();
    let all = || mutants.iter().zip(&fates);
    let missed = all().filter(|(_, fate)| matches!(fate, Fate::Missed));
    let missed: Vec<_> = missed.map(|(mutant, _)| mutant.what.as_str()).collect();
    assert_eq!(missed, [""; 0], "a caller gets in, and the checker is silent");
    let needless: Vec<_> = all()
        .filter_map(|(mutant, fate)| match fate {
            Fate::Needless(codes) => Some(format!("{}: {}\n", mutant.what, codes.join(", "))),
            _ => None,
        })
        .collect();
    format!(
        "{} mutants: {} that no flow is read from, {} by which nobody gets in anywhere, {} that a caller \
         gets in by, all found.\n{} that are found though nobody gets in:\n{}",
        mutants.len(),
        count(|fate| matches!(fate, Fate::Unread)),
        count(|fate| matches!(fate, Fate::Harmless)),
        count(|fate| matches!(fate, Fate::Found)),
        needless.len(),
        needless.concat()
    )
}

/// The mutants that a way of changing texts makes of each of these files.
fn of_files(
    files: &[(String, String)],
    grain: Grain,
    starts: fn(&str) -> Vec<&'static str>,
    change: &dyn Fn(&str) -> Vec<(String, String)>,
) -> Vec<Mutant> {
    let of_file = |(index, (file, text)): (usize, &(String, String))| {
        let mutant = move |(what, text): (String, String)| {
            let mut files = files.to_vec();
            files[index].1 = text;
            let sources = sources(&files);
            Mutant { what: format!("{file} {what}"), sources, starts: starts(file), grain }
        };
        change(text).into_iter().map(mutant).collect::<Vec<_>>()
    };
    files.iter().enumerate().flat_map(of_file).collect()
}

/// The shipped flows that a change of this file touches.
fn of_shipped(file: &str) -> Vec<&'static str> {
    STARTS.into_iter().filter(|start| file == "verify.toml" || file.starts_with(start)).collect()
}

#[test]
fn whatever_a_caller_can_make_of_a_missing_guard_is_found() {
    let files = files_of("flows");
    let (before, _) = check_sources(&sources(&files));
    std::thread::scope(|scope| {
        for start in STARTS {
            let before = &before;
            scope.spawn(move || nobody_gets_in(before, start));
        }
    });
    let removed = of_files(&files, Grain::Coarse, of_shipped, &mutants);
    expect_file!["./mutation.txt"].assert_eq(&measured(&before, &removed));
}

#[test]
fn whatever_a_caller_can_make_of_an_edge_led_elsewhere_is_found() {
    let mut text = String::new();
    for (start, grain) in SMALL {
        let file = format!("{start}.toml");
        let mut files = files_of("fixtures/flows/good");
        files.retain(|(name, _)| *name == file);
        let (before, _) = check_sources(&sources(&files));
        nobody_gets_in(&before, start);
        let starts = |file: &str| -> Vec<_> {
            SMALL.iter().map(|(start, _)| *start).filter(|it| file.starts_with(it)).collect()
        };
        let mutants = of_files(&files, grain, starts, &rerouted);
        text += &format!("{file}: {}\n", measured(&before, &mutants));
    }
    expect_file!["./mutation_edges.txt"].assert_eq(&text);
}
