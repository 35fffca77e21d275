//! Whether a number on file may get a code, a link or a ring, by what its networks say of it now.
//!
//! A contact counts because the customer has held it for a while. A new SIM, another subscriber or forwarded
//! calls mean that somebody else may hold it, whatever the file says. Nothing said here proves anything: it can
//! only take a number out of use.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::account::{Line, Phone};
use super::policy::{Contact, LookUps};
use crate::phone::PhoneNumber;

/// What a number is to be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A text message.
    Message,
    /// A ring.
    Ring,
}

impl Purpose {
    /// The kinds of line that may be used for it.
    pub fn lines(self, policy: &Contact) -> &[Line] {
        match self {
            Self::Message => &policy.sms_line_types,
            Self::Ring => &policy.voice_line_types,
        }
    }
}

/// Why a number on file gets nothing, whatever its networks say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// Its kind of line is not named in the policy for this.
    Line,
    /// It has not been on file for long enough.
    TooNew,
    /// It is in a country that the policy does not allow.
    Abroad,
    /// Calls to it are charged to us, and somebody earns on them.
    CostsExtra,
}

/// Whether a number on file may be used at all, in calls to the line `called` (E.164).
pub fn on_file(
    phone: &Phone,
    purpose: Purpose,
    called: &str,
    policy: &Contact,
    now: Timestamp,
) -> Result<(), Unfit> {
    let country = phone.number.country();
    let allowed = match policy.countries.as_slice() {
        [] => {
            let home = PhoneNumber::parse(called).and_then(|line| line.country());
            country.is_some() && country == home
        }
        named => country.is_some_and(|country| named.contains(&country)),
    };
    match () {
        () if !purpose.lines(policy).contains(&phone.line) => Err(Unfit::Line),
        () if !is_old_enough(phone.since, policy, now) => Err(Unfit::TooNew),
        () if !allowed => Err(Unfit::Abroad),
        () if phone.number.costs_extra() => Err(Unfit::CostsExtra),
        () => Ok(()),
    }
}

/// Whether a contact has been on file since that day, for the days of the policy.
pub fn is_old_enough(since: Date, policy: &Contact, now: Timestamp) -> bool {
    let min_age = SignedDuration::from_hours(24 * i64::from(policy.min_age_days));
    let begin = since.to_zoned_datetime(TimeZone::UTC).map(|day| day.timestamp());
    begin.is_ok_and(|begin| now.duration_since(begin) >= min_age)
}

/// One thing that networks may report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Word<T> {
    /// It was not asked for.
    #[default]
    Unasked,
    /// It was asked for, and they do not say.
    Silent,
    /// They say so.
    Says(T),
}

/// What networks say of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Told {
    /// What kind of line it is; `None`: one that is never used, such as a pager or a premium number.
    pub line: Word<Option<Line>>,
    /// The last change of its SIM.
    pub swap: Word<Swap>,
    /// Whether it has a new subscriber since it was put on file.
    pub reassigned: Word<bool>,
    /// Whether calls to it are forwarded.
    pub forwarded: Word<bool>,
}

/// The last change of a SIM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Swap {
    /// At this time.
    At(Timestamp),
    /// Whether it happened within this time (zero: an unknown one): the network says no more.
    Within(SignedDuration, bool),
}

/// Whether a number may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fit {
    /// Nothing speaks against it.
    Fits,
    /// Its kind of line is not named in the policy for this.
    WrongLine,
    /// Its SIM was changed recently.
    SimSwapped,
    /// It has a new owner.
    Reassigned,
    /// Its calls are forwarded.
    Forwarded,
    /// The networks do not say enough to decide.
    Unknown,
}

impl Fit {
    /// All, by their names in transcripts and metrics.
    pub const ALL: [(&str, Self); 6] = [
        ("fits", Self::Fits),
        ("wrong_line", Self::WrongLine),
        ("sim_swapped", Self::SimSwapped),
        ("reassigned", Self::Reassigned),
        ("forwarded", Self::Forwarded),
        ("unknown", Self::Unknown),
    ];
}

/// The first of these that may be used; `None`: none may.
pub fn first_usable(fits: &[Fit], look_ups: LookUps) -> Option<usize> {
    let may = |fit: &Fit| match fit {
        Fit::Fits => true,
        Fit::Unknown => look_ups.unknown_may,
        Fit::WrongLine | Fit::SimSwapped | Fit::Reassigned | Fit::Forwarded => false,
    };
    fits.iter().position(may)
}

impl Told {
    /// Whether its SIM was changed within the policy's days.
    pub fn is_swapped(&self, policy: &Contact, now: Timestamp) -> bool {
        match self.swap {
            Word::Says(Swap::At(at)) => now.duration_since(at) < swap_days(policy),
            // Within a longer time, it may have happened before the policy's days: nobody can tell.
            Word::Says(Swap::Within(_, swapped)) => swapped,
            Word::Unasked | Word::Silent => false,
        }
    }

    /// Whether its network leaves open if its SIM was changed within the policy's days: that it was not within a
    /// shorter time says nothing about the rest.
    fn leaves_swap_open(&self, policy: &Contact) -> bool {
        match self.swap {
            Word::Says(Swap::Within(time, swapped)) => !swapped && time < swap_days(policy),
            Word::Silent => true,
            Word::Says(Swap::At(_)) | Word::Unasked => false,
        }
    }

    /// Whether a number may be used that is on file as a line of this kind.
    pub fn fit(&self, purpose: Purpose, on_file: Line, policy: &Contact, now: Timestamp) -> Fit {
        let lines = purpose.lines(policy);
        let line = match self.line {
            Word::Says(line) => line,
            Word::Unasked | Word::Silent => Some(on_file),
        };
        let Some(line) = line.filter(|line| lines.contains(line)) else { return Fit::WrongLine };
        if self.is_swapped(policy, now) {
            return Fit::SimSwapped;
        }
        if self.reassigned == Word::Says(true) {
            return Fit::Reassigned;
        }
        if purpose == Purpose::Ring && self.forwarded == Word::Says(true) {
            return Fit::Forwarded;
        }
        // Only of mobiles are SIMs and forwarding reported.
        let mobile = line == Line::Mobile;
        let silent = self.line == Word::Silent
            || self.reassigned == Word::Silent
            || (mobile && self.leaves_swap_open(policy))
            || (mobile && purpose == Purpose::Ring && self.forwarded == Word::Silent);
        if silent { Fit::Unknown } else { Fit::Fits }
    }
}

/// How long a SIM must have been in use.
fn swap_days(policy: &Contact) -> SignedDuration {
    SignedDuration::from_hours(24 * i64::from(policy.sim_swap_days))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_000_000_000;

    fn at(days_ago: i64) -> Word<Swap> {
        let second = NOW - days_ago * 24 * 3_600;
        Word::Says(Swap::At(Timestamp::from_second(second).unwrap()))
    }

    fn fit(purpose: Purpose, on_file: Line, told: Told) -> Fit {
        told.fit(purpose, on_file, &Contact::default(), Timestamp::from_second(NOW).unwrap())
    }

    #[test]
    fn each_line_gets_what_the_policy_names_for_it() {
        for (line, message, ring) in [
            (Some(Line::Mobile), Fit::Fits, Fit::Fits),
            (Some(Line::Landline), Fit::WrongLine, Fit::Fits),
            (Some(Line::FixedVoip), Fit::WrongLine, Fit::Fits),
            (Some(Line::Voip), Fit::WrongLine, Fit::WrongLine),
            (None, Fit::WrongLine, Fit::WrongLine),
        ] {
            let told = Told { line: Word::Says(line), ..Told::default() };
            assert_eq!(fit(Purpose::Message, Line::Mobile, told), message, "{line:?}");
            assert_eq!(fit(Purpose::Ring, Line::Mobile, told), ring, "{line:?}");
        }
    }

    #[test]
    fn a_sim_counts_once_it_has_been_there_for_the_days_of_the_policy() {
        let with = |swap| fit(Purpose::Message, Line::Mobile, Told { swap, ..Told::default() });
        assert_eq!(with(at(0)), Fit::SimSwapped);
        assert_eq!(with(at(6)), Fit::SimSwapped);
        assert_eq!(with(at(7)), Fit::Fits);
        assert_eq!(with(at(-1)), Fit::SimSwapped, "their clock is ahead of ours");
    }

    #[test]
    fn a_swap_that_was_not_within_a_shorter_time_may_have_been_before_it() {
        let with = |hours, swapped| {
            let swap = Word::Says(Swap::Within(SignedDuration::from_hours(hours), swapped));
            fit(Purpose::Message, Line::Mobile, Told { swap, ..Told::default() })
        };
        for hours in [0, 24, 48, 7 * 24 - 1] {
            assert_eq!(with(hours, false), Fit::Unknown, "{hours}");
            assert_eq!(with(hours, true), Fit::SimSwapped, "{hours}");
        }
        for hours in [7 * 24, 15_282] {
            assert_eq!(with(hours, false), Fit::Fits, "{hours}");
            assert_eq!(with(hours, true), Fit::SimSwapped, "{hours}");
        }
    }

    #[test]
    fn a_forwarding_matters_to_rings_and_another_subscriber_to_both() {
        let forwarded = Told { forwarded: Word::Says(true), ..Told::default() };
        assert_eq!(fit(Purpose::Message, Line::Mobile, forwarded), Fit::Fits);
        assert_eq!(fit(Purpose::Ring, Line::Mobile, forwarded), Fit::Forwarded);
        let reassigned = Told { reassigned: Word::Says(true), ..Told::default() };
        for purpose in [Purpose::Message, Purpose::Ring] {
            assert_eq!(fit(purpose, Line::Mobile, reassigned), Fit::Reassigned);
        }
    }

    #[test]
    fn silence_is_no_word_for_a_number() {
        let silent = [
            Told { line: Word::Silent, ..Told::default() },
            Told { swap: Word::Silent, ..Told::default() },
            Told { reassigned: Word::Silent, ..Told::default() },
            Told { forwarded: Word::Silent, ..Told::default() },
        ];
        for told in silent {
            assert_eq!(fit(Purpose::Ring, Line::Mobile, told), Fit::Unknown, "{told:?}");
        }
        // A landline has no SIM, and nobody reports its forwarding.
        let wire = Told { swap: Word::Silent, forwarded: Word::Silent, ..Told::default() };
        assert_eq!(fit(Purpose::Ring, Line::Landline, wire), Fit::Fits);
        let mobile = Told { line: Word::Says(Some(Line::Mobile)), ..wire };
        assert_eq!(fit(Purpose::Ring, Line::Landline, mobile), Fit::Unknown);
        assert_eq!(fit(Purpose::Message, Line::Mobile, Told::default()), Fit::Fits);
    }

    #[test]
    fn a_word_against_it_outweighs_silence() {
        let told = Told { line: Word::Silent, swap: at(1), ..Told::default() };
        assert_eq!(fit(Purpose::Message, Line::Mobile, told), Fit::SimSwapped);
    }
}
