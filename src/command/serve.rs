//! `lockstep serve`: serves a data folder until it is told to stop.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

use crate::config::address;
use crate::context::Context;
use crate::ending::{Ending, Failure};
use crate::logging::{LogFormat, Logging};
use crate::server::{self, Given};

const EXAMPLES: &str = "\
Examples:
  lockstep serve --data /var/lib/lockstep --runbooks /etc/lockstep/runbooks
  lockstep serve --listen 127.0.0.1:7420    health and metrics: /healthz, /readyz, /metrics
  lockstep serve --log-format json          one JSON object a line on standard error

It takes the data folder, goes on with every run there that was cut off, and stays. `run`, `runs`,
`show`, `logs`, `cancel`, `approve` and all the others work as ever; they ask the server over the
folder's socket, which is for the folder's owner and root.

The runbooks below --runbooks (every `*.yaml`, but no `*.test.yaml`) are read at the start, when a
file changes, and on SIGHUP. One that is broken goes on as it was when it was last good, and that is
said until it is mended. `lockstep run NAME` runs one by its name.

Signals:
  SIGHUP           the runbooks are read again
  SIGTERM, Ctrl-C  no more requests are taken, what is being committed ends; exit code 0
  a second one     stops at once, as a crash would; exit code 3

However it stops, nothing that was acknowledged is lost, and commands go on under their supervisors.
The next server picks them up: the same processes, with all that they printed. So the program is
upgraded by a restart. A `lockstep run` that follows a run waits for the next server for a minute.

What is not said here is taken from `server` in `config.yaml` of the data folder.";

/// Options of `lockstep serve`.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Options {
    /// The folder of the runbooks that it knows by name.
    #[arg(long, value_name = "DIR")]
    runbooks: Option<PathBuf>,
    /// Where to listen for HTTP; without it, nowhere.
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    listen: Option<SocketAddr>,
    /// How to write what it does, on standard error.
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = LogFormat::Text)]
    log_format: LogFormat,
}

impl Options {
    /// A server says what it does.
    pub const fn logging(&self) -> Logging {
        Logging { filter: "warn,lockstep=info,lockstep_engine=info", format: self.log_format }
    }
}

/// Serves.
pub fn execute(options: &Options, context: &Context) -> Result<Ending, Failure> {
    let given = Given { runbooks: options.runbooks.clone(), listen: options.listen };
    server::serve(&given, context)
}
