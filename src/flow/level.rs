//! Facts about the caller, their classes, and the levels that demand them.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::diagnostic::{Finding, Place, did_you_mean};
use crate::document::{Item, Reader};

/// Something proved about the caller in this call. Only a verifier state's success makes one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fact {
    /// A personal number, keyed in.
    Pin,
    /// A verbal passcode.
    Passcode,
    /// A code sent to the mobile on file.
    SmsOtp,
    /// A code sent to the e-mail on file.
    EmailOtp,
    /// A call to the number on file.
    Callback,
    /// A one-use code from the web.
    ServiceCode,
}

impl Fact {
    /// All facts.
    pub const ALL: [Self; 6] = [
        Self::Pin,
        Self::Passcode,
        Self::SmsOtp,
        Self::EmailOtp,
        Self::Callback,
        Self::ServiceCode,
    ];

    /// Its name in a flow.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pin => "pin",
            Self::Passcode => "passcode",
            Self::SmsOtp => "sms_otp",
            Self::EmailOtp => "email_otp",
            Self::Callback => "callback",
            Self::ServiceCode => "service_code",
        }
    }

    /// The fact of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|fact| fact.as_str() == name)
    }

    /// The class it belongs to. An e-mail code belongs to none: e-mail proves no possession
    /// (NIST SP 800-63B, 5.1.3.1).
    pub fn class(self) -> Option<Class> {
        match self {
            Self::Pin | Self::Passcode => Some(Class::Knowledge),
            Self::SmsOtp | Self::Callback | Self::ServiceCode => Some(Class::Possession),
            Self::EmailOtp => None,
        }
    }
}

impl fmt::Display for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A kind of factor. Two facts of one class never make two factors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Something the caller knows.
    Knowledge,
    /// Something the caller has.
    Possession,
}

impl Class {
    /// Its name in a flow.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Knowledge => "knowledge",
            Self::Possession => "possession",
        }
    }
}

/// How a fact was proved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// When.
    pub at: jiff::Timestamp,
    /// The contact on file it went through, as an opaque reference: a code sent to and a call to the
    /// same number are one proof.
    pub contact: Option<String>,
    /// Whether it counts for its class (a service code from a one-factor web session does not).
    pub counts: bool,
}

/// The facts of a call.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Facts(pub BTreeMap<Fact, Proof>);

impl Facts {
    /// Whether the fact is proved, however long ago.
    pub fn has(&self, fact: Fact) -> bool {
        self.0.contains_key(&fact)
    }
}

/// A named requirement over facts: a monotone formula, so that more proof never makes less.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Level {
    /// What must be proved.
    pub formula: Formula,
    /// How long ago at most; `None`: at any time of this call.
    pub within: Option<Duration>,
    /// Where it is written.
    pub place: Place,
}

/// What clocks of servers may differ by.
const SKEW_MAX: jiff::SignedDuration = jiff::SignedDuration::from_secs(120);

/// A monotone formula over facts and classes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Formula {
    /// This fact.
    Fact(Fact),
    /// A fact of this class that counts for it.
    Class(Class),
    /// All of these, by different proofs.
    All(Vec<Formula>),
    /// One of these.
    Any(Vec<Formula>),
}

impl Level {
    /// Never met: stands for a level that could not be read.
    pub(super) fn never(place: Place) -> Self {
        Self { formula: Formula::Any(Vec::new()), within: None, place }
    }

    /// Whether the facts meet the level now.
    ///
    /// A formula holds if some set of fresh proofs makes it true in which no two went through the
    /// same contact: one telephone never makes two factors.
    pub fn is_met(&self, facts: &Facts, now: jiff::Timestamp) -> bool {
        let fresh: Vec<_> = facts.0.iter().filter(|(_, proof)| self.is_fresh(proof, now)).collect();
        let sets = 0..1_u32 << fresh.len();
        sets.into_iter().any(|set| {
            let chosen: Vec<_> = (0..)
                .zip(&fresh)
                .filter(|(index, _)| set & (1 << index) != 0)
                .map(|(_, proof)| *proof)
                .collect();
            independent(&chosen) && self.formula.holds(&chosen)
        })
    }

    fn is_fresh(&self, proof: &Proof, now: jiff::Timestamp) -> bool {
        // Servers' clocks differ a little; a proof from further in the future is of a clock set back.
        let age = now.duration_since(proof.at);
        self.within.is_none_or(|within| {
            age >= -SKEW_MAX && (age.is_negative() || age.unsigned_abs() <= within)
        })
    }
}

fn independent(chosen: &[(&Fact, &Proof)]) -> bool {
    chosen.iter().enumerate().all(|(index, (_, proof))| {
        let later = chosen.iter().skip(index + 1);
        proof.contact.is_none()
            || later.into_iter().all(|(_, other)| other.contact != proof.contact)
    })
}

impl Formula {
    fn holds(&self, proofs: &[(&Fact, &Proof)]) -> bool {
        match self {
            Self::Fact(fact) => proofs.iter().any(|(proved, _)| *proved == fact),
            Self::Class(class) => {
                proofs.iter().any(|(proved, proof)| proof.counts && proved.class() == Some(*class))
            }
            Self::All(parts) => parts.iter().all(|part| part.holds(proofs)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(proofs)),
        }
    }

    /// The formula in words: `pin and (sms_otp or callback)`.
    pub fn words(&self) -> String {
        let join = |parts: &[Formula], word: &str| {
            let inner = |part: &Formula| match part {
                Self::All(parts) | Self::Any(parts) if parts.len() > 1 => {
                    format!("({})", part.words())
                }
                _ => part.words(),
            };
            parts.iter().map(inner).collect::<Vec<_>>().join(word)
        };
        match self {
            Self::Fact(fact) => fact.as_str().to_owned(),
            Self::Class(class) => class.as_str().to_owned(),
            Self::All(parts) => join(parts, " and "),
            Self::Any(parts) => join(parts, " or "),
        }
    }
}

/// Reads `{ any = ["pin", "passcode"], within = "5m" }`.
pub(super) fn read(item: &Item<'_>) -> Option<Level> {
    if item.is_list() || item.as_text().is_some() {
        let message = format!("level `{}` does not say `all` or `any`", item.key);
        let help = "write `{ any = [\"pin\", \"passcode\"] }`, or `all` where each is needed";
        item.report(Finding::error("bad-level", message, item.place()).help(help));
        return None;
    }
    let table = item.table(format!("level `{}`", item.key))?;
    let within = table.item("within").and_then(|within| {
        within.duration(Duration::from_secs(1), crate::limits::CALL_DURATION_MAX)
    });
    let formula = read_formula(&table);
    table.finish();
    Some(Level { formula: formula?, within, place: item.key_place() })
}

fn read_formula(table: &Reader<'_>) -> Option<Formula> {
    let (all, any) = (table.item("all"), table.item("any"));
    let (list, make): (_, fn(Vec<Formula>) -> Formula) = match (all, any) {
        (Some(all), None) => (all, Formula::All),
        (None, Some(any)) => (any, Formula::Any),
        (Some(_), Some(any)) => {
            let message = format!("{} says both `all` and `any`", table.what());
            let help = "put one into the other: `{ all = [\"pin\", { any = […] }] }`";
            table.report(Finding::error("bad-level", message, any.key_place()).help(help));
            return None;
        }
        (None, None) => {
            let message = format!("{} does not say `all` or `any`", table.what());
            let help = "write `{ any = [\"pin\", \"passcode\"] }`, or `all` where each is needed";
            table.report(Finding::error("bad-level", message, table.place()).help(help));
            return None;
        }
    };
    let items = list.list()?;
    if items.is_empty() {
        list.refuse("bad-level", format!("`{}` names nothing, so it proves nothing", list.key));
        return None;
    }
    let parts: Vec<_> = items.iter().filter_map(read_part).collect();
    Some(make(parts))
}

fn read_part(item: &Item<'_>) -> Option<Formula> {
    if item.is_table() {
        let table = item.table("this part of the level")?;
        let formula = read_formula(&table);
        table.finish();
        return formula;
    }
    let name = item.text()?;
    let classes = [Class::Knowledge, Class::Possession];
    let class = classes.into_iter().find(|class| class.as_str() == name).map(Formula::Class);
    let formula = Fact::parse(name).map(Formula::Fact).or(class);
    if formula.is_none() {
        let known = Fact::ALL.map(Fact::as_str).into_iter().chain(classes.map(Class::as_str));
        let help = did_you_mean(name, known.clone()).unwrap_or_else(|| {
            format!("facts and classes are: {}", known.collect::<Vec<_>>().join(", "))
        });
        item.report(
            Finding::error(
                "unknown-fact",
                format!("`{name}` is neither a fact nor a class"),
                item.place(),
            )
            .help(help),
        );
    }
    formula
}

#[cfg(test)]
mod tests {
    use super::*;

    fn level(formula: Formula, within_s: Option<u64>) -> Level {
        let place = Place { file: "t".into(), span: 0..0 };
        Level { formula, within: within_s.map(Duration::from_secs), place }
    }

    fn facts(proofs: &[(Fact, i64, Option<&str>, bool)]) -> Facts {
        let proof = |(fact, at, contact, counts): &(Fact, i64, Option<&str>, bool)| {
            let at = jiff::Timestamp::from_second(*at).unwrap();
            (*fact, Proof { at, contact: contact.map(Into::into), counts: *counts })
        };
        Facts(proofs.iter().map(proof).collect())
    }

    fn now() -> jiff::Timestamp {
        jiff::Timestamp::from_second(1000).unwrap()
    }

    #[test]
    fn two_facts_of_one_class_are_one_factor() {
        use Formula::{All, Class as Of};
        let strict = level(All(vec![Of(Class::Knowledge), Of(Class::Possession)]), None);
        assert!(
            !strict.is_met(
                &facts(&[(Fact::Pin, 0, None, true), (Fact::Passcode, 0, None, true)]),
                now()
            )
        );
        assert!(strict.is_met(
            &facts(&[(Fact::Pin, 0, None, true), (Fact::SmsOtp, 0, Some("a"), true)]),
            now()
        ));
        assert!(
            !strict.is_met(
                &facts(&[(Fact::Pin, 0, None, true), (Fact::EmailOtp, 0, None, true)]),
                now()
            )
        );
    }

    #[test]
    fn a_text_and_a_call_to_one_number_are_one_proof() {
        let both = level(
            Formula::All(vec![Formula::Fact(Fact::SmsOtp), Formula::Fact(Fact::Callback)]),
            None,
        );
        let same = [(Fact::SmsOtp, 0, Some("a"), true), (Fact::Callback, 0, Some("a"), true)];
        let other = [(Fact::SmsOtp, 0, Some("a"), true), (Fact::Callback, 0, Some("b"), true)];
        assert!(!both.is_met(&facts(&same), now()));
        assert!(both.is_met(&facts(&other), now()));
    }

    #[test]
    fn a_proof_grows_too_old() {
        let fresh = level(Formula::Fact(Fact::Pin), Some(300));
        assert!(fresh.is_met(&facts(&[(Fact::Pin, 700, None, true)]), now()));
        assert!(!fresh.is_met(&facts(&[(Fact::Pin, 699, None, true)]), now()));
    }

    #[test]
    fn a_weak_service_code_is_no_possession() {
        let level = level(Formula::Class(Class::Possession), None);
        assert!(!level.is_met(&facts(&[(Fact::ServiceCode, 0, None, false)]), now()));
        assert!(level.is_met(&facts(&[(Fact::ServiceCode, 0, None, true)]), now()));
    }
}
