//! What a caller hears, by language.

use indexmap::{IndexMap, IndexSet};

use super::locale::Locale;
use super::template::{Template, Use};

/// Something for each of several languages.
#[derive(Clone, Debug, Default)]
pub struct Localized<T>(pub IndexMap<Locale, T>);

impl<T> Localized<T> {
    /// What serves a caller of the language `wanted`, with the language it is in: the tag itself, the
    /// tag shortened (RFC 4647 lookup), the same language in another country, the flow's own
    /// language, or else the first.
    pub fn pick(&self, wanted: &Locale, default: &Locale) -> Option<(&Locale, &T)> {
        let by_chain = |tag: &Locale| {
            tag.chain().find_map(|shorter| self.0.iter().find(|(l, _)| l.as_str() == shorter))
        };
        by_chain(wanted)
            .or_else(|| self.0.iter().find(|(locale, _)| locale.language() == wanted.language()))
            .or_else(|| by_chain(default))
            .or_else(|| self.0.first())
    }
}

/// What a caller hears: texts, sounds and silences in order.
#[derive(Clone, Debug, Default)]
pub struct Prompt {
    /// In order.
    pub pieces: Vec<Piece>,
}

/// A part of a prompt.
#[derive(Clone, Debug)]
pub enum Piece {
    /// Spoken.
    Text(Localized<Template>),
    /// A sound file by its https address.
    Play(Localized<String>),
    /// Silence in whole seconds.
    Pause(u32),
}

impl Prompt {
    /// Every text of the prompt in every language.
    pub fn templates(&self) -> impl Iterator<Item = &Template> {
        self.pieces.iter().flat_map(|piece| match piece {
            Piece::Text(text) => text.0.values().collect::<Vec<_>>(),
            _ => Vec::new(),
        })
    }

    /// The languages in which something of it is written, and the flow's own.
    pub fn locales<'p>(&'p self, own: &'p Locale) -> IndexSet<&'p Locale> {
        let written = self.pieces.iter().flat_map(|piece| match piece {
            Piece::Text(text) => text.0.keys().collect::<Vec<_>>(),
            _ => Vec::new(),
        });
        written.chain([own]).collect()
    }

    /// The texts that a caller of a language is told, in order; `own`: the flow's.
    pub fn texts(&self, locale: &Locale, own: &Locale) -> Vec<&Template> {
        let picked = self.pieces.iter().filter_map(|piece| match piece {
            Piece::Text(text) => text.pick(locale, own),
            _ => None,
        });
        picked.map(|(_, text)| text).collect()
    }

    /// Everything that some language's wording fills in.
    pub fn uses(&self) -> impl Iterator<Item = &Use> {
        self.templates().flat_map(|template| &template.uses)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_language_is_picked() {
        let tag = |text: &str| Locale::parse(text).unwrap();
        let words = Localized(
            [("en-US", 1), ("es", 2), ("pt-BR", 3)].into_iter().map(|(t, v)| (tag(t), v)).collect(),
        );
        let pick = |wanted: &str| *words.pick(&tag(wanted), &tag("en-US")).unwrap().1;
        assert_eq!(pick("en-US"), 1);
        assert_eq!(pick("es-MX"), 2);
        assert_eq!(pick("pt-PT"), 3);
        assert_eq!(pick("de-DE"), 1);
    }
}
