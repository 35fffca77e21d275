//! Words that are stored as their numbers: the names of fields, and what stands in them most often.
//!
//! A word keeps its number for ever: what was stored is read by it. New ones are added at the end, and
//! then an older callgate cannot read what uses them, so with a new version of the envelope. A word
//! that is not here is spelled out.

/// In the order of their numbers. The first 128 take one byte: what every call has.
pub(super) const WORDS: &[&str] = &[
    "id",
    "edition",
    "flow",
    "line",
    "caller",
    "number",
    "attestation",
    "forwarded",
    "started",
    "turns",
    "turn",
    "locale",
    "at",
    "state",
    "claim",
    "account",
    "claims",
    "facts",
    "legs",
    "role",
    "inbound",
    "sid",
    "status",
    "in_progress",
    "expected",
    "spent",
    "heard",
    "present",
    "verbs",
    "gather",
    "prompt",
    "say",
    "words",
    "text",
    "voice",
    "input",
    "dtmf",
    "digits",
    "hash_ends",
    "timeout_s",
    "action",
    "barge_in",
    "speaking",
    "seen",
    "audit",
    "hash",
    "moment",
    "now",
    "seed",
    "event",
    "ring",
    "call",
    "from",
    "hops",
    "outcome",
    "found",
    "nonce",
    "leg",
    "digest",
    "answers",
    "phones",
    "fields",
    "about",
    "deed",
    "ended",
    "identify",
    "A",
    "accounts",
    "calls",
    "verdict",
    "right",
    "wrong",
    "ok",
    "unknown",
    "failed",
    "locked",
    "next",
    "none",
    "None",
    "variables",
    "value",
    "derived",
    "visit",
    "tries",
    "signals",
    "proved",
    "effects",
    "effect",
    "answered",
    "code",
    "factor",
    "fact",
    "pin",
    "passcode",
    "sms_otp",
    "email_otp",
    "callback",
    "service_code",
    "contact",
    "counts",
    "attempt",
    "en-US",
    "Polly.Joanna-Neural",
    "hear",
    "hangup",
    "end",
    "deadline",
    "menu",
    "failures",
    "key",
    "sends",
    "factors",
    "day",
    "year",
    "places",
    "told",
    "entries",
    "after",
    "what",
    "name",
    "over",
    "completed",
    "leg_status",
    "redirect",
    "dtmf_speech",
    "speech",
    "hints",
    "asked",
    "level",
    "label",
    "since",
    "mobile",
    "email",
    "address",
    "fallback_number",
    "input_errors",
    "frames",
    "ringing",
    "last_send",
    "agent_step_up",
    "on_trial",
    "doubt",
    "repeats",
    "accepted",
    "whispers",
    "step_up",
    "agent",
    "result",
    "pending",
    "passed",
    "expires",
    "checks",
    "sender",
    "undelivered",
    "to",
    "phase",
    "tries_left",
    "tried",
    "ring_until",
    "hang_up_first",
    "whisper",
    "caller_left",
    "rejected",
    "remarks",
    "placed",
    "not_placed",
    "delivered",
    "by",
    "dial",
    "queue",
    "recorded",
    "answered_by",
    "busy",
    "no_answer",
    "canceled",
    "bridged",
    "full",
    "left",
    "error",
    "human",
    "machine",
    "fax",
    "play",
    "pause",
    "enqueue",
    "record",
    "reject",
    "max_length_s",
    "caller_id",
    "sip",
    "uri",
    "headers",
    "voucher",
    "conference",
    "named",
    "workflow",
    "looked_up",
    "eligible",
    "notifies",
    "alerted",
    "fits",
    "wrong_line",
    "sim_swapped",
    "reassigned",
    "landline",
    "fixed_voip",
    "voip",
    "decoy",
    "true",
    "false",
    "spent_until",
    "notices",
    "lifted",
    "locked_until",
    "locks",
    "slots",
    "codes",
    "entered",
    "shut_until",
    "keys",
    "callers",
    "blown_until",
    "active",
    "purpose",
    "expires_at",
    "redeemed_by",
    "aal1",
    "aal2",
    "again",
    "attempts",
    "why",
    "tried_until",
    "refused",
    "not_done",
    "send_sms",
    "send_email",
    "begin_verification",
    "place_call",
    "redirect_leg",
    "end_leg",
    "clear_attempts",
    "close_audit",
    "body",
    "valid_for_s",
    "code_until",
    "subject",
    "ring_s",
    "asked_at",
    "undone",
    "whom",
    "reached",
    "passed_over",
    "traceparent",
    "transferred",
    "shared",
    "notified",
    "of",
    "service_code_issued",
    "unlocked",
    "letter_retried",
    "letter_dropped",
    "letter",
    "gather_pin",
    "gather_passcode",
    "send_sms_otp",
    "send_email_otp",
    "send_link",
    "gather_otp",
    "gather_service_code",
    "transfer",
    "voicemail",
    "lookup",
    "branch",
    "set",
    "return",
    "sent",
    "unavailable",
    "limited",
    "expired",
    "no_input",
    "no_match",
    "invalid",
    "declined",
    "denied",
    "otherwise",
    "right_by_one_factor",
    "exhausted",
    "unanswered",
    "disabled",
    "many_accounts",
    "many_calls",
    "look_up_failed",
    "yes",
    "none_left",
    "too_many_hops",
    "too_many_turns",
    "too_deep",
    "no_such_state",
    "no_route",
    "withheld",
    "unspeakable",
    "other_sid",
    "unread",
    "unenforced",
    "B",
    "C",
    "Relayed",
    "Failed",
    "es-MX",
    "es-US",
    "en-GB",
    "en-CA",
    "fr-CA",
    "fr-FR",
    "de-DE",
    "pt-BR",
    "Polly.Matthew-Neural",
    "Polly.Mia-Neural",
    "Polly.Lupe-Neural",
    "Polly.Amy-Neural",
    "Polly.Vicki-Neural",
    "Polly.Lea-Neural",
    "start",
    "done",
    "bye",
    "who",
    "balance",
    "first_name",
    "last_name",
    "last_failures",
    "initiated",
    "medium",
    "low",
    "high",
    "proof",
    "identity",
    "main",
    "welcome",
    "verify",
    "prove",
    "goodbye",
];

/// Words of one byte.
pub(super) const ONE_BYTE: usize = 128;
/// The longest of them.
const BYTES_MAX: usize = longest();
/// Places to look a word up: few are taken, so that it is found in one.
const PLACES: usize = 2_048;
/// In a place that nothing is in.
const NONE: u16 = u16::MAX;
/// The number of each word, at the place that its letters tell or the next free one.
static PLACED: [u16; PLACES] = placed();

/// The word of this number.
pub(super) fn of(number: usize) -> Option<&'static str> {
    WORDS.get(number).copied()
}

/// The number of this word.
pub(super) fn number_of(text: &str) -> Option<usize> {
    if text.len() > BYTES_MAX {
        return None;
    }
    let mut place = place_of(text.as_bytes());
    loop {
        let number = usize::from(*PLACED.get(place)?);
        match WORDS.get(number) {
            Some(word) if *word == text => return Some(number),
            Some(_) => place = (place + 1) % PLACES,
            None => return None,
        }
    }
}

/// By its length and what it begins and ends with: that tells nearly all of them apart.
const fn place_of(text: &[u8]) -> usize {
    let (begin, end) = match (text.first_chunk(), text.last_chunk()) {
        (Some(begin), Some(end)) => (u64::from_le_bytes(*begin), u64::from_le_bytes(*end)),
        _ => match (text.first_chunk(), text.last_chunk()) {
            (Some(begin), Some(end)) => {
                (u32::from_le_bytes(*begin) as u64, u32::from_le_bytes(*end) as u64)
            }
            _ => match text {
                [begin, .., end] => (*begin as u64, *end as u64),
                [all] => (*all as u64, 0),
                [] => (0, 0),
            },
        },
    };
    let mixed = (begin ^ end.rotate_left(29) ^ text.len() as u64).wrapping_mul(MIX);
    (mixed >> 48) as usize % PLACES
}

/// Odd, and its bits are like drawn ones: the fraction of the golden ratio.
const MIX: u64 = 0x9e37_79b9_7f4a_7c15;

#[expect(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "computed when it is compiled: what is wrong does not compile"
)]
const fn placed() -> [u16; PLACES] {
    let mut placed = [NONE; PLACES];
    let mut number = 0;
    while number < WORDS.len() {
        let mut place = place_of(WORDS[number].as_bytes());
        while placed[place] != NONE {
            place = (place + 1) % PLACES;
        }
        placed[place] = number as u16;
        number += 1;
    }
    placed
}

#[expect(clippy::indexing_slicing, reason = "as above")]
const fn longest() -> usize {
    let mut longest = 0;
    let mut number = 0;
    while number < WORDS.len() {
        if WORDS[number].len() > longest {
            longest = WORDS[number].len();
        }
        number += 1;
    }
    longest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_found_by_its_letters() {
        for (number, word) in WORDS.iter().enumerate() {
            assert_eq!(number_of(word), Some(number), "{word}");
        }
        for none in ["", "nonesuch", "Number", "numbers"] {
            assert_eq!(number_of(none), None);
        }
        assert!(WORDS.len() <= ONE_BYTE + 256);
    }

    /// Whoever changes this changes what every store in the field holds: add words at the end alone.
    #[test]
    fn every_word_keeps_its_number() {
        use sha2::{Digest as _, Sha256};
        let hash = Sha256::digest(WORDS.join("\n"));
        assert_eq!((WORDS.len(), hash[0], hash[1]), (341, 195, 178));
    }
}
