//! One process in a group of its own: how it is found, started, signalled and reaped with all that descends from it.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};

use std::process::{ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};

use rustix::fs::Access;
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, WaitOptions, pidfd_open};

use super::descendants;

/// What a command inherits from the engine's environment, and so does its supervisor.
pub(crate) const INHERITED: [&str; 6] = ["PATH", "HOME", "USER", "LANG", "TZ", "TMPDIR"];

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
pub(super) fn start(launch: &Launch<'_>) -> Result<Process, StartError> {
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

    // The program's full path: the standard library would look for it with other rules.
    let mut command = Command::new(&program);
    command.arg0(name).args(&launch.argv[1..]).env_clear().env("PATH", &path).envs(inherited);
    command.envs(launch.env.iter().map(|(name, value)| (name, value))).process_group(0);
    command.stdin(if launch.stdin { Stdio::piped() } else { Stdio::null() });
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    if let Some(cwd) = &cwd {
        command.current_dir(cwd);
    }
    let mut child = command.spawn().map_err(|error| failed(start_error(&program, &error)))?;
    let leader = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let Some(leader) = leader else { return Err(failed("the system gave it no process id".to_owned())) };
    let handle = pidfd_open(leader, PidfdFlags::empty()).ok();
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    Ok(Process { leader, handle, stdin, stdout, stderr, status: None, childless: false })
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
    match error.raw_os_error().map(Errno::from_raw_os_error) {
        Some(Errno::NOENT) if program.exists() => "the interpreter that its first line names does not exist".to_owned(),
        Some(Errno::NOEXEC) => "it is no program: a script begins with a `#!` line".to_owned(),
        Some(Errno::TOOBIG) => "its arguments and environment are longer than the system allows".to_owned(),
        Some(Errno::AGAIN) => "the system has no room for another process".to_owned(),
        _ => error.to_string(),
    }
}

/// A process that was started, the group that it leads, and whatever else descends from it: this process is the
/// subreaper, so what is orphaned becomes its child.
pub(super) struct Process {
    leader: Pid,
    /// Readable when the leader has ended; `None` where the kernel has no such handles.
    pub handle: Option<OwnedFd>,
    pub stdin: Option<ChildStdin>,
    pub stdout: Option<ChildStdout>,
    pub stderr: Option<ChildStderr>,
    /// How the leader ended.
    pub status: Option<ExitStatus>,
    /// Nothing that descends from it is left.
    pub childless: bool,
}

impl Process {
    /// Takes note of every child that has ended, the leader among them or not.
    pub(super) fn reap(&mut self) {
        loop {
            match rustix::process::wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) if pid == self.leader => {
                    self.status = Some(ExitStatus::from_raw(status.as_raw()));
                    self.handle = None;
                }
                Ok(Some(_)) | Err(Errno::INTR) => {}
                Ok(None) => return,
                // There is no child any more, and so no descendant: they would be handed to this process.
                Err(_) => {
                    self.childless = true;
                    return;
                }
            }
        }
    }

    /// Signals the group, and whatever has left it for a group or session of its own. Says whether anything that lives
    /// could be signalled: processes of other users cannot.
    pub(super) fn signal(&self, signal: Signal) -> bool {
        if self.status.is_some() {
            // The leader is reaped: once the group is empty, the system may give its number to another.
            return descendants::signal(signal, None);
        }
        let group = rustix::process::kill_process_group(self.leader, signal).is_ok();
        descendants::signal(signal, Some(self.leader)) || group
    }
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
    fn signals_have_names() {
        assert_eq!(signal_name(ExitStatus::from_raw(9)).as_deref(), Some("SIGKILL"));
        assert_eq!(signal_name(ExitStatus::from_raw(31)).as_deref(), Some("SIGSYS"));
        assert_eq!(signal_name(ExitStatus::from_raw(35)).as_deref(), Some("signal 35"));
        assert_eq!(signal_name(ExitStatus::from_raw(3 << 8)), None);
    }
}
