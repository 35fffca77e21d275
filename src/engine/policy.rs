//! Attempts, codes, lockouts and sends: the numbers that hold for every flow.
//!
//! The defaults follow NIST SP 800-63B (codes of at least six digits, ten minutes, at most a hundred
//! failures), 47 CFR 64.2003 (a contact counts after 30 days) and PSD2's five tries.

use super::account::Line;
use crate::flow::level::Fact;

/// A PIN with fewer digits is short: ten guesses find one in six of the short PINs that people choose.
const SHORT_PIN: usize = 6;

/// The numbers.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Policy {
    /// One-time codes.
    pub otp: Otp,
    /// Failures of any factor.
    pub pin: Attempts,
    /// Failures over all factors.
    pub shared: Shared,
    /// Calls to the number on file.
    pub callback: Rings,
    /// Codes from the web.
    pub service_code: ServiceCode,
    /// Messages and rings of all accounts together.
    pub sends: Sends,
    /// When so many entries are wrong that none is checked.
    pub fuse: Fuse,
    /// Which contacts on file may be used.
    pub contact: Contact,
    /// What keeps callers from learning which accounts exist.
    pub enumeration: Enumeration,
    /// When the owner of an account is told what others do.
    pub notices: Notices,
    /// Whether numbers are looked up before they are used; not a key of the policy.
    pub look_ups: LookUps,
}

/// Whether numbers are looked up before they are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct LookUps {
    /// Whether they are.
    pub asked: bool,
    /// Whether a number may be used if nobody says enough to decide.
    pub unknown_may: bool,
}

/// When the owner of an account is told of failures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notices {
    /// After so many failures, or earlier at the lock; 0: never.
    pub failures: u32,
    /// No sooner than so many hours after the last time.
    pub quiet_h: u32,
    /// How many notices of any kind in a day. They have a budget of their own: using up the messages of an
    /// account keeps nothing from its owner.
    pub per_day: u32,
    /// Whether the house can send mail at all; not a key of the policy.
    pub by_mail: bool,
}

impl Default for Notices {
    fn default() -> Self {
        Self { failures: 5, quiet_h: 24, per_day: 10, by_mail: true }
    }
}

/// What keeps callers from learning which accounts exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enumeration {
    /// The least time, counted from its webhook, that an answer takes if it looks up an account or verifies a
    /// secret: longer than either work takes, so that the time does not tell what was found.
    pub deadline_ms: u32,
}

impl Default for Enumeration {
    fn default() -> Self {
        Self { deadline_ms: 400 }
    }
}

/// Messages and rings of all accounts together: the most that fraud against the house's bill can cost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sends {
    /// In an hour, to numbers that differ only in their last four digits.
    pub per_prefix_h: u32,
    /// In an hour.
    pub total_h: u32,
    /// The percentage of the codes and rings to one such block of numbers that must be answered with the right
    /// code: below it, nothing is sent there and nobody rung for a while.
    pub entered_percent_min: u32,
    /// How many of them in an hour before the percentage is looked at.
    pub entered_of_min: u32,
    /// How long nothing is then sent there and nobody rung.
    pub blocked_h: u32,
}

impl Default for Sends {
    fn default() -> Self {
        Self {
            per_prefix_h: 20,
            total_h: 1_000,
            entered_percent_min: 10,
            entered_of_min: 20,
            blocked_h: 12,
        }
    }
}

/// When so many callers enter wrong PINs and passcodes that none is checked for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fuse {
    /// The percentage of an hour's callers who may enter only wrong ones; 100: there is no fuse.
    pub wrong_percent_max: u32,
    /// How many callers in an hour, over all accounts, before the percentage is looked at.
    pub callers_min: u32,
    /// How long nothing is then checked.
    pub blown_s: u32,
}

impl Fuse {
    /// Whether there is one.
    pub fn is_there(&self) -> bool {
        self.wrong_percent_max < 100
    }
}

impl Default for Fuse {
    fn default() -> Self {
        // Any number can be shown at will: whoever shows five hundred could lock everybody out with it.
        Self { wrong_percent_max: 100, callers_min: 480, blown_s: 900 }
    }
}

/// Codes from the web.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceCode {
    /// How many digits, 6 to 12: the code is always checked against a claimed account.
    pub digits: u32,
    /// How long a code is valid, unless its issuer says otherwise.
    pub ttl_s: u32,
    /// How long at most: a day.
    pub ttl_max_s: u32,
    /// Wrong entries after which a code is void.
    pub failures: u32,
}

impl Default for ServiceCode {
    fn default() -> Self {
        Self { digits: 6, ttl_s: 900, ttl_max_s: 86_400, failures: 3 }
    }
}

/// One-time codes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Otp {
    /// How many digits, 6 to 10.
    pub digits: u32,
    /// How long a code may be used, at most 600 s.
    pub ttl_s: u32,
    /// Tries per code.
    pub checks: u8,
    /// Messages to one account in ten minutes.
    pub sends_per_10min: u32,
    /// Messages to one account in a day.
    pub sends_per_day: u32,
    /// How long a caller waits before the next code of the same call, one number a send.
    pub resend_backoff_s: Vec<u32>,
    /// Whether the codes of text messages are the provider's own; not a key of the policy.
    pub by_provider: bool,
}

/// Failures of a factor. A reserved attempt counts as a failure until it has succeeded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempts {
    /// Entries in one call; PIN and passcode, which are both something known, share them.
    pub per_call: u8,
    /// Failures in a row after which the factor is locked for a while.
    pub soft_limit: u32,
    /// For how long, the first time; it doubles.
    pub soft_lock_s: u32,
    /// For how long at most.
    pub soft_lock_max_s: u32,
    /// Failures in a row after which the factor is disabled until somebody lifts that, at most 100.
    pub hard_cap: u32,
    /// The same for PINs of fewer than six digits, of which a few guesses find many.
    pub hard_cap_short: u32,
    /// Failures in 365 days, whether there were successes in between or not.
    pub year_budget: u32,
}

/// What is counted over all factors, and over all accounts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shared {
    /// In 24 hours, on one account.
    pub all_factor_failures_24h: u32,
    /// Accounts that one caller ID may claim in an hour; after that, every claim is a decoy.
    pub accounts_per_ani_h: u32,
    /// The same for all caller IDs that differ only in their last four digits.
    pub accounts_per_ani_prefix_h: u32,
    /// The same for all callers of one line who show no number.
    pub accounts_withheld_per_line_h: u32,
    /// Accounts on which one PIN or passcode may be tried in a day; after that, it is wrong everywhere.
    pub accounts_per_secret_day: u32,
    /// Accounts that one call may claim; after that, every claim is a decoy.
    pub identifications_per_call: u8,
    /// Silences and unusable entries in one call; at each one after that, a state gives up at once.
    pub input_errors_per_call: u8,
    /// Calls that may try to prove one account at the same time; entries in further calls are wrong.
    pub parallel_auth_sessions_per_account: u32,
}

/// Calls to the number on file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rings {
    /// How many digits the spoken code has, 6 to 10.
    pub code_digits: u32,
    /// How long the whole exchange may take, at most 600 s.
    pub total_s: u32,
    /// To one account in an hour.
    pub per_account_h: u32,
}

/// Which contacts on file may be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contact {
    /// Days on file.
    pub min_age_days: u32,
    /// Lines that may get text messages.
    pub sms_line_types: Vec<Line>,
    /// Lines that may be rung.
    pub voice_line_types: Vec<Line>,
    /// Countries that may be sent to and rung, as in ISO 3166 (`US`); none: that of the line called.
    pub countries: Vec<String>,
    /// Days that a SIM must have been in use, where numbers are looked up.
    pub sim_swap_days: u32,
}

impl Attempts {
    /// The failures in a row that disable a factor if its entries have this length.
    pub fn cap_of(&self, factor: Fact, length: usize) -> u32 {
        if factor == Fact::Pin && length < SHORT_PIN {
            self.hard_cap.min(self.hard_cap_short)
        } else {
            self.hard_cap
        }
    }
}

impl Default for Otp {
    fn default() -> Self {
        Self {
            digits: 6,
            ttl_s: 600,
            checks: 3,
            sends_per_10min: 5,
            sends_per_day: 10,
            resend_backoff_s: vec![30, 40, 60, 90, 120],
            by_provider: false,
        }
    }
}

impl Default for Attempts {
    fn default() -> Self {
        Self {
            per_call: 3,
            soft_limit: 5,
            soft_lock_s: 1_800,
            soft_lock_max_s: 86_400,
            hard_cap: 20,
            hard_cap_short: 10,
            year_budget: 50,
        }
    }
}

impl Default for Shared {
    fn default() -> Self {
        Self {
            all_factor_failures_24h: 10,
            accounts_per_ani_h: 5,
            accounts_per_ani_prefix_h: 100,
            accounts_withheld_per_line_h: 100,
            accounts_per_secret_day: 20,
            identifications_per_call: 2,
            // Three states in a row whose three tries are used up, and one more.
            input_errors_per_call: 10,
            parallel_auth_sessions_per_account: 1,
        }
    }
}

impl Default for Rings {
    fn default() -> Self {
        Self { code_digits: 6, total_s: 600, per_account_h: 3 }
    }
}

impl Default for Contact {
    fn default() -> Self {
        Self {
            min_age_days: 30,
            sms_line_types: vec![Line::Mobile],
            voice_line_types: vec![Line::Mobile, Line::Landline, Line::FixedVoip],
            countries: Vec::new(),
            sim_swap_days: 7,
        }
    }
}
