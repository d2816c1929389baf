//! `shell`: a script that runs exactly as written.

use crate::compile::keys::Keys;
use crate::compile::reader::{Reader, find_template};
use crate::diagnostic::Code;
use crate::expr::template;
use crate::graph::{Kind, NodeId, Script, Shell};
use crate::source::Span;
use crate::yaml::{Mapping, Node, Scalar, Style};

use super::{COMMON_INSIDE, command};

/// Its options.
pub const KEYS: Keys = Keys {
    of: "`shell`",
    known: &["script", "shell", "file", "cwd", "stdin", "expect"],
    later: &[],
    hints: COMMON_INSIDE,
};

/// Reads `shell: <script>` or its map.
pub fn read(reader: &mut Reader, node: &Node, _: NodeId) -> Option<Kind> {
    if let Node::Scalar(_) = node {
        let script = Script::Inline(script(reader, node)?);
        return Some(Kind::Shell(Shell { script, interpreter: None, command: crate::graph::Command::default() }));
    }
    let mapping = reader.mapping(node, &KEYS)?;
    let script = source(reader, mapping);
    let interpreter = mapping.get("shell").map(|node| interpreter(reader, node));
    let command = command::read(reader, mapping);
    let interpreter = match interpreter {
        Some(interpreter) => Some(interpreter?),
        None => None,
    };
    Some(Kind::Shell(Shell { script: script?, interpreter, command }))
}

fn source(reader: &mut Reader, mapping: &Mapping) -> Option<Script> {
    match (mapping.get("script"), mapping.get("file")) {
        (Some(node), None) => script(reader, node).map(Script::Inline),
        (None, Some(node)) => {
            let path = reader.constant(node, "`file`")?;
            reader.pin(&path).map(Script::File)
        }
        (Some(script), Some(file)) => {
            let diagnostic = reader
                .at(Code::SCRIPT_AND_FILE, file.span(), "`shell` has both a `script` and a `file`")
                .also(script.span(), "the script")
                .help("keep one of them");
            reader.report(diagnostic);
            None
        }
        (None, None) => {
            let _ = reader.required(mapping, "`shell`", "script", "script: uptime");
            None
        }
    }
}

fn interpreter(reader: &mut Reader, node: &Node) -> Option<Vec<String>> {
    const WHAT: &str = "the interpreter in `shell`";
    if let Node::Scalar(_) = node {
        return reader.constant(node, WHAT).map(|program| vec![program.value]);
    }
    let list = reader.sequence(node, WHAT, "a program, or a list of it and its arguments")?;
    list.items.iter().map(|item| reader.constant(item, WHAT).map(|text| text.value)).collect()
}

fn script(reader: &mut Reader, node: &Node) -> Option<String> {
    let scalar = reader.scalar(node, "a `shell` script", "text")?;
    // Both are told: they have different causes.
    let is_folded = is_folded(reader, scalar);
    let is_template = has_template(reader, scalar);
    if scalar.text.trim().is_empty() {
        let diagnostic = reader.at(Code::EMPTY_SCRIPT, scalar.span, "a `shell` script is empty");
        reader.report(diagnostic);
        return None;
    }
    (!is_folded && !is_template).then(|| scalar.text.clone())
}

/// Rule: YAML joins the lines of folded text, so a script of several lines must be a literal block.
fn is_folded(reader: &mut Reader, scalar: &Scalar) -> bool {
    let header_end = reader.source().slice(scalar.span).find('\n');
    let is_folded = match scalar.style {
        Style::Folded => true,
        Style::Plain | Style::SingleQuoted | Style::DoubleQuoted => header_end.is_some(),
        Style::Literal => false,
    };
    if is_folded {
        let end = header_end.map_or(scalar.span.end, |at| scalar.span.start + at);
        let diagnostic = reader
            .at(Code::FOLDED_SCRIPT, Span::new(scalar.span.start, end), "a `shell` script of several lines is folded")
            .label("YAML joins these lines with spaces")
            .help("begin it with `|`, which keeps the lines as they are");
        reader.report(diagnostic);
    }
    is_folded
}

/// Rule: a script runs exactly as written; values reach it through its environment, where they stay data.
fn has_template(reader: &mut Reader, scalar: &Scalar) -> bool {
    let Some(at) = find_template(&scalar.text) else { return false };
    let end = scalar.text[at..].find("}}").map_or(at + 3, |end| at + end + 2);
    let diagnostic = reader.at(
        Code::TEMPLATE_IN_SHELL,
        scalar.locate(at, end),
        "a `shell` script runs exactly as written and cannot hold `${{ }}`",
    );
    let help = match first_expression(&scalar.text) {
        Some(source) => {
            let name = variable_for(source);
            format!(
                "pass the value through the environment: `env: {{ {name}: '${{{{ {source} }}}}' }}`, and write `\"${name}\"` in the script"
            )
        }
        None => "pass the value through `env`, and write `\"$NAME\"` in the script".to_owned(),
    };
    reader.report(diagnostic.help(help));
    true
}

/// The first expression of a text, where it is short enough to show and needs no other quotes.
fn first_expression(text: &str) -> Option<&str> {
    const BYTES: usize = 80;
    let parts = template::split(text).ok()?;
    let source = parts.iter().find_map(|part| match part {
        template::Part::Expr { start, end } => Some(text[*start..*end].trim()),
        template::Part::Text(_) => None,
    })?;
    (source.len() <= BYTES && !source.contains(['\n', '\''])).then_some(source)
}

/// A variable's name for an expression: the last name in it, in capitals.
fn variable_for(source: &str) -> String {
    let last = source
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .rfind(|word| word.starts_with(|c: char| c.is_ascii_alphabetic()));
    last.map_or_else(|| "VALUE".to_owned(), str::to_ascii_uppercase)
}
