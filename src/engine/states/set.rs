//! `set`: assigns variables, or the language.

use super::super::call::Variable;
use super::super::machine::{Asks, Machine, Next};
use super::super::turn::Remark;
use crate::flow::outcome::Outcome;
use crate::flow::states::set::{Assigned, Set};
use crate::limits;

pub(super) fn enter(m: &mut Machine<'_>, set: &Set) -> Asks<Next> {
    if let Some(locale) = &set.locale {
        m.call.locale = locale.clone();
    }
    for assignment in &set.values {
        let variable = match &assignment.to {
            Assigned::Value(value) => Variable::plain(value.clone()),
            Assigned::Text(template) => {
                let locale = m.call.locale.clone();
                let Some(text) = m.fill_unheard(template, &locale)? else {
                    return Ok(Next::Fault(Remark::Unspeakable));
                };
                let text = text.chars().take(limits::VARIABLE_CHARS_MAX).collect();
                m.made_of(template, text)
            }
        };
        m.assign(&assignment.name, variable);
    }
    Ok(Next::Take(Outcome::Next))
}
