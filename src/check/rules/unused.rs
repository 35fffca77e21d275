//! A name that nothing uses: a level, opening hours, a disclosed field, a variable; or a `[budget]`.
//!
//! Levels and disclosed fields are used by the flow or by one it calls. A variable is used where it
//! is filled in, asked about in a condition, or passed to a sub-flow or out of one. What is passed into a
//! sub-flow is to be used there. A `[budget]` holds what asks for a level in the calls that begin in its flow: where
//! there is nothing of the kind, a proof guards nothing that `check` knows of, however easily it is guessed.
//!
//! ## Why
//!
//! It was meant for something: a `requires` that was forgotten, or a value that was to be asked
//! about. If not, it misleads whoever reads the flow next.
//!
//! ## How to fix it
//!
//! Use it where it was meant to be used, or delete it.
//!
//! ## Before
//!
//! ```toml
//! [levels]
//! strong = { any = ["sms_otp"] }
//!
//! [states.balance]
//! type = "say"
//! ```
//!
//! ## After
//!
//! ```toml
//! [states.balance]
//! type = "say"
//! requires = "strong"
//! ```

use std::collections::{BTreeSet, HashMap};

use super::{Report, Rule, Subject};
use crate::check::odds;
use crate::check::subject::Walk;
use crate::diagnostic::Severity;
use crate::flow::Flow;
use crate::flow::condition::Condition;
use crate::flow::name::{FlowName, LevelName, VariableName};
use crate::flow::prompt::Prompt;
use crate::flow::state::{Kind, State};
use crate::flow::template::Use;

pub(super) const RULE: Rule = Rule {
    code: "unused",
    title: "a name that nothing uses",
    severity: Severity::Warning,
    source: include_str!("unused.rs"),
    check,
};

/// The names that some states use.
#[derive(Debug, Default)]
struct Used<'f> {
    levels: BTreeSet<&'f str>,
    fields: BTreeSet<&'f str>,
    hours: BTreeSet<&'f str>,
    variables: BTreeSet<&'f str>,
    /// Whether a specialist may ask for a level, whichever it is.
    asked_for: bool,
}

fn check(subject: &Subject<'_>, report: &mut Report<'_>) {
    let calls = subject.calls();
    let used: Vec<_> = subject.walks().map(|walk| Used::of(walk.flow)).collect();
    let by_name: HashMap<_, _> =
        subject.walks().zip(&used).map(|(walk, used)| (&walk.flow.name, used)).collect();
    let given = given_out(subject);
    let mut seen = vec![usize::MAX; used.len()];
    for (number, walk) in subject.walks().enumerate() {
        let mut levels: Vec<_> = walk.flow.levels.iter().collect();
        let mut fields: Vec<_> = walk.flow.places.disclose.iter().collect();
        // What the flow calls may use it too.
        let mut wanted = vec![number];
        while let Some(flow) = wanted.pop()
            && !(levels.is_empty() && fields.is_empty())
        {
            let (Some(seen), Some(used)) = (seen.get_mut(flow), used.get(flow)) else { continue };
            if std::mem::replace(seen, number) == number {
                continue;
            }
            levels.retain(|(level, _)| !used.asked_for && !used.levels.contains(level.as_str()));
            fields.retain(|(field, _)| !used.fields.contains(field.as_str()));
            wanted.extend(calls.next(flow));
        }
        let unused = |what: &str, name: &str| format!("nothing uses {what} `{name}`");
        let help = "use it, or delete it";
        for (level, of) in levels {
            let message = unused("the level", level.as_str());
            report.add(report.finding(message, &of.place).help(help));
        }
        for (field, (place, _)) in fields {
            let message = unused("the field", field.as_str());
            report.add(report.finding(message, place).help(help));
        }
        let Some(own) = used.get(number) else { continue };
        for (hours, place) in &walk.flow.places.hours {
            if !own.hours.contains(hours.as_str()) {
                report.add(report.finding(unused("the hours", hours), place).help(help));
            }
        }
        budget(subject, walk, report);
        variables(walk, own, given.get(&walk.flow.name), report);
        passed_in(walk, &by_name, &given, report);
    }
}

/// A budget that holds nothing.
fn budget(subject: &Subject<'_>, walk: &Walk<'_>, report: &mut Report<'_>) {
    let Some(budget) = &walk.flow.budget else { return };
    let chances = [&budget.per_call, &budget.per_day, &budget.per_year];
    let Some((_, place)) = chances.into_iter().flatten().next() else { return };
    let mut own = subject.proofs.iter().filter(|walks| walks.start.name == walk.flow.name);
    // Of one through which there are too many ways nothing is known, and that is told.
    let held = own.any(|walks| walks.unfinished || odds::asks_for_proof(walks));
    if !held {
        let (message, help) = if walk.is_sub_flow() {
            (
                "no call begins in this flow, so its budget holds nothing",
                "move it to the flows that call this one",
            )
        } else {
            (
                "no state requires a level or tells anything that has one, so the budget holds nothing",
                "say with `requires` what only callers who have proved something may come to",
            )
        };
        report.add(report.finding(message.to_owned(), place).help(help));
    }
}

fn variables(
    walk: &Walk<'_>,
    own: &Used<'_>,
    given: Option<&BTreeSet<&str>>,
    report: &mut Report<'_>,
) {
    if walk.is_sub_flow() && !walk.called {
        // Who calls it, and takes its variables out, is not among these files.
        return;
    }
    let mut known = BTreeSet::new();
    for state in walk.flow.states.values() {
        for (variable, place) in state.assigns() {
            let name = variable.as_str();
            let used =
                own.variables.contains(name) || given.is_some_and(|given| given.contains(name));
            if !used && known.insert(name) {
                let message = format!("nothing uses the variable `{name}`");
                let help = "fill it in, ask about it in a condition, or do not set it";
                report.add_at(state, report.finding(message, place).help(help));
            }
        }
    }
}

/// What a flow passes into others, and they do not use.
fn passed_in(
    walk: &Walk<'_>,
    used: &HashMap<&FlowName, &Used<'_>>,
    given: &HashMap<&FlowName, BTreeSet<&str>>,
    report: &mut Report<'_>,
) {
    for state in walk.flow.states.values() {
        let Kind::Call(call) = &state.kind else { continue };
        let Some(used) = used.get(&call.flow) else { continue };
        for passed in &call.with {
            let name = passed.to.as_str();
            let taken_out = given.get(&call.flow).is_some_and(|given| given.contains(name));
            if !used.variables.contains(name) && !taken_out {
                let message = format!("flow `{}` does not use `{name}`", call.flow);
                let help = "pass in what it uses, under the names that it has there";
                report.add_at(state, report.finding(message, &passed.place).help(help));
            }
        }
    }
}

/// The variables of each flow that its callers take out of it.
fn given_out<'f>(subject: &Subject<'f>) -> HashMap<&'f FlowName, BTreeSet<&'f str>> {
    let mut given: HashMap<_, BTreeSet<_>> = HashMap::new();
    for state in subject.flows.iter().flat_map(|caller| caller.states.values()) {
        if let Kind::Call(call) = &state.kind {
            let out = call.give.iter().map(|give| give.from.as_str());
            given.entry(&call.flow).or_default().extend(out);
        }
    }
    given
}

impl<'f> Used<'f> {
    fn of(flow: &'f Flow) -> Self {
        let mut used = Self::default();
        used.levels.extend(flow.disclose.values().map(LevelName::as_str));
        flow.states.values().for_each(|state| used.by(state));
        used
    }

    fn by(&mut self, state: &'f State) {
        self.levels.extend(state.requires.iter().map(|(level, _)| level.as_str()));
        self.asked_for |= state.agent_step_up().is_some();
        self.variables.extend(state.variables_used().into_iter().map(VariableName::as_str));
        let texts = state.prompts().into_iter().flat_map(Prompt::uses);
        texts.for_each(|used| self.text(used));
        state.sent().flat_map(|text| &text.uses).for_each(|used| self.text(used));
        match &state.kind {
            Kind::Branch(branch) => {
                let conditions = branch.cases.iter().flat_map(|case| case.when.walk());
                conditions.for_each(|condition| self.condition(condition));
            }
            Kind::Set(set) => {
                for value in &set.values {
                    if let Some(text) = value.to.text() {
                        text.uses.iter().for_each(|used| self.text(used));
                    }
                }
            }
            Kind::Lookup(lookup) => {
                let labels = lookup.give.iter().filter_map(|given| given.label.as_ref());
                self.levels.extend(labels.map(|(level, _)| level.as_str()));
            }
            Kind::Transfer(transfer) => {
                self.fields.extend(transfer.share.iter().map(|(field, _)| field.as_str()));
            }
            _ => {}
        }
    }

    fn text(&mut self, used: &'f Use) {
        match used {
            Use::Field(field) => self.fields.insert(field.as_str()),
            Use::Variable(_) | Use::Code => false,
        };
    }

    fn condition(&mut self, condition: &'f Condition) {
        match condition {
            Condition::Field(field, ..) => self.fields.insert(field.as_str()),
            Condition::Level(level, _) => self.levels.insert(level.as_str()),
            Condition::Open(hours, _) => self.hours.insert(hours.as_str()),
            _ => false,
        };
    }
}

#[cfg(test)]
mod tests {
    use crate::check::rules::tests::{ENDS, check, findings};

    #[test]
    fn each_kind_of_name_is_looked_at() {
        let found = check(
            "a",
            &format!(
                "[levels]\nl = {{ any = [\"pin\"] }}\nm = {{ any = [\"pin\"] }}\n\
                 [disclose]\nname = \"m\"\n\
                 [hours.office]\nzone = \"Europe/Berlin\"\nopen = [\"mon-fri 09:00-17:00\"]\n\
                 [states.a]\ntype = \"set\"\nvalues = {{ x = 1, y = 2 }}\nnext = \"b\"\n\
                 [states.b]\ntype = \"say\"\nprompt = \"{{{{ x }}}}\"\nnext = \"ask\"\n{ENDS}"
            ),
        );
        assert_eq!(
            found,
            [
                "4: unused: nothing uses the level `l`",
                "7: unused: nothing uses the field `name`",
                "8: unused: nothing uses the hours `office`",
                "13: unused: nothing uses the variable `y`",
            ]
        );
    }

    /// A flow whose ways are kept apart by what was proved and not by levels would be held to no budget, and nobody
    /// told.
    #[test]
    fn a_budget_is_to_hold_something() {
        let flow = |budget: &str, desk: &str| {
            format!(
                "name = \"f\"\nstart = \"who\"\n{budget}[states.who]\ntype = \"identify\"\nby = [\"digits\"]\nprompt = \"Who?\"\n\
                 on = {{ found = \"pin\", unknown = \"pin\" }}\n\
                 [states.pin]\ntype = \"gather_pin\"\ndigits = 6\nprompt = \"PIN?\"\non = {{ ok = \"desk\", failed = \"bye\", locked = \"bye\" }}\n\
                 [states.desk]\ntype = \"hangup\"\nprompt = \"So.\"\n{desk}[states.bye]\ntype = \"hangup\"\n"
            )
        };
        let told = "4: unused: no state requires a level or tells anything that has one, so the budget holds nothing";
        let budget = "[budget]\nper_year = 0.9\n";
        assert_eq!(findings(&[&flow(budget, "")]), [told]);
        assert_eq!(findings(&[&flow("", "")]), [""; 0]);
        let level = "[levels]\nl = { any = [\"pin\"] }\n";
        let requires = "requires = \"l\"\non = { denied = \"bye\" }\n";
        assert_eq!(findings(&[&flow(&format!("{budget}{level}"), requires)]), [""; 0]);

        let main = "name = \"m\"\nstart = \"go\"\n[states.go]\ntype = \"call\"\nflow = \"s\"\n\
                    on = { ok = \"bye\" }\n[states.bye]\ntype = \"hangup\"\n";
        let sub = format!(
            "name = \"s\"\nstart = \"a\"\n{budget}[states.a]\ntype = \"say\"\nprompt = \"So.\"\n\
             next = \"b\"\n[states.b]\ntype = \"return\"\noutcome = \"ok\"\n"
        );
        let told = "1:4: unused: no call begins in this flow, so its budget holds nothing";
        assert_eq!(findings(&[main, &sub]), [told]);
    }

    #[test]
    fn what_is_passed_in_is_to_be_used() {
        let main = |with: &str, give: &str| {
            format!(
                "name = \"m\"\nstart = \"a\"\n[states.a]\ntype = \"set\"\nvalues = {{ x = 1 }}\nnext = \"go\"\n\
                 [states.go]\ntype = \"call\"\nflow = \"s\"\nwith = {{ {with} }}\n{give}\
                 on = {{ ok = \"bye\" }}\n[states.bye]\ntype = \"hangup\"\nprompt = \"{{{{ x }}}}\"\n"
            )
        };
        let sub = "name = \"s\"\nstart = \"a\"\n[states.a]\ntype = \"say\"\nprompt = \"{{ sum }}\"\n\
                   next = \"b\"\n[states.b]\ntype = \"return\"\noutcome = \"ok\"\n";
        assert_eq!(findings(&[&main("sum = \"x\"", ""), sub]), [""; 0]);
        let more = main("sum = \"x\", why = \"x\"", "");
        assert_eq!(findings(&[&more, sub]), ["0:10: unused: flow `s` does not use `why`"]);
        let back = main("sum = \"x\", why = \"x\"", "give = { x = \"why\" }\n");
        assert_eq!(findings(&[&back, sub]), [""; 0], "it is taken out again");
    }

    #[test]
    fn what_a_caller_takes_out_is_used() {
        let main = |give: &str| {
            format!(
                "name = \"m\"\nstart = \"go\"\n[states.go]\ntype = \"call\"\nflow = \"s\"\n\
                 give = {{ sum = \"{give}\" }}\non = {{ ok = \"say\" }}\n[states.say]\n\
                 type = \"hangup\"\nprompt = \"{{{{ sum }}}}\"\n"
            )
        };
        let sub = "name = \"s\"\nstart = \"a\"\n[states.a]\ntype = \"set\"\n\
                   values = { x = 1, y = 2 }\nnext = \"b\"\n[states.b]\ntype = \"return\"\n\
                   outcome = \"ok\"\n";
        assert_eq!(findings(&[&main("x"), sub]), ["1:5: unused: nothing uses the variable `y`"]);
        let alone = findings(&[sub]);
        assert_eq!(alone, [""; 0], "its callers are not known");
    }
}
