//! A text that calculates with an account field, and cannot be filled in for an account that lacks it.
//!
//! ## Why
//!
//! Not every account has every field: somebody has never paid, somebody has no second owner. A text that only names such a
//! field says that it is not available. One that calculates with it cannot be filled in, and the call ends with the apology, as
//! if something were broken.
//!
//! ## How to fix it
//!
//! Ask first (`{% if account.visits %}…{% endif %}`), make a number of it and say what it is otherwise
//! (`{{ account.visits | int(0) + 1 }}`), or ask about the field in a `branch` and accept the warning.
//!
//! ## Before
//!
//! ```toml
//! prompt = "This is visit number {{ account.visits + 1 }}."
//! ```
//!
//! ## After
//!
//! ```toml
//! prompt = "Welcome.{% if account.visits %} This is visit number {{ account.visits + 1 }}.{% endif %}"
//! ```

use super::unfillable::{samples, texts, without_a_field};
use super::{Report, Rule, Subject};
use crate::diagnostic::Severity;
use crate::flow::template::Template;

pub(super) const RULE: Rule = Rule {
    code: "missing-field",
    title: "a text that cannot be filled in for an account that lacks a field",
    severity: Severity::Warning,
    source: include_str!("missing_field.rs"),
    check,
};

fn check(subject: &Subject<'_>, report: &mut Report<'_>) {
    if !subject.states().any(|(_, state)| texts(state).any(Template::calculates)) {
        return;
    }
    let samples = samples(subject.flows);
    for (walk, state) in subject.states() {
        for text in texts(state).filter(|text| text.calculates()) {
            let Some((field, why)) = without_a_field(text, walk.flow, &samples) else { continue };
            let field = field.written();
            let message =
                format!("this text cannot be filled in for an account without `{field}`: {why}");
            let help = format!(
                "ask first, `{{% if {field} %}}…{{% endif %}}`, or make a number of it and say what it is otherwise, \
                 `{{{{ {field} | int(0) }}}}`"
            );
            report.add_at(state, report.finding(message, &text.place).help(help));
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::check::rules::tests::findings_of_whoever;

    fn found(text: &str) -> usize {
        let flow = format!(
            "name = \"f\"\nstart = \"who\"\n[disclose]\nowed = \"known\"\nday = \"known\"\n[levels]\nknown = {{ any = [\"pin\"] }}\n\
             [states.who]\ntype = \"identify\"\nby = [\"digits\"]\nprompt = \"Who?\"\non = {{ found = \"now\", unknown = \"now\" }}\n\
             [states.now]\ntype = \"set\"\nvalues = {{ time = \"12:30\" }}\nnext = \"tell\"\n\
             [states.tell]\ntype = \"hangup\"\nrequires = \"known\"\nstep_up = \"pin\"\non = {{ denied = \"bye\" }}\nprompt = \"{text}\"\n\
             [states.pin]\ntype = \"gather_pin\"\nprompt = \"PIN?\"\non = {{ ok = \"back\", failed = \"back\", locked = \"back\" }}\n\
             [states.back]\ntype = \"return\"\n[states.bye]\ntype = \"hangup\"\n"
        );
        let findings = findings_of_whoever(&[&flow]);
        findings.iter().filter(|finding| finding.contains("missing-field")).count()
    }

    #[test]
    fn what_calculates_with_a_field_is_tried_without_it() {
        for (text, count) in [
            ("{{ account.owed + 1 }}", 1),
            ("{{ account.owed | round }}", 1),
            ("{{ account.owed + 1 }} at {{ time[:2] }}", 1),
            ("{{ account.day[:4] }} {{ account.owed - 1 }}", 1),
            ("{{ account.owed | money }} {{ account.day }}", 0),
            ("{% if account.owed %}{{ account.owed + 1 }}{% endif %}", 0),
            ("{{ account.day | first }} {{ account.owed }}", 1),
            ("{{ account.owed | int(0) + 1 }}", 0),
            ("{{ account.day[:4] }} {{ account.day | upper }}", 0),
        ] {
            assert_eq!(found(text), count, "{text}");
        }
    }
}
