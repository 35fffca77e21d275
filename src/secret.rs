//! Text that must never be printed: what a caller keys in or says, codes, numbers, ids of customers.
//!
//! Redaction is a property of the type: `Debug` and `Display` cannot give the text away, so no log
//! line, error or panic can. The text is written out in two places alone: a sealed state, and the
//! message or document that exists to carry it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A piece of text whose `Debug` shows three stars.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Wraps a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for the one place that has to write or compare it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether the text is empty.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_never_shows_the_text() {
        assert_eq!(format!("{:?}", Some(Secret::new("2468"))), "Some(***)");
    }
}
