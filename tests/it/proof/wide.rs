//! Random flows of everything that the language has: levels, disclosure, texts and conditions of any shape, and
//! flows that call each other. Their states are those of [`made`](super::made), with what they say, ask, set,
//! send and hand over drawn anew.

use callgate::check::check_sources;
use callgate::diagnostic::{Finding, Severity, Sources};
use callgate::flow::FlowSet;

use super::made::{BACK, Made, Maker, Of, Onwards};
use super::random::{Dice, provers};
use super::words::{self, LEVELS, Theme};

/// How often a flow is mended before another is drawn.
const MENDS: usize = 40;
/// What makes a flow unsafe, and nothing else wrong with it.
pub(super) const HOLES: [&str; 2] = ["unproved", "disclosed-too-early"];

/// A flow, as long as it is being made.
struct Draft {
    name: String,
    head: String,
    states: Vec<Made>,
    /// Where it has proved what its levels ask for; empty: as states of any flow.
    prover: String,
}

/// Flows, as long as they are being made.
struct Drafts {
    flows: Vec<Draft>,
    like: Like,
}

/// What flows are to be like.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Like {
    /// Of so many states at most, which lead anywhere.
    Anything(usize),
    /// Likewise, and whatever uses something asks for the one level there is.
    Safe(usize),
    /// A caller who proves what is asked for comes by nearly every state.
    Straight,
}

/// What the states of a flow are drawn as; `None`: as any.
struct Plan {
    states: Vec<Option<Of>>,
    /// What is proved on the way, if that is known.
    proofs: Vec<&'static str>,
}

/// Flows without an error: the first is `main`.
pub(super) fn clean(dice: &mut Dice, most: usize) -> (Sources, FlowSet) {
    let (sources, flows, _) = mended(dice, Like::Anything(most), &[]);
    (sources, flows)
}

/// Flows with whatever holes they have, and no other error.
pub(super) fn holed(dice: &mut Dice, most: usize) -> (Sources, FlowSet) {
    let (sources, flows, _) = mended(dice, Like::Anything(most), &HOLES);
    (sources, flows)
}

/// Flows of which a caller sees nearly all: one claims an account, proves some things, comes by much that is made of
/// what is kept, and perhaps claims another. Without a hole, or with whatever holes they have.
pub(super) fn straight(dice: &mut Dice, clean: bool) -> (Sources, FlowSet) {
    // Who fails goes on as well.
    let all = ["failure-shares-success", HOLES[0], HOLES[1]];
    let left = if clean { &all[..1] } else { &all };
    let (sources, flows, _) = mended(dice, Like::Straight, left);
    (sources, flows)
}

/// Flows that are safe as they are written, and what is said of them: there is one level, and each state that uses
/// anything under it asks for it and has it proved.
pub(super) fn safe(dice: &mut Dice, most: usize) -> (Sources, Vec<Finding>) {
    let (sources, _, errors) = mended(dice, Like::Safe(most), &HOLES);
    (sources, errors)
}

/// Flows that are mended until no errors but those of these codes are left, or else drawn anew.
fn mended(dice: &mut Dice, like: Like, left: &[&str]) -> (Sources, FlowSet, Vec<Finding>) {
    loop {
        let mut drafts = Drafts::random(dice, like);
        for _ in 0..MENDS {
            let (sources, flows, errors) = drafts.checked();
            if errors.iter().all(|error| left.contains(&error.code)) {
                if like == Like::Straight && !left.contains(&HOLES[0]) && !dice.once_in(4) {
                    return drafts.lean(left);
                }
                return (sources, flows, errors);
            }
            let holes = !left.contains(&HOLES[0]);
            let mended = match like {
                Like::Straight => drafts.mend_each(errors, left, dice),
                Like::Anything(_) | Like::Safe(_) => drafts.mend(&errors, holes, dice),
            };
            if !mended {
                break;
            }
        }
    }
}

impl Drafts {
    fn random(dice: &mut Dice, like: Like) -> Self {
        let subs = *dice.one(&[0, 0, 1, 1, 2]);
        let all = ["sub1", "sub2"];
        let main = match like {
            Like::Anything(most) | Like::Safe(most) => Plan::any(3 + dice.below(most - 2)),
            Like::Straight => Plan::straight(dice, subs > 0),
        };
        let mut theme = if like == Like::Straight { Theme::few(dice) } else { Theme::all() };
        let mut flows = vec![draft(dice, &mut theme, ("main", &all[..subs]), &main)];
        for (number, name) in all[..subs].iter().enumerate() {
            let below = if dice.once_in(2) { &all[number + 1..subs] } else { &[] };
            let plan = match like {
                Like::Straight => {
                    let states = uses(dice, 1, !below.is_empty()).map(Some).collect();
                    Plan { states, proofs: main.proofs.clone() }
                }
                Like::Anything(_) | Like::Safe(_) => Plan::any(2 + dice.below(3)),
            };
            flows.push(draft(dice, &mut theme, (name, below), &plan));
        }
        let mut drafts = Self { flows, like };
        if matches!(like, Like::Safe(_)) {
            drafts.level(dice);
        }
        drafts
    }

    /// Every level is the same one, and whatever uses something asks for it.
    fn level(&mut self, dice: &mut Dice) {
        let level = words::level(dice);
        for flow in &mut self.flows {
            let own = LEVELS.map(|name| format!("{name} = {level}\n")).concat();
            flow.head = words::with_levels(&flow.head, &own);
            let out = if flow.name == "main" { "bye" } else { "no" };
            let states = flow.states.iter_mut();
            for made in states.filter(|made| made.name.starts_with('s') && !made.claims()) {
                made.requires = Some("lo".into());
                made.guard(None, dice);
                made.leads_out(out);
            }
        }
    }

    /// Without every guard that the checker does not miss.
    fn lean(mut self, left: &[&str]) -> (Sources, FlowSet, Vec<Finding>) {
        for flow in 0..self.flows.len() {
            for state in 0..self.flows[flow].states.len() {
                let made = &mut self.flows[flow].states[state];
                let before = made.clone();
                made.open();
                let misses = |error: &Finding| !left.contains(&error.code);
                if before.requires.is_some() && self.checked().2.iter().any(misses) {
                    self.flows[flow].states[state] = before;
                }
            }
        }
        self.checked()
    }

    fn checked(&mut self) -> (Sources, FlowSet, Vec<Finding>) {
        let called = |flows: &[Draft], name: &str| {
            let call = format!("flow = \"{name}\"");
            flows.iter().any(|flow| flow.states.iter().any(|made| made.lines.contains(&call)))
        };
        for sub in ["sub1", "sub2"] {
            if !called(&self.flows, sub) {
                self.flows.retain(|flow| flow.name != sub);
            }
        }
        let mut sources = Sources::default();
        for flow in &self.flows {
            sources.add(&format!("{}.toml", flow.name), flow.text());
        }
        let (flows, findings) = check_sources(&sources);
        let errors = findings.into_iter().filter(|it| it.severity == Severity::Error);
        (sources, flows, errors.collect())
    }

    /// The state that a finding is about.
    fn at(&mut self, finding: &Finding) -> Option<(&mut Draft, usize)> {
        let file = finding.place()?.file.clone();
        let flow = self.flows.iter_mut().find(|flow| *file == *format!("{}.toml", flow.name))?;
        let state = finding.message.split('`').nth(1)?;
        let number = flow.states.iter().position(|made| made.name == state)?;
        Some((flow, number))
    }

    /// Mends each state of which there is an error that is not left; `false`: it cannot be done.
    fn mend_each(&mut self, mut errors: Vec<Finding>, left: &[&str], dice: &mut Dice) -> bool {
        errors.retain(|error| !left.contains(&error.code));
        let (mut seen, mut mended) = (Vec::new(), false);
        for error in errors {
            let of =
                (error.place().map(|place| place.file.clone()), error.message.split('`').nth(1));
            let of = (of.0, of.1.map(str::to_owned));
            if !seen.contains(&of) {
                mended |= self.mend(&[error], true, dice);
                seen.push(of);
            }
        }
        mended
    }

    /// Mends one thing, a hole only where those are mended; `false`: it cannot be done.
    fn mend(&mut self, errors: &[Finding], holes: bool, dice: &mut Dice) -> bool {
        let unreachable: Vec<_> =
            errors.iter().filter(|error| error.code == "unreachable-state").collect();
        if !unreachable.is_empty() {
            let mut mended = false;
            for error in unreachable {
                if let Some((flow, number)) = self.at(error) {
                    flow.states.remove(number);
                    mended = true;
                }
            }
            return mended;
        }
        // "flow `sub1` never returns `ok`"
        if let Some(error) = errors.iter().find(|error| error.code == "unknown-outcome") {
            let said: Vec<_> = error.message.split('`').collect();
            let call = format!("flow = \"{}\"", said[1]);
            let states = self.flows.iter_mut().flat_map(|flow| &mut flow.states);
            states.filter(|it| it.lines.contains(&call)).for_each(|it| it.without(said[3]));
            return true;
        }
        let others = errors.iter().find(|error| !HOLES.contains(&error.code));
        let Some(error) = others.or_else(|| errors.first().filter(|_| holes)) else { return false };
        // "`s1` uses the field `balance`, disclosed at `hi`, and …"
        let level = error.message.split('`').nth(5).filter(|_| error.code == HOLES[1]);
        let (level, code) = (level.map(str::to_owned), error.code);
        let safe = matches!(self.like, Like::Safe(_));
        let Some((flow, number)) = self.at(error) else { return false };
        let end = if flow.name == "main" { "bye" } else { "no" };
        let made = &mut flow.states[number];
        let asks = made.requires.is_some() && made.step_up.is_some();
        let again = made.requires == level || code == HOLES[0] || made.guards > 1;
        if HOLES.contains(&code) && !(asks && again) && !safe {
            made.guard(level.as_deref(), dice);
            if !flow.prover.is_empty() {
                made.step_up = Some(PROVER);
            }
        } else if code == "loop-without-input" && !made.lines.contains("\"menu\"") {
            made.waits(end);
        } else {
            made.plain(end);
        }
        true
    }
}

impl Draft {
    fn text(&self) -> String {
        let states: String = self.states.iter().map(Made::text).collect();
        let asks = states.contains(&format!("step_up = \"{PROVER}\""));
        let own = if asks { [&self.prover, BACK].concat() } else { provers(&states) };
        format!("{}{states}{own}", self.head)
    }
}

impl Plan {
    fn any(count: usize) -> Self {
        Self { states: vec![None; count], proofs: Vec::new() }
    }

    /// A claim, proofs, and states that use what is kept, which a back end may have told before anything was proved; then
    /// perhaps another claim, of which the one who makes it may have proved nothing.
    fn straight(dice: &mut Dice, calls: bool) -> Self {
        let (mut states, mut proofs) = (vec![Of::Identify], Vec::new());
        if dice.once_in(2) {
            states.extend(uses(dice, 1, calls));
        }
        let (mut of, mut proof) = *dice.one(&PROOFS);
        states.extend(of);
        proofs.push(proof);
        if dice.once_in(3) {
            (of, proof) = *dice.one(&PROOFS);
            states.extend(of);
            proofs.push(proof);
        }
        states.extend(uses(dice, 1, calls));
        if dice.once_in(3) {
            states.push(Of::Identify);
            if dice.once_in(2) {
                states.extend(of);
            }
            states.extend(uses(dice, 1, calls));
        }
        states.extend(dice.once_in(4).then_some(Of::Reject));
        Self { states: states.into_iter().map(Some).collect(), proofs }
    }
}

/// Where a flow of which the proofs are known has them proved.
const PROVER: &str = "own";

/// The states that prove these, one after the other, whatever becomes of each.
fn prover(proofs: &[&str]) -> String {
    let mut text = String::new();
    for (number, proof) in proofs.iter().enumerate() {
        let name = |number: usize| match number {
            0 => PROVER.to_owned(),
            number => format!("{PROVER}{number}"),
        };
        let own = name(number);
        let next = if number + 1 < proofs.len() { name(number + 1) } else { "back".to_owned() };
        let on = |outcomes: &[&str], to: &str| {
            let on: Vec<_> = outcomes.iter().map(|it| format!("{it} = \"{to}\"")).collect();
            format!("on = {{ {} }}\n", on.join(", "))
        };
        let code = |by: &str| {
            let sent = on(&["sent", "unavailable", "limited"], &format!("{own}code"));
            let heard = on(&["ok", "failed", "expired", "undelivered"], &next);
            format!(
                "type = \"send_{by}_otp\"\n{sent}[states.{own}code]\ntype = \"gather_otp\"\nprompt = \"Code?\"\ntries = 1\n{heard}"
            )
        };
        let secret = |of: &str| {
            let heard = on(&["ok", "failed", "locked"], &next);
            format!("type = \"gather_{of}\"\nprompt = \"What?\"\ndigits = 6\ntries = 1\n{heard}")
        };
        let lines = match *proof {
            "sms_otp" => code("sms"),
            "email_otp" => code("email"),
            "callback" => {
                let over = ["ok", "failed", "no_answer", "unavailable", "limited"];
                format!("type = \"callback\"\ntries = 1\n{}", on(&over, &next))
            }
            of => secret(of),
        };
        text += &format!("[states.{own}]\n{lines}");
    }
    text
}

/// The states that prove something.
const PROOFS: [(&[Of], &str); 8] = [
    (&[Of::Pin], "pin"),
    (&[Of::Passcode], "passcode"),
    (&[Of::SmsCode, Of::Code], "sms_otp"),
    (&[Of::SmsCode, Of::Identify, Of::Code], "sms_otp"),
    (&[Of::SmsCode, Of::Code, Of::Callback], "callback"),
    (&[Of::EmailCode, Of::Code], "email_otp"),
    (&[Of::ServiceCode], "service_code"),
    (&[Of::Callback], "callback"),
];

/// Where something that is kept is taken up, what becomes of it on the way, and where it is told.
const SOURCES: [&[Of]; 6] = [
    &[Of::Set],
    &[Of::Set],
    &[Of::Lookup],
    &[Of::Lookup],
    &[Of::Branch],
    &[Of::Lookup, Of::Branch],
];
const HOPS: [&[Of]; 9] = [
    &[],
    &[Of::Set],
    &[Of::Menu],
    &[Of::Gather],
    &[Of::Branch],
    &[Of::Lookup],
    &[Of::Voicemail],
    &[Of::Call],
    &[Of::Call],
];
const SINKS: [&[Of]; 10] = [
    &[Of::Say],
    &[Of::Say, Of::Transfer],
    &[Of::Link],
    &[Of::Voicemail],
    &[Of::Menu],
    &[Of::Branch, Of::Menu],
    &[Of::Transfer],
    &[Of::SmsCode],
    &[Of::Lookup],
    &[Of::Callback],
];

/// So many ways at least in which something is used, and perhaps one more.
fn uses(dice: &mut Dice, least: usize, calls: bool) -> impl Iterator<Item = Of> {
    let hops = &HOPS[..HOPS.len() - if calls { 0 } else { 2 }];
    let mut states = Vec::new();
    for _ in 0..least + usize::from(dice.once_in(4)) {
        states.extend(*dice.one(&SOURCES));
        for _ in 0..=dice.below(2) {
            states.extend(*dice.one(hops));
        }
        states.extend(*dice.one(&SINKS));
    }
    states.into_iter()
}

fn draft(dice: &mut Dice, theme: &mut Theme, (name, subs): (&str, &[&str]), plan: &Plan) -> Draft {
    let (branches, calls, count) = (["{ fact = \"pin\" }"], !subs.is_empty(), plan.states.len());
    let straight = plan.states.iter().any(Option::is_some);
    let onwards = if straight { Onwards::Straight } else { Onwards::Soon };
    let mut maker = Maker { dice, count, calls, branches: &branches, even: false, onwards };
    let state = |(number, of): (usize, &Option<Of>)| match of {
        Some(of) => maker.made_of(number, Some(*of)),
        None => maker.made(number),
    };
    let mut states: Vec<_> = plan.states.iter().enumerate().map(state).collect();
    for made in states.iter_mut().filter(|_| straight) {
        made.step_up = made.step_up.map(|_| PROVER);
        if let Some((_, prover)) = made.lines.split_once("agent_step_up = ") {
            let prover = prover.split('"').nth(1).unwrap_or_default().to_owned();
            made.lines = made.lines.replace(&format!("\"{prover}\""), &format!("\"{PROVER}\""));
        }
    }
    for (made, of) in states.iter_mut().zip(&plan.states) {
        // Everybody gets to where something is proved.
        if of.is_some_and(|of| PROOFS.iter().any(|(states, _)| states.contains(&of))) {
            made.open();
        }
    }
    let main = name == "main";
    let mut more = Vec::new();
    for made in &mut states {
        more.extend(words::anew(dice, theme, (name, subs), made));
        if !main {
            words::ends(dice, made);
        }
    }
    if !main {
        for made in &mut more {
            words::ends(dice, made);
        }
    }
    states.extend(more);
    states.extend(if main {
        vec![Made::named("bye", "type = \"hangup\"\n")]
    } else {
        let back = |outcome: &str| format!("type = \"return\"\noutcome = \"{outcome}\"\n");
        vec![Made::named("yes", &back("ok")), Made::named("no", &back("failed"))]
    });
    let head = words::head(dice, name, &plan.proofs);
    let prover = if straight { prover(&plan.proofs) } else { String::new() };
    Draft { name: name.to_owned(), head, states, prover }
}
