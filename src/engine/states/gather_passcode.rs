//! `gather_passcode`: the caller's verbal passcode.

use super::super::event::Heard;
use super::super::listen::{Expect, Given, has_length};
use super::super::machine::{Asks, Machine, Next};
use super::super::question::Against;
use super::super::reply::Input;
use super::super::spoken;
use super::secret::{self, Asked, Taken};
use crate::flow::level::Fact;
use crate::flow::states::gather_passcode::GatherPasscode;
use crate::limits;

/// Less than this is no passcode, but a cough.
const CHARS_MIN: usize = 4;

pub(super) fn enter(m: &mut Machine<'_>, passcode: &GatherPasscode) -> Asks<Next> {
    m.listen(&passcode.listen, &expect(passcode))
}

pub(super) fn resume(m: &mut Machine<'_>, passcode: &GatherPasscode, heard: &Heard) -> Asks<Next> {
    let taken = match Given::of(heard) {
        Given::Silence => Taken::Silence,
        Given::Star => Taken::Star,
        Given::Keys(keys) => entry(passcode, keys),
        Given::Said(said) => {
            entry(passcode, spoken::passcode(&said, passcode.digits, &m.call.locale))
        }
    };
    let asked = Asked {
        listen: &passcode.listen,
        expect: expect(passcode),
        factor: Fact::Passcode,
        against: Against::Passcode,
        combined: passcode.combined,
    };
    secret::take(m, taken, asked)
}

fn entry(passcode: &GatherPasscode, entry: String) -> Taken {
    let count = entry.chars().count();
    let fits = match passcode.digits {
        None => (CHARS_MIN..=limits::PASSCODE_CHARS_MAX).contains(&count),
        length => has_length(count, length),
    };
    if fits { Taken::Entry(entry) } else { Taken::Unusable }
}

fn expect(passcode: &GatherPasscode) -> Expect {
    Expect { input: Input::DtmfSpeech, ..Expect::keys(passcode.digits, true) }
}
