//! A PostgreSQL server in a temporary folder, shared by the tests that need one.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use super::process::free_port;

/// The password of its only user, `postgres`.
pub const PASSWORD: &str = "correct-horse-battery-staple";

/// The user nobody, as whom a test of root runs the server: PostgreSQL refuses to run as root.
const NOBODY: u32 = 65534;

/// A running server.
pub struct PostgresServer {
    /// Where it listens, on the loopback address.
    pub port: u16,
    programs: PathBuf,
    /// Stops the server and removes its folder when this process has gone, however it went: then its standard input ends.
    _keeper: Child,
}

impl PostgresServer {
    /// The server, which the first call starts.
    pub fn shared() -> &'static Self {
        static SERVER: OnceLock<PostgresServer> = OnceLock::new();
        SERVER.get_or_init(Self::start)
    }

    /// One of PostgreSQL's client programs, connected to it.
    pub fn client(&self, program: &str) -> Command {
        let mut command = Command::new(self.programs.join(program));
        command.env("PGHOST", "127.0.0.1").env("PGPORT", self.port.to_string());
        command.env("PGUSER", "postgres").env("PGPASSWORD", PASSWORD);
        command
    }

    /// Makes an empty database.
    pub fn create(&self, database: &str) {
        checked(self.client("createdb").arg(database));
    }

    /// What SQL gives in a database, one row a line.
    #[track_caller]
    pub fn sql(&self, database: &str, text: &str) -> String {
        checked(self.client("psql").args(["-XAtq", "--set", "ON_ERROR_STOP=1", "--dbname", database, "-c", text]))
    }

    fn start() -> Self {
        let programs = installed();
        let port = free_port();
        let folder = tempfile::tempdir().expect("a temporary folder").keep();
        fs::write(folder.join("password"), PASSWORD).expect("a file");
        let mut keeper = Command::new("sh");
        keeper.args(["-euc", KEEPER, "postgres-keeper"]).arg(&folder).arg(&programs).arg(port.to_string());
        keeper.current_dir(&folder).stdin(Stdio::piped()).stdout(Stdio::piped());
        if rustix::process::geteuid().is_root() {
            chown(&folder, Some(NOBODY), Some(NOBODY)).expect("root may give a folder away");
            keeper.uid(NOBODY).gid(NOBODY);
        }
        let mut keeper = keeper.spawn().expect("a shell starts");
        let mut greeting = String::new();
        BufReader::new(keeper.stdout.take().expect("a pipe was asked for"))
            .read_line(&mut greeting)
            .expect("the server's keeper speaks text");
        assert_eq!(greeting, "ready\n", "the server did not start; what it said stands above");
        Self { port, programs, _keeper: keeper }
    }
}

/// Runs a command that must succeed, and gives what it printed.
#[track_caller]
pub fn checked(command: &mut Command) -> String {
    let output = command.output().expect("a program of PostgreSQL starts");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
}

/// Takes the folder, PostgreSQL's programs and the port. Nothing is synced: what is in it need not outlive anything.
const KEEPER: &str = r#"
    trap 'rm -rf "$1"' EXIT
    "$2/initdb" --pgdata "$1/data" --username postgres --pwfile "$1/password" --auth scram-sha-256 \
        --encoding UTF8 --no-locale --no-sync >"$1/log" || { cat "$1/log" >&2; exit 1; }
    "$2/pg_ctl" --pgdata "$1/data" --log "$1/log" --wait start >/dev/null \
        --options "-p $3 -k '$1' -c listen_addresses=127.0.0.1 -c fsync=off" || { cat "$1/log" >&2; exit 1; }
    echo ready
    read -r _ || true
    "$2/pg_ctl" --pgdata "$1/data" --mode immediate stop >/dev/null
"#;

/// The newest of the installed versions, where Debian puts them.
fn installed() -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").expect("Debian's package postgresql is installed");
    let newest = versions
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("a version"))
        .max_by_key(|version| version.parse::<u32>().unwrap_or_default())
        .expect("Debian's package postgresql is installed");
    PathBuf::from(format!("/usr/lib/postgresql/{newest}/bin"))
}
