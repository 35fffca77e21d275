//! A network between two machines, on the loopback: it can be cut and mended, be slow, lose an answer, or whole
//! connections.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
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
    /// Where connections lead.
    to: AtomicU16,
    is_cut: Mutex<bool>,
    mended: Condvar,
    /// Connections made from now on come to nothing, and nobody is told.
    swallows: AtomicBool,
    /// So much later comes each answer.
    delay: Mutex<Duration>,
    /// The answer to the next request with these bytes is lost.
    loses: Mutex<Option<Vec<u8>>>,
    /// The next request with these bytes does not arrive, and from then on connections lead there.
    fails_over: Mutex<Option<(Vec<u8>, u16)>>,
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
        relay.line.to.store(port, Ordering::Relaxed);
        let line = Arc::clone(&relay.line);
        std::thread::spawn(move || {
            let mut swallowed = Vec::new();
            for incoming in listener.incoming().map_while(Result::ok) {
                if line.swallows.load(Ordering::Relaxed) {
                    swallowed.push(incoming);
                    continue;
                }
                let to = line.to.load(Ordering::Relaxed);
                let Ok(outgoing) = TcpStream::connect(("127.0.0.1", to)) else { continue };
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

    /// The next request with this in it does not arrive: its connection ends, and new ones lead to that port.
    pub(crate) fn fail_over_at(&self, request: &str, port: u16) {
        *self.line.fails_over.lock().unwrap() = Some((request.as_bytes().to_vec(), port));
    }
}

fn carry(way: Way, mut from: TcpStream, mut to: TcpStream, line: &Line, drops: &AtomicBool) {
    let mut bytes = [0; 16 * 1024];
    while let Ok(count) = from.read(&mut bytes) {
        if way == Way::There {
            let has =
                |request: &[u8]| bytes[..count].windows(request.len()).any(|at| at == request);
            if line.loses.lock().unwrap().take_if(|lost| has(lost)).is_some() {
                drops.store(true, Ordering::Relaxed);
            }
            let failed = line.fails_over.lock().unwrap().take_if(|(request, _)| has(request));
            if let Some((_, port)) = failed {
                line.to.store(port, Ordering::Relaxed);
                break;
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
