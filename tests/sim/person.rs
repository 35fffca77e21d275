//! Who holds a telephone: a customer, clumsy or not, or somebody who only says so.

use super::oracle::Who;
use super::town::Town;
use super::world::{WRONG_PIN, World};
use std::rc::Rc;
use tokio::time::Instant;

/// A person.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    pub(crate) who: Who,
    /// Whose account they say is theirs.
    pub(crate) account: usize,
    /// The key of the menu that they want.
    pub(crate) goal: u64,
    /// How often, in a thousand, they key something else or nothing.
    pub(crate) clumsy: u64,
    /// Whether they key as a machine does, at the same pace as others of their kind.
    pub(crate) in_step: bool,
}

impl Person {
    /// What they key after these words; `None`: nothing yet.
    pub(crate) fn answer(&self, town: &Rc<Town>, heard: &str, began: Instant) -> Option<String> {
        let world = &town.world;
        let dice = &world.dice;
        let of = &world.customers[self.account];
        if dice.falls(self.clumsy) {
            return match dice.below(5) {
                0 => Some("*".to_owned()),
                1 => Some(dice.digits(9)),
                2 => Some(self.guess(world)),
                3 => Some("#".to_owned()),
                _ => None,
            };
        }
        let attacker = self.who == Who::Attacker;
        if heard.contains("key in the code you were given") {
            let code = town.memory.borrow().get(&self.account).cloned();
            return if attacker { Some(self.guess(world)) } else { code };
        }
        if heard.contains("PIN") {
            return Some(if attacker { self.guess(world) } else { of.pin.clone() });
        }
        if heard.contains("six digit code") || heard.contains("newest message") {
            if attacker {
                return Some(self.guess(world));
            }
            return world.telco.newest_code(&of.phone, began);
        }
        if heard.contains("account number") || heard.contains("try once more") {
            return Some(of.id.clone());
        }
        if heard.contains("For your balance") {
            return Some(self.goal.to_string());
        }
        if heard.contains("hear the menu again") && dice.falls(300) {
            return Some("1".to_owned());
        }
        None
    }

    /// Six digits that are neither the PIN nor any code: so that whatever is proved by them is not.
    pub(crate) fn guess(&self, world: &World) -> String {
        let of = &world.customers[self.account];
        let sent = world.telco.messages();
        loop {
            let guess = match world.dice.below(3) {
                0 => WRONG_PIN.to_owned(),
                _ => world.dice.digits(6),
            };
            let right = guess == of.pin || sent.values().any(|message| message.code == guess);
            if !right {
                return guess;
            }
        }
    }
}
