//! Whether somebody may have this PIN or passcode.
//!
//! A secret is refused when it is set, with the reason and without repeating it, if guessers try it early (NIST
//! SP 800-63B, 3.1.1.2) or if it is on file of the customer.

use super::own::Own;
use super::popular;

/// The least digits of a PIN.
pub const PIN_DIGITS_MIN: usize = 6;
/// The least digits of a PIN if short ones are allowed, which takes a limit of ten failures.
pub const SHORT_PIN_DIGITS_MIN: usize = 4;
/// The most digits of a PIN.
pub const PIN_DIGITS_MAX: usize = 12;
/// The least characters of a passcode of words: what NIST SP 800-63B asks of a password beside another factor.
pub const PASSCODE_CHARS_MIN: usize = 8;

/// Words that are guessed before any other.
const GUESSED: [&str; 12] = [
    "password",
    "passcode",
    "secret",
    "letmein",
    "let me in",
    "qwerty",
    "welcome",
    "i don t know",
    "i do not know",
    "sesame",
    "mother",
    "computer",
];

/// Why a secret is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Too short, too long, or not digits.
    #[error("a PIN is {0} to {PIN_DIGITS_MAX} digits, and nothing else")]
    NoPin(usize),
    /// Many people have it.
    #[error("the PIN is {}: guessers try those first", .0.told())]
    Popular(popular::Shape),
    /// It is a number on file.
    #[error("the PIN is part of one of the customer's own numbers")]
    OwnNumber,
    /// It is a date on file.
    #[error("the PIN holds one of the customer's own dates")]
    OwnDate,
    /// Too short or too long.
    #[error(
        "a passcode has {PASSCODE_CHARS_MIN} to {} characters",
        crate::limits::PASSCODE_CHARS_MAX
    )]
    NoPasscode,
    /// Everybody guesses it.
    #[error("the passcode is among the words that are guessed first")]
    Guessed,
    /// It is a word on file.
    #[error("the passcode holds one of the customer's own words or numbers")]
    OwnWord,
}

/// Whether the customer may have this PIN; `shortest` is how many digits it must have.
pub fn pin(pin: &str, own: &Own, shortest: usize) -> Result<(), Refused> {
    if !(shortest..=PIN_DIGITS_MAX).contains(&pin.len()) || !pin.bytes().all(|b| b.is_ascii_digit())
    {
        return Err(Refused::NoPin(shortest));
    }
    if let Some(shape) = popular::shape(pin) {
        return Err(Refused::Popular(shape));
    }
    if own.has_date(pin) {
        return Err(Refused::OwnDate);
    }
    if own.has_number(pin) { Err(Refused::OwnNumber) } else { Ok(()) }
}

/// Whether the customer may have this passcode, in its one canonical form.
pub fn passcode(passcode: &str, own: &Own) -> Result<(), Refused> {
    if passcode.bytes().all(|b| b.is_ascii_digit()) {
        return pin(passcode, own, PIN_DIGITS_MIN);
    }
    let length = passcode.chars().count();
    if !(PASSCODE_CHARS_MIN..=crate::limits::PASSCODE_CHARS_MAX).contains(&length) {
        return Err(Refused::NoPasscode);
    }
    let lower = passcode.to_lowercase();
    if GUESSED.iter().any(|guessed| lower.contains(guessed)) {
        return Err(Refused::Guessed);
    }
    if own.has_word(&lower) { Err(Refused::OwnWord) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_refused_with_the_reason_and_without_itself() {
        let mut own = Own::default();
        own.add("1975-03-08");
        own.add("+15005550142");
        own.add("Ada Lovelace");
        for (entry, refused) in [
            ("8603", Refused::NoPin(6)),
            ("8693170000000", Refused::NoPin(6)),
            ("86031a", Refused::NoPin(6)),
            ("123456", Refused::Popular(popular::Shape::Run)),
            ("080375", Refused::Popular(popular::Shape::Date)),
            ("197542", Refused::OwnDate),
            ("550142", Refused::OwnNumber),
        ] {
            let found = pin(entry, &own, PIN_DIGITS_MIN).unwrap_err();
            assert_eq!(found, refused, "{entry}");
            assert!(!found.to_string().contains(entry));
        }
        assert_eq!(pin("869317", &own, PIN_DIGITS_MIN), Ok(()));
        assert_eq!(pin("5092", &own, SHORT_PIN_DIGITS_MIN), Ok(()));
        assert_eq!(passcode("purple tractor", &own), Ok(()));
        assert_eq!(passcode("blue", &own), Err(Refused::NoPasscode));
        assert_eq!(passcode("my password", &own), Err(Refused::Guessed));
        assert_eq!(passcode("countess lovelace", &own), Err(Refused::OwnWord));
        assert_eq!(passcode("123456", &own), Err(Refused::Popular(popular::Shape::Run)));
    }
}
