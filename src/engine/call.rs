//! The durable machine instance: everything that is known of one call.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::account::{Claim, Whom};
use super::audit::{Head, Proving};
use super::id::{CallId, EffectId, LegId, Nonce, Sid, TurnId};
use super::is_default;
use super::reply::Reply;
use super::risk::{self, Caller, Signal};
use crate::flow::level::{Fact, Facts, Proof};
use crate::flow::locale::Locale;
use crate::flow::name::{FlowName, LevelName, StateName, VariableName};
use crate::flow::outcome::Outcome;
use crate::flow::risk::Risk;
use crate::flow::value::Value;
use crate::phone::PhoneNumber;
use crate::secret::Secret;

/// A call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// Its name.
    pub id: CallId,
    /// The version of the flow it began with, by content hash.
    pub edition: String,
    /// The flow it began in: levels and disclosure are that flow's.
    pub flow: FlowName,
    /// The number called.
    pub line: String,
    /// Who takes callers whom the flow cannot serve.
    #[serde(default, skip_serializing_if = "is_default")]
    pub fallback_number: Option<String>,
    /// Who calls, as far as the network says.
    pub caller: Caller,
    /// What was counted or looked up about it when it began.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub signals: BTreeSet<Signal>,
    /// When it began.
    pub started: Timestamp,
    /// Turns so far.
    pub turns: u64,
    /// The last turn. The store keeps it beside the call, so it is not stored with it.
    #[serde(default, skip_serializing)]
    pub turn: TurnId,
    /// The language spoken.
    pub locale: Locale,
    /// Where it stands.
    pub at: Position,
    /// What has happened in the present state.
    #[serde(default, skip_serializing_if = "is_default")]
    pub visit: Visit,
    /// What it comes back to, innermost last.
    #[serde(default, skip_serializing_if = "is_default")]
    pub frames: Vec<Frame>,
    /// What the caller claims to be.
    pub claim: Claim,
    /// How often something was claimed.
    #[serde(default, skip_serializing_if = "is_default")]
    pub claims: u8,
    /// Whether the caller had claimed too many accounts before this one, which is then left alone.
    #[serde(default, skip_serializing_if = "is_default")]
    pub out_of_reach: bool,
    /// How often nothing was given, or nothing usable.
    #[serde(default, skip_serializing_if = "is_default")]
    pub input_errors: u8,
    /// What the caller has proved.
    pub facts: Facts,
    /// The present flow's variables.
    #[serde(default, skip_serializing_if = "is_default")]
    pub variables: BTreeMap<VariableName, Variable>,
    /// The levels of what branches have asked about since the account was claimed.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub asked: BTreeSet<LevelName>,
    /// The code last sent.
    #[serde(default, skip_serializing_if = "is_default")]
    pub code: Option<SentCode>,
    /// The callback under way.
    #[serde(default, skip_serializing_if = "is_default")]
    pub ringing: Option<Ringing>,
    /// The legs, the inbound one first.
    pub legs: Vec<Leg>,
    /// The leg on which the flow goes on.
    pub speaking: LegId,
    /// Codes sent in this call.
    #[serde(default, skip_serializing_if = "is_default")]
    pub sends: u8,
    /// When the last one was.
    #[serde(default, skip_serializing_if = "is_default")]
    pub last_send: Option<Timestamp>,
    /// The latest time that the call has seen: a clock set back makes nothing in it younger.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<Timestamp>,
    /// Wrong entries in this call, by factor.
    #[serde(default, skip_serializing_if = "is_default")]
    pub entries: BTreeMap<Fact, u8>,
    /// How it ended; `None`: it goes on.
    #[serde(default, skip_serializing_if = "is_default")]
    pub end: Option<End>,
    /// What a specialist last asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_step_up: Option<Asked>,
    /// What is proved without the caller's having been told: it counts when the next proof succeeds.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub on_trial: BTreeMap<Fact, Proof>,
    /// Whether an entry was wrong without the caller's having been told: then the next proof fails.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub doubt: bool,
    /// Sensitive states of which the owner was told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub told: Vec<Position>,
    /// The end of its audit's chain; `None`: there is nothing in it yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audit: Option<Head>,
}

/// A state of a flow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// The flow.
    pub flow: FlowName,
    /// The state.
    pub state: StateName,
}

/// What has happened since the present state was entered.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Visit {
    /// Tries used up.
    #[serde(default, skip_serializing_if = "is_default")]
    pub tries: u8,
    /// Prompts repeated at the caller's wish.
    #[serde(default, skip_serializing_if = "is_default")]
    pub repeats: u8,
    /// Whether an attempt was refused.
    #[serde(default, skip_serializing_if = "is_default")]
    pub locked: bool,
    /// Whether a specialist accepted; `None`: not asked yet.
    #[serde(default, skip_serializing_if = "is_default")]
    pub accepted: Option<bool>,
    /// Whether a specialist is being asked.
    #[serde(default, skip_serializing_if = "is_default")]
    pub whispers: bool,
}

/// Something to come back to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Frame {
    /// A state whose level was missing.
    StepUp(Position),
    /// A state that had handed the caller over, whose specialist asked for more.
    Agent(Position),
    /// A state that called a sub-flow, with the variables of its flow.
    Call(Position, BTreeMap<VariableName, Variable>),
}

/// A level that a specialist asked the caller to prove.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// Its name, which is that of the turn in which it was asked.
    pub id: Uuid,
    /// The level.
    pub level: LevelName,
    /// When it was asked, or asked again.
    pub at: Timestamp,
    /// The number of that turn.
    pub turn: u64,
    /// What came of it.
    pub result: Proving,
    /// What was proved when the caller left to prove more, of whoever is claimed now; `None`: they are back, or have
    /// left for somebody else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Facts>,
}

/// A variable's value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Variable {
    /// The value.
    pub value: Value,
    /// Whether it was made from account data, and is dropped with the account.
    pub derived: bool,
    /// The levels that a caller must meet to hear it.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub label: BTreeSet<LevelName>,
}

impl Variable {
    /// A value that anybody may hear.
    pub fn plain(value: Value) -> Self {
        Self { value, derived: false, label: BTreeSet::new() }
    }
}

/// A code that was sent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SentCode {
    /// Its keyed hash; `None`: the provider made it, and checks it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
    /// The number under which the provider keeps its own code; `None`: the code is ours, or nobody's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<PhoneNumber>,
    /// What it proves.
    pub factor: Fact,
    /// Its length.
    pub digits: u32,
    /// The contact it went to.
    pub contact: Option<Secret>,
    /// When it expires.
    pub expires: Timestamp,
    /// Tries it has had.
    pub checks: u8,
    /// The effect that sends it; `None`: a decoy's, which is sent to nobody.
    pub effect: Option<EffectId>,
    /// The state that sent it, for sending another.
    pub sender: Position,
    /// Whether it is known not to have arrived.
    pub undelivered: bool,
    /// The variables of its sender's flow in its message, such as an amount: it is valid for no other values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub named: BTreeMap<VariableName, Value>,
    /// What is left of it, if another code was asked for and none was sent; everything else is as of the other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub older: Option<Older>,
}

/// What is left of a code that no other one has replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Older {
    /// When it expires.
    pub expires: Timestamp,
    /// Tries it has had.
    pub checks: u8,
}

impl SentCode {
    /// Whether an entry may still be right: one that comes too late or once too often is as wrong as any other.
    #[must_use]
    pub fn is_good(&self, now: Timestamp, checks_max: u8) -> bool {
        let left = self.left();
        now <= left.expires && left.checks < checks_max
    }

    fn left(&self) -> Older {
        self.older.unwrap_or(Older { expires: self.expires, checks: self.checks })
    }

    /// Counts one more try.
    pub fn count_check(&mut self) {
        self.checks = self.checks.saturating_add(1);
        if let Some(older) = &mut self.older {
            older.checks = older.checks.saturating_add(1);
        }
    }

    /// This code, of which nothing was sent, in place of `last`: a caller who holds that one gets in with it, and
    /// a caller without one hears the same as for nobody's.
    #[must_use]
    pub fn after(self, last: SentCode) -> SentCode {
        let was_sent = last.effect.is_some() && !last.undelivered;
        // The message of another state named something else, and checking a provider's code takes longer.
        if !was_sent || last.sender != self.sender || last.hash.is_some() != self.hash.is_some() {
            return self;
        }
        let older = Some(last.left());
        let SentCode { hash, number, factor, contact, effect, named, .. } = last;
        SentCode { hash, number, factor, contact, effect, named, older, ..self }
    }
}

/// A callback under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ringing {
    /// The keyed hash of the code that the caller was told.
    pub hash: String,
    /// The number on file; `None`: a decoy's, and nobody is rung.
    pub to: Option<PhoneNumber>,
    /// The leg that was placed.
    pub leg: Option<LegId>,
    /// How far it has come.
    pub phase: Phase,
    /// Tries left on the new leg.
    pub tries_left: u8,
    /// Whether anything was keyed on the new leg.
    pub tried: bool,
    /// When waiting for an answer ends.
    pub ring_until: Timestamp,
    /// When the whole exchange ends.
    pub expires: Timestamp,
}

/// How far a callback is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// The caller must hang up first.
    HangUpFirst,
    /// It rings.
    Ringing,
    /// Somebody answered.
    Answered,
    /// It is over, with this outcome.
    Over(Outcome),
}

/// A leg: one connection to one telephone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leg {
    /// Its number.
    pub id: LegId,
    /// What it is for.
    pub role: Role,
    /// The provider's name of it, once known.
    pub sid: Option<Sid>,
    /// The effect that placed it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub effect: Option<EffectId>,
    /// Whether it is up.
    pub status: super::event::LegStatus,
    /// The nonce of its next request.
    pub expected: Nonce,
    /// The nonce last spent.
    #[serde(default, skip_serializing_if = "is_default")]
    pub spent: Option<Nonce>,
    /// A keyed digest of what was heard with it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub heard: Option<String>,
    /// What the last spent nonce was answered with, if that is not the present prompt.
    #[serde(default, skip_serializing_if = "is_default")]
    pub answered: Option<Arc<Reply>>,
    /// Its present prompt.
    pub present: Arc<Reply>,
}

/// What a leg is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The caller called in on it.
    Inbound,
    /// We rang the number on file on it.
    Callback,
    /// A specialist hears a whisper on it.
    Whisper,
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// The flow hung up.
    Hangup,
    /// The flow refused it.
    Rejected,
    /// The caller left.
    CallerLeft,
    /// Something is wrong that no caller can mend: they heard the apology.
    Failed,
}

impl End {
    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hangup => "hangup",
            Self::Rejected => "rejected",
            Self::CallerLeft => "caller_left",
            Self::Failed => "failed",
        }
    }
}

impl Call {
    /// Whose attempts and messages are counted now: those of what is claimed, or this call's own where that is out of
    /// reach. Whoever claims account after account uses up nobody's.
    pub fn whom(&self) -> Whom {
        let claim = if self.out_of_reach { &Claim::None } else { &self.claim };
        claim.whom(self.id)
    }

    /// How much speaks against the caller being who they say they are.
    pub fn risk(&self) -> Risk {
        risk::band(&self.caller, &self.signals)
    }

    /// A leg by number.
    pub fn leg(&self, id: LegId) -> Option<&Leg> {
        self.legs.iter().find(|leg| leg.id == id)
    }

    /// A leg by number, to be changed.
    pub fn leg_mut(&mut self, id: LegId) -> Option<&mut Leg> {
        self.legs.iter_mut().find(|leg| leg.id == id)
    }

    /// A leg by the provider's name.
    pub fn leg_of(&self, sid: &Sid) -> Option<&Leg> {
        self.legs.iter().find(|leg| leg.sid.as_ref() == Some(sid))
    }

    /// A leg by the effect that placed it.
    pub fn leg_placed_by(&self, effect: EffectId) -> Option<&Leg> {
        self.legs.iter().find(|leg| leg.effect == Some(effect))
    }

    /// The callback under way on this leg.
    pub fn rings_on(&self, leg: LegId) -> bool {
        self.ringing.as_ref().is_some_and(|ringing| ringing.leg == Some(leg))
    }
}

impl Leg {
    /// Whether the leg is up, or may still come up.
    pub fn is_live(&self) -> bool {
        !self.status.is_final()
    }

    /// Whether the leg is up and has not yet asked for its new present prompt.
    pub fn is_to_be_taken(&self) -> bool {
        self.is_live() && self.answered.is_some()
    }

    /// Gives the leg another present prompt, which it has not asked for.
    pub fn put(&mut self, reply: Arc<Reply>) {
        let before = std::mem::replace(&mut self.present, reply);
        if self.spent.is_some() {
            self.answered.get_or_insert(before);
        }
    }

    /// What the nonce last spent was answered with.
    pub fn last_answer(&self) -> &Arc<Reply> {
        self.answered.as_ref().unwrap_or(&self.present)
    }
}

/// What a request with this nonce, on the leg of this name, means to the call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Received<'c> {
    /// It spends the nonce: a turn.
    Fresh(LegId),
    /// The nonce was spent before: the same answer again, and nothing changes.
    Replay {
        /// The answer.
        reply: &'c Arc<Reply>,
        /// Whether the request contains what it contained then; another entry is a guess that came too late.
        same: bool,
    },
    /// It is out of step: the leg's present prompt, and nothing changes.
    Present(&'c Arc<Reply>),
    /// It belongs to no leg of this call.
    Stranger,
}

/// Compares a request with the call's nonces.
pub fn receive<'c>(call: &'c Call, nonce: Nonce, sid: &Sid, digest: &str) -> Received<'c> {
    let agrees = |leg: &Leg| leg.sid.as_ref().is_none_or(|known| known == sid);
    if let Some(leg) = call.legs.iter().find(|leg| leg.expected == nonce) {
        return match (agrees(leg), leg.is_live() && call.end.is_none()) {
            (false, _) => Received::Stranger,
            (true, true) => Received::Fresh(leg.id),
            (true, false) => Received::Present(&leg.present),
        };
    }
    if let Some(leg) = call.legs.iter().find(|leg| leg.spent == Some(nonce)) {
        if !agrees(leg) {
            return Received::Stranger;
        }
        // An older callgate kept more of it.
        let same = leg.heard.as_ref().is_none_or(|known| known.starts_with(digest));
        return Received::Replay { reply: leg.last_answer(), same };
    }
    call.leg_of(sid).map_or(Received::Stranger, |leg| Received::Present(&leg.present))
}
