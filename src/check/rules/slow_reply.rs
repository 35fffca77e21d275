//! An answer to the provider that may take longer than callgate gives itself: four seconds.
//!
//! Between two things that a caller does, everything happens in one answer: states that do not wait for
//! anybody follow each other, and each may have to ask. Added up is what each may take at worst: the
//! store half a second, the account and a back end one and a half each, a proof or a code two tenths.
//!
//! A house may ask more, or wait longer or less: it looks numbers up before codes go to them, or has the
//! provider check its codes. `callgate check` knows nothing of that. `callgate serve` does: when it starts,
//! and whenever flows change, it adds up what its own configuration says (each `timeout` there), and tells
//! in its log which answers may come too late.
//!
//! ## Why
//!
//! A provider gives up on an answer that does not come, and some do so after five seconds. So callgate
//! answers after four, whatever happens: the caller hears an apology, and the call is handed over or
//! ends.
//!
//! ## How to fix it
//!
//! Let the caller do something in between: a `menu` or a `gather` ends the answer, and what follows is
//! asked for in the next. Claiming an account again, only because the first way found none, can be one
//! `identify` with two ways in `by`.
//!
//! ## Before
//!
//! ```toml
//! [states.known]
//! type = "identify"
//! by = ["caller_id"]
//! on = { found = "menu", unknown = "again" }
//!
//! [states.again]
//! type = "identify"
//! by = ["caller_id", "digits"]
//! prompt = "Please key in your account number."
//! on = { found = "menu", unknown = "menu" }
//! ```
//!
//! ## After
//!
//! ```toml
//! [states.known]
//! type = "identify"
//! by = ["caller_id", "digits"]
//! prompt = "Please key in your account number."
//! on = { found = "menu", unknown = "menu" }
//! ```

mod way;

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use super::{Report, Rule, Subject};
use crate::check::Waits;
use crate::check::graph::Graph;
use crate::check::subject::{Walk, WaysBack, step_ups};
use crate::diagnostic::Severity;
use crate::flow::edge::Label;
use crate::flow::name::{FlowName, StateName};
use crate::flow::outcome::Outcome;
use crate::flow::state::{Kind, State};
use crate::limits;
use way::Found;

pub(super) const RULE: Rule = Rule {
    code: "slow-reply",
    title: "an answer that may come too late for the provider",
    severity: Severity::Warning,
    source: include_str!("slow_reply.rs"),
    check,
};

/// Loading a call and committing its turn, with a store that is slow and well.
const STORE: Duration = Duration::from_millis(500);
/// Verifying a secret, or counting and making what is sent.
const PROOF: Duration = Duration::from_millis(200);

fn check(subject: &Subject<'_>, report: &mut Report<'_>) {
    let answers = Answers::of(subject);
    let mut told = BTreeSet::new();
    let mut steps = limits::SLOW_STEPS_MAX;
    for (start, anyway) in answers.starts() {
        let base = anyway.iter().map(|(_, takes)| *takes).sum();
        if answers.worst(start) + base <= limits::TURN_DEADLINE {
            continue;
        }
        let way = match answers.too_slow(start, base, &mut steps) {
            Found::Way(way) => way,
            Found::None => continue,
            Found::TooMany => answers.worst_from(start),
        };
        let Some((late, total)) = answers.too_late(&way, base) else { continue };
        let (Some((walk, first)), Some((_, last))) = (answers.state(start), answers.state(late))
        else {
            continue;
        };
        if !told.insert((walk.flow.name.as_str(), last.name.as_str())) {
            continue;
        }
        let seconds = |duration: Duration| format!("{:.1} s", duration.as_secs_f64());
        let message = format!(
            "an answer in which `{}` is come to may take {}, and is given up after {}",
            last.name,
            seconds(total),
            seconds(limits::TURN_DEADLINE)
        );
        let asks = way.iter().filter(|node| !answers.cost(**node).is_zero());
        let asks = asks.filter_map(|node| {
            let (_, state) = answers.state(*node)?;
            Some(format!("`{}` {}", state.name, seconds(answers.cost(*node))))
        });
        let anyway = anyway.iter().filter(|(_, takes)| !takes.is_zero());
        let anyway = anyway.map(|(what, takes)| format!("{what} {}", seconds(*takes)));
        let asks: Vec<_> = anyway.chain(asks.take(2 * limits::NAMES_LISTED_MAX)).collect();
        let help = format!(
            "it asks for much before the caller does anything: {}\nlet the caller do something in between",
            asks.join(", ")
        );
        let finding = report.finding(message, &last.place).help(help);
        let finding = if first.place == last.place {
            finding
        } else {
            finding.label("the answer begins here", first.place.clone())
        };
        report.add_at(last, finding);
    }
}

/// What may follow what within one answer. Every state has two nodes: it is entered, and a caller who
/// was waited for leads on from it. After them come a node for each state from which a step-up comes back,
/// and one for each flow that does.
struct Answers<'s, 'f> {
    waits: &'s Waits,
    states: Vec<(&'s Walk<'f>, &'f State)>,
    rings: Vec<Ring>,
    /// For each node its ring.
    ring_of: Vec<usize>,
}

/// Nodes that lead to each other; mostly a single one.
struct Ring {
    nodes: Vec<usize>,
    /// The worst that may follow from any of them, all of them included.
    worst: Duration,
    /// And the node outside that goes with it.
    next: Option<usize>,
}

fn entered(state: usize) -> usize {
    2 * state
}

fn resumed(state: usize) -> usize {
    2 * state + 1
}

impl<'s, 'f> Answers<'s, 'f> {
    fn of(subject: &'s Subject<'f>) -> Self {
        let (states, rings, ring_of) = (subject.states().collect(), Vec::new(), Vec::new());
        let mut answers = Self { waits: &subject.waits, states, rings, ring_of };
        let graph = answers.graph(subject);
        answers.ring_of = vec![usize::MAX; 3 * answers.states.len() + subject.walks.len()];
        // From the ends backwards; a ring is gone round once.
        for nodes in graph.components().into_iter().rev() {
            let own: Duration = nodes.iter().map(|node| answers.cost(*node)).sum();
            let outside = nodes.iter().flat_map(|node| graph.next(*node)).copied();
            let outside = outside.filter(|next| nodes.binary_search(next).is_err());
            let next = outside.max_by_key(|next| answers.worst(*next));
            let worst = own + next.map(|next| answers.worst(next)).unwrap_or_default();
            for node in &nodes {
                if let Some(ring) = answers.ring_of.get_mut(*node) {
                    *ring = answers.rings.len();
                }
            }
            answers.rings.push(Ring { nodes, worst, next });
        }
        answers
    }

    fn ring(&self, node: usize) -> Option<&Ring> {
        self.rings.get(*self.ring_of.get(node)?)
    }

    /// The worst that may follow from a node, itself included.
    fn worst(&self, node: usize) -> Duration {
        self.ring(node).map(|ring| ring.worst).unwrap_or_default()
    }

    /// The edges within one answer.
    fn graph(&self, subject: &Subject<'f>) -> Graph {
        let named = |(at, (walk, state)): (usize, &(&'s Walk<'f>, &'f State))| {
            ((walk.flow.name.as_str(), state.name.as_str()), at)
        };
        let numbers: HashMap<_, _> = self.states.iter().enumerate().map(named).collect();
        let number = |flow: &FlowName, state: &StateName| {
            numbers.get(&(flow.as_str(), state.as_str())).copied()
        };
        let states = self.states.len();
        let mut graph = Graph::new(3 * states + subject.walks.len());
        for (at, (walk, state)) in self.states.iter().enumerate() {
            let flow = &walk.flow.name;
            for edge in state.edges() {
                let Some(to) = number(flow, &edge.to.state) else { continue };
                if self.is_waited_for(&edge.label, to) {
                    continue;
                }
                let aside = matches!(edge.label, Label::StepUp | Label::Outcome(Outcome::Denied));
                if aside || !waits(&state.kind) || at_once(&state.kind, &edge.label) {
                    // A sub-flow comes first, and then what it leads to.
                    let calls = matches!(state.kind, Kind::Call(_)) && !aside;
                    graph.add(if calls { resumed(at) } else { entered(at) }, entered(to));
                }
                if !aside && waits(&state.kind) {
                    graph.add(resumed(at), entered(to));
                }
            }
            let Kind::Call(call) = &state.kind else { continue };
            let Some(called) = subject.flows.get(call.flow.as_str()) else { continue };
            if let Some(start) = number(&called.name, &called.start) {
                graph.add(entered(at), entered(start));
            }
            if let Some(called) = subject.walks.get_index_of(&called.name) {
                graph.add(3 * states + called, resumed(at));
            }
        }
        let mut first = 0;
        for (number, walk) in subject.walks().enumerate() {
            for (index, state) in walk.flow.states.values().enumerate() {
                if matches!(state.kind, Kind::Return(_)) {
                    graph.add(entered(first + index), 3 * states + number);
                }
            }
            let back = WaysBack {
                entered: &|state| step_ups(state).collect(),
                left: &|index| entered(first + index),
                on: &|asked, _| vec![entered(first + asked)],
            };
            walk.lead_back(&mut graph, 2 * states + first, &back);
            first += walk.flow.states.len();
        }
        graph
    }

    /// Whether the caller is waited for there: a code that was just sent has not run out, and nobody has said yet
    /// that it did not arrive.
    fn is_waited_for(&self, label: &Label, to: usize) -> bool {
        let kind = self.states.get(to).map(|(_, state)| &state.kind);
        matches!(kind, Some(Kind::GatherOtp(_))) && *label == Label::Outcome(Outcome::Sent)
    }

    /// Nodes at which an answer begins, with what it takes anyway, by name.
    fn starts(&self) -> Vec<(usize, [(&'static str, Duration); 2])> {
        let begins = self.states.iter().enumerate().map(|(at, (walk, state))| {
            let rings = walk.flow.start == state.name && !walk.is_sub_flow();
            let store = ("the store", STORE);
            let caller = ("the caller's number", self.waits.caller);
            let ring = rings.then_some((entered(at), [store, caller]));
            // Who claims an account anew needs the one claimed before no more.
            let anew = matches!(state.kind, Kind::Identify(_));
            let claimed = if anew { Duration::ZERO } else { self.waits.account };
            let heard = [store, ("the account", claimed)];
            let heard = waits(&state.kind).then_some((resumed(at), heard));
            [ring, heard]
        });
        begins.flatten().flatten().collect()
    }

    fn state(&self, node: usize) -> Option<(&'s Walk<'f>, &'f State)> {
        self.states.get(node / 2).copied()
    }

    /// What the state of a node asks for there, at worst.
    fn cost(&self, node: usize) -> Duration {
        let Some((_, state)) = self.state(node) else { return Duration::ZERO };
        let enters = node.is_multiple_of(2);
        match &state.kind {
            Kind::Identify(identify) if !enters || identify.caller_id => self.waits.account,
            Kind::SendSmsOtp(_) | Kind::SendLink(_) | Kind::Callback(_) if enters => {
                PROOF + self.waits.number
            }
            Kind::SendEmailOtp(_) if enters => PROOF,
            Kind::Lookup(lookup) if enters => self.waits.of_backend(&lookup.backend),
            Kind::GatherOtp(_) if !enters => PROOF + self.waits.code,
            kind if kind.is_proof() && !enters => PROOF,
            _ => Duration::ZERO,
        }
    }

    /// The nodes of the slowest answer that begins so, in order.
    fn worst_from(&self, start: usize) -> Vec<usize> {
        let mut way = Vec::new();
        let mut wanted = Some(start);
        while let Some((node, ring)) = wanted.and_then(|node| Some((node, self.ring(node)?))) {
            way.push(node);
            way.extend(ring.nodes.iter().copied().filter(|other| *other != node));
            wanted = ring.next;
        }
        way
    }

    /// The node at which the time is up, and what the whole answer may take.
    fn too_late(&self, way: &[usize], base: Duration) -> Option<(usize, Duration)> {
        let mut total = base;
        let mut late = None;
        for node in way {
            total += self.cost(*node);
            if total > limits::TURN_DEADLINE && late.is_none() {
                late = Some(*node);
            }
        }
        late.map(|node| (node, total))
    }
}

/// Whether a state waits for somebody before it leads on.
pub(super) fn waits(kind: &Kind) -> bool {
    match kind {
        Kind::Menu(_)
        | Kind::Gather(_)
        | Kind::GatherPin(_)
        | Kind::GatherPasscode(_)
        | Kind::GatherOtp(_)
        | Kind::GatherServiceCode(_)
        | Kind::Callback(_)
        | Kind::Transfer(_)
        | Kind::Voicemail(_) => true,
        Kind::Identify(identify) => identify.listen.is_some(),
        Kind::Say(_)
        | Kind::SendSmsOtp(_)
        | Kind::SendEmailOtp(_)
        | Kind::SendLink(_)
        | Kind::Lookup(_)
        | Kind::Branch(_)
        | Kind::Set(_)
        | Kind::Call(_)
        | Kind::Return(_)
        | Kind::Hangup(_)
        | Kind::Reject(_) => false,
    }
}

/// Whether one that waits may lead on so without having waited.
pub(super) fn at_once(kind: &Kind, label: &Label) -> bool {
    let Label::Outcome(outcome) = label else { return false };
    match kind {
        Kind::Identify(identify) => identify.caller_id && *outcome == Outcome::Found,
        Kind::GatherOtp(_) => matches!(outcome, Outcome::Expired | Outcome::Undelivered),
        Kind::Callback(_) => matches!(outcome, Outcome::Unavailable | Outcome::Limited),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::check::rules::tests::{ENDS, check, findings};
    use crate::check::{Waits, check_sources_for};
    use crate::diagnostic::Sources;

    fn identify(name: &str, by: &str, found: &str, unknown: &str) -> String {
        format!(
            "[states.{name}]\ntype = \"identify\"\nby = [{by}]\naccept = [\"enumeration\"]\n\
             on = {{ found = \"{found}\", unknown = \"{unknown}\" }}\n{}",
            if by.contains("digits") { "prompt = \"Who?\"\n" } else { "" }
        )
    }

    fn slow(states: &str) -> Vec<String> {
        let mut found = check("a", &format!("{states}{ENDS}"));
        found.retain(|finding| finding.contains("slow-reply"));
        found
    }

    #[test]
    fn what_is_asked_before_the_caller_does_anything_adds_up() {
        let one = identify("a", "\"caller_id\", \"digits\"", "ask", "ask");
        assert_eq!(slow(&one), [""; 0]);
        let two = identify("a", "\"caller_id\"", "ask", "b");
        let three = identify("b", "\"caller_id\"", "ask", "c");
        let last = identify("c", "\"caller_id\", \"digits\"", "ask", "ask");
        assert_eq!(
            slow(&format!("{two}{three}{last}")),
            [
                "13: slow-reply: an answer in which `c` is come to may take 5.0 s, and is given up after 4.0 s"
            ]
        );
        let apart = three.replace("\"c\"", "\"ask\"");
        assert_eq!(slow(&format!("{two}{apart}")), [""; 0], "a key lies between");
    }

    #[test]
    fn who_returns_comes_back_to_what_was_asked_for_alone() {
        let guarded = |name: &str, more: &str, next: &str| {
            format!(
                "[states.{name}]\ntype = \"say\"\nprompt = \"a\"\nrequires = \"l\"\nstep_up = \"{more}\"\n\
                 on = {{ denied = \"ask\" }}\nnext = \"{next}\"\n"
            )
        };
        // Whoever proves something for `b` goes on as `next` says; a look-up waits behind `c`, which
        // asks for no such proof.
        let slow = |next: &str| {
            slow(&format!(
                "{}{}{}[states.pin]\ntype = \"gather_pin\"\nprompt = \"PIN?\"\n\
                 on = {{ ok = \"text\", failed = \"back\", locked = \"back\" }}\n\
                 [states.text]\ntype = \"send_sms_otp\"\naccept = [\"enumeration\"]\n\
                 on = {{ sent = \"back\", unavailable = \"mail\", limited = \"back\" }}\n\
                 [states.mail]\ntype = \"send_email_otp\"\naccept = [\"enumeration\"]\n\
                 on = {{ sent = \"back\", unavailable = \"back\", limited = \"back\" }}\n\
                 [states.no]\ntype = \"say\"\nprompt = \"No.\"\nnext = \"back\"\n\
                 [states.back]\ntype = \"return\"\n\
                 [states.mid]\ntype = \"menu\"\nprompt = \"Press 1.\"\nkeys = {{ 1 = \"c\" }}\n\
                 on = {{ no_input = \"bye\", no_match = \"bye\" }}\n\
                 [states.look]\ntype = \"lookup\"\nbackend = \"x\"\naccept = [\"enumeration\"]\n\
                 on = {{ ok = \"ask\", failed = \"ask\" }}\n[levels]\nl = {{ any = [\"pin\"] }}\n",
                identify("a", "\"digits\"", "b", "b"),
                guarded("b", "pin", next),
                guarded("c", "no", "look"),
            ))
        };
        assert_eq!(slow("mid"), [""; 0]);
        assert_eq!(slow("look").len(), 1);
    }

    #[test]
    fn what_a_flow_returns_says_where_its_caller_goes_on() {
        let caller = |looked: &str| {
            format!(
                "name = \"f\"\nstart = \"a\"\n{}[states.b]\ntype = \"call\"\nflow = \"g\"\n\
                 on = {{ ok = \"ask\", failed = \"ask\", {looked} = \"look\" }}\n\
                 [states.look]\ntype = \"lookup\"\nbackend = \"x\"\naccept = [\"enumeration\"]\n\
                 on = {{ ok = \"ask\", failed = \"ask\" }}\n{ENDS}",
                identify("a", "\"digits\"", "b", "b")
            )
            .replacen(&format!("{looked} = \"ask\", "), "", 1)
        };
        let called = "name = \"g\"\nstart = \"text\"\n\
            [states.text]\ntype = \"send_sms_otp\"\naccept = [\"enumeration\"]\n\
            on = { sent = \"code\", unavailable = \"mail\", limited = \"mail\" }\n\
            [states.mail]\ntype = \"send_email_otp\"\naccept = [\"enumeration\"]\n\
            on = { sent = \"code\", unavailable = \"no\", limited = \"no\" }\n\
            [states.code]\ntype = \"gather_otp\"\nprompt = \"Code?\"\n\
            on = { ok = \"yes\", failed = \"no\", expired = \"text\", undelivered = \"no\" }\n\
            [states.yes]\ntype = \"return\"\noutcome = \"ok\"\n\
            [states.no]\ntype = \"return\"\noutcome = \"failed\"\n";
        let slow = |looked: &str| {
            let found = findings(&[&caller(looked), called]);
            found.into_iter().filter(|finding| finding.contains("slow-reply")).count()
        };
        assert_eq!(slow("ok"), 0, "who keys the code in has waited for it");
        assert_eq!(slow("failed"), 1);
    }

    /// The answers that are too late in a house that waits so.
    fn slow_for(waits: &Waits, states: &str) -> Vec<String> {
        let mut sources = Sources::default();
        let states = states.replace("{ENDS}", ENDS);
        sources.add("f", format!("name = \"f\"\nstart = \"who\"\n{states}"));
        let (_, mut findings) = check_sources_for(&sources, waits);
        findings.retain(|finding| finding.code == "slow-reply");
        findings.into_iter().map(|finding| finding.message).collect()
    }

    /// Whoever has to mend it hears what adds up, in the order in which it is asked for, and where the answer begins.
    #[test]
    fn what_adds_up_is_told_with_where_it_begins() {
        let states = identify("who", "\"digits\"", "text", "text")
            + "[states.text]\ntype = \"send_sms_otp\"\naccept = [\"enumeration\"]\n\
               on = { sent = \"code\", unavailable = \"bye\", limited = \"bye\" }\n\
               [states.code]\ntype = \"gather_otp\"\nprompt = \"Code?\"\n\
               on = { ok = \"bye\", failed = \"bye\", expired = \"bye\", undelivered = \"bye\" }\n"
            + ENDS;
        let mut sources = Sources::default();
        sources.add("f", format!("name = \"f\"\nstart = \"who\"\n{states}"));
        let waits = Waits { number: Duration::from_secs(3), ..Waits::default() };
        let (_, mut findings) = check_sources_for(&sources, &waits);
        findings.retain(|finding| finding.code == "slow-reply");
        let [found] = findings.as_slice() else { panic!("{findings:?}") };
        expect_test::expect![[r"
            it asks for much before the caller does anything: the store 0.5 s, `who` 1.5 s, `text` 3.2 s
            let the caller do something in between"]].assert_eq(found.help.as_deref().unwrap());
        let labels: Vec<_> = found
            .labels
            .iter()
            .map(|label| (sources.start(&label.place).line, label.text.as_str()))
            .collect();
        assert_eq!(labels, [(9, ""), (3, "the answer begins here")]);
    }

    #[test]
    fn a_house_that_looks_numbers_up_waits_for_that_too() {
        let who = identify("who", "\"digits\"", "text", "text");
        let text = "[states.text]\ntype = \"send_sms_otp\"\naccept = [\"enumeration\"]\n\
                    on = { sent = \"code\", unavailable = \"link\", limited = \"bye\" }\n\
                    [states.link]\ntype = \"send_link\"\nmessage = \"https://acme.example\"\n\
                    on = { sent = \"bye\", unavailable = \"bye\", limited = \"bye\" }\n\
                    [states.code]\ntype = \"gather_otp\"\nprompt = \"Code?\"\n\
                    on = { ok = \"bill\", failed = \"bye\", expired = \"bye\", undelivered = \"bye\" }\n\
                    [states.bill]\ntype = \"lookup\"\nbackend = \"billing\"\n\
                    on = { ok = \"bye\", failed = \"bye\" }\n{ENDS}";
        let flow = who + text;
        let usual = Waits::default();
        assert_eq!(slow_for(&usual, &flow), [""; 0]);
        let second = Duration::from_secs(1);
        let number = Waits { number: second, ..usual.clone() };
        // The store, the account, and for the code and the link each a number.
        assert_eq!(
            slow_for(&number, &flow),
            ["an answer in which `link` is come to may take 4.4 s, and is given up after 4.0 s"]
        );
        let at_hand = Waits { account: Duration::ZERO, ..number };
        assert_eq!(slow_for(&at_hand, &flow), [""; 0], "the accounts are in a file");
        let code = Waits { code: second, ..usual.clone() };
        assert_eq!(
            slow_for(&code, &flow),
            ["an answer in which `bill` is come to may take 4.7 s, and is given up after 4.0 s"]
        );
        let quick = [("billing".to_owned(), second / 10)].into();
        assert_eq!(slow_for(&Waits { backends: quick, ..code }, &flow), [""; 0]);
        let ring = flow.replacen("by = [\"digits\"]", "by = [\"caller_id\", \"digits\"]", 1);
        assert_eq!(slow_for(&usual, &ring), [""; 0]);
        // Until the code is sent nobody waits for one that has run out.
        let again = flow.replace("expired = \"bye\"", "expired = \"text\"");
        assert_eq!(slow_for(&Waits { number: second, ..usual.clone() }, &again).len(), 1);
        assert_eq!(slow_for(&at_hand, &again), [""; 0]);
        let caller = Waits { caller: second * 2, ..usual };
        assert_eq!(
            slow_for(&caller, &ring),
            ["an answer in which `text` is come to may take 4.2 s, and is given up after 4.0 s"],
            "the store, the caller's number, an account and a code"
        );
    }
}
