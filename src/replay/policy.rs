//! A policy as the section of a transcript.

use std::fmt::Write as _;

use super::transcript::word_of;
use crate::engine::account::Line;
use crate::engine::policy::Policy;

/// The section `[policy]`, every number in it.
pub(super) fn text(policy: &Policy) -> String {
    let Policy { otp, pin, shared, callback, service_code, contact, sends, fuse, .. } = policy;
    let Policy { enumeration, notices, .. } = policy;
    let lines = |lines: &[Line]| -> Vec<&str> {
        lines.iter().map(|line| word_of(&Line::ALL, line)).collect()
    };
    let mut text = String::new();
    let mut section = |name: &str, values: &[(&str, u32)], lists: &[(&str, String)]| {
        let _ = writeln!(text, "\n[policy.{name}]");
        for (key, value) in values {
            let _ = writeln!(text, "{key} = {value}");
        }
        for (key, list) in lists {
            let _ = writeln!(text, "{key} = {list}");
        }
    };
    section(
        "otp",
        &[
            ("digits", otp.digits),
            ("ttl_s", otp.ttl_s),
            ("checks", otp.checks.into()),
            ("sends_per_10min", otp.sends_per_10min),
            ("sends_per_day", otp.sends_per_day),
        ],
        &[("resend_backoff_s", format!("{:?}", otp.resend_backoff_s))],
    );
    section(
        "pin",
        &[
            ("per_call", pin.per_call.into()),
            ("soft_limit", pin.soft_limit),
            ("soft_lock_s", pin.soft_lock_s),
            ("soft_lock_max_s", pin.soft_lock_max_s),
            ("hard_cap", pin.hard_cap),
            ("hard_cap_short", pin.hard_cap_short),
            ("year_budget", pin.year_budget),
        ],
        &[],
    );
    section(
        "shared",
        &[
            ("all_factor_failures_24h", shared.all_factor_failures_24h),
            ("accounts_per_ani_h", shared.accounts_per_ani_h),
            ("accounts_per_ani_prefix_h", shared.accounts_per_ani_prefix_h),
            ("accounts_per_secret_day", shared.accounts_per_secret_day),
            ("identifications_per_call", shared.identifications_per_call.into()),
            ("input_errors_per_call", shared.input_errors_per_call.into()),
            ("parallel_auth_sessions_per_account", shared.parallel_auth_sessions_per_account),
        ],
        &[],
    );
    section(
        "sends",
        &[
            ("per_prefix_h", sends.per_prefix_h),
            ("total_h", sends.total_h),
            ("entered_percent_min", sends.entered_percent_min),
            ("entered_of_min", sends.entered_of_min),
            ("blocked_h", sends.blocked_h),
        ],
        &[],
    );
    let blows = [("wrong_percent_max", fuse.wrong_percent_max), ("blown_s", fuse.blown_s)];
    section("fuse", &[blows[0], ("entries_of_min", fuse.entries_of_min), blows[1]], &[]);
    section(
        "callback",
        &[
            ("code_digits", callback.code_digits),
            ("total_s", callback.total_s),
            ("per_account_h", callback.per_account_h),
        ],
        &[],
    );
    section(
        "service_code",
        &[
            ("digits", service_code.digits),
            ("ttl_s", service_code.ttl_s),
            ("ttl_max_s", service_code.ttl_max_s),
            ("failures", service_code.failures),
        ],
        &[],
    );
    section("enumeration", &[("deadline_ms", enumeration.deadline_ms)], &[]);
    let told = [("failures", notices.failures), ("quiet_h", notices.quiet_h)];
    section("notices", &[told[0], told[1], ("per_day", notices.per_day)], &[]);
    section(
        "contact",
        &[("min_age_days", contact.min_age_days), ("sim_swap_days", contact.sim_swap_days)],
        &[
            ("sms_line_types", format!("{:?}", lines(&contact.sms_line_types))),
            ("voice_line_types", format!("{:?}", lines(&contact.voice_line_types))),
            ("countries", format!("{:?}", contact.countries)),
        ],
    );
    text
}
