//! Labels on a way: under which levels each variable may be heard, as the machine keeps them.
//!
//! Most ways have none. So they are kept once each, and a way carries a number.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::flow::Flow;
use crate::flow::condition::Condition;
use crate::flow::name::{FieldName, LevelName, VariableName};
use crate::flow::states::branch::Branch;
use crate::flow::states::call::{CallFlow, Passed};
use crate::flow::states::lookup::Lookup;
use crate::flow::states::set::{Assigned, Set};
use crate::flow::template::Use;

/// The labels of a way, by number; 0: there are none.
pub(super) type Labels = u32;

/// Levels that must all be met.
pub(super) type Label<'f> = BTreeSet<&'f LevelName>;

/// The labels of a way.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Labelled<'f> {
    /// Those of what branches have asked about since the account was claimed.
    asked: Label<'f>,
    /// Those of the present flow's variables.
    variables: BTreeMap<&'f VariableName, Label<'f>>,
}

/// All labels so far.
#[derive(Debug)]
pub(super) struct Known<'f> {
    /// The flow that the calls begin in, which says under which level a field is disclosed.
    start: &'f Flow,
    sets: Vec<Labelled<'f>>,
    numbers: HashMap<Labelled<'f>, Labels>,
}

impl<'f> Known<'f> {
    pub(super) fn new(start: &'f Flow) -> Self {
        let none = Labelled::default();
        Self { start, sets: vec![none.clone()], numbers: HashMap::from([(none, 0)]) }
    }

    fn get(&self, labels: Labels) -> Labelled<'f> {
        self.sets.get(labels as usize).cloned().unwrap_or_default()
    }

    fn number(&mut self, mut labelled: Labelled<'f>) -> Labels {
        labelled.variables.retain(|_, label| !label.is_empty());
        if let Some(number) = self.numbers.get(&labelled) {
            return *number;
        }
        let number = Labels::try_from(self.sets.len()).unwrap_or(Labels::MAX);
        self.sets.push(labelled.clone());
        self.numbers.insert(labelled, number);
        number
    }

    /// The levels under which a variable may be heard; none: anybody may hear it.
    pub(super) fn of(&self, labels: Labels, variable: &VariableName) -> Label<'f> {
        let labelled = self.sets.get(labels as usize);
        labelled.and_then(|it| it.variables.get(variable)).cloned().unwrap_or_default()
    }

    /// The level under which a field is disclosed.
    pub(super) fn of_field(&self, field: &FieldName) -> Option<&'f LevelName> {
        self.start.disclose.get(field)
    }

    /// After a `set`.
    pub(super) fn set(&mut self, labels: Labels, set: &'f Set) -> Labels {
        let mut labelled = self.get(labels);
        for assignment in &set.values {
            let uses: &[Use] = match &assignment.to {
                Assigned::Text(template) => &template.uses,
                Assigned::Value(_) => &[],
            };
            let mut label = labelled.asked.clone();
            for used in uses {
                match used {
                    Use::Field(field) => label.extend(self.of_field(field)),
                    Use::Variable(name) => {
                        label.extend(labelled.variables.get(name).into_iter().flatten());
                    }
                    Use::Code => {}
                }
            }
            labelled.variables.insert(&assignment.name, label);
        }
        self.number(labelled)
    }

    /// After a back end has answered.
    pub(super) fn looked_up(&mut self, labels: Labels, lookup: &'f Lookup) -> Labels {
        let mut labelled = self.get(labels);
        for given in &lookup.give {
            let mut label = labelled.asked.clone();
            label.extend(given.label.iter().map(|(level, _)| level));
            labelled.variables.insert(&given.name, label);
        }
        self.number(labelled)
    }

    /// After something was taken from the caller, which the caller knows.
    pub(super) fn gathered(&mut self, labels: Labels, variable: &VariableName) -> Labels {
        if labels == 0 {
            return 0;
        }
        let mut labelled = self.get(labels);
        labelled.variables.remove(variable);
        self.number(labelled)
    }

    /// After a branch that got to know what is under these levels.
    pub(super) fn asked(&mut self, labels: Labels, levels: Label<'f>) -> Labels {
        if levels.is_empty() {
            return labels;
        }
        let mut labelled = self.get(labels);
        labelled.asked.extend(levels);
        self.number(labelled)
    }

    /// What a branch asks about: each thing's levels.
    pub(super) fn asks(&self, labels: Labels, branch: &Branch) -> Vec<Label<'f>> {
        let conditions = branch.cases.iter().flat_map(|case| case.when.walk());
        let label = |condition: &Condition| match condition {
            Condition::Field(field, ..) => self.of_field(field).into_iter().collect(),
            Condition::Variable(name, ..) => self.of(labels, name),
            _ => Label::new(),
        };
        conditions.map(label).filter(|label| !label.is_empty()).collect()
    }

    /// The labels inside a sub-flow.
    pub(super) fn call(&mut self, labels: Labels, call: &'f CallFlow) -> Labels {
        if labels == 0 {
            return 0;
        }
        let Labelled { asked, variables } = self.get(labels);
        let passed = |passed: &'f Passed| Some((&passed.to, variables.get(&passed.from)?.clone()));
        let variables = call.with.iter().filter_map(passed).collect();
        self.number(Labelled { asked, variables })
    }

    /// The labels after a sub-flow has come back; `own` are those with which it was called.
    pub(super) fn come_back(&mut self, inside: Labels, own: Labels, call: &'f CallFlow) -> Labels {
        if inside == 0 && own == 0 {
            return 0;
        }
        let (inside, own) = (self.get(inside), self.get(own));
        let mut variables = own.variables;
        for give in &call.give {
            // A variable that was never set there leaves ours as it was.
            let label = inside.variables.get(&give.from).cloned().unwrap_or_default();
            variables.entry(&give.to).or_default().extend(label);
        }
        self.number(Labelled { asked: inside.asked, variables })
    }

    /// Labels that cover both.
    pub(super) fn joined(&mut self, one: Labels, other: Labels) -> Labels {
        let (mut one, other) = (self.get(one), self.get(other));
        one.asked.extend(other.asked);
        for (variable, label) in other.variables {
            one.variables.entry(variable).or_default().extend(label);
        }
        self.number(one)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::state::Kind;

    const FLOW: &str = "name = \"f\"\nstart = \"a\"\n[levels]\nlo = { any = [\"pin\"] }\n\
        hi = { any = [\"sms_otp\"] }\n[disclose]\nname = \"lo\"\nsum = \"hi\"\n\
        [states.a]\ntype = \"set\"\nvalues = { x = \"{{ account.sum }}\", y = \"{{ x }} {{ account.name }}\", z = 1 }\n\
        next = \"b\"\n[states.b]\ntype = \"branch\"\ncases = [{ when = { var = \"y\", equals = 1 }, next = \"c\" }]\n\
        otherwise = \"c\"\n[states.c]\ntype = \"set\"\nvalues = { x = 2, z = 2 }\nnext = \"d\"\n\
        [states.d]\ntype = \"hangup\"\n";

    #[test]
    fn labels_go_with_what_is_made_and_with_what_was_asked() {
        let (flow, findings) = crate::flow::read_one("f", FLOW);
        assert_eq!(findings, []);
        let flow = flow.unwrap();
        let mut known = Known::new(&flow);
        let set = |name: &str| match &flow.states[name].kind {
            Kind::Set(set) => set,
            _ => panic!("no set"),
        };
        let Kind::Branch(branch) = &flow.states["b"].kind else { panic!("no branch") };
        let names = |label: Label<'_>| label.iter().map(ToString::to_string).collect::<Vec<_>>();
        let after = known.set(0, set("a"));
        assert_eq!(names(known.of(after, &"x".into())), ["hi"]);
        assert_eq!(names(known.of(after, &"y".into())), ["hi", "lo"]);
        assert!(known.of(after, &"z".into()).is_empty());
        let plain = known.set(after, set("c"));
        assert!(known.of(plain, &"x".into()).is_empty(), "it was set anew");
        let asks = known.asks(after, branch).into_iter().flatten().collect();
        let asked = known.asked(after, asks);
        let told = known.set(asked, set("c"));
        assert_eq!(names(known.of(told, &"z".into())), ["hi", "lo"], "which way was taken tells");
        let both = known.joined(plain, after);
        assert_eq!(names(known.of(both, &"y".into())), ["hi", "lo"]);
        assert_eq!(known.set(0, set("c")), 0);
    }
}
