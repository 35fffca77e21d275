//! What is said: every answer that a telephone gets, and who hears it.

use callgate::engine::call::Phase;
use callgate::engine::id::{CallId, Nonce, Sid};
use tokio::time::Instant;

use super::{Books, Bought, Oracle, Who};
use crate::sim::world::World;

/// An answer that a telephone got.
#[derive(Debug)]
pub(crate) struct Answered<'a> {
    pub(crate) who: Who,
    pub(crate) sid: &'a Sid,
    pub(crate) call: CallId,
    pub(crate) nonce: Option<Nonce>,
    /// Whether it is the call's own telephone that asked.
    pub(crate) own: bool,
    pub(crate) asked: Instant,
    pub(crate) disturbed: u64,
    pub(crate) document: &'a str,
}

/// Words of the apology.
const APOLOGY: &str = "something is not working on our side";

impl Oracle {
    /// How often a call was disturbed until now.
    pub(crate) fn disturbances(&self, call: CallId) -> u64 {
        self.0.lock().unwrap().disturbances(call)
    }

    /// Looks at an answer.
    pub(crate) async fn answered(&self, world: &World, answer: Answered<'_>) {
        let Answered { who, sid, call: id, nonce, own, asked, disturbed, document } = answer;
        let call = world.watcher.load(id).await.unwrap().map(|loaded| loaded.call);
        let mut books = self.0.lock().unwrap();
        books.tally.answers += 1;
        books.note(format!("{} {who:?} hears {}", world.now(), words(document)));
        if let Err(problems) = callgate::twiml::grammar::validate(document) {
            books.violated(format!("{id}: an answer is not valid TwiML: {problems:?}"));
        }
        let apology = document.contains(APOLOGY);
        if apology {
            books.tally.apologies += 1;
            if world.was_calm(asked) && call.is_some() {
                books.violated(format!("{id}: an apology, though nothing is wrong"));
            }
        }
        let leg = call.as_ref().and_then(|call| call.leg_of(sid));
        // A store that has meanwhile forgotten how the call ended does not tell what it was owed.
        let undisturbed = disturbed == books.disturbances(id);
        if own && undisturbed && !document.contains("<Say") && !has_sound(document) {
            let entitled = call.as_ref().zip(leg).is_some_and(|(call, leg)| {
                let waits = call.ringing.as_ref().is_none_or(|it| it.phase != Phase::HangUpFirst);
                call.end.is_none() && leg.is_live() && leg.id == call.speaking && waits
            });
            if entitled {
                books.violated(format!("{id}: a caller hears nothing"));
            }
        }
        if own {
            books.listen(world, who, id, document);
        }
        let silent = document == callgate::twiml::hangup();
        if let (Some(nonce), Some(leg)) = (nonce, leg)
            && !apology
            && !silent
            && leg.spent == Some(nonce)
            && undisturbed
        {
            match books.bought.get(&nonce) {
                Some(bought) if bought.disturbed == disturbed && bought.document != document => {
                    let was = words(&bought.document);
                    let is = words(document);
                    books.violated(format!(
                        "{id}: answered otherwise the second time: {was} / {is}"
                    ));
                }
                Some(bought) if bought.disturbed == disturbed => {}
                _ => {
                    let document = document.to_owned();
                    books.bought.insert(nonce, Bought { document, disturbed });
                }
            }
        }
    }
}

/// Whether a document has something to hear without words.
fn has_sound(document: &str) -> bool {
    ["<Play", "<Dial", "<Enqueue", "<Reject", "<Pause"].iter().any(|verb| document.contains(verb))
}

/// The words of a document, for the story.
fn words(document: &str) -> String {
    let mut text = String::new();
    let mut inside = false;
    for c in document.chars() {
        match c {
            '<' => inside = true,
            '>' => inside = false,
            _ if !inside => text.push(c),
            _ => {}
        }
    }
    text.replace("https://ivr.example.com/twilio", "").chars().take(160).collect()
}

impl Books {
    /// Nobody hears what is not theirs.
    fn listen(&mut self, world: &World, who: Who, id: CallId, document: &str) {
        let sensitive = ["dollars", "last payment was", "workflowSid", "Ada"]
            .iter()
            .any(|it| document.contains(it));
        match who {
            Who::Attacker if sensitive => {
                self.violated(format!("{id}: an attacker hears what is a customer's"));
            }
            Who::Customer(n)
                if document.contains("dollars")
                    && !document.contains(&format!("is {}", world.customers[n].balance)) =>
            {
                self.violated(format!("{id}: a customer hears another's balance"));
            }
            _ => {}
        }
    }
}
