//! A `gather` whose prompt asks for a secret: a PIN, a passcode, a password, a security code, the number of a payment
//! card.
//!
//! ## Why
//!
//! What a `gather` takes is plain text to the flow: it is kept with the call, can be said in a prompt
//! and handed to a specialist, and nothing limits the tries. The states that verify a secret never
//! keep it, count every attempt over all calls, and prove a fact. Card numbers are for no state: with one keyed in, the
//! whole installation, and the telephone line to it, is subject to PCI DSS.
//!
//! ## How to fix it
//!
//! Take the secret with `gather_pin`, `gather_otp` or another state that verifies it, and have cards keyed in at a
//! payment service that the caller is transferred to. If it is no secret (a discount code, say), accept the warning by
//! name.
//!
//! ## Before
//!
//! ```toml
//! [states.pin]
//! type = "gather"
//! var = "pin"
//! prompt = "Please key in your PIN."
//! ```
//!
//! ## After
//!
//! ```toml
//! [states.pin]
//! type = "gather_pin"
//! prompt = "Please key in your PIN."
//! ```

use super::{Report, Rule, Subject};
use crate::check::words::words;
use crate::diagnostic::{Place, Severity};
use crate::flow::prompt::Prompt;
use crate::flow::state::Kind;
use crate::flow::states::gather::{Gather, What};

pub(super) const RULE: Rule = Rule {
    code: "secret-in-gather",
    title: "a `gather` that asks for a secret",
    severity: Severity::Warning,
    source: include_str!("secret_in_gather.rs"),
    check,
};

/// Words that name a secret by themselves.
const SECRETS: [&str; 17] = [
    "pin",
    "pins",
    "passcode",
    "password",
    "cvv",
    "cvc",
    "ssn",
    "contraseña",
    "clave",
    "nip",
    "passphrase",
    "otp",
    "tan",
    "geheimzahl",
    "geheimnummer",
    "kennwort",
    "passwort",
];
/// Words that name a secret unless the words around say which harmless thing they mean.
const CODES: [&str; 3] = ["code", "código", "codigo"];
/// What makes a code harmless, before it in English and after it in Spanish.
const HARMLESS: [&str; 26] = [
    "zip",
    "postal",
    "post",
    "area",
    "country",
    "product",
    "order",
    "item",
    "discount",
    "promo",
    "promotion",
    "promotional",
    "voucher",
    "coupon",
    "branch",
    "department",
    "airport",
    "error",
    "área",
    "país",
    "producto",
    "pedido",
    "descuento",
    "sucursal",
    "produit",
    "article",
];

/// How the number of a payment card is called, in English, French, German and Spanish.
const CARDS: [&[&str]; 12] = [
    &["card", "number"],
    &["credit", "card"],
    &["debit", "card"],
    &["carte", "bancaire"],
    &["carte", "de", "crédit"],
    &["numéro", "de", "carte"],
    &["kartennummer"],
    &["kreditkarte"],
    &["kreditkartennummer"],
    &["tarjeta", "de", "crédito"],
    &["número", "de", "tarjeta"],
    &["número", "de", "su", "tarjeta"],
];

fn check(subject: &Subject<'_>, report: &mut Report<'_>) {
    for (_, state) in subject.states() {
        let Kind::Gather(gather) = &state.kind else { continue };
        let mut templates = gather.listen.prompts().flat_map(Prompt::templates);
        let found = templates
            .find_map(|template| Some((secret_in(&words(&template.source))?, &template.place)));
        if let Some((word, place)) = found {
            let message =
                format!("a `gather` is no place for a secret: the prompt asks for a {word}");
            let help = "take it with `gather_pin` or another state that verifies secrets, or add \
                        `accept = [\"secret-in-gather\"]` if it is none";
            report.add_at(state, report.finding(message, place).help(help));
        } else if let Some(place) = card_asked_for(gather) {
            let message = "a `gather` is no place for the number of a payment card";
            let help = "transfer to where cards are taken, or add `accept = [\"secret-in-gather\"]` if it \
                        is none";
            report.add_at(state, report.finding(message, place).help(help));
        }
    }
}

/// Where a prompt asks for the number of a card, and as many keys are taken as such a number has.
fn card_asked_for(gather: &Gather) -> Option<&Place> {
    let fits = match gather.what {
        What::Digits(digits) => digits.is_none_or(|digits| (13..=19).contains(&digits)),
        What::Speech => true,
        What::Date(_) | What::Amount { .. } => false,
    };
    let mut templates = gather.listen.prompts().flat_map(Prompt::templates).filter(|_| fits);
    let template = templates.find(|template| names_card(&words(&template.source)))?;
    Some(&template.place)
}

fn names_card(words: &[String]) -> bool {
    CARDS.iter().any(|card| words.windows(card.len()).any(|part| part == *card))
}

fn secret_in(words: &[String]) -> Option<String> {
    let near = |index: usize| {
        let before = index.checked_sub(1).and_then(|index| words.get(index));
        // "código de área", "código postal".
        let after = words.iter().skip(index + 1).filter(|word| *word != "de" && *word != "del");
        before.into_iter().chain(after.take(1)).any(|word| HARMLESS.contains(&word.as_str()))
    };
    let found = words.iter().enumerate().find(|(index, word)| {
        let word = word.as_str();
        let social =
            word == "social" && words.get(index + 1).is_some_and(|next| next == "security");
        let mut three = words.iter().skip(*index).map(String::as_str);
        let french = ["mot", "de", "passe"].into_iter().all(|word| three.next() == Some(word));
        SECRETS.contains(&word) || social || french || (CODES.contains(&word) && !near(*index))
    });
    found.map(|(_, word)| match word.as_str() {
        "social" => "social security number".to_owned(),
        "mot" => "mot de passe".to_owned(),
        "pin" | "pins" | "cvv" | "cvc" | "ssn" | "otp" | "tan" | "nip" => word.to_uppercase(),
        _ => word.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_told_from_other_codes() {
        for secret in [
            "Please enter your PIN.",
            "Key in the code we have sent you.",
            "Your social security number, please.",
            "Marque su clave.",
            "Marque su código de seguridad.",
            "Saisissez votre code secret.",
            "Dites votre mot de passe.",
            "Geben Sie Ihre Geheimzahl ein.",
        ] {
            assert!(secret_in(&words(secret)).is_some(), "{secret}");
        }
        for harmless in [
            "Your zip code, please.",
            "Marque su código postal.",
            "Marque el código de área.",
            "Saisissez le code postal, un mot de plus.",
            "The spinning wheel.",
            "How much would you like to pay?",
            "Enter it {{ pin }}",
        ] {
            assert_eq!(secret_in(&words(harmless)), None, "{harmless}");
        }
    }
}
