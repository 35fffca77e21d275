//! The world outside: the provider's REST side, which sends messages and rings people, and mail.
//!
//! A carrier says what became of each thing that it was asked for, so that the outbox knows whether to settle it,
//! try again, or find out first.

pub mod console;
pub mod form;
pub mod signature;
pub mod smtp;
pub mod twilio;

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use crate::engine::effect::{Email, PlaceCall, Sms};
use crate::engine::id::{CallId, EffectId, LegId, Sid};

/// What became of something asked of a carrier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// Accepted; the provider's name of the message or call.
    Accepted(Sid),
    /// Refused for good (a 4xx other than 429), with the provider's error code if it gave one.
    Refused {
        /// `21211` and the like.
        code: Option<u32>,
    },
    /// Certainly not done (429, or the request was never sent): safe to ask again, not before this.
    NotDone {
        /// From `Retry-After`; `None`: the provider did not say.
        retry_after: Option<Duration>,
    },
    /// Nobody knows (time-out, 5xx, connection lost after sending): it may have been done.
    Unknown,
}

/// The provider's code for an account or an auth token that it does not know.
const NOT_AUTHENTICATED: u32 = 20_003;
/// Its codes for a sender's number that is not the account's, or may not be used for this.
const NOT_OUR_NUMBER: [u32; 4] = [21_210, 21_212, 21_601, 21_606];

impl std::fmt::Display for Delivery {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Accepted(_) => f.write_str("accepted"),
            Self::Refused { code: Some(NOT_AUTHENTICATED) } => {
                write!(
                    f,
                    "refused with code {NOT_AUTHENTICATED}: the account or its auth token is wrong"
                )
            }
            Self::Refused { code: Some(code) } if NOT_OUR_NUMBER.contains(code) => {
                write!(f, "refused with code {code}: it may not come from that number of ours")
            }
            Self::Refused { code: Some(code) } => write!(f, "refused with code {code}"),
            Self::Refused { code: None } => f.write_str("refused"),
            Self::NotDone { retry_after: Some(wait) } => {
                write!(f, "not done, to be asked for again after {} s", wait.as_secs())
            }
            Self::NotDone { retry_after: None } => f.write_str("not done"),
            Self::Unknown => f.write_str("unknown: it may have been done"),
        }
    }
}

/// What a search for a placed call found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// This call, which we had placed.
    Call(Sid),
    /// No such call exists.
    None,
    /// The provider did not say.
    Unknown,
}

/// Who a thing is done for: the parts of its callback URLs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The call.
    pub call: CallId,
    /// The effect.
    pub effect: EffectId,
}

/// The provider's REST side. Implemented by [`twilio`] and, for the demo, by [`console`].
#[async_trait]
pub trait Carrier: Send + Sync + std::fmt::Debug {
    /// Sends a text message; its status comes to `/twilio/message/{call}/{effect}`.
    async fn send_sms(&self, reference: Reference, sms: &Sms) -> Delivery;

    /// Whether the provider has a message to this number that says the same; asked if an earlier try may have
    /// sent it. A carrier that cannot tell says no, because the same code once more does no harm.
    async fn has_sms(&self, _sms: &Sms) -> bool {
        false
    }

    /// Rings a number; its answer URL is `/twilio/leg/{call}/{nonce}`, its status comes to
    /// `/twilio/status/{call}/{effect}`.
    async fn place_call(&self, reference: Reference, call: &PlaceCall) -> Delivery;

    /// Looks for a call that [`Carrier::place_call`] may have placed at or after `since`, and that is none of the
    /// others. If there are several, nobody can tell which it is.
    async fn find_call(&self, call: &PlaceCall, since: Timestamp, others: &[Sid]) -> Found;

    /// Takes a live leg to `/twilio/resume/{call}/{leg}`.
    async fn redirect_leg(&self, call: CallId, leg: LegId, sid: &Sid) -> Delivery;

    /// Ends a live leg.
    async fn end_leg(&self, sid: &Sid) -> Delivery;
}

/// Where mail is handed in. Implemented by [`smtp`] and, for the demo, by [`console`].
#[async_trait]
pub trait Mail: Send + Sync + std::fmt::Debug {
    /// Sends a mail, under the same name however often it is asked.
    async fn send_email(&self, reference: Reference, email: &Email) -> Delivery;
}

#[cfg(test)]
mod tests {
    use super::Delivery;

    #[test]
    fn what_an_operator_can_mend_is_said_beside_the_code() {
        let told = |code| Delivery::Refused { code: Some(code) }.to_string();
        assert!(told(20_003).ends_with(": the account or its auth token is wrong"));
        for code in [21_210, 21_212, 21_601, 21_606] {
            assert!(told(code).ends_with(": it may not come from that number of ours"), "{code}");
        }
        assert_eq!(told(21_211), "refused with code 21211");
    }
}
