//! The language server: what editors ask about flow files, answered.
//!
//! The answers are functions of texts and a place in them (`hover`, `complete`, …), bytes in and bytes
//! out; [`desk`] holds what the editor has open, and turns questions and answers into the protocol's.
//! This file is the loop.

pub mod complete;
pub mod definition;
mod desk;
pub mod folder;
pub mod hover;
pub mod lines;
pub mod outline;
pub mod sketch;
pub mod word;

use lsp_server::{Connection, ErrorCode, Message, Notification, Request, Response};
use lsp_types::notification::{
    DidChangeTextDocument, DidChangeWatchedFiles, DidCloseTextDocument, DidOpenTextDocument,
    DidSaveTextDocument, Notification as _, PublishDiagnostics,
};
use lsp_types::request::{
    CodeActionRequest, Completion, DocumentSymbolRequest, Formatting, GotoDefinition, HoverRequest,
    Request as _, Shutdown,
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

/// Why the server ended before the editor said so.
#[derive(Debug, thiserror::Error)]
pub enum LspError {
    /// What came was not the protocol, or the editor has gone.
    #[error("the editor does not speak the language server protocol: {0}")]
    Protocol(#[from] lsp_server::ProtocolError),
    /// Standard input or output failed.
    #[error("the line to the editor broke: {0}")]
    Line(#[from] std::io::Error),
}

/// Serves the editor on standard input and output until it says to end, or has gone. `false`: it did not say
/// beforehand that it was about to (`shutdown`).
pub fn serve() -> Result<bool, LspError> {
    let (connection, threads) = Connection::stdio();
    let (id, _) = connection.initialize_start()?;
    let name = json!({ "name": "callgate", "version": env!("CARGO_PKG_VERSION") });
    let result = json!({ "capabilities": capabilities(), "serverInfo": name });
    send(&connection, Response::new_ok(id, result));
    let was_told = answer_all(&connection);
    drop(connection);
    threads.join()?;
    Ok(was_told)
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

/// Takes what has come, and tells the findings when nothing more is waiting: who types fast is not
/// answered for each letter. Whether the editor said that it was about to end.
fn answer_all(connection: &Connection) -> bool {
    let mut desk = Desk::default();
    let mut was_told = false;
    while let Ok(first) = connection.receiver.recv() {
        let mut next = Some(first);
        while let Some(message) = next {
            match message {
                Message::Request(Request { id, .. }) if was_told => {
                    let (code, told) =
                        (ErrorCode::InvalidRequest as i32, "`shutdown` was asked for");
                    send(connection, Response::new_err(id, code, told.to_owned()));
                }
                Message::Request(Request { id, method, .. }) if method == Shutdown::METHOD => {
                    was_told = true;
                    send(connection, Response::new_ok(id, Value::Null));
                }
                Message::Request(request) => send(connection, answer(&desk, request)),
                Message::Notification(told) => take(&mut desk, told),
                Message::Response(_) => {}
            }
            next = connection.receiver.try_recv().ok();
        }
        for found in desk.findings() {
            send(connection, Notification::new(PublishDiagnostics::METHOD.to_owned(), found));
        }
    }
    was_told
}

/// An editor that has gone away ends the loop where it reads.
fn send(connection: &Connection, message: impl Into<Message>) {
    let _ = connection.sender.send(message.into());
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
