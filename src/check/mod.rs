//! The checker: what is wrong with flows that can be read, as findings.
//!
//! Each rule is a file in `rules` and a line in [`RULES`]; the head of its file is its page, which
//! [`explain`] prints. What the reader itself reports has its pages in `language`.

mod beside;
mod graph;
mod language;
pub mod odds;
mod proof;
mod report;
mod rings;
mod rules;
mod subject;
mod waits;
mod words;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use self::graph::Graph;
use self::report::Accepted;
use crate::diagnostic::alike::{Alike, Telling};
use crate::diagnostic::{Finding, Severity, Sources};
use crate::flow::level::Fact;
use crate::flow::name::{FlowName, StateName};
use crate::flow::state::State;
use crate::flow::{self, Flow, FlowSet};
use crate::limits;

pub use proof::{Cell, Example};
pub use report::Report;
pub use rules::RULES;
pub use subject::Subject;
pub use waits::Waits;

/// Something that can be wrong with a flow.
#[derive(Debug)]
pub struct Rule {
    /// Its name in findings, in `explain` and in `accept`.
    pub code: &'static str,
    /// What it finds, in a line.
    pub title: &'static str,
    /// How bad that is.
    pub severity: Severity,
    /// The source of its file, whose head is its page.
    pub source: &'static str,
    /// Looks for it.
    pub check: fn(&Subject<'_>, &mut Report<'_>),
}

/// What there is to know of a code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The code.
    pub code: &'static str,
    /// What it stands for, in a line.
    pub title: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What is found, why that matters, how to fix it, in Markdown.
    pub text: String,
}

/// Runs every rule over flows that were read without an error.
pub fn check(flows: &FlowSet) -> Vec<Finding> {
    check_with(flows, Telling::Enough, Waits::default())
}

fn check_with(flows: &FlowSet, telling: Telling, waits: Waits) -> Vec<Finding> {
    let subject = Subject { waits, ..Subject::new(flows) };
    let (mut findings, mut alike) = (Vec::new(), Alike::new(telling));
    let mut accepted = Accepted::default();
    for rule in RULES {
        (rule.check)(&subject, &mut Report::new(rule, &mut findings, &mut alike, &mut accepted));
    }
    findings.extend(alike.rest(|_, _, _| true));
    findings
}

/// Reads flows and checks them: what everything that uses flows begins with.
///
/// The rules run over the flows that were read without an error and are not joined by calls, either
/// way, to one that was not: what a misspelt name cuts off would be reported a second time as a
/// state that cannot be reached. Those that look at each state by itself run over the others too.
pub fn check_sources(sources: &Sources) -> (FlowSet, Vec<Finding>) {
    check_sources_telling(sources, Telling::Enough)
}

/// The same, telling so much.
pub fn check_sources_telling(sources: &Sources, telling: Telling) -> (FlowSet, Vec<Finding>) {
    check_sources_with(sources, telling, Waits::default())
}

/// The same for a house that waits so long for those whom it asks.
pub fn check_sources_for(sources: &Sources, waits: &Waits) -> (FlowSet, Vec<Finding>) {
    check_sources_with(sources, Telling::Enough, waits.clone())
}

fn check_sources_with(
    sources: &Sources,
    telling: Telling,
    waits: Waits,
) -> (FlowSet, Vec<Finding>) {
    let (flows, mut findings) = flow::read_telling(sources, telling);
    let errors = findings.iter().filter(|finding| finding.severity == Severity::Error);
    let mistakes: Vec<_> = errors.filter_map(Finding::place).cloned().collect();
    let broken = mistakes.iter().map(|place| place.file.clone()).collect();
    let sound = apart_from(&flows, &broken);
    findings.extend(check_with(&sound, telling, waits));
    let others = flows.iter().filter(|flow| sound.get(flow.name.as_str()).is_none());
    findings.extend(beside::check(&others.cloned().collect(), &mistakes, telling));
    sources.sort(&mut findings);
    (flows, findings)
}

/// Why no call may begin in a flow: it is there for others to call, and was looked at as that. `None`: one
/// may.
pub fn not_dialled(flows: &FlowSet, start: &str) -> Option<String> {
    flows.get(start).and_then(|flow| subject::Walk::new(flow, true).not_dialled())
}

/// A call for each demand that callers come to without what it asks for, on a shortest way.
pub fn examples(flows: &FlowSet) -> Vec<Example> {
    examples_telling(flows, Telling::Everything).0
}

/// The same, of each flow as many as are told of what is alike, and how many more there are.
pub(crate) fn examples_telling(flows: &FlowSet, telling: Telling) -> (Vec<Example>, usize) {
    let most = match telling {
        Telling::Everything => usize::MAX,
        Telling::Enough => limits::FINDINGS_ALIKE_MAX,
    };
    let subject = Subject::new(flows);
    let of_start = |walks| Example::all(walks, most);
    let examples: Vec<_> = subject.proofs.iter().flat_map(of_start).collect();
    let all: usize = subject.proofs.iter().map(|walks| walks.gaps.len()).sum();
    let more = all - examples.len();
    (examples, more)
}

/// Every way out of every state, at each set of levels that callers who take it may have reached, with a
/// shortest call for each.
pub fn cells(flows: &FlowSet) -> Vec<Cell> {
    let subject = Subject::new(flows);
    subject.proofs.iter().flat_map(|walks| walks.with_cells().cells()).collect()
}

/// What a caller who comes to a state may have proved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// The flow and the state.
    pub at: (FlowName, StateName),
    /// The facts, each with the most seconds ago that it was proved.
    pub facts: BTreeMap<Fact, u32>,
}

/// Every state that a call which begins in this flow can come to, with each set of facts that may be
/// proved then. Ages beyond the longest `within` of any level are not told apart.
pub fn arrivals(flows: &FlowSet, start: &str) -> Vec<Arrival> {
    let subject = Subject::new(flows);
    let walks = subject.proofs.iter().find(|walks| walks.start.name.as_str() == start);
    let arrival = |(flow, state, known): (&Flow, &State, proof::Known)| Arrival {
        at: (flow.name.clone(), state.name.clone()),
        facts: known.facts().collect(),
    };
    walks.map(|walks| walks.arrivals().map(arrival).collect()).unwrap_or_default()
}

/// What it takes to follow every way through flows, counted: who comes to a state with what proved, and how many others
/// with whom that is compared. It is the same on every machine.
pub fn steps(flows: &FlowSet) -> usize {
    Subject::new(flows).proofs.iter().map(|walks| walks.steps).sum()
}

/// The flows that have nothing to do with the broken files.
fn apart_from(flows: &FlowSet, broken: &BTreeSet<Arc<str>>) -> FlowSet {
    let numbers = flows.iter().enumerate().map(|(number, flow)| (&flow.name, number));
    let numbers: HashMap<_, _> = numbers.collect();
    let mut joined = Graph::new(numbers.len());
    for (caller, flow) in flows.iter().enumerate() {
        for called in flow.calls().filter_map(|called| numbers.get(called)) {
            joined.add(caller, *called);
            joined.add(*called, caller);
        }
    }
    let is_broken = |(_, flow): &(usize, &Arc<Flow>)| broken.contains(&*flow.file);
    let touched =
        joined.reach(flows.iter().enumerate().filter(is_broken).map(|(number, _)| number));
    let apart = flows.iter().zip(touched).filter(|(_, touched)| !touched);
    apart.map(|(flow, _)| flow).cloned().collect()
}

/// The pages of every code, in alphabetical order.
pub fn pages() -> Vec<Page> {
    let rules = RULES.iter().map(|rule| Page {
        code: rule.code,
        title: rule.title,
        severity: rule.severity,
        text: head(rule.source),
    });
    let mut pages: Vec<_> = rules.chain(language::pages()).collect();
    pages.sort_by_key(|page| page.code);
    pages
}

/// The page of a code, in Markdown.
pub fn explain(code: &str) -> Option<String> {
    let page = pages().into_iter().find(|page| page.code == code)?;
    let severity = page.severity.as_str();
    Some(format!("# {code}\n\n{severity}: {}\n\n{}\n", page.title, page.text))
}

/// Every page, as one document.
pub fn reference() -> String {
    let mut text =
        "# What `callgate check` finds\n\nPrinted by `callgate explain --all`.\n\n".to_owned();
    for page in pages() {
        text.push_str(&format!("- [`{0}`](#{0}): {1}\n", page.code, page.title));
    }
    for page in pages() {
        // The headings of a page stand below its own.
        let body = page.text.replace("\n## ", "\n### ");
        let severity = page.severity.as_str();
        text.push_str(&format!("\n## {}\n\n{severity}: {}\n\n{body}\n", page.code, page.title));
    }
    text
}

/// The comment at the head of a source file, without its marks.
fn head(source: &str) -> String {
    let lines = source.lines().map_while(|line| line.strip_prefix("//!"));
    let lines = lines.map(|line| line.strip_prefix(' ').unwrap_or(line));
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_holes_as_many_are_shown_as_are_told() {
        let all = limits::FINDINGS_ALIKE_MAX + 7;
        let phrases: Vec<_> = (0..all).map(|n| format!("\"to {n}\" = \"s{n}\"")).collect();
        let state = |n: usize| {
            format!(
                "[states.s{n}]\ntype = \"say\"\nprompt = \"a\"\nrequires = \"l\"\n\
                 on = {{ denied = \"bye\" }}\nnext = \"bye\"\n"
            )
        };
        let states: String = (0..all).map(state).collect();
        let text = format!(
            "name = \"f\"\nstart = \"m\"\n[levels]\nl = {{ any = [\"pin\"] }}\n[states.m]\ntype = \"menu\"\n\
             prompt = \"Where to?\"\nphrases = {{ {} }}\non = {{ no_input = \"bye\", no_match = \"bye\" }}\n\
             [states.bye]\ntype = \"hangup\"\n{states}",
            phrases.join(", ")
        );
        let mut sources = Sources::default();
        sources.add("f.toml", text);
        let (flows, findings) = flow::read(&sources);
        assert_eq!(findings, []);
        let (shown, more) = examples_telling(&flows, Telling::Enough);
        assert_eq!((shown.len(), more), (limits::FINDINGS_ALIKE_MAX, 7));
        assert_eq!(examples(&flows).len(), all);
    }
}
