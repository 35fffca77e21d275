//! A gap as a transcript, which `replay` runs against the engine with that one demand let pass.

use super::play::Play;
use super::script::{Script, proved};
use super::walk::{Gap, Walks};
use crate::flow::name::{FieldName, FlowName, StateName};

/// A call that comes to a state without what the state demands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    /// What to call its file, without the ending.
    pub name: String,
    /// The flow in which the call begins.
    pub flow: FlowName,
    /// The flow and the state that demand.
    pub at: (FlowName, StateName),
    /// The account field whose level it is; `None`: what the state requires.
    pub field: Option<FieldName>,
    /// The transcript; `None`: no values were found with which the branches on the way go this way.
    pub transcript: Option<String>,
}

impl Example {
    /// The example of a gap.
    pub(in crate::check) fn of(walks: &Walks<'_>, gap: &Gap<'_>) -> Self {
        let (start, flow, state) = (&walks.start.name, &gap.flow.name, &gap.state.name);
        let field = gap.field.as_ref().map(|(field, _)| field.clone());
        let of_flow = if flow == start { String::new() } else { format!("{flow}-") };
        let of_field = field.as_ref().map(|field| format!("-{field}")).unwrap_or_default();
        Self {
            name: format!("{start}.{of_flow}{state}{of_field}"),
            flow: start.clone(),
            at: (flow.clone(), state.clone()),
            transcript: Play::of(walks, gap).map(|play| transcript(walks, gap, &play)),
            field,
        }
    }
}

fn transcript(walks: &Walks<'_>, gap: &Gap<'_>, play: &Play) -> String {
    let demands = match &gap.field {
        None => format!("requires `{}`", gap.name),
        Some((field, _)) => format!("uses `{field}`, disclosed at `{}`", gap.name),
    };
    let script = Script::of(walks, gap).lines().join("\n#   ");
    let field = gap.field.as_ref().map(|(field, _)| format!(", field = \"{field}\""));
    let mut text = format!(
        "# `{state}` {demands}, and a caller gets here with {proved} proved:\n#   {script}\n\
         # The engine lets nobody through: in this replay alone it lets this one demand pass.\n\n\
         flow = \"{start}\"\n\
         unenforced = {{ flow = \"{flow}\", state = \"{state}\"{field} }}\n",
        state = gap.state.name,
        proved = proved(&gap.known),
        start = walks.start.name,
        flow = gap.flow.name,
        field = field.unwrap_or_default(),
    );
    play.write(&mut text);
    text
}
