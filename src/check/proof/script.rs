//! A way as a call script: what a caller does to get there.

use super::known::Known;
use super::walk::{Arrival, By, Gap, Walks};
use crate::diagnostic::Place;
use crate::flow::edge::Label;
use crate::flow::level::{Fact, Level};
use crate::flow::outcome::Outcome;
use crate::flow::risk::Risk;
use crate::flow::state::{Kind, State};
use crate::limits;

/// What a caller does, and where the proof was lost.
#[derive(Clone, Debug)]
pub(in crate::check) struct Script<'f> {
    /// What the caller does, or what happens to them, and where that leads.
    pub(in crate::check) steps: Vec<Step<'f>>,
    /// Ages from here on are not told apart.
    oldest_s: u32,
    /// The edge on which the proof was lost, or else the one that leads to the state without it.
    pub(in crate::check) lost: Option<Lost>,
}

/// A step of a script.
#[derive(Clone, Debug)]
pub(in crate::check) struct Step<'f> {
    /// What is done; `None`: nothing, the call goes on by itself.
    pub(in crate::check) deed: Option<String>,
    /// The state it leads to.
    pub(in crate::check) state: &'f State,
    /// What is proved there.
    pub(in crate::check) known: Known,
}

/// A failure that leads where success leads, when success would have met the level.
#[derive(Clone, Debug)]
pub(in crate::check) struct Shared<'f> {
    /// The state that asks for the proof, or sends what it takes.
    pub(in crate::check) state: &'f State,
    /// How it failed.
    pub(in crate::check) failure: Outcome,
    /// The state that succeeds: the same, or the one that takes the code that was sent.
    pub(in crate::check) asked: &'f State,
    /// Where failure and success lead.
    pub(in crate::check) places: (Place, Place),
}

/// An edge on which a proof was lost or never asked for.
#[derive(Clone, Debug)]
pub(in crate::check) struct Lost {
    /// Where the edge is written.
    pub(in crate::check) place: Place,
    /// What happens there.
    pub(in crate::check) what: String,
}

impl<'f> Script<'f> {
    /// The script of a gap.
    pub(in crate::check) fn of(walks: &Walks<'f>, gap: &Gap<'f>) -> Self {
        let way = walks.way(gap.arrival);
        let step = |arrival: &&Arrival<'f>| {
            let (_, state) = walks.state(arrival.place)?;
            Some(Step { deed: deed(walks, arrival), state, known: arrival.known })
        };
        let steps = way.iter().filter_map(step).collect();
        Self { steps, oldest_s: walks.oldest_s(), lost: lost(walks, &way, gap.level) }
    }

    /// A line for each thing that is done: where that leads, and what is proved there. Of a very long way
    /// the middle is left out.
    pub(in crate::check) fn lines(&self) -> Vec<String> {
        let mut lines: Vec<(String, Vec<String>, String)> = Vec::new();
        for step in &self.steps {
            let state = format!("`{}`", step.state.name);
            let ages = ages(&step.known, self.oldest_s);
            match (&step.deed, lines.last_mut()) {
                (None, Some((_, states, known))) => {
                    states.push(state);
                    *known = ages;
                }
                (deed, _) => {
                    lines.push((deed.clone().unwrap_or_default(), vec![state], ages));
                }
            }
        }
        let left_out = left_out(lines.len(), limits::SCRIPT_LINES_MAX);
        let told = |number: &usize| !left_out.contains(number);
        let head = |number: usize, deed: &str| format!("{}. {deed}", number + 1);
        let width = lines.iter().enumerate().filter(|(number, _)| told(number));
        let width = width.map(|(number, (deed, ..))| head(number, deed).chars().count()).max();
        let width = width.unwrap_or_default();
        let line = |(number, (deed, states, known)): (usize, &(String, Vec<String>, String))| {
            if number == left_out.start && !left_out.is_empty() {
                return Some(format!("… {} lines are left out …", left_out.len()));
            }
            let line = || format!("{:width$}  -> {}{known}", head(number, deed), named(states));
            told(&number).then(line)
        };
        lines.iter().enumerate().filter_map(line).collect()
    }
}

/// Those in the middle, where there are more than `most`.
fn left_out(count: usize, most: usize) -> std::ops::Range<usize> {
    if count <= most { 0..0 } else { most / 2..count - (most - most / 2) }
}

/// States that are come to one after the other; of very many those in the middle are left out.
fn named(states: &[String]) -> String {
    let left_out = left_out(states.len(), 2 * limits::NAMES_LISTED_MAX);
    let name = |(number, state): (usize, &String)| {
        if number == left_out.start && !left_out.is_empty() {
            return Some(format!("… {} more …", left_out.len()));
        }
        (!left_out.contains(&number)).then(|| state.clone())
    };
    states.iter().enumerate().filter_map(name).collect::<Vec<_>>().join(", ")
}

/// What is proved, each with the most seconds ago that it may have been; empty: nothing.
fn ages(known: &Known, oldest_s: u32) -> String {
    let age = |(fact, age_s)| match age_s {
        0 => format!("`{fact}`"),
        age_s if age_s == oldest_s => format!("`{fact}` of any age"),
        age_s => format!("`{fact}` up to {age_s} s old"),
    };
    let ages: Vec<_> = known.facts().map(age).collect();
    if ages.is_empty() { String::new() } else { format!(" with {}", ages.join(", ")) }
}

/// What a caller does on the way to an arrival.
pub(in crate::check) fn deeds(walks: &Walks<'_>, arrival: usize) -> Vec<String> {
    deeds_of(walks, &walks.way(arrival))
}

/// What a caller does on these arrivals, one after the other.
pub(super) fn deeds_of(walks: &Walks<'_>, way: &[&Arrival<'_>]) -> Vec<String> {
    way.iter().filter_map(|arrival| deed(walks, arrival)).collect()
}

/// What is proved, in words.
pub(in crate::check) fn proved(known: &Known) -> String {
    let names: Vec<_> = known.facts().map(|(fact, _)| format!("`{fact}`")).collect();
    if names.is_empty() { "nothing".into() } else { crate::diagnostic::listed(&names) }
}

fn lost(walks: &Walks<'_>, way: &[&Arrival<'_>], level: &Level) -> Option<Lost> {
    if level.is_never()
        && let Some(called) = called(walks, way)
    {
        return Some(called);
    }
    let edge = |arrival: &Arrival<'_>| match &arrival.by {
        By::Edge(from, _, to) => Some((walks.state(*from)?.1, to.place.clone())),
        _ => None,
    };
    let pairs = way.iter().zip(way.iter().skip(1));
    let lost =
        pairs.rev().find(|(before, after)| before.known.meets(level) && !after.known.meets(level));
    if let Some((before, after)) = lost
        && let Some((state, place)) = edge(after)
    {
        let what = if before.known.meets_but_for_age(level) && after.known.meets_but_for_age(level)
        {
            format!("the proof may grow too old in `{}`", state.name)
        } else if state.kind.is_combined() {
            format!("`{}` asks for it again, and until the verdict it counts no more", state.name)
        } else if matches!(state.kind, Kind::GatherServiceCode(_)) {
            format!(
                "the code of `{}` counts in place of the one before, and may be weaker",
                state.name
            )
        } else {
            format!("`{}` claims an account anew, and every proof is dropped", state.name)
        };
        return Some(Lost { place, what });
    }
    let failed = way.iter().rev().find_map(|arrival| match &arrival.by {
        By::Edge(from, Label::Outcome(outcome), to) => {
            let (_, state) = walks.state(*from)?;
            let proof = state.kind.is_proof() || state.kind.sends_code().is_some();
            let failed = proof && !matches!(outcome, Outcome::Ok | Outcome::Sent);
            let what = format!("after `{outcome}` of `{}` the caller goes on", state.name);
            failed.then(|| Lost { place: to.place.clone(), what })
        }
        _ => None,
    });
    failed.or_else(|| {
        let (state, place) = way.iter().rev().find_map(|arrival| edge(arrival))?;
        let what = format!("`{}` leads on, and nothing more has been proved", state.name);
        Some(Lost { place, what })
    })
}

/// Where the sub-flow is called that asks for what the flow at the start does not have.
fn called(walks: &Walks<'_>, way: &[&Arrival<'_>]) -> Option<Lost> {
    let at = way.iter().rposition(|arrival| matches!(arrival.by, By::Call))?;
    let (_, state) = walks.state(way.get(at.checked_sub(1)?)?.place)?;
    let Kind::Call(call) = &state.kind else { return None };
    let what = format!("flow `{}` is called here", call.flow);
    Some(Lost { place: call.flow_place.clone(), what })
}

/// The last failure on the way to a gap that is joined with success.
pub(in crate::check) fn shared<'f>(walks: &Walks<'f>, gap: &Gap<'f>) -> Option<Shared<'f>> {
    let (way, level) = (walks.way(gap.arrival), gap.level);
    way.iter().enumerate().rev().find_map(|(number, arrival)| {
        let By::Edge(from, Label::Outcome(failure), to) = &arrival.by else { return None };
        let (flow, state) = walks.state(*from)?;
        let takes_code = || {
            let next = flow.state(state.route(&Outcome::Sent)?)?;
            matches!(next.kind, Kind::GatherOtp(_)).then_some(next)
        };
        let (asked, fact) = match &state.kind {
            Kind::GatherOtp(_) => (state, arrival.known.code_proves().unwrap_or(Fact::SmsOtp)),
            kind => match kind.sends_code() {
                Some(fact) => (takes_code()?, fact),
                None => (state, kind.proves()?),
            },
        };
        let joined = asked.routes.get(&Outcome::Ok)?;
        // Success would also make count what was on trial before.
        let before = way.get(number.checked_sub(1)?)?.known;
        let opens = before.proved(fact, 0).heard(true).meets_but_for_age(level);
        let fails = !matches!(failure, Outcome::Ok | Outcome::Sent);
        let differs = fails && joined.state == to.state && opens;
        // Where a guard on the way tells them apart, they are not joined.
        let joins = || {
            let rest = way.iter().skip(number);
            rest.clone().zip(rest.skip(1)).all(|(before, after)| match &after.by {
                By::Edge(place, label, _) => {
                    walks.may_leave(*place, label, before.known.proved(fact, 0))
                }
                _ => true,
            })
        };
        (differs && joins()).then(|| Shared {
            state,
            failure: failure.clone(),
            asked,
            places: (to.place.clone(), joined.place.clone()),
        })
    })
}

fn deed(walks: &Walks<'_>, arrival: &Arrival<'_>) -> Option<String> {
    match &arrival.by {
        By::Dial => Some(match arrival.known.risk {
            Risk::Low => "dial".into(),
            risk => format!("dial at {risk} risk"),
        }),
        By::Edge(from, label, _) => {
            let (_, state) = walks.state(*from)?;
            match label {
                Label::Key(key) => Some(format!("press {key}")),
                Label::Phrase(phrase) => Some(format!("say \"{phrase}\"")),
                Label::Outcome(Outcome::Ok) if state.kind.is_combined() && arrival.known.doubt => {
                    Some("give a wrong one, and hear nothing of it".into())
                }
                Label::Outcome(outcome) => ended(state, outcome),
                Label::Case(number) => {
                    Some(format!("case {} of `{}` holds", number + 1, state.name))
                }
                Label::AgentStepUp => Some("the specialist asks for more".into()),
                Label::StepUp => None,
            }
        }
        By::Call | By::Back => None,
    }
}

fn ended(state: &State, outcome: &Outcome) -> Option<String> {
    let times = match state.kind.listen().map_or(1, |listen| listen.tries) {
        1 => String::new(),
        2 => " twice".into(),
        tries => format!(" {tries} times"),
    };
    let silent = || format!("stay silent{times}");
    let words = match (&state.kind, outcome) {
        (Kind::Say(_) | Kind::Set(_) | Kind::Call(_), _) | (_, Outcome::Denied) => return None,
        (_, Outcome::Otherwise) => format!("no case of `{}` holds", state.name),
        (Kind::Menu(_), Outcome::NoInput) => silent(),
        (Kind::Menu(_), _) => format!("press a key that was not offered{times}"),
        (Kind::Gather(_), Outcome::Ok) => "give what is asked for".into(),
        (Kind::Gather(_), Outcome::NoInput) => silent(),
        (Kind::Gather(_), _) => format!("give something else{times}"),
        (Kind::Identify(identify), Outcome::Found) if identify.listen.is_none() => {
            "show a customer's number".into()
        }
        (Kind::Identify(_), Outcome::Found) => "key any account number".into(),
        (Kind::Identify(identify), _) if identify.listen.is_none() => "show no number".into(),
        (Kind::Identify(_), _) => "key a number that is no account's".into(),
        (Kind::GatherPin(_), Outcome::Ok) => "key the right PIN".into(),
        (Kind::GatherPasscode(_), Outcome::Ok) => "say the right passcode".into(),
        (Kind::GatherServiceCode(_), Outcome::Ok) => "key the code from the web".into(),
        (Kind::GatherServiceCode(_), Outcome::Failed) => silent(),
        (Kind::SendLink(_), Outcome::Sent) => "a link is sent".into(),
        (
            Kind::GatherPin(_) | Kind::GatherPasscode(_) | Kind::GatherServiceCode(_),
            Outcome::Locked,
        ) => "give wrong ones until none is looked at".into(),
        (Kind::GatherPin(_) | Kind::GatherPasscode(_), _) => silent(),
        (Kind::SendSmsOtp(_) | Kind::SendEmailOtp(_), Outcome::Sent) => "a code is sent".into(),
        (Kind::SendSmsOtp(_) | Kind::SendLink(_) | Kind::Callback(_), Outcome::Unavailable) => {
            "no telephone on file will do".into()
        }
        (Kind::SendEmailOtp(_), Outcome::Unavailable) => "no e-mail address on file will do".into(),
        (_, Outcome::Limited) => "too many were sent before".into(),
        (Kind::GatherOtp(_), Outcome::Ok) => "key the code that was sent".into(),
        (Kind::GatherOtp(_), Outcome::Expired) => "let the code grow too old".into(),
        (Kind::GatherOtp(_), Outcome::Undelivered) => "the message does not arrive".into(),
        (Kind::GatherOtp(_), _) => silent(),
        (Kind::Callback(_), Outcome::Ok) => "key the code on the telephone that rings".into(),
        (Kind::Callback(_), Outcome::NoAnswer) => "let it ring".into(),
        (Kind::Callback(_), _) => "key a wrong code on the telephone that rings".into(),
        (Kind::Lookup(lookup), Outcome::Ok) => format!("`{}` answers", lookup.backend),
        (Kind::Lookup(lookup), _) => format!("`{}` does not answer", lookup.backend),
        (Kind::Transfer(_), outcome) => format!("the transfer ends with `{outcome}`"),
        (Kind::Voicemail(_), Outcome::Ok) => "leave a message".into(),
        (Kind::Voicemail(_), _) => "say nothing".into(),
        (_, outcome) => format!("`{}` ends with `{outcome}`", state.name),
    };
    Some(words)
}
