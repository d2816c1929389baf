//! `std/json`: values as JSON knows them.

use lockstep_dsl::expr::{Arguments, Fault, NativeFunction, StdModule};
use lockstep_dsl::value::{Map, Value};

pub const MODULE: StdModule = StdModule {
    import: "std/json",
    about: "Values as JSON knows them. One document is read by `text.parse_json()` and written by `value.to_json()`, \
            which need no import.",
    text: include_str!("../rhai/json.rhai"),
    natives: &[
        NativeFunction {
            signature: "json::pretty(value: any) -> string",
            docs: "JSON over several lines, keys in order.\n    \
                   json::pretty(#{ b: [1], a: () }) // => \"{\\n  \\\"a\\\": null,\\n  \\\"b\\\": [\\n    1\\n  ]\\n}\"",
            run: pretty,
        },
        NativeFunction {
            signature: "json::pointer(value: any, path: string) -> any or ()",
            docs: "What stands at a path of RFC 6901, `()` where there is nothing. `~1` is `/` in a key, `~0` is `~`.\n    \
                   json::pointer(#{ hosts: [#{ name: \"web-1\" }] }, \"/hosts/0/name\") // => \"web-1\"\n    \
                   json::pointer(#{ a: 1 }, \"/b/c\") // => ()",
            run: |given| {
                let path = path(given, 1)?;
                Ok(find(given.value(0)?, &path).cloned().unwrap_or_default())
            },
        },
        NativeFunction {
            signature: "json::put(value: any, path: string, new: any) -> any",
            docs: "The value with another one at a path of RFC 6901. Maps that are missing on the way are made; `-` \
                   adds to a list.\n    \
                   json::put(#{ a: #{ b: 1 } }, \"/a/c\", 2) // => #{ a: #{ b: 1, c: 2 } }\n    \
                   json::put(#{ list: [1] }, \"/list/-\", 2) // => #{ list: [1, 2] }",
            run: |given| {
                let path = path(given, 1)?;
                given.will_nest(path.len())?;
                let mut value = given.value(0)?.clone();
                match place(&mut value, &path) {
                    Some(place) => *place = given.value(2)?.clone(),
                    None => return Err(given.invalid(format!("there is no place `{}`", given.text(1)?))),
                }
                Ok(value)
            },
        },
        NativeFunction {
            signature: "json::merge_patch(value: any, patch: any) -> any",
            docs: "The value changed by a merge patch of RFC 7386: maps are merged, `()` takes a key away, all else \
                   takes the place of what was there.\n    \
                   json::merge_patch(#{ a: 1, b: #{ c: 2, d: 3 } }, #{ a: (), b: #{ c: 4 } }) // => #{ b: #{ c: 4, d: 3 } }",
            run: |given| {
                let mut value = given.value(0)?.clone();
                merge(&mut value, given.value(1)?);
                Ok(value)
            },
        },
        NativeFunction {
            signature: "json::parse_lines(text: string) -> list",
            docs: "The documents of a text with one on each line; empty lines are left out.\n    \
                   json::parse_lines(\"{\\\"a\\\":1}\\n\\n[2]\\n\") // => [#{ a: 1 }, [2]]",
            run: parse_lines,
        },
        NativeFunction {
            signature: "json::diff(before: any, after: any) -> list",
            docs: "What differs, in the order of the paths: `path`, `before` and `after`, which are `()` where there is \
                   nothing. Lists are compared place by place.\n    \
                   json::diff(#{ a: 1, b: [1, 2] }, #{ b: [1, 3], c: 4 }).map(|d| d.path) // => [\"/a\", \"/b/1\", \"/c\"]",
            run: |given| {
                let mut found = Vec::new();
                diff(given, given.value(0)?, given.value(1)?, &mut String::new(), &mut found)?;
                Ok(Value::List(found))
            },
        },
    ],
};

fn pretty(given: &mut Arguments<'_, '_>) -> Result<Value, Fault> {
    let value = given.value(0)?;
    if value.has_secret() {
        return Err(given.invalid("a secret cannot become plain text here"));
    }
    let text = serde_json::to_string_pretty(&value.to_json()).map_err(|error| given.invalid(error))?;
    given.charge(text.len() / 64)?;
    Ok(text.into())
}

/// The keys of a path.
fn path(given: &Arguments<'_, '_>, index: usize) -> Result<Vec<String>, Fault> {
    let text = given.text(index)?;
    match text.split_once('/') {
        None if text.is_empty() => Ok(Vec::new()),
        Some(("", rest)) => Ok(rest.split('/').map(|key| key.replace("~1", "/").replace("~0", "~")).collect()),
        _ => Err(given
            .invalid(format!("`{text}` is not a path"))
            .help("a path begins with `/`, such as \"/hosts/0/name\"")),
    }
}

fn position(key: &str) -> Option<usize> {
    let is_plain = key.bytes().all(|byte| byte.is_ascii_digit()) && (key == "0" || !key.starts_with('0'));
    if is_plain { key.parse().ok() } else { None }
}

fn find<'v>(value: &'v Value, path: &[String]) -> Option<&'v Value> {
    path.iter().try_fold(value, |value, key| match value {
        Value::Map(map) => map.get(key),
        Value::List(list) => list.get(position(key)?),
        _ => None,
    })
}

/// Where a path leads, made where it is missing.
fn place<'v>(value: &'v mut Value, path: &[String]) -> Option<&'v mut Value> {
    path.iter().try_fold(value, |value, key| {
        if matches!(value, Value::Null) {
            *value = Value::Map(Map::new());
        }
        match value {
            Value::Map(map) => Some(map.entry(key.clone()).or_default()),
            Value::List(list) => {
                let at = if key == "-" {
                    list.push(Value::Null);
                    list.len() - 1
                } else {
                    position(key)?
                };
                list.get_mut(at)
            }
            _ => None,
        }
    })
}

fn merge(value: &mut Value, patch: &Value) {
    let Value::Map(patch) = patch else {
        *value = patch.clone();
        return;
    };
    if !matches!(value, Value::Map(_)) {
        *value = Value::Map(Map::new());
    }
    let Value::Map(map) = value else { return };
    for (key, patch) in patch {
        if matches!(patch, Value::Null) {
            map.remove(key);
        } else {
            merge(map.entry(key.clone()).or_default(), patch);
        }
    }
}

fn parse_lines(given: &mut Arguments<'_, '_>) -> Result<Value, Fault> {
    let mut list = Vec::new();
    for (line, number) in given.text(0)?.lines().zip(1..) {
        if line.trim().is_empty() {
            continue;
        }
        given.charge(1 + line.len() / 4)?;
        let json =
            serde_json::from_str(line).map_err(|error| given.invalid(format!("line {number} is not JSON: {error}")))?;
        list.push(Value::from_json(json));
    }
    Ok(Value::List(list))
}

fn diff(
    given: &mut Arguments<'_, '_>,
    before: &Value,
    after: &Value,
    path: &mut String,
    found: &mut Vec<Value>,
) -> Result<(), Fault> {
    let length = path.len();
    let mut below = |given: &mut Arguments<'_, '_>, key: &str, before: &Value, after: &Value| {
        // Every level builds the path anew.
        given.charge(1 + path.len() / 64)?;
        path.push('/');
        path.push_str(&key.replace('~', "~0").replace('/', "~1"));
        diff(given, before, after, path, found)?;
        path.truncate(length);
        Ok(())
    };
    match (before, after) {
        (Value::Map(before), Value::Map(after)) => {
            let keys: std::collections::BTreeSet<&String> = before.keys().chain(after.keys()).collect();
            for key in keys {
                let side = |map: &Map| map.get(key).cloned().unwrap_or_default();
                below(given, key, &side(before), &side(after))?;
            }
        }
        (Value::List(before), Value::List(after)) => {
            for index in 0..before.len().max(after.len()) {
                let side = |list: &[Value]| list.get(index).cloned().unwrap_or_default();
                below(given, &index.to_string(), &side(before), &side(after))?;
            }
        }
        _ if before == after => {}
        _ => {
            let parts = [("path", Value::from(path.as_str())), ("before", before.clone()), ("after", after.clone())];
            found.push(Value::Map(parts.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()));
        }
    }
    Ok(())
}
