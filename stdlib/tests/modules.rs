//! The modules that runbooks import, called as runbooks call them.

use std::fmt::Write as _;

use lockstep_dsl::expr::{Budget, Cause, EvalError, Program, Sandbox, Scope};
use lockstep_dsl::graph::{Expr, ExprId, Graph, Module};
use lockstep_dsl::source::Location;
use lockstep_dsl::value::{Map, Millis, SecretPart, SecretRef, SecretText, Timestamp, Value};
use lockstep_stdlib::{MODULES, sandbox};

/// A graph of one script with all modules.
fn graph(source: &str) -> Graph {
    let expr = Expr {
        source: source.to_owned(),
        statements: true,
        lines: vec![Location { line: 1, column: 1 }],
        condition: false,
        steps: Vec::new(),
        names: Vec::new(),
    };
    let modules = MODULES.iter().map(|module| Module {
        name: module.import.trim_start_matches("std/").to_owned(),
        import: module.import.to_owned(),
        text: None,
    });
    Graph { modules: modules.collect(), exprs: vec![expr], ..Graph::empty() }
}

fn eval_in(sandbox: &Sandbox, source: &str, scope: &Scope) -> Result<Value, EvalError> {
    let program = Program::new(sandbox, &graph(source)).unwrap_or_else(|error| panic!("{source}: {error}"));
    program.eval(ExprId(0), scope, &Budget::default())
}

fn eval(source: &str) -> Result<Value, EvalError> {
    eval_in(&sandbox(), source, &Scope::at(Timestamp(0)))
}

fn holds(source: &str) {
    match eval(source) {
        Ok(Value::Bool(true)) => {}
        other => panic!("`{source}` gives {other:?}"),
    }
}

/// Nothing that is dangerous slips in unseen: every function that a runbook can import stands in a file.
#[test]
fn every_function_is_in_the_golden_file() {
    let sandbox = sandbox();
    let mut functions = String::new();
    for import in sandbox.std_imports() {
        for (name, parameters) in &sandbox.std_module(import).expect("a module of the sandbox").functions {
            let _ = writeln!(functions, "{import} {name}/{parameters}");
        }
    }
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/functions.txt");
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(golden, &functions).expect("the golden file can be written");
    }
    let expected = std::fs::read_to_string(golden).expect("there is a golden file");
    assert_eq!(functions, expected, "UPDATE_EXPECT=1 accepts the functions as they are");
}

/// The types that signatures tell are the types that are taken: `()` in the place of any of them is `invalid`, and so is
/// a secret, of which nothing can be computed.
#[test]
fn what_is_not_of_the_declared_type_is_refused() {
    let sandbox = sandbox();
    let sample = |kind: &str| match kind {
        "string" => Value::from("1"),
        "int" => Value::Int(1),
        "float" => Value::Float(1.0),
        "list" => Value::List(vec![Value::from("1")]),
        "map" => Value::Map(Map::new()),
        "time" => Value::Time(Timestamp(0)),
        "duration" => Value::Duration(Millis(1)),
        "any" => Value::Null,
        other => panic!("{other} is no type"),
    };
    let secret = Value::Secret(SecretText(vec![SecretPart::Reference(SecretRef::Env("TOKEN".to_owned()))]));
    let mut checked = 0;
    for native in MODULES.iter().flat_map(|module| module.natives) {
        let (name, rest) = native.signature.split_once('(').expect("a signature has parameters");
        let inside = rest.split_once(')').expect("a signature ends").0;
        let kinds: Vec<&str> = inside.split(", ").map(|part| part.split_once(": ").expect("a type").1).collect();
        for wrong in (0..kinds.len()).filter(|at| kinds[*at] != "any") {
            for value in [&Value::Null, &secret] {
                let names = ["a", "b", "c", "d"];
                let mut scope = Scope::at(Timestamp(0));
                for (at, kind) in kinds.iter().enumerate() {
                    scope.set(names[at], if at == wrong { value.clone() } else { sample(kind) });
                }
                let source = format!("{name}({})", names[..kinds.len()].join(", "));
                let error = eval_in(&sandbox, &source, &scope).expect_err(&source);
                assert_eq!(error.cause, Cause::Invalid, "{source}: {error:?}");
                assert!(error.message.starts_with(&format!("`{name}`")), "{source}: {error:?}");
                checked += 1;
            }
        }
    }
    assert!(checked > 100, "only {checked} calls were checked");
}

/// What is built or looked for is bounded, whatever is asked.
#[test]
fn hostile_calls_end_at_a_limit() {
    let hostile = [
        (r#"text::matches("a", "(a{1000}){1000}")"#, Cause::Invalid),
        (r#"text::matches("a", "(".repeat(2000))"#, Cause::Invalid),
        (r#"loop { text::matches("a", "[a-z]{20}"); }"#, Cause::Operations),
        (r#"text::matches("a".repeat(8000000), "(x+x+)+y".repeat(100))"#, Cause::Operations),
        (r#"text::replace_all("a".repeat(100000), "a", "b".repeat(10000))"#, Cause::Size),
        (r#"text::replace_all("a".repeat(100000), "a+", "$0".repeat(1000))"#, Cause::Size),
        (r#"text::find_all("a".repeat(310000), "a")"#, Cause::Size),
        (r#"text::find_all("a".repeat(500000), "a")"#, Cause::Operations),
        (r#"text::indent("\n".repeat(200000) + "a", "b".repeat(8000000))"#, Cause::Operations),
        (r#"text::center("", 9223372036854775807)"#, Cause::Size),
        (r#"text::mask("", -9223372036854775807)"#, Cause::Size),
        (r#"net::hosts("::/0")"#, Cause::Invalid),
        (r#"net::hosts("10.0.0.0/8")"#, Cause::Invalid),
        (r#"let v = 1; loop { v = json::put(#{}, "/a", v); }"#, Cause::Size),
        (r#"json::put(1, "/a".repeat(10000), 2)"#, Cause::Size),
        (r#"json::put((), "/a".repeat(10000), 2)"#, Cause::Size),
        (r#"json::parse_lines("[".repeat(100000))"#, Cause::Invalid),
        ("list::windows(range(0, 300000), 200000)", Cause::Operations),
        ("list::batches(range(0, 300000), 300000)", Cause::Operations),
        ("list::difference(range(0, 100000), range(0, 100000))", Cause::Operations),
        (r#"time::format(time("2026-01-01T00:00:00Z"), "%999999999Y", "UTC")"#, Cause::Invalid),
        (r#"time::add(time("2026-01-01T00:00:00Z"), 9223372036854775807, "years", "UTC")"#, Cause::Invalid),
        ("time::from_unix(9223372036854775807)", Cause::Invalid),
        ("math::round_up(9223372036854775807, 2)", Cause::Invalid),
        ("math::exp(1000)", Cause::Invalid),
        (
            r#"path::join(range(0, 100000).map(|n| "..").join("/"), "a"); loop { path::normalise("../".repeat(1000)); }"#,
            Cause::Operations,
        ),
    ];
    for (source, cause) in hostile {
        let error = eval(source).expect_err(source);
        assert_eq!(error.cause, cause, "{source}: {error:?}");
    }
}

/// The examples of RFC 7386, appendix A.
#[test]
fn merge_patches_do_what_the_rfc_says() {
    for (value, patch, result) in [
        (r#"{"a":"b"}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
        (r#"{"a":"b"}"#, r#"{"b":"c"}"#, r#"{"a":"b","b":"c"}"#),
        (r#"{"a":"b"}"#, r#"{"a":null}"#, "{}"),
        (r#"{"a":"b","b":"c"}"#, r#"{"a":null}"#, r#"{"b":"c"}"#),
        (r#"{"a":["b"]}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
        (r#"{"a":"c"}"#, r#"{"a":["b"]}"#, r#"{"a":["b"]}"#),
        (r#"{"a":{"b":"c"}}"#, r#"{"a":{"b":"d","c":null}}"#, r#"{"a":{"b":"d"}}"#),
        (r#"{"a":[{"b":"c"}]}"#, r#"{"a":[1]}"#, r#"{"a":[1]}"#),
        (r#"["a","b"]"#, r#"["c","d"]"#, r#"["c","d"]"#),
        (r#"{"a":"b"}"#, r#"["c"]"#, r#"["c"]"#),
        (r#"{"a":"foo"}"#, "null", "null"),
        (r#"{"a":"foo"}"#, r#""bar""#, r#""bar""#),
        (r#"{"e":null}"#, r#"{"a":1}"#, r#"{"e":null,"a":1}"#),
        ("[1,2]", r#"{"a":"b","c":null}"#, r#"{"a":"b"}"#),
        ("{}", r#"{"a":{"bb":{"ccc":null}}}"#, r#"{"a":{"bb":{}}}"#),
    ] {
        holds(&format!("json::merge_patch('{value}'.parse_json(), '{patch}'.parse_json()).to_json() == '{result}'.parse_json().to_json()").replace('\'', "`"));
    }
}

/// The examples of RFC 6901, section 5.
#[test]
fn pointers_lead_where_the_rfc_says() {
    let document = r#"let d = #{ foo: ["bar", "baz"], "": 0, "a/b": 1, "c%d": 2, "e^f": 3, "g|h": 4, "k\"l": 6, " ": 7, "m~n": 8 };"#;
    for (pointer, result) in [
        ("", "d"),
        ("/foo", r#"["bar", "baz"]"#),
        ("/foo/0", r#""bar""#),
        ("/", "0"),
        ("/a~1b", "1"),
        ("/c%d", "2"),
        ("/e^f", "3"),
        ("/g|h", "4"),
        (r#"/k\"l"#, "6"),
        ("/ ", "7"),
        ("/m~0n", "8"),
        ("/foo/2", "()"),
        ("/foo/01", "()"),
        ("/foo/-", "()"),
    ] {
        holds(&format!(r#"{document} json::pointer(d, "{pointer}") == {result}"#));
    }
    let error = eval(r#"json::pointer(#{}, "foo")"#).expect_err("no path");
    assert!(error.message.contains("`foo` is not a path"), "{error:?}");
}

#[test]
fn clocks_that_change_leave_no_time_unsaid() {
    // In Berlin clocks went from 02:00 to 03:00 on 29 March 2026, and from 03:00 to 02:00 on 25 October.
    holds(r#"time::parse("2026-03-29 02:30", "%Y-%m-%d %H:%M", "Europe/Berlin") == time("2026-03-29T01:30:00Z")"#);
    holds(r#"time::parse("2026-10-25 02:30", "%Y-%m-%d %H:%M", "Europe/Berlin") == time("2026-10-25T00:30:00Z")"#);
    holds(r#"time::start_of(time("2026-03-29T10:00:00Z"), "day", "Europe/Berlin") == time("2026-03-28T23:00:00Z")"#);
    holds(r#"time::start_of(time("2026-10-25T01:40:00Z"), "hour", "Europe/Berlin") == time("2026-10-25T01:00:00Z")"#);
    holds(r#"time::add(time("2026-10-24T10:00:00Z"), 1, "days", "Europe/Berlin") == time("2026-10-25T11:00:00Z")"#);
    holds(r#"time::start_of(time("2026-01-01T00:00:00Z"), "week", "UTC") == time("2025-12-29T00:00:00Z")"#);
    holds(r#"time::in_zone(time("2026-10-25T01:30:00Z"), "Europe/Berlin").offset == 3600"#);
    // Where midnight itself is left out, the day begins later.
    holds(
        r#"time::start_of(time("2018-11-04T12:00:00Z"), "day", "America/Sao_Paulo") == time("2018-11-04T03:00:00Z")"#,
    );
    for wrong in [
        r#"time::format(time("2026-01-01T00:00:00Z"), "%Y", "Europe/Berlln")"#,
        r#"time::format(time("2026-01-01T00:00:00Z"), "%!", "UTC")"#,
        r#"time::parse("yesterday", "%Y-%m-%d")"#,
        r#"time::parse("2026-02-30", "%Y-%m-%d")"#,
        r#"time::start_of(time("2026-01-01T00:00:00Z"), "decade", "UTC")"#,
        "time::date(2026, 2, 29)",
        "time::date(2026, 13, 1)",
    ] {
        assert_eq!(eval(wrong).expect_err(wrong).cause, Cause::Invalid, "{wrong}");
    }
}

#[test]
fn versions_are_ordered_as_people_order_them() {
    let versions = [
        "0.9",
        "1.0.0-alpha",
        "1.0.0-alpha.1",
        "1.0.0-beta.2",
        "1.0.0-beta.11",
        "1.0.0-rc",
        "v1",
        "1.0.1",
        "1.2",
        "1.10",
        "2.0.0",
        "10",
    ];
    for (at, one) in versions.iter().enumerate() {
        for (place, other) in versions.iter().enumerate() {
            let order = at.cmp(&place) as i64;
            holds(&format!("text::compare_versions(\"{one}\", \"{other}\") == {order}"));
        }
    }
}

#[test]
fn no_path_leads_out_of_a_folder_that_it_is_said_to_be_within() {
    for (path, folder, within) in [
        ("/a/b", "/a", true),
        ("/a", "/a", true),
        ("/a/", "/a", true),
        ("/a/b/../../c", "/a", false),
        ("/ab", "/a", false),
        ("/", "/a", false),
        ("/a", "/", true),
        ("a/b", "a", true),
        ("a/../b", "a", false),
        ("../a", "..", true),
        ("../..", "..", false),
        ("a", "..", false),
        ("/a", "a", false),
        ("/a/./b//c", "/a/b", true),
        ("..", "", false),
    ] {
        holds(&format!("path::is_within(\"{path}\", \"{folder}\") == {within}"));
    }
}

#[test]
fn what_is_no_address_is_told() {
    for wrong in [
        r#"net::ip("10.0.0")"#,
        r#"net::cidr("10.0.0.0/33")"#,
        r#"net::contains("10.0.0.0/8", "web-1")"#,
        r#"net::host_port("web-1:0x50")"#,
        r#"net::host_port("web-1:65536")"#,
        r#"net::host_port("::1:80x")"#,
        r#"net::host_port("[::1")"#,
        r#"net::host_port("a b:80")"#,
        r#"net::host_port("web-1:")"#,
        r#"net::url("example.org/a")"#,
        r#"net::decode("100%")"#,
        r#"net::decode("%ff")"#,
        r#"hash::from_base64("a b c*")"#,
        r#"hash::from_hex("abc")"#,
        r#"hash::from_hex("ü0")"#,
        "hash::bucket(\"a\", 0)",
    ] {
        let error = eval(wrong).expect_err(wrong);
        assert!(matches!(error.cause, Cause::Invalid | Cause::Thrown), "{wrong}: {error:?}");
    }
    holds(r#"net::host_port("::1") == #{ host: "::1", port: () }"#);
    holds(r#"net::host_port("[::1]") == #{ host: "::1", port: () }"#);
    holds(r#"net::url("https://ana:hunter2@example.org/").text == "https://ana@example.org/""#);
    holds(r#"net::url("mailto:ana@example.org").host == ()"#);
    holds(r#"net::cidr("::/0").size == ()"#);
    holds(r#"net::cidr("2001:db8::/64").size == ()"#);
}
