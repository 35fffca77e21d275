//! States that a caller who says and keys nothing goes round for ever.
//!
//! Every state that listens gives up after its `tries`; where that leads back to it, round after round,
//! nothing ever ends. A ring that waits for somebody else, as a `transfer` does, is no such ring, nor is
//! one that sends or rings: a call does so a few times at most.
//!
//! ## Why
//!
//! A telephone that was forgotten, or a machine that calls, holds the line until the longest call there is
//! is over: four hours, which somebody pays for. And who sits in silence has not understood the question:
//! asking it for the fourth time helps less than a person would.
//!
//! ## How to fix it
//!
//! Let `no_input` (or `failed`, or `unknown`) lead to a person or to a goodbye. `tries` says how often a
//! state asks before that.
//!
//! ## Before
//!
//! ```toml
//! [states.menu]
//! type = "menu"
//! prompt = "For our hours press 1. To end the call press 2."
//! keys = { 1 = "hours", 2 = "bye" }
//! on = { no_input = "menu", no_match = "menu" }
//! ```
//!
//! ## After
//!
//! ```toml
//! on = { no_input = "bye", no_match = "menu" }
//! ```

use super::loop_without_input::linked;
use super::no_way_out::traps;
use super::{Report, Rule, Subject};
use crate::check::rings::{Course, Step, rings};
use crate::diagnostic::Severity;
use crate::flow::outcome::Outcome;
use crate::flow::state::Kind;

pub(super) const RULE: Rule = Rule {
    code: "silent-loop",
    title: "a ring that a silent caller never leaves",
    severity: Severity::Warning,
    source: include_str!("silent_loop.rs"),
    check,
};

fn check(subject: &Subject<'_>, report: &mut Report<'_>) {
    let traps = traps(subject);
    for (walk, round) in rings(subject, Course::Silently) {
        let trap = |step: &Step<'_>| {
            let index = walk.index(&step.state.name);
            index.is_some_and(|index| traps.contains(&(&walk.flow.name, index)))
        };
        if round.iter().any(trap) {
            // Nobody leaves it, and that is told.
            continue;
        }
        // One on which nothing waits is an error of its own.
        let waits = |step: &Step<'_>| {
            step.state.kind.listen().is_some() || matches!(step.state.kind, Kind::Voicemail(_))
        };
        let Some(waits) = round.iter().position(waits) else { continue };
        let round: Vec<_> = round.iter().cycle().skip(waits).take(round.len()).copied().collect();
        let Some(Step { state: first, on }) = round.first() else { continue };
        report.tell(first, &first.place, |report| {
            let message =
                format!("a caller who stays silent comes to `{}` again and again", first.name);
            // Silence is `failed` or `unknown` where a state has no `no_input`.
            let is_silence =
                |outcome: &Outcome| matches!(outcome, Outcome::NoInput | Outcome::Failed | Outcome::Unknown);
            let outcome =
                first.routes.iter().find(|(outcome, to)| is_silence(outcome) && Some(*to) == *on);
            let silence = outcome.map_or("silence".into(), |(outcome, _)| {
                format!("`{outcome}`, with which silence ends there,")
            });
            let help = format!(
                "lead {silence} to a person or to an end; `tries` says how often a state asks before"
            );
            linked(report.finding(message, &first.place), &round).help(help)
        });
    }
}

#[cfg(test)]
mod tests {
    use crate::check::rules::tests::{ENDS, check, findings_of_whoever};

    #[test]
    fn silence_must_lead_out() {
        let round = ENDS.replace("no_input = \"bye\"", "no_input = \"ask\"");
        assert_eq!(
            check("ask", &round),
            ["4: silent-loop: a caller who stays silent comes to `ask` again and again"]
        );
        let noise = ENDS.replace("no_match = \"bye\"", "no_match = \"ask\"");
        assert_eq!(check("ask", &noise), [""; 0], "somebody is there");
        let accepted =
            round.replacen("type = \"menu\"", "type = \"menu\"\naccept = [\"silent-loop\"]", 1);
        assert_eq!(check("ask", &accepted), [""; 0]);
    }

    #[test]
    fn a_voicemail_that_hears_nothing_must_lead_out_too() {
        let voicemail = |no_input: &str| {
            format!(
                "[states.a]\ntype = \"voicemail\"\nprompt = \"Speak.\"\n\
                 on = {{ ok = \"bye\", no_input = \"{no_input}\" }}\n[states.bye]\ntype = \"hangup\"\n"
            )
        };
        assert_eq!(
            check("a", &voicemail("a")),
            ["3: silent-loop: a caller who stays silent comes to `a` again and again"]
        );
        assert_eq!(check("a", &voicemail("bye")), [""; 0]);
    }

    #[test]
    fn who_is_silent_proves_nothing_to_whoever_they_were_connected_with() {
        let flow = |asks: &str| {
            format!(
                "levels = {{ known = {{ any = [\"pin\"] }}, sure = {{ all = [\"pin\", \"service_code\"] }} }}\n\
                 [states.who]\ntype = \"identify\"\nby = [\"digits\"]\ndigits = 8\nprompt = \"Who?\"\n\
                 on = {{ found = \"desk\", unknown = \"desk\" }}\n\
                 [states.desk]\ntype = \"transfer\"\nto = {{ conference = \"desk\" }}\nrequires = \"known\"\n\
                 step_up = \"pin\"\nagent_step_up = \"{asks}\"\non = {{ denied = \"bye\", completed = \"bye\", \
                 busy = \"bye\", no_answer = \"bye\", failed = \"bye\", declined = \"bye\" }}\n\
                 [states.pin]\ntype = \"gather_pin\"\ndigits = 6\nprompt = \"PIN?\"\n\
                 on = {{ ok = \"back\", failed = \"back\", locked = \"back\" }}\n[states.back]\ntype = \"return\"\n\
                 [states.web]\ntype = \"gather_service_code\"\nprompt = \"Code?\"\n\
                 on = {{ ok = \"again\", failed = \"again\", locked = \"again\" }}\n[states.again]\ntype = \"return\"\n\
                 [states.bye]\ntype = \"hangup\"\n"
            )
        };
        // The level that nothing asks for may be what the specialist asks for.
        assert_eq!(check("who", &flow("web")), [""; 0]);
        // Whoever is asked by the state and by a specialist may come back by one `return`.
        assert_eq!(
            check(
                "who",
                &flow("web")
                    .replace("\"again\"", "\"back\"")
                    .replace("[states.again]\ntype = \"return\"\n", "")
            ),
            [""; 0]
        );
    }

    #[test]
    fn a_sub_flow_that_only_proof_leaves_well_is_no_way_round() {
        let main = |failed: &str| {
            format!(
                "name = \"m\"\nstart = \"in\"\n[states.in]\ntype = \"call\"\nflow = \"s\"\n\
                 on = {{ ok = \"in\", failed = \"{failed}\" }}\n[states.bye]\ntype = \"hangup\"\n"
            )
        };
        let sub = "name = \"s\"\nstart = \"pin\"\n[states.pin]\ntype = \"gather_pin\"\nprompt = \"PIN?\"\n\
                   digits = 6\non = { ok = \"yes\", failed = \"no\", locked = \"no\" }\n\
                   [states.yes]\ntype = \"return\"\noutcome = \"ok\"\n\
                   [states.no]\ntype = \"return\"\noutcome = \"failed\"\n";
        assert_eq!(findings_of_whoever(&[&main("bye"), sub]), [""; 0]);
    }
}
