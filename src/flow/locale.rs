//! Languages, as BCP 47 tags.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::diagnostic::fix::{Fix, Spelling};
use crate::diagnostic::{Finding, Place};

/// What a language looks like, for messages.
const LOCALES: &str = "a language is its code, with a country where that matters: `en`, `es-MX`";

/// A language tag such as `en`, `es-MX` or `cmn-Hans-CN`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Locale(Arc<str>);

impl Locale {
    /// Reads a tag: a language of two or three letters, then subtags of two to eight.
    pub fn parse(text: &str) -> Option<Self> {
        let mut subtags = text.split('-');
        let language = subtags.next()?;
        let well_formed = (2..=3).contains(&language.len())
            && language.bytes().all(|b| b.is_ascii_lowercase())
            && subtags.all(|s| {
                (2..=8).contains(&s.len()) && s.bytes().all(|b| b.is_ascii_alphanumeric())
            });
        well_formed.then(|| Self(text.into()))
    }

    /// The tag.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The language alone: `es` of `es-MX`.
    pub fn language(&self) -> &str {
        self.0.split('-').next().unwrap_or(&self.0)
    }

    /// The tag and what remains when its last subtag is taken away, again and again (RFC 4647,
    /// section 3.4): `es-MX`, `es`.
    pub fn chain(&self) -> impl Iterator<Item = &str> {
        std::iter::successors(Some(&*self.0), |tag| tag.rsplit_once('-').map(|(rest, _)| rest))
    }
}

/// What is said of a text that names no language.
pub(super) fn no_language(text: &str, place: Place, spelling: Spelling) -> Finding {
    let message = format!("`{text}` is not a language such as en-US");
    let finding = Finding::error("bad-locale", message, place.clone()).help(LOCALES);
    // Elsewhere it is written with an underscore.
    let meant = text.replace('_', "-");
    let fix = Locale::parse(&meant).map(|_| Fix::respell(&meant, place, spelling));
    finding.fix(fix)
}

impl fmt::Display for Locale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_checked_and_fall_back() {
        for good in ["en", "es-MX", "cmn-Hans-CN", "fil-PH"] {
            assert!(Locale::parse(good).is_some(), "{good}");
        }
        for bad in ["", "e", "EN", "en_US", "english", "en-", "en-U"] {
            assert!(Locale::parse(bad).is_none(), "{bad}");
        }
        let tag = Locale::parse("cmn-Hans-CN").unwrap();
        assert_eq!(tag.chain().collect::<Vec<_>>(), ["cmn-Hans-CN", "cmn-Hans", "cmn"]);
    }
}
