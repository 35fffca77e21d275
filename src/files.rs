//! Flow files from paths.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::diagnostic::encoding::Text;
use crate::diagnostic::{Finding, Place, Position, Sources};
use crate::flow::name::FlowName;
use crate::flow::state::{Kind, State};
use crate::flow::{self, Flow};
use crate::limits;

/// Flow files that were named, those they call, and those that call sub-flows among them.
#[derive(Debug)]
pub(crate) struct Files {
    /// All of them.
    pub(crate) all: Sources,
    /// Those that were named.
    pub(crate) named: HashSet<Arc<str>>,
    /// Those that are there alone because they call a sub-flow that was named: it has variables, levels and
    /// fields of theirs.
    calling: HashSet<Arc<str>>,
    /// Folders within the folders that were named, with flows in them: those are not read.
    pub(crate) unread: Vec<PathBuf>,
}

impl Files {
    /// Flows that are in no folder, and which of them are named.
    pub(crate) fn of(all: Sources, named: HashSet<Arc<str>>) -> Self {
        Self { all, named, calling: HashSet::new(), unread: Vec::new() }
    }

    /// The findings without those in files that only call what was named.
    pub(crate) fn of_concern(&self, mut findings: Vec<Finding>) -> Vec<Finding> {
        let calling = |place: &Place| self.calling.contains(&place.file);
        findings.retain(|finding| !finding.place().is_some_and(calling));
        findings
    }
}

/// Why files cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// There is nothing there.
    #[error("there is no `{}`; name a flow file or a folder of them", .0.display())]
    Missing(PathBuf),
    /// A folder without flow files, and the folders within it that have some.
    #[error("there is no flow file (*.toml) in `{}`{}", .0.display(), not_read(.1))]
    Empty(PathBuf, Vec<PathBuf>),
    /// A name of a flow's, and no file.
    #[error("`{}` is no file, and no link to one: a flow is read from no pipe, device or folder", .0.display())]
    NoFile(PathBuf),
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
    /// It is no text.
    #[error("`{}` is not in UTF-8 at line {}, column {}: save it in that encoding", .0.display(), .1.line, .1.column)]
    Encoding(PathBuf, Position),
    /// It cannot be read.
    #[error("cannot read `{}`: {source}", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
}

/// Reads the named files and folders. What a named file calls is looked for beside it, and so is what calls
/// it where it is a sub-flow.
pub(crate) fn flows(paths: &[PathBuf]) -> Result<Files, FilesError> {
    let mut files = Files::of(Sources::default(), HashSet::new());
    for path in paths {
        if path.is_dir() {
            let (found, others) = named_as_flows(path)?;
            if let Some(other) = others.into_iter().next() {
                return Err(FilesError::NoFile(other));
            }
            let mut is_empty = true;
            for file in found {
                let Some(text) = read_listed(&file)? else { continue };
                let name = take(&mut files.all, &file.display().to_string(), text)?;
                files.named.insert(name);
                is_empty = false;
            }
            let is_named = |folder: &PathBuf| paths.iter().any(|path| is_same(path, folder));
            let (named, unread): (Vec<_>, Vec<_>) =
                with_flows_within(path).into_iter().partition(is_named);
            if is_empty && named.is_empty() {
                return Err(FilesError::Empty(path.clone(), unread));
            }
            files.unread.extend(unread);
        } else if path.exists() {
            let name = add(&mut files.all, path)?;
            files.named.insert(name);
        } else {
            return Err(FilesError::Missing(path.clone()));
        }
    }
    let beside: BTreeSet<_> =
        paths.iter().filter(|path| path.is_file()).map(|path| folder_of(path)).collect();
    for folder in beside {
        add_calling(&mut files, folder)?;
        add_called(&mut files.all, folder)?;
    }
    Ok(files)
}

/// The file or folder that is meant: a name alone means a flow in ./flows, unless a folder is called so.
pub(crate) fn found(path: &Path) -> PathBuf {
    let is_name = path.extension().is_none() && path.components().count() == 1;
    let is_meant = if is_name { path.is_dir() } else { path.exists() };
    let named = || of_name(Path::new("flows"), path);
    if is_meant { path.to_owned() } else { named().unwrap_or_else(|| path.to_owned()) }
}

/// Whether both are the same, however they are written.
fn is_same(one: &Path, other: &Path) -> bool {
    let real = |path: &Path| path.canonicalize().ok();
    one == other || real(one).is_some_and(|one| Some(one) == real(other))
}

/// The flow of a folder that is called this or, if none is, whose file is.
pub(crate) fn of_name(folder: &Path, name: &Path) -> Option<PathBuf> {
    let same = folder.join(name).with_extension("toml");
    let is_called = |file: &PathBuf| {
        let text = read(file).ok()?;
        (Some(Path::new(&name_in(&text.text)?)) == Some(name)).then_some(())
    };
    let files = || flow_files(folder).unwrap_or_default();
    let called = std::iter::once(same.clone()).chain(files()).find(|it| is_called(it).is_some());
    called.or_else(|| same.is_file().then_some(same))
}

/// What a flow calls itself, whatever is wrong with the rest of it.
pub(crate) fn name_in(text: &str) -> Option<String> {
    let table: toml::Table = text.parse().ok()?;
    table.get("name").and_then(toml::Value::as_str).map(str::to_owned)
}

/// That flows in these folders are not read; empty: there are none.
pub(crate) fn not_read(folders: &[PathBuf]) -> String {
    let shown: Vec<_> = folders.iter().map(|it| format!("`{}`", it.display())).collect();
    match shown.as_slice() {
        [] => String::new(),
        shown => format!("; flows in folders within it are not read: {}", shown.join(", ")),
    }
}

/// So many files of a folder are looked at to see whether there are flows in it: thousands may be transcripts.
const LOOKED_AT: usize = 100;

/// The folders right in a folder that have flows in them.
fn with_flows_within(folder: &Path) -> Vec<PathBuf> {
    let is_flow = |file: &PathBuf| {
        let table = read(file).ok().and_then(|read| read.text.parse::<toml::Table>().ok());
        table.is_some_and(|table| table.contains_key("name") && table.contains_key("states"))
    };
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let folders = entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir());
    let mut folders: Vec<_> = folders
        .filter(|path| !is_hidden(path))
        .filter(|path| flow_files(path).is_ok_and(|it| it.iter().take(LOOKED_AT).any(is_flow)))
        .collect();
    folders.sort();
    folders
}

fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'))
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

fn called(flow: &Flow) -> Vec<FlowName> {
    flow.calls().cloned().collect()
}

/// Adds the flows of a folder that call the sub-flows among the flows read so far, and those that call
/// these.
fn add_calling(files: &mut Files, folder: &Path) -> Result<(), FilesError> {
    let (set, _) = flow::read(&files.all);
    let returns =
        |state: &State| matches!(&state.kind, Kind::Return(back) if back.outcome.is_some());
    let sub_flows = set.iter().filter(|flow| flow.states.values().any(returns));
    let mut wanted: VecDeque<_> = sub_flows.map(|flow| flow.name.clone()).collect();
    if wanted.is_empty() {
        return Ok(());
    }
    let mut calling: HashMap<FlowName, Vec<(FlowName, String, Text)>> = HashMap::new();
    for file in flow_files(folder)? {
        let Some(text) = read_listed(&file)? else { continue };
        let file = file.display().to_string();
        let Some(flow) = flow::read_one(&file, &text.text).0 else { continue };
        for name in called(&flow).into_iter().collect::<HashSet<_>>() {
            calling.entry(name).or_default().push((flow.name.clone(), file.clone(), text.clone()));
        }
    }
    let mut there: HashSet<_> = set.iter().map(|flow| flow.name.clone()).collect();
    while let Some(name) = wanted.pop_front() {
        for (name, file, text) in calling.remove(&name).unwrap_or_default() {
            if there.insert(name.clone()) {
                let file = take(&mut files.all, &file, text)?;
                files.calling.insert(file);
                wanted.push_back(name);
            }
        }
    }
    Ok(())
}

/// Adds the flows of a folder that the flows read so far call, and those that these call.
fn add_called(all: &mut Sources, folder: &Path) -> Result<(), FilesError> {
    let (set, _) = flow::read(all);
    let mut wanted: VecDeque<_> = set.iter().flat_map(|flow| called(flow)).collect();
    if wanted.iter().all(|name| set.get(name.as_str()).is_some()) {
        return Ok(());
    }
    let mut beside: HashMap<FlowName, Vec<(String, Text, Vec<FlowName>)>> = HashMap::new();
    for file in flow_files(folder)? {
        let Some(text) = read_listed(&file)? else { continue };
        let file = file.display().to_string();
        if let (Some(flow), _) = flow::read_one(&file, &text.text) {
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
    named_as_flows(folder).map(|(files, _)| files)
}

/// What has a flow file's name in a folder, in the order of the names: files and links to files; and everything
/// else.
fn named_as_flows(folder: &Path) -> Result<(Vec<PathBuf>, Vec<PathBuf>), FilesError> {
    let unreadable = |source| FilesError::Unreadable { path: folder.to_owned(), source };
    let (mut files, mut others) = (Vec::new(), Vec::new());
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let toml = path.extension().is_some_and(|extension| extension == "toml");
        if !toml || is_hidden(&path) {
            continue;
        }
        if path.is_file() {
            files.push(path);
        } else if path.is_symlink() || path.exists() {
            // Or it was just removed.
            others.push(path);
        }
    }
    if files.len() > limits::FLOWS_MAX {
        return Err(FilesError::TooMany);
    }
    files.sort();
    others.sort();
    Ok((files, others))
}

fn add(all: &mut Sources, path: &Path) -> Result<Arc<str>, FilesError> {
    take(all, &path.display().to_string(), read(path)?)
}

fn take(all: &mut Sources, file: &str, text: Text) -> Result<Arc<str>, FilesError> {
    let bytes = all.iter().map(|(_, text)| text.len()).sum::<usize>() + text.text.len();
    if bytes > limits::FLOWS_BYTES_MAX {
        return Err(FilesError::TooLarge);
    }
    Ok(all.add_read(file, text))
}

/// Reads a file that was in a folder when that was listed; `None`: it is gone again.
fn read_listed(path: &Path) -> Result<Option<Text>, FilesError> {
    match read(path) {
        Err(FilesError::Unreadable { source, .. })
            if source.kind() == std::io::ErrorKind::NotFound =>
        {
            Ok(None)
        }
        read => read.map(Some),
    }
}

/// Reads a file, or a pipe that was named; one that is far too large is not read to its end.
pub(crate) fn read(path: &Path) -> Result<Text, FilesError> {
    let unreadable = |source| FilesError::Unreadable { path: path.to_owned(), source };
    let most = limits::FLOW_BYTES_MAX * 4;
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(unreadable)?;
    file.take(most as u64 + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() > most {
        return Err(unreadable(std::io::Error::other("it is far too large for a flow")));
    }
    Ok(Text::read(bytes))
}

/// The same of a file that must be all text.
pub(crate) fn read_text(path: &Path) -> Result<String, FilesError> {
    let text = read(path)?;
    let Some(at) = text.foreign else { return Ok(text.text.as_ref().to_owned()) };
    let mut sources = Sources::default();
    let file = sources.add_read("", text);
    let position = sources.start(&Place { file, span: at..at });
    Err(FilesError::Encoding(path.to_owned(), position))
}
