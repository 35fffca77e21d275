//! Who knows the truth: what was really keyed, sent and rung, and by whom. It looks at every turn,
//! every answer and every effect, and says what must not be.

mod answers;
mod ends;

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Mutex;
use std::time::Duration;

use callgate::engine::account::Claim;
use callgate::engine::call::{Call, Phase, Role};
use callgate::engine::effect::{BeginVerification, Effect, Sms};
use callgate::engine::event::Event;
use callgate::engine::id::{CallId, EffectId, Nonce, Sid, TurnId};
use callgate::engine::question::Verdict;
use callgate::engine::turn::Entry;
use callgate::flow::level::Fact;
use callgate::store::{Due, DueWhat};
use jiff::Timestamp;

use super::world::World;

pub(crate) use answers::Answered;

/// Whose telephone it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Who {
    Customer(usize),
    Attacker,
}

/// A turn that was taken.
pub(crate) struct Committed {
    pub(crate) call: Call,
    pub(crate) entry: Entry,
    pub(crate) effects: Vec<(EffectId, Effect)>,
    pub(crate) settled: Vec<EffectId>,
    pub(crate) expected: Option<TurnId>,
}

/// What happened in a run, in numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) turns: u64,
    pub(crate) answers: u64,
    pub(crate) apologies: u64,
    pub(crate) facts: u64,
    pub(crate) attempts: u64,
    pub(crate) effects: u64,
    pub(crate) sent_again: u64,
    pub(crate) rung_again: u64,
    pub(crate) looked_for: u64,
    pub(crate) notices: u64,
    pub(crate) mails: u64,
    pub(crate) verifications: u64,
    pub(crate) look_ups: u64,
    pub(crate) fail_overs: u64,
    pub(crate) writes_lost: u64,
    pub(crate) crashes: u64,
}

impl Tally {
    /// All parts by name.
    pub(crate) fn parts(&self) -> [(&'static str, u64); 14] {
        [
            ("turns", self.turns),
            ("answers", self.answers),
            ("apologies", self.apologies),
            ("facts", self.facts),
            ("attempts", self.attempts),
            ("effects", self.effects),
            ("messages looked for", self.looked_for),
            ("notices", self.notices),
            ("mails", self.mails),
            ("codes by the provider", self.verifications),
            ("numbers looked up", self.look_ups),
            ("fail-overs", self.fail_overs),
            ("writes lost", self.writes_lost),
            ("crashes", self.crashes),
        ]
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.turns += other.turns;
        self.answers += other.answers;
        self.apologies += other.apologies;
        self.facts += other.facts;
        self.attempts += other.attempts;
        self.effects += other.effects;
        self.sent_again += other.sent_again;
        self.rung_again += other.rung_again;
        self.looked_for += other.looked_for;
        self.notices += other.notices;
        self.mails += other.mails;
        self.verifications += other.verifications;
        self.look_ups += other.look_ups;
        self.fail_overs += other.fail_overs;
        self.writes_lost += other.writes_lost;
        self.crashes += other.crashes;
    }
}

/// What a turn left behind.
#[derive(Clone, Default)]
struct Left {
    facts: Vec<Fact>,
    state: String,
}

/// An answer that a nonce bought.
struct Bought {
    document: String,
    /// How often what is true was disturbed until then.
    disturbed: u64,
}

#[derive(Default)]
struct Books {
    violations: Vec<String>,
    trace: VecDeque<String>,
    hasher: DefaultHasher,
    tally: Tally,
    owners: HashMap<Sid, Who>,
    keyed: HashMap<Nonce, Vec<String>>,
    told: HashMap<CallId, HashSet<String>>,
    heads: HashMap<CallId, TurnId>,
    left: HashMap<(CallId, TurnId), Left>,
    used: HashMap<(CallId, String), Nonce>,
    /// By account and factor: when, and whether it was right.
    attempts: BTreeMap<(String, Fact), Vec<(Timestamp, bool)>>,
    /// By account: the last entry that was wrong.
    tried: HashMap<String, (CallId, Timestamp)>,
    ended: HashSet<CallId>,
    effects: BTreeMap<EffectId, (CallId, Effect, Timestamp)>,
    settled: HashSet<EffectId>,
    claims: HashMap<EffectId, u32>,
    /// Until when whoever claimed an effect last has it.
    leased: HashMap<EffectId, Timestamp>,
    bought: HashMap<Nonce, Bought>,
    disturbed: HashMap<CallId, u64>,
    storms: u64,
}

/// The oracle.
#[derive(Default)]
pub(crate) struct Oracle(Mutex<Books>);

impl std::fmt::Debug for Oracle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Oracle")
    }
}

/// A call that has tried an entry is the only one that may for longer than this.
const ALONE_S: i64 = 30;
/// After so many the outbox keeps what it gives up on for an operator.
const NOTICE_TRIES: u32 = 6;
/// Lines of a run that are shown when it fails.
const SHOWN: usize = 40;

impl Books {
    fn violated(&mut self, what: String) {
        self.note(format!("VIOLATED: {what}"));
        self.violations.push(what);
    }

    /// The story is told up to what must not be, and not what comes of it.
    fn note(&mut self, line: String) {
        line.hash(&mut self.hasher);
        if !self.violations.is_empty() {
            return;
        }
        if self.trace.len() == SHOWN {
            self.trace.pop_front();
        }
        self.trace.push_back(line);
    }

    fn disturbances(&self, call: CallId) -> u64 {
        self.storms + self.disturbed.get(&call).copied().unwrap_or_default()
    }

    fn owner(&self, call: &Call) -> Who {
        let sid = call.legs[0].sid.clone().unwrap();
        self.owners.get(&sid).copied().unwrap_or(Who::Attacker)
    }
}

impl Oracle {
    pub(crate) fn violated(&self, what: String) {
        self.0.lock().unwrap().violated(what);
    }

    pub(crate) fn violations(&self) -> Vec<String> {
        self.0.lock().unwrap().violations.clone()
    }

    /// A line of the run's story.
    pub(crate) fn note(&self, line: String) {
        self.0.lock().unwrap().note(line);
    }

    /// The story's end, and a hash of all of it.
    pub(crate) fn trace(&self) -> (Vec<String>, u64) {
        let books = self.0.lock().unwrap();
        (books.trace.iter().cloned().collect(), books.hasher.finish())
    }

    pub(crate) fn tally(&self) -> Tally {
        self.0.lock().unwrap().tally.clone()
    }

    pub(crate) fn crashed(&self) {
        self.0.lock().unwrap().tally.crashes += 1;
    }

    /// A telephone is somebody's.
    pub(crate) fn owned(&self, sid: &Sid, who: Who) {
        self.0.lock().unwrap().owners.insert(sid.clone(), who);
    }

    /// Something is about to be sent with a nonce.
    pub(crate) fn keyed(&self, nonce: Nonce, digits: &str) {
        self.0.lock().unwrap().keyed.entry(nonce).or_default().push(digits.to_owned());
    }

    /// A code was spoken to a caller.
    pub(crate) fn told(&self, call: CallId, code: &str) {
        self.0.lock().unwrap().told.entry(call).or_default().insert(code.to_owned());
    }

    /// Somebody saw an older copy of a call.
    pub(crate) fn disturb(&self, call: CallId) {
        *self.0.lock().unwrap().disturbed.entry(call).or_default() += 1;
    }

    pub(crate) fn calls(&self) -> Vec<CallId> {
        let mut calls: Vec<_> = self.0.lock().unwrap().heads.keys().copied().collect();
        calls.sort_unstable();
        calls
    }

    pub(crate) fn failed_over(&self, lost: usize, heads: Vec<(CallId, Option<TurnId>)>) {
        let mut books = self.0.lock().unwrap();
        books.note(format!("a fail-over forgets {lost} writes"));
        books.storms += 1;
        books.leased.clear();
        books.tally.fail_overs += 1;
        books.tally.writes_lost += lost as u64;
        for (call, head) in heads {
            match head {
                Some(head) => books.heads.insert(call, head),
                None => books.heads.remove(&call),
            };
        }
    }

    /// Somebody has claimed these until then.
    pub(crate) fn claimed(&self, due: &[Due], now: Timestamp, until: Timestamp) {
        let mut books = self.0.lock().unwrap();
        for due in due {
            if let DueWhat::Effect { id, .. } = due.what {
                *books.claims.entry(id).or_default() += 1;
                let before = books.leased.insert(id, until);
                if before.is_some_and(|before| now < before) {
                    books.violated(format!("{}: two have an effect in hand at once", due.call));
                }
            }
        }
    }

    /// Whoever had claimed an effect has given it back.
    pub(crate) fn given_back(&self, effect: EffectId) {
        self.0.lock().unwrap().leased.remove(&effect);
    }

    /// Looks at a turn.
    pub(crate) fn committed(&self, world: &World, turn: Committed) {
        let mut books = self.0.lock().unwrap();
        let Committed { call, entry, effects, settled, expected } = turn;
        let (id, at) = (call.id, world.now());
        books.note(format!(
            "{at} {id} turn {} {} -> {}.{} proved {:?} end {:?}",
            call.turns,
            entry.event.name(),
            call.at.flow,
            call.at.state,
            entry.proved,
            call.end
        ));
        books.tally.turns += 1;
        if books.heads.get(&id).copied() != expected {
            books.violated(format!("{id}: a turn was taken over another history"));
        }
        books.heads.insert(id, call.turn);
        let before = expected.and_then(|turn| books.left.get(&(id, turn)));
        let Left { facts: known, state } = before.cloned().unwrap_or_default();
        let facts: Vec<Fact> = call.facts.0.keys().copied().collect();
        for fact in facts.iter().filter(|fact| !known.contains(fact)) {
            if !entry.proved.contains(fact) {
                books.violated(format!("{id}: {fact} came from nowhere"));
            }
        }
        let owner = books.owner(&call);
        if owner == Who::Attacker && !facts.is_empty() {
            books.violated(format!("{id}: no proof of an attacker's is one: {facts:?}"));
        }
        for fact in &entry.proved {
            books.tally.facts += 1;
            if let Err(why) = books.is_proved(world, &call, &entry, *fact, owner) {
                books.violated(format!("{id}: there is no proof of {fact}: {why}"));
            }
        }
        books.count_attempts(&call, &entry, &state, at);
        if call.end.is_some() {
            books.ended.insert(id);
        }
        for id in &settled {
            let by = matches!(
                entry.event,
                Event::Undelivered { .. } | Event::Placed { .. } | Event::NotPlaced { .. }
            );
            if !by {
                books.violated(format!("{id}: an effect was settled by something else"));
            }
            books.settled.insert(*id);
        }
        for (effect, what) in effects {
            books.tally.effects += 1;
            books.is_for_its_owner(world, &call, &what);
            books.effects.insert(effect, (id, what, at));
        }
        let state = call.at.state.to_string();
        books.left.insert((id, call.turn), Left { facts, state });
    }

    /// Looks at an effect that was let go of.
    pub(crate) fn settled(&self, world: &World, call: Option<&Call>, effect: EffectId) {
        let mut books = self.0.lock().unwrap();
        books.settled.insert(effect);
        let Some((id, what, _)) = books.effects.get(&effect) else { return };
        let over = call.is_none_or(|call| call.end.is_some());
        let (id, telco) = (*id, &world.telco);
        let claims = books.claims.get(&effect).copied().unwrap_or_default();
        let well = match what {
            Effect::SendSms(Sms { code_until: Some(until), .. })
            | Effect::BeginVerification(BeginVerification { code_until: until, .. }) => {
                let wanted = call
                    .and_then(|call| call.code.as_ref())
                    .is_some_and(|code| code.effect == Some(effect) && world.now() < *until);
                over || !wanted || telco.knows_message(effect)
            }
            // A notice is for somebody who is not on the line: it is tried to the last.
            Effect::SendSms(_) => telco.knows_message(effect) || claims >= NOTICE_TRIES,
            Effect::SendEmail(_) => {
                let known = world.others.has_mail(effect) || telco.knows_message(effect);
                known || claims >= NOTICE_TRIES
            }
            Effect::PlaceCall(place) => {
                let leg = call.and_then(|call| call.leg(place.leg));
                let known = leg.is_some_and(|leg| leg.sid.is_some());
                let rings = call.and_then(|call| call.ringing.as_ref()).is_some_and(|ringing| {
                    ringing.leg == Some(place.leg) && ringing.phase == Phase::Ringing
                });
                over || known || !rings
            }
            Effect::RedirectLeg { leg, sid, .. } => {
                // Nobody is to be taken who is gone, or has been there since.
                let leg = call.and_then(|call| call.leg(*leg));
                let there = leg.is_none_or(|leg| !leg.is_to_be_taken());
                there || telco.was_redirected(sid) || claims > 1
            }
            Effect::EndLeg { sid, .. } => telco.was_ended(sid),
            Effect::ClearAttempts { .. } | Effect::CloseAudit(_) => true,
        };
        if !well {
            let name = what.name();
            books.violated(format!("{id}: {name} was let go of and never done: it was lost"));
        }
    }
}

impl Books {
    /// Whether a fact is proved by what was really keyed.
    fn is_proved(
        &mut self,
        world: &World,
        call: &Call,
        entry: &Entry,
        fact: Fact,
        owner: Who,
    ) -> Result<(), String> {
        let Event::Heard { leg, nonce, .. } = &entry.event else {
            return Err(format!("nothing was keyed: {}", entry.event.name()));
        };
        let Claim::Account(account) = &call.claim else { return Err("nobody is claimed".into()) };
        let customer = world.customers.iter().position(|it| it.id == account.expose());
        let customer = customer.ok_or("there is no such customer")?;
        if owner != Who::Customer(customer) {
            return Err(format!("it is {owner:?} who calls, for customer {customer}"));
        }
        let of = &world.customers[customer];
        let keyed = self.keyed.get(nonce).cloned().unwrap_or_default();
        match fact {
            Fact::Pin => {
                let right = keyed.contains(&of.pin);
                right.then_some(()).ok_or_else(|| "the PIN was not keyed".into())
            }
            Fact::SmsOtp if world.codes_by_provider => {
                let code = world.others.approved(&of.phone, &keyed);
                let code = code.ok_or("the provider has approved nothing that was keyed")?;
                self.is_first_use(call.id, code, *nonce)
            }
            Fact::SmsOtp => {
                let sent = world.telco.messages();
                let sent = sent.values().find(|message| {
                    message.call == call.id
                        && message.to == of.phone
                        && keyed.contains(&message.code)
                        && message.taken.elapsed() <= Duration::from_secs(615)
                });
                let code = sent.ok_or("no code was sent that was keyed")?.code.clone();
                self.is_first_use(call.id, code, *nonce)
            }
            Fact::Callback => {
                let told = self.told.get(&call.id).cloned().unwrap_or_default();
                let code = keyed.iter().find(|keyed| told.contains(*keyed));
                let code = code.ok_or("no code was told that was keyed")?.clone();
                let placed = world.telco.placed(call.id, *leg);
                let to_them = placed.iter().any(|placed| placed.to == of.phone);
                if call.leg(*leg).is_none_or(|leg| leg.role != Role::Callback) || !to_them {
                    return Err("it was not keyed at the number on file".into());
                }
                self.is_first_use(call.id, code, *nonce)
            }
            other => Err(format!("nobody can prove {other} here")),
        }
    }

    /// Codes, notices and rings go to what is on file of whoever is claimed, and codes and rings to nothing of
    /// which networks say that it may be in other hands.
    fn is_for_its_owner(&mut self, world: &World, call: &Call, what: &Effect) {
        let (to, may_go_to_others) = match what {
            Effect::SendSms(sms) => (sms.to.as_e164().to_owned(), sms.code_until.is_none()),
            Effect::BeginVerification(begin) => {
                self.tally.verifications += 1;
                (begin.to.as_e164().to_owned(), false)
            }
            Effect::PlaceCall(place) => (place.to.as_e164().to_owned(), false),
            Effect::SendEmail(mail) => (mail.to.expose().to_owned(), mail.code_until.is_none()),
            _ => return,
        };
        self.tally.notices += u64::from(may_go_to_others);
        let id = call.id;
        let Claim::Account(account) = &call.claim else {
            return self.violated(format!("{id}: {} for nobody", what.name()));
        };
        let of = world.customers.iter().find(|it| it.id == account.expose()).unwrap();
        if to != of.phone && to != format!("{}@example.com", of.id) {
            self.violated(format!("{id}: {} goes to what is not on file", what.name()));
        }
        if of.swapped && !may_go_to_others {
            let name = what.name();
            self.violated(format!("{id}: {name} goes to a number that may be somebody else's"));
        }
    }

    /// A code is accepted once; a store that forgot it may accept the same entry again.
    fn is_first_use(&mut self, call: CallId, code: String, nonce: Nonce) -> Result<(), String> {
        let first = *self.used.entry((call, code)).or_insert(nonce);
        if first == nonce || self.tally.fail_overs > 0 {
            return Ok(());
        }
        Err("the code was accepted before".into())
    }

    fn count_attempts(&mut self, call: &Call, entry: &Entry, state: &str, at: Timestamp) {
        let Claim::Account(account) = &call.claim else { return };
        let callback = matches!(&entry.event, Event::Heard { leg, .. }
            if call.leg(*leg).is_some_and(|leg| leg.role == Role::Callback && leg.id != call.speaking));
        let factor = match state {
            _ if callback => Fact::Callback,
            "pin" => Fact::Pin,
            _ => Fact::SmsOtp,
        };
        for answer in &entry.answers {
            let right = match answer.verdict() {
                Some(Verdict::Right | Verdict::RightByOneFactor) => true,
                Some(Verdict::Wrong) => false,
                _ => continue,
            };
            self.tally.attempts += 1;
            let account = account.expose().to_owned();
            self.attempts.entry((account.clone(), factor)).or_default().push((at, right));
            if right {
                self.tried.remove(&account);
            } else {
                self.is_alone(call.id, &account, at);
            }
        }
    }

    /// One call at a time tries to prove an account; a store that forgot one may let in another.
    fn is_alone(&mut self, call: CallId, account: &str, at: Timestamp) {
        let before = self.tried.insert(account.to_owned(), (call, at));
        let other = before.filter(|(other, since)| {
            let lately = at.as_second() - since.as_second() < ALONE_S;
            *other != call && lately && !self.ended.contains(other)
        });
        if let (Some((other, _)), 0) = (other, self.tally.fail_overs) {
            self.violated(format!("{call}: an entry for {account} while {other} is at it"));
        }
    }
}
