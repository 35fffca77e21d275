//! Findings that are alike: of one code in one file. So many of them are told as anybody mends in a go; of
//! the others it is told how many there are, and neither time nor memory is spent on their words.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use super::{Finding, Place, Severity};
use crate::limits;

/// How much is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Telling {
    /// Of what is alike as much as anybody reads.
    #[default]
    Enough,
    /// Everything.
    Everything,
}

/// What was found so far.
#[derive(Debug, Default)]
pub(crate) struct Alike {
    telling: Telling,
    found: BTreeMap<(&'static str, Arc<str>), Found>,
    /// How many are told of each code in all files.
    of_code: BTreeMap<&'static str, usize>,
}

/// What was found of one code in one file.
#[derive(Debug)]
struct Found {
    severity: Severity,
    told: usize,
    /// Where those are that are told.
    places: BTreeSet<(usize, usize)>,
    /// Where there are more.
    others: BTreeSet<(usize, usize)>,
}

impl Alike {
    pub(crate) fn new(telling: Telling) -> Self {
        Self { telling, ..Self::default() }
    }

    /// Whether one more is told; if not, it is counted. The first of a file always is.
    pub(crate) fn takes(&mut self, code: &'static str, severity: Severity, place: &Place) -> bool {
        if self.telling == Telling::Everything {
            return true;
        }
        let (places, others) = (BTreeSet::new(), BTreeSet::new());
        let found = self.found.entry((code, place.file.clone()));
        let found = found.or_insert(Found { severity, told: 0, places, others });
        let of_code = self.of_code.entry(code).or_default();
        let span = (place.span.start, place.span.end);
        let room =
            found.told < limits::FINDINGS_ALIKE_MAX && *of_code < limits::FINDINGS_OF_A_CODE_MAX;
        if room || found.told == 0 {
            found.told += 1;
            *of_code += 1;
            found.places.insert(span);
            return true;
        }
        // What is told of a place already may be there once more for another reason.
        if !found.places.contains(&span) {
            found.others.insert(span);
        }
        false
    }

    /// A finding for each code in each file of which there are more, and where they are: those that
    /// `counts` does not let count are left out.
    pub(crate) fn rest(
        self,
        counts: impl Fn(&'static str, &Arc<str>, Range<usize>) -> bool,
    ) -> Vec<Finding> {
        let rest = self.found.into_iter().filter_map(|((code, file), found)| {
            let counted = |(start, end): &&(usize, usize)| counts(code, &file, *start..*end);
            let mut others = found.others.iter().filter(counted);
            let (start, end) = *others.next()?;
            let more = others.count() + 1;
            let message = match more {
                1 => "there is one more of these in this file".to_owned(),
                more => format!("there are {more} more of these in this file"),
            };
            let place = Place { file: file.clone(), span: start..end };
            Some(Finding { more, ..Finding::new(code, found.severity, message, place) })
        });
        rest.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(file: &str, start: usize) -> Place {
        Place { file: file.into(), span: start..start + 1 }
    }

    #[test]
    fn of_what_is_alike_so_many_are_told_and_the_others_are_counted() {
        let mut alike = Alike::default();
        let most = limits::FINDINGS_ALIKE_MAX;
        let mut takes = |code, at: usize| alike.takes(code, Severity::Error, &place("a", at));
        assert!((0..most).all(|at| takes("x", at)));
        assert!(!takes("x", most) && !takes("x", most + 1));
        assert!(!takes("x", 0), "that place is told already");
        assert!(!takes("x", most), "and this one counted");
        assert!(takes("y", 0), "another code");
        assert!(alike.takes("x", Severity::Error, &place("b", 0)), "another file");
        let rest = alike.rest(|_, _, _| true);
        let [more] = rest.as_slice() else { panic!("{rest:#?}") };
        assert_eq!((more.more, &*more.message), (2, "there are 2 more of these in this file"));
        assert_eq!(more.place(), Some(&place("a", most)));
    }

    #[test]
    fn each_file_is_told_of_however_many_there_are() {
        let mut alike = Alike::default();
        for file in 0..limits::FINDINGS_OF_A_CODE_MAX + 5 {
            assert!(alike.takes("x", Severity::Error, &place(&file.to_string(), 0)));
        }
        assert!(!alike.takes("x", Severity::Error, &place("0", 1)));
        assert_eq!(alike.rest(|_, _, span| span.start != 1), []);
    }

    #[test]
    fn who_asks_for_everything_gets_it() {
        let mut alike = Alike::new(Telling::Everything);
        let mut all = 0..2 * limits::FINDINGS_ALIKE_MAX;
        assert!(all.all(|at| alike.takes("x", Severity::Warning, &place("a", at))));
        assert_eq!(alike.rest(|_, _, _| true), []);
    }
}
