//! The documents are true: every example in them is held against the program.
//!
//! A fenced block says behind its language what it is, and a test does with it what that means:
//!
//! | block | what must hold |
//! |---|---|
//! | `yaml runbook` | it compiles without errors and warnings, those of unused names aside |
//! | `yaml runbook warning=LS0900` | it compiles, with exactly this warning |
//! | `yaml error=LS0140` | it gives exactly this code |
//! | `yaml fragment=steps` | a list of steps that compiles; `error=` and `warning=` as above |
//! | `yaml params` | a file of parameters |
//! | `yaml tests` | a file of tests that can be read |
//! | `yaml fragment=acts` | what people do in a test |
//! | `rhai` | every line `expression // => value` gives this value, `// => error: text` fails and says so |
//! | `console` | every line that begins with `$ ` is typed into a shell, and prints what follows |
//!
//! `file=NAME` on a block of any language writes it to the folder in which later blocks of the document are checked and
//! run. What differs from run to run is printed as [`placeholder`] says. `UPDATE_EXPECT=1` writes transcripts anew.

mod block;
mod expression;
mod library;
mod placeholder;
mod promise;
mod runbook;
mod transcript;

use std::fs;
use std::path::{Path, PathBuf};

use block::Block;

#[test]
fn every_example_says_what_it_is() {
    let unmarked = documents().into_iter().flat_map(|document| {
        let vague = |block: &&Block| match block.language.as_str() {
            "yaml" => block.words.is_empty() && block.values.is_empty(),
            "" => true,
            _ => false,
        };
        let place = |block: &Block| format!("{}:{}", document.name(), block.line);
        document.blocks.iter().filter(vague).map(place).collect::<Vec<_>>()
    });
    assert_eq!(unmarked.collect::<Vec<_>>(), [""; 0], "say behind the language what it is; other output is `text`");
}

#[test]
fn every_runbook_in_the_documents_is_what_they_say() {
    report(&documents().iter().flat_map(runbook::check).collect::<Vec<_>>());
}

#[test]
fn every_expression_in_the_documents_gives_what_they_say() {
    report(&documents().iter().flat_map(expression::check).collect::<Vec<_>>());
}

#[test]
fn every_function_of_expressions_is_documented() {
    let text = fs::read_to_string(root().join("docs/language.md")).expect("the language is documented");
    let (_, section) = text.split_once("\n### Functions\n").expect("a section about functions");
    let section = section.split("\n## ").next().unwrap_or_default();
    let missing = expression::functions().into_iter().filter(|name| !section.contains(&format!("{name}(")));
    assert_eq!(missing.collect::<Vec<_>>(), [""; 0], "these stand in no example of docs/language.md");
}

#[test]
fn every_transcript_in_the_documents_is_what_happens() {
    let update = std::env::var_os("UPDATE_EXPECT").is_some();
    let breaches = documents().iter().flat_map(|document| transcript::check(document, update)).collect::<Vec<_>>();
    report(&breaches);
}

#[test]
fn every_promise_in_the_documents_is_held_by_tests_that_exist() {
    let documents = documents();
    let security = documents.iter().find(|document| document.name() == "docs/security.md");
    report(&promise::check(security.expect("there is a document on security")));
}

#[test]
fn the_documents_are_found_and_their_examples_too() {
    let documents = documents();
    let names: Vec<_> = documents.iter().map(Document::name).collect();
    for name in
        ["README.md", "docs/language.md", "docs/operating.md", "docs/security.md", "docs/std.md", "docs/testing.md"]
    {
        assert!(names.iter().any(|found| found == name), "{name} is not among {names:?}");
    }
    let examples = documents.iter().flat_map(|document| &document.blocks);
    assert!(examples.filter(|block| block.language == "yaml").count() > 30, "few examples were found");
}

/// A document with its examples.
struct Document {
    path: PathBuf,
    text: String,
    blocks: Vec<Block>,
}

impl Document {
    fn name(&self) -> String {
        self.path.strip_prefix(root()).unwrap_or(&self.path).display().to_string()
    }

    /// The place of a block, as a test names it.
    fn place(&self, block: &Block) -> String {
        format!("{}:{}", self.name(), block.line)
    }
}

impl Document {
    /// Writes the document with other texts in some of its blocks.
    fn rewrite(&self, changed: &[(&Block, String)]) {
        let mut lines: Vec<&str> = self.text.lines().collect();
        for (block, text) in changed.iter().rev() {
            let first = block.line - 1;
            lines.splice(first..first + block.text.lines().count(), text.lines());
        }
        fs::write(&self.path, lines.join("\n") + "\n").expect("the document can be written");
    }
}

/// README.md and what lies in `docs/`; the pages of `docs/errors/` are held to the diagnostics they are about.
fn documents() -> Vec<Document> {
    let mut paths = vec![root().join("README.md")];
    let in_docs = fs::read_dir(root().join("docs")).expect("there is a folder of documents");
    paths.extend(
        in_docs
            .map(|entry| entry.expect("an entry of the folder").path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "md")),
    );
    paths.sort();
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).expect("a document is text");
        let blocks = block::blocks(&text);
        Document { path, text, blocks }
    };
    paths.into_iter().map(read).collect()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn report(breaches: &[String]) {
    assert!(breaches.is_empty(), "the documents are not true:\n\n{}", breaches.join("\n\n"));
}
