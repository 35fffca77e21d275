//! An answer that tells a stranger whether an account exists, or is locked.
//!
//! Looked at are `found` and `unknown` of an `identify` that lead to different states, `failed` and
//! `locked` of a proof that do, and an `identify` that asks for nothing where it knows the number that
//! calls. So is an `unavailable` that does not lead where the sending does: to an account that does not
//! exist everything is sent, as far as anybody can hear. And so is a `lookup` that tells the back end
//! whose account is claimed, where `ok` and `failed` lead apart: `account = false` keeps it from knowing. Who has proved anything may hear all of it.
//!
//! ## Why
//!
//! Who can tell known account numbers from unknown ones collects the known, and tries one PIN on each.
//! Who hears that an account is locked knows that it is there, and when to come back.
//!
//! ## How to fix it
//!
//! Lead both the same way. After an unknown account every proof fails, after the same words. Where it
//! is meant so, accept it by name: `accept = ["enumeration"]`.
//!
//! ## Before
//!
//! ```toml
//! [states.who]
//! type = "identify"
//! by = ["digits"]
//! prompt = "Your account number, please."
//! on = { found = "pin", unknown = "bye" }
//! ```
//!
//! ## After
//!
//! ```toml
//! [states.who]
//! type = "identify"
//! by = ["digits"]
//! prompt = "Your account number, please."
//! on = { found = "pin", unknown = "pin" }
//! ```

use std::collections::HashSet;

use super::{Report, Rule, Subject};
use crate::check::proof::Walks;
use crate::diagnostic::Severity;
use crate::flow::name::{FlowName, StateName};
use crate::flow::outcome::Outcome;
use crate::flow::state::Kind;

pub(super) const RULE: Rule = Rule {
    code: "enumeration",
    title: "an answer that tells whether an account exists or is locked",
    severity: Severity::Warning,
    source: include_str!("enumeration.rs"),
    check,
};

fn check(subject: &Subject<'_>, report: &mut Report<'_>) {
    let strangers = strangers(subject);
    for (walk, state) in subject.states() {
        let (one, other, what) = match &state.kind {
            Kind::Identify(_) => (Outcome::Found, Outcome::Unknown, "whether an account exists"),
            _ if !strangers.contains(&(&walk.flow.name, &state.name)) => continue,
            // A locked one leads on like a right one.
            kind if kind.is_combined() => continue,
            Kind::GatherPin(_) | Kind::GatherPasscode(_) | Kind::GatherServiceCode(_) => {
                (Outcome::Failed, Outcome::Locked, "whether an account is locked")
            }
            Kind::SendSmsOtp(_) | Kind::SendLink(_) => {
                (Outcome::Sent, Outcome::Unavailable, "that an account exists, without a telephone")
            }
            // What a back end makes of an account that nobody has is its own affair.
            Kind::Lookup(lookup) if lookup.account => {
                (Outcome::Ok, Outcome::Failed, "what a back end knows of an account")
            }
            Kind::Callback(_) => {
                let what = "that an account exists, without a telephone";
                (Outcome::NoAnswer, Outcome::Unavailable, what)
            }
            _ => continue,
        };
        if let (Some(first), Some(second)) = (state.routes.get(&one), state.routes.get(&other))
            && first.state != second.state
        {
            let message = format!("`{}` tells a stranger {what}", state.name);
            let finding = report
                .finding(message, &second.place)
                .label(format!("`{one}` leads elsewhere"), first.place.clone())
                .help(format!(
                    "lead `{one}` and `{other}` the same way, or accept = [\"enumeration\"]"
                ));
            report.add_at(state, finding);
        }
        if let Kind::Identify(identify) = &state.kind
            && identify.caller_id
            && identify.listen.is_some()
        {
            let message = format!("`{}` asks callers whose number is unknown alone", state.name);
            let help = "ask everybody, or accept that a number shown tells of a customer";
            report.add_at(state, report.finding(message, &state.place).help(help));
        }
    }
}

/// The states that a caller gets into who claims a customer and has proved nothing.
pub(super) fn strangers<'f>(subject: &Subject<'f>) -> HashSet<(&'f FlowName, &'f StateName)> {
    let insiders = subject.proofs.iter().flat_map(Walks::insiders);
    let stranger = insiders.filter(|(_, _, known)| known.real && known.facts().next().is_none());
    stranger.map(|(flow, state, _)| (&flow.name, &state.name)).collect()
}
