//! The language server: what editors ask about flow files, answered.
//!
//! The answers are functions of texts and a place in them (`hover`, `complete`, …), bytes in and bytes
//! out; [`desk`] holds what the editor has open, and turns questions and answers into the protocol's;
//! [`line`] reads and writes messages. This file is the loop.

pub mod complete;
pub mod definition;
mod desk;
pub mod folder;
pub mod hover;
mod line;
pub mod lines;
pub mod outline;
pub mod sketch;
pub mod word;

use std::io::{self, Stdout};
use std::sync::mpsc::Receiver;

use lsp_server::{ErrorCode, Message, Notification, Request, Response};
use lsp_types::notification::{
    DidChangeTextDocument, DidChangeWatchedFiles, DidCloseTextDocument, DidOpenTextDocument,
    DidSaveTextDocument, Initialized, Notification as _, PublishDiagnostics,
};
use lsp_types::request::{
    CodeActionRequest, Completion, DocumentSymbolRequest, Formatting, GotoDefinition, HoverRequest,
    Initialize, RegisterCapability, Request as _, Shutdown,
};
use lsp_types::{
    CodeActionKind, CodeActionOptions, CodeActionProviderCapability, CompletionOptions,
    HoverProviderCapability, OneOf, ServerCapabilities, TextDocumentSyncCapability,
    TextDocumentSyncKind,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use desk::Desk;
use line::Came;

pub use line::LineError;

/// Why the server ended before the editor said so.
#[derive(Debug, thiserror::Error)]
pub enum LspError {
    /// What came was not the protocol, or the editor has gone.
    #[error("the editor does not speak the language server protocol: {0}")]
    Protocol(#[source] LineError),
    /// Standard input failed, or nobody could listen to it.
    #[error("the line to the editor broke: {0}")]
    Line(#[from] io::Error),
}

impl From<LineError> for LspError {
    fn from(error: LineError) -> Self {
        match error {
            LineError::Io(error) => Self::Line(error),
            error => Self::Protocol(error),
        }
    }
}

/// Serves the editor on standard input and output until it says to end, or has gone. `false`: it did not say
/// beforehand that it was about to (`shutdown`).
pub fn serve() -> Result<bool, LspError> {
    Server {
        came: line::listen()?,
        output: io::stdout(),
        stage: Stage::Unknown,
        can_watch: false,
        desk: Desk::default(),
    }
    .run()
}

/// How far the two have got.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The editor has not said who it is.
    Unknown,
    /// It works.
    Open,
    /// It has said that it will end.
    Closing,
}

/// One editor being served.
struct Server {
    came: Receiver<Result<Came, LineError>>,
    output: Stdout,
    stage: Stage,
    /// Whether the editor tells of files that others write, if it is asked to.
    can_watch: bool,
    desk: Desk,
}

impl Server {
    /// Takes what has come, and tells the findings when nothing more is waiting: who types fast is not
    /// answered for each letter. Whether the editor said that it was about to end.
    fn run(mut self) -> Result<bool, LspError> {
        while let Ok(first) = self.came.recv() {
            let mut next = Some(first);
            while let Some(came) = next {
                match came {
                    Ok(Came::Message(message)) => self.take(message),
                    Ok(Came::Garbled { id, code }) => {
                        gone(line::refuse(&mut self.output, &id, code));
                    }
                    Ok(Came::End) => {}
                    Err(error) => {
                        gone(line::refuse(&mut self.output, &Value::Null, ErrorCode::ParseError));
                        return Err(error.into());
                    }
                }
                next = self.came.try_recv().ok();
            }
            for found in self.desk.findings() {
                self.send(Notification::new(PublishDiagnostics::METHOD.to_owned(), found));
            }
        }
        Ok(self.stage == Stage::Closing)
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Request(request) => {
                let answer = self.answer(request);
                self.send(answer);
            }
            Message::Notification(told) if self.stage != Stage::Unknown => {
                if self.can_watch && told.method == Initialized::METHOD {
                    self.send(watch());
                }
                take(&mut self.desk, told);
            }
            Message::Notification(_) | Message::Response(_) => {}
        }
    }

    fn answer(&mut self, request: Request) -> Response {
        let refused =
            |id, code: ErrorCode, told: &str| Response::new_err(id, code as i32, told.to_owned());
        match (self.stage, request.method.as_str()) {
            (Stage::Unknown, Initialize::METHOD) => {
                self.stage = Stage::Open;
                let asked = "/capabilities/workspace/didChangeWatchedFiles/dynamicRegistration";
                self.can_watch = request.params.pointer(asked) == Some(&Value::Bool(true));
                let name = json!({ "name": "callgate", "version": env!("CARGO_PKG_VERSION") });
                let result = json!({ "capabilities": capabilities(), "serverInfo": name });
                Response::new_ok(request.id, result)
            }
            (Stage::Unknown, _) => {
                refused(request.id, ErrorCode::ServerNotInitialized, "`initialize` comes first")
            }
            (Stage::Open, Initialize::METHOD) => {
                refused(request.id, ErrorCode::InvalidRequest, "`initialize` has been asked for")
            }
            (Stage::Open, Shutdown::METHOD) => {
                self.stage = Stage::Closing;
                Response::new_ok(request.id, Value::Null)
            }
            (Stage::Open, _) => answer(&self.desk, request),
            (Stage::Closing, _) => {
                refused(request.id, ErrorCode::InvalidRequest, "`shutdown` was asked for")
            }
        }
    }

    fn send(&mut self, message: impl Into<Message>) {
        gone(message.into().write(&mut self.output));
    }
}

/// An editor that has gone away ends the loop where it reads.
fn gone(written: io::Result<()>) {
    drop(written);
}

/// Asks to be told when another program writes a flow: an editor says nothing of that by itself.
fn watch() -> Request {
    let flows = json!({ "watchers": [{ "globPattern": "**/*.toml" }] });
    let files =
        json!({ "id": "flows", "method": DidChangeWatchedFiles::METHOD, "registerOptions": flows });
    let params = json!({ "registrations": [files] });
    Request::new("flows".to_owned().into(), RegisterCapability::METHOD.to_owned(), params)
}

fn capabilities() -> ServerCapabilities {
    let signs = [".", "\"", "{", "[", " "].map(str::to_owned).to_vec();
    ServerCapabilities {
        text_document_sync: Some(TextDocumentSyncCapability::Kind(TextDocumentSyncKind::FULL)),
        hover_provider: Some(HoverProviderCapability::Simple(true)),
        definition_provider: Some(OneOf::Left(true)),
        document_symbol_provider: Some(OneOf::Left(true)),
        document_formatting_provider: Some(OneOf::Left(true)),
        code_action_provider: Some(CodeActionProviderCapability::Options(CodeActionOptions {
            code_action_kinds: Some(vec![CodeActionKind::QUICKFIX]),
            ..CodeActionOptions::default()
        })),
        completion_provider: Some(CompletionOptions {
            trigger_characters: Some(signs),
            ..CompletionOptions::default()
        }),
        ..ServerCapabilities::default()
    }
}

fn take(desk: &mut Desk, told: Notification) {
    let Notification { method, params } = told;
    // What cannot be read changes nothing.
    let _ = match method.as_str() {
        DidOpenTextDocument::METHOD => with(params, |opened| desk.open(opened)),
        DidChangeTextDocument::METHOD => with(params, |changed| desk.change(changed)),
        DidCloseTextDocument::METHOD => with(params, |closed| desk.close(&closed)),
        DidSaveTextDocument::METHOD | DidChangeWatchedFiles::METHOD => {
            desk.stir();
            Ok(Value::Null)
        }
        _ => Ok(Value::Null),
    };
}

fn answer(desk: &Desk, request: Request) -> Response {
    let Request { id, method, params } = request;
    let result = match method.as_str() {
        HoverRequest::METHOD => with(params, |asked| desk.hover(&asked)),
        GotoDefinition::METHOD => with(params, |asked| desk.definition(&asked)),
        Completion::METHOD => with(params, |asked| desk.complete(&asked)),
        DocumentSymbolRequest::METHOD => with(params, |asked| desk.outline(&asked)),
        CodeActionRequest::METHOD => with(params, |asked| desk.mend(&asked)),
        Formatting::METHOD => with(params, |asked| desk.lay_out(&asked)),
        _ => Err((ErrorCode::MethodNotFound, format!("`{method}` is not known here"))),
    };
    match result {
        Ok(value) => Response::new_ok(id, value),
        Err((code, message)) => Response::new_err(id, code as i32, message),
    }
}

fn with<P: DeserializeOwned, R: Serialize>(
    params: Value,
    answer: impl FnOnce(P) -> R,
) -> Result<Value, (ErrorCode, String)> {
    let params =
        serde_json::from_value(params).map_err(|e| (ErrorCode::InvalidParams, e.to_string()))?;
    serde_json::to_value(answer(params)).map_err(|e| (ErrorCode::InternalError, e.to_string()))
}
