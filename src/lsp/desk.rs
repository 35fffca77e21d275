//! What the editor has open, and its questions put to it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::{Path, PathBuf};

use lsp_types::{
    CodeAction, CodeActionKind, CodeActionParams, CompletionItem, CompletionItemKind,
    CompletionParams, CompletionTextEdit, Diagnostic, DiagnosticRelatedInformation,
    DiagnosticSeverity, DidChangeTextDocumentParams, DidCloseTextDocumentParams,
    DidOpenTextDocumentParams, DocumentChanges, DocumentFormattingParams, DocumentSymbol,
    DocumentSymbolParams, Documentation, GotoDefinitionParams, Hover, HoverContents, HoverParams,
    Location, MarkupContent, MarkupKind, NumberOrString, OneOf,
    OptionalVersionedTextDocumentIdentifier, PublishDiagnosticsParams, SymbolKind,
    TextDocumentEdit, TextDocumentPositionParams, TextEdit, Uri, WorkspaceEdit,
};
use url::Url;

use super::complete::{Candidate, complete};
use super::definition::definition;
use super::folder::{Folder, Paper};
use super::hover::hover;
use super::lines::{byte, range};
use super::outline::{Sort, outline};
use crate::diagnostic::fix::Edit;
use crate::diagnostic::{Finding, Severity};
use crate::files::{flow_files, read};
use crate::flow::canonical::{canonical, same};

/// The open files, by the names that the findings use.
#[derive(Debug, Default)]
pub(super) struct Desk {
    open: BTreeMap<String, Open>,
    /// The files for which findings were told last.
    told: BTreeSet<String>,
    stirred: bool,
}

#[derive(Debug)]
struct Open {
    uri: Uri,
    version: i32,
    text: String,
}

/// The name of a document: its path, or its address if it has none.
fn name_of(uri: &Uri) -> String {
    let path = Url::parse(uri.as_str()).ok().and_then(|url| url.to_file_path().ok());
    path.map_or_else(|| uri.as_str().to_owned(), |path| path.display().to_string())
}

impl Desk {
    pub(super) fn open(&mut self, opened: DidOpenTextDocumentParams) {
        let document = opened.text_document;
        let name = name_of(&document.uri);
        let open = Open { uri: document.uri, version: document.version, text: document.text };
        self.open.insert(name, open);
        self.stirred = true;
    }

    pub(super) fn change(&mut self, changed: DidChangeTextDocumentParams) {
        let Some(open) = self.open.get_mut(&name_of(&changed.text_document.uri)) else { return };
        if let Some(last) = changed.content_changes.into_iter().next_back() {
            open.text = last.text;
            open.version = changed.text_document.version;
        }
        self.stirred = true;
    }

    pub(super) fn close(&mut self, closed: &DidCloseTextDocumentParams) {
        self.open.remove(&name_of(&closed.text_document.uri));
        self.stirred = true;
    }

    /// Something has changed on disc.
    pub(super) fn stir(&mut self) {
        self.stirred = true;
    }

    /// What is to be told of each file, if anything may have changed.
    pub(super) fn findings(&mut self) -> Vec<PublishDiagnosticsParams> {
        if !std::mem::take(&mut self.stirred) {
            return Vec::new();
        }
        let mut told: BTreeMap<String, Vec<Diagnostic>> = BTreeMap::new();
        let folders: BTreeSet<_> = self.open.keys().map(|name| place_of(name)).collect();
        for place in folders {
            let Some(name) = self.open.keys().find(|name| place_of(name) == place) else {
                continue;
            };
            let folder = self.folder(name);
            for file in folder.papers.keys() {
                told.entry(file.clone()).or_default();
            }
            for finding in folder.check().1 {
                let Some(place) = finding.place() else { continue };
                if let Some(diagnostic) = self.diagnostic(&folder, &finding) {
                    told.entry(place.file.to_string()).or_default().push(diagnostic);
                }
            }
        }
        // What is wrong no longer is taken back.
        let gone: Vec<_> = self.told.iter().filter(|name| !told.contains_key(*name)).collect();
        let gone: Vec<_> = gone.into_iter().cloned().collect();
        self.told = told.keys().cloned().collect();
        told.extend(gone.into_iter().map(|name| (name, Vec::new())));
        let publish = |(name, diagnostics): (String, Vec<Diagnostic>)| {
            let version = self.open.get(&name).map(|open| open.version);
            Some(PublishDiagnosticsParams { uri: self.uri(&name)?, diagnostics, version })
        };
        told.into_iter().filter_map(publish).collect()
    }

    pub(super) fn hover(&self, asked: &HoverParams) -> Option<Hover> {
        let (folder, name, at) = self.at(&asked.text_document_position_params)?;
        let (span, page) = hover(&folder, &name, at)?;
        let text = &folder.papers.get(&name)?.text;
        Some(Hover {
            contents: HoverContents::Markup(markdown(page)),
            range: Some(range(text, &span)),
        })
    }

    pub(super) fn definition(&self, asked: &GotoDefinitionParams) -> Option<Location> {
        let (folder, name, at) = self.at(&asked.text_document_position_params)?;
        let (file, span) = definition(&folder, &name, at)?;
        self.location(&folder, &file, &span)
    }

    pub(super) fn complete(&self, asked: &CompletionParams) -> Vec<CompletionItem> {
        let Some((folder, name, at)) = self.at(&asked.text_document_position) else {
            return Vec::new();
        };
        let Some(paper) = folder.papers.get(&name) else { return Vec::new() };
        let item = |candidate: Candidate| CompletionItem {
            kind: Some(CompletionItemKind::VALUE),
            detail: Some(candidate.about).filter(|about| !about.is_empty()),
            documentation: Some(candidate.page)
                .filter(|page| !page.is_empty())
                .map(|page| Documentation::MarkupContent(markdown(page))),
            text_edit: Some(CompletionTextEdit::Edit(TextEdit {
                range: range(&paper.text, &candidate.span),
                new_text: candidate.text,
            })),
            label: candidate.name,
            ..CompletionItem::default()
        };
        complete(&folder, &name, at).into_iter().map(item).collect()
    }

    pub(super) fn outline(&self, asked: &DocumentSymbolParams) -> Vec<DocumentSymbol> {
        let Some(open) = self.open.get(&name_of(&asked.text_document.uri)) else {
            return Vec::new();
        };
        let paper = Paper::new(open.text.as_str());
        let symbol = |entry: super::outline::Entry| {
            #[expect(deprecated, reason = "the type still has the field")]
            DocumentSymbol {
                name: entry.name,
                detail: entry.detail,
                kind: match entry.sort {
                    Sort::State => SymbolKind::CLASS,
                    Sort::Level => SymbolKind::KEY,
                    Sort::Hours => SymbolKind::CONSTANT,
                },
                tags: None,
                deprecated: None,
                range: range(&paper.text, &entry.whole),
                selection_range: range(&paper.text, &entry.span),
                children: None,
            }
        };
        outline(&paper).into_iter().map(symbol).collect()
    }

    /// The one layout, as one edit; none if the file is no TOML or is laid out already.
    pub(super) fn lay_out(&self, asked: &DocumentFormattingParams) -> Option<Vec<TextEdit>> {
        let text = &self.open.get(&name_of(&asked.text_document.uri))?.text;
        let new_text = canonical(text)?;
        if new_text == *text || !same(&new_text, text) {
            return None;
        }
        Some(vec![TextEdit { range: range(text, &(0..text.len())), new_text }])
    }

    /// What mends the findings of a range, where there is no doubt what was meant.
    pub(super) fn mend(&self, asked: &CodeActionParams) -> Vec<CodeAction> {
        let name = name_of(&asked.text_document.uri);
        let Some(open) = self.open.get(&name) else { return Vec::new() };
        let (start, end) = (byte(&open.text, asked.range.start), byte(&open.text, asked.range.end));
        let folder = self.folder(&name);
        let (_, findings) = folder.check();
        let meant = findings.iter().filter(|finding| {
            let place = finding.place().filter(|place| *place.file == *name);
            place.is_some_and(|place| place.span.start <= end && start <= place.span.end)
        });
        let action = |finding: &Finding| {
            let fix = finding.fix.as_ref()?;
            let edit = |edit: &Edit| {
                let new_text = edit.text.clone();
                OneOf::Left(TextEdit { range: range(&open.text, &edit.place.span), new_text })
            };
            let edits = TextDocumentEdit {
                text_document: OptionalVersionedTextDocumentIdentifier {
                    uri: open.uri.clone(),
                    version: Some(open.version),
                },
                edits: fix.edits.iter().map(edit).collect(),
            };
            Some(CodeAction {
                title: fix.title.clone(),
                kind: Some(CodeActionKind::QUICKFIX),
                diagnostics: self.diagnostic(&folder, finding).map(|diagnostic| vec![diagnostic]),
                edit: Some(WorkspaceEdit {
                    document_changes: Some(DocumentChanges::Edits(vec![edits])),
                    ..WorkspaceEdit::default()
                }),
                is_preferred: Some(true),
                ..CodeAction::default()
            })
        };
        meant.filter_map(action).collect()
    }

    fn at(&self, asked: &TextDocumentPositionParams) -> Option<(Folder, String, usize)> {
        let name = name_of(&asked.text_document.uri);
        let open = self.open.get(&name)?;
        let at = byte(&open.text, asked.position);
        let mut folder = self.folder(&name);
        // The file itself is answered about, whatever it is.
        folder.papers.entry(name.clone()).or_insert_with(|| Paper::new(open.text.as_str()));
        Some((folder, name, at))
    }

    /// The flows of the folder that a file is in, as they are open, and else as they are on disc.
    fn folder(&self, name: &str) -> Folder {
        let place = place_of(name);
        let mut texts = BTreeMap::new();
        // A folder that cannot be read has in it what is open.
        for file in place.as_deref().and_then(|place| flow_files(place).ok()).unwrap_or_default() {
            if let Ok(text) = read(&file) {
                texts.insert(file.display().to_string(), Paper::of(text));
            }
        }
        let open = self.open.iter().filter(|(other, _)| place_of(other) == place);
        let alone = |other: &str| place.is_some() || other == name;
        for (name, open) in open.filter(|(other, _)| alone(other)) {
            texts.insert(name.clone(), Paper::new(open.text.as_str()));
        }
        Folder { papers: texts.into_iter().filter(|(_, paper)| paper.is_flow()).collect() }
    }

    fn diagnostic(&self, folder: &Folder, finding: &Finding) -> Option<Diagnostic> {
        let place = finding.place()?;
        let text = &folder.papers.get(&*place.file)?.text;
        let related = finding.labels.iter().skip(1).filter_map(|label| {
            let location = self.location(folder, &label.place.file, &label.place.span)?;
            Some(DiagnosticRelatedInformation { location, message: label.text.clone() })
        });
        let related: Vec<_> = related.collect();
        let help = finding.help.as_ref().map(|help| format!("\n{help}")).unwrap_or_default();
        Some(Diagnostic {
            range: range(text, &place.span),
            severity: Some(match finding.severity {
                Severity::Error => DiagnosticSeverity::ERROR,
                Severity::Warning => DiagnosticSeverity::WARNING,
            }),
            code: Some(NumberOrString::String(finding.code.to_owned())),
            source: Some("callgate".to_owned()),
            message: format!("{}{help}", finding.message),
            related_information: (!related.is_empty()).then_some(related),
            ..Diagnostic::default()
        })
    }

    fn location(&self, folder: &Folder, file: &str, span: &Range<usize>) -> Option<Location> {
        let text = &folder.papers.get(file)?.text;
        Some(Location { uri: self.uri(file)?, range: range(text, span) })
    }

    /// The address of a file, as the editor writes it if it has the file open.
    fn uri(&self, name: &str) -> Option<Uri> {
        if let Some(open) = self.open.get(name) {
            return Some(open.uri.clone());
        }
        let url = Url::from_file_path(name).map(String::from);
        url.unwrap_or_else(|()| name.to_owned()).parse().ok()
    }
}

/// The folder of a file; a document that is no file is in none.
fn place_of(name: &str) -> Option<PathBuf> {
    let path = Path::new(name);
    path.is_absolute().then(|| path.parent().map(Path::to_owned)).flatten()
}

fn markdown(value: String) -> MarkupContent {
    MarkupContent { kind: MarkupKind::Markdown, value }
}
