//! The text of a mail: the same words as text and as HTML, under a name that does not change.

use lettre::address::Envelope;
use lettre::message::header::ContentType;
use lettre::message::{Mailbox, Message, MultiPart, SinglePart};

use crate::engine::effect::Email;
use crate::engine::id::EffectId;

/// A mail as it is sent.
pub(super) struct Letter {
    pub(super) id: String,
    pub(super) envelope: Envelope,
    pub(super) bytes: Vec<u8>,
}

/// Writes a mail; `None`: no mail can be made of it.
pub(super) fn write(from: &Mailbox, effect: EffectId, email: &Email) -> Option<Letter> {
    let to = Mailbox::new(None, email.to.expose().parse().ok()?);
    let id = format!("<{effect}@{}>", from.email.domain());
    let text: String = email.body.expose().chars().filter(|c| is_printed(*c)).collect();
    let html = html(&one_line(&email.subject), &text, email.locale.as_str());
    let message = Message::builder()
        .message_id(Some(id.clone()))
        .from(Mailbox::new(from.name.as_deref().map(one_line), from.email.clone()))
        .to(to)
        .subject(one_line(&email.subject))
        .header(Automatic)
        .multipart(
            MultiPart::alternative()
                .singlepart(SinglePart::plain(text))
                .singlepart(SinglePart::builder().header(ContentType::TEXT_HTML).body(html)),
        )
        .ok()?;
    Some(Letter { id, envelope: message.envelope().clone(), bytes: message.formatted() })
}

/// Tells other machines not to answer (RFC 3834).
#[derive(Clone)]
struct Automatic;

impl lettre::message::header::Header for Automatic {
    fn name() -> lettre::message::header::HeaderName {
        lettre::message::header::HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> lettre::message::header::HeaderValue {
        lettre::message::header::HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

fn is_printed(c: char) -> bool {
    c == '\n' || !c.is_control()
}

/// A header is one line, whatever a flow or an account contains.
fn one_line(text: &str) -> String {
    text.chars().filter(|c| !c.is_control() && !matches!(c, '\u{2028}' | '\u{2029}')).collect()
}

fn html(title: &str, text: &str, language: &str) -> String {
    let mut paragraphs = String::new();
    for paragraph in text.split("\n\n").map(str::trim).filter(|text| !text.is_empty()) {
        paragraphs.push_str("<p>");
        paragraphs.push_str(&escaped(paragraph).replace('\n', "<br>\n"));
        paragraphs.push_str("</p>\n");
    }
    format!(
        "<!doctype html>\n<html lang=\"{}\">\n<head><meta charset=\"utf-8\"><title>{}</title></head>\n\
         <body>\n{paragraphs}</body>\n</html>\n",
        escaped(language),
        escaped(title),
    )
}

fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::flow::wording;
    use crate::secret::Secret;

    fn letter(from: &str, to: &str, subject: &str, body: &str) -> Option<Letter> {
        let email = Email {
            to: Secret::new(to),
            subject: subject.to_owned(),
            body: Secret::new(body),
            locale: wording::english(),
            code_until: None,
        };
        let from = Mailbox::new(Some(from.to_owned()), "bank@acme.example".parse().unwrap());
        write(&from, EffectId(uuid::Uuid::from_u128(7)), &email)
    }

    /// The names of the header fields, in order.
    fn fields(letter: &Letter) -> Vec<String> {
        let text = String::from_utf8(letter.bytes.clone()).unwrap();
        let head = text.split("\r\n\r\n").next().unwrap();
        let begins = |line: &&str| !line.starts_with([' ', '\t']);
        head.split("\r\n")
            .filter(begins)
            .map(|line| line.split(':').next().unwrap().into())
            .collect()
    }

    #[test]
    fn the_name_is_the_effects() {
        let (one, two) =
            (letter("A", "a@b.example", "S", "x"), letter("A", "a@b.example", "S", "x"));
        let id = one.unwrap().id;
        assert_eq!(id, "<00000000-0000-0000-0000-000000000007@acme.example>");
        assert_eq!(two.unwrap().id, id);
    }

    proptest! {
        /// Whatever a flow or an account contains, the mail has the same fields, one recipient, and no line that
        /// is not ours.
        #[test]
        fn no_value_adds_a_header(
            from in "(?s).{0,40}(\r\nBcc: x@y.example)?",
            subject in "(?s).{0,80}(\r\nBcc: x@y.example\r\n\r\n)?.{0,20}",
            body in "(?s).{0,200}(\r\n\\.\r\nMAIL FROM:<x@y.example>)?",
        ) {
            let plain = fields(&letter("Bank", "ada@acme.example", "S", "x").unwrap());
            let letter = letter(&from, "ada@acme.example", &subject, &body).unwrap();
            prop_assert_eq!(fields(&letter), plain);
            prop_assert_eq!(letter.envelope.to().len(), 1);
            prop_assert!(letter.bytes.is_ascii());
            let text = String::from_utf8(letter.bytes).unwrap();
            prop_assert!(!text.replace("\r\n", "").contains(['\r', '\n']));
        }

        /// An address is one address, or no mail is made.
        #[test]
        fn an_address_is_one_or_none(to in "ada(\r\n|\n|>|,|;| |<|\"|\\PC){0,4}@acme\\.example.{0,8}") {
            if let Some(letter) = letter("Bank", &to, "S", "x") {
                prop_assert_eq!(letter.envelope.to().len(), 1);
                prop_assert_eq!(letter.envelope.to()[0].to_string(), to);
            }
        }
    }
}
