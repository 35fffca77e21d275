//! What is to be done in the world once a turn is committed.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::account::{Phone, Whom};
use super::audit::Head;
use super::id::{LegId, Nonce, Sid};
use crate::flow::level::Fact;
use crate::flow::locale::Locale;
use crate::phone::PhoneNumber;
use crate::secret::Secret;

/// Something to be done after the commit, at least once, under a key of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Sends a text message. Sending it twice does no harm: it carries the same code.
    SendSms(Sms),
    /// Sends a mail. Sending it twice does no harm: it carries the same code, if any, and the same name.
    SendEmail(Email),
    /// Has the provider send a code of its own. Asking twice sends the same code again.
    BeginVerification(BeginVerification),
    /// Rings somebody. Never a second time before we know what became of the first ring.
    PlaceCall(PlaceCall),
    /// Takes a live leg to its present prompt.
    RedirectLeg {
        /// The leg.
        leg: LegId,
        /// The provider's name of it.
        sid: Sid,
        /// Whether an earlier try was certainly not done. Only then is it tried again: by now the leg may be
        /// somewhere from which a redirect would tear it away.
        undone: bool,
    },
    /// Ends a live leg.
    EndLeg {
        /// The leg.
        leg: LegId,
        /// The provider's name of it.
        sid: Sid,
    },
    /// Forgets the failures of one factor that came before its success.
    ClearAttempts {
        /// Whose ledger.
        whom: Whom,
        /// Which factor's failures.
        factor: Fact,
        /// The key of the attempt that succeeded.
        key: String,
        /// When it did.
        at: Timestamp,
        /// The number that the code went to; `None`: there was no code, or it did not go to a number.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reached: Option<PhoneNumber>,
    },
    /// Keeps the audit of this call, which is over and ends with this hash, for as long as audits are kept.
    /// `None`: with the hash that the call has.
    CloseAudit(Option<Head>),
}

impl Effect {
    /// Its name in logs, metrics and traces.
    pub fn name(&self) -> &'static str {
        match self {
            Self::SendSms(_) => "send_sms",
            Self::SendEmail(_) => "send_email",
            Self::BeginVerification(_) => "begin_verification",
            Self::PlaceCall(_) => "place_call",
            Self::RedirectLeg { .. } => "redirect_leg",
            Self::EndLeg { .. } => "end_leg",
            Self::ClearAttempts { .. } => "clear_attempts",
            Self::CloseAudit(_) => "close_audit",
        }
    }

    /// Whether somebody is waiting for it; if nobody is, it is done with others when the outbox looks for work.
    pub fn is_urgent(&self) -> bool {
        !matches!(self, Self::CloseAudit(_))
    }
}

/// A text message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sms {
    /// The mobile on file.
    pub to: PhoneNumber,
    /// What it says, the code included.
    pub body: Secret,
    /// After this many seconds it need no longer arrive.
    pub valid_for_s: u32,
    /// Until when the code in it is valid; `None`: there is none.
    pub code_until: Option<Timestamp>,
    /// Numbers on file, one of which it may go to in place of `to`, once networks have been asked about them when
    /// it goes out. Empty: they were asked before, or are not asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub look_up: Vec<Phone>,
}

/// A mail with a code, or a notice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Email {
    /// The address on file.
    pub to: Secret,
    /// One line, without the code.
    pub subject: String,
    /// What it says, the code included; an empty line parts paragraphs.
    pub body: Secret,
    /// The language it is in.
    pub locale: Locale,
    /// Until when the code in it is valid; `None`: there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code_until: Option<Timestamp>,
}

/// A code that the provider makes, sends and checks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BeginVerification {
    /// The mobile on file.
    pub to: PhoneNumber,
    /// The claim it belongs to, whose sends end when the provider says so.
    pub whom: Whom,
    /// The language of the message.
    pub locale: Locale,
    /// Until when the code may be keyed in.
    pub code_until: Timestamp,
}

/// A call that we place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlaceCall {
    /// The leg that it becomes.
    pub leg: LegId,
    /// The nonce of its answer URL.
    pub nonce: Nonce,
    /// The number on file.
    pub to: PhoneNumber,
    /// Our own number, shown to the person who is rung: the line that the caller called.
    pub from: String,
    /// Seconds of ringing.
    pub ring_s: u32,
    /// When it was asked for.
    pub asked_at: Timestamp,
}
