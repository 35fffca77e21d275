//! The few words that callgate says of its own accord, and how it says amounts and dates.
//!
//! Designers' words come first everywhere; these serve where a flow gives none. English and Spanish
//! are here; other languages hear English.

use jiff::civil::Date;

use super::level::Fact;
use super::locale::Locale;

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

const ENGLISH: Wording = Wording {
    apology: "We are sorry, something is not working on our side.",
    not_available: "not available",
    callback_stay: "We are now ringing the number we have on file for you. Please stay on this line, \
        answer that call, and key in this code there.",
    callback_hang_up: "Please note this code and hang up. We will ring you at the number we have on \
        file for you and ask you for it.",
    again: "Once more:",
    callback_ask: "Somebody has just called us. If that was you, key in the code you were given. If \
        not, please hang up.",
    callback_thanks: "Thank you.",
    callback_bye: "Thank you. Goodbye.",
    whisper_accept: "To take this call press 1.",
    not_verified: "Not verified.",
    verified: "Verified by",
    facts: [
        (Fact::Pin, "PIN"),
        (Fact::Passcode, "passcode"),
        (Fact::SmsOtp, "text message"),
        (Fact::EmailOtp, "e-mail"),
        (Fact::Callback, "callback"),
        (Fact::ServiceCode, "a code from the web"),
    ],
    ago: Ago {
        now: "just now",
        minute: "a minute ago",
        minutes: "{n} minutes ago",
        hours: "more than an hour ago",
    },
    sms: "You called {business}. Key in {code} on your phone. Nobody will ask you to say it. Didn't \
        call? Ignore this.",
    email_subject: "Your code for your call to {business}",
    email: "You are on the telephone with {business}.\n\nKey in {code} on your phone.\n\nNobody will ask you \
        to say it or to write it anywhere. Didn't call? Then ignore this mail, and give the code to \
        nobody.",
    notice_subject: "Your account with {business}",
    notice_failures: "{business}: somebody on the telephone tried to pass for you, and could not prove it. \
        If it was you, all is well. If not, please call us at the number that you know.",
    notice_disabled: "{business}: somebody on the telephone failed so often to prove that they are you that \
        this way is closed until you ask us to open it. Please call us at the number that you know.",
    notice_lifted: "{business}: a lock on your account for the telephone was lifted, and somebody has just \
        called. If it was not you, please call us at the number that you know.",
    notice_action: "{business}: somebody on the telephone has proved to be you and asked for something that \
        we tell you of each time. If it was not you, please call us at the number that you know.",
    months: [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ],
    and: "and",
};

const SPANISH: Wording = Wording {
    apology: "Lo sentimos, algo no funciona de nuestro lado.",
    not_available: "no disponible",
    callback_stay: "Ahora estamos llamando al número que tenemos registrado. Por favor, no cuelgue, \
        conteste esa llamada y marque allí este código.",
    callback_hang_up: "Por favor, anote este código y cuelgue. Le llamaremos al número que tenemos \
        registrado y se lo pediremos.",
    again: "Una vez más:",
    callback_ask: "Alguien acaba de llamarnos. Si fue usted, marque el código que recibió. Si no, por \
        favor cuelgue.",
    callback_thanks: "Gracias.",
    callback_bye: "Gracias. Adiós.",
    whisper_accept: "Para tomar esta llamada, oprima 1.",
    not_verified: "Sin verificar.",
    verified: "Verificado por",
    facts: [
        (Fact::Pin, "PIN"),
        (Fact::Passcode, "contraseña verbal"),
        (Fact::SmsOtp, "mensaje de texto"),
        (Fact::EmailOtp, "correo electrónico"),
        (Fact::Callback, "devolución de llamada"),
        (Fact::ServiceCode, "un código de la web"),
    ],
    ago: Ago {
        now: "hace un momento",
        minute: "hace un minuto",
        minutes: "hace {n} minutos",
        hours: "hace más de una hora",
    },
    sms: "Usted llamó a {business}. Marque {code} en su teléfono. Nadie le pedirá que lo diga. ¿No \
        llamó? Ignore este mensaje.",
    email_subject: "Su código para la llamada a {business}",
    email: "Usted está al teléfono con {business}.\n\nMarque {code} en su teléfono.\n\nNadie le pedirá \
        que lo diga ni que lo escriba en ningún sitio. ¿No llamó? Ignore este correo y no dé el \
        código a nadie.",
    notice_subject: "Su cuenta con {business}",
    notice_failures: "{business}: alguien intentó hacerse pasar por usted por teléfono y no pudo probarlo. \
        Si fue usted, todo está bien. Si no, llámenos al número que usted conoce.",
    notice_disabled: "{business}: alguien falló tantas veces al probar por teléfono que es usted que esta vía \
        queda cerrada hasta que nos pida abrirla. Por favor, llámenos al número que usted conoce.",
    notice_lifted: "{business}: se levantó un bloqueo de su cuenta por teléfono y alguien acaba de llamar. Si \
        no fue usted, llámenos al número que usted conoce.",
    notice_action: "{business}: alguien probó por teléfono que es usted y pidió algo de lo que le avisamos \
        cada vez. Si no fue usted, llámenos al número que usted conoce.",
    months: [
        "enero",
        "febrero",
        "marzo",
        "abril",
        "mayo",
        "junio",
        "julio",
        "agosto",
        "septiembre",
        "octubre",
        "noviembre",
        "diciembre",
    ],
    and: "con",
};

/// The words for a language.
pub fn of(locale: &Locale) -> &'static Wording {
    if locale.language() == "es" { &SPANISH } else { &ENGLISH }
}

/// The language that callgate's own words are in for a caller of this one.
pub fn spoken_in(locale: &Locale) -> Locale {
    if matches!(locale.language(), "en" | "es") { locale.clone() } else { english() }
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
/// `proved` are the facts, and how many seconds ago each was proved.
pub fn proof(proved: &[(Fact, u64)], locale: &Locale) -> String {
    let words = of(locale);
    let ago = |age_s: u64| match age_s / 60 {
        0 => words.ago.now.to_owned(),
        1 => words.ago.minute.to_owned(),
        n @ 2..60 => words.ago.minutes.replace("{n}", &n.to_string()),
        _ => words.ago.hours.to_owned(),
    };
    let each = proved.iter().filter_map(|(fact, age_s)| {
        let (_, name) = words.facts.iter().find(|(known, _)| known == fact)?;
        Some(format!("{name}, {}", ago(*age_s)))
    });
    let each: Vec<_> = each.collect();
    if each.is_empty() {
        return words.not_verified.to_owned();
    }
    format!("{} {}.", words.verified, each.join("; "))
}

/// `November 22, 2026` or `22 de noviembre de 2026`.
pub fn date(date: Date, locale: &Locale) -> String {
    let index = usize::try_from(date.month() - 1).unwrap_or(0);
    let month = of(locale).months.get(index).copied().unwrap_or_default();
    match locale.as_str() {
        _ if locale.language() == "es" => format!("{} de {month} de {}", date.day(), date.year()),
        "en-US" | "en" => format!("{month} {}, {}", date.day(), date.year()),
        _ => format!("{} {month} {}", date.day(), date.year()),
    }
}

/// An amount in words that every voice reads alike: `1,234 dollars and 56 cents`. A currency without
/// names here is said by its code.
pub fn money(amount: f64, currency: &str, locale: &Locale) -> String {
    let cents = (amount.abs() * 100.0).round();
    let (whole, rest) = ((cents / 100.0).floor(), cents % 100.0);
    let minus = match (amount < 0.0 && cents > 0.0, locale.language()) {
        (false, _) => "",
        (true, "es") => "menos ",
        (true, _) => "minus ",
    };
    let names =
        |one: &'static str, many: &'static str, n: f64| if n < 1.5 && n > 0.5 { one } else { many };
    let (major, minor) = match (currency, locale.language()) {
        ("USD" | "CAD" | "AUD", "es") => {
            (names("dólar", "dólares", whole), names("centavo", "centavos", rest))
        }
        ("USD" | "CAD" | "AUD", _) => {
            (names("dollar", "dollars", whole), names("cent", "cents", rest))
        }
        ("EUR", "es") => (names("euro", "euros", whole), names("céntimo", "céntimos", rest)),
        ("EUR", _) => (names("euro", "euros", whole), names("cent", "cents", rest)),
        ("MXN", "es") => (names("peso", "pesos", whole), names("centavo", "centavos", rest)),
        ("GBP", "en") => (names("pound", "pounds", whole), names("penny", "pence", rest)),
        _ => return format!("{minus}{}.{rest:02} {currency}", grouped(whole)),
    };
    let and = of(locale).and;
    if rest < 0.5 {
        format!("{minus}{} {major}", grouped(whole))
    } else {
        format!("{minus}{} {major} {and} {rest} {minor}", grouped(whole))
    }
}

fn grouped(whole: f64) -> String {
    let digits = format!("{whole:.0}");
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
        assert_eq!(money(1_000_000.0, "EUR", &es), "1,000,000 euros");
        assert_eq!(money(2.005, "USD", &es), "2 dólares con 1 centavo");
        assert_eq!(money(7.5, "CHF", &en), "7.50 CHF");
    }

    #[test]
    fn a_proof_is_said_with_its_age() {
        let (en, es) = (english(), Locale::parse("es-MX").unwrap());
        assert_eq!(proof(&[], &en), "Not verified.");
        assert_eq!(proof(&[(Fact::SmsOtp, 125)], &en), "Verified by text message, 2 minutes ago.");
        let two = [(Fact::Pin, 59), (Fact::Callback, 60)];
        assert_eq!(proof(&two, &en), "Verified by PIN, just now; callback, a minute ago.");
        assert_eq!(proof(&two[..1], &es), "Verificado por PIN, hace un momento.");
        for fact in Fact::ALL {
            for locale in [&en, &es] {
                let said = proof(&[(fact, 3_600)], locale);
                assert!(said.ends_with("hour ago.") || said.ends_with("una hora."), "{said}");
            }
        }
    }

    #[test]
    fn dates_are_said_in_words() {
        let day: Date = "2026-11-22".parse().unwrap();
        assert_eq!(date(day, &english()), "November 22, 2026");
        assert_eq!(date(day, &Locale::parse("es").unwrap()), "22 de noviembre de 2026");
    }
}
