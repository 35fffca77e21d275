//! What a request of the provider is to a call as it stands: a turn, something answered before, something
//! out of step, or nothing of its own.

use std::sync::Arc;

use crate::engine::call::{Call, Received, receive};
use crate::engine::event::{Event, Heard};
use crate::engine::id::{LegId, Sid};
use crate::engine::reply::Reply;
use crate::exchange::{Request, Served, Wants};

/// What is to be done about an event, given the call as it stands.
pub(in crate::exchange) enum Deed {
    Step(Event),
    Answer(Arc<Reply>, Served),
    Unknown,
    Nothing,
    /// The copy is older than what is to be done: it does not tell.
    Older,
}

/// What a request is to the call as it stands; `digest`: the keyed digest of what was heard.
pub(in crate::exchange) fn deed_of(request: &Request, digest: &str, call: Option<&Call>) -> Deed {
    let Some(call) = call else {
        return match &request.wants {
            Wants::Ring(ring) => Deed::Step(Event::Ring((**ring).clone())),
            _ => Deed::Unknown,
        };
    };
    let present = |sid: &Sid| match call.leg_of(sid) {
        Some(leg) => Deed::Answer(leg.present.clone(), Served::OutOfStep),
        None => Deed::Nothing,
    };
    match &request.wants {
        Wants::Ring(_) => match call.leg(LegId::INBOUND) {
            Some(leg) => Deed::Answer(leg.present.clone(), Served::Replayed),
            None => Deed::Nothing,
        },
        Wants::Turn(nonce) => match receive(call, *nonce, &request.sid, digest) {
            Received::Fresh(leg) => Deed::Step(Event::Heard {
                leg,
                nonce: *nonce,
                sid: request.sid.clone(),
                heard: Box::new(Heard { digest: digest.to_owned(), ..request.heard.clone() }),
            }),
            Received::Replay { reply, same: true } => Deed::Answer(reply.clone(), Served::Replayed),
            Received::Replay { reply, same: false } => {
                Deed::Answer(reply.clone(), Served::Contradicted)
            }
            Received::Present(reply) => Deed::Answer(reply.clone(), Served::OutOfStep),
            Received::Stranger => Deed::Nothing,
        },
        Wants::Resume(leg) => match call.leg(*leg) {
            Some(leg) if leg.sid.as_ref() == Some(&request.sid) => {
                Deed::Answer(leg.present.clone(), Served::OutOfStep)
            }
            _ => Deed::Nothing,
        },
        Wants::Fallback(nonce) => {
            let leg = call.leg_of(&request.sid);
            let spent = leg.filter(|leg| nonce.is_some() && leg.spent == *nonce);
            match spent {
                _ if call.end.is_some() => Deed::Answer(Reply::hangup().into(), Served::OutOfStep),
                Some(leg) => Deed::Answer(leg.last_answer().clone(), Served::Replayed),
                None => present(&request.sid),
            }
        }
    }
}
