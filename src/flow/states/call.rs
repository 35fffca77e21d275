//! Enters a sub-flow, another file, and comes back with an outcome.
//!
//! The outcomes are those that the sub-flow's `return` states say. Its variables are its own: `with`
//! passes values in (`{ amount = "sum" }` gives its `amount` our `sum`), `give` takes values out
//! (`{ sum = "amount" }` gives our `sum` its `amount`). To pass a fixed value, put it into a
//! variable with a `set` first. Account, facts and levels are those of the whole call.

use super::{Key, Shape, StateReader, StateType};
use crate::diagnostic::{Finding, Place};
use crate::document::Item;
use crate::flow::name::{FlowName, VariableName};
use crate::flow::state::Kind;

/// A state that enters a sub-flow.
#[derive(Debug)]
pub struct CallFlow {
    /// The sub-flow.
    pub flow: FlowName,
    /// Where it is named.
    pub flow_place: Place,
    /// Values passed in.
    pub with: Vec<Passed>,
    /// Values taken out.
    pub give: Vec<Passed>,
}

/// A value passed from one flow to the other.
#[derive(Debug)]
pub struct Passed {
    /// The variable that gets the value.
    pub to: VariableName,
    /// The variable that it comes from.
    pub from: VariableName,
    /// Where the former is written.
    pub place: Place,
    /// And the latter.
    pub from_place: Place,
}

/// What is to be done about a value where a variable is passed.
pub(in crate::flow) const SET_FIRST: &str =
    "variables are passed, by their names: a `set` state before puts a value into one";

/// `call`
pub const TYPE: StateType = StateType {
    name: "call",
    source: include_str!("call.rs"),
    outcomes: &[],
    keys: &[
        Key::required("flow", Shape::Text, "The sub-flow's name."),
        Key::new("with", Shape::Variables, "Its variables from ours."),
        Key::new("give", Shape::Variables, "Our variables from its."),
    ],
    read: |state| Some(Kind::Call(read(state)?)),
};

fn read(state: &StateReader<'_, '_>) -> Option<CallFlow> {
    let passed = |item: Option<Item<'_>>| -> Vec<Passed> {
        let table = item.and_then(|item| item.table("the variables passed"));
        let entries = table.map(|table| table.entries()).unwrap_or_default();
        let pass = |entry: &Item<'_>| {
            if entry.as_text().is_none() {
                let message = format!("`{}` must be the name of a variable in quotes", entry.key);
                let finding = Finding::error("wrong-type", message, entry.place());
                entry.report(finding.help(SET_FIRST));
                return None;
            }
            Some(Passed {
                to: entry.key.into(),
                from: entry.name()?.into(),
                place: entry.key_place(),
                from_place: entry.place(),
            })
        };
        entries.iter().filter_map(pass).collect()
    };
    let (with, give) = (passed(state.item("with")), passed(state.item("give")));
    let flow = state.required("flow")?;
    Some(CallFlow { flow: flow.name()?.into(), flow_place: flow.place(), with, give })
}
