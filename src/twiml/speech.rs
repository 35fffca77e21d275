//! Spoken text as the provider wants it: codes spelled out, cut into pieces that it can speak.

use super::element::Element;
use super::language;
use super::shape::clean;
use crate::engine::reply::{Speech, Words};
use crate::flow::name::is_voice;
use crate::limits::{SAY_BYTES_MAX, SAY_ENCODED_BYTES_MAX};

/// The `<Say>` elements of a speech: none if it says nothing, several if one cannot hold it.
pub(super) fn say(speech: &Speech) -> Vec<Element<'_>> {
    let language = language::say(&speech.locale);
    let voice = speech.voice.as_deref().filter(|voice| is_voice(voice));
    let text = spoken(speech);
    let pieces = pieces(&text).into_iter().map(str::to_owned);
    let say = |piece: String| {
        let say = Element::new("Say").with_some("language", language).with_some("voice", voice);
        say.text(piece)
    };
    pieces.map(say).collect()
}

/// The whole text. A code is written as its digits with a comma and a space after each: every voice
/// of every engine and language reads that one digit at a time with a short rest, whereas
/// `<say-as interpret-as="digits">` is ignored or refused by the voices that do not take SSML, and a
/// code of six digits read as a number is lost on the caller.
fn spoken(speech: &Speech) -> String {
    let mut text = String::new();
    let mut after_digits = false;
    for words in &speech.words {
        match words {
            Words::Text(part) => {
                let part = clean(part);
                if after_digits && part.starts_with(char::is_alphanumeric) {
                    text.push(' ');
                }
                text.push_str(&part);
                after_digits = false;
            }
            Words::Digits(code) => {
                if text.ends_with(char::is_alphanumeric) {
                    text.push_str(if after_digits { ", " } else { " " });
                }
                let code = clean(code.expose());
                let digits = code.chars().filter(|c| !c.is_whitespace());
                let digits: Vec<_> = digits.map(String::from).collect();
                text.push_str(&digits.join(", "));
                after_digits = true;
            }
        }
    }
    text
}

/// The text in pieces that one `<Say>` can hold, cut after a sentence if there is one in the second
/// half, else after a word, else anywhere.
fn pieces(text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let (piece, later) = rest.split_at(cut(rest));
        pieces.push(piece.trim_end());
        rest = later.trim_start();
    }
    pieces
}

/// Where the first piece of a text ends, in bytes. Never 0 for a text that is not empty.
fn cut(text: &str) -> usize {
    // No byte takes more than three in URL encoding: most texts need no counting.
    if text.len() <= SAY_BYTES_MAX.min(SAY_ENCODED_BYTES_MAX / 3) {
        return text.len();
    }
    let (mut bytes, mut encoded) = (0, 0);
    let (mut word, mut sentence) = (None, None);
    let mut before = ' ';
    for c in text.chars() {
        let is_full = bytes + c.len_utf8() > SAY_BYTES_MAX
            || encoded + encoded_bytes(c) > SAY_ENCODED_BYTES_MAX;
        if is_full {
            let sentence = sentence.filter(|end| *end > bytes / 2);
            return sentence.or(word).unwrap_or(bytes);
        }
        let ends_sentence = matches!(c, '。' | '！' | '？' | '।' | '؟');
        if c.is_whitespace() && bytes > 0 {
            word = Some(bytes);
            if matches!(before, '.' | '!' | '?' | ':' | ';') {
                sentence = Some(bytes);
            }
        }
        bytes += c.len_utf8();
        encoded += encoded_bytes(c);
        if ends_sentence {
            sentence = Some(bytes);
        }
        before = c;
    }
    text.len()
}

/// The bytes that a character takes in URL encoding.
fn encoded_bytes(c: char) -> usize {
    if c.is_ascii_alphanumeric() || "-_.~".contains(c) { 1 } else { 3 * c.len_utf8() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    fn speech(words: Vec<Words>) -> Speech {
        Speech { words, locale: "en-US".into(), voice: None }
    }

    #[test]
    fn a_code_is_spoken_digit_by_digit() {
        let text = |t: &str| Words::Text(t.into());
        let code = |t: &str| Words::Digits(Secret::new(t));
        for (words, expected) in [
            (vec![text("Your code is "), code("0482"), text(".")], "Your code is 0, 4, 8, 2."),
            (vec![text("code"), code("48"), text("again")], "code 4, 8 again"),
            (vec![code("48"), code("21")], "4, 8, 2, 1"),
            (vec![code("4\u{1}8 2")], "4, 8, 2"),
            (vec![text("a\u{0}b\r\nc\u{FFFE}")], "ab  c"),
        ] {
            assert_eq!(spoken(&speech(words)), expected);
        }
    }

    #[test]
    fn a_long_text_is_cut_after_a_sentence() {
        let text = "Twelve bytes. ".repeat(400);
        let pieces = pieces(&text);
        assert!(pieces.len() > 1);
        for piece in &pieces {
            assert!(piece.len() <= SAY_BYTES_MAX && piece.ends_with('.'), "{piece}");
        }
        assert_eq!(pieces.join(" "), text.trim());
    }

    #[test]
    fn a_text_without_breaks_is_cut_all_the_same() {
        let text = "語".repeat(1_300);
        let pieces = pieces(&text);
        assert_eq!(
            pieces.iter().map(|piece| piece.chars().count()).collect::<Vec<_>>(),
            [500, 500, 300]
        );
        assert_eq!(pieces.concat(), text);
    }
}
