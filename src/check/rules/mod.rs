//! The rules, one a file. A new rule is a file and a line in each of the two lists here, and in
//! the third if it looks at each state by itself.

mod deep_call;
mod disclosed_too_early;
mod enumeration;
mod failure_shares_success;
mod failure_unheard;
mod first_proof_told;
mod long_answer;
mod loop_without_input;
mod markup_said;
mod menu_prompt_key;
mod missing_field;
mod missing_locale;
mod missing_words;
mod never_proved;
mod no_way_back;
mod no_way_out;
mod over_budget;
mod prompt_too_long;
mod recursive_call;
mod return_without_caller;
mod return_without_outcome;
mod secret_in_gather;
mod silent_loop;
mod slow_reply;
mod unclaimed;
mod uneven_disclosure;
mod unfillable;
mod unknown_accept;
mod unproved;
mod unreachable_state;
pub(in crate::check) mod unset_variable;
mod unused;
mod unused_accept;
mod weak_level;
mod weaker_level;
mod word_for_variable;

use super::{Report, Rule, Subject};

/// Every rule.
pub const RULES: &[&Rule] = &[
    &unproved::RULE,
    &never_proved::RULE,
    &unclaimed::RULE,
    &disclosed_too_early::RULE,
    &failure_shares_success::RULE,
    &failure_unheard::RULE,
    &enumeration::RULE,
    &first_proof_told::RULE,
    &unreachable_state::RULE,
    &no_way_out::RULE,
    &no_way_back::RULE,
    &loop_without_input::RULE,
    &long_answer::RULE,
    &silent_loop::RULE,
    &return_without_caller::RULE,
    &return_without_outcome::RULE,
    &recursive_call::RULE,
    &deep_call::RULE,
    &secret_in_gather::RULE,
    &weak_level::RULE,
    &weaker_level::RULE,
    &over_budget::RULE,
    &missing_locale::RULE,
    &missing_words::RULE,
    &uneven_disclosure::RULE,
    &menu_prompt_key::RULE,
    &markup_said::RULE,
    &prompt_too_long::RULE,
    &slow_reply::RULE,
    &unfillable::RULE,
    &missing_field::RULE,
    &unset_variable::RULE,
    &word_for_variable::RULE,
    &unused::RULE,
    &unknown_accept::RULE,
    // After all others: of what they had accepted it tells the rest.
    &unused_accept::RULE,
];

/// Those that look at each state by itself, however it is reached and whatever else there is.
pub(super) const OF_ONE_STATE: &[&Rule] = &[
    &secret_in_gather::RULE,
    &uneven_disclosure::RULE,
    &menu_prompt_key::RULE,
    &markup_said::RULE,
    &prompt_too_long::RULE,
    &word_for_variable::RULE,
    &unknown_accept::RULE,
];

#[cfg(test)]
pub(in crate::check) mod tests;
