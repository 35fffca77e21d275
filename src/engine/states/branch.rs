//! `branch`: the first case that holds.

use super::super::machine::{Asks, Machine, Next};
use super::super::turn::Remark;
use crate::flow::condition::Condition;
use crate::flow::outcome::Outcome;
use crate::flow::states::branch::Branch;

pub(super) fn enter(m: &mut Machine<'_>, branch: &Branch) -> Asks<Next> {
    m.ask_about(branch.cases.iter().flat_map(|case| case.when.walk()));
    for case in &branch.cases {
        if holds(m, &case.when)? {
            return Ok(Next::Goto(case.next.state.clone()));
        }
    }
    Ok(Next::Take(Outcome::Otherwise))
}

fn holds(m: &mut Machine<'_>, condition: &Condition) -> Asks<bool> {
    Ok(match condition {
        Condition::All(parts) => {
            for part in parts {
                if !holds(m, part)? {
                    return Ok(false);
                }
            }
            true
        }
        Condition::Any(parts) => {
            for part in parts {
                if holds(m, part)? {
                    return Ok(true);
                }
            }
            false
        }
        Condition::Not(inner) => !holds(m, inner)?,
        Condition::Variable(name, test, _) => {
            let may_hear = m.may_hear(name);
            if !may_hear {
                m.remarks.push(Remark::Unread);
            }
            let variable = m.call.variables.get(name).filter(|_| may_hear);
            test.passes(variable.map(|variable| &variable.value))
        }
        // What may not be heard has no value here, like a field that may not be read.
        Condition::Field(name, test, _) => {
            let account = if m.may_use(name) { m.account()? } else { None };
            test.passes(account.as_ref().and_then(|account| account.fields.get(name.as_str())))
        }
        Condition::Fact(fact) => m.call.facts.has(*fact),
        Condition::Level(level, _) => m.meets(level),
        Condition::Attestation(wanted) => m.call.caller.attestation == *wanted,
        Condition::Risk(wanted) => m.call.risk() == *wanted,
        Condition::RiskAtLeast(least) => m.call.risk() >= *least,
        Condition::Open(name, _) => {
            let hours = m.flow().and_then(|flow| flow.hours.get(name));
            hours.is_some_and(|hours| hours.is_open(m.moment.now))
        }
        Condition::Time(hours) => hours.is_open(m.moment.now),
    })
}
