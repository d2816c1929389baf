//! Logs of a run that were removed to keep within the storage budget: what is left in their place says so.
//!
//! Removes logs, and nothing else; whoever calls has seen that the run has ended.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use lockstep_dsl::value::Timestamp;

/// The file that is left in a run's folder of logs: when they were removed, RFC 3339.
const MARK: &str = "removed";

/// Removes all logs in a run's folder. The mark comes first, so that nobody ever looks for them in vain.
pub fn retire(folder: &Path, now: Timestamp) -> io::Result<()> {
    fs::write(folder.join(MARK), format!("{now}\n"))?;
    for path in logs(folder)? {
        fs::remove_file(path)?;
    }
    Ok(())
}

/// When the logs in a run's folder were removed, if they were.
pub fn retired(folder: &Path) -> Option<String> {
    fs::read_to_string(folder.join(MARK)).ok().map(|text| text.trim_end().to_owned())
}

/// Bytes of the logs in a run's folder.
pub fn bytes(folder: &Path) -> io::Result<u64> {
    logs(folder)?.into_iter().map(|path| fs::metadata(path).map(|metadata| metadata.len())).sum()
}

fn logs(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut logs = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name() != MARK {
            logs.push(entry.path());
        }
    }
    Ok(logs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_stays_when_the_logs_are_gone() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("0-1.log"), "12345").unwrap();
        fs::write(folder.path().join("0-1.log.1"), "123").unwrap();
        assert_eq!((bytes(folder.path()).unwrap(), retired(folder.path())), (8, None));
        retire(folder.path(), Timestamp(1_700_000_000_000)).unwrap();
        assert_eq!(bytes(folder.path()).unwrap(), 0);
        assert_eq!(retired(folder.path()).as_deref(), Some("2023-11-14T22:13:20Z"));
    }
}
