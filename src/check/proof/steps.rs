//! How a state can end, what is known then, and how long it may take.

use std::time::Duration;

use super::conditions::{Levels, Split, add, split};
use super::known::{Code, Known};
use crate::flow::edge::Label;
use crate::flow::level::Fact;
use crate::flow::outcome::Outcome;
use crate::flow::prompt::{Piece, Prompt};
use crate::flow::state::{Kind, Listen, State, Target};
use crate::flow::states::gather::What;
use crate::limits;

/// Seconds of one entry that is said, or keyed at once, beyond the silence that ends it.
const ENTRY_S: u32 = 60;
/// Digits of a code that was sent, or is on the web: no policy may ask for more.
const CODE_DIGITS_MAX: u32 = 12;
/// Characters that a slow voice speaks in a second.
const CHARS_PER_S: usize = 8;
/// Seconds between a proof on one leg and the flow's going on with the other.
const POLLED_S: u32 = 5;

/// A way out of a state.
pub(super) struct Way<'f> {
    pub(super) label: Label,
    pub(super) to: &'f Target,
    pub(super) known: Known,
}

/// The ways out of a state that was entered with this known, those of `requires`, `call` and `return`
/// left out.
pub(super) fn ways<'f>(
    state: &'f State,
    known: Known,
    oldest_s: u32,
    levels: &Levels<'_, '_>,
) -> Vec<Way<'f>> {
    match &state.kind {
        Kind::Branch(branch) => {
            let mut ways = Vec::new();
            let mut rest = vec![known];
            for (number, case) in branch.cases.iter().enumerate() {
                for known in std::mem::take(&mut rest) {
                    let Split { holds, fails } = split(&case.when, known, levels);
                    let way = |known| Way { label: Label::Case(number), to: &case.next, known };
                    ways.extend(holds.into_iter().map(way));
                    add(&mut rest, fails);
                }
            }
            if let Some(to) = state.routes.get(&Outcome::Otherwise) {
                let label = Label::Outcome(Outcome::Otherwise);
                ways.extend(rest.into_iter().map(|known| Way { label: label.clone(), to, known }));
            }
            ways
        }
        Kind::Call(_) | Kind::Return(_) | Kind::Hangup(_) | Kind::Reject(_) => Vec::new(),
        kind => {
            let aged = match kind {
                Kind::Say(say) => known.said(spoken_s(&say.prompt), oldest_s),
                Kind::Lookup(_) => known.said(seconds(limits::ASKED_PER_TURN), oldest_s),
                Kind::Set(_) | Kind::SendSmsOtp(_) | Kind::SendEmailOtp(_) | Kind::SendLink(_) => {
                    known
                }
                kind => known.waited(dwell_s(kind), oldest_s),
            };
            let edges = state.edges().into_iter();
            let after = |edge: &crate::flow::edge::Edge<'f>| match &edge.label {
                Label::Key(_) | Label::Phrase(_) | Label::AgentStepUp => vec![aged],
                Label::Outcome(Outcome::Ok) if kind.is_combined() => combined(kind, aged),
                Label::Outcome(outcome) => {
                    let known = if at_once(kind, outcome, known) { known } else { aged };
                    let hidden = *outcome == Outcome::Unavailable && state.hides_contacts();
                    let sends = !matches!(kind, Kind::SendLink(_));
                    let after = after(kind, outcome, known).into_iter();
                    let code = (hidden && sends).then_some(Code::Nobodys);
                    after.map(|known| known.with_code(code.or(known.code))).collect()
                }
                Label::Case(_) | Label::StepUp => Vec::new(),
            };
            let ways = |edge: crate::flow::edge::Edge<'f>| {
                let known = after(&edge).into_iter();
                known.map(move |known| Way { label: edge.label.clone(), to: edge.to, known })
            };
            edges.flat_map(ways).collect()
        }
    }
}

/// Whether a state that waits ends so without having waited.
fn at_once(kind: &Kind, outcome: &Outcome, known: Known) -> bool {
    match kind {
        Kind::GatherOtp(_) => *outcome == Outcome::Expired && known.code.is_none(),
        Kind::Callback(_) => matches!(outcome, Outcome::Unavailable | Outcome::Limited),
        _ => false,
    }
}

/// What is known when a state ends so; `None`: it cannot.
fn after(kind: &Kind, outcome: &Outcome, known: Known) -> Option<Known> {
    let real = known.real && !known.doubt;
    let proved = |fact, age_s| real.then(|| known.proved(fact, age_s).heard(true));
    match (kind, outcome) {
        (_, Outcome::Denied) => None,
        // A locked one leads on like a right one.
        (kind, Outcome::Locked) if kind.is_combined() => None,
        (Kind::Identify(_), Outcome::Found) => Some(known.claims(true)),
        (Kind::Identify(_), _) => Some(known.claims(false)),
        (kind, Outcome::Sent) if let Some(fact) = kind.sends_code() => {
            Some(known.with_code(Some(Code::Of(fact))))
        }
        (
            Kind::SendSmsOtp(_) | Kind::SendEmailOtp(_) | Kind::SendLink(_) | Kind::Callback(_),
            Outcome::Unavailable,
        ) => known.real.then_some(known),
        (Kind::GatherOtp(_), Outcome::Expired) => Some(known),
        (Kind::GatherOtp(_), Outcome::Ok) => {
            known.code_proves().and_then(|fact| proved(fact, 0)).map(|known| known.with_code(None))
        }
        (Kind::GatherOtp(_), _) if known.code.is_none() => None,
        (Kind::GatherOtp(_), Outcome::Undelivered) => {
            known.code_proves().filter(|_| real).map(|_| known)
        }
        (Kind::Callback(_), Outcome::Ok) => proved(Fact::Callback, POLLED_S),
        (kind, Outcome::Ok) if let Some(fact) = kind.proves() => proved(fact, 0),
        (Kind::Callback(_), Outcome::Failed) => real.then_some(known.heard(false)),
        (kind, Outcome::Failed | Outcome::Locked) if kind.takes_secret() => {
            Some(known.heard(false))
        }
        _ => Some(known),
    }
}

/// What is known after an entry of which the caller does not hear whether it was right: it leads the
/// same way if it was and if not.
fn combined(kind: &Kind, known: Known) -> Vec<Known> {
    let fact = match kind {
        Kind::GatherPasscode(_) => Fact::Passcode,
        _ => Fact::Pin,
    };
    let right = (known.real && !known.doubt).then(|| known.on_trial(fact));
    right.into_iter().chain([known.doubted(fact)]).collect()
}

/// The longest that a caller may stay in a state.
pub(super) fn dwell_s(kind: &Kind) -> u32 {
    let long = seconds(limits::CALL_DURATION_MAX);
    match kind {
        Kind::Callback(_) | Kind::Transfer(_) | Kind::Voicemail(_) => long,
        kind => kind.listen().map_or(0, |listen| listened_s(listen, keys(kind))),
    }
}

fn listened_s(listen: &Listen, keys: u32) -> u32 {
    let spoken = listen.prompts().map(spoken_s).max().unwrap_or_default();
    let times = u32::from(listen.tries) + u32::from(limits::REPEATS_MAX) + 1;
    // Silence ends an entry, and whoever keys a little faster than that is waited for key by key.
    let keyed = seconds(listen.timeout).saturating_mul(keys);
    let entry = seconds(listen.timeout).saturating_add(keyed.max(ENTRY_S));
    spoken.saturating_add(entry).saturating_mul(times)
}

/// The keys of one entry, at most.
fn keys(kind: &Kind) -> u32 {
    let most = u32::try_from(limits::DIGITS_MAX).unwrap_or(u32::MAX);
    match kind {
        Kind::Menu(_) => 1,
        Kind::Identify(identify) => identify.digits.unwrap_or(most),
        Kind::GatherPin(pin) => pin.digits.unwrap_or(most),
        Kind::GatherPasscode(passcode) => passcode.digits.unwrap_or(most),
        Kind::Gather(gather) => match gather.what {
            What::Digits(Some(length)) => length,
            _ => most,
        },
        _ => CODE_DIGITS_MAX,
    }
}

fn spoken_s(prompt: &Prompt) -> u32 {
    let piece = |piece: &Piece| match piece {
        Piece::Pause(seconds) => *seconds,
        // Nothing is known of a recording: it may last as long as the call.
        Piece::Play(_) => seconds(limits::CALL_DURATION_MAX),
        Piece::Text(texts) => {
            let fills = |text: &crate::flow::template::Template| !text.uses.is_empty();
            let chars = |text: &crate::flow::template::Template| {
                let filled = if fills(text) { limits::SPOKEN_CHARS_MAX } else { 0 };
                text.source.chars().count() + filled
            };
            let longest = texts.0.values().map(chars).max().unwrap_or_default();
            u32::try_from(longest.div_ceil(CHARS_PER_S)).unwrap_or(u32::MAX)
        }
    };
    prompt.pieces.iter().map(piece).fold(0, u32::saturating_add)
}

fn seconds(duration: Duration) -> u32 {
    u32::try_from(duration.as_secs()).unwrap_or(u32::MAX)
}
