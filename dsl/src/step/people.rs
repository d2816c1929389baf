//! Who may answer: lists of people and groups.

use crate::compile::reader::Reader;
use crate::diagnostic::Code;
use crate::graph::Field;
use crate::runbook::Place;
use crate::scalar;
use crate::value::Value;
use crate::yaml::Node;

const LIST: &str = "a list of people, such as `[user:ana, group:sre]`";

/// Reads `by: [user:ana, group:sre]`, or one expression that gives such a list.
pub fn read(reader: &mut Reader, node: &Node, what: &str) -> Option<Field> {
    if let Node::Scalar(_) = node {
        let field = reader.text(node, what, Place::By)?;
        if let Field::Expr(_) = field {
            return Some(field);
        }
        reader.wrong_type(node, what, LIST);
        return None;
    }
    let list = reader.sequence(node, what, LIST)?;
    let mut people = Vec::new();
    for item in &list.items {
        let field = reader.text(item, what, Place::By)?;
        if let (Field::Const(Value::String(name)), Node::Scalar(scalar)) = (&field, item)
            && let Err(error) = scalar::person(name)
        {
            reader.bad_scalar(Code::PERSON, scalar, what, &error);
            return None;
        }
        people.push(field);
    }
    Some(Field::List(people))
}

/// How many different people these are at most; `None` where nobody can know.
pub fn count(people: &Field) -> Option<usize> {
    let Field::List(people) = people else { return None };
    let mut names: Vec<&str> = Vec::new();
    for person in people {
        match person {
            Field::Const(Value::String(name)) if name.starts_with("user:") => names.push(name),
            _ => return None,
        }
    }
    names.sort_unstable();
    names.dedup();
    Some(names.len())
}
