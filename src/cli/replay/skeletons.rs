//! Writes transcripts for what no transcript reaches: each is run before it is written.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::super::counted;
use super::super::failure::Failure;
use crate::check::Cell;
use crate::flow::FlowSet;
use crate::replay::bless::bless;
use crate::replay::coverage::{at_words, takes};
use crate::replay::{Report, Transcript, run};
use crate::writing::create;

/// Writes one for each cell that no other of them comes to already, and says what was done. Nothing is
/// written if one of the files is there.
pub(super) async fn write<'c>(
    flows: &FlowSet,
    missing: impl Iterator<Item = &'c Cell>,
    folder: &Path,
) -> Result<Vec<String>, Failure> {
    let mut written: Vec<(PathBuf, String, Report)> = Vec::new();
    let (mut taken, mut unshown) = (BTreeSet::new(), 0_usize);
    for cell in missing {
        if written.iter().any(|(_, _, report)| takes(flows, report, cell)) {
            continue;
        }
        match played(flows, cell).await {
            Some((text, report)) => {
                written.push((folder.join(file_name(&mut taken, &name(cell))), text, report));
            }
            None => unshown += 1,
        }
    }
    if let Some((file, ..)) = written.iter().find(|(file, ..)| file.exists()) {
        let message = format!("`{}` is there already: choose another folder", file.display());
        return Err(Failure::usage(message));
    }
    std::fs::create_dir_all(folder).map_err(|error| {
        Failure::environment(format!("cannot make {}: {error}", folder.display()))
    })?;
    for (file, text, _) in &written {
        create(file, text).map_err(Failure::environment)?;
    }
    let count = counted(written.len(), "transcript", "transcripts");
    let mut told = vec![format!("{count} written to {}", folder.display())];
    if unshown > 0 {
        told.push(format!(
            "for {unshown} other cells no call was found: it may be that none is possible"
        ));
    }
    Ok(told)
}

/// The transcript of a cell with what came back; `None`: it does not get there.
async fn played(flows: &FlowSet, cell: &Cell) -> Option<(String, Report)> {
    let draft = format!("{}{}", head(cell), cell.transcript.as_ref()?);
    let (transcript, _) = Transcript::read("skeleton.toml", &draft);
    let report = run(&transcript?, flows).await;
    let stands = report.differences.iter().all(|difference| difference.key.is_some());
    if !stands || !takes(flows, &report, cell) {
        return None;
    }
    Some((bless(&draft, &report)?, report))
}

fn head(cell: &Cell) -> String {
    let mut text = format!("# No transcript came to {}:\n", words(cell));
    for (number, deed) in cell.script.iter().enumerate() {
        text.push_str(&format!("#   {}. {deed}\n", number + 1));
    }
    text + "# What must come back is what came back: read it before you keep it.\n\n"
}

fn words(cell: &Cell) -> String {
    let (flow, state) = &cell.at;
    let at: Vec<_> = cell.levels.iter().map(ToString::to_string).collect();
    format!("the way out {} of `{flow}.{state}` at {}", cell.way, at_words(&at))
}

/// A file's name that no other has, be capitals told apart or not: a state and its way may be spelled alike
/// once what file names have not is out of them.
fn file_name(taken: &mut BTreeSet<String>, name: &str) -> String {
    let mut free = name.to_owned();
    let mut number = 1_usize;
    while !taken.insert(free.to_lowercase()) {
        number += 1;
        free = format!("{name}-{number}");
    }
    free + ".toml"
}

/// What its file is called: where it begins, the state, the way, the levels.
fn name(cell: &Cell) -> String {
    let (flow, state) = &cell.at;
    let of_flow = if *flow == cell.start { String::new() } else { format!("{flow}-") };
    let way = cell.way.to_string().replace('*', "star").replace('#', "hash");
    let parts =
        [state.to_string(), way].into_iter().chain(cell.levels.iter().map(ToString::to_string));
    let name = format!("{of_flow}{}", parts.collect::<Vec<_>>().join("-"));
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
    format!("{}.{}", cell.start, name.chars().map(plain).collect::<String>())
}
