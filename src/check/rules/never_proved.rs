//! A state that nobody is ever let into: no way through the flow proves the level that it requires.
//!
//! Levels of which no more is asked at a risk are looked at as at a low one. A flow that is there to be called
//! is looked at through those that call it.
//!
//! ## Why
//!
//! Everybody who asks for it is denied it, whatever they prove: the proof was forgotten, or a `step_up` leads to
//! another.
//!
//! ## How to fix it
//!
//! Lead callers through a state that proves what the level asks for, or let the level ask for what the flow can
//! prove.
//!
//! ## Before
//!
//! ```toml
//! [levels]
//! strong = { any = ["callback"] }
//!
//! [states.balance]
//! type = "say"
//! requires = "strong"
//! step_up = "pin"
//! ```
//!
//! ## After
//!
//! ```toml
//! [states.balance]
//! type = "say"
//! requires = "strong"
//! step_up = "ring"
//!
//! [states.ring]
//! type = "callback"
//! on = { ok = "back", failed = "back", no_answer = "back", unavailable = "back", limited = "back" }
//! ```

use std::collections::HashSet;

use super::{Report, Rule, Subject};
use crate::check::proof::Walks;
use crate::diagnostic::Severity;
use crate::flow::risk::Risk;

pub(super) const RULE: Rule = Rule {
    code: "never-proved",
    title: "a state whose level no way through the flow proves",
    severity: Severity::Warning,
    source: include_str!("never_proved.rs"),
    check,
};

fn check(subject: &Subject<'_>, report: &mut Report<'_>) {
    // Of one through which there are too many ways nothing is known, and that is told.
    if subject.proofs.iter().any(|walks| walks.unfinished) {
        return;
    }
    let walks = || subject.proofs.iter();
    // Who comes to one only through another is let into it once that lets them by.
    let behind = walks().flat_map(|walks| &walks.open_behind).copied();
    let entered: HashSet<_> = walks()
        .flat_map(Walks::insiders)
        .map(|(flow, state, _)| (&flow.name, &state.name))
        .chain(behind)
        .collect();
    let behind = walks().flat_map(|walks| &walks.behind).map(|behind| &behind.gap);
    let unproved: HashSet<_> = walks()
        .flat_map(|walks| &walks.gaps)
        .chain(behind)
        .map(|gap| (&gap.flow.name, &gap.state.name))
        .collect();
    for (walk, state) in subject.states() {
        let Some((name, place)) = &state.requires else { continue };
        let reached = walk.index(&state.name).is_some_and(|index| walk.reached(index));
        let at = (&walk.flow.name, &state.name);
        let alone = walk.is_sub_flow() && !walk.called;
        if !reached || alone || entered.contains(&at) || unproved.contains(&at) {
            continue;
        }
        let message = format!("nobody is let into `{}`: no way proves `{name}`", state.name);
        let finding = report.finding(message, place);
        let level = walks().find_map(|walks| walks.start.levels.get(name));
        let help = level.or_else(|| walk.flow.levels.get(name)).map_or_else(
            || "lead callers through a state that proves it".to_owned(),
            |level| {
                format!(
                    "`{name}` asks for {}: lead callers to where that is proved",
                    level.words(Risk::Low)
                )
            },
        );
        report.add_at(state, finding.help(help));
    }
}

#[cfg(test)]
mod tests {
    use crate::check::rules::tests::findings;

    const HEAD: &str = "name = \"f\"\nstart = \"who\"\n[levels]\nl = { any = [\"pin\"] }\n\
        [states.who]\ntype = \"identify\"\nby = [\"digits\"]\nprompt = \"Who?\"\n\
        on = { found = \"in\", unknown = \"in\" }\n\
        [states.bye]\ntype = \"hangup\"\n[states.back]\ntype = \"return\"\n";

    fn never_proved(texts: &[&str]) -> Vec<String> {
        let mut found = findings(texts);
        found.retain(|finding| finding.contains(": never-proved: "));
        found
    }

    fn inside(step_up: &str) -> String {
        format!(
            "[states.in]\ntype = \"say\"\nprompt = \"s\"\nrequires = \"l\"\n{step_up}\
             on = {{ denied = \"bye\" }}\nnext = \"bye\"\n"
        )
    }

    const PIN: &str = "[states.pin]\ntype = \"gather_pin\"\nprompt = \"PIN?\"\n\
        on = { ok = \"back\", failed = \"back\", locked = \"back\" }\n";

    #[test]
    fn a_step_up_must_be_able_to_prove_it() {
        let flow = format!("{HEAD}{}{PIN}", inside("step_up = \"pin\"\n"));
        assert_eq!(never_proved(&[&flow]), [""; 0]);
        let other = flow.replace("any = [\"pin\"]", "any = [\"callback\"]");
        let told = "17: never-proved: nobody is let into `in`: no way proves `l`";
        assert_eq!(never_proved(&[&other]), [told]);
    }

    /// Nobody comes to what is behind such a state: it is looked at as if they did, and what is wrong there is told with
    /// it, unless that state is meant so.
    #[test]
    fn what_is_wrong_behind_it_is_told_with_it() {
        let found = |accept: &str, behind: &str| {
            let flow = format!(
                "{HEAD}{}{PIN}[states.more]\ntype = \"say\"\n{behind}next = \"bye\"\n\
                 [disclose]\nsum = \"both\"\n",
                inside(&format!("step_up = \"pin\"\n{accept}"))
            );
            let flow = flow.replace("next = \"bye\"", "next = \"more\"");
            let flow = flow.replace(
                "any = [\"pin\"] }",
                "any = [\"callback\"] }\nboth = { all = [\"callback\", \"pin\"] }",
            );
            let flow =
                flow.replacen("next = \"more\"\n[disclose]", "next = \"bye\"\n[disclose]", 1);
            let mut found = findings(&[&flow]);
            found.retain(|it| {
                ["never-proved", "unproved", "too-early"].iter().any(|code| it.contains(code))
            });
            found
        };
        let told = "18: never-proved: nobody is let into `in`: no way proves `l`";
        let said = "prompt = \"So.\"\n";
        assert_eq!(found("", said), [told]);
        assert_eq!(
            found("", &format!("{said}requires = \"l\"\n")),
            [told],
            "they are let in there"
        );
        assert_eq!(
            found("", &format!("{said}requires = \"both\"\n")),
            [
                told,
                "29: unproved: `more` requires `both`, and once `in` lets callers by they get here with `callback` proved"
            ]
        );
        assert_eq!(
            found("", "prompt = \"{{ account.sum }}\"\n"),
            [
                told,
                "28: disclosed-too-early: `more` uses the field `sum`, disclosed at `both`, and once `in` lets callers by \
              they get here with `callback` proved"
            ]
        );
        let accept = "accept = [\"never-proved\"]\n";
        assert_eq!(found(accept, "prompt = \"{{ account.sum }}\"\n"), [""; 0], "it is meant so");
    }

    #[test]
    fn what_is_open_to_all_is_told_as_that() {
        let flow = format!("{HEAD}{}{PIN}", inside(""));
        assert_eq!(never_proved(&[&flow]), [""; 0]);
    }

    #[test]
    fn what_a_caller_of_the_flow_proves_is_proved() {
        let sub = "name = \"g\"\nstart = \"in\"\n[states.in]\ntype = \"say\"\nprompt = \"s\"\n\
            requires = \"l\"\nnext = \"done\"\n[states.done]\ntype = \"return\"\noutcome = \"ok\"\n";
        let calls = "[states.in]\ntype = \"gather_pin\"\nprompt = \"PIN?\"\n\
            on = { ok = \"sub\", failed = \"bye\", locked = \"bye\" }\n\
            [states.sub]\ntype = \"call\"\nflow = \"g\"\non = { ok = \"bye\" }\n";
        assert_eq!(never_proved(&[&format!("{HEAD}{calls}"), sub]), [""; 0]);
        let own = format!("{sub}[levels]\nl = {{ any = [\"pin\"] }}\n");
        assert_eq!(never_proved(&[&own]), [""; 0], "it is there to be called");
    }
}
