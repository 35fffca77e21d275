//! A proof that fails leads where its success leads, and what comes there requires the success. So does a
//! code that is not sent, and leads where the right code leads.
//!
//! ## Why
//!
//! Wrong entries, silence, a message that did not arrive and an error of the provider raise nothing. An
//! edge of theirs that is joined with success is the commonest way in which a caller who has proved
//! nothing comes to what only proof should open.
//!
//! ## How to fix it
//!
//! Lead each failure somewhere else: to another proof, to a specialist, or to the end of the call.
//!
//! ## Before
//!
//! ```toml
//! [states.pin]
//! type = "gather_pin"
//! digits = 6
//! prompt = "Please key in your PIN."
//! on = { ok = "new_pin", failed = "new_pin", locked = "agent" }
//! ```
//!
//! ## After
//!
//! ```toml
//! [states.pin]
//! type = "gather_pin"
//! digits = 6
//! prompt = "Please key in your PIN."
//! on = { ok = "new_pin", failed = "agent", locked = "agent" }
//! ```

use super::{Report, Rule, Subject};
use crate::check::proof::shared;
use crate::diagnostic::Severity;

pub(super) const RULE: Rule = Rule {
    code: "failure-shares-success",
    title: "a failed proof that leads where its success leads",
    severity: Severity::Error,
    source: include_str!("failure_shares_success.rs"),
    check,
};

fn check(subject: &Subject<'_>, report: &mut Report<'_>) {
    for walks in &subject.proofs {
        for gap in &walks.gaps {
            let Some(shared) = shared(walks, gap) else { continue };
            let (state, failure, asked) = (shared.state, shared.failure, shared.asked);
            let (whose, success) = if asked.name == state.name {
                ("its success".to_owned(), "where `ok` leads".to_owned())
            } else {
                let whose = format!("the success of `{}`", asked.name);
                (whose, format!("where `ok` of `{}` leads", asked.name))
            };
            let message = format!(
                "`{failure}` of `{}` leads where {whose} leads, and `{}` needs the success",
                state.name, gap.state.name
            );
            let needs = format!("needs `{}`", gap.name);
            let place = gap.told.as_ref().map(|(_, place)| place);
            let place = place.or(gap.state.requires.as_ref().map(|(_, place)| place));
            let finding = report
                .finding(message, &shared.places.0)
                .label(success, shared.places.1)
                .label(needs, place.unwrap_or(&gap.state.place).clone())
                .help(format!("lead `{failure}` to another proof, or to where the call ends"));
            report.add_at(state, finding);
        }
    }
}
