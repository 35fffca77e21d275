//! The engine with a world around it that is a plain value: what may happen next is a list of moves, so
//! that a call can be walked at random, or every call looked at.
//!
//! Entries say by their first digit what becomes of them: 7 is right, 8 is right by one factor, 9 finds
//! the account locked, anything else is wrong; of codes that the provider makes 4 has run out, 3 is one entry
//! too many, and 2 is not answered. Account numbers that begin with 1 are customers'.

use std::collections::BTreeSet;
use std::sync::Arc;

use callgate::engine::account::{Account, Email, Line, Phone};
use callgate::engine::call::{Call, Phase, Role};
use callgate::engine::effect::Effect;
use callgate::engine::eligibility::Fit;
use callgate::engine::event::{AnsweredBy, DialStatus, Event, Heard, LegStatus, QueueResult, Ring};
use callgate::engine::id::{CallId, LegId, Sid, TurnId};
use callgate::engine::ledger::Notifies;
use callgate::engine::policy::Policy;
use callgate::engine::question::{Against, Answer, LookUp, Question, Verdict, Verify};
use callgate::engine::risk::Signal;
use callgate::engine::turn::{Entry, Moment, Step};
use callgate::engine::{Setting, step};
use callgate::flow::FlowSet;
use callgate::flow::condition::{Attestation, Condition};
use callgate::flow::name::{LevelName, VariableName};
use callgate::flow::state::Kind;
use callgate::flow::states::lookup::Type;
use callgate::flow::value::Value;
use callgate::phone::PhoneNumber;
use callgate::replay::default_clock;
use callgate::replay::telephone::Doing;
use callgate::secret::Secret;
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::watch::{Change, Earned, Kept, another, out, proved, told};

pub(super) const MOBILE: &str = "+15005550010";
/// A number that is nobody's on file.
pub(super) const STRANGERS: &str = "+15005550099";
/// What codes that are sent hash to.
const CODE: &str = "the code";
/// What another customer keys in.
const NEIGHBOURS: &str = "34567890";

/// What stays the same while calls are made.
pub(super) struct World {
    pub(super) flows: FlowSet,
    pub(super) start: String,
    policy: Policy,
    account: Account,
    /// Whether it has no customer.
    empty: bool,
    /// Whether somebody looks at all that goes out, and there is another customer.
    watched: bool,
    /// What is something else in this house.
    other: Option<(Kept, Change)>,
}

/// A call and the time.
#[derive(Clone)]
pub(super) struct Scene {
    pub(super) call: Call,
    pub(super) now: Timestamp,
}

/// What the world is like while a move is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mood {
    Well,
    /// There is no contact on file, and back ends do not answer.
    Bare,
    /// There is no mobile on file, and little money.
    LandlineAlone,
    /// No message and no ring is to be had.
    Spent,
    /// Too many accounts were claimed.
    OutOfReach,
    /// Too much went to the block of numbers of whoever has one.
    BlockSpent,
}

pub(super) const MOODS: [Mood; 6] =
    [Mood::Well, Mood::Bare, Mood::LandlineAlone, Mood::Spent, Mood::OutOfReach, Mood::BlockSpent];

/// Who rings.
#[derive(Clone, Debug)]
pub(super) struct Rings {
    /// The number shown.
    pub(super) from: Option<&'static str>,
    pub(super) attestation: Attestation,
    pub(super) signals: &'static [Signal],
}

/// Something that happens.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Move {
    Keys(String),
    Says(String),
    Silence,
    /// Time passes, so many seconds.
    Wait(i64),
    Undelivered,
    Dial(DialStatus),
    Whisper(&'static str),
    Queue(QueueResult),
    Recorded(bool),
    /// The waiting leg asks again.
    Poll,
    Answered(AnsweredBy),
    CallbackKeys(&'static str),
    Status(Role, LegStatus),
    NotPlaced,
    /// The specialist asks for this level.
    StepUp(LevelName),
}

/// What came of a move.
pub(super) struct Came {
    pub(super) scene: Scene,
    pub(super) entry: Entry,
    /// The call as it was before.
    pub(super) before: Option<Call>,
    /// Whether the world's mood was asked about.
    pub(super) moody: bool,
    /// All that went out, where somebody looks: to telephones and the provider, to the outbox, to back ends.
    pub(super) out: [String; 3],
    /// What was proved of whoever is claimed.
    pub(super) earned: Vec<Earned>,
}

impl World {
    pub(super) fn new(flows: &FlowSet, start: &str) -> Self {
        let since = "2024-01-01".parse().unwrap();
        let phone =
            |number, line| Phone { number: PhoneNumber::parse(number).unwrap(), line, since };
        let value = |field: &str| {
            let number = field.contains("balance") || field.contains("sum");
            let date = field.contains("visit") || field.contains("payment");
            serde_json::from_value(if number {
                serde_json::json!(12.5)
            } else if date {
                serde_json::json!("2026-12-03")
            } else if field == "vip" {
                serde_json::json!(true)
            } else {
                serde_json::json!("Ada")
            })
            .unwrap()
        };
        let disclosed = flows.iter().flat_map(|flow| flow.disclose.keys());
        let fields = disclosed.map(|field| (field.to_string(), value(field.as_str()))).collect();
        let account = Account {
            email: Some(Email { address: Secret::new("ada@example.com"), since }),
            id: Secret::new("12345678"),
            locale: None,
            phones: vec![phone(MOBILE, Line::Mobile), phone("+15005550011", Line::Landline)],
            fields,
        };
        let mut policy = Policy::default();
        policy.pin.per_call = u8::MAX;
        policy.shared.identifications_per_call = u8::MAX;
        policy.shared.input_errors_per_call = u8::MAX;
        policy.otp.checks = u8::MAX;
        policy.otp.resend_backoff_s = vec![0];
        let (flows, start) = (flows.clone(), start.to_owned());
        Self { flows, start, policy, account, empty: false, watched: false, other: None }
    }

    /// The same, where somebody looks at all that goes out, and one thing may be something else.
    pub(super) fn watched(mut self, other: Option<(Kept, Change)>) -> Self {
        (self.watched, self.other) = (true, other);
        self
    }

    /// The same, with codes in messages that the provider makes.
    pub(super) fn by_provider(mut self) -> Self {
        self.policy.otp.by_provider = true;
        self
    }

    /// The same, without a customer.
    pub(super) fn empty(mut self) -> Self {
        self.empty = true;
        self
    }

    fn account(&self, mood: Mood) -> Answer {
        let mut account = self.account.clone();
        match mood {
            Mood::Bare => {
                account.phones.clear();
                account.email = None;
            }
            Mood::LandlineAlone => {
                account.phones.retain(|phone| phone.line == Line::Landline);
                account.fields.entry("balance".into()).and_modify(|sum| *sum = Value::Number(1.0));
            }
            Mood::Well | Mood::Spent | Mood::OutOfReach | Mood::BlockSpent => {}
        }
        if let Some((Kept::Field(field), change)) = &self.other {
            match change {
                Change::Other => {
                    account.fields.entry(field.clone()).and_modify(|value| *value = another(value));
                }
                Change::Absent => drop(account.fields.remove(field)),
            }
        }
        Answer::Account(Some(Arc::new(account)))
    }

    /// A customer who is the same in every house.
    fn neighbour(&self) -> Answer {
        let mut account = self.account.clone();
        account.id = Secret::new(NEIGHBOURS);
        for phone in &mut account.phones {
            let number = phone.number.as_e164().replace("+1500555001", "+1500555003");
            phone.number = PhoneNumber::parse(&number).unwrap();
        }
        account.fields.values_mut().for_each(|value| *value = another(&another(value)));
        Answer::Account(Some(Arc::new(account)))
    }

    /// What a back end answers.
    fn looked_up(&self, asked: &LookUp) -> Answer {
        let of_neighbour = asked.account.as_ref().is_some_and(|id| id.expose() == NEIGHBOURS);
        let value = |name: &VariableName, of: &Type| {
            let value = match of {
                Type::Text => Value::Text("x".into()),
                Type::Number => Value::Number(5.0),
                Type::Flag => Value::Flag(true),
                Type::Date => Value::Text("2026-12-03".into()),
            };
            match &self.other {
                Some((Kept::Answer(path, of), _))
                    if *path == asked.path && *of == name.as_str() && !of_neighbour =>
                {
                    another(&value)
                }
                _ => value,
            }
        };
        let wants = asked.wants.iter();
        Answer::LookedUp(Some(wants.map(|(name, of)| (name.clone(), value(name, of))).collect()))
    }

    fn answer(&self, question: &Question, mood: Mood) -> Answer {
        match question {
            Question::FindByPhone(_) | Question::FindById(_) if self.empty => Answer::Account(None),
            // Of nobody a back end knows nothing.
            Question::LookUp(asked) if self.empty && asked.account.is_some() => {
                Answer::LookedUp(None)
            }
            Question::FindByPhone(number) if number.as_e164() == MOBILE => self.account(mood),
            Question::FindByPhone(_) => Answer::Account(None),
            Question::FindById(id) if id.expose().starts_with('1') => self.account(mood),
            Question::FindById(id) if self.watched && id.expose() == NEIGHBOURS => self.neighbour(),
            Question::FindById(_) => Answer::Account(None),
            Question::Verify(Verify { against: Against::Code(hash), .. }) if hash != CODE => {
                Answer::Verdict(Verdict::Wrong)
            }
            Question::Verify(verify) => {
                let by_provider = match &verify.against {
                    Against::Verification(to) => Some(to.is_some()),
                    _ => None,
                };
                Answer::Verdict(match verify.entry.expose().chars().next() {
                    Some('7') if by_provider != Some(false) => Verdict::Right,
                    Some('4') if by_provider == Some(true) => Verdict::Expired,
                    Some('3') if by_provider == Some(true) => Verdict::Exhausted,
                    Some('2') if by_provider.is_some() => Verdict::Unanswered,
                    Some('8') => Verdict::RightByOneFactor,
                    Some('9') => Verdict::Locked,
                    _ => Verdict::Wrong,
                })
            }
            Question::FreshCode { digits, .. } => {
                Answer::Code { code: Secret::new("7".repeat(*digits as usize)), hash: CODE.into() }
            }
            Question::Spend { to: Some(_), .. } if mood == Mood::BlockSpent => Answer::BlockSpent,
            Question::Spend { .. } => Answer::Spent(mood != Mood::Spent),
            Question::Notify(_) if mood == Mood::Spent => Answer::Notifies(Notifies::NoneLeft),
            Question::Notify(_) => Answer::Notifies(Notifies::Yes),
            Question::Reach { .. } => Answer::Spent(mood != Mood::OutOfReach),
            Question::Eligible { .. } => Answer::Eligible(Fit::Fits),
            Question::LookUp(_) if mood == Mood::Bare => Answer::LookedUp(None),
            Question::LookUp(asked) => self.looked_up(asked),
            Question::Vouch(_) => Answer::Voucher(Secret::new("voucher")),
        }
    }

    fn run(&self, call: Option<&Call>, event: &Event, now: Timestamp, mood: Mood) -> Option<Came> {
        let turns = call.map_or(0, |call| call.turns);
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&turns.to_be_bytes());
        let moment = Moment { now, turn: TurnId(Uuid::from_u128(u128::from(turns) + 1)), seed };
        let setting = Setting {
            flows: &self.flows,
            edition: "this",
            policy: &self.policy,
            fallback_number: None,
            unenforced: None,
        };
        let (mut answers, mut moody) = (Vec::new(), false);
        let (mut asked, mut earned) = (String::new(), Vec::new());
        loop {
            match step(setting, call, event, &moment, &answers)? {
                Step::Ask(question) => {
                    moody |= matches!(
                        *question,
                        Question::Spend { .. }
                            | Question::FindById(_)
                            | Question::LookUp(_)
                            | Question::Reach { .. }
                    );
                    let answer = self.answer(&question, mood);
                    earned.extend(proved(&question, &answer, now));
                    if self.watched {
                        asked += &told(&question);
                    }
                    answers.push(answer);
                }
                Step::Turn(turn) => {
                    let out = if self.watched { out(&turn, asked) } else { Default::default() };
                    let mut scene = Scene { call: turn.call, now };
                    let placed = turn.effects.iter().find_map(|(id, effect)| match effect {
                        Effect::PlaceCall(place) => Some((*id, place.leg)),
                        _ => None,
                    });
                    if let Some((effect, leg)) = placed {
                        let event = Event::Placed { effect, leg, sid: sid(leg) };
                        if let Some(came) = self.run(Some(&scene.call), &event, now, mood) {
                            scene = came.scene;
                        }
                    }
                    let before = call.cloned();
                    return Some(Came { scene, entry: turn.entry, before, moody, out, earned });
                }
            }
        }
    }

    fn conditions(&self) -> impl Iterator<Item = &Condition> {
        let states = self.flows.iter().flat_map(|flow| flow.states.values());
        states.flat_map(|state| match &state.kind {
            Kind::Branch(branch) => branch.cases.iter().flat_map(|case| case.when.walk()).collect(),
            _ => Vec::new(),
        })
    }

    /// Whether anything depends on what the network says of a number.
    pub(super) fn asks_attestation(&self) -> bool {
        self.conditions().any(|condition| matches!(condition, Condition::Attestation(_)))
    }

    /// Whether anything depends on the number shown.
    pub(super) fn asks_caller_id(&self) -> bool {
        let mut states = self.flows.iter().flat_map(|flow| flow.states.values());
        states.any(|state| match &state.kind {
            Kind::Identify(identify) => identify.caller_id,
            kind => matches!(kind, Kind::Callback(_)),
        })
    }

    /// For how many seconds a proof is fresh, the least first.
    pub(super) fn fresh_s(&self) -> BTreeSet<i64> {
        let levels = self.flows.iter().flat_map(|flow| flow.levels.values());
        let within = levels.filter_map(|level| level.within);
        within.map(|within| i64::try_from(within.as_secs()).unwrap()).collect()
    }

    /// Whether anything depends on the call's risk.
    pub(super) fn asks_risk(&self) -> bool {
        let asks = |it: &Condition| matches!(it, Condition::Risk(_) | Condition::RiskAtLeast(_));
        let mut levels = self.flows.iter().flat_map(|flow| flow.levels.values());
        levels.any(|level| !level.at_risk.is_empty()) || self.conditions().any(asks)
    }

    /// Everybody who may ring, as far as that makes a difference.
    pub(super) fn rings(&self) -> Vec<Rings> {
        let attestations = [Attestation::None, Attestation::A];
        let attestations = &attestations[..=usize::from(self.asks_attestation())];
        let numbers = [Some(STRANGERS), Some(MOBILE), None];
        let numbers = if self.asks_caller_id() { &numbers[..] } else { &numbers[..1] };
        let signals: [&[Signal]; 3] = [&[], &[Signal::ManyCalls], &[Signal::ManyAccounts]];
        let signals = if self.asks_risk() { &signals[..] } else { &signals[..1] };
        let mut rings = Vec::new();
        for from in numbers {
            for attestation in attestations {
                let ring = |signals| Rings { from: *from, attestation: *attestation, signals };
                rings.extend(signals.iter().map(|signals| ring(*signals)));
            }
        }
        rings
    }

    /// Somebody rings.
    pub(super) fn ring(&self, rings: &Rings, mood: Mood) -> Came {
        let sid = sid(LegId::INBOUND);
        let ring = Ring {
            signals: rings.signals.iter().copied().collect(),
            call: CallId::of("AC", &sid),
            sid,
            flow: self.start.clone(),
            line: "+15005550006".into(),
            from: rings.from.and_then(PhoneNumber::parse),
            attestation: rings.attestation,
            forwarded: false,
        };
        self.run(None, &Event::Ring(ring), default_clock(), mood).unwrap()
    }

    /// Makes a move; `None`: it means nothing to the call.
    pub(super) fn go(&self, scene: &Scene, made: &Move, mood: Mood) -> Option<Came> {
        let call = &scene.call;
        let heard = |leg: LegId, heard: Heard| {
            let of = call.leg(leg)?;
            let sid = of.sid.clone().unwrap_or_else(|| sid(leg));
            Some(Event::Heard { leg, nonce: of.expected, sid, heard: Box::new(heard) })
        };
        let keys = |keys: &str| Heard { digits: Secret::new(keys), ..Heard::default() };
        let speaking = call.speaking;
        let callback = call.legs.iter().rfind(|leg| leg.role == Role::Callback).map(|leg| leg.id);
        let event = match made {
            Move::Wait(seconds) => {
                let now = scene.now + SignedDuration::from_secs(*seconds);
                let event = Event::Deadline;
                let due = call.ringing.as_ref().is_some_and(|ringing| match ringing.phase {
                    Phase::HangUpFirst | Phase::Ringing => now >= ringing.ring_until,
                    _ => now >= ringing.expires,
                });
                if due {
                    return self.run(Some(call), &event, now, mood);
                }
                return Some(Came {
                    scene: Scene { call: call.clone(), now },
                    entry: nothing(now),
                    before: None,
                    moody: false,
                    out: Default::default(),
                    earned: Vec::new(),
                });
            }
            Move::Keys(entry) => heard(speaking, keys(entry))?,
            Move::Says(said) => {
                heard(speaking, Heard { speech: Secret::new(said.as_str()), ..Heard::default() })?
            }
            Move::Silence | Move::Poll => heard(speaking, Heard::default())?,
            Move::Dial(status) => {
                heard(speaking, Heard { dial: Some(*status), ..Heard::default() })?
            }
            Move::Queue(result) => {
                heard(speaking, Heard { queue: Some(*result), ..Heard::default() })?
            }
            Move::Recorded(recorded) => {
                heard(speaking, Heard { recorded: *recorded, ..Heard::default() })?
            }
            Move::Whisper(key) => {
                let leg = call.legs.iter().rfind(|leg| leg.role == Role::Whisper)?.id;
                heard(leg, keys(key))?
            }
            Move::Undelivered => Event::Undelivered { effect: call.code.as_ref()?.effect? },
            Move::Answered(by) => {
                heard(callback?, Heard { answered_by: Some(*by), ..Heard::default() })?
            }
            Move::CallbackKeys(entry) => heard(callback?, keys(entry))?,
            Move::Status(Role::Callback, status) => {
                Event::LegStatus { leg: callback?, sid: sid(callback?), status: *status }
            }
            Move::Status(_, status) => {
                let sid = call.leg(speaking)?.sid.clone()?;
                Event::LegStatus { leg: speaking, sid, status: *status }
            }
            Move::NotPlaced => {
                let leg = call.leg(callback?)?;
                Event::NotPlaced { effect: leg.effect?, leg: leg.id }
            }
            Move::StepUp(level) => Event::StepUp { level: level.clone(), by: "desk".into() },
        };
        self.run(Some(call), &event, scene.now, mood)
    }

    /// What may happen next.
    pub(super) fn moves(&self, scene: &Scene) -> Vec<Move> {
        let call = &scene.call;
        if call.end.is_some() {
            return Vec::new();
        }
        let state =
            self.flows.get(call.at.flow.as_str()).and_then(|flow| flow.state(&call.at.state));
        let Some(state) = state else { return Vec::new() };
        let Some(leg) = call.leg(call.speaking) else { return Vec::new() };
        let mut moves = Vec::new();
        match Doing::after(&leg.present, leg.role) {
            Doing::Listens(gather) => {
                listening(&state.kind, gather.digits, &mut moves);
                let whom = matches!(state.kind, Kind::Identify(_)).then_some(NEIGHBOURS);
                moves.extend(whom.filter(|_| self.watched).map(|id| Move::Keys(id.into())));
                if self.policy.otp.by_provider && matches!(state.kind, Kind::GatherOtp(_)) {
                    let length = gather.digits.unwrap_or(6) as usize;
                    moves.extend(["4", "3", "2"].map(|first| Move::Keys(first.repeat(length))));
                }
            }
            Doing::Records(_) => moves.extend([true, false].map(Move::Recorded)),
            Doing::Dials(_) => {
                use DialStatus::{Answered, Busy, Completed, Failed, NoAnswer};
                moves.extend([Completed, Answered, Busy, NoAnswer, Failed].map(Move::Dial));
                moves.extend(["", "1", "2"].map(Move::Whisper));
            }
            Doing::Queues(_) => {
                use QueueResult::{Bridged, Error, Full, Left};
                moves.extend([Bridged, Full, Left, Error].map(Move::Queue));
            }
            Doing::Waits(..) => moves.push(Move::Poll),
            Doing::Over => moves.push(Move::Status(Role::Inbound, LegStatus::Completed)),
            Doing::Rings(_) | Doing::Talks => {}
        }
        if let Some(ringing) = &call.ringing {
            moves.extend([AnsweredBy::Human, AnsweredBy::Machine].map(Move::Answered));
            moves.extend(["777777", "000000", "999999"].map(Move::CallbackKeys));
            moves.extend(
                [LegStatus::NoAnswer, LegStatus::Completed]
                    .map(|s| Move::Status(Role::Callback, s)),
            );
            moves.push(Move::Wait(61));
            if ringing.leg.is_some() {
                moves.extend([Move::Status(Role::Inbound, LegStatus::Completed), Move::NotPlaced]);
            }
        }
        if matches!(state.kind, Kind::GatherOtp(_)) {
            moves.extend([Move::Undelivered, Move::Wait(601)]);
        }
        if state.agent_step_up().is_some() {
            let levels =
                self.flows.get(&self.start).into_iter().flat_map(|flow| flow.levels.keys());
            moves.extend(levels.cloned().map(Move::StepUp));
        }
        moves
    }
}

fn listening(kind: &Kind, digits: Option<u32>, moves: &mut Vec<Move>) {
    let entry = |first: &str, length: usize| Move::Keys(first.repeat(length));
    moves.push(Move::Silence);
    match kind {
        Kind::Menu(menu) => {
            moves.extend(menu.keys.keys().map(|key| Move::Keys(key.to_string())));
            moves.extend(menu.phrases.keys().map(|phrase| Move::Says(phrase.clone())));
            let other = "1234567890".chars().find(|key| !menu.keys.contains_key(key));
            moves.extend(other.map(|key| Move::Keys(key.to_string())));
        }
        Kind::Gather(_) => {
            let length = digits.unwrap_or(3) as usize;
            moves.extend(["1", "9"].map(|first| entry(first, length)));
            // The same day in each order, near enough.
            moves.extend(["12032026", "20261203"].map(|date| Move::Keys(date.into())));
            moves.extend([Move::Keys("**".into()), Move::Says("something".into())]);
        }
        Kind::Identify(identify) => {
            let length = digits.unwrap_or(8) as usize;
            moves.extend(["1", "2"].map(|first| entry(first, length)));
            moves.extend(identify.speech.then(|| Move::Says("1 1 1 1 1 1 1 1".into())));
        }
        _ => {
            let length = digits.unwrap_or(6) as usize;
            let firsts: &[&str] = match kind {
                Kind::GatherOtp(_) => &["7", "0"],
                Kind::GatherServiceCode(_) => &["7", "8", "9", "0"],
                _ => &["7", "9", "0"],
            };
            moves.extend(firsts.iter().map(|first| entry(first, length)));
        }
    }
}

fn sid(leg: LegId) -> Sid {
    Sid(format!("CA{:032x}", leg.0))
}

fn nothing(now: Timestamp) -> Entry {
    Entry {
        audit: Vec::default(),
        number: 0,
        moment: Moment { now, turn: TurnId(Uuid::nil()), seed: [0; 32] },
        event: Event::Deadline,
        answers: Vec::new(),
        hops: Vec::new(),
        proved: Vec::new(),
        effects: Vec::new(),
        end: None,
        remarks: Vec::new(),
    }
}
