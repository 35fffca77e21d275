//! What the caller hears next, as data: the verbs that [`crate::twiml`] writes.

use serde::{Deserialize, Serialize};

use super::id::Nonce;
use super::is_default;
use crate::secret::Secret;

/// The verbs of one answer, in order. An answer that ends in neither a verb that carries the caller
/// on nor a [`Verb::Hangup`] ends the leg, as the provider does when it runs out of verbs.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Reply {
    /// In the order in which the provider runs them.
    pub verbs: Vec<Verb>,
}

/// One instruction to the provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    /// Something the caller hears.
    Hear(Audible),
    /// Listens, speaking meanwhile.
    Gather(Gather),
    /// Connects the caller to somebody.
    Dial(Dial),
    /// Puts the caller into a queue.
    Enqueue(Enqueue),
    /// Records a message.
    Record(Record),
    /// Fetches the next answer of this leg.
    Redirect(Nonce),
    /// Refuses the call without answering it; only ever the first verb.
    Reject {
        /// Whether the caller hears the busy tone rather than "not in service".
        busy: bool,
    },
    /// Ends the leg.
    Hangup,
}

/// Something heard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Audible {
    /// Spoken text.
    Say(Speech),
    /// A sound file, by its https address.
    Play(String),
    /// Silence, in whole seconds (at least 1).
    Pause(u32),
}

/// Spoken text in one language.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Speech {
    /// The parts, spoken without a break.
    pub words: Vec<Words>,
    /// A BCP 47 tag such as `es-MX`.
    pub locale: String,
    /// The provider's name of a voice; `None`: the provider's choice for the language.
    #[serde(default, skip_serializing_if = "is_default")]
    pub voice: Option<String>,
}

/// A part of a spoken text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Words {
    /// Plain words.
    Text(String),
    /// A code, spoken digit by digit. Never logged.
    Digits(Secret),
}

/// Listens for keys, speech or both.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gather {
    /// Spoken while listening.
    #[serde(default, skip_serializing_if = "is_default")]
    pub prompt: Vec<Audible>,
    /// What is listened for.
    pub input: Input,
    /// The number of keys after which listening ends at once; `None`: no fixed length.
    #[serde(default, skip_serializing_if = "is_default")]
    pub digits: Option<u32>,
    /// Whether `#` ends the entry (otherwise `#` is a key like the others).
    pub hash_ends: bool,
    /// Seconds of silence that end listening.
    pub timeout_s: u32,
    /// Where the input goes.
    pub action: Nonce,
    /// The language listened for.
    pub locale: String,
    /// Words likely to be spoken.
    #[serde(default, skip_serializing_if = "is_default")]
    pub hints: Vec<String>,
    /// Whether input cuts the prompt short.
    pub barge_in: bool,
}

/// What a [`Gather`] listens for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Input {
    /// Keys.
    Dtmf,
    /// Speech.
    Speech,
    /// Whichever comes first.
    DtmfSpeech,
}

/// Connects the caller to somebody.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dial {
    /// Whom.
    pub to: DialTarget,
    /// Seconds of ringing.
    pub timeout_s: u32,
    /// The number shown; `None`: the caller's own.
    #[serde(default, skip_serializing_if = "is_default")]
    pub caller_id: Option<String>,
    /// Where the outcome goes; `None`: the call ends with the dial (the fixed apology alone).
    #[serde(default, skip_serializing_if = "is_default")]
    pub action: Option<Nonce>,
}

/// Whom a [`Dial`] rings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DialTarget {
    /// A number in E.164.
    Number {
        /// The number.
        number: String,
        /// Where the answering party's whisper is fetched.
        whisper: Option<Nonce>,
    },
    /// A SIP address.
    Sip {
        /// `sip:user@host`, without header fields.
        uri: String,
        /// Header fields to send, names beginning with `X-`.
        headers: Vec<(String, String)>,
        /// What vouches for the caller, sent along if there is room for it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        voucher: Option<Secret>,
        /// Where the answering party's whisper is fetched.
        whisper: Option<Nonce>,
    },
    /// A conference room.
    Conference {
        /// Its name.
        name: String,
    },
}

/// Puts the caller into a queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enqueue {
    /// Which.
    pub queue: QueueTarget,
    /// Where the outcome goes.
    pub action: Nonce,
}

/// Where an [`Enqueue`] leads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QueueTarget {
    /// A plain queue by name (at most 64 characters).
    Named(String),
    /// A TaskRouter workflow.
    Workflow {
        /// `WW…`
        sid: String,
        /// The task's attributes: a JSON object as text.
        attributes: String,
        /// What vouches for the caller; it becomes the attribute `voucher`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        voucher: Option<Secret>,
    },
}

/// Records a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Where the outcome goes.
    pub action: Nonce,
    /// Seconds at most.
    pub max_length_s: u32,
    /// Seconds of silence that end it.
    pub timeout_s: u32,
}

impl Reply {
    /// The end of a leg.
    pub fn hangup() -> Self {
        Self { verbs: vec![Verb::Hangup] }
    }

    /// Whether a code is spoken in it.
    pub fn speaks_code(&self) -> bool {
        self.heard().any(|audible| match audible {
            Audible::Say(speech) => speech.words.iter().any(|w| matches!(w, Words::Digits(_))),
            _ => false,
        })
    }

    /// Everything heard in this answer, in order, prompts of gathers included.
    pub fn heard(&self) -> impl Iterator<Item = &Audible> {
        self.verbs.iter().flat_map(|verb| match verb {
            Verb::Hear(audible) => std::slice::from_ref(audible),
            Verb::Gather(gather) => gather.prompt.as_slice(),
            _ => &[],
        })
    }
}

impl Speech {
    /// The text as one string, codes included: for a terminal or a transcript, never for a log.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for words in &self.words {
            match words {
                Words::Text(part) => text.push_str(part),
                Words::Digits(digits) => {
                    let spaced: Vec<_> = digits.expose().chars().map(String::from).collect();
                    text.push_str(&spaced.join(" "));
                }
            }
        }
        text
    }
}
