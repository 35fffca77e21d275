//! A wrong PIN that is told before a second proof is asked for.
//!
//! Looked at are `gather_pin` and `gather_passcode` whose `ok` leads, without anything else being asked,
//! to a code, a callback or a code from the web, and whose `failed` does not; and those of a combined
//! verdict on which no other proof follows. What is asked for next may stand behind a step-up, in a
//! sub-flow, or where one comes back to.
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
use std::mem::discriminant;

use indexmap::IndexSet;

use super::{Report, Rule, Subject};
use crate::check::graph::Graph;
use crate::check::proof::Walks;
use crate::check::subject::{Walk, own_targets, step_up};
use crate::diagnostic::Severity;
use crate::flow::Flow;
use crate::flow::level::{Class, Fact, Facts, Proof};
use crate::flow::name::{FlowName, StateName};
use crate::flow::outcome::Outcome;
use crate::flow::risk::Risk;
use crate::flow::state::{Kind, State};
use crate::flow::states::returns::Return;

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
            if next.is_some_and(|to| !proofs.is_followed(walk.flow, state, &to.state)) {
                let message =
                    format!("no proof follows on `{}`, so that it never counts", state.name);
                let help = "lead `ok` to another proof, or leave verdict = \"combined\" away";
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

/// Whether a state asks for no more than what is known, as far as its own flow says.
fn known_is_enough(flow: &Flow, state: &State) -> bool {
    let level = state.requires.as_ref().and_then(|(name, _)| flow.levels.get(name));
    let known = [Fact::Pin, Fact::Passcode].map(|fact| {
        let proof = Proof { at: jiff::Timestamp::UNIX_EPOCH, contact: None, counts: true };
        (fact, proof)
    });
    let known = Facts(known.into());
    level.is_some_and(|level| level.is_met(&known, jiff::Timestamp::UNIX_EPOCH, Risk::High))
}

/// The words that each flow comes back with.
fn ends<'f>(subject: &Subject<'f>) -> IndexSet<(&'f FlowName, &'f Outcome)> {
    let end = |(walk, state): (&Walk<'f>, &'f State)| match &state.kind {
        Kind::Return(Return { outcome: Some((outcome, _)) }) => Some((&walk.flow.name, outcome)),
        _ => None,
    };
    subject.states().filter_map(end).collect()
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
    /// Where every state leads.
    all: Graph,
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
        // Beside the states there is a node for each word that a flow comes back with.
        let ends = ends(subject);
        let nodes = states.len() + ends.len();
        let end = |flow, outcome| ends.get_index_of(&(flow, outcome)).map(|end| states.len() + end);
        let (seen, mut on, mut all) = (vec![0; nodes], Graph::new(nodes), Graph::new(nodes));
        let number = |flow: &Flow, state: &StateName| {
            Some(firsts.get(&flow.name)? + flow.states.get_index_of(state)?)
        };
        for (from, (flow, state)) in states.iter().enumerate() {
            // Who lacks the level of a state is asked for it before the state asks for anything.
            let step_up = step_up(state).filter(|_| !known_is_enough(flow, state));
            let step_up = step_up.and_then(|to| number(flow, &to.state));
            if let Some(to) = step_up {
                on.add(from, to);
            }
            for edge in state.edges() {
                if let Some(to) = number(flow, &edge.to.state) {
                    all.add(from, to);
                }
            }
            match &state.kind {
                Kind::Call(call) => {
                    let called = subject.flows.get(call.flow.as_str());
                    let start = called.and_then(|called| number(called, &called.start));
                    if let Some(to) = start {
                        on.add(from, to);
                        all.add(from, to);
                    }
                    for (outcome, to) in &state.routes {
                        if let Some((end, to)) =
                            end(&call.flow, outcome).zip(number(flow, &to.state))
                        {
                            on.add(end, to);
                            all.add(end, to);
                        }
                    }
                }
                Kind::Return(Return { outcome: Some((outcome, _)) }) => {
                    if let Some(to) = end(&flow.name, outcome) {
                        on.add(from, to);
                        all.add(from, to);
                    }
                }
                Kind::Say(_)
                | Kind::Set(_)
                | Kind::Branch(_)
                | Kind::Lookup(_)
                | Kind::SendSmsOtp(_)
                | Kind::SendEmailOtp(_)
                | Kind::SendLink(_) => {
                    for to in own_targets(state).iter().filter_map(|to| number(flow, &to.state)) {
                        on.add(from, to);
                    }
                }
                _ => {}
            }
        }
        Self { states, firsts, on, all, seen, searches: 0 }
    }

    fn number(&self, flow: &Flow, state: &StateName) -> Option<usize> {
        Some(self.firsts.get(&flow.name)? + flow.states.get_index_of(state)?)
    }

    /// Whether a proof of something else, of which the caller hears, can follow from here on.
    fn is_followed(&self, flow: &Flow, state: &State, from: &StateName) -> bool {
        let other = |kind: &Kind| match kind {
            Kind::GatherOtp(_) | Kind::GatherServiceCode(_) | Kind::Callback(_) => true,
            Kind::GatherPin(_) | Kind::GatherPasscode(_) => {
                !kind.is_combined() && discriminant(kind) != discriminant(&state.kind)
            }
            _ => false,
        };
        let reached = self.all.reach(self.number(flow, from));
        self.states.iter().zip(reached).any(|((_, state), reached)| reached && other(&state.kind))
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

#[cfg(test)]
mod tests {
    use crate::check::rules::tests::findings;

    const HEAD: &str = "name = \"f\"\nstart = \"who\"\n[levels]\nboth = { all = [\"pin\", \"sms_otp\"] }\n\
        one = { any = [\"pin\", \"sms_otp\"] }\n\
        [states.who]\ntype = \"identify\"\nby = [\"digits\"]\ndigits = 8\nprompt = \"Who?\"\n\
        on = { found = \"pin\", unknown = \"pin\" }\n[states.bye]\ntype = \"hangup\"\n\
        [states.send]\ntype = \"send_sms_otp\"\n\
        on = { sent = \"code\", unavailable = \"code\", limited = \"back\" }\n\
        [states.code]\ntype = \"gather_otp\"\nprompt = \"Code?\"\n\
        on = { ok = \"back\", failed = \"back\", expired = \"back\", undelivered = \"back\" }\n\
        [states.back]\ntype = \"return\"\n";
    const PIN: &str = "type = \"gather_pin\"\ndigits = 6\nprompt = \"PIN?\"\n";

    fn told(texts: &[&str]) -> usize {
        findings(texts).iter().filter(|finding| finding.contains(": first-proof-told: ")).count()
    }

    #[test]
    fn what_is_asked_for_next_may_stand_behind_a_step_up() {
        let flow = |level: &str| {
            format!(
                "{HEAD}[states.pin]\n{PIN}on = {{ ok = \"desk\", failed = \"bye\", locked = \"bye\" }}\n\
                 [states.desk]\ntype = \"transfer\"\nto = {{ queue = \"q\" }}\nrequires = \"{level}\"\nstep_up = \"send\"\n\
                 on = {{ denied = \"bye\", completed = \"bye\", busy = \"bye\", no_answer = \"bye\", failed = \"bye\", declined = \"bye\" }}\n"
            )
        };
        assert_eq!(told(&[&flow("both")]), 1);
        assert_eq!(told(&[&flow("one")]), 0, "the PIN is enough there");
    }

    #[test]
    fn it_may_stand_where_a_sub_flow_comes_back_to() {
        let main = |ok: &str, verdict: &str| {
            let sub = format!(
                "name = \"sub\"\nstart = \"pin\"\n[states.pin]\n{PIN}{verdict}\
                 on = {{ ok = \"yes\", failed = \"no\", locked = \"no\" }}\n\
                 [states.yes]\ntype = \"return\"\noutcome = \"ok\"\n\
                 [states.no]\ntype = \"return\"\noutcome = \"failed\"\n"
            );
            let main = format!(
                "{HEAD}[states.pin]\ntype = \"call\"\nflow = \"sub\"\non = {{ ok = \"{ok}\", failed = \"bye\" }}\n"
            );
            told(&[&main, &sub])
        };
        assert_eq!(main("send", ""), 1);
        assert_eq!(main("bye", ""), 0);
        assert_eq!(main("send", "verdict = \"combined\"\n"), 0, "a proof follows, outside");
        assert_eq!(main("bye", "verdict = \"combined\"\n"), 1, "none follows");
    }

    /// It counts with whatever proof comes next: the caller may be asked other things before, and for another
    /// secret instead of the telephone.
    #[test]
    fn a_verdict_may_wait_for_any_proof_that_follows() {
        let combined = |next: &str, more: &str| {
            told(&[&format!(
                "{HEAD}[states.pin]\n{PIN}verdict = \"combined\"\n\
                 on = {{ ok = \"{next}\", failed = \"bye\", locked = \"bye\" }}\n{more}"
            )])
        };
        let word = "[states.word]\ntype = \"gather_passcode\"\nprompt = \"Word?\"\n\
            on = { ok = \"bye\", failed = \"bye\", locked = \"bye\" }\n";
        assert_eq!(combined("word", word), 0);
        let menu = |to: &str| {
            format!(
                "[states.menu]\ntype = \"menu\"\nprompt = \"Press 1.\"\nkeys = {{ 1 = \"{to}\" }}\n\
                 on = {{ no_input = \"bye\", no_match = \"bye\" }}\n"
            )
        };
        assert_eq!(combined("menu", &menu("send")), 0);
        assert_eq!(combined("menu", &menu("bye")), 1);
        let again = word.replace("gather_passcode\"", "gather_passcode\"\nverdict = \"combined\"");
        assert_eq!(combined("word", &again), 2, "neither is followed by a verdict");
        assert_eq!(combined("bye", ""), 1);
    }
}
