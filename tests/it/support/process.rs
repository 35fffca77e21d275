//! Programs that tests start: each ends with whoever holds it, and nobody waits for ever for one that does not end.

use std::io::Read;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::eventually::eventually;

/// The largest flows are checked for a while on a machine that is busy with something else.
const PATIENCE: Duration = Duration::from_mins(5);
const STEP: Duration = Duration::from_millis(2);

/// A running program: it ends with whoever holds it, also where a test fails while it starts.
pub(crate) struct Process(pub(crate) Child);

impl Process {
    /// Waits for its end.
    pub(crate) fn ends(&mut self) -> ExitStatus {
        eventually("the end of a program", || self.0.try_wait().unwrap())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs a program that ends by itself.
pub(crate) trait Ran {
    /// What it has written in the end; a test fails if that does not come.
    fn ran(&mut self) -> Output;
}

impl Ran for Command {
    fn ran(&mut self) -> Output {
        let child = self.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut process = Process(child);
        let stdout = read(process.0.stdout.take().unwrap());
        let stderr = read(process.0.stderr.take().unwrap());
        let begun = Instant::now();
        let status = loop {
            if let Some(status) = process.0.try_wait().unwrap() {
                break status;
            }
            assert!(begun.elapsed() < PATIENCE, "it does not end: {self:?}");
            std::thread::sleep(STEP);
        };
        Output { status, stdout: stdout.join().unwrap(), stderr: stderr.join().unwrap() }
    }
}

/// Reads to the end, lest a program that writes much waits for somebody to read it.
fn read(mut from: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        from.read_to_end(&mut bytes).unwrap();
        bytes
    })
}
