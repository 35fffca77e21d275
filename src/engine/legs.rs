//! The legs of a call: placed, reported, interrupted, taken down.

use std::sync::Arc;

use super::call::{End, Leg, Role};
use super::effect::Effect;
use super::event::LegStatus;
use super::id::{EffectId, LegId, Nonce, Sid};
use super::machine::Machine;
use super::reply::Reply;
use super::states::callback;
use super::turn::Remark;
use crate::limits;

impl Machine<'_> {
    pub(super) fn leg_status(&mut self, leg: LegId, sid: &Sid, status: LegStatus) -> bool {
        let Some(of) = self.call.leg_mut(leg) else { return false };
        if of.sid.as_ref().is_some_and(|known| known != sid) {
            return false;
        }
        let named = of.sid.is_none();
        of.sid = Some(sid.clone());
        // A late status changes nothing, and what is over stays over.
        let late = of.status == LegStatus::InProgress && status == LegStatus::Ringing;
        if !of.is_live() || late || (of.status == status && !named) {
            return named;
        }
        of.status = status;
        let role = of.role;
        if !status.is_final() {
            callback::rings(self, leg, status);
            return true;
        }
        match role {
            Role::Callback if self.call.rings_on(leg) => callback::leg_over(self),
            _ if leg == self.call.speaking => callback::speaking_leg_over(self),
            _ => {}
        }
        true
    }

    pub(super) fn placed(&mut self, effect: EffectId, leg: LegId, sid: &Sid) -> bool {
        let Some(of) = self.call.leg_mut(leg) else { return false };
        if of.effect != Some(effect) {
            return false;
        }
        match &of.sid {
            Some(known) if known == sid => false,
            Some(_) => {
                self.remarks.push(Remark::OtherSid);
                callback::disagreement(self, leg, sid);
                true
            }
            None => {
                of.sid = Some(sid.clone());
                if of.is_live() {
                    callback::rings(self, leg, LegStatus::Ringing);
                } else {
                    self.effect(Effect::EndLeg { leg, sid: sid.clone() });
                }
                true
            }
        }
    }

    /// The caller is gone: facts die with the call, and the legs that we placed are ended.
    pub(super) fn caller_left(&mut self) {
        if self.addressed.is_some() {
            self.reply = Reply::hangup();
        }
        self.end(End::CallerLeft);
    }

    /// Ends the call: codes are forgotten, legs that we placed are ended, and a leg that asks again all the same
    /// hears only the end.
    pub(super) fn end(&mut self, end: End) {
        self.prove_no_more();
        self.call.end = Some(end);
        self.call.code = None;
        self.call.ringing = None;
        let speaking = self.addressed;
        let others = self.call.legs.iter_mut().filter(|leg| Some(leg.id) != speaking);
        let mut placed = Vec::new();
        for leg in others {
            leg.put(Reply::hangup().into());
            // A code that was spoken there is kept no longer than it is valid.
            if leg.answered.as_ref().is_some_and(|reply| reply.speaks_code()) {
                leg.answered = Some(Reply::hangup().into());
            }
            placed.extend((leg.role == Role::Callback).then_some(leg.id));
        }
        for leg in placed {
            self.take_down(leg);
        }
    }

    /// Ends a leg that we placed, if it is up or may still come up.
    pub(super) fn take_down(&mut self, leg: LegId) {
        let Some(of) = self.call.leg_mut(leg).filter(|of| of.is_live()) else { return };
        of.status = LegStatus::Canceled;
        of.put(Reply::hangup().into());
        // If its name is not known yet, it is ended as soon as it is.
        if let Some(sid) = of.sid.clone() {
            self.effect(Effect::EndLeg { leg, sid });
        }
    }

    /// Adds a leg that we place; `None`: the call has had too many. The oldest specialist's leg is forgotten
    /// then: somebody else is rung now, and a flow may try as often as it likes.
    pub(super) fn add_leg(&mut self, role: Role) -> Option<(LegId, Nonce)> {
        let last = self.call.legs.iter().map(|leg| leg.id.0).max().unwrap_or_default();
        let id = LegId(last.checked_add(1)?);
        if self.call.legs.len() >= limits::LEGS_MAX {
            let first = self.call.legs.iter().position(|leg| leg.role == Role::Whisper)?;
            self.call.legs.remove(first);
        }
        let nonce = self.fresh_nonce();
        let mut leg = new(id, role, None, nonce);
        leg.present = Reply::hangup().into();
        self.call.legs.push(leg);
        Some((id, nonce))
    }

    /// Speaks to a live leg that has not asked: its present prompt changes, and the leg is redirected there.
    pub(super) fn interrupt(&mut self, leg: LegId) {
        self.addressed = Some(leg);
        let Some(of) = self.call.leg_mut(leg) else { return };
        if of.answered.is_none() {
            of.answered = Some(of.present.clone());
        }
        if let Some(sid) = of.sid.clone() {
            self.effect(Effect::RedirectLeg { leg, sid, undone: false });
        }
    }
}

/// A leg that has not been heard of yet.
pub(super) fn new(id: LegId, role: Role, sid: Option<Sid>, expected: Nonce) -> Leg {
    Leg {
        id,
        role,
        sid,
        effect: None,
        status: LegStatus::Ringing,
        expected,
        spent: None,
        heard: None,
        answered: None,
        present: Arc::default(),
    }
}
