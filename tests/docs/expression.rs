//! Examples of expressions: `expression // => value`, or `expression // => error: a part of what is said`.

use lockstep_dsl::compile::NoFiles;
use lockstep_dsl::expr::{Budget, Program, Sandbox, Scope};
use lockstep_dsl::source::Source;
use lockstep_dsl::value::{Timestamp, Value};

use super::Document;

/// Checks every line of every block in Rhai.
pub fn check(document: &Document) -> Vec<String> {
    let mut breaches = Vec::new();
    for block in document.blocks.iter().filter(|block| block.language == "rhai") {
        for (line, number) in block.text.lines().zip(block.line..).filter(|(line, _)| !line.trim().is_empty()) {
            if let Err(why) = check_line(line) {
                breaches.push(format!("{}:{number}: `{}` {why}", document.name(), line.trim()));
            }
        }
    }
    breaches
}

fn check_line(line: &str) -> Result<(), String> {
    let (source, expected) = line.split_once("// =>").ok_or("lacks `// => value`")?;
    let given = evaluate(source.trim());
    if let Some(part) = expected.trim().strip_prefix("error: ") {
        return match given {
            Err(message) if message.contains(part) => Ok(()),
            Err(message) => Err(format!("fails otherwise: {message}")),
            Ok(value) => Err(format!("does not fail, it gives {}", value.to_json())),
        };
    }
    let expected = evaluate(expected.trim()).map_err(|message| format!("expects no value: {message}"))?;
    match given {
        Ok(value) if value == expected => Ok(()),
        Ok(value) => Err(format!("gives {}", value.to_json())),
        Err(message) => Err(format!("fails: {message}")),
    }
}

/// The value of an expression, as an output of a runbook that has nothing else to read.
fn evaluate(source: &str) -> Result<Value, String> {
    let sandbox = lockstep_stdlib::sandbox();
    let called = |import: &&str| import.strip_prefix("std/").is_some_and(|name| source.contains(&format!("{name}::")));
    let imports: Vec<_> = sandbox.std_imports().filter(called).collect();
    let imports = if imports.is_empty() { String::new() } else { format!("imports: [{}]\n", imports.join(", ")) };
    let text = format!("runbook: a\n{imports}steps: [shell: 'true']\noutputs:\n  value: |-\n    {source}\n");
    let compiled = lockstep_dsl::compile(&Source::new("example.yaml", text), &NoFiles, &sandbox)
        .map_err(|found| found.first().map_or_else(String::new, |first| first.message.clone()))?;
    let program = Program::new(&sandbox, &compiled.graph).map_err(|error| error.to_string())?;
    let scope = Scope::at(Timestamp(1_772_355_600_000));
    program.eval(compiled.graph.outputs[0].1, &scope, &Budget::default()).map_err(|error| error.message)
}

/// The names of all functions, sorted.
pub fn functions() -> Vec<&'static str> {
    let sandbox = Sandbox::new(&[]);
    let mut names: Vec<_> = sandbox.functions().filter_map(|signature| signature.split('(').next()).collect();
    names.sort_unstable();
    names.dedup();
    names
}

#[test]
fn a_wrong_line_is_found() {
    assert_eq!(check_line("1 + 1 // => 2"), Ok(()));
    assert_eq!(check_line("1 + 1 // => 3"), Err("gives 2".to_owned()));
    assert_eq!(check_line("1 + 1"), Err("lacks `// => value`".to_owned()));
    assert!(check_line("1 == \"1\" // => error: compare").is_ok());
    assert!(check_line("1 == 1 // => error: compare").is_err());
}
