//! A business's own HTTP server: it records what it is asked, and answers well or as badly as a test
//! wants.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::Value;

/// A question as it came.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) path: String,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Value,
}

impl Asked {
    /// The value of a header by its lower-case name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// How a question is answered.
#[derive(Clone, Debug)]
pub(crate) enum Manner {
    /// 200 with this JSON.
    Json(Value),
    /// This status and body.
    Raw(u16, String),
    /// So many bytes of a JSON text that has no end.
    Huge(usize),
    /// The question is read, and nothing comes.
    Stall,
    /// Half of an answer, and nothing more.
    StallInside,
    /// The question is read, and the connection closed.
    Drop,
    /// A redirect to this address.
    Redirect(String),
}

type Answer = dyn Fn(&Asked) -> Manner + Send + Sync;

struct Shared {
    answer: Mutex<Arc<Answer>>,
    asked: Mutex<Vec<Asked>>,
    /// Connections that are left hanging.
    held: Mutex<Vec<TcpStream>>,
}

/// A running server on a free port of the loopback.
pub(crate) struct Backend {
    port: u16,
    shared: Arc<Shared>,
}

impl Backend {
    pub(crate) fn start(answer: impl Fn(&Asked) -> Manner + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            answer: Mutex::new(Arc::new(answer)),
            asked: Mutex::default(),
            held: Mutex::default(),
        });
        let of = Arc::downgrade(&shared);
        thread::spawn(move || {
            for stream in listener.incoming() {
                // The server is gone, and this was the knock that says so.
                let Some(shared) = of.upgrade() else { return };
                let stream = stream.unwrap();
                thread::spawn(move || serve(&shared, stream));
            }
        });
        Self { port, shared }
    }

    /// Answers otherwise from now on.
    pub(crate) fn answer(&self, answer: impl Fn(&Asked) -> Manner + Send + Sync + 'static) {
        *self.shared.answer.lock().unwrap() = Arc::new(answer);
    }

    /// What was asked so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.shared.asked.lock().unwrap().clone()
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/callgate", self.port)
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        for held in self.shared.held.lock().unwrap().drain(..) {
            let _ = held.shutdown(Shutdown::Both);
        }
    }
}

/// Serves one connection for as long as it lasts.
fn serve(shared: &Arc<Shared>, mut stream: TcpStream) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    while let Some(asked) = read(&mut reader) {
        let answer = shared.answer.lock().unwrap().clone();
        shared.asked.lock().unwrap().push(asked.clone());
        let head = |status: u16, length: usize| {
            format!("HTTP/1.1 {status} x\r\ncontent-length: {length}\r\n\r\n")
        };
        let written = match answer(&asked) {
            Manner::Json(value) => {
                let body = value.to_string();
                format!("{}{body}", head(200, body.len()))
            }
            Manner::Raw(status, body) => format!("{}{body}", head(status, body.len())),
            Manner::Huge(bytes) => {
                // Its length is not said beforehand.
                let body = "9".repeat(bytes);
                format!(
                    "HTTP/1.1 200 x\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n",
                    body.len()
                )
            }
            Manner::Redirect(to) => {
                format!("HTTP/1.1 307 x\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n")
            }
            Manner::Stall => {
                shared.held.lock().unwrap().push(stream);
                return;
            }
            Manner::StallInside => {
                let _ = stream.write_all(format!("{}{{\"id\":", head(200, 100)).as_bytes());
                shared.held.lock().unwrap().push(stream);
                return;
            }
            Manner::Drop => {
                let _ = stream.shutdown(Shutdown::Both);
                return;
            }
        };
        // Whoever asked may have heard enough.
        if stream.write_all(written.as_bytes()).is_err() {
            return;
        }
    }
}

fn read(reader: &mut BufReader<TcpStream>) -> Option<Asked> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
    let path = line.split(' ').nth(1)?.to_owned();
    let mut headers = Vec::new();
    loop {
        line.clear();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.push((name.to_lowercase(), value.trim().to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length")?.1.parse().ok()?;
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Asked { path, headers, body: serde_json::from_slice(&body).ok()? })
}
