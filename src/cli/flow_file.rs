//! The one flow that a command is about, with those that it calls and those that call it.

use std::path::Path;
use std::sync::Arc;

use super::Exit;
use super::failure::Failure;
use crate::demo;
use crate::diagnostic::any_error;
use crate::files;
use crate::flow::{self, Flow, FlowSet};

/// Reads a flow from its file; a name alone is one of ./flows, or, where there is none, a shipped one.
pub(super) fn read(path: &Path) -> Result<(FlowSet, Arc<Flow>), Failure> {
    if let Some(shipped) = shipped(path) {
        return Ok(shipped);
    }
    let path = files::found(path);
    if path.is_dir() {
        let message = format!("`{}` is a folder; name one flow file", path.display());
        return Err(Failure::usage(message));
    }
    let files = files::flows(std::slice::from_ref(&path))?;
    let (flows, findings) = flow::read(&files.all);
    let findings = files.of_concern(findings);
    if any_error(&findings) {
        return Err(Failure::Findings {
            what: "the flow has errors".into(),
            findings,
            sources: files.all,
            exit: Exit::Findings,
        });
    }
    let named = flows.iter().find(|flow| files.named.contains(&flow.file)).cloned();
    let none = || Failure::Other(Exit::Findings, format!("no flow in `{}`", path.display()));
    named.map(|flow| (flows, flow)).ok_or_else(none)
}

fn shipped(path: &Path) -> Option<(FlowSet, Arc<Flow>)> {
    if path.exists() || Path::new("flows").is_dir() {
        return None;
    }
    let (flows, _) = flow::read(&demo::flows());
    let named = flows.iter().find(|flow| path == Path::new(flow.name.as_str())).cloned()?;
    Some((flows, named))
}
