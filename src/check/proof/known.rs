//! What a caller may have proved, and whether that meets a level.

use crate::flow::condition::Attestation;
use crate::flow::level::{Class, Fact, Formula, Level};

/// An age that stands for a fact that is not proved.
pub(super) const NEVER: u32 = u32::MAX;

/// Facts, each with an upper bound of its age in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::struct_excessive_bools, reason = "four facts of a call, each on its own")]
pub(in crate::check) struct Known {
    /// By [`Fact::ALL`].
    ages_s: [u32; Fact::ALL.len()],
    /// An account on file is claimed: without one nothing can be proved.
    pub(in crate::check) real: bool,
    /// A code was sent, and has not been used.
    pub(super) code: bool,
    /// The message and the call went to different telephones.
    apart: bool,
    /// The service code came from a web session with two factors, for a guard has shown it.
    strong: bool,
    /// Seconds of what was said since the caller was last waited for: it is heard with what follows.
    said_s: u32,
    /// What the network may say of the caller's number, a bit each: it says one thing in a call.
    attested: u8,
}

/// All that the network may say of a number.
const ATTESTATIONS: [Attestation; 5] =
    [Attestation::A, Attestation::B, Attestation::C, Attestation::Failed, Attestation::None];

/// A set of facts, a bit each.
type Set = u8;

impl Known {
    /// Nothing is proved, and nobody is claimed.
    pub(super) const NOTHING: Self = Self {
        ages_s: [NEVER; Fact::ALL.len()],
        real: false,
        code: false,
        apart: false,
        strong: false,
        said_s: 0,
        attested: (1 << ATTESTATIONS.len()) - 1,
    };

    /// Somebody else is claimed: whatever was proved is gone.
    pub(super) fn claims(self, real: bool) -> Self {
        Self { real, said_s: self.said_s, attested: self.attested, ..Self::NOTHING }
    }

    /// Something is said on the way to where the caller is waited for.
    pub(super) fn said(self, seconds: u32, oldest_s: u32) -> Self {
        Self { said_s: self.said_s.saturating_add(seconds).min(oldest_s), ..self }
    }

    /// The caller was waited for this long, after all that was said.
    pub(super) fn waited(self, seconds: u32, oldest_s: u32) -> Self {
        let all_s = self.said_s.saturating_add(seconds);
        Self { said_s: 0, ..self.aged(all_s, oldest_s) }
    }

    /// Seconds of what was said since the caller was last waited for.
    pub(super) fn said_s(&self) -> u32 {
        self.said_s
    }

    /// What is known where the network says this of the caller's number, and where it does not.
    pub(super) fn attested(self, attestation: Attestation) -> (Option<Self>, Option<Self>) {
        let known = ATTESTATIONS.iter().position(|known| *known == attestation);
        let bit = known.map_or(0, |position| 1 << position);
        (self.if_attested(self.attested & bit), self.if_attested(self.attested & !bit))
    }

    fn if_attested(self, attested: u8) -> Option<Self> {
        (attested != 0).then_some(Self { attested, ..self })
    }

    /// The fact is proved now.
    pub(super) fn proved(mut self, fact: Fact, age_s: u32) -> Self {
        for (known, age) in Fact::ALL.into_iter().zip(&mut self.ages_s) {
            if known == fact {
                *age = age_s;
            }
        }
        self.apart &= !matches!(fact, Fact::SmsOtp | Fact::Callback);
        self.strong &= fact != Fact::ServiceCode;
        self
    }

    /// A code was sent, or used.
    pub(super) fn with_code(self, code: bool) -> Self {
        Self { code, ..self }
    }

    /// Time passes; beyond `oldest_s` all ages are one.
    fn aged(mut self, by_s: u32, oldest_s: u32) -> Self {
        for age in self.ages_s.iter_mut().filter(|age| **age != NEVER) {
            *age = age.saturating_add(by_s).min(oldest_s);
        }
        self
    }

    /// Whether the fact is proved.
    pub(in crate::check) fn has(&self, fact: Fact) -> bool {
        self.facts().any(|(proved, _)| proved == fact)
    }

    /// What is proved, with the ages.
    pub(in crate::check) fn facts(&self) -> impl Iterator<Item = (Fact, u32)> {
        Fact::ALL.into_iter().zip(self.ages_s).filter(|(_, age)| *age != NEVER)
    }

    /// Whether everything that can follow the other can follow this: the same is proved, and no
    /// bound is lower.
    pub(super) fn covers(&self, other: &Self) -> bool {
        self.kind() == other.kind()
            && self.said_s >= other.said_s
            && self.ages_s.iter().zip(other.ages_s).all(|(own, other)| *own >= other)
    }

    /// What two must share for one to cover the other.
    pub(super) fn kind(&self) -> (u8, bool, bool, bool, bool, u8) {
        (self.fresh(None), self.real, self.code, self.apart, self.strong, self.attested)
    }

    /// The higher of the bounds.
    pub(super) fn joined(mut self, other: &Self) -> Self {
        for (own, other) in self.ages_s.iter_mut().zip(other.ages_s) {
            *own = (*own).max(other);
        }
        self.said_s = self.said_s.max(other.said_s);
        self
    }

    fn fresh(&self, within_s: Option<u32>) -> Set {
        let fresh = |age: u32| age != NEVER && within_s.is_none_or(|within| age <= within);
        let bits = self.ages_s.iter().enumerate().filter(|(_, age)| fresh(**age));
        bits.fold(0, |set, (bit, _)| set | 1 << bit)
    }

    /// Whether the level is met for certain.
    pub(in crate::check) fn meets(&self, level: &Level) -> bool {
        let fresh = self.fresh(within_s(level));
        let weak = if self.strong { Weak::Counts } else { Weak::No };
        subsets(fresh)
            .any(|set| (self.apart || set & PHONE != PHONE) && holds(&level.formula, set, weak))
    }

    /// Whether the level would be met if nothing grew old.
    pub(in crate::check) fn meets_but_for_age(&self, level: &Level) -> bool {
        self.meets(&Level { within: None, ..level.clone() })
    }

    /// The ways in which the level may be met: what is then known.
    pub(super) fn if_met(&self, level: &Level) -> Vec<Self> {
        let may = |set: &Set| holds(&level.formula, *set, Weak::Counts);
        let sets: Vec<_> = subsets(self.fresh(None)).filter(may).collect();
        let least = |set: &&Set| !sets.iter().any(|other| other != *set && other & **set == *other);
        let met = |set: &Set| {
            let mut known = self.with(*set, within_s(level));
            // What holds only if the service code counts shows that it does.
            known.strong |= !holds(&level.formula, *set, Weak::No);
            known
        };
        sets.iter().filter(least).map(met).collect()
    }

    fn with(mut self, set: Set, within_s: Option<u32>) -> Self {
        let bound = within_s.unwrap_or(NEVER);
        for (bit, age) in self.ages_s.iter_mut().enumerate() {
            if set & (1 << bit) != 0 {
                *age = (*age).min(bound);
            }
        }
        self.apart |= set & PHONE == PHONE;
        self
    }
}

/// A message and a call: perhaps to one telephone.
const PHONE: Set = 1 << Fact::SmsOtp as u8 | 1 << Fact::Callback as u8;

/// Whether a service code counts for its class, of which nothing is known here.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Weak {
    No,
    Counts,
}

fn subsets(of: Set) -> impl Iterator<Item = Set> {
    (0..=of).filter(move |set| set & of == *set)
}

fn within_s(level: &Level) -> Option<u32> {
    level.within.map(|within| u32::try_from(within.as_secs()).unwrap_or(NEVER - 1))
}

fn holds(formula: &Formula, set: Set, weak: Weak) -> bool {
    let has = |fact: Fact| set & (1 << fact as u8) != 0;
    match formula {
        Formula::Fact(fact) => has(*fact),
        Formula::Class(Class::Knowledge) => has(Fact::Pin) || has(Fact::Passcode),
        Formula::Class(Class::Possession) => {
            let service_code = weak == Weak::Counts && has(Fact::ServiceCode);
            has(Fact::SmsOtp) || has(Fact::Callback) || service_code
        }
        Formula::All(parts) => parts.iter().all(|part| holds(part, set, weak)),
        Formula::Any(parts) => parts.iter().any(|part| holds(part, set, weak)),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::diagnostic::Place;

    fn level(formula: Formula, within_s: Option<u64>) -> Level {
        let place = Place { file: "t".into(), span: 0..0 };
        Level { formula, within: within_s.map(Duration::from_secs), place }
    }

    #[test]
    fn bits_stand_for_facts() {
        for (bit, fact) in Fact::ALL.into_iter().enumerate() {
            assert_eq!(fact as usize, bit);
        }
    }

    #[test]
    fn one_telephone_is_one_proof() {
        let both = Formula::All(vec![Formula::Fact(Fact::SmsOtp), Formula::Fact(Fact::Callback)]);
        let both = level(both, None);
        let known = Known::NOTHING.claims(true).proved(Fact::SmsOtp, 0).proved(Fact::Callback, 0);
        assert!(!known.meets(&both));
        let met = known.if_met(&both);
        assert!(met.len() == 1 && met[0].meets(&both), "who got in had two telephones");
        assert!(!met[0].proved(Fact::SmsOtp, 0).meets(&both), "the next may be the other's");
    }

    #[test]
    fn who_was_let_in_was_fresh() {
        let level = level(Formula::Class(Class::Possession), Some(240));
        let known = Known::NOTHING.claims(true).proved(Fact::SmsOtp, 0).proved(Fact::Callback, 0);
        let old = known.aged(1_000, 301);
        assert!(!old.meets(&level) && old.meets_but_for_age(&level) && old.covers(&known));
        let met = old.if_met(&level);
        assert_eq!(met.len(), 2, "one of them was fresh, either");
        assert!(met.iter().all(|known| known.meets(&level)));
        assert_eq!(Known::NOTHING.if_met(&level), []);
    }
}
