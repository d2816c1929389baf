//! The house rules that no lint knows, held against the sources themselves.
//!
//! Each rule is one test, and a breach is reported as `file:line` with what to do about it. A rule that has to give way
//! somewhere does so in [`EXCEPTIONS`], with the reason; an exception that nothing uses any more is itself a breach.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

/// A longer file holds a second noun that wants a file of its own.
const MAX_LINES: usize = 700;

/// Where our Rust stands.
const SOURCES: &[&str] = &["dsl/src", "engine/src", "stdlib/src", "src", "tests"];

/// What must stay free of the world: the language and the core of the engine.
const PURE: &[&str] = &["dsl/src/", "engine/src/core/"];

/// Where a rule gives way: file, the words it may hold, why.
const EXCEPTIONS: &[(&str, &str, &str)] = &[];

/// Words that have no place, where they have none, and what to do instead.
struct Rule {
    under: &'static [&'static str],
    words: &'static [&'static str],
    instead: &'static str,
}

#[test]
fn the_language_and_the_core_know_no_world() {
    check(&Rule {
        under: PURE,
        words: &[
            "std::fs",
            "std::env",
            "std::net",
            "std::process",
            "std::thread",
            "tokio",
            "SystemTime",
            "Instant::now",
        ],
        instead: "take it in as an input: what is pure has no clock, disk, environment, process or task",
    });
}

#[test]
fn the_language_and_the_core_iterate_in_order() {
    check(&Rule {
        under: PURE,
        words: &["HashMap", "HashSet", "RandomState"],
        instead: "use `BTreeMap`, `BTreeSet` or a list: the same input must give the same records in the same order",
    });
}

#[test]
fn nothing_is_left_for_later() {
    check(&Rule {
        under: SOURCES,
        words: &["todo!(", "unimplemented!(", "FIXME", "XXX", "#[ignore", "#![allow(", "#[allow("],
        instead: "finish it or leave it out; a lint that must give way does so by `#[expect(lint, reason = \"...\")]`",
    });
}

#[test]
fn libraries_do_not_print() {
    check(&Rule {
        under: &["dsl/src/", "engine/src/", "stdlib/src/"],
        words: &["println!(", "eprintln!(", "print!(", "dbg!("],
        instead: "return it, or trace it: standard output belongs to the command line",
    });
}

#[test]
fn libraries_name_their_errors() {
    check(&Rule {
        under: &["dsl/src/", "engine/src/", "stdlib/src/"],
        words: &["Box<dyn Error", "Box<dyn std::error::Error", "anyhow"],
        instead: "give the failure a type that says whether a retry can help",
    });
}

#[test]
fn tests_do_not_sleep() {
    check(&Rule {
        under: &["tests/"],
        words: &["thread::sleep", "time::sleep"],
        instead: "wait for the event itself: a line of output, a file, an exit",
    });
}

#[test]
fn every_file_says_first_what_it_is_for() {
    let silent = sources().into_iter().filter(|file| !file.text.starts_with("//! ")).map(|file| file.path);
    report("open the file with `//!` and its purpose, its invariants, and what it must never do", silent);
}

#[test]
fn no_file_outgrows_its_noun() {
    let long = sources().into_iter().filter_map(|file| {
        let lines = file.text.lines().count();
        (lines > MAX_LINES).then(|| format!("{} has {lines} lines", file.path))
    });
    report(&format!("look for the second noun in it: a file has at most {MAX_LINES} lines"), long);
}

#[test]
fn every_exception_is_needed() {
    let unused = EXCEPTIONS.iter().filter(|(path, words, _)| {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
        !fs::read_to_string(file).is_ok_and(|text| code_lines(&text).any(|(_, line)| line.contains(words)))
    });
    report("remove it from EXCEPTIONS", unused.map(|(path, words, _)| format!("{path} holds no `{words}`")));
}

#[test]
fn the_rules_see_what_they_forbid() {
    let text = "//! Uses std::fs in words only.\nuse std::fs;\n    // tokio would be wrong here\nlet a = 1; // tokio\n";
    let hits: Vec<_> =
        code_lines(text).filter(|(_, line)| line.contains("std::fs") || line.contains("tokio")).collect();
    assert_eq!(hits, [(2, "use std::fs;")]);
    assert!(sources().iter().any(|file| file.path == "engine/src/core/mod.rs"), "the sources were not found");
}

/// Fails with every line that breaks the rule.
fn check(rule: &Rule) {
    let mut breaches = Vec::new();
    for file in sources() {
        // This file has to name what it forbids.
        if file.path == "tests/house.rs" || !rule.under.iter().any(|under| file.path.starts_with(under)) {
            continue;
        }
        for (number, line) in code_lines(&file.text) {
            for words in rule.words.iter().filter(|words| line.contains(**words)) {
                if !EXCEPTIONS.iter().any(|(path, excepted, _)| *path == file.path && excepted == words) {
                    breaches.push(format!("{}:{number}: `{words}`", file.path));
                }
            }
        }
    }
    report(rule.instead, breaches);
}

fn report(instead: &str, breaches: impl IntoIterator<Item = String>) {
    let list = breaches.into_iter().fold(String::new(), |mut list, breach| {
        let _ = write!(list, "\n  {breach}");
        list
    });
    assert!(list.is_empty(), "{instead}:{list}");
}

/// The numbered lines of a file without their comments. A `//` inside a string cuts the line short, which can only hide
/// what follows it on that line.
fn code_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().zip(1..).filter_map(|(line, number)| {
        let code = line.split("//").next().unwrap_or_default();
        (!code.trim().is_empty()).then_some((number, code))
    })
}

struct SourceFile {
    /// From the root of the repository, with `/`.
    path: String,
    text: String,
}

fn sources() -> Vec<SourceFile> {
    let mut files = Vec::new();
    for folder in SOURCES {
        collect(folder, &mut files);
    }
    files
}

fn collect(folder: &str, files: &mut Vec<SourceFile>) {
    let entries = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).expect("a folder of sources");
    for entry in entries {
        let entry = entry.expect("an entry of the folder");
        let path = format!("{folder}/{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            collect(&path, files);
        } else if entry.path().extension().is_some_and(|extension| extension == "rs") {
            files.push(SourceFile { text: fs::read_to_string(entry.path()).expect("a source is UTF-8"), path });
        }
    }
}
