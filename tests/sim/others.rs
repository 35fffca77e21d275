//! What is asked of others beside messages and rings: codes that the provider makes, sends and checks by
//! itself, what networks say of a number, and mail.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use callgate::carrier::{Delivery, Mail, Reference};
use callgate::engine::account::Line as Kind;
use callgate::engine::effect::{BeginVerification, Email};
use callgate::engine::eligibility::{Swap, Told, Word};
use callgate::engine::id::{EffectId, Sid};
use callgate::engine::question::Verdict;
use callgate::outbound::numbers::{About, Numbers};
use callgate::outbound::verifications::{SENDS_SPENT, Verifications};
use callgate::phone::PhoneNumber;
use callgate::secret::Secret;
use jiff::SignedDuration;
use tokio::time::Instant;

use super::planted::Plant;
use super::telco::{Author, Fate, Line};
use super::world::World;

/// How long a code of the provider's is good, and how often it sends it in that time.
const GOOD_FOR: Duration = Duration::from_mins(10);
const SENDS_MAX: u32 = 5;
/// How often it says whether an entry is the code.
const CHECKS_MAX: u32 = 5;
/// A check takes this long, whatever comes of it.
const CHECK: Duration = Duration::from_millis(900);

/// A code of the provider's, for a number.
#[derive(Clone, Debug)]
struct Verification {
    code: String,
    begun: Instant,
    sends: u32,
    checks: u32,
    approved: bool,
}

impl Verification {
    fn is_good(&self) -> bool {
        !self.approved && self.begun.elapsed() < GOOD_FOR
    }
}

#[derive(Debug, Default)]
struct Books {
    verifications: BTreeMap<String, Verification>,
    /// By number and entry: how often it was asked about.
    asked: BTreeMap<(String, String), u32>,
    /// The entries that were right.
    approved: Vec<(String, String)>,
    mails: BTreeMap<EffectId, u32>,
    look_ups: u64,
}

/// They.
#[derive(Debug, Default)]
pub(crate) struct Others(Mutex<Books>);

impl Others {
    /// Whether the provider has said that one of these entries is the code that it sent to this number; and
    /// which.
    pub(crate) fn approved(&self, to: &str, entries: &[String]) -> Option<String> {
        let books = self.0.lock().unwrap();
        let right = |(number, entry): &&(String, String)| number == to && entries.contains(entry);
        books.approved.iter().rev().find(right).map(|(_, entry)| entry.clone())
    }

    /// How often the provider was asked about each entry.
    pub(crate) fn asked(&self) -> BTreeMap<(String, String), u32> {
        self.0.lock().unwrap().asked.clone()
    }

    pub(crate) fn has_mail(&self, effect: EffectId) -> bool {
        self.0.lock().unwrap().mails.contains_key(&effect)
    }

    pub(crate) fn mails(&self) -> u64 {
        self.0.lock().unwrap().mails.len() as u64
    }

    pub(crate) fn look_ups(&self) -> u64 {
        self.0.lock().unwrap().look_ups
    }

    /// Begins a verification, or sends the code of the one under way again; `None`: it was sent too often.
    fn begin(&self, world: &World, to: &str) -> Option<String> {
        let mut books = self.0.lock().unwrap();
        let fresh = || Verification {
            code: world.dice.digits(6),
            begun: Instant::now(),
            sends: 0,
            checks: 0,
            approved: false,
        };
        let one = books.verifications.entry(to.to_owned()).or_insert_with(fresh);
        if !one.is_good() {
            *one = fresh();
        }
        one.sends += 1;
        (one.sends <= SENDS_MAX).then(|| one.code.clone())
    }

    fn check(&self, to: &str, entry: &str) -> Verdict {
        let mut books = self.0.lock().unwrap();
        let (to, entry) = (to.to_owned(), entry.to_owned());
        *books.asked.entry((to.clone(), entry.clone())).or_default() += 1;
        let Some(one) = books.verifications.get_mut(&to).filter(|one| one.is_good()) else {
            return Verdict::Expired;
        };
        one.checks += 1;
        if one.checks > CHECKS_MAX {
            return Verdict::Exhausted;
        }
        if one.code != entry {
            return Verdict::Wrong;
        }
        one.approved = true;
        books.approved.push((to, entry));
        Verdict::Right
    }
}

#[async_trait]
impl Verifications for Line {
    async fn begin(&self, reference: Reference, begin: &BeginVerification) -> Delivery {
        let world = self.world();
        let to = begin.to.as_e164();
        let mut spent = false;
        let take = || {
            let Some(code) = world.others.begin(world, to) else {
                spent = true;
                world.telco.refuse(reference.effect);
                return None;
            };
            let text = format!("Your code is {code}");
            world.telco.take_message(world, reference, to, text, Author::Provider);
            Some(Sid("VE1".into()))
        };
        let done = self.ask(take, || world.telco.refuse(reference.effect)).await;
        match done {
            Delivery::Refused { .. } if spent => Delivery::Refused { code: Some(SENDS_SPENT) },
            done => done,
        }
    }

    async fn check(&self, to: Option<&PhoneNumber>, entry: &Secret, until: Instant) -> Verdict {
        let others = &self.world().others;
        let (fate, due) = (self.fate(), until.min(Instant::now() + CHECK));
        self.0.pass(self.world().dice.ms(20, 200)).await;
        let said = match (fate, to) {
            (Fate::Done, Some(to)) => others.check(to.as_e164(), entry.expose()),
            (Fate::Done, None) => Verdict::Wrong,
            (Fate::DoneUnheard, Some(to)) => {
                others.check(to.as_e164(), entry.expose());
                Verdict::Unanswered
            }
            _ => Verdict::Unanswered,
        };
        if let (true, Some(to)) = (self.0.has(Plant::ChecksTwice), to) {
            others.check(to.as_e164(), entry.expose());
        }
        self.0.pass(due.saturating_duration_since(Instant::now())).await;
        said
    }

    async fn wait(&self, until: Instant) {
        let due = until.min(Instant::now() + CHECK);
        self.0.pass(due.saturating_duration_since(Instant::now())).await;
    }
}

#[async_trait]
impl Numbers for Line {
    async fn look_up(&self, about: About<'_>, until: Instant) -> Option<Told> {
        let world = self.world();
        world.others.0.lock().unwrap().look_ups += 1;
        self.0.pass(world.dice.ms(50, 300)).await;
        if world.fails(150) {
            self.0.pass(until.saturating_duration_since(Instant::now())).await;
            return None;
        }
        let number = match about {
            About::OnFile(phone, _) => &phone.number,
            About::Caller(number, _) => number,
            About::Nobody(_) => return Some(Told::default()),
        };
        let customer = world.customers.iter().find(|it| it.phone == number.as_e164());
        let is_mobile = customer.is_none_or(|it| it.is_mobile);
        let swapped = customer.is_some_and(|it| it.swapped) && !self.0.has(Plant::LooksUpNothing);
        let ago = SignedDuration::from_hours(if swapped { 24 } else { 24 * 400 });
        Some(Told {
            line: Word::Says(Some(if is_mobile { Kind::Mobile } else { Kind::Landline })),
            swap: Word::Says(Swap::At(world.now() - ago)),
            reassigned: Word::Says(false),
            forwarded: Word::Says(false),
        })
    }
}

#[async_trait]
impl Mail for Line {
    async fn send_email(&self, reference: Reference, _email: &Email) -> Delivery {
        let world = self.world();
        let take = || {
            let mut books = world.others.0.lock().unwrap();
            *books.mails.entry(reference.effect).or_default() += 1;
            Some(Sid("mail".into()))
        };
        self.ask(take, || world.telco.refuse(reference.effect)).await
    }
}
