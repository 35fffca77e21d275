//! A text that fills in a variable which nothing may have set on the way there.
//!
//! A `gather` sets its variable where it ends `ok`, a `lookup` what it gives where it ends `ok`, and a `set` in
//! any case; a `lookup` that ends `failed` leaves none of them, whatever was there before. A case of a `branch`
//! that asks about a variable holds only if that is there. An `identify` drops what was made of account data: of
//! the account before. A sub-flow has what every `call` of it passes in, where the caller has that, and a `call`
//! takes out what is there wherever the sub-flow returns with this outcome.
//!
//! ## Why
//!
//! A variable that nothing has set is filled in as nothing: the caller hears "That is  . To go on, press 1".
//!
//! ## How to fix it
//!
//! Lead callers without it elsewhere, `set` it before, or ask `{ var = "…", present = true }` in a `branch`.
//!
//! ## Before
//!
//! ```toml
//! [states.how_much]
//! type = "gather"
//! kind = "amount"
//! var = "amount"
//! prompt = "How much?"
//! on = { ok = "noted", no_input = "noted", invalid = "noted" }
//!
//! [states.noted]
//! type = "hangup"
//! prompt = "We have noted {{ amount | money }}."
//! ```
//!
//! ## After
//!
//! ```toml
//! [states.how_much]
//! type = "gather"
//! kind = "amount"
//! var = "amount"
//! prompt = "How much?"
//! on = { ok = "noted", no_input = "bye", invalid = "bye" }
//!
//! [states.noted]
//! type = "hangup"
//! prompt = "We have noted {{ amount | money }}."
//! ```

mod across;
mod sets;
mod ways;

use std::cell::OnceCell;
use std::collections::{BTreeSet, HashSet};

use indexmap::IndexMap;

use self::across::Across;
use self::sets::variables;
use self::ways::{AT_ONCE, Ways, Why};
use super::{Report, Rule, Subject};
use crate::check::subject::Walk;
use crate::diagnostic::{Place, Severity};
use crate::flow::name::{FlowName, VariableName};
use crate::flow::prompt::Prompt;
use crate::flow::state::{Kind, State};
use crate::flow::template::Template;
use crate::limits;

pub(super) const RULE: Rule = Rule {
    code: "unset-variable",
    title: "a text that fills in a variable which may not be set there",
    severity: Severity::Warning,
    source: include_str!("unset_variable.rs"),
    check,
};

fn check(subject: &Subject<'_>, report: &mut Report<'_>) {
    let mut steps = limits::EDGES_WITHOUT_MAX;
    let Some(across) = Across::of(subject, &mut steps) else { return };
    for walk in subject.walks() {
        let (ways, used) = (Ways::of(walk, &across), used(walk, &across));
        let Some(missing) = missing(&ways, &used, &mut steps) else { return };
        for (variable, uses) in &used {
            // Only where it is told how callers come there without.
            let found = OnceCell::new();
            for (index, state, place) in uses {
                if !missing.contains(&(*index, *variable)) {
                    continue;
                }
                report.tell(state, place, |report| {
                    let message = format!("`{variable}` may not be set in `{}`", state.name);
                    let help = format!(
                        "lead callers without it elsewhere, or ask whether it is there: \
                         {{ var = \"{variable}\", present = true }}"
                    );
                    let finding = report.finding(message, place).help(help);
                    let found = found.get_or_init(|| ways.without(variable, &mut steps));
                    let why = found.as_ref().and_then(|found| ways.why(variable, found, *index));
                    let withheld = across.withheld_by(&walk.flow.name, variable);
                    match reason(why, variable, withheld) {
                        Some((words, place)) => finding.label(words, place.clone()),
                        None => finding,
                    }
                });
            }
        }
    }
}

/// Why a variable is missing, in words; `withheld`: the state that comes to its flow without it.
fn reason<'r>(
    why: Option<Why<'r, 'r>>,
    variable: &VariableName,
    withheld: Option<&'r State>,
) -> Option<(String, &'r Place)> {
    const CLAIM: &str = "a claim drops what was made of the account before";
    match why {
        Some(Why::Left(edge)) => Some(("this way nothing has set it".into(), &edge.to.place)),
        Some(Why::Dropped(state)) => Some((CLAIM.into(), &state.place)),
        Some(Why::Lost(state, edge)) => Some(match &state.kind {
            Kind::Call(call) => (format!("in `{}` {CLAIM}", call.flow), &call.flow_place),
            _ => ("a look-up that fails leaves it unset".into(), &edge.to.place),
        }),
        Some(Why::NotGiven(call)) => {
            let given = call.give.iter().find(|give| give.to == *variable)?;
            Some((format!("`{}` may come back without it", call.flow), &given.from_place))
        }
        None => {
            let Kind::Call(call) = &withheld?.kind else { return None };
            Some(match call.with.iter().find(|with| with.to == *variable) {
                Some(with) => (format!("`{}` may not be set here", with.from), &with.from_place),
                None => (format!("`{}` is passed none here", call.flow), &call.flow_place),
            })
        }
    }
}

/// The states, by flow and number, that callers may come to without a variable that a text there fills in; as far
/// as that is followed.
pub(super) fn lacking<'f>(
    subject: &Subject<'f>,
) -> HashSet<(&'f FlowName, usize, &'f VariableName)> {
    let mut steps = limits::EDGES_WITHOUT_MAX;
    let mut lacking = HashSet::new();
    let Some(across) = Across::of(subject, &mut steps) else { return lacking };
    for walk in subject.walks() {
        let (ways, used) = (Ways::of(walk, &across), used(walk, &across));
        let Some(missing) = missing(&ways, &used, &mut steps) else { break };
        lacking.extend(missing.into_iter().map(|(index, name)| (&walk.flow.name, index, name)));
    }
    lacking
}

/// The uses of variables that callers may come to without them, by state and variable.
fn missing<'f>(
    ways: &Ways<'f>,
    used: &Uses<'f>,
    steps: &mut usize,
) -> Option<HashSet<(usize, &'f VariableName)>> {
    let mut missing = HashSet::new();
    for some in used.keys().copied().collect::<Vec<_>>().chunks(AT_ONCE) {
        let lacking = ways.lacking(some, steps)?;
        for (bit, variable) in some.iter().enumerate() {
            let uses = used.get(*variable).into_iter().flatten();
            let lacks = |index: &usize| lacking.get(*index).is_some_and(|it| it >> bit & 1 == 1);
            let without = uses.map(|(index, ..)| *index).filter(lacks);
            missing.extend(without.map(|index| (index, *variable)));
        }
    }
    Some(missing)
}

/// The variables that callers take out of flows, and that are there wherever those come back.
pub(in crate::check) fn surely_given<'f>(
    subject: &Subject<'f>,
) -> HashSet<(&'f FlowName, &'f VariableName)> {
    let mut steps = limits::EDGES_WITHOUT_MAX;
    // Of what is passed in it is not always known what a claim drops.
    let Some(across) = Across::with_nothing_passed(subject, &mut steps) else {
        return HashSet::new();
    };
    let calls = subject.states().filter_map(|(_, state)| match &state.kind {
        Kind::Call(call) => Some(call),
        _ => None,
    });
    let taken = calls.flat_map(|call| call.give.iter().map(|give| (&call.flow, &give.from)));
    taken.filter(|(flow, variable)| across.is_given_always(flow, variable)).collect()
}

/// Where variables are filled in: the state, by its number too, and the place there.
type Uses<'f> = IndexMap<&'f VariableName, Vec<(usize, &'f State, Place)>>;

/// The variables of a flow's own that its texts fill in, in the order of the first of them.
fn used<'f>(walk: &Walk<'f>, across: &Across<'f>) -> Uses<'f> {
    let mut used = Uses::new();
    for (index, state) in
        walk.flow.states.values().enumerate().filter(|(index, _)| walk.reached(*index))
    {
        let mut use_of = |template: &Template, variable| {
            let place = template.place_of(VariableName::as_str(variable));
            let place = place.unwrap_or_else(|| template.place.clone());
            used.entry(variable).or_default().push((index, state, place));
        };
        let mut seen = BTreeSet::new();
        let prompts = state.prompts().into_iter().flat_map(Prompt::templates);
        for template in prompts.chain(state.sent()) {
            let new = variables(template).filter(|variable| seen.insert(*variable));
            new.for_each(|variable| use_of(template, variable));
        }
        let Kind::Set(set) = &state.kind else { continue };
        for value in &set.values {
            if let Some(template) = value.to.text() {
                let new = variables(template).filter(|variable| seen.insert(*variable));
                new.for_each(|variable| use_of(template, variable));
            }
            // The next may be made of it.
            seen.insert(&value.name);
        }
    }
    let flow = walk.flow;
    used.retain(|variable, _| {
        flow.variables.contains_key(*variable) || across.withheld_by(&flow.name, variable).is_some()
    });
    used
}

#[cfg(test)]
mod tests {
    use crate::check::rules::tests::{ENDS, check, findings_of_whoever};

    fn unset(states: &str) -> Vec<String> {
        let mut found = check("a", &format!("{states}{ENDS}"));
        found.retain(|finding| finding.contains("unset-variable"));
        found
    }

    fn gather(on: &str) -> String {
        format!("[states.a]\ntype = \"gather\"\nvar = \"n\"\nprompt = \"N?\"\non = {{ {on} }}\n")
    }

    const SAID: &str =
        "[states.b]\ntype = \"say\"\nprompt = \"You said {{ n }}.\"\nnext = \"ask\"\n";

    #[test]
    fn what_only_one_way_sets_is_missing_on_the_others() {
        let every = gather("ok = \"b\", no_input = \"b\", invalid = \"ask\"");
        assert_eq!(
            unset(&format!("{every}{SAID}")),
            ["10: unset-variable: `n` may not be set in `b`"]
        );
        let right = gather("ok = \"b\", no_input = \"ask\", invalid = \"ask\"");
        assert_eq!(unset(&format!("{right}{SAID}")), [""; 0]);
    }

    #[test]
    fn a_variable_that_was_asked_about_is_there() {
        let every = gather("ok = \"c\", no_input = \"c\", invalid = \"c\"");
        for (case, otherwise) in [
            ("{ var = \"n\", present = true }, next = \"b\"", "ask"),
            ("{ var = \"n\", present = false }, next = \"ask\"", "b"),
            (
                "{ not = { any = [{ var = \"n\", present = false }, { fact = \"pin\" }] } }, next = \"b\"",
                "ask",
            ),
            (
                "{ all = [{ fact = \"pin\" }, { var = \"n\", one_of = [\"1\"] }] }, next = \"b\"",
                "ask",
            ),
        ] {
            let branch = |case: &str, otherwise: &str| {
                format!(
                    "[states.c]\ntype = \"branch\"\ncases = [{{ when = {case} }}]\notherwise = \"{otherwise}\"\n"
                )
            };
            let asked = format!("{every}{}{SAID}", branch(case, otherwise));
            assert_eq!(unset(&asked), [""; 0], "{case}");
            let either = branch(&case.replace("next = \"ask\"", "next = \"b\""), "b");
            assert_eq!(unset(&format!("{every}{either}{SAID}")).len(), 1, "{case}");
        }
    }

    #[test]
    fn a_claim_drops_what_was_made_of_the_account_before() {
        let flow = |value: &str| {
            format!(
                "[levels]\nknown = {{ any = [\"pin\"] }}\n[disclose]\nname = \"known\"\n\
                 [states.a]\ntype = \"identify\"\nby = [\"digits\"]\nprompt = \"Who?\"\non = {{ found = \"c\", unknown = \"c\" }}\n\
                 [states.c]\ntype = \"set\"\nrequires = \"known\"\nstep_up = \"p\"\nvalues = {{ m = \"{value}\", n = \"{{{{ m }}}}\" }}\nnext = \"b\"\non = {{ denied = \"bye\" }}\n\
                 [states.p]\ntype = \"gather_pin\"\ndigits = 6\nprompt = \"PIN?\"\non = {{ ok = \"r\", failed = \"r\", locked = \"r\" }}\n[states.r]\ntype = \"return\"\n\
                 [states.b]\ntype = \"identify\"\nby = [\"digits\"]\nprompt = \"Thank you, {{{{ n }}}}. And the other number?\"\non = {{ found = \"e\", unknown = \"e\" }}\n\
                 [states.e]\ntype = \"say\"\nprompt = \"Still {{{{ n }}}}.\"\nnext = \"bye\"\n[states.bye]\ntype = \"hangup\"\n"
            )
        };
        let found = |value: &str| {
            let mut found = check("a", &flow(value));
            found.retain(|finding| finding.contains("unset-variable"));
            found
        };
        assert_eq!(
            found("{{ account.name }}"),
            [
                "29: unset-variable: `n` may not be set in `b`",
                "33: unset-variable: `n` may not be set in `e`",
            ]
        );
        assert_eq!(found("Ada"), [""; 0], "it is of no account");
    }

    #[test]
    fn one_value_may_be_made_of_another() {
        let set = |values: &str| {
            unset(&format!(
                "[states.a]\ntype = \"set\"\nvalues = {{ {values} }}\nnext = \"b\"\n{SAID}"
            ))
        };
        assert_eq!(set("m = 1, n = \"{{ m }}\""), [""; 0]);
        assert_eq!(set("n = \"{{ m }}\", m = 1").len(), 1);
    }

    #[test]
    fn what_is_passed_or_given_is_there() {
        let called = "name = \"g\"\nstart = \"s\"\n[states.s]\ntype = \"say\"\nprompt = \"{{ m }}\"\nnext = \"t\"\n\
                      [states.t]\ntype = \"return\"\noutcome = \"ok\"\n";
        let calls = format!(
            "name = \"f\"\nstart = \"v\"\n[states.v]\ntype = \"set\"\nvalues = {{ n = 1 }}\nnext = \"a\"\n\
             [states.a]\ntype = \"call\"\nflow = \"g\"\nwith = {{ m = \"n\" }}\ngive = {{ n = \"m\" }}\non = {{ ok = \"b\" }}\n{SAID}{ENDS}"
        );
        assert_eq!(findings_of_whoever(&[&calls, called]), [""; 0]);
    }

    /// What is told of variables that a flow and the one that it calls pass each other, where one says `n` and the
    /// other `m`.
    fn across(ways: &str, call: &str, called: &str) -> Vec<String> {
        let calls = format!(
            "name = \"f\"\nstart = \"a\"\n{}[states.c]\ntype = \"call\"\nflow = \"g\"\n{call}\n{SAID}{ENDS}",
            gather(ways)
        );
        let called = format!("name = \"g\"\nstart = \"s\"\n{called}");
        let mut found = findings_of_whoever(&[&calls, &called]);
        found.retain(|finding| finding.contains("unset-variable"));
        found
    }

    const ALWAYS: &str = "ok = \"c\", no_input = \"ask\", invalid = \"ask\"";
    const ANYHOW: &str = "ok = \"c\", no_input = \"c\", invalid = \"ask\"";
    const TELLS: &str = "[states.s]\ntype = \"say\"\nprompt = \"{{ m }}\"\nnext = \"t\"\n\
                         [states.t]\ntype = \"return\"\noutcome = \"ok\"\n";

    #[test]
    fn what_a_caller_lacks_is_missing_where_it_is_passed() {
        let call = "with = { m = \"n\" }\non = { ok = \"ask\" }";
        assert_eq!(across(ALWAYS, call, TELLS), [""; 0]);
        assert_eq!(across(ANYHOW, call, TELLS), ["1:5: unset-variable: `m` may not be set in `s`"]);
        let twice =
            format!("{call}\n[states.d]\ntype = \"call\"\nflow = \"g\"\non = {{ ok = \"ask\" }}");
        let both = ALWAYS.replace("no_input = \"ask\"", "no_input = \"d\"");
        assert_eq!(
            across(&both, &twice, TELLS),
            ["1:5: unset-variable: `m` may not be set in `s`"]
        );
    }

    #[test]
    fn what_only_one_outcome_gives_is_missing_on_the_others() {
        let asks = "[states.s]\ntype = \"gather\"\nvar = \"m\"\nprompt = \"N?\"\n\
                    on = { ok = \"t\", no_input = \"u\", invalid = \"u\" }\n\
                    [states.t]\ntype = \"return\"\noutcome = \"ok\"\n\
                    [states.u]\ntype = \"return\"\noutcome = \"no\"\n";
        let call =
            |no: &str| format!("give = {{ n = \"m\" }}\non = {{ ok = \"b\", no = \"{no}\" }}");
        let told = ["0:15: unset-variable: `n` may not be set in `b`"];
        assert_eq!(across(ANYHOW, &call("ask"), asks), [""; 0]);
        assert_eq!(across(ANYHOW, &call("b"), asks), told);
        assert_eq!(across(ALWAYS, &call("b"), asks), [""; 0], "it stays as it was");
        let sometimes = asks.replace("\"no\"", "\"ok\"");
        let call = call("ask").replace(", no = \"ask\"", "");
        assert_eq!(across(ANYHOW, &call, &sometimes), told);
    }

    #[test]
    fn a_claim_in_a_flow_that_is_called_drops_it_too() {
        let flow = |kind: &str| {
            let called = format!(
                "name = \"g\"\nstart = \"s\"\n[states.s]\n{kind}\n[states.t]\ntype = \"return\"\noutcome = \"ok\"\n"
            );
            let calls = "name = \"f\"\nstart = \"w\"\n[levels]\nknown = { any = [\"pin\"] }\n[disclose]\nname = \"known\"\n\
                 [states.w]\ntype = \"identify\"\nby = [\"digits\"]\nprompt = \"Who?\"\non = { found = \"p\", unknown = \"p\" }\n\
                 [states.p]\ntype = \"gather_pin\"\ndigits = 6\nprompt = \"PIN?\"\non = { ok = \"v\", failed = \"bye\", locked = \"bye\" }\n\
                 [states.v]\ntype = \"set\"\nvalues = { n = \"{{ account.name }}\" }\nnext = \"c\"\n\
                 [states.c]\ntype = \"call\"\nflow = \"g\"\non = { ok = \"b\" }\n\
                 [states.b]\ntype = \"say\"\nprompt = \"{{ n }}\"\nnext = \"bye\"\n[states.bye]\ntype = \"hangup\"\n";
            let mut found = findings_of_whoever(&[calls, &called]);
            found.retain(|finding| finding.contains("unset-variable"));
            found.len()
        };
        let claims = "type = \"identify\"\nby = [\"digits\"]\nprompt = \"Who?\"\non = { found = \"t\", unknown = \"t\" }";
        assert_eq!(flow(claims), 1);
        assert_eq!(flow("type = \"say\"\nprompt = \"One moment.\"\nnext = \"t\""), 0);
    }

    #[test]
    fn a_look_up_that_fails_leaves_nothing_of_what_was_there() {
        let flow = |failed: &str| {
            unset(&format!(
                "[states.a]\ntype = \"set\"\nvalues = {{ n = \"unknown\" }}\nnext = \"l\"\n\
                 [states.l]\ntype = \"lookup\"\nbackend = \"x\"\ngive = {{ n = {{ type = \"text\", label = \"anyone\" }} }}\n\
                 on = {{ ok = \"b\", failed = \"{failed}\" }}\n{SAID}"
            ))
        };
        assert_eq!(flow("ask"), [""; 0]);
        assert_eq!(flow("b").len(), 1);
    }
}
