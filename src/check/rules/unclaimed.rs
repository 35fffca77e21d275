//! A proof that is asked of callers of whom none has claimed an account.
//!
//! ## Why
//!
//! A secret is held against an account, and a code goes to a contact of one. Without a claim every entry
//! is wrong and every code goes nowhere. A code from the web that were right for whichever account has
//! it would be guessed soon: of ten thousand codes of six digits one guess in a hundred hits one.
//!
//! ## How to fix it
//!
//! Lead callers through an `identify` before they are asked to prove anything.
//!
//! ## Before
//!
//! ```toml
//! start = "web"
//!
//! [states.web]
//! type = "gather_service_code"
//! prompt = "Please key in the code from our website."
//! on = { ok = "menu", failed = "bye", locked = "bye" }
//! ```
//!
//! ## After
//!
//! ```toml
//! start = "who"
//!
//! [states.who]
//! type = "identify"
//! by = ["digits"]
//! prompt = "Please key in your account number."
//! on = { found = "web", unknown = "web" }
//! ```

use std::collections::HashMap;

use super::{Report, Rule, Subject};
use crate::check::proof::Walks;
use crate::diagnostic::Severity;
use crate::flow::state::{Kind, State};

pub(super) const RULE: Rule = Rule {
    code: "unclaimed",
    title: "a proof asked of callers who have claimed no account",
    severity: Severity::Error,
    source: include_str!("unclaimed.rs"),
    check,
};

fn check(subject: &Subject<'_>, report: &mut Report<'_>) {
    let mut claimed: HashMap<_, bool> = HashMap::new();
    for (flow, state, known) in subject.proofs.iter().flat_map(Walks::arrivals) {
        *claimed.entry((&flow.name, &state.name)).or_default() |= known.real;
    }
    for (walk, state) in subject.states() {
        let asked = claimed.get(&(&walk.flow.name, &state.name));
        if asked == Some(&false)
            && let Some(what) = asked_for(state)
        {
            let message =
                format!("`{}` {what}, and no caller gets here who has claimed one", state.name);
            let help = "lead callers through an `identify` first";
            report.add_at(state, report.finding(message, &state.place).help(help));
        }
    }
}

/// What a state does that takes an account.
fn asked_for(state: &State) -> Option<&'static str> {
    match &state.kind {
        Kind::GatherPin(_) | Kind::GatherPasscode(_) | Kind::GatherServiceCode(_) => {
            Some("holds an entry against an account")
        }
        Kind::SendSmsOtp(_) | Kind::SendEmailOtp(_) | Kind::SendLink(_) => {
            Some("sends to a contact of an account")
        }
        Kind::Callback(_) => Some("rings a number of an account"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::check::rules::tests::findings;

    const HEAD: &str = "name = \"f\"\nstart = \"begin\"\n[states.bye]\ntype = \"hangup\"\n";
    const WEB: &str = "[states.web]\ntype = \"gather_service_code\"\nprompt = \"Code?\"\n\
        on = { ok = \"bye\", failed = \"bye\", locked = \"bye\" }\n";

    fn unclaimed(begin: &str) -> usize {
        let found = findings(&[&format!("{HEAD}{WEB}{begin}")]);
        found.iter().filter(|finding| finding.contains(": unclaimed: ")).count()
    }

    #[test]
    fn a_claim_comes_before_a_proof() {
        let say = "[states.begin]\ntype = \"say\"\nprompt = \"Hello.\"\nnext = \"web\"\n";
        assert_eq!(unclaimed(say), 1);
        let who = "[states.begin]\ntype = \"identify\"\nby = [\"digits\"]\nprompt = \"Who?\"\n\
                   on = { found = \"web\", unknown = \"web\" }\n";
        assert_eq!(unclaimed(who), 0);
    }

    #[test]
    fn a_claim_that_failed_is_none() {
        let who = "[states.begin]\ntype = \"identify\"\nby = [\"digits\"]\nprompt = \"Who?\"\n\
                   on = { found = \"bye\", unknown = \"web\" }\naccept = [\"enumeration\"]\n";
        assert_eq!(unclaimed(who), 1);
    }
}
