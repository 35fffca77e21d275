//! A way as a call that can be played: who calls, what is on file, and what is keyed, turn by turn.

mod claims;

use std::fmt::Write as _;

use jiff::Timestamp;

use claims::Claims;

use super::inputs::{self, Inputs};
use super::known::Code;
use super::pauses::{keyed_s, pauses, rings, rung_s};
use super::spent::{End, Lock, Means, Out, Spent, Whom};
use super::walk::{Arrival, By, Gap, Walks};
use crate::flow::condition::Attestation;
use crate::flow::edge::Label;
use crate::flow::level::Fact;
use crate::flow::name::VariableName;
use crate::flow::outcome::Outcome;
use crate::flow::risk::Risk;
use crate::flow::state::{Kind, Listen, State};
use crate::flow::states::callback::Callback;
use crate::flow::states::gather::{DateFormat, Gather, What};
use crate::flow::states::lookup::Lookup;
use crate::flow::states::menu::Menu;
use crate::flow::states::transfer::{To, Transfer};
use crate::flow::value::Value;
use crate::limits;

/// The mobile on file.
const MOBILE: &str = "+15005550010";
/// The address on file.
const MAIL: &str = "ada@example.com";
/// The one that is rung, where a message and a call must not go to the same.
const LANDLINE: &str = "+15005550011";
/// A telephone on file that gets no code and is not rung.
const KNOWN_CALLER: &str = "+15005550077";
/// A telephone of nobody.
const STRANGER: &str = "+15005550099";
/// What numbers, PINs and codes are cut from.
const ID_DIGITS: &str = "123456789012345678901234567890";
const PIN_DIGITS: &str = "730495246813";
const ID_LENGTH: u32 = 8;
const PIN_LENGTH: u32 = 6;
const PASSCODE: &str = "blue heron";
/// Silences and slips of one call that a policy takes where it says nothing of them.
const INPUT_ERRORS_MAX: u32 = 10;
/// Longer than any code is good for.
const TOO_LONG: &str = "11m";
/// A Monday, ten o'clock in New York.
const BEGINS_S: i64 = 1_795_446_000;

/// A call that shows a gap.
#[derive(Debug, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "seven things that are so or not, each on its own"
)]
pub(super) struct Play {
    inputs: Inputs,
    /// What happens, each as the lines of a turn.
    turns: Vec<String>,
    /// An earlier call, which leaves no message or attempt to this one.
    earlier: Option<Vec<String>>,
    caller_is_known: bool,
    no_sms: bool,
    no_ring: bool,
    /// A code goes by e-mail, so there is an address on file.
    has_mail: bool,
    /// A guard on the way is met by a message to one telephone and a call to another.
    two_telephones: bool,
    /// The code from the web is one of a session with two factors: a guard behind it asks for it.
    strong: bool,
    spent: Spent,
    /// Who is claimed.
    whom: Whom,
    claims: Claims,
    input_errors: u32,
    pin_length: Option<u32>,
    passcode_length: Option<u32>,
    id_lengths: Vec<u32>,
    undelivered: bool,
    /// Seconds that are to pass in the present step.
    left_s: u64,
}

impl Play {
    /// The call of a gap; `None`: no values were found with which its branches go this way, or it takes what it has
    /// used up, or a message and a call must go to two telephones on it and to one in the end.
    pub(super) fn of(walks: &Walks<'_>, gap: &Gap<'_>) -> Option<Self> {
        let way = walks.way(gap.arrival);
        let play = Self::along(walks, &way, &pauses(walks, &way, gap)?)?;
        (!play.two_telephones || !gap.known.meets_by_two_telephones(gap.level)).then_some(play)
    }

    /// The call that goes this way, with so many seconds of silence before each step.
    pub(super) fn along(walks: &Walks<'_>, way: &[&Arrival<'_>], waits: &[u64]) -> Option<Self> {
        let begins = Timestamp::from_second(BEGINS_S).ok()?;
        let inputs = inputs::choose(walks, way, begins, &inputs::fields(walks))?;
        let mut play = Self { inputs, turns: vec!["ring = true".into()], ..Self::default() };
        play.look_ahead(walks, way);
        for (step, (before, after)) in way.iter().zip(way.iter().skip(1)).enumerate() {
            play.left_s = waits.get(step).copied().unwrap_or_default();
            let rings = walks.state(before.place).is_some_and(|(_, state)| rings(state));
            if !rings {
                play.wait(u64::MAX);
            }
            play.strong = walks.shows_two_factors(way.get(step + 1..).unwrap_or_default());
            play.step(walks, step + 1, before, after)?;
        }
        play.spent.holds().then_some(play)
    }

    /// What must be so from the beginning.
    fn look_ahead(&mut self, walks: &Walks<'_>, way: &[&Arrival<'_>]) {
        self.two_telephones = way.iter().any(|arrival| arrival.known.has_two_telephones());
        for arrival in way {
            let Some((_, state)) = walks.state(arrival.place) else { continue };
            match &state.kind {
                Kind::Identify(identify) => {
                    self.claims.all += 1;
                    let length = identify.digits.unwrap_or(ID_LENGTH);
                    if !self.id_lengths.contains(&length) {
                        self.id_lengths.push(length);
                    }
                }
                Kind::GatherPin(pin) => self.pin_length = self.pin_length.or(pin.digits),
                Kind::GatherPasscode(pass) => {
                    self.passcode_length = self.passcode_length.or(pass.digits);
                }
                _ => {}
            }
            if let By::Edge(from, Label::Outcome(Outcome::Found), _) = &arrival.by
                && let Some((_, State { kind: Kind::Identify(identify), .. })) = walks.state(*from)
            {
                self.caller_is_known |= identify.listen.is_none();
            }
        }
    }

    fn turn(&mut self, lines: impl Into<String>) {
        self.turns.push(lines.into());
    }

    /// Waits as long as is left to wait, and so long at most.
    fn wait(&mut self, most_s: u64) {
        let wait_s = self.left_s.min(most_s);
        if wait_s > 0 {
            self.turn(format!("wait = \"{wait_s}s\""));
            self.left_s -= wait_s;
        }
    }

    fn times(&mut self, times: u8, lines: &str) {
        self.turns.extend(std::iter::repeat_n(lines.to_owned(), times.into()));
    }

    fn silent(&mut self, listen: &Listen) {
        self.input_errors += u32::from(listen.tries);
        self.times(listen.tries, "silence = true");
    }

    fn digits(&mut self, digits: &str) {
        self.turn(format!("digits = \"{digits}\""));
    }

    /// The same call until here, hung up: it has used up what this one then lacks.
    fn after_another(&mut self, last: Option<&str>) {
        let mut turns = self.turns.clone();
        turns.extend(last.map(str::to_owned));
        turns.push("hangup = true".into());
        self.earlier = Some(turns);
    }

    fn step(
        &mut self,
        walks: &Walks<'_>,
        number: usize,
        before: &Arrival<'_>,
        after: &Arrival<'_>,
    ) -> Option<()> {
        let By::Edge(from, label, _) = &after.by else { return Some(()) };
        let (_, state) = walks.state(*from)?;
        match (&state.kind, label) {
            (_, Label::Outcome(Outcome::Denied) | Label::StepUp) => {}
            (_, Label::AgentStepUp) => {
                // Of a level that is met the caller hears nothing.
                let mut levels = walks.start.levels.iter();
                let (missing, _) = levels.find(|(_, level)| !before.known.meets(level))?;
                self.turn(format!("step_up = {}", quoted(missing.as_str())));
            }
            (Kind::Menu(menu), label) => self.menu(menu, label),
            (Kind::Gather(gather), Label::Outcome(outcome)) => {
                self.gather(gather, outcome, number)?;
            }
            (Kind::Identify(identify), Label::Outcome(outcome)) => {
                self.identify(identify, outcome)?;
            }
            (Kind::GatherPin(_) | Kind::GatherPasscode(_) | Kind::GatherServiceCode(_), _) => {
                let Label::Outcome(outcome) = label else { return None };
                self.secret(&state.kind, outcome, before.known.doubt, after.known.doubt);
            }
            (Kind::GatherOtp(otp), Label::Outcome(outcome)) => {
                self.otp(&otp.listen, outcome, before.known.code);
            }
            (
                Kind::SendSmsOtp(_) | Kind::SendLink(_) | Kind::SendEmailOtp(_),
                Label::Outcome(outcome),
            ) => self.sends(state, outcome),
            (Kind::Callback(callback), Label::Outcome(outcome)) => {
                let is_rung = before.known.real && !before.known.doubt;
                self.callback(callback, outcome, is_rung);
            }
            (Kind::Transfer(transfer), Label::Outcome(outcome)) => self.transfer(transfer, outcome),
            (Kind::Lookup(lookup), Label::Outcome(outcome)) => {
                self.lookup(lookup, outcome, number);
            }
            (Kind::Voicemail(_), Label::Outcome(outcome)) => {
                self.turn(format!("recorded = {}", *outcome == Outcome::Ok));
            }
            _ => {}
        }
        Some(())
    }

    fn otp(&mut self, listen: &Listen, outcome: &Outcome, sent: Option<Code>) {
        match outcome {
            Outcome::Ok => self.turn("otp = \"last\""),
            Outcome::Expired if sent.is_none() => {}
            Outcome::Expired => {
                self.turn(format!("wait = \"{TOO_LONG}\""));
                self.digits("000000");
            }
            Outcome::Undelivered if self.undelivered => {}
            // In a transcript nobody reports what becomes of a mail.
            Outcome::Undelivered if sent == Some(Code::Of(Fact::EmailOtp)) => self.spent.fail(),
            Outcome::Undelivered => {
                self.undelivered = true;
                self.turn("message_status = \"undelivered\"");
            }
            _ => self.silent(listen),
        }
    }

    fn callback(&mut self, callback: &Callback, outcome: &Outcome, is_rung: bool) {
        match outcome {
            Outcome::Ok => self.answered(callback, "said", 1),
            Outcome::Failed => self.answered(callback, "wrong", callback.tries),
            Outcome::NoAnswer => {
                self.wait(rung_s(callback));
                let ring_s = callback.ring.as_secs() + 1;
                let waits = format!("wait = \"{ring_s}s\"");
                self.turn(if is_rung { "callback = \"no_answer\"".to_owned() } else { waits });
                self.turn("poll = true");
            }
            Outcome::Unavailable => self.no_ring = true,
            _ => {}
        }
        let end = End::of(outcome, false);
        self.goes_out(Out { whom: self.whom, means: Means::Ring, code: false, end });
    }

    /// Something is to go out; it may take an earlier call that has used up what there is.
    fn goes_out(&mut self, out: Out) {
        if self.spent.goes_out(out) {
            self.after_another(None);
        }
    }

    fn lookup(&mut self, lookup: &Lookup, outcome: &Outcome, number: usize) {
        if *outcome != Outcome::Ok {
            return self.answers("\"failed\"");
        }
        let value = |name: &VariableName| {
            let value = self.inputs.looked_up.get(&(number, name.clone()))?;
            Some(format!("{name} = {}", literal(value)))
        };
        let values: Vec<_> = lookup.give.iter().filter_map(|given| value(&given.name)).collect();
        self.answers(&format!("{{ {} }}", values.join(", ")));
    }

    fn sends(&mut self, state: &State, outcome: &Outcome) {
        let by_mail = matches!(state.kind, Kind::SendEmailOtp(_));
        match outcome {
            Outcome::Sent => self.undelivered = false,
            Outcome::Unavailable => self.no_sms |= !by_mail,
            _ => {}
        }
        self.has_mail |= by_mail && *outcome != Outcome::Unavailable;
        // Where there is nowhere to send to and nobody is to hear of it, it counts like one that was sent.
        let end = End::of(outcome, state.hides_contacts());
        let means = if by_mail { Means::Mail } else { Means::Text };
        let code = !matches!(state.kind, Kind::SendLink(_));
        self.goes_out(Out { whom: self.whom, means, code, end });
    }

    /// A back end answers so in the last turn, after what others have answered in it.
    fn answers(&mut self, said: &str) {
        let Some(turn) = self.turns.last_mut() else { return };
        if turn.contains("\nbackend = [") {
            turn.pop();
            turn.push_str(&format!(", {said}]"));
        } else {
            turn.push_str(&format!("\nbackend = [{said}]"));
        }
    }

    fn menu(&mut self, menu: &Menu, label: &Label) {
        match label {
            Label::Key(key) => self.digits(&key.to_string()),
            Label::Phrase(phrase) => self.turn(format!("speech = {}", quoted(phrase))),
            Label::Outcome(Outcome::NoInput) => self.silent(&menu.listen),
            _ if menu.keys.is_empty() => self.times(menu.listen.tries, "speech = \"mumble\""),
            _ => {
                let other = "1234567890".chars().find(|key| !menu.keys.contains_key(key));
                match other {
                    Some(key) => self.times(menu.listen.tries, &format!("digits = \"{key}\"")),
                    None => self.stars(menu.listen.tries),
                }
            }
        }
    }

    /// The star key so often that it counts as no entry.
    fn stars(&mut self, tries: u8) {
        self.times(tries.saturating_add(limits::REPEATS_MAX), "digits = \"*\"");
    }

    fn gather(&mut self, gather: &Gather, outcome: &Outcome, number: usize) -> Option<()> {
        let tries = gather.listen.tries;
        match outcome {
            Outcome::Ok => {
                let value = self.inputs.given.get(&number).cloned()?;
                let lines = match (&gather.what, &value) {
                    (What::Date(format), _) => {
                        let keys = match format {
                            DateFormat::Mmddyyyy => "12312026",
                            DateFormat::Ddmmyyyy => "31122026",
                            DateFormat::Yyyymmdd => "20261231",
                        };
                        format!("digits = \"{keys}\"")
                    }
                    (What::Speech, value) => format!("speech = {}", quoted(&value.words())),
                    (_, value) => format!("digits = \"{}\"", value.words().replace('.', "*")),
                };
                self.turn(lines);
            }
            Outcome::NoInput => self.silent(&gather.listen),
            _ => match &gather.what {
                What::Speech => return None,
                What::Digits(Some(1)) => self.stars(tries),
                _ => self.times(tries, "digits = \"**\""),
            },
        }
        Some(())
    }

    fn secret(&mut self, kind: &Kind, outcome: &Outcome, is_in_doubt: bool, wrong_leads_on: bool) {
        let Some(listen) = kind.listen() else { return };
        let length = |digits: Option<u32>| "1".repeat(digits.unwrap_or(PIN_LENGTH) as usize);
        let (fact, wrong) = match kind {
            Kind::GatherPin(pin) => (Fact::Pin, length(pin.digits)),
            Kind::GatherPasscode(pass) => (Fact::Passcode, length(pass.digits)),
            _ => (Fact::ServiceCode, "000000".into()),
        };
        match outcome {
            Outcome::Ok if wrong_leads_on => {
                self.spent.is_wrong(fact);
                self.digits(&wrong);
            }
            Outcome::Ok => {
                self.spent.is_right(fact);
                self.is_right(kind);
            }
            Outcome::Locked => {
                let wrong = format!("digits = \"{wrong}\"");
                // In doubt whatever is keyed counts for this call alone.
                let whom = if is_in_doubt { Whom::Nobody } else { self.whom };
                if let Lock::Earlier = self.spent.locks(fact, listen.tries, whom) {
                    self.after_another(Some(&wrong));
                }
                self.times(listen.tries, &wrong);
            }
            _ => self.silent(listen),
        }
    }

    fn is_right(&mut self, kind: &Kind) {
        match (kind, self.passcode_length) {
            (Kind::GatherPin(_), _) => {
                self.digits(&cut(PIN_DIGITS, self.pin_length.unwrap_or(PIN_LENGTH)));
            }
            (Kind::GatherPasscode(_), Some(length)) => self.digits(&cut(PIN_DIGITS, length)),
            (Kind::GatherPasscode(_), None) => self.turn(format!("speech = \"{PASSCODE}\"")),
            _ if self.strong => self.turn("service_code = \"aal2\""),
            _ => self.turn("service_code = \"aal1\""),
        }
    }

    fn answered(&mut self, callback: &Callback, code: &str, tries: u8) {
        self.wait(rung_s(callback));
        self.turn("callback = \"answered\"");
        self.wait(keyed_s(callback));
        self.times(tries, &format!("callback_code = \"{code}\""));
        self.turn("poll = true");
    }

    fn transfer(&mut self, transfer: &Transfer, outcome: &Outcome) {
        if matches!(transfer.to, To::Queue(_) | To::Workflow(_)) {
            let left = match outcome {
                Outcome::Completed => "bridged",
                Outcome::Busy => "queue-full",
                Outcome::NoAnswer => "leave",
                _ => "error",
            };
            return self.turn(format!("queue = \"{left}\""));
        }
        match outcome {
            Outcome::Completed if transfer.whisper.is_some() => self.turn("whisper = \"accept\""),
            Outcome::Declined => self.turn("whisper = \"decline\""),
            _ => {}
        }
        let ended = match outcome {
            Outcome::Completed | Outcome::Declined => "completed",
            Outcome::Busy => "busy",
            Outcome::NoAnswer => "no-answer",
            _ => "failed",
        };
        self.turn(format!("dial = \"{ended}\""));
    }

    /// What there is before the turns: who calls, what is on file, and the turns themselves.
    pub(super) fn write(&self, text: &mut String) {
        // Writing into a text cannot fail.
        let _ = self.try_write(text);
    }

    fn try_write(&self, text: &mut String) -> std::fmt::Result {
        if let Some(begins) = self.inputs.begins {
            writeln!(text, "clock = \"{begins}\"")?;
        }
        if let Some(attestation) = self.inputs.attestation {
            let word = match attestation {
                Attestation::A => "A",
                Attestation::B => "B",
                Attestation::C => "C",
                Attestation::Failed => "failed",
                Attestation::Relayed => "relayed",
                Attestation::None => "none",
            };
            writeln!(text, "attestation = \"{word}\"")?;
        }
        match self.inputs.risk {
            Risk::Low => {}
            Risk::Medium => writeln!(text, "signals = [\"many_calls\"]")?,
            Risk::High => writeln!(text, "signals = [\"many_accounts\"]")?,
        }
        let from = if self.caller_is_known { KNOWN_CALLER } else { STRANGER };
        writeln!(text, "from = \"{from}\"\nopen = true")?;
        self.write_policy(text)?;
        let lengths = if self.id_lengths.is_empty() { &[ID_LENGTH][..] } else { &self.id_lengths };
        for (index, length) in lengths.iter().enumerate() {
            self.write_account(text, *length, index == 0)?;
        }
        let calls = self.earlier.iter().chain([&self.turns]);
        for turn in calls.flatten() {
            writeln!(text, "\n[[turn]]\n{turn}")?;
        }
        Ok(())
    }

    fn write_policy(&self, text: &mut String) -> std::fmt::Result {
        let spent = &self.spent;
        let number = |number: Option<u32>| number.map(|number| number.to_string());
        let errors_max = (self.input_errors > INPUT_ERRORS_MAX).then_some(self.input_errors);
        let landline = self.two_telephones || self.no_ring && !self.no_sms;
        // An earlier call that rings somebody is not over when it is hung up.
        let calls = self.earlier.is_some().then_some(2);
        let mut last = "";
        for (section, key, value) in [
            ("otp", "sends_per_10min", number(spent.sends_allowed())),
            ("otp", "resend_backoff_s", spent.backoff_s()),
            ("callback", "per_account_h", number(spent.rings_allowed())),
            ("pin", "per_call", number(spent.entries_max)),
            ("pin", "soft_limit", number(spent.soft_limit)),
            ("shared", "identifications_per_call", number(self.claims.allowed())),
            ("shared", "input_errors_per_call", number(errors_max)),
            ("shared", "parallel_auth_sessions_per_account", number(calls)),
            ("contact", "voice_line_types", landline.then(|| "[\"landline\"]".into())),
        ] {
            let Some(value) = value else { continue };
            if section != last {
                writeln!(text, "\n[policy.{section}]")?;
                last = section;
            }
            writeln!(text, "{key} = {value}")?;
        }
        Ok(())
    }

    fn write_account(&self, text: &mut String, id: u32, is_first: bool) -> std::fmt::Result {
        writeln!(text, "\n[[accounts]]\nid = \"{}\"", cut(ID_DIGITS, id))?;
        writeln!(text, "pin = \"{}\"", cut(PIN_DIGITS, self.pin_length.unwrap_or(PIN_LENGTH)))?;
        let passcode = self.passcode_length.map(|length| cut(PIN_DIGITS, length));
        writeln!(text, "passcode = \"{}\"", passcode.as_deref().unwrap_or(PASSCODE))?;
        let mut phones = Vec::new();
        if !self.no_sms || !self.no_ring {
            let line = if self.no_sms { "landline" } else { "mobile" };
            phones.push((MOBILE, line));
        }
        if self.two_telephones {
            phones.push((LANDLINE, "landline"));
        }
        if is_first {
            phones.push((KNOWN_CALLER, "voip"));
        }
        let phone = |(number, line): &(&str, &str)| {
            format!("{{ number = \"{number}\", line = \"{line}\", since = \"2024-01-01\" }}")
        };
        let phones: Vec<_> = phones.iter().map(phone).collect();
        writeln!(text, "phones = [{}]", phones.join(", "))?;
        if self.has_mail {
            writeln!(text, "email = {{ address = \"{MAIL}\", since = \"2024-01-01\" }}")?;
        }
        let field = |(name, value): (&crate::flow::name::FieldName, &Value)| {
            format!("{name} = {}", literal(value))
        };
        let fields: Vec<_> = self.inputs.fields.iter().map(field).collect();
        if !fields.is_empty() {
            writeln!(text, "fields = {{ {} }}", fields.join(", "))?;
        }
        Ok(())
    }
}

fn cut(digits: &str, length: u32) -> String {
    digits.chars().cycle().take(length as usize).collect()
}

fn said(digits: &str) -> String {
    let word = |digit: char| match digit {
        '1' => "one",
        '2' => "two",
        '3' => "three",
        '4' => "four",
        '5' => "five",
        '6' => "six",
        '7' => "seven",
        '8' => "eight",
        '9' => "nine",
        _ => "zero",
    };
    digits.chars().map(word).collect::<Vec<_>>().join(" ")
}

/// A value as TOML writes it.
fn literal(value: &Value) -> String {
    match value {
        Value::Text(text) => quoted(text),
        Value::Number(number) if number.fract() == 0.0 => format!("{number:.1}"),
        value => value.words(),
    }
}

/// A text as TOML writes it.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => {
                let _ = write!(quoted, "\\u{:04X}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
