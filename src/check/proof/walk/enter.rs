//! What becomes of a call that comes to a state, as the machine has it: who is let in, who is sent off to
//! prove more and comes back, who is turned away, and what a sub-flow comes back with.

use std::collections::{BTreeMap, BTreeSet};

use super::{Aim, Arrival, By, Gap, MORE_MAX, Walks};
use crate::check::proof::conditions::{Levels, asked};
use crate::check::proof::entries::Exit;
use crate::check::proof::known::{Claimed, Known};
use crate::check::proof::stacks::{Frame, Stack};
use crate::check::proof::steps::{Way, ways};
use crate::check::proof::uses::{Told, in_texts, uses};
use crate::diagnostic::Place;
use crate::flow::Flow;
use crate::flow::edge::Label;
use crate::flow::level::{Fact, Level};
use crate::flow::name::LevelName;
use crate::flow::outcome::Outcome;
use crate::flow::state::{Kind, State};
use crate::flow::states::branch::Branch;

/// Ways kept apart by what a branch gets to know on them.
const LEARNT_MAX: usize = 8;

impl<'f> Walks<'f> {
    /// What the machine does when it enters a state.
    pub(super) fn enter(&mut self, from: usize) {
        let Some(Arrival { place, stack, known, .. }) = self.arrivals.get(from).cloned() else {
            return;
        };
        let Some((flow, state)) = self.state(place) else { return };
        let Some((name, _)) = &state.requires else {
            return self.inside(from, place, stack, known);
        };
        let level = self.level_or_nobodys(flow, name);
        if level.is_never() {
            // No step-up helps.
            self.gap(from, (name.clone(), level), None, known);
        }
        if !known.meets(level) {
            if let Some(to) = &state.step_up {
                if let Some(stack) = self.stacks.step_up(stack, Frame::StepUp(place)) {
                    self.follow(place, stack, known, from, (Label::StepUp, to));
                }
                if self.shut.contains(&place)
                    && let Some(known) = self.let_by(known, level)
                {
                    self.inside(from, place, stack, known);
                }
            } else {
                if !level.is_never() {
                    self.gap(from, (name.clone(), level), None, known);
                }
                self.deny(place, stack, known, from);
                if let Some(known) = self.let_by(known, level) {
                    self.inside(from, place, stack, known);
                }
            }
        }
        for known in known.if_met(level) {
            self.inside(from, place, stack, known);
        }
    }

    /// The caller is let in.
    fn inside(&mut self, from: usize, place: usize, stack: Stack, known: Known) {
        let Some((flow, state)) = self.state(place) else { return };
        let mut heard = vec![known];
        for (told, at, known) in self.uses(flow, state, known) {
            for (name, level) in self.levels_of(flow, known.labels, &told) {
                if !known.meets(level) {
                    let told = Some((told.clone(), at.clone()));
                    self.gap(from, (name.clone(), level), told, known);
                }
                let lack = heard.iter().filter(|known| !known.meets(level)).copied();
                let lack: Vec<_> = lack.collect();
                // Who lacks the level is turned away; a branch goes on as if there were nothing.
                if !matches!(state.kind, Kind::Branch(_)) {
                    for known in &lack {
                        self.deny(place, stack, *known, from);
                    }
                    heard = heard.iter().flat_map(|known| known.if_met(level)).collect();
                }
                heard.extend(lack.into_iter().filter_map(|known| self.let_by(known, level)));
            }
        }
        for known in heard {
            self.follow_all(from, place, stack, known);
        }
    }

    /// Where what lies behind a gap is looked for: a caller who lacks the level, as if they had proved it.
    fn let_by(&self, known: Known, level: &Level) -> Option<Known> {
        (self.aim == Aim::Behind).then(|| known.having_met(level)).flatten()
    }

    /// What the state itself does.
    fn follow_all(&mut self, from: usize, place: usize, stack: Stack, known: Known) {
        let Some((flow, state)) = self.state(place) else { return };
        match &state.kind {
            Kind::Call(call) => {
                let Some(called) = self.map.flows.get(call.flow.as_str()) else { return };
                let Some(start) = self.number(called, &called.start) else { return };
                let inside = self.labels.call(known.labels, call);
                let inside = known.across(inside, Claimed::NotSince);
                let (entry, new) =
                    self.entries.enter(start, inside, (from, self.length(Some(from), None)));
                if new && let Some(stack) = self.stacks.push(0, Frame::Caller(entry)) {
                    self.arrive(start, stack, inside, Some(from), By::Call, None);
                }
                for exit in self.entries.exits(entry) {
                    self.resume(from, exit);
                }
            }
            Kind::Return(back) => {
                let outcome = back.outcome.as_ref().map(|(outcome, _)| outcome);
                self.come_back(from, stack, known, outcome);
            }
            _ => {
                for way in self.ways_of(flow, state, known) {
                    let mut stack = stack;
                    if way.label == Label::AgentStepUp {
                        // Who is sent off by a specialist comes back to the conference.
                        match self.stacks.step_up(stack, Frame::Agent(place)) {
                            Some(with) => stack = with,
                            None => continue,
                        }
                    }
                    for known in self.relabelled(flow, state, &way) {
                        self.follow(place, stack, known, from, (way.label.clone(), way.to));
                    }
                }
            }
        }
    }

    /// What a state uses that a caller has got into, each with what is known of those of whom it is used.
    fn uses(&self, flow: &'f Flow, state: &'f State, known: Known) -> Vec<(Told, Place, Known)> {
        let of_all = |(told, at)| (told, at, known);
        let Kind::Branch(branch) = &state.kind else {
            return uses(state).into_iter().map(of_all).collect();
        };
        // Its owner may be told of it before it asks anything.
        let asked = self.with_levels(flow, known, |levels| asked(&branch.cases, known, levels));
        in_texts(state).into_iter().map(of_all).chain(asked).collect()
    }

    /// Whether nothing keeps a caller whose proofs are this old from going this step: a state that is left as if they
    /// had been let in asks for nothing that is older by then.
    pub(in crate::check::proof) fn lets_in_at(
        &self,
        before: &Arrival<'f>,
        after: &Arrival<'f>,
        ages_s: &BTreeMap<Fact, u64>,
    ) -> bool {
        let By::Edge(place, label, _) = &after.by else { return true };
        let denied = matches!(label, Label::StepUp | Label::Outcome(Outcome::Denied));
        let Some((flow, state)) = self.state(*place).filter(|_| *place == before.place && !denied)
        else {
            return true;
        };
        let known = ages_s.iter().fold(before.known, |known, (fact, age_s)| {
            known.proved_before(*fact, u32::try_from(*age_s).unwrap_or(u32::MAX - 1))
        });
        let too_old = |level: &Level| known.meets_but_for_age(level) && !known.meets(level);
        let requires = state.requires.as_ref().map(|(name, _)| self.level_or_nobodys(flow, name));
        // A branch goes on as if there were nothing.
        let told = uses(state).into_iter().filter(|_| !matches!(state.kind, Kind::Branch(_)));
        let mut told = told.flat_map(|(told, _)| self.levels_of(flow, known.labels, &told));
        !requires.is_some_and(too_old) && !told.any(|(_, level)| too_old(level))
    }

    /// The ways out of a state that a caller has got into.
    fn ways_of(&self, flow: &'f Flow, state: &'f State, known: Known) -> Vec<Way<'f>> {
        self.with_levels(flow, known, |levels| ways(state, known, self.oldest_s(), levels))
    }

    fn with_levels<T>(
        &self,
        flow: &'f Flow,
        known: Known,
        with: impl FnOnce(&Levels<'_, 'f>) -> T,
    ) -> T {
        let levels = |told: &Told| {
            let levels = self.levels_of(flow, known.labels, told).into_iter();
            levels.map(|(_, level)| level).collect()
        };
        with(&Levels {
            named: &|name| self.level(flow, name),
            of_field: &|field| levels(&Told::Field(field.clone())),
            of_variable: &|variable| levels(&Told::Variable(variable.clone())),
        })
    }

    /// Whether a caller of whom this is known may leave a state like that: a guard lets one go that way
    /// and another not.
    pub(in crate::check::proof) fn may_leave(
        &self,
        place: usize,
        by: &Label,
        known: Known,
    ) -> bool {
        let Some((flow, state)) = self.state(place) else { return false };
        match (&state.kind, by) {
            (_, Label::StepUp | Label::Outcome(Outcome::Denied)) => {
                let requires = state.requires.as_ref();
                !requires.is_some_and(|(name, _)| known.meets(self.level_or_nobodys(flow, name)))
            }
            (Kind::Branch(_), _) => {
                self.ways_of(flow, state, known).iter().any(|way| way.label == *by)
            }
            _ => true,
        }
    }

    /// What becomes of labels when a state is left this way.
    fn relabelled(&mut self, flow: &'f Flow, state: &'f State, way: &Way<'f>) -> Vec<Known> {
        let known = way.known;
        let labels = match &state.kind {
            Kind::Set(set) => self.labels.set(known.labels, set),
            Kind::Lookup(lookup) if way.label == Label::Outcome(Outcome::Ok) => {
                self.labels.looked_up(known.labels, lookup)
            }
            // What an earlier one gave is gone.
            Kind::Lookup(lookup) if way.label == Label::Outcome(Outcome::Failed) => {
                let names = lookup.give.iter().map(|given| &given.name);
                names.fold(known.labels, |labels, name| self.labels.gathered(labels, name))
            }
            Kind::Gather(gather) if way.label == Label::Outcome(Outcome::Ok) => {
                self.labels.gathered(known.labels, &gather.variable)
            }
            Kind::Branch(branch) => return self.having_asked(flow, branch, known),
            _ => known.labels,
        };
        vec![known.labelled(labels)]
    }

    /// What is known after a branch, which gets to know what is under the levels that its caller meets: who meets them
    /// is told from who does not, so long as they are few.
    fn having_asked(&mut self, flow: &'f Flow, branch: &'f Branch, known: Known) -> Vec<Known> {
        let asks: BTreeSet<_> = self.labels.asks(known.labels, branch).into_iter().collect();
        let level = |name: &&'f LevelName| self.level(flow, name);
        let asks = asks.into_iter().filter_map(|names| {
            let levels: Option<Vec<_>> = names.iter().map(level).collect();
            Some((names, levels?))
        });
        let mut ways = vec![(known, BTreeSet::new())];
        for (names, levels) in asks {
            let mut further = Vec::new();
            for (known, learnt) in ways {
                let all: BTreeSet<_> = names.union(&learnt).copied().collect();
                if levels.iter().all(|level| known.meets(level)) {
                    further.push((known, all));
                    continue;
                }
                let if_met = |ways: Vec<Known>, level: &&Level| {
                    ways.iter().flat_map(|known| known.if_met(level)).collect()
                };
                let met = levels.iter().fold(vec![known], if_met).into_iter();
                if further.len() >= LEARNT_MAX {
                    // Who may meet them stands for who does.
                    let all = if met.len() == 0 { learnt } else { all };
                    further.push((known, all));
                    continue;
                }
                further.extend(met.map(|known| (known, all.clone())));
                further.push((known, learnt));
            }
            ways = further;
        }
        let labels = &mut self.labels;
        let asked =
            |(known, learnt): (Known, _)| known.labelled(labels.asked(known.labels, learnt));
        ways.into_iter().map(asked).collect()
    }

    fn deny(&mut self, place: usize, stack: Stack, known: Known, from: usize) {
        let Some((_, state)) = self.state(place) else { return };
        if let Some(to) = state.routes.get(&Outcome::Denied) {
            let edge = (Label::Outcome(Outcome::Denied), to);
            self.follow(place, stack, known, from, edge);
        }
    }

    fn come_back(&mut self, from: usize, stack: Stack, known: Known, outcome: Option<&'f Outcome>) {
        match self.stacks.pop(stack) {
            Some((Frame::StepUp(place), stack)) => {
                let known = known.heard(false);
                let Some((flow, state)) = self.state(place) else { return };
                let name = state.requires.as_ref().map(|(name, _)| name);
                let Some(level) = name.map(|name| self.level_or_nobodys(flow, name)) else {
                    return;
                };
                for known in known.if_met(level) {
                    self.arrive(place, stack, known, Some(from), By::Back, None);
                }
                if !known.meets(level) {
                    self.deny(place, stack, known, from);
                }
            }
            // Entered anew, it looks at its level again.
            Some((Frame::Agent(place), stack)) => {
                let known = known.heard(false);
                self.arrive(place, stack, known, Some(from), By::Back, None);
            }
            Some((Frame::Caller(entry), _)) => {
                let exit = Exit { arrival: from, outcome, known };
                for caller in self.entries.leave(entry, exit) {
                    self.resume(caller, exit);
                }
            }
            None => {}
        }
    }

    /// A sub-flow comes back to the arrival that called it.
    fn resume(&mut self, caller: usize, exit: Exit<'f>) {
        let Some(Arrival { place, stack, known, .. }) = self.arrivals.get(caller).cloned() else {
            return;
        };
        let Some((_, state)) = self.state(place) else { return };
        let (Kind::Call(call), Some(outcome)) = (&state.kind, exit.outcome) else { return };
        let Some(to) = state.routes.get(outcome) else { return };
        let anew = exit.known.claimed == Claimed::Since;
        let own = if anew { 0 } else { known.labels };
        let map = self.map.clone();
        let is_given = |variable| map.given.contains(&(&call.flow, variable));
        let labels = self.labels.come_back(exit.known.labels, own, call, is_given);
        let claimed = match known.claimed {
            Claimed::NotSince if anew => Claimed::Since,
            claimed => claimed,
        };
        let known = exit.known.across(labels, claimed);
        let edge = (Label::Outcome(outcome.clone()), to);
        self.lead(place, stack, known, (exit.arrival, Some(caller)), edge);
    }

    fn gap(
        &mut self,
        arrival: usize,
        (name, level): (LevelName, &'f Level),
        told: Option<(Told, Place)>,
        known: Known,
    ) {
        if level.is_never() && self.borrows {
            // Those that call it have them, or it is found there. Who dials it is turned away.
            return;
        }
        let Some(place) = self.arrivals.get(arrival).map(|arrival| arrival.place) else { return };
        let Some((flow, state)) = self.state(place) else { return };
        let more = Vec::new();
        let gap = Gap { flow, state, name, level, told, known, others: 0, more, arrival };
        let what = gap.what();
        if let Some(gap) = self.told.get(&(place, what.clone())) {
            if let Some(gap) = self.gaps.get_mut(*gap) {
                gap.others += 1;
                if gap.more.len() < MORE_MAX {
                    gap.more.push((arrival, known, level));
                }
            }
            return;
        }
        self.told.insert((place, what), self.gaps.len());
        self.gaps.push(gap);
    }
}
