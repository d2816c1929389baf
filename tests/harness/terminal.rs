//! A program on a terminal of its own.

use std::io::{Read, Write};
use std::process::Command;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Instant;

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

use super::DEADLINE;

/// A terminal with a program on it.
pub struct Terminal {
    master: Box<dyn MasterPty + Send>,
    child: Box<dyn Child + Send + Sync>,
    keyboard: Box<dyn Write + Send>,
    output: Receiver<Vec<u8>>,
    /// Everything that came to the terminal so far.
    pub seen: String,
}

impl Terminal {
    /// Starts a command on a terminal of this size.
    pub fn start(command: &Command, columns: u16, rows: u16) -> Self {
        let pair = native_pty_system().openpty(size(columns, rows)).expect("a pseudo-terminal");
        let mut builder = CommandBuilder::new(command.get_program());
        builder.args(command.get_args());
        builder.env_clear();
        builder.env("TERM", "xterm-256color");
        for (name, value) in command.get_envs() {
            builder.env(name, value.unwrap_or_default());
        }
        builder.cwd(command.get_current_dir().expect("a case has a folder"));
        let child = pair.slave.spawn_command(builder).expect("the program starts");
        let mut reader = pair.master.try_clone_reader().expect("a terminal can be read");
        let keyboard = pair.master.take_writer().expect("a terminal can be written to");
        let (send, output) = mpsc::channel();
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count) = reader.read(&mut bytes) {
                if count == 0 || send.send(bytes[..count].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self { master: pair.master, child, keyboard, output, seen: String::new() }
    }

    /// Waits until this has come to the terminal, counted from what was seen before.
    pub fn shows(&mut self, text: &str) -> &mut Self {
        let begin = self.seen.len();
        let deadline = Instant::now() + DEADLINE;
        while !self.seen[begin..].contains(text) {
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok(bytes) = self.output.recv_timeout(left) else {
                panic!("waited in vain for {text:?} on the terminal; there was:\n{:?}", self.seen);
            };
            self.seen.push_str(&String::from_utf8_lossy(&bytes));
        }
        self
    }

    /// Changes the terminal's size.
    pub fn resize(&self, columns: u16, rows: u16) {
        self.master.resize(size(columns, rows)).expect("a terminal can be resized");
    }

    /// Presses keys.
    pub fn types(&mut self, keys: &[u8]) {
        self.keyboard.write_all(keys).expect("a terminal takes keys");
    }

    /// Waits for the program's end, and gives its exit code.
    pub fn exits(&mut self) -> u32 {
        let deadline = Instant::now() + DEADLINE;
        // The terminal is silent for good when the program and all that it started have left it.
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.output.recv_timeout(left) {
                Ok(bytes) => self.seen.push_str(&String::from_utf8_lossy(&bytes)),
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
                Err(mpsc::RecvTimeoutError::Timeout) => panic!("it does not end; there was:\n{:?}", self.seen),
            }
        }
        self.child.wait().expect("the program has ended").exit_code()
    }

    /// What stands on the screen at the end, without colours: carriage returns, line ends and the moves that the program
    /// makes are followed, lines longer than the screen wrap.
    pub fn screen(&self, columns: usize) -> Vec<String> {
        replay(&self.seen, columns)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It has ended already if the test went well.
        let _ = self.child.kill();
    }
}

const fn size(columns: u16, rows: u16) -> PtySize {
    PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 }
}

/// A terminal of so many columns and no end of rows, as far as our program needs one.
fn replay(bytes: &str, columns: usize) -> Vec<String> {
    let mut screen: Vec<Vec<char>> = vec![Vec::new()];
    let (mut row, mut column) = (0_usize, 0_usize);
    let mut chars = bytes.chars();
    while let Some(next) = chars.next() {
        match next {
            '\r' => column = 0,
            '\n' => {
                row += 1;
                if screen.len() <= row {
                    screen.push(Vec::new());
                }
            }
            '\x1b' => {
                assert_eq!(chars.next(), Some('['), "an escape sequence that is no CSI");
                let mut number = String::new();
                let end = chars.by_ref().find(|c| {
                    number.push(*c);
                    c.is_ascii_alphabetic()
                });
                let count = number.trim_end_matches(char::is_alphabetic).parse().unwrap_or(1);
                match end {
                    Some('A') => row = row.saturating_sub(count),
                    Some('K') => screen[row].truncate(column),
                    Some('J') => {
                        screen[row].truncate(column);
                        screen.truncate(row + 1);
                    }
                    Some('m') => {}
                    other => panic!("an escape sequence that ends in {other:?}"),
                }
            }
            next => {
                if column == columns {
                    (row, column) = (row + 1, 0);
                    if screen.len() <= row {
                        screen.push(Vec::new());
                    }
                }
                if screen[row].len() <= column {
                    screen[row].resize(column + 1, ' ');
                }
                screen[row][column] = next;
                column += 1;
            }
        }
    }
    screen.into_iter().map(|line| line.into_iter().collect::<String>().trim_end().to_owned()).collect()
}
