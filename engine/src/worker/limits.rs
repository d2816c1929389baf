//! The limits of workers, each with its unit and the reason for its size.

use std::time::Duration;

/// Attempts that one process runs at a time; the driver keeps the others waiting. Each costs a few file handles and up
/// to about 1 MiB of memory for what it has printed.
pub const MAX_RUNNING_ATTEMPTS: usize = 256;

/// Bytes of one output value; of longer output the last so many are kept. A promise of the language.
pub const OUTPUT_BYTES: usize = 256 * 1024;

/// Bytes of the file at `$LOCKSTEP_OUTPUT`: four outputs of the greatest size.
pub const OUTPUT_FILE_BYTES: u64 = 4 * OUTPUT_BYTES as u64;

/// Bytes of standard error that an error's `data` shows: what a person reads first.
pub const ERROR_STDERR_BYTES: usize = 4 * 1024;

/// How long output is awaited after a command's process has ended, while something it left behind holds its pipes.
pub const DRAIN: Duration = Duration::from_secs(2);

/// Bytes that are read from a pipe at once: what a pipe holds by default.
pub const PIPE_BYTES: usize = 64 * 1024;

/// How often a group of processes is looked at while its end is awaited; the kernel offers no event for it.
pub const GROUP_POLL: Duration = Duration::from_millis(10);

/// Bytes of a log's beginning that are always kept.
pub const LOG_HEAD_BYTES: u64 = 32 * 1024 * 1024;

/// Bytes of one further part of a log; the oldest parts go when there are too many.
pub const LOG_PART_BYTES: u64 = 8 * 1024 * 1024;

/// Further parts of a log that are kept, so that at least 24 MiB of a log's end are there, and the whole is at most
/// 64 MiB.
pub const LOG_PARTS: u64 = 4;

/// Bytes of free disk that long logs leave alone: without room the journal cannot take what has happened, and every run
/// would stand still.
pub const LOG_RESERVE_BYTES: u64 = 8 * 1024 * 1024;

/// Bytes of a log between two looks at the free room, so that short logs cost no look.
pub const LOG_LOOK_BYTES: u64 = 1024 * 1024;

/// Bytes of one secret's value: beyond any key or token, and small enough to search for in all its encodings.
pub const SECRET_BYTES: usize = 64 * 1024;

/// Bytes of all secrets of one attempt: their encodings are held in memory while it runs.
pub const SECRETS_BYTES: usize = 256 * 1024;

/// Shorter secrets are masked as they stand only: their encodings would be found everywhere.
pub const SHORT_SECRET_BYTES: usize = 4;

/// Bytes of one line of progress; the rest of a longer line is in the log.
pub const PROGRESS_LINE_BYTES: usize = 4 * 1024;

/// Bytes at the end of each read in which lines of progress are looked for, so that a command that prints without end
/// costs people who watch nothing.
pub const PROGRESS_WINDOW_BYTES: usize = 16 * 1024;

/// Lines of progress that an attempt may report at once after it was quiet.
pub const PROGRESS_BURST: u32 = 500;

/// Lines of progress a second thereafter; no one reads faster.
pub const PROGRESS_PER_SECOND: u32 = 100;

/// Entries of a growing log that are read before other attempts have their turn: at most 4 MiB.
pub const FOLLOWED_ENTRIES: usize = 64;
