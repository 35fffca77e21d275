//! What is told beside mistakes in the language: of a flow that has some, or is joined to one that has, the rules that
//! look at each state by itself run all the same, so that a misspelt name does not hide what else there is to mend.

use std::collections::{HashMap, HashSet};

use super::report::{Accepted, Report};
use super::rules::OF_ONE_STATE;
use super::{Subject, Waits};
use crate::diagnostic::alike::{Alike, Telling};
use crate::diagnostic::{Finding, Place};
use crate::flow::{Flow, FlowSet};

/// What is wrong with the states that have no mistake themselves.
pub(super) fn check(flows: &FlowSet, mistakes: &[Place], telling: Telling) -> Vec<Finding> {
    let walks = Subject::walks_of(flows);
    let subject = Subject { flows, walks, waits: Waits::default(), proofs: Vec::new() };
    let (mut findings, mut accepted) = (Vec::new(), Accepted::default());
    // All of them first: of what is left out none is to be counted.
    let mut all = Alike::new(Telling::Everything);
    for rule in OF_ONE_STATE {
        (rule.check)(&subject, &mut Report::new(rule, &mut findings, &mut all, &mut accepted));
    }
    let parts = Parts::of(flows);
    let mistaken: HashSet<_> = mistakes.iter().filter_map(|place| parts.part(place)).collect();
    findings.retain(|finding| {
        finding
            .place()
            .is_some_and(|place| parts.part(place).is_some_and(|part| !mistaken.contains(&part)))
    });
    let mut alike = Alike::new(telling);
    findings.retain(|finding| {
        let takes = |place| alike.takes(finding.code, finding.severity, place);
        finding.place().is_none_or(takes)
    });
    findings.extend(alike.rest(|_, _, _| true));
    findings
}

/// Where the states of each file begin, in order.
struct Parts<'f>(HashMap<&'f str, Vec<usize>>);

impl<'f> Parts<'f> {
    fn of(flows: &'f FlowSet) -> Self {
        let begin = |flow: &'f Flow| {
            let mut begin: Vec<_> =
                flow.states.values().map(|state| state.place.span.start).collect();
            begin.sort_unstable();
            begin
        };
        Self(flows.iter().map(|flow| (&*flow.file, begin(flow))).collect())
    }

    /// The state in which something stands, by its file and number there; `None`: in none.
    fn part(&self, place: &Place) -> Option<(&'f str, usize)> {
        let (file, begin) = self.0.get_key_value(&*place.file)?;
        let before = begin.partition_point(|begin| *begin <= place.span.start);
        Some((file, before.checked_sub(1)?))
    }
}

#[cfg(test)]
mod tests {
    use crate::check::rules::tests::{ENDS, findings};

    const PIN: &str =
        "[states.pin]\ntype = \"gather\"\nvar = \"x\"\ndigits = 4\nprompt = \"Your PIN?\"\n";

    #[test]
    fn a_mistake_elsewhere_keeps_nothing_back_that_a_state_tells_by_itself() {
        let start = "name = \"f\"\nstart = \"pin\"\n";
        let on = "on = { ok = \"ask\", no_input = \"bye\", invalid = \"bye\" }\n";
        let told = "7: secret-in-gather: ";
        let of_pin = |found: &[String]| found.iter().any(|it| it.starts_with(told));
        let menu = ENDS.replace("Press 1.", "Press 1 or 2.");
        let found = findings(&[&format!("{start}{PIN}{on}{menu}")]);
        assert!(found.iter().any(|it| it.contains("menu-prompt-key")), "{found:?}");
        // Of the state that has the mistake nothing is told but the mistake.
        let wrong = menu.replace("keys = { 1", "keys = { 2 = \"byee\", 1");
        let found = findings(&[&format!("{start}{PIN}{on}{wrong}")]);
        assert!(found.iter().any(|it| it.contains("unknown-state")), "{found:?}");
        assert!(found.iter().any(|it| it.contains("secret-in-gather")), "{found:?}");
        assert!(!found.iter().any(|it| it.contains("menu-prompt-key")), "{found:?}");
        let mistaken = on.replace("\"ask\"", "\"askk\"");
        let found = findings(&[&format!("{start}{PIN}{mistaken}{menu}")]);
        assert!(found.iter().any(|it| it.contains("menu-prompt-key")), "{found:?}");
        assert!(!of_pin(&found) && !found.iter().any(|it| it.contains("unreachable")), "{found:?}");
        // Nor anything that depends on where states lead.
        let others = found.iter().filter(|it| !it.contains("unknown-state"));
        assert_eq!(others.count(), 1, "{found:?}");
    }

    #[test]
    fn a_flow_that_is_joined_to_a_broken_one_is_looked_at_by_itself() {
        let broken =
            "name = \"sub\"\nstart = \"endd\"\n[states.end]\ntype = \"return\"\noutcome = \"ok\"\n";
        let on = "on = { ok = \"go\", no_input = \"bye\", invalid = \"bye\" }\n";
        let go = "[states.go]\ntype = \"call\"\nflow = \"sub\"\non = { ok = \"bye\" }\n";
        let main = format!("name = \"f\"\nstart = \"pin\"\n{PIN}{on}{go}{ENDS}");
        let found = findings(&[&main, broken]);
        assert!(found.iter().any(|it| it.starts_with("0:") && it.contains("secret-in-gather")));
        assert!(!found.iter().any(|it| it.contains("unreachable-state")), "{found:?}");
    }
}
