//! Writes on line by line, each as somebody makes it: in colour, or folded to a terminal's width.

use std::io::{self, Write};

/// Is given bytes, and writes whole lines with `write_line`; what is left when it is flushed counts as a line as
/// well.
#[derive(Debug)]
pub(super) struct ByLine<W, F> {
    out: W,
    line: Vec<u8>,
    write_line: F,
}

impl<W: Write, F: Fn(&mut W, &[u8]) -> io::Result<()>> ByLine<W, F> {
    /// `write_line` gets `out` and a line, with its end if it has one.
    pub(super) fn new(out: W, write_line: F) -> Self {
        Self { out, line: Vec::new(), write_line }
    }

    fn end_line(&mut self) -> io::Result<()> {
        let line = std::mem::take(&mut self.line);
        (self.write_line)(&mut self.out, &line)
    }
}

impl<W: Write, F: Fn(&mut W, &[u8]) -> io::Result<()>> Write for ByLine<W, F> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for byte in bytes {
            self.line.push(*byte);
            if *byte == b'\n' {
                self.end_line()?;
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if !self.line.is_empty() {
            self.end_line()?;
        }
        self.out.flush()
    }
}
