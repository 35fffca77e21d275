//! A `transfer` whose `agent_step_up` leads to states from which no `return` is ever reached: whatever
//! the caller proves there, they do not come back to the conference.
//!
//! ## Why
//!
//! The specialist has asked for one more proof and waits, alone, for somebody who will not come. What
//! was proved is of no use to anybody, and the specialist is told that it was not.
//!
//! ## How to fix it
//!
//! End the proof with a `return`, whether it was given or not. The specialist learns which; what
//! follows from it is theirs to decide.
//!
//! ## Before
//!
//! ```toml
//! [states.desk]
//! type = "transfer"
//! to = { conference = "desk" }
//! agent_step_up = "pin"
//!
//! [states.pin]
//! type = "gather_pin"
//! prompt = "Please key in your PIN."
//! on = { ok = "bye", failed = "bye", locked = "bye" }
//! ```
//!
//! ## After
//!
//! ```toml
//! on = { ok = "back", failed = "back", locked = "back" }
//!
//! [states.back]
//! type = "return"
//! ```

use super::{Report, Rule, Subject};
use crate::diagnostic::Severity;

pub(super) const RULE: Rule = Rule {
    code: "no-way-back",
    title: "an `agent_step_up` from which no `return` leads back",
    severity: Severity::Error,
    source: include_str!("no_way_back.rs"),
    check,
};

fn check(subject: &Subject<'_>, report: &mut Report<'_>) {
    for (walk, state) in subject.states() {
        let reached = walk.index(&state.name).is_some_and(|index| walk.reached(index));
        let Some(target) = state.agent_step_up().filter(|_| reached) else { continue };
        if walk.comes_back_from(&target.state) {
            continue;
        }
        let message = format!(
            "whom a specialist sends from `{}` to `{}` does not come back",
            state.name, target.state
        );
        let finding = report.finding(message, &target.place);
        let help = format!("lead from `{}` to a `return`, whatever comes of it", target.state);
        report.add_at(state, finding.help(help));
    }
}

#[cfg(test)]
mod tests {
    use crate::check::rules::tests::check;

    fn desk(proof: &str) -> Vec<String> {
        check(
            "desk",
            &format!(
                "[states.desk]\ntype = \"transfer\"\nto = {{ conference = \"desk\" }}\n\
                 agent_step_up = \"proof\"\n\
                 on = {{ completed = \"bye\", busy = \"bye\", no_answer = \"bye\", failed = \"bye\", declined = \"bye\" }}\n\
                 [states.bye]\ntype = \"hangup\"\n{proof}"
            ),
        )
    }

    fn pin(ok: &str, failed: &str) -> String {
        format!(
            "[states.proof]\ntype = \"gather_pin\"\nprompt = \"PIN?\"\ndigits = 6\n\
             on = {{ ok = \"{ok}\", failed = \"{failed}\", locked = \"{failed}\" }}\n"
        )
    }

    const BACK: &str = "[states.back]\ntype = \"return\"\n";

    #[test]
    fn who_is_sent_off_must_be_able_to_come_back() {
        assert_eq!(desk(&format!("{}{BACK}", pin("back", "back"))), [""; 0]);
        assert_eq!(desk(&format!("{}{BACK}", pin("back", "bye"))), [""; 0], "failing may end it");
        assert_eq!(
            desk(&pin("bye", "bye")),
            ["6: no-way-back: whom a specialist sends from `desk` to `proof` does not come back"]
        );
    }

    #[test]
    fn the_return_of_another_step_up_is_none() {
        let inner = "[states.proof]\ntype = \"say\"\nprompt = \"s\"\nrequires = \"l\"\n\
            step_up = \"inner\"\non = { denied = \"bye\" }\nnext = \"bye\"\n\
            [states.inner]\ntype = \"gather_pin\"\nprompt = \"PIN?\"\ndigits = 6\n\
            on = { ok = \"back\", failed = \"back\", locked = \"back\" }\n\
            [levels]\nl = { any = [\"pin\"] }\n";
        assert_eq!(
            desk(&format!("{inner}{BACK}")),
            ["6: no-way-back: whom a specialist sends from `desk` to `proof` does not come back"]
        );
    }
}
