//! A terminal as a keypad: keys are heard as they are pressed, as on a telephone.

use std::io::{self, Write as _};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use console::{Key, Term, measure_text_width};
use rustix::process::{Signal, getpid, kill_process};
use rustix::stdio::stdin;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

use crate::engine::reply::Gather;
use crate::replay::phone::Keypad;

/// What ends the input, as everywhere.
const CTRL_D: char = '\u{4}';

/// Waiting for a key is interrupted at once; if it lasts longer than this, nobody was waiting.
const BROKEN_OFF_WITHIN: Duration = Duration::from_millis(200);

/// The terminal. Its own line editing is off as long as this lives: what is typed while the flow is thinking is
/// heard afterwards, and shown once.
#[derive(Debug)]
pub(super) struct Terminal {
    term: Term,
    before: Option<Termios>,
    /// Told when a signal interrupts waiting for a key.
    broken_off: Sender<()>,
}

impl Terminal {
    /// Takes the terminal. If the program is ended from outside, the terminal is restored as well.
    pub(super) fn take() -> io::Result<Self> {
        let before = tcgetattr(stdin())?;
        let (tells, broken_off) = channel();
        give_back_when_told_to_end(before.clone(), broken_off)?;
        let mut ours = before.clone();
        ours.local_modes.remove(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG);
        tcsetattr(stdin(), OptionalActions::Drain, &ours)?;
        Ok(Self { term: Term::stdout(), before: Some(before), broken_off: tells })
    }

    /// Leaves it as it was.
    fn restore(&mut self) {
        if let Some(before) = self.before.take() {
            // A terminal that is gone needs nothing.
            let _ = tcsetattr(stdin(), OptionalActions::Drain, &before);
        }
    }

    /// Waits for a key.
    fn key(&self) -> io::Result<Key> {
        let key = self.term.read_key_raw();
        if key.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::Interrupted) {
            let _ = self.broken_off.send(());
            end();
        }
        key
    }

    /// Takes the last key off the screen; `before`: how wide the line was with it.
    fn erase(&self, before: usize, after: usize) -> io::Result<()> {
        let columns = usize::from(self.term.size().1).max(1);
        if before.is_multiple_of(columns) {
            self.term.move_cursor_up(1)?;
            self.term.move_cursor_right(columns)?;
            // The last column is cleared, not the one before it.
            return self.term.write_str(" \u{8}");
        }
        self.term.clear_chars(before - after)
    }

    /// Shows a key; after the last column the line continues below.
    fn show(&self, key: char, width: usize) -> io::Result<()> {
        let columns = usize::from(self.term.size().1).max(1);
        let mut shown = key.to_string();
        if width.is_multiple_of(columns) {
            shown.push_str(" \r");
        }
        self.term.write_str(&shown)
    }
}

/// Restores the terminal and ends the program when a signal says so: nothing else in it would run. Whoever waits
/// for a key is interrupted by the signal and has to say so first, because that changes the terminal too.
fn give_back_when_told_to_end(before: Termios, broken_off: Receiver<()>) -> io::Result<()> {
    let mut signals = Signals::new([SIGTERM, SIGHUP, SIGINT])?;
    std::thread::spawn(move || {
        let told: Vec<_> = signals.wait().collect();
        // A key that is waited for in vain makes a SIGINT of its own, whatever the first was.
        let first = told.iter().copied().find(|signal| *signal != SIGINT).unwrap_or(SIGINT);
        // If nobody waits for a key, nobody is using the terminal.
        let _ = broken_off.recv_timeout(BROKEN_OFF_WITHIN);
        // A terminal that is gone needs nothing.
        let _ = tcsetattr(stdin(), OptionalActions::Now, &before);
        // Ends the program as usual, unless whoever started it has arranged something else.
        let _ = emulate_default_handler(first);
    });
    Ok(())
}

/// Waits for the end that is on its way.
fn end() -> ! {
    loop {
        std::thread::park();
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.restore();
    }
}

impl Keypad for Terminal {
    fn next(&mut self, listens: Option<&Gather>) -> io::Result<Option<String>> {
        let mut entry = Entry::new(listens);
        loop {
            let width = measure_text_width(&entry.text);
            match entry.press(&self.key()?) {
                Pressed::Shown(key) => self.show(key, measure_text_width(&entry.text))?,
                Pressed::Erased => self.erase(width, measure_text_width(&entry.text))?,
                Pressed::Ignored => {}
                Pressed::Done(last) => {
                    writeln!(self.term, "{}", last.map(String::from).unwrap_or_default())?;
                    return Ok(Some(entry.text));
                }
                Pressed::Over => {
                    writeln!(self.term)?;
                    return Ok(None);
                }
                Pressed::Interrupted => {
                    writeln!(self.term)?;
                    self.restore();
                    let _ = self.broken_off.send(());
                    kill_process(getpid(), Signal::INT)?;
                    end();
                }
            }
            self.term.flush()?;
        }
    }

    fn is_live(&self) -> bool {
        true
    }
}

/// What was pressed so far, and when that is enough.
#[derive(Debug)]
struct Entry {
    text: String,
    /// How many keys the line takes; `None`: as many as come before `#` or Enter.
    digits: Option<usize>,
    /// Whether `#` ends an entry.
    hash_ends: bool,
}

/// What a key does.
#[derive(Debug, PartialEq, Eq)]
enum Pressed {
    /// It is shown.
    Shown(char),
    /// The one before it is gone.
    Erased,
    /// Nothing.
    Ignored,
    /// The line is complete, with this key as its last.
    Done(Option<char>),
    /// No more will come.
    Over,
    /// The program is to end.
    Interrupted,
}

impl Entry {
    fn new(listens: Option<&Gather>) -> Self {
        let digits = listens.and_then(|gather| usize::try_from(gather.digits?).ok());
        let hash_ends = listens.is_some_and(|gather| gather.hash_ends);
        Self { text: String::new(), digits, hash_ends }
    }

    fn press(&mut self, key: &Key) -> Pressed {
        match key {
            Key::Enter => Pressed::Done(None),
            Key::Backspace if self.text.pop().is_some() => Pressed::Erased,
            Key::CtrlC => Pressed::Interrupted,
            Key::Char(CTRL_D) if self.text.is_empty() => Pressed::Over,
            Key::Char(key) if !key.is_control() => {
                self.text.push(*key);
                if self.is_complete() { Pressed::Done(Some(*key)) } else { Pressed::Shown(*key) }
            }
            _ => Pressed::Ignored,
        }
    }

    /// Whether the line would wait no longer.
    fn is_complete(&self) -> bool {
        let keys = self.text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'*' | b'#'));
        keys && (self.digits == Some(self.text.len())
            || (self.hash_ends && self.text.ends_with('#')))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pressed(digits: Option<usize>, hash_ends: bool, keys: &str) -> (Vec<Pressed>, String) {
        let mut entry = Entry { text: String::new(), digits, hash_ends };
        let key = |key| match key {
            '\n' => Key::Enter,
            '<' => Key::Backspace,
            key => Key::Char(key),
        };
        let pressed = keys.chars().map(|pressed| entry.press(&key(pressed))).collect();
        (pressed, entry.text)
    }

    #[test]
    fn as_many_keys_as_the_line_takes_need_no_enter() {
        assert_eq!(pressed(Some(1), false, "3").0, [Pressed::Done(Some('3'))]);
        let (keys, text) = pressed(Some(4), true, "12<*4#");
        assert_eq!(keys.last(), Some(&Pressed::Done(Some('#'))));
        assert_eq!((keys[2] == Pressed::Erased, text.as_str()), (true, "1*4#"));
        assert_eq!(pressed(None, false, "12#").0.last(), Some(&Pressed::Shown('#')));
    }

    #[test]
    fn silence_is_enter_alone_and_words_wait_for_it() {
        assert_eq!(pressed(Some(1), true, "\n"), (vec![Pressed::Done(None)], String::new()));
        let (keys, text) = pressed(Some(1), true, ":wait 5m\n");
        assert_eq!(keys.iter().filter(|key| matches!(key, Pressed::Done(_))).count(), 1);
        assert_eq!(text, ":wait 5m");
    }

    #[test]
    fn what_ends_the_input_does_so_at_the_beginning_of_a_line() {
        assert_eq!(pressed(None, false, "\u{4}").0, [Pressed::Over]);
        assert_eq!(pressed(None, false, "1\u{4}").0.last(), Some(&Pressed::Ignored));
        assert_eq!(pressed(None, false, "<").0, [Pressed::Ignored]);
    }
}
