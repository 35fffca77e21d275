//! Pictures of flows: whole, compared, and with the ways of calls in them.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};

use callgate::draw::{self, Mark, Sort};
use callgate::flow;
use callgate::limits::DRAWN_STATES_MAX;
use callgate::twiml::grammar;

use crate::support::house::command_in;
use crate::support::process::Ran as _;
use crate::support::tree::{root, text};

fn bank() -> String {
    text("flows/bank.toml")
}

fn read(text: &str) -> std::sync::Arc<flow::Flow> {
    flow::read_one("flow.toml", text).0.unwrap()
}

#[test]
fn every_state_and_way_is_drawn_in_every_format() {
    let picture = draw::of(&read(&bank()));
    let (svg, dot) = (draw::svg::write(&picture), draw::dot::write(&picture));
    let mermaid = draw::mermaid::write(&picture);
    grammar::read(&svg).expect("well-formed XML");
    for card in &picture.cards {
        assert!(svg.contains(&format!(">{}</text>", card.name)), "{}", card.name);
        assert!(dot.contains(&format!("\"{}\" [label=", card.name)), "{}", card.name);
        assert!(mermaid.contains(&format!("<b>{}</b>", card.name)), "{}", card.name);
    }
    assert!(dot.contains("\"balance\" -> \"prove\" [label=\"step up\", style=bold"));
    assert!(dot.contains(
        "\"agent\" -> \"nobody\" [label=\"busy, no_answer, failed, declined\", style=dashed"
    ));
    assert!(svg.contains("stroke-dasharray") && svg.contains("requires strict"));
    // A page may be dark: what is filled light has dark words.
    for filled in mermaid.lines().filter(|line| line.contains("fill:")) {
        assert!(filled.ends_with(",color:#24292f"), "{filled}");
    }
    let lines = mermaid.lines().filter(|line| line.contains("|\"")).count();
    assert_eq!(lines, picture.ways.len());
}

/// Graphviz takes what is meant for it, whatever is in the names and words.
#[test]
fn graphviz_draws_what_is_written_for_it() {
    for flow in ["bank", "clinic", "verify"] {
        let mut graph = command_in(root());
        let written = graph.args(["graph", flow, "--format", "dot"]).ran();
        assert!(written.status.success(), "{flow}");
        let mut dot = Command::new("dot")
            .arg("-Tsvg")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        dot.stdin.take().unwrap().write_all(&written.stdout).unwrap();
        let drawn = dot.wait_with_output().unwrap();
        let told = String::from_utf8_lossy(&drawn.stderr);
        assert!(drawn.status.success() && told.is_empty(), "{flow}: {told}");
        assert!(String::from_utf8_lossy(&drawn.stdout).contains("</svg>"), "{flow}");
    }
}

#[test]
fn a_difference_names_what_was_added_removed_and_changed() {
    let new = bank()
        .replace("requires = \"strong\"", "requires = \"basic\"")
        .replace("busy = \"nobody\"", "busy = \"extra\"")
        .replace(
            "# ---- ways out ----",
            "[states.extra]\ntype = \"say\"\nprompt = \"Busy.\"\nnext = \"nobody\"",
        );
    let picture = draw::between(&read(&bank()), &read(&new));
    let marked: Vec<_> = picture
        .cards
        .iter()
        .filter(|card| card.mark != Mark::Plain)
        .map(|card| (card.name.as_str(), card.mark, card.remark.as_str()))
        .collect();
    assert_eq!(
        marked,
        [
            ("balance", Mark::Changed, "requires"),
            ("extra", Mark::Added, ""),
            ("agent", Mark::Changed, "on")
        ]
    );
    let ways: Vec<_> = picture
        .ways
        .iter()
        .filter(|way| way.mark != Mark::Plain)
        .map(|way| (picture.cards[way.to].name.as_str(), way.labels.join(","), way.mark))
        .collect();
    assert_eq!(
        ways,
        [
            ("nobody", "next".to_owned(), Mark::Added),
            ("extra", "busy".to_owned(), Mark::Added),
            ("nobody", "busy".to_owned(), Mark::Removed)
        ]
    );
    let back = draw::between(&read(&new), &read(&bank()));
    assert!(back.cards.iter().any(|card| card.name == "extra" && card.mark == Mark::Removed));
    let same = draw::between(&read(&bank()), &read(&format!("# a comment\n{}", bank())));
    assert!(same.cards.iter().all(|card| card.mark == Mark::Plain), "comments are no change");
    let bordered =
        |picture: &draw::Picture| draw::svg::write(picture).matches("stroke-width:2.2").count();
    assert!(bordered(&draw::of(&read(&bank()))) > 0, "a level has its colour");
    assert_eq!(bordered(&same), 0, "and none that could be taken for a change");
}

/// What holds for the whole flow stands on no card: each such key that differs is told.
#[test]
fn a_difference_names_every_setting_that_changed() {
    let above = |key: &str| format!("{key}\nname     = \"bank\"");
    let table = |text: &str| format!("{text}\n[disclose]");
    let edits = [
        ("locale   = \"en-US\"", "locale   = \"en-GB\"".to_owned(), "locale"),
        ("Polly.Mia-Neural", "Polly.Lupe-Neural".to_owned(), "voice"),
        ("business = \"Acme", "business = \"Other".to_owned(), "business"),
        ("name     = \"bank\"", above("currency = \"EUR\""), "currency"),
        ("within = \"5m\"", "within = \"9m\"".to_owned(), "levels"),
        ("balance      = \"strong\"", "balance      = \"basic\"".to_owned(), "disclose"),
        ("[disclose]", table("[budget]\nper_day = 0.01"), "budget"),
        ("[disclose]", table("[hours.late]\nzone = \"UTC\"\nopen = [\"22:00-24:00\"]"), "hours"),
    ];
    for (from, to, key) in edits {
        assert_eq!(bank().matches(from).count(), 1, "{from}");
        let (old, new) = (read(&bank()), read(&bank().replace(from, &to)));
        let told = format!("`{key}` is changed");
        assert_eq!(draw::between(&old, &new).notes, [told.as_str()]);
        assert_eq!(draw::between(&new, &old).notes, [told.as_str()]);
    }
    assert_eq!(draw::between(&read(&bank()), &read(&bank())).notes, [""; 0]);
}

#[test]
fn the_way_of_a_call_is_drawn() {
    let trace = root().join("fixtures/calls/bank.balance.toml");
    let run = |format: &str| {
        let mut command = command_in(root());
        command.args(["graph", "bank", "--trace"]).arg(&trace).args(["--format", format]);
        let output = command.ran();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let dot = run("dot");
    let walked = |from: &str, to: &str| {
        let line = format!("\"{from}\" -> \"{to}\"");
        dot.lines().any(|found| found.contains(&line) && found.contains("penwidth=3"))
    };
    for (from, to) in [
        ("menu", "balance"),
        ("balance", "prove"),
        ("prove", "code"),
        ("code", "done"),
        ("done", "balance"),
        ("balance", "more"),
        ("more", "bye"),
    ] {
        assert!(walked(from, to), "{from} -> {to}\n{dot}");
    }
    assert!(!walked("menu", "agent"));
    // Each state says at which steps the call came to it, and not how long it waited there.
    let steps = |state: &str| {
        let begins = format!("  \"{state}\" [label=\"");
        let line = dot.lines().find_map(|line| line.strip_prefix(&begins)).unwrap();
        line.split('"').next().unwrap().rsplit_once("\\n").unwrap().1.to_owned()
    };
    let came = ["welcome", "who", "menu", "balance", "prove", "code", "done", "more", "bye"];
    assert_eq!(came.map(steps).join("; "), "1; 2; 3; 4, 8; 5; 6; 7; 9; 10");
    grammar::read(&run("svg")).expect("well-formed XML");
}

/// What a designer writes is text in every format, whatever it looks like.
#[test]
fn what_is_written_in_a_flow_is_no_markup() {
    let flow = read(
        "name = \"f\"\nstart = \"b\"\n[states.b]\ntype = \"branch\"\notherwise = \"b\"\n\
         cases = [{ when = { var = \"x\", equals = 'a<b>&\"\\|' }, next = \"bye\" }]\n\
         [states.bye]\ntype = \"hangup\"\n",
    );
    let picture = draw::of(&flow);
    let svg = draw::svg::write(&picture);
    grammar::read(&svg).expect("well-formed XML");
    assert!(svg.contains(r"x = a&lt;b&gt;&amp;&quot;\|"), "{svg}");
    let dot = draw::dot::write(&picture);
    assert!(dot.contains(r#"label="x = a<b>&\"\\|""#), "{dot}");
    let mermaid = draw::mermaid::write(&picture);
    assert!(mermaid.contains(r#"|"x = a#60;b#62;#38;#34;\#124;"|"#), "{mermaid}");
}

/// A state says how often the calls came to it.
#[test]
fn the_ways_of_several_calls_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    for call in ["bank.balance.toml", "bank.menu_silent.toml"] {
        std::fs::copy(root().join("fixtures/calls").join(call), folder.path().join(call)).unwrap();
    }
    let mut command = command_in(root());
    command.args(["graph", "bank", "--format", "dot", "--trace"]).arg(folder.path());
    let dot = String::from_utf8(command.ran().stdout).unwrap();
    let of = |state: &str| {
        let begins = format!("  \"{state}\" [label=");
        dot.lines().find(|line| line.starts_with(&begins)).unwrap().to_owned()
    };
    assert!(of("welcome").contains("\\n2 times\""), "{dot}");
    assert!(of("code").contains("\\nonce\""), "{dot}");
}

#[test]
fn sixty_states_are_laid_out_apart() {
    let mut text = String::from("name = \"big\"\nstart = \"s0\"\n");
    for n in 0..60 {
        let (a, b, c) = ((n * 7 + 1) % 60, (n * 3 + 2) % 60, (n * 11 + 5) % 60);
        let _ = write!(
            text,
            "[states.s{n}]\ntype = \"menu\"\nprompt = \"Press.\"\nkeys = {{ 1 = \"s{a}\", 2 = \"s{b}\" }}\non = {{ no_input = \"s{c}\", no_match = \"s0\" }}\n"
        );
    }
    let picture = draw::of(&read(&text));
    assert!(picture.ways.iter().any(|way| way.sort == Sort::Failure));
    let svg = draw::svg::write(&picture);
    assert_eq!(svg.matches("class=\"name\"").count(), 60);
}

#[test]
fn what_cannot_be_drawn_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let run = |args: &[&str]| {
        let output = command_in(folder.path()).arg("graph").args(args).ran();
        (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, stderr) = run(&["nowhere.toml"]);
    assert_eq!(code, 2);
    assert!(stderr.contains("there is no `nowhere.toml`"), "{stderr}");
    std::fs::write(folder.path().join("a.toml"), "name = \"a\"\n").unwrap();
    let (code, stderr) = run(&["a.toml"]);
    assert_eq!(code, 1);
    assert!(stderr.contains("missing-key"), "{stderr}");
}

#[test]
fn as_many_states_are_drawn_as_may_be_and_not_one_more() {
    let folder = tempfile::tempdir().unwrap();
    for (more, code) in [(0, 0), (1, 2)] {
        let state = |n| format!("[states.s{n}]\ntype = \"hangup\"\n");
        let states: String = (0..DRAWN_STATES_MAX + more).map(state).collect();
        let flow = format!("name = \"full\"\nstart = \"s0\"\n{states}");
        std::fs::write(folder.path().join("full.toml"), flow).unwrap();
        let output = command_in(folder.path()).args(["graph", "full.toml"]).ran();
        assert_eq!(output.status.code(), Some(code), "{more}");
    }
}
