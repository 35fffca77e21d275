//! `lookup`: asks a back end, once, and takes what it answers.

use std::collections::BTreeMap;

use super::super::account::Claim;
use super::super::audit::Hearer;
use super::super::call::Variable;
use super::super::machine::{Asks, Machine, Next};
use super::super::question::{Answer, LookUp, Question};
use super::super::turn::Remark;
use crate::flow::outcome::Outcome;
use crate::flow::states::lookup::Lookup;
use crate::flow::states::set::Assigned;

pub(super) fn enter(m: &mut Machine<'_>, lookup: &Lookup) -> Asks<Next> {
    let locale = m.call.locale.clone();
    let account = match &m.call.claim {
        // A claim that is no account is sent like one that is.
        Claim::Account(id) | Claim::Decoy(id) if lookup.account => Some(id.clone()),
        _ => None,
    };
    let mut derived = account.is_some();
    let mut values = BTreeMap::new();
    for (name, sent) in &lookup.send {
        let value = match sent {
            Assigned::Value(value) => value.clone(),
            Assigned::Text(template) => {
                let Some(text) = m.fill(template, &locale, None)? else {
                    return Ok(Next::Fault(Remark::Unspeakable));
                };
                let made = m.made_of(template, text);
                derived |= made.derived;
                made.value
            }
        };
        values.insert(name.clone(), value);
    }
    let question = LookUp {
        key: m.key(),
        backend: lookup.backend.clone(),
        path: lookup.path.clone(),
        account,
        proved: m.call.facts.0.keys().copied().collect(),
        one_factor: m.by_one_factor(),
        values,
        wants: lookup.give.iter().map(|given| (given.name.clone(), given.of)).collect(),
    };
    let answer = m.ask(Question::LookUp(question))?;
    m.told(Hearer::Backend);
    // What an earlier look-up returned is no answer to this one.
    for given in &lookup.give {
        m.call.variables.remove(&given.name);
    }
    let Answer::LookedUp(Some(mut found)) = answer else {
        return Ok(Next::Take(Outcome::Failed));
    };
    let fits = lookup
        .give
        .iter()
        .all(|given| found.get(&given.name).is_some_and(|value| given.of.admits(value)));
    if !fits {
        return Ok(Next::Take(Outcome::Failed));
    }
    for given in &lookup.give {
        if let Some(value) = found.remove(&given.name) {
            let label = given.label.iter().map(|(level, _)| level.clone()).collect();
            m.assign(&given.name, Variable { value, derived, label });
        }
    }
    Ok(Next::Take(Outcome::Ok))
}
