//! What people ask for: an agent who is handed a caller sees what is proved and may ask for more; an operator
//! lifts locks and does dead letters after all.

pub mod agent;
pub mod dead;
mod step_up;
pub mod unlock;
