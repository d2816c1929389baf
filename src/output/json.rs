//! `--json`: one object a line on standard output and nothing else there.

use serde::Serialize;

use super::print;
use crate::ending::Failure;

/// Prints one object on a line of its own. That nobody reads it is no failure.
pub fn line(object: &impl Serialize) -> Result<(), Failure> {
    let mut text = serde_json::to_string(object).expect("what we print has text for keys and no infinite numbers");
    text.push('\n');
    print(&text)
}
