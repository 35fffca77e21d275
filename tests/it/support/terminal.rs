//! A terminal: a pseudo-terminal with the program on its other side, and what stands on its screen.

use std::io::{Read as _, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, ExitStatus};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use pty_process::Size;
use pty_process::blocking::{Command, Pty};
use rustix::process::{Pid, Signal, kill_process};
use rustix::termios::{LocalModes, tcgetattr};
use vt100::Parser;

use super::eventually::eventually;

/// A terminal in which the program runs.
pub(crate) struct Terminal {
    pty: Arc<Pty>,
    screen: Arc<Mutex<Parser>>,
    /// Reads what the program writes, to its end.
    reader: Option<JoinHandle<()>>,
    child: Child,
    before: LocalModes,
}

impl Terminal {
    /// Starts the program in a folder, in a window of so many rows and columns.
    pub(crate) fn start(folder: &Path, arguments: &[&str], size: (u16, u16)) -> Self {
        Self::running(env!("CARGO_BIN_EXE_callgate"), arguments, folder, size)
    }

    /// The same for another program.
    pub(crate) fn running(
        program: &str,
        arguments: &[&str],
        folder: &Path,
        (rows, columns): (u16, u16),
    ) -> Self {
        let (pty, pts) = pty_process::blocking::open().unwrap();
        pty.resize(Size::new(rows, columns)).unwrap();
        let before = tcgetattr(&pty).unwrap().local_modes;
        let command =
            Command::new(program).args(arguments).current_dir(folder).env("TERM", "xterm-256color");
        let child = command.spawn(pts).unwrap();
        let size = |of: u16| of.try_into().unwrap();
        let screen = Arc::new(Mutex::new(Parser::new(size(rows), size(columns), 0)));
        let pty = Arc::new(pty);
        let (seen, heard) = (screen.clone(), pty.clone());
        let reader = std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            // It fails when the program has ended.
            while let Ok(count) = (&*heard).read(&mut bytes) {
                seen.lock().unwrap().process(&bytes[..count]);
            }
        });
        Self { pty, screen, reader: Some(reader), child, before }
    }

    /// Types something, all at once.
    pub(crate) fn types(&self, keys: &str) {
        (&*self.pty).write_all(keys.as_bytes()).unwrap();
    }

    /// What stands on the screen.
    pub(crate) fn screen(&self) -> String {
        self.screen.lock().unwrap().screen().contents()
    }

    /// Waits until this stands there.
    pub(crate) fn shows(&self, text: &str) {
        eventually(&format!("`{text}` on the screen"), || {
            self.screen().contains(text).then_some(())
        });
    }

    /// Types a line when something stands there.
    pub(crate) fn answers(&self, text: &str, keys: &str) {
        self.shows(text);
        self.types(keys);
    }

    /// Waits until the program ends and all that it wrote stands there; the terminal must be as it was.
    pub(crate) fn ends(&mut self) -> ExitStatus {
        let child = &mut self.child;
        let status = eventually("the program ends", || child.try_wait().unwrap());
        self.reader.take().unwrap().join().unwrap();
        let after = tcgetattr(&*self.pty).unwrap().local_modes;
        assert_eq!(after, self.before, "the terminal is left otherwise than it was");
        let cursor_is_hidden = self.screen.lock().unwrap().screen().hide_cursor();
        assert!(!cursor_is_hidden, "the cursor is hidden");
        status
    }

    /// Sends the program a signal.
    pub(crate) fn tells(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// The signal that ended the program.
    pub(crate) fn dies(&mut self) -> Option<i32> {
        self.ends().signal()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
