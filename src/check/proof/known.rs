//! What a caller may have proved, and whether that meets a level.

use std::time::Duration;

use super::labels::Labels;
use crate::flow::condition::Attestation;
use crate::flow::level::{Class, Fact, Formula, Level};
use crate::flow::risk::Risk;

/// An age that stands for a fact that is not proved.
pub(super) const NEVER: u32 = u32::MAX;

/// Facts, each with an upper bound of its age in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "four things that are so or not, each on its own"
)]
pub(in crate::check) struct Known {
    /// By [`Fact::ALL`].
    ages_s: [u32; Fact::ALL.len()],
    /// The band of the call's risk.
    pub(in crate::check) risk: Risk,
    /// An account on file is claimed: without one nothing can be proved.
    pub(in crate::check) real: bool,
    /// The code that was sent and has not been used.
    pub(super) code: Option<Code>,
    /// What is proved of which the caller has not heard: it counts when the next proof succeeds.
    trial: Set,
    /// An entry was wrong of which the caller has not heard: the next proof fails.
    pub(super) doubt: bool,
    /// The message and the call went to different telephones.
    apart: bool,
    /// The service code came from a web session with two factors, for a guard has shown it.
    strong: bool,
    /// Seconds of what was said since the caller was last waited for: it is heard with what follows.
    said_s: u32,
    /// What the network may say of the caller's number, a bit each: it says one thing in a call.
    attested: u8,
    /// Under which levels variables may be heard.
    pub(super) labels: Labels,
    /// Whether the variables of who called this flow still have theirs.
    pub(super) claimed: Claimed,
}

/// A code that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Code {
    /// It proves this.
    Of(Fact),
    /// Nobody has it: there was nowhere to send it, of which the caller is not to hear.
    Nobodys,
}

/// Whether an account was claimed since a sub-flow was entered: with the one before it goes whatever
/// was made of it, in the calling flows too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Claimed {
    /// There is no calling flow.
    NoMatter,
    /// None was.
    NotSince,
    /// One was.
    Since,
}

/// All that the network may say of a number.
const ATTESTATIONS: [Attestation; 6] = [
    Attestation::A,
    Attestation::B,
    Attestation::C,
    Attestation::Failed,
    Attestation::Relayed,
    Attestation::None,
];

/// A set of facts, a bit each.
type Set = u8;

/// What two must share for one to cover the other, but for labels.
pub(super) type Unlabelled = ([Set; 2], Risk, [bool; 4], Option<Code>, u8, Claimed);

impl Known {
    /// Nothing is proved, and nobody is claimed.
    pub(super) const NOTHING: Self = Self {
        ages_s: [NEVER; Fact::ALL.len()],
        risk: Risk::Low,
        real: false,
        code: None,
        trial: 0,
        doubt: false,
        apart: false,
        strong: false,
        said_s: 0,
        attested: (1 << ATTESTATIONS.len()) - 1,
        labels: 0,
        claimed: Claimed::NoMatter,
    };

    /// Somebody else is claimed: whatever was proved is gone.
    pub(super) fn claims(self, real: bool) -> Self {
        let Self { said_s, attested, risk, .. } = self;
        let claimed = match self.claimed {
            Claimed::NoMatter => Claimed::NoMatter,
            Claimed::NotSince | Claimed::Since => Claimed::Since,
        };
        Self { risk, real, said_s, attested, claimed, ..Self::NOTHING }
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

    /// Whether a guard has shown that the service code came from a web session with two factors.
    pub(super) fn is_strong(&self) -> bool {
        self.strong
    }

    /// A call at this risk.
    pub(super) fn at(self, risk: Risk) -> Self {
        Self { risk, ..self }
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

    /// The same fact, proved so many seconds ago.
    pub(super) fn proved_before(mut self, fact: Fact, age_s: u32) -> Self {
        if let Some(age) = self.ages_s.get_mut(fact as usize) {
            *age = age_s;
        }
        self
    }

    /// The fact is proved now, and the caller does not hear of it yet.
    pub(super) fn on_trial(self, fact: Fact) -> Self {
        let known = self.proved(fact, 0);
        Self { trial: known.trial | 1 << fact as u8, ..known }
    }

    /// An entry was wrong, and the caller does not hear of it yet.
    pub(super) fn doubted(self, fact: Fact) -> Self {
        let known = self.proved(fact, NEVER);
        Self { doubt: true, trial: known.trial & !(1 << fact as u8), ..known }
    }

    /// The caller hears what became of all entries so far.
    pub(super) fn heard(mut self, well: bool) -> Self {
        if !well {
            for (bit, age) in self.ages_s.iter_mut().enumerate() {
                if self.trial & (1 << bit) != 0 {
                    *age = NEVER;
                }
            }
        }
        Self { trial: 0, doubt: false, ..self }
    }

    /// A code was sent, or the last one was used.
    pub(super) fn with_code(self, code: Option<Code>) -> Self {
        Self { code, ..self }
    }

    /// What the code proves that was sent and has not been used.
    pub(super) fn code_proves(&self) -> Option<Fact> {
        match self.code {
            Some(Code::Of(fact)) => Some(fact),
            Some(Code::Nobodys) | None => None,
        }
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
        let counts =
            |(fact, age): &(Fact, u32)| *age != NEVER && self.trial & 1 << *fact as u8 == 0;
        Fact::ALL.into_iter().zip(self.ages_s).filter(counts)
    }

    /// Whether everything that can follow the other can follow this: the same is proved, and no
    /// bound is lower.
    pub(super) fn covers(&self, other: &Self) -> bool {
        self.kind() == other.kind()
            && self.said_s >= other.said_s
            && self.ages_s.iter().zip(other.ages_s).all(|(own, other)| *own >= other)
    }

    /// What two must share for one to cover the other.
    pub(super) fn kind(&self) -> (Unlabelled, Labels) {
        (self.unlabelled(), self.labels)
    }

    /// The same but for labels.
    pub(super) fn unlabelled(&self) -> Unlabelled {
        let Self { risk, real, code, trial, doubt, apart, strong, attested, claimed, .. } = *self;
        let sets = [self.fresh(None), trial];
        (sets, risk, [real, doubt, apart, strong], code, attested, claimed)
    }

    /// Going on in another flow.
    pub(super) fn across(self, labels: Labels, claimed: Claimed) -> Self {
        Self { labels, claimed, ..self }
    }

    /// With other labels.
    pub(super) fn labelled(self, labels: Labels) -> Self {
        Self { labels, ..self }
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
        bits.fold(0, |set, (bit, _)| set | 1 << bit) & !self.trial
    }

    /// Whether the level is met for certain.
    pub(in crate::check) fn meets(&self, level: &Level) -> bool {
        self.meets_all(level, seconds)
    }

    /// Whether the level would be met if nothing grew old.
    pub(in crate::check) fn meets_but_for_age(&self, level: &Level) -> bool {
        self.meets_all(level, |_| None)
    }

    /// Whether a message and a call went to two telephones, for something on the way asked for that.
    pub(super) fn has_two_telephones(&self) -> bool {
        self.apart
    }

    /// Whether the level would be met if a message and a call went to two telephones, and nothing grew old.
    pub(super) fn meets_by_two_telephones(&self, level: &Level) -> bool {
        Self { apart: true, ..*self }.meets_but_for_age(level)
    }

    /// Why what is proved does not count, where it looks as if it did.
    pub(in crate::check) fn why_not(&self, level: &Level) -> Option<&'static str> {
        let strong = Self { apart: true, strong: true, ..*self };
        if self.meets_by_two_telephones(level) {
            Some("a message to and a call to one telephone are one proof")
        } else if strong.meets_but_for_age(level) {
            Some("a code from a web session with one factor is no possession")
        } else {
            None
        }
    }

    /// Whether one set of proofs meets every demand of the level by those fresh enough for it.
    fn meets_all(&self, level: &Level, age: fn(Option<Duration>) -> Option<u32>) -> bool {
        let weak = if self.strong { Weak::Counts } else { Weak::No };
        let demands: Vec<_> = level
            .demands(self.risk)
            .map(|(formula, within)| (formula, self.fresh(age(within))))
            .collect();
        let meets =
            |set: Set| demands.iter().all(|(formula, fresh)| holds(formula, set & fresh, weak));
        subsets(self.fresh(None)).any(|set| (self.apart || set & PHONE != PHONE) && meets(set))
    }

    /// The ways in which the level may be met: what is then known.
    pub(super) fn if_met(&self, level: &Level) -> Vec<Self> {
        // One set of proofs meets all demands, so what each of them shows is true of the same caller.
        let mut ways = vec![(*self, 0)];
        for (formula, within) in level.demands(self.risk) {
            ways = ways
                .iter()
                .flat_map(|(known, shown)| known.if_demanded(formula, seconds(within), *shown))
                .collect();
        }
        ways.into_iter().map(|(known, _)| known).collect()
    }

    /// What would be known of a caller who had proved as little more, just now, as meets the level.
    pub(super) fn having_met(self, level: &Level) -> Option<Self> {
        let caller = Self { real: true, trial: 0, doubt: false, ..self };
        let more = |set: Set| {
            let facts = Fact::ALL.into_iter().filter(|fact| set & 1 << *fact as u8 != 0);
            let known = facts.fold(caller, |known, fact| known.proved(fact, 0));
            Self { apart: known.apart || set & PHONE == PHONE, ..known }
        };
        let mut sets: Vec<_> = subsets(Set::MAX >> (8 - Fact::ALL.len())).collect();
        sets.sort_by_key(|set| set.count_ones());
        sets.into_iter().map(more).find(|known| known.meets(level))
    }

    /// The ways in which one demand may be met; `shown` are the proofs that met those before.
    fn if_demanded(
        &self,
        formula: &Formula,
        within_s: Option<u32>,
        shown: Set,
    ) -> Vec<(Self, Set)> {
        let may = |set: &Set| holds(formula, *set, Weak::Counts);
        let sets: Vec<_> = subsets(self.fresh(None)).filter(may).collect();
        let least = |set: &&Set| !sets.iter().any(|other| other != *set && other & **set == *other);
        let met = |set: &Set| {
            let mut known = self.with(*set, within_s);
            known.apart |= (shown | set) & PHONE == PHONE;
            // What holds only if the service code counts shows that it does.
            known.strong |= !holds(formula, *set, Weak::No);
            (known, shown | set)
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
        self
    }
}

/// Whether there is somebody who meets the one level and not the other: with these facts and no more, all
/// proved just now, or all a little too long ago for one of the two.
pub(in crate::check) fn asks_for_less(one: &Level, other: &Level) -> bool {
    let withins = [one, other].into_iter().flat_map(|level| level.demands(Risk::High));
    let too_old = withins.filter_map(|(_, within)| seconds(within)).map(|within| within + 1);
    let ages: Vec<_> = std::iter::once(0).chain(too_old).collect();
    Risk::ALL.iter().any(|risk| {
        subsets(Set::MAX >> (8 - Fact::ALL.len())).any(|set| {
            let proved = Fact::ALL.into_iter().filter(|fact| set & 1 << *fact as u8 != 0);
            let known = proved.fold(Known::NOTHING.at(*risk), |known, fact| known.proved(fact, 0));
            ages.iter().any(|age_s| {
                let known = Known { apart: true, strong: true, ..known.aged(*age_s, NEVER - 1) };
                known.meets(one) && !known.meets(other)
            })
        })
    })
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

fn seconds(within: Option<Duration>) -> Option<u32> {
    within.map(|within| u32::try_from(within.as_secs()).unwrap_or(NEVER - 1))
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
    use std::collections::BTreeMap;

    use super::*;
    use crate::diagnostic::Place;
    use crate::flow::level::Demand;

    fn level(formula: Formula, within_s: Option<u64>) -> Level {
        let place = Place { file: "t".into(), span: 0..0 };
        let at_risk = BTreeMap::new();
        Level { formula, within: within_s.map(Duration::from_secs), at_risk, place }
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

    #[test]
    fn who_asks_for_less_is_met_by_somebody_whom_the_other_turns_away() {
        let pin = || Formula::Fact(Fact::Pin);
        let both = || Formula::All(vec![pin(), Formula::Class(Class::Possession)]);
        let either = || Formula::Any(vec![pin(), Formula::Class(Class::Possession)]);
        assert!(asks_for_less(&level(pin(), None), &level(both(), None)));
        assert!(!asks_for_less(&level(both(), None), &level(either(), None)));
        assert!(asks_for_less(&level(pin(), Some(600)), &level(pin(), Some(60))));
        assert!(!asks_for_less(&level(pin(), Some(60)), &level(either(), Some(600))));
        let mut risky = level(pin(), None);
        risky.at_risk.insert(Risk::High, Demand { formula: both(), within: None });
        assert!(asks_for_less(&level(pin(), None), &risky) && !asks_for_less(&risky, &risky));
    }

    #[test]
    fn each_demand_has_its_own_bound() {
        let mut of = level(Formula::Fact(Fact::Pin), None);
        let more = Demand {
            formula: Formula::Class(Class::Possession),
            within: Some(Duration::from_mins(1)),
        };
        of.at_risk.insert(Risk::High, more);
        let known =
            Known::NOTHING.claims(true).proved(Fact::Pin, 0).proved(Fact::SmsOtp, 0).aged(200, 301);
        assert!(known.meets(&of) && !known.at(Risk::High).meets(&of));
        let met = known.at(Risk::High).if_met(&of);
        assert!(met.len() == 1 && met[0].meets(&of));
        assert!(
            !Known::NOTHING.claims(true).proved(Fact::Pin, 0).at(Risk::High).meets_but_for_age(&of)
        );
    }
}
