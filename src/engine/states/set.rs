//! `set`: assigns variables, or the language.

use super::super::call::Variable;
use super::super::machine::{Asks, Machine, Next};
use super::super::turn::Remark;
use crate::flow::outcome::Outcome;
use crate::flow::states::set::{Assigned, Set};
use crate::flow::template::{Template, Use};
use crate::flow::value::Value;
use crate::limits;

pub(super) fn enter(m: &mut Machine<'_>, set: &Set) -> Asks<Next> {
    if let Some(locale) = &set.locale {
        m.call.locale = locale.clone();
    }
    for assignment in &set.values {
        let variable = match &assignment.to {
            Assigned::Value(value) => Variable { value: value.clone(), derived: false },
            Assigned::Text(template) => {
                let locale = m.call.locale.clone();
                let Some(text) = m.fill(template, &locale, None)? else {
                    return Ok(Next::Fault(Remark::Unspeakable));
                };
                let text = text.chars().take(limits::VARIABLE_CHARS_MAX).collect();
                let derived = template.uses.iter().any(|used| match used {
                    Use::Field(_) => true,
                    Use::Variable(name) => m.call.variables.get(name).is_some_and(|v| v.derived),
                    Use::Code => false,
                });
                Variable { value: Value::Text(text), derived }
            }
        };
        m.call.variables.insert(assignment.name.clone(), variable);
    }
    Ok(Next::Take(Outcome::Next))
}

/// The texts that a `set` fills in.
pub(in crate::engine) fn templates(set: &Set) -> impl Iterator<Item = &Template> {
    set.values.iter().filter_map(|assignment| match &assignment.to {
        Assigned::Text(template) => Some(template),
        Assigned::Value(_) => None,
    })
}
