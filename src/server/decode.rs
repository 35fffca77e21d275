//! The provider's words become ours.

use std::collections::BTreeSet;

use super::intake::Form;
use crate::engine::event::{AnsweredBy, DialStatus, Heard, LegStatus, QueueResult, Ring};
use crate::engine::id::{CallId, Nonce, Sid};
use crate::flow::condition::Attestation;
use crate::limits;
use crate::phone::{self, PhoneNumber};
use crate::secret::Secret;

/// What the provider shows for a number that is withheld: ANONYMOUS, RESTRICTED, BLOCKED, UNKNOWN and
/// UNAVAILABLE on the keys of a telephone.
const WITHHELD: [&str; 5] = ["+266696687", "+7378742833", "+2562533", "+8656696", "+86282452253"];

/// The provider's name of the leg; `None`: it is missing, or not a name.
pub(super) fn sid(form: &Form) -> Option<Sid> {
    let text = form.get("CallSid");
    let plausible = !text.is_empty()
        && text.len() <= limits::SID_CHARS_MAX
        && text.bytes().all(|byte| byte.is_ascii_graphic());
    plausible.then(|| Sid(text.to_owned()))
}

/// Somebody calls the line of that number.
pub(super) fn ring(form: &Form, call: CallId, sid: Sid, flow: &str, line: &str) -> Ring {
    Ring {
        call,
        sid,
        flow: flow.to_owned(),
        line: line.chars().take(limits::SID_CHARS_MAX).collect(),
        from: caller(form),
        attestation: attestation(form.get("StirVerstat")),
        forwarded: !form.get("ForwardedFrom").is_empty(),
        signals: BTreeSet::new(),
    }
}

/// The number that a caller shows.
pub(super) fn caller(form: &Form) -> Option<PhoneNumber> {
    PhoneNumber::parse(form.get("From")).filter(|_| !WITHHELD.contains(&form.get("From")))
}

/// What a dialled number is shown if the caller shows none: the number of that line.
pub(super) fn shown_instead(form: &Form, line: &str) -> Option<String> {
    phone::shown_instead(line, caller(form).as_ref())
}

/// What was heard on a leg.
pub(super) fn heard(form: &Form) -> Heard {
    Heard {
        // One more than any prompt takes, so that a longer entry stays too long.
        digits: bounded(form.get("Digits"), limits::DIGITS_MAX + 1),
        speech: bounded(form.get("SpeechResult"), limits::SPEECH_CHARS_MAX),
        dial: dial_status(form.get("DialCallStatus")),
        queue: queue_result(form.get("QueueResult")),
        recorded: !form.get("RecordingUrl").is_empty() && form.get("RecordingDuration") != "0",
        answered_by: answered_by(form.get("AnsweredBy")),
        over: leg_status(form.get("CallStatus")).is_some_and(LegStatus::is_final),
        ..Heard::default()
    }
}

/// Whether somebody has taken the caller out of the queue without us: as TaskRouter does when a specialist
/// accepts who talks to callers in a conference; or as a specialist does who passes a caller on, or is about to
/// talk to them. The provider says so at once, and follows them and not the answer.
pub(super) fn is_elsewhere(form: &Form) -> bool {
    const WORDS: [&str; 4] = [
        "redirected",
        "redirected-from-bridged",
        "bridging-in-process",
        // As older pages of the provider spell it.
        "bridging-in-progress",
    ];
    WORDS.contains(&form.get("QueueResult"))
}

/// A leg's status; `None`: an unknown word.
pub(super) fn leg_status(word: &str) -> Option<LegStatus> {
    Some(match word {
        "queued" | "initiated" | "ringing" => LegStatus::Ringing,
        "in-progress" | "answered" => LegStatus::InProgress,
        "completed" => LegStatus::Completed,
        "busy" => LegStatus::Busy,
        "no-answer" => LegStatus::NoAnswer,
        "failed" => LegStatus::Failed,
        // The provider's own pages spell it both ways.
        "canceled" | "cancelled" => LegStatus::Canceled,
        _ => return None,
    })
}

/// Whether a message is known not to have arrived (`Some(true)`), or to have arrived.
pub(super) fn undelivered(form: &Form) -> Option<bool> {
    match form.get("MessageStatus") {
        "undelivered" | "failed" | "canceled" => Some(true),
        "delivered" | "read" => Some(false),
        _ => None,
    }
}

/// The call and the nonce in the URL whose answer was of no use to the provider.
pub(super) fn failed_url(form: &Form) -> (Option<CallId>, Option<Nonce>) {
    let path = form.get("ErrorUrl").split(['?', '#']).next().unwrap_or_default();
    let mut parts = path.rsplit('/');
    let last = parts.next().unwrap_or_default();
    (parts.next().and_then(CallId::parse), Nonce::parse(last))
}

fn bounded(text: &str, chars_max: usize) -> Secret {
    let end = text.char_indices().nth(chars_max).map_or(text.len(), |(at, _)| at);
    Secret::new(text.split_at(end).0)
}

fn dial_status(word: &str) -> Option<DialStatus> {
    Some(match word {
        "completed" => DialStatus::Completed,
        "answered" => DialStatus::Answered,
        "busy" => DialStatus::Busy,
        "no-answer" => DialStatus::NoAnswer,
        "canceled" | "cancelled" => DialStatus::Canceled,
        "" => return None,
        _ => DialStatus::Failed,
    })
}

fn queue_result(word: &str) -> Option<QueueResult> {
    Some(match word {
        "bridged" => QueueResult::Bridged,
        "hangup" => QueueResult::Hangup,
        "queue-full" => QueueResult::Full,
        "leave" => QueueResult::Left,
        "" => return None,
        _ => QueueResult::Error,
    })
}

fn answered_by(word: &str) -> Option<AnsweredBy> {
    Some(match word {
        "" => return None,
        "human" => AnsweredBy::Human,
        "fax" => AnsweredBy::Fax,
        word if word.starts_with("machine") => AnsweredBy::Machine,
        _ => AnsweredBy::Unknown,
    })
}

/// The network's verdict on the number, exactly as it is written: a diverted or passed-through signature is
/// another network's, and whatever is padded or spelt differently counts as no verdict.
fn attestation(word: &str) -> Attestation {
    match word {
        "TN-Validation-Passed-A" => Attestation::A,
        "TN-Validation-Passed-B" => Attestation::B,
        "TN-Validation-Passed-C" => Attestation::C,
        "TN-Validation-Passed-A-Diverted"
        | "TN-Validation-Passed-B-Diverted"
        | "TN-Validation-Passed-C-Diverted"
        | "TN-Validation-Passed-A-Passthrough"
        | "TN-Validation-Passed-B-Passthrough"
        | "TN-Validation-Passed-C-Passthrough" => Attestation::Relayed,
        "TN-Validation-Failed-A"
        | "TN-Validation-Failed-B"
        | "TN-Validation-Failed-C"
        | "TN-Validation-Failed-A-Diverted"
        | "TN-Validation-Failed-B-Diverted"
        | "TN-Validation-Failed-C-Diverted"
        | "TN-Validation-Failed-A-Passthrough"
        | "TN-Validation-Failed-B-Passthrough"
        | "TN-Validation-Failed-C-Passthrough" => Attestation::Failed,
        // Nothing could be validated: that is no verdict on the number.
        "" | "NULL" | "No-TN-Validation" | "TN-Validation-Failed" => Attestation::None,
        _ => {
            tracing::warn!(
                bytes = word.len(),
                "the network's verdict on a number has a name that we do not know"
            );
            Attestation::None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A flow keeps what was heard, and a body could contain much of it.
    #[test]
    fn no_more_is_taken_of_what_was_heard_than_a_prompt_takes() {
        for (text, taken) in [
            ("", ""),
            ("123", "123"),
            ("1234", "123"),
            ("\u{e9}\u{e8}\u{ea}\u{eb}", "\u{e9}\u{e8}\u{ea}"),
        ] {
            assert_eq!(bounded(text, 3).expose(), taken);
        }
    }

    #[test]
    fn each_of_the_networks_words_is_known_exactly() {
        let mut words = vec![
            ("NULL".to_owned(), Attestation::None),
            ("No-TN-Validation".to_owned(), Attestation::None),
            ("TN-Validation-Failed".to_owned(), Attestation::None),
        ];
        for (letter, direct) in
            [("A", Attestation::A), ("B", Attestation::B), ("C", Attestation::C)]
        {
            words.push((format!("TN-Validation-Passed-{letter}"), direct));
            words.push((format!("TN-Validation-Failed-{letter}"), Attestation::Failed));
            for by in ["Diverted", "Passthrough"] {
                words.push((format!("TN-Validation-Passed-{letter}-{by}"), Attestation::Relayed));
                words.push((format!("TN-Validation-Failed-{letter}-{by}"), Attestation::Failed));
            }
        }
        assert_eq!(words.len(), 21);
        for (word, meant) in &words {
            assert_eq!(attestation(word), *meant, "{word}");
            let mutants = [
                word.to_lowercase(),
                format!(" {word}"),
                format!("{word} "),
                format!("{word}-Diverted-"),
                word.replacen('-', "", 1) + "-",
            ];
            for other in mutants {
                assert_eq!(attestation(&other), Attestation::None, "{other}");
            }
        }
    }
}
