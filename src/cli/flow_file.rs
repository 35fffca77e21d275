//! The flows that a command works on, with those that they call and those that call them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Exit;
use super::failure::Failure;
use crate::demo;
use crate::diagnostic::any_error;
use crate::files::{self, Files, FilesError};
use crate::flow::{self, Flow, FlowSet};

/// Reads a flow from its file; a name alone means one in ./flows or, without that folder, a shipped one.
pub(super) fn read(path: &Path) -> Result<(FlowSet, Arc<Flow>), Failure> {
    let within = || files::of_name(Path::new("flows"), path);
    let named = path.is_dir().then(within).flatten();
    let path = named.as_deref().unwrap_or(path);
    if path.is_dir() {
        let message = format!("`{}` is a folder; name one flow file", path.display());
        return Err(Failure::usage(message));
    }
    let files = files(&[path.to_owned()])?;
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

/// Reads the named files and folders; a name alone is as for [`read`].
pub(super) fn files(paths: &[PathBuf]) -> Result<Files, FilesError> {
    if let Some(shipped) = shipped(paths) {
        return Ok(shipped);
    }
    let paths: Vec<_> = paths.iter().map(|path| files::found(path)).collect();
    files::flows(&paths)
}

/// The shipped flows, if all of these are their names and there are no flows here.
fn shipped(paths: &[PathBuf]) -> Option<Files> {
    if Path::new("flows").is_dir() || paths.iter().any(|path| path.is_dir()) {
        return None;
    }
    let all = demo::flows();
    let (flows, _) = flow::read(&all);
    let file = |path: &PathBuf| {
        let named = flows.iter().find(|flow| *path == Path::new(flow.name.as_str()));
        named.map(|flow| flow.file.clone())
    };
    let named = paths.iter().map(file).collect::<Option<_>>()?;
    Some(Files::of(all, named))
}
