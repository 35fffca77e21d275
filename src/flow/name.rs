//! Names that a flow gives to things. Distinct types, so that a level cannot be taken for a state.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::limits;

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The name as written.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.into())
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name!(
    /// A flow.
    FlowName
);
name!(
    /// A state of one flow.
    StateName
);
name!(
    /// A level of one flow.
    LevelName
);
name!(
    /// A field of an account.
    FieldName
);
name!(
    /// A variable of one flow.
    VariableName
);

/// What a name looks like, for messages.
pub(super) const NAMES: &str = "a name is a letter, then letters, digits, `_` and `-`, 64 at most";

/// Whether a text can be the name of a voice (`Polly.Rémi-Generative`). The names themselves are the provider's,
/// and it adds to them without notice.
pub fn is_voice(text: &str) -> bool {
    (1..=limits::VOICE_BYTES_MAX).contains(&text.len())
        && text.chars().all(|c| c.is_alphanumeric() || "-._".contains(c))
}

/// Whether something is to be filled in in a text: names, phrases and purposes are fixed.
pub fn fills_in(text: &str) -> bool {
    text.contains("{{") || text.contains("{%")
}

/// Whether a text may name a state, a level, a variable: a letter, then letters, digits, `_`, `-`.
pub fn is_name(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
        && text.len() <= 64
}
