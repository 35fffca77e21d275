//! The few words that callgate says of its own accord, and how it says amounts and dates.
//!
//! Designers' words come first everywhere; these serve where a flow gives none. English, French, German and
//! Spanish are here; other languages hear English, and amounts and dates in figures, which a voice reads in its own.

mod words;

use jiff::civil::Date;

use super::level::Fact;
use super::locale::Locale;
use words::{ENGLISH, FRENCH, GERMAN, SPANISH};

/// Words in one language.
#[derive(Debug)]
pub struct Wording {
    /// The caller cannot be served now.
    pub apology: &'static str,
    /// A field that an account does not have.
    pub not_available: &'static str,
    /// Before a callback code, the caller staying on the line.
    pub callback_stay: &'static str,
    /// Before a callback code, the caller having to hang up first.
    pub callback_hang_up: &'static str,
    /// Said before the code is repeated.
    pub again: &'static str,
    /// Asks for the code on the leg we placed; the business's name comes before it.
    pub callback_ask: &'static str,
    /// The code was right.
    pub callback_thanks: &'static str,
    /// The code was wrong too often.
    pub callback_bye: &'static str,
    /// Asks a specialist to take a call.
    pub whisper_accept: &'static str,
    /// Tells a specialist that nothing is proved.
    pub not_verified: &'static str,
    verified: &'static str,
    facts: [(Fact, &'static str); 6],
    /// A code of a web session that had one factor.
    one_factor: &'static str,
    ago: Ago,
    /// A text message with a code; `{business}` and `{code}` are filled in.
    pub sms: &'static str,
    /// The subject of a mail with a code; `{business}` is filled in.
    pub email_subject: &'static str,
    /// A mail with a code; `{business}` and `{code}` are filled in.
    pub email: &'static str,
    /// The subject of a notice to the owner; `{business}` is filled in.
    pub notice_subject: &'static str,
    /// Somebody has failed again and again; `{business}` is filled in here and in the next three.
    pub notice_failures: &'static str,
    /// A way of proving is disabled.
    pub notice_disabled: &'static str,
    /// A lock that was lifted was used.
    pub notice_lifted: &'static str,
    /// Something sensitive was asked for.
    pub notice_action: &'static str,
    months: [&'static str; 12],
    and: &'static str,
}

/// How long ago something was.
#[derive(Debug)]
struct Ago {
    now: &'static str,
    minute: &'static str,
    /// `{n}` is filled in.
    minutes: &'static str,
    hours: &'static str,
}

/// The words for a language.
pub fn of(locale: &Locale) -> &'static Wording {
    match locale.language() {
        "de" => &GERMAN,
        "es" => &SPANISH,
        "fr" => &FRENCH,
        _ => &ENGLISH,
    }
}

/// The language that callgate's own words are in for a caller of this one.
pub fn spoken_in(locale: &Locale) -> Locale {
    if has_words(locale) { locale.clone() } else { english() }
}

/// Whether callgate has words of its own in this language.
pub fn has_words(locale: &Locale) -> bool {
    matches!(locale.language(), "de" | "en" | "es" | "fr")
}

/// American English.
pub fn english() -> Locale {
    Locale::parse("en-US").unwrap_or_else(|| unreachable!("a constant tag is well formed"))
}

/// What is said for a field that an account does not have.
pub fn not_available(locale: &Locale) -> &'static str {
    of(locale).not_available
}

/// What a specialist is told of the caller: `Verified by PIN, 2 minutes ago; text message, just now.`
/// `proved` are the facts, and how many seconds ago each was proved; `one_factor` those that a session with one factor
/// has made.
pub fn proof(proved: &[(Fact, u64)], one_factor: &[Fact], locale: &Locale) -> String {
    let words = of(locale);
    let ago = |age_s: u64| match age_s / 60 {
        0 => words.ago.now.to_owned(),
        1 => words.ago.minute.to_owned(),
        n @ 2..60 => words.ago.minutes.replace("{n}", &n.to_string()),
        _ => words.ago.hours.to_owned(),
    };
    let each = proved.iter().filter_map(|(fact, age_s)| {
        let (_, name) = words.facts.iter().find(|(known, _)| known == fact)?;
        let name = if one_factor.contains(fact) { words.one_factor } else { name };
        Some(format!("{name}, {}", ago(*age_s)))
    });
    let each: Vec<_> = each.collect();
    if each.is_empty() {
        return words.not_verified.to_owned();
    }
    format!("{} {}.", words.verified, each.join("; "))
}

/// `November 22, 2026`, `22 de noviembre de 2026`, `22. November 2026` or `22 novembre 2026`; `2026-11-22` in a language
/// without words here.
pub fn date(date: Date, locale: &Locale) -> String {
    let index = usize::try_from(date.month() - 1).unwrap_or(0);
    let month = of(locale).months.get(index).copied().unwrap_or_default();
    let (day, year) = (date.day(), date.year());
    match (locale.language(), locale.as_str()) {
        ("es", _) => format!("{day} de {month} de {year}"),
        ("de", _) => format!("{day}. {month} {year}"),
        ("fr", _) if day == 1 => format!("1er {month} {year}"),
        (_, "en-US" | "en") => format!("{month} {day}, {year}"),
        ("en" | "fr", _) => format!("{day} {month} {year}"),
        _ => date.to_string(),
    }
}

/// An amount in words that every voice reads alike: `1,234 dollars and 56 cents`. A currency without
/// names here is said by its code, as every one is in a language without words here: `1234,56 EUR`.
pub fn money(amount: f64, currency: &str, locale: &Locale) -> String {
    let language = locale.language();
    let cents = (amount.abs() * 100.0).round();
    let (whole, rest) = ((cents / 100.0).floor(), cents % 100.0);
    let minus = match (amount < 0.0 && cents > 0.0, language) {
        (false, _) => "",
        (true, "es") => "menos ",
        (true, "fr") => "moins ",
        (true, "de" | "en") => "minus ",
        (true, _) => "-",
    };
    // A voice reads a comma in a number as its language does: elsewhere it begins the decimals.
    let digits = format!("{whole:.0}");
    let number = if language == "en" { grouped(&digits) } else { digits };
    let Some((major, minor)) = names(currency, language) else {
        if rest < 0.5 {
            return format!("{minus}{number} {currency}");
        }
        let mark = if POINTS.contains(&language) { '.' } else { ',' };
        return format!("{minus}{number}{mark}{rest:02} {currency}");
    };
    let named = |(one, many): (&'static str, &'static str), n: f64| {
        let is_one = n > 0.5 && n < 1.5 || n < 0.5 && language == "fr";
        if is_one { one } else { many }
    };
    let major = named(major, whole);
    if rest < 0.5 {
        format!("{minus}{number} {major}")
    } else {
        format!("{minus}{number} {major} {} {rest} {}", of(locale).and, named(minor, rest))
    }
}

/// Languages in which a point begins the decimals, of those that the provider has voices for: others have a comma (CLDR).
/// Spanish has the one or the other by country.
const POINTS: [&str; 16] = [
    "bn", "cmn", "en", "es", "fil", "gu", "he", "hi", "ja", "ko", "ms", "ta", "te", "th", "yue",
    "zh",
];

/// What one is called, and what several are.
type Names = (&'static str, &'static str);

/// What a currency is called, and its hundredth.
fn names(currency: &str, language: &str) -> Option<(Names, Names)> {
    Some(match (currency, language) {
        ("USD" | "CAD" | "AUD", "de") => (("Dollar", "Dollar"), ("Cent", "Cent")),
        ("USD" | "CAD" | "AUD", "es") => (("dólar", "dólares"), ("centavo", "centavos")),
        ("USD" | "CAD" | "AUD", "en" | "fr") => (("dollar", "dollars"), ("cent", "cents")),
        ("EUR", "de") => (("Euro", "Euro"), ("Cent", "Cent")),
        ("EUR", "es") => (("euro", "euros"), ("céntimo", "céntimos")),
        ("EUR", "fr") => (("euro", "euros"), ("centime", "centimes")),
        ("EUR", "en") => (("euro", "euros"), ("cent", "cents")),
        ("CHF", "de") => (("Franken", "Franken"), ("Rappen", "Rappen")),
        ("CHF", "fr") => (("franc", "francs"), ("centime", "centimes")),
        ("MXN", "es") => (("peso", "pesos"), ("centavo", "centavos")),
        ("GBP", "en") => (("pound", "pounds"), ("penny", "pence")),
        _ => return None,
    })
}

fn grouped(digits: &str) -> String {
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_said_in_words() {
        let (en, es) = (english(), Locale::parse("es-MX").unwrap());
        assert_eq!(money(1234.56, "USD", &en), "1,234 dollars and 56 cents");
        assert_eq!(money(1.01, "USD", &en), "1 dollar and 1 cent");
        assert_eq!(money(-0.5, "USD", &en), "minus 0 dollars and 50 cents");
        assert_eq!(money(1_000_000.0, "USD", &en), "1,000,000 dollars");
        // `1,234` would be heard as one and a quarter in most of the world.
        assert_eq!(money(1_000_000.0, "EUR", &es), "1000000 euros");
        assert_eq!(money(2.005, "USD", &es), "2 dólares con 1 centavo");
        assert_eq!(money(7.5, "CHF", &en), "7.50 CHF");
        let [fr, de, it] = ["fr-FR", "de-DE", "it-IT"].map(|tag| Locale::parse(tag).unwrap());
        assert_eq!(money(1234.56, "EUR", &fr), "1234 euros et 56 centimes");
        assert_eq!(money(0.01, "EUR", &fr), "0 euro et 1 centime");
        assert_eq!(money(1234.56, "EUR", &de), "1234 Euro und 56 Cent");
        assert_eq!(money(-1.5, "CHF", &de), "minus 1 Franken und 50 Rappen");
        assert_eq!(money(7.5, "SEK", &de), "7,50 SEK");
        let ja = Locale::parse("ja-JP").unwrap();
        assert_eq!(money(1234.56, "EUR", &it), "1234,56 EUR");
        assert_eq!(money(-0.05, "USD", &ja), "-0.05 USD");
        assert_eq!(money(250_000.0, "JPY", &ja), "250000 JPY");
    }

    #[test]
    fn a_proof_is_said_with_its_age() {
        let (en, es) = (english(), Locale::parse("es-MX").unwrap());
        let [fr, de] = ["fr-FR", "de-DE"].map(|tag| Locale::parse(tag).unwrap());
        assert_eq!(proof(&[], &[], &en), "Not verified.");
        let sent = [(Fact::SmsOtp, 125)];
        assert_eq!(proof(&sent, &[], &en), "Verified by text message, 2 minutes ago.");
        let two = [(Fact::Pin, 59), (Fact::Callback, 60)];
        assert_eq!(proof(&two, &[], &en), "Verified by PIN, just now; callback, a minute ago.");
        assert_eq!(proof(&two[..1], &[], &es), "Verificado por PIN, hace un momento.");
        let three = [(Fact::SmsOtp, 125), (Fact::ServiceCode, 4_000)];
        assert_eq!(
            proof(&three, &[], &de),
            "Geprüft durch SMS, vor 2 Minuten; einen Code aus dem Web, vor mehr als einer Stunde."
        );
        let ends = [(&en, "hour ago."), (&es, "una hora."), (&fr, "une heure."), (&de, "Stunde.")];
        for fact in Fact::ALL {
            for (locale, end) in ends {
                let said = proof(&[(fact, 3_600)], &[], locale);
                assert!(said.ends_with(end), "{said}");
                let weak = proof(&[(fact, 3_600)], &[fact], locale);
                assert!(weak.ends_with(end) && weak.len() > said.len(), "{weak}");
            }
        }
    }

    #[test]
    fn dates_are_said_in_words() {
        let day: Date = "2026-11-22".parse().unwrap();
        assert_eq!(date(day, &english()), "November 22, 2026");
        assert_eq!(date(day, &Locale::parse("es").unwrap()), "22 de noviembre de 2026");
        let [fr, de, gb] = ["fr-FR", "de-DE", "en-GB"].map(|tag| Locale::parse(tag).unwrap());
        assert_eq!(date(day, &fr), "22 novembre 2026");
        assert_eq!(date("2026-12-01".parse().unwrap(), &fr), "1er décembre 2026");
        assert_eq!(date(day, &de), "22. November 2026");
        assert_eq!(date(day, &gb), "22 November 2026");
        assert_eq!(date(day, &Locale::parse("it-IT").unwrap()), "2026-11-22");
    }
}
