//! A `return` that a call can get to with nothing to return to: no step-up is pending there, and no
//! other flow calls this one.
//!
//! ## Why
//!
//! `return` goes back to the state whose `step_up` led away from it, or to the flow that called this
//! one. Without either the caller hears an apology, and the call ends.
//!
//! ## How to fix it
//!
//! End with `hangup`, or lead elsewhere. If other flows are to call this one, give the `return` an
//! `outcome`.
//!
//! ## Before
//!
//! ```toml
//! [states.hours]
//! type = "say"
//! prompt = "We are open from nine to five."
//! next = "done"
//!
//! [states.done]
//! type = "return"
//! ```
//!
//! ## After
//!
//! ```toml
//! [states.done]
//! type = "hangup"
//! prompt = "Goodbye."
//! ```

use super::{Report, Rule, Subject};
use crate::check::subject::Reached;
use crate::diagnostic::Severity;
use crate::flow::state::Kind;

pub(super) const RULE: Rule = Rule {
    code: "return-without-caller",
    title: "a `return` with nothing to return to",
    severity: Severity::Error,
    source: include_str!("return_without_caller.rs"),
    check,
};

fn check(subject: &Subject<'_>, report: &mut Report<'_>) {
    for (walk, state) in subject.states() {
        if !matches!(state.kind, Kind::Return(_)) || walk.is_sub_flow() {
            continue;
        }
        let message = format!("`{}` has nothing to return to", state.name);
        let finding = report.finding(message, &state.place);
        let finding = match walk.index(&state.name).map(|index| walk.plainly(index)) {
            Some(Reached::By(target)) => finding
                .label("a call can come this way with no step-up pending", target.place.clone()),
            Some(Reached::Start) => finding,
            _ => continue,
        };
        let help =
            "end with a `hangup`, or give it an `outcome` if other flows are to call this one";
        report.add_at(state, finding.help(help));
    }
}

#[cfg(test)]
mod tests {
    use crate::check::rules::tests::check;

    const PROOF: &str = r#"
[levels]
basic = { any = ["pin"] }
[states.in]
type = "hangup"
requires = "basic"
step_up = "pin"
on = { denied = "out" }
[states.out]
type = "hangup"
[states.pin]
type = "gather_pin"
prompt = "Your PIN, please."
on = { ok = "done", failed = "done", locked = "done" }
[states.done]
type = "return"
"#;

    #[test]
    fn a_step_up_is_something_to_return_to() {
        assert_eq!(check("in", PROOF), [""; 0]);
    }

    #[test]
    fn walking_into_a_step_up_is_not() {
        let found = check("pin", PROOF);
        assert!(
            found.contains(&"17: return-without-caller: `done` has nothing to return to".into()),
            "{found:#?}"
        );
    }
}
