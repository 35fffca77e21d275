//! States that lead to each other in a ring on which nothing waits, neither for the caller nor for
//! the world. States that wait are those that listen, `callback`, `transfer` and `voicemail`; sending
//! a code does not, nor does a `callback` that is `unavailable` or `limited`, nor a `gather_otp` for
//! which there is no code. Rings through sub-flows, step-ups and their `denied` count too.
//!
//! ## Why
//!
//! Such a call would go round in an instant. callgate stops it after 64 states, and the caller hears
//! an apology.
//!
//! ## How to fix it
//!
//! Put a state that listens on the ring, or lead out of it. Retries need no ring: `tries` of a state
//! that listens does that.
//!
//! ## Before
//!
//! ```toml
//! [states.closed]
//! type = "say"
//! prompt = "We are closed."
//! next = "open"
//!
//! [states.open]
//! type = "branch"
//! cases = [{ when = { open = "office" }, next = "agent" }]
//! otherwise = "closed"
//! ```
//!
//! ## After
//!
//! ```toml
//! [states.closed]
//! type = "hangup"
//! prompt = "We are closed. Please call again."
//! ```

use std::collections::HashSet;

use super::{Report, Rule, Subject};
use crate::check::rings::{Course, Step, rings};
use crate::diagnostic::{Finding, Severity};
use crate::flow::state::State;
use crate::limits;

pub(super) const RULE: Rule = Rule {
    code: "loop-without-input",
    title: "a ring of states on which nothing waits",
    severity: Severity::Error,
    source: include_str!("loop_without_input.rs"),
    check,
};

fn check(subject: &Subject<'_>, report: &mut Report<'_>) {
    let mut known: HashSet<(&str, Vec<&str>)> = HashSet::new();
    for course in [Course::InstantlyWithCode, Course::InstantlyWithout] {
        for (walk, round) in rings(subject, course) {
            let mut same: Vec<_> = round.iter().map(|step| step.state.name.as_str()).collect();
            same.sort_unstable();
            if !known.insert((walk.flow.name.as_str(), same)) {
                continue;
            }
            let Some(Step { state: first, .. }) = round.first() else { continue };
            report.tell(first, &first.place, |report| finding(first, &round, report));
        }
    }
}

fn finding(first: &State, round: &[Step<'_>], report: &Report<'_>) -> Finding {
    let message = match round.len() {
        1 => format!("state `{}` leads to itself, and does not wait for the caller", first.name),
        _ => format!("nothing waits for the caller between `{0}` and `{0}` again", first.name),
    };
    let finding = linked(report.finding(message, &first.place), round);
    finding.help("put a state that listens on the way, or lead out of it")
}

/// Shows the way round; of a very long one how it begins.
pub(super) fn linked(finding: Finding, round: &[Step<'_>]) -> Finding {
    let ways = round.iter().take(2 * limits::NAMES_LISTED_MAX).filter_map(|step| step.on);
    ways.fold(finding, |finding, way| {
        finding.label(format!("then `{}`", way.state), way.place.clone())
    })
}

#[cfg(test)]
mod tests {
    use crate::check::rules::tests::{ENDS, check, findings};

    #[test]
    fn talk_alone_does_not_wait() {
        let found = check(
            "a",
            &format!(
                "[states.a]\ntype = \"say\"\nprompt = \"a\"\nnext = \"b\"\n\
                 [states.b]\ntype = \"branch\"\n\
                 cases = [{{ when = {{ fact = \"pin\" }}, next = \"ask\" }}]\notherwise = \"a\"\n{ENDS}"
            ),
        );
        assert_eq!(
            found,
            ["3: loop-without-input: nothing waits for the caller between `a` and `a` again"]
        );
    }

    #[test]
    fn a_menu_on_the_ring_waits() {
        let ring = ENDS.replace("no_match = \"bye\"", "no_match = \"a\"");
        let found = check(
            "a",
            &format!("[states.a]\ntype = \"say\"\nprompt = \"a\"\nnext = \"ask\"\n{ring}"),
        );
        assert_eq!(found, [""; 0]);
    }

    #[test]
    fn a_fresh_code_is_waited_for_and_a_missing_one_is_not() {
        let flow = |sent: &str, unavailable: &str, limited: &str| {
            format!(
                "[states.send]\ntype = \"send_sms_otp\"\n\
                 on = {{ sent = \"{sent}\", unavailable = \"{unavailable}\", limited = \"{limited}\" }}\n\
                 [states.told]\ntype = \"say\"\nprompt = \"I have sent a code.\"\nnext = \"code\"\n\
                 [states.code]\ntype = \"gather_otp\"\nprompt = \"The six digits, please.\"\n\
                 on = {{ ok = \"ask\", failed = \"bye\", expired = \"send\", undelivered = \"bye\" }}\n\
                 {ENDS}"
            )
        };
        let goes_round =
            ["3: loop-without-input: nothing waits for the caller between `send` and `send` again"];
        assert_eq!(check("send", &flow("told", "bye", "bye")), [""; 0]);
        assert_eq!(check("send", &flow("told", "bye", "code")), goes_round);
        assert_eq!(check("send", &flow("told", "code", "bye")), goes_round);
        // What is said to be sent to nowhere is waited for like a code.
        assert_eq!(check("send", &flow("told", "told", "bye")), [""; 0]);
        assert_eq!(check("send", &flow("told", "told", "code")), goes_round);
    }

    #[test]
    fn a_step_up_that_cannot_prove_goes_round_through_denied() {
        let flow = |denied: &str| {
            format!(
                "levels = {{ strong = {{ any = [\"sms_otp\"] }} }}\n\
                 [states.in]\ntype = \"say\"\nprompt = \"a\"\nrequires = \"strong\"\n\
                 step_up = \"send\"\non = {{ denied = \"{denied}\" }}\nnext = \"ask\"\n\
                 [states.sorry]\ntype = \"say\"\nprompt = \"b\"\nnext = \"in\"\n\
                 [states.send]\ntype = \"send_sms_otp\"\n\
                 on = {{ sent = \"code\", unavailable = \"back\", limited = \"back\" }}\n\
                 [states.code]\ntype = \"gather_otp\"\nprompt = \"The six digits, please.\"\n\
                 on = {{ ok = \"back\", failed = \"back\", expired = \"send\", undelivered = \"back\" }}\n\
                 [states.back]\ntype = \"return\"\n{ENDS}"
            )
        };
        assert_eq!(
            check("in", &flow("sorry")),
            ["4: loop-without-input: nothing waits for the caller between `in` and `in` again"]
        );
        assert_eq!(
            check("in", &flow("ask")),
            ["11: unreachable-state: no call can get to state `sorry`"]
        );
    }

    #[test]
    fn who_is_denied_and_asked_for_the_same_proof_once_more_goes_round_nothing() {
        let flow = |denied: &str| {
            format!(
                "[levels]\nfull = {{ all = [\"pin\", \"sms_otp\"] }}\nsome = {{ any = [\"sms_otp\"] }}\n\
                 [states.in]\ntype = \"identify\"\nby = [\"digits\"]\nprompt = \"Who?\"\n\
                 on = {{ found = \"all\", unknown = \"all\" }}\n\
                 [states.all]\ntype = \"say\"\nprompt = \"a\"\nrequires = \"full\"\nstep_up = \"send\"\n\
                 on = {{ denied = \"less\" }}\nnext = \"ask\"\n\
                 [states.less]\ntype = \"say\"\nprompt = \"b\"\nrequires = \"some\"\nstep_up = \"send\"\n\
                 on = {{ denied = \"{denied}\" }}\nnext = \"ask\"\n\
                 [states.send]\ntype = \"send_sms_otp\"\naccept = [\"enumeration\"]\n\
                 on = {{ sent = \"code\", unavailable = \"back\", limited = \"back\" }}\n\
                 [states.code]\ntype = \"gather_otp\"\nprompt = \"The six digits, please.\"\n\
                 on = {{ ok = \"pin\", failed = \"back\", expired = \"back\", undelivered = \"back\" }}\n\
                 [states.pin]\ntype = \"gather_pin\"\nprompt = \"PIN?\"\n\
                 on = {{ ok = \"back\", failed = \"back\", locked = \"back\" }}\n\
                 [states.back]\ntype = \"return\"\n{ENDS}"
            )
        };
        let rings = |denied: &str| {
            let mut found = check("in", &flow(denied));
            found.retain(|told| told.contains("loop") || told.contains("again"));
            found
        };
        assert_eq!(rings("bye"), [""; 0], "less than all is asked for once, and then nothing");
        assert_eq!(
            rings("all"),
            ["11: loop-without-input: nothing waits for the caller between `all` and `all` again"]
        );
    }

    #[test]
    fn a_sub_flow_waits_only_if_it_does() {
        let main = "name = \"m\"\nstart = \"go\"\n[states.go]\ntype = \"call\"\nflow = \"s\"\n\
                    on = { ok = \"go\", no = \"bye\" }\n[states.bye]\ntype = \"hangup\"\n";
        let sub = |next: &str| {
            format!(
                "name = \"s\"\nstart = \"b\"\n[states.b]\ntype = \"branch\"\n\
                 cases = [{{ when = {{ fact = \"pin\" }}, next = \"no\" }}]\notherwise = \"{next}\"\n\
                 [states.ok]\ntype = \"return\"\noutcome = \"ok\"\n\
                 [states.no]\ntype = \"return\"\noutcome = \"no\"\n{}",
                ENDS.replace("1 = \"bye\"", "1 = \"ok\"")
            )
        };
        assert_eq!(
            findings(&[main, &sub("ok")]).first().map(String::as_str),
            Some(
                "0:3: loop-without-input: state `go` leads to itself, and does not wait for the caller"
            )
        );
        assert_eq!(findings(&[main, &sub("ask")]), [""; 0]);
    }
}
