//! A specialist asks for more: the caller leaves the conference, proves it or not, and comes back.
//!
//! The specialist learns only the result; what is keyed or said goes to the caller's leg, which is alone then.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use uuid::Uuid;

use super::audit::{Deed, Proving};
use super::call::{Asked, Call, Frame};
use super::machine::{Asks, Machine, Next};
use crate::flow::FlowSet;
use crate::flow::edge::Label;
use crate::flow::name::LevelName;
use crate::flow::state::{Kind, Target};
use crate::limits;

/// What asking means to a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asking {
    /// The caller is sent to prove it.
    New,
    /// It was asked already, and the caller is proving it.
    Pending(Uuid),
    /// The call began in a flow without such a level.
    NoLevel,
    /// The caller is not in a conference that can be left to prove something.
    NotThere,
    /// The caller is proving another level.
    Busy,
}

/// What asking for a level means to the call as it stands.
pub fn asking(flows: &FlowSet, call: &Call, level: &LevelName) -> Asking {
    let known = flows.get(call.flow.as_str()).is_some_and(|flow| flow.levels.contains_key(level));
    let pending = call.agent_step_up.as_ref().filter(|asked| asked.result == Proving::Pending);
    match pending {
        _ if !known => Asking::NoLevel,
        _ if call.end.is_some() => Asking::NotThere,
        Some(asked) if asked.level == *level => Asking::Pending(asked.id),
        Some(_) => Asking::Busy,
        None if way(flows, call).is_some() => Asking::New,
        None => Asking::NotThere,
    }
}

/// Where the caller would be sent from the conference that they are in.
fn way<'f>(flows: &'f FlowSet, call: &Call) -> Option<&'f Target> {
    let speaking = call.leg(call.speaking).filter(|leg| leg.is_live())?;
    speaking.sid.as_ref()?;
    flows.get(call.at.flow.as_str())?.state(&call.at.state)?.agent_step_up()
}

impl Machine<'_> {
    /// Remembers what to come back to; `false`: too much is remembered already.
    pub(super) fn remember(&mut self, frame: Frame) -> bool {
        let own = self.call.frames.iter().rposition(|f| matches!(f, Frame::Call(..)));
        let start = own.map_or(0, |call| call + 1);
        let again = self.call.frames.iter().skip(start).position(|known| *known == frame);
        if let Some(position) = again {
            self.call.frames.truncate(start + position);
        }
        if self.call.frames.len() >= limits::FRAMES_MAX && !self.comes_back() {
            self.call.frames.truncate(start);
        }
        if self.call.frames.len() >= limits::FRAMES_MAX {
            return false;
        }
        self.call.frames.push(frame);
        true
    }

    /// Whether a `return` can still be reached from here that comes back to what is remembered, and not from a
    /// step-up on the way. If there is none, every step-up of this flow so far was abandoned.
    fn comes_back(&self) -> bool {
        let Some(flow) = self.setting.flows.get(self.call.at.flow.as_str()) else { return true };
        let mut known = BTreeSet::from([&self.call.at.state]);
        let mut wanted = vec![&self.call.at.state];
        while let Some(state) = wanted.pop().and_then(|name| flow.state(name)) {
            if matches!(state.kind, Kind::Return(_)) {
                return true;
            }
            for edge in state.edges() {
                let aside = matches!(edge.label, Label::StepUp | Label::AgentStepUp);
                if !aside && known.insert(&edge.to.state) {
                    wanted.push(&edge.to.state);
                }
            }
        }
        false
    }

    /// A specialist asks that the caller prove a level; `false`: it changes nothing.
    pub(super) fn asked_for(&mut self, level: &LevelName, by: &str) -> Asks<bool> {
        let flows = self.setting.flows;
        match asking(flows, &self.call, level) {
            Asking::New => {}
            Asking::Pending(_) => return Ok(self.take_there_again()),
            Asking::NoLevel | Asking::NotThere | Asking::Busy => return Ok(false),
        }
        let Some(to) = way(flows, &self.call) else { return Ok(false) };
        let met = self.meets(level);
        if !met && !self.remember(Frame::Agent(self.call.at.clone())) {
            return Ok(false);
        }
        self.note(Deed::Asked { level: level.as_str().to_owned(), by: by.to_owned() });
        self.call.agent_step_up = Some(Asked {
            id: self.moment.turn.0,
            level: level.clone(),
            at: self.moment.now,
            turn: self.call.turns + 1,
            result: Proving::Pending,
            before: (!met).then(|| self.call.facts.clone()),
        });
        if met {
            self.proved_or_not();
        } else {
            self.interrupt(self.call.speaking);
            self.walk(Next::Goto(to.state.clone()))?;
        }
        Ok(true)
    }

    /// Takes the caller to the prompt once more, in case the first time was lost.
    fn take_there_again(&mut self) -> bool {
        let (now, turns) = (self.moment.now, self.call.turns);
        let wait = SignedDuration::try_from(limits::STEP_UP_AGAIN_AFTER).unwrap_or_default();
        let Some(asked) = &mut self.call.agent_step_up else { return false };
        if asked.turn != turns || now.duration_since(asked.at) < wait {
            return false;
        }
        (asked.at, asked.turn) = (now, turns + 1);
        let speaking = self.call.speaking;
        let sid = self.call.leg(speaking).and_then(|leg| leg.sid.clone());
        if let Some(sid) = sid {
            self.effect(super::effect::Effect::RedirectLeg { leg: speaking, sid, undone: false });
        }
        true
    }

    /// The caller has come back: reports whether the level that was asked for is now met.
    pub(super) fn proved_or_not(&mut self) {
        let Some(asked) = self.call.agent_step_up.clone() else { return };
        if asked.result == Proving::Pending {
            let met = self.meets(&asked.level);
            self.settle_asked(if met { Proving::Passed } else { Proving::Failed });
        }
    }

    /// The caller does not come back the way they went: what was asked for is not proved.
    pub(super) fn prove_no_more(&mut self) {
        if self.call.agent_step_up.as_ref().is_some_and(|asked| asked.result == Proving::Pending) {
            self.settle_asked(Proving::Failed);
        }
    }

    /// The caller is with a specialist, who is told of what is proved now.
    pub(super) fn is_with_specialist(&mut self) {
        if let Some(asked) = &mut self.call.agent_step_up {
            asked.before = None;
        }
    }

    fn settle_asked(&mut self, result: Proving) {
        let Some(asked) = &mut self.call.agent_step_up else { return };
        asked.result = result;
        let level = asked.level.as_str().to_owned();
        self.note(Deed::Answered { level, result });
    }
}
