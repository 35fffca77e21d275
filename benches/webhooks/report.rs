//! What was found, as `docs/performance.md` tells it: tables, and each goal with what was reached.

use std::fmt::Write as _;

/// A part of the report.
#[derive(Debug, Default)]
pub(crate) struct Section {
    pub(crate) title: &'static str,
    /// Markdown.
    pub(crate) text: String,
    pub(crate) goals: Vec<Goal>,
}

/// Something that was to be reached.
#[derive(Debug)]
pub(crate) struct Goal {
    pub(crate) what: String,
    pub(crate) found: f64,
    pub(crate) bound: Bound,
    /// Why it is missed, if it is.
    pub(crate) why: &'static str,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

impl Goal {
    pub(crate) fn new(what: impl Into<String>, found: f64, bound: Bound) -> Self {
        Self { what: what.into(), found, bound, why: "" }
    }

    pub(crate) fn because(self, why: &'static str) -> Self {
        Self { why, ..self }
    }

    fn is_reached(&self) -> bool {
        match self.bound {
            Bound::AtLeast(least) => self.found >= least,
            Bound::AtMost(most) => self.found <= most,
        }
    }

    /// What is written of it in the table of goals.
    fn row(&self) -> String {
        let (asked, by) = match self.bound {
            Bound::AtLeast(least) => {
                (format!("at least {}", number(least)), 1.0 - self.found / least)
            }
            Bound::AtMost(most) => (format!("at most {}", number(most)), self.found / most - 1.0),
        };
        let verdict = if self.is_reached() {
            "reached".to_owned()
        } else {
            let by = format!("**missed** by {:.0} %", by * 100.0);
            if self.why.is_empty() { by } else { format!("{by}: {}", self.why) }
        };
        format!("| {} | {asked} | {} | {verdict} |", self.what, number(self.found))
    }
}

/// The whole report.
pub(crate) fn page(machine: &str, sections: &[Section]) -> String {
    let mut page = format!(
        "# Performance\n\nWritten by `cargo bench --bench webhooks`; change that, not this page. Measured on: {machine}.\n\n\
         Absolute numbers change from run to run; ratios within one run, and counts, do not. Two servers are\n\
         compared while both are running, in short slices that alternate (ABBA); a ratio is the median of the pairs,\n\
         with the middle 95 % of its bootstrap in brackets. The server has one core; Redis and the load share the\n\
         other one. Requests rotate and are signed as the provider signs them. A call is four webhooks (greeting,\n\
         account, four digits, menu, balance), each sent to the address that the answer before it gave. The wait that\n\
         hides what was found (`policy.enumeration.deadline_ms`) is off, because it is no work.\n\n## Goals\n\n\
         | what | goal | found | |\n|---|---|---|---|\n"
    );
    for goal in sections.iter().flat_map(|section| &section.goals) {
        let _ = writeln!(page, "{}", goal.row());
    }
    for Section { title, text, .. } in sections {
        let _ = write!(page, "\n## {title}\n\n{}\n", text.trim_end());
    }
    page
}

/// A number as people write it: with groups of three digits, or as many decimals as it needs.
pub(crate) fn number(n: f64) -> String {
    if !n.is_finite() {
        return "–".into();
    }
    if n.abs() < 100.0 {
        let text = format!("{n:.2}");
        return text.trim_end_matches('0').trim_end_matches('.').to_owned();
    }
    let digits = format!("{:.0}", n.abs());
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if n < 0.0 { format!("−{text}") } else { text }
}
