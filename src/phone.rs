//! Telephone numbers in E.164, the only form that is compared.

use std::fmt;

use rlibphonenumber::PHONE_NUMBER_UTIL;
use serde::{Deserialize, Serialize};

use crate::limits;

/// A number in E.164 (`+` and 8 to 15 digits). `Debug` shows its country code alone.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PhoneNumber(String);

impl PhoneNumber {
    /// Reads a number that is already in E.164; nothing is trimmed, guessed or completed, so that an
    /// empty or withheld caller ID can never equal a number on file.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('+')?;
        let length = digits.len();
        let plausible = (limits::PHONE_DIGITS_MIN..=limits::PHONE_DIGITS_MAX).contains(&length)
            && digits.bytes().all(|b| b.is_ascii_digit())
            && !digits.starts_with('0');
        plausible.then(|| Self(text.to_owned()))
    }

    /// The number as `+15005550010`.
    pub fn as_e164(&self) -> &str {
        &self.0
    }

    /// The country's calling code, `1` for North America; `None` if no country has that code.
    pub fn country_code(&self) -> Option<i32> {
        PHONE_NUMBER_UTIL.parse(&self.0, None).ok().map(|number| number.country_code)
    }
}

impl fmt::Debug for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("+***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_e164_is_a_number() {
        assert!(PhoneNumber::parse("+15005550010").is_some());
        for bad in ["", "+", "15005550010", "anonymous", "+1500555001x", "+1 500 555 0010", "+123"]
        {
            assert_eq!(PhoneNumber::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn debug_hides_the_digits() {
        let number = PhoneNumber::parse("+15005550010").unwrap();
        assert_eq!(format!("{number:?}"), "+***");
    }

    #[test]
    fn a_number_knows_its_country() {
        assert_eq!(PhoneNumber::parse("+12125550123").unwrap().country_code(), Some(1));
        assert_eq!(PhoneNumber::parse("+442079460123").unwrap().country_code(), Some(44));
    }
}
