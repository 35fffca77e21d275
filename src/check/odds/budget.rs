//! What `[budget]` holds, and what is over it.

use std::fmt;

use super::{Chances, ChancesBy, Pins, Terms, Walks, chances_of, words};
use crate::diagnostic::Place;
use crate::flow::FlowSet;
use crate::flow::budget::Budget;
use crate::flow::name::{LevelName, StateName};

/// What guessing may open.
#[derive(Clone, Debug)]
pub(super) struct Opened {
    pub(super) state: StateName,
    /// A specialist there may ask for this level, and is told that it is met.
    pub(super) vouched: Option<LevelName>,
    pub(super) place: Place,
    /// Where a branch leads there only those who have proved something, if that alone asks for it.
    pub(super) led: Option<Place>,
}

/// Something that guessing opens more easily than is allowed.
#[derive(Clone, Debug)]
pub struct Over {
    opened: Opened,
    chance: f64,
    allowed: f64,
    when: &'static str,
    /// What asks for the proof.
    pub place: Place,
    /// Where a branch asks for it.
    pub led: Option<Place>,
    /// The bound.
    pub budget: Place,
}

impl fmt::Display for Over {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Opened { state, vouched, .. } = &self.opened;
        match vouched {
            None => write!(f, "guessing opens `{state}`")?,
            Some(level) => {
                write!(f, "guessing passes for `{level}` with a specialist at `{state}`")?;
            }
        }
        let (chance, allowed) = (words::chance(self.chance), words::chance(self.allowed));
        write!(f, " {} with a chance of {chance}, and the budget is {allowed}", self.when)
    }
}

/// What is over the budget of the flow in which these calls begin.
pub(in crate::check) fn over(flows: &FlowSet, walks: &Walks<'_>, terms: &Terms) -> Vec<Over> {
    let Some(budget) = &walks.start.budget else { return Vec::new() };
    let mut all: Vec<Over> = Vec::new();
    for (opened, chances) in chances_of(flows, walks, terms) {
        // Of a transfer that shares fields of several levels, one that is over will do.
        if all.last().is_none_or(|last| last.place != opened.place) {
            all.extend(held(&opened, &chances, budget));
        }
    }
    all
}

fn held(opened: &Opened, chances: &ChancesBy, budget: &Budget) -> Vec<Over> {
    let own = |(pins, _): &&(Option<Pins>, _)| pins.is_none_or(|pins| pins == budget.pins);
    let Some((_, Chances { call, day, year, .. })) = chances.iter().find(own) else {
        return Vec::new();
    };
    let spans = [
        (*call, &budget.per_call, "in a call"),
        (*day, &budget.per_day, "in a day"),
        (*year, &budget.per_year, "in a year"),
    ];
    let over = spans.into_iter().filter_map(|(chance, allowed, when)| {
        let (allowed, budget) = allowed.clone().filter(|(allowed, _)| chance > *allowed)?;
        let (place, led) = (opened.place.clone(), opened.led.clone());
        Some(Over { opened: opened.clone(), chance, allowed, when, place, led, budget })
    });
    over.collect()
}
