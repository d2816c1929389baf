//! `docs/std.md`: made of what stands beside the functions of the standard library. `UPDATE_EXPECT=1` writes it anew;
//! its examples are held against the program like those of every other document.

use std::fmt::Write as _;
use std::fs;

use lockstep_dsl::expr::StdModule;
use lockstep_stdlib::{MODULES, sandbox};

use super::root;

const PAGE: &str = "docs/std.md";

const HEAD: &str = "\
# The standard library

Modules of functions that ship with Lockstep. A runbook imports those that it uses, and calls their functions under the
last part of the name:

```yaml fragment=top
imports: [std/text, std/time]
steps:
  - id: name
    set: { folder: '/backup/${{ text::slug(run.runbook) }}-${{ time::format(now(), \"%Y-%m-%d\", \"Europe/Berlin\") }}' }
```

Every function is pure: it reads no file, clock or network, and the same arguments give the same value on every machine.
Its work counts against the limits of the expression that calls it. A wrong argument is `invalid`. What an expression
can do without an import is in [the language](language.md#functions).

The modules belong to the program: a run that is resumed by a newer version uses that version's.
";

/// A function as its documentation tells of it.
struct Documented {
    signature: String,
    text: String,
    examples: Vec<String>,
}

#[test]
fn the_page_of_the_standard_library_says_what_the_modules_say() {
    let page = page();
    let path = root().join(PAGE);
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(&path, &page).expect("the page can be written");
    }
    let written = fs::read_to_string(&path).expect("there is a page");
    assert!(page == written, "{PAGE} is not what the modules say: UPDATE_EXPECT=1 writes it anew");
}

#[test]
fn every_function_of_the_standard_library_is_documented_with_an_example() {
    let sandbox = sandbox();
    for module in &MODULES {
        let documented = documented(module);
        let mut names: Vec<(String, usize)> = documented.iter().map(|function| called(module, function)).collect();
        names.sort();
        let info = sandbox.std_module(module.import).expect("a module of the sandbox");
        assert_eq!(names, info.functions, "{}: what is documented, and what can be called", module.import);
        for function in &documented {
            assert!(function.text.ends_with('.'), "{}: its first line says what it does", function.signature);
            assert!(!function.examples.is_empty(), "{} has an example", function.signature);
        }
    }
}

/// The name and the number of parameters that a signature tells.
fn called(module: &StdModule, function: &Documented) -> (String, usize) {
    let name = module.import.strip_prefix("std/").expect("a module of the standard library");
    let rest = function.signature.strip_prefix(&format!("{name}::"));
    let (name, rest) = rest.and_then(|rest| rest.split_once('(')).unwrap_or_else(|| panic!("{}", function.signature));
    let inside = rest.split_once(") -> ").expect("a signature tells what a function gives").0;
    // What a function among the parameters takes stands between bars.
    let outside: String = inside.split('|').step_by(2).collect();
    let count = if inside.is_empty() { 0 } else { 1 + outside.matches(',').count() };
    (name.to_owned(), count)
}

fn page() -> String {
    let mut page = HEAD.to_owned();
    for module in &MODULES {
        let mut functions = documented(module);
        functions.sort_by(|one, other| one.signature.cmp(&other.signature));
        let _ = write!(page, "\n## {}\n\n{}\n", module.import, wrapped(module.about));
        for Documented { signature, text, examples } in functions {
            let _ = write!(page, "\n`{signature}`\n\n{}\n\n```rhai\n{}\n```\n", wrapped(&text), examples.join("\n"));
        }
    }
    page
}

/// The functions of a module: those in Rust, and those in Rhai by the comments before them.
fn documented(module: &StdModule) -> Vec<Documented> {
    let natives = module.natives.iter().map(|native| Documented::new(native.signature, native.docs.lines()));
    let mut functions: Vec<Documented> = natives.collect();
    let mut comment: Vec<&str> = Vec::new();
    for line in module.text.lines() {
        if let Some(text) = line.strip_prefix("///") {
            comment.push(text.strip_prefix(' ').unwrap_or(text));
            continue;
        }
        if line.starts_with("fn ")
            && let Some((signature, docs)) = comment.split_first()
        {
            functions.push(Documented::new(signature, docs.iter().copied()));
        }
        comment.clear();
    }
    functions
}

impl Documented {
    fn new<'t>(signature: &str, docs: impl Iterator<Item = &'t str>) -> Self {
        let (examples, text): (Vec<&str>, Vec<&str>) = docs.partition(|line| line.starts_with("    "));
        Self {
            signature: signature.to_owned(),
            text: text.join(" "),
            examples: examples.into_iter().map(|example| example.trim().to_owned()).collect(),
        }
    }
}

/// Text in lines of at most 120 characters.
fn wrapped(text: &str) -> String {
    const WIDTH: usize = 120;
    let mut lines = String::new();
    let mut column = 0;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        let before = match column {
            0 => "",
            _ if column + 1 + length > WIDTH => {
                column = 0;
                "\n"
            }
            _ => {
                column += 1;
                " "
            }
        };
        lines.push_str(before);
        lines.push_str(word);
        column += length;
    }
    lines
}
