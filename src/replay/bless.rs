//! Writes what came back into a transcript, keeping its comments and its layout.

use toml_edit::{Array, DocumentMut, Item, Table, TableLike, Value};

use super::report::{Came, Report};
use super::transcript::{ENDS, SERVED, word_of};
use crate::flow::canonical::ended_like;

/// Lists of texts wider than this have one text a line.
const WIDTH: usize = 96;

/// The transcript with what came back, where that differs or was missing; `None`: it is not TOML. What no
/// transcript may expect (a document that is not TwiML, a retry that changed something) stays a difference.
pub fn bless(text: &str, report: &Report) -> Option<String> {
    let mut document: DocumentMut = text.parse().ok()?;
    let mut facts_before = Vec::new();
    let mut bless = |index: usize, turn: &mut dyn TableLike| {
        let Some(came) = report.turns.get(index).filter(|came| came.lapse.is_none()) else {
            return;
        };
        let mut blesser = Blesser { report, index, turn };
        blesser.turn(came, facts_before != came.facts);
        facts_before.clone_from(&came.facts);
    };
    match document.get_mut("turn")? {
        Item::ArrayOfTables(turns) => {
            for (index, turn) in turns.iter_mut().enumerate() {
                bless(index, turn);
                after_header(turn);
            }
        }
        Item::Value(Value::Array(turns)) => {
            for (index, turn) in turns.iter_mut().enumerate() {
                if let Value::InlineTable(turn) = turn {
                    bless(index, turn);
                }
            }
        }
        _ => return None,
    }
    Some(ended_like(text, &document.to_string()))
}

/// A turn's table prints its keys below its header.
fn after_header(turn: &mut Table) {
    turn.set_implicit(false);
}

struct Blesser<'a> {
    report: &'a Report,
    index: usize,
    turn: &'a mut dyn TableLike,
}

impl Blesser<'_> {
    fn turn(&mut self, came: &Came, facts_changed: bool) {
        if self.wants("state", !came.state.is_empty()) {
            self.put("state", Value::from(came.state.as_str()));
        }
        if self.wants("says", !came.says.is_empty()) {
            self.put("says", texts("says", &came.says));
        }
        if came.effects.is_empty() {
            self.turn.remove("effects");
        } else if self.wants("effects", true) {
            self.put("effects", texts("effects", &came.effects));
        }
        if self.wants("facts", facts_changed) {
            let names: Vec<_> = came.facts.iter().map(ToString::to_string).collect();
            self.put("facts", texts("facts", &names));
        }
        if self.wants("locale", false) {
            self.put("locale", Value::from(came.locale.as_str()));
        }
        match came.end {
            Some(end) if self.wants("end", true) => {
                self.put("end", Value::from(word_of(&ENDS, &end)));
            }
            Some(_) => {}
            None => {
                self.turn.remove("end");
            }
        }
        match came.served {
            Some(served) if self.wants("answered", false) => {
                self.put("answered", Value::from(word_of(&SERVED, &served)));
            }
            Some(_) => {}
            None => {
                self.turn.remove("answered");
            }
        }
        if self.wants("twiml", false) {
            self.put_document(&came.twiml);
        }
    }

    /// Whether a key must be written: it is there and differs, or it is missing and worth having.
    fn wants(&self, key: &'static str, worth_saying: bool) -> bool {
        if self.turn.contains_key(key) {
            let here = |difference: &super::Difference| {
                difference.turn == Some(self.index) && difference.key == Some(key)
            };
            return self.report.differences.iter().any(here);
        }
        worth_saying
    }

    /// Writes a value, with what stood around the old one.
    fn put(&mut self, key: &str, value: Value) {
        let old = self.turn.get(key).and_then(Item::as_value).map(|old| old.decor().clone());
        let mut value = value;
        if let Some(decor) = old {
            *value.decor_mut() = decor;
        }
        self.turn.insert(key, Item::Value(value));
    }

    /// Writes a document in the most readable form: one element a line.
    fn put_document(&mut self, document: &str) {
        let literal = format!("v = \"\"\"\n{document}\n\"\"\"", document = escaped(document));
        let read: Option<DocumentMut> = literal.parse().ok();
        let value = read.and_then(|read| read.get("v").and_then(Item::as_value).cloned());
        self.put("twiml", value.unwrap_or_else(|| Value::from(document)));
    }
}

/// The text as it stands between three quotes.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace("\"\"\"", "\\\"\\\"\\\"")
}

/// A list of texts: on one line if it fits.
fn texts(key: &str, texts: &[String]) -> Value {
    let mut array: Array = texts.iter().map(String::as_str).collect();
    let inline = format!("{key} = {array}");
    if inline.chars().count() > WIDTH {
        for text in array.iter_mut() {
            text.decor_mut().set_prefix("\n    ");
        }
        array.set_trailing_comma(true);
        array.set_trailing("\n");
    }
    Value::Array(array)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn came(says: &[&str]) -> Came {
        Came {
            state: "menu".into(),
            says: says.iter().map(ToString::to_string).collect(),
            ..Came::default()
        }
    }

    #[test]
    fn comments_and_layout_stay() {
        let text = "# a call\nflow = \"bank\" # ours\n\n[[turn]] # rings\nring   = true\n\n[[turn]]\n# one\ndigits = \"1\"\n";
        let report = Report { turns: vec![came(&["Hello."]), came(&[])], ..Report::default() };
        assert_eq!(
            bless(text, &report).unwrap(),
            "# a call\nflow = \"bank\" # ours\n\n[[turn]] # rings\nring   = true\nstate = \"menu\"\nsays = [\"Hello.\"]\n\n[[turn]]\n# one\ndigits = \"1\"\nstate = \"menu\"\n"
        );
    }

    #[test]
    fn lines_end_as_the_first_one_does() {
        let windows = |text: &str| text.replace('\n', "\r\n");
        let text =
            "flow = \"bank\"\n\n[[turn]] # rings\nring = true\ntwiml = \"\"\"\n<a>\n<b>\"\"\"\n";
        let report = Report { turns: vec![came(&["Hello."])], ..Report::default() };
        let wanted = format!("{text}state = \"menu\"\nsays = [\"Hello.\"]\n");
        assert_eq!(bless(text, &report).unwrap(), wanted);
        assert_eq!(bless(&windows(text), &report).unwrap(), windows(&wanted));
    }

    #[test]
    fn what_is_right_is_left_as_it_is_written() {
        let text = "turn = [{ ring = true, says = [ 'Hello.' ], state = \"menu\" }] # one\n";
        let report = Report { turns: vec![came(&["Hello."])], ..Report::default() };
        assert_eq!(bless(text, &report).unwrap(), text);
    }
}
