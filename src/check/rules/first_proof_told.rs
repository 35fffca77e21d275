//! A wrong PIN that is told before a second proof is asked for.
//!
//! Looked at are `gather_pin` and `gather_passcode` whose `ok` leads, without anything else being asked,
//! to a code, a callback or a code from the web, and whose `failed` does not; and those of a combined
//! verdict on which no other proof follows.
//!
//! ## Why
//!
//! Two proofs are worth the product of both only if a guesser learns nothing of the first alone. Who hears
//! that the PIN was wrong, or is asked for the second proof only when it was right, guesses the PIN first,
//! at leisure, and needs no telephone for it.
//!
//! ## How to fix it
//!
//! Give one verdict on both, with `verdict = "combined"`: a wrong PIN leads on like a right one, nothing is
//! sent, and the second proof fails. Or ask for the telephone first: who does not hold it tries no PIN.
//! Where it is meant so, accept it by name: `accept = ["first-proof-told"]`.
//!
//! ## Before
//!
//! ```toml
//! [states.pin]
//! type = "gather_pin"
//! digits = 6
//! prompt = "Please key in your PIN."
//! on = { ok = "send", failed = "agent", locked = "agent" }
//! ```
//!
//! ## After
//!
//! ```toml
//! [states.pin]
//! type = "gather_pin"
//! digits = 6
//! verdict = "combined"
//! prompt = "Please key in your PIN."
//! on = { ok = "send", failed = "agent", locked = "agent" }
//! ```

use std::collections::{BTreeMap, HashSet};

use super::{Report, Rule, Subject};
use crate::check::proof::Walks;
use crate::diagnostic::Severity;
use crate::flow::level::Class;
use crate::flow::name::{FlowName, StateName};
use crate::flow::outcome::Outcome;
use crate::flow::state::{Kind, State};
use crate::flow::{Flow, FlowSet};

pub(super) const RULE: Rule = Rule {
    code: "first-proof-told",
    title: "a wrong PIN that is told before a second proof is asked for",
    severity: Severity::Warning,
    source: include_str!("first_proof_told.rs"),
    check,
};

fn check(subject: &Subject<'_>, report: &mut Report<'_>) {
    let without_telephone = without_telephone(subject);
    for (walk, state) in subject.states() {
        if state.kind.is_combined() {
            let next = state.routes.get(&Outcome::Ok);
            let next = next.map(|to| asked_next(subject.flows, walk.flow, &to.state));
            if next.is_some_and(|next| next.is_empty()) {
                let message =
                    format!("no proof follows on `{}`, so that it never counts", state.name);
                let help = "lead `ok` to a code or a call, or leave verdict = \"combined\" away";
                report.add_at(state, report.finding(message, &state.place).help(help));
            }
        }
        let first = matches!(state.kind, Kind::GatherPin(_) | Kind::GatherPasscode(_));
        if !first
            || state.kind.is_combined()
            || !without_telephone.contains(&(&walk.flow.name, &state.name))
        {
            continue;
        }
        let after = |outcome| {
            let to = state.routes.get(&outcome);
            to.map(|to| asked_next(subject.flows, walk.flow, &to.state)).unwrap_or_default()
        };
        let (ok, failed) = (after(Outcome::Ok), after(Outcome::Failed));
        let second = ok.iter().find(|(at, _)| !failed.contains_key(*at)).map(|(_, state)| state);
        if let (Some(second), Some(told)) = (second, state.routes.get(&Outcome::Failed)) {
            let message = format!(
                "`{}` tells a guesser that it was wrong before `{}` is asked for",
                state.name, second.name
            );
            let finding = report
                .finding(message, &told.place)
                .label(format!("`{}` comes only after a right one", second.name), second.place.clone())
                .help("give one verdict on both: verdict = \"combined\", or ask for the telephone first");
            report.add_at(state, finding);
        }
    }
}

/// The states that a customer's caller gets into who has proved to hold nothing.
fn without_telephone<'f>(subject: &Subject<'f>) -> HashSet<(&'f FlowName, &'f StateName)> {
    let insiders = subject.proofs.iter().flat_map(Walks::insiders);
    let holds_nothing = insiders.filter(|(_, _, known)| {
        known.real && !known.facts().any(|(fact, _)| fact.class() == Some(Class::Possession))
    });
    holds_nothing.map(|(flow, state, _)| (&flow.name, &state.name)).collect()
}

/// The proofs of possession that are asked for from here on before anything else is.
fn asked_next<'f>(
    flows: &'f FlowSet,
    flow: &'f Flow,
    from: &'f StateName,
) -> BTreeMap<(&'f str, &'f str), &'f State> {
    let mut asked = BTreeMap::new();
    let mut seen = HashSet::new();
    let mut wanted = vec![(flow, from)];
    while let Some((flow, name)) = wanted.pop() {
        let at = (flow.name.as_str(), name.as_str());
        let Some(state) = flow.state(name).filter(|_| seen.insert(at)) else { continue };
        match &state.kind {
            Kind::GatherOtp(_) | Kind::GatherServiceCode(_) | Kind::Callback(_) => {
                asked.insert(at, state);
            }
            Kind::Call(call) => {
                let called = flows.get(call.flow.as_str());
                wanted.extend(called.map(|called| (&**called, &called.start)));
            }
            Kind::Say(_)
            | Kind::Set(_)
            | Kind::Branch(_)
            | Kind::Lookup(_)
            | Kind::SendSmsOtp(_)
            | Kind::SendEmailOtp(_)
            | Kind::SendLink(_) => {
                wanted.extend(state.edges().into_iter().map(|edge| (flow, &edge.to.state)));
            }
            _ => {}
        }
    }
    asked
}
