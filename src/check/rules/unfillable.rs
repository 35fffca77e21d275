//! A text that calculates, and cannot be filled in with something that its names may hold there.
//!
//! ## Why
//!
//! It is tried with what may be there: zero and fractions where a number is, any word and an empty one where a back end or
//! a caller gives a text, nothing where no way there has set it, `true` and `false`, and keys as the text that they are. A
//! call in which it fails ends with the apology, as if something were broken.
//!
//! ## How to fix it
//!
//! Ask first (`{% if shares %}…{% endif %}`), make a number of a text and say what it is otherwise
//! (`{{ count | int(0) + 1 }}`), bound a `gather` with `at_least`, or have the back end give a `number`. What can be
//! calculated by the back end is better calculated there.
//!
//! ## Before
//!
//! ```toml
//! [states.each]
//! type = "say"
//! prompt = "That is {{ sum / shares }} for each."
//! next = "bye"
//! ```
//!
//! ## After
//!
//! ```toml
//! prompt = "{% if shares > 0 %}That is {{ sum / shares }} for each.{% endif %}"
//! ```

use std::collections::{BTreeMap, HashMap, HashSet};

use super::{Report, Rule, Subject, unset_variable};
use crate::diagnostic::Severity;
use crate::flow::name::{FlowName, VariableName};
use crate::flow::prompt::Prompt;
use crate::flow::state::{Kind, State};
use crate::flow::states::gather::{Gather, What};
use crate::flow::states::lookup::Type;
use crate::flow::states::set::Assigned;
use crate::flow::template::{Filling, Template, Use, mixtures};
use crate::flow::value::Value;
use crate::flow::{Flow, FlowSet, wording};
use crate::limits;

pub(super) const RULE: Rule = Rule {
    code: "unfillable",
    title: "a text that cannot be filled in with all that may be there",
    severity: Severity::Error,
    source: include_str!("unfillable.rs"),
    check,
};

/// A variable of a flow.
type Of<'f> = (&'f FlowName, &'f VariableName);

/// What each variable of a flow may hold: some of it, such as calculations fail with.
pub(super) type Samples<'f> = HashMap<Of<'f>, Vec<Value>>;

fn check(subject: &Subject<'_>, report: &mut Report<'_>) {
    if !subject.states().any(|(_, state)| texts(state).any(Template::calculates)) {
        return;
    }
    let (samples, lacking) = (samples(subject.flows), unset_variable::lacking(subject));
    for (walk, state) in subject.states() {
        let index = walk.index(&state.name);
        let lacks = |used: &Use| match (used, index) {
            (Use::Variable(name), Some(index)) => lacking.contains(&(&walk.flow.name, index, name)),
            _ => false,
        };
        for text in texts(state).filter(|text| text.calculates()) {
            let failure = failure(text, walk.flow, &samples, lacks);
            let Some((with, why)) = failure else { continue };
            let with = with.join(" and ");
            let message = format!("this text cannot be filled in where {with}: {why}");
            let help = "ask first, `{% if n %}…{% endif %}`, or make a number of a text and say what it is \
                        otherwise, `{{ n | int(0) }}`";
            report.add(report.finding(message, &text.place).help(help));
        }
    }
}

/// The texts of a state that are filled in.
pub(super) fn texts(state: &State) -> impl Iterator<Item = &Template> {
    let set = match &state.kind {
        Kind::Set(set) => Some(set.texts()),
        _ => None,
    };
    let prompts = state.prompts().into_iter().flat_map(Prompt::templates);
    prompts.chain(state.sent()).chain(set.into_iter().flatten())
}

pub(super) fn samples(flows: &FlowSet) -> Samples<'_> {
    let mut samples = Samples::new();
    let (mut given, mut passed) = (Vec::new(), Vec::new());
    for flow in flows.iter() {
        for state in flow.states.values() {
            let mut may_be = |name, values: Vec<Value>| {
                samples.entry((&flow.name, name)).or_default().extend(values);
            };
            match &state.kind {
                Kind::Gather(gather) => may_be(&gather.variable, taken(gather)),
                Kind::Lookup(lookup) => {
                    lookup.give.iter().for_each(|given| may_be(&given.name, answered(given.of)));
                }
                Kind::Set(set) => set.values.iter().for_each(|to| match &to.to {
                    Assigned::Value(value) => may_be(&to.name, vec![value.clone()]),
                    Assigned::Text(text) if text.uses.is_empty() && !text.calculates() => {
                        may_be(&to.name, vec![Value::Text((*text.source).to_owned())]);
                    }
                    // Who knows what it becomes, but a text it is.
                    Assigned::Text(_) => may_be(&to.name, words(["1"])),
                }),
                Kind::Call(call) => {
                    let (here, there) = (&flow.name, &call.flow);
                    for with in &call.with {
                        passed.push(((here, &with.from), (there, &with.to)));
                    }
                    for give in &call.give {
                        given.push(((there, &give.from), (here, &give.to)));
                        // What this call has passed in may come out again.
                        let own = call.with.iter().filter(|with| with.to == give.from);
                        given.extend(own.map(|with| ((here, &with.from), (here, &give.to))));
                    }
                }
                _ => {}
            }
        }
    }
    // First what comes out, then what goes in: what one caller passes comes out to no other.
    pass_on(&mut samples, &given);
    pass_on(&mut samples, &passed);
    // What nothing sets may be of any kind.
    samples.retain(|_, values| !values.is_empty());
    samples
}

/// Lets variables hold what those do from which their values come.
fn pass_on<'f>(samples: &mut Samples<'f>, along: &[(Of<'f>, Of<'f>)]) {
    let mut leads: HashMap<Of<'f>, Vec<Of<'f>>> = HashMap::new();
    for (from, to) in along {
        leads.entry(*from).or_default().push(*to);
    }
    let mut wanted: Vec<_> = leads.keys().copied().collect();
    while let Some(from) = wanted.pop() {
        let to = leads.get(&from).into_iter().flatten();
        wanted.extend(to.copied().filter(|to| takes(samples, from, *to)));
    }
}

/// Lets a variable hold what another does; whether there is anything new.
fn takes<'f>(samples: &mut Samples<'f>, from: Of<'f>, to: Of<'f>) -> bool {
    let key = |value: &Value| (std::mem::discriminant(value), value.words());
    let values = samples.get(&from).cloned().unwrap_or_default();
    let own = samples.entry(to).or_default();
    let mut known: HashSet<_> = own.iter().map(key).collect();
    let before = own.len();
    own.extend(values.into_iter().filter(|value| known.insert(key(value))));
    own.len() > before
}

fn words<const N: usize>(words: [&str; N]) -> Vec<Value> {
    words.map(|word| Value::Text(word.to_owned())).into()
}

fn taken(gather: &Gather) -> Vec<Value> {
    match gather.what {
        What::Digits(number) => {
            let (least, most) =
                number.map_or((1, limits::DIGITS_MAX), |it| (it as usize, it as usize));
            words([
                "1".repeat(least).as_str(),
                "0".repeat(least).as_str(),
                "9".repeat(most).as_str(),
            ])
        }
        What::Speech => words(["1", "a", "é".repeat(limits::SPEECH_CHARS_MAX).as_str()]),
        What::Date(_) => words(["2026-11-22"]),
        What::Amount { at_least, at_most } => {
            let (least, most) = (at_least.unwrap_or(0.0), at_most.unwrap_or(f64::MAX));
            [1.0, least, 1.5].map(|amount: f64| Value::Number(amount.clamp(least, most))).into()
        }
    }
}

fn answered(of: Type) -> Vec<Value> {
    match of {
        Type::Text => words(["1", "a", "", "é".repeat(limits::VARIABLE_CHARS_MAX).as_str()]),
        Type::Number => [1.0, 0.0, -1.5].map(Value::Number).into(),
        Type::Flag => [true, false].map(Value::Flag).into(),
        Type::Date => words(["2026-11-22"]),
    }
}

/// With what a text cannot be filled in, and why.
fn failure(
    text: &Template,
    flow: &Flow,
    samples: &Samples<'_>,
    lacks: impl Fn(&Use) -> bool,
) -> Option<(Vec<String>, String)> {
    let nothing = Value::Text(String::new());
    let known: Vec<_> = text.uses.iter().map(|used| of(used, flow, samples)).collect();
    // Fields, and variables that nothing sets, are of the first kinds with which it can be filled in at all.
    let unknown = unknown();
    let mut first = None;
    for kinds in mixtures(text.uses.len(), unknown.len()) {
        let kinds = kinds.into_iter().filter_map(|kind| unknown.get(kind));
        let all = text.uses.iter().zip(&known).zip(kinds).map(|((used, known), kind)| {
            let values = known.unwrap_or(kind).iter();
            values.chain(lacks(used).then_some(&nothing)).collect::<Vec<_>>()
        });
        let may_be: Vec<_> = all.collect();
        let plain = may_be.iter().filter_map(|values| values.first().copied()).collect::<Vec<_>>();
        let why_not =
            |values: &[&Value]| why_not(text, text.uses.iter().zip(values.iter().copied()), flow);
        let Some(why) = why_not(&plain) else {
            return variations(&may_be, &plain).find_map(|values| {
                let why = why_not(&values)?;
                let other = |at: usize| values.get(at) != plain.get(at);
                Some((named(text, &values, other), why))
            });
        };
        let is_known = |at: usize| known.get(at).is_some_and(Option::is_some);
        first.get_or_insert_with(|| (named(text, &plain, is_known), why));
        if !known.contains(&None) {
            break;
        }
    }
    first
}

/// The first account field without which a text cannot be filled in that otherwise can, and why.
pub(super) fn without_a_field<'t>(
    text: &'t Template,
    flow: &Flow,
    samples: &Samples<'_>,
) -> Option<(&'t Use, String)> {
    let fields = || text.uses.iter().filter(|used| matches!(used, Use::Field(_)));
    let unknown = unknown();
    let plain = |kinds: &[usize], lacks: Option<&Use>| {
        let all = text.uses.iter().zip(kinds).filter(|(used, _)| Some(*used) != lacks);
        let all = all.filter_map(|(used, kind)| {
            let values = of(used, flow, samples).or_else(|| unknown.get(*kind))?;
            Some((used, values.first()?))
        });
        why_not(text, all, flow)
    };
    let mut mixtures = mixtures(text.uses.len(), unknown.len());
    let kinds = mixtures.find(|kinds| plain(kinds, None).is_none())?;
    fields().find_map(|field| plain(&kinds, Some(field)).map(|why| (field, why)))
}

/// What something of which nothing is known may be, by its kind.
fn unknown() -> [Vec<Value>; 3] {
    [answered(Type::Number), words(["1"]), answered(Type::Flag)]
}

/// What something that is filled in may be, as far as that is known.
fn of<'s>(used: &'s Use, flow: &'s Flow, samples: &'s Samples<'_>) -> Option<&'s Vec<Value>> {
    match used {
        Use::Variable(name) => samples.get(&(&flow.name, name)),
        Use::Field(_) | Use::Code => None,
    }
}

/// Each thing as it may be besides, the others as they are; and all of them together.
fn variations<'v>(
    may_be: &'v [Vec<&'v Value>],
    plain: &'v [&'v Value],
) -> impl Iterator<Item = Vec<&'v Value>> {
    let one = may_be.iter().enumerate().flat_map(move |(at, values)| {
        values.iter().skip(1).map(move |&value| {
            let mut all = plain.to_vec();
            all.iter_mut().skip(at).take(1).for_each(|place| *place = value);
            all
        })
    });
    let most = may_be.iter().map(Vec::len).max().unwrap_or(0);
    let together = (1..most).map(move |at| {
        let of = may_be.iter().zip(plain);
        of.map(|(values, plain)| *values.get(at).unwrap_or(plain)).collect()
    });
    one.chain(together)
}

fn why_not<'v>(
    text: &Template,
    values: impl Iterator<Item = (&'v Use, &'v Value)>,
    flow: &Flow,
) -> Option<String> {
    let (mut fields, mut variables) = (BTreeMap::new(), BTreeMap::new());
    for (used, value) in values {
        match used {
            Use::Field(name) => drop(fields.insert(name.as_str(), value)),
            Use::Variable(name) => drop(variables.insert(name.as_str(), Some(value))),
            Use::Code => {}
        }
    }
    let code = Some("123456");
    let locale = &wording::english();
    text.why_not(&Filling { fields, variables, code, locale, currency: flow.currency_in(None) })
}

/// Those values that matter, for people.
fn named(text: &Template, values: &[&Value], matters: impl Fn(usize) -> bool) -> Vec<String> {
    let all = text.uses.iter().zip(values).enumerate().filter(|(at, _)| matters(*at));
    let named = all.map(|(_, (used, value))| {
        let name = used.written();
        match value {
            Value::Text(text) if text.is_empty() => format!("`{name}` is empty"),
            Value::Text(text) if text.chars().count() > limits::DIGITS_MAX => {
                format!("`{name}` has {} characters", text.chars().count())
            }
            Value::Text(text) => format!("`{name}` is the text `{text}`"),
            Value::Number(_) | Value::Flag(_) => format!("`{name}` is {}", value.words()),
        }
    });
    named.collect()
}

#[cfg(test)]
mod tests {
    use crate::check::rules::tests::findings_of_whoever;

    /// What is found of a text after keys, an amount from 0, speech, and a back end's answer.
    fn found(text: &str) -> Vec<String> {
        found_after(text, "")
    }

    fn found_after(text: &str, amounts: &str) -> Vec<String> {
        let on = "on = { ok = \"NEXT\", no_input = \"bye\", invalid = \"bye\" }";
        let gather = |name: &str, more: &str, next: &str| {
            let on = on.replace("NEXT", next);
            format!(
                "[states.{name}]\ntype = \"gather\"\nvar = \"{name}\"\nprompt = \"Now?\"\n{more}\n{on}\n"
            )
        };
        let flow = [
            "name = \"f\"\nstart = \"keys\"\n[disclose]\nowed = \"known\"\n[levels]\nknown = { any = [\"pin\"] }\n",
            &gather("keys", "", "sum"),
            &gather("sum", &format!("kind = \"amount\"\n{amounts}"), "said"),
            &gather("said", "kind = \"speech\"", "day"),
            &gather("day", "kind = \"date\"", "ask"),
            "[states.ask]\ntype = \"lookup\"\nbackend = \"b\"\n\
             give = { n = { type = \"number\", label = \"anyone\" }, text = { type = \"text\", label = \"anyone\" }, flag = { type = \"flag\", label = \"anyone\" } }\n\
             on = { ok = \"set\", failed = \"bye\" }\n\
             [states.set]\ntype = \"set\"\nvalues = { three = 3, word = \"ada\", made = \"{{ n }}\" }\nnext = \"tell\"\n",
            &format!(
                "[states.tell]\ntype = \"say\"\nprompt = \"{text}\"\nnext = \"bye\"\n[states.bye]\ntype = \"hangup\"\n"
            ),
        ];
        let mut found = findings_of_whoever(&[&flow.concat()]);
        found.retain(|finding| finding.contains(": unfillable: "));
        let message = |found: String| {
            found
                .split(": unfillable: this text cannot be filled in where ")
                .nth(1)
                .unwrap()
                .to_owned()
        };
        found.into_iter().map(message).collect()
    }

    #[test]
    fn what_may_be_there_is_tried() {
        let kinds =
            |of: &str| format!("tried to use {of} operator on unsupported types string and number");
        for (text, message) in [
            ("{{ keys + 1 }}", format!("`keys` is the text `1`: {}", kinds("+"))),
            ("{{ made + 1 }}", format!("`made` is the text `1`: {}", kinds("+"))),
            ("{{ 1 // sum }}", "`sum` is 0: unable to calculate 1 // 0".into()),
            ("{{ text | int }}", "`text` is the text `a`: invalid float literal".into()),
            ("{{ text | first }}", "`text` is empty: undefined value".into()),
            ("{{ said | int }}", "`said` is the text `a`: invalid float literal".into()),
            ("{{ n * 2 | money }}", "`n` is -1.5: strings can only".into()),
            ("{{ -flag }}", "`flag` is true".into()),
            ("{{ day | int }}", "`day` is the text `2026-11-22`".into()),
            (
                "{% for x in text %}{{ x }}{% for y in [1, 2, 3] %}{{ y }}{% endfor %}{% endfor %}",
                "`text` has 2000 characters: engine ran out of fuel".into(),
            ),
        ] {
            let found = found(text);
            let [only] = found.as_slice() else { panic!("{text}: {found:?}") };
            assert!(only.starts_with(&message), "{text}: {only}");
        }
    }

    #[test]
    fn what_can_always_be_filled_in_is_not_told() {
        for text in [
            "{{ keys | int + 1 }}",
            "{{ text | int(0) + 1 }}",
            "{{ said | upper }}",
            "{% if sum > 0 %}{{ 1 // sum }}{% endif %}",
            "{% if text %}{{ text | first }}{% endif %}",
            "{{ three + 1 }} {{ word | first }} {{ 6 // three }}",
            "{{ (n * 2) | money }} {{ made | upper }}",
            "{% if flag %}{{ day }}{% endif %}",
            "{{ text }} {{ n | digits }}",
        ] {
            assert_eq!(found(text), [""; 0], "{text}");
        }
        assert_eq!(found_after("{{ 1 // sum }}", "at_least = 1"), [""; 0]);
        assert_eq!(found_after("{{ 1 // (sum - 5) }}", "at_least = 5").len(), 1);
    }

    #[test]
    fn what_nothing_may_have_set_is_tried_as_nothing() {
        for (no_input, count) in [("b", 1), ("c", 0)] {
            let flow = format!(
                "name = \"f\"\nstart = \"a\"\n\
                 [states.a]\ntype = \"gather\"\nkind = \"amount\"\nvar = \"n\"\nprompt = \"N?\"\non = {{ ok = \"b\", no_input = \"{no_input}\", invalid = \"c\" }}\n\
                 [states.b]\ntype = \"say\"\nprompt = \"{{{{ n + 1 }}}}\"\nnext = \"c\"\n[states.c]\ntype = \"hangup\"\n"
            );
            let mut found = findings_of_whoever(&[&flow]);
            found.retain(|finding| {
                finding.contains(": unfillable: this text cannot be filled in where `n` is empty: ")
            });
            assert_eq!(found.len(), count, "{found:?}");
        }
    }

    #[test]
    fn what_other_flows_pass_is_what_it_is_there() {
        let flows = |sets: &str, text: &str, sub_text: &str| {
            let main = format!(
                "name = \"f\"\nstart = \"z\"\n{sets}\
                 [states.a]\ntype = \"call\"\nflow = \"g\"\nwith = {{ k = \"m\" }}\ngive = {{ n = \"k\" }}\non = {{ ok = \"b\" }}\n\
                 [states.b]\ntype = \"say\"\nprompt = \"{text}\"\nnext = \"c\"\n[states.c]\ntype = \"hangup\"\n"
            );
            let called = format!(
                "name = \"g\"\nstart = \"s\"\n[states.s]\ntype = \"say\"\nprompt = \"{sub_text}\"\nnext = \"t\"\n\
                 [states.t]\ntype = \"return\"\noutcome = \"ok\"\n"
            );
            [main, called]
        };
        let found = |sets: &str, text: &str, sub_text: &str| {
            let [main, called] = flows(sets, text, sub_text);
            let mut found = findings_of_whoever(&[&main, &called]);
            found.retain(|finding| finding.contains(": unfillable: "));
            found
        };
        let one = "[states.z]\ntype = \"set\"\nvalues = { m = 1 }\nnext = \"a\"\n";
        let said = |no_input: &str| {
            format!(
                "[states.z]\ntype = \"gather\"\nkind = \"speech\"\nvar = \"m\"\nprompt = \"What?\"\n\
                 on = {{ ok = \"a\", no_input = \"{no_input}\", invalid = \"c\" }}\n"
            )
        };
        for text in ["{{ V + 1 }}", "{{ V | upper }}", "{{ 1 // V }}"] {
            assert_eq!(found(one, &text.replace('V', "n"), &text.replace('V', "k")), [""; 0]);
        }
        let speech = found(&said("c"), "{{ n | int }}", "{{ k | int }}");
        assert_eq!(speech.len(), 2, "{speech:?}");
        assert!(speech.iter().all(|told| told.contains("is the text `a`")), "{speech:?}");
        assert_eq!(found(&said("c"), "{{ n | first }}", "{{ k | first }}"), [""; 0]);
        // What one caller passes comes out to no other.
        let other = "name = \"h\"\nstart = \"z\"\n[states.z]\ntype = \"gather\"\nkind = \"speech\"\nvar = \"m\"\n\
                     prompt = \"What?\"\non = { ok = \"a\", no_input = \"c\", invalid = \"c\" }\n\
                     [states.a]\ntype = \"call\"\nflow = \"g\"\nwith = { k = \"m\" }\ngive = { n = \"k\" }\non = { ok = \"b\" }\n\
                     [states.b]\ntype = \"say\"\nprompt = \"{{ n }}\"\nnext = \"c\"\n[states.c]\ntype = \"hangup\"\n";
        let [main, called] = flows(one, "{{ n + 1 }}", "{{ k }}");
        let mut two = findings_of_whoever(&[&main, &called, other]);
        two.retain(|finding| finding.contains(": unfillable: "));
        assert_eq!(two, [""; 0]);
        let nothing = found(&said("a"), "{{ n | first }}", "{{ k | first }}");
        assert_eq!(nothing.len(), 2, "{nothing:?}");
        assert!(nothing.iter().all(|told| told.contains("is empty")), "{nothing:?}");
    }
}
