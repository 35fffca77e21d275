//! `callback`: rings the number on file; the code spoken on one leg is keyed in on the other.
//!
//! The inbound leg learns only that it is over. The new leg says the business's name and asks for the code,
//! whoever answers: the code is the proof, not the answering.

use std::time::Duration;

use jiff::Timestamp;

use super::super::call::{End, Leg, Phase, Ringing, Role};
use super::super::effect::{Effect, PlaceCall};
use super::super::eligibility::Purpose;
use super::super::event::{AnsweredBy, Heard, LegStatus};
use super::super::id::{LegId, Sid};
use super::super::listen::{Expect, Given, are_digits};
use super::super::machine::{Asks, Machine, Next};
use super::super::question::{Against, Answer, Question, Verdict};
use super::super::reply::{Audible, Reply, Verb};
use super::super::turn::later;
use super::contact::{self, Eligible, Out};
use crate::flow::level::Fact;
use crate::flow::outcome::Outcome;
use crate::flow::state::Kind;
use crate::flow::states::callback::Callback;
use crate::secret::Secret;

/// Seconds between two polls of a waiting caller.
const POLL_S: u32 = 3;
/// Time after the ringing by which the provider must have said that nobody answered.
const RING_MARGIN: Duration = Duration::from_secs(15);
/// Time until the provider says whether a person or a machine has answered.
const VERDICT_WITHIN: Duration = Duration::from_secs(45);
/// Time a caller needs to hear the code twice and hang up, if the provider does not report it.
const HANG_UP_WITHIN: Duration = Duration::from_secs(45);
/// Time after that for keying in, by which the provider must have come back with an entry or with silence: the
/// question is spoken first. Later than that the leg is gone, and nobody has said so.
const HEARD_WITHIN: Duration = Duration::from_secs(45);
/// Seconds to key in the code, unless the flow says otherwise.
const ENTRY_TIMEOUT_S: u32 = 15;

pub(super) fn enter(m: &mut Machine<'_>, state: &Callback) -> Asks<Next> {
    let phones = match contact::phones(m, Purpose::Ring)? {
        Eligible::To(phones) => phones,
        Eligible::Decoy => Vec::new(),
        Eligible::None => return Ok(Next::Take(Outcome::Unavailable)),
    };
    let whom = m.call.whom();
    let (factor, purpose) = (Fact::Callback, Purpose::Ring);
    let out = Out { whom: whom.clone(), factor, purpose, code: true };
    let to = match contact::reserve(m, &phones, &out)? {
        Ok(to) => to.map(|phone| phone.number),
        Err(outcome) => return Ok(Next::Take(outcome)),
    };
    let rules = &m.setting.policy.callback;
    let fresh = Question::FreshCode { whom, factor: Fact::Callback, digits: rules.code_digits };
    let Answer::Code { code, hash } = m.ask(fresh)? else {
        return Ok(Next::Take(Outcome::Unavailable));
    };
    // A telephone in use would be engaged: it is rung when its call is over. Whoever was rung before speaks on one of them.
    let was_rung = m.call.leg(m.call.speaking).is_some_and(|leg| leg.role == Role::Callback);
    let hang_up_first = to.is_some() && (was_rung || to == m.call.caller.number);
    // A caller who has given a wrong entry and not been told hears the same, and nobody is rung.
    let to = to.filter(|_| !m.call.doubt);
    let to_nobody = to.is_none();
    let now = m.moment.now;
    m.call.ringing = Some(Ringing {
        hash,
        to,
        leg: None,
        phase: if hang_up_first { Phase::HangUpFirst } else { Phase::Ringing },
        tries_left: state.tries,
        tried: false,
        ring_until: match (hang_up_first, to_nobody) {
            (true, _) => later(now, HANG_UP_WITHIN),
            // For a real telephone the provider says this when the ringing is over, and not later.
            (false, true) => later(now, state.ring),
            (false, false) => later(now, state.ring + RING_MARGIN),
        },
        expires: later(now, Duration::from_secs(rules.total_s.into())),
    });
    let prompt = if hang_up_first { &state.hang_up_prompt } else { &state.prompt };
    match prompt {
        Some(prompt) => {
            m.say(prompt)?;
        }
        None if hang_up_first => m.say_own(|words| words.callback_hang_up.into()),
        None => m.say_own(|words| words.callback_stay.into()),
    }
    m.say_code(&code);
    m.reply.verbs.push(Verb::Hear(Audible::Pause(1)));
    m.say_own(|words| words.again.into());
    m.say_code(&code);
    if hang_up_first {
        m.reply.verbs.push(Verb::Hangup);
    } else {
        place(m);
        wait(m);
    }
    Ok(Next::Wait)
}

/// The caller's leg polls whether it is over.
pub(super) fn poll(m: &mut Machine<'_>) -> Next {
    let Some(ringing) = m.call.ringing.clone() else { return Next::Take(Outcome::Failed) };
    let now = m.moment.now;
    let outcome = match &ringing.phase {
        Phase::Over(outcome) => Some(outcome.clone()),
        Phase::Ringing if now >= ringing.ring_until => Some(Outcome::NoAnswer),
        Phase::Answered if now >= wakes_at(&ringing) => Some(Outcome::Failed),
        // The caller was to hang up and has not: they are rung all the same when it is time.
        Phase::HangUpFirst => {
            m.reply.verbs.push(Verb::Hangup);
            return Next::Wait;
        }
        Phase::Ringing | Phase::Answered => None,
    };
    if let Some(outcome) = outcome {
        m.call.ringing = None;
        if let Some(leg) = ringing.leg {
            m.take_down(leg);
        }
        return Next::Take(outcome);
    }
    wait(m);
    Next::Wait
}

/// Something was heard on the leg that we placed.
pub(in crate::engine) fn heard(m: &mut Machine<'_>, leg: LegId, heard: &Heard) -> Asks<()> {
    let Some(ringing) = m.call.ringing.clone().filter(|ringing| ringing.leg == Some(leg)) else {
        m.reply.verbs.push(Verb::Hangup);
        return Ok(());
    };
    if matches!(ringing.phase, Phase::Over(_)) || heard.over || m.moment.now >= ringing.expires {
        over(m, if ringing.tried { Outcome::Failed } else { Outcome::NoAnswer });
        m.reply.verbs.push(Verb::Hangup);
        end_if_nobody_waits(m);
        return Ok(());
    }
    if ringing.phase == Phase::Ringing {
        if matches!(heard.answered_by, Some(AnsweredBy::Machine | AnsweredBy::Fax)) {
            over(m, Outcome::NoAnswer);
            m.reply.verbs.push(Verb::Hangup);
            end_if_nobody_waits(m);
            return Ok(());
        }
        set_phase(m, Phase::Answered);
        ask_code(m);
        return Ok(());
    }
    let digits = Some(m.setting.policy.callback.code_digits);
    let keys = match Given::of(heard) {
        Given::Keys(keys) if are_digits(&keys, digits) => keys,
        _ => {
            m.unusable = true;
            missed(m);
            return Ok(());
        }
    };
    if let Some(ringing) = &mut m.call.ringing {
        ringing.tried = true;
    }
    let contact = ringing.to.as_ref().map(contact::of_number);
    let against = Against::Code(ringing.hash);
    match m.verify(Fact::Callback, Secret::new(keys), against, contact)? {
        Verdict::Right | Verdict::RightByOneFactor => verified(m, leg),
        _ => {
            missed(m);
            Ok(())
        }
    }
}

/// The leg that we placed rings, or was answered: the waiting time begins there.
pub(in crate::engine) fn rings(m: &mut Machine<'_>, leg: LegId, status: LegStatus) {
    let left = match status {
        LegStatus::InProgress => VERDICT_WITHIN,
        _ => ring_time(m) + RING_MARGIN,
    };
    let until = later(m.moment.now, left);
    if let Some(ringing) = &mut m.call.ringing
        && ringing.leg == Some(leg)
        && ringing.phase == Phase::Ringing
    {
        ringing.ring_until = until.max(ringing.ring_until).min(ringing.expires);
    }
}

/// The leg that rings, or on which the code is keyed in, is over.
pub(in crate::engine) fn leg_over(m: &mut Machine<'_>) {
    let Some(ringing) = &m.call.ringing else { return };
    if !matches!(ringing.phase, Phase::Over(_)) {
        let outcome = if ringing.tried { Outcome::Failed } else { Outcome::NoAnswer };
        over(m, outcome);
    }
    end_if_nobody_waits(m);
}

/// The leg on which the flow continues is over; so is the call, unless it waits for the other leg.
pub(in crate::engine) fn speaking_leg_over(m: &mut Machine<'_>) {
    match m.call.ringing.as_ref().map(|ringing| ringing.phase.clone()) {
        Some(Phase::HangUpFirst) => {
            // It was told to hang up, and the code is no longer spoken there.
            let speaking = m.call.speaking;
            if let Some(leg) = m.call.leg_mut(speaking) {
                leg.status = LegStatus::Completed;
                leg.present = Reply::hangup().into();
                leg.answered = None;
            }
            let ring = ring_time(m);
            if let Some(ringing) = &mut m.call.ringing {
                ringing.ring_until = later(m.moment.now, ring + RING_MARGIN);
            }
            set_phase(m, Phase::Ringing);
            place(m);
        }
        // A decoy has nobody to ring.
        Some(Phase::Ringing | Phase::Answered)
            if m.call.ringing.as_ref().is_some_and(|ringing| ringing.leg.is_some()) => {}
        _ => m.caller_left(),
    }
}

/// The provider would not place the call.
pub(in crate::engine) fn not_placed(m: &mut Machine<'_>, leg: LegId) -> bool {
    if let Some(of) = m.call.leg_mut(leg) {
        of.status = LegStatus::Failed;
    }
    if !m.call.rings_on(leg) {
        return false;
    }
    over(m, Outcome::NoAnswer);
    end_if_nobody_waits(m);
    true
}

/// The leg that asked for its answer is not the one that the provider says it placed: neither is believed.
pub(in crate::engine) fn disagreement(m: &mut Machine<'_>, leg: LegId, placed: &Sid) {
    let known = m.call.leg(leg).and_then(|leg| leg.sid.clone());
    for sid in known.into_iter().chain([placed.clone()]) {
        m.effect(Effect::EndLeg { leg, sid });
    }
    if let Some(of) = m.call.leg_mut(leg) {
        of.status = LegStatus::Failed;
    }
    if m.call.speaking == leg {
        return m.caller_left();
    }
    if m.call.rings_on(leg) {
        over(m, Outcome::Failed);
        end_if_nobody_waits(m);
    }
}

/// The call's deadline has come.
pub(in crate::engine) fn deadline(m: &mut Machine<'_>) {
    let Some(ringing) = m.call.ringing.clone() else { return };
    let now = m.moment.now;
    match ringing.phase {
        Phase::HangUpFirst if now >= ringing.ring_until => {
            // They have heard the code and were hung up: nobody waits on that leg any more, though the provider
            // has not said so.
            let speaking = m.call.speaking;
            if let Some(leg) = m.call.leg_mut(speaking) {
                leg.status = LegStatus::Completed;
            }
            speaking_leg_over(m);
        }
        Phase::Ringing if now >= ringing.ring_until => give_up(m, &ringing, Outcome::NoAnswer),
        Phase::Answered if now >= wakes_at(&ringing) => give_up(m, &ringing, Outcome::Failed),
        // Nobody has asked for the outcome in all this time: the caller's leg is gone.
        Phase::Over(_) if now >= wakes_at(&ringing) => m.caller_left(),
        // The caller's leg is about to ask.
        _ => {}
    }
}

/// The time is up, and the leg that we placed is ended.
fn give_up(m: &mut Machine<'_>, ringing: &Ringing, outcome: Outcome) {
    over(m, outcome);
    end_if_nobody_waits(m);
    if let Some(leg) = ringing.leg {
        m.take_down(leg);
    }
}

/// When to look at a callback again.
pub(in crate::engine) fn wakes_at(ringing: &Ringing) -> Timestamp {
    match ringing.phase {
        Phase::HangUpFirst | Phase::Ringing => ringing.ring_until,
        Phase::Answered => ringing.ring_until.min(ringing.expires),
        // If the caller's leg does not ask within this time, it is gone.
        Phase::Over(_) => later(ringing.expires, RING_MARGIN),
    }
}

/// The code was right.
fn verified(m: &mut Machine<'_>, leg: LegId) -> Asks<()> {
    if somebody_waits(m) {
        over(m, Outcome::Ok);
        m.say_own(|words| words.callback_thanks.into());
        m.reply.verbs.push(Verb::Hangup);
        return Ok(());
    }
    m.call.speaking = leg;
    m.call.ringing = None;
    m.walk(Next::Take(Outcome::Ok))
}

fn missed(m: &mut Machine<'_>) {
    let left = m.call.ringing.as_mut().map_or(0, |ringing| {
        ringing.tries_left = ringing.tries_left.saturating_sub(1);
        ringing.tries_left
    });
    if left > 0 {
        return ask_code(m);
    }
    over(m, Outcome::Failed);
    m.say_own(|words| words.callback_bye.into());
    m.reply.verbs.push(Verb::Hangup);
    end_if_nobody_waits(m);
}

/// If nobody waits on a call any more, it is over.
fn end_if_nobody_waits(m: &mut Machine<'_>) {
    if !somebody_waits(m) && m.call.end.is_none() {
        m.end(End::CallerLeft);
    }
}

/// Whether the leg on which the flow continues is up.
fn somebody_waits(m: &Machine<'_>) -> bool {
    m.call.leg(m.call.speaking).is_some_and(Leg::is_live)
}

fn ask_code(m: &mut Machine<'_>) {
    let business = m.start_flow().map(|flow| flow.business.clone()).unwrap_or_default();
    let ask = m.own(|words| format!("{business}. {}", words.callback_ask));
    let expect = Expect::keys(Some(m.setting.policy.callback.code_digits), false);
    let time_to_key = Duration::from_secs(entry_timeout_s(m).into());
    let until = later(m.moment.now, time_to_key + HEARD_WITHIN);
    if let Some(ringing) = &mut m.call.ringing {
        ringing.ring_until = until;
    }
    m.gather(vec![ask], &expect, entry_timeout_s(m), true);
}

fn wait(m: &mut Machine<'_>) {
    m.reply.verbs.push(Verb::Hear(Audible::Pause(POLL_S)));
    m.reply.verbs.push(Verb::Redirect(m.nonce));
}

/// Rings the number on file; for a decoy nobody is rung.
fn place(m: &mut Machine<'_>) {
    let ring_s = u32::try_from(ring_time(m).as_secs()).unwrap_or(30);
    let Some(to) = m.call.ringing.as_ref().and_then(|ringing| ringing.to.clone()) else { return };
    let Some((leg, nonce)) = m.add_leg(Role::Callback) else {
        over(m, Outcome::NoAnswer);
        return end_if_nobody_waits(m);
    };
    let effect = m.next_effect();
    if let Some(of) = m.call.leg_mut(leg) {
        of.effect = Some(effect);
    }
    if let Some(ringing) = &mut m.call.ringing {
        ringing.leg = Some(leg);
    }
    let from = m.call.line.clone();
    let asked_at = m.moment.now;
    m.effect(Effect::PlaceCall(PlaceCall { leg, nonce, to, from, ring_s, asked_at }));
}

fn entry_timeout_s(m: &Machine<'_>) -> u32 {
    match m.state().map(|state| &state.kind) {
        Some(Kind::Callback(state)) => {
            u32::try_from(state.timeout.as_secs()).unwrap_or(ENTRY_TIMEOUT_S)
        }
        _ => ENTRY_TIMEOUT_S,
    }
}

fn ring_time(m: &Machine<'_>) -> Duration {
    match m.state().map(|state| &state.kind) {
        Some(Kind::Callback(state)) => state.ring,
        _ => Duration::from_secs(30),
    }
}

fn over(m: &mut Machine<'_>, outcome: Outcome) {
    set_phase(m, Phase::Over(outcome));
}

fn set_phase(m: &mut Machine<'_>, phase: Phase) {
    if let Some(ringing) = &mut m.call.ringing
        && !matches!(ringing.phase, Phase::Over(_))
    {
        ringing.phase = phase;
    }
}
