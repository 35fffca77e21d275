//! Changes of a text that mend a finding, where there is no doubt what was meant.

use std::ops::Range;

use super::Place;

/// What mends a finding: all of its edits, or none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fix {
    /// What it does, for people: "write `menu`".
    pub title: String,
    /// The changes, all in one file.
    pub edits: Vec<Edit>,
}

/// A change of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// What is replaced; nothing, where something is put in.
    pub place: Place,
    /// What stands there then.
    pub text: String,
}

/// How a name stands in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spelling {
    /// As a value, in quotes.
    Value,
    /// As a key, bare.
    Key,
}

impl Fix {
    /// Writes something else in a place.
    pub fn replace(title: impl Into<String>, place: Place, text: impl Into<String>) -> Self {
        Self { title: title.into(), edits: vec![Edit { place, text: text.into() }] }
    }

    /// Writes the name that was meant.
    pub fn respell(name: &str, place: Place, spelling: Spelling) -> Self {
        let text = match spelling {
            Spelling::Value => format!("\"{name}\""),
            Spelling::Key => name.to_owned(),
        };
        Self::replace(format!("write `{name}`"), place, text)
    }
}

/// The one name that a misspelt one can stand for: it differs in a single slip of the finger, or in
/// capitals, hyphens and underscores alone, and no other does. A digit is no slip, for `level2` is
/// not `level3`, nor is another first letter, for `then` is not `when`.
pub fn slip<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    const LONG: usize = 4;
    let plain = |name: &'_ str| {
        let kept = name.chars().filter(|c| !matches!(c, '-' | '_'));
        kept.flat_map(char::to_lowercase).collect::<String>()
    };
    let (wanted, count) = (plain(written), written.chars().count());
    let slipped = |name: &&str| {
        // Most names are far from it, and a file may have very many.
        let apart = name.chars().count().abs_diff(count);
        if apart >= count.max(2) || !digits(name).eq(digits(written)) {
            return false;
        }
        // Who writes `then` for `when` has not slipped: fingers seldom do at the first letter.
        let other_word = apart == 0
            && written.chars().next() != name.chars().next()
            && written.chars().nth(1) == name.chars().nth(1);
        let one = apart <= 1
            && !other_word
            && name.chars().count().min(count) >= LONG
            && strsim::damerau_levenshtein(written, name) == 1;
        one || (apart < count && plain(name) == wanted)
    };
    let mut near = known.into_iter().filter(slipped);
    let first = near.next()?;
    near.all(|other| other == first).then_some(first)
}

fn digits(name: &str) -> impl Iterator<Item = char> {
    name.chars().filter(char::is_ascii_digit)
}

/// What became of fixes of one text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fixed {
    /// The text with all that was done.
    pub text: String,
    /// Which of the fixes were done, by their numbers.
    pub done: Vec<usize>,
}

/// Does the fixes of one text, each as a whole, the first first. One that touches what another has
/// changed is left for another time.
pub fn apply(text: &str, fixes: &[&Fix]) -> Fixed {
    let mut taken: Vec<(Range<usize>, &str)> = Vec::new();
    let mut done = Vec::new();
    for (number, fix) in fixes.iter().enumerate() {
        let spans: Vec<_> =
            fix.edits.iter().map(|edit| (edit.place.span.clone(), &*edit.text)).collect();
        let sound = spans.iter().all(|(span, _)| text.get(span.clone()).is_some());
        let apart = |a: &Range<usize>, b: &Range<usize>| a.end < b.start || b.end < a.start;
        let free = spans.iter().enumerate().all(|(n, (span, _))| {
            taken.iter().chain(spans.iter().take(n)).all(|(other, _)| apart(span, other))
        });
        if sound && free && !spans.is_empty() {
            taken.extend(spans);
            done.push(number);
        }
    }
    taken.sort_by_key(|(span, _)| span.start);
    let mut fixed = text.to_owned();
    for (span, new) in taken.into_iter().rev() {
        fixed.replace_range(span, new);
    }
    Fixed { text: fixed, done }
}

/// What to take out of a text so that an element of a list is gone: with its comma, and with the key
/// of the list if nothing else is in it. `None`: what stands around it is not understood.
pub fn element(text: &str, span: &Range<usize>) -> Option<Range<usize>> {
    let (before, after) = (text.get(..span.start)?, text.get(span.end..)?);
    let follows = after.trim_start();
    if let Some(rest) = follows.strip_prefix(',') {
        let gap = rest.len() - rest.trim_start_matches([' ', '\t']).len();
        return Some(span.start..text.len() - rest.len() + gap);
    }
    let leads = before.trim_end();
    if let Some(rest) = leads.strip_suffix(',') {
        return Some(rest.len()..span.end);
    }
    // The only one: its line goes, where nothing else is on it.
    let (open, close) = (leads.strip_suffix('[')?, follows.strip_prefix(']')?);
    let start = before.rfind('\n').map_or(0, |at| at + 1);
    let end = close.find('\n').map_or(text.len(), |at| text.len() - close.len() + at + 1);
    let key = open.get(start..)?.trim_end().strip_suffix('=')?.trim();
    let bare = key.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
    let alone = close.get(..close.find('\n').unwrap_or(close.len()))?.trim().is_empty();
    Some(if bare && !key.is_empty() && alone { start..end } else { span.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_can_be_nothing_else_is_a_slip() {
        let names = ["menu", "agent", "level1", "level2", "no_input", "sent", "send"];
        for (written, meant) in [
            ("mneu", Some("menu")),
            ("agnt", Some("agent")),
            ("Agent", Some("agent")),
            ("noinput", Some("no_input")),
            ("no-input", Some("no_input")),
            ("level3", None),
            ("levl1", Some("level1")),
            ("sens", None),
            ("meun_", None),
            ("a", None),
            ("benu", None),
            ("emnu", Some("menu")),
        ] {
            assert_eq!(slip(written, names), meant, "{written}");
        }
    }

    fn fix(edits: &[(Range<usize>, &str)]) -> Fix {
        let edit = |(span, text): &(Range<usize>, &str)| Edit {
            place: Place { file: "t".into(), span: span.clone() },
            text: (*text).to_owned(),
        };
        Fix { title: String::new(), edits: edits.iter().map(edit).collect() }
    }

    #[test]
    fn a_fix_is_done_whole_or_not_at_all() {
        let text = "one two three";
        let (a, b, c) =
            (fix(&[(0..3, "1")]), fix(&[(2..4, ""), (8..13, "3")]), fix(&[(4..7, "2")]));
        assert_eq!(
            apply(text, &[&a, &b, &c]),
            Fixed { text: "1 2 three".into(), done: vec![0, 2] }
        );
        assert_eq!(apply(text, &[&b, &a]).text, "ontwo 3");
        let beyond = fix(&[(0..3, "1"), (9..99, "")]);
        assert_eq!(apply(text, &[&beyond]), Fixed { text: text.into(), done: vec![] });
        let twice = fix(&[(0..3, "1"), (1..2, "")]);
        assert_eq!(apply(text, &[&twice]).done, [0; 0], "against itself");
    }

    #[test]
    fn an_element_goes_with_its_comma_and_the_last_with_its_line() {
        let without = |text: &str| {
            let start = text.find("\"x\"").unwrap();
            let mut text = text.to_owned();
            text.replace_range(element(&text, &(start..start + 3)).unwrap(), "");
            text
        };
        assert_eq!(without("a = [\"x\", 2]\n"), "a = [2]\n");
        assert_eq!(without("a = [1, \"x\"]\n"), "a = [1]\n");
        assert_eq!(without("b = 1\na = [\"x\"]\nc = 2\n"), "b = 1\nc = 2\n");
        assert_eq!(
            without("b = 1\na = [ \"x\" ] # why\nc = 2\n"),
            "b = 1\na = [  ] # why\nc = 2\n"
        );
        assert_eq!(without("on = { a = [\"x\"] }"), "on = { a = [] }");
    }
}
