//! A text that is the very name of a variable, where what the variable holds may have been meant.
//!
//! That is so in `send` of a `lookup` and in `values` of a `set`: what stands there is a text, and a variable is
//! filled into it in braces. `with` and `give` of a `call` are the other way round: they pass variables, by their
//! names.
//!
//! ## Why
//!
//! `send = { amount = "amount" }` tells the back end the word "amount", whatever the caller has keyed in.
//!
//! ## How to fix it
//!
//! Fill the variable in: `"{{ amount }}"`. If the word is meant, give the variable another name, or accept the warning
//! by name.
//!
//! ## Before
//!
//! ```toml
//! [states.rate]
//! type = "lookup"
//! backend = "rates"
//! send = { amount = "amount" }
//! ```
//!
//! ## After
//!
//! ```toml
//! [states.rate]
//! type = "lookup"
//! backend = "rates"
//! send = { amount = "{{ amount }}" }
//! ```

use std::collections::HashSet;

use super::{Report, Rule, Subject};
use crate::diagnostic::Severity;
use crate::flow::state::{Kind, State};
use crate::flow::template::Template;

pub(super) const RULE: Rule = Rule {
    code: "word-for-variable",
    title: "a text that is the name of a variable",
    severity: Severity::Warning,
    source: include_str!("word_for_variable.rs"),
    check,
};

fn check(subject: &Subject<'_>, report: &mut Report<'_>) {
    let calls = subject.states().filter_map(|(_, state)| match &state.kind {
        Kind::Call(call) => Some(call),
        _ => None,
    });
    let passed: HashSet<_> = calls
        .flat_map(|call| call.with.iter().map(|passed| (&call.flow, passed.to.as_str())))
        .collect();
    for (walk, state) in subject.states() {
        let flow = walk.flow;
        for (name, text) in texts(state) {
            let word = &*text.source;
            let is_known = flow.variables.keys().any(|known| known.as_str() == word)
                || passed.contains(&(&flow.name, word));
            if !is_known {
                continue;
            }
            let message = format!("`{name}` is the word `{word}` here, and not the variable");
            let help = format!("fill it in: {name} = \"{{{{ {word} }}}}\"");
            report.add_at(state, report.finding(message, &text.place).help(help));
        }
    }
}

/// The texts of a state that are given to something, by its name. What is set to its own name means the word.
fn texts(state: &State) -> Vec<(&str, &Template)> {
    match &state.kind {
        Kind::Lookup(lookup) => {
            let sent = lookup.send.iter();
            sent.filter_map(|(name, sent)| Some((name.as_str(), sent.text()?))).collect()
        }
        Kind::Set(set) => {
            let given = set.values.iter();
            let given = given.filter_map(|to| Some((to.name.as_str(), to.to.text()?)));
            given.filter(|(name, text)| *name != &*text.source).collect()
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use crate::check::rules::tests::{ENDS, findings_of_whoever};

    const NUMBER: &str = "[states.much]\ntype = \"gather\"\nkind = \"amount\"\nvar = \"amount\"\n\
        prompt = \"How much?\"\non = { ok = \"rate\", no_input = \"bye\", invalid = \"bye\" }\n";

    fn found(state: &str) -> Vec<String> {
        let after = "[states.after]\ntype = \"hangup\"\nprompt = \"{{ amount }} {{ kind }}\"\n";
        let start = "name = \"f\"\nstart = \"much\"\n";
        findings_of_whoever(&[&format!("{start}{NUMBER}[states.rate]\n{state}{after}{ENDS}")])
            .into_iter()
            .filter(|finding| finding.contains("word-for-variable"))
            .collect()
    }

    fn look_up(send: &str) -> String {
        format!(
            "type = \"lookup\"\nbackend = \"b\"\nsend = {{ {send} }}\n\
             on = {{ ok = \"after\", failed = \"after\" }}\n"
        )
    }

    fn set(values: &str) -> String {
        format!("type = \"set\"\nvalues = {{ {values} }}\nnext = \"after\"\n")
    }

    #[test]
    fn a_word_that_names_a_variable_is_told() {
        let says = |line: u32, name: &str| {
            format!(
                "{line}: word-for-variable: `{name}` is the word `amount` here, and not the variable"
            )
        };
        assert_eq!(found(&look_up("of = \"amount\", kind = \"all\"")), [says(12, "of")]);
        assert_eq!(found(&look_up("amount = \"amount\"")), [says(12, "amount")]);
        assert_eq!(found(&set("kind = \"amount\"")), [says(11, "kind")]);
        for good in [
            look_up("amount = \"{{ amount }}\", of = \"the amount\", n = 3"),
            look_up("of = \"amounts\""),
            set("kind = \"{{ amount }}\""),
            set("kind = \"kind\""),
        ] {
            assert_eq!(found(&good), [""; 0], "{good}");
        }
        let accepted = look_up("of = \"amount\"") + "accept = [\"word-for-variable\"]\n";
        assert_eq!(found(&accepted), [""; 0]);
    }

    #[test]
    fn what_a_caller_passes_in_is_a_variable_too() {
        let main = "name = \"main\"\nstart = \"set\"\n\
            [states.set]\ntype = \"set\"\nvalues = { sum = 3 }\nnext = \"sub\"\n\
            [states.sub]\ntype = \"call\"\nflow = \"sub\"\nwith = { due = \"sum\" }\non = { ok = \"bye\" }\n\
            [states.bye]\ntype = \"hangup\"\n";
        let sub = "name = \"sub\"\nstart = \"ask\"\n\
            [states.ask]\ntype = \"lookup\"\nbackend = \"b\"\nsend = { due = \"due\" }\n\
            on = { ok = \"say\", failed = \"say\" }\n\
            [states.say]\ntype = \"say\"\nprompt = \"{{ due }}\"\nnext = \"end\"\n\
            [states.end]\ntype = \"return\"\noutcome = \"ok\"\n";
        assert_eq!(
            findings_of_whoever(&[main, sub]),
            ["1:6: word-for-variable: `due` is the word `due` here, and not the variable"]
        );
    }
}
