//! Names: each that a flow uses must lead somewhere.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use crate::diagnostic::fix::Spelling;
use crate::diagnostic::{Finding, Place, Problems, listed};
use crate::flow::condition::Condition;
use crate::flow::level::Fact;
use crate::flow::name::{FieldName, FlowName, LevelName, StateName, VariableName};
use crate::flow::outcome::Outcome;
use crate::flow::state::{Kind, State, Target};
use crate::flow::states::call::{CallFlow, Passed, SET_FIRST};
use crate::flow::states::lookup::ANYONE;
use crate::flow::template::{Template, Use};
use crate::flow::{Flow, FlowSet};

/// Help for whoever takes the label of a look-up's answers for a level.
const NOT_FOR_ANYONE: &str = "`anyone` is a label for the answers of a `lookup` alone: what is on file is told to callers who have \
     proved something, and a state without `requires` is open to all";

/// What could be read of the files.
pub(super) struct Known<'a> {
    /// Whether every file gave a flow with a name.
    pub all_read: bool,
    /// The files with errors of their own.
    pub broken: &'a BTreeSet<Arc<str>>,
    /// The variables that some flow passes into another, by the one that gets them.
    pub passed: &'a HashSet<(&'a FlowName, &'a VariableName)>,
    /// The flows that call each flow themselves.
    pub callers: &'a HashMap<&'a FlowName, Vec<&'a Flow>>,
    /// What each flow returns.
    pub outcomes: &'a HashMap<&'a FlowName, Vec<Outcome>>,
    /// The variables that each flow uses which others call.
    pub used: &'a HashMap<&'a FlowName, BTreeSet<&'a VariableName>>,
}

/// The flows that call each flow themselves.
pub(super) fn callers(set: &FlowSet) -> HashMap<&FlowName, Vec<&Flow>> {
    let mut callers: HashMap<_, Vec<&Flow>> = HashMap::new();
    for flow in set.iter() {
        for called in flow.calls().collect::<BTreeSet<_>>() {
            callers.entry(called).or_default().push(flow);
        }
    }
    callers
}

/// What each flow returns.
pub(super) fn outcomes(set: &FlowSet) -> HashMap<&FlowName, Vec<Outcome>> {
    set.iter().map(|flow| (&flow.name, outcomes_of(flow))).collect()
}

/// The variables that each flow uses which others call.
pub(super) fn used<'f>(
    set: &'f FlowSet,
    callers: &HashMap<&FlowName, Vec<&Flow>>,
) -> HashMap<&'f FlowName, BTreeSet<&'f VariableName>> {
    let called = set.iter().filter(|flow| callers.contains_key(&flow.name));
    let used = |flow: &'f Flow| flow.states.values().flat_map(State::variables_used).collect();
    called.map(|flow| (&flow.name, used(flow))).collect()
}

/// The variables that some flow passes into another.
pub(super) fn passed(set: &FlowSet) -> HashSet<(&FlowName, &VariableName)> {
    let states = set.iter().flat_map(|flow| flow.states.values());
    let calls = states.filter_map(|state| match &state.kind {
        Kind::Call(call) => Some(call),
        _ => None,
    });
    calls.flat_map(|call| call.with.iter().map(|passed| (&call.flow, &passed.to))).collect()
}

pub(super) fn resolve(flow: &Flow, set: &FlowSet, known: &Known<'_>, problems: &Problems) {
    let (levels, fields) = (RefCell::default(), RefCell::default());
    let resolver = Resolver { flow, set, known, problems, levels, fields };
    for (field, level) in &flow.disclose {
        // A level that could not be read has no name.
        if !level.as_str().is_empty()
            && !flow.levels.contains_key(level)
            && let Some((_, place)) = flow.places.disclose.get(field)
        {
            resolver.unknown_level(level, place);
        }
    }
    for state in flow.states.values() {
        resolver.state(state);
    }
}

/// How a name stands in its place.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stands {
    /// Alone, in quotes.
    Alone,
    /// Alone, bare.
    Bare,
    /// Somewhere within a text.
    Within,
}

impl Stands {
    fn respelt<'k>(
        self,
        problems: &Problems,
        finding: Finding,
        written: &str,
        known: impl IntoIterator<Item = &'k str>,
    ) -> Finding {
        match self {
            Self::Alone => problems.respelt(finding, written, known, Spelling::Value),
            Self::Bare => problems.respelt(finding, written, known, Spelling::Key),
            Self::Within => finding,
        }
    }
}

struct Resolver<'a> {
    flow: &'a Flow,
    set: &'a FlowSet,
    known: &'a Known<'a>,
    problems: &'a Problems,
    /// The levels that were looked for in the calling flows, and whether they are there.
    levels: RefCell<HashMap<LevelName, bool>>,
    /// And the fields.
    fields: RefCell<HashMap<FieldName, bool>>,
}

impl<'a> Resolver<'a> {
    fn state(&self, state: &State) {
        if let Some((level, place)) = &state.requires
            && !self.level_known(level)
        {
            self.unknown_level(level, place);
        }
        for edge in state.edges() {
            self.target(edge.to);
        }
        for prompt in state.prompts() {
            prompt.templates().for_each(|template| self.template(template));
        }
        state.sent().for_each(|template| self.template(template));
        match &state.kind {
            Kind::Branch(branch) => {
                let conditions = branch.cases.iter().flat_map(|case| case.when.walk());
                conditions.for_each(|condition| self.condition(condition));
            }
            Kind::Set(assigned) => {
                for value in &assigned.values {
                    if let Some(template) = value.to.text() {
                        self.template(template);
                    }
                }
            }
            Kind::Transfer(transfer) => {
                let fields = transfer.share.iter();
                fields.for_each(|(field, place)| self.field(field, place, Stands::Alone));
            }
            Kind::Lookup(lookup) => {
                for (level, place) in lookup.give.iter().filter_map(|given| given.label.as_ref()) {
                    if !self.level_known(level) {
                        self.unknown_level(level, place);
                    }
                }
            }
            Kind::Call(call) => self.call(state, call),
            _ => {}
        }
    }

    fn target(&self, target: &Target) {
        if self.flow.states.contains_key(&target.state) {
            return;
        }
        self.problems.add_with("unknown-state", &target.place, || {
            let names = self.flow.states.keys().map(StateName::as_str);
            let written = target.state.as_str();
            let message = format!("there is no state `{written}`");
            let finding = Finding::error("unknown-state", message, target.place.clone());
            let help = self.problems.did_you_mean(written, names.clone());
            self.problems.respelt(finding.maybe_help(help), written, names, Spelling::Value)
        });
    }

    fn template(&self, template: &Template) {
        let named = |name| match template.place_of(name) {
            Some(place) => (place, Stands::Bare),
            None => (template.place.clone(), Stands::Within),
        };
        for used in &template.uses {
            match used {
                Use::Field(field) => {
                    let (place, stands) = named(field.as_str());
                    self.field(field, &place, stands);
                }
                Use::Variable(variable) => {
                    let (place, stands) = named(variable.as_str());
                    self.variable(variable, &place, stands);
                }
                Use::Code => {}
            }
        }
    }

    fn condition(&self, condition: &Condition) {
        match condition {
            Condition::Variable(variable, _, place) => {
                self.variable(variable, place, Stands::Alone);
            }
            Condition::Field(field, _, place) => self.field(field, place, Stands::Alone),
            Condition::Level(level, place) if !self.level_known(level) => {
                self.unknown_level(level, place);
            }
            Condition::Open(hours, place) if !self.flow.hours.contains_key(hours) => {
                self.problems.add_with("unknown-hours", place, || {
                    let known = self.flow.hours.keys().map(String::as_str);
                    let message = format!("there are no hours `{hours}`");
                    let finding = Finding::error("unknown-hours", message, place.clone());
                    let help = self.problems.did_you_mean(hours, known.clone());
                    let help = help.unwrap_or_else(|| {
                        format!("say when they are open under [hours.{hours}]: a `zone` and `open`")
                    });
                    self.problems.respelt(finding.help(help), hours, known, Spelling::Value)
                });
            }
            _ => {}
        }
    }

    /// A field is known if this flow discloses it, or a flow that calls this one does: disclosure
    /// belongs to the flow a call starts in.
    fn field(&self, field: &FieldName, place: &Place, stands: Stands) {
        if self.flow.disclose.contains_key(field) {
            return;
        }
        let asked = self.fields.borrow().get(field).copied();
        let disclosed =
            asked.unwrap_or_else(|| self.any_caller(|f| f.disclose.contains_key(field)));
        self.fields.borrow_mut().insert(field.clone(), disclosed);
        if disclosed || self.caller_lost() {
            return;
        }
        self.problems.add_with("undisclosed-field", place, || {
            let callers = self.callers();
            let all = || std::iter::once(self.flow).chain(callers.iter().copied());
            let known = || all().flat_map(|flow| flow.disclose.keys()).map(FieldName::as_str);
            let message = format!("nobody may hear `{field}`: it is not named in `disclose`");
            let help = self.problems.did_you_mean(field.as_str(), known()).unwrap_or_else(|| {
                // In a list of fields each is named alone.
                field.as_str().strip_prefix("account.").map_or_else(
                    || format!("say who may: [disclose] {field} = \"<level>\""),
                    |bare| format!("name the field alone: `{bare}`"),
                )
            });
            let finding = Finding::error("undisclosed-field", message, place.clone()).help(help);
            stands.respelt(self.problems, finding, field.as_str(), known())
        });
    }

    /// A variable is known if a state of the flow assigns it, or a caller passes it in.
    fn variable(&self, variable: &VariableName, place: &Place, stands: Stands) {
        self.variable_or(variable, place, stands, None);
    }

    /// The same; what is to be done where no name is like it.
    fn variable_or(
        &self,
        variable: &VariableName,
        place: &Place,
        stands: Stands,
        otherwise: Option<&str>,
    ) {
        let passed = self.known.passed.contains(&(&self.flow.name, variable));
        if passed || self.flow.variables.contains_key(variable) || self.caller_lost() {
            return;
        }
        self.problems.add_with("unknown-variable", place, || {
            let known = self.flow.variables.keys().map(VariableName::as_str);
            let message = format!("nothing ever sets `{variable}`");
            let help = if self.flow.disclose.contains_key(variable.as_str()) {
                Some(format!("a field of the account is written `account.{variable}`"))
            } else {
                let meant = self.problems.did_you_mean(variable.as_str(), known.clone());
                meant.or_else(|| otherwise.map(Into::into))
            };
            let finding = Finding::error("unknown-variable", message, place.clone());
            stands.respelt(self.problems, finding.maybe_help(help), variable.as_str(), known)
        });
    }

    fn call(&self, state: &State, call: &CallFlow) {
        let Some(called) = self.set.get(call.flow.as_str()) else {
            if !self.known.all_read {
                // It may be one whose file is reported already.
                return;
            }
            self.problems.add_with("unknown-flow", &call.flow_place, || {
                let known = self.set.iter().map(|flow| flow.name.as_str());
                let written = call.flow.as_str();
                let message = format!("there is no flow `{written}`");
                let otherwise = || match self.set.iter().find(|flow| is_called(&flow.file, written)) {
                    Some(other) => format!("the flow in `{}` is named `{}`", other.file, other.name),
                    None => format!(
                        "a flow that is called is a file of its own: write one with `name = \"{written}\"`, \
                         or check the one that there is together with this one"
                    ),
                };
                let help = self.problems.did_you_mean(written, known.clone());
                let help = help.unwrap_or_else(otherwise);
                let finding = Finding::error("unknown-flow", message, call.flow_place.clone());
                self.problems.respelt(finding.help(help), written, known, Spelling::Value)
            });
            return;
        };
        let used = self.known.used.get(&called.name);
        for passed in &call.with {
            let theirs = used.is_some_and(|used| used.contains(&passed.from));
            let turned = theirs && self.flow.variables.contains_key(&passed.to);
            let turned = turned.then(|| the_other_way_round("with", passed));
            let help = turned.as_deref().unwrap_or(SET_FIRST);
            self.variable_or(&passed.from, &passed.from_place, Stands::Alone, Some(help));
        }
        if self.known.broken.contains(&called.file) {
            // What it returns may have been lost.
            return;
        }
        for passed in &call.with {
            self.passed_in(called, passed);
        }
        for taken in &call.give {
            self.taken(called, taken);
        }
        let Some(outcomes) = self.known.outcomes.get(&called.name) else { return };
        let wrong: Vec<_> = state
            .routes
            .iter()
            .filter(|(outcome, _)| **outcome != Outcome::Denied && !outcomes.contains(outcome))
            .map(|(outcome, target)| {
                let known = outcomes.iter().map(Outcome::as_str);
                (outcome, target, self.problems.nearest(outcome.as_str(), known))
            })
            .collect();
        for outcome in outcomes {
            // What a misspelt outcome was meant to be is not missing too.
            let meant = wrong.iter().any(|(.., meant)| *meant == Some(outcome.as_str()));
            if !meant && !state.routes.contains_key(outcome) {
                let message =
                    format!("state `{}` does not say where `{outcome}` leads", state.name);
                self.problems.add(
                    Finding::error("unrouted-outcome", message, call.flow_place.clone()).help(
                        format!("flow `{}` returns it; add to `on`: {outcome} = \"…\"", call.flow),
                    ),
                );
            }
        }
        for (outcome, target, meant) in wrong {
            let message = format!("flow `{}` never returns `{outcome}`", call.flow);
            let words: Vec<_> = outcomes.iter().map(|outcome| format!("`{outcome}`")).collect();
            let help = match (meant, words.as_slice()) {
                (Some(meant), _) => format!("did you mean `{meant}`?"),
                (None, []) => format!("it returns nothing; {}", says(outcome)),
                (None, words) => format!("it returns {}; {}", listed(words), says(outcome)),
            };
            let place = self.route_place(outcome, target);
            let finding = Finding::error("unknown-outcome", message, place).help(help);
            let free = outcomes.iter().filter(|outcome| !state.routes.contains_key(*outcome));
            let free = free.map(Outcome::as_str);
            self.problems.add(finding.respelt(outcome.as_str(), free, Spelling::Key));
        }
    }

    /// What is passed into a flow under a name like one that it misses is meant to be that.
    fn passed_in(&self, called: &Flow, passed: &Passed) {
        let Some(used) = self.known.used.get(&called.name) else { return };
        if used.contains(&passed.to) {
            return;
        }
        let is_set = |name: &VariableName| {
            called.variables.contains_key(name) || self.known.passed.contains(&(&called.name, name))
        };
        let missed = used.iter().filter(|name| !is_set(name)).map(|name| name.as_str());
        let written = passed.to.as_str();
        let Some(meant) = self.problems.nearest(written, missed.clone()) else { return };
        self.problems.add_with("unknown-variable", &passed.place, || {
            let message = format!("nothing in flow `{}` uses `{written}`", called.name);
            let finding = Finding::error("unknown-variable", message, passed.place.clone());
            let finding = finding.help(format!("did you mean `{meant}`?"));
            self.problems.respelt(finding, written, missed, Spelling::Key)
        });
    }

    /// What is taken out of a called flow is a variable of that flow.
    fn taken(&self, called: &Flow, taken: &Passed) {
        let passed = self.known.passed.contains(&(&called.name, &taken.from));
        if passed || called.variables.contains_key(&taken.from) {
            return;
        }
        self.problems.add_with("unknown-variable", &taken.from_place, || {
            let known = called.variables.keys().map(VariableName::as_str);
            let written = taken.from.as_str();
            let message = format!("nothing in flow `{}` ever sets `{written}`", called.name);
            let mut used = self.flow.states.values().flat_map(State::variables_used);
            let turned =
                called.variables.contains_key(&taken.to) && used.any(|used| *used == taken.from);
            let turned = turned.then(|| the_other_way_round("give", taken));
            let help = self.problems.did_you_mean(written, known.clone()).or(turned);
            let finding = Finding::error("unknown-variable", message, taken.from_place.clone());
            self.problems.respelt(finding.maybe_help(help), written, known, Spelling::Value)
        });
    }

    /// Where the outcome of a route is written: before its target.
    fn route_place(&self, outcome: &Outcome, target: &Target) -> Place {
        let before = self.flow.text.get(..target.place.span.start).unwrap_or_default();
        let Some(start) = before.rfind(outcome.as_str()) else { return target.place.clone() };
        let span = start..start + outcome.as_str().len();
        Place { file: target.place.file.clone(), span }
    }

    /// The flows that call this one, directly or not, and this one: levels and disclosure are theirs.
    fn callers(&self) -> Vec<&'a Flow> {
        let mut callers = Vec::new();
        self.any_caller(|flow| {
            callers.push(flow);
            false
        });
        callers
    }

    /// Whether one of them is so.
    fn any_caller(&self, mut is: impl FnMut(&'a Flow) -> bool) -> bool {
        let mut seen = HashSet::new();
        let mut wanted = vec![&self.flow.name];
        while let Some(name) = wanted.pop() {
            for flow in self.known.callers.get(name).into_iter().flatten() {
                if seen.insert(&flow.name) {
                    if is(flow) {
                        return true;
                    }
                    wanted.push(&flow.name);
                }
            }
        }
        false
    }

    fn level_known(&self, level: &LevelName) -> bool {
        if self.flow.levels.contains_key(level) {
            return true;
        }
        let asked = self.levels.borrow().get(level).copied();
        let known = asked.unwrap_or_else(|| self.any_caller(|f| f.levels.contains_key(level)));
        self.levels.borrow_mut().insert(level.clone(), known);
        known
    }

    /// Whether a flow that calls this one may be among those that could not be read, and with it
    /// what this one gets from there.
    fn caller_lost(&self) -> bool {
        !self.known.all_read && !self.known.callers.contains_key(&self.flow.name)
    }

    fn unknown_level(&self, level: &LevelName, place: &Place) {
        if self.caller_lost() {
            return;
        }
        self.problems.add_with("unknown-level", place, || {
            let message = format!("there is no level `{level}`");
            if level.as_str() == ANYONE {
                let finding = Finding::error("unknown-level", message, place.clone());
                return finding.help(NOT_FOR_ANYONE);
            }
            let known = self.flow.levels.keys().map(LevelName::as_str);
            let help = self.problems.did_you_mean(level.as_str(), known.clone());
            let help = help.unwrap_or_else(|| {
                let facts = Fact::ALL.map(Fact::as_str).join(", ");
                format!("define it under [levels], over the facts {facts}")
            });
            let finding = Finding::error("unknown-level", message, place.clone()).help(help);
            self.problems.respelt(finding, level.as_str(), known, Spelling::Value)
        });
    }
}

/// The words that a flow's `return` states say.
pub(super) fn outcomes_of(flow: &Flow) -> Vec<Outcome> {
    let mut outcomes: Vec<_> = flow
        .states
        .values()
        .filter_map(|state| match &state.kind {
            Kind::Return(back) => back.outcome.as_ref().map(|(outcome, _)| outcome.clone()),
            _ => None,
        })
        .collect();
    outcomes.sort();
    outcomes.dedup();
    outcomes
}

/// Where a sub-flow would return an outcome.
fn says(outcome: &Outcome) -> String {
    format!("a `return` there would have to say outcome = \"{outcome}\"")
}

/// What is to be written where the variables of two flows stand in each other's places.
fn the_other_way_round(key: &str, passed: &Passed) -> String {
    format!("the other way round: {key} = {{ {} = \"{}\" }}", passed.from, passed.to)
}

/// Whether a flow's file is called like this.
fn is_called(file: &str, name: &str) -> bool {
    file.rsplit(['/', '\\']).next().and_then(|file| file.strip_suffix(".toml")) == Some(name)
}
