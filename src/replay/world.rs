//! The world of a replay: it remembers messages, and calls that are placed get a name and wait for what the
//! transcript says.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::time::Instant;

use crate::carrier::{Carrier, Delivery, Found, Mail, Reference};
use crate::engine::effect::{BeginVerification, Email, PlaceCall, Sms};
use crate::engine::eligibility::{Fit, Purpose, Swap, Told, Word};
use crate::engine::id::{CallId, LegId, Sid};
use crate::engine::question::{LookUp, Verdict};
use crate::flow::name::VariableName;
use crate::flow::value::Value;
use crate::outbound::backends::Backends;
use crate::outbound::numbers::{About, Numbers};
use crate::outbound::verifications::{SENDS_SPENT, Verifications};
use crate::phone::PhoneNumber;
use crate::secret::Secret;

/// A carrier that does everything at once and forgets nothing.
#[derive(Debug, Default)]
pub struct World {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    refuses: Option<Refusal>,
    names: u32,
    outgoing: Vec<Outgoing>,
    messages: Vec<Message>,
    placed: Vec<Placed>,
    answers: VecDeque<Option<serde_json::Value>>,
    fits: VecDeque<Fit>,
    digits: u32,
    codes: BTreeMap<PhoneNumber, Pending>,
    verdict: Option<Verdict>,
}

/// A code of the provider's own.
#[derive(Debug)]
struct Pending {
    code: String,
    sends: u32,
    checks: u32,
}

/// Sends and checks of one code, at the provider.
const OF_ONE_CODE: u32 = 5;

/// What the carrier refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Messages.
    SendSms,
    /// Mails.
    SendEmail,
    /// Calls.
    PlaceCall,
}

/// A message that was sent.
#[derive(Clone, Debug)]
pub struct Message {
    /// Whose it is.
    pub reference: Reference,
    /// The contact on file.
    pub to: Contact,
    /// What it says, the code included.
    pub body: Secret,
}

/// Where a message went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Contact {
    /// A mobile.
    Mobile(PhoneNumber),
    /// An e-mail address.
    Address(Secret),
}

impl Contact {
    /// The contact itself.
    pub fn expose(&self) -> &str {
        match self {
            Self::Mobile(number) => number.as_e164(),
            Self::Address(address) => address.expose(),
        }
    }
}

/// A call that was placed.
#[derive(Clone, Debug)]
pub struct Placed {
    /// Whose it is.
    pub reference: Reference,
    /// What was asked for.
    pub place: PlaceCall,
    /// The name that it got.
    pub sid: Sid,
}

/// Something that was asked of the carrier.
#[derive(Clone, Debug)]
pub enum Outgoing {
    /// A text message.
    SendSms {
        /// To whom.
        to: PhoneNumber,
        /// What it says.
        body: Secret,
        /// Whether it was refused.
        refused: bool,
    },
    /// A mail.
    SendEmail {
        /// What was asked for.
        email: Email,
        /// Whether it was refused.
        refused: bool,
    },
    /// A call.
    PlaceCall {
        /// To whom.
        to: PhoneNumber,
        /// Whether it was refused.
        refused: bool,
    },
    /// A look-up.
    LookUp {
        /// Whom, and what for.
        path: String,
        /// What was sent.
        body: serde_json::Value,
        /// Whether nothing of use came back.
        failed: bool,
    },
    /// A number on file is looked up before it is used.
    LookUpNumber {
        /// Which.
        number: PhoneNumber,
        /// What for.
        purpose: Purpose,
        /// What comes of it.
        fit: Fit,
    },
    /// The provider sends a code of its own.
    BeginVerification {
        /// What was asked for.
        begin: BeginVerification,
        /// Whether it was refused.
        refused: bool,
    },
    /// The provider checks an entry.
    CheckVerification {
        /// Whose.
        number: PhoneNumber,
        /// What it says.
        verdict: Verdict,
    },
    /// A live leg is taken to its present prompt.
    RedirectLeg(LegId, Sid),
    /// A live leg is ended.
    EndLeg(Sid),
}

impl World {
    /// A world whose own codes have so many digits.
    pub fn with_codes_of(digits: u32) -> Self {
        Self { inner: Mutex::new(Inner { digits, ..Inner::default() }) }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is refused from now on.
    pub fn refuse(&self, what: Option<Refusal>) {
        self.lock().refuses = what;
    }

    /// What back ends answer from now on, in order.
    pub fn answer(&self, answers: &[Option<serde_json::Value>]) {
        self.lock().answers = answers.iter().cloned().collect();
    }

    /// How many answers are left.
    pub fn answers_left(&self) -> usize {
        self.lock().answers.len()
    }

    /// The results for the numbers that are looked up from now on, in order; nothing speaks against any others.
    pub fn find(&self, fits: &[Fit]) {
        self.lock().fits = fits.iter().copied().collect();
    }

    /// What is said of the next entry for a code of the provider's own, if not simply whether it is right.
    pub fn say(&self, verdict: Option<Verdict>) {
        self.lock().verdict = verdict;
    }

    /// Whether that was used.
    pub fn has_said(&self) -> bool {
        self.lock().verdict.is_none()
    }

    /// How many of those results are left.
    pub fn fits_left(&self) -> usize {
        self.lock().fits.len()
    }

    /// What was asked since the last time, in an order that does not depend on chance.
    pub fn take_outgoing(&self) -> Vec<Outgoing> {
        let mut outgoing = std::mem::take(&mut self.lock().outgoing);
        outgoing.sort_by_key(|it| match it {
            Outgoing::LookUp { .. }
            | Outgoing::LookUpNumber { .. }
            | Outgoing::CheckVerification { .. } => 0,
            Outgoing::SendSms { .. }
            | Outgoing::SendEmail { .. }
            | Outgoing::BeginVerification { .. } => 1,
            Outgoing::PlaceCall { .. } => 2,
            Outgoing::RedirectLeg(..) => 3,
            Outgoing::EndLeg(_) => 4,
        });
        outgoing
    }

    /// The messages sent for a call, oldest first.
    pub fn messages(&self, call: CallId) -> Vec<Message> {
        let of_call = |message: &&Message| message.reference.call == call;
        self.lock().messages.iter().filter(of_call).cloned().collect()
    }

    /// The call placed last for a call.
    pub fn last_placed(&self, call: CallId) -> Option<Placed> {
        self.lock().placed.iter().rfind(|placed| placed.reference.call == call).cloned()
    }
}

impl Inner {
    /// A name as the provider gives them: two letters and 32 digits.
    fn name(&mut self, prefix: &str) -> Sid {
        self.names += 1;
        Sid(format!("{prefix}{:032x}", self.names))
    }
}

#[async_trait]
impl Carrier for World {
    async fn send_sms(&self, reference: Reference, sms: &Sms) -> Delivery {
        let mut inner = self.lock();
        let refused = inner.refuses == Some(Refusal::SendSms);
        let (to, body) = (sms.to.clone(), sms.body.clone());
        inner.outgoing.push(Outgoing::SendSms { to: to.clone(), body: body.clone(), refused });
        if !refused {
            inner.messages.push(Message { reference, to: Contact::Mobile(to), body });
        }
        if refused {
            Delivery::Refused { code: None }
        } else {
            Delivery::Accepted(inner.name("SM"))
        }
    }

    async fn place_call(&self, reference: Reference, call: &PlaceCall) -> Delivery {
        let mut inner = self.lock();
        let refused = inner.refuses == Some(Refusal::PlaceCall);
        inner.outgoing.push(Outgoing::PlaceCall { to: call.to.clone(), refused });
        if refused {
            return Delivery::Refused { code: None };
        }
        let sid = inner.name("CA");
        inner.placed.push(Placed { reference, place: call.clone(), sid: sid.clone() });
        Delivery::Accepted(sid)
    }

    /// Everything is done the first time, so there is never anything to look for.
    async fn find_call(&self, _call: &PlaceCall, _since: Timestamp, _others: &[Sid]) -> Found {
        Found::None
    }

    async fn redirect_leg(&self, _call: CallId, leg: LegId, sid: &Sid) -> Delivery {
        self.lock().outgoing.push(Outgoing::RedirectLeg(leg, sid.clone()));
        Delivery::Accepted(sid.clone())
    }

    async fn end_leg(&self, sid: &Sid) -> Delivery {
        self.lock().outgoing.push(Outgoing::EndLeg(sid.clone()));
        Delivery::Accepted(sid.clone())
    }
}

/// A look-up for which no answer was given is not answered.
#[async_trait]
impl Backends for World {
    async fn ask(
        &self,
        question: &LookUp,
        _key: &str,
        _until: Instant,
    ) -> Option<BTreeMap<VariableName, Value>> {
        let mut inner = self.lock();
        let answer = inner.answers.pop_front().flatten();
        let found = answer.and_then(|answer| question.read(&answer));
        let slash = if question.path.is_empty() { "" } else { "/" };
        inner.outgoing.push(Outgoing::LookUp {
            path: format!("{}{slash}{}", question.backend, question.path),
            body: question.body(),
            failed: found.is_none(),
        });
        found
    }
}

/// Networks say what the transcript's word stands for. They are not asked about a caller's number: what speaks
/// against it is in the transcript's `signals`.
#[async_trait]
impl Numbers for World {
    async fn look_up(&self, about: About<'_>, _until: Instant) -> Option<Told> {
        let mut inner = self.lock();
        let fit = inner.fits.pop_front().unwrap_or(Fit::Fits);
        if let About::OnFile(phone, purpose) = about {
            let number = phone.number.clone();
            inner.outgoing.push(Outgoing::LookUpNumber { number, purpose, fit });
        }
        let told = Told::default();
        match fit {
            Fit::Fits => Some(told),
            Fit::WrongLine => Some(Told { line: Word::Says(None), ..told }),
            Fit::SimSwapped => Some(Told {
                swap: Word::Says(Swap::Within(jiff::SignedDuration::ZERO, true)),
                ..told
            }),
            Fit::Reassigned => Some(Told { reassigned: Word::Says(true), ..told }),
            Fit::Forwarded => Some(Told { forwarded: Word::Says(true), ..told }),
            Fit::Unknown => None,
        }
    }
}

/// A code is sent again unchanged, at most five times, and checked at most five times.
#[async_trait]
impl Verifications for World {
    async fn begin(&self, reference: Reference, begin: &BeginVerification) -> Delivery {
        let mut inner = self.lock();
        let refused = inner.refuses == Some(Refusal::SendSms);
        let sid = inner.name("VE");
        let drawn = u64::from(inner.names) * 271_828 + 314_159;
        let digits = usize::try_from(inner.digits).unwrap_or_default();
        let pending = inner.codes.entry(begin.to.clone()).or_insert_with(|| {
            let code = format!("{drawn:0>digits$}");
            Pending { code: code[code.len() - digits..].to_owned(), sends: 0, checks: 0 }
        });
        let spent = pending.sends >= OF_ONE_CODE;
        if !refused && !spent {
            pending.sends += 1;
        }
        let body = Secret::new(pending.code.clone());
        let refused = refused || spent;
        inner.outgoing.push(Outgoing::BeginVerification { begin: begin.clone(), refused });
        if refused {
            return Delivery::Refused { code: spent.then_some(SENDS_SPENT) };
        }
        let to = Contact::Mobile(begin.to.clone());
        inner.messages.push(Message { reference, to, body });
        Delivery::Accepted(sid)
    }

    async fn check(&self, to: Option<&PhoneNumber>, entry: &Secret, _until: Instant) -> Verdict {
        let mut inner = self.lock();
        let said = inner.verdict.take();
        let Some(number) = to else {
            return said.filter(|said| *said == Verdict::Unanswered).unwrap_or(Verdict::Wrong);
        };
        let verdict = said.unwrap_or_else(|| match inner.codes.get_mut(number) {
            None => Verdict::Expired,
            Some(pending) if pending.checks >= OF_ONE_CODE => Verdict::Exhausted,
            Some(pending) if pending.code == entry.expose() => Verdict::Right,
            Some(pending) => {
                pending.checks += 1;
                Verdict::Wrong
            }
        });
        if verdict == Verdict::Right {
            inner.codes.remove(number);
        }
        inner.outgoing.push(Outgoing::CheckVerification { number: number.clone(), verdict });
        verdict
    }

    async fn wait(&self, _until: Instant) {}
}

#[async_trait]
impl Mail for World {
    async fn send_email(&self, reference: Reference, email: &Email) -> Delivery {
        let mut inner = self.lock();
        let refused = inner.refuses == Some(Refusal::SendEmail);
        inner.outgoing.push(Outgoing::SendEmail { email: email.clone(), refused });
        if refused {
            return Delivery::Refused { code: None };
        }
        let to = Contact::Address(email.to.clone());
        inner.messages.push(Message { reference, to, body: email.body.clone() });
        Delivery::Accepted(inner.name("EM"))
    }
}
