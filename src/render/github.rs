//! For GitHub: workflow commands that annotate the lines of a pull request
//! (<https://docs.github.com/actions/reference/workflow-commands-for-github-actions>).

use crate::diagnostic::{Finding, Sources};

/// The findings as workflow commands, one a line.
pub fn render(findings: &[Finding], sources: &Sources) -> String {
    findings.iter().map(|finding| one(finding, sources) + "\n").collect()
}

fn one(finding: &Finding, sources: &Sources) -> String {
    let mut properties = String::new();
    if let Some(place) = finding.place() {
        let (start, end) = (sources.start(place), sources.end(place));
        properties = format!(
            "file={},line={},col={},endLine={},endColumn={},",
            property(&place.file),
            start.line,
            start.column,
            end.line,
            end.column
        );
    }
    let mut text = finding.message.clone();
    for part in finding.labels.iter().filter(|label| !label.text.is_empty()) {
        let at = sources.start(&part.place);
        let part = [&part.place.file, ":", &at.line.to_string(), ": ", &part.text].concat();
        text.push('\n');
        text.push_str(&part);
    }
    if let Some(help) = &finding.help {
        text.push_str("\nhelp: ");
        text.push_str(help);
    }
    let severity = finding.severity.as_str();
    format!("::{severity} {properties}title={}::{}", property(finding.code), data(&text))
}

/// What follows the second `::` must keep to its line.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// A property must keep to its place between `,` and `::` too.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
