//! `check --write-fixtures`: a transcript of each hole, which shows it on the engine itself.

use std::path::{Path, PathBuf};

use crate::check::{Example, examples_telling};
use crate::cli::{Exit, counted, say};
use crate::diagnostic::alike::Telling;
use crate::flow::FlowSet;
use crate::replay::bless::bless;
use crate::replay::{Transcript, run};
use crate::writing::{create, replace};

/// Writes what was asked for; an existing file stays as it is, unless `force` says otherwise.
pub(super) fn write(
    flows: &FlowSet,
    folder: &Path,
    force: bool,
    telling: Telling,
) -> Result<(), Exit> {
    let mut played = Vec::new();
    let (examples, more) = examples_telling(flows, telling);
    for example in examples {
        match play(flows, &example) {
            Ok(text) => played.push((folder.join(format!("{}.toml", example.name)), text)),
            Err(why) => say(&format!("no call was found that shows `{}`: {why}", example.name)),
        }
    }
    let there: Vec<_> = played.iter().filter(|(file, _)| !force && file.exists()).collect();
    if let Some((file, _)) = there.first() {
        say(&format!("error: {} is there already; --force writes over it", file.display()));
        return Err(Exit::Usage);
    }
    let failed = |error: &dyn std::fmt::Display| {
        say(&format!("error: {error}"));
        Exit::Environment
    };
    std::fs::create_dir_all(folder)
        .map_err(|error| failed(&format!("cannot make {}: {error}", folder.display())))?;
    for (file, text) in &played {
        let written = if force { replace(file, text) } else { create(file, text) };
        written.map_err(|error| failed(&error))?;
    }
    let files: Vec<&PathBuf> = played.iter().map(|(file, _)| file).collect();
    let count = counted(files.len(), "transcript", "transcripts");
    say(&format!("{count} written to {}", folder.display()));
    if more > 0 {
        say(&format!("`--all` writes those of {more} more holes"));
    }
    Ok(())
}

/// The transcript of an example with what came back in it; `Err`: why it does not show the hole.
fn play(flows: &FlowSet, example: &Example) -> Result<String, String> {
    let Some(text) = &example.transcript else {
        return Err("nothing keyed in or used up before takes it that way".into());
    };
    let (transcript, findings) = Transcript::read(&example.name, text);
    let Some(transcript) = transcript else {
        return Err(findings.first().map(|finding| finding.message.clone()).unwrap_or_default());
    };
    let runtime = tokio::runtime::Runtime::new().map_err(|error| error.to_string())?;
    let report = runtime.block_on(run(&transcript, flows));
    let mends = |key: Option<&str>| key.is_some();
    if let Some(broken) = report.differences.iter().find(|difference| !mends(difference.key)) {
        return Err(broken.message.clone());
    }
    bless(text, &report).ok_or_else(|| "it is no TOML".into())
}
