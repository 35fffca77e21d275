//! The carrier of the demo: messages and rings appear on the terminal.

use std::fmt;
use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use jiff::Timestamp;
use uuid::Uuid;

use super::{Carrier, Delivery, Found, Mail, Reference};
use crate::engine::effect::{Email, PlaceCall, Sms};
use crate::engine::id::{CallId, EffectId, LegId, Sid};
use crate::twiml::links::Links;

/// The namespace of the names that this carrier gives.
const NAMESPACE: Uuid = Uuid::from_u128(0x6361_6c6c_6761_7465_8000_0000_0000_0002);

/// Prints what a real carrier would do, codes included: it is for a developer's own terminal, and is never
/// configured with real customers.
pub struct ConsoleCarrier {
    links: Links,
    terminal: Mutex<Box<dyn Write + Send>>,
}

impl ConsoleCarrier {
    /// Prints to `terminal`; `links` are the addresses that a real carrier would fetch.
    pub fn new(links: Links, terminal: Box<dyn Write + Send>) -> Self {
        Self { links, terminal: Mutex::new(terminal) }
    }

    /// What cannot be printed has not been done.
    fn print(&self, lines: &[String], sid: Sid) -> Delivery {
        match self.write(lines) {
            Ok(()) => Delivery::Accepted(sid),
            Err(_) => Delivery::NotDone { retry_after: None },
        }
    }

    fn write(&self, lines: &[String]) -> io::Result<()> {
        let mut terminal = self.terminal.lock().unwrap_or_else(PoisonError::into_inner);
        for line in lines {
            writeln!(terminal, "{line}")?;
        }
        terminal.flush()
    }
}

impl fmt::Debug for ConsoleCarrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConsoleCarrier").finish_non_exhaustive()
    }
}

#[async_trait]
impl Carrier for ConsoleCarrier {
    async fn send_sms(&self, reference: Reference, sms: &Sms) -> Delivery {
        let mut lines = vec![format!("[text message to {}]", sms.to.as_e164())];
        lines.extend(sms.body.expose().lines().map(|line| format!("    {}", printable(line))));
        self.print(&lines, sid("SM", reference.effect))
    }

    async fn place_call(&self, reference: Reference, call: &PlaceCall) -> Delivery {
        let sid = sid("CA", reference.effect);
        let lines = [
            format!("[ringing {}, showing {}]", call.to.as_e164(), printable(&call.from)),
            format!("    Whoever answers is {}; answering fetches", sid.0),
            format!("    POST {}", self.links.leg(reference.call, call.nonce)),
        ];
        self.print(&lines, sid)
    }

    /// Everything that is printed is accepted at once, so there is never anything to look for.
    async fn find_call(&self, _call: &PlaceCall, _since: Timestamp, _others: &[Sid]) -> Found {
        Found::None
    }

    async fn redirect_leg(&self, call: CallId, leg: LegId, sid: &Sid) -> Delivery {
        let lines = [
            format!("[taking {} on to its present prompt]", printable(&sid.0)),
            format!("    POST {}", self.links.resume(call, leg)),
        ];
        self.print(&lines, sid.clone())
    }

    async fn end_leg(&self, sid: &Sid) -> Delivery {
        self.print(&[format!("[hanging up {}]", printable(&sid.0))], sid.clone())
    }
}

#[async_trait]
impl Mail for ConsoleCarrier {
    async fn send_email(&self, reference: Reference, email: &Email) -> Delivery {
        let (to, subject) = (printable(email.to.expose()), printable(&email.subject));
        let mut lines = vec![format!("[mail to {to}: {subject}]")];
        lines.extend(email.body.expose().lines().map(|line| format!("    {}", printable(line))));
        self.print(&lines, sid("EM", reference.effect))
    }
}

/// The same effect has the same name however often it is done.
fn sid(prefix: &str, effect: EffectId) -> Sid {
    let name = Uuid::new_v5(&NAMESPACE, effect.0.as_bytes());
    Sid(format!("{prefix}{}", name.as_simple()))
}

/// The text without control characters.
fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}
