//! What the machine cannot know: it asks, the shell answers, and it is run again.
//!
//! A question that changes the world (an attempt, a message's budget) carries a key made of call, leg
//! and nonce: asked again, after a crash or by a duplicate, it is counted once.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::account::{Account, Phone, Whom};
use super::eligibility::{Fit, Purpose};
use super::ledger::{Alert, Notifies};
use super::voucher::{Voucher, tell_one_factor};
use crate::flow::level::Fact;
use crate::flow::name::VariableName;
use crate::flow::states::lookup::Type;
use crate::flow::value::Value;
use crate::phone::PhoneNumber;
use crate::secret::Secret;

/// Something asked of the shell.
#[derive(Clone, Debug, PartialEq)]
pub enum Question {
    /// Which account has this number, exactly?
    FindByPhone(PhoneNumber),
    /// Which account has this id? Also asked for the present data of an account already claimed.
    FindById(Secret),
    /// Reserve an attempt; if there is one left, is the entry right?
    Verify(Verify),
    /// A fresh code of this many digits, bound to the call and its claim.
    FreshCode {
        /// Whose.
        whom: Whom,
        /// What it is for.
        factor: Fact,
        /// How long.
        digits: u32,
    },
    /// Take one message or ring out of the budget.
    Spend {
        /// The key under which it is counted once.
        key: String,
        /// Whose budget.
        whom: Whom,
        /// What for.
        factor: Fact,
        /// The number on file that it goes to; `None`: to an address, or to nobody.
        to: Option<PhoneNumber>,
        /// Whether it carries a code, which whoever asked for it keys in.
        code: bool,
    },
    /// Take a notice to the owner out of the budget of notices, and write down what they are told.
    Notify(Notify),
    /// Count an account among those that one caller ID claims; may it be claimed?
    Reach {
        /// The number shown; `None`: none, and all who show none are one caller.
        caller: Option<PhoneNumber>,
        /// The line called.
        line: String,
        /// What was claimed, whether it exists or not.
        account: Secret,
    },
    /// May these numbers be used, according to their networks?
    Eligible {
        /// The key under which it is asked once.
        key: String,
        /// The numbers on file, all asked about at once; empty: nobody's, for whom as much is done.
        to: Vec<Phone>,
        /// What they are to be used for.
        purpose: Purpose,
    },
    /// Ask a back end.
    LookUp(LookUp),
    /// Sign what is proved, for whoever the caller is handed over to.
    Vouch(Box<Voucher>),
}

/// Something asked of a back end.
#[derive(Clone, Debug, PartialEq)]
pub struct LookUp {
    /// The key under which it is asked once.
    pub key: String,
    /// Which one, by its name in the configuration.
    pub backend: String,
    /// What for.
    pub path: String,
    /// The account claimed, whether it exists or not; `None`: there is none, or the back end is not told.
    pub account: Option<Secret>,
    /// What is proved.
    pub proved: Vec<Fact>,
    /// Those of it that a web session with one factor has made.
    pub one_factor: Vec<Fact>,
    /// What else the flow says.
    pub values: BTreeMap<String, Value>,
    /// What must come back.
    pub wants: Vec<(VariableName, Type)>,
}

impl LookUp {
    /// What a back end is sent.
    pub fn body(&self) -> serde_json::Value {
        let account = self.account.as_ref().map(Secret::expose);
        let values = self.values.iter().map(|(name, value)| (name.as_str(), value.json()));
        let values: BTreeMap<_, _> = values.collect();
        let mut body =
            serde_json::json!({ "account": account, "proved": self.proved, "values": values });
        tell_one_factor(&mut body, &self.one_factor);
        body
    }

    /// The values asked for; `None`: one is missing, or of another type.
    pub fn read(&self, answer: &serde_json::Value) -> Option<BTreeMap<VariableName, Value>> {
        let answer = answer.as_object()?;
        let take = |(name, of): &(VariableName, Type)| {
            Some((name.clone(), of.read(answer.get(name.as_str())?)?))
        };
        self.wants.iter().map(take).collect()
    }
}

/// A notice that the owner of an account is to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notify {
    /// The key under which it is counted once.
    pub key: String,
    /// Whose budget.
    pub whom: Whom,
    /// What was counted that they are told, and under which attempt; `None`: that somebody was let in.
    pub of: Option<(Alert, Fact, String)>,
    /// The number on file that it goes to; `None`: to an address.
    pub to: Option<PhoneNumber>,
}

/// An entry to be verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verify {
    /// The key under which it is counted once.
    pub key: String,
    /// On whom the attempt counts.
    pub whom: Whom,
    /// What is claimed: the same, unless the attempt counts on the call alone.
    pub claimed: Whom,
    /// The factor.
    pub factor: Fact,
    /// What the caller gave, in its one canonical form.
    pub entry: Secret,
    /// What it is checked against.
    pub against: Against,
    /// The number that the caller shows, if any.
    pub caller: Option<PhoneNumber>,
}

/// What an entry is checked against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Against {
    /// The PIN on file.
    Pin,
    /// The verbal passcode on file.
    Passcode,
    /// A code of this call, by its keyed hash.
    Code(String),
    /// The provider's own code for this number; `None`: nobody's, for whom as much is done.
    Verification(Option<PhoneNumber>),
    /// The service code of the account.
    ServiceCode {
        /// What it must have been issued for, if it was issued for something.
        purpose: Option<String>,
    },
}

/// What the shell found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// An account, or none.
    Account(Option<Arc<Account>>),
    /// On an entry.
    Verdict(Verdict),
    /// On an entry, and what the owner must be told.
    Alerted(Verdict, Alert),
    /// A code and its keyed hash.
    Code {
        /// The code; in a journal as many zeros.
        code: Secret,
        /// Its hash.
        hash: String,
    },
    /// What a back end answered; `None`: nothing useful.
    LookedUp(Option<BTreeMap<VariableName, Value>>),
    /// On a number on file.
    Eligible(Fit),
    /// On several, in their order.
    EligibleOf(Vec<Fit>),
    /// On a budget, or on a caller's reach.
    Spent(bool),
    /// On a budget: some is left, but not of what goes to the number's block, or of what the provider sends to
    /// the number.
    BlockSpent,
    /// On a notice.
    Notifies(Notifies),
    /// A signed voucher; in a journal empty, because whoever holds it could show it.
    Voucher(Secret),
}

/// What became of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It is right.
    Right,
    /// It is right, but comes from a web session with one factor: no possession.
    RightByOneFactor,
    /// It is wrong.
    Wrong,
    /// No attempt was left; the entry was not checked.
    Locked,
    /// The provider no longer has such a code.
    Expired,
    /// The provider checks no more entries for this code.
    Exhausted,
    /// The provider did not say.
    Unanswered,
}

impl Verdict {
    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Right => "right",
            Self::RightByOneFactor => "right_by_one_factor",
            Self::Wrong => "wrong",
            Self::Locked => "locked",
            Self::Expired => "expired",
            Self::Exhausted => "exhausted",
            Self::Unanswered => "unanswered",
        }
    }
}

impl Answer {
    /// The verdict on an entry, if it is one.
    pub fn verdict(&self) -> Option<Verdict> {
        match self {
            Self::Verdict(verdict) | Self::Alerted(verdict, _) => Some(*verdict),
            _ => None,
        }
    }

    /// The answer without what must not be kept: a journal's copy.
    pub fn redacted(&self) -> Self {
        match self {
            Self::Code { code, hash } => Self::Code { code: zeros(code), hash: hash.clone() },
            Self::Voucher(_) => Self::Voucher(Secret::new("")),
            other => other.clone(),
        }
    }
}

/// As many zeros.
pub(super) fn zeros(secret: &Secret) -> Secret {
    Secret::new("0".repeat(secret.expose().chars().count()))
}
