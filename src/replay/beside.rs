//! A difference side by side: the expected on the left, the actual on the right.

use similar::{Algorithm, DiffTag, capture_diff_slices};

/// What stands before each row.
const INDENT: &str = "    ";
/// Columns that a row needs beside its texts: the indent, two marks with a blank each, and the line between the
/// sides.
const FRAME: usize = INDENT.len() + 2 + 3 + 2;
/// What stands between the sides.
pub const BETWEEN: &str = " │ ";

/// The rows, each no wider than `width`.
pub(super) fn rows(wanted: &[String], came: &[String], width: usize) -> Vec<String> {
    let column = width.saturating_sub(FRAME) / 2;
    let mut rows = vec![row((' ', "to come"), (' ', "came"), column)];
    for op in capture_diff_slices(Algorithm::Myers, wanted, came) {
        let (tag, old, new) = op.as_tag_tuple();
        let marks = if tag == DiffTag::Equal { (' ', ' ') } else { ('-', '+') };
        for index in 0..old.len().max(new.len()) {
            let of = |lines: &[String], range: &std::ops::Range<usize>| {
                let line = lines.get(range.clone()).unwrap_or_default().get(index);
                line.map(|line| wrapped(line, column)).unwrap_or_default()
            };
            let (left, right) = (of(wanted, &old), of(came, &new));
            for line in 0..left.len().max(right.len()) {
                let part = |mark, lines: &'_ [String]| match lines.get(line) {
                    // A continued line has its mark only once.
                    Some(text) => (if line == 0 { mark } else { ' ' }, text.clone()),
                    None => (' ', String::new()),
                };
                let (left, right) = (part(marks.0, &left), part(marks.1, &right));
                rows.push(row((left.0, &left.1), (right.0, &right.1), column));
            }
        }
    }
    rows
}

fn row(left: (char, &str), right: (char, &str), column: usize) -> String {
    let blanks = " ".repeat(column.saturating_sub(columns(left.1)));
    let row = format!("{INDENT}{} {}{blanks}{BETWEEN}{} {}", left.0, left.1, right.0, right.1);
    row.trim_end().to_owned()
}

fn columns(text: &str) -> usize {
    console::measure_text_width(text)
}

/// A text in lines of at most `column` columns, broken between words, or inside a word that is longer than a
/// line.
fn wrapped(text: &str, column: usize) -> Vec<String> {
    let indent = text.chars().take_while(|c| *c == ' ').count().min(column / 2);
    let mut lines = vec![" ".repeat(indent)];
    let mut is_begun = false;
    for word in text.split_whitespace() {
        let Some(line) = lines.last_mut() else { break };
        if !is_begun {
            line.push_str(word);
        } else if columns(line) + 1 + columns(word) <= column {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
        is_begun = true;
        while let Some(rest) = lines.last_mut().and_then(|line| cut(line, column)) {
            lines.push(rest);
        }
    }
    lines
}

/// Cuts a line after so many columns, and returns the rest.
fn cut(line: &mut String, column: usize) -> Option<String> {
    let mut wide = 0;
    let at = line.char_indices().find_map(|(at, c)| {
        wide += columns(c.encode_utf8(&mut [0; 4]));
        (wide > column.max(1) && at > 0).then_some(at)
    })?;
    Some(line.split_off(at))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(lines: &[&str]) -> Vec<String> {
        lines.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_differs_stands_beside_what_was_to_come() {
        let wanted = own(&[
            "Thank you.",
            "Your balance is 1,234 dollars and 56 cents.",
            "Para español, oprima dos.",
            "Goodbye.",
        ]);
        let came = own(&[
            "Thank you.",
            "Your present balance is 1,234 dollars and 56 cents, which is much for a Monday.",
            "残高は千ドルです。",
            "It was a pleasure.",
            "Goodbye.",
        ]);
        expect_test::expect![[r"
            below
                  to come                       │   came
                  Thank you.                    │   Thank you.
                - Your balance is 1,234 dollars │ + Your present balance is 1,234
                  and 56 cents.                 │   dollars and 56 cents, which
                                                │   is much for a Monday.
                - Para español, oprima dos.     │ + 残高は千ドルです。
                                                │ + It was a pleasure.
                  Goodbye.                      │   Goodbye.
        "]]
        .assert_eq(&format!("below\n{}\n", rows(&wanted, &came, 70).join("\n")));
    }

    #[test]
    fn no_row_is_wider_than_it_may_be() {
        let long =
            own(&[&"x".repeat(300), &format!("{} y", "残".repeat(99)), "", "  <Say>Hi</Say>"]);
        for width in [0, 1, 12, 13, 40, 80, 121] {
            for row in rows(&long, &own(&["a b c"]), width) {
                let least = width.max(FRAME + "to come".len() + "came".len());
                assert!(columns(&row) <= least, "{width}: {row}");
            }
        }
    }
}
