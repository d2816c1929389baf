//! Renders the input of steps, in the shapes that actions document.

use std::collections::BTreeMap;

use lockstep_dsl::graph::{Approve, Ask, Auth, BodyKind, Command, Field, Http, Kind, Node, Script, Switch};
use lockstep_dsl::scalar;
use lockstep_dsl::value::{Map, Value};

use super::Stop;
use super::context::Context;
use crate::limits::MAX_MESSAGE_BYTES;

/// The input of an acting step.
pub(super) fn of_action(context: &Context<'_>, node: &Node) -> Result<Map, Stop> {
    let mut input = Map::new();
    match &node.kind {
        Kind::Shell(shell) => {
            match &shell.script {
                Script::Inline(text) => input.insert("script".to_owned(), Value::from(text.as_str())),
                Script::File(name) => input.insert("file".to_owned(), Value::from(name.as_str())),
            };
            if let Some(interpreter) = &shell.interpreter {
                let words = interpreter.iter().map(|word| Value::from(word.as_str())).collect();
                input.insert("interpreter".to_owned(), Value::List(words));
            }
            command(context, node, &shell.command, &mut input)?;
        }
        Kind::Exec(exec) => {
            input.insert("argv".to_owned(), context.field(&exec.argv)?);
            command(context, node, &exec.command, &mut input)?;
        }
        Kind::Http(request) => http(context, request, &mut input)?,
        Kind::Script(_)
        | Kind::Set(_)
        | Kind::Assert { .. }
        | Kind::WaitFor(_)
        | Kind::WaitUntil(_)
        | Kind::AwaitSignal(_)
        | Kind::Approve(_)
        | Kind::Ask(_)
        | Kind::Call(_)
        | Kind::Do(_)
        | Kind::Parallel(_)
        | Kind::Switch(_)
        | Kind::Foreach(_)
        | Kind::Repeat(_)
        | Kind::Fail { .. }
        | Kind::Finish { .. } => {}
    }
    Ok(input)
}

fn command(context: &Context<'_>, node: &Node, command: &Command, input: &mut Map) -> Result<(), Stop> {
    for (name, field) in [("cwd", &command.cwd), ("stdin", &command.stdin)] {
        if let Some(field) = field {
            input.insert(name.to_owned(), context.field(field)?);
        }
    }
    if !command.expect.is_empty() {
        let codes = command.expect.iter().map(|code| Value::Int(i64::from(*code))).collect();
        input.insert("expect".to_owned(), Value::List(codes));
    }
    // Outermost first, so that what is nearest to the step wins.
    let mut given: BTreeMap<&str, &Field> = BTreeMap::new();
    for (name, field) in context.run.graph.env.iter().chain(&node.env) {
        given.insert(name, field);
    }
    let mut env = Map::new();
    for (name, field) in given {
        env.insert(name.to_owned(), context.text_or_secret(name, field)?);
    }
    if !env.is_empty() {
        input.insert("env".to_owned(), Value::Map(env));
    }
    Ok(())
}

fn http(context: &Context<'_>, request: &Http, input: &mut Map) -> Result<(), Stop> {
    input.insert("method".to_owned(), Value::from(request.method.as_str()));
    input.insert("url".to_owned(), context.field(&request.url)?);
    for (name, pairs) in [("headers", &request.headers), ("query", &request.query)] {
        if !pairs.is_empty() {
            let pair = |(name, field): &(String, Field)| {
                Ok(Value::List(vec![Value::from(name.as_str()), context.field(field)?]))
            };
            input.insert(name.to_owned(), Value::List(pairs.iter().map(pair).collect::<Result<_, Stop>>()?));
        }
    }
    if let Some((kind, field)) = &request.body {
        let kind = match kind {
            BodyKind::Text => "text",
            BodyKind::Json => "json",
            BodyKind::Form => "form",
        };
        let body = [("kind".to_owned(), Value::from(kind)), ("value".to_owned(), context.field(field)?)];
        input.insert("body".to_owned(), Value::Map(Map::from(body)));
    }
    let expect = request
        .expect
        .iter()
        .map(|(first, last)| Value::List(vec![Value::Int(i64::from(*first)), Value::Int(i64::from(*last))]));
    input.insert("expect".to_owned(), Value::List(expect.collect()));
    match &request.auth {
        None => {}
        Some(Auth::Bearer(token)) => {
            let auth = Map::from([("bearer".to_owned(), context.field(token)?)]);
            input.insert("auth".to_owned(), Value::Map(auth));
        }
        Some(Auth::Basic { user, password }) => {
            let auth = [("user".to_owned(), context.field(user)?), ("password".to_owned(), context.field(password)?)];
            input.insert("auth".to_owned(), Value::Map(Map::from(auth)));
        }
    }
    Ok(())
}

/// Which case of a `switch` is run, counted over all of them with `else` last.
pub(super) fn case(context: &Context<'_>, switch: &Switch, node: &Node) -> Result<Value, Stop> {
    let (found, missing) = if let Some(chooses) = switch.value {
        let value = context.expr(chooses)?;
        let text = match &value {
            Value::String(_) | Value::Int(_) | Value::Bool(_) => value.to_text().unwrap_or_default(),
            other => {
                let message = format!("a case is a text, a whole number or a bool, not a {}", other.type_name());
                return Err(context.invalid(context.start(chooses), &message));
            }
        };
        let found = switch.cases.iter().position(|case| case.name == text);
        (found, format!("there is no case for `{text}`, and no `else`"))
    } else {
        (first_that_holds(context, switch)?, "no case matches, and there is no `else`".to_owned())
    };
    match found.or_else(|| switch.otherwise.as_ref().map(|_| switch.cases.len())) {
        Some(place) => Ok(Value::Int(i64::try_from(place).unwrap_or(i64::MAX))),
        None => Err(context.invalid(Some(node.at), &missing)),
    }
}

fn first_that_holds(context: &Context<'_>, switch: &Switch) -> Result<Option<usize>, Stop> {
    for (place, case) in switch.cases.iter().enumerate() {
        let holds = case.when.map_or(Ok(Value::Bool(true)), |when| context.expr(when))?;
        if holds == Value::Bool(true) {
            return Ok(Some(place));
        }
    }
    Ok(None)
}

/// How long a `wait` step waits.
pub(super) fn duration(context: &Context<'_>, field: &Field, node: &Node) -> Result<Value, Stop> {
    match context.field(field)? {
        length @ Value::Duration(_) => Ok(length),
        Value::String(text) => match scalar::duration(&text) {
            Ok(length) => Ok(Value::Duration(length)),
            Err(why) => Err(context.invalid(Some(node.at), &format!("`wait` {why}"))),
        },
        other => Err(context
            .invalid(Some(node.at), &format!("`wait` needs a duration such as `30s`, not a {}", other.type_name()))),
    }
}

/// The signal that an `await` step waits for.
pub(super) fn signal(context: &Context<'_>, name: &Field, node: &Node) -> Result<Value, Stop> {
    let name = context.text(name)?;
    match scalar::signal(&name) {
        Ok(()) => Ok(Value::Map(Map::from([("signal".to_owned(), Value::String(name))]))),
        Err(why) => Err(context.invalid(Some(node.at), &format!("`await.signal` {why}"))),
    }
}

/// The key that a step is to hold.
pub(super) fn lock_key(context: &Context<'_>, key: &Field, node: &Node) -> Result<Value, Stop> {
    let key = context.text(key)?;
    match scalar::lock_key(&key) {
        Ok(()) => Ok(Value::String(key)),
        Err(why) => Err(context.invalid(Some(node.at), &format!("the key of `lock` {why}"))),
    }
}

/// What an `approve` step asks of whom.
pub(super) fn approve(context: &Context<'_>, approve: &Approve, node: &Node) -> Result<Value, Stop> {
    let mut input = Map::from([("message".to_owned(), message(context, &approve.message)?)]);
    if let Some(by) = &approve.by {
        input.insert("by".to_owned(), people(context, by, node)?);
    }
    if let Some(escalate) = &approve.escalate {
        input.insert("to".to_owned(), people(context, &escalate.to, node)?);
    }
    Ok(Value::Map(input))
}

/// What an `ask` step asks of whom.
pub(super) fn ask(context: &Context<'_>, ask: &Ask, node: &Node) -> Result<Value, Stop> {
    let mut input = Map::from([("message".to_owned(), message(context, &ask.message)?)]);
    if let Some(by) = &ask.by {
        input.insert("by".to_owned(), people(context, by, node)?);
    }
    Ok(Value::Map(input))
}

fn message(context: &Context<'_>, field: &Field) -> Result<Value, Stop> {
    let text = context.text(field)?;
    if text.len() <= MAX_MESSAGE_BYTES {
        return Ok(Value::String(text));
    }
    let why = format!("the `message` has {} bytes, {MAX_MESSAGE_BYTES} are allowed", text.len());
    Err(context.invalid(context.place(field), &why))
}

/// A list of people and groups.
fn people(context: &Context<'_>, field: &Field, node: &Node) -> Result<Value, Stop> {
    let wrong = |why: &str| context.invalid(Some(node.at), why);
    let Value::List(people) = context.field(field)? else {
        return Err(wrong("who may answer is a list such as `[user:ana, group:sre]`"));
    };
    if people.is_empty() {
        return Err(wrong("nobody may answer: the list of people is empty"));
    }
    for person in &people {
        let Value::String(name) = person else { return Err(wrong("who may answer is text such as `user:ana`")) };
        scalar::person(name).map_err(|why| wrong(&why))?;
    }
    Ok(Value::List(people))
}

/// Until when a `wait` step waits.
pub(super) fn time(context: &Context<'_>, field: &Field, node: &Node) -> Result<Value, Stop> {
    match context.field(field)? {
        at @ Value::Time(_) => Ok(at),
        Value::String(text) => match scalar::time(&text) {
            Ok(at) => Ok(Value::Time(at)),
            Err(why) => Err(context.invalid(Some(node.at), &format!("`wait.at` {why}"))),
        },
        other => Err(context.invalid(Some(node.at), &format!("`wait.at` needs a time, not a {}", other.type_name()))),
    }
}
