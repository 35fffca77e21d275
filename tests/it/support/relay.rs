//! A network between two machines, on the loopback: it can be cut and mended, be slow, lose an answer, or whole
//! connections.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

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
    /// Connections made from now on come to nothing, and nobody is told.
    swallows: AtomicBool,
    /// So much later comes each answer.
    delay: Mutex<Duration>,
    /// The answer to the next request with these bytes is lost.
    loses: Mutex<Option<Vec<u8>>>,
}

/// Which way bytes go.
#[derive(Clone, Copy, PartialEq)]
enum Way {
    There,
    Back,
}

impl Relay {
    pub(crate) fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let relay = Self { port: listener.local_addr().unwrap().port(), line: Arc::default() };
        let line = Arc::clone(&relay.line);
        std::thread::spawn(move || {
            let mut swallowed = Vec::new();
            for incoming in listener.incoming().map_while(Result::ok) {
                if line.swallows.load(Ordering::Relaxed) {
                    swallowed.push(incoming);
                    continue;
                }
                let Ok(outgoing) = TcpStream::connect(("127.0.0.1", port)) else { continue };
                let (from, to) = (incoming.try_clone().unwrap(), outgoing.try_clone().unwrap());
                let drops = Arc::new(AtomicBool::new(false));
                for (way, from, to) in [(Way::There, from, to), (Way::Back, outgoing, incoming)] {
                    let (line, drops) = (Arc::clone(&line), Arc::clone(&drops));
                    std::thread::spawn(move || carry(way, from, to, &line, &drops));
                }
            }
        });
        relay
    }

    /// Nothing goes through any more, and nobody is told.
    pub(crate) fn cut(&self) {
        *self.line.is_cut.lock().unwrap() = true;
    }

    /// Connections made from now on never come to anything, and nobody is told.
    pub(crate) fn swallow(&self) {
        self.line.swallows.store(true, Ordering::Relaxed);
    }

    /// What was under way comes late, as it does; what was swallowed does not.
    pub(crate) fn mend(&self) {
        self.line.swallows.store(false, Ordering::Relaxed);
        *self.line.is_cut.lock().unwrap() = false;
        self.line.mended.notify_all();
    }

    /// Each answer comes so much later from now on.
    pub(crate) fn slow_down(&self, by: Duration) {
        *self.line.delay.lock().unwrap() = by;
    }

    /// The next request with this in it arrives, and in place of its answer comes the end of the connection.
    pub(crate) fn lose_answer_to(&self, request: &str) {
        *self.line.loses.lock().unwrap() = Some(request.as_bytes().to_vec());
    }
}

fn carry(way: Way, mut from: TcpStream, mut to: TcpStream, line: &Line, drops: &AtomicBool) {
    let mut bytes = [0; 16 * 1024];
    while let Ok(count) = from.read(&mut bytes) {
        if way == Way::There {
            let mut loses = line.loses.lock().unwrap();
            let is_in =
                |lost: &mut Vec<u8>| bytes[..count].windows(lost.len()).any(|at| at == lost);
            if loses.take_if(is_in).is_some() {
                drops.store(true, Ordering::Relaxed);
            }
        } else {
            if drops.load(Ordering::Relaxed) {
                break;
            }
            let delay = *line.delay.lock().unwrap();
            std::thread::sleep(delay);
        }
        let is_cut = line.is_cut.lock().unwrap();
        drop(line.mended.wait_while(is_cut, |is_cut| *is_cut).unwrap());
        if count == 0 || to.write_all(&bytes[..count]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
    let _ = from.shutdown(Shutdown::Both);
}
