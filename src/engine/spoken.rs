//! What was said, in one canonical form.
//!
//! One utterance has one value and no alternatives: each alternative would be another guess. An utterance that
//! does not consist of digits is no entry at all, and costs no attempt.

use unicode_normalization::UnicodeNormalization;

use crate::flow::locale::Locale;

const ENGLISH: [(&str, char); 16] = [
    ("zero", '0'),
    ("oh", '0'),
    ("o", '0'),
    ("nought", '0'),
    ("naught", '0'),
    ("nil", '0'),
    ("one", '1'),
    ("two", '2'),
    ("three", '3'),
    ("four", '4'),
    ("five", '5'),
    ("six", '6'),
    ("seven", '7'),
    ("eight", '8'),
    ("nine", '9'),
    ("niner", '9'),
];

/// Words that sound like digits; they count only where the length of the entry is known and fits.
const HOMOPHONES: [(&str, char); 7] = [
    ("to", '2'),
    ("too", '2'),
    ("for", '4'),
    ("fore", '4'),
    ("ate", '8'),
    ("won", '1'),
    ("tree", '3'),
];

const SPANISH: [(&str, char); 10] = [
    ("cero", '0'),
    ("uno", '1'),
    ("dos", '2'),
    ("tres", '3'),
    ("cuatro", '4'),
    ("cinco", '5'),
    ("seis", '6'),
    ("siete", '7'),
    ("ocho", '8'),
    ("nueve", '9'),
];

const GERMAN: [(&str, char); 13] = [
    ("null", '0'),
    ("eins", '1'),
    ("ein", '1'),
    ("zwei", '2'),
    ("zwo", '2'),
    ("drei", '3'),
    ("vier", '4'),
    ("fünf", '5'),
    ("fuenf", '5'),
    ("sechs", '6'),
    ("sieben", '7'),
    ("acht", '8'),
    ("neun", '9'),
];

const FRENCH: [(&str, char); 12] = [
    ("zéro", '0'),
    ("zero", '0'),
    ("un", '1'),
    ("une", '1'),
    ("deux", '2'),
    ("trois", '3'),
    ("quatre", '4'),
    ("cinq", '5'),
    ("six", '6'),
    ("sept", '7'),
    ("huit", '8'),
    ("neuf", '9'),
];

/// The digits said: `oh double five seven` is 0557. If there are tens, hundreds or anything left over, there are
/// none.
pub fn digits(said: &str, expected: Option<u32>, locale: &Locale) -> Option<String> {
    let text = said.to_lowercase();
    let tokens: Vec<&str> = text
        .split(|c: char| c.is_whitespace() || "-.,".contains(c))
        .filter(|t| !t.is_empty())
        .collect();
    let mut digits = String::new();
    let mut homophones = 0;
    let mut rest = tokens.as_slice();
    while let [token, after @ ..] = rest {
        let times = match *token {
            "double" => 2,
            "triple" | "treble" => 3,
            _ => 1,
        };
        if times > 1 {
            let [next, after @ ..] = after else { return None };
            let digit = word(next, locale).or_else(|| single(next))?;
            digits.extend(std::iter::repeat_n(digit, times));
            rest = after;
            continue;
        }
        if let Some(digit) = word(token, locale) {
            digits.push(digit);
        } else if token.bytes().all(|b| b.is_ascii_digit()) {
            digits.push_str(token);
        } else {
            digits.push(homophone(token, locale)?);
            homophones += 1;
        }
        rest = after;
    }
    let length = u32::try_from(digits.len()).ok()?;
    let fits = expected.is_some_and(|expected| expected == length);
    let plausible = homophones == 0 || (fits && digits.len() > homophones);
    (!digits.is_empty() && plausible).then_some(digits)
}

fn word(token: &str, locale: &Locale) -> Option<char> {
    let table = names(locale).unwrap_or(&ENGLISH);
    table.iter().find(|(word, _)| *word == token).map(|(_, digit)| *digit)
}

/// What digits are called in a language, the first of several names being the usual one.
fn names(locale: &Locale) -> Option<&'static [(&'static str, char)]> {
    Some(match locale.language() {
        "en" => &ENGLISH,
        "es" => &SPANISH,
        "de" => &GERMAN,
        "fr" => &FRENCH,
        _ => return None,
    })
}

fn homophone(token: &str, locale: &Locale) -> Option<char> {
    let english = locale.language() == "en";
    english.then(|| HOMOPHONES.iter().find(|(word, _)| *word == token).map(|(_, d)| *d)).flatten()
}

fn single(token: &str) -> Option<char> {
    let mut chars = token.chars();
    let digit = chars.next().filter(char::is_ascii_digit)?;
    chars.next().is_none().then_some(digit)
}

/// A verbal passcode in its one canonical form: the digits said, or else the words. A recogniser may write a
/// digit for a digit's name among words: `blue giraffe 7` is `blue giraffe seven`.
pub fn passcode(said: &str, digits_expected: Option<u32>, locale: &Locale) -> String {
    let spelt = |words: String| {
        let names = words.split(' ').map(|word| name(word, locale).unwrap_or(word));
        names.collect::<Vec<_>>().join(" ")
    };
    digits(said, digits_expected, locale).unwrap_or_else(|| spelt(words(said)))
}

/// The name of a digit, in the languages whose digits are understood.
fn name(token: &str, locale: &Locale) -> Option<&'static str> {
    let digit = single(token)?;
    names(locale)?.iter().find(|(_, of)| *of == digit).map(|(name, _)| *name)
}

/// Words ready to be compared: compatibility form, lower case, only letters and digits, single spaces.
pub fn words(said: &str) -> String {
    let folded: String = said
        .nfkc()
        .flat_map(char::to_lowercase)
        .map(|c| if c.is_alphanumeric() { c } else { ' ' })
        .collect();
    folded.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether `phrase` is said in `said`, as whole words.
pub fn contains(said: &str, phrase: &str) -> bool {
    let (said, phrase) = (words(said), words(phrase));
    !phrase.is_empty() && format!(" {said} ").contains(&format!(" {phrase} "))
}

/// An amount keyed (`12*50`) or said (`$1,200.50`, `1 200,50 €`, `two hundred fifty dollars`). If more is said
/// than one number and its cents, there is none, because nobody can tell which is meant; nor can anybody of `12 50`.
pub fn amount(text: &str, locale: &Locale) -> Option<f64> {
    if let Some(number) = written(text) {
        return Some(number);
    }
    let is_kept = |c: char| c.is_alphanumeric() || DECIMAL_MARKS.contains(&c);
    let lower = text.nfkc().flat_map(char::to_lowercase);
    let plain: String = lower.map(|c| if is_kept(c) { c } else { ' ' }).collect();
    let plain = without_gaps(&plain);
    let digits = match text2num::get_interpreter_for(locale.language()) {
        Some(language) => text2num::replace_numbers_in_text(&plain, &language, 0.0),
        None => plain,
    };
    let words = digits.split_whitespace().map(written);
    let mut numbers = words.enumerate().filter_map(|(at, number)| Some((at, number?)));
    let (at, number) = numbers.next()?;
    let Some((after, cents)) = numbers.next() else { return Some(number) };
    let are_cents = after > at + 1 && cents < 100.0 && cents.fract() == 0.0;
    let is_whole = number.fract() == 0.0;
    (are_cents && is_whole && numbers.next().is_none()).then_some(number + cents / 100.0)
}

/// The words of a text, and without the gaps by which a number's thousands are set apart: `1 200` is `1200`.
fn without_gaps(text: &str) -> String {
    let mut joined = String::new();
    let mut thousands_follow = false;
    for word in text.split_whitespace() {
        let digits = word.bytes().take_while(u8::is_ascii_digit).count();
        let is_whole = digits == word.len();
        let ends = is_whole || word.get(digits..).is_some_and(|it| it.starts_with(DECIMAL_MARKS));
        let goes_on = thousands_follow && digits == 3 && ends;
        if !goes_on && !joined.is_empty() {
            joined.push(' ');
        }
        thousands_follow = is_whole && (goes_on || (1..=3).contains(&digits));
        joined.push_str(word);
    }
    joined
}

const DECIMAL_MARKS: [char; 2] = ['.', ','];

/// A number in digits. A star is its decimal point; without one it is the last point or comma, unless three
/// digits follow: then that separates the thousands.
fn written(text: &str) -> Option<f64> {
    let text: String = text.trim().chars().filter(|c| !matches!(c, '$' | '€' | '£')).collect();
    let marked = || {
        let parts = text.rsplit_once(DECIMAL_MARKS);
        parts.filter(|(whole, after)| after.len() != 3 || *whole == "0")
    };
    let (whole, cents) = text.split_once('*').or_else(marked).unwrap_or((&text, ""));
    let whole = whole.replace(DECIMAL_MARKS, "");
    let number = format!("{whole}.{cents}");
    let is_plain = number.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    number.parse().ok().filter(|number: &f64| is_plain && number.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::wording::english;

    #[test]
    fn one_utterance_has_one_value() {
        let some = |said: &str, expected| digits(said, expected, &english());
        for (said, value) in [
            ("one two three four", "1234"),
            ("oh double five seven", "0557"),
            ("triple seven one", "7771"),
            ("treble two nine", "2229"),
            ("1-2-3-4.", "1234"),
            ("12 34", "1234"),
            ("One, two. Three", "123"),
        ] {
            assert_eq!(some(said, None).as_deref(), Some(value), "{said}");
        }
        assert_eq!(some("one two three for", Some(4)).as_deref(), Some("1234"));
        for said in [
            "double double two",
            "twenty three forty five",
            "one two three for",
            "for you",
            "",
            "double",
            "one hundred",
            "my pin is 1234",
            "１２３４",
            "١٢٣٤",
        ] {
            assert_eq!(some(said, None), None, "{said}");
        }
        assert_eq!(some("for for for for", Some(4)), None, "nothing but homophones");
    }

    #[test]
    fn spanish_digits_are_digits() {
        let es = Locale::parse("es-MX").unwrap();
        assert_eq!(digits("uno dos tres cuatro", None, &es).as_deref(), Some("1234"));
    }

    #[test]
    fn digits_are_understood_in_each_of_our_languages() {
        for (tag, said, value) in [
            ("de-DE", "null eins zwo drei", "0123"),
            ("de-AT", "Vier, fünf, sechs, sieben, acht, neun.", "456789"),
            ("fr-FR", "zéro un deux trois quatre", "01234"),
            ("fr-CA", "cinq six sept huit neuf", "56789"),
            ("de-DE", "12 34", "1234"),
        ] {
            let locale = Locale::parse(tag).unwrap();
            assert_eq!(digits(said, None, &locale).as_deref(), Some(value), "{said}");
        }
        let german = Locale::parse("de-DE").unwrap();
        assert_eq!(digits("dreiundzwanzig", None, &german), None);
        assert_eq!(digits("one two", None, &german), None);
    }

    #[test]
    fn a_digit_among_words_is_its_name() {
        let es = Locale::parse("es-MX").unwrap();
        for (said, locale, value) in [
            ("Blue giraffe 7!", &english(), "blue giraffe seven"),
            ("blue giraffe seven", &english(), "blue giraffe seven"),
            ("0 blue giraffes", &english(), "zero blue giraffes"),
            ("route 66", &english(), "route 66"),
            ("jirafa 7", &es, "jirafa siete"),
            ("girafe 7", &Locale::parse("fr-FR").unwrap(), "girafe sept"),
            ("giraffa 7", &Locale::parse("it-IT").unwrap(), "giraffa 7"),
            ("7 1 oh", &english(), "710"),
        ] {
            assert_eq!(passcode(said, None, locale), value, "{said}");
        }
    }

    #[test]
    fn phrases_are_whole_words() {
        assert!(contains("Uh, my BALANCE, please!", "balance"));
        assert!(contains("I want a new card.", "new card"));
        assert!(!contains("discard it", "card"));
        assert!(!contains("anything", ""));
    }

    #[test]
    fn amounts_are_keyed_or_said() {
        assert_eq!(amount("12*50", &english()), Some(12.5));
        assert_eq!(amount("$1,200.50", &english()), Some(1200.5));
        assert_eq!(amount("two hundred fifty dollars", &english()), Some(250.0));
        assert_eq!(amount("nothing", &english()), None);
        let german = Locale::parse("de-DE").unwrap();
        for (said, locale, value) in [
            ("1,200 dollars", &english(), Some(1200.0)),
            ("1,200.50 dollars", &english(), Some(1200.5)),
            ("about 1,200,000", &english(), Some(1_200_000.0)),
            ("12 dollars and 5 cents.", &english(), Some(12.05)),
            ("12*5", &english(), Some(12.5)),
            ("1*125", &english(), Some(1.125)),
            ("12,50 €", &german, Some(12.5)),
            ("1.200,50 Euro", &german, Some(1200.5)),
            ("1.200", &german, Some(1200.0)),
            ("zwölf Euro fünfzig", &german, Some(12.5)),
            ("1 200,50 €", &german, Some(1200.5)),
            ("etwa 1\u{202f}200\u{202f}000 Euro", &german, Some(1_200_000.0)),
            ("12 000", &english(), Some(12000.0)),
            ("5 10", &english(), None),
            ("twelve fifty", &english(), None),
            ("12 5000", &english(), None),
            ("1200 300", &english(), None),
            // Nobody can tell which of them is meant.
            ("5 or 300", &english(), None),
            ("between 5 and 10 and 20", &english(), None),
            ("1e5", &english(), None),
            ("inf", &english(), None),
        ] {
            assert_eq!(amount(said, locale), value, "{said}");
        }
    }
}
