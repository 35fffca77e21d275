//! The voice: a [`Reply`] written as TwiML.
//!
//! A reply goes through four hands: [`compose`] turns verbs into elements, [`fit`] keeps them within
//! the provider's size, [`element`] writes them, and [`grammar`] says whether what was written is
//! what the provider understands.

mod compose;
mod element;
mod fit;
pub mod grammar;
mod language;
pub mod links;
mod shape;
mod speech;

#[cfg(test)]
mod tests;

use uuid::Uuid;

use self::links::Links;
use crate::engine::id::{CallId, Nonce};
use crate::engine::reply::{Audible, Dial, DialTarget, Reply, Speech, Verb, Words};
use crate::limits::TWIML_BYTES_MAX;

/// Seconds that the fallback number rings: what the provider would let it ring by itself.
const FALLBACK_RING_S: u32 = 30;

/// Seconds until a leg that is taken elsewhere asks whether it is still with us: longer than any race.
const ELSEWHERE_S: u32 = 10;

/// The document that ends the leg.
const HANGUP: &str = r#"<?xml version="1.0" encoding="UTF-8"?><Response><Hangup/></Response>"#;

/// Writes a reply as a TwiML document of at most [`TWIML_BYTES_MAX`] bytes that
/// [`grammar::validate`] accepts, whatever its strings hold.
///
/// - Verbs that the provider could not reach are not written.
/// - A verb that the provider could not use (a number that is none, a queue without a name) is not
///   written; the caller goes straight on to its action instead.
/// - A reply of which nothing is left ends the leg.
/// - What does not fit is cut as [`fit`] says: speech first, the oldest first, never what carries the
///   caller on.
pub fn render(reply: &Reply, links: &Links, call: CallId) -> String {
    let elements = compose::compose(reply, links, call);
    let fits = |document: &String| document.len() <= TWIML_BYTES_MAX;
    element::document(&elements)
        .ok()
        .filter(fits)
        .or_else(|| element::document(&fit::fit(elements)).ok())
        .unwrap_or_else(|| HANGUP.to_owned())
}

/// Writes the answer of last resort: says `text`, then connects the caller to `fallback_number`,
/// showing `caller_id`, or ends the leg. It names no address of ours, for nothing of ours may be up.
pub fn apology(
    text: &str,
    locale: &str,
    fallback_number: Option<&str>,
    caller_id: Option<&str>,
) -> String {
    let speech = Speech {
        words: vec![Words::Text(text.to_owned())],
        locale: locale.to_owned(),
        voice: None,
    };
    let mut verbs = vec![Verb::Hear(Audible::Say(speech))];
    verbs.extend(fallback_number.map(|number| put_through(number, caller_id)));
    verbs.push(Verb::Hangup);
    of_nobody(verbs)
}

/// Writes the answer to a call for which there is no room: connects it to `overflow_number`, showing
/// `caller_id`, or refuses it with the engaged tone. It names no address of ours: nothing is known of the call.
pub fn turned_away(overflow_number: Option<&str>, caller_id: Option<&str>) -> String {
    of_nobody(match overflow_number {
        Some(number) => vec![put_through(number, caller_id), Verb::Hangup],
        None => vec![Verb::Reject { busy: true }],
    })
}

/// Writes the answer to a leg that somebody takes elsewhere: nothing that could get in their way. Should the leg be
/// left with us all the same, it asks again.
pub fn elsewhere(links: &Links, call: CallId, nonce: Nonce) -> String {
    let verbs = vec![Verb::Hear(Audible::Pause(ELSEWHERE_S)), Verb::Redirect(nonce)];
    render(&Reply { verbs }, links, call)
}

fn put_through(number: &str, caller_id: Option<&str>) -> Verb {
    Verb::Dial(Dial {
        to: DialTarget::Number { number: number.to_owned(), whisper: None },
        timeout_s: FALLBACK_RING_S,
        caller_id: caller_id.map(str::to_owned),
        action: None,
    })
}

fn of_nobody(verbs: Vec<Verb>) -> String {
    render(&Reply { verbs }, &Links::new(""), CallId(Uuid::nil()))
}

/// The document that ends the leg.
pub fn hangup() -> String {
    HANGUP.to_owned()
}
