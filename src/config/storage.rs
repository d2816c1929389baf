//! `storage`: how much a data folder may hold, and for how long.

use lockstep_dsl::scalar;
use lockstep_dsl::yaml::Node;
use lockstep_engine::host::{Keep, Storage};

use super::reader::Reader;

/// Reads it; what is wrong is left out.
pub fn read(reader: &mut Reader<'_>, node: &Node) -> Storage {
    let Some(mapping) = reader.expect_map("storage", node) else { return Storage::default() };
    let (mut max, mut logs, mut keep) = (None, None, Keep::default());
    reader.map(
        "storage",
        mapping,
        &mut [
            ("max", &mut |reader, node| max = reader.expect("max", node, size)),
            ("logs", &mut |reader, node| logs = reader.expect("logs", node, size)),
            ("keep", &mut |reader, node| keep = read_keep(reader, node)),
        ],
    );
    Storage { max, logs, keep }
}

fn read_keep(reader: &mut Reader<'_>, node: &Node) -> Keep {
    let Some(mapping) = reader.expect_map("keep", node) else { return Keep::default() };
    let (mut succeeded, mut failed, mut cancelled) = (None, None, None);
    reader.map(
        "keep",
        mapping,
        &mut [
            ("succeeded", &mut |reader, node| succeeded = reader.expect("succeeded", node, scalar::duration)),
            ("failed", &mut |reader, node| failed = reader.expect("failed", node, scalar::duration)),
            ("cancelled", &mut |reader, node| cancelled = reader.expect("cancelled", node, scalar::duration)),
        ],
    );
    Keep { succeeded, failed, cancelled }
}

fn size(text: &str) -> Result<u64, String> {
    scalar::size(text).and_then(|bytes| u64::try_from(bytes).map_err(|error| error.to_string()))
}
