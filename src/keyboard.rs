//! Single keys from the terminal, without a line end and without an echo that would disturb what is drawn.

use std::io::{self, IsTerminal, Read};
use std::thread;

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use tokio::sync::mpsc;

use crate::ending::Failure;

/// Keys that were pressed and not taken yet; whoever presses more waits.
const UNREAD: usize = 64;

/// The terminal on standard input. It is as it was when this is dropped.
pub struct Keyboard {
    before: Termios,
    keys: mpsc::Receiver<u8>,
}

impl Keyboard {
    /// Takes keys from here on. Ctrl-C and the like stay signals.
    pub fn open() -> Result<Self, Failure> {
        let failed = |error: rustix::io::Errno| Failure::System {
            doing: "cannot read keys from the terminal".to_owned(),
            source: error.into(),
        };
        let before = tcgetattr(io::stdin()).map_err(failed)?;
        let mut single = before.clone();
        single.local_modes -= LocalModes::ICANON | LocalModes::ECHO;
        tcsetattr(io::stdin(), OptionalActions::Now, &single).map_err(failed)?;
        let (press, keys) = mpsc::channel(UNREAD);
        // It waits for keys as long as the process lives; nothing can wake it.
        thread::spawn(move || {
            let mut key = [0];
            while matches!(io::stdin().read(&mut key), Ok(1)) && press.blocking_send(key[0]).is_ok() {}
        });
        Ok(Self { before, keys })
    }

    /// Whether there is a terminal to read keys from.
    pub fn is_there() -> bool {
        io::stdin().is_terminal()
    }

    /// The next key; `None` when the terminal is gone.
    pub async fn next(&mut self) -> Option<u8> {
        self.keys.recv().await
    }
}

impl Drop for Keyboard {
    fn drop(&mut self) {
        // A terminal that is gone needs nothing.
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.before);
    }
}
