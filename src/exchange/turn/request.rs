//! A request of the provider, and what it is to a call as it stands: a turn, something answered before,
//! something out of step, or nothing of its own.

use std::sync::Arc;

use super::take::{Done, Meaning, Served, Taken};
use crate::engine::call::{Call, Received, receive};
use crate::engine::event::{Event, Heard, Ring};
use crate::engine::id::{CallId, LegId, Nonce, Sid};
use crate::engine::reply::Reply;
use crate::exchange::{Exchange, ExchangeError};

/// A request of the provider for a leg's next answer.
#[derive(Clone, Debug)]
pub struct Request {
    /// The call.
    pub call: CallId,
    /// The provider's name of the leg.
    pub sid: Sid,
    /// What is asked for.
    pub wants: Wants,
    /// What was heard on the leg.
    pub heard: Heard,
    /// Who takes callers whom the flow cannot serve.
    pub fallback_number: Option<String>,
}

/// What a request asks for.
#[derive(Clone, Debug)]
pub enum Wants {
    /// The first answer of a new call, or the present prompt of one that has moved on.
    Ring(Box<Ring>),
    /// The answer that this nonce buys.
    Turn(Nonce),
    /// The leg's present prompt.
    Resume(LegId),
    /// The answer that the spent nonce had, or else the present prompt.
    Fallback(Option<Nonce>),
}

/// An answer to a request.
#[derive(Clone, Debug)]
pub struct Answered {
    /// What the leg does next.
    pub reply: Arc<Reply>,
    /// What the request was to the call.
    pub served: Served,
    /// Whether the time that the answer takes must not tell what was found.
    pub discreet: bool,
}

impl Exchange {
    /// Answers a request for a leg's next answer.
    pub async fn serve(&self, request: &Request) -> Result<(Reply, Served), ExchangeError> {
        let Answered { reply, served, .. } = self.receive(request).await?;
        Ok((Arc::unwrap_or_clone(reply), served))
    }

    /// The same, and whether the answer may be given at once.
    pub async fn receive(&self, request: &Request) -> Result<Answered, ExchangeError> {
        let Heard { digits, speech, .. } = &request.heard;
        let parts = [digits.expose().as_bytes(), speech.expose().as_bytes()];
        let digest = self.vault.keyed_short("heard", &parts);
        let fallback = request.fallback_number.as_deref();
        let meaning = |call: Option<&Call>| meaning_of(request, &digest, call);
        let done = self.turn(request.call, &[], fallback, meaning).await?;
        if matches!(done, Done::Answer(_, Served::Contradicted)) {
            tracing::warn!(call.id = %request.call, "another entry was sent for a spent nonce");
        }
        let at_once = |reply, served| Answered { reply, served, discreet: false };
        Ok(match done {
            Done::Turn(Taken { reply, discreet, .. }) => {
                Answered { reply, served: Served::Turn, discreet }
            }
            Done::Answer(reply, served) => at_once(reply, served),
            Done::Unknown => at_once(Reply::hangup().into(), Served::Unknown),
            Done::Nothing => at_once(Reply::hangup().into(), Served::Stranger),
        })
    }
}

/// What a request means to the call as it stands; `digest`: the keyed digest of what was heard.
fn meaning_of(request: &Request, digest: &str, call: Option<&Call>) -> Meaning {
    let Some(call) = call else {
        return match &request.wants {
            Wants::Ring(ring) => Meaning::Step(Event::Ring((**ring).clone())),
            _ => Meaning::Unknown,
        };
    };
    let present = |sid: &Sid| match call.leg_of(sid) {
        Some(leg) => Meaning::Answer(leg.present.clone(), Served::OutOfStep),
        None => Meaning::Nothing,
    };
    match &request.wants {
        Wants::Ring(_) => match call.leg(LegId::INBOUND) {
            Some(leg) => Meaning::Answer(leg.present.clone(), Served::Replayed),
            None => Meaning::Nothing,
        },
        Wants::Turn(nonce) => match receive(call, *nonce, &request.sid, digest) {
            Received::Fresh(leg) => Meaning::Step(Event::Heard {
                leg,
                nonce: *nonce,
                sid: request.sid.clone(),
                heard: Box::new(Heard { digest: digest.to_owned(), ..request.heard.clone() }),
            }),
            Received::Replay { reply, same: true } => {
                Meaning::Answer(reply.clone(), Served::Replayed)
            }
            Received::Replay { reply, same: false } => {
                Meaning::Answer(reply.clone(), Served::Contradicted)
            }
            Received::Present(reply) => Meaning::Answer(reply.clone(), Served::OutOfStep),
            Received::Stranger => Meaning::Nothing,
        },
        Wants::Resume(leg) => match call.leg(*leg) {
            Some(leg) if leg.sid.as_ref() == Some(&request.sid) => {
                Meaning::Answer(leg.present.clone(), Served::OutOfStep)
            }
            _ => Meaning::Nothing,
        },
        Wants::Fallback(nonce) => {
            let leg = call.leg_of(&request.sid);
            let spent = leg.filter(|leg| nonce.is_some() && leg.spent == *nonce);
            match spent {
                _ if call.end.is_some() => {
                    Meaning::Answer(Reply::hangup().into(), Served::OutOfStep)
                }
                Some(leg) => Meaning::Answer(leg.last_answer().clone(), Served::Replayed),
                None => present(&request.sid),
            }
        }
    }
}
