//! `voicemail`: records a message.

use super::super::event::Heard;
use super::super::machine::{Asks, Machine, Next};
use super::super::reply::{Record, Verb};
use super::super::turn::Remark;
use crate::flow::outcome::Outcome;
use crate::flow::states::voicemail::Voicemail;

pub(super) fn enter(m: &mut Machine<'_>, voicemail: &Voicemail) -> Asks<Next> {
    if !m.say(&voicemail.prompt)? {
        return Ok(Next::Fault(Remark::Unspeakable));
    }
    m.reply.verbs.push(Verb::Record(Record {
        action: m.nonce,
        max_length_s: u32::try_from(voicemail.max_length.as_secs()).unwrap_or(120),
        timeout_s: u32::try_from(voicemail.silence.as_secs()).unwrap_or(5),
    }));
    Ok(Next::Wait)
}

pub(super) fn resume(heard: &Heard) -> Next {
    Next::Take(if heard.recorded { Outcome::Ok } else { Outcome::NoInput })
}
