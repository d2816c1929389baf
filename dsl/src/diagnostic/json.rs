//! Diagnostics for programs: one JSON object each.

use serde_json::{Value, json};

use super::{Diagnostic, Severity};

/// `{"type":"diagnostic","code","severity","message","file","line","column","end_line","end_column","help":[..]}`.
///
/// Lines and columns count from 1, columns in characters; the end is the first column behind the place.
pub fn to_json(diagnostic: &Diagnostic) -> Value {
    let start = diagnostic.source.location(diagnostic.primary.0.start);
    let end = diagnostic.source.location(diagnostic.primary.0.end);
    let severity = match diagnostic.severity() {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    json!({
        "type": "diagnostic",
        "code": diagnostic.code.to_string(),
        "severity": severity,
        "message": diagnostic.message,
        "file": diagnostic.source.name(),
        "line": start.line,
        "column": start.column,
        "end_line": end.line,
        "end_column": end.column,
        "help": diagnostic.help,
    })
}
