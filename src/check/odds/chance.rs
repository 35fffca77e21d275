//! What a number of guesses is worth: against codes drawn at random, and against PINs as people choose
//! them.
//!
//! A guesser who knows how often each PIN is chosen tries the most frequent first, so `g` guesses are
//! worth the sum of the `g` largest shares. For random secrets that is `g / 10^digits`; for chosen ones
//! it is measured: 1,780,587 runs of four digits in the `RockYou` passwords, and the same without those
//! that a blocklist forbids, whose choosers are spread over the rest in proportion (blocklists after
//! Markert, Bailey, Golla, Dürmuth and Aviv, "This PIN Can Be Easily Guessed", IEEE S&P 2020).

use crate::flow::budget::Pins;

impl Pins {
    /// What this many guesses find, in percent, as measured. Each curve ends where all are found.
    fn measured(self) -> &'static [(f64, f64)] {
        match self {
            Self::Random => &[],
            Self::Chosen => &[
                (0.0, 0.0),
                (1.0, 3.72),
                (3.0, 8.04),
                (5.0, 11.11),
                (10.0, 16.63),
                (30.0, 29.66),
                (100.0, 40.12),
                (260.0, 49.0),
                (1_825.0, 75.0),
                (10_000.0, 100.0),
            ],
            Self::Chosen274 => &[
                (0.0, 0.0),
                (1.0, 0.34),
                (3.0, 0.84),
                (5.0, 1.29),
                (10.0, 2.29),
                (30.0, 5.60),
                (100.0, 13.64),
                (260.0, 23.5),
                (1_825.0, 61.0),
                (9_726.0, 100.0),
            ],
            Self::Chosen1000 => &[
                (0.0, 0.0),
                (1.0, 0.045),
                (3.0, 0.135),
                (5.0, 0.225),
                (10.0, 0.449),
                (30.0, 1.33),
                (100.0, 4.24),
                (1_825.0, 42.0),
                (9_000.0, 100.0),
            ],
        }
    }

    /// The chance that one of the first `guesses` is right.
    ///
    /// Chosen PINs of six digits are held to be no better than those of four: against the few guesses
    /// that a limit allows they are not (Markert et al. 2020, section 5).
    pub fn chance(self, guesses: u32, digits: u32) -> f64 {
        match self {
            Self::Random => uniform(guesses, digits),
            _ => above(self.measured(), f64::from(guesses)) / 100.0,
        }
    }
}

/// The chance that one of so many different guesses hits a secret of this many random digits.
pub(super) fn uniform(guesses: u32, digits: u32) -> f64 {
    (f64::from(guesses) / space(digits)).min(1.0)
}

/// The chance of so many guesses against codes that are drawn anew after `checks` each:
/// `1 - (1 - checks / 10^digits)^codes`.
pub(super) fn code(guesses: u32, checks: u32, digits: u32) -> f64 {
    let checks = f64::from(checks.max(1));
    let codes = f64::from(guesses) / checks;
    // Exact where the chance is far below what a float resolves near 1.
    -(codes * (-(checks / space(digits)).min(1.0)).ln_1p()).exp_m1()
}

/// The chance that at least one of `accounts` is opened, each with chance `each`.
pub(super) fn any(each: f64, accounts: f64) -> f64 {
    -(accounts * (-each.min(1.0)).ln_1p()).exp_m1()
}

fn space(digits: u32) -> f64 {
    10_f64.powi(i32::try_from(digits).unwrap_or(i32::MAX))
}

/// A bound from above of a concave curve of which these points are known: between two of them it lies
/// below the lines through the two before and through the two after.
fn above(points: &[(f64, f64)], x: f64) -> f64 {
    let after = points.partition_point(|(at, _)| *at < x);
    let point = |index: usize| points.get(index).copied();
    let Some(next) = point(after) else { return 100.0 };
    if next.0 <= x {
        return next.1;
    }
    let line = |a: (f64, f64), b: (f64, f64)| a.1 + (b.1 - a.1) * (x - a.0) / (b.0 - a.0);
    let before = after.checked_sub(2).and_then(point).zip(after.checked_sub(1).and_then(point));
    let behind = point(after + 1).map(|further| line(next, further));
    let lines = [before.map(|(a, b)| line(a, b)), behind];
    lines.into_iter().flatten().fold(next.1, f64::min)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: f64, wanted: f64) {
        assert!((found - wanted).abs() <= wanted.abs() * 0.005, "{found} is not {wanted}");
    }

    #[test]
    fn codes_are_worth_what_the_standard_says() {
        close(code(3, 3, 6), 3.0e-6);
        close(code(5, 5, 6), 5.0e-6);
        close(code(25, 5, 6), 2.5e-5);
        close(code(100, 5, 6), 1.0e-4);
        close(code(100, 100, 6), 1.0e-4);
        close(code(25, 5, 4), 2.5e-3);
        close(code(25, 5, 8), 2.5e-7);
    }

    #[test]
    fn guesses_spread_over_accounts_open_some() {
        for (pins, digits, thousand, ten_thousand) in [
            (Pins::Random, 6, 0.001, 0.05),
            (Pins::Chosen, 4, 37.2, 1_111.0),
            (Pins::Chosen274, 4, 3.4, 129.0),
            (Pins::Chosen1000, 4, 0.45, 22.5),
        ] {
            close(1_000.0 * pins.chance(1, digits), thousand);
            close(10_000.0 * pins.chance(5, digits), ten_thousand);
        }
        close(any(0.000_003, 1.0), 0.000_003);
    }

    /// A code that were right for whichever account has it would be found soon; callgate holds each
    /// against the account that is claimed.
    #[test]
    fn a_code_is_found_sooner_where_it_would_open_any_account() {
        for (active, digits, guesses, wanted) in [
            (1_000.0, 6, 3.0, 0.003_0),
            (10_000.0, 6, 3.0, 0.029_7),
            (10_000.0, 6, 100.0, 0.634),
            (10_000.0, 8, 100.0, 0.01),
            (10_000.0, 10, 100.0, 0.000_1),
        ] {
            close(any(active / space(digits), guesses), wanted);
        }
        close(uniform(3, 6), 0.000_003);
    }

    #[test]
    fn what_lies_between_measurements_is_never_understated() {
        for pins in [Pins::Chosen, Pins::Chosen274, Pins::Chosen1000] {
            let mut last = 0.0;
            for guesses in 1..12_000 {
                let now = pins.chance(guesses, 4);
                assert!(now + 1e-12 >= last && now <= 1.0, "{pins:?} {guesses}: {now} < {last}");
                last = now;
            }
            close(last, 1.0);
            let straight = f64::midpoint(pins.chance(3, 4), pins.chance(1, 4));
            assert!(pins.chance(2, 4) >= straight - 1e-12);
        }
    }
}
