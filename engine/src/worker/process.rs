//! One process in a group of its own: how it is found and started, and how the group is ended.

use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use rustix::fs::Access;
use rustix::process::{Pid, Signal};
use tokio::process::{Child, Command};

use super::limits::GROUP_POLL;

/// What a command inherits from the engine's environment.
const INHERITED: [&str; 6] = ["PATH", "HOME", "USER", "LANG", "TZ", "TMPDIR"];

/// Where programs are looked for when the engine itself has no `PATH`.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What to start.
pub(super) struct Launch<'a> {
    /// The program and its arguments; not empty.
    pub argv: &'a [String],
    /// Beside what is inherited; later ones win.
    pub env: &'a [(String, String)],
    /// The engine's own where there is none.
    pub cwd: Option<&'a str>,
    /// Whether standard input is a pipe, else it is `/dev/null`.
    pub stdin: bool,
}

/// Why a program could not be started: it certainly has not begun.
#[derive(Debug, thiserror::Error)]
pub(super) enum StartError {
    #[error("cannot start `{program}`: {why}")]
    Program { program: String, why: String },
    #[error("cannot start in `{folder}`: {why}")]
    Folder { folder: String, why: String },
}

/// Starts a program as the leader of a new group.
pub(super) fn start(launch: &Launch<'_>) -> Result<Group, StartError> {
    let cwd = match launch.cwd {
        None => None,
        Some(folder) => Some(working_folder(folder)?),
    };
    let inherited = INHERITED.iter().filter_map(|name| Some((*name, std::env::var_os(name)?)));
    let path = launch.env.iter().rev().find(|(name, _)| name == "PATH").map(|(_, value)| value.into());
    let path = path.or_else(|| std::env::var_os("PATH")).unwrap_or_else(|| DEFAULT_PATH.into());
    let name = &launch.argv[0];
    let failed = |why: String| StartError::Program { program: name.clone(), why };
    let program = find(name, &path, cwd.as_deref()).map_err(failed)?;

    // The program's full path, so that the standard library takes `posix_spawn`: a fork of a large engine is slow.
    let mut command = std::process::Command::new(&program);
    command.arg0(name).args(&launch.argv[1..]).env_clear().env("PATH", &path).envs(inherited);
    command.envs(launch.env.iter().map(|(name, value)| (name, value))).process_group(0);
    command.stdin(if launch.stdin { Stdio::piped() } else { Stdio::null() });
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    if let Some(cwd) = &cwd {
        command.current_dir(cwd);
    }
    let child = Command::from(command).spawn().map_err(|error| failed(start_error(&program, &error)))?;
    let leader = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
    let Some(leader) = leader else { return Err(failed("the system gave it no process id".to_owned())) };
    Ok(Group { child, leader })
}

fn working_folder(folder: &str) -> Result<PathBuf, StartError> {
    let wrong = |why: &str| StartError::Folder { folder: folder.to_owned(), why: why.to_owned() };
    let path = std::path::absolute(folder).map_err(|error| wrong(&error.to_string()))?;
    match std::fs::metadata(&path) {
        Ok(metadata) if !metadata.is_dir() => Err(wrong("it is no folder")),
        Ok(_) if rustix::fs::access(&path, Access::EXEC_OK).is_err() => Err(wrong("permission denied")),
        Ok(_) => Ok(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(wrong("no such folder")),
        Err(error) => Err(wrong(&error.to_string())),
    }
}

/// Finds a program as a shell would: a name with a `/` is a path, any other is looked for in `PATH`.
fn find(name: &str, path: &std::ffi::OsStr, cwd: Option<&Path>) -> Result<PathBuf, String> {
    let absolute = |path: &Path| {
        let path = cwd.map_or_else(|| path.to_owned(), |cwd| cwd.join(path));
        std::path::absolute(path).map_err(|error| error.to_string())
    };
    if name.contains('/') {
        let program = absolute(Path::new(name))?;
        return match std::fs::metadata(&program) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err("no such file".to_owned()),
            Err(error) => Err(error.to_string()),
            Ok(metadata) if metadata.is_dir() => Err("it is a folder".to_owned()),
            Ok(_) if !is_executable(&program) => Err("permission denied: the file is not executable".to_owned()),
            Ok(_) => Ok(program),
        };
    }
    let mut refused = None;
    for folder in std::env::split_paths(path) {
        let program = absolute(&folder.join(name))?;
        if program.is_file() {
            if is_executable(&program) {
                return Ok(program);
            }
            refused.get_or_insert(program);
        }
    }
    Err(match refused {
        Some(program) => format!("permission denied: `{}` is not executable", program.display()),
        None => "no such program in PATH".to_owned(),
    })
}

fn is_executable(program: &Path) -> bool {
    // Root may do everything, but the system starts only what somebody may execute.
    let by_anybody = std::fs::metadata(program).is_ok_and(|metadata| metadata.mode() & 0o111 != 0);
    by_anybody && rustix::fs::access(program, Access::EXEC_OK).is_ok()
}

fn start_error(program: &Path, error: &io::Error) -> String {
    match error.raw_os_error().map(rustix::io::Errno::from_raw_os_error) {
        Some(rustix::io::Errno::NOENT) if program.exists() => {
            "the interpreter that its first line names does not exist".to_owned()
        }
        Some(rustix::io::Errno::NOEXEC) => "it is no program: a script begins with a `#!` line".to_owned(),
        Some(rustix::io::Errno::TOOBIG) => "its arguments and environment are longer than the system allows".to_owned(),
        Some(rustix::io::Errno::AGAIN) => "the system has no room for another process".to_owned(),
        _ => error.to_string(),
    }
}

/// A running process and the group that it leads.
pub(super) struct Group {
    pub child: Child,
    leader: Pid,
}

impl Group {
    /// Ends when the leader has ended.
    pub(super) async fn wait(&mut self) -> io::Result<ExitStatus> {
        self.child.wait().await
    }

    /// Asks the whole group to end by SIGTERM, kills what is left after `grace` by SIGKILL, and ends when the group has
    /// no process any more. Says how the leader ended.
    pub(super) async fn end(&mut self, grace: std::time::Duration) -> io::Result<ExitStatus> {
        self.signal(Signal::TERM);
        // A stopped process would not notice.
        self.signal(Signal::CONT);
        if let Ok(status) = tokio::time::timeout(grace, self.gone()).await {
            return status;
        }
        self.signal(Signal::KILL);
        self.gone().await
    }

    async fn gone(&mut self) -> io::Result<ExitStatus> {
        let status = self.child.wait().await;
        while self.has_processes() {
            tokio::time::sleep(GROUP_POLL).await;
        }
        status
    }

    fn signal(&self, signal: Signal) {
        // The group's number is not given to anybody else while a process is in it; an empty group is no error.
        if let Err(error) = rustix::process::kill_process_group(self.leader, signal)
            && error != rustix::io::Errno::SRCH
        {
            tracing::warn!(group = %self.leader.as_raw_nonzero(), ?signal, %error, "cannot signal a group of processes");
        }
    }

    /// Whether a process of the group is alive. A zombie is not: where the first process of a container reaps none,
    /// zombies stay for ever.
    fn has_processes(&self) -> bool {
        if rustix::process::test_kill_process_group(self.leader) == Err(rustix::io::Errno::SRCH) {
            return false;
        }
        let Ok(processes) = std::fs::read_dir("/proc") else { return true };
        let group = self.leader.as_raw_nonzero().to_string();
        processes.flatten().any(|process| {
            std::fs::read_to_string(process.path().join("stat")).is_ok_and(|stat| is_alive_in(&stat, &group))
        })
    }
}

/// Whether a line of `/proc/PID/stat` is of a living process in this group. The program's name stands in parentheses,
/// and may hold some itself.
fn is_alive_in(stat: &str, group: &str) -> bool {
    let Some((_, rest)) = stat.rsplit_once(") ") else { return false };
    let mut fields = rest.split(' ');
    let (state, _parent, of) = (fields.next(), fields.next(), fields.next());
    of == Some(group) && !matches!(state, Some("Z" | "X"))
}

/// The name of the signal that ended a process, such as `SIGKILL`.
pub(super) fn signal_name(status: ExitStatus) -> Option<String> {
    const NAMES: [&str; 31] = [
        "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE", "ALRM",
        "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF",
        "WINCH", "IO", "PWR", "SYS",
    ];
    let number = status.signal()?;
    let name = usize::try_from(number - 1).ok().and_then(|index| NAMES.get(index));
    Some(name.map_or_else(|| format!("signal {number}"), |name| format!("SIG{name}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_of_a_process_is_read_behind_its_name() {
        assert!(is_alive_in("12 (a) Z 1 9) S 1 7 7 0", "7"));
        assert!(!is_alive_in("12 (sh) Z 1 7 7 0", "7"));
        assert!(!is_alive_in("12 (sh) S 1 77 7 0", "7"));
    }

    #[test]
    fn signals_have_names() {
        assert_eq!(signal_name(ExitStatus::from_raw(9)).as_deref(), Some("SIGKILL"));
        assert_eq!(signal_name(ExitStatus::from_raw(31)).as_deref(), Some("SIGSYS"));
        assert_eq!(signal_name(ExitStatus::from_raw(35)).as_deref(), Some("signal 35"));
        assert_eq!(signal_name(ExitStatus::from_raw(3 << 8)), None);
    }
}
