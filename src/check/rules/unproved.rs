//! A state that requires a level, and that a caller can get to without having proved it.
//!
//! Every way to the state is looked at: through silence, wrong entries, errors of the provider, locks,
//! loops and sub-flows. The finding shows a shortest one as a call script. A level belongs to the flow that
//! the call begins in: of two flows that call a third, each must have the levels that the third requires.
//! What is wrong behind such a state is told with it, of callers who have proved what it asks for; behind one that
//! nobody is let into (`never-proved`) as a warning, as that is.
//!
//! ## Why
//!
//! The level would be refused when the call comes to it, so nothing is given away; but somebody meant
//! to have proof by then, and on this way nobody asks for it. One careless edit more, and it is open.
//!
//! ## How to fix it
//!
//! Give the state a `step_up`, where who lacks the level can prove it, and say where `denied` leads. Or
//! lead the edge shown to where the proof is asked for. A `branch` on the level before the state does
//! as well. A proof that must be fresh (`within`) grows old while the caller listens: only a `step_up`
//! can ask for it again.
//!
//! ## Before
//!
//! ```toml
//! [states.new_pin]
//! type = "say"
//! requires = "strong"
//! prompt = "Your new PIN is on its way."
//! next = "menu"
//! ```
//!
//! ## After
//!
//! ```toml
//! [states.new_pin]
//! type = "say"
//! requires = "strong"
//! step_up = "prove"
//! on = { denied = "agent" }
//! prompt = "Your new PIN is on its way."
//! next = "menu"
//! ```

use super::{Report, Rule, Subject, never_proved};
use crate::check::proof::{Behind, Gap, Script, Told, Walks, proved};
use crate::diagnostic::{Finding, Severity};

pub(super) const RULE: Rule = Rule {
    code: "unproved",
    title: "a state that can be come to without the level it requires",
    severity: Severity::Error,
    source: include_str!("unproved.rs"),
    check,
};

fn check(subject: &Subject<'_>, report: &mut Report<'_>) {
    for walks in &subject.proofs {
        if walks.unfinished {
            let message = format!(
                "there are too many ways through flow `{}` to prove anything",
                walks.start.name
            );
            let help = "let step-ups end with `return`, and move parts into sub-flows";
            report.add(report.finding(message, &walks.start.places.name).help(help));
        }
        for gap in walks.gaps.iter().filter(|gap| gap.told.is_none()) {
            let Some((_, place)) = &gap.state.requires else { continue };
            report.tell(gap.state, place, |report| {
                let why = if gap.level.is_never() {
                    format!("flow `{}` has no level of that name", walks.start.name)
                } else {
                    format!("a caller gets here with {} proved", proved(&gap.known))
                };
                let message = format!("`{}` requires `{}`, and {why}", gap.state.name, gap.name);
                let fix = format!("give `{}` a `step_up`", gap.state.name);
                complete(report.finding(message, place), walks, gap, &fix)
            });
        }
        let found = walks.behind.iter();
        for found in found.filter(|it| it.gap.told.is_none() && !it.gap.level.is_never()) {
            let gap = &found.gap;
            let Some((_, place)) = &gap.state.requires else { continue };
            report.tell(gap.state, place, |report| {
                let (state, level) = (&gap.state.name, &gap.name);
                let message = format!("`{state}` requires `{level}`, and {}", behind(found));
                let fix = format!("give `{state}` a `step_up`");
                complete_behind(report.finding(message, place), found, &fix)
            });
        }
    }
}

/// Adds the script, the edge and the way out.
pub(super) fn complete(finding: Finding, walks: &Walks<'_>, gap: &Gap<'_>, fix: &str) -> Finding {
    let script = Script::of(walks, gap);
    let start = &walks.start.name;
    let mut fix = format!("{fix}, or lead the edge elsewhere");
    let why = if gap.level.is_never() {
        fix = match &gap.told {
            Some((Told::Field(field), _)) => {
                format!("write {field} = \"<level>\" under [disclose] of flow `{start}`")
            }
            _ => format!("give flow `{start}` a level `{}`", gap.name),
        };
        "levels and disclosure belong to the flow that a call begins in".into()
    } else if gap.known.meets_but_for_age(gap.level) {
        let within = gap.level.demands(gap.known.risk).filter_map(|(_, within)| within).min();
        let within_s = within.map_or(0, |within| within.as_secs());
        format!(
            "the proof may be older than the {within_s} s of `{}`: only the running call can tell",
            gap.name
        )
    } else {
        let asks = format!("`{}` asks for {}", gap.name, gap.level.words(gap.known.risk));
        gap.known.why_not(gap.level).map_or(asks.clone(), |why| format!("{asks}: {why}"))
    };
    let others = match gap.others {
        0 => String::new(),
        1 => "\none other way leads there without it".into(),
        others => format!("\n{others} other ways lead there without it"),
    };
    let script_lines = script.lines().join("\n");
    let help = format!("a call that gets there:\n{script_lines}{others}\n{why}\n{fix}");
    match script.lost {
        Some(lost) => finding.label(lost.what, lost.place),
        None => finding,
    }
    .help(help)
}

/// A demand behind others that let nobody by: what callers lack there, and the way out. Nothing is open behind what
/// is shut: it is as bad as that.
pub(super) fn complete_behind(finding: Finding, found: &Behind<'_>, fix: &str) -> Finding {
    let gap = &found.gap;
    let severity = if found.is_shut { never_proved::RULE.severity } else { finding.severity };
    let finding = Finding { severity, ..finding };
    let asks = format!("`{}` asks for {}", gap.name, gap.level.words(gap.known.risk));
    let asks = gap.known.why_not(gap.level).map_or(asks.clone(), |why| format!("{asks}: {why}"));
    finding.help(format!("{asks}\n{fix}, or lead the edge elsewhere"))
}

/// Who gets to a demand behind others.
pub(super) fn behind(behind: &Behind<'_>) -> String {
    let (after, proved) = (&behind.after.name, proved(&behind.gap.known));
    format!("once `{after}` lets callers by they get here with {proved} proved")
}

#[cfg(test)]
mod tests {
    use crate::check::check_sources;
    use crate::check::rules::tests::findings;
    use crate::diagnostic::{Severity, Sources};

    const HEAD: &str = "name = \"f\"\nstart = \"who\"\n[levels]\nl = { any = [\"pin\"] }\n\
        both = { all = [\"pin\", \"sms_otp\"] }\nfresh = { any = [\"pin\"], within = \"2m\" }\n\
        [states.who]\ntype = \"identify\"\nby = [\"digits\"]\nprompt = \"Who?\"\n\
        on = { found = \"pin\", unknown = \"pin\" }\n\
        [states.bye]\ntype = \"hangup\"\n";

    fn unproved(states: &str) -> Vec<String> {
        let mut found = findings(&[&format!("{HEAD}{states}")]);
        found.retain(|finding| finding.contains(": unproved: "));
        found.iter().map(|f| f.split(": unproved: ").nth(1).unwrap().to_owned()).collect()
    }

    /// Who lacks a level is turned away, so nobody comes to what is wrong further on: it is told all the same, of
    /// callers who have proved what was asked for before it.
    #[test]
    fn what_is_wrong_behind_a_gap_is_told_with_it() {
        let found = |second: &str, third: &str| {
            let flow = format!(
                "{HEAD}[disclose]\nname = \"l\"\nsum = \"both\"\n\
                 [states.pin]\ntype = \"say\"\nprompt = \"{{{{ account.name }}}}\"\nnext = \"second\"\n\
                 [states.second]\ntype = \"say\"\n{second}next = \"third\"\n\
                 [states.third]\ntype = \"say\"\n{third}next = \"bye\"\n"
            );
            let early =
                |it: &String| it.contains("disclosed-too-early: ") || it.contains("unproved: ");
            let found = findings(&[&flow]).into_iter().filter(early);
            found.map(|it| it.split_once(": ").unwrap().1.to_owned()).collect::<Vec<_>>()
        };
        let first = "disclosed-too-early: `pin` uses the field `name`, disclosed at `l`, and a caller gets here with nothing proved";
        let said = "prompt = \"So.\"\n";
        assert_eq!(found(said, said), [first]);
        let name = "prompt = \"{{ account.name }}\"\n";
        assert_eq!(found(name, name), [first], "who is let by the first is let by these");
        let sum = "prompt = \"{{ account.sum }}\"\n";
        assert_eq!(
            found(sum, sum),
            [
                first,
                "disclosed-too-early: `second` uses the field `sum`, disclosed at `both`, and once `pin` lets callers by \
              they get here with `pin` proved"
            ]
        );
        assert_eq!(
            found(said, "prompt = \"So.\"\nrequires = \"both\"\n"),
            [
                first,
                "unproved: `third` requires `both`, and once `pin` lets callers by they get here with `pin` proved"
            ]
        );
    }

    /// Nothing is open behind what is shut.
    #[test]
    fn what_is_behind_a_state_that_nobody_is_let_into_is_as_bad_as_that() {
        let severity = |step_up: &str| {
            let flow = format!(
                "{HEAD}[states.second]\ntype = \"say\"\nrequires = \"both\"\n{step_up}prompt = \"So.\"\n\
                 next = \"third\"\n[states.third]\ntype = \"say\"\nrequires = \"three\"\nprompt = \"So.\"\n\
                 next = \"bye\"\n[states.back]\ntype = \"return\"\n{}",
                pin("{ ok = \"second\", failed = \"bye\", locked = \"bye\" }")
            );
            let three = "[levels]\nthree = { all = [\"pin\", \"sms_otp\", \"callback\"] }\n";
            let mut sources = Sources::default();
            sources.add("f.toml", flow.replace("[levels]\n", three));
            let (_, mut found) = check_sources(&sources);
            found.retain(|it| it.code == "unproved" && it.message.starts_with("`third`"));
            found.iter().map(|it| it.severity).collect::<Vec<_>>()
        };
        assert_eq!(severity(""), [Severity::Error], "behind a gap");
        let shut = "step_up = \"back\"\non = { denied = \"bye\" }\n";
        assert_eq!(severity(shut), [Severity::Warning], "behind what is shut");
    }

    /// Of a level that the flow of the call's start lacks it is told where callers get to: behind a gap it would
    /// be of no help yet.
    #[test]
    fn what_the_flow_has_no_level_for_is_not_told_behind_a_gap() {
        let bank = format!(
            "{HEAD}[disclose]\nsum = \"l\"\n{}[states.sub]\ntype = \"call\"\nflow = \"s\"\non = {{ ok = \"bye\" }}\n",
            pin("{ ok = \"sub\", failed = \"bye\", locked = \"bye\" }")
        );
        let shop = |first: &str| {
            format!(
                "name = \"g\"\nstart = \"who\"\n[levels]\nother = {{ any = [\"pin\"] }}\n\
                 [states.who]\ntype = \"identify\"\nby = [\"digits\"]\nprompt = \"Who?\"\n\
                 on = {{ found = \"first\", unknown = \"first\" }}\n[states.first]\ntype = \"say\"\n{first}\
                 prompt = \"So.\"\nnext = \"sub\"\n[states.sub]\ntype = \"call\"\nflow = \"s\"\non = {{ ok = \"bye\" }}\n\
                 [states.bye]\ntype = \"hangup\"\n"
            )
        };
        let sub = |tell: &str| {
            format!(
                "name = \"s\"\nstart = \"tell\"\n[states.tell]\ntype = \"say\"\n{tell}next = \"back\"\n\
                 [states.back]\ntype = \"return\"\noutcome = \"ok\"\n"
            )
        };
        let found = |first: &str, tell: &str| {
            let mut found = findings(&[&bank, &shop(first), &sub(tell)]);
            found.retain(|it| it.contains("disclosed-too-early: ") || it.contains("unproved: "));
            found
                .into_iter()
                .map(|it| it.split_once(": ").unwrap().1.to_owned())
                .collect::<Vec<_>>()
        };
        let gap = "requires = \"other\"\n";
        let first =
            "unproved: `first` requires `other`, and a caller gets here with nothing proved";
        for (tell, told) in [
            (
                "prompt = \"{{ account.sum }}\"\n",
                "disclosed-too-early: `tell` uses the field `sum`, and flow `g` discloses it to nobody",
            ),
            (
                "prompt = \"So.\"\nrequires = \"l\"\n",
                "unproved: `tell` requires `l`, and flow `g` has no level of that name",
            ),
        ] {
            assert_eq!(found("", tell), [told]);
            assert_eq!(found(gap, tell), [first]);
        }
    }

    #[test]
    fn what_no_line_may_lead_to_is_proved_through_its_callers() {
        let main = |failed: &str| {
            let pin =
                pin(&format!("{{ ok = \"sub\", failed = \"{failed}\", locked = \"{failed}\" }}"));
            format!(
                "{HEAD}{pin}[states.sub]\ntype = \"call\"\nflow = \"s\"\non = {{ ok = \"bye\" }}\n"
            )
        };
        let sub = "name = \"s\"\nstart = \"tell\"\n[levels]\nl = { any = [\"pin\"] }\n\
             [states.tell]\ntype = \"say\"\nrequires = \"l\"\nprompt = \"So.\"\nnext = \"back\"\n\
             [states.back]\ntype = \"return\"\noutcome = \"ok\"\n";
        let alarms =
            |flows: &[&str]| findings(flows).iter().filter(|it| it.contains("unproved: ")).count();
        assert_eq!(alarms(&[&main("bye"), sub]), 0);
        assert_eq!(alarms(&[&main("sub"), sub]), 1, "who has failed gets there too");
        assert_eq!(alarms(&[sub]), 1, "nobody calls it");
    }

    /// While a back end is asked, a proof grows as old as the longest answer takes.
    #[test]
    fn a_proof_grows_old_while_a_back_end_is_asked() {
        let asked_s = crate::limits::ASKED_PER_TURN.as_secs();
        let turned_away = |within_s: u64, look_up: bool| {
            let first = if look_up { "ask" } else { "wait" };
            let flow = format!(
                "name = \"f\"\nstart = \"who\"\n[levels]\nl = {{ any = [\"pin\"], within = \"{within_s}s\" }}\n\
                 [states.who]\ntype = \"identify\"\nby = [\"digits\"]\nprompt = \"Who?\"\n\
                 on = {{ found = \"pin\", unknown = \"pin\" }}\n{}\
                 [states.ask]\ntype = \"lookup\"\nbackend = \"b\"\non = {{ ok = \"wait\", failed = \"wait\" }}\n\
                 [states.wait]\ntype = \"menu\"\nprompt = \"One?\"\nkeys = {{ 1 = \"tell\" }}\n\
                 on = {{ no_input = \"bye\", no_match = \"bye\" }}\n\
                 [states.tell]\ntype = \"hangup\"\nrequires = \"l\"\nprompt = \"So.\"\non = {{ denied = \"bye\" }}\n\
                 [states.bye]\ntype = \"hangup\"\n",
                pin(&format!("{{ ok = \"{first}\", failed = \"bye\", locked = \"bye\" }}"))
            );
            findings(&[&flow]).iter().any(|found| found.contains(": unproved: "))
        };
        let seconds: Vec<_> = (1..4_000).collect();
        let fresh_s = |look_up| {
            let index = seconds.partition_point(|within_s| turned_away(*within_s, look_up));
            seconds[index]
        };
        assert_eq!(fresh_s(true), fresh_s(false) + asked_s);
    }

    fn pin(on: &str) -> String {
        format!("[states.pin]\ntype = \"gather_pin\"\nprompt = \"PIN?\"\ndigits = 6\non = {on}\n")
    }

    const SECRET: &str =
        "[states.secret]\ntype = \"say\"\nprompt = \"s\"\nrequires = \"l\"\nnext = \"bye\"\n";

    #[test]
    fn only_success_leads_to_it() {
        let good = pin("{ ok = \"secret\", failed = \"bye\", locked = \"bye\" }");
        assert_eq!(unproved(&format!("{SECRET}{good}")), [""; 0]);
        let bad = pin("{ ok = \"secret\", failed = \"secret\", locked = \"bye\" }");
        assert_eq!(
            unproved(&format!("{SECRET}{bad}")),
            ["`secret` requires `l`, and a caller gets here with nothing proved"]
        );
    }

    #[test]
    fn sending_takes_no_time() {
        for sends in ["send_sms_otp", "send_email_otp"] {
            let states = format!(
                "[states.talk]\ntype = \"say\"\nprompt = [\"So.\", {{ pause = \"30s\" }}, {{ pause = \"30s\" }}, \
                 {{ pause = \"30s\" }}, {{ pause = \"30s\" }}, {{ pause = \"30s\" }}]\nnext = \"send\"\n\
                 [states.send]\ntype = \"{sends}\"\n\
                 on = {{ sent = \"secret\", unavailable = \"secret\", limited = \"secret\" }}\n"
            );
            let pin = pin("{ ok = \"talk\", failed = \"bye\", locked = \"bye\" }");
            let secret = SECRET.replace("\"l\"", "\"fresh\"");
            assert_eq!(unproved(&format!("{secret}{states}{pin}")), [""; 0], "{sends}");
        }
    }

    #[test]
    fn a_new_claim_drops_the_proof() {
        let again = "[states.again]\ntype = \"identify\"\nby = [\"digits\"]\nprompt = \"Who?\"\n\
            on = { found = \"secret\", unknown = \"bye\" }\n";
        let pin = pin("{ ok = \"again\", failed = \"bye\", locked = \"bye\" }");
        assert_eq!(unproved(&format!("{SECRET}{again}{pin}")).len(), 1);
    }

    #[test]
    fn a_branch_on_the_level_guards() {
        let guard = "[states.guard]\ntype = \"branch\"\n\
            cases = [{ when = { not = { level = \"l\" } }, next = \"bye\" }]\n\
            otherwise = \"secret\"\n";
        let pin = pin("{ ok = \"guard\", failed = \"guard\", locked = \"guard\" }");
        assert_eq!(unproved(&format!("{SECRET}{guard}{pin}")), [""; 0]);
    }

    #[test]
    fn joined_ways_keep_what_each_has_proved() {
        let on =
            "[states.more]\ntype = \"say\"\nprompt = \"m\"\nrequires = \"both\"\nnext = \"bye\"\n";
        let pin = pin("{ ok = \"more\", failed = \"bye\", locked = \"bye\" }");
        assert_eq!(
            unproved(&format!("{on}{pin}")),
            ["`more` requires `both`, and a caller gets here with `pin` proved"]
        );
    }

    #[test]
    fn a_proof_grows_old_while_the_caller_listens() {
        let wait = "[states.wait]\ntype = \"menu\"\nprompt = \"Press 1.\"\nkeys = { 1 = \"secret\" }\n\
            on = { no_input = \"bye\", no_match = \"bye\" }\n";
        let fresh = SECRET.replace("\"l\"", "\"fresh\"");
        let at_once = pin("{ ok = \"secret\", failed = \"bye\", locked = \"bye\" }");
        assert_eq!(unproved(&format!("{fresh}{at_once}")), [""; 0]);
        let later = pin("{ ok = \"wait\", failed = \"bye\", locked = \"bye\" }");
        assert_eq!(unproved(&format!("{fresh}{wait}{later}")).len(), 1);
    }
}
