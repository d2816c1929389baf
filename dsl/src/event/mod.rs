//! Patterns of events: which alerts, webhooks and messages are meant.
//!
//! The language is that of Amazon `EventBridge`, as its user guide has it under "Comparison operators for use in event
//! patterns", and where the guide is silent as `event-ruler` does it, the matcher that AWS publishes. A pattern
//! looks like the event: fields that it names must be there, and the values of a field are alternatives.
//!
//! | | |
//! |---|---|
//! | `state: [running, stopped]` | one of these; texts, numbers, booleans, `null` |
//! | `state: [{ prefix: run }]`, `suffix`, `wildcard: 'a*b'` | text; `prefix` and `suffix` also `{ equals-ignore-case: run }` |
//! | `state: [{ equals-ignore-case: Running }]` | text in upper or lower case |
//! | `state: [{ anything-but: running }]` | a value that is none of these: texts, numbers, or one of the operators for text |
//! | `load: [{ numeric: ['>', 0, '<=', 5] }]` | a number: `=`, or bounds |
//! | `address: [{ cidr: 10.0.0.0/24 }]` | an address of this network, IPv4 or IPv6 |
//! | `state: [{ exists: false }]` | whether there is such a field with a value |
//! | `$or: [{ ... }, { ... }]` | one of these patterns |
//!
//! # Lists in events
//!
//! A list stands for each of its elements, also inside other lists. What a pattern asks of several fields of the objects
//! in a list must hold for one of them. A field whose list is empty does not exist, and neither does, for `exists`, one
//! that holds an object.
//!
//! # What is different here
//!
//! * Numbers are equal by value: `[300]` matches `300.0`. The guide compares their text; a pattern that is YAML has none.
//! * Numbers have no bounds. The guide allows -5.0e9 to 5.0e9.
//! * `$or` is never the name of a field, and a pattern that cannot match anything (an empty list) is an error, as there.

mod matching;
mod operator;
mod pattern;

pub use pattern::{Pattern, PatternError};
