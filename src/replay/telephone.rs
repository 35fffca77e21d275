//! One telephone of a call, as the provider sees it: what the last answer told it to do, and so what
//! its next request can be.

use crate::engine::call::Role;
use crate::engine::event::Heard;
use crate::engine::id::{LegId, Nonce, Sid};
use crate::engine::reply::{
    Audible, Dial, DialTarget, Enqueue, Gather, Input, Record, Reply, Verb,
};
use crate::secret::Secret;

/// A telephone: a leg from the provider's side.
#[derive(Clone, Debug)]
pub struct Telephone {
    /// What it is for.
    pub role: Role,
    /// The leg's number, once known.
    pub leg: Option<LegId>,
    /// The provider's name of the leg.
    pub sid: Sid,
    /// What it does now.
    pub doing: Doing,
    /// The nonces that it has spent, oldest first.
    pub spent: Vec<Nonce>,
}

/// What a telephone does.
#[derive(Clone, Debug)]
pub enum Doing {
    /// It rings; whoever answers fetches this.
    Rings(Nonce),
    /// It listens.
    Listens(Gather),
    /// It records a message.
    Records(Record),
    /// It is being connected to somebody.
    Dials(Dial),
    /// It waits in a queue.
    Queues(Enqueue),
    /// It waits so many seconds and asks again.
    Waits(Nonce, u32),
    /// It is connected to another leg of the call.
    Talks,
    /// It is hung up.
    Over,
}

impl Doing {
    /// What an answer makes a telephone of this role do.
    pub fn after(reply: &Reply, role: Role) -> Self {
        let mut paused_s = 0;
        for verb in &reply.verbs {
            match verb {
                Verb::Hear(Audible::Pause(seconds)) => paused_s += seconds,
                Verb::Hear(_) => {}
                Verb::Gather(gather) => return Self::Listens(gather.clone()),
                Verb::Dial(dial) => return Self::Dials(dial.clone()),
                Verb::Enqueue(enqueue) => return Self::Queues(enqueue.clone()),
                Verb::Record(record) => return Self::Records(record.clone()),
                Verb::Redirect(nonce) => return Self::Waits(*nonce, paused_s),
                Verb::Reject { .. } | Verb::Hangup => return Self::Over,
            }
        }
        // The document of a whisper ends, and the parties are connected.
        if role == Role::Whisper { Self::Talks } else { Self::Over }
    }

    /// The nonce of the telephone's next request.
    pub fn nonce(&self) -> Option<Nonce> {
        match self {
            Self::Rings(nonce) | Self::Waits(nonce, _) => Some(*nonce),
            Self::Listens(gather) => Some(gather.action),
            Self::Records(record) => Some(record.action),
            Self::Dials(dial) => dial.action,
            Self::Queues(enqueue) => Some(enqueue.action),
            Self::Talks | Self::Over => None,
        }
    }

    /// Where the party that is dialled hears its whisper.
    pub fn whisper(&self) -> Option<Nonce> {
        match self {
            Self::Dials(dial) => match &dial.to {
                DialTarget::Number { whisper, .. } | DialTarget::Sip { whisper, .. } => *whisper,
                DialTarget::Conference { .. } => None,
            },
            _ => None,
        }
    }

    /// In words, for whoever expected it to do something else.
    pub fn words(&self) -> &'static str {
        match self {
            Self::Rings(_) => "rings",
            Self::Listens(_) => "listens",
            Self::Records(_) => "records a message",
            Self::Dials(_) => "is being connected",
            Self::Queues(_) => "waits in a queue",
            Self::Waits(..) => "waits to ask again",
            Self::Talks => "is connected",
            Self::Over => "is hung up",
        }
    }
}

/// What the provider makes of keys: those up to `#`, if that ends an entry, and no more than it was told to take.
/// On a telephone that listens only for speech, keys are not heard.
pub fn keyed(gather: &Gather, keys: &str) -> Heard {
    if gather.input == Input::Speech {
        return Heard::default();
    }
    let entry = if gather.hash_ends { keys.split('#').next().unwrap_or_default() } else { keys };
    let most = gather.digits.and_then(|digits| usize::try_from(digits).ok()).unwrap_or(usize::MAX);
    let digits: String = entry.chars().take(most).collect();
    Heard { digits: Secret::new(digits), ..Heard::default() }
}

/// What the provider makes of speech: nothing, if it listens only for keys.
pub fn said(gather: &Gather, words: &str) -> Heard {
    if gather.input == Input::Dtmf {
        return Heard::default();
    }
    Heard { speech: Secret::new(words), ..Heard::default() }
}
