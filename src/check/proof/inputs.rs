//! What a caller must be, have and key in so that the branches of a way go as the way goes.
//!
//! The analysis lets a branch on a variable, a field or the time go either way. Here values are looked
//! for with which every branch of one way does: those that the conditions name, and their neighbours.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::uses::Told;
use super::walk::{Arrival, By, Walks};
use crate::flow::condition::{Attestation, Condition, Test};
use crate::flow::edge::Label;
use crate::flow::level::Level;
use crate::flow::name::{FieldName, VariableName};
use crate::flow::outcome::Outcome;
use crate::flow::risk::Risk;
use crate::flow::state::{Kind, State};
use crate::flow::states::gather::{Gather, What};
use crate::flow::states::lookup::Type;
use crate::flow::states::set::Assigned;
use crate::flow::template::{Filling, Filter, Template, Use};
use crate::flow::value::Value;

/// Combinations that are tried: a way has few branches on what is chosen here.
const TRIES_MAX: usize = 20_000;
/// Hours looked at for a time at which the call begins: two weeks of them.
const HOURS: i64 = 14 * 24;

/// What is chosen.
#[derive(Clone, Debug, Default)]
pub(super) struct Inputs {
    /// When the call begins; `None`: it does not matter.
    pub(super) begins: Option<Timestamp>,
    /// What the network says of the number.
    pub(super) attestation: Option<Attestation>,
    /// How much speaks against the caller.
    pub(super) risk: Risk,
    /// What is given to a `gather`, by the number of its step on the way.
    pub(super) given: BTreeMap<usize, Value>,
    /// What a back end answers, by the number of the step that asks it.
    pub(super) looked_up: BTreeMap<(usize, VariableName), Value>,
    /// Fields of the account.
    pub(super) fields: BTreeMap<FieldName, Value>,
}

/// One thing to choose, and what it may be.
enum Choice {
    Given(usize, Vec<Value>),
    LookedUp(usize, VariableName, Vec<Value>),
    Field(FieldName, Vec<Value>),
    Attestation(Vec<Attestation>),
    Begins(Vec<Timestamp>),
}

impl Choice {
    fn count(&self) -> usize {
        match self {
            Self::Given(_, values) | Self::LookedUp(_, _, values) | Self::Field(_, values) => {
                values.len()
            }
            Self::Attestation(values) => values.len(),
            Self::Begins(values) => values.len(),
        }
    }

    fn put(&self, index: usize, inputs: &mut Inputs) {
        match self {
            Self::Given(step, values) => {
                inputs.given.extend(values.get(index).map(|value| (*step, value.clone())));
            }
            Self::LookedUp(step, name, values) => {
                let value = values.get(index).cloned();
                inputs.looked_up.extend(value.map(|value| ((*step, name.clone()), value)));
            }
            Self::Field(name, values) => {
                inputs.fields.extend(values.get(index).map(|value| (name.clone(), value.clone())));
            }
            Self::Attestation(values) => inputs.attestation = values.get(index).copied(),
            Self::Begins(values) => inputs.begins = values.get(index).copied(),
        }
    }
}

/// Inputs with which every branch of the way goes as the way does; `None`: none were found.
pub(super) fn choose(
    walks: &Walks<'_>,
    way: &[&Arrival<'_>],
    begins: Timestamp,
    fields: &BTreeMap<FieldName, Value>,
) -> Option<Inputs> {
    let choices = choices(walks, way, begins, fields);
    let mut at = vec![0; choices.len()];
    for _ in 0..TRIES_MAX {
        let risk = way.last().map_or(Risk::Low, |arrival| arrival.known.risk);
        let mut inputs = Inputs { fields: fields.clone(), risk, ..Inputs::default() };
        for (choice, index) in choices.iter().zip(&at) {
            choice.put(*index, &mut inputs);
        }
        if goes(walks, way, &inputs, begins) {
            return Some(inputs);
        }
        // The next combination, as an odometer counts.
        let turned = choices.iter().zip(at.iter_mut()).find_map(|(choice, index)| {
            *index += 1;
            if *index < choice.count() {
                return Some(());
            }
            *index = 0;
            None
        });
        turned?;
    }
    None
}

/// `usual`: what fields are otherwise, which is of the kind that their wording asks for.
fn choices(
    walks: &Walks<'_>,
    way: &[&Arrival<'_>],
    begins: Timestamp,
    usual: &BTreeMap<FieldName, Value>,
) -> Vec<Choice> {
    let conditions: Vec<&Condition> = way
        .iter()
        .filter_map(|arrival| match &walks.state(arrival.place)?.1.kind {
            Kind::Branch(branch) => Some(branch.cases.iter().flat_map(|case| case.when.walk())),
            _ => None,
        })
        .flatten()
        .collect();
    let tests = conditions.iter().filter_map(|condition| match condition {
        Condition::Variable(_, test, _) | Condition::Field(_, test, _) => Some(test),
        _ => None,
    });
    let named: Vec<Value> = tests.flat_map(near).collect();
    let mut choices = Vec::new();
    for (step, arrival) in way.iter().enumerate() {
        if let By::Edge(from, Label::Outcome(Outcome::Ok), _) = &arrival.by
            && let Some((_, state)) = walks.state(*from)
        {
            match &state.kind {
                Kind::Gather(gather) => choices.push(Choice::Given(step, givable(gather, &named))),
                Kind::Lookup(lookup) => choices.extend(lookup.give.iter().map(|given| {
                    let name = given.name.clone();
                    Choice::LookedUp(step, name, answerable(given.of, &named))
                })),
                _ => {}
            }
        }
    }
    choices.extend(of_made(walks, way, &named, usual));
    for condition in &conditions {
        if let Condition::Field(name, test, _) = condition {
            let known = choices.iter_mut().find_map(|choice| match choice {
                Choice::Field(known, values) if known == name => Some(values),
                _ => None,
            });
            if let Some(values) = known {
                values.extend(near(test));
            } else {
                let values = usual.get(name).cloned().into_iter().chain(near(test));
                choices.push(Choice::Field(name.clone(), values.collect()));
            }
        }
    }
    if conditions.iter().any(|condition| matches!(condition, Condition::Attestation(_))) {
        use Attestation::{A, B, C, Failed, None};
        choices.push(Choice::Attestation(vec![None, A, B, C, Failed]));
    }
    let timed =
        |condition: &&Condition| matches!(condition, Condition::Open(..) | Condition::Time(_));
    if conditions.iter().any(timed) {
        let hour = |n| begins.checked_add(SignedDuration::from_hours(n)).ok();
        choices.push(Choice::Begins((0..HOURS).filter_map(hour).collect()));
    }
    choices
}

/// Fields of which a variable is made that may be asked about later.
fn of_made(
    walks: &Walks<'_>,
    way: &[&Arrival<'_>],
    named: &[Value],
    usual: &BTreeMap<FieldName, Value>,
) -> Vec<Choice> {
    let mut fields: BTreeMap<FieldName, Vec<Value>> = BTreeMap::new();
    for arrival in way {
        let Some((_, State { kind: Kind::Set(set), .. })) = walks.state(arrival.place) else {
            continue;
        };
        for template in set.texts() {
            for used in &template.uses {
                if let Use::Field(field) = used {
                    let usual = usual.get(field).cloned().into_iter();
                    let values = usual.chain(named.iter().cloned());
                    fields.entry(field.clone()).or_insert_with(|| values.collect());
                }
            }
        }
    }
    fields.into_iter().map(|(field, values)| Choice::Field(field, values)).collect()
}

/// Values on both sides of a test.
fn near(test: &Test) -> Vec<Value> {
    let around = |n: f64| [n, n + 1.0, n - 1.0].map(Value::Number).to_vec();
    match test {
        Test::Equals(Value::Number(n))
        | Test::AtLeast(n)
        | Test::AtMost(n)
        | Test::Above(n)
        | Test::Below(n) => around(*n),
        Test::Equals(Value::Flag(flag)) => vec![Value::Flag(*flag), Value::Flag(!flag)],
        Test::Equals(value) => vec![value.clone(), Value::Text("something else".into())],
        Test::OneOf(values) => {
            let other = Value::Text("something else".into());
            values.iter().cloned().chain([other]).collect()
        }
        Test::Present(_) => vec![Value::Text("something".into())],
    }
}

/// What a `gather` takes, of these values first.
fn givable(gather: &Gather, named: &[Value]) -> Vec<Value> {
    let mut values: Vec<Value> = match &gather.what {
        What::Digits(length) => {
            let length = length.and_then(|length| usize::try_from(length).ok());
            let fits = |digits: &String| {
                digits.bytes().all(|b| b.is_ascii_digit())
                    && length.is_none_or(|length| length == digits.len())
            };
            let padded = |value: &Value| {
                let words = value.words();
                let missing = length.unwrap_or_default().saturating_sub(words.len());
                format!("{}{words}", "0".repeat(missing))
            };
            let usual = ["1", "2"].map(|digit| digit.repeat(length.unwrap_or(4)));
            let all = named.iter().map(padded).filter(fits).chain(usual);
            all.map(Value::Text).collect()
        }
        What::Amount { at_least, at_most } => {
            let bounds = [at_least.unwrap_or(1.0), at_most.unwrap_or(1.0), 1.0, 100.0];
            let numbers = named.iter().filter_map(Value::as_number).chain(bounds);
            let fits = |n: &f64| {
                *n >= at_least.unwrap_or(0.0).max(0.0) && at_most.is_none_or(|most| *n <= most)
            };
            numbers.filter(fits).map(Value::Number).collect()
        }
        What::Speech => {
            let texts = named.iter().filter(|value| matches!(value, Value::Text(_))).cloned();
            texts.chain([Value::Text("something".into())]).collect()
        }
        What::Date(_) => vec![Value::Text("2026-12-31".into())],
    };
    values.dedup();
    values
}

/// What a back end may answer, of these values first.
fn answerable(of: Type, named: &[Value]) -> Vec<Value> {
    let usual = match of {
        Type::Text => Value::Text("something".into()),
        Type::Number => Value::Number(1234.56),
        Type::Flag => Value::Flag(true),
        Type::Date => Value::Text("2026-12-31".into()),
    };
    let other = (of == Type::Flag).then_some(Value::Flag(false));
    let fitting = named.iter().filter(|value| of.admits(value)).cloned();
    let mut values: Vec<_> = fitting.chain([usual]).chain(other).collect();
    values.dedup();
    values
}

/// What a call knows on its way.
struct Scene<'s, 'w, 'f> {
    walks: &'w Walks<'f>,
    inputs: &'s Inputs,
    begins: Timestamp,
    variables: BTreeMap<VariableName, Value>,
    callers: Vec<BTreeMap<VariableName, Value>>,
}

fn goes(walks: &Walks<'_>, way: &[&Arrival<'_>], inputs: &Inputs, begins: Timestamp) -> bool {
    let begins = inputs.begins.unwrap_or(begins);
    let (variables, callers) = (BTreeMap::new(), Vec::new());
    let mut scene = Scene { walks, inputs, begins, variables, callers };
    let steps = way.iter().zip(way.iter().skip(1)).enumerate();
    steps.into_iter().all(|(step, (before, after))| scene.step(step + 1, before, after))
}

impl Scene<'_, '_, '_> {
    /// Goes one step, and says whether the step can be gone.
    fn step(&mut self, number: usize, before: &Arrival<'_>, after: &Arrival<'_>) -> bool {
        let Some((_, state)) = self.walks.state(before.place) else { return false };
        match (&state.kind, &after.by) {
            (Kind::Gather(gather), By::Edge(_, Label::Outcome(Outcome::Ok), _)) => {
                let value = self.inputs.given.get(&number).cloned();
                self.variables.extend(value.map(|value| (gather.variable.clone(), value)));
            }
            (Kind::Lookup(lookup), By::Edge(_, Label::Outcome(outcome), _)) => {
                for given in &lookup.give {
                    self.variables.remove(&given.name);
                    let value = self.inputs.looked_up.get(&(number, given.name.clone()));
                    let value = value.filter(|_| *outcome == Outcome::Ok).cloned();
                    self.variables.extend(value.map(|value| (given.name.clone(), value)));
                }
            }
            (Kind::Set(set), By::Edge(_, Label::Outcome(Outcome::Next), _)) => {
                for assignment in &set.values {
                    let value = match &assignment.to {
                        Assigned::Value(value) => Some(value.clone()),
                        Assigned::Text(template) => self.fill(before.place, template),
                    };
                    self.variables.extend(value.map(|value| (assignment.name.clone(), value)));
                }
            }
            (Kind::Call(call), By::Call) => {
                let passed = call.with.iter().filter_map(|passed| {
                    Some((passed.to.clone(), self.variables.get(&passed.from)?.clone()))
                });
                let passed = passed.collect();
                self.callers.push(std::mem::replace(&mut self.variables, passed));
            }
            (Kind::Return(_), By::Edge(from, ..)) => self.come_back(*from),
            (Kind::Branch(branch), By::Edge(_, label, _)) => {
                let holds: Vec<_> =
                    branch.cases.iter().map(|case| self.holds(&case.when, before, after)).collect();
                let first = holds.iter().position(|holds| *holds);
                return match label {
                    Label::Case(number) => first == Some(*number),
                    _ => first.is_none(),
                };
            }
            _ => {}
        }
        true
    }

    /// A text as the machine fills it in.
    fn fill(&self, place: usize, template: &Template) -> Option<Value> {
        let (flow, _) = self.walks.state(place)?;
        let filling = Filling {
            fields: self.inputs.fields.iter().map(|(name, value)| (name.as_str(), value)).collect(),
            variables: self.variables.iter().map(|(name, it)| (name.as_str(), Some(it))).collect(),
            code: None,
            locale: &self.walks.start.locale,
            currency: flow.currency_in(Some(self.walks.start)),
        };
        template.fill(&filling).map(Value::Text)
    }

    fn come_back(&mut self, to: usize) {
        let Some((_, state)) = self.walks.state(to) else { return };
        if let Kind::Call(call) = &state.kind
            && let Some(own) = self.callers.pop()
        {
            let given = std::mem::replace(&mut self.variables, own);
            for give in &call.give {
                let value = given.get(&give.from).cloned();
                self.variables.extend(value.map(|value| (give.to.clone(), value)));
            }
        }
    }

    /// Whether a condition holds for who goes on to `after`: what is known there is what the
    /// condition has shown.
    fn holds(&self, condition: &Condition, before: &Arrival<'_>, after: &Arrival<'_>) -> bool {
        let flow = self.walks.state(before.place).map(|(flow, _)| flow);
        let met = |level: Option<&Level>| level.is_some_and(|level| after.known.meets(level));
        let may = |told: &Told| {
            let levels = flow.map(|flow| self.walks.levels_of(flow, before.known.labels, told));
            levels.is_some_and(|levels| levels.iter().all(|(_, level)| met(Some(level))))
        };
        match condition {
            Condition::All(parts) => parts.iter().all(|part| self.holds(part, before, after)),
            Condition::Any(parts) => parts.iter().any(|part| self.holds(part, before, after)),
            Condition::Not(inner) => !self.holds(inner, before, after),
            Condition::Variable(name, test, _) => {
                let may = may(&Told::Variable(name.clone()));
                test.passes(self.variables.get(name).filter(|_| may))
            }
            Condition::Field(name, test, _) => {
                let may = may(&Told::Field(name.clone())) && after.known.real;
                test.passes(self.inputs.fields.get(name).filter(|_| may))
            }
            Condition::Fact(fact) => after.known.has(*fact),
            Condition::Level(name, _) => met(flow.and_then(|flow| self.walks.level(flow, name))),
            Condition::Attestation(wanted) => {
                self.inputs.attestation.unwrap_or(Attestation::None) == *wanted
            }
            Condition::Risk(band) => after.known.risk == *band,
            Condition::RiskAtLeast(band) => after.known.risk >= *band,
            Condition::Open(name, _) => flow
                .and_then(|flow| flow.hours.get(name))
                .is_some_and(|hours| hours.is_open(self.begins)),
            Condition::Time(hours) => hours.is_open(self.begins),
        }
    }
}

/// A value for each field that a flow on the way uses, of the kind that its wording asks for.
pub(super) fn fields(walks: &Walks<'_>) -> BTreeMap<FieldName, Value> {
    let mut fields = BTreeMap::new();
    for (_, state) in walks.states() {
        let mut templates: Vec<_> =
            state.prompts().into_iter().flat_map(crate::flow::prompt::Prompt::templates).collect();
        if let Kind::Set(set) = &state.kind {
            templates.extend(set.texts());
        }
        templates.extend(state.sent());
        for template in templates {
            for used in &template.uses {
                let Use::Field(name) = used else { continue };
                let filter = template.filter_of(used);
                // Any value is said as it is, and not every one as an amount or a date.
                if filter.is_some() || !fields.contains_key(name) {
                    fields.insert(name.clone(), like(filter));
                }
            }
        }
        if let Kind::Transfer(transfer) = &state.kind {
            for (name, _) in &transfer.share {
                fields.entry(name.clone()).or_insert_with(|| Value::Text("Ada".into()));
            }
        }
    }
    fields
}

/// What a wording makes of a field: an amount, a date, or a text.
fn like(filter: Option<Filter>) -> Value {
    match filter {
        Some(Filter::Money) => Value::Number(1234.56),
        Some(Filter::Date) => Value::Text("2026-12-03".into()),
        Some(Filter::Digits) | None => Value::Text("Ada".into()),
    }
}
