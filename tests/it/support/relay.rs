//! A network between two machines, on the loopback: it can be cut, and mended.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};

/// Hands on what comes in on a port to another one; it lives as long as the process.
#[derive(Clone)]
pub(crate) struct Relay {
    pub(crate) port: u16,
    line: Arc<Line>,
}

#[derive(Default)]
struct Line {
    is_cut: Mutex<bool>,
    mended: Condvar,
}

impl Relay {
    pub(crate) fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let relay = Self { port: listener.local_addr().unwrap().port(), line: Arc::default() };
        let line = Arc::clone(&relay.line);
        std::thread::spawn(move || {
            for incoming in listener.incoming().map_while(Result::ok) {
                let Ok(outgoing) = TcpStream::connect(("127.0.0.1", port)) else { continue };
                let (from, to) = (incoming.try_clone().unwrap(), outgoing.try_clone().unwrap());
                for (from, to) in [(from, to), (outgoing, incoming)] {
                    let line = Arc::clone(&line);
                    std::thread::spawn(move || carry(from, to, &line));
                }
            }
        });
        relay
    }

    /// Nothing goes through any more, and nobody is told.
    pub(crate) fn cut(&self) {
        *self.line.is_cut.lock().unwrap() = true;
    }

    /// What was under way comes late, as it does.
    pub(crate) fn mend(&self) {
        *self.line.is_cut.lock().unwrap() = false;
        self.line.mended.notify_all();
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream, line: &Line) {
    let mut bytes = [0; 16 * 1024];
    while let Ok(count) = from.read(&mut bytes) {
        let is_cut = line.is_cut.lock().unwrap();
        drop(line.mended.wait_while(is_cut, |is_cut| *is_cut).unwrap());
        if count == 0 || to.write_all(&bytes[..count]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
    let _ = from.shutdown(Shutdown::Both);
}
