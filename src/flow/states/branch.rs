//! Goes one way or another, by conditions in order: the first that holds.
//!
//! `cases` is a list of `{ when = {…}, next = "…" }`; `otherwise` is where the rest goes. A condition
//! asks about a variable (`var`), an account field (`field`, allowed only at its level), a `fact`, a
//! `level`, the network's `attestation` of the caller's number, the call's `risk`, opening hours (`open`) or the `time`,
//! or joins conditions with `all`, `any` and `not`.

use super::read_target;
use super::{Key, Outcome, Shape, StateReader, StateType};
use crate::document::Item;
use crate::flow::condition::{self, Condition};
use crate::flow::state::{Kind, Target};

/// A state that chooses.
#[derive(Debug)]
pub struct Branch {
    /// In order.
    pub cases: Vec<Case>,
}

/// One way, and when it is taken.
#[derive(Debug)]
pub struct Case {
    /// When.
    pub when: Condition,
    /// Where it leads.
    pub next: Target,
}

/// `branch`
pub const TYPE: StateType = StateType {
    name: "branch",
    source: include_str!("branch.rs"),
    outcomes: &[Outcome::Otherwise],
    keys: &[
        Key::required("cases", Shape::Cases, "The ways, in order."),
        Key::required("otherwise", Shape::State, "Where the rest goes."),
    ],
    read: |state| Some(Kind::Branch(read(state)?)),
};

fn read(state: &StateReader<'_, '_>) -> Option<Branch> {
    let cases = state.required("cases")?;
    let items = cases.list()?;
    if items.is_empty() {
        cases.refuse("empty-value", "`cases` is empty");
    }
    Some(Branch { cases: items.iter().filter_map(read_case).collect() })
}

fn read_case(item: &Item<'_>) -> Option<Case> {
    let table = item.table("this case")?;
    let when = table.required("when").and_then(|when| condition::read(&when));
    let next = table.required("next").and_then(|next| read_target(&next));
    table.finish();
    Some(Case { when: when?, next: next? })
}
