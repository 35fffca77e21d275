//! A telephone, and the provider's part in it: does what the TwiML says, and lets a person key.

use std::rc::Rc;
use std::time::Duration;

use callgate::engine::id::{CallId, Nonce, Sid};
use callgate::twiml::grammar::{self, Node};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::Instant;

use super::oracle::Who;
use super::person::Person;
use super::telco::Command;
use super::town::{Request, Town};
use super::world::{LINE, LINKS, path_of};
use crate::support::provider::ACCOUNT_SID;

/// A leg.
pub(crate) struct Telephone {
    pub(crate) town: Rc<Town>,
    pub(crate) sid: Sid,
    pub(crate) call: CallId,
    pub(crate) number: String,
    pub(crate) rang_us: bool,
    pub(crate) person: Person,
    pub(crate) told: UnboundedReceiver<Command>,
    /// When the person puts the receiver down, whatever is said.
    pub(crate) leaves: Option<Instant>,
    pub(crate) began: Instant,
}

/// What a leg fetches next.
pub(crate) struct Fetch {
    pub(crate) path: String,
    pub(crate) fields: Vec<(&'static str, String)>,
}

/// What comes in between.
enum Between {
    Fetch(Fetch),
    Over,
}

/// Requests for one answer before the provider falls back.
const TRIES: usize = 3;

impl Fetch {
    pub(crate) fn plain(path: String) -> Self {
        Self { path, fields: Vec::new() }
    }

    fn of(url: &str, fields: Vec<(&'static str, String)>) -> Self {
        Self { path: path_of(url), fields }
    }
}

impl Telephone {
    /// Talks until one of the two hangs up.
    pub(crate) async fn talk(mut self, first: Fetch) {
        let mut next = Some(first);
        while let Some(fetch) = next {
            next = match self.fetch(fetch).await {
                Some(document) => match self.play(&document).await {
                    Ok(next) => next,
                    Err(Between::Fetch(fetch)) => Some(fetch),
                    Err(Between::Over) => None,
                },
                None => None,
            };
        }
        self.town.world.telco.disconnect(&self.sid);
    }

    /// A request about this leg.
    pub(crate) fn request(&self, path: &str, status: &str, more: &[(&str, String)]) -> Request {
        let (from, to, direction) = if self.rang_us {
            (self.number.as_str(), LINE, "inbound")
        } else {
            (LINE, self.number.as_str(), "outbound-api")
        };
        let mut form = vec![
            ("AccountSid", ACCOUNT_SID.to_owned()),
            ("ApiVersion", "2010-04-01".to_owned()),
            ("CallSid", self.sid.0.clone()),
            ("CallStatus", status.to_owned()),
            ("Direction", direction.to_owned()),
            ("From", from.to_owned()),
            ("To", to.to_owned()),
        ];
        form.extend(more.iter().cloned());
        let nonce = path.rsplit('/').next().and_then(Nonce::parse);
        Request {
            who: self.person.who,
            sid: self.sid.clone(),
            call: self.call,
            nonce,
            path: path.to_owned(),
            form: form.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
            own: true,
        }
    }

    /// Fetches an answer, from the fallback address if it must be.
    async fn fetch(&self, fetch: Fetch) -> Option<Node> {
        let world = &self.town.world;
        let request = self.request(&fetch.path, "in-progress", &fetch.fields);
        let digits = fetch.fields.iter().find(|(name, _)| *name == "Digits");
        if let (Some(nonce), Some((_, digits))) = (request.nonce, digits) {
            world.oracle.keyed(nonce, digits);
            self.meddle(&request, digits);
        }
        self.town.seen.borrow_mut().push(request.clone());
        if world.fails(150) {
            self.again(request.clone());
        }
        for _ in 0..TRIES {
            if let Some(document) = self.town.ask(&request).await {
                return self.read(&document);
            }
            if world.dice.falls(300) {
                break;
            }
        }
        let failed = vec![
            ("ErrorCode", "11205".to_owned()),
            ("ErrorUrl", format!("{}{}", LINKS.base(), fetch.path)),
        ];
        let fallback = path_of(&LINKS.fallback());
        let mut request = self.request(&fallback, "in-progress", &failed);
        request.nonce = None;
        for _ in 0..TRIES {
            if let Some(document) = self.town.ask(&request).await {
                return self.read(&document);
            }
        }
        // No server could be reached: the provider says so, and ends the leg.
        if world.is_calm() {
            world.oracle.violated(format!("{}: no server answers", self.call));
        }
        None
    }

    fn read(&self, document: &str) -> Option<Node> {
        let read = grammar::read(document).ok()?;
        for node in read.children.iter().filter(|node| node.name == "Say") {
            if let Some(code) = code_of(&node.text) {
                self.town.world.oracle.told(self.call, &code);
                if let Who::Customer(n) = self.person.who {
                    self.town.memory.borrow_mut().insert(n, code);
                }
            }
        }
        Some(read)
    }

    /// The network brings a request twice.
    fn again(&self, request: Request) {
        let (town, after) = (self.town.clone(), self.town.world.dice.ms(0, 2_500));
        tokio::task::spawn_local(async move {
            tokio::time::sleep(after).await;
            town.ask(&request).await;
        });
    }

    /// An attacker who can send what the provider signs keys something else with the same nonce, or
    /// says that it is another leg.
    fn meddle(&self, request: &Request, digits: &str) {
        let dice = &self.town.world.dice;
        if self.person.who != Who::Attacker || !dice.falls(300) {
            return;
        }
        let mut other = request.clone();
        let forged = dice.falls(300);
        for (name, value) in &mut other.form {
            if name == "Digits" && digits.len() == 6 {
                *value = self.person.guess(&self.town.world);
            }
            if forged && name == "CallSid" {
                *value = format!("CA{:032x}", 0xbad);
            }
        }
        other.own = false;
        if let Some(nonce) = other.nonce.filter(|_| !forged) {
            let guess = other.form.iter().find(|(name, _)| name == "Digits");
            self.town.world.oracle.keyed(nonce, guess.map_or("", |(_, value)| value));
        }
        self.again(other);
    }

    /// Lets time pass, unless something comes in between.
    async fn pass(&mut self, time: Duration) -> Result<(), Between> {
        let until = Instant::now() + time;
        let leaves = self.leaves.filter(|leaves| *leaves < until);
        tokio::select! {
            biased;
            command = self.told.recv() => Err(match command {
                Some(Command::Fetch(path)) => Between::Fetch(Fetch::plain(path)),
                Some(Command::End) | None => Between::Over,
            }),
            () = tokio::time::sleep_until(leaves.unwrap_or(until)) => match leaves {
                Some(_) => Err(Between::Over),
                None => Ok(()),
            },
        }
    }

    /// Does what a document says; `None`: the leg is over.
    async fn play(&mut self, document: &Node) -> Result<Option<Fetch>, Between> {
        let mut heard = String::new();
        for verb in &document.children {
            let action = verb.attribute("action");
            let seconds = |name| verb.attribute(name).and_then(|it| it.parse::<u64>().ok());
            match verb.name.as_str() {
                "Say" => {
                    heard.push_str(&verb.text);
                    self.pass(speaking(&verb.text)).await?;
                }
                "Pause" => self.pass(Duration::from_secs(seconds("length").unwrap_or(1))).await?,
                "Gather" => {
                    for said in &verb.children {
                        heard.push_str(&said.text);
                        self.pass(speaking(&said.text)).await?;
                    }
                    let timeout = Duration::from_secs(seconds("timeout").unwrap_or(5));
                    let digits = self.key(&heard, timeout).await?;
                    return Ok(Some(Fetch::of(action.unwrap(), vec![("Digits", digits)])));
                }
                "Redirect" => return Ok(Some(Fetch::of(&verb.text, Vec::new()))),
                "Dial" => {
                    self.pass(self.town.world.dice.ms(2_000, 20_000)).await?;
                    let Some(action) = action else { continue };
                    let status = ["completed", "busy", "no-answer", "failed"];
                    let status = status[self.town.world.dice.index(4)].to_owned();
                    return Ok(Some(Fetch::of(action, vec![("DialCallStatus", status)])));
                }
                "Enqueue" => {
                    self.pass(self.town.world.dice.ms(2_000, 20_000)).await?;
                    let result = ["bridged", "queue-full", "leave", "error", "hangup"];
                    let result = result[self.town.world.dice.index(5)].to_owned();
                    return Ok(Some(Fetch::of(action.unwrap(), vec![("QueueResult", result)])));
                }
                _ => return Ok(None),
            }
        }
        Ok(None)
    }

    /// What the person keys, having heard this.
    async fn key(&mut self, heard: &str, timeout: Duration) -> Result<String, Between> {
        let deadline = Instant::now() + timeout;
        loop {
            let think = if self.person.in_step {
                Duration::from_secs(1)
            } else {
                self.town.world.dice.ms(400, 2_500)
            };
            self.pass(think.min(deadline - Instant::now())).await?;
            let answer = self.person.answer(&self.town, heard, self.began);
            if let Some(digits) = answer {
                return Ok(digits);
            }
            if Instant::now() >= deadline {
                return Ok(String::new());
            }
        }
    }
}

fn speaking(text: &str) -> Duration {
    Duration::from_millis(200 + 15 * text.len() as u64)
}

/// The code of a text that is nothing but its digits.
fn code_of(text: &str) -> Option<String> {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let only = text.chars().all(|c| c.is_ascii_digit() || ", ".contains(c));
    (only && digits.len() == 6).then_some(digits)
}
