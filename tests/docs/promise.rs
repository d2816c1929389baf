//! Promises: a table whose last column is `held by` names in it, for each of its rows, the tests that hold it.

use std::fs;
use std::path::Path;

use super::{Document, root};

/// Where tests stand.
const SOURCES: &[&str] = &["dsl", "engine", "stdlib", "src", "tests"];

/// Finds promises that no test holds.
pub fn check(document: &Document) -> Vec<String> {
    let mut sources = String::new();
    for folder in SOURCES {
        collect(&root().join(folder), &mut sources);
    }
    let place = |line: usize| format!("{}:{line}", document.name());
    let mut breaches = Vec::new();
    for (line, row) in promises(&document.text) {
        let named: Vec<_> = row.split('`').skip(1).step_by(2).collect();
        if named.is_empty() {
            breaches.push(format!("{}: no test is named", place(line)));
        }
        let missing = named.iter().filter(|name| !sources.contains(&format!("fn {name}(")));
        breaches.extend(missing.map(|name| format!("{}: there is no test `{name}`", place(line))));
    }
    breaches
}

/// The last cells of all rows of such tables, with their lines.
fn promises(text: &str) -> Vec<(usize, &str)> {
    let mut is_promise = false;
    let mut found = Vec::new();
    for (line, number) in text.lines().zip(1..) {
        let last = line.trim_end_matches('|').rsplit('|').next().unwrap_or_default().trim();
        if !line.starts_with('|') {
            is_promise = false;
        } else if last == "held by" {
            is_promise = true;
        } else if is_promise && !last.starts_with("---") {
            found.push((number, last));
        }
    }
    found
}

fn collect(folder: &Path, text: &mut String) {
    for entry in fs::read_dir(folder).expect("a folder of the repository") {
        let path = entry.expect("an entry of the folder").path();
        if path.is_dir() {
            collect(&path, text);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            text.push_str(&fs::read_to_string(&path).expect("a source is text"));
        }
    }
}

#[test]
fn rows_are_found_by_their_table() {
    let text =
        "| a | b |\n|---|---|\n| x | `no` |\n\n| promise | held by |\n|---|---|\n| one | `a_test`, `b_test` |\ntext\n";
    assert_eq!(promises(text), [(7, "`a_test`, `b_test`")]);
}
