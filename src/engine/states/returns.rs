//! `return`: comes back from a step-up or a sub-flow.

use super::super::call::Frame;
use super::super::machine::{Machine, Next};
use super::super::turn::Remark;
use crate::flow::outcome::Outcome;
use crate::flow::state::Kind;
use crate::flow::states::returns::Return;

pub(super) fn enter(m: &mut Machine<'_>, back: &Return) -> Next {
    match m.call.frames.pop() {
        None => Next::Fault(Remark::NoRoute),
        Some(Frame::StepUp(at)) => {
            m.end_trial(false);
            m.call.at = at;
            let Some(state) = m.state() else { return Next::Fault(Remark::NoSuchState) };
            let met = state.requires.as_ref().is_none_or(|(level, _)| m.meets(level));
            if met { Next::Goto(state.name.clone()) } else { Next::Take(Outcome::Denied) }
        }
        Some(Frame::Agent(at)) => {
            m.end_trial(false);
            m.proved_or_not();
            m.is_with_specialist();
            m.call.at = at;
            let Some(state) = m.state() else { return Next::Fault(Remark::NoSuchState) };
            m.rejoins = true;
            Next::Goto(state.name.clone())
        }
        Some(Frame::Call(at, variables)) => {
            let given = std::mem::replace(&mut m.call.variables, variables);
            m.call.at = at;
            let Some(state) = m.state() else { return Next::Fault(Remark::NoSuchState) };
            if let Kind::Call(call) = &state.kind {
                for give in &call.give {
                    if let Some(value) = given.get(&give.from) {
                        m.put_variable(&give.to, value.clone());
                    }
                }
                m.void_code_not_given(call);
            }
            match &back.outcome {
                Some((outcome, _)) => Next::Take(outcome.clone()),
                None => Next::Fault(Remark::NoRoute),
            }
        }
    }
}
