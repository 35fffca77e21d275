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
use crate::check::subject::{Walk, denied, step_up, step_ups};
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
        lengths.resume(walk);
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
    /// Up to a `return` of its flow, by its outcome.
    back: BTreeMap<&'f Outcome, usize>,
    /// Up to any `return` of its flow.
    returns: Option<usize>,
}

impl Chain<'_> {
    /// This may follow after so many.
    fn or(&mut self, before: usize, next: &Self) {
        self.stays = self.stays.max(before + next.stays);
        for (outcome, long) in &next.back {
            let most = self.back.entry(outcome).or_default();
            *most = (before + long).max(*most);
        }
        self.returns = self.returns.max(next.returns.map(|long| before + long));
    }
}

#[derive(Debug, Default)]
struct Lengths<'f> {
    /// The chains from each state of a flow.
    chains: HashMap<&'f FlowName, Vec<Chain<'f>>>,
    /// The same, of those whom the state lets in.
    inside: HashMap<&'f FlowName, Vec<Chain<'f>>>,
    /// The chains from the first state of a flow.
    starts: HashMap<&'f FlowName, Chain<'f>>,
    /// The longest that follows where a flow is come back from with an outcome.
    after: HashMap<(&'f FlowName, &'f Outcome), usize>,
    /// The longest that follows where a state of a flow that asked for proof is come back to.
    resumed: HashMap<&'f FlowName, usize>,
}

impl<'f> Lengths<'f> {
    /// Adds a flow's chains, once those of the flows that it calls are there.
    fn add(&mut self, walk: &Walk<'f>) {
        let states = walk.flow.states.len();
        let mut graph = Graph::new(states);
        for (index, state) in walk.flow.states.values().enumerate() {
            let ways = onwards(state, When::AtOnce).filter_map(|(_, to)| number(walk, to));
            let asides = step_up(state).into_iter().chain(denied(state));
            ways.chain(asides.filter_map(|to| number(walk, to)))
                .for_each(|to| graph.add(index, to));
        }
        let mut chains = vec![Chain::default(); states];
        let mut inside = chains.clone();
        // From the ends backwards; what goes round without waiting is told as that, and gone through once.
        for index in graph.components().into_iter().rev().flatten() {
            let Some(state) = walk.state(index) else { continue };
            let let_in = self.chain(walk, state, &chains);
            let chain = or_turned_away(walk, state, let_in.clone(), &chains);
            if let (Some(inside), Some(place)) = (inside.get_mut(index), chains.get_mut(index)) {
                (*inside, *place) = (let_in, chain);
            }
        }
        let start = walk.index(&walk.flow.start).and_then(|start| chains.get(start)).cloned();
        self.starts.insert(&walk.flow.name, start.unwrap_or_default());
        self.chains.insert(&walk.flow.name, chains);
        self.inside.insert(&walk.flow.name, inside);
    }

    /// The chains from a state that lets somebody in, of what is known of those after it.
    fn chain(&self, walk: &Walk<'f>, state: &'f State, chains: &[Chain<'f>]) -> Chain<'f> {
        let mut chain = Chain { stays: 1, ..Chain::default() };
        if let Kind::Return(back) = &state.kind {
            chain.back.extend(back.outcome.as_ref().map(|(outcome, _)| (outcome, 1)));
            chain.returns = Some(1);
        }
        let called = match &state.kind {
            Kind::Call(call) => self.starts.get(&call.flow),
            _ => None,
        };
        chain.stays += called.map_or(0, |called| called.stays);
        for (outcome, to) in onwards(state, When::AtOnce) {
            let Some(next) = number(walk, to).and_then(|to| chains.get(to)) else { continue };
            let listens = walk.flow.state(&to.state).map(|next| &next.kind);
            if outcome == Some(Outcome::Sent) && matches!(listens, Some(Kind::GatherOtp(_))) {
                // A code that was just sent is waited for.
                chain.stays = chain.stays.max(2);
                continue;
            }
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

    /// The longest chain from where a state leads, through the flows that are come back to, and through the states
    /// that have asked for proof on the way to this one.
    fn rest(&self, walk: &Walk<'f>, from: &State, to: &Target) -> usize {
        let own = &walk.flow.name;
        let chain = self.chains.get(own).and_then(|chains| chains.get(number(walk, to)?));
        let Some(chain) = chain else { return 0 };
        let proves = walk.index(&from.name).is_some_and(|from| walk.proves(from));
        let resumed = chain.returns.zip(self.resumed.get(own)).filter(|_| proves);
        self.longest(own, chain).max(resumed.map_or(0, |(long, resumed)| long + resumed))
    }

    /// The longest of these chains, through the flows that are come back to.
    fn longest(&self, own: &'f FlowName, chain: &Chain<'f>) -> usize {
        let after = |(outcome, long): (&&'f Outcome, &usize)| {
            Some(long + self.after.get(&(own, *outcome))?)
        };
        chain.back.iter().filter_map(after).chain([chain.stays]).max().unwrap_or_default()
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

    /// Adds what follows in a flow where its step-ups are come back from, once what follows it is there: it is one
    /// of those that asked, and those whose own coming back leads back further are gone through once.
    fn resume(&mut self, walk: &Walk<'f>) {
        let own = &walk.flow.name;
        let (Some(chains), Some(inside)) = (self.chains.get(own), self.inside.get(own)) else {
            return;
        };
        let (mut most, mut through) = (0, 0);
        for (index, state) in walk.flow.states.values().enumerate() {
            if step_ups(state).next().is_none() {
                continue;
            }
            // Where it denies, it counts too.
            let mut away = Chain::default();
            if let Some(next) = denied(state).and_then(|to| chains.get(number(walk, to)?)) {
                away.or(1, next);
            }
            let ways = || inside.get(index).into_iter().chain([&away]);
            most = ways().map(|chain| self.longest(own, chain)).fold(most, usize::max);
            if walk.proves(index) {
                through += ways().filter_map(|chain| chain.returns).max().unwrap_or_default();
            }
        }
        self.resumed.insert(own, most + through);
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

/// The chains from a state, those of callers whom it does not let in among them: where nobody was waited for, nothing
/// was proved.
fn or_turned_away<'f>(
    walk: &Walk<'f>,
    state: &'f State,
    mut chain: Chain<'f>,
    chains: &[Chain<'f>],
) -> Chain<'f> {
    let of = |to: &Target| chains.get(number(walk, to)?);
    let away = denied(state).and_then(of);
    let asks = step_up(state).and_then(of);
    chain.stays = chain.stays.max(asks.map_or(0, |asks| 1 + asks.stays));
    if let Some(away) = away {
        // It counts again when it is come back to.
        let proving = asks.and_then(|asks| asks.returns).map_or(0, |proving| proving + 1);
        chain.or(1 + proving, away);
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

/// Where a state that lets somebody in leads then, and with which outcome; a `call` does so once its flow is come
/// back from.
fn onwards(state: &State, when: When) -> impl Iterator<Item = (Option<Outcome>, &Target)> {
    let goes = move |edge: &Edge<'_>| match (when, &edge.label) {
        (_, Label::StepUp | Label::Outcome(Outcome::Denied))
        | (When::AtOnce, Label::AgentStepUp) => false,
        (When::AtOnce, label) => !waits(&state.kind) || at_once(&state.kind, label),
        (When::Heard, _) => waits(&state.kind),
    };
    state.edges().into_iter().filter(goes).map(|edge| match edge.label {
        Label::Outcome(outcome) => (Some(outcome), edge.to),
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
