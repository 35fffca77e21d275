//! Telephone numbers in E.164, the only form that is compared.

use std::fmt;
use std::sync::LazyLock;

use quick_cache::sync::Cache;
use rlibphonenumber::{PHONE_NUMBER_UTIL, PhoneNumberType};
use serde::{Deserialize, Serialize};

use crate::limits;

/// The number that a dialled party is shown if the caller shows none: the `line` they called. A provider passes
/// on what the caller shows, and if that is no number, networks may refuse the call (Twilio, error 13214).
pub fn shown_instead(line: &str, caller: Option<&PhoneNumber>) -> Option<String> {
    PhoneNumber::parse(line).filter(|_| caller.is_none()).map(|line| line.0)
}

/// A number in E.164 (`+` and 8 to 15 digits). `Debug` shows only its country code.
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

    /// The country as in ISO 3166 (`US`, `CA` and `JM` have one calling code); `None` if no country
    /// has such numbers.
    pub fn country(&self) -> Option<String> {
        self.told().country
    }

    /// The country's calling code, which several countries may share.
    pub fn calling_code(&self) -> Option<i32> {
        self.told().calling_code
    }

    /// Whether sending to it or ringing it costs more than a person's telephone, or reaches nobody: premium rate,
    /// shared cost, freephone, company-wide, pager and voicemail numbers, and personal ones except those of North
    /// America, which cost what others do.
    pub fn costs_extra(&self) -> bool {
        self.told().costs_extra
    }

    /// What the plans say of the number. It is the same every time, and looking it up takes longer than a turn of
    /// a call, so the result is kept.
    fn told(&self) -> Told {
        static KEPT: LazyLock<Cache<PhoneNumber, Told>> =
            LazyLock::new(|| Cache::new(limits::NUMBERS_TOLD));
        if let Some(told) = KEPT.get(self) {
            return told;
        }
        let told = Told::of(self);
        KEPT.insert(self.clone(), told.clone());
        told
    }

    /// The number without its last four digits: those of one block, often of one owner.
    pub fn prefix(&self) -> &str {
        let end = self.0.len().saturating_sub(4);
        self.0.get(..end).unwrap_or_default()
    }
}

const NORTH_AMERICA: i32 = 1;

/// What the countries' numbering plans say of a number.
#[derive(Clone)]
struct Told {
    country: Option<String>,
    calling_code: Option<i32>,
    costs_extra: bool,
}

impl Told {
    fn of(number: &PhoneNumber) -> Self {
        use PhoneNumberType::{
            Pager, PersonalNumber, PremiumRate, SharedCost, TollFree, UAN, VoiceMail,
        };
        let Ok(number) = PHONE_NUMBER_UTIL.parse(&number.0, None) else {
            return Self { country: None, calling_code: None, costs_extra: true };
        };
        let country = PHONE_NUMBER_UTIL.get_region_for_number(&number);
        let costs_extra = match PHONE_NUMBER_UTIL.get_number_type(&number) {
            PremiumRate | SharedCost | TollFree | UAN | Pager | VoiceMail => true,
            PersonalNumber => number.country_code != NORTH_AMERICA,
            _ => false,
        };
        Self {
            country: country.map(|region| region.to_string()),
            calling_code: Some(number.country_code),
            costs_extra,
        }
    }
}

/// The countries that can be recognised by a number, as in ISO 3166.
pub fn countries() -> Vec<String> {
    PHONE_NUMBER_UTIL.get_supported_regions().map(|region| region.to_string()).collect()
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
        let country = |text: &str| PhoneNumber::parse(text).unwrap().country();
        assert_eq!(country("+12125550123").as_deref(), Some("US"));
        assert_eq!(country("+14165550123").as_deref(), Some("CA"));
        assert_eq!(country("+18765550123").as_deref(), Some("JM"));
        assert_eq!(country("+442079460123").as_deref(), Some("GB"));
        assert_eq!(country("+99912345678"), None);
    }

    #[test]
    fn premium_numbers_are_known() {
        let costs_extra = |text: &str| PhoneNumber::parse(text).unwrap().costs_extra();
        // Premium rate, shared cost, freephone, a British personal number, a French premium one.
        let dear =
            ["+19002345678", "+448712345678", "+18005550123", "+447012345678", "+33891234567"];
        for number in dear {
            assert!(costs_extra(number), "{number}");
        }
        for number in ["+12125550123", "+447400123456", "+15005550010", "+33612345678"] {
            assert!(!costs_extra(number), "{number}");
        }
    }
}
