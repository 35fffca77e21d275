//! Many transcripts at once: found in folders, run side by side, blessed where they are.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::task::JoinSet;

use super::bless::bless;
use super::{Difference, Layout, Report, Transcript, run};
use crate::diagnostic::encoding::Text;
use crate::diagnostic::{Finding, Sources, any_error};
use crate::files::{self, FilesError};
use crate::flow::{self, FlowSet};
use crate::writing::{WriteError, replace};

/// The folder of flows beside transcripts: nothing in it is a transcript.
const FLOWS: &str = "flows";

/// What came of one file.
#[derive(Debug)]
pub struct Outcome {
    /// The file, as it was found.
    pub file: PathBuf,
    /// What is wrong with the transcript as a file; if anything is, it was not run.
    pub findings: Vec<Finding>,
    /// What came of the call.
    pub report: Report,
    /// Whether what came back was written into it.
    pub blessed: bool,
    /// The texts that places point into.
    pub sources: Sources,
}

/// Why nothing could be run at all.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// Something cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// What.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Nor can flows.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// Something cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// Somebody else was quicker.
    #[error("{} was changed meanwhile; it is as it was left", .0.display())]
    Changed(PathBuf),
    /// The flows are wrong.
    #[error("the flows in {} have errors: run `callgate check {}`", .0.display(), .0.display())]
    Flows(PathBuf),
}

/// What is to be run.
#[derive(Clone, Debug, Default)]
pub struct Wish {
    /// Files and folders.
    pub paths: Vec<PathBuf>,
    /// Runs only those whose path contains this.
    pub filter: Option<String>,
    /// The folder of flows of transcripts that name none.
    pub flows: PathBuf,
    /// Whether to write what came back into the files.
    pub bless: bool,
}

impl Outcome {
    /// If a file is no text, the others are run all the same.
    fn undeciphered(file: PathBuf, text: Text) -> Self {
        let mut sources = Sources::default();
        let name = file.display().to_string();
        let findings = text.finding(&name.as_str().into()).into_iter().collect();
        sources.add_read(&name, text);
        Self { file, findings, report: Report::default(), blessed: false, sources }
    }

    /// Whether everything came as expected, or was blessed.
    pub fn passed(&self) -> bool {
        !any_error(&self.findings) && self.open_differences().next().is_none()
    }

    /// What is wrong, one entry for each: findings of the file, or differences of the call.
    pub fn lines(&self, layout: Layout) -> Vec<String> {
        let file = self.file.display().to_string();
        let findings = self.findings.iter().map(|finding| {
            let place = finding.place().map(|place| self.sources.start(place));
            let (line, column) = place.map_or((1, 1), |start| (start.line, start.column));
            let severity = finding.severity.as_str();
            let help = finding.help.as_ref().map(|help| format!("\n    help: {help}"));
            let (code, message) = (finding.code, &finding.message);
            format!(
                "{file}:{line}:{column}: {severity}[{code}]: {message}{}",
                help.unwrap_or_default()
            )
        });
        let differences = self.open_differences().map(|it| it.lines(&file, &self.sources, layout));
        findings.chain(differences).collect()
    }

    /// The documents of the turns that differ, a line each, below what was sent.
    pub fn documents(&self) -> Vec<String> {
        let mut turns: Vec<_> = self.open_differences().filter_map(|it| it.turn).collect();
        turns.dedup();
        let file = self.file.display();
        let document = |turn: &usize| {
            let came = self.report.turns.get(*turn)?;
            let lines = came.twiml.lines().map(|line| format!("    {line}"));
            let head = format!("{file}: what came in turn {}", turn + 1);
            Some(std::iter::once(head).chain(lines).collect::<Vec<_>>())
        };
        turns.iter().filter_map(document).flatten().collect()
    }

    /// The differences that blessing did not mend.
    pub fn open_differences(&self) -> impl Iterator<Item = &Difference> {
        let mended = self.blessed;
        self.report.differences.iter().filter(move |it| !mended || it.key.is_none())
    }
}

/// Runs the transcripts that are asked for, in the order of their names.
pub async fn run_all(wish: &Wish) -> Result<Vec<Outcome>, FolderError> {
    run_telling(wish, &mut |_, _| {}).await
}

/// The same, reporting how many of how many are done.
///
/// Blessed files are written only when all have run: if that is interrupted, the old files are left.
pub async fn run_telling(
    wish: &Wish,
    tell: &mut (dyn FnMut(usize, usize) + Send),
) -> Result<Vec<Outcome>, FolderError> {
    let mut files = Vec::new();
    for path in &wish.paths {
        find(path, &mut files)?;
    }
    files.sort();
    files.dedup();
    if let Some(filter) = &wish.filter {
        files.retain(|file| file.to_string_lossy().contains(filter.as_str()));
    }
    let shelf = Arc::new(Shelf::default());
    let runs = files.into_iter().map(|file| {
        let (shelf, flows) = (shelf.clone(), wish.flows.clone());
        async move {
            let text = read_text(&file)?;
            if text.foreign.is_some() {
                return Ok(Outcome::undeciphered(file, text));
            }
            run_text(file, &text.text, &flows, &shelf).await
        }
    });
    let mut outcomes = side_by_side(runs, tell).await?;
    if wish.bless {
        for outcome in &mut outcomes {
            write_blessed(outcome)?;
        }
    }
    Ok(outcomes)
}

/// Runs transcripts that lie in no folder: by name and text, against the flows of a folder.
pub async fn run_texts(
    texts: &[(PathBuf, String)],
    flows: &Path,
) -> Result<Vec<Outcome>, FolderError> {
    let shelf = Arc::new(Shelf::default());
    let runs = texts.iter().cloned().map(|(name, text)| {
        let (shelf, flows) = (shelf.clone(), flows.to_owned());
        async move { run_text(name, &text, &flows, &shelf).await }
    });
    side_by_side(runs, &mut |_, _| {}).await
}

/// Runs them all at once, and returns the results in their order.
async fn side_by_side<R>(
    runs: impl Iterator<Item = R>,
    tell: &mut (dyn FnMut(usize, usize) + Send),
) -> Result<Vec<Outcome>, FolderError>
where
    R: Future<Output = Result<Outcome, FolderError>> + Send + 'static,
{
    let mut running = JoinSet::new();
    for (index, run) in runs.enumerate() {
        running.spawn(async move { (index, run.await) });
    }
    let all = running.len();
    tell(0, all);
    let mut outcomes = BTreeMap::new();
    while let Some(done) = running.join_next().await {
        // A run that panicked is a bug, and must not pass as a transcript that did.
        let (index, outcome) = match done {
            Ok(done) => done,
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_) => continue,
        };
        outcomes.insert(index, outcome?);
        tell(outcomes.len(), all);
    }
    Ok(outcomes.into_values().collect())
}

/// The transcripts of a folder and of those inside it, or the one file.
fn find(path: &Path, files: &mut Vec<PathBuf>) -> Result<(), FolderError> {
    let failed = |source| FolderError::Read { path: path.to_owned(), source };
    if std::fs::metadata(path).map_err(failed)?.is_file() {
        files.push(path.to_owned());
        return Ok(());
    }
    for entry in std::fs::read_dir(path).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let inside = entry.path();
        let is_folder = entry.file_type().map_err(failed)?.is_dir();
        if is_folder && entry.file_name() != FLOWS {
            find(&inside, files)?;
        } else if !is_folder && inside.extension().is_some_and(|extension| extension == "toml") {
            files.push(inside);
        }
    }
    Ok(())
}

/// Writes what came back into the file that was run.
fn write_blessed(outcome: &mut Outcome) -> Result<(), FolderError> {
    if any_error(&outcome.findings) {
        return Ok(());
    }
    let text = read_text(&outcome.file)?.text;
    if outcome.sources.text(&outcome.file.display().to_string()).is_none_or(|ran| *ran != text) {
        return Err(FolderError::Changed(outcome.file.clone()));
    }
    if let Some(blessed) = bless(&text, &outcome.report) {
        if *blessed != *text {
            replace(&outcome.file, &blessed)?;
        }
        outcome.blessed = true;
    }
    Ok(())
}

async fn run_text(
    file: PathBuf,
    text: &str,
    flows: &Path,
    shelf: &Shelf,
) -> Result<Outcome, FolderError> {
    let mut sources = Sources::default();
    let name = file.display().to_string();
    sources.add(&name, text);
    let (transcript, findings) = Transcript::read(&name, text);
    let mut outcome =
        Outcome { file, findings, report: Report::default(), blessed: false, sources };
    let Some(transcript) = transcript else { return Ok(outcome) };
    let folder = match &transcript.flows {
        Some(own) => outcome.file.parent().unwrap_or(Path::new(".")).join(own),
        None => flows.to_owned(),
    };
    let flows = shelf.flows(&folder)?;
    outcome.report = run(&transcript, &flows).await;
    Ok(outcome)
}

/// Flows by folder, each read once.
#[derive(Debug, Default)]
struct Shelf(Mutex<HashMap<PathBuf, FlowSet>>);

impl Shelf {
    fn flows(&self, folder: &Path) -> Result<FlowSet, FolderError> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(flows) = known.get(folder) {
            return Ok(flows.clone());
        }
        let flows = flows(folder)?;
        known.insert(folder.to_owned(), flows.clone());
        Ok(flows)
    }
}

/// The flows of a folder, if there is nothing wrong in them.
pub fn flows(folder: &Path) -> Result<FlowSet, FolderError> {
    let files = files::flows(&[folder.to_owned()])?;
    let (flows, findings) = flow::read(&files.all);
    if any_error(&findings) {
        return Err(FolderError::Flows(folder.to_owned()));
    }
    Ok(flows)
}

/// Reads a file. A pipe, which may never end, is not read.
fn read_text(file: &Path) -> Result<Text, FolderError> {
    let read = std::fs::metadata(file).and_then(|found| {
        if found.is_file() {
            std::fs::read(file).map(Text::read)
        } else {
            Err(io::Error::other("it is no file, and no link to one"))
        }
    });
    read.map_err(|source| FolderError::Read { path: file.to_owned(), source })
}
