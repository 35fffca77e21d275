//! Conditions: what is known where one holds, and where it does not.

use super::known::Known;
use crate::flow::condition::Condition;
use crate::flow::level::Level;
use crate::flow::name::LevelName;

/// What may be known where a condition holds, and where it does not.
pub(super) struct Split {
    pub(super) holds: Vec<Known>,
    pub(super) fails: Vec<Known>,
}

/// Splits what is known at a condition.
pub(super) fn split<'l>(
    condition: &Condition,
    known: Known,
    level: &dyn Fn(&LevelName) -> Option<&'l Level>,
) -> Split {
    match condition {
        Condition::Fact(fact) if known.has(*fact) => Split { holds: vec![known], fails: vec![] },
        Condition::Fact(_) => Split { holds: vec![], fails: vec![known] },
        Condition::Level(name, _) => match level(name) {
            Some(level) => Split {
                holds: known.if_met(level),
                fails: if known.meets(level) { vec![] } else { vec![known] },
            },
            None => Split { holds: vec![], fails: vec![known] },
        },
        Condition::Not(inner) => {
            let Split { holds, fails } = split(inner, known, level);
            Split { holds: fails, fails: holds }
        }
        Condition::All(parts) => {
            let mut all = Split { holds: vec![known], fails: vec![] };
            for part in parts {
                for known in std::mem::take(&mut all.holds) {
                    let one = split(part, known, level);
                    all.holds.extend(one.holds);
                    all.fails.extend(one.fails);
                }
            }
            all
        }
        Condition::Any(parts) => {
            let mut any = Split { holds: vec![], fails: vec![known] };
            for part in parts {
                for known in std::mem::take(&mut any.fails) {
                    let one = split(part, known, level);
                    any.holds.extend(one.holds);
                    any.fails.extend(one.fails);
                }
            }
            any
        }
        Condition::Attestation(attestation) => {
            let (holds, fails) = known.attested(*attestation);
            Split { holds: holds.into_iter().collect(), fails: fails.into_iter().collect() }
        }
        Condition::Variable(..)
        | Condition::Field(..)
        | Condition::Open(..)
        | Condition::Time(_) => Split { holds: vec![known], fails: vec![known] },
    }
}
