//! Flow files from paths.

use std::collections::{HashMap, HashSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::diagnostic::Sources;
use crate::flow::name::FlowName;
use crate::flow::{self, Flow};
use crate::limits;

/// Flow files that were named, and those they call.
#[derive(Debug)]
pub(crate) struct Files {
    /// All of them.
    pub(crate) all: Sources,
    /// Those that were named.
    pub(crate) named: HashSet<Arc<str>>,
}

/// Why files cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FilesError {
    /// There is nothing there.
    #[error("there is no `{}`; name a flow file or a folder of them", .0.display())]
    Missing(PathBuf),
    /// A folder without flow files.
    #[error("there is no flow file (*.toml) in `{}`", .0.display())]
    Empty(PathBuf),
    /// More than anybody checks together.
    #[error(
        "more than {} flow files cannot be checked together; name some of them",
        limits::FLOWS_MAX
    )]
    TooMany,
    /// The same, by size.
    #[error(
        "flow files of more than {} MiB cannot be checked together; name some of them",
        limits::FLOWS_BYTES_MAX / (1024 * 1024)
    )]
    TooLarge,
    /// It cannot be read.
    #[error("cannot read `{}`: {source}", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
}

/// Reads the named files and folders. What a named file calls is looked for beside it.
pub(crate) fn flows(paths: &[PathBuf]) -> Result<Files, FilesError> {
    let mut files = Files { all: Sources::default(), named: HashSet::new() };
    for path in paths {
        if path.is_dir() {
            let found = flow_files(path)?;
            if found.is_empty() {
                return Err(FilesError::Empty(path.clone()));
            }
            for file in found {
                let name = add(&mut files.all, &file)?;
                files.named.insert(name);
            }
        } else if path.exists() {
            let name = add(&mut files.all, path)?;
            files.named.insert(name);
        } else {
            return Err(FilesError::Missing(path.clone()));
        }
    }
    for path in paths.iter().filter(|path| path.is_file()) {
        add_called(&mut files.all, path)?;
    }
    Ok(files)
}

/// The file that is meant: a name alone is one of ./flows.
pub(crate) fn found(path: &Path) -> PathBuf {
    let named = Path::new("flows").join(path).with_extension("toml");
    if !path.exists() && named.exists() { named } else { path.to_owned() }
}

/// Adds the flows beside `path` that the flows read so far call, and those that these call.
fn add_called(all: &mut Sources, path: &Path) -> Result<(), FilesError> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let called = |flow: &Flow| flow.calls().cloned().collect::<Vec<_>>();
    let (set, _) = flow::read(all);
    let mut wanted: VecDeque<_> = set.iter().flat_map(|flow| called(flow)).collect();
    if wanted.iter().all(|name| set.get(name.as_str()).is_some()) {
        return Ok(());
    }
    let mut beside: HashMap<FlowName, Vec<(String, String, Vec<FlowName>)>> = HashMap::new();
    for file in flow_files(folder)? {
        let (text, file) = (read_text(&file)?, file.display().to_string());
        if let (Some(flow), _) = flow::read_one(&file, &text) {
            beside.entry(flow.name.clone()).or_default().push((file, text, called(&flow)));
        }
    }
    while let Some(name) = wanted.pop_front() {
        if set.get(name.as_str()).is_some() {
            continue;
        }
        for (file, text, calls) in beside.remove(&name).unwrap_or_default() {
            take(all, &file, text)?;
            wanted.extend(calls);
        }
    }
    Ok(())
}

/// The flow files of a folder, in the order of their names.
pub(crate) fn flow_files(folder: &Path) -> Result<Vec<PathBuf>, FilesError> {
    let unreadable = |source| FilesError::Unreadable { path: folder.to_owned(), source };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let toml = path.extension().is_some_and(|extension| extension == "toml");
        let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if toml && !hidden && path.is_file() {
            files.push(path);
        }
    }
    if files.len() > limits::FLOWS_MAX {
        return Err(FilesError::TooMany);
    }
    files.sort();
    Ok(files)
}

fn add(all: &mut Sources, path: &Path) -> Result<Arc<str>, FilesError> {
    take(all, &path.display().to_string(), read_text(path)?)
}

fn take(all: &mut Sources, file: &str, text: String) -> Result<Arc<str>, FilesError> {
    let bytes = all.iter().map(|(_, text)| text.len()).sum::<usize>() + text.len();
    if bytes > limits::FLOWS_BYTES_MAX {
        return Err(FilesError::TooLarge);
    }
    Ok(all.add(file, text))
}

/// Reads a file; one that is far too large is cut, and then refused by the reader.
pub(crate) fn read_text(path: &Path) -> Result<String, FilesError> {
    let unreadable = |source| FilesError::Unreadable { path: path.to_owned(), source };
    let length = std::fs::metadata(path).map_err(unreadable)?.len();
    if usize::try_from(length).map_or(true, |length| length > limits::FLOW_BYTES_MAX * 4) {
        return Err(unreadable(std::io::Error::other("it is far too large for a flow")));
    }
    std::fs::read_to_string(path).map_err(unreadable)
}
