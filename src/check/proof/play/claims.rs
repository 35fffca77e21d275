//! Whom a call claims: by the number it shows, or by what is keyed or said.

use crate::check::proof::spent::Whom;
use crate::flow::outcome::Outcome;
use crate::flow::states::identify::Identify;

use super::{ID_DIGITS, ID_LENGTH, Play, cut, said};

/// Accounts that a call may claim, unless the policy says otherwise.
const CLAIMS_MAX: u32 = 2;

/// The claims of a call.
#[derive(Debug, Default)]
pub(super) struct Claims {
    /// On all of the way.
    pub(super) all: u32,
    /// So far.
    made: u32,
    /// So many are too many: from there on everybody is nobody.
    most: Option<u32>,
}

impl Claims {
    /// How many a call may make; `None`: as many as anyway.
    pub(super) fn allowed(&self) -> Option<u32> {
        self.most.or((self.all > CLAIMS_MAX).then_some(self.all))
    }
}

impl Play {
    /// A state claims somebody; `None`: no call does so.
    pub(super) fn identify(&mut self, identify: &Identify, outcome: &Outcome) -> Option<()> {
        let found = *outcome == Outcome::Found;
        self.whom = Whom::Nobody;
        if identify.caller_id && self.caller_is_known {
            if !found {
                // Whoever shows a customer's number is found by it, unless they have claimed too many.
                let made = self.claims.made;
                self.claims.most.get_or_insert(made);
            }
            self.claims.made += 1;
        }
        if found && self.claims.most.is_some() || self.claims.most == Some(0) {
            return None;
        }
        if found && identify.caller_id && self.caller_is_known {
            self.whom = Whom::Customer(self.id_lengths.first().copied().unwrap_or(ID_LENGTH));
            return Some(());
        }
        let Some(listen) = &identify.listen else { return Some(()) };
        let length = identify.digits.unwrap_or(ID_LENGTH);
        if identify.keys || identify.speech {
            self.claims.made += 1;
            // Whoever has claimed too many counts on nobody.
            let is_nobody = self.claims.most.is_some();
            self.whom = match found {
                true => Whom::Customer(length),
                false if is_nobody => Whom::Nobody,
                false => Whom::Stranger(length),
            };
        }
        let digits = if found { cut(ID_DIGITS, length) } else { "9".repeat(length as usize) };
        if identify.keys {
            self.digits(&digits);
        } else if identify.speech {
            self.turn(format!("speech = \"{}\"", said(&digits)));
        } else {
            self.silent(listen);
        }
        Some(())
    }
}
