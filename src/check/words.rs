//! What a prompt says, word by word, as far as that is known before it is filled in.

use indexmap::IndexMap;

use crate::flow::locale::Locale;
use crate::flow::prompt::{Piece, Prompt};
use crate::flow::template::Template;

/// The words of a text, lowercase, without punctuation. What is filled in is left out; `*` and `#`
/// are words.
pub(super) fn words(text: &str) -> Vec<String> {
    let lower = spoken(text).to_lowercase().replace('*', " * ").replace('#', " # ");
    let kept = |c: char| c.is_alphanumeric() || matches!(c, '*' | '#' | '\'');
    lower.split(|c| !kept(c)).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// The text without what a template fills in or decides.
pub(super) fn spoken(text: &str) -> String {
    let mut rest = text;
    let mut said = String::new();
    while let Some(start) = rest.find('{') {
        let (before, tag) = rest.split_at(start);
        let close = match tag.get(..2) {
            Some("{{") => "}}",
            Some("{%") => "%}",
            Some("{#") => "#}",
            _ => "{",
        };
        said.push_str(before);
        said.push(' ');
        let after = tag.find(close).and_then(|end| tag.get(end + close.len()..));
        rest = after.unwrap_or_default();
    }
    said.push_str(rest);
    said
}

/// The texts of a prompt by language. A piece that is in one language alone is left out of the
/// others.
pub(super) fn by_language(prompt: &Prompt) -> IndexMap<&Locale, Vec<&Template>> {
    let mut texts: IndexMap<&Locale, Vec<&Template>> = IndexMap::new();
    for piece in &prompt.pieces {
        if let Piece::Text(text) = piece {
            for (locale, template) in &text.0 {
                texts.entry(locale).or_default().push(template);
            }
        }
    }
    texts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_filled_in_is_no_word() {
        let text = "You owe {{ sum | money }}. {% if a %}Press 1, {% endif %}or don't* {x";
        assert_eq!(words(text), ["you", "owe", "press", "1", "or", "don't", "*", "x"]);
        assert_eq!(spoken("a {{ b"), "a  ");
    }
}
