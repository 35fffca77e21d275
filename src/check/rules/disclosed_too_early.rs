//! An account field that is used where a caller may lack the level under which it is disclosed.
//!
//! Prompts, messages, whispers, `set` and the conditions of a `branch` are looked at. What `share` names
//! is shown to a specialist only if the facts allow it, and is no finding. A variable made from a field
//! is dropped with the account it came from.
//!
//! ## Why
//!
//! callgate does not say the field to such a caller: they are denied the state instead, and where no
//! `denied` is routed the call ends with an apology. A branch goes on as if the account lacked the
//! field. Neither was meant.
//!
//! ## How to fix it
//!
//! Let the state require the level of the field, with a `step_up` where it can be proved.
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

use super::unproved::complete;
use super::{Report, Rule, Subject};
use crate::check::proof::proved;
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
            let Some((field, place)) = &gap.field else { continue };
            let message = format!(
                "`{}` uses `{field}`, disclosed at `{}`, and a caller gets here with {} proved",
                gap.state.name,
                gap.name,
                proved(&gap.known)
            );
            let fix = format!("let `{}` require `{}` with a `step_up`", gap.state.name, gap.name);
            let finding = complete(report.finding(message, place), walks, gap, &fix);
            report.add_at(gap.state, finding);
        }
    }
}
