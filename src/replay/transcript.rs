//! A transcript as data: what the caller and the world do, turn by turn, and what must come back.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::world::Refusal;
use crate::diagnostic::Place;
use crate::directory::Directory;
use crate::engine::Unenforced;
use crate::engine::call::{End, Role};
use crate::engine::eligibility::Fit;
use crate::engine::event::{AnsweredBy, DialStatus, LegStatus, QueueResult};
use crate::engine::policy::Policy;
use crate::engine::question::Verdict;
use crate::engine::risk::Signal;
use crate::exchange::Served;
use crate::exchange::service_code::WebLevel;
use crate::flow::condition::Attestation;
use crate::flow::level::Fact;
use crate::limits;
use crate::phone::PhoneNumber;

/// A transcript.
#[derive(Debug)]
pub struct Transcript {
    /// The flow that is rung.
    pub flow: String,
    /// The folder of its flows, from its own; `None`: the flows that are replayed against.
    pub flows: Option<String>,
    /// When it begins.
    pub clock: Timestamp,
    /// The seed of its randomness.
    pub seed: u64,
    /// Who calls; `None`: the number is withheld.
    pub from: Option<PhoneNumber>,
    /// The number called.
    pub to: String,
    /// What the network says of the caller's number.
    pub attestation: Attestation,
    /// Whether the call is forwarded.
    pub forwarded: bool,
    /// What was counted or looked up about it.
    pub signals: BTreeSet<Signal>,
    /// Attempts, codes, lockouts.
    pub policy: Policy,
    /// The customers.
    pub directory: Arc<Directory>,
    /// Whether the last call may still go on at the end.
    pub open: bool,
    /// The demand that is let pass unmet; if the call does not reach it, the replay differs.
    pub unenforced: Option<Unenforced>,
    /// What happens, in order.
    pub turns: Vec<Turn>,
}

/// Something that happens, and what must come back.
#[derive(Debug)]
pub struct Turn {
    /// Where it is written.
    pub place: Place,
    /// What happens.
    pub act: Act,
    /// What happens, as it is written.
    pub words: String,
    /// What must come back.
    pub expected: Expected,
}

/// Something that the caller or the world does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Act {
    /// What.
    pub input: Input,
    /// The leg it happens on; `None`: as the input suggests.
    pub on: Option<Role>,
    /// What the carrier refuses when this asks for it.
    pub refused: Option<Refusal>,
    /// What back ends answer meanwhile, in the order in which they are asked; `None`: nothing.
    pub backend: Vec<Option<serde_json::Value>>,
    /// The results for numbers that are looked up meanwhile, in order; nothing speaks against any others.
    pub lookup: Vec<Fit>,
    /// What the provider says of an entry for its own code, other than whether it is right.
    pub verify: Option<Verdict>,
}

impl From<Input> for Act {
    fn from(input: Input) -> Self {
        let (on, refused, verify) = (None, None, None);
        Self { input, on, refused, backend: Vec::new(), lookup: Vec::new(), verify }
    }
}

/// What happens in a turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// Somebody rings: a new call. Another number than the transcript's, if one is given.
    Ring(Option<PhoneNumber>),
    /// Keys.
    Digits(String),
    /// Speech.
    Speech(String),
    /// Nothing is keyed or said.
    Silence,
    /// Time passes.
    Wait(Duration),
    /// A code of a message is keyed.
    Otp(Otp),
    /// The customer claimed gets a code on the web, and keys it.
    ServiceCode(WebLevel),
    /// The code spoken on one leg is keyed on the other.
    CallbackCode(SpokenCode),
    /// What becomes of the call that was placed.
    Callback(Fate),
    /// The waiting leg asks again.
    Poll,
    /// The caller hangs up.
    Hangup,
    /// The last request comes again.
    Retry,
    /// A request comes with an old nonce.
    Stale,
    /// The status of the last message: whether it arrived.
    MessageStatus(bool),
    /// How a dial ended.
    Dial(DialStatus),
    /// What the dialled party does.
    Whisper(Specialist),
    /// How a queue was left.
    Queue(QueueResult),
    /// Whether something was recorded.
    Recorded(bool),
    /// The specialist asks that the caller prove a level.
    StepUp(String),
}

/// Which code is keyed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Otp {
    /// That of the last message.
    Last,
    /// That of the message before it.
    Previous,
    /// One like the last, and wrong.
    Wrong,
}

/// Which code is keyed on the leg that was placed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpokenCode {
    /// The one that was spoken.
    Said,
    /// One like it, and wrong.
    Wrong,
}

/// What becomes of a call that was placed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is answered.
    Answered(AnsweredBy),
    /// Its status changes.
    Status(LegStatus),
}

/// What the dialled party does when it hears its whisper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Specialist {
    /// Takes the call.
    Accept,
    /// Does not.
    Decline,
    /// Says nothing.
    Silence,
}

/// What must come back in a turn. What is absent is not compared, except effects: none may come that is not
/// listed.
#[derive(Debug, Default)]
pub struct Expected {
    /// The state the call is in.
    pub state: Option<String>,
    /// The words that are heard, in order; codes are shown as `<code>`.
    pub says: Option<Vec<String>>,
    /// The documents; nonces are shown as `<nonce>`.
    pub twiml: Option<String>,
    /// What is done in the world.
    pub effects: Vec<String>,
    /// What is proved.
    pub facts: Option<Vec<Fact>>,
    /// The language spoken.
    pub locale: Option<String>,
    /// How the call ended.
    pub end: Option<End>,
    /// What the request was to the call.
    pub answered: Option<Served>,
    /// Where each of these is written.
    pub places: Vec<(&'static str, Place)>,
}

impl Expected {
    /// Where a key is written.
    pub fn place(&self, key: &str) -> Option<&Place> {
        self.places.iter().find(|(known, _)| *known == key).map(|(_, place)| place)
    }
}

/// The shortest time that goes by in a turn.
pub const WAIT_MIN: Duration = Duration::from_millis(1);
/// The longest: a day, after which nothing is left of a call.
pub const WAIT_MAX: Duration = limits::CALL_DURATION_MAX.saturating_mul(6);

/// Roles by their words in a transcript.
pub const ROLES: [(&str, Role); 3] =
    [("inbound", Role::Inbound), ("callback", Role::Callback), ("whisper", Role::Whisper)];

/// Refusals by their words in a transcript.
pub const REFUSALS: [(&str, Refusal); 3] = [
    ("send_sms", Refusal::SendSms),
    ("send_email", Refusal::SendEmail),
    ("place_call", Refusal::PlaceCall),
];

/// What the provider says of entries for its own codes beside right and wrong, by its words.
pub const CHECKS: [(&str, Verdict); 3] = [
    ("expired", Verdict::Expired),
    ("exhausted", Verdict::Exhausted),
    ("unanswered", Verdict::Unanswered),
];

/// Whose codes text messages have, by its words in a transcript: whether they are the provider's.
pub const OTP_BACKENDS: [(&str, bool); 2] = [("own", false), ("verify", true)];

/// Ends by their words in a transcript.
pub const ENDS: [(&str, End); 4] = [
    ("hangup", End::Hangup),
    ("rejected", End::Rejected),
    ("caller_left", End::CallerLeft),
    ("failed", End::Failed),
];

/// What requests may be to a call, by their words in a transcript.
pub const SERVED: [(&str, Served); 4] = [
    ("turn", Served::Turn),
    ("replayed", Served::Replayed),
    ("out_of_step", Served::OutOfStep),
    ("stranger", Served::Stranger),
];

/// Fates of a placed call by their words in a transcript.
pub const FATES: [(&str, Fate); 11] = [
    ("answered", Fate::Answered(AnsweredBy::Human)),
    ("unknown", Fate::Answered(AnsweredBy::Unknown)),
    ("machine", Fate::Answered(AnsweredBy::Machine)),
    ("fax", Fate::Answered(AnsweredBy::Fax)),
    ("ringing", Fate::Status(LegStatus::Ringing)),
    ("busy", Fate::Status(LegStatus::Busy)),
    ("no_answer", Fate::Status(LegStatus::NoAnswer)),
    ("failed", Fate::Status(LegStatus::Failed)),
    ("canceled", Fate::Status(LegStatus::Canceled)),
    ("hung_up", Fate::Status(LegStatus::Completed)),
    ("in_progress", Fate::Status(LegStatus::InProgress)),
];

/// Ends of a dial by the provider's words.
pub const DIALS: [(&str, DialStatus); 6] = [
    ("completed", DialStatus::Completed),
    ("answered", DialStatus::Answered),
    ("busy", DialStatus::Busy),
    ("no-answer", DialStatus::NoAnswer),
    ("failed", DialStatus::Failed),
    ("canceled", DialStatus::Canceled),
];

/// Ways out of a queue by the provider's words.
pub const QUEUES: [(&str, QueueResult); 5] = [
    ("bridged", QueueResult::Bridged),
    ("queue-full", QueueResult::Full),
    ("leave", QueueResult::Left),
    ("error", QueueResult::Error),
    ("hangup", QueueResult::Hangup),
];

/// What a dialled party does, by its word in a transcript.
pub const SPECIALISTS: [(&str, Specialist); 3] = [
    ("accept", Specialist::Accept),
    ("decline", Specialist::Decline),
    ("silence", Specialist::Silence),
];

/// Codes of messages by their words in a transcript.
pub const OTPS: [(&str, Otp); 3] =
    [("last", Otp::Last), ("previous", Otp::Previous), ("wrong", Otp::Wrong)];

/// What a session on the web was worth, by its words in a transcript.
pub const WEB_LEVELS: [(&str, WebLevel); 2] = [("aal1", WebLevel::Aal1), ("aal2", WebLevel::Aal2)];

/// Spoken codes by their words in a transcript.
pub const SPOKEN: [(&str, SpokenCode); 2] =
    [("said", SpokenCode::Said), ("wrong", SpokenCode::Wrong)];

/// Whether a message arrived, by its words in a transcript.
pub const MESSAGES: [(&str, bool); 3] =
    [("delivered", true), ("undelivered", false), ("failed", false)];

/// The word for a value of one of these tables.
pub fn word_of<T: PartialEq>(table: &[(&'static str, T)], value: &T) -> &'static str {
    table.iter().find(|(_, known)| known == value).map_or("", |(word, _)| word)
}
