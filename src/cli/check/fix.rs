//! `check --fix`: corrects what can only be a slip.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use crate::check::check_sources_telling;
use crate::cli::{Exit, counted, say};
use crate::diagnostic::alike::Telling;
use crate::diagnostic::fix::{Fix, Fixed, apply};
use crate::diagnostic::{Finding, SYNTAX, Sources};
use crate::files::{Files, read_text};
use crate::writing::replace;

/// Rounds: a correction may reveal another slip, or lie beside one.
const ROUNDS_MAX: usize = 8;

/// Corrects what was named, file by file, and says what was done. A file is written once, beside its place, and
/// then moved there; everything else in it stays as it is.
pub(super) fn mend(files: &mut Files) -> Result<(), Exit> {
    let mut mended: BTreeMap<Arc<str>, Arc<str>> = BTreeMap::new();
    let mut told = Vec::new();
    for _ in 0..ROUNDS_MAX {
        let texts = round(&files.all, |file| files.named.contains(file), &mut told);
        if texts.is_empty() {
            break;
        }
        for (file, text) in texts {
            let before = files.all.text(&file).cloned().unwrap_or_default();
            files.all.add(&file, text);
            mended.entry(file).or_insert(before);
        }
    }
    for (file, before) in &mended {
        let after = files.all.text(file).cloned().unwrap_or_default();
        write(file, before, &after)?;
    }
    for line in &told {
        say(line);
    }
    if !told.is_empty() {
        say(&format!(
            "{} in {}",
            counted(told.len(), "fix", "fixes"),
            counted(mended.len(), "file", "files")
        ));
    }
    Ok(())
}

/// The files that one round of fixes changes, with their new text.
fn round(
    sources: &Sources,
    named: impl Fn(&str) -> bool,
    told: &mut Vec<String>,
) -> Vec<(Arc<str>, String)> {
    let (_, findings) = check_sources_telling(sources, Telling::Everything);
    let mut texts = Vec::new();
    for (file, text) in sources.iter().filter(|(file, _)| named(file)) {
        let here = |finding: &&Finding| finding.place().is_some_and(|place| place.file == *file);
        let own: Vec<_> = findings.iter().filter(here).collect();
        if own.iter().any(|finding| finding.code == SYNTAX) {
            // In a file that cannot be read to its end, positions are not certain.
            continue;
        }
        let with: Vec<_> = own.into_iter().filter(|finding| finding.fix.is_some()).collect();
        let fixes: Vec<_> = with.iter().filter_map(|finding| finding.fix.as_ref()).collect();
        let Some(fixed) = sound(text, &fixes) else { continue };
        for finding in fixed.done.iter().filter_map(|number| with.get(*number)) {
            let line = finding.place().map_or(1, |place| sources.start(place).line);
            let title = finding.fix.as_ref().map_or("", |fix| &*fix.title);
            told.push(format!("fixed {file}:{line}: {}: {title}", finding.message));
        }
        texts.push((file.clone(), fixed.text));
    }
    texts
}

/// The text with its corrections; `None`: there are none.
fn sound(text: &str, fixes: &[&Fix]) -> Option<Fixed> {
    let is_sound =
        |fixed: &Fixed| !fixed.done.is_empty() && fixed.text.parse::<toml::Table>().is_ok();
    let all = Some(apply(text, fixes)).filter(is_sound);
    // Two keys that should be the same one cannot both become it.
    all.or_else(|| {
        fixes.iter().enumerate().find_map(|(number, fix)| {
            let one = Some(apply(text, &[*fix])).filter(is_sound)?;
            Some(Fixed { done: vec![number], ..one })
        })
    })
}

/// Writes a file, unless somebody has changed it meanwhile.
fn write(file: &str, before: &str, after: &str) -> Result<(), Exit> {
    let failed = |error: &dyn std::fmt::Display| {
        say(&format!("error: {error}"));
        Exit::Environment
    };
    let path = Path::new(file);
    if read_text(path).map_err(|error| failed(&error))? != before {
        return Err(failed(&format!("{file} was changed meanwhile; it is as it was left")));
    }
    replace(path, after).map_err(|error| failed(&error))
}

/// How many findings carry a fix, for people; `None`: none does.
pub(super) fn offer(findings: &[Finding]) -> Option<String> {
    match findings.iter().filter(|finding| finding.fix.is_some()).count() {
        0 => None,
        count => Some(format!("`--fix` mends {count} of them")),
    }
}
