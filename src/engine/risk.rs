//! The risk of a call, computed from what is known when it begins.
//!
//! Each sign only ever adds to it. If a network's signature vouches for less than the caller's right to the
//! number, that is worse than no signature (such calls were robocalls several times as often as unsigned ones);
//! and the best signature is no better than none, because it does not say who holds the telephone. The band is
//! taken when the call rings and holds for the whole call, so that its demands do not change on the way; it
//! proves nothing, and no fact comes from it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::flow::condition::Attestation;
use crate::flow::risk::Risk;
use crate::phone::PhoneNumber;

/// Who calls, as far as the network says: none of it proves anything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caller {
    /// The number shown.
    pub number: Option<PhoneNumber>,
    /// What the network says of it.
    pub attestation: Attestation,
    /// Whether the call was forwarded.
    pub forwarded: bool,
}

/// Something that was counted or looked up about a call before it began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Signal {
    /// The caller's number has recently claimed many accounts.
    ManyAccounts,
    /// The caller's number has recently called many times.
    ManyCalls,
    /// The SIM of the caller's number was changed recently.
    SimSwapped,
    /// The caller's number has a new owner.
    Reassigned,
    /// Nothing could be looked up.
    LookUpFailed,
}

/// The signals by their names in a transcript.
pub const SIGNALS: [(&str, Signal); 5] = [
    ("many_accounts", Signal::ManyAccounts),
    ("many_calls", Signal::ManyCalls),
    ("sim_swapped", Signal::SimSwapped),
    ("reassigned", Signal::Reassigned),
    ("look_up_failed", Signal::LookUpFailed),
];

/// Points from which the band is medium.
const MEDIUM: u32 = 1;
/// Points from which the band is high.
const HIGH: u32 = 3;

/// The band of a call.
pub fn band(caller: &Caller, signals: &BTreeSet<Signal>) -> Risk {
    let withheld = if caller.number.is_none() { 2 } else { 0 };
    let forwarded = u32::from(caller.forwarded);
    let points = signals.iter().map(|signal| of_signal(*signal)).sum::<u32>();
    match of_attestation(caller.attestation) + withheld + forwarded + points {
        HIGH.. => Risk::High,
        MEDIUM.. => Risk::Medium,
        _ => Risk::Low,
    }
}

fn of_attestation(attestation: Attestation) -> u32 {
    match attestation {
        Attestation::A | Attestation::None => 0,
        Attestation::B | Attestation::C | Attestation::Relayed => 2,
        Attestation::Failed => 3,
    }
}

fn of_signal(signal: Signal) -> u32 {
    match signal {
        Signal::ManyAccounts | Signal::SimSwapped => 3,
        Signal::Reassigned | Signal::LookUpFailed => 2,
        Signal::ManyCalls => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::phone::PhoneNumber;

    fn of(attestation: Attestation, shown: bool, forwarded: bool, signals: &[Signal]) -> Risk {
        let number = shown.then(|| PhoneNumber::parse("+15005550010").unwrap());
        let caller = Caller { number, attestation, forwarded };
        band(&caller, &signals.iter().copied().collect())
    }

    #[test]
    fn a_lesser_signature_is_worse_than_none() {
        assert_eq!(of(Attestation::None, true, false, &[]), Risk::Low);
        assert_eq!(of(Attestation::A, true, false, &[]), Risk::Low);
        for lesser in [Attestation::B, Attestation::C, Attestation::Relayed] {
            assert_eq!(of(lesser, true, false, &[]), Risk::Medium);
            assert_eq!(of(lesser, true, true, &[]), Risk::High);
        }
        assert_eq!(of(Attestation::Failed, true, false, &[]), Risk::High);
        assert_eq!(of(Attestation::None, false, false, &[]), Risk::Medium);
        assert_eq!(of(Attestation::A, true, true, &[]), Risk::Medium);
        assert_eq!(of(Attestation::None, false, true, &[]), Risk::High, "withheld and forwarded");
    }

    #[test]
    fn no_sign_ever_lowers_it() {
        let attestations = [
            Attestation::A,
            Attestation::B,
            Attestation::C,
            Attestation::Failed,
            Attestation::Relayed,
        ];
        for attestation in attestations {
            for shown in [true, false] {
                let plain = of(attestation, shown, false, &[]);
                assert!(plain >= of(Attestation::None, shown, false, &[]));
                assert!(of(attestation, false, false, &[]) >= plain);
                assert!(of(attestation, shown, true, &[]) >= plain);
                for (_, signal) in SIGNALS {
                    assert!(of(attestation, shown, false, &[signal]) >= plain);
                }
            }
        }
    }
}
