//! More states that follow each other at once than callgate goes through in one answer: 64.
//!
//! Between two things that a caller does, everything happens in one answer: states that do not wait for
//! anybody follow each other, those of sub-flows too, and those that lead on whoever is not let in. A `call` and a state
//! with a `step_up` count when they are come to and when they are come back to, and so does the state that has waited.
//!
//! ## Why
//!
//! What goes on for longer would go on for ever as far as callgate can tell: the caller hears an apology, and the
//! call ends.
//!
//! ## How to fix it
//!
//! Let one state say what several say one after the other, ask in one `branch` what several ask, or let the
//! caller do something in between.
//!
//! ## Before
//!
//! ```toml
//! [states.first]
//! type = "say"
//! prompt = "We are open from nine to five."
//! next = "second"
//!
//! [states.second]
//! type = "say"
//! prompt = "We are at 1 Main Street."
//! next = "third"
//!
//! # and so on, 70 times
//! ```
//!
//! ## After
//!
//! ```toml
//! [states.first]
//! type = "say"
//! prompt = ["We are open from nine to five.", "We are at 1 Main Street."]
//! next = "menu"
//! ```

use std::collections::{BTreeMap, HashMap};

use super::slow_reply::{at_once, waits};
use super::{Report, Rule, Subject};
use crate::check::graph::Graph;
use crate::check::subject::Walk;
use crate::diagnostic::Severity;
use crate::flow::edge::{Edge, Label};
use crate::flow::name::FlowName;
use crate::flow::outcome::Outcome;
use crate::flow::state::{Kind, State, Target};
use crate::limits;

pub(super) const RULE: Rule = Rule {
    code: "long-answer",
    title: "more states in one answer than are gone through",
    severity: Severity::Error,
    source: include_str!("long_answer.rs"),
    check,
};

fn check(subject: &Subject<'_>, report: &mut Report<'_>) {
    let Some((_, callers_first)) = subject.calls_in_order() else { return };
    let walks: Vec<_> =
        callers_first.into_iter().filter_map(|index| subject.walks.get_index(index)).collect();
    let mut lengths = Lengths::default();
    for (_, walk) in walks.iter().rev() {
        lengths.add(walk);
    }
    for (_, walk) in walks {
        let worst = lengths.worst_of(walk);
        lengths.lead_back(walk);
        let Some((total, state)) = worst.filter(|(total, _)| *total > limits::HOPS_MAX) else {
            continue;
        };
        let message = format!(
            "{total} states may follow each other from `{}` on, and no more than {} are gone through at once",
            state.name,
            limits::HOPS_MAX
        );
        let help =
            "let one state say or ask what several do, or let the caller do something in between";
        report.add_at(state, report.finding(message, &state.place).help(help));
    }
}

/// The longest chains of states that begin with one, it included.
#[derive(Clone, Debug, Default)]
struct Chain<'f> {
    /// Within its flow and those that it calls.
    stays: usize,
    /// Up to a `return` of its flow, which comes back to a state that was left for a step-up; none: 0.
    returns: usize,
    /// The same, by its outcome.
    back: BTreeMap<&'f Outcome, usize>,
}

impl Chain<'_> {
    /// This may follow after so many.
    fn or(&mut self, before: usize, next: &Self) {
        self.stays = self.stays.max(before + next.stays);
        if next.returns > 0 {
            self.returns = self.returns.max(before + next.returns);
        }
        for (outcome, long) in &next.back {
            let most = self.back.entry(outcome).or_default();
            *most = (before + long).max(*most);
        }
    }
}

#[derive(Debug, Default)]
struct Lengths<'f> {
    /// The chains from each state of a flow.
    chains: HashMap<&'f FlowName, Vec<Chain<'f>>>,
    /// And from its first.
    starts: HashMap<&'f FlowName, Chain<'f>>,
    /// The longest that follows in it where a step-up is come back from.
    again: HashMap<&'f FlowName, usize>,
    /// The longest that follows where a flow is come back from with an outcome.
    after: HashMap<(&'f FlowName, &'f Outcome), usize>,
}

impl<'f> Lengths<'f> {
    /// Adds a flow's chains, once those of the flows that it calls are there.
    fn add(&mut self, walk: &Walk<'f>) {
        let states = walk.flow.states.len();
        let mut graph = Graph::new(states);
        for (index, state) in walk.flow.states.values().enumerate() {
            let ways = onwards(state, When::AtOnce).map(|(_, to)| to).chain(&state.step_up);
            ways.filter_map(|to| number(walk, to)).for_each(|to| graph.add(index, to));
        }
        let mut chains = vec![Chain::default(); states];
        // From the ends backwards; what goes round without waiting is told as that, and gone through once.
        for index in graph.components().into_iter().rev().flatten() {
            let Some(state) = walk.state(index) else { continue };
            let let_in = self.chain(walk, state, &chains);
            let chain = if let Some(to) = &state.step_up {
                let again = self.again.entry(&walk.flow.name).or_default();
                *again = let_in.stays.max(*again);
                with_step_up(let_in, number(walk, to).and_then(|to| chains.get(to)))
            } else {
                let_in
            };
            if let Some(place) = chains.get_mut(index) {
                *place = chain;
            }
        }
        let start = walk.index(&walk.flow.start).and_then(|start| chains.get(start)).cloned();
        self.starts.insert(&walk.flow.name, start.unwrap_or_default());
        self.chains.insert(&walk.flow.name, chains);
    }

    /// The chains from a state, of what is known of those after it.
    fn chain(&self, walk: &Walk<'f>, state: &'f State, chains: &[Chain<'f>]) -> Chain<'f> {
        let mut chain = Chain { stays: 1, ..Chain::default() };
        if let Kind::Return(back) = &state.kind {
            chain.returns = 1;
            chain.back.extend(back.outcome.as_ref().map(|(outcome, _)| (outcome, 1)));
        }
        let called = match &state.kind {
            Kind::Call(call) => self.starts.get(&call.flow),
            _ => None,
        };
        chain.stays += called.map_or(0, |called| called.stays);
        for (outcome, to) in onwards(state, When::AtOnce) {
            let Some(next) = number(walk, to).and_then(|to| chains.get(to)) else { continue };
            // A state that called another flow counts again when that has come back.
            let within = match (called, outcome) {
                (Some(called), Some(outcome)) => called.back.get(&outcome).map(|long| long + 1),
                _ => Some(0),
            };
            if let Some(within) = within {
                chain.or(1 + within, next);
            }
        }
        chain
    }

    /// The longest chain from where a state leads, through the flows and states that are come back to.
    fn rest(&self, walk: &Walk<'f>, state: &State, to: &Target) -> usize {
        let own = &walk.flow.name;
        let chain = self.chains.get(own).and_then(|chains| chains.get(number(walk, to)?));
        let Some(chain) = chain else { return 0 };
        let after = |(outcome, long): (&&'f Outcome, &usize)| {
            Some(long + self.after.get(&(own, *outcome))?)
        };
        let proves = walk.index(&state.name).is_some_and(|index| walk.proves(index));
        let again = self.again.get(own).filter(|_| proves && chain.returns > 0);
        let again = again.map(|again| chain.returns + again);
        chain.back.iter().filter_map(after).chain(again).max().max(Some(chain.stays)).unwrap_or(0)
    }

    /// The longest answer that begins in a flow, and the state that it begins with.
    fn worst_of(&self, walk: &Walk<'f>) -> Option<(usize, &'f State)> {
        let states =
            walk.flow.states.values().enumerate().filter(|(index, _)| walk.reached(*index));
        let answers = states.filter_map(|(_, state)| {
            let begins = state.name == walk.flow.start && !walk.is_sub_flow();
            let begun =
                self.starts.get(&walk.flow.name).filter(|_| begins).map(|chain| chain.stays);
            let heard =
                onwards(state, When::Heard).map(|(_, to)| 1 + self.rest(walk, state, to)).max();
            Some((begun.max(heard)?, state))
        });
        // The first of those that are as long.
        answers.reduce(|worst, other| if other.0 > worst.0 { other } else { worst })
    }

    /// Adds what follows in a flow where those that it calls are come back from, once that of its own callers is
    /// there.
    fn lead_back(&mut self, walk: &Walk<'f>) {
        for state in walk.flow.states.values() {
            let Kind::Call(call) = &state.kind else { continue };
            for (outcome, to) in &state.routes {
                let long = 1 + self.rest(walk, state, to);
                let most = self.after.entry((&call.flow, outcome)).or_default();
                *most = long.max(*most);
            }
        }
    }
}

/// The chains from a state, with those that go through its step-up and come back from that at once.
fn with_step_up<'f>(let_in: Chain<'f>, proof: Option<&Chain<'f>>) -> Chain<'f> {
    let Some(proof) = proof else { return let_in };
    let mut chain = let_in.clone();
    chain.stays = chain.stays.max(1 + proof.stays);
    if proof.returns > 0 {
        chain.or(1 + proof.returns, &let_in);
    }
    chain
}

/// When a state leads on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum When {
    /// When it is come to, for it waits for nobody.
    AtOnce,
    /// When somebody was waited for.
    Heard,
}

/// Where a state leads then, its step-up aside, and with which outcome; a `call` does so once its flow is come back
/// from. Who is not let in goes on at once, and with none.
fn onwards(state: &State, when: When) -> impl Iterator<Item = (Option<Outcome>, &Target)> {
    let goes = move |edge: &Edge<'_>| match (when, &edge.label) {
        (_, Label::StepUp | Label::AgentStepUp) => false,
        (_, Label::Outcome(Outcome::Denied)) => when == When::AtOnce,
        // A code that was just sent is waited for.
        (When::AtOnce, label) => !waits(&state.kind) || at_once(&state.kind, label),
        (When::Heard, _) => waits(&state.kind),
    };
    state.edges().into_iter().filter(goes).map(|edge| match edge.label {
        Label::Outcome(outcome) if outcome != Outcome::Denied => (Some(outcome), edge.to),
        _ => (None, edge.to),
    })
}

fn number(walk: &Walk<'_>, to: &Target) -> Option<usize> {
    walk.index(&to.state)
}

#[cfg(test)]
mod tests {
    use crate::check::rules::tests::{ENDS, check, findings};

    /// So many states that say something, one after the other.
    fn says(states: usize, then: &str) -> String {
        let say = |n: usize| {
            let next = if n + 1 < states { format!("s{}", n + 1) } else { then.to_owned() };
            format!("[states.s{n}]\ntype = \"say\"\nprompt = \"a\"\nnext = \"{next}\"\n")
        };
        (0..states).map(say).collect()
    }

    #[test]
    fn sixty_four_states_are_gone_through() {
        assert_eq!(check("s0", &format!("{}{ENDS}", says(63, "ask"))), [""; 0]);
        assert_eq!(
            check("s0", &format!("{}{ENDS}", says(64, "ask"))),
            [
                "3: long-answer: 65 states may follow each other from `s0` on, and no more than 64 are gone through at once"
            ]
        );
    }

    /// So many states of which each sends whoever comes to prove something, and lets nobody in.
    fn keeps_out(states: usize, proof: &str, then: &str) -> String {
        let state = |n: usize| {
            let denied = if n + 1 < states { format!("k{}", n + 1) } else { then.to_owned() };
            format!(
                "[states.k{n}]\ntype = \"say\"\nrequires = \"known\"\nstep_up = \"prove\"\n\
                 prompt = \"a\"\non = {{ denied = \"{denied}\" }}\nnext = \"bye\"\n"
            )
        };
        format!("{}{proof}{ENDS}", (0..states).map(state).collect::<String>())
    }

    fn long(start: &str, states: &str) -> Vec<String> {
        let states = format!("[levels]\nknown = {{ any = [\"pin\"] }}\n{states}");
        let found = check(start, &states).into_iter();
        found.filter(|finding| finding.contains("long-answer")).collect()
    }

    #[test]
    fn who_is_not_let_in_goes_on_at_once() {
        // Each is come to, comes back from the proof, and is left: three, and the menu that waits.
        let proof = "[states.prove]\ntype = \"return\"\n";
        assert_eq!(long("k0", &keeps_out(21, proof, "ask")), [""; 0]);
        let found = long("k0", &keeps_out(22, proof, "ask"));
        assert!(found.len() == 1 && found[0].contains("67 states may follow"), "{found:?}");
    }

    #[test]
    fn what_follows_a_step_up_that_waited_follows_at_once() {
        let proof = "[states.prove]\ntype = \"gather_pin\"\ndigits = 6\nprompt = \"PIN?\"\n\
             on = { ok = \"back\", failed = \"back\", locked = \"back\" }\n\
             [states.back]\ntype = \"return\"\n";
        let states = |says_| {
            let kept = keeps_out(1, proof, "bye").replace("next = \"bye\"", "next = \"s0\"");
            format!("{kept}{}", says(says_, "ask"))
        };
        // The PIN, the way back, the state that asked for it, what follows, and the menu.
        assert_eq!(long("k0", &states(60)), [""; 0]);
        let found = long("k0", &states(61));
        assert!(found.len() == 1 && found[0].contains("65 states may follow"), "{found:?}");
    }

    #[test]
    fn a_state_that_has_waited_is_one_of_them() {
        let flow = |states| {
            format!("{}{}", ENDS.replace("1 = \"bye\"", "1 = \"s0\""), says(states, "bye"))
        };
        assert_eq!(check("ask", &flow(62)), [""; 0]);
        let found = check("ask", &flow(63));
        assert!(
            found.len() == 1 && found[0].contains("65 states may follow each other from `ask`"),
            "{found:?}"
        );
    }

    #[test]
    fn a_call_is_come_to_and_come_back_to() {
        let sub = |states| {
            let end = "[states.end]\ntype = \"return\"\noutcome = \"ok\"\n";
            format!("name = \"sub\"\nstart = \"s0\"\n{}{end}", says(states, "end"))
        };
        // Through it twice: a call, what it says, its return and the call again, each time; and the end.
        let main = "name = \"main\"\nstart = \"one\"\n\
            [states.one]\ntype = \"call\"\nflow = \"sub\"\non = { ok = \"two\" }\n\
            [states.two]\ntype = \"call\"\nflow = \"sub\"\non = { ok = \"bye\" }\n\
            [states.bye]\ntype = \"hangup\"\n";
        assert_eq!(findings(&[main, &sub(28)]), [""; 0]);
        let found = findings(&[main, &sub(29)]);
        assert!(
            found.len() == 1 && found[0].starts_with("0:3: long-answer: 65 states"),
            "{found:?}"
        );
        // One that waits in between begins another answer, which goes on in the flow that called.
        let waits = |states| {
            sub(states).replace("next = \"end\"", "next = \"ask\"")
                + &ENDS.replace("bye", "end").replace("[states.end]\ntype = \"hangup\"\n", "")
        };
        assert_eq!(findings(&[main, &waits(29)]), [""; 0]);
        let found = findings(&[main, &waits(59)]);
        assert_eq!(found, [""; 0]);
        let found = findings(&[main, &waits(60)]);
        assert!(
            found.len() == 1 && found[0].contains("65 states may follow each other from `ask`"),
            "{found:?}"
        );
    }
}
