//! What messages say, in the language on file.

use super::super::audit::Hearer;
use super::super::disclosure::Guarded;
use super::super::machine::{Asks, Machine};
use super::super::turn::Remark;
use crate::flow::locale::Locale;
use crate::flow::prompt::Prompt;
use crate::flow::template::Use;
use crate::flow::wording::{self, Wording};
use crate::limits;
use crate::secret::Secret;

/// A message that carries a code: the flow's words, or else callgate's own. Those are also used if the flow's
/// words leave no room for the code. `None`: they name variables, and it is sent in no words that do not name them
/// all; the caller hears the same, because their own input would otherwise reveal that there is somebody to send
/// them to.
pub(super) fn with_code(
    m: &mut Machine<'_>,
    message: Option<&Prompt>,
    own: fn(&Wording) -> &'static str,
    code: &Secret,
) -> Asks<Option<Secret>> {
    if let Some(prompt) = message {
        let names = prompt.uses().any(|used| matches!(used, Use::Variable(_)));
        let text = whole_text_of(m, prompt, Some(code.expose()))?;
        let text = text.filter(|text| !names || fits(text)).map(cut);
        if let Some(text) = text.filter(|text| text.contains(code.expose())) {
            m.told(Hearer::Contact);
            return Ok(Some(Secret::new(text)));
        }
        m.filled_in = Guarded::default();
        if names {
            m.remarks.push(Remark::Unspeakable);
            return Ok(None);
        }
    }
    Ok(Some(Secret::new(of_our_own(m, own)?.replace("{code}", code.expose()))))
}

/// Words of our own, with the business's name in them.
pub(super) fn of_our_own(m: &mut Machine<'_>, own: fn(&Wording) -> &'static str) -> Asks<String> {
    let locale = written_in(m)?;
    let business = m.start_flow().map_or("", |flow| &flow.business);
    Ok(own(wording::of(&locale)).replace("{business}", business))
}

/// The text of a message, as far as one has room for it; `None`: it could not be filled in.
pub(super) fn text_of(m: &mut Machine<'_>, prompt: &Prompt) -> Asks<Option<String>> {
    Ok(whole_text_of(m, prompt, None)?.map(cut))
}

/// The text of a message, its parts with a blank between them.
fn whole_text_of(m: &mut Machine<'_>, prompt: &Prompt, code: Option<&str>) -> Asks<Option<String>> {
    let locale = written_in(m)?;
    let Some(flow) = m.flow() else { return Ok(None) };
    let mut parts = Vec::new();
    for template in prompt.texts(&locale, &flow.locale) {
        let Some(part) = m.fill(template, &locale, code)? else { return Ok(None) };
        parts.push(part);
    }
    let text = parts.join(" ");
    Ok(Some(text.chars().filter(|c| *c == '\n' || !c.is_control()).collect()))
}

fn fits(text: &str) -> bool {
    text.chars().count() <= limits::MESSAGE_CHARS_MAX
}

fn cut(text: String) -> String {
    if fits(&text) { text } else { text.chars().take(limits::MESSAGE_CHARS_MAX).collect() }
}

/// The language of messages to this customer.
pub(super) fn written_in(m: &mut Machine<'_>) -> Asks<Locale> {
    let on_file = m.account()?.and_then(|account| account.locale.clone());
    Ok(on_file.unwrap_or_else(|| m.call.locale.clone()))
}
