//! Conditions: what is known where one holds, and where it does not.

use super::known::Known;
use super::uses::Told;
use crate::diagnostic::Place;
use crate::flow::condition::{Condition, Test};
use crate::flow::level::Level;
use crate::flow::name::{FieldName, LevelName, VariableName};
use crate::flow::states::branch::Case;

/// What may be known where a condition holds, and where it does not.
pub(super) struct Split {
    pub(super) holds: Vec<Known>,
    pub(super) fails: Vec<Known>,
}

/// Where a call finds its levels.
pub(super) struct Levels<'a, 'l> {
    /// By name.
    pub(super) named: &'a dyn Fn(&LevelName) -> Option<&'l Level>,
    /// Those under which a field is disclosed.
    pub(super) of_field: &'a dyn Fn(&FieldName) -> Vec<&'l Level>,
    /// Those under which a variable may be heard.
    pub(super) of_variable: &'a dyn Fn(&VariableName) -> Vec<&'l Level>,
}

/// A condition of which it is known whether it holds.
fn certain(holds: bool, known: Known) -> Split {
    if holds {
        Split { holds: vec![known], fails: vec![] }
    } else {
        Split { holds: vec![], fails: vec![known] }
    }
}

/// Splits what is known at a condition.
pub(super) fn split(condition: &Condition, known: Known, levels: &Levels<'_, '_>) -> Split {
    split_telling(condition, known, levels, &mut |_, _| {})
}

/// What the cases of a branch ask about, each with what is known of those of whom it is asked: they are looked
/// at in order, and no further than it takes. So `all` of a level and a field asks about the field only where
/// the level is met.
pub(super) fn asked(
    cases: &[Case],
    known: Known,
    levels: &Levels<'_, '_>,
) -> Vec<(Told, Place, Known)> {
    let mut asked: Vec<(Told, Place, Known)> = Vec::new();
    let mut tell = |condition: &Condition, known: Known| {
        let (told, place) = match condition {
            Condition::Field(name, _, place) => (Told::Field(name.clone()), place),
            Condition::Variable(name, _, place) => (Told::Variable(name.clone()), place),
            _ => return,
        };
        asked.push((told, place.clone(), known));
    };
    let mut left = vec![known];
    for case in cases {
        let mut fails = Vec::new();
        for known in left {
            add(&mut fails, split_telling(&case.when, known, levels, &mut tell).fails);
        }
        left = fails;
    }
    asked
}

/// Splits what is known at a condition, and tells of each part of it that is looked at.
fn split_telling(
    condition: &Condition,
    known: Known,
    levels: &Levels<'_, '_>,
    tell: &mut dyn FnMut(&Condition, Known),
) -> Split {
    tell(condition, known);
    match condition {
        Condition::Fact(fact) => certain(known.has(*fact), known),
        Condition::Level(name, _) => match (levels.named)(name) {
            Some(level) => Split {
                holds: known.if_met(level),
                fails: if known.meets(level) { vec![] } else { vec![known] },
            },
            None => Split { holds: vec![], fails: vec![known] },
        },
        Condition::Risk(band) => certain(known.risk == *band, known),
        Condition::RiskAtLeast(band) => certain(known.risk >= *band, known),
        Condition::Not(inner) => {
            let Split { holds, fails } = split_telling(inner, known, levels, tell);
            Split { holds: fails, fails: holds }
        }
        Condition::All(parts) => {
            let mut all = Split { holds: vec![known], fails: vec![] };
            for part in parts {
                for known in std::mem::take(&mut all.holds) {
                    let one = split_telling(part, known, levels, tell);
                    add(&mut all.holds, one.holds);
                    add(&mut all.fails, one.fails);
                }
            }
            all
        }
        Condition::Any(parts) => {
            let mut any = Split { holds: vec![], fails: vec![known] };
            for part in parts {
                for known in std::mem::take(&mut any.fails) {
                    let one = split_telling(part, known, levels, tell);
                    add(&mut any.holds, one.holds);
                    add(&mut any.fails, one.fails);
                }
            }
            any
        }
        Condition::Attestation(attestation) => {
            let (holds, fails) = known.attested(*attestation);
            Split { holds: holds.into_iter().collect(), fails: fails.into_iter().collect() }
        }
        // Who lacks the level finds nothing there.
        Condition::Field(name, test, _) => read(&(levels.of_field)(name), test, known),
        Condition::Variable(name, test, _) => read(&(levels.of_variable)(name), test, known),
        Condition::Open(..) | Condition::Time(_) => {
            Split { holds: vec![known], fails: vec![known] }
        }
    }
}

/// Splits at a test of a value that is read only under these levels.
fn read(levels: &[&Level], test: &Test, known: Known) -> Split {
    let met = |ways: Vec<Known>, level: &&Level| {
        ways.iter().flat_map(|known| known.if_met(level)).collect()
    };
    let reads = levels.iter().fold(vec![known], met);
    let mut split = Split { holds: reads.clone(), fails: reads };
    if !levels.iter().all(|level| known.meets(level)) {
        let without = if test.passes(None) { &mut split.holds } else { &mut split.fails };
        without.push(known);
    }
    split
}

/// Adds what is not there yet: what is known in one way is looked at once, however many ways of the
/// condition lead to it.
pub(super) fn add(to: &mut Vec<Known>, more: Vec<Known>) {
    for known in more {
        if !to.contains(&known) {
            to.push(known);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::level::Fact;

    /// Each part counts, whichever comes first.
    #[test]
    fn any_holds_by_each_of_its_parts_and_all_by_none_alone() {
        let facts = [Fact::Pin, Fact::SmsOtp, Fact::ServiceCode];
        let levels =
            Levels { named: &|_| None, of_field: &|_| Vec::new(), of_variable: &|_| Vec::new() };
        let parts = || facts.map(Condition::Fact).to_vec();
        let real = Known::NOTHING.claims(true);
        let holds = |condition: &Condition, known: Known| {
            let split = split(condition, known, &levels);
            assert_eq!(split.holds.len() + split.fails.len(), 1, "it is certain");
            split.holds == [known]
        };
        for fact in facts {
            assert!(holds(&Condition::Any(parts()), real.proved(fact, 0)), "{fact}");
            assert!(!holds(&Condition::All(parts()), real.proved(fact, 0)), "{fact}");
            let others = facts.iter().filter(|other| **other != fact);
            let others = others.fold(real, |known, other| known.proved(*other, 0));
            assert!(!holds(&Condition::All(parts()), others), "{fact}");
        }
        assert!(!holds(&Condition::Any(parts()), real));
        let all = facts.iter().fold(real, |known, fact| known.proved(*fact, 0));
        assert!(holds(&Condition::All(parts()), all));
    }

    /// What may hold may fail, so the next part is looked at as well.
    #[test]
    fn what_is_not_certain_goes_either_way_by_each_part() {
        let levels =
            Levels { named: &|_| None, of_field: &|_| Vec::new(), of_variable: &|_| Vec::new() };
        let known = Known::NOTHING.claims(true).proved(Fact::SmsOtp, 0);
        let open = Condition::Open(
            "office".into(),
            crate::diagnostic::Place { file: "t".into(), span: 0..0 },
        );
        let (sent, pin) = (Condition::Fact(Fact::SmsOtp), Condition::Fact(Fact::Pin));
        let ways = |condition: Condition| {
            let split = split(&condition, known, &levels);
            (split.holds.len(), split.fails.len())
        };
        assert_eq!(ways(Condition::Any(vec![open.clone(), pin.clone()])), (1, 1));
        assert_eq!(ways(Condition::Any(vec![open.clone(), sent.clone()])), (1, 0));
        assert_eq!(ways(Condition::All(vec![open.clone(), sent])), (1, 1));
        assert_eq!(ways(Condition::All(vec![open, pin])), (0, 1));
    }
}
