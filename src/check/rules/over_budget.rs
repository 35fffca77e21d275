//! A state into which somebody who guesses gets more easily than `[budget]` allows.
//!
//! The chance is the one that `callgate odds` prints, for the default limits: the best that guessing
//! can do against one account, over all ways to the proof that the state asks for: by `requires`, by
//! the level of a field or variable that it tells, or because a specialist in its conference may ask for a level
//! (`agent_step_up`). A branch on a fact or a level asks for it as well, at every transfer, lookup, link and message to
//! which it leads only those who have proved something, and where a text tells a variable that has a level on another
//! way; other words open nothing. `pins` says where PINs come from: `random`, `chosen`, `chosen_274_blocked` or
//! `chosen_1000_blocked`; `chosen` where nothing is said. A server whose own limits leave a guesser more warns of it in
//! its log.
//!
//! ## Why
//!
//! A flow is as strong as its weakest way in. A PIN that customers choose is found in one of six
//! accounts with ten guesses; a way that was added for convenience may be worth more to a guesser than
//! all the others.
//!
//! ## How to fix it
//!
//! Ask for something that is harder to guess, or for two kinds of proof. If the chance is one that the
//! business accepts, write that into the budget.
//!
//! ## Before
//!
//! ```toml
//! [levels]
//! owner = { any = ["pin", "sms_otp"] }
//!
//! [budget]
//! per_year = 0.001
//! ```
//!
//! ## After
//!
//! ```toml
//! [levels]
//! owner = { any = ["sms_otp", "callback"] }
//!
//! [budget]
//! per_year = 0.001
//! ```

use super::{Report, Rule, Subject};
use crate::check::odds::{self, Terms};
use crate::diagnostic::Severity;

pub(super) const RULE: Rule = Rule {
    code: "over-budget",
    title: "a state that guessing opens more easily than the budget allows",
    severity: Severity::Error,
    source: include_str!("over_budget.rs"),
    check,
};

fn check(subject: &Subject<'_>, report: &mut Report<'_>) {
    // Of one through which there are too many ways nothing is known, and that is told.
    for walks in subject.proofs.iter().filter(|walks| !walks.unfinished) {
        let Some(flows) = subject.flows.closure(walks.start.name.as_str()) else { continue };
        for over in odds::over(&flows, walks, &Terms::default()) {
            let help =
                "ask for proof that is harder to guess; `callgate odds` shows what each is worth";
            let finding = report.finding(over.to_string(), &over.place).help(help);
            let finding = finding.label("the budget", over.budget);
            report.add(match over.led {
                Some(place) => {
                    finding.label("this leads only those who have proved something", place)
                }
                None => finding,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::check::rules::tests::findings;

    /// What is over budget of a transfer that shares fields of these levels.
    fn over(per_year: f64, levels: [&str; 2]) -> usize {
        let [first, second] = levels;
        let flow = format!(
            "name = \"f\"\nstart = \"who\"\n[levels]\neasy = {{ any = [\"pin\"] }}\n\
             hard = {{ all = [\"pin\", \"sms_otp\"] }}\n[disclose]\na = \"{first}\"\nb = \"{second}\"\n\
             [budget]\nper_year = {per_year}\n[states.who]\ntype = \"identify\"\nby = [\"digits\"]\n\
             prompt = \"Who?\"\non = {{ found = \"pin\", unknown = \"pin\" }}\n\
             [states.pin]\ntype = \"gather_pin\"\ndigits = 6\nprompt = \"PIN?\"\n\
             on = {{ ok = \"send\", failed = \"send\", locked = \"send\" }}\n[states.send]\ntype = \"send_sms_otp\"\n\
             on = {{ sent = \"code\", unavailable = \"code\", limited = \"agent\" }}\n\
             [states.code]\ntype = \"gather_otp\"\nprompt = \"Code?\"\n\
             on = {{ ok = \"agent\", failed = \"agent\", expired = \"agent\", undelivered = \"agent\" }}\n\
             [states.agent]\ntype = \"transfer\"\nto = {{ queue = \"desk\" }}\nshare = [\"a\", \"b\"]\n\
             on = {{ completed = \"bye\", busy = \"bye\", no_answer = \"bye\", failed = \"bye\", declined = \"bye\" }}\n[states.bye]\ntype = \"hangup\"\n"
        );
        let found = findings(&[&flow]);
        found.iter().filter(|finding| finding.contains(": over-budget: ")).count()
    }

    #[test]
    fn of_what_a_transfer_shares_one_that_is_over_budget_is_told() {
        for levels in [["easy", "hard"], ["hard", "easy"]] {
            assert_eq!(over(0.9, levels), 0, "within its budget");
            assert_eq!(over(0.01, levels), 1, "one is over, {levels:?}");
            assert_eq!(over(0.000_000_01, levels), 1, "both are over, {levels:?}");
        }
    }
}
