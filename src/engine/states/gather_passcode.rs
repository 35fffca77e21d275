//! `gather_passcode`: the caller's verbal passcode.

use super::super::event::Heard;
use super::super::listen::{Expect, Given, are_digits};
use super::super::machine::{Asks, Machine, Next};
use super::super::question::Against;
use super::super::reply::Input;
use super::super::spoken;
use super::secret::{self, Asked, Taken};
use crate::flow::level::Fact;
use crate::flow::states::gather_passcode::GatherPasscode;
use crate::limits;

/// Anything shorter is a cough, and no passcode.
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
    let fits = match passcode.digits {
        None => (CHARS_MIN..=limits::PASSCODE_CHARS_MAX).contains(&entry.chars().count()),
        length => are_digits(&entry, length),
    };
    if fits { Taken::Entry(entry) } else { Taken::Unusable }
}

fn expect(passcode: &GatherPasscode) -> Expect {
    Expect { input: Input::DtmfSpeech, ..Expect::keys(passcode.digits, true) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::state::Kind;

    #[test]
    fn a_word_as_long_as_the_digits_is_no_entry() {
        let flow = |digits: &str| {
            format!(
                "name = \"f\"\nstart = \"a\"\n[states.a]\ntype = \"gather_passcode\"\n{digits}prompt = \"?\"\n\
                 on = {{ ok = \"b\", failed = \"b\", locked = \"b\" }}\n[states.b]\ntype = \"hangup\"\n"
            )
        };
        for (digits, said, is_entry) in [
            ("digits = 6\n", "please", false),
            ("digits = 6\n", "730495", true),
            ("digits = 6\n", "73049", false),
            ("", "please", true),
            ("", "uh", false),
        ] {
            let (flow, _) = crate::flow::read_one("f", &flow(digits));
            let Kind::GatherPasscode(passcode) = &flow.unwrap().states["a"].kind else { panic!() };
            let taken = entry(passcode, said.into());
            assert_eq!(matches!(taken, Taken::Entry(_)), is_entry, "{digits}{said}: {taken:?}");
        }
    }
}
