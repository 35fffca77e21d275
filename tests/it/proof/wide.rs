//! Random flows of everything that the language has: levels, disclosure, texts and conditions of any shape, and
//! flows that call each other. Their states are those of [`made`](super::made), with what they say, ask, set,
//! send and hand over drawn anew.

use callgate::check::check_sources;
use callgate::diagnostic::{Finding, Severity, Sources};
use callgate::flow::FlowSet;

use super::made::{Made, Maker};
use super::random::{Dice, provers};
use super::words::{self, LEVELS};

/// How often a flow is mended before another is drawn.
const MENDS: usize = 40;
/// What makes a flow unsafe, and nothing else wrong with it.
pub(super) const HOLES: [&str; 2] = ["unproved", "disclosed-too-early"];

/// A flow, as long as it is being made.
struct Draft {
    name: String,
    head: String,
    states: Vec<Made>,
}

/// Flows, as long as they are being made.
struct Drafts {
    flows: Vec<Draft>,
    /// Whether whatever uses something asks for the one level there is.
    safe: bool,
}

/// Flows without an error: the first is `main`.
pub(super) fn clean(dice: &mut Dice, most: usize) -> (Sources, FlowSet) {
    let (sources, flows, _) = mended(dice, most, false, &[]);
    (sources, flows)
}

/// Flows with whatever holes they have, and no other error.
pub(super) fn holed(dice: &mut Dice, most: usize) -> (Sources, FlowSet) {
    let (sources, flows, _) = mended(dice, most, false, &HOLES);
    (sources, flows)
}

/// Flows that are safe as they are written, and what is said of them: there is one level, and each state that uses
/// anything under it asks for it and has it proved.
pub(super) fn safe(dice: &mut Dice, most: usize) -> (Sources, Vec<Finding>) {
    let (sources, _, errors) = mended(dice, most, true, &HOLES);
    (sources, errors)
}

/// Flows that are mended until no errors but those of these codes are left, or else drawn anew.
fn mended(
    dice: &mut Dice,
    most: usize,
    safe: bool,
    left: &[&str],
) -> (Sources, FlowSet, Vec<Finding>) {
    loop {
        let mut drafts = Drafts::random(dice, most, safe);
        for _ in 0..MENDS {
            let (sources, flows, errors) = drafts.checked();
            if errors.iter().all(|error| left.contains(&error.code)) {
                return (sources, flows, errors);
            }
            if !drafts.mend(&errors, left.is_empty(), dice) {
                break;
            }
        }
    }
}

impl Drafts {
    fn random(dice: &mut Dice, most: usize, safe: bool) -> Self {
        let subs = *dice.one(&[0, 0, 1, 1, 2]);
        let count = 3 + dice.below(most - 2);
        let all = ["sub1", "sub2"];
        let mut flows = vec![draft(dice, "main", count, &all[..subs])];
        for (number, name) in all[..subs].iter().enumerate() {
            let below = if dice.once_in(2) { &all[number + 1..subs] } else { &[] };
            let count = 2 + dice.below(3);
            flows.push(draft(dice, name, count, below));
        }
        let mut drafts = Self { flows, safe };
        if safe {
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
        let safe = self.safe;
        let Some((flow, number)) = self.at(error) else { return false };
        let end = if flow.name == "main" { "bye" } else { "no" };
        let made = &mut flow.states[number];
        let asks = made.requires.is_some() && made.step_up.is_some();
        let again = made.requires == level || code == HOLES[0];
        if HOLES.contains(&code) && !(asks && again) && !safe {
            made.guard(level.as_deref(), dice);
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
        format!("{}{states}{}", self.head, provers(&states))
    }
}

fn draft(dice: &mut Dice, name: &str, count: usize, subs: &[&str]) -> Draft {
    let (branches, calls) = (["{ fact = \"pin\" }"], !subs.is_empty());
    let mut maker = Maker { dice, count, calls, branches: &branches, even: false, long: true };
    let mut states: Vec<_> = (0..count).map(|number| maker.made(number)).collect();
    let main = name == "main";
    let mut more = Vec::new();
    for made in &mut states {
        more.extend(words::anew(dice, (name, subs), made));
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
    let head = words::head(dice, name);
    Draft { name: name.to_owned(), head, states }
}
