//! What a supervisor is told: the task, which lies in the attempt's folder, and what must not lie there.

use std::io::{self, Read as _};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::id::{RunId, Token};
use crate::worker::learned::Withholding;

/// The format of a task that this program writes, and the newest that it reads.
pub const FORMAT: u32 = 1;

/// A command to run. It lies in the attempt's folder as JSON, for operators to look at, and holds no value of a
/// variable and nothing of standard input: these may be secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// [`FORMAT`]. First of all, so that it is seen before anything is judged by its form.
    pub format: u32,
    /// Which boot of the machine it was written in: [`boot`].
    pub boot: String,
    /// The run, for people.
    pub run: RunId,
    /// The attempt's token, for people.
    pub token: Token,
    /// The step's path, for people.
    pub step: String,
    /// The program and its arguments; not empty.
    pub argv: Vec<String>,
    /// Where it runs; the engine's own folder where there is none.
    pub cwd: Option<String>,
    /// Exit codes that are a success.
    pub expect: Vec<i64>,
    /// The log file.
    pub log: PathBuf,
    /// Milliseconds between SIGTERM and SIGKILL.
    pub grace_ms: u64,
    /// How its result is told where it holds secrets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withholding: Option<Withholding>,
}

/// What a supervisor is told over its line to the engine, and never lies on a disk.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Private {
    /// All variables of the command beside the inherited ones; later ones win.
    pub env: Vec<(String, String)>,
    /// Standard input; `/dev/null` where there is none.
    pub stdin: Option<String>,
    /// Secrets to be masked in what the command says.
    pub mask: Vec<String>,
}

/// What is known of a task of any format.
#[derive(Debug, Deserialize)]
pub(crate) struct Origin {
    /// Its boot.
    pub boot: String,
}

impl Private {
    /// As it goes over the line: its length in 8 bytes, little-endian, and the fields.
    ///
    /// # Panics
    /// Text has a `MessagePack` form.
    pub fn encode(&self) -> Vec<u8> {
        let body = rmp_serde::to_vec_named(self).expect("text has a MessagePack form");
        let mut bytes = (body.len() as u64).to_le_bytes().to_vec();
        bytes.extend(body);
        bytes
    }

    /// Reads it from the line. An engine that dies meanwhile is an error: then nothing is to begin.
    pub(super) fn read(line: &mut UnixStream) -> io::Result<Self> {
        let mut length = [0; 8];
        line.read_exact(&mut length)?;
        let length = u64::from_le_bytes(length);
        let mut body = Vec::new();
        line.take(length).read_to_end(&mut body)?;
        if body.len() as u64 != length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        rmp_serde::from_slice(&body).map_err(io::Error::other)
    }
}

/// Names this boot of the machine. Empty where the kernel does not say.
pub(crate) fn boot() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned()
}
