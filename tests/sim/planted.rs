//! Faults planted on purpose: a simulation that does not find them finds nothing.

use super::run::{Outcome, run};

/// A fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plant {
    /// The store takes a turn whatever the call has become since.
    CommitsOverAnything,
    /// The store takes a ledger of attempts whatever it has become since.
    CountsOverAnything,
    /// The store gives what is due to everybody who asks.
    LeasesNothing,
    /// The store does not say that something was tried before.
    CountsNoTries,
    /// The store takes a turn without all of its effects.
    LosesEffects,
    /// The store lets go of what is due as soon as somebody has claimed it.
    SettlesWhenClaimed,
    /// The provider is asked for a call that may have been placed, and the answer is not listened to.
    RingsWithoutAsking,
    /// The provider is not asked for a message that may have been sent.
    SendsWithoutAsking,
    /// The provider is asked more than once whether an entry is its code.
    ChecksTwice,
    /// What networks say of a number is not listened to.
    LooksUpNothing,
    /// The directory takes another PIN for the customer's.
    TakesAnotherPin,
    /// A server answers with nothing to hear.
    SaysNothing,
    /// A server answers the same request otherwise the second time.
    AnswersAnew,
}

/// Seeds in which each fault must show; the first that shows it ends the search.
const SEEDS: u64 = 128;

#[test]
fn the_simulation_finds_planted_faults() {
    let faults: [(Plant, &[&str]); 11] = [
        (Plant::CommitsOverAnything, &["over another history"]),
        // A ledger counts attempts, and messages and rings, and says who is at it.
        (Plant::CountsOverAnything, &["attempts", "messages or rings", "is at it"]),
        (Plant::LeasesNothing, &["in hand at once"]),
        (Plant::LosesEffects, &["was lost"]),
        (Plant::SettlesWhenClaimed, &["was lost"]),
        (Plant::SendsWithoutAsking, &["was sent again"]),
        (Plant::ChecksTwice, &["was asked about"]),
        (Plant::LooksUpNothing, &["may be somebody else's"]),
        (Plant::TakesAnotherPin, &["is one"]),
        (Plant::SaysNothing, &["hears nothing"]),
        (Plant::AnswersAnew, &["otherwise the second time"]),
    ];
    for (plant, words) in faults {
        let found = (0..SEEDS).find_map(|seed| {
            let Outcome { violations, .. } = run(seed, Some(plant));
            violations.into_iter().next().map(|first| (seed, first))
        });
        let (seed, first) = found.unwrap_or_else(|| panic!("{plant:?} was not found"));
        println!("{plant:?}: seed {seed}: {first}");
        let meant = words.iter().any(|words| first.contains(words));
        assert!(meant, "{plant:?} was found, but as something else: {first}");
    }
}
