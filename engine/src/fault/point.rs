//! The registry of failpoints: one for every durable write.

/// Declares the points: the enum, all of them, their names, and the file that each stands in.
macro_rules! points {
    ($($(#[doc = $what:literal])+ $point:ident = $name:literal in $file:literal,)+) => {
        /// A durable write. Each stands at exactly one place of the sources; a test compares.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Point {
            $($(#[doc = $what])+ $point,)+
        }

        impl Point {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$point),+];

            /// Its name in a plan.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$point => $name,)+ }
            }

            /// The file that it stands in, from the root of the repository.
            pub const fn file(self) -> &'static str {
                match self { $(Self::$point => $file,)+ }
            }
        }
    };
}

points! {
    /// A folder is made.
    FolderCreate = "folder.create" in "engine/src/store/files.rs",
    /// The names in a folder are synced.
    FolderSync = "folder.sync" in "engine/src/store/files.rs",
    /// A small file is written and synced under another name.
    FileWrite = "file.write" in "engine/src/store/files.rs",
    /// It takes its name.
    FileRename = "file.rename" in "engine/src/store/files.rs",
    /// The data folder gets its format.
    FolderFormat = "folder.format" in "engine/src/store/folder.rs",
    /// The holder of the lock notes its process id.
    LockNote = "lock.note" in "engine/src/store/lock.rs",
    /// `HEAD` is made.
    HeadCreate = "head.create" in "engine/src/store/journal/head.rs",
    /// A slot of `HEAD` is written.
    HeadWrite = "head.write" in "engine/src/store/journal/head.rs",
    /// `HEAD` is synced.
    HeadSync = "head.sync" in "engine/src/store/journal/head.rs",
    /// A segment is filled with zeros and synced under another name.
    SegmentFill = "segment.fill" in "engine/src/store/journal/segment.rs",
    /// It takes its name.
    SegmentRename = "segment.rename" in "engine/src/store/journal/segment.rs",
    /// A segment that is no longer counted is removed.
    SegmentRemove = "segment.remove" in "engine/src/store/journal/segment.rs",
    /// A block of a sealed segment or of a base is written under another name.
    PackBlock = "pack.block" in "engine/src/store/journal/pack.rs",
    /// The rest of it is written, and all of it synced.
    PackFinish = "pack.finish" in "engine/src/store/journal/pack.rs",
    /// A sealed segment takes the place of what it was made from.
    SealRename = "seal.rename" in "engine/src/store/journal/sealer.rs",
    /// What was dropped is noted.
    ManifestPut = "manifest.put" in "engine/src/store/journal/manifest.rs",
    /// A base takes its name.
    BaseRename = "base.rename" in "engine/src/store/base.rs",
    /// A frame is written.
    JournalAppend = "journal.append" in "engine/src/store/journal/mod.rs",
    /// A frame is synced.
    JournalSync = "journal.sync" in "engine/src/store/journal/mod.rs",
    /// The last frame is written again when the journal is opened.
    RecoveryAppend = "recovery.append" in "engine/src/store/journal/recovery.rs",
    /// What is torn behind it is cleared.
    RecoveryClear = "recovery.clear" in "engine/src/store/journal/recovery.rs",
    /// Both are synced.
    RecoverySync = "recovery.sync" in "engine/src/store/journal/recovery.rs",
    /// The last frame of a journal that is made anew is written and synced.
    SalvageAppend = "salvage.append" in "engine/src/store/journal/rewrite.rs",
    /// Such a journal takes the place of the damaged one.
    SalvageExchange = "salvage.exchange" in "engine/src/doctor/accept.rs",
    /// The damaged one gets the name under which it is kept.
    SalvageAside = "salvage.aside" in "engine/src/doctor/accept.rs",
    /// What a reader is about to show is synced.
    ReaderSync = "reader.sync" in "engine/src/store/journal/reader.rs",
    /// A blob is put.
    BlobPut = "blob.put" in "engine/src/store/blobs.rs",
    /// A blob that was there already is synced.
    BlobSync = "blob.sync" in "engine/src/store/blobs.rs",
    /// sled opens a checkpoint, and writes to it.
    ImageOpen = "image.open" in "engine/src/store/image/tree.rs",
    /// The changes of a checkpoint are given to sled.
    ImageBatch = "image.batch" in "engine/src/store/image/tree.rs",
    /// sled writes them.
    ImageFlush = "image.flush" in "engine/src/store/image/tree.rs",
    /// sled's file is synced.
    ImageSync = "image.sync" in "engine/src/store/image/tree.rs",
    /// A checkpoint that cannot be used is set aside.
    ImageAside = "image.aside" in "engine/src/store/image.rs",
    /// A copy of a checkpoint that took too much takes its place.
    ImageReplace = "image.replace" in "engine/src/store/image.rs",
    /// The files that travel with a run are written.
    PinnedWrite = "pinned.write" in "engine/src/host/pinned.rs",
    /// Their folder takes its name.
    PinnedRename = "pinned.rename" in "engine/src/host/pinned.rs",
    /// The folder of an attempt is made.
    SpoolCreate = "spool.create" in "engine/src/supervisor/spool.rs",
    /// The script of an attempt is written.
    SpoolScript = "spool.script" in "engine/src/supervisor/spool.rs",
    /// Its task is written.
    SpoolTask = "spool.task" in "engine/src/supervisor/spool.rs",
    /// A supervisor notes that its command begins.
    SpoolBegun = "spool.begun" in "engine/src/supervisor/spool.rs",
    /// A supervisor writes how its command ended.
    SpoolExit = "spool.exit" in "engine/src/supervisor/spool.rs",
    /// That record takes its name.
    SpoolRename = "spool.rename" in "engine/src/supervisor/spool.rs",
    /// It is synced, since nobody took it.
    SpoolSync = "spool.sync" in "engine/src/supervisor/spool.rs",
    /// What a step learned that is secret is written and synced.
    SecretKeep = "secret.keep" in "engine/src/worker/learned.rs",
    /// A folder of the spool is removed.
    SpoolRemove = "spool.remove" in "engine/src/host/pinned.rs",
    /// A part of a log is begun.
    LogPart = "log.part" in "engine/src/worker/log.rs",
    /// A frame of a log is written.
    LogAppend = "log.append" in "engine/src/worker/log.rs",
    /// A file of a backup, or of a folder that is restored, is copied and synced.
    BackupCopy = "backup.copy" in "engine/src/backup/copy.rs",
    /// A restored folder takes its name.
    RestoreRename = "restore.rename" in "engine/src/backup/restore.rs",
    /// The host's socket takes its name.
    SocketRename = "socket.rename" in "src/host/socket.rs",
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_point_has_a_name_of_its_own() {
        let names: BTreeSet<_> = Point::ALL.iter().map(|point| point.name()).collect();
        assert_eq!(names.len(), Point::ALL.len());
    }
}
