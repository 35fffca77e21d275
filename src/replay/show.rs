//! What came back, in words that do not depend on chance: codes as `<code>`, nonces as `<nonce>`.

use std::fmt::Write as _;

use super::provider::{Answered, Lapse, Provider, role_name};
use super::transcript::{CHECKS, word_of};
use super::world::Outgoing;
use crate::engine::call::Call;
use crate::engine::eligibility::{Fit, Purpose};
use crate::engine::event::LegStatus;
use crate::engine::id::{CallId, Nonce};
use crate::engine::question::Verdict;
use crate::engine::reply::{
    Audible, Dial, DialTarget, Enqueue, QueueTarget, Reply, Speech, Verb, Words,
};
use crate::secret::Secret;
use crate::twiml;
use crate::twiml::grammar::{self, Node};
use crate::twiml::links::Links;

/// What stands for a code.
const CODE: &str = "<code>";

/// The words heard in an answer, in order, and the sounds by their addresses.
pub(super) fn words(reply: &Reply) -> Vec<String> {
    reply
        .heard()
        .filter_map(|audible| match audible {
            Audible::Say(speech) => Some(without_codes(speech).text()),
            Audible::Play(address) => Some(format!("(plays {address})")),
            Audible::Pause(_) => None,
        })
        .collect()
}

/// A state as a transcript names it: alone in the call's own flow, else with its flow.
pub(super) fn state(call: &Call) -> String {
    if call.at.flow == call.flow {
        call.at.state.to_string()
    } else {
        format!("{}.{}", call.at.flow, call.at.state)
    }
}

/// Whether a state is meant by this name, with or without its flow.
pub(super) fn is_state(call: &Call, name: &str) -> bool {
    match name.split_once('.') {
        Some((flow, state)) => call.at.flow.as_str() == flow && call.at.state.as_str() == state,
        None => call.at.state.as_str() == name,
    }
}

/// Something done outside, as a line.
pub(super) fn outgoing(outgoing: &Outgoing, provider: &Provider, code_digits: u32) -> String {
    let leg = |sid| provider.role_of(sid).map_or("unknown", role_name);
    let refused = |refused: bool| if refused { " (refused)" } else { "" };
    match outgoing {
        Outgoing::SendSms { to, body, refused: was } => {
            let body = mask_code(body.expose(), code_digits);
            format!("send_sms {}: {body}{}", to.as_e164(), refused(*was))
        }
        Outgoing::SendEmail { email, refused: was } => {
            let body =
                mask_code(email.body.expose(), code_digits).replace("\n\n", " ").replace('\n', " ");
            let (to, subject) = (email.to.expose(), &email.subject);
            format!("send_email {to}: {subject}: {body}{}", refused(*was))
        }
        Outgoing::PlaceCall { to, refused: was } => {
            format!("place_call {}{}", to.as_e164(), refused(*was))
        }
        Outgoing::LookUp { path, body, failed } => {
            format!("look_up {path} {body}{}", if *failed { " (failed)" } else { "" })
        }
        Outgoing::LookUpNumber { number, purpose, fit } => {
            let purpose = match purpose {
                Purpose::Message => "message",
                Purpose::Ring => "ring",
            };
            let found = word_of(&Fit::ALL, fit);
            format!("look_up_number {} for a {purpose} ({found})", number.as_e164())
        }
        Outgoing::BeginVerification { begin, refused: was } => {
            let (to, locale) = (begin.to.as_e164(), &begin.locale);
            format!("begin_verification {to} ({locale}){}", refused(*was))
        }
        Outgoing::CheckVerification { number, verdict } => {
            let said = match verdict {
                Verdict::Right => "right",
                Verdict::Wrong => "wrong",
                other => word_of(&CHECKS, other),
            };
            format!("check_verification {} ({said})", number.as_e164())
        }
        Outgoing::RedirectLeg(_, sid) => format!("redirect {}", leg(sid)),
        Outgoing::EndLeg(sid) => format!("end_leg {}", leg(sid)),
    }
}

/// The code in a message: its only run of so many digits.
pub(super) fn code_in(message: &str, digits: u32) -> Option<&str> {
    let digits = usize::try_from(digits).ok()?;
    message.split(|c: char| !c.is_ascii_digit()).find(|run| run.len() == digits)
}

fn mask_code(message: &str, digits: u32) -> String {
    match code_in(message, digits) {
        Some(code) => message.replace(code, CODE),
        None => message.to_owned(),
    }
}

/// A code like this one, and another.
pub(super) fn wrong(code: &str) -> String {
    let mut digits: Vec<char> = code.chars().collect();
    if let Some(last) = digits.last_mut() {
        *last = last.to_digit(10).and_then(|d| char::from_digit((d + 1) % 10, 10)).unwrap_or('0');
    }
    digits.into_iter().collect()
}

/// The status that stands for a hang-up.
pub(super) const HUNG_UP: LegStatus = LegStatus::Completed;

/// A document, one element a line.
pub(super) fn document(answered: &Answered, provider: &Provider) -> Result<String, Lapse> {
    let call = provider.call_id()?;
    Ok(redacted(&answered.reply, provider.links(), call))
}

/// Stands for a voucher, and for the version of a flow, which change with every word of the flow.
fn mask_versions(verb: &mut Verb) {
    let mask = |voucher: &mut Option<Secret>| {
        if voucher.is_some() {
            *voucher = Some(Secret::new("<voucher>"));
        }
    };
    match verb {
        Verb::Enqueue(Enqueue {
            queue: QueueTarget::Workflow { attributes, voucher, .. }, ..
        }) => {
            mask(voucher);
            if let Ok(serde_json::Value::Object(mut told)) = serde_json::from_str(attributes) {
                if let Some(edition) = told.get_mut("edition") {
                    *edition = "<edition>".into();
                }
                *attributes = serde_json::Value::Object(told).to_string();
            }
        }
        Verb::Dial(Dial { to: DialTarget::Sip { voucher, .. }, .. }) => mask(voucher),
        _ => {}
    }
}

fn redacted(reply: &Reply, links: &Links, call: CallId) -> String {
    let mut nonces = Vec::new();
    let mut plain = reply.clone();
    for verb in &mut plain.verbs {
        nonces.extend(nonces_of(verb));
        mask_versions(verb);
        let heard = match verb {
            Verb::Hear(audible) => std::slice::from_mut(audible),
            Verb::Gather(gather) => gather.prompt.as_mut_slice(),
            _ => &mut [],
        };
        for audible in heard {
            if let Audible::Say(speech) = audible {
                *speech = without_codes(speech);
            }
        }
    }
    let written = twiml::render(&plain, links, call);
    let mut shown = String::new();
    match grammar::read(&written) {
        Ok(root) => lay_out(&root, 0, &mut shown),
        Err(_) => shown = written,
    }
    for nonce in nonces {
        shown = shown.replace(&nonce.to_string(), "<nonce>");
    }
    shown.replace(&call.to_string(), "<call>").trim_end().to_owned()
}

fn nonces_of(verb: &Verb) -> Vec<Nonce> {
    match verb {
        Verb::Gather(gather) => vec![gather.action],
        Verb::Enqueue(enqueue) => vec![enqueue.action],
        Verb::Record(record) => vec![record.action],
        Verb::Redirect(nonce) => vec![*nonce],
        Verb::Dial(Dial { to, action, .. }) => {
            let whisper = match to {
                DialTarget::Number { whisper, .. } | DialTarget::Sip { whisper, .. } => *whisper,
                DialTarget::Conference { .. } => None,
            };
            action.iter().copied().chain(whisper).collect()
        }
        Verb::Hear(_) | Verb::Reject { .. } | Verb::Hangup => Vec::new(),
    }
}

fn without_codes(speech: &Speech) -> Speech {
    let plain = |words: &Words| match words {
        Words::Text(text) => Words::Text(text.clone()),
        Words::Digits(_) => Words::Text(CODE.to_owned()),
    };
    Speech { words: speech.words.iter().map(plain).collect(), ..speech.clone() }
}

fn lay_out(node: &Node, depth: usize, to: &mut String) {
    let indent = "  ".repeat(depth);
    let _ = write!(to, "{indent}<{}", node.name);
    for (name, value) in &node.attributes {
        let _ = write!(to, " {name}=\"{value}\"");
    }
    let text = node.text.trim();
    if node.children.is_empty() && text.is_empty() {
        to.push_str("/>\n");
        return;
    }
    to.push('>');
    if node.children.is_empty() {
        let _ = writeln!(to, "{text}</{}>", node.name);
        return;
    }
    to.push('\n');
    for child in &node.children {
        lay_out(child, depth + 1, to);
    }
    let _ = writeln!(to, "{indent}</{}>", node.name);
}

/// A document without the blanks that are only layout.
pub(super) fn squeezed(document: &str) -> String {
    document.lines().map(str::trim).filter(|line| !line.is_empty()).collect()
}
