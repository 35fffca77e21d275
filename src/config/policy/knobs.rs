//! The knobs of the policy. Their defaults, with their reasons, are in [`crate::engine::policy`].

use super::{Knob, Of, Section};
use crate::engine::policy::Policy;

const fn number(
    name: &'static str,
    (of, min, max): (&'static str, u64, u64),
    at: fn(&mut Policy) -> &mut u32,
    doc: &'static str,
) -> Knob {
    Knob { name, of: Of::Number(of, min, max, at), doc }
}

const fn small(
    name: &'static str,
    (of, min, max): (&'static str, u64, u64),
    at: fn(&mut Policy) -> &mut u8,
    doc: &'static str,
) -> Knob {
    Knob { name, of: Of::Small(of, min, max, at), doc }
}

/// All of them.
pub(crate) const SECTIONS: &[Section] = &[
    Section {
        name: "otp",
        doc: "Codes by text message and by e-mail.",
        knobs: &[
            number("digits", ("digits", 6, 10), |p| &mut p.otp.digits, "How long a code is."),
            number(
                "ttl_s",
                ("seconds", 30, 600),
                |p| &mut p.otp.ttl_s,
                "How long a code may be used.",
            ),
            small(
                "checks",
                ("entries", 1, 10),
                |p| &mut p.otp.checks,
                "Wrong entries after which a code is void. A new code brings no new entries.",
            ),
            number(
                "sends_per_10min",
                ("messages", 1, 100),
                |p| &mut p.otp.sends_per_10min,
                "Codes and links by text message to one account in ten minutes, and as many by e-mail; after that \
                 `limited`.",
            ),
            number(
                "sends_per_day",
                ("messages", 1, 1_000),
                |p| &mut p.otp.sends_per_day,
                "The same in a day.",
            ),
            Knob {
                name: "resend_backoff_s",
                of: Of::Waits(600, |p| &mut p.otp.resend_backoff_s),
                doc: "How long a caller must wait for the next code of the same call: after the first, the \
                      second and so on, and the last number for each further one; `[]`: not at all.",
            },
        ],
    },
    Section {
        name: "pin",
        doc: "PINs, passcodes and the other entries of one factor at one account. Each is counted before it is \
              looked at, over all calls at once.",
        knobs: &[
            small(
                "per_call",
                ("entries", 1, 10),
                |p| &mut p.pin.per_call,
                "PINs and passcodes, taken together, that one call may enter, and as many codes from the web.",
            ),
            number(
                "soft_limit",
                ("failures", 1, 100),
                |p| &mut p.pin.soft_limit,
                "Failures in a row after which the factor is locked for a while.",
            ),
            number(
                "soft_lock_s",
                ("seconds", 1, 86_400),
                |p| &mut p.pin.soft_lock_s,
                "For how long, the first time; each further lock is twice as long.",
            ),
            number(
                "soft_lock_max_s",
                ("seconds", 1, 31_536_000),
                |p| &mut p.pin.soft_lock_max_s,
                "For how long at most.",
            ),
            // NIST SP 800-63B, 3.2.2: at most a hundred, and then the factor is disabled.
            number(
                "hard_cap",
                ("failures", 1, 100),
                |p| &mut p.pin.hard_cap,
                "Failures in a row after which the factor is disabled until an operator lifts it \
                 (`callgate unlock`), or nobody has called about the account for 366 days.",
            ),
            number(
                "hard_cap_short",
                ("failures", 1, 100),
                |p| &mut p.pin.hard_cap_short,
                "The same for PINs of four and five digits.",
            ),
            number(
                "year_budget",
                ("failures", 1, 1_000),
                |p| &mut p.pin.year_budget,
                "Failures in 365 days after which it is disabled, whatever succeeded in between.",
            ),
        ],
    },
    Section {
        name: "shared",
        doc: "What is counted over all factors of an account, over all accounts of a caller, and in a call.",
        knobs: &[
            number(
                "all_factor_failures_24h",
                ("failures", 1, 100),
                |p| &mut p.shared.all_factor_failures_24h,
                "Failures of any factor at one account in 24 hours; then none is looked at.",
            ),
            number(
                "accounts_per_ani_h",
                ("accounts", 1, 1_000),
                |p| &mut p.shared.accounts_per_ani_h,
                "Accounts that one caller ID may claim in an hour; further ones are treated as unknown.",
            ),
            number(
                "accounts_per_ani_prefix_h",
                ("accounts", 1, 10_000),
                |p| &mut p.shared.accounts_per_ani_prefix_h,
                "The same for all caller IDs that differ only in their last four digits.",
            ),
            number(
                "accounts_withheld_per_line_h",
                ("accounts", 1, 1_000),
                |p| &mut p.shared.accounts_withheld_per_line_h,
                "The same for all callers of one of your lines who show no number. Raise it where many of your \
                 customers show none.",
            ),
            number(
                "accounts_per_secret_day",
                ("accounts", 1, 1_000),
                |p| &mut p.shared.accounts_per_secret_day,
                "Accounts that one PIN or passcode may be tried on in a day; then it is wrong everywhere.",
            ),
            small(
                "identifications_per_call",
                ("claims", 1, 20),
                |p| &mut p.shared.identifications_per_call,
                "Claims that one call may make, including those of the same account again and of none; further ones are \
                 treated as unknown.",
            ),
            small(
                "input_errors_per_call",
                ("entries", 3, 200),
                |p| &mut p.shared.input_errors_per_call,
                "Silences and unusable entries in one call; after that each state gives up at the first.",
            ),
            number(
                "parallel_auth_sessions_per_account",
                ("calls", 1, 100),
                |p| &mut p.shared.parallel_auth_sessions_per_account,
                "Calls that may try to prove one account at the same time; entries in others are wrong. A call gives up its \
                 place when its last entry was right, when it is over, or after five minutes; and a call \
                 from a number on file takes the place of one that shows none.",
            ),
        ],
    },
    Section {
        name: "callback",
        doc: "Rings to the number on file.",
        knobs: &[
            number(
                "code_digits",
                ("digits", 6, 10),
                |p| &mut p.callback.code_digits,
                "How long the spoken code is.",
            ),
            number(
                "total_s",
                ("seconds", 60, 600),
                |p| &mut p.callback.total_s,
                "How long it may take, from the code spoken to the code keyed in.",
            ),
            number(
                "per_account_h",
                ("rings", 1, 100),
                |p| &mut p.callback.per_account_h,
                "Rings to one account in an hour; after that `limited`.",
            ),
        ],
    },
    Section {
        name: "service_code",
        doc: "Codes that a customer who is logged in gets on the web (`POST /api/service-codes`).",
        knobs: &[
            number(
                "digits",
                ("digits", 6, 12),
                |p| &mut p.service_code.digits,
                "How long a code is.",
            ),
            number(
                "ttl_s",
                ("seconds", 60, 86_400),
                |p| &mut p.service_code.ttl_s,
                "How long a code may be used where its issuer does not say; at most `ttl_max_s`.",
            ),
            number(
                "ttl_max_s",
                ("seconds", 60, 86_400),
                |p| &mut p.service_code.ttl_max_s,
                "The longest that its issuer may say.",
            ),
            number(
                "failures",
                ("entries", 1, 10),
                |p| &mut p.service_code.failures,
                "Wrong entries after which a code is void.",
            ),
        ],
    },
    Section {
        name: "sends",
        doc: "Messages and rings to all accounts together: what fraud against your bill can cost.",
        knobs: &[
            number(
                "per_prefix_h",
                ("messages and rings", 1, 10_000),
                |p| &mut p.sends.per_prefix_h,
                "In an hour, to numbers that differ only in their last four digits; after that `limited`, which callers who have \
                 proved nothing do not hear: to them it sounds as if it had been sent.",
            ),
            number(
                "total_h",
                ("messages and rings", 1, 100_000),
                |p| &mut p.sends.total_h,
                "In an hour, in all; after that `limited`.",
            ),
            number(
                "entered_percent_min",
                ("percent", 0, 100),
                |p| &mut p.sends.entered_percent_min,
                "What share of the codes and rings to such a block of numbers must be answered with the right \
                 code; with a smaller one the block gets none for a while. 0: this is not checked.",
            ),
            number(
                "entered_of_min",
                ("codes and rings", 1, 10_000),
                |p| &mut p.sends.entered_of_min,
                "How many there must be in an hour for this to be checked.",
            ),
            number(
                "blocked_h",
                ("hours", 1, 72),
                |p| &mut p.sends.blocked_h,
                "For how long the block then gets none.",
            ),
        ],
    },
    Section {
        name: "fuse",
        doc: "Guessing at many accounts at once: if nearly everybody enters a wrong PIN or passcode, none is \
              looked at for a while. Think before you turn it on: it lets anybody who can show enough numbers, which \
              costs little, keep all your customers from using their PINs. Locks, caps and \
              `accounts_per_secret_day` hold without it. Other proofs still work while it has blown.",
        knobs: &[
            number(
                "wrong_percent_max",
                ("percent", 50, 100),
                |p| &mut p.fuse.wrong_percent_max,
                "What share of an hour's callers, over all accounts, may enter nothing but wrong PINs and passcodes; \
                 90 usually fits. A caller counts once, however often they call; those who show no number count as \
                 one. 100: there is no fuse, and nothing is counted for it.",
            ),
            number(
                "callers_min",
                ("callers", 16, 8_000),
                |p| &mut p.fuse.callers_min,
                "How many there must be in an hour for this to be checked.",
            ),
            number(
                "blown_s",
                ("seconds", 60, 86_400),
                |p| &mut p.fuse.blown_s,
                "For how long no PIN or passcode is looked at then.",
            ),
        ],
    },
    Section {
        name: "contact",
        doc: "Which numbers and addresses on file may be used. Where none may, a state ends with `unavailable`.",
        knobs: &[
            number(
                "min_age_days",
                ("days", 0, 3_650),
                |p| &mut p.contact.min_age_days,
                "How long a contact must have been on file (47 CFR 64.2003 says 30).",
            ),
            number(
                "sim_swap_days",
                ("days", 0, 365),
                |p| &mut p.contact.sim_swap_days,
                "How long a SIM must have been in use, where `[lookup]` asks for `sim_swap`.",
            ),
            Knob {
                name: "sms_line_types",
                of: Of::Lines(|p| &mut p.contact.sms_line_types),
                doc: "Lines that may get text messages.",
            },
            Knob {
                name: "voice_line_types",
                of: Of::Lines(|p| &mut p.contact.voice_line_types),
                doc: "Lines that may be rung.",
            },
            Knob {
                name: "countries",
                of: Of::Countries(|p| &mut p.contact.countries),
                doc: "Where messages and rings may go; `[]`: to the country of the line that was called. \
                      Premium numbers get none anywhere.",
            },
        ],
    },
    Section {
        name: "enumeration",
        doc: "What keeps strangers from learning who is a customer.",
        // Well within the time that a webhook is answered in.
        knobs: &[number(
            "deadline_ms",
            ("milliseconds", 0, 2_000),
            |p| &mut p.enumeration.deadline_ms,
            "An answer for which an account was looked up or a secret verified comes no earlier than this, whatever was found; \
             nor does one for which a back end was told the account of a caller who has proved nothing.",
        )],
    },
    Section {
        name: "notices",
        doc: "When the owner of an account is told of failed attempts to prove it.",
        knobs: &[
            number(
                "failures",
                ("failures", 0, 100),
                |p| &mut p.notices.failures,
                "After how many failures, or earlier at a lock; 0: never.",
            ),
            number(
                "quiet_h",
                ("hours", 1, 720),
                |p| &mut p.notices.quiet_h,
                "For how long after that no failures are told again.",
            ),
            number(
                "per_day",
                ("notices", 1, 100),
                |p| &mut p.notices.per_day,
                "Notices of any kind to one owner in a day; they count towards no other budget.",
            ),
        ],
    },
];
