//! `gather_passcode`: the caller's verbal passcode.

use super::super::event::Heard;
use super::super::listen::{Expect, Given};
use super::super::machine::{Asks, Machine, Next};
use super::super::question::Against;
use super::super::reply::Input;
use super::super::spoken;
use super::secret::{self, Taken};
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
        Given::Keys(keys) => Taken::Entry(keys),
        Given::Said(said) => Taken::Entry(spoken::passcode(&said, passcode.digits, &m.call.locale)),
    };
    let fits = |entry: &str| {
        let length = passcode.digits.and_then(|digits| usize::try_from(digits).ok());
        let count = entry.chars().count();
        length.map_or((CHARS_MIN..=limits::PASSCODE_CHARS_MAX).contains(&count), |l| l == count)
    };
    let expect = expect(passcode);
    let what = (Fact::Passcode, Against::Passcode);
    secret::take(m, &passcode.listen, &expect, taken, fits, what, passcode.combined)
}

fn expect(passcode: &GatherPasscode) -> Expect {
    Expect { input: Input::DtmfSpeech, ..Expect::keys(passcode.digits, true) }
}
