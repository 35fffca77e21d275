//! Differences in colour: the expected in red, the actual in green.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};

use crate::cli::by_line::ByLine;
use crate::replay::beside::BETWEEN;

/// Lines go to `out`, which is a terminal; the marked ones are coloured.
pub(super) fn coloured(out: impl Write) -> impl Write {
    ByLine::new(out, write_line)
}

fn write_line(out: &mut impl Write, line: &[u8]) -> io::Result<()> {
    if let Some((left, right)) = sides(line) {
        let (old, new) = (style_of(left, "- "), style_of(right, "+ "));
        return writeln!(out, "{old}{left}{old:#}{BETWEEN}{new}{right}{new:#}");
    }
    let style = match line.trim_ascii_start().first_chunk() {
        Some(b"- ") => AnsiColor::Red.on_default(),
        Some(b"+ ") => AnsiColor::Green.on_default(),
        _ => Style::new(),
    };
    let text = String::from_utf8_lossy(line);
    write!(out, "{style}{}{style:#}", text.trim_end_matches('\n'))?;
    if text.ends_with('\n') {
        out.write_all(b"\n")?;
    }
    Ok(())
}

/// The sides of a row that has two.
fn sides(line: &[u8]) -> Option<(&str, &str)> {
    let row = std::str::from_utf8(line).ok()?.strip_suffix('\n')?;
    row.starts_with("    ").then(|| row.split_once(BETWEEN)).flatten()
}

fn style_of(side: &str, mark: &str) -> Style {
    match side.trim_start().strip_prefix(mark) {
        Some(_) if mark == "- " => AnsiColor::Red.on_default(),
        Some(_) => AnsiColor::Green.on_default(),
        None => Style::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes of these parts.
    fn written(parts: &[&str]) -> String {
        let mut bytes = Vec::new();
        let mut out = coloured(&mut bytes);
        for part in parts {
            out.write_all(part.as_bytes()).unwrap();
        }
        out.flush().unwrap();
        drop(out);
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn marked_lines_are_coloured_and_no_other() {
        assert_eq!(
            written(&["a.toml:3: other\n    - Hel", "lo.\n    + Bye.\n", "  + end"]),
            "a.toml:3: other\n\u{1b}[31m    - Hello.\u{1b}[0m\n\u{1b}[32m    + Bye.\u{1b}[0m\n\
             \u{1b}[32m  + end\u{1b}[0m"
        );
    }

    #[test]
    fn each_side_has_its_own_colour() {
        assert_eq!(
            written(&["      one │   one\n    - two │ + three\n"]),
            "      one │   one\n\u{1b}[31m    - two\u{1b}[0m │ \u{1b}[32m+ three\u{1b}[0m\n"
        );
    }
}
