//! States that lead to each other in a ring on which nothing waits, neither for the caller nor for
//! the world. States that wait are those that listen, `callback`, `transfer` and `voicemail`; sending
//! a code does not, nor does a `callback` that is `unavailable` or `limited`, nor a `gather_otp` for
//! which there is no code. Rings through sub-flows, step-ups and their `denied` count too.
//!
//! ## Why
//!
//! Such a call would go round in an instant. callgate stops it after 64 states, and the caller hears
//! an apology.
//!
//! ## How to fix it
//!
//! Put a state that listens on the ring, or lead out of it. Retries need no ring: `tries` of a state
//! that listens does that.
//!
//! ## Before
//!
//! ```toml
//! [states.closed]
//! type = "say"
//! prompt = "We are closed."
//! next = "open"
//!
//! [states.open]
//! type = "branch"
//! cases = [{ when = { open = "office" }, next = "agent" }]
//! otherwise = "closed"
//! ```
//!
//! ## After
//!
//! ```toml
//! [states.closed]
//! type = "hangup"
//! prompt = "We are closed. Please call again."
//! ```

use std::collections::{BTreeMap, BTreeSet};

use super::{Report, Rule, Subject};
use crate::check::graph::Graph;
use crate::check::subject::{Reached, Walk, denied, step_up};
use crate::diagnostic::{Finding, Severity};
use crate::flow::Flow;
use crate::flow::name::{FlowName, VariableName};
use crate::flow::outcome::Outcome;
use crate::flow::prompt::Prompt;
use crate::flow::state::{Kind, State, Target};
use crate::flow::template::Use;

pub(super) const RULE: Rule = Rule {
    code: "loop-without-input",
    title: "a ring of states on which nothing waits",
    severity: Severity::Error,
    source: include_str!("loop_without_input.rs"),
    check,
};

/// What is supposed of the code that `gather_otp` asks for. Once a code has been sent it waits, and
/// without one it does not; no ring can have both.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Code {
    Sent,
    Missing,
}

/// The outcomes with which each flow can end in the instant in which it is called.
type Instant<'f> = BTreeMap<&'f FlowName, BTreeSet<Outcome>>;

fn check(subject: &Subject<'_>, report: &mut Report<'_>) {
    for walk in subject.walks() {
        let mut known: Vec<Vec<usize>> = Vec::new();
        for code in [Code::Sent, Code::Missing] {
            let graph = instantly(walk, code, &instant_outcomes(subject, code));
            for ring in graph.cycles() {
                let Some(first) = ring.first() else { continue };
                let round = states_of(&graph.round(*first));
                let idle = round.iter().any(|node| !walk.reached(*node));
                let mut same = round.clone();
                same.sort_unstable();
                if idle || known.contains(&same) {
                    continue;
                }
                known.push(same);
                if let Some((state, finding)) = finding(walk, &round, report) {
                    report.add_at(state, finding);
                }
            }
        }
    }
}

fn finding<'f>(
    walk: &Walk<'f>,
    round: &[usize],
    report: &Report<'_>,
) -> Option<(&'f State, Finding)> {
    let states: Vec<_> = round.iter().filter_map(|index| walk.state(*index)).collect();
    let first = states.first().copied()?;
    let message = match states.len() {
        1 => format!("state `{}` leads to itself, and does not wait for the caller", first.name),
        _ => format!("nothing waits for the caller between `{0}` and `{0}` again", first.name),
    };
    let mut finding = report.finding(message, &first.place);
    for (state, next) in states.iter().zip(states.iter().cycle().skip(1)) {
        let edges = state.edges();
        // A `return` has no edge of its own: where nothing was proved, `denied` leads on.
        let of_others = || walk.flow.states.values().filter_map(denied);
        let way = edges.iter().map(|edge| edge.to).chain(of_others());
        if let Some(target) = way.into_iter().find(|target| target.state == next.name) {
            finding = finding.label(format!("then `{}`", next.name), target.place.clone());
        }
    }
    Some((first, finding.help("put a state that listens on the way, or lead out of it")))
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

/// What a call can do in one instant.
fn instantly(walk: &Walk<'_>, code: Code, called: &Instant<'_>) -> Graph {
    let mut graph = Graph::new(2 * walk.flow.states.len());
    let mut lead = |from: usize, to: Option<&Target>| {
        if let Some(to) = to.and_then(|to| walk.index(&to.state)) {
            graph.add(from, entered(to));
        }
    };
    let mut inside = Vec::new();
    for (index, (state, back)) in walk.flow.states.values().zip(walk.comes_back_to()).enumerate() {
        inside.push((entered(index), doing(index)));
        if state.requires.is_some() {
            let refused = step_up(state).or_else(|| denied(state));
            lead(entered(index), refused);
        }
        if may_withhold(walk.flow, state) {
            lead(doing(index), denied(state));
        }
        for target in at_once(state, code, called) {
            lead(doing(index), Some(target));
        }
        if matches!(state.kind, Kind::Return(_)) {
            // In an instant nothing is proved: the state that asked for proof denies.
            let asked = back.iter().filter_map(|asked| walk.state(*asked));
            asked.for_each(|asked| lead(doing(index), denied(asked)));
        }
    }
    for (from, to) in inside {
        graph.add(from, to);
    }
    graph
}

/// Where a state can lead without waiting.
fn at_once<'f>(state: &'f State, code: Code, called: &Instant<'_>) -> Vec<&'f Target> {
    let routes = |outcomes: &[Outcome]| {
        outcomes.iter().filter_map(|outcome| state.routes.get(outcome)).collect::<Vec<_>>()
    };
    match &state.kind {
        Kind::Say(_) | Kind::Set(_) => routes(&[Outcome::Next]),
        Kind::Branch(branch) => {
            let cases = branch.cases.iter().map(|case| &case.next);
            cases.chain(routes(&[Outcome::Otherwise])).collect()
        }
        Kind::SendSmsOtp(_) | Kind::SendEmailOtp(_) => {
            let mut ways = routes(&[Outcome::Unavailable, Outcome::Limited]);
            if code == Code::Sent {
                ways.extend(routes(&[Outcome::Sent]));
            }
            ways
        }
        Kind::SendLink(_) => routes(&[Outcome::Sent, Outcome::Unavailable, Outcome::Limited]),
        Kind::GatherOtp(_) if code == Code::Missing => {
            routes(&[Outcome::Expired, Outcome::Undelivered])
        }
        Kind::Identify(identify) => {
            let mut ways = Vec::new();
            if identify.caller_id {
                ways.extend(routes(&[Outcome::Found]));
            }
            if identify.listen.is_none() {
                ways.extend(routes(&[Outcome::Unknown]));
            }
            ways
        }
        Kind::Callback(_) => routes(&[Outcome::Unavailable, Outcome::Limited]),
        Kind::Call(call) => {
            let outcomes = called.get(&call.flow).into_iter().flatten().cloned();
            routes(&outcomes.collect::<Vec<_>>())
        }
        Kind::Menu(_)
        | Kind::GatherPasscode(_)
        | Kind::GatherServiceCode(_)
        | Kind::Gather(_)
        | Kind::GatherPin(_)
        | Kind::GatherOtp(_)
        | Kind::Transfer(_)
        | Kind::Voicemail(_)
        | Kind::Return(_)
        | Kind::Hangup(_)
        | Kind::Reject(_) => Vec::new(),
    }
}

/// Whether a state may turn somebody away for what it says: it uses fields of the account, or variables
/// that may be made of them.
fn may_withhold(flow: &Flow, state: &State) -> bool {
    let field = |used: &Use| matches!(used, Use::Field(_));
    // What the caller gives is the caller's to hear.
    let gathered = |name: &VariableName| {
        let mut setters = flow.states.values().filter(|s| s.assigns().iter().any(|(n, _)| *n == name));
        setters.clone().next().is_some() && setters.all(|s| matches!(s.kind, Kind::Gather(_)))
    };
    let told = |used: &Use| match used {
        Use::Field(_) => true,
        Use::Variable(name) => !gathered(name),
        Use::Code => false,
    };
    let prompts = state.prompts().into_iter().flat_map(Prompt::uses).any(told);
    let set = matches!(&state.kind, Kind::Set(set) if set.values.iter().any(|value| {
        matches!(&value.to, crate::flow::states::set::Assigned::Text(text)
            if text.uses.iter().any(field))
    }));
    prompts || set
}

fn instant_outcomes<'f>(subject: &Subject<'f>, code: Code) -> Instant<'f> {
    let mut instant = Instant::new();
    loop {
        let of = |walk: &Walk<'f>| {
            let start = walk.index(&walk.flow.start).map(entered);
            let reached = instantly(walk, code, &instant).reach(start);
            let states = walk.flow.states.values().enumerate().filter(|(index, _)| {
                reached.get(doing(*index)).is_some_and(|reached| *reached)
                    && walk.plainly(*index) != Reached::Never
            });
            let outcomes = states.filter_map(|(_, state)| match &state.kind {
                Kind::Return(back) => back.outcome.as_ref().map(|(outcome, _)| outcome.clone()),
                _ => None,
            });
            (&walk.flow.name, outcomes.collect())
        };
        let next: Instant<'f> = subject.walks().map(of).collect();
        if next == instant {
            return instant;
        }
        instant = next;
    }
}

#[cfg(test)]
mod tests {
    use crate::check::rules::tests::{ENDS, check, findings};

    #[test]
    fn talk_alone_does_not_wait() {
        let found = check(
            "a",
            &format!(
                "[states.a]\ntype = \"say\"\nprompt = \"a\"\nnext = \"b\"\n\
                 [states.b]\ntype = \"branch\"\n\
                 cases = [{{ when = {{ fact = \"pin\" }}, next = \"ask\" }}]\notherwise = \"a\"\n{ENDS}"
            ),
        );
        assert_eq!(
            found,
            ["3: loop-without-input: nothing waits for the caller between `a` and `a` again"]
        );
    }

    #[test]
    fn a_menu_on_the_ring_waits() {
        let ring = ENDS.replace("no_match = \"bye\"", "no_match = \"a\"");
        let found = check(
            "a",
            &format!("[states.a]\ntype = \"say\"\nprompt = \"a\"\nnext = \"ask\"\n{ring}"),
        );
        assert_eq!(found, [""; 0]);
    }

    #[test]
    fn a_fresh_code_is_waited_for_and_a_missing_one_is_not() {
        let flow = |limited: &str| {
            format!(
                "[states.send]\ntype = \"send_sms_otp\"\n\
                 on = {{ sent = \"code\", unavailable = \"bye\", limited = \"{limited}\" }}\n\
                 [states.code]\ntype = \"gather_otp\"\nprompt = \"The six digits, please.\"\n\
                 on = {{ ok = \"ask\", failed = \"bye\", expired = \"send\", undelivered = \"bye\" }}\n\
                 {ENDS}"
            )
        };
        assert_eq!(check("send", &flow("bye")), [""; 0]);
        assert_eq!(
            check("send", &flow("code")),
            ["3: loop-without-input: nothing waits for the caller between `send` and `send` again"]
        );
    }

    #[test]
    fn a_step_up_that_cannot_prove_goes_round_through_denied() {
        let flow = |denied: &str| {
            format!(
                "levels = {{ strong = {{ any = [\"sms_otp\"] }} }}\n\
                 [states.in]\ntype = \"say\"\nprompt = \"a\"\nrequires = \"strong\"\n\
                 step_up = \"send\"\non = {{ denied = \"{denied}\" }}\nnext = \"ask\"\n\
                 [states.sorry]\ntype = \"say\"\nprompt = \"b\"\nnext = \"in\"\n\
                 [states.send]\ntype = \"send_sms_otp\"\n\
                 on = {{ sent = \"code\", unavailable = \"back\", limited = \"back\" }}\n\
                 [states.code]\ntype = \"gather_otp\"\nprompt = \"The six digits, please.\"\n\
                 on = {{ ok = \"back\", failed = \"back\", expired = \"send\", undelivered = \"back\" }}\n\
                 [states.back]\ntype = \"return\"\n{ENDS}"
            )
        };
        assert_eq!(
            check("in", &flow("sorry")),
            ["4: loop-without-input: nothing waits for the caller between `in` and `in` again"]
        );
        assert_eq!(
            check("in", &flow("ask")),
            ["11: unreachable-state: no call can get to state `sorry`"]
        );
    }

    #[test]
    fn a_sub_flow_waits_only_if_it_does() {
        let main = "name = \"m\"\nstart = \"go\"\n[states.go]\ntype = \"call\"\nflow = \"s\"\n\
                    on = { ok = \"go\", no = \"bye\" }\n[states.bye]\ntype = \"hangup\"\n";
        let sub = |next: &str| {
            format!(
                "name = \"s\"\nstart = \"b\"\n[states.b]\ntype = \"branch\"\n\
                 cases = [{{ when = {{ fact = \"pin\" }}, next = \"no\" }}]\notherwise = \"{next}\"\n\
                 [states.ok]\ntype = \"return\"\noutcome = \"ok\"\n\
                 [states.no]\ntype = \"return\"\noutcome = \"no\"\n{}",
                ENDS.replace("1 = \"bye\"", "1 = \"ok\"")
            )
        };
        assert_eq!(
            findings(&[main, &sub("ok")]).first().map(String::as_str),
            Some(
                "0:3: loop-without-input: state `go` leads to itself, and does not wait for the caller"
            )
        );
        assert_eq!(findings(&[main, &sub("ask")]), [""; 0]);
    }
}
