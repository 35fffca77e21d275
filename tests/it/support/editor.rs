//! An editor: the program's language server on its standard input and output.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, ChildStdout, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};

use serde_json::{Value, json};

use super::eventually::PATIENCE;
use super::house::command_in;
use super::process::Process;

/// A running server with a folder of flows.
pub(crate) struct Editor {
    pub(crate) folder: tempfile::TempDir,
    server: Process,
    input: ChildStdin,
    /// What the server says.
    messages: Receiver<Value>,
    last_id: u64,
}

impl Editor {
    /// Starts a server, and shakes hands.
    pub(crate) fn start() -> Self {
        Self::able(&json!({}))
    }

    /// The same for an editor that is able to do so much.
    pub(crate) fn able(capabilities: &Value) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let server = command_in(folder.path())
            .arg("lsp")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut server = Process(server);
        let (input, output) = (server.0.stdin.take().unwrap(), server.0.stdout.take().unwrap());
        let (heard, messages) = channel();
        std::thread::spawn(move || {
            let mut output = BufReader::new(output);
            while let Some(message) = next(&mut output) {
                // Whoever listened may be done.
                let _ = heard.send(message);
            }
        });
        let mut editor = Self { folder, server, input, messages, last_id: 0 };
        let hello = json!({"processId": null, "rootUri": null, "capabilities": capabilities});
        let able = editor.ask("initialize", &hello);
        assert_eq!(able["capabilities"]["hoverProvider"], true);
        editor.tell("initialized", &json!({}));
        editor
    }

    /// The path of a file in the folder.
    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.folder.path().canonicalize().unwrap().join(file)
    }

    /// Writes a file beside those that are opened.
    pub(crate) fn write(&self, file: &str, text: &str) {
        std::fs::write(self.path(file), text).unwrap();
    }

    /// Opens a file; the findings of each file of the folder.
    pub(crate) fn open(&mut self, file: &str, text: &str) -> Value {
        let uri = self.uri(file);
        let document = json!({"uri": uri, "languageId": "toml", "version": 1, "text": text});
        self.tell("textDocument/didOpen", &json!({"textDocument": document}));
        self.findings(file)
    }

    /// Types something else into it.
    pub(crate) fn change(&mut self, file: &str, version: i32, text: &str) -> Value {
        let document = json!({"uri": self.uri(file), "version": version});
        let changed = json!({"textDocument": document, "contentChanges": [{"text": text}]});
        self.tell("textDocument/didChange", &changed);
        self.findings(file)
    }

    /// The findings of a file, when they come.
    pub(crate) fn findings(&mut self, file: &str) -> Value {
        let uri = self.uri(file);
        loop {
            let message = self.read();
            if message["method"] == "textDocument/publishDiagnostics"
                && message["params"]["uri"] == uri.as_str()
            {
                return message["params"]["diagnostics"].clone();
            }
        }
    }

    /// Asks about the place where `mark` begins in a text, and some characters on.
    pub(crate) fn ask_at(
        &mut self,
        what: &str,
        file: &str,
        text: &str,
        mark: &str,
        on: usize,
    ) -> Value {
        let (line, character) = place(text, mark, on);
        let uri = self.uri(file);
        let params = json!({"textDocument": {"uri": uri}, "position": {"line": line, "character": character}});
        self.ask(&format!("textDocument/{what}"), &params)
    }

    /// Asks about a file.
    pub(crate) fn ask_file(&mut self, what: &str, file: &str) -> Value {
        let options = json!({"tabSize": 4, "insertSpaces": true});
        let params = json!({"textDocument": {"uri": self.uri(file)}, "options": options});
        self.ask(&format!("textDocument/{what}"), &params)
    }

    /// Says that all is done; the server must end well.
    pub(crate) fn end(mut self) {
        assert_eq!(self.ask("shutdown", &Value::Null), Value::Null);
        assert_eq!(self.leave(), Some(0));
    }

    /// Leaves; the code that the server ends with.
    pub(crate) fn leave(mut self) -> Option<i32> {
        self.tell("exit", &Value::Null);
        self.server.ends().code()
    }

    pub(crate) fn uri(&self, file: &str) -> String {
        let path = self.path(file);
        if Path::new(file).is_absolute() {
            file.to_owned()
        } else {
            format!("file://{}", path.display())
        }
    }

    pub(crate) fn ask(&mut self, method: &str, params: &Value) -> Value {
        let answer = self.answer(method, params);
        assert_eq!(answer["error"], Value::Null, "{method}");
        answer["result"].clone()
    }

    /// What is asked may be refused.
    pub(crate) fn answer(&mut self, method: &str, params: &Value) -> Value {
        self.last_id += 1;
        let id = self.last_id;
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}));
        loop {
            let message = self.read();
            if message["id"] == id {
                return message;
            }
        }
    }

    pub(crate) fn tell(&mut self, method: &str, params: &Value) {
        self.send(&json!({"jsonrpc": "2.0", "method": method, "params": params}));
    }

    fn send(&mut self, message: &Value) {
        self.send_text(&message.to_string());
    }

    /// Sends a text as a message, whatever it is.
    pub(crate) fn send_text(&mut self, text: &str) {
        write!(self.input, "Content-Length: {}\r\n\r\n{text}", text.len()).unwrap();
        self.input.flush().unwrap();
    }

    /// The next message.
    pub(crate) fn read(&mut self) -> Value {
        self.messages.recv_timeout(PATIENCE).unwrap_or_else(|error| match error {
            RecvTimeoutError::Timeout => panic!("the server says nothing"),
            RecvTimeoutError::Disconnected => panic!("the server has gone"),
        })
    }
}

/// The next message that a server writes; `None`: it has gone.
fn next(output: &mut BufReader<ChildStdout>) -> Option<Value> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        if output.read_line(&mut line).unwrap() == 0 {
            return None;
        }
        let line = line.trim();
        if line.is_empty() {
            break;
        }
        if let Some(said) = line.strip_prefix("Content-Length: ") {
            length = said.parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    output.read_exact(&mut body).unwrap();
    Some(serde_json::from_slice(&body).unwrap())
}

/// Where a mark is, as editors count.
pub(crate) fn place(text: &str, mark: &str, on: usize) -> (usize, usize) {
    let at = text.find(mark).unwrap() + on;
    let before = &text[..at];
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count(), before[start..].encode_utf16().count())
}
