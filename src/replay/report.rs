//! The result of a transcript, as plain data, and as lines for people.

use std::fmt::Write as _;

use super::beside;
use super::transcript::Turn;
use crate::diagnostic::{Place, Sources};
use crate::engine::call::End;
use crate::engine::turn::Hop;
use crate::exchange::Served;
use crate::flow::level::Fact;

/// The result of a transcript.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// What came back, turn by turn.
    pub turns: Vec<Came>,
    /// The differences from what was expected.
    pub differences: Vec<Difference>,
    /// The states that were passed through, and how each ended, in all calls of the transcript.
    pub hops: Vec<Hop>,
    /// For each of them, the levels that were met when the state was left, as if nothing grew old.
    pub met: Vec<Vec<String>>,
}

/// What came back in a turn.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Came {
    /// The state the call is in.
    pub state: String,
    /// The words heard, in order.
    pub says: Vec<String>,
    /// The documents.
    pub twiml: String,
    /// What was done outside.
    pub effects: Vec<String>,
    /// What is proved.
    pub facts: Vec<Fact>,
    /// The levels that are met.
    pub levels: Vec<String>,
    /// The language spoken.
    pub locale: String,
    /// How the call ended.
    pub end: Option<End>,
    /// What the request was to the call.
    pub served: Option<Served>,
    /// Why the turn could not happen at all.
    pub lapse: Option<String>,
}

/// A difference from what was expected.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// The turn, from 0; `None`: of the transcript as a whole.
    pub turn: Option<usize>,
    /// Where the expectation is written, or else the turn.
    pub place: Option<Place>,
    /// One sentence.
    pub message: String,
    /// The key of what was expected, if there was one: blessing may correct it.
    pub key: Option<&'static str>,
    /// What was to come.
    pub wanted: Vec<String>,
    /// What came.
    pub came: Vec<String>,
}

/// How a difference is laid out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Layout {
    /// The expected above the actual.
    #[default]
    Unified,
    /// Side by side, in so many columns.
    SideBySide(usize),
}

impl Difference {
    /// Something about the whole transcript.
    pub(super) fn of_whole(message: String) -> Self {
        Self { turn: None, place: None, message, key: None, wanted: Vec::new(), came: Vec::new() }
    }

    /// Something in a turn that no expectation allows.
    pub(super) fn of(turn: usize, written: &Turn, message: String) -> Self {
        let place = Some(written.place.clone());
        Self { turn: Some(turn), place, ..Self::of_whole(message) }
    }

    /// Something other than expected.
    pub(super) fn between(
        turn: usize,
        written: &Turn,
        key: &'static str,
        wanted: Vec<String>,
        came: Vec<String>,
    ) -> Self {
        let what = match (key, wanted.is_empty()) {
            ("says", _) => "other words are heard",
            ("state", _) => "the call is in another state",
            ("effects", true) => "something is done in the world that was not expected",
            ("effects", false) => "other things are done in the world",
            ("facts", _) => "other facts are proved",
            ("end", _) => "the call ends otherwise",
            ("locale", _) => "another language is spoken",
            ("answered", _) => "the request is answered otherwise",
            _ => "the document is another",
        };
        let message = format!("after `{}` {what}", written.words);
        let place = written.expected.place(key).unwrap_or(&written.place).clone();
        Self { turn: Some(turn), place: Some(place), message, key: Some(key), wanted, came }
    }

    /// The difference as lines: where and what, then the expected and the actual.
    pub fn lines(&self, file: &str, sources: &Sources, layout: Layout) -> String {
        let mut text = match &self.place {
            Some(place) => format!("{file}:{}: {}", sources.start(place).line, self.message),
            None => format!("{file}: {}", self.message),
        };
        if let Layout::SideBySide(width) = layout
            && !(self.wanted.is_empty() && self.came.is_empty())
        {
            for row in beside::rows(&self.wanted, &self.came, width) {
                let _ = write!(text, "\n{row}");
            }
            return text;
        }
        for (mark, line) in unified(&self.wanted, &self.came) {
            let _ = write!(text, "\n    {mark} {line}");
        }
        text
    }
}

/// Lines that both have, that only the first has, and that only the second has, in order.
fn unified<'a>(wanted: &'a [String], came: &'a [String]) -> Vec<(char, &'a str)> {
    let text = |lines: &'a [String], range: std::ops::Range<usize>| {
        lines.get(range).unwrap_or_default().iter().map(String::as_str)
    };
    let mut marked = Vec::new();
    for op in similar::capture_diff_slices(similar::Algorithm::Myers, wanted, came) {
        let (tag, old, new) = op.as_tag_tuple();
        if tag == similar::DiffTag::Equal {
            marked.extend(text(wanted, old).map(|line| (' ', line)));
            continue;
        }
        marked.extend(text(wanted, old).map(|line| ('-', line)));
        marked.extend(text(came, new).map(|line| ('+', line)));
    }
    marked
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(wanted: &[&str], came: &[&str]) -> String {
        let own = |lines: &[&str]| lines.iter().map(ToString::to_string).collect::<Vec<_>>();
        let (wanted, came) = (own(wanted), own(came));
        let marked = unified(&wanted, &came);
        marked.into_iter().fold(String::new(), |mut text, (mark, line)| {
            text.push(mark);
            text + line
        })
    }

    #[test]
    fn what_both_have_is_not_marked() {
        assert_eq!(shown(&["a", "b", "c"], &["a", "x", "c"]), " a-b+x c");
        assert_eq!(shown(&[], &["a"]), "+a");
        assert_eq!(shown(&["a"], &[]), "-a");
    }
}
