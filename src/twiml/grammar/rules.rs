//! Elements against the grammar.

use super::{Node, Text, Value, element};
use crate::flow::name::is_voice;
use crate::limits;
use crate::twiml::shape;

/// Everything that is wrong with a document.
pub(super) fn problems(root: &Node) -> Vec<String> {
    if root.name != "Response" {
        return vec![format!("the root is `{}`, not `Response`", root.name)];
    }
    let mut problems = Vec::new();
    check(root, &mut problems);
    check_order(&root.children, &mut problems);
    problems
}

fn check(node: &Node, problems: &mut Vec<String>) {
    let name = &node.name;
    let Some(grammar) = element(name) else {
        problems.push(format!("`{name}` is not an element that we write"));
        return;
    };
    for (key, value) in &node.attributes {
        match grammar.attributes.iter().find(|attribute| attribute.name == key) {
            None => problems.push(format!("`{name}` has no attribute `{key}`")),
            Some(attribute) => {
                if let Err(wanted) = holds(attribute.value, value) {
                    problems.push(format!("`{name}` wants {wanted} in `{key}`"));
                }
            }
        }
    }
    for attribute in grammar.attributes.iter().filter(|attribute| attribute.required) {
        if node.attribute(attribute.name).is_none() {
            problems.push(format!("`{name}` lacks its `{}`", attribute.name));
        }
    }
    if let Some(problem) = check_text(node, grammar.text) {
        problems.push(problem);
    }
    problems.extend(check_together(node));
    for child in &node.children {
        if element(&child.name).is_some_and(|it| !it.parents.contains(&name.as_str())) {
            problems.push(format!("`{}` cannot stand inside `{name}`", child.name));
        }
        check(child, problems);
    }
}

fn check_text(node: &Node, text: Text) -> Option<String> {
    let name = &node.name;
    let value = match text {
        Text::OrChildren(_) if !node.children.is_empty() => None,
        Text::None => None,
        Text::OrChildren(value) | Text::Required(value) => Some(value),
    };
    match value {
        None if node.text.trim().is_empty() => None,
        None => Some(format!("`{name}` holds text")),
        Some(value) => {
            holds(value, &node.text).err().map(|wanted| format!("`{name}` wants {wanted} as text"))
        }
    }
}

/// What the attributes and children of one element demand of each other.
fn check_together(node: &Node) -> Option<String> {
    let has = |name| node.attribute(name).is_some();
    let problem = match node.name.as_str() {
        "Gather" => {
            let hears = node.attribute("input").unwrap_or_default();
            let keys = has("finishOnKey") || has("numDigits");
            let speech = has("speechTimeout") || has("language") || has("hints");
            (keys && !hears.contains("dtmf") || speech && !hears.contains("speech"))
                .then_some("sets what it does not listen for")
        }
        "Dial" if node.children.len() != 1 => Some("does not ring exactly one party"),
        "Dial" if has("action") != has("method") => Some("has only one of `action` and `method`"),
        "Number" | "Sip" if has("url") != has("method") => {
            Some("has only one of `url` and `method`")
        }
        "Enqueue" if has("workflowSid") == node.children.is_empty() => {
            Some("has only one of `workflowSid` and a task")
        }
        "Enqueue" if node.children.len() > 1 => Some("has two tasks"),
        _ => None,
    };
    problem.map(|problem| format!("`{}` {problem}", node.name))
}

/// What the order of the verbs means for the caller.
fn check_order(verbs: &[Node], problems: &mut Vec<String>) {
    if verbs.is_empty() {
        problems.push("the document says nothing".to_owned());
    }
    let mut rest = verbs.iter().enumerate().peekable();
    while let Some((index, verb)) = rest.next() {
        let name = verb.name.as_str();
        if name == "Reject" && index > 0 {
            problems.push("`Reject` stands after another verb".to_owned());
        }
        if name == "Dial" && index > 0 && verb.attribute("answerOnBridge").is_some() {
            problems.push("`Dial` sets `answerOnBridge` after another verb".to_owned());
        }
        let ends = match name {
            "Gather" | "Record" => {
                let next = rest.next_if(|(_, next)| next.name == "Redirect");
                if next.is_none_or(|(_, next)| Some(next.text.as_str()) != verb.attribute("action"))
                {
                    problems
                        .push(format!("`{name}` is not followed by a `Redirect` to its action"));
                }
                true
            }
            "Dial" => verb.attribute("action").is_some(),
            "Enqueue" | "Redirect" | "Reject" | "Hangup" => true,
            _ => false,
        };
        if let Some((_, next)) = rest.peek().filter(|_| ends) {
            problems.push(format!("`{}` after `{name}` is never reached", next.name));
            return;
        }
    }
}

/// Whether a value is what it should be; the error says what that is.
fn holds(value: Value, text: &str) -> Result<(), String> {
    let (holds, wanted) = match value {
        Value::Url => (shape::is_url(text), "an absolute address"),
        Value::Number(min, max) => {
            let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
            let number = text.parse().ok().filter(|number| (min..=max).contains(number));
            let range = || format!("a whole number from {min} to {max}");
            return number.filter(|_| plain || text == "0").map(|_| ()).ok_or_else(range);
        }
        Value::OneOf(words) => {
            let list = || match words {
                [word] => format!("`{word}`"),
                _ => "a word of its list".to_owned(),
            };
            return words.contains(&text).then_some(()).ok_or_else(list);
        }
        Value::Key(keys) => {
            (text.is_empty() || text.len() == 1 && keys.contains(text), "one key or none")
        }
        Value::Phone => (shape::is_number(text), "a number"),
        Value::Sip => (is_sip_with_fields(text), "a SIP address"),
        Value::Voice => (is_voice(text), "a voice"),
        Value::Workflow => (shape::is_workflow(text), "a workflow"),
        Value::Hints => (are_hints(text), "500 hints of 100 characters at most"),
        Value::Speech => {
            (!text.trim().is_empty() && text.len() <= limits::SAY_BYTES_MAX, "words, not too many")
        }
        Value::Name(chars_max) => (shape::is_name(text, chars_max), "a name"),
        Value::Object => (shape::is_object(text), "a JSON object"),
    };
    if holds { Ok(()) } else { Err(wanted.to_owned()) }
}

fn are_hints(text: &str) -> bool {
    let fits =
        |hint: &str| !hint.trim().is_empty() && hint.chars().count() <= limits::HINT_CHARS_MAX;
    text.split(',').count() <= limits::HINTS_MAX && text.split(',').all(fits)
}

fn is_sip_with_fields(text: &str) -> bool {
    let (address, fields) = text.split_once('?').unwrap_or((text, "X-A=b"));
    let is_field = |field: &str| {
        let (name, value) = field.split_once('=').unwrap_or_default();
        name.get(..2).is_some_and(|start| start.eq_ignore_ascii_case("x-"))
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.~%".contains(&byte))
    };
    shape::is_sip(address)
        && fields.len() <= limits::SIP_HEADERS_BYTES_MAX
        && fields.split('&').all(is_field)
}
