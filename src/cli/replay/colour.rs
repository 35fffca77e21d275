//! Differences in colour: what was to come red, what came green.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};

use crate::replay::beside::BETWEEN;

/// A terminal that is told lines, and colours those that are marked.
pub(super) struct Coloured<W> {
    out: W,
    line: Vec<u8>,
}

impl<W: Write> Coloured<W> {
    /// Lines go to `out`.
    pub(super) fn new(out: W) -> Self {
        Self { out, line: Vec::new() }
    }

    fn write_line(&mut self) -> io::Result<()> {
        let line = std::mem::take(&mut self.line);
        if let Some((left, right)) = sides(&line) {
            let (old, new) = (style_of(left, "- "), style_of(right, "+ "));
            return writeln!(self.out, "{old}{left}{old:#}{BETWEEN}{new}{right}{new:#}");
        }
        let style = match line.trim_ascii_start().first_chunk() {
            Some(b"- ") => AnsiColor::Red.on_default(),
            Some(b"+ ") => AnsiColor::Green.on_default(),
            _ => Style::new(),
        };
        let text = String::from_utf8_lossy(&line);
        write!(self.out, "{style}{}{style:#}", text.trim_end_matches('\n'))?;
        if text.ends_with('\n') {
            self.out.write_all(b"\n")?;
        }
        Ok(())
    }
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

impl<W: Write> Write for Coloured<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for byte in bytes {
            self.line.push(*byte);
            if *byte == b'\n' {
                self.write_line()?;
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if !self.line.is_empty() {
            self.write_line()?;
        }
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marked_lines_are_coloured_and_no_other() {
        let mut coloured = Coloured::new(Vec::new());
        coloured.write_all(b"a.toml:3: other\n    - Hel").unwrap();
        coloured.write_all(b"lo.\n    + Bye.\n").unwrap();
        coloured.flush().unwrap();
        let text = String::from_utf8(coloured.out).unwrap();
        assert_eq!(
            text,
            "a.toml:3: other\n\u{1b}[31m    - Hello.\u{1b}[0m\n\u{1b}[32m    + Bye.\u{1b}[0m\n"
        );
    }

    #[test]
    fn each_side_has_its_own_colour() {
        let mut coloured = Coloured::new(Vec::new());
        coloured.write_all("      one │   one\n    - two │ + three\n".as_bytes()).unwrap();
        let text = String::from_utf8(coloured.out).unwrap();
        assert_eq!(
            text,
            "      one │   one\n\u{1b}[31m    - two\u{1b}[0m │ \u{1b}[32m+ three\u{1b}[0m\n"
        );
    }
}
