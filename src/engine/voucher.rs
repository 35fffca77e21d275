//! What is confirmed about a caller when the call is handed over: signed by the shell, checked by whoever takes
//! over.

use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use super::account::Whom;
use super::id::CallId;
use crate::flow::level::Fact;
use crate::flow::name::{FlowName, LevelName};

/// Says of what is proved which part a web session with one factor has made: that is no possession. Of none it says
/// nothing.
pub fn tell_one_factor(told: &mut Value, one_factor: &[Fact]) {
    if let Some(told) = told.as_object_mut().filter(|_| !one_factor.is_empty()) {
        told.insert("one_factor".into(), json!(one_factor));
    }
}

/// What is proved of a caller at one moment, for one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Voucher {
    /// Its own name, never used twice.
    pub id: Uuid,
    /// The call.
    pub call: CallId,
    /// Whose account is claimed; `None`: nothing is proved, so the voucher names nobody.
    pub whom: Option<Whom>,
    /// What was proved, and how many seconds ago.
    pub proved: Vec<(Fact, u64)>,
    /// Those of it that a web session with one factor has made.
    pub one_factor: Vec<Fact>,
    /// The levels that are met.
    pub levels: Vec<LevelName>,
    /// The flow that the call began in: levels are that flow's.
    pub flow: FlowName,
    /// Its version.
    pub edition: String,
    /// Whom it is for.
    pub audience: String,
    /// The fields handed over with it.
    pub shared: Vec<String>,
    /// When.
    pub at: Timestamp,
}
