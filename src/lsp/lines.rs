//! Places as editors count them: lines from 0, columns in UTF-16 units.

use lsp_types::{Position, Range};

/// Where a byte of a text is.
pub fn position(text: &str, byte: usize) -> Position {
    let byte = (0..=byte.min(text.len())).rev().find(|at| text.is_char_boundary(*at));
    let before = text.get(..byte.unwrap_or_default()).unwrap_or_default();
    let line = before.matches('\n').count();
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let column = before.get(start..).unwrap_or_default().encode_utf16().count();
    let number = |count| u32::try_from(count).unwrap_or(u32::MAX);
    Position { line: number(line), character: number(column) }
}

/// Where a span of bytes is.
pub fn range(text: &str, span: &std::ops::Range<usize>) -> Range {
    Range { start: position(text, span.start), end: position(text, span.end) }
}

/// The byte at a position; one beyond the end of a line is at its end.
pub fn byte(text: &str, position: Position) -> usize {
    let mut start = 0;
    for _ in 0..position.line {
        match text.get(start..).and_then(|rest| rest.find('\n')) {
            Some(newline) => start += newline + 1,
            None => return text.len(),
        }
    }
    let line = text.get(start..).unwrap_or_default().split('\n').next().unwrap_or_default();
    let mut left = usize::try_from(position.character).unwrap_or(usize::MAX);
    for (at, c) in line.char_indices() {
        if left < c.len_utf16() {
            return start + at;
        }
        left -= c.len_utf16();
    }
    start + line.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_utf_16_units_and_come_back() {
        let text = "a = \"é😀x\"\nüb";
        for (at, _) in text.char_indices() {
            assert_eq!(byte(text, position(text, at)), at);
        }
        let x = text.find('x').unwrap();
        assert_eq!(position(text, x), Position { line: 0, character: 8 });
        assert_eq!(position(text, text.len()), Position { line: 1, character: 2 });
        assert_eq!(byte(text, Position { line: 0, character: 99 }), text.find('\n').unwrap());
        assert_eq!(byte(text, Position { line: 9, character: 0 }), text.len());
        // Between the halves of a pair is before it.
        assert_eq!(byte(text, Position { line: 0, character: 7 }), text.find('😀').unwrap());
    }
}
