//! The house rules that no lint knows, held against the sources themselves.
//!
//! Each rule is one test, and a breach is reported as `file:line` with what to do about it. A rule that has to give way
//! somewhere does so in [`EXCEPTIONS`], with the reason; an exception that nothing uses any more is itself a breach.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// A longer file holds a second noun that wants a file of its own.
const MAX_LINES: usize = 700;

/// Where our Rust stands.
const SOURCES: &[&str] =
    &["dsl/src", "engine/src", "stdlib/src", "src", "tests", "dsl/tests", "engine/tests", "stdlib/tests"];

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
        under: &["tests/", "dsl/tests/", "engine/tests/", "stdlib/tests/"],
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
fn every_link_of_the_documents_leads_somewhere() {
    let mut documents: Vec<_> = ["README.md", "ARCHITECTURE.md", "CHANGELOG.md"].map(PathBuf::from).into();
    collect("docs", "md", &mut documents);
    let broken = documents.iter().flat_map(|document| {
        let text = fs::read_to_string(root().join(document)).unwrap_or_default();
        let folder = document.parent().map(Path::to_owned).unwrap_or_default();
        let dead = links(&text).filter(|target| !root().join(&folder).join(target).exists());
        dead.map(|target| format!("{}: {target}", document.display())).collect::<Vec<_>>()
    });
    report("mend the link, or write what it promises", broken);
}

#[test]
fn every_exception_is_needed() {
    let unused = EXCEPTIONS.iter().filter(|(path, words, _)| {
        !fs::read_to_string(root().join(path)).is_ok_and(|text| code_lines(&text).any(|(_, line)| line.contains(words)))
    });
    report("remove it from EXCEPTIONS", unused.map(|(path, words, _)| format!("{path} holds no `{words}`")));
}

#[test]
fn the_rules_see_what_they_forbid() {
    let text = "//! Uses std::fs in words only.\nuse std::fs;\n    // tokio would be wrong here\nlet a = 1; // tokio\n";
    let hits: Vec<_> =
        code_lines(text).filter(|(_, line)| line.contains("std::fs") || line.contains("tokio")).collect();
    assert_eq!(hits, [(2, "use std::fs;")]);
    let text = "[a](b/c.md#d), [e](https://example.org), [f](#g), [h](i)";
    assert_eq!(links(text).collect::<Vec<_>>(), ["b/c.md", "i"]);
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

/// The targets of a document's links, but those to other sites and within the document itself.
fn links(text: &str) -> impl Iterator<Item = &str> {
    text.split("](").skip(1).filter_map(|rest| {
        let target = rest.split([')', '#']).next().unwrap_or_default();
        (!target.is_empty() && !target.contains("://")).then_some(target)
    })
}

struct SourceFile {
    /// From the root of the repository, with `/`.
    path: String,
    text: String,
}

fn sources() -> Vec<SourceFile> {
    let mut paths = Vec::new();
    for folder in SOURCES {
        collect(folder, "rs", &mut paths);
    }
    let read = |path: PathBuf| SourceFile {
        text: fs::read_to_string(root().join(&path)).expect("a source is UTF-8"),
        path: path.to_str().expect("a path is UTF-8").to_owned(),
    };
    paths.into_iter().map(read).collect()
}

/// Adds the files with this extension in a folder and below it, from the root of the repository.
fn collect(folder: impl AsRef<Path>, extension: &str, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(root().join(&folder)).expect("a folder of the repository") {
        let entry = entry.expect("an entry of the folder");
        let path = folder.as_ref().join(entry.file_name());
        if entry.path().is_dir() {
            collect(path, extension, files);
        } else if path.extension().is_some_and(|found| found == extension) {
            files.push(path);
        }
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
