//! What a supervisor that is *ready* is told first, in one message over its line: its folder, and with it the task file
//! that is locked for it.
//!
//! The lock belongs to the open file, and so goes with it: also while the message is under way, and when the engine has
//! died meanwhile. A message comes whole or not at all: it fits into the buffer of a socket in which nothing is yet.

use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut, Read as _};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    recvmsg, sendmsg,
};

/// Sends it: the length of the path in 4 bytes, little-endian, and the path.
///
/// # Errors
/// Nothing was sent.
pub(crate) fn send(line: impl AsFd, task: &File, folder: &Path) -> io::Result<()> {
    let path = folder.as_os_str().as_bytes();
    let length = u32::try_from(path.len()).map_err(io::Error::other)?.to_le_bytes();
    let files = [task.as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut beside = SendAncillaryBuffer::new(&mut space);
    if !beside.push(SendAncillaryMessage::ScmRights(&files)) {
        return Err(io::Error::other("a file does not go beside a message"));
    }
    let message = [IoSlice::new(&length), IoSlice::new(path)];
    let sent = sendmsg(line, &message, &mut beside, SendFlags::NOSIGNAL)?;
    if sent == length.len() + path.len() { Ok(()) } else { Err(io::ErrorKind::WriteZero.into()) }
}

/// Waits for it. `None` where the engine needs no supervisor any more, or is gone.
pub(super) fn receive(line: &mut UnixStream) -> io::Result<Option<(OwnedFd, PathBuf)>> {
    let mut length = [0; 4];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut beside = RecvAncillaryBuffer::new(&mut space);
    let received =
        recvmsg(&line, &mut [IoSliceMut::new(&mut length)], &mut beside, RecvFlags::CMSG_CLOEXEC | RecvFlags::WAITALL)?;
    if received.bytes == 0 {
        return Ok(None);
    }
    let file = beside.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut files) => files.next(),
        _ => None,
    });
    let file = file.ok_or_else(|| io::Error::other("the message names no task"))?;
    let mut path = vec![0; usize::try_from(u32::from_le_bytes(length)).map_err(io::Error::other)?];
    line.read_exact(&mut path)?;
    Ok(Some((file, std::ffi::OsString::from_vec(path).into())))
}
