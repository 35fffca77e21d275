//! The canonical layout of a flow file: one way to put spaces and lines, with every comment kept.
//!
//! The `=` of a table stand under each other, lists and inline tables stand on one line if they fit
//! and hold no comment, one blank line stands before a table, and never two together. Order, quotes
//! and words are the author's, and lines end as the first one of the file does.

use toml_edit::{DocumentMut, Item, RawString, Table, Value};

/// Lines wider than this have their lists broken, one entry a line.
const WIDTH: usize = 112;

/// The text in its canonical layout; `None`: it is no TOML.
pub fn canonical(text: &str) -> Option<String> {
    let mut document: DocumentMut = text.parse().ok()?;
    let trailing = lines(document.trailing().as_str().unwrap_or_default(), Lead::Keep);
    let mut first = true;
    arrange(document.as_table_mut(), &mut first, true);
    document.set_trailing(trailing.trim_end().to_owned());
    Some(ended_like(text, &format!("{}\n", document.to_string().trim_end())))
}

/// What was made of a file, its lines ended as the first one of that file is: of what is laid out anew they
/// end one way, and within texts of several lines as they were written.
pub fn ended_like(file: &str, made: &str) -> String {
    let made = made.replace("\r\n", "\n");
    if ends_as_windows_does(file) { made.replace('\n', "\r\n") } else { made }
}

/// Whether two texts say the same, however their lines end.
pub fn same(one: &str, other: &str) -> bool {
    let meaning = |text: &str| text.replace("\r\n", "\n").parse::<toml::Table>().ok();
    let (one, other) = (meaning(one), meaning(other));
    // `nan` is not even what it is itself.
    one == other || format!("{one:?}") == format!("{other:?}")
}

fn ends_as_windows_does(text: &str) -> bool {
    text.split_once('\n').is_some_and(|(first, _)| first.ends_with('\r'))
}

/// What becomes of blank lines before something.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lead {
    /// There is none.
    None,
    /// One stays, if there was one.
    Keep,
    /// There is one.
    One,
}

fn arrange(table: &mut Table, first: &mut bool, root: bool) {
    let widths = table.iter().filter(|(_, item)| item.is_value());
    let widest = widths.filter_map(|(key, _)| table.key(key)).map(width).max().unwrap_or_default();
    let mut top = true;
    for (mut key, item) in table.iter_mut() {
        if let Item::Value(value) = item {
            if !is_dotted(value) {
                let lead = if top && !(root && *first) { Lead::None } else { Lead::Keep };
                let lead = if root && *first { Lead::None } else { lead };
                let before = text_of(key.leaf_decor().prefix());
                let pad = " ".repeat(widest.saturating_sub(key.display_repr().chars().count()) + 1);
                key.leaf_decor_mut().set_prefix(lines(&before, lead));
                key.leaf_decor_mut().set_suffix(pad);
                set_value(value, widest + 3);
            }
            *first = false;
            top = false;
        }
    }
    for (_, item) in table.iter_mut() {
        match item {
            Item::Table(inner) => head(inner, first),
            Item::ArrayOfTables(tables) => tables.iter_mut().for_each(|inner| head(inner, first)),
            _ => {}
        }
    }
}

/// The header of a table, and what stands below it.
fn head(table: &mut Table, first: &mut bool) {
    if !table.is_implicit() && !table.is_dotted() {
        let lead = if *first { Lead::None } else { Lead::One };
        let before = text_of(table.decor().prefix());
        let after = comment(&text_of(table.decor().suffix()));
        table.decor_mut().set_prefix(lines(&before, lead));
        table.decor_mut().set_suffix(after);
        *first = false;
    }
    if !table.is_dotted() {
        arrange(table, first, false);
    }
}

fn width(key: &toml_edit::Key) -> usize {
    key.display_repr().chars().count()
}

fn is_dotted(value: &Value) -> bool {
    value.as_inline_table().is_some_and(toml_edit::InlineTable::is_dotted)
}

fn set_value(value: &mut Value, indent: usize) {
    let after = comment(&text_of(value.decor().suffix()));
    // A comment inside stands where its author put it.
    let written = value.to_string();
    let has_comment = written.trim().contains('\n') && written.contains('#');
    if !has_comment {
        flatten(value);
        let wide = indent + value.to_string().trim().chars().count();
        if wide > WIDTH
            && let Value::Array(array) = value
        {
            for entry in array.iter_mut() {
                entry.decor_mut().set_prefix("\n    ");
            }
            array.set_trailing("\n");
            array.set_trailing_comma(true);
        }
    }
    value.decor_mut().set_prefix(" ");
    value.decor_mut().set_suffix(after);
}

/// A value on one line; texts stay as they are written.
fn flatten(value: &mut Value) {
    match value {
        Value::Array(array) => {
            for (index, entry) in array.iter_mut().enumerate() {
                flatten(entry);
                entry.decor_mut().set_prefix(if index == 0 { "" } else { " " });
                entry.decor_mut().set_suffix("");
            }
            array.set_trailing("");
            array.set_trailing_comma(false);
        }
        Value::InlineTable(table) if !table.is_dotted() => {
            let last = table.len().saturating_sub(1);
            for (index, (mut key, entry)) in table.iter_mut().enumerate() {
                flatten(entry);
                key.leaf_decor_mut().set_prefix(" ");
                key.leaf_decor_mut().set_suffix(" ");
                entry.decor_mut().set_prefix(" ");
                entry.decor_mut().set_suffix(if index == last { " " } else { "" });
            }
            table.set_trailing("");
            table.set_trailing_comma(false);
        }
        _ => {}
    }
}

fn text_of(raw: Option<&RawString>) -> String {
    raw.and_then(RawString::as_str).unwrap_or_default().to_owned()
}

/// A comment behind something: at least a blank before it, and none at its end.
fn comment(text: &str) -> String {
    let text = text.trim_end();
    if text.starts_with('#') { format!(" {text}") } else { text.to_owned() }
}

/// Lines of comments before something, never two blank ones together.
fn lines(text: &str, lead: Lead) -> String {
    let mut lines: Vec<&str> = Vec::new();
    // What follows the last line break is what indents the thing itself.
    let end = text.rfind('\n').map_or(0, |end| end + 1);
    let whole =
        if text.get(end..).unwrap_or_default().trim().is_empty() { end } else { text.len() };
    for line in text.get(..whole).unwrap_or_default().lines().map(str::trim) {
        if !(line.is_empty() && lines.last().is_some_and(|last| last.is_empty())) {
            lines.push(line);
        }
    }
    let leads = lines.first().is_some_and(|line| line.is_empty());
    if leads && lead == Lead::None {
        lines.remove(0);
    } else if !leads && lead == Lead::One {
        lines.insert(0, "");
    }
    lines.iter().fold(String::new(), |text, line| text + line + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_layout_and_every_comment() {
        let text = "\n\n# a flow\nname=\"bank\"\nstart   = 'a' # here\n\n\n[states.a] # first\n\n  type = \"menu\"\n  keys={1=\"a\",\n2   = \"b\",\n }\n# and\n  on = { no_input = \"a\",\n  no_match = \"b\" }\n[states.b]\ntype=\"say\"\nprompt = [\n  # kept\n \"x\" ]\n\n\n# the end\n\n";
        let wanted = "# a flow\nname  = \"bank\"\nstart = 'a' # here\n\n[states.a] # first\ntype = \"menu\"\nkeys = { 1 = \"a\", 2 = \"b\" }\n# and\non   = { no_input = \"a\", no_match = \"b\" }\n\n[states.b]\ntype   = \"say\"\nprompt = [\n  # kept\n \"x\" ]\n\n# the end\n";
        let first = canonical(text).unwrap();
        assert_eq!(first, wanted);
        assert_eq!(canonical(&first).unwrap(), first);
        assert_eq!(canonical("a = "), None);
    }

    #[test]
    fn lines_end_as_the_first_one_does() {
        let text = "# a\nb=1\n\n\n[c] # d\ne=\"\"\"f\n  g\"\"\"\nh = [ # i\n 1,\n]\n# j\n";
        let wanted = canonical(text).unwrap();
        let windows = |text: &str| text.replace('\n', "\r\n");
        assert_eq!(canonical(&windows(text)).unwrap(), windows(&wanted));
        assert_eq!(canonical(&windows(&wanted)).unwrap(), windows(&wanted), "it is laid out");
        let mixed = windows(text).replacen("# a\r\n", "# a\n", 1);
        assert_eq!(canonical(&mixed).unwrap(), wanted);
        assert!(same(&mixed, &wanted) && !same(&mixed, &wanted.replace('g', "x")));
        assert!(same("a = nan", "a=nan") && !same("a = nan", "a = 1.0"));
        assert_eq!(canonical("a=1").unwrap(), "a = 1\n", "no line ends");
    }
}
