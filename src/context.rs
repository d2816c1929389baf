//! What every verb knows of its surroundings: the data folder, the terminal, and who asks.

use std::env;
use std::fs;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

use lockstep_engine::core::run::Person;

use crate::arguments::{Color, Global};
use crate::config;
use crate::ending::Failure;
use crate::output::Style;
use crate::users;

/// The surroundings of one command.
#[derive(Debug)]
pub struct Context {
    /// The data folder, absolute; it may not exist yet. Nothing where no place for it is known.
    data: Option<PathBuf>,
    /// How to repeat the choice of the data folder in a command that is suggested: ` --data DIR`, or nothing.
    pub data_option: String,
    /// How to paint on standard output.
    pub stdout: Style,
    /// How to paint on standard error.
    pub stderr: Style,
    /// Who asks: `user:ana`.
    pub by: String,
}

impl Context {
    /// Looks around.
    pub fn new(global: &Global) -> Result<Self, Failure> {
        let from_environment = env::var_os("LOCKSTEP_DATA").filter(|path| !path.is_empty()).map(PathBuf::from);
        let data = match global.data.clone().or(from_environment) {
            Some(path) => Some(std::path::absolute(path).map_err(Failure::system("cannot find the data folder"))?),
            None => default_data(),
        };
        let data_option = match &global.data {
            Some(path) => format!(" --data {}", shell_word(&path.to_string_lossy())),
            None => String::new(),
        };
        Ok(Self {
            data,
            data_option,
            stdout: Style { color: global.color.on(io::stdout().is_terminal()) },
            stderr: Style { color: global.color.on(io::stderr().is_terminal()) },
            by: format!("user:{}", user()),
        })
    }

    /// The data folder, absolute; it may not exist yet.
    ///
    /// # Errors
    /// Where nothing says what it is: verbs that touch no run need none.
    pub fn data(&self) -> Result<&Path, Failure> {
        self.data.as_deref().ok_or_else(|| {
            Failure::usage("neither HOME nor XDG_STATE_HOME is set, so there is no place for the data")
                .help("name a folder with `--data DIR` or LOCKSTEP_DATA")
        })
    }

    /// Who asks, with the groups that the data folder's configuration puts them in.
    pub fn person(&self) -> Result<Person, Failure> {
        let user = self.by.strip_prefix("user:").unwrap_or(&self.by);
        Ok(Person { name: self.by.clone(), groups: config::read(self.data()?)?.groups_of(user) })
    }

    /// A command of ours as the person at the terminal can type it: `lockstep logs 06bq3v8zk7dm --data /tmp/x`.
    pub fn command(&self, rest: &str) -> String {
        format!("lockstep {rest}{}", self.data_option)
    }
}

/// `$XDG_STATE_HOME/lockstep`, else `~/.local/state/lockstep`. A relative XDG path is ignored, as its specification asks.
fn default_data() -> Option<PathBuf> {
    let absolute = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let state = absolute("XDG_STATE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".local/state")))?;
    Some(state.join("lockstep"))
}

impl Color {
    /// Whether to paint on a stream. An option beats `NO_COLOR`, which beats `CLICOLOR_FORCE`, which beats what the stream is.
    fn on(self, is_terminal: bool) -> bool {
        let set = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto if set("NO_COLOR") => false,
            Self::Auto if set("CLICOLOR_FORCE") && env::var_os("CLICOLOR_FORCE").is_some_and(|value| value != "0") => {
                true
            }
            Self::Auto => is_terminal && env::var_os("TERM").is_none_or(|term| term != "dumb"),
        }
    }
}

/// The name of the user that this process runs as. Of root, who may do everything anyway, the name of whoever became root:
/// who logged in, else who called `sudo`.
fn user() -> String {
    let id = rustix::process::getuid();
    users::user_name(if id.is_root() { behind_root().unwrap_or(0) } else { id.as_raw() })
}

/// The id of the user who became root, where the system or `sudo` knows it.
fn behind_root() -> Option<u32> {
    const NOBODY: u32 = u32::MAX;
    let logged_in = fs::read_to_string("/proc/self/loginuid").ok().and_then(|id| id.trim().parse().ok());
    let called = || env::var("SUDO_UID").ok().and_then(|id| id.parse().ok());
    logged_in.filter(|id| *id != NOBODY).or_else(called)
}

/// A word as a shell reads it back.
pub fn shell_word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+=,".contains(c);
    let is_plain = !text.is_empty() && text.chars().all(plain);
    if is_plain { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::shell_word;

    #[test]
    fn suggested_commands_can_be_pasted() {
        for (text, word) in [
            ("/var/lib/x", "/var/lib/x"),
            ("a b", "'a b'"),
            ("it's", r"'it'\''s'"),
            ("roll~2/shell#3", "'roll~2/shell#3'"),
            ("", "''"),
            ("$(reboot)", "'$(reboot)'"),
        ] {
            assert_eq!(shell_word(text), word);
        }
    }
}
