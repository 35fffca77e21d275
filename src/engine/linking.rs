//! Dynamic linking: a code is valid for what was read beside it, such as an amount, and for nothing else (PSD2,
//! RTS 5(1)).
//!
//! What the message names may have another name in another flow: it was passed in by `with`, or taken out by `give`.
//! A flow that the call is within is linked to the one that called it by the state that did; one that has come back,
//! by every state that may have called it.

use std::collections::{BTreeMap, BTreeSet};

use super::call::{Frame, Position};
use super::machine::Machine;
use crate::flow::Flow;
use crate::flow::name::{FlowName, VariableName};
use crate::flow::prompt::Prompt;
use crate::flow::state::Kind;
use crate::flow::states::call::{CallFlow, Passed};
use crate::flow::template::Use;
use crate::flow::value::Value;

/// A variable of a flow, as other flows know it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Known<'a> {
    /// Of the flow at this place of those that the call is within, the start flow first.
    Within(usize, &'a VariableName),
    /// Of one that has come back.
    Gone(&'a FlowName, &'a VariableName),
}

/// A flow that the call is within.
struct Within<'a> {
    flow: &'a Flow,
    /// The state by which it has called the next one.
    calls: Option<&'a CallFlow>,
}

impl<'a> Machine<'a> {
    /// The variables in a message.
    pub(super) fn named_in(&self, message: Option<&Prompt>) -> BTreeMap<VariableName, Value> {
        let uses = message.into_iter().flat_map(Prompt::uses);
        let named = uses.filter_map(|of| match of {
            Use::Variable(name) => {
                Some((name.clone(), self.call.variables.get(name)?.value.clone()))
            }
            _ => None,
        });
        named.collect()
    }

    /// Voids a code whose message named another value than a variable of the present flow has now.
    pub(super) fn void_code_of_others(&mut self, name: &VariableName) {
        if !self.code_names() {
            return;
        }
        let within = self.within();
        let Some(last) = within.len().checked_sub(1) else { return };
        if self.is_for_other(&within, Known::Within(last, name), name) {
            self.call.code = None;
        }
    }

    /// Voids a code whose message named another value than the caller's own, when a sub-flow has come back that had
    /// its value passed in and does not give another one back into the same variable.
    pub(super) fn void_code_not_given(&mut self, call: &CallFlow) {
        let is_given = |passed: &Passed| {
            call.give.iter().any(|give| give.from == passed.to && give.to == passed.from)
        };
        let is_for_other = |passed: &Passed| {
            self.is_for_other(&[], Known::Gone(&call.flow, &passed.to), &passed.from)
        };
        let mut kept = call.with.iter().filter(|passed| !is_given(passed));
        if self.code_names() && kept.any(is_for_other) {
            self.call.code = None;
        }
    }

    fn code_names(&self) -> bool {
        self.call.code.as_ref().is_some_and(|code| !code.named.is_empty())
    }

    /// Whether the message of the code in hand named a variable, under whatever name, with another value than this
    /// one of the present flow has.
    fn is_for_other<'f>(&self, within: &[Within<'f>], from: Known<'f>, name: &VariableName) -> bool
    where
        'a: 'f,
    {
        let Some(code) = &self.call.code else { return false };
        let Some(now) = self.call.variables.get(name) else { return false };
        let mut known = BTreeSet::from([from]);
        let mut wanted = vec![from];
        while let Some(one) = wanted.pop() {
            let (flow, name) = match one {
                Known::Within(at, name) => (within.get(at).map(|it| &it.flow.name), name),
                Known::Gone(flow, name) => (Some(flow), name),
            };
            if flow == Some(&code.sender.flow)
                && code.named.get(name).is_some_and(|named| *named != now.value)
            {
                return true;
            }
            let linked = self.linked(within, one).into_iter();
            wanted.extend(linked.filter(|other| known.insert(*other)));
        }
        false
    }

    /// What a variable is called in the flows next to its own.
    fn linked<'f>(&self, within: &[Within<'f>], of: Known<'f>) -> Vec<Known<'f>>
    where
        'a: 'f,
    {
        let (flow, name, at) = match of {
            Known::Within(at, name) => (within.get(at).map(|it| it.flow), name, Some(at)),
            Known::Gone(flow, name) => {
                (self.setting.flows.get(flow.as_str()).map(|flow| &**flow), name, None)
            }
        };
        let mut linked = Vec::new();
        let mut called = None;
        if let Some(at) = at {
            called = within.get(at).and_then(|it| it.calls);
            let inner = called.into_iter().flat_map(|call| inside(call, name));
            linked.extend(inner.map(|name| Known::Within(at + 1, name)));
            let below =
                at.checked_sub(1).and_then(|below| Some((below, within.get(below)?.calls?)));
            let outer = below.into_iter().flat_map(|(below, call)| {
                outside(call, name).map(move |name| Known::Within(below, name))
            });
            linked.extend(outer);
        }
        let others = flow.into_iter().flat_map(calls);
        for call in others.filter(|call| called.is_none_or(|called| called.flow != call.flow)) {
            linked.extend(inside(call, name).map(|name| Known::Gone(&call.flow, name)));
        }
        linked
    }

    /// The flows that the call is within.
    fn within(&self) -> Vec<Within<'a>> {
        let flows = self.setting.flows;
        let of = |at: &Position| flows.get(at.flow.as_str()).map(|flow| &**flow);
        let callers = self.call.frames.iter().filter_map(|frame| match frame {
            Frame::Call(at, _) => {
                let flow = of(at)?;
                let calls = match flow.state(&at.state).map(|state| &state.kind) {
                    Some(Kind::Call(call)) => Some(call),
                    _ => None,
                };
                Some(Within { flow, calls })
            }
            Frame::StepUp(_) | Frame::Agent(_) => None,
        });
        let here = of(&self.call.at).map(|flow| Within { flow, calls: None });
        callers.chain(here).collect()
    }
}

fn calls(flow: &Flow) -> impl Iterator<Item = &CallFlow> {
    flow.states.values().filter_map(|state| match &state.kind {
        Kind::Call(call) => Some(call),
        _ => None,
    })
}

/// What a variable of the caller is called inside.
fn inside<'f>(call: &'f CallFlow, name: &VariableName) -> impl Iterator<Item = &'f VariableName> {
    let with = call.with.iter().filter(move |passed| passed.from == *name).map(|it| &it.to);
    let give = call.give.iter().filter(move |given| given.to == *name).map(|it| &it.from);
    with.chain(give)
}

/// What a variable of the sub-flow is called outside.
fn outside<'f>(call: &'f CallFlow, name: &VariableName) -> impl Iterator<Item = &'f VariableName> {
    let with = call.with.iter().filter(move |passed| passed.to == *name).map(|it| &it.from);
    let give = call.give.iter().filter(move |given| given.from == *name).map(|it| &it.to);
    with.chain(give)
}
