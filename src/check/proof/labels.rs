//! Labels on a way: under which levels each variable may be heard, as the machine keeps them.
//!
//! Most ways have none, and those that have some share them. So everything is kept once each, and a way
//! carries a number.

use std::collections::BTreeSet;

use indexmap::IndexSet;

use crate::flow::Flow;
use crate::flow::condition::Condition;
use crate::flow::name::{FieldName, LevelName, VariableName};
use crate::flow::states::branch::Branch;
use crate::flow::states::call::CallFlow;
use crate::flow::states::lookup::Lookup;
use crate::flow::states::set::Set;
use crate::flow::template::Use;

/// The labels of a way, by number; 0: there are none.
pub(super) type Labels = u32;

/// Levels that must all be met.
pub(super) type Label<'f> = BTreeSet<&'f LevelName>;

/// Levels that must all be met, by number; 0: there are none.
type One = u32;

/// The labels of variables, by their numbers: a tree whose equal parts are kept once each, so that a way which
/// sets one more shares all others. 0: there are none.
type Tree = u32;

/// A part of a tree: by the variable's next digit the part below, or at the last one its label.
type Part = [u32; 1 << DIGIT_BITS];

const DIGIT_BITS: u32 = 3;
/// So many name more variables than flows may hold.
const DIGITS: u32 = 8;

/// The labels of a way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Labelled {
    /// That of what branches have asked about since the account was claimed.
    asked: One,
    /// Those of the present flow's variables.
    variables: Tree,
}

/// All labels so far. What has number 0 is what there is by default.
#[derive(Debug)]
pub(super) struct Known<'f> {
    /// The flow that the calls begin in, which says under which level a field is disclosed.
    start: &'f Flow,
    sets: IndexSet<Labelled>,
    parts: IndexSet<Part>,
    labels: IndexSet<Label<'f>>,
    names: IndexSet<&'f VariableName>,
}

/// The number of a thing that is kept once.
fn number<T: Eq + std::hash::Hash>(all: &mut IndexSet<T>, thing: T) -> u32 {
    u32::try_from(all.insert_full(thing).0).unwrap_or(u32::MAX)
}

fn digit(variable: u32, below: u32) -> usize {
    (variable >> (DIGIT_BITS * below)) as usize % Part::default().len()
}

impl<'f> Known<'f> {
    pub(super) fn new(start: &'f Flow) -> Self {
        Self {
            start,
            sets: IndexSet::from([Labelled::default()]),
            parts: IndexSet::from([Part::default()]),
            labels: IndexSet::from([Label::new()]),
            names: IndexSet::new(),
        }
    }

    /// How many parts of trees are kept for all ways so far.
    pub(super) fn kept(&self) -> usize {
        self.parts.len()
    }

    fn get(&self, labels: Labels) -> Labelled {
        self.sets.get_index(labels as usize).copied().unwrap_or_default()
    }

    fn number(&mut self, labelled: Labelled) -> Labels {
        number(&mut self.sets, labelled)
    }

    fn name(&mut self, variable: &'f VariableName) -> u32 {
        number(&mut self.names, variable)
    }

    fn part(&self, tree: Tree) -> Part {
        self.parts.get_index(tree as usize).copied().unwrap_or_default()
    }

    /// The label of a variable.
    fn of_variable(&self, variables: Tree, variable: &VariableName) -> One {
        let Some(variable) = self.names.get_index_of(variable) else { return 0 };
        let variable = u32::try_from(variable).unwrap_or(u32::MAX);
        let below = |tree, below| self.part(tree).get(digit(variable, below)).copied().unwrap_or(0);
        (0..DIGITS).rev().fold(variables, below)
    }

    fn put(&mut self, variables: Tree, variable: &'f VariableName, label: One) -> Tree {
        let variable = self.name(variable);
        self.put_below(variables, DIGITS, variable, label)
    }

    fn put_below(&mut self, tree: Tree, digits: u32, variable: u32, label: One) -> Tree {
        let Some(below) = digits.checked_sub(1) else { return label };
        let mut part = self.part(tree);
        if let Some(tree) = part.get_mut(digit(variable, below)) {
            *tree = self.put_below(*tree, below, variable, label);
        }
        number(&mut self.parts, part)
    }

    /// A tree whose labels cover those of both.
    fn both_trees(&mut self, one: Tree, other: Tree, digits: u32) -> Tree {
        let Some(below) = digits.checked_sub(1) else { return self.both(one, other) };
        if one == other || other == 0 {
            return one;
        }
        let (mut part, other) = (self.part(one), self.part(other));
        for (tree, other) in part.iter_mut().zip(other) {
            *tree = self.both_trees(*tree, other, below);
        }
        number(&mut self.parts, part)
    }

    fn label(&self, one: One) -> Label<'f> {
        self.labels.get_index(one as usize).cloned().unwrap_or_default()
    }

    /// The levels of both.
    fn both(&mut self, one: One, other: One) -> One {
        if one == other || other == 0 {
            return one;
        }
        let mut label = self.label(one);
        label.extend(self.label(other));
        number(&mut self.labels, label)
    }

    /// The levels under which a variable may be heard; none: anybody may hear it.
    pub(super) fn of(&self, labels: Labels, variable: &VariableName) -> Label<'f> {
        self.label(self.of_variable(self.get(labels).variables, variable))
    }

    /// The level under which a field is disclosed.
    pub(super) fn of_field(&self, field: &FieldName) -> Option<&'f LevelName> {
        self.start.disclose.get(field)
    }

    /// After a `set`.
    pub(super) fn set(&mut self, labels: Labels, set: &'f Set) -> Labels {
        let mut labelled = self.get(labels);
        for assignment in &set.values {
            let mut label = self.label(labelled.asked);
            for used in assignment.to.text().iter().flat_map(|text| &text.uses) {
                match used {
                    Use::Field(field) => label.extend(self.of_field(field)),
                    Use::Variable(name) => {
                        let own = self.of_variable(labelled.variables, name);
                        label.extend(self.label(own));
                    }
                    Use::Code => {}
                }
            }
            let label = number(&mut self.labels, label);
            labelled.variables = self.put(labelled.variables, &assignment.name, label);
        }
        self.number(labelled)
    }

    /// After a back end has answered.
    pub(super) fn looked_up(&mut self, labels: Labels, lookup: &'f Lookup) -> Labels {
        let mut labelled = self.get(labels);
        for given in &lookup.give {
            let mut label = self.label(labelled.asked);
            label.extend(given.label.iter().map(|(level, _)| level));
            let label = number(&mut self.labels, label);
            labelled.variables = self.put(labelled.variables, &given.name, label);
        }
        self.number(labelled)
    }

    /// After something was taken from the caller, which the caller knows, or the variable is gone.
    pub(super) fn gathered(&mut self, labels: Labels, variable: &'f VariableName) -> Labels {
        if labels == 0 {
            return 0;
        }
        let mut labelled = self.get(labels);
        labelled.variables = self.put(labelled.variables, variable, 0);
        self.number(labelled)
    }

    /// After a branch that got to know what is under these levels.
    pub(super) fn asked(&mut self, labels: Labels, levels: Label<'f>) -> Labels {
        if levels.is_empty() {
            return labels;
        }
        let mut labelled = self.get(labels);
        let levels = number(&mut self.labels, levels);
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
        let mut inside = Labelled { asked: outside.asked, variables: 0 };
        for passed in &call.with {
            let label = self.of_variable(outside.variables, &passed.from);
            inside.variables = self.put(inside.variables, &passed.to, label);
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
            let given = self.of_variable(inside.variables, &give.from);
            let before =
                if is_given(&give.from) { 0 } else { self.of_variable(own.variables, &give.to) };
            let label = self.both(before, given);
            own.variables = self.put(own.variables, &give.to, label);
        }
        self.number(own)
    }

    /// Labels that cover both.
    pub(super) fn joined(&mut self, one: Labels, other: Labels) -> Labels {
        let (mut one, other) = (self.get(one), self.get(other));
        one.asked = self.both(one.asked, other.asked);
        one.variables = self.both_trees(one.variables, other.variables, DIGITS);
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

    #[test]
    fn a_way_that_sets_one_more_variable_shares_all_others() {
        const VARIABLES: usize = 4_000;
        let head = "name = \"f\"\nstart = \"s0\"\n[levels]\nl = { any = [\"pin\"] }\n[disclose]\nsum = \"l\"\n";
        let text = (0..VARIABLES).fold(head.to_owned(), |text, n| {
            let values = format!("v{n} = \"{{{{ account.sum }}}}\"");
            let next = (n + 1) % VARIABLES;
            text + &format!(
                "[states.s{n}]\ntype = \"set\"\nvalues = {{ {values} }}\nnext = \"s{next}\"\n"
            )
        });
        let (flow, findings) = crate::flow::read_one("f", &text);
        assert_eq!(findings, []);
        let flow = flow.unwrap();
        let mut known = Known::new(&flow);
        let all = flow.states.values().fold(0, |labels, state| match &state.kind {
            Kind::Set(set) => known.set(labels, set),
            _ => panic!("no set"),
        });
        for n in [0, 7, 8, VARIABLES - 1] {
            assert_eq!(known.of(all, &format!("v{n}").as_str().into()).len(), 1, "v{n}");
        }
        assert!(known.kept() <= 10 * VARIABLES, "{} parts for {VARIABLES}", known.kept());
    }
}
