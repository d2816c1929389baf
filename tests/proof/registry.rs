//! The registries of failpoints and planted bugs, held against the sources: what is registered stands where it says, and
//! no durable write goes without a failpoint.

use std::fs;
use std::path::{Path, PathBuf};

use lockstep_engine::fault::{Bug, Point};

/// Where the sources of the program stand.
const PRODUCT: &[&str] = &["engine/src", "stdlib/src", "src"];
/// What is no part of it, stands in for a disk, or measures one.
const BESIDE: &[&str] = &[
    "engine/src/fault/",
    "engine/src/sim/",
    "engine/src/store/conformance",
    "engine/src/store/memory/",
    "src/command/bench/",
];

/// What makes something durable, wherever it stands.
const SYNCS: &[&str] = &["sync_all(", "sync_data(", "fsync(", "fdatasync(", "rename(", "renameat_with(", "persist("];
/// What writes, in the files that write what must last.
const WRITES: &[&str] = &["write_at(", "write_all_at(", "write_all(", "fs::write("];
/// Where those writes stand.
const DURABLE: &[&str] =
    &["engine/src/store/", "engine/src/supervisor/spool.rs", "engine/src/host/pinned.rs", "engine/src/worker/log.rs"];

/// Writes that need no failpoint: file, the line's words, why.
const EXCEPTIONS: &[(&str, &str, &str)] = &[
    ("engine/src/store/journal/segment.rs", "file.write_all(&header(", "`fill` is what `SegmentFill` does"),
    ("engine/src/store/journal/segment.rs", "file.write_all(&ZEROS[", "`fill` is what `SegmentFill` does"),
    ("engine/src/store/journal/segment.rs", "file.sync_all()?;", "`fill` is what `SegmentFill` does"),
    ("engine/src/backup/copy.rs", "target.sync_all()?;", "a backup that is cut off has no label"),
    (
        "engine/src/backup/restore.rs",
        "fs::rename(&begun, data)",
        "what is cut off before it is no folder, and nothing follows",
    ),
    ("engine/src/doctor/floor.rs", "file.sync_all()?;", "what is measured is not kept"),
    ("engine/src/doctor/floor.rs", "file.sync_data()?;", "what is measured is not kept"),
    ("engine/src/backup/copy.rs", "target.sync_all()?;", "`copy_bytes` is what `BackupCopy` does"),
    ("engine/src/supervisor/spool.rs", "pipe.write_all(&[1])?", "a pipe holds nothing that lasts"),
];

#[test]
fn every_point_stands_where_the_registry_says_and_nowhere_else() {
    let sources = sources();
    let mut wrong = Vec::new();
    for point in Point::ALL {
        let call = format!("fault::at(Point::{point:?},");
        let named = format!("Point::{point:?}");
        let count = |source: &Source, words: &str| whole(&source.code, words);
        let here: usize = sources.iter().filter(|source| source.path == point.file()).map(|s| count(s, &call)).sum();
        let anywhere: usize = sources.iter().map(|source| count(source, &named)).sum();
        if (here, anywhere) != (1, 1) {
            wrong.push(format!("{}: {here} in {}, {anywhere} in all", point.name(), point.file()));
        }
    }
    assert!(wrong.is_empty(), "each point stands once, as `fault::at(Point::X, ...)`:\n{}", wrong.join("\n"));
}

#[test]
fn every_bug_is_planted_where_the_registry_says() {
    let sources = sources();
    let mut wrong = Vec::new();
    for bug in Bug::ALL {
        let planted = format!("fault::planted(Bug::{bug:?})");
        let named = format!("Bug::{bug:?}");
        let here: usize = sources.iter().filter(|s| s.path == bug.file()).map(|s| whole(&s.code, &planted)).sum();
        let anywhere: usize = sources.iter().map(|source| whole(&source.code, &named)).sum();
        if here == 0 || here != anywhere {
            wrong.push(format!("{}: {here} in {}, {anywhere} in all", bug.name(), bug.file()));
        }
    }
    assert!(wrong.is_empty(), "each bug is planted in its file as `fault::planted(Bug::X)`:\n{}", wrong.join("\n"));
}

#[test]
fn every_bug_is_in_the_table_with_the_file_that_catches_it() {
    let table = fs::read_to_string(root().join("docs/proofs.md")).expect("the document is there");
    let mut wrong = Vec::new();
    for bug in Bug::ALL {
        let row = table.lines().find(|line| line.starts_with(&format!("| `{}` | {} |", bug.name(), bug.what())));
        let file = row.and_then(|row| row.rsplit('`').nth(1)).unwrap_or_default();
        let catches = fs::read_to_string(root().join(file)).unwrap_or_default();
        let planted = whole(&catches, &format!("fault::planted(Bug::{bug:?}"));
        if whole(&catches, &format!("Bug::{bug:?}")) <= planted {
            wrong.push(format!("{}: {row:?}", bug.name()));
        }
    }
    assert!(wrong.is_empty(), "docs/proofs.md says which file catches each bug:\n{}", wrong.join("\n"));
}

#[test]
fn no_durable_write_goes_without_a_point() {
    let bare: Vec<String> = sources().iter().flat_map(bare_writes).collect();
    assert!(bare.is_empty(), "do it in `fault::at(Point::X, || ...)`:\n{}", bare.join("\n"));
}

#[test]
fn every_exception_is_needed() {
    let sources = sources();
    for (file, words, _) in EXCEPTIONS {
        let source = sources.iter().find(|source| source.path == *file);
        assert!(source.is_some_and(|source| source.code.contains(words)), "{file} holds no `{words}`");
    }
}

#[test]
fn a_bare_write_is_seen() {
    let text = "fn a() {\n    fault::at(Point::X, || file.sync_all(\")\"))?;\n    file.sync_data()?; // no sync_all()\n}\n\
                #[cfg(test)]\nmod tests { fn b() { file.sync_all(); } }\n";
    let source = Source { path: "engine/src/store/x.rs".to_owned(), code: code(text) };
    assert_eq!(bare_writes(&source), ["engine/src/store/x.rs:3: file.sync_data()?;"]);
    assert_eq!(whole("fault::planted(Bug::NoSyncAtAll) Bug::NoSync)", "Bug::NoSync"), 1);
}

/// Lines that make something durable outside of every point.
fn bare_writes(source: &Source) -> Vec<String> {
    let guarded = guarded(&source.code);
    let durable = DURABLE.iter().any(|under| source.path.starts_with(under));
    let mut at = 0;
    let mut bare = Vec::new();
    for (line, number) in source.code.split_inclusive('\n').zip(1..) {
        let words = SYNCS.iter().chain(if durable { WRITES } else { &[] });
        let is_bare = |words: &str| {
            let mut found = line.match_indices(words).map(|(place, _)| place);
            found.any(|place| {
                let begins = !line[..place].ends_with(|before: char| before.is_alphanumeric() || before == '_');
                let defines = line[..place].trim_end().ends_with("fn");
                begins && !defines && !guarded.iter().any(|(from, to)| (*from..*to).contains(&(at + place)))
            })
        };
        let excepted = EXCEPTIONS.iter().any(|(file, words, _)| *file == source.path && line.contains(words));
        if !excepted && words.clone().any(|words| is_bare(words)) {
            bare.push(format!("{}:{number}: {}", source.path, line.trim()));
        }
        at += line.len();
    }
    bare
}

/// The places between the parentheses of each `fault::at(...)`.
fn guarded(code: &str) -> Vec<(usize, usize)> {
    const CALL: &str = "fault::at(";
    code.match_indices(CALL)
        .map(|(place, _)| (place, place + CALL.len() + inside(&code[place + CALL.len()..])))
        .collect()
}

/// How far it is to the parenthesis that closes.
fn inside(code: &str) -> usize {
    let (mut depth, mut text, mut escaped) = (1, false, false);
    for (place, c) in code.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if text => escaped = true,
            '"' => text = !text,
            '(' if !text => depth += 1,
            ')' if !text => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return place;
        }
    }
    code.len()
}

/// How often these words stand there, and not as the beginning of a longer one.
fn whole(code: &str, words: &str) -> usize {
    let ends = |place: usize| !code[place + words.len()..].starts_with(|c: char| c.is_alphanumeric() || c == '_');
    code.match_indices(words).filter(|(place, _)| ends(*place)).count()
}

struct Source {
    /// From the root of the repository, with `/`.
    path: String,
    /// Without comments and unit tests.
    code: String,
}

fn sources() -> Vec<Source> {
    let mut paths = Vec::new();
    for folder in PRODUCT {
        collect(Path::new(folder), &mut paths);
    }
    let name = |path: PathBuf| path.to_str().expect("a path is UTF-8").to_owned();
    let ours = paths.into_iter().map(name).filter(|path| !BESIDE.iter().any(|beside| path.starts_with(beside)));
    let sources: Vec<_> = ours
        .filter(|path| !path.ends_with("_tests.rs") && !path.ends_with("/tests.rs") && !path.contains("/tests/"))
        .map(|path| Source { code: code(&fs::read_to_string(root().join(&path)).expect("a source is UTF-8")), path })
        .collect();
    assert!(sources.iter().any(|source| source.path == "engine/src/store/journal/mod.rs"), "no sources were found");
    sources
}

/// A source without its comments and without its unit tests.
fn code(text: &str) -> String {
    let product = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let product = product.split("#[cfg(all(test, feature = \"proof\"))]\nmod tests {").next().unwrap_or_default();
    product.lines().flat_map(|line| [line.split("//").next().unwrap_or_default(), "\n"]).collect()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(root().join(folder)).expect("a folder of the repository") {
        let entry = entry.expect("an entry of the folder");
        let path = folder.join(entry.file_name());
        if entry.path().is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
