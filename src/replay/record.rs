//! From a journal to a transcript: what the caller and the world did, with the secrets replaced.
//!
//! A journal contains no PIN and no code, only the verdicts: if an entry was right, the transcript's account has
//! a secret that is right; if it was wrong, another one of the same length is keyed. Numbers, ids and account
//! data are replaced by others of the same shape; speech is kept if it is a phrase of the flow.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use jiff::Timestamp;
use serde_json::Value as Json;
use toml_edit::Value as Toml;

use super::journal::Ran;
use super::substitute::{self, Substitutes, accounts_of};
use super::transcript::{CHECKS, DIALS, FATES, Fate, QUEUES, ROLES, WEB_LEVELS, word_of};
use super::written::{self, of, quoted};
use crate::config::write_policy;
use crate::engine::account::{Account, Claim, Line};
use crate::engine::call::{Call, Role};
use crate::engine::effect::Effect;
use crate::engine::eligibility::Fit;
use crate::engine::event::{AnsweredBy, Event, Heard, LegStatus};
use crate::engine::id::{EffectId, LegId};
use crate::engine::policy::Policy;
use crate::engine::question::{Answer, Verdict};
use crate::engine::{gathered, spoken};
use crate::exchange::service_code::WebLevel;
use crate::flow::FlowSet;
use crate::flow::name::VariableName;
use crate::flow::state::Kind;
use crate::flow::states::gather::{Gather, What};
use crate::flow::value::Value;

/// Speech that means nothing to any flow.
const SOMETHING: &str = "something else";
/// Speech that is too short for a passcode.
const COUGH: &str = "hm";

/// Writes the transcript of a call, without what must come back.
pub fn transcript(flows: &FlowSet, policy: &Policy, journal: &[Ran<'_>]) -> String {
    let entries: Vec<_> = journal.iter().map(|ran| ran.entry.clone()).collect();
    let mut recording = Recording {
        flows,
        substitutes: Substitutes::new(flows, &entries),
        begun: entries.first().map(|entry| entry.moment.now).unwrap_or_default(),
        waited_s: 0,
        turns: Vec::new(),
        accounts: BTreeMap::new(),
        caused: BTreeMap::new(),
    };
    for ran in journal {
        recording.take(ran);
    }
    recording.write(policy, journal)
}

/// A turn of the transcript.
#[derive(Debug)]
struct Written {
    input: String,
    on: Option<Role>,
    refused: Option<&'static str>,
    backend: Vec<Option<Json>>,
    lookup: Vec<Fit>,
    verify: Option<Verdict>,
}

impl Written {
    fn new(input: String, on: Option<Role>) -> Self {
        Self { input, on, refused: None, backend: Vec::new(), lookup: Vec::new(), verify: None }
    }
}

/// An account, and the secrets that stand for its own.
#[derive(Debug)]
struct Customer {
    account: Account,
    pin: Option<String>,
    passcode: Option<String>,
}

struct Recording<'f> {
    flows: &'f FlowSet,
    substitutes: Substitutes,
    begun: Timestamp,
    waited_s: i64,
    turns: Vec<Written>,
    accounts: BTreeMap<String, Customer>,
    /// The turn that caused an effect.
    caused: BTreeMap<EffectId, usize>,
}

impl Recording<'_> {
    fn take(&mut self, ran: &Ran<'_>) {
        for account in accounts_of(ran.entry) {
            let id = account.id.expose().to_owned();
            let customer = || Customer { account: account.clone(), pin: None, passcode: None };
            self.accounts.entry(id).or_insert_with(customer);
        }
        let late = matches!(ran.entry.event, Event::Deadline);
        self.wait_until(ran.entry.moment.now, late);
        match &ran.entry.event {
            Event::Ring(_) => self.push("ring = true"),
            Event::Heard { leg, heard, .. } => self.heard(ran, *leg, heard),
            Event::LegStatus { leg, status, .. } => self.status(ran, *leg, *status),
            Event::NotPlaced { effect, .. } => self.refuse(*effect, "place_call"),
            Event::Undelivered { .. } => self.push("message_status = \"undelivered\""),
            Event::StepUp { level, .. } => self.push(&of("step_up", level.as_str())),
            Event::Placed { .. } | Event::Delivered { .. } | Event::Deadline => {}
        }
        self.looked_up(ran);
        let last = self.turns.len().saturating_sub(1);
        for (effect, body) in &ran.turn.effects {
            if matches!(body, Effect::PlaceCall(_)) {
                self.caused.insert(*effect, last);
            }
        }
    }

    /// What back ends answered in a turn, with other values of the same kind, and the results for numbers that
    /// were looked up.
    fn looked_up(&mut self, ran: &Ran<'_>) {
        let answers = ran.entry.answers.iter().filter_map(|answer| match answer {
            Answer::LookedUp(found) => Some(found),
            _ => None,
        });
        let fits = ran.entry.answers.iter().flat_map(|answer| match answer {
            Answer::Eligible(fit) => std::slice::from_ref(fit),
            Answer::EligibleOf(fits) => fits.as_slice(),
            _ => &[],
        });
        let Some(turn) = self.turns.last_mut() else { return };
        turn.lookup.extend(fits);
        turn.verify = ran.verdict().filter(|said| CHECKS.iter().any(|(_, known)| known == said));
        for found in answers {
            let other = |(name, value): (&VariableName, &Value)| {
                let value = match self.substitutes.variable(name.as_str(), value) {
                    Value::Flag(flag) => Json::from(flag),
                    Value::Number(number) => Json::from(number),
                    Value::Text(text) => Json::from(text),
                };
                (name.to_string(), value)
            };
            turn.backend.push(found.as_ref().map(|found| found.iter().map(other).collect()));
        }
    }

    /// Lets as much time pass as passed: in whole seconds, and up to a deadline that came.
    fn wait_until(&mut self, now: Timestamp, late: bool) {
        let passed_ms = now.duration_since(self.begun).as_millis();
        let passed_ms = i64::try_from(passed_ms).unwrap_or_default();
        let passed_s = passed_ms.div_euclid(1_000) + i64::from(late);
        let wait_s = passed_s - self.waited_s;
        if wait_s > 0 {
            self.waited_s = passed_s;
            self.push(&format!("wait = \"{wait_s}s\""));
        }
    }

    fn push(&mut self, input: &str) {
        self.turns.push(Written::new(input.to_owned(), None));
    }

    fn push_on(&mut self, input: String, on: Option<Role>) {
        self.turns.push(Written::new(input, on));
    }

    fn refuse(&mut self, effect: EffectId, what: &'static str) {
        let turn = self.caused.get(&effect).and_then(|index| self.turns.get_mut(*index));
        if let Some(turn) = turn {
            turn.refused = Some(what);
        }
    }

    fn status(&mut self, ran: &Ran<'_>, leg: LegId, status: LegStatus) {
        match ran.role(leg) {
            Some(Role::Callback) => {
                let word = word_of(&FATES, &Fate::Status(status));
                self.push(&format!("callback = \"{word}\""));
            }
            Some(role) if status.is_final() => self.hang_up(role),
            _ => {}
        }
    }

    fn hang_up(&mut self, role: Role) {
        let on = (role != Role::Inbound).then_some(role);
        self.push_on("hangup = true".to_owned(), on);
    }

    fn heard(&mut self, ran: &Ran<'_>, leg: LegId, heard: &Heard) {
        let (Some(call), Some(role)) = (&ran.before, ran.role(leg)) else { return };
        let speaking = leg == call.speaking;
        if heard.over && speaking {
            return self.hang_up(role);
        }
        let fresh = call.leg(leg).is_some_and(|leg| leg.spent.is_none());
        match role {
            Role::Callback if fresh && !speaking => {
                let by = heard.answered_by.unwrap_or(AnsweredBy::Unknown);
                let word = word_of(&FATES, &Fate::Answered(by));
                self.push(&format!("callback = \"{word}\""));
            }
            Role::Callback if !speaking && !heard.digits.is_empty() => {
                self.callback_code(ran, heard);
            }
            Role::Whisper if fresh => {}
            Role::Whisper => {
                let word = match heard.digits.expose() {
                    "" => "silence",
                    "1" => "accept",
                    _ => "decline",
                };
                self.push(&format!("whisper = \"{word}\""));
            }
            _ => {
                let input = ended(heard).unwrap_or_else(|| self.entry(ran, call, leg, heard));
                self.push_on(input, (!speaking).then_some(role));
            }
        }
    }

    fn callback_code(&mut self, ran: &Ran<'_>, heard: &Heard) {
        match ran.verdict() {
            Some(Verdict::Right | Verdict::RightByOneFactor) => {
                self.push("callback_code = \"said\"");
            }
            Some(_) => self.push("callback_code = \"wrong\""),
            None => {
                let keys = shape(heard.digits.expose());
                self.push_on(format!("digits = \"{keys}\""), Some(Role::Callback));
            }
        }
    }

    /// What was keyed or said to the state that waits.
    fn entry(&mut self, ran: &Ran<'_>, call: &Call, leg: LegId, heard: &Heard) -> String {
        let (keys, said) = (heard.digits.expose(), heard.speech.expose());
        let present =
            call.leg(leg).map(|leg| super::telephone::Doing::after(&leg.present, leg.role));
        match present {
            Some(super::telephone::Doing::Records(_)) => {
                return format!("recorded = {}", heard.recorded);
            }
            Some(super::telephone::Doing::Waits(..)) => return "poll = true".to_owned(),
            _ => {}
        }
        if keys.is_empty() && said.trim().is_empty() {
            return "silence = true".to_owned();
        }
        if keys == "*" {
            return "digits = \"*\"".to_owned();
        }
        let flow = self.flows.get(call.at.flow.as_str());
        let kind = flow.and_then(|flow| flow.state(&call.at.state)).map(|state| &state.kind);
        match kind {
            Some(Kind::Menu(menu)) if !keys.is_empty() => {
                let known = menu.keys.keys().any(|key| keys.chars().eq([*key]));
                let other = ('0'..='9').find(|key| !menu.keys.contains_key(key)).unwrap_or('#');
                if known {
                    of("digits", keys)
                } else {
                    of("digits", &other.to_string().repeat(keys.len()))
                }
            }
            Some(Kind::Menu(menu)) => {
                let phrases = menu.phrases.keys().filter(|phrase| spoken::contains(said, phrase));
                of(
                    "speech",
                    phrases.max_by_key(|phrase| phrase.chars().count()).map_or(SOMETHING, |it| it),
                )
            }
            Some(Kind::Identify(_)) => self.claim(ran, keys),
            Some(Kind::GatherPin(_)) => self.secret(ran, call, heard, |customer| &mut customer.pin),
            Some(Kind::GatherPasscode(_)) => {
                self.secret(ran, call, heard, |customer| &mut customer.passcode)
            }
            Some(Kind::GatherOtp(_)) => one_time(ran, call, keys),
            Some(Kind::GatherServiceCode(_)) => from_the_web(ran, keys),
            Some(Kind::Gather(gather)) => {
                // By now the variable may be another's, or gone, with a sub-flow that was entered or left.
                let value = gathered(gather, heard, &call.locale);
                self.taken(gather, value.as_ref(), keys, said)
            }
            _ if keys.is_empty() => of("speech", SOMETHING),
            _ => of("digits", &shape(keys)),
        }
    }

    /// An account number.
    fn claim(&mut self, ran: &Ran<'_>, keys: &str) -> String {
        let claimed = match &ran.turn.call.claim {
            Claim::Account(id) | Claim::Decoy(id) => Some(id.expose().to_owned()),
            Claim::None => None,
        };
        let id = claimed.map(|id| self.substitutes.id(&id));
        match (id, keys.is_empty()) {
            (Some(id), false) => of("digits", &id),
            (Some(id), true) => of("speech", &id),
            (None, false) => of("digits", &shape(keys)),
            (None, true) => of("speech", SOMETHING),
        }
    }

    /// A PIN or a passcode: right, wrong, or no entry at all.
    fn secret(
        &mut self,
        ran: &Ran<'_>,
        call: &Call,
        heard: &Heard,
        on_file: fn(&mut Customer) -> &mut Option<String>,
    ) -> String {
        let (keys, said) = (heard.digits.expose(), heard.speech.expose());
        let listens =
            call.leg(call.speaking).and_then(|leg| {
                match &super::telephone::Doing::after(&leg.present, leg.role) {
                    super::telephone::Doing::Listens(gather) => gather.digits,
                    _ => None,
                }
            });
        let words = keys.is_empty() && !said.is_empty() && listens.is_none();
        let key = if keys.is_empty() { "speech" } else { "digits" };
        let length = match listens.and_then(|digits| usize::try_from(digits).ok()) {
            Some(length) if keys.is_empty() => length,
            _ => keys.len(),
        };
        let (right, wrong) = if words {
            (substitute::PASSCODE.to_owned(), substitute::OTHER_PASSCODE.to_owned())
        } else {
            (substitute::digits(length), substitute::other_digits(length))
        };
        match ran.verdict() {
            Some(Verdict::Right | Verdict::RightByOneFactor) => {
                let Claim::Account(id) = &call.claim else { return of(key, &right) };
                let Some(customer) = self.accounts.get_mut(id.expose()) else {
                    return of(key, &right);
                };
                // What was right before is right again; a word that is keyed later is not known by its digits.
                let known = on_file(customer).get_or_insert_with(|| right.clone());
                of(key, if keys.is_empty() { known } else { &right })
            }
            Some(_) => of(key, &wrong),
            // The call had had its entries, and this one was not looked at.
            None if words && !ran.turn.unusable => of(key, &wrong),
            None if words => of(key, COUGH),
            None if keys.is_empty() => of(key, SOMETHING),
            None => of(key, &shape(keys)),
        }
    }

    /// What went into a variable: unchanged if a condition tests it, otherwise of the same kind. `value`: what it
    /// became; `None`: it was not accepted, and neither is its replacement.
    fn taken(&self, gather: &Gather, value: Option<&Value>, keys: &str, said: &str) -> String {
        let tested = self.substitutes.tests(gather.variable.as_str());
        let kept = (tested || matches!(gather.what, What::Amount { .. }))
            && !self.substitutes.is_live(keys)
            && !self.substitutes.is_live(said);
        match (&gather.what, value) {
            _ if kept && keys.is_empty() => of("speech", said),
            _ if kept => of("digits", &on_keys(keys)),
            (What::Digits(_), Some(Value::Text(digits))) if keys.is_empty() => {
                of("speech", &substitute::digits(digits.len()))
            }
            _ if keys.is_empty() => of("speech", SOMETHING),
            (What::Date(format), Some(_)) => of("digits", a_date(*format)),
            (What::Date(_), None) => of("digits", &shape(keys)),
            _ => of("digits", &substitute::like(&on_keys(keys))),
        }
    }

    fn write(mut self, policy: &Policy, journal: &[Ran<'_>]) -> String {
        let mut text =
            "# Recorded from a live call: its secrets, numbers and account data are replaced.\n\n"
                .to_owned();
        let Some(Event::Ring(ring)) = journal.first().map(|ran| &ran.entry.event) else {
            return text;
        };
        let _ = writeln!(text, "flow = {}", quoted(&ring.flow));
        let second = jiff::SignedDuration::from_nanos(i64::from(self.begun.subsec_nanosecond()));
        let clock = self.begun.checked_sub(second).unwrap_or(self.begun);
        let _ = writeln!(text, "clock = \"{clock}\"");
        if let Some(from) = &ring.from {
            let _ = writeln!(text, "from = \"{}\"", self.substitutes.phone(from));
        }
        if let Some(line) = crate::phone::PhoneNumber::parse(&ring.line) {
            let _ = writeln!(text, "to = \"{}\"", self.substitutes.phone(&line));
        }
        text.push_str(&written::told(ring.attestation, ring.forwarded, &ring.signals));
        if journal.last().is_some_and(|ran| ran.turn.call.end.is_none()) {
            text.push_str("open = true\n");
        }
        if policy.otp.by_provider {
            text.push_str("otp = \"verify\"\n");
        }
        if *policy != Policy::default() {
            text.push_str(&write_policy(policy));
        }
        for customer in std::mem::take(&mut self.accounts).into_values() {
            self.write_account(&customer, &mut text);
        }
        for Written { input, on, refused, backend, lookup, verify } in &self.turns {
            let _ = writeln!(text, "\n[[turn]]\n{input}");
            if let Some(role) = on {
                let _ = writeln!(text, "on = \"{}\"", word_of(&ROLES, role));
            }
            if let Some(what) = refused {
                let _ = writeln!(text, "refused = \"{what}\"");
            }
            text.push_str(&written::answers(backend));
            text.push_str(&written::fits(lookup));
            text.push_str(&written::check(*verify));
        }
        text
    }

    fn write_account(&mut self, customer: &Customer, text: &mut String) {
        let Customer { account, pin, passcode } = customer;
        let id = self.substitutes.id(account.id.expose());
        let _ = writeln!(text, "\n[[accounts]]\nid = \"{id}\"");
        if let Some(locale) = &account.locale {
            let _ = writeln!(text, "locale = \"{locale}\"");
        }
        let any_pin = substitute::digits(6);
        let _ = writeln!(text, "pin = \"{}\"", pin.as_ref().unwrap_or(&any_pin));
        if let Some(email) = &account.email {
            let since = email.since;
            let _ =
                writeln!(text, "email = {{ address = \"{id}@example.com\", since = \"{since}\" }}");
        }
        if let Some(passcode) = passcode {
            let _ = writeln!(text, "passcode = \"{passcode}\"");
        }
        let phones: Vec<_> = account
            .phones
            .iter()
            .map(|phone| {
                let number = self.substitutes.phone(&phone.number);
                let line = word_of(&Line::ALL, &phone.line);
                format!(
                    "{{ number = \"{number}\", line = \"{line}\", since = \"{}\" }}",
                    phone.since
                )
            })
            .collect();
        if !phones.is_empty() {
            let _ = writeln!(text, "phones = [{}]", phones.join(", "));
        }
        let fields: Vec<_> = account
            .fields
            .iter()
            .map(|(name, value)| {
                let value = match self.substitutes.field(name, value) {
                    Value::Flag(flag) => Toml::from(flag),
                    Value::Number(number) => Toml::from(number),
                    Value::Text(text) => Toml::from(text),
                };
                format!("{name} = {}", value.to_string().trim())
            })
            .collect();
        if !fields.is_empty() {
            let _ = writeln!(text, "fields = {{ {} }}", fields.join(", "));
        }
    }
}

/// How a dial or a queue ended.
fn ended(heard: &Heard) -> Option<String> {
    if let Some(dial) = &heard.dial {
        return Some(format!("dial = \"{}\"", word_of(&DIALS, dial)));
    }
    heard.queue.as_ref().map(|queue| format!("queue = \"{}\"", word_of(&QUEUES, queue)))
}

/// A code of a message. A caller with a decoy got none, and whatever they key is wrong.
fn one_time(ran: &Ran<'_>, call: &Call, keys: &str) -> String {
    let decoy = call.code.as_ref().is_none_or(|code| code.effect.is_none());
    let fits =
        call.code.as_ref().is_some_and(|code| usize::try_from(code.digits) == Ok(keys.len()));
    match ran.verdict() {
        Some(Verdict::Right | Verdict::RightByOneFactor) => of("otp", "last"),
        _ if fits && !decoy => of("otp", "wrong"),
        _ if keys.bytes().all(|key| key.is_ascii_digit()) => {
            of("digits", &substitute::digits(keys.len()))
        }
        _ => of("digits", &shape(keys)),
    }
}

/// A code from the web: if it was right, one from a session of the same level; nothing but the verdict is known
/// of it.
fn from_the_web(ran: &Ran<'_>, keys: &str) -> String {
    match ran.verdict() {
        Some(Verdict::Right) => of("service_code", word_of(&WEB_LEVELS, &WebLevel::Aal2)),
        Some(Verdict::RightByOneFactor) => {
            of("service_code", word_of(&WEB_LEVELS, &WebLevel::Aal1))
        }
        _ => of("digits", &shape(keys)),
    }
}

fn a_date(format: crate::flow::states::gather::DateFormat) -> &'static str {
    use crate::flow::states::gather::DateFormat;
    match format {
        DateFormat::Mmddyyyy => "01152026",
        DateFormat::Ddmmyyyy => "15012026",
        DateFormat::Yyyymmdd => "20260115",
    }
}

/// Keys of which only the shape matters: as many, with `*` and `#` in their places.
fn shape(keys: &str) -> String {
    on_keys(keys).chars().map(|key| if key.is_ascii_digit() { '0' } else { key }).collect()
}

/// Keys as a telephone has them: others, such as the `A` to `D` of some, fit nowhere, and a `#` does not either.
fn on_keys(keys: &str) -> String {
    keys.chars().map(|key| if key.is_ascii_digit() || key == '*' { key } else { '#' }).collect()
}
