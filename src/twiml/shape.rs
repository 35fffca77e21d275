//! Which strings the provider can use as an address, a number or a name.

use std::borrow::Cow;

use crate::limits;

/// Whether XML 1.0 (section 2.2) lets a document hold the character.
pub(super) fn is_legal(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..)
}

/// The text without control characters and what else XML forbids; line breaks and tabs become
/// spaces, so that no reader's normalisation changes the text.
pub(super) fn clean(text: &str) -> Cow<'_, str> {
    let is_plain = |c: char| is_legal(c) && !c.is_control();
    // Most text is ASCII, and looked through much sooner.
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) || text.chars().all(is_plain) {
        return Cow::Borrowed(text);
    }
    let spaced = text.chars().map(|c| if c.is_control() && c.is_whitespace() { ' ' } else { c });
    Cow::Owned(spaced.filter(|c| is_plain(*c)).collect())
}

/// Whether the text is an absolute http or https address.
pub(super) fn is_url(text: &str) -> bool {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let host = rest.and_then(|rest| rest.split(['/', '?', '#']).next());
    host.is_some_and(|host| !host.is_empty())
        && text.len() <= limits::URL_BYTES_MAX
        && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Whether the text is a number that can be dialled or shown.
pub(super) fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('+').unwrap_or(text);
    (limits::DIAL_DIGITS_MIN..=limits::PHONE_DIGITS_MAX).contains(&digits.len())
        && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether the text is a SIP address without header fields.
pub(super) fn is_sip(text: &str) -> bool {
    let rest = text.strip_prefix("sips:").or_else(|| text.strip_prefix("sip:"));
    rest.is_some_and(|rest| !rest.is_empty())
        && text.len() <= limits::SIP_BYTES_MAX
        && text.bytes().all(|byte| byte.is_ascii_graphic() && !b"?<>\"&".contains(&byte))
}

/// Whether the text names a TaskRouter workflow.
pub(super) fn is_workflow(text: &str) -> bool {
    text.strip_prefix("WW")
        .is_some_and(|hex| hex.len() == 32 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// Whether the text is a name of at most `chars_max` characters: clean and not blank.
pub(super) fn is_name(text: &str, chars_max: usize) -> bool {
    !text.trim().is_empty()
        && text.chars().count() <= chars_max
        && text.chars().all(|c| is_legal(c) && !c.is_control())
}

/// Whether the text is a JSON object.
pub(super) fn is_object(text: &str) -> bool {
    serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(text).is_ok()
}
