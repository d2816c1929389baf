//! The folder's socket: `<data>/socket`, for its owner only, or for a group as well.
//!
//! The address of a Unix socket has room for 107 bytes. A longer path is gone through `/proc/self/fd`, where the folder
//! has a short name.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};

use lockstep_engine::fault::{self, Point};
use rustix::fs::{CWD, Mode, OFlags, openat};
use tokio::net::{UnixListener, UnixStream};

/// Its name in the data folder.
const NAME: &str = "socket";

/// Its name until others may see it.
const UNFINISHED: &str = "tmp-socket";

/// Bytes of an address, without the zero behind it.
const ADDRESS_BYTES: usize = 107;

/// A way to a file in the folder that is short enough for an address.
struct Way {
    path: PathBuf,
    /// Keeps the folder's short name alive.
    _folder: Option<File>,
}

impl Way {
    fn to(folder: &Path, name: &str) -> io::Result<Self> {
        let path = folder.join(name);
        if path.as_os_str().len() <= ADDRESS_BYTES {
            return Ok(Self { path, _folder: None });
        }
        let folder =
            File::from(openat(CWD, folder, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?);
        let path = PathBuf::from(format!("/proc/self/fd/{}/{name}", folder.as_raw_fd()));
        Ok(Self { path, _folder: Some(folder) })
    }
}

/// Connects to whoever listens in the folder.
pub async fn connect(folder: &Path) -> io::Result<UnixStream> {
    let way = Way::to(folder, NAME)?;
    UnixStream::connect(&way.path).await
}

/// Listens in the folder; only for who holds its lock, so that what a dead host left there can be replaced. A group that is
/// given may ask as well: it gets through the folder to the socket, and reads nothing else there.
pub fn listen(folder: &Path, group: Option<u32>) -> io::Result<UnixListener> {
    let way = Way::to(folder, UNFINISHED)?;
    match fs::remove_file(&way.path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&way.path)?;
    let mode = if group.is_some() {
        chown(&way.path, None, group)?;
        chown(folder, None, group)?;
        fs::set_permissions(folder, Permissions::from_mode(0o710))?;
        0o660
    } else {
        0o600
    };
    fs::set_permissions(&way.path, Permissions::from_mode(mode))?;
    fault::at(Point::SocketRename, || fs::rename(folder.join(UNFINISHED), folder.join(NAME)))?;
    Ok(listener)
}

/// Takes the socket away; only for who holds the folder's lock.
pub fn remove(folder: &Path) {
    // One that stays is replaced by the next host, and connecting to it fails until then.
    let _ = fs::remove_file(folder.join(NAME));
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn a_socket_is_reached_however_long_its_path_is() {
        let base = tempfile::tempdir().unwrap();
        let long =
            base.path().join("a-rather-long-name-for-a-folder".repeat(3)).join("and-another-one-below-it".repeat(5));
        for folder in [base.path().to_owned(), long] {
            fs::create_dir_all(&folder).unwrap();
            // What a dead host left behind.
            drop(listen(&folder, None).unwrap());
            assert!(connect(&folder).await.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused));

            let listener = listen(&folder, None).unwrap();
            let mode = fs::metadata(folder.join(NAME)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
            let mut here = connect(&folder).await.unwrap();
            let (mut there, _) = listener.accept().await.unwrap();
            here.write_all(b"x").await.unwrap();
            assert_eq!(there.read_u8().await.unwrap(), b'x');
            remove(&folder);
            assert!(connect(&folder).await.is_err_and(|error| error.kind() == io::ErrorKind::NotFound));
        }
    }
}
