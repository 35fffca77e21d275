//! Raw captures: a provider's requests as they came over the wire, posted to the server again.
//!
//! The signature of each is checked first. Then whatever the provider had been told in answers (nonces, the names
//! of effects and of legs that we placed) is replaced by what it is told now, and the request is signed again.
//! Everything else goes through the real server as it was captured: a code that was right then is a different one
//! now, and a capture does not contain what back ends and networks answered.

pub mod address;
pub mod house;
mod read;
mod translate;

pub use read::{CaptureError, Captured, read};

use std::fmt::Write as _;

use super::show;
use crate::carrier::form;
use crate::twiml::grammar::{self, Node};
use house::{House, HouseError};
use translate::Translator;

/// The provider's header for its signature.
const SIGNATURE: &str = "X-Twilio-Signature";

/// The result of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Posted {
    /// The line of the capture in which it begins.
    pub line: usize,
    /// What was asked for, without what is used only once.
    pub route: String,
    /// What came back.
    pub came: Result<Answer, String>,
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The document, or nothing.
    pub document: String,
    /// What is heard.
    pub words: Vec<String>,
    /// The state in which the call then is.
    pub state: Option<String>,
    /// Whether a code was keyed in that is not valid now: each run has codes of its own.
    pub code_of_then: bool,
}

impl Posted {
    /// Whether it was taken.
    pub fn is_well(&self) -> bool {
        self.came.as_ref().is_ok_and(|answer| (200..300).contains(&answer.status))
    }

    /// The result in lines: the words, or the document.
    pub fn lines(&self, file: &str, twiml: bool) -> Vec<String> {
        let head = format!("{file}:{}: {}", self.line, self.route);
        let answer = match &self.came {
            Ok(answer) => answer,
            Err(why) => return vec![format!("{head}: {why}")],
        };
        let mut first = format!("{head}: {}", answer.status);
        if let Some(state) = &answer.state {
            let _ = write!(first, ", in `{state}`");
        }
        if answer.code_of_then {
            first.push_str(" (a code of then, which is wrong now)");
        }
        let told: Vec<_> = if twiml {
            answer.document.lines().map(|line| format!("    {line}")).collect()
        } else {
            answer.words.iter().map(|words| format!("    {words}")).collect()
        };
        std::iter::once(first).chain(told).collect()
    }
}

/// Posts the requests one after the other, as they were captured.
pub async fn replay(house: &House, requests: &[Captured]) -> Result<Vec<Posted>, HouseError> {
    let mut translator = Translator::default();
    let mut posted = Vec::new();
    for request in requests {
        let came = match post(house, request, &mut translator).await {
            Err(HouseError::Request(why)) => Err(why),
            Err(error) => return Err(error),
            Ok(answer) => Ok(answer),
        };
        house.settle().await?;
        posted.push(Posted { line: request.line, route: request.route(), came });
    }
    Ok(posted)
}

async fn post(
    house: &House,
    request: &Captured,
    translator: &mut Translator,
) -> Result<Answer, HouseError> {
    let refuse = |why: &str| HouseError::Request(why.to_owned());
    let fields = form::parse(&request.body)
        .map_err(|error| HouseError::Request(format!("the body is no form: {error}")))?;
    let signature = request.header(SIGNATURE);
    let signature = signature.ok_or_else(|| refuse("it has no `X-Twilio-Signature`"))?;
    let target = address::below(&request.target, house.public_url()).to_owned();
    if !house.signed(&target, &fields, signature) {
        let base = house.public_url();
        return Err(HouseError::Request(format!(
            "the signature is not what this token makes of this public URL, target and form; the public URL is `{base}`"
        )));
    }
    if request.method != "POST" {
        let method = &request.method;
        return Err(HouseError::Request(format!(
            "callgate serves no `{method}`: set the webhook to `POST` where the number is bought"
        )));
    }
    let request = Captured { target, ..request.clone() };
    let (request, call) = translator.translate(house, &request, &fields).await?;
    let before = house.waits_for_code(call).await?;
    let (status, document) = house.post(&request).await?;
    let code_of_then = match before {
        Some(turns) => house.judged_wrong_since(call, turns).await?,
        None => false,
    };
    let words = grammar::read(&document).map(|root| words(&root)).unwrap_or_default();
    let state = house.call(call).await?.map(|call| show::state(&call));
    Ok(Answer { status, document, words, state, code_of_then })
}

/// What is heard, in order.
fn words(node: &Node) -> Vec<String> {
    let mut heard = match node.name.as_str() {
        "Say" => vec![spoken(node)],
        "Play" => vec![format!("(plays {})", node.text.trim())],
        _ => Vec::new(),
    };
    if node.name != "Say" {
        heard.extend(node.children.iter().flat_map(words));
    }
    heard
}

/// The text of an element and of those inside it.
fn spoken(node: &Node) -> String {
    let inside: Vec<_> = node.children.iter().map(spoken).collect();
    let parts = std::iter::once(node.text.trim()).chain(inside.iter().map(String::as_str));
    parts.filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}
