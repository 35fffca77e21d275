//! A gap as a transcript, which `replay` runs against the engine with that one demand let pass.

use super::play::Play;
use super::script::{Script, proved};
use super::uses::Told;
use super::walk::{Gap, Walks};
use crate::flow::name::{FlowName, StateName};

/// Other ways that are tried for all gaps of a flow together: where no call can go any, there are many of them.
const OTHERS_TRIED_MAX: usize = 1_000;

/// A call that comes to a state without what the state demands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    /// What to call its file, without the ending.
    pub name: String,
    /// The flow in which the call begins.
    pub flow: FlowName,
    /// The flow and the state that demand.
    pub at: (FlowName, StateName),
    /// The account field or variable whose level it is; `None`: what the state requires.
    pub told: Option<String>,
    /// The transcript; `None`: on none of the shortest ways were values found with which its branches go that way, or
    /// each takes what it has used up.
    pub transcript: Option<String>,
}

impl Example {
    /// The examples of so many gaps at most.
    pub(in crate::check) fn all(walks: &Walks<'_>, most: usize) -> Vec<Self> {
        let mut others = OTHERS_TRIED_MAX;
        walks.gaps.iter().take(most).map(|gap| Self::of(walks, gap, &mut others)).collect()
    }

    /// The example of a gap, on its shortest way or one of so many others.
    fn of(walks: &Walks<'_>, gap: &Gap<'_>, others: &mut usize) -> Self {
        let (start, flow, state) = (&walks.start.name, &gap.flow.name, &gap.state.name);
        let told = gap.told.as_ref().map(|(told, _)| told.to_string());
        let of_flow = if flow == start { String::new() } else { format!("{flow}-") };
        let of_told = match &gap.told {
            None => String::new(),
            Some((Told::Field(field), _)) => format!("-{field}"),
            Some((Told::Variable(variable), _)) => format!("-{variable}-{}", gap.name),
        };
        Self {
            name: format!("{start}.{of_flow}{state}{of_told}"),
            flow: start.clone(),
            at: (flow.clone(), state.clone()),
            transcript: Self::played(walks, gap).or_else(|| {
                gap.ways().skip(1).take(*others).find_map(|gap| {
                    *others -= 1;
                    Self::played(walks, &gap)
                })
            }),
            told,
        }
    }

    fn played(walks: &Walks<'_>, gap: &Gap<'_>) -> Option<String> {
        Some(transcript(walks, gap, &Play::of(walks, gap)?))
    }
}

fn transcript(walks: &Walks<'_>, gap: &Gap<'_>, play: &Play) -> String {
    let demands = match &gap.told {
        None => format!("requires `{}`", gap.name),
        Some((Told::Field(field), _)) if gap.level.is_never() => {
            format!("uses the field `{field}`, disclosed to nobody")
        }
        Some((Told::Field(field), _)) => {
            format!("uses the field `{field}`, disclosed at `{}`", gap.name)
        }
        Some((Told::Variable(variable), _)) => {
            format!("uses the variable `{variable}`, guarded by `{}`", gap.name)
        }
    };
    let script = Script::of(walks, gap).lines().join("\n#   ");
    let told = gap.told.as_ref().map(|(told, _)| match told {
        Told::Field(field) => format!(", field = \"{field}\""),
        Told::Variable(variable) => format!(", var = \"{variable}\""),
    });
    let mut text = format!(
        "# `{state}` {demands}, and a caller gets here with {proved} proved:\n#   {script}\n\
         # The engine lets nobody through: in this replay alone it lets this one demand pass.\n\n\
         flow = \"{start}\"\n\
         unenforced = {{ flow = \"{flow}\", state = \"{state}\"{told} }}\n",
        state = gap.state.name,
        proved = proved(&gap.known),
        start = walks.start.name,
        flow = gap.flow.name,
        told = told.unwrap_or_default(),
    );
    play.write(&mut text);
    text
}
