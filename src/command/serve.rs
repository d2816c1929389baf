//! `lockstep serve`: serves a data folder until it is told to stop.

use clap::Args;

use crate::context::Context;
use crate::ending::{Ending, Failure};
use crate::logging::{LogFormat, Logging};
use crate::server;

const EXAMPLES: &str = "\
Examples:
  lockstep serve --data /var/lib/lockstep   all other verbs with this folder then ask the server
  lockstep serve --log-format json          one JSON object a line on standard error

It takes the data folder, goes on with every run there that was cut off, and stays. `run`, `runs`,
`show`, `logs`, `cancel`, `approve` and all the others work as ever; they ask the server over the
folder's socket, which is for the folder's owner and root.

Signals:
  SIGTERM, Ctrl-C  no more requests are taken, what is being committed ends; exit code 0
  a second one     stops at once, as a crash would; exit code 3

Either way nothing that was acknowledged is lost, and commands go on under their supervisors. The next
server picks them up: the same processes, with all that they printed. So the program is upgraded by
a restart. Who follows a run meanwhile (`lockstep run`) waits for a minute for the server.";

/// Options of `lockstep serve`.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Options {
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
pub fn execute(_options: &Options, context: &Context) -> Result<Ending, Failure> {
    server::serve(context)
}
