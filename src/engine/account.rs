//! The account a caller claims, as far as the machine may know it: no secret, no hash.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::id::CallId;
use crate::flow::locale::Locale;
use crate::flow::value::Value;
use crate::phone::PhoneNumber;
use crate::secret::Secret;

/// A customer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Account {
    /// What a caller keys in to be identified.
    pub id: Secret,
    /// The language they are spoken to in, if it is on file.
    pub locale: Option<Locale>,
    /// The numbers on file, in order of preference.
    pub phones: Vec<Phone>,
    /// The e-mail address on file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<Email>,
    /// What flows may disclose, by name.
    pub fields: BTreeMap<String, Value>,
}

/// A number on file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Phone {
    /// The number.
    pub number: PhoneNumber,
    /// What kind of line it is.
    pub line: Line,
    /// Since when it has been on file.
    pub since: Date,
}

/// An e-mail address on file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Email {
    /// The address.
    pub address: Secret,
    /// Since when it has been on file.
    pub since: Date,
}

/// A kind of telephone line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Line {
    /// A mobile with a SIM.
    Mobile,
    /// A wire.
    Landline,
    /// Internet telephony at a fixed address.
    FixedVoip,
    /// Internet telephony anywhere.
    Voip,
}

impl Line {
    /// All kinds by their names in files.
    pub const ALL: [(&str, Self); 4] = [
        ("mobile", Self::Mobile),
        ("landline", Self::Landline),
        ("fixed_voip", Self::FixedVoip),
        ("voip", Self::Voip),
    ];
}

/// What the caller claims to be.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Claim {
    /// Nothing yet.
    #[default]
    None,
    /// This customer.
    Account(Secret),
    /// A customer who does not exist: the call goes on as if they did.
    Decoy(Secret),
}

/// On whom something counts, or whom it is about. Claims that do not exist are counted like those that do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Whom {
    /// A customer, by id.
    Account(Secret),
    /// What was claimed.
    Decoy(Secret),
    /// Nobody was claimed, or nobody on whom it may count: this call.
    Call(CallId),
}

impl Claim {
    /// Whom it is about. On whom something counts, the call says ([`super::call::Call::whom`]).
    pub fn whom(&self, call: CallId) -> Whom {
        match self {
            Self::None => Whom::Call(call),
            Self::Account(id) => Whom::Account(id.clone()),
            Self::Decoy(claimed) => Whom::Decoy(claimed.clone()),
        }
    }
}
