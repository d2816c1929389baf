//! The disk as a file system of programs, and its power.

use std::ffi::OsStr;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use fuser::{
    BackgroundSession, BsdFileFlags, Config, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation,
    INodeNo, LockOwner, MountOption, OpenFlags, RenameFlags, ReplyAttr, ReplyCreate, ReplyData, ReplyDirectory,
    ReplyEmpty, ReplyEntry, ReplyOpen, ReplyStatfs, ReplyWrite, Request, TimeOrNow, WriteFlags,
};

use super::tree::{Content, FORMAT, Ino, Kind, Names, Node, Tree, Write};

/// How long the kernel may remember what it was told: all changes come through it.
const REMEMBER: Duration = Duration::from_secs(1);
/// Room that there seems to be, in blocks of 4 KiB.
const BLOCKS: u64 = 1 << 20;

/// The power of a machine with a disk.
pub struct Power {
    counter: Mutex<Counter>,
    cut: Box<dyn Fn() + Send + Sync>,
}

struct Counter {
    /// Changes and syncs until now.
    done: u64,
    /// At which the power is cut, before it is done.
    last: Option<u64>,
    /// Syncs of files until one fails; none does where there is none.
    until_failure: Option<u64>,
    is_off: bool,
}

impl Power {
    /// Power that is cut at the change or sync of this number, counted from 1; never where there is none. `cut` then
    /// stops the machine: it must not wait for anything that uses the disk.
    pub fn new(last: Option<u64>, cut: impl Fn() + Send + Sync + 'static) -> Self {
        let counter = Counter { done: 0, last, until_failure: None, is_off: false };
        Self { counter: Mutex::new(counter), cut: Box::new(cut) }
    }

    /// Lets the sync of a file fail that comes after so many others. What it was to sync stays visible and never reaches
    /// the disk, as Linux has it: the next sync succeeds and does not know of it.
    pub fn fail_sync(&self, after: u64) {
        self.counter().until_failure = Some(after);
    }

    fn fails_now(&self) -> bool {
        let mut counter = self.counter();
        let fails = counter.until_failure == Some(0);
        counter.until_failure = counter.until_failure.and_then(|left| left.checked_sub(1));
        fails
    }

    /// Changes and syncs until now.
    pub fn done(&self) -> u64 {
        self.counter().done
    }

    /// Whether it was cut.
    pub fn is_off(&self) -> bool {
        self.counter().is_off
    }

    /// Counts. Without power nothing can be done any more.
    fn step(&self) -> Result<(), Errno> {
        let mut counter = self.counter();
        if counter.is_off {
            return Err(Errno::EIO);
        }
        counter.done += 1;
        if counter.last == Some(counter.done) {
            counter.is_off = true;
            drop(counter);
            (self.cut)();
            return Err(Errno::EIO);
        }
        Ok(())
    }

    fn counter(&self) -> MutexGuard<'_, Counter> {
        self.counter.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Serves the disk at a folder until what is given back is dropped.
///
/// # Errors
/// It cannot be mounted: that takes root, or the program `fusermount3`.
pub fn mount(tree: Arc<Mutex<Tree>>, power: Arc<Power>, at: &Path) -> io::Result<BackgroundSession> {
    let mut config = Config::default();
    config.mount_options =
        vec![MountOption::FSName("lockstep-power".to_owned()), MountOption::DefaultPermissions, MountOption::NoAtime];
    fuser::spawn_mount(Served { tree, power }, at, &config)
}

struct Served {
    tree: Arc<Mutex<Tree>>,
    power: Arc<Power>,
}

impl Served {
    fn tree(&self) -> MutexGuard<'_, Tree> {
        self.tree.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a node with a name.
    fn make(&self, request: &Request, parent: INodeNo, name: &OsStr, kind: Kind, mode: u32) -> Result<FileAttr, Errno> {
        let mut tree = self.tree();
        if tree.find(parent.0, name).is_some() {
            return Err(Errno::EEXIST);
        }
        self.power.step()?;
        let ino = tree.add(kind, mode, (request.uid(), request.gid()));
        tree.names_mut(parent.0).ok_or(Errno::ENOTDIR)?.change(vec![(name.to_owned(), Some(ino))]);
        tree.node(ino).map(|node| attributes(ino, node)).ok_or(Errno::ENOENT)
    }

    fn remove(&self, parent: INodeNo, name: &OsStr, folder: bool) -> Result<(), Errno> {
        let mut tree = self.tree();
        let ino = tree.find(parent.0, name).ok_or(Errno::ENOENT)?;
        match (folder, tree.names(ino)) {
            (true, None) => return Err(Errno::ENOTDIR),
            (true, Some(names)) if !names.now.is_empty() => return Err(Errno::ENOTEMPTY),
            (false, Some(_)) => return Err(Errno::EISDIR),
            (true, Some(_)) | (false, None) => {}
        }
        self.power.step()?;
        tree.names_mut(parent.0).ok_or(Errno::ENOTDIR)?.change(vec![(name.to_owned(), None)]);
        Ok(())
    }

    fn move_name(&self, from: (INodeNo, &OsStr), to: (INodeNo, &OsStr), flags: RenameFlags) -> Result<(), Errno> {
        let mut tree = self.tree();
        let ino = tree.find(from.0.0, from.1).ok_or(Errno::ENOENT)?;
        if let Some(there) = tree.find(to.0.0, to.1) {
            if flags.contains(RenameFlags::RENAME_NOREPLACE) {
                return Err(Errno::EEXIST);
            }
            if tree.names(there).is_some_and(|names| !names.now.is_empty()) {
                return Err(Errno::ENOTEMPTY);
            }
        }
        self.power.step()?;
        let (gone, new) = ((from.1.to_owned(), None), (to.1.to_owned(), Some(ino)));
        if from.0 == to.0 {
            tree.names_mut(from.0.0).ok_or(Errno::ENOTDIR)?.change(vec![gone, new]);
        } else {
            tree.names_mut(from.0.0).ok_or(Errno::ENOTDIR)?.change(vec![gone]);
            tree.names_mut(to.0.0).ok_or(Errno::ENOTDIR)?.change(vec![new]);
        }
        Ok(())
    }

    fn change(&self, ino: Ino, mode: Option<u32>, size: Option<u64>) -> Result<FileAttr, Errno> {
        let mut tree = self.tree();
        if let Some(size) = size {
            self.power.step()?;
            let length = usize::try_from(size).map_err(|_| Errno::EFBIG)?;
            tree.content_mut(ino).ok_or(Errno::EISDIR)?.change(Write::Length(length));
        }
        let node = tree.node_mut(ino).ok_or(Errno::ENOENT)?;
        if let Some(mode) = mode {
            node.mode = mode & 0o7777;
        }
        Ok(attributes(ino, node))
    }

    fn sync(&self, ino: Ino) -> Result<(), Errno> {
        let mut tree = self.tree();
        self.power.step()?;
        match &mut tree.node_mut(ino).ok_or(Errno::ENOENT)?.kind {
            Kind::File(content) if self.power.fails_now() => {
                content.pending.clear();
                return Err(Errno::EIO);
            }
            Kind::File(content) => content.sync(),
            Kind::Folder(names) => names.sync(),
            Kind::Link(_) | Kind::Special { .. } => {}
        }
        Ok(())
    }
}

fn attributes(ino: Ino, node: &Node) -> FileAttr {
    let (kind, size) = match &node.kind {
        Kind::File(content) => (FileType::RegularFile, content.now.len()),
        Kind::Folder(names) => (FileType::Directory, names.now.len()),
        Kind::Link(target) => (FileType::Symlink, target.as_os_str().len()),
        Kind::Special { format: SOCKET } => (FileType::Socket, 0),
        Kind::Special { .. } => (FileType::NamedPipe, 0),
    };
    FileAttr {
        ino: INodeNo(ino),
        size: size as u64,
        blocks: size.div_ceil(512) as u64,
        atime: node.changed,
        mtime: node.changed,
        ctime: node.changed,
        crtime: node.changed,
        kind,
        perm: u16::try_from(node.mode).unwrap_or(0o600),
        nlink: if kind == FileType::Directory { 2 } else { 1 },
        uid: node.owner.0,
        gid: node.owner.1,
        rdev: 0,
        blksize: 4096,
        flags: 0,
    }
}

/// The type bits of a socket.
const SOCKET: u32 = 0o140_000;

fn entry(made: Result<FileAttr, Errno>, reply: ReplyEntry) {
    match made {
        Ok(attributes) => reply.entry(&REMEMBER, &attributes, Generation(0)),
        Err(error) => reply.error(error),
    }
}

fn done(result: Result<(), Errno>, reply: ReplyEmpty) {
    match result {
        Ok(()) => reply.ok(),
        Err(error) => reply.error(error),
    }
}

impl Filesystem for Served {
    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let tree = self.tree();
        let found = tree.find(parent.0, name).and_then(|ino| Some(attributes(ino, tree.node(ino)?)));
        entry(found.ok_or(Errno::ENOENT), reply);
    }

    fn getattr(&self, _: &Request, ino: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        match self.tree().node(ino.0) {
            Some(node) => reply.attr(&REMEMBER, &attributes(ino.0, node)),
            None => reply.error(Errno::ENOENT),
        }
    }

    fn setattr(
        &self,
        _: &Request,
        ino: INodeNo,
        mode: Option<u32>,
        _: Option<u32>,
        _: Option<u32>,
        size: Option<u64>,
        _: Option<TimeOrNow>,
        _: Option<TimeOrNow>,
        _: Option<SystemTime>,
        _: Option<FileHandle>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        match self.change(ino.0, mode, size) {
            Ok(attributes) => reply.attr(&REMEMBER, &attributes),
            Err(error) => reply.error(error),
        }
    }

    fn readlink(&self, _: &Request, ino: INodeNo, reply: ReplyData) {
        match self.tree().node(ino.0).map(|node| &node.kind) {
            Some(Kind::Link(target)) => reply.data(target.as_os_str().as_encoded_bytes()),
            _ => reply.error(Errno::EINVAL),
        }
    }

    fn mknod(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        umask: u32,
        _: u32,
        reply: ReplyEntry,
    ) {
        let kind = match mode & FORMAT {
            0 | 0o100_000 => Kind::File(Content::default()),
            format => Kind::Special { format },
        };
        entry(self.make(request, parent, name, kind, mode & !umask), reply);
    }

    fn mkdir(&self, request: &Request, parent: INodeNo, name: &OsStr, mode: u32, umask: u32, reply: ReplyEntry) {
        entry(self.make(request, parent, name, Kind::Folder(Names::default()), mode & !umask), reply);
    }

    fn unlink(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        done(self.remove(parent, name, false), reply);
    }

    fn rmdir(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        done(self.remove(parent, name, true), reply);
    }

    fn symlink(&self, request: &Request, parent: INodeNo, name: &OsStr, target: &Path, reply: ReplyEntry) {
        entry(self.make(request, parent, name, Kind::Link(target.to_owned()), 0o777), reply);
    }

    fn rename(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        new_parent: INodeNo,
        new_name: &OsStr,
        flags: RenameFlags,
        reply: ReplyEmpty,
    ) {
        done(self.move_name((parent, name), (new_parent, new_name), flags), reply);
    }

    fn open(&self, _: &Request, _: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        reply.opened(FileHandle(0), FopenFlags::empty());
    }

    fn create(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        umask: u32,
        _: i32,
        reply: ReplyCreate,
    ) {
        match self.make(request, parent, name, Kind::File(Content::default()), mode & !umask) {
            Ok(attributes) => reply.created(&REMEMBER, &attributes, Generation(0), FileHandle(0), FopenFlags::empty()),
            Err(error) => reply.error(error),
        }
    }

    fn read(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        match self.tree().content_mut(ino.0) {
            Some(content) => {
                let begin = usize::try_from(offset).unwrap_or(usize::MAX).min(content.now.len());
                let end = begin.saturating_add(size as usize).min(content.now.len());
                reply.data(&content.now[begin..end]);
            }
            None => reply.error(Errno::EISDIR),
        }
    }

    fn write(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        data: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        let written = self.power.step().and_then(|()| {
            let offset = usize::try_from(offset).map_err(|_| Errno::EFBIG)?;
            let mut tree = self.tree();
            let content = tree.content_mut(ino.0).ok_or(Errno::EISDIR)?;
            content.change(Write::Bytes { offset, bytes: data.to_vec() });
            u32::try_from(data.len()).map_err(|_| Errno::EFBIG)
        });
        match written {
            Ok(count) => reply.written(count),
            Err(error) => reply.error(error),
        }
    }

    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        reply.ok();
    }

    fn fsync(&self, _: &Request, ino: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        done(self.sync(ino.0), reply);
    }

    fn fsyncdir(&self, _: &Request, ino: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        done(self.sync(ino.0), reply);
    }

    fn readdir(&self, _: &Request, ino: INodeNo, _: FileHandle, offset: u64, mut reply: ReplyDirectory) {
        let tree = self.tree();
        let Some(names) = tree.names(ino.0) else { return reply.error(Errno::ENOTDIR) };
        let skipped = usize::try_from(offset).unwrap_or(usize::MAX);
        for (place, (name, found)) in (1..).zip(&names.now).skip(skipped) {
            let Some(node) = tree.node(*found) else { continue };
            if reply.add(INodeNo(*found), place, attributes(*found, node).kind, name) {
                break;
            }
        }
        reply.ok();
    }

    fn statfs(&self, _: &Request, _: INodeNo, reply: ReplyStatfs) {
        reply.statfs(BLOCKS, BLOCKS, BLOCKS, BLOCKS, BLOCKS, 4096, 255, 4096);
    }
}
