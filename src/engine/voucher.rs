//! What is confirmed about a caller when the call is handed over: signed by the shell, checked by whoever takes
//! over.

use jiff::Timestamp;
use uuid::Uuid;

use super::account::Whom;
use super::id::CallId;
use crate::flow::level::Fact;
use crate::flow::name::{FlowName, LevelName};

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
