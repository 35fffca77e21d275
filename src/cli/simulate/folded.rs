//! Lines that are longer than the terminal is wide continue below, broken between words, under their beginning.

use std::io::Write;

use console::{Term, measure_text_width};

use crate::cli::by_line::ByLine;

/// What marks spoken words, which go on behind it.
const MARK: char = '▸';

/// Lines go to `out`, which is the terminal.
pub(super) fn folded(out: impl Write) -> impl Write {
    ByLine::new(out, |out, line| {
        let columns = Term::stdout().size().1.into();
        out.write_all(fold(&String::from_utf8_lossy(line), columns).as_bytes())
    })
}

/// A line, with its end if it has one, in as many as it needs. A word that is longer than a line is
/// left to the terminal.
fn fold(line: &str, columns: usize) -> String {
    if measure_text_width(line.trim_end()) <= columns {
        return line.to_owned();
    }
    let begin = line.len() - line.trim_start_matches([' ', MARK]).len();
    let (begin, rest) = line.split_at(begin);
    let indent = " ".repeat(measure_text_width(begin).min(columns / 2));
    let (mut folded, mut width) = (begin.to_owned(), measure_text_width(begin));
    let mut is_first = true;
    for word in rest.split(' ') {
        let own = measure_text_width(word.trim_end());
        if !is_first && width + 1 + own > columns {
            folded.truncate(folded.trim_end_matches(' ').len());
            folded.push('\n');
            folded.push_str(&indent);
            width = indent.len();
        } else if !is_first {
            folded.push(' ');
            width += 1;
        }
        folded.push_str(word);
        width += own;
        is_first = false;
    }
    folded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_go_on_below_between_words() {
        assert_eq!(fold("▸ one two three\n", 40), "▸ one two three\n");
        assert_eq!(fold("▸ one two three\n", 9), "▸ one two\n  three\n");
        assert_eq!(fold("▸ one two three\n", 8), "▸ one\n  two\n  three\n");
        assert_eq!(fold("  a    b c\n", 6), "  a\n  b c\n");
        assert_eq!(fold("unbreakable it is\n", 5), "unbreakable\nit is\n");
        assert_eq!(fold("▸ お電話 ありがとう\n", 12), "▸ お電話\n  ありがとう\n");
        assert_eq!(fold("a line\n", 0), "a\nline\n");
    }
}
