//! What checking costs grows as the flows do, whatever they are made of; and so does what is said of them,
//! up to where nobody reads on.

use std::time::{Duration, Instant};

use callgate::check::{check_sources, check_sources_telling, steps};
use callgate::diagnostic::Sources;
use callgate::diagnostic::alike::Telling;
use callgate::flow;
use callgate::limits;
use callgate::render::{github, human, json, sarif};

use super::monsters;
use crate::support::house::command_in;
use crate::support::process::Ran as _;
use crate::support::work::on_cpu;

/// What it takes to check flows and to say what is wrong with them.
fn cost(sources: &Sources) -> Duration {
    let before = on_cpu();
    let (_, findings) = check_sources(sources);
    for text in [
        json::render(&findings, sources),
        sarif::render(&findings, sources),
        human::render(&findings, sources, false),
    ] {
        assert!(text.len() < 4 << 20, "{} findings, {} bytes", findings.len(), text.len());
    }
    on_cpu().saturating_sub(before)
}

/// Eight times as many states take no more than twenty times as long, where twice the work for each of
/// them would already be strange, and what grows with their square takes more than sixty times as long.
/// What findings there are is held by a cap, and costs the same from there on.
#[test]
fn the_cost_of_a_check_grows_with_what_is_checked() {
    const FEW: usize = 150;
    const TIMES: usize = 8;
    let grown = |make: fn(usize) -> Sources| {
        let (few, many) = (make(FEW), make(TIMES * FEW));
        // The best of several: the first of all warms what all share.
        let few = (0..4).map(|_| cost(&few)).min().unwrap();
        let many = (0..2).map(|_| cost(&many)).min().unwrap();
        many.as_secs_f64() / few.as_secs_f64()
    };
    for (of, make) in monsters::ALL {
        let grown = grown(make);
        assert!(grown < 20.0, "{of}: {TIMES} times as many cost {grown:.1} times as much");
    }
}

/// What following every way takes is counted, so that no machine and no other work on it makes a difference. Who makes
/// it more than a quarter dearer says so here.
#[test]
fn every_way_is_followed_in_so_many_steps() {
    const STEPS: [(&str, usize); 8] = [
        ("menus of ten keys", 3_451),
        ("guards that are not met", 24_020),
        ("step-ups within each other", 597),
        ("rings of silence", 1_051),
        ("proofs in every order, in a loop", 58_266),
        ("specialists who ask for more", 1_447),
        ("variables that may not be set", 460),
        ("dialled flows that share sub-flows", 132),
    ];
    let dearer = |of: &str, make: fn(usize) -> Sources, states, known: usize| {
        let (flows, _) = flow::read(&make(states));
        let counted = steps(&flows);
        (counted * 4 > known * 5)
            .then(|| format!("{of}: {counted} steps, where there were {known}"))
    };
    let all = STEPS.into_iter().filter_map(|(of, known)| {
        let (_, make) = monsters::ALL.into_iter().find(|(name, _)| *name == of).unwrap();
        dearer(of, make, 150, known)
    });
    let (of, make) = monsters::MANY_LEVELS;
    let all: Vec<_> = all.chain(dearer(of, make, 150, 772_040)).collect();
    assert_eq!(all, [""; 0]);
}

#[test]
fn of_what_is_alike_enough_is_told_and_the_rest_is_counted() {
    let keys = 10_000;
    let (_, make) = monsters::ALL.into_iter().find(|(of, _)| *of == "unknown keys").unwrap();
    let sources = make(keys / 10);
    let (_, findings) = check_sources(&sources);
    let alike: Vec<_> = findings.iter().filter(|f| f.code == "unknown-key").collect();
    assert_eq!(alike.len(), limits::FINDINGS_ALIKE_MAX + 1);
    let more: Vec<_> = alike.iter().filter(|finding| finding.more > 0).collect();
    assert_eq!(more.len(), 1);
    let rest = keys - limits::FINDINGS_ALIKE_MAX;
    assert_eq!(more[0].more, rest);
    assert_eq!(more[0].message, format!("there are {rest} more of these in this file"));
    // It stands where the first of them is.
    let line = sources.start(more[0].place().unwrap()).line;
    assert_eq!(line, 4 + limits::FINDINGS_ALIKE_MAX + 1);
    assert_eq!(human::summary(&findings), format!("{keys} errors"));
    let (_, all) = check_sources_telling(&sources, Telling::Everything);
    assert_eq!(all.iter().filter(|finding| finding.code == "unknown-key").count(), keys);
    assert!(all.iter().all(|finding| finding.more == 0));

    let report: serde_json::Value =
        serde_json::from_str(&json::render(&findings, &sources)).unwrap();
    let told = report["findings"].as_array().unwrap().iter();
    assert_eq!(told.filter_map(|f| f["more"].as_u64()).collect::<Vec<_>>(), [rest as u64]);
    let log: serde_json::Value = serde_json::from_str(&sarif::render(&findings, &sources)).unwrap();
    let told = log["runs"][0]["results"].as_array().unwrap().iter();
    let counted: Vec<_> = told.filter_map(|f| f["occurrenceCount"].as_u64()).collect();
    assert_eq!(counted, [rest as u64]);
    assert!(github::render(&findings, &sources).contains(&format!("{rest} more of these")));
}

#[test]
fn who_asks_for_all_findings_gets_them() {
    let folder = tempfile::tempdir().unwrap();
    let (_, make) = monsters::ALL.into_iter().find(|(of, _)| *of == "unknown states").unwrap();
    let (_, text) = make(150).iter().map(|(f, t)| (f.clone(), t.clone())).next().unwrap();
    std::fs::write(folder.path().join("flow.toml"), &*text).unwrap();
    let check = |arguments: &[&str]| {
        let mut command = command_in(folder.path());
        let output = command.args(["check", "flow.toml"]).args(arguments).ran();
        let said = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code(), said(output.stdout), said(output.stderr))
    };
    let (code, told, said) = check(&[]);
    assert_eq!(code, Some(1));
    assert!(told.contains("there are 50 more of these in this file"), "{told:.2000}");
    assert!(said.contains("`--all` tells every one"), "{said}");
    let (code, told, said) = check(&["--all"]);
    assert_eq!(code, Some(1));
    assert!(!told.contains("more of these"));
    assert_eq!(told.matches("[unknown-state]").count(), 150, "{told:.2000}");
    assert!(!said.contains("--all"), "{said}");
}

/// As a shell does that is given `flows/*.toml`.
#[test]
fn files_that_are_named_one_by_one_cost_what_their_folder_does() {
    const FILES: usize = 200;
    let folder = tempfile::tempdir().unwrap();
    let names: Vec<_> = (0..FILES).map(|number| format!("{number}.toml")).collect();
    for name in &names {
        let flow = format!("name = \"f{name}\"\nstart = \"a\"\n[states.a]\ntype = \"hangup\"\n");
        std::fs::write(folder.path().join(name), flow.replace(".toml", "")).unwrap();
    }
    let cost = |named: &[String]| {
        let check = || {
            let began = Instant::now();
            let output = command_in(folder.path()).arg("check").args(named).ran();
            assert!(output.status.success(), "{output:?}");
            began.elapsed()
        };
        (0..3).map(|_| check()).min().unwrap()
    };
    let (whole, one_by_one) = (cost(&[".".to_owned()]), cost(&names));
    assert!(one_by_one < 10 * whole, "{one_by_one:?} where the folder takes {whole:?}");
}

#[test]
fn more_flows_than_anybody_oversees_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    for number in 0..=limits::FLOWS_MAX {
        std::fs::write(folder.path().join(format!("{number}.toml")), "").unwrap();
    }
    let output = command_in(folder.path()).args(["check", "."]).ran();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("more than 10000 flow files"), "{said}");
    let large = tempfile::tempdir().unwrap();
    for number in 0..9 {
        let text = "#".repeat(limits::FLOW_BYTES_MAX);
        std::fs::write(large.path().join(format!("{number}.toml")), text).unwrap();
    }
    let output = command_in(large.path()).args(["check", "."]).ran();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("more than 32 MiB"), "{said}");
}
