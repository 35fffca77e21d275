//! How a document is kept within the provider's size.
//!
//! The provider refuses a document that is too large, and the caller with it. So speech gives way,
//! the oldest first: what is heard last is the question that the caller must answer. If that is not
//! enough, what carries the caller on stands alone. If even that is too large, the leg ends.

use super::element::{Content, Element};
use crate::limits::TWIML_BYTES_MAX;

/// The declaration and the root element.
const FRAME_BYTES: usize = 100;

/// The elements that are left of a document's verbs.
pub(super) fn fit(mut verbs: Vec<Element<'_>>) -> Vec<Element<'_>> {
    let mut excess = excess(&verbs);
    if excess == 0 {
        return verbs;
    }
    verbs.retain_mut(|verb| {
        if excess == 0 {
            return true;
        }
        if is_audible(verb) {
            excess = excess.saturating_sub(verb.bytes());
            return false;
        }
        if verb.name == "Gather" {
            drop_prompt(verb, &mut excess);
        }
        true
    });
    if excess == 0 && !verbs.is_empty() {
        return verbs;
    }
    let carries = verbs.iter().position(carries_on).unwrap_or(verbs.len());
    let rest = verbs.split_off(carries);
    if rest.is_empty() || self::excess(&rest) > 0 { vec![Element::new("Hangup")] } else { rest }
}

/// The bytes by which a document of these verbs is too large.
fn excess(verbs: &[Element<'_>]) -> usize {
    let total = verbs.iter().map(Element::bytes).fold(FRAME_BYTES, usize::saturating_add);
    total.saturating_sub(TWIML_BYTES_MAX)
}

fn drop_prompt(gather: &mut Element<'_>, excess: &mut usize) {
    let Content::Children(prompt) = &mut gather.content else {
        return;
    };
    prompt.retain(|audible| {
        let drops = *excess > 0;
        if drops {
            *excess = excess.saturating_sub(audible.bytes());
        }
        !drops
    });
    if prompt.is_empty() {
        gather.content = Content::Empty;
    }
}

fn is_audible(element: &Element<'_>) -> bool {
    matches!(element.name, "Say" | "Play" | "Pause")
}

/// Whether the verb decides what comes next, rather than passing on to the next verb.
fn carries_on(element: &Element<'_>) -> bool {
    !is_audible(element)
        && (element.name != "Dial" || element.attributes.iter().any(|(name, _)| *name == "action"))
}
