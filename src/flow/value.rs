//! Values that variables and account fields hold.

use serde::{Deserialize, Serialize};

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
}
