//! Processes that a test starts and that end with it, whatever happens to the test.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A server that runs until it is dropped.
pub struct Server {
    child: Child,
    /// The line that said it was ready.
    pub greeting: String,
}

impl Server {
    /// Starts a command and waits for the line of its output that says that it is ready.
    #[track_caller]
    pub fn start(command: &mut Command, ready: &str) -> Self {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("a server starts");
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe was asked for")).lines();
        let greeting = lines
            .by_ref()
            .map(|line| line.expect("a server speaks text"))
            .find(|line| line.contains(ready))
            .expect("the server said that it is ready");
        // Whoever writes into a pipe that nobody reads stops.
        std::thread::spawn(move || lines.count());
        Self { child, greeting }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself, which is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An HTTP server that answers with the files of a folder, and the port it listens on. Links are followed anew with each
/// request.
pub fn serve_files(folder: &Path) -> (Server, u16) {
    let mut python = Command::new("python3");
    python.args(["-u", "-m", "http.server", "--bind", "127.0.0.1", "--directory"]).arg(folder).arg("0");
    let server = Server::start(python.stderr(Stdio::null()), "Serving HTTP on");
    let port = server.greeting.split_whitespace().nth(5).and_then(|port| port.parse().ok());
    (server, port.expect("Serving HTTP on ADDRESS port PORT"))
}

/// A port of this machine that nobody listened on a moment ago.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("its address").port()
}
