//! Verbs into elements: the one place that knows how each verb is told to the provider.

use std::fmt::Write as _;

use super::element::Element;
use super::links::Links;
use super::shape::{self, clean};
use super::{language, speech};
use crate::engine::id::{CallId, Nonce};
use crate::engine::reply::{
    Audible, Dial, DialTarget, Enqueue, Gather, Input, QueueTarget, Record, Reply, Verb,
};
use crate::limits::{self, WAIT_S_MAX};
use crate::secret::Secret;

/// The elements of a reply, up to the verb after which the provider runs no other; never none.
pub(super) fn compose<'a>(reply: &'a Reply, links: &'a Links, call: CallId) -> Vec<Element<'a>> {
    let mut composer = Composer { links, call, verbs: Vec::new() };
    for verb in &reply.verbs {
        if composer.add(verb) == Next::Unreachable {
            break;
        }
    }
    if composer.verbs.is_empty() {
        composer.verbs.push(Element::new("Hangup"));
    }
    composer.verbs
}

/// Whether the provider goes on to the verb after this one.
#[derive(PartialEq, Eq)]
enum Next {
    Runs,
    Unreachable,
}

struct Composer<'a> {
    links: &'a Links,
    call: CallId,
    verbs: Vec<Element<'a>>,
}

impl<'a> Composer<'a> {
    fn add(&mut self, verb: &'a Verb) -> Next {
        match verb {
            Verb::Hear(audible) => self.verbs.extend(heard(audible)),
            Verb::Gather(gather) => return self.gather(gather),
            Verb::Dial(dial) => return self.dial(dial),
            Verb::Enqueue(enqueue) => return self.enqueue(enqueue),
            Verb::Record(record) => return self.record(record),
            Verb::Redirect(nonce) => return self.redirect(*nonce),
            // Once answered, a call cannot be refused any more.
            Verb::Reject { busy } if self.verbs.is_empty() => {
                let reason = if *busy { "busy" } else { "rejected" };
                return self.last(Element::new("Reject").with("reason", reason));
            }
            Verb::Reject { .. } | Verb::Hangup => return self.last(Element::new("Hangup")),
        }
        Next::Runs
    }

    fn last(&mut self, element: Element<'a>) -> Next {
        self.verbs.push(element);
        Next::Unreachable
    }

    fn redirect(&mut self, nonce: Nonce) -> Next {
        let url = self.links.turn(self.call, nonce);
        self.redirect_to(url)
    }

    fn redirect_to(&mut self, url: String) -> Next {
        self.last(Element::new("Redirect").with("method", "POST").text(url))
    }

    /// An element whose outcome comes back to us.
    fn asking(&self, name: &'static str, action: Nonce) -> Element<'a> {
        asking_at(name, self.links.turn(self.call, action))
    }

    /// Followed by a redirect to the same place, for providers that do not know
    /// `actionOnEmptyResult`: there silence would end the call.
    fn gather(&mut self, gather: &'a Gather) -> Next {
        let prompt: Vec<_> = gather.prompt.iter().flat_map(heard).collect();
        let (before, within) =
            if gather.barge_in { (Vec::new(), prompt) } else { (prompt, Vec::new()) };
        self.verbs.extend(before);
        let (keys, speech) = match gather.input {
            Input::Dtmf => (true, false),
            Input::Speech => (false, true),
            Input::DtmfSpeech => (true, true),
        };
        let input = match gather.input {
            Input::Dtmf => "dtmf",
            Input::Speech => "speech",
            Input::DtmfSpeech => "dtmf speech",
        };
        let url = self.links.turn(self.call, gather.action);
        let mut element = asking_at("Gather", url.clone())
            .with("input", input)
            .with("actionOnEmptyResult", "true")
            .with("timeout", gather.timeout_s.clamp(1, WAIT_S_MAX).to_string());
        if keys {
            let digits = gather.digits.filter(|digits| *digits > 0);
            element = element
                .with("finishOnKey", if gather.hash_ends { "#" } else { "" })
                .with_some("numDigits", digits.map(|digits| digits.to_string()));
        }
        if speech {
            // `auto` is refused beside a named `speechModel`, so none is ever named.
            element = element
                .with("speechTimeout", "auto")
                .with_some("language", language::gather(&gather.locale))
                .with_some("hints", hints(&gather.hints));
        }
        self.verbs.push(element.children(within));
        self.redirect_to(url)
    }

    fn dial(&mut self, dial: &'a Dial) -> Next {
        let Some(target) = self.target(&dial.to) else {
            return self.skip(dial.action);
        };
        let action = dial.action.map(|nonce| self.links.turn(self.call, nonce));
        let method = action.as_ref().map(|_| "POST");
        let caller_id = dial.caller_id.as_deref().filter(|number| shape::is_number(number));
        // Only as the first verb can it keep the caller's own ringing tone; a room answers at once.
        let bridges = self.verbs.is_empty() && target.name != "Conference";
        self.verbs.push(
            Element::new("Dial")
                .with_some("action", action)
                .with_some("method", method)
                .with("timeout", dial.timeout_s.clamp(1, WAIT_S_MAX).to_string())
                .with_some("callerId", caller_id)
                .with_some("answerOnBridge", bridges.then_some("true"))
                .children(vec![target]),
        );
        if dial.action.is_some() { Next::Unreachable } else { Next::Runs }
    }

    fn target(&self, to: &'a DialTarget) -> Option<Element<'a>> {
        match to {
            DialTarget::Number { number, whisper } => shape::is_number(number)
                .then(|| self.whispering("Number", *whisper).text(number.as_str())),
            DialTarget::Sip { uri, headers, voucher, whisper } => shape::is_sip(uri).then(|| {
                let voucher = voucher.as_ref().map(Secret::expose);
                self.whispering("Sip", *whisper).text(sip_address(uri, headers, voucher))
            }),
            DialTarget::Conference { name } => shape::is_name(name, limits::CONFERENCE_CHARS_MAX)
                .then(|| {
                    // A caller may leave it to prove something, and come back.
                    Element::new("Conference")
                        .with("endConferenceOnExit", "false")
                        .text(name.as_str())
                }),
        }
    }

    fn whispering(&self, name: &'static str, whisper: Option<Nonce>) -> Element<'a> {
        let url = whisper.map(|nonce| self.links.leg(self.call, nonce));
        let method = url.as_ref().map(|_| "POST");
        Element::new(name).with_some("url", url).with_some("method", method)
    }

    fn enqueue(&mut self, enqueue: &'a Enqueue) -> Next {
        let element = self.asking("Enqueue", enqueue.action);
        let element = match &enqueue.queue {
            QueueTarget::Named(name) if shape::is_name(name, limits::QUEUE_CHARS_MAX) => {
                element.text(name.as_str())
            }
            QueueTarget::Workflow { sid, attributes, voucher } if shape::is_workflow(sid) => {
                let voucher = voucher.as_ref().map(Secret::expose);
                element
                    .with("workflowSid", sid.as_str())
                    .children(vec![Element::new("Task").text(task(attributes, voucher))])
            }
            QueueTarget::Named(_) | QueueTarget::Workflow { .. } => {
                return self.skip(Some(enqueue.action));
            }
        };
        self.last(element)
    }

    fn record(&mut self, record: &Record) -> Next {
        let length_s = record.max_length_s.clamp(limits::RECORD_S_MIN, limits::RECORD_S_MAX);
        let url = self.links.turn(self.call, record.action);
        let element = asking_at("Record", url.clone())
            .with("maxLength", length_s.to_string())
            .with("timeout", record.timeout_s.clamp(1, WAIT_S_MAX).to_string())
            .with("finishOnKey", "#")
            .with("playBeep", "true");
        self.verbs.push(element);
        // An empty recording is told to no action: the provider runs the next verb.
        self.redirect_to(url)
    }

    /// Goes on where a verb that cannot be written would have led.
    fn skip(&mut self, action: Option<Nonce>) -> Next {
        match action {
            Some(nonce) => self.redirect(nonce),
            None => Next::Runs,
        }
    }
}

/// An element whose outcome comes back to this address.
fn asking_at<'a>(name: &'static str, url: String) -> Element<'a> {
    Element::new(name).with("action", url).with("method", "POST")
}

fn heard(audible: &Audible) -> Vec<Element<'_>> {
    match audible {
        Audible::Say(words) => speech::say(words),
        Audible::Play(url) if shape::is_url(url) => vec![Element::new("Play").text(url.as_str())],
        Audible::Play(_) => Vec::new(),
        Audible::Pause(length_s) => {
            let length_s = (*length_s).clamp(1, WAIT_S_MAX);
            vec![Element::new("Pause").with("length", length_s.to_string())]
        }
    }
}

/// The hints as one list, as many as the provider takes; `None` if there is none. A comma would make
/// two of one, so it becomes a space.
fn hints(hints: &[String]) -> Option<String> {
    let mut list = String::new();
    let usable = hints.iter().filter_map(|hint| {
        let hint = clean(hint).replace(',', " ");
        let hint = hint.trim();
        let fits = !hint.is_empty() && hint.chars().count() <= limits::HINT_CHARS_MAX;
        fits.then(|| hint.to_owned())
    });
    let mut bytes = 0;
    for hint in usable.take(limits::HINTS_MAX) {
        bytes += quick_xml::escape::escape(hint.as_str()).len() + 1;
        if bytes > limits::HINTS_BYTES_MAX {
            break;
        }
        if !list.is_empty() {
            list.push(',');
        }
        list.push_str(&hint);
    }
    (!list.is_empty()).then_some(list)
}

/// A task's attributes with what vouches for them. Where TaskRouter has no room for all, the fields that are shared
/// give way, and then the voucher; what is none, or is too large even so, is the empty object, for the specialist
/// had better answer uninformed than not at all.
fn task(attributes: &str, voucher: Option<&str>) -> String {
    type Object = serde_json::Map<String, serde_json::Value>;
    let text = clean(attributes);
    let fits = |text: &str| text.chars().count() <= limits::TASK_CHARS_MAX;
    let Ok(mut object) = serde_json::from_str::<Object>(&text) else { return "{}".to_owned() };
    match voucher {
        Some(voucher) => {
            object.insert("voucher".into(), clean(voucher).into());
        }
        None if fits(&text) => return text.into_owned(),
        None => {}
    }
    for gives_way in [None, Some("shared"), Some("voucher")] {
        object.retain(|name, _| Some(name.as_str()) != gives_way);
        let written = serde_json::to_string(&object).ok().filter(|text| fits(text));
        if let Some(written) = written {
            return written;
        }
    }
    "{}".to_owned()
}

/// The address with its header fields as a query, percent-encoded: the form that the provider
/// documents. A field that the provider would refuse, or that does not fit, is left out whole; what
/// vouches for them comes last, for what the designer shares is asked for by name.
fn sip_address(uri: &str, headers: &[(String, String)], voucher: Option<&str>) -> String {
    let mut query = String::new();
    let headers = headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let headers = headers.chain(voucher.map(|voucher| ("X-Callgate-Voucher", voucher)));
    for (name, value) in headers.filter(|(name, _)| is_sip_header(name)) {
        let separator = if query.is_empty() { '?' } else { '&' };
        let field = format!("{separator}{name}={}", percent_encoded(&clean(value)));
        if query.len() + field.len() <= limits::SIP_HEADERS_BYTES_MAX {
            query.push_str(&field);
        }
    }
    format!("{uri}{query}")
}

/// Whether the provider sends the field: `X-` names, save its own.
fn is_sip_header(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    lower.len() > 2
        && lower.starts_with("x-")
        && !lower.starts_with("x-twilio")
        && lower.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_leaves_room_for_what_the_provider_adds() {
        let names = |shared: usize, voucher: usize| {
            let shared = serde_json::json!({ "note": "ü".repeat(shared) });
            let attributes = serde_json::json!({ "shared": shared, "proved": [] }).to_string();
            let text = task(&attributes, Some(&"v".repeat(voucher)));
            assert!(text.chars().count() < 3_300, "{text}");
            let task: serde_json::Map<_, _> = serde_json::from_str(&text).unwrap();
            task.keys().map(String::as_str).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(names(2_000, 1_000), "shared proved voucher");
        assert_eq!(names(3_000, 1_000), "proved voucher");
        assert_eq!(names(3_000, 4_000), "proved");
    }
}
