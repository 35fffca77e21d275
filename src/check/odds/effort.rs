//! What a customer has to do to get to a state: keys, and seconds of listening.

use std::time::Duration;

use crate::engine::policy::Policy;
use crate::flow::edge::Label;
use crate::flow::locale::Locale;
use crate::flow::outcome::Outcome;
use crate::flow::prompt::{Piece, Prompt};
use crate::flow::state::{Kind, State};
use crate::flow::states::gather::What;

/// Characters that a voice speaks in a second: 150 words a minute.
pub(super) const CHARS_PER_S: u32 = 15;
/// Seconds until a message or a ring is there.
pub(super) const ARRIVES_S: u32 = 10;
/// Half seconds that a key takes.
const KEYS_PER_S: u32 = 2;

/// What it takes to get somewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Effort {
    /// Seconds on the line.
    pub seconds: u32,
    /// Keys pressed.
    pub keys: u32,
}

/// A customer who is right at once, and one who is right at the last try each time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Way {
    /// At once.
    pub quick: Effort,
    /// At the last try.
    pub slow: Effort,
}

impl Way {
    /// Leaves a state by an edge.
    pub(super) fn leave(&mut self, state: &State, label: &Label, policy: &Policy, locale: &Locale) {
        let keys = keys(&state.kind, label, policy);
        let entered = keys.div_ceil(KEYS_PER_S);
        let Some(listen) = state.kind.listen() else {
            let prompts = state.prompts();
            let said = prompts.into_iter().take(1).map(|prompt| spoken_s(prompt, locale)).sum();
            let seconds = wait_s(&state.kind).max(said);
            self.add(Effort { seconds, keys }, Effort { seconds, keys });
            return;
        };
        let missed = matches!(label, Label::Outcome(outcome) if !good(outcome));
        let tries = u32::from(listen.tries);
        let silence = seconds(listen.timeout);
        let all: u32 = (0..listen.tries).map(|n| spoken_s(listen.wording(n), locale)).sum();
        let first = spoken_s(&listen.prompt, locale);
        let (quick, slow) = if missed {
            (all + silence * tries, all + silence * tries)
        } else {
            (first + entered, all + silence * (tries - 1) + entered)
        };
        self.add(Effort { seconds: quick, keys }, Effort { seconds: slow, keys: keys * tries });
    }

    fn add(&mut self, quick: Effort, slow: Effort) {
        self.quick = self.quick.plus(quick);
        self.slow = self.slow.plus(slow);
    }
}

impl Effort {
    fn plus(self, other: Self) -> Self {
        Self {
            seconds: self.seconds.saturating_add(other.seconds),
            keys: self.keys.saturating_add(other.keys),
        }
    }
}

fn good(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Ok | Outcome::Found | Outcome::Sent | Outcome::Next)
}

fn keys(kind: &Kind, label: &Label, policy: &Policy) -> u32 {
    match (kind, label) {
        (Kind::Menu(_), Label::Key(_)) => 1,
        (_, Label::Outcome(outcome)) if !good(outcome) => 0,
        (Kind::Identify(identify), _) if identify.listen.is_some() => identify.digits.unwrap_or(8),
        (Kind::Gather(gather), _) => match gather.what {
            What::Digits(Some(digits)) => digits,
            _ => 8,
        },
        (Kind::GatherPin(pin), _) => pin.digits.unwrap_or(6),
        (Kind::GatherPasscode(passcode), _) => passcode.digits.unwrap_or(6),
        (Kind::GatherOtp(_), _) => policy.otp.digits,
        (Kind::GatherServiceCode(_), _) => policy.service_code.digits,
        (Kind::Callback(_), _) => policy.callback.code_digits,
        _ => 0,
    }
}

fn wait_s(kind: &Kind) -> u32 {
    match kind {
        Kind::SendSmsOtp(_) => ARRIVES_S,
        // The code is said twice while the telephone rings.
        Kind::Callback(callback) => ARRIVES_S.max(seconds(callback.ring) / 2) + ARRIVES_S,
        _ => 0,
    }
}

/// How long a prompt is in a language.
fn spoken_s(prompt: &Prompt, locale: &Locale) -> u32 {
    let piece = |piece: &Piece| match piece {
        Piece::Pause(seconds) => *seconds,
        Piece::Play(_) => ARRIVES_S,
        Piece::Text(texts) => texts.pick(locale, locale).map_or(0, |(_, text)| {
            let chars = u32::try_from(text.source.chars().count()).unwrap_or(u32::MAX);
            chars.div_ceil(CHARS_PER_S)
        }),
    };
    prompt.pieces.iter().map(piece).fold(0, u32::saturating_add)
}

fn seconds(duration: Duration) -> u32 {
    u32::try_from(duration.as_secs()).unwrap_or(u32::MAX)
}
