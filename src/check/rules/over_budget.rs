//! A state into which somebody who guesses gets more easily than `[budget]` allows.
//!
//! The chance is the one that `callgate odds` prints, for the default limits: the best that guessing
//! can do against one account, over all ways to the proof that the state asks for, by `requires` or by
//! the level of a field or variable that it tells. `pins` says where
//! PINs come from: `random`, `chosen`, `chosen_274_blocked` or `chosen_1000_blocked`; `chosen` where
//! nothing is said.
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
use crate::check::odds::{self, Chances, Pins, Terms, words};
use crate::diagnostic::{Place, Severity};
use crate::flow::budget::Budget;
use crate::flow::name::StateName;

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
        let Some(budget) = &walks.start.budget else { continue };
        let Some(flows) = subject.flows.closure(walks.start.name.as_str()) else { continue };
        let mut over = None;
        for (name, place, chances) in odds::chances_of(&flows, walks, &Terms::default()) {
            // Of a transfer that shares fields of several levels, one that is over will do.
            if over.as_ref() != Some(&place) && hold((&name, &place), &chances, budget, report) {
                over = Some(place);
            }
        }
    }
}

fn hold(
    (name, at): (&StateName, &Place),
    chances: &[(Option<Pins>, Chances)],
    budget: &Budget,
    report: &mut Report<'_>,
) -> bool {
    let own = |(pins, _): &&(Option<_>, _)| pins.is_none_or(|pins| pins == budget.pins);
    let Some((_, chances)) = chances.iter().find(own) else { return false };
    let mut over = false;
    let spans = [
        (chances.call, &budget.per_call, "in a call"),
        (chances.day, &budget.per_day, "in a day"),
        (chances.year, &budget.per_year, "in a year"),
    ];
    for (chance, allowed, when) in spans {
        let Some((allowed, place)) = allowed else { continue };
        if chance > *allowed {
            over = true;
            let message = format!(
                "guessing opens `{name}` {when} with a chance of {}, and the budget is {}",
                words::chance(chance),
                words::chance(*allowed)
            );
            let help =
                "ask for proof that is harder to guess; `callgate odds` shows what each is worth";
            let finding = report.finding(message, at).help(help);
            report.add(finding.label("the budget", place.clone()));
        }
    }
    over
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
