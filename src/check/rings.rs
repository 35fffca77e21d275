//! Rings: states that lead to each other again and again while a caller does nothing.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use super::graph::Graph;
use super::subject::{Reached, Subject, Walk, WaysBack, denied, step_up};
use crate::flow::Flow;
use crate::flow::name::{FlowName, VariableName};
use crate::flow::outcome::Outcome;
use crate::flow::prompt::Prompt;
use crate::flow::state::{Kind, State, Target};
use crate::flow::states::set::Set;
use crate::flow::template::Use;

/// What is supposed of a call. A code that was sent is waited for, and a missing one is not: no ring
/// can have both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Course {
    /// No time passes, and a code has been sent.
    InstantlyWithCode,
    /// No time passes, and no code has been sent.
    InstantlyWithout,
    /// The caller is silent for ever.
    Silently,
}

/// The outcomes with which each flow can end so.
type Ends<'f> = BTreeMap<&'f FlowName, BTreeSet<Outcome>>;

/// A state of a ring, and the way on to the next, where it is written.
#[derive(Clone, Copy)]
pub(super) struct Step<'f> {
    pub(super) state: &'f State,
    pub(super) on: Option<&'f Target>,
}

/// The rings of every flow, each with its steps in order, the first state first.
pub(super) fn rings<'s, 'f>(
    subject: &'s Subject<'f>,
    course: Course,
) -> Vec<(&'s Walk<'f>, Vec<Step<'f>>)> {
    let ends = ends(subject, course);
    let mut rings = Vec::new();
    for walk in subject.walks() {
        let nodes = 2 * walk.flow.states.len();
        let graph = going_round(walk, course, &ends);
        for ring in graph.cycles() {
            // Ways back alone go round where a step-up does.
            let Some(first) = ring.first().filter(|first| **first < nodes) else { continue };
            let mut round = graph.round(*first, &ring, |node| node >= nodes);
            round.retain(|node| *node < nodes);
            let round = states_of(&round);
            if round.iter().all(|state| walk.reached(*state)) {
                rings.push((walk, steps(walk, &round, course, &ends)));
            }
        }
    }
    rings
}

/// What a call can do on such a course again and again. A step-up is come back from once: nothing goes round by
/// that, unless the state that asks for the proof is entered on the way.
fn going_round(walk: &Walk<'_>, course: Course, ends: &Ends<'_>) -> Graph {
    let mut again = vec![true; walk.flow.states.len()];
    loop {
        let graph = followed(walk, course, ends, &again);
        let mut ring_of = HashMap::new();
        for (number, ring) in graph.cycles().into_iter().enumerate() {
            ring_of.extend(ring.into_iter().map(|node| (node, number)));
        }
        let alike = |one: usize, other: usize| {
            ring_of.get(&one).is_some_and(|ring| ring_of.get(&other) == Some(ring))
        };
        let states = walk.flow.states.values().zip(&again).enumerate();
        let still: Vec<_> = states
            .map(|(index, (state, again))| {
                let asks = step_up(state).and_then(|to| walk.index(&to.state));
                *again && asks.is_some_and(|to| alike(entered(index), entered(to)))
            })
            .collect();
        if still == again {
            return graph;
        }
        again = still;
    }
}

/// The states of a round, each with the way on to the next: one that is taken on such a course, else any.
fn steps<'f>(walk: &Walk<'f>, round: &[usize], course: Course, ends: &Ends<'_>) -> Vec<Step<'f>> {
    let states: Vec<_> = round.iter().filter_map(|index| walk.state(*index)).collect();
    let nexts = states.iter().cycle().skip(1);
    let step = |(state, next): (&&'f State, &&'f State)| {
        let likely = onwards(state, course, ends).into_iter().chain(step_up(state));
        let edges = state.edges().into_iter().map(|edge| edge.to);
        // A `return` has no edge of its own: where nothing was proved, `denied` leads on.
        let of_others = walk.flow.states.values().filter_map(denied);
        let mut ways = likely.chain(edges).chain(of_others);
        Step { state, on: ways.find(|target| target.state == next.name) }
    };
    states.iter().zip(nexts).map(step).collect()
}

/// Every state has two nodes: entered, its level not yet looked at, and done, its level met.
fn entered(index: usize) -> usize {
    2 * index
}

fn doing(index: usize) -> usize {
    2 * index + 1
}

/// The states of nodes in order, each once.
fn states_of(nodes: &[usize]) -> Vec<usize> {
    let mut states: Vec<_> = nodes.iter().map(|node| node / 2).collect();
    states.dedup();
    if states.len() > 1 && states.first() == states.last() {
        states.pop();
    }
    states
}

/// What a call can do on such a course, if a `return` comes back to those states that `back` says by their
/// number. After the nodes of the states come those of ways back from what proves for one, and of those back
/// to a specialist.
fn followed(walk: &Walk<'_>, course: Course, ends: &Ends<'_>, back: &[bool]) -> Graph {
    let gathered = gathered(walk.flow);
    let states = walk.flow.states.len();
    let mut graph = Graph::new(4 * states);
    let mut lead = |from: usize, to: Option<&Target>| {
        if let Some(to) = to.and_then(|to| walk.index(&to.state)) {
            graph.add(from, entered(to));
        }
    };
    for (index, state) in walk.flow.states.values().enumerate() {
        if state.requires.is_some() {
            let refused = step_up(state).or_else(|| denied(state));
            lead(entered(index), refused);
        }
        if may_withhold(state, &gathered) {
            lead(doing(index), denied(state));
        }
        for target in onwards(state, course, ends) {
            lead(doing(index), Some(target));
        }
    }
    (0..states).for_each(|index| graph.add(entered(index), doing(index)));
    // Who does nothing proves nothing: the state that asked for proof denies.
    let denies = |state: &State| denied(state).and_then(|to| walk.index(&to.state)).map(entered);
    let proves = WaysBack {
        entered: &|state| step_up(state).into_iter().collect(),
        left: &doing,
        on: &|asked, state| {
            let comes_back = back.get(asked).is_some_and(|back| *back);
            denies(state).filter(|_| comes_back).into_iter().collect()
        },
    };
    walk.lead_back(&mut graph, 2 * states, &proves);
    // One that has handed over goes on so: its level was met, and where it lapses meanwhile, who does nothing
    // is denied as ever.
    let rejoins = WaysBack {
        entered: &|state| state.agent_step_up().into_iter().collect(),
        left: &doing,
        on: &|asked, _| vec![doing(asked)],
    };
    walk.lead_back(&mut graph, 3 * states, &rejoins);
    graph
}

/// Where a state can lead while the caller does nothing.
fn onwards<'f>(state: &'f State, course: Course, ends: &Ends<'_>) -> Vec<&'f Target> {
    let silent = course == Course::Silently;
    let routes = |outcomes: &[Outcome]| {
        outcomes.iter().filter_map(|outcome| state.routes.get(outcome)).collect::<Vec<_>>()
    };
    match &state.kind {
        Kind::Say(_) | Kind::Set(_) => routes(&[Outcome::Next]),
        Kind::Lookup(_) => routes(&[Outcome::Ok, Outcome::Failed]),
        Kind::Branch(branch) => {
            let cases = branch.cases.iter().map(|case| &case.next);
            cases.chain(routes(&[Outcome::Otherwise])).collect()
        }
        Kind::SendSmsOtp(_) | Kind::SendEmailOtp(_) => {
            // In silence a call sends a few times, and then no more. Where nobody is to hear that there is nowhere
            // to send it, a code is waited for all the same.
            let waited_for = course == Course::InstantlyWithCode;
            let mut ways = routes(&[Outcome::Unavailable]);
            ways.retain(|_| waited_for || !state.hides_contacts());
            ways.extend(routes(&[Outcome::Limited]));
            if waited_for {
                ways.extend(routes(&[Outcome::Sent]));
            }
            ways
        }
        Kind::SendLink(_) if silent => routes(&[Outcome::Unavailable, Outcome::Limited]),
        Kind::SendLink(_) => routes(&[Outcome::Sent, Outcome::Unavailable, Outcome::Limited]),
        Kind::GatherOtp(_) => match course {
            Course::InstantlyWithCode => Vec::new(),
            Course::InstantlyWithout => routes(&[Outcome::Expired, Outcome::Undelivered]),
            Course::Silently => routes(&[Outcome::Failed]),
        },
        Kind::Identify(identify) => {
            let mut ways = Vec::new();
            if identify.listen.is_none() || silent {
                ways.extend(routes(&[Outcome::Unknown]));
            }
            if identify.caller_id {
                ways.extend(routes(&[Outcome::Found]));
            }
            ways
        }
        Kind::Callback(_) => routes(&[Outcome::Unavailable, Outcome::Limited]),
        Kind::Menu(_) | Kind::Gather(_) | Kind::Voicemail(_) if silent => {
            routes(&[Outcome::NoInput])
        }
        kind if kind.takes_secret() && silent => routes(&[Outcome::Failed]),
        Kind::Call(call) => {
            let outcomes = ends.get(&call.flow).into_iter().flatten().cloned();
            routes(&outcomes.collect::<Vec<_>>())
        }
        Kind::Menu(_)
        | Kind::GatherPasscode(_)
        | Kind::GatherServiceCode(_)
        | Kind::Gather(_)
        | Kind::GatherPin(_)
        | Kind::Transfer(_)
        | Kind::Voicemail(_)
        | Kind::Return(_)
        | Kind::Hangup(_)
        | Kind::Reject(_) => Vec::new(),
    }
}

/// The variables that hold what the caller gave, and nothing else: they are the caller's to hear.
fn gathered(flow: &Flow) -> BTreeSet<&VariableName> {
    let (mut given, mut made) = (BTreeSet::new(), BTreeSet::new());
    for state in flow.states.values() {
        let of = if matches!(state.kind, Kind::Gather(_)) { &mut given } else { &mut made };
        of.extend(state.assigns().into_iter().map(|(name, _)| name));
    }
    given.difference(&made).copied().collect()
}

/// Whether a state may turn somebody away for what it says: it uses fields of the account, or variables
/// that may be made of them.
fn may_withhold(state: &State, gathered: &BTreeSet<&VariableName>) -> bool {
    let field = |used: &Use| matches!(used, Use::Field(_));
    let told = |used: &Use| match used {
        Use::Field(_) => true,
        Use::Variable(name) => !gathered.contains(name),
        Use::Code => false,
    };
    let set = |set: &Set| set.texts().flat_map(|text| &text.uses).any(field);
    state.prompts().into_iter().flat_map(Prompt::uses).any(told)
        || state.sent().flat_map(|text| &text.uses).any(told)
        || matches!(&state.kind, Kind::Set(values) if set(values))
}

/// How each flow can end on such a course: those first that call no other, and a flow again whenever more
/// is known of one that it calls.
fn ends<'f>(subject: &Subject<'f>, course: Course) -> Ends<'f> {
    let calls = subject.calls();
    let callers = calls.reversed();
    let mut ends = Ends::new();
    let mut wanted: VecDeque<_> = calls.components().into_iter().rev().flatten().collect();
    let mut waits = vec![true; wanted.len()];
    while let Some(index) = wanted.pop_front() {
        let Some((name, walk)) = subject.walks.get_index(index) else { continue };
        waits.get_mut(index).into_iter().for_each(|waits| *waits = false);
        let found = ends_of(walk, course, &ends);
        if ends.get(name).map_or(0, BTreeSet::len) == found.len() {
            continue;
        }
        ends.insert(name, found);
        for caller in callers.next(index) {
            if waits.get_mut(*caller).is_some_and(|waits| !std::mem::replace(waits, true)) {
                wanted.push_back(*caller);
            }
        }
    }
    ends
}

/// How one flow can, from what is known of those that it calls.
fn ends_of(walk: &Walk<'_>, course: Course, ends: &Ends<'_>) -> BTreeSet<Outcome> {
    let start = walk.index(&walk.flow.start).map(entered);
    let all = vec![true; walk.flow.states.len()];
    let reached = followed(walk, course, ends, &all).reach(start);
    let states = walk.flow.states.values().enumerate().filter(|(index, _)| {
        reached.get(doing(*index)).is_some_and(|reached| *reached)
            && walk.plainly(*index) != Reached::Never
    });
    let outcomes = states.filter_map(|(_, state)| match &state.kind {
        Kind::Return(back) => back.outcome.as_ref().map(|(outcome, _)| outcome.clone()),
        _ => None,
    });
    outcomes.collect()
}
