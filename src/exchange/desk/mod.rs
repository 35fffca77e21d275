//! What people ask for: an agent who is given a caller sees what is proved and may ask for more; an operator
//! lifts locks and tries dead letters again.

pub mod agent;
pub mod dead;
mod step_up;
pub mod unlock;
