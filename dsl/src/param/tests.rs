//! What callers of a runbook are told about its parameters.

use proptest::prelude::*;

use super::*;
use crate::graph::{ExprId, ParamType};
use crate::value::{Millis, Timestamp};

fn param(name: &str, kind: ParamType) -> Param {
    Param {
        name: name.to_owned(),
        kind,
        description: None,
        default: None,
        optional: false,
        choices: None,
        pattern: None,
        min: None,
        max: None,
        check: None,
    }
}

fn text(kind: ParamType, given: &str) -> Result<Value, String> {
    from_text(&param("p", kind), given)
}

fn strings() -> ParamType {
    ParamType::List(Some(Box::new(ParamType::String)))
}

#[test]
fn text_from_the_command_line_is_read_by_the_declared_type() {
    assert_eq!(text(ParamType::String, " NO: [x "), Ok(Value::from(" NO: [x ")));
    assert_eq!(text(ParamType::Int, "85\n"), Ok(Value::Int(85)));
    assert_eq!(text(ParamType::Float, "3"), Ok(Value::Float(3.0)));
    assert_eq!(text(ParamType::Bool, "true"), Ok(Value::Bool(true)));
    assert_eq!(text(ParamType::Duration, "1h30m"), Ok(Value::Duration(Millis(5_400_000))));
    assert_eq!(text(ParamType::Time, "1970-01-01T00:00:00Z"), Ok(Value::Time(Timestamp(0))));
    assert_eq!(text(ParamType::Size, "1KiB"), Ok(Value::Int(1024)));
    for (kind, given) in [
        (ParamType::Int, "0x1f"),
        (ParamType::Bool, "yes"),
        (ParamType::Duration, "90"),
        (ParamType::Size, "10M"),
        (ParamType::Time, "2026-01-01"),
        (ParamType::Int, ""),
    ] {
        assert!(text(kind.clone(), given).is_err(), "{kind:?} {given}");
    }
}

#[test]
fn lists_and_maps_are_yaml_or_json() {
    let list = |items: &[&str]| Value::List(items.iter().map(|item| Value::from(*item)).collect());
    assert_eq!(text(strings(), "[017, NO, 1.10]"), Ok(list(&["017", "NO", "1.10"])));
    assert_eq!(text(strings(), "- a\n- b"), Ok(list(&["a", "b"])));
    assert_eq!(text(strings(), r#"["\ud83d\ude00"]"#), Ok(list(&["😀"])));
    assert_eq!(text(strings(), "[]"), Ok(list(&[])));
    assert_eq!(
        text(ParamType::Any, "{a: 1, b: [null, 'null', 99999999999999999999], c: 0.5}").map(|value| value.to_json()),
        Ok(serde_json::json!({"a": 1, "b": [null, "null", "99999999999999999999"], "c": 0.5}))
    );
    for (kind, given, part) in [
        (strings(), "web-1,web-2", "is text; write a list such as"),
        (strings(), "[a, [b]]", "element 2"),
        (strings(), "", "is empty"),
        (ParamType::Map, "{a: 1, a: 2}", "`a` is set twice"),
        (ParamType::Map, "[1]", "is a list; write a map"),
        (ParamType::Map, "{a: 1", "line 1, column"),
        (ParamType::List(Some(Box::new(ParamType::Int))), "['1']", "write it without quotes"),
    ] {
        let error = text(kind, given).expect_err(given);
        assert!(error.contains(part), "{given}: {error}");
    }
}

#[test]
fn a_secret_is_a_reference_and_never_repeated() {
    let value = text(ParamType::Secret, "env:TOKEN").expect("a reference");
    assert!(value.has_secret());
    for given in ["hunter2", "env:", "env:hunter 2", "file:", "store:hunter2", ""] {
        let error = text(ParamType::Secret, given).expect_err(given);
        assert!(!error.contains("hunter"), "{error}");
    }
    assert!(text(ParamType::Secret, "store:x").is_err_and(|error| error.contains("not supported yet")));
}

#[test]
fn constraints_hold_for_numbers_and_lengths() {
    let limit = Param { min: Some(Value::Int(1)), max: Some(Value::Int(3)), ..param("limit", ParamType::Int) };
    assert_eq!(check(&limit, &Value::Int(3)), Ok(()));
    assert_eq!(check(&limit, &Value::Int(4)), Err("is `4`, above `3`, the greatest that is allowed".to_owned()));
    let name = Param { kind: ParamType::String, ..limit.clone() };
    assert_eq!(check(&name, &Value::from("äöü")), Ok(()));
    assert_eq!(check(&name, &Value::from("abcd")), Err("has 4 characters, at most 3 are allowed".to_owned()));
    let list = Param { kind: strings(), ..limit };
    assert_eq!(check(&list, &Value::List(vec![])), Err("has 0 elements, at least 1 must be there".to_owned()));
    assert!(check(&list, &Value::List(vec![Value::Int(1)])).is_err_and(|error| error.contains("element 1")));
}

#[test]
fn a_pattern_matches_the_whole_value() {
    let host = Param { pattern: Some("web|db-[0-9]+".to_owned()), ..param("host", ParamType::String) };
    for (value, fits) in
        [("web", true), ("db-12", true), ("web-12", false), ("xweb", false), ("web\n", false), ("", false)]
    {
        assert_eq!(check(&host, &Value::from(value)).is_ok(), fits, "{value:?}");
    }
    assert!(pattern("a)|(b").is_err());
    assert!(pattern("[a-").is_err());
    assert!(pattern("(((a{1000}){1000}){1000}").is_err());
    assert!(pattern("((a{1000}){1000}){1000}").is_err_and(|error| error.contains("too large")));
}

#[test]
fn allowed_values_are_named() {
    let choices = Some(vec![Value::from("soft"), Value::from("hard")]);
    let mode = Param { choices, ..param("mode", ParamType::String) };
    assert_eq!(check(&mode, &Value::from("soft")), Ok(()));
    assert_eq!(check(&mode, &Value::from("Soft")), Err("is `Soft`; write one of `soft`, `hard`".to_owned()));
}

#[test]
fn all_mistakes_are_reported_at_once() {
    let params = [
        Param { description: Some("Host to clean".to_owned()), ..param("host", ParamType::String) },
        Param { max: Some(Value::Int(99)), ..param("limit", ParamType::Int) },
        param("wait", ParamType::Duration),
        Param { default: Some(Field::Const(Value::Int(1))), ..param("tries", ParamType::Int) },
    ];
    let given = [("limit", "100"), ("wait", "5"), ("hots", "web-1"), ("zone", "b")];
    let given = given.map(|(name, text)| (name.to_owned(), Given::Text(text.to_owned())));
    let errors = resolve(&params, given.into_iter().collect()).expect_err("nothing fits");
    let messages: Vec<String> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(
        messages,
        [
            "parameter `host` is required (Host to clean); add `-p host=...`",
            "parameter `limit` is `100`, above `99`, the greatest that is allowed",
            "parameter `wait`: `5` has no unit; write `5s` for seconds",
            "there is no parameter `hots`; did you mean `host`?",
            "there is no parameter `zone`; there are `host`, `limit`, `wait`, `tries`",
        ]
    );
}

#[test]
fn defaults_are_taken_and_those_with_expressions_left_to_the_engine() {
    let params = [
        Param { default: Some(Field::List(vec![Field::Const(Value::from("/var"))])), ..param("paths", strings()) },
        Param { default: Some(Field::Expr(ExprId(0))), ..param("tag", ParamType::String) },
        Param { optional: true, ..param("token", ParamType::Secret) },
    ];
    let resolved = resolve(&params, BTreeMap::new()).expect("nothing is required");
    assert_eq!(resolved.pending, [1]);
    assert_eq!(resolved.values.get("paths"), Some(&Value::List(vec![Value::from("/var")])));
    assert_eq!(resolved.values.get("token"), Some(&Value::Null));
}

#[test]
fn a_file_of_parameters_keeps_text_as_it_is_written() {
    let source = Source::new("params.yaml", "host: 017\nlimit: 85\npaths: [1.10, NO]\nwait: 5m\n");
    let given = read_file(&source).expect("valid");
    let params = [
        param("host", ParamType::String),
        param("limit", ParamType::Int),
        param("paths", strings()),
        param("wait", ParamType::Duration),
    ];
    let values = resolve(&params, given).expect("all fit").values;
    assert_eq!(
        Value::Map(values).to_json(),
        serde_json::json!({"host": "017", "limit": 85, "paths": ["1.10", "NO"], "wait": "5m"})
    );
    assert!(read_file(&Source::new("params.yaml", "- a\n")).is_err());
    assert!(read_file(&Source::new("params.yaml", "# none\n")).is_ok_and(|given| given.is_empty()));
}

#[test]
fn data_with_types_is_held_against_the_declaration() {
    let value = |kind, value| from_value(&param("p", kind), value);
    assert_eq!(value(ParamType::Float, Value::Int(2)), Ok(Value::Float(2.0)));
    assert_eq!(value(ParamType::Size, Value::from("1KB")), Ok(Value::Int(1000)));
    assert_eq!(value(ParamType::Int, Value::from("2")), Err("is of type string; write a whole number".to_owned()));
    assert!(value(ParamType::Secret, Value::Int(1234)).is_err_and(|error| !error.contains("1234")));
}

proptest! {
    #[test]
    fn strings_arrive_byte_for_byte(given in ".*") {
        prop_assert_eq!(text(ParamType::String, &given), Ok(Value::from(given.clone())));
        // As JSON, every string survives in a list, too.
        let json = serde_json::to_string(&[&given]).expect("a list of text");
        let control = given.chars().any(|c| ('\u{7f}'..='\u{9f}').contains(&c) || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}'));
        if !control {
            prop_assert_eq!(text(strings(), &json), Ok(Value::List(vec![Value::from(given)])));
        }
    }
}
