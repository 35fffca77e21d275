//! Random flows: states of every type that a proof has to do with, led to each other anyhow.

use callgate::check::check_sources;
use callgate::diagnostic::{Severity, Sources};
use callgate::flow::FlowSet;

/// Numbers that are the same in every run (`SplitMix64`).
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % most as u64).unwrap()
    }

    pub(crate) fn one<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }

    pub(crate) fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }
}

struct Made {
    name: String,
    lines: String,
    requires: Option<&'static str>,
    step_up: bool,
    denied: String,
    on: Vec<(&'static str, String)>,
}

/// A flow and its sub-flow, as long as they are being made.
struct Draft {
    states: Vec<Made>,
    sub: Option<String>,
}

const HEAD: &str = "start = \"begin\"\n[levels]\nlo = { any = [\"pin\"] }\n\
    hi = { any = [\"sms_otp\", \"callback\"] }\nboth = { all = [\"knowledge\", \"possession\"] }\n\
    fresh = { any = [\"pin\", \"service_code\"], within = \"30s\" }\n\
    [disclose]\nfirst_name = \"lo\"\nbalance = \"hi\"\n[states.bye]\ntype = \"hangup\"\n\
    [states.begin]\ntype = \"set\"\nvalues = { v = \"x\", w = \"x\" }\nnext = \"s0\"\n";
const LEVELS: [&str; 4] = ["lo", "hi", "both", "fresh"];
/// Branches on what the checker knows for certain.
const BRANCHES: [&str; 6] = [
    "{ fact = \"pin\" }",
    "{ level = \"hi\" }",
    "{ not = { level = \"both\" } }",
    "{ attestation = \"A\" }",
    "{ field = \"balance\", at_least = 5 }",
    "{ any = [{ fact = \"callback\" }, { level = \"fresh\" }] }",
];
/// And on what variables hold, which it does not follow: either way may be taken.
const GUESSES: [&str; 4] = [
    "{ field = \"balance\", at_least = 5 }",
    "{ var = \"v\", equals = \"x\" }",
    "{ var = \"w\", at_least = 5 }",
    "{ not = { any = [{ var = \"v\", present = true }, { level = \"fresh\" }] } }",
];
/// Where a level is proved: one factor after the other, and back.
const PROVE: &str = "[states.prove]\ntype = \"gather_pin\"\nprompt = \"PIN?\"\ndigits = 6\ntries = 1\n\
    on = { ok = \"prove2\", failed = \"back\", locked = \"back\" }\n\
    [states.prove2]\ntype = \"send_sms_otp\"\n\
    on = { sent = \"prove3\", unavailable = \"back\", limited = \"back\" }\n\
    [states.prove3]\ntype = \"gather_otp\"\nprompt = \"Code?\"\ntries = 1\n\
    on = { ok = \"back\", failed = \"back\", expired = \"back\", undelivered = \"back\" }\n\
    [states.back]\ntype = \"return\"\n";

impl Draft {
    fn random(dice: &mut Dice, most: usize, branches: &[&str]) -> Self {
        let count = 3 + dice.below(most - 2);
        let calls = dice.once_in(3);
        let states = (0..count).map(|number| made(dice, number, count, calls, branches)).collect();
        let called = |made: &Made| made.lines.contains("\"call\"");
        let mut draft = Self { states, sub: None };
        if draft.states.iter().any(called) {
            let inner: String = (0..2).map(|n| text(&made(dice, n, 2, false, branches))).collect();
            let inner = inner.replace("\"bye\"", "\"no\"").replace("requires = \"fresh\"\n", "");
            let inner = inner.replacen("\"no\"", "\"yes\"", 1);
            draft.sub = Some(format!(
                "name = \"sub\"\nstart = \"s0\"\n[states.yes]\ntype = \"return\"\noutcome = \"ok\"\n\
                 [states.no]\ntype = \"return\"\noutcome = \"failed\"\n{inner}{}",
                if inner.contains("step_up") { PROVE } else { "" }
            ));
        }
        draft
    }

    fn sources(&self) -> Sources {
        let states: String = self.states.iter().map(text).collect();
        let prove = if self.states.iter().any(|made| made.step_up) { PROVE } else { "" };
        let mut sources = Sources::default();
        sources.add("main.toml", format!("name = \"main\"\n{HEAD}{states}{prove}"));
        if let Some(sub) = &self.sub {
            sources.add("sub.toml", sub.as_str());
        }
        sources
    }
}

fn made(dice: &mut Dice, number: usize, count: usize, calls: bool, branches: &[&str]) -> Made {
    // Mostly onwards, so that there is an end.
    let mut to = || {
        let onwards = number + 1 + dice.below(count - number);
        let next = if dice.once_in(6) { dice.below(count) } else { onwards };
        if next >= count { "bye".to_owned() } else { format!("s{next}") }
    };
    let (a, b, c, denied) = (to(), to(), to(), to());
    let requires = if dice.once_in(3) { Some(*dice.one(&LEVELS)) } else { None };
    let listens = |kind: &str| format!("type = \"{kind}\"\nprompt = \"What?\"\ntries = 1\n");
    let says = [
        "So.",
        "Hello {{ account.first_name }}.",
        "{{ account.balance | money }}.",
        "It is {{ v }}.",
    ];
    let sets = [
        "v = \"{{ account.first_name }}\"",
        "v = \"{{ account.balance }}\"",
        "w = \"{{ v }}\", v = 1",
        "v = \"{{ w }} {{ account.first_name }}\"",
        "v = \"x\"",
    ];
    let (lines, on): (String, Vec<(&str, String)>) = match dice.below(if calls { 14 } else { 13 }) {
        0 => {
            (format!("type = \"say\"\nprompt = \"{}\"\nnext = \"{a}\"\n", dice.one(&says)), vec![])
        }
        1 => (
            format!("{}keys = {{ 1 = \"{a}\", 2 = \"{b}\" }}\n", listens("menu")),
            vec![("no_input", c.clone()), ("no_match", c)],
        ),
        2 | 3 => (
            format!("{}by = [\"digits\"]\ndigits = 8\n", listens("identify")),
            vec![("found", a), ("unknown", b)],
        ),
        4 | 5 => (
            {
                let verdict = if dice.once_in(3) { "verdict = \"combined\"\n" } else { "" };
                format!("{}digits = 6\n{verdict}", listens("gather_pin"))
            },
            vec![("ok", a), ("failed", b.clone()), ("locked", if dice.once_in(2) { b } else { c })],
        ),
        6 => (
            "type = \"send_sms_otp\"\n".into(),
            vec![("sent", a), ("unavailable", b), ("limited", c)],
        ),
        7 => (
            listens("gather_otp"),
            vec![("ok", a), ("failed", b.clone()), ("expired", b), ("undelivered", c)],
        ),
        8 => (
            "type = \"callback\"\ntries = 1\n".into(),
            vec![
                ("ok", a),
                ("failed", b.clone()),
                ("no_answer", b),
                ("unavailable", c.clone()),
                ("limited", c),
            ],
        ),
        9 => {
            let when = *dice.one(branches);
            (
                format!(
                    "type = \"branch\"\ncases = [{{ when = {when}, next = \"{a}\" }}]\notherwise = \"{b}\"\n"
                ),
                vec![],
            )
        }
        10 => (
            "type = \"transfer\"\nto = { number = \"+15005550020\" }\n".into(),
            ["completed", "busy", "no_answer", "failed", "declined"]
                .map(|outcome| {
                    (outcome, if outcome == "completed" { a.clone() } else { b.clone() })
                })
                .to_vec(),
        ),
        11 => (
            format!("{}digits = 6\n", listens("gather_service_code")),
            vec![("ok", a), ("failed", b), ("locked", c)],
        ),
        12 => (
            format!("type = \"set\"\nvalues = {{ {} }}\nnext = \"{a}\"\n", dice.one(&sets)),
            vec![],
        ),
        _ => (
            "type = \"call\"\nflow = \"sub\"\nwith = { v = \"v\", w = \"w\" }\ngive = { v = \"w\" }\n".into(),
            vec![("ok", a), ("failed", b)],
        ),
    };
    let step_up = requires.is_some() && dice.once_in(2);
    Made { name: format!("s{number}"), lines, requires, step_up, denied, on }
}

fn text(made: &Made) -> String {
    let mut text = format!("[states.{}]\n{}", made.name, made.lines);
    let mut on = made.on.clone();
    if let Some(level) = made.requires {
        text = format!("{text}requires = \"{level}\"\n");
        on.push(("denied", made.denied.clone()));
        if made.step_up {
            text += "step_up = \"prove\"\n";
        }
    }
    let on: Vec<_> = on.iter().map(|(outcome, to)| format!("{outcome} = \"{to}\"")).collect();
    if !on.is_empty() {
        text = format!("{text}on = {{ {} }}\n", on.join(", "));
    }
    text
}

/// A flow that can be run, with whatever holes it has; what nobody can get to is left out.
pub(super) fn any(dice: &mut Dice, most: usize) -> (Sources, FlowSet) {
    draw(dice, most, false)
}

/// A flow without a hole: those it had are mended as the findings say.
pub(super) fn clean(dice: &mut Dice, most: usize) -> (Sources, FlowSet) {
    draw(dice, most, true)
}

fn draw(dice: &mut Dice, most: usize, mended: bool) -> (Sources, FlowSet) {
    loop {
        let branches = if mended { [&BRANCHES[..], &GUESSES].concat() } else { BRANCHES.to_vec() };
        let mut draft = Draft::random(dice, most, &branches);
        for _ in 0..24 {
            let sources = draft.sources();
            let (flows, findings) = check_sources(&sources);
            let errors: Vec<_> =
                findings.iter().filter(|finding| finding.severity == Severity::Error).collect();
            let at = |finding: &callgate::diagnostic::Finding| {
                let state = finding.message.split('`').nth(1).unwrap_or_default();
                let own = finding.place().is_some_and(|place| &*place.file == "main.toml");
                draft.states.iter().position(|made| own && made.name == state)
            };
            let holes = ["unproved", "disclosed-too-early", "failure-shares-success"];
            if errors.iter().all(|finding| !mended && holes.contains(&finding.code)) {
                return (sources, flows);
            }
            let unreachable = errors.iter().find(|finding| finding.code == "unreachable-state");
            let hole = errors.iter().find(|finding| holes[..2].contains(&finding.code));
            match (unreachable.map(|f| at(f)), hole.filter(|_| mended)) {
                (Some(Some(state)), _) => {
                    draft.states.remove(state);
                }
                (None, Some(hole)) => {
                    let Some(state) = at(hole) else { break };
                    let made = &mut draft.states[state];
                    if hole.code == "disclosed-too-early" {
                        let level = if hole.message.contains("`hi`") { "both" } else { "lo" };
                        if made.requires == Some(level) || made.lines.contains("\"branch\"") {
                            break;
                        }
                        made.requires = Some(level);
                    }
                    made.step_up = true;
                }
                _ => break,
            }
        }
    }
}
