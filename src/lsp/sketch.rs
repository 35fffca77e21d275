//! A flow file as it is being typed: its names and where each stands, whatever is broken around them.
//!
//! The reader of flows says what is wrong with a file; this says what a word in it is about, also
//! while its line is half written. Nothing here can fail.

use std::ops::Range;

/// What a piece of the file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A name between brackets.
    Header,
    /// A key.
    Key,
    /// A value that is not a list or a table.
    Value,
    /// A place where nothing of a flow is written, such as a comment.
    Nothing,
}

/// A name or a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The keys that lead to it; a key's own name is the last.
    pub path: Vec<String>,
    /// What it is.
    pub role: Role,
    /// The bytes it covers, without quotes.
    pub span: Range<usize>,
    /// Whether it stands in quotes.
    pub quoted: bool,
}

/// The place that a cursor is at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spot {
    /// The keys of the table it is in, and for a value its own key.
    pub path: Vec<String>,
    /// What stands there or would stand there.
    pub role: Role,
    /// The bytes of what stands there; empty if nothing does.
    pub span: Range<usize>,
    /// Whether it stands in quotes.
    pub quoted: bool,
}

/// The pieces of a file, in their order.
#[derive(Debug, Default)]
pub struct Sketch {
    /// Them.
    pub pieces: Vec<Piece>,
    /// From which byte on what would be written, between the pieces.
    gaps: Vec<(usize, Vec<String>, Role)>,
}

impl Sketch {
    /// The pieces of a text.
    pub fn of(text: &str) -> Self {
        let mut pen = Pen { text, at: 0, sketch: Self::default() };
        pen.file();
        pen.sketch
    }

    /// What is at a byte.
    pub fn spot(&self, at: usize) -> Spot {
        let around = |piece: &&Piece| piece.span.start <= at && at <= piece.span.end;
        if let Some(piece) = self.pieces.iter().find(around) {
            let mut path = piece.path.clone();
            if piece.role != Role::Value {
                path.pop();
            }
            return Spot { path, role: piece.role, span: piece.span.clone(), quoted: piece.quoted };
        }
        let after = self.gaps.partition_point(|(start, ..)| *start <= at);
        let gap = after.checked_sub(1).and_then(|index| self.gaps.get(index));
        let (path, role) =
            gap.map_or((Vec::new(), Role::Key), |(_, path, role)| (path.clone(), *role));
        Spot { path, role, span: at..at, quoted: false }
    }

    /// The pieces on a path, in which `*` stands for any name.
    pub fn on<'s>(&'s self, path: &'s [&str]) -> impl Iterator<Item = &'s Piece> {
        self.pieces.iter().filter(move |piece| {
            let same = |(part, wanted): (&String, &&str)| *wanted == "*" || part == wanted;
            piece.path.len() == path.len() && piece.path.iter().zip(path).all(same)
        })
    }

    /// The names on a path: its keys and headers.
    pub fn names<'s>(&'s self, path: &'s [&str]) -> impl Iterator<Item = &'s Piece> {
        self.on(path).filter(|piece| piece.role != Role::Value)
    }

    /// The values on a path.
    pub fn values<'s>(&'s self, path: &'s [&str]) -> impl Iterator<Item = &'s Piece> {
        self.on(path).filter(|piece| piece.role == Role::Value)
    }
}

/// Goes through the text once.
struct Pen<'t> {
    text: &'t str,
    at: usize,
    sketch: Sketch,
}

/// How deep lists, tables and dotted names are followed.
const DEPTH_MAX: usize = 32;

impl Pen<'_> {
    fn file(&mut self) {
        let mut section = Vec::new();
        while self.at < self.text.len() {
            self.blank(&section, Some(Role::Key));
            match self.next() {
                None => break,
                Some('[') => section = self.header(),
                Some(_) => self.entry(&section, 0),
            }
            if self.at_header() {
                // What was left open has come to the next section.
                continue;
            }
            self.skip(|c| c != '\n');
            // The end of a line is of what is written in it.
            if self.took('\n') {
                self.gap(&section, Role::Key);
            }
        }
    }

    fn header(&mut self) -> Vec<String> {
        let mut path = Vec::new();
        self.skip(|c| c == '[');
        loop {
            self.gap(&path, Role::Header);
            self.skip(|c| c == ' ');
            if !self.word(&mut path, Role::Header) {
                break;
            }
            self.skip(|c| c == ' ');
            if !self.took('.') {
                break;
            }
        }
        if self.took(']') {
            self.gap(&path, Role::Nothing);
        }
        path
    }

    /// A key with its value.
    fn entry(&mut self, table: &[String], depth: usize) {
        let mut path = table.to_vec();
        loop {
            if !self.word(&mut path, Role::Key) {
                return;
            }
            self.skip(|c| c == ' ' || c == '\t');
            if !self.took('.') {
                break;
            }
            self.gap(&path, Role::Key);
        }
        self.gap(&path, Role::Nothing);
        if self.took('=') {
            self.gap(&path, Role::Value);
            self.skip(|c| c == ' ' || c == '\t');
            self.value(&path, depth);
        }
    }

    fn value(&mut self, path: &[String], depth: usize) {
        match self.next() {
            Some('[') if depth < DEPTH_MAX => self.inside(path, Role::Value, ']', depth),
            Some('{') if depth < DEPTH_MAX => self.inside(path, Role::Key, '}', depth),
            Some('"' | '\'') => {
                let span = self.quoted();
                self.piece(path.to_vec(), Role::Value, span, true);
                self.gap(path, Role::Nothing);
            }
            _ => {
                let start = self.at;
                self.skip(|c| !c.is_whitespace() && !matches!(c, ',' | ']' | '}' | '#'));
                if self.at > start {
                    self.piece(path.to_vec(), Role::Value, start..self.at, false);
                    self.gap(path, Role::Nothing);
                }
            }
        }
    }

    /// A list or a table, up to its end or to where it plainly has been left open.
    fn inside(&mut self, path: &[String], role: Role, close: char, depth: usize) {
        self.at += 1;
        let mut fresh = true;
        loop {
            self.blank(path, fresh.then_some(role));
            let start = self.at;
            match self.next() {
                None => return,
                Some('[') if self.at_header() => return,
                Some(c) if c == close => {
                    self.at += 1;
                    self.gap(path, Role::Nothing);
                    return;
                }
                Some(',') => self.at += 1,
                Some(_) if role == Role::Key => self.entry(path, depth + 1),
                Some(_) => self.value(path, depth + 1),
            }
            if self.at == start {
                self.at += self.next().map_or(1, char::len_utf8);
            }
            fresh = self.text.get(start..self.at) == Some(",");
        }
    }

    /// Whether a section begins here: only its like stands alone on a line.
    fn at_header(&self) -> bool {
        let begins =
            self.text.get(..self.at).is_some_and(|text| text.is_empty() || text.ends_with('\n'));
        let line = self.rest().lines().next().unwrap_or_default();
        let line = line.split('#').next().unwrap_or_default().trim();
        let inner = line.strip_prefix('[').and_then(|line| line.strip_suffix(']'));
        let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '[' | ']');
        begins
            && inner.is_some_and(|inner| {
                inner.starts_with(char::is_alphabetic) && inner.chars().all(plain)
            })
    }

    /// A key or a part of it; whether there was one.
    fn word(&mut self, path: &mut Vec<String>, role: Role) -> bool {
        let quoted = matches!(self.next(), Some('"' | '\''));
        let span = if quoted {
            self.quoted()
        } else {
            let start = self.at;
            self.skip(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '*'));
            start..self.at
        };
        if span.is_empty() && !quoted {
            return false;
        }
        if path.len() < DEPTH_MAX {
            path.push(self.text.get(span.clone()).unwrap_or_default().to_owned());
            self.piece(path.clone(), role, span, quoted);
        }
        true
    }

    /// A text in quotes; one that does not end, ends with its line. The span is of what is inside.
    fn quoted(&mut self) -> Range<usize> {
        let quote = self.next().unwrap_or('"');
        let three: String = std::iter::repeat_n(quote, 3).collect();
        let long = self.rest().starts_with(&three);
        let close = if long { three } else { quote.to_string() };
        self.at += close.len();
        let start = self.at;
        let mut escaped = false;
        while let Some(c) = self.next() {
            if !escaped && self.rest().starts_with(&close) {
                let span = start..self.at;
                self.at += close.len();
                return span;
            }
            if c == '\n' && !long {
                break;
            }
            escaped = !escaped && c == '\\' && quote == '"';
            self.at += c.len_utf8();
        }
        start..self.at
    }

    /// White space and comments, between which something of this role could be written.
    fn blank(&mut self, path: &[String], role: Option<Role>) {
        loop {
            if let Some(role) = role {
                self.gap(path, role);
            }
            self.skip(char::is_whitespace);
            if self.next() != Some('#') {
                return;
            }
            self.at += 1;
            self.gap(path, Role::Nothing);
            self.skip(|c| c != '\n');
            // The end of a comment's line is of the comment.
            self.at += usize::from(self.next().is_some());
        }
    }

    fn piece(&mut self, path: Vec<String>, role: Role, span: Range<usize>, quoted: bool) {
        self.sketch.pieces.push(Piece { path, role, span, quoted });
    }

    fn gap(&mut self, path: &[String], role: Role) {
        self.sketch.gaps.push((self.at, path.to_vec(), role));
    }

    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn next(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn took(&mut self, wanted: char) -> bool {
        let took = self.next() == Some(wanted);
        self.at += if took { wanted.len_utf8() } else { 0 };
        took
    }

    fn skip(&mut self, like: impl Fn(char) -> bool) {
        let rest = self.rest();
        self.at += rest.find(|c| !like(c)).unwrap_or(rest.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is at the mark `|`.
    fn at(marked: &str) -> (String, Role) {
        let at = marked.find('|').unwrap();
        let spot = Sketch::of(&marked.replacen('|', "", 1)).spot(at);
        (spot.path.join("."), spot.role)
    }

    /// Each piece has the names that lead to it: of a path without end that would be half its square.
    #[test]
    fn a_path_without_end_is_followed_no_deeper_than_anything_else() {
        let long = ["a"; 1_000].join(".");
        for text in [format!("[{long}]\nb = 1\n"), format!("{long} = 1\n")] {
            let sketch = Sketch::of(&text);
            let deepest = sketch.pieces.iter().map(|piece| piece.path.len()).max();
            assert_eq!(deepest, Some(DEPTH_MAX), "{} pieces", sketch.pieces.len());
            assert!(sketch.gaps.iter().all(|(_, path, _)| path.len() <= DEPTH_MAX));
        }
    }

    #[test]
    fn a_cursor_is_somewhere_in_whatever_is_half_written() {
        let is = |marked: &str, path: &str, role| {
            assert_eq!(at(marked), (path.into(), role), "{marked}");
        };
        is("|", "", Role::Key);
        is("start = \"|", "start", Role::Value);
        is("[states.a]\n|", "states.a", Role::Key);
        is("[states.a]\nne|\n[states.b]\n", "states.a", Role::Key);
        is("[states.a]\non = { no_input = \"|", "states.a.on.no_input", Role::Value);
        is("[states.a]\non = { |", "states.a.on", Role::Key);
        is("[states.a]\non = { no_input = \"b\", | }", "states.a.on", Role::Key);
        is("[levels]\nx = { all = [\"pin\", { any = [\"|", "levels.x.all.any", Role::Value);
        is("[states.a]\non = { x = \n[states.b]\n|", "states.b", Role::Key);
        is("[states.|", "states", Role::Header);
        is("[|]", "", Role::Header);
        is("[states.a]\nnext = |\n[states.b]\n", "states.a.next", Role::Value);
        is("[states.a]\non = { x = |}\n", "states.a.on.x", Role::Value);
        is("[states.a]|\n", "states.a", Role::Nothing);
        is("# st|\n", "", Role::Nothing);
        is("[states.a.prompt]\nen-US = \"|\"", "states.a.prompt.en-US", Role::Value);
    }
}
