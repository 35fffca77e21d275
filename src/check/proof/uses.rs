//! What a state tells: the account fields and variables that it uses.

use std::fmt;

use crate::diagnostic::Place;
use crate::flow::condition::Condition;
use crate::flow::name::{FieldName, VariableName};
use crate::flow::prompt::Prompt;
use crate::flow::state::{Kind, State};
use crate::flow::template::{Template, Use};

/// Something that a level may guard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// A field of the account.
    Field(FieldName),
    /// A variable, which may be made of guarded data.
    Variable(VariableName),
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field(field) => write!(f, "{field}"),
            Self::Variable(variable) => write!(f, "{variable}"),
        }
    }
}

/// What a state uses so that a caller learns of it, each with the place of its use. What a `set` makes
/// of a variable is not told yet.
pub(super) fn uses(state: &State) -> Vec<(Told, Place)> {
    let mut uses = in_texts(state);
    match &state.kind {
        Kind::Set(set) => {
            let told = set.texts().flat_map(in_text);
            uses.extend(told.filter(|(told, _)| matches!(told, Told::Field(_))));
        }
        Kind::Branch(branch) => {
            let asked = branch.cases.iter().flat_map(|case| case.when.walk());
            uses.extend(asked.filter_map(|condition| match condition {
                Condition::Field(field, _, place) => {
                    Some((Told::Field(field.clone()), place.clone()))
                }
                Condition::Variable(variable, _, place) => {
                    Some((Told::Variable(variable.clone()), place.clone()))
                }
                _ => None,
            }));
        }
        _ => {}
    }
    uses
}

/// What it uses in what is heard or sent, be it to the owner alone.
pub(super) fn in_texts(state: &State) -> Vec<(Told, Place)> {
    let prompts = state.prompts().into_iter().flat_map(Prompt::templates);
    prompts.chain(state.sent()).flat_map(in_text).collect()
}

fn in_text(template: &Template) -> Vec<(Told, Place)> {
    let told = template.uses.iter().filter_map(|used| match used {
        Use::Field(field) => Some(Told::Field(field.clone())),
        Use::Variable(variable) => Some(Told::Variable(variable.clone())),
        Use::Code => None,
    });
    told.map(|told| (told, template.place.clone())).collect()
}

/// The account fields that a state uses, each with the place of its use.
pub(in crate::check) fn fields(state: &State) -> Vec<(FieldName, Place)> {
    let field = |(told, place)| match told {
        Told::Field(field) => Some((field, place)),
        Told::Variable(_) => None,
    };
    uses(state).into_iter().filter_map(field).collect()
}
