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

use std::collections::{BTreeSet, HashMap, HashSet};

use super::{Report, Rule, Subject};
use crate::check::graph::Graph;
use crate::check::proof::Walks;
use crate::diagnostic::Severity;
use crate::flow::Flow;
use crate::flow::level::Class;
use crate::flow::name::{FlowName, StateName};
use crate::flow::outcome::Outcome;
use crate::flow::state::{Kind, State};

pub(super) const RULE: Rule = Rule {
    code: "first-proof-told",
    title: "a wrong PIN that is told before a second proof is asked for",
    severity: Severity::Warning,
    source: include_str!("first_proof_told.rs"),
    check,
};

fn check(subject: &Subject<'_>, report: &mut Report<'_>) {
    let without_telephone = without_telephone(subject);
    let mut proofs = Proofs::of(subject);
    for (walk, state) in subject.states() {
        if state.kind.is_combined() {
            let next = state.routes.get(&Outcome::Ok);
            let next = next.map(|to| proofs.asked_next(walk.flow, &to.state));
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
        let mut after = |outcome| {
            let to = state.routes.get(&outcome);
            to.map(|to| proofs.asked_next(walk.flow, &to.state)).unwrap_or_default()
        };
        let (ok, failed) = (after(Outcome::Ok), after(Outcome::Failed));
        let more = ok.difference(&failed).filter_map(|number| proofs.states.get(*number));
        let second = more.min_by_key(|(flow, state)| (&flow.name, &state.name)).map(|(_, s)| *s);
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

/// Where proofs of possession are asked for, and what leads there before anything else is.
struct Proofs<'f> {
    /// Every state of every flow; the others go by its number.
    states: Vec<(&'f Flow, &'f State)>,
    firsts: HashMap<&'f FlowName, usize>,
    /// Where a state leads that asks the caller for nothing.
    on: Graph,
    /// The last search that came to each state.
    seen: Vec<usize>,
    searches: usize,
}

impl<'f> Proofs<'f> {
    fn of(subject: &Subject<'f>) -> Self {
        let (mut states, mut firsts) = (Vec::new(), HashMap::new());
        for flow in subject.flows.iter() {
            firsts.insert(&flow.name, states.len());
            states.extend(flow.states.values().map(|state| (&**flow, state)));
        }
        let seen = vec![0; states.len()];
        let mut on = Graph::new(states.len());
        let mut proofs = Self { on: Graph::default(), states, firsts, seen, searches: 0 };
        for (from, (flow, state)) in proofs.states.iter().enumerate() {
            match &state.kind {
                Kind::Call(call) => {
                    let called = subject.flows.get(call.flow.as_str());
                    let start = called.and_then(|called| proofs.number(called, &called.start));
                    if let Some(to) = start {
                        on.add(from, to);
                    }
                }
                Kind::Say(_)
                | Kind::Set(_)
                | Kind::Branch(_)
                | Kind::Lookup(_)
                | Kind::SendSmsOtp(_)
                | Kind::SendEmailOtp(_)
                | Kind::SendLink(_) => {
                    for to in state.edges().iter().filter_map(|e| proofs.number(flow, &e.to.state))
                    {
                        on.add(from, to);
                    }
                }
                _ => {}
            }
        }
        proofs.on = on;
        proofs
    }

    fn number(&self, flow: &Flow, state: &StateName) -> Option<usize> {
        Some(self.firsts.get(&flow.name)? + flow.states.get_index_of(state)?)
    }

    /// The states that ask for a proof of possession from here on before anything else is asked for.
    fn asked_next(&mut self, flow: &Flow, from: &StateName) -> BTreeSet<usize> {
        self.searches += 1;
        let mut asked = BTreeSet::new();
        let mut wanted: Vec<_> = self.number(flow, from).into_iter().collect();
        while let Some(number) = wanted.pop() {
            let Some(seen) = self.seen.get_mut(number) else { continue };
            if std::mem::replace(seen, self.searches) == self.searches {
                continue;
            }
            let kind = self.states.get(number).map(|(_, state)| &state.kind);
            let asks = |kind: &Kind| {
                matches!(kind, Kind::GatherOtp(_) | Kind::GatherServiceCode(_) | Kind::Callback(_))
            };
            if kind.is_some_and(asks) {
                asked.insert(number);
            }
            wanted.extend(self.on.next(number));
        }
        asked
    }
}
