//! A menu whose prompt does not name a key that it offers, or names one that it does not offer.
//!
//! Keys are looked for as digits and as words, in English, French, German and Spanish; other languages and
//! recorded prompts are left alone. A key is not missed if a phrase that leads to the same state
//! stands in the prompt. `*` may always be named: it repeats the prompt.
//!
//! ## Why
//!
//! Callers press what they hear. A key nobody hears of is not pressed, and one that leads nowhere
//! makes the caller begin again.
//!
//! ## How to fix it
//!
//! Name the key in the prompt of every language, or take it out of `keys`.
//!
//! ## Before
//!
//! ```toml
//! prompt = "For your balance press 1. For our hours press 3."
//! keys = { 1 = "balance", 2 = "hours" }
//! ```
//!
//! ## After
//!
//! ```toml
//! prompt = "For your balance press 1. For our hours press 2."
//! keys = { 1 = "balance", 2 = "hours" }
//! ```

use std::collections::BTreeSet;

use super::{Report, Rule, Subject};
use crate::check::words::{by_language, words};
use crate::diagnostic::{Place, Severity, listed};
use crate::flow::prompt::{Piece, Prompt};
use crate::flow::state::{Kind, State};
use crate::flow::states::menu::Menu;

pub(super) const RULE: Rule = Rule {
    code: "menu-prompt-key",
    title: "a menu whose prompt and keys do not agree",
    severity: Severity::Warning,
    source: include_str!("menu_prompt_key.rs"),
    check,
};

/// How keys are named and asked for in a language.
struct Language {
    keys: &'static [(char, &'static [&'static str])],
    /// What is said before a key.
    press: &'static [&'static str],
    /// What may stand between that and the key.
    between: &'static [&'static str],
    /// What joins a key with another.
    joined: &'static [&'static str],
    /// Names of keys that mean something else as well: "un".
    vague: &'static [&'static str],
}

const ENGLISH: Language = Language {
    keys: &[
        ('0', &["zero", "oh"]),
        ('1', &["one"]),
        ('2', &["two"]),
        ('3', &["three"]),
        ('4', &["four"]),
        ('5', &["five"]),
        ('6', &["six"]),
        ('7', &["seven"]),
        ('8', &["eight"]),
        ('9', &["nine"]),
        ('*', &["star", "asterisk"]),
        ('#', &["pound", "hash"]),
    ],
    press: &["press", "pressing", "dial", "key", "touch"],
    between: &["the", "in", "key", "number", "digit"],
    joined: &["or", "and"],
    vague: &[],
};

const FRENCH: Language = Language {
    keys: &[
        ('0', &["zéro"]),
        ('1', &["un", "une"]),
        ('2', &["deux"]),
        ('3', &["trois"]),
        ('4', &["quatre"]),
        ('5', &["cinq"]),
        ('6', &["six"]),
        ('7', &["sept"]),
        ('8', &["huit"]),
        ('9', &["neuf"]),
        ('*', &["étoile", "l'étoile", "astérisque"]),
        ('#', &["dièse"]),
    ],
    press: &["tapez", "appuyez", "pressez", "composez", "faites", "tape", "appuie"],
    between: &["le", "la", "sur", "touche", "chiffre"],
    joined: &["ou", "et"],
    vague: &["un", "une"],
};

const GERMAN: Language = Language {
    keys: &[
        ('0', &["null"]),
        ('1', &["eins"]),
        ('2', &["zwei", "zwo"]),
        ('3', &["drei"]),
        ('4', &["vier"]),
        ('5', &["fünf"]),
        ('6', &["sechs"]),
        ('7', &["sieben"]),
        ('8', &["acht"]),
        ('9', &["neun"]),
        ('*', &["stern", "sterntaste"]),
        ('#', &["raute", "rautetaste"]),
    ],
    press: &["drücken", "drücke", "wählen", "wähle", "tippen", "tippe"],
    between: &["sie", "bitte", "die", "auf", "taste", "ziffer"],
    joined: &["oder", "und"],
    vague: &[],
};

const SPANISH: Language = Language {
    keys: &[
        ('0', &["cero"]),
        ('1', &["uno"]),
        ('2', &["dos"]),
        ('3', &["tres"]),
        ('4', &["cuatro"]),
        ('5', &["cinco"]),
        ('6', &["seis"]),
        ('7', &["siete"]),
        ('8', &["ocho"]),
        ('9', &["nueve"]),
        ('*', &["asterisco", "estrella"]),
        ('#', &["numeral", "almohadilla", "gato"]),
    ],
    press: &["oprima", "oprime", "pulse", "pulsa", "presione", "presiona", "marque", "marca"],
    between: &["el", "la", "tecla", "número", "dígito"],
    joined: &["o", "u", "y"],
    vague: &[],
};

impl Language {
    fn of(language: &str) -> Option<&'static Self> {
        match language {
            "de" => Some(&GERMAN),
            "en" => Some(&ENGLISH),
            "fr" => Some(&FRENCH),
            "es" => Some(&SPANISH),
            _ => None,
        }
    }

    /// The key that a word names.
    fn key(&self, word: &str) -> Option<char> {
        let mut chars = word.chars();
        if let (Some(digit @ ('0'..='9' | '*' | '#')), None) = (chars.next(), chars.next()) {
            return Some(digit);
        }
        self.keys.iter().find(|(_, names)| names.contains(&word)).map(|(key, _)| *key)
    }

    /// The keys that a caller is asked to press.
    fn asked_for(&self, words: &[String]) -> Vec<char> {
        let mut keys = Vec::new();
        let mut rest = words.iter().map(String::as_str).peekable();
        while let Some(word) = rest.next() {
            if !self.press.contains(&word) {
                continue;
            }
            while rest.next_if(|word| self.between.contains(word)).is_some() {}
            let mut asked = Vec::new();
            let sure = |word: &&str| !self.vague.contains(word);
            while let Some(key) =
                rest.peek().filter(|word| sure(word)).and_then(|word| self.key(word))
            {
                asked.push(key);
                rest.next();
                // Keys one after the other are a number to be dialled elsewhere: 9 1 1.
                if rest.peek().is_some_and(|word| self.key(word).is_some()) {
                    asked.clear();
                    while rest.next_if(|word| self.key(word).is_some()).is_some() {}
                    break;
                }
                if rest.next_if(|word| self.joined.contains(word)).is_none() {
                    break;
                }
            }
            keys.extend(asked);
        }
        keys
    }
}

fn check(subject: &Subject<'_>, report: &mut Report<'_>) {
    for (_, state) in subject.states() {
        if let Kind::Menu(menu) = &state.kind {
            check_named(state, menu, report);
            for prompt in menu.listen.prompts() {
                check_offered(state, menu, prompt, report);
            }
        }
    }
}

/// Every key is named in the first wording.
fn check_named(state: &State, menu: &Menu, report: &mut Report<'_>) {
    let prompt = &menu.listen.prompt;
    if prompt.pieces.iter().any(|piece| matches!(piece, Piece::Play(_))) {
        return;
    }
    // A part that is there in one language alone is heard by everybody.
    let own = prompt.pieces.iter().filter_map(|piece| match piece {
        Piece::Text(text) if text.0.len() == 1 => text.0.first(),
        _ => None,
    });
    let elsewhere: BTreeSet<char> = own
        .filter_map(|(of, template)| Some((Language::of(of.language())?, &template.source)))
        .flat_map(|(language, text)| {
            words(text).into_iter().filter_map(|word| language.key(&word)).collect::<Vec<_>>()
        })
        .collect();
    for (locale, said) in &said(prompt) {
        let Some(language) = Language::of(locale) else { continue };
        let here: BTreeSet<_> = said.words.iter().filter_map(|word| language.key(word)).collect();
        let named = |key: &char| here.contains(key) || elsewhere.contains(key);
        let unnamed = || menu.keys.iter().filter(|(key, _)| !named(key));
        if unnamed().next().is_none() {
            continue;
        }
        // What may be said instead of a key.
        let spoken = menu.phrases.iter().filter(|(phrase, _)| is_said(phrase, said));
        let spoken: BTreeSet<_> = spoken.map(|(_, to)| &to.state).collect();
        let unnamed: Vec<_> = unnamed().filter(|(_, to)| !spoken.contains(&to.state)).collect();
        if let [(_, first), ..] = unnamed.as_slice() {
            let keys: Vec<_> = unnamed.iter().map(|(key, _)| format!("`{key}`")).collect();
            let message = format!("the prompt does not name the {}", key_list(&keys));
            let finding = report.finding(message, said.place);
            let finding = finding.label("offered here", first.place.clone());
            report.add_at(state, finding.help("name it in the prompt, or take it out of `keys`"));
        }
    }
}

/// Every key that the caller is asked to press is offered.
fn check_offered(state: &State, menu: &Menu, prompt: &Prompt, report: &mut Report<'_>) {
    for (locale, said) in said(prompt) {
        let Some(language) = Language::of(locale) else { continue };
        let mut missing = language.asked_for(&said.words);
        missing.retain(|key| *key != '*' && !menu.keys.contains_key(key));
        missing.dedup();
        if !missing.is_empty() {
            let keys: Vec<_> = missing.iter().map(|key| format!("`{key}`")).collect();
            let is = if keys.len() == 1 { "is" } else { "are" };
            let message =
                format!("the prompt names the {}, which {is} not offered", key_list(&keys));
            let help = "add it to `keys`, or take it out of the prompt";
            report.add_at(state, report.finding(message, said.place).help(help));
        }
    }
}

fn key_list(keys: &[String]) -> String {
    match keys {
        [key] => format!("key {key}"),
        keys => format!("keys {}", listed(keys)),
    }
}

/// What a prompt says in one language.
struct Said<'p> {
    words: Vec<String>,
    place: &'p Place,
}

fn said(prompt: &Prompt) -> Vec<(&str, Said<'_>)> {
    let texts = by_language(prompt).into_iter();
    let said = texts.filter_map(|(locale, texts)| {
        let words = texts.iter().flat_map(|text| words(&text.source)).collect();
        Some((locale.language(), Said { words, place: &texts.first()?.place }))
    });
    said.collect()
}

/// Whether a phrase stands in the prompt.
fn is_said(phrase: &str, said: &Said<'_>) -> bool {
    let phrase = words(phrase);
    !phrase.is_empty() && said.words.windows(phrase.len()).any(|part| part == phrase)
}

#[cfg(test)]
mod tests {
    use crate::check::rules::tests::check;

    fn menu(prompt: &str) -> Vec<String> {
        check(
            "m",
            &format!(
                "[states.m]\ntype = \"menu\"\nprompt = {prompt}\n\
                 keys = {{ 1 = \"bye\", 2 = \"end\", \"#\" = \"bye\" }}\n\
                 phrases = {{ \"the end\" = \"end\" }}\n\
                 on = {{ no_input = \"bye\", no_match = \"bye\" }}\n\
                 [states.bye]\ntype = \"hangup\"\n[states.end]\ntype = \"hangup\"\n"
            ),
        )
    }

    #[test]
    fn prompt_and_keys_agree() {
        for good in [
            "\"Press 1 or two, or hash.\"",
            "\"Press one. Say the end. # ends. Press star to hear this again.\"",
            "{ en = \"1, 2, pound\", es = \"Oprima uno o 2, o la tecla numeral.\" }",
            "{ en = \"1, 2, pound\", es = \"1, 2, numeral\", de = \"eins, zwei, Raute\" }",
            "{ fr = \"Tapez un, deux ou dièse. Composez le 15. Tapez un autre code.\" }",
            "{ de = \"Für dies drücken Sie bitte die 1, für das die 2, sonst die Rautetaste.\" }",
            "{ it = \"Prema uno.\" }",
            "[{ play = \"https://example.com/menu.mp3\" }, \"Choose.\"]",
            "\"Press 1, 2, or #. Or dial 911 now.\"",
        ] {
            assert_eq!(menu(good), [""; 0], "{good}");
        }
        for (bad, found) in [
            ("\"Press 1 or 2.\"", "the prompt does not name the key `#`"),
            (
                "\"Press 1, 2, hash, or press the 3 key.\"",
                "the prompt names the key `3`, which is not offered",
            ),
            (
                "{ en = \"1, 2, #\", es = \"Marque 1 o 2.\" }",
                "the prompt does not name the key `#`",
            ),
            (
                "{ en = \"1, 2, #\", fr = \"Tapez 1 ou 2, ou appuyez sur la touche dièse, ou faites le 4.\" }",
                "the prompt names the key `4`, which is not offered",
            ),
            (
                "{ en = \"1, 2, #\", de = \"Drücken Sie 1 oder 2.\" }",
                "the prompt does not name the key `#`",
            ),
            (
                "\"1, 2, #. Press four or five.\"",
                "the prompt names the keys `4` and `5`, which are not offered",
            ),
        ] {
            assert_eq!(menu(bad), [format!("5: menu-prompt-key: {found}")], "{bad}");
        }
    }
}
