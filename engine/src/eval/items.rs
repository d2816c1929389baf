//! What a `foreach` runs over, in the shape that the core takes.

use lockstep_dsl::expr::Items;
use lockstep_dsl::graph::{Field, Foreach, ItemsFrom, Node};
use lockstep_dsl::value::{Map, Value};

use super::Stop;
use super::context::Context;
use crate::worker::Failure;
use crate::worker::limits::OUTPUT_BYTES;
use crate::worker::pages::items_of;

/// A list, a range or a file, as [`crate::core::run::Items::from_value`] reads it.
pub(super) fn of(context: &Context<'_>, foreach: &Foreach, node: &Node) -> Result<Value, Stop> {
    match &foreach.items {
        ItemsFrom::Value(Field::Expr(id)) => match context.items(*id)? {
            Items::Range(from, to) => Ok(named("range", Value::List(vec![Value::Int(from), Value::Int(to)]))),
            Items::Value(value) => list(context, value, node),
        },
        ItemsFrom::Value(field) => list(context, context.field(field)?, node),
        ItemsFrom::Output { form, text } => match context.expr(*text)? {
            Value::String(text) => match items_of(&text, *form) {
                Ok(items) => list(context, Value::List(items), node),
                Err(why) => Err(context.invalid(Some(node.at), &why)),
            },
            Value::List(items) => list(context, Value::List(items), node),
            other => {
                let message = format!("`{}` needs text, not a {}", form.name(), other.type_name());
                Err(context.invalid(Some(node.at), &message))
            }
        },
        ItemsFrom::File { form, path } => {
            let file = ("file".to_owned(), Value::String(context.text(path)?));
            Ok(Value::Map(Map::from([file, ("form".to_owned(), form.name().into())])))
        }
    }
}

/// A map runs as a list of its pairs, in the order of its keys.
fn list(context: &Context<'_>, value: Value, node: &Node) -> Result<Value, Stop> {
    let items = match value {
        Value::List(items) => items,
        Value::Map(map) => {
            let pair = |(key, value)| {
                Value::Map(Map::from([("key".to_owned(), Value::String(key)), ("value".to_owned(), value)]))
            };
            map.into_iter().map(pair).collect()
        }
        other => {
            let message = format!("`in` needs a list, a map or a range, not a {}", other.type_name());
            return Err(context.invalid(Some(node.at), &message));
        }
    };
    let items = Value::List(items);
    let bytes = items.to_json().to_string().len();
    if bytes > OUTPUT_BYTES {
        let message = format!(
            "the items have {bytes} bytes, and a value may have {OUTPUT_BYTES}: write them to a file and read that, with `in: {{ lines: … }}`"
        );
        return Err(Stop::Failed(Failure { kind: "limit".to_owned(), message, data: Value::Null, untouched: false }));
    }
    Ok(named("list", items))
}

fn named(name: &str, value: Value) -> Value {
    Value::Map(Map::from([(name.to_owned(), value)]))
}
