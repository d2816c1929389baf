//! `exec`: a program with its arguments; no shell sees them.

use crate::compile::field::list;
use crate::compile::keys::Keys;
use crate::compile::reader::Reader;
use crate::diagnostic::Code;
use crate::graph::{Command, Exec, Field, Kind, NodeId};
use crate::runbook::Place;
use crate::value::Value;
use crate::yaml::Node;

use super::{COMMON_INSIDE, command};

/// Its options.
pub const KEYS: Keys =
    Keys { of: "`exec`", known: &["argv", "cwd", "stdin", "expect"], later: &[], hints: COMMON_INSIDE };

/// Reads `exec: [...]` or its map.
pub fn read(reader: &mut Reader, node: &Node, _: NodeId) -> Option<Kind> {
    let Node::Mapping(_) = node else {
        let argv = argv(reader, node, false)?;
        return Some(Kind::Exec(Exec { argv, command: Command::default() }));
    };
    let mapping = reader.mapping(node, &KEYS)?;
    let argv = reader.required(mapping, "`exec`", "argv", "argv: [ls, -l]").and_then(|node| argv(reader, node, true));
    let command = command::read(reader, mapping);
    Some(Kind::Exec(Exec { argv: argv?, command }))
}

/// A list, each element one argument; under `argv` also one expression that gives the whole list.
fn argv(reader: &mut Reader, node: &Node, whole: bool) -> Option<Field> {
    if let Node::Scalar(scalar) = node {
        let before = reader.book.exprs.len();
        if whole && let Field::Expr(list) = reader.template(scalar, Place::Argument)? {
            return Some(Field::Expr(list));
        }
        reader.book.exprs.truncate(before);
        let words = scalar.text.split_whitespace().collect::<Vec<_>>().join(", ");
        let mut diagnostic = reader
            .at(Code::EXEC_NOT_A_LIST, scalar.span, "`exec` takes a list with one element an argument")
            .help("for a command line that a shell takes apart use `shell`");
        if scalar.text.chars().all(|c| c.is_ascii_alphanumeric() || " ./_-=+".contains(c)) {
            diagnostic = diagnostic.help(format!("or write `exec: [{words}]`"));
        }
        reader.report(diagnostic);
        return None;
    }
    let items = reader.sequence(node, "`exec`", "a list with one element an argument")?;
    let mut arguments = Vec::new();
    let mut all = true;
    for item in &items.items {
        match reader.text_or_any(item, "an argument", Place::Argument) {
            Some(argument) => arguments.push(argument),
            None => all = false,
        }
    }
    if let (Some(Field::Const(Value::String(program))), Some(first)) = (arguments.first(), items.items.first())
        && all
        && program.trim().is_empty()
    {
        let diagnostic = reader.at(Code::EMPTY_PROGRAM, first.span(), "`exec` names no program");
        reader.report(diagnostic);
        return None;
    }
    all.then(|| list(arguments))
}
