//! Examples in YAML: what they say of themselves is what the compiler finds.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use lockstep_dsl::compile::{FileContent, FileError, Files};
use lockstep_dsl::diagnostic::{self, Color, Diagnostic};
use lockstep_dsl::source::Source;
use lockstep_dsl::{param, yaml};

use super::Document;
use super::block::Block;

/// Warnings of what nothing uses: an example may show one thing alone.
const UNUSED: &[&str] = &["LS0901", "LS0906", "LS0907"];

/// Checks every block in YAML.
pub fn check(document: &Document) -> Vec<String> {
    let mut breaches = Vec::new();
    let mut files = Beside::default();
    for block in &document.blocks {
        if let Some(name) = block.value("file") {
            files.0.insert(name.to_owned(), (block.text.clone(), block.is("executable")));
        }
        if block.language == "yaml"
            && let Err(why) = check_block(block, &files)
        {
            breaches.push(format!("{}: {why}", document.place(block)));
        }
    }
    breaches
}

fn check_block(block: &Block, files: &Beside) -> Result<(), String> {
    if block.is("params") {
        return read_params(&block.text);
    }
    if block.is("tests") || block.value("fragment") == Some("acts") {
        return read_tests(block);
    }
    let text = match block.value("fragment") {
        None => block.text.clone(),
        Some("steps") => whole(&format!("steps:\n{}", indented(&block.text)), &block.text),
        Some("params") => whole(&format!("params:\n{}steps: [shell: uptime]\n", indented(&block.text)), ""),
        Some("top") if block.text.lines().any(|line| line.starts_with("steps:")) => whole(&block.text, &block.text),
        Some("top") => whole(&format!("{}steps: [shell: uptime]\n", block.text), &block.text),
        Some(other) => return Err(format!("there is no fragment `{other}`; there are steps, params and top")),
    };
    let wanted = block.value("error").or(block.value("warning"));
    let found = match lockstep_dsl::compile(&Source::new("example.yaml", text), files, &lockstep_stdlib::sandbox()) {
        Ok(compiled) if block.value("error").is_some() => Err(("it is no error", compiled.warnings)),
        Ok(compiled) => Ok(compiled.warnings),
        Err(diagnostics) if block.value("error").is_some() => Ok(diagnostics),
        Err(diagnostics) => Err(("it does not compile", diagnostics)),
    };
    let diagnostics = found.map_err(|(what, diagnostics)| format!("{what}\n{}", rendered(&diagnostics)))?;
    let codes: BTreeSet<String> = diagnostics
        .iter()
        .map(|diagnostic| diagnostic.code.to_string())
        .filter(|code| wanted == Some(code) || !UNUSED.contains(&code.as_str()))
        .collect();
    if codes.iter().map(String::as_str).eq(wanted) {
        return Ok(());
    }
    Err(format!("it should give {}\n{}", wanted.unwrap_or("nothing"), rendered(&diagnostics)))
}

/// A runbook around a part of one. The parameters that the part reads are declared, `token` and `password` as secrets.
fn whole(part: &str, reads: &str) -> String {
    let mut text = "runbook: docs/example\n".to_owned();
    let names: BTreeSet<&str> = reads
        .split("params.")
        .skip(1)
        .filter_map(|rest| rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next())
        .collect();
    if !names.is_empty() && !part.starts_with("params:") {
        text.push_str("params:\n");
    }
    for name in names {
        let kind = if matches!(name, "token" | "password") { "secret, optional: true" } else { "any" };
        let _ = writeln!(text, "  {name}: {{ type: {kind} }}");
    }
    text + part
}

fn indented(text: &str) -> String {
    text.lines().map(|line| if line.is_empty() { "\n".to_owned() } else { format!("  {line}\n") }).collect()
}

fn read_params(text: &str) -> Result<(), String> {
    let source = yaml::decode("params.yaml", text.as_bytes()).map_err(|found| rendered(&found))?;
    param::read_file(&source).map(drop).map_err(|found| rendered(&found))
}

/// A file of tests; what a transcript does with it, that one shows. A list of acts is put into a case.
fn read_tests(block: &Block) -> Result<(), String> {
    let text = match block.value("fragment") {
        None => block.text.clone(),
        Some(_) => format!("test: a\ncases:\n- name: a\n{}  expect: {{ status: failed }}\n", indented(&block.text)),
    };
    let read = lockstep_dsl::test_file::read(&Source::new("example.test.yaml", text), &lockstep_stdlib::sandbox());
    read.map(drop).map_err(|found| rendered(&found))
}

fn rendered(diagnostics: &[Diagnostic]) -> String {
    diagnostic::render(diagnostics, Color::Never, 100)
}

/// The blocks that have a name so far, and whether each may be executed.
#[derive(Default)]
struct Beside(BTreeMap<String, (String, bool)>);

impl Files for Beside {
    fn read(&self, relative: &str) -> Result<FileContent, FileError> {
        let (text, executable) = self.0.get(relative).ok_or(FileError::NotFound)?;
        Ok(FileContent { bytes: text.clone().into_bytes(), executable: *executable })
    }

    fn library(&self, relative: &str, _: &str) -> Result<FileContent, FileError> {
        self.read(relative)
    }
}

#[test]
fn an_example_that_is_not_what_it_says_is_found() {
    let check = |info: &str, text: &str| {
        let document = format!("```yaml {info}\n{text}```\n");
        check_block(&super::block::blocks(&document)[0], &Beside::default())
    };
    let steps = "- exec: [echo, '${{ params.name }}']\n";
    assert_eq!(check("fragment=steps", steps), Ok(()));
    assert!(check("fragment=steps error=LS0140", steps).is_err_and(|why| why.contains("it is no error")));
    assert!(check("runbook", "runbook: a\n").is_err_and(|why| why.contains("does not compile")));
    assert!(check("error=LS0102", "runbook: a\nstep: []\n").is_err_and(|why| why.contains("should give LS0102")));
    assert_eq!(check("fragment=top error=LS0100", "nmae: x\n"), Ok(()));
    assert!(check("params", "a: [\n").is_err());
}
