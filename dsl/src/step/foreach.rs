//! `foreach`: steps for every item.

use crate::compile::keys::Keys;
use crate::compile::reader::Reader;
use crate::diagnostic::Code;
use crate::graph::{Amount, Field, Foreach, ItemsFrom, Kind, NodeId, OnFail, PageForm, Role};
use crate::limits;
use crate::runbook::Place;
use crate::yaml::{Mapping, Node};

/// Its options.
pub const KEYS: Keys = Keys {
    of: "`foreach`",
    known: &["in", "as", "concurrency", "tolerate", "on_fail", "batch", "results", "do"],
    later: &[],
    hints: &[
        ("steps", "its steps stand under `do`"),
        ("items", "what it runs over stands under `in`"),
        ("timeout", "`timeout` stands beside the kind, not inside it"),
        ("retry", "`retry` stands beside the kind, not inside it"),
        ("when", "`when` stands beside the kind, or at the steps under `do`"),
        ("outputs", "`outputs` stands beside the kind, not inside it"),
    ],
};

const ON_FAIL: &[(&str, OnFail)] = &[("stop", OnFail::Stop), ("cancel", OnFail::Cancel), ("late", OnFail::Late)];
const RESULTS: &[(&str, bool)] = &[("all", true), ("none", false)];

/// Names that mean something else in expressions.
const TAKEN: &[&str] = &["params", "steps", "vars", "run", "error", "event", "secrets", "index", "value", "output"];

/// Reads `foreach: { in, as, concurrency, tolerate, on_fail, batch, results, do }`.
pub fn read(reader: &mut Reader, node: &Node, id: NodeId) -> Option<Kind> {
    let mapping = reader.mapping(node, &KEYS)?;
    let items = reader.required(mapping, "`foreach`", "in", "in: params.hosts").map(|node| items(reader, node));
    let name = match mapping.get("as") {
        Some(node) => name(reader, node),
        None => Some("item".to_owned()),
    };
    let concurrency = match mapping.get("concurrency") {
        Some(node) => amount(reader, node, "`concurrency`", 1),
        None => Some(Amount::Count(1)),
    };
    let tolerate = match mapping.get("tolerate") {
        Some(node) => amount(reader, node, "`tolerate`", 0),
        None => Some(Amount::Count(0)),
    };
    let on_fail = match mapping.get("on_fail") {
        Some(node) => reader.choice(node, "`on_fail`", ON_FAIL).map(|word| word.value),
        None => Some(OnFail::Stop),
    };
    let batch = match mapping.get("batch") {
        Some(node) => reader.integer(node, "`batch`", 1, limits::BATCH).map(|count| u32::try_from(count.value).ok()),
        None => Some(None),
    };
    let results = match mapping.get("results") {
        Some(node) => reader.choice(node, "`results`", RESULTS).map(|word| word.value),
        None => Some(true),
    };
    let body = reader.required(mapping, "`foreach`", "do", "do: [...]");
    let body = body.and_then(|node| reader.block(node, "`do`", Some(id), Role::Item));
    Some(Kind::Foreach(Box::new(Foreach {
        items: items??,
        name: name?,
        concurrency: concurrency?,
        tolerate: tolerate?,
        batch: batch?,
        on_fail: on_fail?,
        results: results?,
        body: body?,
    })))
}

/// An expression, a list, or a file or output with a form.
fn items(reader: &mut Reader, node: &Node) -> Option<ItemsFrom> {
    match node {
        Node::Scalar(_) => reader.expression(node, "`in`", Place::Items).map(|id| ItemsFrom::Value(Field::Expr(id))),
        Node::Sequence(_) => reader.any(node, "`in`", Place::Items).map(ItemsFrom::Value),
        Node::Mapping(mapping) => from_form(reader, mapping),
    }
}

fn from_form(reader: &mut Reader, mapping: &Mapping) -> Option<ItemsFrom> {
    let form = match mapping.entries.as_slice() {
        [(key, value)] => PageForm::named(&key.text).map(|form| (form, value)),
        _ => None,
    };
    let Some((form, value)) = form else {
        let span = mapping.entries.first().map_or(mapping.span, |(key, _)| key.span);
        let diagnostic = reader
            .at(Code::FOREACH_SOURCE, span, "`in` as a map has one key: `lines`, `csv` or `json`")
            .help("to run over a map write it as an expression: `in: params.limits`, or `in: '#{ a: 1 }'`");
        reader.report(diagnostic);
        return None;
    };
    let what = format!("`{}`", form.name());
    match value {
        Node::Scalar(scalar) if is_output(&scalar.text) => {
            reader.expression(value, &what, Place::Items).map(|text| ItemsFrom::Output { form, text })
        }
        _ => reader.text(value, &what, Place::ItemsPath).map(|path| ItemsFrom::File { form, path }),
    }
}

/// Whether a text is the name of an output, and not a path: `steps.list.stdout`.
fn is_output(text: &str) -> bool {
    text.strip_prefix("steps.").is_some_and(|rest| {
        rest.contains('.')
            && rest
                .split('.')
                .all(|name| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'))
    })
}

fn name(reader: &mut Reader, node: &Node) -> Option<String> {
    let Node::Scalar(scalar) = node else {
        reader.wrong_type(node, "`as`", "a name");
        return None;
    };
    if !reader.name(scalar, "the name of an item") {
        return None;
    }
    if TAKEN.contains(&scalar.text.as_str()) {
        let message = format!("`{}` cannot be the name of an item", scalar.text);
        let diagnostic =
            reader.at(Code::RESERVED_NAME, scalar.span, message).help("it means something else in expressions");
        reader.report(diagnostic);
        return None;
    }
    Some(scalar.text.clone())
}

/// A number of items, or a percent of them.
fn amount(reader: &mut Reader, node: &Node, what: &str, least: i64) -> Option<Amount> {
    let percent = match node {
        Node::Scalar(scalar) => scalar.text.strip_suffix('%'),
        Node::Sequence(_) | Node::Mapping(_) => None,
    };
    let Some(percent) = percent else {
        let count = reader.integer(node, what, least, limits::ITEMS)?;
        return Some(Amount::Count(u64::try_from(count.value).unwrap_or(0)));
    };
    match percent.parse::<u32>() {
        Ok(percent) if i64::from(percent) >= least && percent <= 100 => Some(Amount::Percent(percent)),
        Ok(_) | Err(_) => {
            let message = format!("{what} must be a number of items, or whole percents between {least}% and 100%");
            let diagnostic = reader.at(Code::OUT_OF_RANGE, node.span(), message);
            reader.report(diagnostic);
            None
        }
    }
}
