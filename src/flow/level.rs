//! Facts about the caller, their classes, and the levels that demand them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::risk::Risk;
use crate::diagnostic::fix::Spelling;
use crate::diagnostic::{Finding, Place, did_you_mean};
use crate::document::{Item, Reader};
use crate::secret::Secret;

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
    /// All sets of facts.
    pub fn sets() -> impl Iterator<Item = BTreeSet<Self>> {
        (0..1_u32 << Self::ALL.len()).map(|set| {
            let facts = Self::ALL.into_iter().enumerate();
            facts.filter(|(bit, _)| set & (1 << bit) != 0).map(|(_, fact)| fact).collect()
        })
    }

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
    pub contact: Option<Secret>,
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

    /// Those that do not count for their class: a code from a web session with one factor.
    pub fn by_one_factor(&self) -> impl Iterator<Item = Fact> {
        self.0.iter().filter(|(_, proof)| !proof.counts).map(|(fact, _)| *fact)
    }
}

/// A named requirement over facts: a monotone formula, so that more proof never makes less.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Level {
    /// What must be proved.
    pub formula: Formula,
    /// How long ago at most; `None`: at any time of this call.
    pub within: Option<Duration>,
    /// What must be proved as well from a band of risk upwards: never less than without it.
    pub at_risk: BTreeMap<Risk, Demand>,
    /// Where it is written.
    pub place: Place,
}

/// What a level asks for: the proofs, and how fresh they must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Demand {
    /// What must be proved.
    pub formula: Formula,
    /// How long ago at most; `None`: at any time of this call.
    pub within: Option<Duration>,
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
    pub(crate) fn never(place: Place) -> Self {
        Self { formula: Formula::Any(Vec::new()), within: None, at_risk: BTreeMap::new(), place }
    }

    /// Whether nobody ever meets it.
    pub(crate) fn is_never(&self) -> bool {
        self.formula == Formula::Any(Vec::new())
    }

    /// Everything that the level asks for at a risk: what it asks for anyway, and what each band up to
    /// this one adds. So a higher risk never asks for less.
    pub fn demands(&self, risk: Risk) -> impl Iterator<Item = (&Formula, Option<Duration>)> {
        let added = self.at_risk.range(..=risk).map(|(_, more)| (&more.formula, more.within));
        std::iter::once((&self.formula, self.within)).chain(added)
    }

    /// Whether the facts meet the level now, at this risk.
    ///
    /// Some set of proofs must make every demand true by those of it that are fresh, in which no two
    /// went through the same contact: one telephone never makes two factors.
    pub fn is_met(&self, facts: &Facts, now: jiff::Timestamp, risk: Risk) -> bool {
        let proofs: Vec<_> = facts.0.iter().collect();
        let sets = 0..1_u32 << proofs.len();
        sets.into_iter().any(|set| {
            let chosen: Vec<_> = (0..)
                .zip(&proofs)
                .filter(|(index, _)| set & (1 << index) != 0)
                .map(|(_, proof)| *proof)
                .collect();
            let holds = |(formula, within): (&Formula, Option<Duration>)| {
                let fresh = chosen.iter().filter(|(_, proof)| is_fresh(proof, within, now));
                formula.holds(&fresh.copied().collect::<Vec<_>>())
            };
            independent(&chosen) && self.demands(risk).all(holds)
        })
    }

    /// What it asks for at a risk, in words.
    pub fn words(&self, risk: Risk) -> String {
        let words: Vec<_> = self.demands(risk).map(|(formula, _)| formula.words()).collect();
        words.join(", and ")
    }
}

fn is_fresh(proof: &Proof, within: Option<Duration>, now: jiff::Timestamp) -> bool {
    // Servers' clocks differ a little; a proof from further in the future is of a clock set back.
    let age = now.duration_since(proof.at);
    within.is_none_or(|within| {
        age >= -SKEW_MAX && (age.is_negative() || age.unsigned_abs() <= within)
    })
}

fn independent(chosen: &[(&Fact, &Proof)]) -> bool {
    chosen.iter().enumerate().all(|(index, (_, proof))| {
        let later = chosen.iter().skip(index + 1);
        proof.contact.is_none()
            || later.into_iter().all(|(_, other)| other.contact != proof.contact)
    })
}

impl Formula {
    /// Whether these facts are enough, whatever their age. `two_factors`: the session that a code from the web
    /// came from had two; without them it counts for no class.
    pub fn is_met_by(&self, facts: &BTreeSet<Fact>, two_factors: bool) -> bool {
        let counts = |fact: &Fact| two_factors || *fact != Fact::ServiceCode;
        self.is_met_where(&|fact| facts.contains(&fact), &|class| {
            facts.iter().any(|fact| counts(fact) && fact.class() == Some(class))
        })
    }

    fn holds(&self, proofs: &[(&Fact, &Proof)]) -> bool {
        self.is_met_where(&|fact| proofs.iter().any(|(proved, _)| **proved == fact), &|class| {
            proofs.iter().any(|(proved, proof)| proof.counts && proved.class() == Some(class))
        })
    }

    /// `fact`, `class`: whether that one is there.
    fn is_met_where(&self, fact: &dyn Fn(Fact) -> bool, class: &dyn Fn(Class) -> bool) -> bool {
        match self {
            Self::Fact(one) => fact(*one),
            Self::Class(one) => class(*one),
            Self::All(parts) => parts.iter().all(|part| part.is_met_where(fact, class)),
            Self::Any(parts) => parts.iter().any(|part| part.is_met_where(fact, class)),
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
    let within = read_within(&table);
    let formula = read_formula(&table);
    let at_risk = table.item("at_risk").map(|at_risk| read_at_risk(&at_risk, within));
    table.finish();
    let at_risk = at_risk.unwrap_or_default();
    Some(Level { formula: formula?, within, at_risk, place: item.key_place() })
}

fn read_within(table: &Reader<'_>) -> Option<Duration> {
    let within = table.item("within")?;
    within.duration(Duration::from_secs(1), crate::limits::CALL_DURATION_MAX)
}

/// Reads `{ high = { all = ["possession"], within = "5m" } }`; proofs need be as fresh as the level's
/// own where nothing else is said.
fn read_at_risk(item: &Item<'_>, within: Option<Duration>) -> BTreeMap<Risk, Demand> {
    let mut demands = BTreeMap::new();
    let Some(table) = item.table("`at_risk`") else { return demands };
    for (name, risk) in [("medium", Risk::Medium), ("high", Risk::High)] {
        let Some(item) = table.item(name) else { continue };
        let Some(more) = item.table(format!("`{name}`")) else { continue };
        let (within, formula) = (read_within(&more).or(within), read_formula(&more));
        more.finish();
        demands.extend(formula.map(|formula| (risk, Demand { formula, within })));
    }
    table.finish();
    demands
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
            format!("facts and classes are: {}", known.clone().collect::<Vec<_>>().join(", "))
        });
        item.report(
            Finding::error(
                "unknown-fact",
                format!("`{name}` is neither a fact nor a class"),
                item.place(),
            )
            .help(help)
            .respelt(name, known, Spelling::Value),
        );
    }
    formula
}

#[cfg(test)]
mod tests {
    use super::*;

    fn level(formula: Formula, within_s: Option<u64>) -> Level {
        let place = Place { file: "t".into(), span: 0..0 };
        let at_risk = BTreeMap::new();
        Level { formula, within: within_s.map(Duration::from_secs), at_risk, place }
    }

    fn facts(proofs: &[(Fact, i64, Option<&str>, bool)]) -> Facts {
        let proof = |(fact, at, contact, counts): &(Fact, i64, Option<&str>, bool)| {
            let at = jiff::Timestamp::from_second(*at).unwrap();
            (*fact, Proof { at, contact: contact.map(Secret::new), counts: *counts })
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
        assert!(!strict.is_met(
            &facts(&[(Fact::Pin, 0, None, true), (Fact::Passcode, 0, None, true)]),
            now(),
            Risk::Low
        ));
        assert!(strict.is_met(
            &facts(&[(Fact::Pin, 0, None, true), (Fact::SmsOtp, 0, Some("a"), true)]),
            now(),
            Risk::Low
        ));
        assert!(!strict.is_met(
            &facts(&[(Fact::Pin, 0, None, true), (Fact::EmailOtp, 0, None, true)]),
            now(),
            Risk::Low
        ));
    }

    #[test]
    fn a_text_and_a_call_to_one_number_are_one_proof() {
        let both = level(
            Formula::All(vec![Formula::Fact(Fact::SmsOtp), Formula::Fact(Fact::Callback)]),
            None,
        );
        let same = [(Fact::SmsOtp, 0, Some("a"), true), (Fact::Callback, 0, Some("a"), true)];
        let other = [(Fact::SmsOtp, 0, Some("a"), true), (Fact::Callback, 0, Some("b"), true)];
        assert!(!both.is_met(&facts(&same), now(), Risk::Low));
        assert!(both.is_met(&facts(&other), now(), Risk::Low));
    }

    #[test]
    fn a_proof_grows_too_old() {
        let fresh = level(Formula::Fact(Fact::Pin), Some(300));
        assert!(fresh.is_met(&facts(&[(Fact::Pin, 700, None, true)]), now(), Risk::Low));
        assert!(!fresh.is_met(&facts(&[(Fact::Pin, 699, None, true)]), now(), Risk::Low));
        // By the clock of another server it may be a little ahead.
        let of_now = level(Formula::Fact(Fact::Pin), Some(60));
        assert!(of_now.is_met(&facts(&[(Fact::Pin, 1_120, None, true)]), now(), Risk::Low));
        assert!(fresh.is_met(&facts(&[(Fact::Pin, 1_120, None, true)]), now(), Risk::Low));
        assert!(!fresh.is_met(&facts(&[(Fact::Pin, 1_121, None, true)]), now(), Risk::Low));
    }

    #[test]
    fn a_weak_service_code_is_no_possession() {
        let level = level(Formula::Class(Class::Possession), None);
        assert!(!level.is_met(&facts(&[(Fact::ServiceCode, 0, None, false)]), now(), Risk::Low));
        assert!(level.is_met(&facts(&[(Fact::ServiceCode, 0, None, true)]), now(), Risk::Low));
    }

    #[test]
    fn risk_only_ever_asks_for_more() {
        let mut of = level(Formula::Fact(Fact::Pin), None);
        let more = Demand {
            formula: Formula::Class(Class::Possession),
            within: Some(Duration::from_mins(1)),
        };
        of.at_risk.insert(Risk::Medium, more);
        let pin = (Fact::Pin, 0, None, true);
        let met = |proofs: &[_], risk| of.is_met(&facts(proofs), now(), risk);
        assert!(met(&[pin], Risk::Low));
        assert!(!met(&[pin], Risk::Medium) && !met(&[pin], Risk::High));
        let fresh = (Fact::SmsOtp, 950, Some("a"), true);
        assert!(met(&[pin, fresh], Risk::High), "an old PIN, and a message just now");
        assert!(!met(&[pin, (Fact::SmsOtp, 900, Some("a"), true)], Risk::High));
        assert!(!met(&[fresh], Risk::High), "what is asked for anyway is asked for still");
    }

    /// What is said of how fresh proofs must be holds at every risk that says nothing else.
    #[test]
    fn a_risk_takes_nothing_from_how_fresh_proofs_must_be() {
        let text = "name = \"f\"\nstart = \"s\"\n[states.s]\ntype = \"hangup\"\n[levels]\n\
            l = { any = [\"pin\"], within = \"5m\", at_risk = { medium = { any = [\"callback\"] }, \
            high = { any = [\"sms_otp\"], within = \"1s\" } } }\n";
        let (flow, findings) = crate::flow::read_one("f.toml", text);
        assert_eq!(findings, []);
        let flow = flow.unwrap();
        let within: Vec<_> = flow.levels[0].demands(Risk::High).map(|(_, within)| within).collect();
        assert_eq!(within, [300, 300, 1].map(|seconds| Some(Duration::from_secs(seconds))));
    }
}
