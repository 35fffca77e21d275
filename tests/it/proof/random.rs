//! Random flows: states of every type, led to each other anyhow, and mended where that is asked for.

use std::collections::BTreeSet;

use callgate::check::check_sources;
use callgate::diagnostic::{Finding, Severity, Sources};
use callgate::flow::FlowSet;

use super::made::{BACK, CERTAIN, GUESSED, HEAD, Made, Maker, Onwards, PROVERS, RISKY};

/// Numbers that are the same in every run (`SplitMix64`).
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % most as u64).unwrap()
    }

    pub(crate) fn one<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }

    pub(crate) fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }
}

/// A flow and its sub-flow, as long as they are being made.
struct Draft {
    risky: &'static str,
    states: Vec<Made>,
    sub: Option<String>,
}

impl Draft {
    fn random(dice: &mut Dice, most: usize, branches: &[&str], even: bool) -> Self {
        let risky = *dice.one(&RISKY);
        let count = 3 + dice.below(most - 2);
        let calls = dice.once_in(3);
        let mut maker = Maker { dice, count, calls, branches, even, onwards: Onwards::Anywhere };
        let states: Vec<_> = (0..count).map(|number| maker.made(number)).collect();
        let mut draft = Self { risky, states, sub: None };
        if draft.states.iter().any(|made| made.lines.contains("\"call\"")) {
            let mut maker =
                Maker { dice, count: 2, calls: false, branches, even, onwards: Onwards::Anywhere };
            let inner: String = (0..2).map(|number| maker.made(number).text()).collect();
            let inner = inner.replace("\"bye\"", "\"no\"").replace("requires = \"fresh\"\n", "");
            let inner = inner.replacen("\"no\"", "\"yes\"", 1);
            // Hours are each flow's own.
            draft.sub = Some(format!(
                "name = \"sub\"\nstart = \"s0\"\n[hours.h]\nzone = \"UTC\"\nopen = [\"sat 09:00-17:00\"]\n\
                 [states.yes]\ntype = \"return\"\noutcome = \"ok\"\n\
                 [states.no]\ntype = \"return\"\noutcome = \"failed\"\n{inner}{}",
                provers(&inner)
            ));
        }
        draft
    }

    fn sources(&self) -> Sources {
        let states: String = self.states.iter().map(Made::text).collect();
        let mut sources = Sources::default();
        let text = format!("name = \"main\"\n{HEAD}{}{states}{}", self.risky, provers(&states));
        sources.add("main.toml", text);
        if let Some(sub) = &self.sub {
            sources.add("sub.toml", sub.as_str());
        }
        sources
    }
}

/// The states in which these states have levels proved.
pub(super) fn provers(states: &str) -> String {
    let asked = |name: &str| states.contains(&format!("step_up = \"{name}\""));
    let mut text: String =
        PROVERS.iter().filter(|(name, _)| asked(name)).map(|(_, text)| *text).collect();
    if !text.is_empty() {
        text += BACK;
    }
    text
}

/// A flow that can be run, with whatever holes it has; what nobody can get to is left out.
pub(super) fn any(dice: &mut Dice, most: usize) -> (Sources, FlowSet) {
    draw(dice, most, false, false)
}

/// A flow without a hole: those it had are mended as the findings say.
pub(super) fn clean(dice: &mut Dice, most: usize) -> (Sources, FlowSet) {
    draw(dice, most, true, false)
}

/// The same, and most of them tell no stranger who is a customer.
pub(super) fn even(dice: &mut Dice, most: usize) -> (Sources, FlowSet) {
    draw(dice, most, true, true)
}

fn draw(dice: &mut Dice, most: usize, mended: bool, even: bool) -> (Sources, FlowSet) {
    loop {
        let branches = if mended { [&CERTAIN[..], &GUESSED].concat() } else { CERTAIN.to_vec() };
        let mut draft = Draft::random(dice, most, &branches, even);
        for _ in 0..24 {
            let sources = draft.sources();
            let (flows, findings) = check_sources(&sources);
            let errors: Vec<_> =
                findings.iter().filter(|finding| finding.severity == Severity::Error).collect();
            let holes = ["unproved", "disclosed-too-early", "failure-shares-success"];
            if errors.iter().all(|finding| !mended && holes.contains(&finding.code)) {
                return (sources, flows);
            }
            if !draft.mend(&errors, mended, dice) {
                break;
            }
        }
    }
}

impl Draft {
    /// Mends one thing, a hole only where those are mended; `false`: it cannot be done.
    fn mend(&mut self, errors: &[&Finding], holes: bool, dice: &mut Dice) -> bool {
        let at = |finding: &Finding, states: &[Made]| {
            let state = finding.message.split('`').nth(1).unwrap_or_default();
            let own = finding.place().is_some_and(|place| &*place.file == "main.toml");
            states.iter().position(|made| own && made.name == state)
        };
        let of = |code: &'static str| errors.iter().filter(move |finding| finding.code == code);
        // What nobody can get to may be named by others that nobody can get to.
        let unreachable: BTreeSet<_> =
            of("unreachable-state").filter_map(|f| at(f, &self.states)).collect();
        if !unreachable.is_empty() {
            let mut number = 0..;
            self.states.retain(|_| number.next().is_none_or(|it| !unreachable.contains(&it)));
            return true;
        }
        let early = of("disclosed-too-early").next();
        let Some(hole) = of("unproved").next().or(early).filter(|_| holes) else { return false };
        let Some(state) = at(hole, &self.states) else { return false };
        let Some(made) = self.states.get_mut(state) else { return false };
        // "`s1` uses the field `balance`, disclosed at `hi`, and …"
        let level = early.is_some_and(|early| std::ptr::eq(*early, *hole));
        let level = level.then(|| hole.message.split('`').nth(5)).flatten();
        if level.is_some() && made.requires.as_deref() == level {
            return false;
        }
        made.guard(level, dice);
        true
    }
}
