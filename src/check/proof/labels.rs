//! Labels on a way: under which levels each variable may be heard, as the machine keeps them.
//!
//! Most ways have none. So they are kept once each, and a way carries a number; and as few levels make up
//! many labels, a variable carries the number of its own.

use std::collections::{BTreeSet, HashMap};

use crate::flow::Flow;
use crate::flow::condition::Condition;
use crate::flow::name::{FieldName, LevelName, VariableName};
use crate::flow::states::branch::Branch;
use crate::flow::states::call::CallFlow;
use crate::flow::states::lookup::Lookup;
use crate::flow::states::set::{Assigned, Set};
use crate::flow::template::Use;

/// The labels of a way, by number; 0: there are none.
pub(super) type Labels = u32;

/// Levels that must all be met.
pub(super) type Label<'f> = BTreeSet<&'f LevelName>;

/// Levels that must all be met, by number; 0: there are none.
type One = u32;

/// The labels of a way.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Labelled {
    /// That of what branches have asked about since the account was claimed.
    asked: One,
    /// Those of the present flow's variables, by their numbers in order. What has none is not there.
    variables: Vec<(u32, One)>,
}

impl Labelled {
    fn of(&self, variable: u32) -> One {
        let at = self.variables.binary_search_by_key(&variable, |(name, _)| *name).ok();
        at.and_then(|at| self.variables.get(at)).map_or(0, |(_, label)| *label)
    }

    fn put(&mut self, variable: u32, label: One) {
        match (self.variables.binary_search_by_key(&variable, |(name, _)| *name), label) {
            (Ok(at), 0) => drop(self.variables.remove(at)),
            (Ok(at), label) => {
                if let Some((_, known)) = self.variables.get_mut(at) {
                    *known = label;
                }
            }
            (Err(_), 0) => {}
            (Err(at), label) => self.variables.insert(at, (variable, label)),
        }
    }
}

/// Things that are kept once each, by number.
#[derive(Debug)]
struct Once<T> {
    all: Vec<T>,
    numbers: HashMap<T, u32>,
}

impl<T: Clone + Default + Eq + std::hash::Hash> Once<T> {
    /// With the default as number 0.
    fn new() -> Self {
        Self { all: vec![T::default()], numbers: HashMap::from([(T::default(), 0)]) }
    }

    fn get(&self, number: u32) -> Option<&T> {
        self.all.get(number as usize)
    }

    fn number(&mut self, thing: T) -> u32 {
        if let Some(number) = self.numbers.get(&thing) {
            return *number;
        }
        let number = u32::try_from(self.all.len()).unwrap_or(u32::MAX);
        self.all.push(thing.clone());
        self.numbers.insert(thing, number);
        number
    }
}

/// All labels so far.
#[derive(Debug)]
pub(super) struct Known<'f> {
    /// The flow that the calls begin in, which says under which level a field is disclosed.
    start: &'f Flow,
    sets: Once<Labelled>,
    labels: Once<Label<'f>>,
    names: HashMap<&'f VariableName, u32>,
    /// The variables in all sets together.
    kept: usize,
}

impl<'f> Known<'f> {
    pub(super) fn new(start: &'f Flow) -> Self {
        let (sets, labels) = (Once::new(), Once::new());
        Self { start, sets, labels, names: HashMap::new(), kept: 0 }
    }

    /// How many variables with labels are kept for all ways so far.
    pub(super) fn kept(&self) -> usize {
        self.kept
    }

    fn get(&self, labels: Labels) -> Labelled {
        self.sets.get(labels).cloned().unwrap_or_default()
    }

    fn number(&mut self, labelled: Labelled) -> Labels {
        let (size, before) = (labelled.variables.len(), self.sets.all.len());
        let number = self.sets.number(labelled);
        if self.sets.all.len() > before {
            self.kept += size;
        }
        number
    }

    fn name(&mut self, variable: &'f VariableName) -> u32 {
        let next = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        *self.names.entry(variable).or_insert(next)
    }

    fn label(&self, one: One) -> Label<'f> {
        self.labels.get(one).cloned().unwrap_or_default()
    }

    /// The levels of both.
    fn both(&mut self, one: One, other: One) -> One {
        if one == other || other == 0 {
            return one;
        }
        let mut label = self.label(one);
        label.extend(self.label(other));
        self.labels.number(label)
    }

    /// The levels under which a variable may be heard; none: anybody may hear it.
    pub(super) fn of(&self, labels: Labels, variable: &VariableName) -> Label<'f> {
        let found = self.sets.get(labels).zip(self.names.get(variable));
        found.map(|(labelled, name)| self.label(labelled.of(*name))).unwrap_or_default()
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
            let mut label = self.label(labelled.asked);
            for used in uses {
                match used {
                    Use::Field(field) => label.extend(self.of_field(field)),
                    Use::Variable(name) => {
                        let own = self.names.get(name).map_or(0, |name| labelled.of(*name));
                        label.extend(self.label(own));
                    }
                    Use::Code => {}
                }
            }
            let (name, label) = (self.name(&assignment.name), self.labels.number(label));
            labelled.put(name, label);
        }
        self.number(labelled)
    }

    /// After a back end has answered.
    pub(super) fn looked_up(&mut self, labels: Labels, lookup: &'f Lookup) -> Labels {
        let mut labelled = self.get(labels);
        for given in &lookup.give {
            let mut label = self.label(labelled.asked);
            label.extend(given.label.iter().map(|(level, _)| level));
            let (name, label) = (self.name(&given.name), self.labels.number(label));
            labelled.put(name, label);
        }
        self.number(labelled)
    }

    /// After something was taken from the caller, which the caller knows, or the variable is gone.
    pub(super) fn gathered(&mut self, labels: Labels, variable: &VariableName) -> Labels {
        let Some(name) = self.names.get(variable).filter(|_| labels != 0) else { return labels };
        let mut labelled = self.get(labels);
        labelled.put(*name, 0);
        self.number(labelled)
    }

    /// After a branch that got to know what is under these levels.
    pub(super) fn asked(&mut self, labels: Labels, levels: Label<'f>) -> Labels {
        if levels.is_empty() {
            return labels;
        }
        let mut labelled = self.get(labels);
        let levels = self.labels.number(levels);
        labelled.asked = self.both(labelled.asked, levels);
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
        let outside = self.get(labels);
        let mut inside = Labelled { asked: outside.asked, variables: Vec::new() };
        for passed in &call.with {
            let label = self.names.get(&passed.from).map_or(0, |name| outside.of(*name));
            let name = self.name(&passed.to);
            inside.put(name, label);
        }
        self.number(inside)
    }

    /// The labels after a sub-flow has come back; `own` are those with which it was called, and `is_given`
    /// says which of its variables are surely there.
    pub(super) fn come_back(
        &mut self,
        inside: Labels,
        own: Labels,
        call: &'f CallFlow,
        is_given: impl Fn(&'f VariableName) -> bool,
    ) -> Labels {
        if inside == 0 && own == 0 {
            return 0;
        }
        let (inside, mut own) = (self.get(inside), self.get(own));
        own.asked = inside.asked;
        for give in &call.give {
            // A variable that was never set there leaves ours as it was.
            let given = self.names.get(&give.from).map_or(0, |name| inside.of(*name));
            let name = self.name(&give.to);
            let before = if is_given(&give.from) { 0 } else { own.of(name) };
            let label = self.both(before, given);
            own.put(name, label);
        }
        self.number(own)
    }

    /// Labels that cover both.
    pub(super) fn joined(&mut self, one: Labels, other: Labels) -> Labels {
        let (mut one, other) = (self.get(one), self.get(other));
        one.asked = self.both(one.asked, other.asked);
        for (variable, label) in other.variables {
            let label = self.both(one.of(variable), label);
            one.put(variable, label);
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
