//! Holds `docs/journal-format.md` against the code.

use std::ops::Range;

use super::{frame, head, manifest, pack, segment};
use crate::store::{FORMAT_VERSION, base};

const PAGE: &str = include_str!("../../../../docs/journal-format.md");

/// The rows of the table whose first column has this heading, as their cells.
fn table(heading: &str) -> Vec<Vec<&'static str>> {
    let cells = |line: &'static str| line.trim_matches('|').split('|').map(str::trim).collect::<Vec<_>>();
    let lines = PAGE.lines().skip_while(|line| !line.starts_with(&format!("| {heading} |")));
    let rows: Vec<_> = lines.skip(2).take_while(|line| line.starts_with('|')).map(cells).collect();
    assert!(!rows.is_empty(), "the page has the table `{heading}`");
    rows
}

fn magic(bytes: &[u8]) -> String {
    format!("`{}`", str::from_utf8(bytes).unwrap())
}

#[test]
fn the_page_names_every_constant() {
    let constants = [
        ("FORMAT_VERSION", FORMAT_VERSION.to_string()),
        ("FRAME_MAGIC", magic(&frame::FRAME_MAGIC)),
        ("FRAME_VERSION", frame::FRAME_VERSION.to_string()),
        ("FRAME_HEADER_BYTES", frame::FRAME_HEADER_BYTES.to_string()),
        ("FRAME_HASH_BYTES", frame::FRAME_HASH_BYTES.to_string()),
        ("FRAME_ALIGN", frame::FRAME_ALIGN.to_string()),
        ("RECORD_PREFIX_BYTES", frame::RECORD_PREFIX_BYTES.to_string()),
        ("MAX_FRAME_BYTES", frame::MAX_FRAME_BYTES.to_string()),
        ("SEGMENT_MAGIC", magic(&segment::SEGMENT_MAGIC)),
        ("SEGMENT_HEADER_BYTES", segment::SEGMENT_HEADER_BYTES.to_string()),
        ("FIRST_SEGMENT_BYTES", segment::FIRST_SEGMENT_BYTES.to_string()),
        ("SEGMENT_GROWTH", segment::SEGMENT_GROWTH.to_string()),
        ("MAX_SEGMENT_BYTES", segment::MAX_SEGMENT_BYTES.to_string()),
        ("SEALED_MAGIC", magic(&segment::SEALED_MAGIC)),
        ("PACK_HEADER_BYTES", pack::PACK_HEADER_BYTES.to_string()),
        ("BLOCK_HEADER_BYTES", pack::BLOCK_HEADER_BYTES.to_string()),
        ("BLOCK_BYTES", pack::BLOCK_BYTES.to_string()),
        ("BLOCK_OF_FRAMES", pack::BLOCK_OF_FRAMES.to_string()),
        ("BLOCK_OF_INDEX", pack::BLOCK_OF_INDEX.to_string()),
        ("PACK_TRAILER_BYTES", pack::PACK_TRAILER_BYTES.to_string()),
        ("BASE_MAGIC", magic(&base::BASE_MAGIC)),
        ("KEY_PREFIX_BYTES", base::KEY_PREFIX_BYTES.to_string()),
        ("KEPT_BASES", base::KEPT_BASES.to_string()),
        ("MANIFEST_HEADING", magic(manifest::MANIFEST_HEADING.as_bytes())),
        ("HEAD_MAGIC", magic(&head::HEAD_MAGIC)),
        ("HEAD_SLOT_BYTES", head::HEAD_SLOT_BYTES.to_string()),
        ("HEAD_USED_BYTES", head::HEAD_USED_BYTES.to_string()),
    ];
    let expected: Vec<_> = constants.iter().map(|(name, value)| vec![format!("`{name}`"), value.clone()]).collect();
    assert_eq!(table("constant"), expected);
}

#[test]
fn the_page_places_every_field() {
    use frame::at as f;
    use head::at as h;
    use pack::at as p;
    use segment::at as s;
    let frame_fields = [
        ("MAGIC", f::MAGIC),
        ("VERSION", f::VERSION),
        ("LEN", f::LEN),
        ("COUNT", f::COUNT),
        ("EPOCH", f::EPOCH),
        ("FIRST", f::FIRST),
        ("WALL", f::WALL),
        ("TIME", f::TIME),
        ("BOOTTIME", f::BOOTTIME),
        ("BOOT", f::BOOT),
        ("PREV", f::PREV),
        ("CRC", f::CRC),
    ];
    let segment_fields = [
        ("MAGIC", s::MAGIC),
        ("VERSION", s::VERSION),
        ("SHARD", s::SHARD),
        ("NUMBER", s::NUMBER),
        ("SIZE", s::SIZE),
        ("CRC", s::CRC),
    ];
    let pack_fields = [
        ("MAGIC", p::MAGIC),
        ("VERSION", p::VERSION),
        ("SHARD", p::SHARD),
        ("NUMBER", p::NUMBER),
        ("SIZE", p::SIZE),
        ("FIRST", p::FIRST),
        ("BEFORE", p::BEFORE),
        ("CRC", p::CRC),
    ];
    let block_fields = [("KIND", p::KIND), ("LEN", p::LEN), ("RAW", p::RAW), ("HASH", p::HASH)];
    let trailer_fields = [("INDEX", p::INDEX), ("CRC", p::TRAILER_CRC)];
    let head_fields = [
        ("MAGIC", h::MAGIC),
        ("VERSION", h::VERSION),
        ("SHARD", h::SHARD),
        ("CLOSED", h::CLOSED),
        ("TURN", h::TURN),
        ("EPOCH", h::EPOCH),
        ("LAST", h::LAST),
        ("LAST_HASH", h::LAST_HASH),
        ("SEGMENT", h::SEGMENT),
        ("OLDEST", h::OLDEST),
        ("BASE", h::BASE),
        ("BASE_HASH", h::BASE_HASH),
        ("SETTLED", h::SETTLED),
        ("HASH", h::HASH),
    ];
    check_fields("frame header", &frame_fields);
    check_fields("segment header", &segment_fields);
    check_fields("pack header", &pack_fields);
    check_fields("block header", &block_fields);
    check_fields("trailer", &trailer_fields);
    check_fields("slot of HEAD", &head_fields);
}

fn check_fields(heading: &str, fields: &[(&str, Range<usize>)]) {
    let rows = table(heading);
    let on_page: Vec<_> = rows.iter().map(|row| (row[0].split('`').nth(1).unwrap(), row[1], row[2])).collect();
    let places: Vec<_> = fields.iter().map(|(_, at)| (at.start.to_string(), at.end.to_string())).collect();
    let in_code: Vec<_> =
        fields.iter().zip(&places).map(|((name, _), (from, to))| (*name, from.as_str(), to.as_str())).collect();
    assert_eq!(on_page, in_code, "{heading}");
}
