//! `lock` of a step, and `concurrency` of a runbook: keys of which only so many are held at a time.

use crate::compile::keys::Keys;
use crate::compile::reader::Reader;
use crate::diagnostic::Code;
use crate::graph::{Concurrency, Excess, Field, Lock};
use crate::limits;
use crate::runbook::Place;
use crate::scalar;
use crate::value::Value;
use crate::yaml::{Mapping, Node};

const KEYS: Keys = Keys {
    of: "`lock`",
    known: &["key", "limit"],
    later: &[],
    hints: &[
        ("name", "what is locked is named by its `key`"),
        ("timeout", "how long a step waits and runs in all is limited by `timeout: { total }`"),
        ("excess", "a step that comes too late waits; `excess` is for the runbook's own `concurrency`"),
    ],
};

const CONCURRENCY: Keys = Keys {
    of: "`concurrency`",
    known: &["key", "limit", "excess"],
    later: &[],
    hints: &[
        ("group", "what the runs share is named by its `key`"),
        ("max", "how many runs go on at a time is called `limit`"),
        ("cancel-in-progress", "write `excess: cancel_oldest`"),
        ("policy", "what becomes of one run more is called `excess`"),
    ],
};

const EXCESSES: &[(&str, Excess)] = &[
    ("queue", Excess::Queue),
    ("skip", Excess::Skip),
    ("fail", Excess::Fail),
    ("cancel_oldest", Excess::CancelOldest),
];

/// Reads `lock: key` or its map.
pub fn read(reader: &mut Reader, node: &Node) -> Option<Lock> {
    if let Node::Scalar(_) = node {
        let key = key(reader, node, "`lock`", Place::LockKey)?;
        return Some(Lock { key, limit: 1 });
    }
    let mapping = reader.mapping(node, &KEYS)?;
    let named = reader.required(mapping, "`lock`", "key", "key: 'deploy-${{ params.host }}'");
    let named = named.and_then(|node| key(reader, node, "`key`", Place::LockKey));
    let limit = limit(reader, mapping);
    Some(Lock { key: named?, limit: limit? })
}

/// Reads `concurrency`.
pub fn read_concurrency(reader: &mut Reader, node: &Node) -> Option<Concurrency> {
    let mapping = reader.mapping(node, &CONCURRENCY)?;
    let named = reader.required(mapping, "`concurrency`", "key", "key: 'disk-${{ params.host }}'");
    let named = named.and_then(|node| key(reader, node, "`key`", Place::ConcurrencyKey));
    let limit = limit(reader, mapping);
    let excess = mapping
        .get("excess")
        .map_or(Some(Excess::Queue), |node| reader.choice(node, "`excess`", EXCESSES).map(|excess| excess.value));
    Some(Concurrency { key: named?, limit: limit?, excess: excess? })
}

fn limit(reader: &mut Reader, mapping: &Mapping) -> Option<u32> {
    let Some(node) = mapping.get("limit") else { return Some(1) };
    u32::try_from(reader.integer(node, "`limit`", 1, limits::LOCK_HOLDERS)?.value).ok()
}

/// What names a lock. That it is too long, or nothing, is known here where it is fixed text.
fn key(reader: &mut Reader, node: &Node, what: &str, place: Place) -> Option<Field> {
    let field = reader.text(node, what, place)?;
    if let (Field::Const(Value::String(text)), Node::Scalar(scalar)) = (&field, node)
        && let Err(why) = scalar::lock_key(text)
    {
        reader.bad_scalar(Code::LOCK_KEY, scalar, what, &why);
        return None;
    }
    Some(field)
}
