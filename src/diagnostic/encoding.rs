//! What files are written in: UTF-8, or something else, of which what can be read is read all the same.

use std::ops::Range;
use std::sync::Arc;

use super::{Finding, Place, Problems, SYNTAX};

/// A file's text.
#[derive(Clone, Debug)]
pub struct Text {
    /// What could be read: other bytes have become `U+FFFD`.
    pub text: Arc<str>,
    /// Where the first bytes are that are not UTF-8, in the file as well as in the text.
    pub foreign: Option<usize>,
}

impl Text {
    /// Reads what is in a file.
    pub fn read(bytes: Vec<u8>) -> Self {
        match String::from_utf8(bytes) {
            Ok(text) => Self { text: text.into(), foreign: None },
            Err(error) => {
                let foreign = Some(error.utf8_error().valid_up_to());
                Self { text: String::from_utf8_lossy(error.as_bytes()).into(), foreign }
            }
        }
    }

    /// Whether each character takes two bytes: nothing of such a file can be read.
    pub fn is_utf_16(&self) -> bool {
        self.foreign.is_some() && self.text.contains('\0')
    }

    /// That a file of this text is not in UTF-8, if it is not.
    pub fn finding(&self, file: &Arc<str>) -> Option<Finding> {
        let at = self.foreign?;
        let place =
            Place { file: file.clone(), span: at..at + char::REPLACEMENT_CHARACTER.len_utf8() };
        let message = if self.is_utf_16() {
            "the file is in UTF-16, and not in UTF-8"
        } else {
            "the file is not in UTF-8"
        };
        Some(Finding::error(SYNTAX, message, place).help("save it in UTF-8"))
    }

    /// Reports the same, and that the lines with such bytes could not be read.
    pub fn report(&self, file: &Arc<str>, problems: &Problems) {
        let Some(finding) = self.finding(file) else { return };
        problems.add(finding);
        // Each line once, however many of them are in it: there may be nothing else in a file that is no text.
        let mut lost = 0;
        for (at, _) in self.text.match_indices(char::REPLACEMENT_CHARACTER) {
            if at >= lost {
                let span = self.line(at);
                lost = span.end;
                problems.lose(Place { file: file.clone(), span });
            }
        }
    }

    fn line(&self, at: usize) -> Range<usize> {
        let (before, after) = self.text.split_at(at);
        let start = before.rfind('\n').map_or(0, |end| end + 1);
        start..at + after.find('\n').unwrap_or(after.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_no_text_is_lost_once() {
        let (file, problems) = (Arc::from("no text"), Problems::default());
        let text = Text::read([0xff; 1_000].repeat(2));
        text.report(&file, &problems);
        assert_eq!(problems.lost_text(&file, &text.text), *text.text);
        let lines = Text::read(b"\xff\xff\n\xff = 1\na = 1\n\xff\n".to_vec());
        let problems = Problems::default();
        lines.report(&file, &problems);
        assert_eq!(
            problems.lost_text(&file, &lines.text),
            "\u{fffd}\u{fffd}\n\u{fffd} = 1\n\u{fffd}"
        );
    }

    #[test]
    fn what_is_not_in_utf_8_is_read_as_far_as_it_goes() {
        let text = Text::read(b"# one\n# gr\xfc\xdfe\nname = \"f\"\n".to_vec());
        assert_eq!(
            (&*text.text, text.foreign),
            ("# one\n# gr\u{fffd}\u{fffd}e\nname = \"f\"\n", Some(10))
        );
        assert!(!text.is_utf_16());
        assert_eq!(&text.text[text.line(10)], "# gr\u{fffd}\u{fffd}e");
        assert!(Text::read(b"\xff\xfea\0=\x001\0".to_vec()).is_utf_16());
        assert_eq!(Text::read(b"a = 1".to_vec()).foreign, None);
    }
}
