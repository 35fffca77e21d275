//! Values that variables and account fields hold.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::limits::WHOLE_MAX;

/// A value. Its `Debug` tells the kind alone, for what a caller said may be anything.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Value {
    /// `true` or `false`.
    Flag(bool),
    /// A number.
    Number(f64),
    /// Anything else, dates (`2026-12-25`) included.
    Text(String),
}

impl Value {
    /// The value as words, numbers without needless decimals.
    pub fn words(&self) -> String {
        match self {
            Self::Flag(flag) => flag.to_string(),
            Self::Number(number) => number.to_string(),
            Self::Text(text) => text.clone(),
        }
    }

    /// The value in JSON for others: a whole number without decimals, which not every reader takes for one.
    pub fn json(&self) -> serde_json::Value {
        match self {
            Self::Flag(flag) => (*flag).into(),
            #[expect(
                clippy::cast_possible_truncation,
                reason = "it has no decimals, and its bounds"
            )]
            Self::Number(number) if number.fract() == 0.0 && number.abs() <= WHOLE_MAX => {
                (*number as i64).into()
            }
            Self::Number(number) => (*number).into(),
            Self::Text(text) => text.as_str().into(),
        }
    }

    /// The value as others are shown it: a text is one line, without characters that a screen obeys and nobody
    /// sees. Somebody else wrote it, and its reader is to see all of it, in its order, in its place.
    pub fn shown(&self) -> Cow<'_, Self> {
        match self {
            Self::Text(text) if text.chars().any(|c| breaks(c) || steers(c)) => {
                let kept = text.chars().filter(|c| breaks(*c) || !steers(*c));
                Cow::Owned(Self::Text(kept.map(|c| if breaks(c) { ' ' } else { c }).collect()))
            }
            _ => Cow::Borrowed(self),
        }
    }

    /// The value as a number; a text of digits counts as one.
    pub fn as_number(&self) -> Option<f64> {
        match self {
            Self::Flag(_) => None,
            Self::Number(number) => Some(*number),
            Self::Text(text) => text.trim().parse().ok().filter(|n: &f64| n.is_finite()),
        }
    }

    /// Whether two values are the same, a text of digits and its number included.
    pub fn is(&self, other: &Value) -> bool {
        match (self, other) {
            (Self::Number(_), _) | (_, Self::Number(_)) => self
                .as_number()
                .zip(other.as_number())
                .is_some_and(|(a, b)| a.total_cmp(&b).is_eq()),
            _ => self == other,
        }
    }
}

/// Whether a reader may end a line there.
fn breaks(c: char) -> bool {
    (c.is_control() && c.is_whitespace()) || matches!(c, '\u{2028}' | '\u{2029}')
}

/// Whether it steers what is shown, and is not shown itself: control characters, and those that turn the
/// direction of writing (Unicode's UAX 9).
fn steers(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

impl std::fmt::Debug for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Flag(_) => "Flag(***)",
            Self::Number(_) => "Number(***)",
            Self::Text(_) => "Text(***)",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_equal_their_number() {
        assert!(Value::Text("500".into()).is(&Value::Number(500.0)));
        assert!(!Value::Text("five".into()).is(&Value::Number(5.0)));
        assert!(Value::Text("a".into()).is(&Value::Text("a".into())));
        assert!(!Value::Flag(true).is(&Value::Number(1.0)));
    }

    #[test]
    fn a_whole_number_has_no_decimals_in_json() {
        let json = |number: f64| Value::Number(number).json().to_string();
        for (number, written) in [
            (2.0, "2"),
            (-1_234.0, "-1234"),
            (-0.0, "0"),
            (1_234.56, "1234.56"),
            (9_007_199_254_740_992.0, "9007199254740992"),
            (1e300, "1e+300"),
            (f64::NAN, "null"),
        ] {
            assert_eq!(json(number), written);
        }
        assert_eq!(Value::Text("2.0".into()).json(), "2.0");
        assert_eq!(Value::Flag(true).json(), true);
    }

    #[test]
    fn a_text_is_shown_as_one_line_in_its_order() {
        let shown = |text: &str| Value::Text(text.into()).shown().words();
        assert_eq!(
            shown("plain, \u{e9} \u{1f642} \u{5d0}\u{5d1}"),
            "plain, \u{e9} \u{1f642} \u{5d0}\u{5d1}"
        );
        assert_eq!(shown("a\r\nb\tc\u{2028}d\u{85}e"), "a  b c d e");
        assert_eq!(shown("\u{202e}321\u{2066}\u{61c}x\u{200f}\u{0}\u{1b}[2J"), "321x[2J");
        assert_eq!(shown(""), "");
        assert_eq!(Value::Number(5.5).shown().words(), "5.5");
    }
}
