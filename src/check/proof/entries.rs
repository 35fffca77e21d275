//! Sub-flows as they are entered: each is walked once for all that may be known then, whoever calls it,
//! and what comes out of it is led back to every caller. So calls inside each other cost what they are,
//! and not what they multiply to, and a flow that calls itself is walked until nothing new is known.

use std::collections::HashMap;

use super::known::Known;
use crate::flow::outcome::Outcome;

/// A sub-flow with what was known when it was entered, by number.
pub(super) type Entry = usize;

/// A way out of a sub-flow.
#[derive(Clone, Copy, Debug)]
pub(super) struct Exit<'f> {
    /// The arrival at its `return`.
    pub(super) arrival: usize,
    /// What the `return` says.
    pub(super) outcome: Option<&'f Outcome>,
    /// What is known there.
    pub(super) known: Known,
}

#[derive(Debug)]
struct Entered<'f> {
    /// The arrivals before its first state, on the first way there.
    begins: usize,
    /// The arrivals at the states that call it.
    callers: Vec<usize>,
    exits: Vec<Exit<'f>>,
}

/// All that were entered so far.
#[derive(Debug, Default)]
pub(super) struct Entries<'f> {
    /// By the number of the state where the sub-flow begins.
    numbers: HashMap<(usize, Known), Entry>,
    entered: Vec<Entered<'f>>,
}

impl<'f> Entries<'f> {
    /// Somebody calls a sub-flow: its number, and whether nobody has entered it like this before.
    pub(super) fn enter(
        &mut self,
        start: usize,
        known: Known,
        (caller, begins): (usize, usize),
    ) -> (Entry, bool) {
        let next = self.entered.len();
        let number = *self.numbers.entry((start, known)).or_insert(next);
        if number == next {
            self.entered.push(Entered { begins, callers: Vec::new(), exits: Vec::new() });
        }
        if let Some(entered) = self.entered.get_mut(number) {
            entered.callers.push(caller);
        }
        (number, number == next)
    }

    /// The arrivals before its first state, on the first way there.
    pub(super) fn begins(&self, entry: Entry) -> usize {
        self.entered.get(entry).map_or(0, |entered| entered.begins)
    }

    /// The ways out that are known.
    pub(super) fn exits(&self, entry: Entry) -> Vec<Exit<'f>> {
        self.entered.get(entry).map(|entered| entered.exits.clone()).unwrap_or_default()
    }

    /// A way out is found: who has called.
    pub(super) fn leave(&mut self, entry: Entry, exit: Exit<'f>) -> Vec<usize> {
        let Some(entered) = self.entered.get_mut(entry) else { return Vec::new() };
        entered.exits.push(exit);
        entered.callers.clone()
    }
}
