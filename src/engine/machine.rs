//! One run of the machine: from an event to a turn, or to a question.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::account::{Account, Claim};
use super::audit::{Deed, Hearer, Noted, Proving, is_noted};
use super::call::{Call, End, Frame, Position, Role, Visit};
use super::disclosure::Guarded;
use super::effect::Effect;
use super::event::{Event, Heard, LegStatus, Ring};
use super::id::{EffectId, LegId, Nonce, Sid};
use super::legs;
use super::proving::gives_verdict;
use super::question::{Answer, Question};
use super::reply::{Audible, Dial, DialTarget, Reply, Speech, Verb, Words};
use super::states::{self, callback, gather_otp, notice, transfer};
use super::turn::{Entry, Hop, Moment, Remark, Turn, later};
use super::{Setting, Waived};
use crate::flow::level::{Fact, Facts};
use crate::flow::name::StateName;
use crate::flow::outcome::Outcome;
use crate::flow::state::{Kind, State};
use crate::flow::{Flow, wording};
use crate::{limits, phone};

/// A value, unless a question must be asked first.
pub(super) type Asks<T> = Result<T, Box<Question>>;

/// What follows in a state.
#[derive(Debug)]
pub(super) enum Next {
    /// The state ended with this outcome.
    Take(Outcome),
    /// A key, a phrase or a case leads to another state.
    Goto(StateName),
    /// The call waits for an event.
    Wait,
    /// The call is over.
    End(End),
    /// Nothing can follow.
    Fault(Remark),
}

/// What is known of the account in this run.
#[derive(Debug)]
enum Known {
    NotAsked,
    Asked(Option<Arc<Account>>),
}

/// A run.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each tells of another thing that came up")]
pub(super) struct Machine<'a> {
    pub(super) setting: Setting<'a>,
    pub(super) moment: &'a Moment,
    pub(super) call: Call,
    /// What the leg spoken to will be answered with.
    pub(super) reply: Reply,
    /// The nonce of the next request of the leg spoken to.
    pub(super) nonce: Nonce,
    pub(super) remarks: Vec<Remark>,
    /// What the keys of questions are made of: the cause of this run.
    cause: String,
    /// The leg spoken to in this turn.
    pub(super) addressed: Option<LegId>,
    answers: &'a [Answer],
    asked: usize,
    account: Known,
    effects: Vec<(EffectId, Effect)>,
    hops: Vec<Hop>,
    pub(super) proved: Vec<Fact>,
    noted: Vec<Noted>,
    /// What was put into texts that nobody has heard yet.
    pub(super) filled_in: Guarded,
    nonces: u32,
    secret: bool,
    /// Whether the caller is coming back to the conference from which a specialist sent them.
    pub(super) rejoins: bool,
    discreet: bool,
    /// Whether what was heard in this turn did not answer the question.
    pub(super) unusable: bool,
}

impl<'a> Machine<'a> {
    pub(super) fn begin(
        setting: Setting<'a>,
        call: Option<&Call>,
        event: &Event,
        moment: &'a Moment,
        answers: &'a [Answer],
    ) -> Option<Self> {
        let call = match (call, event) {
            (None, Event::Ring(ring)) => new_call(setting, ring, moment)?,
            (Some(call), event) if call.end.is_none() && !matches!(event, Event::Ring(_)) => {
                call.clone()
            }
            _ => return None,
        };
        let mut machine = Self {
            setting,
            moment,
            cause: cause(event, call.turns),
            call,
            reply: Reply::default(),
            nonce: Nonce(Uuid::nil()),
            remarks: Vec::new(),
            addressed: None,
            answers,
            asked: 0,
            account: Known::NotAsked,
            effects: Vec::new(),
            hops: Vec::new(),
            proved: Vec::new(),
            noted: Vec::new(),
            filled_in: Guarded::default(),
            nonces: 0,
            secret: false,
            rejoins: false,
            discreet: false,
            unusable: false,
        };
        machine.nonce = machine.fresh_nonce();
        Some(machine)
    }

    /// Runs to the end of the turn; `None`: the event means nothing to the call.
    pub(super) fn run(mut self, event: &Event) -> Asks<Option<Turn>> {
        let next = match event {
            Event::Ring(_) => {
                self.addressed = Some(LegId::INBOUND);
                self.walk(Next::Goto(self.call.at.state.clone()))?;
                true
            }
            Event::Heard { leg, nonce, sid, heard } => self.hear(*leg, *nonce, sid, heard)?,
            Event::LegStatus { leg, sid, status } => self.leg_status(*leg, sid, *status),
            Event::Placed { effect, leg, sid } => self.placed(*effect, *leg, sid),
            Event::NotPlaced { leg, .. } => callback::not_placed(&mut self, *leg),
            Event::Undelivered { effect } => self.undelivered(*effect)?,
            Event::Delivered { .. } => false,
            Event::StepUp { level, by } => self.asked_for(level, by)?,
            Event::Deadline => self.deadline_came(),
        };
        Ok(next.then(|| self.finish(event)))
    }

    // ---- what happens ----

    fn hear(&mut self, leg: LegId, nonce: Nonce, sid: &Sid, heard: &Heard) -> Asks<bool> {
        self.addressed = Some(leg);
        let Some(of) = self.call.leg_mut(leg) else { return Ok(false) };
        of.spent = Some(nonce);
        of.heard = Some(heard.digest.clone());
        of.answered = None;
        of.sid.get_or_insert_with(|| sid.clone());
        of.status = LegStatus::InProgress;
        let role = of.role;
        self.secret = role == Role::Callback || self.waits_for_secret();
        self.discreet = self.secret || self.state().is_some_and(asks_whose);
        if self.call.turns >= limits::TURNS_MAX {
            self.walk(Next::Fault(Remark::TooManyTurns))?;
        } else if heard.over && leg == self.call.speaking {
            if let Some(of) = self.call.leg_mut(leg) {
                of.status = LegStatus::Completed;
            }
            callback::speaking_leg_over(self);
            self.reply = Reply::hangup();
        } else if leg == self.call.speaking {
            let next = states::resume(self, heard)?;
            self.walk(next)?;
        } else {
            match role {
                Role::Callback => callback::heard(self, leg, heard)?,
                Role::Whisper => transfer::whisper(self, leg, heard)?,
                // The flow has continued on another leg.
                Role::Inbound => self.reply.verbs.push(Verb::Hangup),
            }
        }
        Ok(true)
    }

    fn undelivered(&mut self, effect: EffectId) -> Asks<bool> {
        let Some(code) = self.call.code.as_mut().filter(|code| code.effect == Some(effect)) else {
            return Ok(false);
        };
        if code.undelivered {
            return Ok(false);
        }
        code.undelivered = true;
        let waiting = self.state().is_some_and(|state| matches!(state.kind, Kind::GatherOtp(_)));
        if waiting && !gather_otp::hides(self) {
            self.interrupt(self.call.speaking);
            self.walk(Next::Take(Outcome::Undelivered))?;
        }
        Ok(true)
    }

    fn deadline_came(&mut self) -> bool {
        if self.moment.now >= self.last_moment() {
            self.caller_left();
            return true;
        }
        callback::deadline(self);
        true
    }

    // ---- walking ----

    /// Walks on until the call waits or ends.
    pub(super) fn walk(&mut self, mut next: Next) -> Asks<()> {
        loop {
            next = match next {
                Next::Wait => return Ok(()),
                Next::End(end) => {
                    self.end(end);
                    return Ok(());
                }
                Next::Fault(remark) => {
                    self.fault(remark);
                    return Ok(());
                }
                Next::Take(outcome) => self.take(&outcome),
                Next::Goto(state) => self.enter(state)?,
            };
        }
    }

    fn take(&mut self, outcome: &Outcome) -> Next {
        if let Some(hop) = self.hops.last_mut()
            && hop.at == self.call.at
        {
            hop.outcome = Some(outcome.clone());
        } else {
            // A state that was entered in an earlier turn ends in this one.
            self.hops.push(Hop { at: self.call.at.clone(), outcome: Some(outcome.clone()) });
        }
        let state = self.state();
        if state.is_some_and(|state| gives_verdict(&state.kind, outcome)) {
            self.end_trial(*outcome == Outcome::Ok);
        }
        if let Some(state) = state.filter(|state| is_noted(&state.kind, outcome)) {
            let state = state.type_name().to_owned();
            self.note(Deed::Ended { state, outcome: outcome.clone() });
        }
        let route = state.and_then(|state| state.route(outcome)).cloned();
        route.map_or(Next::Fault(Remark::NoRoute), Next::Goto)
    }

    fn enter(&mut self, name: StateName) -> Asks<Next> {
        if self.hops.len() >= limits::HOPS_MAX {
            return Ok(Next::Fault(Remark::TooManyHops));
        }
        // Whoever is not let in there again comes back to nobody.
        let rejoins = std::mem::take(&mut self.rejoins);
        self.call.at.state = name;
        self.call.visit = Visit::default();
        self.hops.push(Hop { at: self.call.at.clone(), outcome: None });
        let Some(state) = self.state() else { return Ok(Next::Fault(Remark::NoSuchState)) };
        self.discreet |= asks_whose(state) || matches!(state.kind, Kind::Callback(_));
        // A back end that is told whose account it is may know more quickly that it is nobody's.
        let told = matches!(&state.kind, Kind::Lookup(lookup) if lookup.account);
        self.discreet |= told && self.is_stranger();
        let waived = self.waives(state);
        if waived {
            self.remarks.push(Remark::Unenforced);
        }
        if let Some((level, _)) = &state.requires
            && !self.meets(level)
            && self.waived() != Some(&Waived::Requires)
        {
            return Ok(match &state.step_up {
                Some(target) => {
                    self.note(Deed::StepUp { level: level.as_str().to_owned() });
                    self.step_up(target.state.clone())
                }
                None => deny(state),
            });
        }
        if !self.may_speak(state) {
            return Ok(deny(state));
        }
        if let Some(words) = &state.notify {
            notice::of_state(self, words)?;
        }
        self.rejoins = rejoins;
        states::enter(self, state)
    }

    /// Does something as if the call stood at another state, with the variables of that flow; the variables of a
    /// sub-flow that has come back are gone.
    pub(super) fn standing_at<T>(&mut self, at: &Position, what: impl FnOnce(&mut Self) -> T) -> T {
        let here = std::mem::replace(&mut self.call.at, at.clone());
        let own = (here.flow != at.flow).then(|| {
            let theirs = self.call.frames.iter().rev().find_map(|frame| match frame {
                Frame::Call(from, variables) if from.flow == at.flow => Some(variables.clone()),
                _ => None,
            });
            std::mem::replace(&mut self.call.variables, theirs.unwrap_or_default())
        });
        let done = what(self);
        self.call.at = here;
        if let Some(own) = own {
            self.call.variables = own;
        }
        done
    }

    /// Remembers the present state and goes to prove its level. A step-up that was abandoned is forgotten when
    /// its state is asked for again.
    fn step_up(&mut self, target: StateName) -> Next {
        if self.remember(Frame::StepUp(self.call.at.clone())) {
            Next::Goto(target)
        } else {
            Next::Fault(Remark::TooDeep)
        }
    }

    /// Ends the call with the apology, and with the line's fallback number if there is one.
    fn fault(&mut self, remark: Remark) {
        self.remarks.push(remark);
        let locale = wording::spoken_in(&self.call.locale);
        let apology = Words::Text(wording::of(&locale).apology.to_owned());
        let speech = Speech { words: vec![apology], locale: locale.to_string(), voice: None };
        let mut verbs = vec![Verb::Hear(Audible::Say(speech))];
        verbs.push(match &self.call.fallback_number {
            Some(number) => Verb::Dial(Dial {
                to: DialTarget::Number { number: number.clone(), whisper: None },
                timeout_s: 30,
                caller_id: self.shown_instead(),
                action: None,
            }),
            None => Verb::Hangup,
        });
        self.reply = Reply { verbs };
        // The apology replaces what would have been heard.
        let is_heard = |deed: &Deed| matches!(deed, Deed::Told { to: Hearer::Caller, .. });
        self.noted.retain(|noted| !is_heard(&noted.deed));
        self.end(End::Failed);
    }

    /// As [`phone::shown_instead`].
    pub(super) fn shown_instead(&self) -> Option<String> {
        phone::shown_instead(&self.call.line, self.call.caller.number.as_ref())
    }

    // ---- what states ask of the machine ----

    /// The present flow.
    pub(super) fn flow(&self) -> Option<&'a Flow> {
        self.setting.flows.get(self.call.at.flow.as_str()).map(|flow| &**flow)
    }

    /// The present state.
    pub(super) fn state(&self) -> Option<&'a State> {
        self.flow()?.state(&self.call.at.state)
    }

    /// The flow the call began in.
    pub(super) fn start_flow(&self) -> Option<&'a Flow> {
        self.setting.flows.get(self.call.flow.as_str()).map(|flow| &**flow)
    }

    /// Asks, or takes the answer that has come.
    pub(super) fn ask(&mut self, question: Question) -> Asks<Answer> {
        let answer = self.answers.get(self.asked).cloned();
        self.asked += 1;
        answer.ok_or_else(|| Box::new(question))
    }

    /// The key of a question that changes the world: the same in every run with the same cause.
    pub(super) fn key(&self) -> String {
        let leg = self.addressed.unwrap_or(self.call.speaking);
        format!("{}/{leg}/{}/{}", self.call.id, self.cause, self.asked)
    }

    /// The account claimed, as it is now; `None`: there is none, or it is a decoy. A decoy is looked up like any
    /// other, and what is found is not used.
    pub(super) fn account(&mut self) -> Asks<Option<Arc<Account>>> {
        if let Known::Asked(account) = &self.account {
            return Ok(account.clone());
        }
        let account = match self.call.claim.clone() {
            Claim::Account(id) => match self.ask(Question::FindById(id))? {
                Answer::Account(account) => account,
                _ => None,
            },
            // Asked all the same, so that both take equally long and fail together.
            Claim::Decoy(id) => {
                self.ask(Question::FindById(id))?;
                None
            }
            Claim::None => None,
        };
        self.account = Known::Asked(account.clone());
        Ok(account)
    }

    /// Takes up a claim. Whatever was proved before was proved of somebody else.
    pub(super) fn claim(&mut self, claim: Claim, account: Option<Arc<Account>>) {
        // Whatever is proved from here on is proved of somebody else than the specialist asked about, and what was proved
        // is not told of whoever is claimed now.
        self.prove_no_more();
        self.call.agent_step_up.take_if(|asked| asked.result == Proving::Passed);
        if let Some(before) = self.call.agent_step_up.as_mut().and_then(|it| it.before.as_mut()) {
            *before = Facts::default();
        }
        self.call.claim = claim;
        self.call.out_of_reach = false;
        self.call.facts = Facts::default();
        self.end_trial(false);
        self.call.code = None;
        self.call.ringing = None;
        self.call.asked.clear();
        // The owner who was told is somebody else.
        self.call.told.clear();
        self.call.variables.retain(|_, variable| !variable.derived);
        for frame in &mut self.call.frames {
            if let Frame::Call(_, variables) = frame {
                variables.retain(|_, variable| !variable.derived);
            }
        }
        self.account = Known::Asked(account);
    }

    /// Notes for the audit what is done, about whoever is now claimed.
    pub(super) fn note(&mut self, deed: Deed) {
        let whom = self.call.claim.whom(self.call.id);
        self.noted.push(Noted { whom, deed });
    }

    /// Adds an effect, and returns its id.
    pub(super) fn effect(&mut self, effect: Effect) -> EffectId {
        let id = EffectId::of(self.call.id, self.moment.turn, self.effects.len());
        self.effects.push((id, effect));
        id
    }

    /// The id that the next effect will have.
    pub(super) fn next_effect(&self) -> EffectId {
        EffectId::of(self.call.id, self.moment.turn, self.effects.len())
    }

    /// A nonce that nobody can guess.
    pub(super) fn fresh_nonce(&mut self) -> Nonce {
        let mut hash = Sha256::new();
        hash.update(self.moment.seed);
        hash.update(self.nonces.to_be_bytes());
        self.nonces += 1;
        let mut bytes = [0; 16];
        bytes.iter_mut().zip(hash.finalize()).for_each(|(to, from)| *to = from);
        Nonce(Uuid::from_bytes(bytes))
    }

    fn waits_for_secret(&self) -> bool {
        self.state().is_some_and(|state| state.kind.takes_secret())
    }

    fn last_moment(&self) -> Timestamp {
        later(self.call.started, limits::CALL_DURATION_MAX)
    }

    // ---- the turn ----

    fn finish(mut self, event: &Event) -> Turn {
        self.call.turns += 1;
        self.call.turn = self.moment.turn;
        self.call.seen = Some(self.moment.now);
        let (reply, nonce) = (Arc::new(self.reply), self.nonce);
        let speaking = self.call.speaking;
        if let Some(leg) = self.addressed.and_then(|leg| self.call.leg_mut(leg)) {
            leg.present = reply.clone();
            leg.expected = nonce;
            // A leg that we placed and no longer need is over without another word.
            if leg.role == Role::Callback
                && leg.id != speaking
                && reply.verbs.last() == Some(&Verb::Hangup)
            {
                leg.status = LegStatus::Completed;
            }
        }
        let deadline = match (self.call.end, &self.call.ringing) {
            (Some(_), _) => None,
            (None, Some(ringing)) => Some(callback::wakes_at(ringing)),
            (None, None) => Some(later(self.call.started, limits::CALL_DURATION_MAX)),
        };
        let entry = Entry {
            number: self.call.turns,
            moment: self.moment.clone(),
            event: event.redacted(self.secret, self.unusable),
            answers: self.answers.iter().map(Answer::redacted).collect(),
            hops: self.hops,
            proved: self.proved,
            effects: self.effects.iter().map(|(id, _)| *id).collect(),
            end: self.call.end,
            remarks: self.remarks,
            audit: Vec::new(),
        };
        let (effects, noted, discreet) = (self.effects, self.noted, self.discreet);
        let unusable = self.unusable;
        Turn { call: self.call, reply, effects, deadline, entry, noted, discreet, unusable }
    }
}

/// Whether a state looks up an account, or would if there were one.
fn asks_whose(state: &State) -> bool {
    let kind = &state.kind;
    kind.takes_secret()
        || kind.sends_code().is_some()
        || matches!(kind, Kind::Identify(_) | Kind::SendLink(_))
}

/// Where a caller goes who may not enter.
fn deny(state: &State) -> Next {
    match state.route(&Outcome::Denied) {
        Some(_) => Next::Take(Outcome::Denied),
        None => Next::Fault(Remark::Withheld),
    }
}

fn cause(event: &Event, turns: u64) -> String {
    match event {
        Event::Ring(_) => "ring".into(),
        Event::Heard { nonce, .. } => nonce.to_string(),
        Event::Undelivered { effect } | Event::Delivered { effect } => format!("message-{effect}"),
        Event::Placed { effect, .. } | Event::NotPlaced { effect, .. } => {
            format!("placed-{effect}")
        }
        Event::LegStatus { leg, status, .. } => format!("status-{leg}-{status:?}"),
        Event::StepUp { .. } => format!("step-up-{turns}"),
        Event::Deadline => format!("deadline-{turns}"),
    }
}

fn new_call(setting: Setting<'_>, ring: &Ring, moment: &Moment) -> Option<Call> {
    let flow = setting.flows.get(&ring.flow)?;
    let nonce = Nonce(Uuid::nil());
    let mut inbound = legs::new(LegId::INBOUND, Role::Inbound, Some(ring.sid.clone()), nonce);
    inbound.status = LegStatus::InProgress;
    Some(Call {
        id: ring.call,
        edition: setting.edition.to_owned(),
        flow: flow.name.clone(),
        line: ring.line.clone(),
        fallback_number: setting.fallback_number.map(str::to_owned),
        caller: ring.caller(),
        signals: ring.signals.clone(),
        started: moment.now,
        turns: 0,
        turn: moment.turn,
        locale: flow.locale.clone(),
        at: Position { flow: flow.name.clone(), state: flow.start.clone() },
        visit: Visit::default(),
        frames: Vec::new(),
        claim: Claim::None,
        claims: 0,
        out_of_reach: false,
        facts: Facts::default(),
        variables: BTreeMap::new(),
        asked: BTreeSet::new(),
        code: None,
        ringing: None,
        legs: vec![inbound],
        speaking: LegId::INBOUND,
        sends: 0,
        last_send: None,
        seen: None,
        entries: BTreeMap::new(),
        input_errors: 0,
        end: None,
        agent_step_up: None,
        on_trial: BTreeMap::new(),
        doubt: false,
        told: Vec::new(),
        audit: None,
    })
}
