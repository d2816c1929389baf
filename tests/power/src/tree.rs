//! Files and folders, as they are seen and as they are on the disk.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Names a node.
pub(crate) type Ino = u64;

/// The root folder.
pub(crate) const ROOT: Ino = 1;

/// A disk.
#[derive(Debug)]
pub struct Tree {
    /// The node of number n is at n - 1. None is ever removed: an open file outlives its name.
    nodes: Vec<Node>,
}

/// A file, a folder, or something else that has a name.
#[derive(Debug)]
pub(crate) struct Node {
    pub kind: Kind,
    /// Permission bits. Programs that are tried depend on them in no crash, so they are always on the disk.
    pub mode: u32,
    pub owner: (u32, u32),
    pub changed: SystemTime,
}

#[derive(Debug)]
pub(crate) enum Kind {
    File(Content),
    Folder(Names),
    Link(PathBuf),
    /// A named pipe or a socket: nothing of it but its name lies on a disk.
    Special {
        /// The type bits of its mode.
        format: u32,
    },
}

/// What is in a file.
#[derive(Debug, Default)]
pub(crate) struct Content {
    /// As programs see it.
    pub now: Vec<u8>,
    /// As it is on the disk.
    pub durable: Vec<u8>,
    /// What was done since it was synced, in order.
    pub pending: Vec<Write>,
}

/// A change of a file.
#[derive(Clone, Debug)]
pub(crate) enum Write {
    Bytes { offset: usize, bytes: Vec<u8> },
    Length(usize),
}

/// What is in a folder.
#[derive(Debug, Default)]
pub(crate) struct Names {
    /// As programs see it.
    pub now: BTreeMap<OsString, Ino>,
    /// As it is on the disk.
    pub durable: BTreeMap<OsString, Ino>,
    /// What was done since it was synced, in order; what is done by one call stays together.
    pub pending: Vec<Vec<Naming>>,
}

/// A name gets a node, or is gone.
pub(crate) type Naming = (OsString, Option<Ino>);

impl Write {
    pub fn apply(&self, to: &mut Vec<u8>) {
        match self {
            Self::Bytes { offset, bytes } => {
                let end = offset + bytes.len();
                if to.len() < end {
                    to.resize(end, 0);
                }
                to[*offset..end].copy_from_slice(bytes);
            }
            Self::Length(length) => to.resize(*length, 0),
        }
    }
}

impl Content {
    pub fn change(&mut self, write: Write) {
        write.apply(&mut self.now);
        self.pending.push(write);
    }

    pub fn sync(&mut self) {
        for write in self.pending.drain(..) {
            write.apply(&mut self.durable);
        }
    }
}

impl Names {
    pub fn change(&mut self, namings: Vec<Naming>) {
        apply(&namings, &mut self.now);
        self.pending.push(namings);
    }

    pub fn sync(&mut self) {
        for namings in self.pending.drain(..) {
            apply(&namings, &mut self.durable);
        }
    }
}

/// Does what one call did to the names of a folder.
pub(crate) fn apply(namings: &[Naming], to: &mut BTreeMap<OsString, Ino>) {
    for (name, node) in namings {
        match node {
            Some(node) => drop(to.insert(name.clone(), *node)),
            None => drop(to.remove(name)),
        }
    }
}

impl Tree {
    /// A disk with nothing on it but what lies in this folder, all of it synced.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn load(folder: &Path) -> io::Result<Self> {
        let mut tree = Self { nodes: Vec::new() };
        tree.take_in(folder)?;
        Ok(tree)
    }

    /// Writes what is on the disk now into a folder that is there and empty.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn store(&self, folder: &Path) -> io::Result<()> {
        self.put_out(ROOT, folder)
    }

    pub(crate) fn add(&mut self, kind: Kind, mode: u32, owner: (u32, u32)) -> Ino {
        self.nodes.push(Node { kind, mode: mode & 0o7777, owner, changed: SystemTime::now() });
        self.nodes.len() as Ino
    }

    pub(crate) fn node(&self, ino: Ino) -> Option<&Node> {
        self.nodes.get(usize::try_from(ino).ok()?.checked_sub(1)?)
    }

    pub(crate) fn node_mut(&mut self, ino: Ino) -> Option<&mut Node> {
        self.nodes.get_mut(usize::try_from(ino).ok()?.checked_sub(1)?)
    }

    pub(crate) fn nodes_mut(&mut self) -> impl Iterator<Item = &mut Node> {
        self.nodes.iter_mut()
    }

    /// The names in a folder; `None` for what is none.
    pub(crate) fn names(&self, ino: Ino) -> Option<&Names> {
        match &self.node(ino)?.kind {
            Kind::Folder(names) => Some(names),
            Kind::File(_) | Kind::Link(_) | Kind::Special { .. } => None,
        }
    }

    pub(crate) fn names_mut(&mut self, ino: Ino) -> Option<&mut Names> {
        match &mut self.node_mut(ino)?.kind {
            Kind::Folder(names) => Some(names),
            Kind::File(_) | Kind::Link(_) | Kind::Special { .. } => None,
        }
    }

    pub(crate) fn content_mut(&mut self, ino: Ino) -> Option<&mut Content> {
        match &mut self.node_mut(ino)?.kind {
            Kind::File(content) => Some(content),
            Kind::Folder(_) | Kind::Link(_) | Kind::Special { .. } => None,
        }
    }

    /// What a name in a folder names.
    pub(crate) fn find(&self, folder: Ino, name: &OsStr) -> Option<Ino> {
        self.names(folder)?.now.get(name).copied()
    }

    fn take_in(&mut self, path: &Path) -> io::Result<Ino> {
        let metadata = fs::symlink_metadata(path)?;
        let kind = metadata.file_type();
        let owner = (metadata.uid(), metadata.gid());
        if kind.is_dir() {
            let ino = self.add(Kind::Folder(Names::default()), metadata.mode(), owner);
            let mut names = BTreeMap::new();
            for entry in fs::read_dir(path)? {
                let entry = entry?;
                names.insert(entry.file_name(), self.take_in(&entry.path())?);
            }
            if let Some(folder) = self.names_mut(ino) {
                folder.durable.clone_from(&names);
                folder.now = names;
            }
            return Ok(ino);
        }
        let kind = if kind.is_file() {
            let bytes = fs::read(path)?;
            Kind::File(Content { now: bytes.clone(), durable: bytes, pending: Vec::new() })
        } else if kind.is_symlink() {
            Kind::Link(fs::read_link(path)?)
        } else {
            Kind::Special { format: metadata.mode() & FORMAT }
        };
        Ok(self.add(kind, metadata.mode(), owner))
    }

    fn put_out(&self, ino: Ino, path: &Path) -> io::Result<()> {
        let Some(node) = self.node(ino) else { return Ok(()) };
        match &node.kind {
            Kind::Folder(names) => {
                if !path.is_dir() {
                    fs::create_dir(path)?;
                }
                for (name, ino) in &names.now {
                    self.put_out(*ino, &path.join(name))?;
                }
            }
            Kind::File(content) => fs::write(path, &content.now)?,
            Kind::Link(target) => return std::os::unix::fs::symlink(target, path),
            // Whoever needs a pipe or a socket makes it anew.
            Kind::Special { .. } => return Ok(()),
        }
        fs::set_permissions(path, Permissions::from_mode(node.mode))
    }
}

/// The bits of a mode that say what kind of node it is.
pub(crate) const FORMAT: u32 = 0o170_000;
