//! A telephone and the provider behind it: rings, keys, and follows the answers.

use callgate::twiml::grammar::{self, Node};

use super::house::{House, LINE, PUBLIC_URL};
use super::provider::ACCOUNT_SID;

/// One leg, as the provider sees it.
pub(crate) struct Telephone {
    pub(crate) sid: String,
    pub(crate) from: String,
    pub(crate) to: String,
    direction: &'static str,
    /// The last answer.
    pub(crate) heard: Node,
    /// How often each request is sent.
    pub(crate) copies: usize,
}

impl Telephone {
    /// A telephone with this number, about to ring the line.
    pub(crate) fn new(sid: &str, from: &str) -> Self {
        Self::between(sid, from, LINE, "inbound")
    }

    /// A telephone that is rung.
    pub(crate) fn rung(sid: &str, to: &str) -> Self {
        Self::between(sid, LINE, to, "outbound-api")
    }

    fn between(sid: &str, from: &str, to: &str, direction: &'static str) -> Self {
        let heard = grammar::read("<Response><Hangup/></Response>").unwrap();
        Self { sid: sid.into(), from: from.into(), to: to.into(), direction, heard, copies: 1 }
    }

    /// Rings.
    pub(crate) async fn ring(&mut self, house: &House) -> &Node {
        self.post(house, "/twilio/voice", &[("CallStatus", "ringing")]).await
    }

    /// Keys digits in.
    pub(crate) async fn key(&mut self, house: &House, digits: &str) -> &Node {
        let path = self.action();
        self.post(house, &path, &[("Digits", digits), ("CallStatus", "in-progress")]).await
    }

    /// Says something.
    pub(crate) async fn say(&mut self, house: &House, words: &str) -> &Node {
        let path = self.action();
        self.post(house, &path, &[("SpeechResult", words), ("CallStatus", "in-progress")]).await
    }

    /// Follows the redirect, or the action without input.
    pub(crate) async fn wait(&mut self, house: &House) -> &Node {
        let path = self.action();
        self.post(house, &path, &[("CallStatus", "in-progress")]).await
    }

    /// Posts to a path, and hears the answer: the same however often it is sent.
    pub(crate) async fn post(&mut self, house: &House, path: &str, more: &[(&str, &str)]) -> &Node {
        let mut form = vec![
            ("AccountSid", ACCOUNT_SID),
            ("ApiVersion", "2010-04-01"),
            ("CallSid", &self.sid),
            ("Direction", self.direction),
            ("From", &self.from),
            ("To", &self.to),
            ("CallerCity", ""),
        ];
        form.extend(more);
        let (status, body) = house.post(path, &form).await;
        assert_eq!(status, 200, "{path}: {body}");
        grammar::validate(&body).unwrap_or_else(|errors| panic!("{errors:#?}\n{body}"));
        for _ in 1..self.copies {
            assert_eq!(house.post(path, &form).await, (200, body.clone()), "{path}, sent again");
        }
        self.heard = grammar::read(&body).unwrap();
        &self.heard
    }

    /// Posts a status, and expects nothing to hear.
    pub(crate) async fn status(&self, house: &House, path: &str, more: &[(&str, &str)]) {
        let mut form = vec![
            ("AccountSid", ACCOUNT_SID),
            ("CallSid", &self.sid),
            ("Direction", self.direction),
            ("From", &self.from),
            ("To", &self.to),
        ];
        form.extend(more);
        for _ in 0..self.copies {
            assert_eq!(house.post(path, &form).await.0, 204, "{path}");
        }
    }

    /// Everything spoken in the last answer.
    pub(crate) fn spoken(&self) -> String {
        spoken(&self.heard)
    }

    /// Where the last answer carries the leg on: a path of ours.
    pub(crate) fn action(&self) -> String {
        let gather = |node: &Node| {
            let verb = matches!(node.name.as_str(), "Gather" | "Dial" | "Enqueue" | "Record");
            verb.then(|| node.attribute("action").unwrap().to_owned())
        };
        let redirect = |node: &Node| (node.name == "Redirect").then(|| node.text.clone());
        let children = &self.heard.children;
        let url = children.iter().find_map(gather).or_else(|| children.iter().find_map(redirect));
        let url = url.unwrap_or_else(|| panic!("the leg is not carried on: {:?}", self.heard));
        url.strip_prefix(PUBLIC_URL).unwrap().to_owned()
    }

    /// Whether the last answer has this verb.
    pub(crate) fn hears(&self, verb: &str) -> bool {
        self.heard.children.iter().any(|node| node.name == verb)
    }
}

/// Everything spoken in an answer.
pub(crate) fn spoken(answer: &Node) -> String {
    let mut words = Vec::new();
    collect(answer, &mut words);
    words.join(" ")
}

fn collect(node: &Node, words: &mut Vec<String>) {
    if node.name == "Say" {
        words.push(node.text.clone());
    }
    node.children.iter().for_each(|child| collect(child, words));
}

/// The digits of a text, in order.
pub(crate) fn digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}
