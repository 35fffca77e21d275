//! An account field that is used where a caller may lack the level under which it is disclosed.
//!
//! Prompts, messages, whispers, `set` and the conditions of a `branch` are looked at. What `share` names
//! is shown to a specialist only if the facts allow it, and is no finding. What is wrong behind such a
//! state is told with it, of callers who have proved what it asks for.
//!
//! Variables are held to the same levels. One that is made of a field carries the field's level along:
//! through `set`, into a sub-flow by `with` and out of it by `give`. So does whatever is set after a
//! `branch` has asked about such a value, for which way was taken tells of it. All of them are dropped
//! when another account is claimed.
//!
//! Disclosure belongs to the flow that the call begins in: of two flows that call a third, each must
//! disclose the fields that the third uses.
//!
//! ## Why
//!
//! callgate does not say it to such a caller: they are denied the state instead, and where no `denied`
//! is routed the call ends with an apology. A branch goes on as if there were no such value. Neither was
//! meant.
//!
//! ## How to fix it
//!
//! Let the state require the level, with a `step_up` where it can be proved. Where a variable tells
//! of less than it is made of, set it before the branch, or say it where the proof still holds.
//!
//! ## Before
//!
//! ```toml
//! [states.hello]
//! type = "say"
//! prompt = "Your balance is {{ account.balance | money }}."
//! next = "menu"
//! ```
//!
//! ## After
//!
//! ```toml
//! [states.hello]
//! type = "say"
//! requires = "strong"
//! step_up = "prove"
//! on = { denied = "menu" }
//! prompt = "Your balance is {{ account.balance | money }}."
//! next = "menu"
//! ```

use super::unproved::{behind, complete, complete_behind};
use super::{Report, Rule, Subject};
use crate::check::proof::{Gap, Told, proved};
use crate::diagnostic::Severity;

pub(super) const RULE: Rule = Rule {
    code: "disclosed-too-early",
    title: "an account field used below its level",
    severity: Severity::Error,
    source: include_str!("disclosed_too_early.rs"),
    check,
};

fn check(subject: &Subject<'_>, report: &mut Report<'_>) {
    for walks in &subject.proofs {
        for gap in &walks.gaps {
            let Some((told, place)) = &gap.told else { continue };
            report.tell(gap.state, place, |report| {
                let start = &walks.start.name;
                let why = match told {
                    Told::Field(_) if gap.level.is_never() => {
                        format!("flow `{start}` discloses it to nobody")
                    }
                    Told::Variable(_) if gap.level.is_never() => {
                        format!("flow `{start}` has no level of that name")
                    }
                    _ => format!("a caller gets here with {} proved", proved(&gap.known)),
                };
                let message = format!("`{}` uses {}, and {why}", gap.state.name, what(gap, told));
                complete(report.finding(message, place), walks, gap, &fix(gap))
            });
        }
        for found in walks.behind.iter().filter(|found| !found.gap.level.is_never()) {
            let gap = &found.gap;
            let Some((told, place)) = &gap.told else { continue };
            report.tell(gap.state, place, |report| {
                let what = what(gap, told);
                let message = format!("`{}` uses {what}, and {}", gap.state.name, behind(found));
                complete_behind(report.finding(message, place), found, &fix(gap))
            });
        }
    }
}

/// What is used, and whom it is for.
fn what(gap: &Gap<'_>, told: &Told) -> String {
    let level = &gap.name;
    match told {
        Told::Field(field) if gap.level.is_never() => format!("the field `{field}`"),
        Told::Field(field) => format!("the field `{field}`, disclosed at `{level}`"),
        Told::Variable(variable) => {
            format!("the variable `{variable}`, which tells of what is disclosed at `{level}`")
        }
    }
}

fn fix(gap: &Gap<'_>) -> String {
    let fix = format!("let `{}` require `{}` with a `step_up`", gap.state.name, gap.name);
    match &gap.state.requires {
        // What is asked for now may not be lost by that.
        Some((asked, _)) if *asked != gap.name => {
            format!("{fix}, or a level that asks for both if `{asked}` is meant too")
        }
        _ => fix,
    }
}

#[cfg(test)]
mod tests {
    use crate::check::rules::tests::findings;

    /// What the owner is told of a branch is no condition: whoever is let in has it sent.
    #[test]
    fn what_the_owner_is_told_of_a_branch_has_its_level_too() {
        let early = |level: &str| {
            let found = findings(&[&format!(
                "name = \"m\"\nstart = \"who\"\n[levels]\nknown = {{ any = [\"pin\"] }}\nstrict = {{ all = [\"pin\", \"sms_otp\"] }}\n\
                 [disclose]\ntier = \"{level}\"\n\
                 [states.who]\ntype = \"identify\"\nby = [\"digits\"]\nprompt = \"Who?\"\non = {{ found = \"pin\", unknown = \"pin\" }}\n\
                 [states.pin]\ntype = \"gather_pin\"\nprompt = \"PIN?\"\non = {{ ok = \"which\", failed = \"bye\", locked = \"bye\" }}\n\
                 [states.which]\ntype = \"branch\"\nrequires = \"known\"\nnotify = \"Gone {{{{ account.tier }}}}.\"\n\
                 cases = [{{ when = {{ risk = \"high\" }}, next = \"bye\" }}]\notherwise = \"bye\"\non = {{ denied = \"bye\" }}\n\
                 [states.bye]\ntype = \"hangup\"\n"
            )]);
            assert!(!found.iter().any(|it| it.contains(": unproved: ")), "its own level is met");
            found.into_iter().filter(|it| it.contains(": disclosed-too-early: ")).count()
        };
        assert_eq!([early("known"), early("strict")], [0, 1]);
    }

    /// A condition is looked at no further than it takes, so a field behind its level is asked about by nobody
    /// who lacks it.
    #[test]
    fn a_field_may_stand_behind_its_level_in_a_condition() {
        let early = |cases: &str| {
            let mut found = findings(&[&format!(
                "name = \"m\"\nstart = \"who\"\n[levels]\nknown = {{ any = [\"pin\"] }}\nstrict = {{ all = [\"pin\", \"sms_otp\"] }}\n\
                 [disclose]\ntier = \"known\"\n\
                 [states.who]\ntype = \"identify\"\nby = [\"digits\"]\nprompt = \"Who?\"\non = {{ found = \"pin\", unknown = \"pin\" }}\n\
                 [states.pin]\ntype = \"gather_pin\"\nprompt = \"PIN?\"\non = {{ ok = \"which\", failed = \"which\", locked = \"which\" }}\n\
                 [states.which]\ntype = \"branch\"\ncases = [{cases}]\notherwise = \"bye\"\n\
                 [states.gold]\ntype = \"hangup\"\nprompt = \"Gold.\"\n[states.bye]\ntype = \"hangup\"\n"
            )]);
            found.retain(|finding| finding.contains(": disclosed-too-early: "));
            found.len()
        };
        let tier = "{ field = \"tier\", equals = \"gold\" }";
        let to = |when: &str, to: &str| format!("{{ when = {when}, next = \"{to}\" }}");
        for (level, found) in [("known", 0), ("strict", 0)] {
            let all = format!("{{ all = [{{ level = \"{level}\" }}, {tier}] }}");
            assert_eq!(early(&to(&all, "gold")), found, "{level}");
        }
        let not = to("{ not = { level = \"known\" } }", "bye");
        assert_eq!(early(&format!("{not}, {}", to(tier, "gold"))), 0);
        for open in [
            tier.to_owned(),
            format!("{{ all = [{tier}, {{ level = \"known\" }}] }}"),
            format!("{{ any = [{{ level = \"known\" }}, {tier}] }}"),
            format!("{{ all = [{{ not = {{ level = \"known\" }} }}, {tier}] }}"),
        ] {
            assert_eq!(early(&to(&open, "gold")), 1, "{open}");
        }
        let after = format!("{}, {}", to("{ level = \"known\" }", "bye"), to(tier, "gold"));
        assert_eq!(early(&after), 1, "who meets the level is gone by then");
    }

    /// What a sub-flow gives takes the place of what was there, if it is there on every way out.
    #[test]
    fn what_is_surely_given_has_its_own_level_alone() {
        let main = "name = \"m\"\nstart = \"who\"\n[levels]\nknown = { any = [\"pin\"] }\n\
            [states.who]\ntype = \"identify\"\nby = [\"digits\"]\nprompt = \"Who?\"\non = { found = \"ask\", unknown = \"ask\" }\n\
            [states.ask]\ntype = \"lookup\"\nbackend = \"b\"\ngive = { sum = { type = \"number\", label = \"known\" } }\n\
            on = { ok = \"go\", failed = \"go\" }\n\
            [states.go]\ntype = \"call\"\nflow = \"s\"\ngive = { sum = \"x\" }\non = { ok = \"say\" }\n\
            [states.say]\ntype = \"hangup\"\nprompt = \"{{ sum }}\"\n";
        let sub = |silent: &str| {
            format!(
                "name = \"s\"\nstart = \"a\"\n[states.a]\ntype = \"gather\"\nvar = \"x\"\nprompt = \"How many?\"\n\
                 on = {{ ok = \"b\", no_input = \"{silent}\", invalid = \"zero\" }}\n\
                 [states.zero]\ntype = \"set\"\nvalues = {{ x = 0 }}\nnext = \"b\"\n\
                 [states.b]\ntype = \"return\"\noutcome = \"ok\"\n"
            )
        };
        let early = |silent| {
            let mut found = findings(&[main, &sub(silent)]);
            found.retain(|finding| finding.contains(": disclosed-too-early: "));
            found
        };
        assert_eq!(early("zero"), [""; 0]);
        let kept = early("b");
        assert!(kept.len() == 1 && kept[0].contains("the variable `sum`"), "{kept:?}");
    }

    /// What is given on some ways alone has its level as well as ours.
    #[test]
    fn what_may_be_given_has_its_level_too() {
        let main = "name = \"m\"\nstart = \"who\"\n[levels]\nknown = { any = [\"pin\"] }\n\
            [states.who]\ntype = \"identify\"\nby = [\"digits\"]\nprompt = \"Who?\"\non = { found = \"zero\", unknown = \"zero\" }\n\
            [states.zero]\ntype = \"set\"\nvalues = { n = 0 }\nnext = \"go\"\n\
            [states.go]\ntype = \"call\"\nflow = \"s\"\ngive = { n = \"x\" }\non = { ok = \"say\" }\n\
            [states.say]\ntype = \"hangup\"\nprompt = \"{{ n }}\"\n";
        let sub = |failed: &str, label: &str| {
            format!(
                "name = \"s\"\nstart = \"a\"\n[states.a]\ntype = \"lookup\"\nbackend = \"b\"\n\
                 give = {{ x = {{ type = \"number\", label = \"{label}\" }} }}\non = {{ ok = \"c\", failed = \"{failed}\" }}\n\
                 [states.b]\ntype = \"set\"\nvalues = {{ x = 0 }}\nnext = \"c\"\n\
                 [states.c]\ntype = \"return\"\noutcome = \"ok\"\n"
            )
        };
        let early = |failed: &str, label: &str| {
            let found = findings(&[main, &sub(failed, label)]);
            found.iter().filter(|finding| finding.contains(": disclosed-too-early: ")).count()
        };
        for failed in ["b", "c"] {
            assert_eq!([early(failed, "known"), early(failed, "anyone")], [1, 0], "{failed}");
        }
    }

    /// Which way a branch went is told by what is set behind it, in a sub-flow that was called since and where one has
    /// come back; whoever took another way to the same place knows nothing of it.
    #[test]
    fn what_was_asked_about_is_known_in_and_behind_a_sub_flow() {
        const TELL: &str = "[states.wait]\ntype = \"menu\"\nprompt = \"Press 1.\"\nkeys = { 1 = \"tell\" }\n\
            on = { no_input = \"bye\", no_match = \"bye\" }\n\
            [states.tell]\ntype = \"hangup\"\nprompt = \"{{ n }}\"\n[states.bye]\ntype = \"hangup\"\n";
        const ASKS: &str = "type = \"branch\"\ncases = [{ when = { field = \"sum\", above = 0 }, next = \"go\" }]\n\
            otherwise = \"go\"\n";
        let early = |ask: &str, sub: &str, go: &str| {
            let main = format!(
                "name = \"m\"\nstart = \"who\"\n[levels]\nknown = {{ any = [\"pin\"], within = \"1m\" }}\n\
                 [disclose]\nsum = \"known\"\n\
                 [states.who]\ntype = \"identify\"\nby = [\"digits\"]\nprompt = \"Who?\"\non = {{ found = \"which\", unknown = \"which\" }}\n\
                 [states.which]\ntype = \"menu\"\nprompt = \"Press 1.\"\nkeys = {{ 1 = \"pin\" }}\n\
                 on = {{ no_input = \"bye\", no_match = \"bye\" }}\n\
                 [states.pin]\ntype = \"gather_pin\"\nprompt = \"PIN?\"\non = {{ ok = \"way\", failed = \"bye\", locked = \"bye\" }}\n\
                 [states.way]\ntype = \"branch\"\ncases = [{{ when = {{ time = \"mon-fri 09:00-17:00\", zone = \"Europe/Berlin\" }}, next = \"ask\" }}]\notherwise = \"go\"\n\
                 [states.ask]\n{ask}[states.go]\n{go}{TELL}"
            );
            let mut found = findings(&[&main, sub]);
            found.retain(|finding| finding.contains(": disclosed-too-early: "));
            found
        };
        let no = "type = \"say\"\nprompt = \"So.\"\nnext = \"go\"\n";
        let sets = "name = \"s\"\nstart = \"a\"\n[states.a]\ntype = \"set\"\nvalues = { n = 1 }\nnext = \"b\"\n\
            [states.b]\ntype = \"return\"\noutcome = \"ok\"\n";
        let call = "type = \"call\"\nflow = \"s\"\ngive = { n = \"n\" }\non = { ok = \"wait\" }\n";
        assert_eq!(early(no, sets, call), [""; 0]);
        let inside = early(ASKS, sets, call);
        assert!(inside.len() == 1 && inside[0].contains("the variable `n`"), "{inside:?}");

        let asks = "name = \"s\"\nstart = \"a\"\n[states.a]\ntype = \"branch\"\n\
            cases = [{ when = { all = [{ level = \"known\" }, { field = \"sum\", above = 0 }] }, next = \"b\" }]\n\
            otherwise = \"b\"\n[states.b]\ntype = \"return\"\noutcome = \"ok\"\n";
        let call = "type = \"call\"\nflow = \"s\"\non = { ok = \"behind\" }\n\
            [states.behind]\ntype = \"set\"\nvalues = { n = 1 }\nnext = \"wait\"\n";
        let behind = early(no, asks, call);
        assert!(behind.len() == 1 && behind[0].contains("the variable `n`"), "{behind:?}");
    }

    /// What is passed in may be gone by then, with the account that was claimed before: what was there keeps its level.
    #[test]
    fn what_is_passed_in_is_not_surely_given() {
        let claim = |to: &str| {
            format!(
                "type = \"identify\"\nby = [\"digits\"]\nprompt = \"Who?\"\non = {{ found = \"{to}\", unknown = \"{to}\" }}"
            )
        };
        let main = format!(
            "name = \"m\"\nstart = \"who\"\n[levels]\nknown = {{ any = [\"pin\"] }}\n[disclose]\nfirst_name = \"known\"\n\
             [states.who]\n{}\n\
             [states.pin]\ntype = \"gather_pin\"\nprompt = \"PIN?\"\non = {{ ok = \"named\", failed = \"plain\", locked = \"plain\" }}\n\
             [states.named]\ntype = \"set\"\nvalues = {{ m = \"{{{{ account.first_name }}}}\" }}\nnext = \"again\"\n\
             [states.plain]\ntype = \"set\"\nvalues = {{ m = \"you\" }}\nnext = \"again\"\n\
             [states.again]\n{}\n\
             [states.ask]\ntype = \"lookup\"\nbackend = \"b\"\ngive = {{ n = {{ type = \"number\", label = \"known\" }} }}\n\
             on = {{ ok = \"go\", failed = \"bye\" }}\n\
             [states.go]\ntype = \"call\"\nflow = \"s\"\nwith = {{ x = \"m\" }}\ngive = {{ n = \"x\" }}\non = {{ ok = \"say\" }}\n\
             [states.say]\ntype = \"say\"\nprompt = \"{{{{ n }}}}\"\nnext = \"bye\"\n[states.bye]\ntype = \"hangup\"\n",
            claim("pin"),
            claim("ask"),
        );
        let sub = "name = \"s\"\nstart = \"a\"\n[states.a]\ntype = \"say\"\nprompt = \"One moment.\"\nnext = \"b\"\n\
            [states.b]\ntype = \"return\"\noutcome = \"ok\"\n";
        let mut found = findings(&[&main, sub]);
        found.retain(|finding| finding.contains(": disclosed-too-early: "));
        assert!(found.len() == 1 && found[0].contains("the variable `n`"), "{found:?}");
    }

    /// What a look-up loses on the way to a proof is not there where that is come back from.
    #[test]
    fn what_is_lost_on_the_way_to_a_proof_is_not_surely_given() {
        let main = "name = \"m\"\nstart = \"who\"\n[levels]\nknown = { any = [\"pin\"] }\n\
            [states.who]\ntype = \"identify\"\nby = [\"digits\"]\nprompt = \"Who?\"\non = { found = \"ask\", unknown = \"ask\" }\n\
            [states.ask]\ntype = \"lookup\"\nbackend = \"b\"\ngive = { n = { type = \"number\", label = \"known\" } }\n\
            on = { ok = \"go\", failed = \"bye\" }\n\
            [states.go]\ntype = \"call\"\nflow = \"s\"\ngive = { n = \"x\" }\non = { ok = \"say\" }\n\
            [states.say]\ntype = \"say\"\nprompt = \"{{ n }}\"\nnext = \"bye\"\n[states.bye]\ntype = \"hangup\"\n";
        let sub = |on_the_way: &str| {
            format!(
                "name = \"s\"\nstart = \"a\"\n[states.a]\ntype = \"set\"\nvalues = {{ x = 1 }}\nnext = \"b\"\n\
                 [states.b]\ntype = \"say\"\nrequires = \"known\"\nstep_up = \"pin\"\nprompt = \"Hello.\"\nnext = \"c\"\n\
                 on = {{ denied = \"c\" }}\n[states.c]\ntype = \"return\"\noutcome = \"ok\"\n\
                 [states.pin]\ntype = \"gather_pin\"\nprompt = \"PIN?\"\non = {{ ok = \"look\", failed = \"back\", locked = \"back\" }}\n\
                 [states.look]\n{on_the_way}\n[states.back]\ntype = \"return\"\n"
            )
        };
        let early = |on_the_way: &str| {
            let found = findings(&[main, &sub(on_the_way)]);
            found.iter().filter(|finding| finding.contains(": disclosed-too-early: ")).count()
        };
        assert_eq!(early("type = \"say\"\nprompt = \"Thank you.\"\nnext = \"back\""), 0);
        let look_up = "type = \"lookup\"\nbackend = \"b\"\ngive = { x = { type = \"number\", label = \"anyone\" } }\n\
            on = { ok = \"back\", failed = \"back\" }";
        assert_eq!(early(look_up), 1);
    }

    /// A level belongs to the flow that the call begins in: what a variable carries out of another may be for nobody.
    #[test]
    fn a_variable_of_a_level_that_the_flow_lacks_is_told_as_that() {
        let main = "name = \"m\"\nstart = \"who\"\n[levels]\nother = { any = [\"pin\"] }\n\
            [states.who]\ntype = \"identify\"\nby = [\"digits\"]\nprompt = \"Who?\"\non = { found = \"go\", unknown = \"go\" }\n\
            [states.go]\ntype = \"call\"\nflow = \"s\"\ngive = { sum = \"x\" }\non = { ok = \"say\" }\n\
            [states.say]\ntype = \"hangup\"\nprompt = \"{{ sum }}\"\n";
        let sub = "name = \"s\"\nstart = \"ask\"\n[levels]\nknown = { any = [\"pin\"] }\n\
            [states.ask]\ntype = \"lookup\"\nbackend = \"b\"\ngive = { x = { type = \"number\", label = \"known\" } }\n\
            on = { ok = \"back\", failed = \"back\" }\n[states.back]\ntype = \"return\"\noutcome = \"ok\"\n";
        let mut found = findings(&[main, sub]);
        found.retain(|finding| finding.contains(": disclosed-too-early: "));
        let told = "`say` uses the variable `sum`, which tells of what is disclosed at `known`, and flow `m` has no level of that name";
        assert!(found.len() == 1 && found[0].ends_with(told), "{found:?}");
    }
}
