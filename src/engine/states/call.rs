//! `call`: enters a sub-flow.

use std::collections::BTreeMap;

use super::super::call::{Frame, Position};
use super::super::machine::{Machine, Next};
use super::super::turn::Remark;
use crate::flow::states::call::CallFlow;
use crate::limits;

pub(super) fn enter(m: &mut Machine<'_>, call: &CallFlow) -> Next {
    if m.call.frames.len() >= limits::FRAMES_MAX {
        return Next::Fault(Remark::TooDeep);
    }
    let Some(flow) = m.setting.flows.get(call.flow.as_str()) else {
        return Next::Fault(Remark::NoSuchState);
    };
    let passed: BTreeMap<_, _> = call
        .with
        .iter()
        .filter_map(|passed| Some((passed.to.clone(), m.call.variables.get(&passed.from)?.clone())))
        .collect();
    let own = std::mem::replace(&mut m.call.variables, passed);
    m.call.frames.push(Frame::Call(m.call.at.clone(), own));
    m.call.at = Position { flow: flow.name.clone(), state: flow.start.clone() };
    // A code that was sent during an earlier visit may have named something else.
    for passed in &call.with {
        m.void_code_of_others(&passed.to);
    }
    Next::Goto(flow.start.clone())
}
