//! The outcomes as JUnit XML, which every build server shows.

use std::fmt::Write as _;

use quick_xml::escape::escape;

use super::Layout;
use super::folder::Outcome;

/// The document.
pub fn document(outcomes: &[Outcome]) -> String {
    let failures = outcomes.iter().filter(|outcome| !outcome.passed()).count();
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let _ = writeln!(
        xml,
        "<testsuite name=\"callgate replay\" tests=\"{}\" failures=\"{failures}\">",
        outcomes.len()
    );
    for outcome in outcomes {
        let file = outcome.file.display().to_string();
        let name = outcome.file.file_stem().unwrap_or_default().to_string_lossy();
        let (name, file) = (legal(&name), legal(&file));
        let _ = write!(xml, "  <testcase name=\"{name}\" file=\"{file}\"");
        if outcome.passed() {
            xml.push_str("/>\n");
            continue;
        }
        let lines = outcome.lines(Layout::Unified);
        let first = lines.first().and_then(|line| line.lines().next()).unwrap_or_default();
        let _ = writeln!(
            xml,
            ">\n    <failure message=\"{}\">{}</failure>\n  </testcase>",
            legal(first),
            legal(&lines.join("\n"))
        );
    }
    xml.push_str("</testsuite>\n");
    xml
}

/// The text escaped, without the characters that XML forbids.
fn legal(text: &str) -> String {
    let allowed = |c: &char| match c {
        '\n' | '\t' => true,
        '\u{FFFE}' | '\u{FFFF}' => false,
        c => !c.is_control(),
    };
    escape(text.chars().filter(allowed).collect::<String>()).into_owned()
}
