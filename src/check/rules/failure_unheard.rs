//! A `lookup` whose `failed` leads where its `ok` leads, of a caller who has proved something.
//!
//! ## Why
//!
//! Asking a back end is how a flow does what the caller has called for: it pays, it blocks a card, it
//! changes an address. Where both ways are joined, "your payment has been sent" is also what callers hear
//! whose payment was not, and what an answer gives is empty where there was none. Strangers are to hear
//! the same either way, for what a back end knows of an account tells that it is there: for them see
//! `enumeration`.
//!
//! ## How to fix it
//!
//! Lead `failed` to where the caller hears of it and can go on: to a specialist, or to another try. Where
//! nothing hangs on the answer, accept it by name: `accept = ["failure-unheard"]`.
//!
//! ## Before
//!
//! ```toml
//! [states.pay]
//! type = "lookup"
//! requires = "strong"
//! backend = "payments"
//! on = { denied = "agent", ok = "paid", failed = "paid" }
//! ```
//!
//! ## After
//!
//! ```toml
//! [states.pay]
//! type = "lookup"
//! requires = "strong"
//! backend = "payments"
//! on = { denied = "agent", ok = "paid", failed = "agent" }
//! ```

use std::collections::HashSet;

use super::enumeration::strangers;
use super::{Report, Rule, Subject};
use crate::check::proof::Walks;
use crate::diagnostic::Severity;
use crate::flow::outcome::Outcome;
use crate::flow::state::Kind;

pub(super) const RULE: Rule = Rule {
    code: "failure-unheard",
    title: "a back end that failed, and a caller who is told that it has not",
    severity: Severity::Warning,
    source: include_str!("failure_unheard.rs"),
    check,
};

fn check(subject: &Subject<'_>, report: &mut Report<'_>) {
    let strangers = strangers(subject);
    let insiders = subject.proofs.iter().flat_map(Walks::insiders);
    let proved = insiders.filter(|(_, _, known)| known.facts().next().is_some());
    let proved: HashSet<_> = proved.map(|(flow, state, _)| (&flow.name, &state.name)).collect();
    for (walk, state) in subject.states() {
        let at = (&walk.flow.name, &state.name);
        let asks = matches!(state.kind, Kind::Lookup(_));
        if !asks || !proved.contains(&at) || strangers.contains(&at) {
            continue;
        }
        if let (Some(ok), Some(failed)) =
            (state.routes.get(&Outcome::Ok), state.routes.get(&Outcome::Failed))
            && ok.state == failed.state
        {
            let message =
                format!("`{}` leads to `{}` whether it failed or not", state.name, ok.state);
            let finding = report
                .finding(message, &failed.place)
                .label("where `ok` leads", ok.place.clone())
                .help(
                    "lead `failed` to where callers hear of it, or accept = [\"failure-unheard\"]",
                );
            report.add_at(state, finding);
        }
    }
}
