//! Hostile expressions: none may cost more than its budget, overflow the stack, or panic.

use std::cell::Cell;

use lockstep_dsl::expr::{Budget, Cause, EvalError, Program, Sandbox, Scope};
use lockstep_dsl::graph::{Expr, ExprId, Graph};
use lockstep_dsl::limits::EXPRESSION_NESTING;
use lockstep_dsl::source::Location;
use lockstep_dsl::value::{Timestamp, Value};
use proptest::prelude::*;

/// Half the stack that `Program::eval` and `Sandbox::analyse` promise to do with, also in a debug build.
const STACK: usize = 1024 * 1024;

fn graph(source: &str) -> Graph {
    let expr = Expr {
        source: source.to_owned(),
        statements: true,
        lines: vec![Location { line: 1, column: 1 }],
        condition: false,
        steps: Vec::new(),
        names: Vec::new(),
    };
    Graph { exprs: vec![expr], ..Graph::empty() }
}

/// Runs something on a thread with the promised stack.
fn on_small_stack<T: Send>(run: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, run).expect("a thread starts");
        thread.join().expect("no panic")
    })
}

fn eval(source: &str, budget: &Budget) -> Result<Value, EvalError> {
    let program = Program::new(&Sandbox::new(&[]), &graph(source)).expect(source);
    let list: Vec<Value> = (0..10_000).map(Value::Int).collect();
    let scope = Scope::at(Timestamp(0)).with("list", Value::List(list));
    program.eval(ExprId(0), &scope, budget)
}

/// Scripts that would go on for ever or grow without bounds, and are stopped by a limit.
const HOSTILE: &[(&str, &str)] = &[
    ("loop", "loop {}"),
    ("while", "let n = 0; while true { n += 1; }"),
    ("range", "for i in 0..9223372036854775807 {}"),
    ("recursion", "fn f(n) { f(n + 1) } f(0)"),
    ("mutual recursion", "fn f(n) { g(n) } fn g(n) { 1 + f(n) } f(0)"),
    ("recursion by closure", "let f = |f| f.call(f); f.call(f)"),
    ("recursion by map", "let f = |f| [f].len(); fn g(x) { [x].map(|y| g(y)) } g(1)"),
    ("doubling text", "let s = \"ab\"; loop { s += s; }"),
    ("doubling text anew", "let s = \"ab\"; loop { s = s + s; }"),
    ("doubling text within", "let s = \"ab\"; loop { s = `${s}${s}`; }"),
    ("doubling lists", "let a = [1]; loop { a += a; }"),
    ("doubling lists anew", "let a = [1]; loop { a = a + a; }"),
    ("lists of lists", "let a = [1]; loop { a = [a, a]; }"),
    ("nesting", "let a = []; loop { a = [a]; }"),
    ("nesting by push", "let a = []; loop { let b = []; b.push(a); a = b; }"),
    ("nesting in place", "let a = [0]; loop { a[0] = a; }"),
    ("nesting maps", "let a = #{}; loop { let b = #{}; b.x = a; a = b; }"),
    ("nesting by reduce", "range(0, 100000).reduce(|a, x| [a], [])"),
    ("nesting by set", "let a = #{}; loop { a.set(\"a\", a); }"),
    ("pushing", "let a = []; loop { a.push(\"0123456789\"); }"),
    ("keys", "let m = #{}; let n = 0; loop { n += 1; m[n.to_string()] = n; }"),
    ("padding", "\"a\".pad(2000000000, \"x\")"),
    ("repeating", "\"a\".repeat(9223372036854775807)"),
    ("replacing", "let s = \"a\".repeat(1000000); s.replace(\"a\", s)"),
    ("joining", "let s = \"a\".repeat(100000); range(0, 10000).map(|i| s).join(s)"),
    ("a range as a list", "range(0, 9223372036854775807)"),
    ("a range kept", "let r = 0..9223372036854775807; r"),
    ("missing keys", "let m = #{}; for x in list { m[`key${x}`] = x; } loop { let x = m.kye ?? 1; }"),
    ("caught faults", "let m = #{ key: 1 }; loop { try { let x = m.kye; } catch { } }"),
    ("comparing lists", "let other = list.map(|x| x); loop { let x = list == other; }"),
    ("searching lists", "loop { let x = list.contains(-1); }"),
    ("unique", "list.unique()"),
    ("sorting", "loop { let x = list.sort(); }"),
    ("copying", "let a = list.map(|x| x); let keep = []; loop { let b = a; b.push(1); }"),
    ("slices", "let a = list + []; loop { let b = a[0..10000]; }"),
    ("characters", "let s = \"é\".repeat(100000); let n = 0; loop { n += s[99999].len(); }"),
    ("shifting", "let a = list + list + list; loop { a.push(a.shift()); }"),
    ("closures kept", "let f = |x| x; loop { let g = f; f = |x| g.call(x); }"),
    ("json", "let s = list.to_json(); loop { let x = s.parse_json(); }"),
];

#[test]
fn hostile_scripts_end_within_their_budget() {
    let mut wrong = Vec::new();
    for (name, source) in HOSTILE {
        let ended = on_small_stack(|| eval(source, &Budget::operations(100_000)));
        match ended {
            Err(error) if error.kind() == "limit" => {}
            other => wrong.push(format!("{name}: {other:?}").chars().take(300).collect::<String>()),
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn a_deadline_is_asked_often_and_heeded_at_once() {
    for (name, source) in HOSTILE {
        let asked = Cell::new(0_u32);
        let deadline = || {
            asked.set(asked.get() + 1);
            asked.get() >= 20
        };
        let budget = Budget { operations: u64::MAX, expired: &deadline };
        let program = Program::new(&Sandbox::new(&[]), &graph(source)).expect(name);
        let list: Vec<Value> = (0..10_000).map(Value::Int).collect();
        let scope = Scope::at(Timestamp(0)).with("list", Value::List(list));
        let error = program.eval(ExprId(0), &scope, &budget).expect_err(name);
        assert!(matches!(error.cause, Cause::Deadline | Cause::Size), "{name}: {error:?}");
        assert!(asked.get() <= 20, "{name}: asked {} times, though the answer was yes", asked.get());
        assert!(error.cause == Cause::Size || asked.get() == 20, "{name}");
    }
}

/// Texts that nest or chain without end: what they begin with, what is repeated before the middle, the middle, and what
/// is repeated after it.
const DEEP: &[(&str, &str, usize, &str, &str)] = &[
    ("", "(", 10_000, "1", ")"),
    ("", "[", 10_000, "1", "]"),
    ("", "#{a:", 10_000, "1", "}"),
    ("", "{", 10_000, "1", "}"),
    ("", "!", 50_000, "true", ""),
    ("", "- ", 20_000, "a", ""),
    ("1", "+1", 20_000, "", ""),
    ("2", "**2", 10_000, "", ""),
    ("a", "&&a", 10_000, "", ""),
    ("a", "??a", 10_000, "", ""),
    ("1", "<1", 10_000, "", ""),
    ("a", ".a", 20_000, "", ""),
    ("a", "?.a", 10_000, "", ""),
    ("a", "[0]", 10_000, "", ""),
    ("a", ".b()", 10_000, "", ""),
    ("a", ".len()", 9_000, "", ""),
    ("", "a[", 10_000, "0", "]"),
    ("", "f(", 10_000, "1", ")"),
    ("", "|a|", 10_000, "a", ""),
    ("", "`${", 10_000, "1", "}`"),
    ("", "if a {", 5_000, "1", "}"),
    ("if a { 1 }", " else if a { 1 }", 3_500, "", ""),
    ("", "while a {", 5_000, "", "}"),
    ("", "switch 1 { 1 => ", 3_000, "1", "}"),
    ("", "try {", 3_000, "", "} catch {}"),
    ("", "let a=1;", 7_000, "", ""),
    ("let a=[];", "let a=[a];", 6_000, "", ""),
    ("", "a=", 10_000, "1", ""),
    ("[", "|a| a,", 8_000, "1]", ""),
    ("let l = [", "|a| l,", 8_000, "1]; l", ""),
    ("", "/*", 10_000, "", ""),
    ("", "/*", 10_000, "", "*/"),
    ("\"", "\"", 50_000, "", ""),
    ("`", "`", 50_000, "", ""),
    ("", " ", 100_000, "", ""),
];

#[test]
fn deep_texts_are_read_or_refused_on_a_small_stack() {
    let sandbox = Sandbox::new(&[]);
    let functions = (0..4_000).map(|index| format!("fn f{index}(){{}}")).collect::<Vec<_>>().concat();
    // Far too deep, and around what is just not too deep, so that it is lowered and evaluated too.
    let nested = DEEP.iter().flat_map(|(first, before, times, middle, after)| {
        (10..EXPRESSION_NESTING + 10)
            .step_by(6)
            .chain([*times])
            .map(|times| [*first, &before.repeat(times), middle, &after.repeat(times)].concat())
    });
    for text in nested.chain([functions]) {
        for statements in [false, true] {
            on_small_stack(|| {
                let read = sandbox.analyse(&text, statements);
                if read.is_ok_and(|analysis| statements && analysis.problems.is_empty()) {
                    let _ = eval(&text, &Budget::default());
                }
            });
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Pieces of the language in any order neither panic when they are read nor when they are evaluated.
    #[test]
    fn any_text_is_read_and_evaluated_without_a_panic(
        pieces in prop::collection::vec(prop::sample::select(PIECES), 0..24),
        statements: bool,
    ) {
        let text = pieces.concat();
        if let Ok(analysis) = Sandbox::new(&[]).analyse(&text, statements) {
            for access in &analysis.accesses {
                prop_assert!(text.get(access.span.start..access.span.end).is_some(), "{text}: {access:?}");
                prop_assert_eq!(&text[access.root_span.start..access.root_span.end], access.root.as_str());
            }
            for call in &analysis.calls {
                prop_assert!(text[call.span.start..call.span.end].ends_with(&call.name), "{text}: {call:?}");
            }
            for problem in &analysis.problems {
                prop_assert!(problem.span.start <= problem.span.end && problem.span.end <= text.len().max(1), "{text}: {problem:?}");
            }
            if analysis.problems.is_empty() && statements {
                let _ = eval(&text, &Budget::operations(20_000));
            }
        }
    }

    /// Whole numbers compute as in 64 bits, or say that they cannot.
    #[test]
    fn whole_numbers_never_wrap(a: i64, b: i64) {
        for (operator, exact) in [("+", a.checked_add(b)), ("-", a.checked_sub(b)), ("*", a.checked_mul(b)),
            ("/", a.checked_div(b)), ("%", a.checked_rem(b))]
        {
            // The least number cannot be written as a literal.
            let source = format!("let a = \"{a}\".parse_int(); let b = \"{b}\".parse_int(); a {operator} b");
            let value = eval(&source, &Budget::default()).ok();
            prop_assert_eq!(value, exact.map(Value::Int), "{} {} {}", a, operator, b);
        }
    }

    /// Comparing is total and consistent for values of one type, and refused for all others.
    #[test]
    fn comparisons_are_consistent(a in value(), b in value()) {
        let scope = Scope::at(Timestamp(0)).with("a", &a).with("b", &b);
        let ask = |source: &str| {
            Program::new(&Sandbox::new(&[]), &graph(source)).expect(source).eval(ExprId(0), &scope, &Budget::default())
        };
        let alike = a.type_name() == b.type_name() || matches!((&a, &b), (Value::Int(_), Value::Float(_)) | (Value::Float(_), Value::Int(_)));
        prop_assert_eq!(ask("a == b").is_ok(), alike, "{:?} == {:?}", a, b);
        if let (Ok(Value::Bool(equal)), Ok(Value::Bool(unequal))) = (ask("a == b"), ask("a != b")) {
            prop_assert_ne!(equal, unequal);
            if let (Ok(Value::Bool(less)), Ok(Value::Bool(greater))) = (ask("a < b"), ask("a > b")) {
                prop_assert_eq!(u8::from(less) + u8::from(greater) + u8::from(equal), 1, "{:?} {:?}", a, b);
            }
        }
    }

    /// JSON comes back from a script as it went in.
    #[test]
    fn values_survive_json(value in value()) {
        if !matches!(value, Value::Duration(_) | Value::Time(_)) {
            let scope = Scope::at(Timestamp(0)).with("value", &value);
            let program = Program::new(&Sandbox::new(&[]), &graph("value.to_json().parse_json()")).expect("valid");
            prop_assert_eq!(program.eval(ExprId(0), &scope, &Budget::default()), Ok(value));
        }
    }
}

/// Values that are not `()`.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        (-3_i64..3).prop_map(Value::Int),
        (-1e300..1e300_f64).prop_map(Value::Float),
        (-3_i32..3).prop_map(|value| Value::Float(value.into())),
        "[a-zé\"\\\\\n]{0,6}".prop_map(Value::String),
        any::<u32>().prop_map(|millis| Value::Duration(lockstep_dsl::value::Millis(millis.into()))),
        any::<i32>().prop_map(|millis| Value::Time(Timestamp(millis.into()))),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        let plain = inner.prop_filter("times in containers become text", |value| {
            !matches!(value, Value::Duration(_) | Value::Time(_))
        });
        prop_oneof![
            prop::collection::vec(plain.clone(), 0..4).prop_map(Value::List),
            prop::collection::btree_map("[a-z]{0,3}", plain, 0..4).prop_map(Value::Map),
        ]
    })
}

/// Pieces of the language.
const PIECES: &[&str] = &[
    "list",
    "a",
    "x",
    "1",
    "2.5",
    "\"é\"",
    "'c'",
    "`a${",
    "}`",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "#{",
    ":",
    ",",
    ";",
    ".",
    "?.",
    "?[",
    "??",
    "==",
    "!=",
    "<",
    "+",
    "-",
    "*",
    "/",
    "%",
    "**",
    "!",
    "&&",
    "||",
    "|",
    "|x|",
    "..",
    "..=",
    "=",
    "+=",
    " in ",
    "let ",
    "const ",
    "if ",
    "else ",
    "while ",
    "for ",
    "loop ",
    "break ",
    "continue ",
    "return ",
    "throw ",
    "try ",
    "catch ",
    "switch ",
    "=>",
    "_",
    "fn ",
    "f",
    "f(",
    ".len()",
    ".map(",
    ".push(",
    ".sort()",
    ".trim()",
    "()",
    "this",
    "now()",
    "duration(\"1h\")",
    ".seconds",
    "[0]",
    "[-1]",
    "[1..2]",
    "text::",
    "eval(",
    "import ",
    "// c\n",
    "/* c */",
    " ",
    "\n",
    "true",
    "false",
    "list.",
    "x.a",
    "x[0]",
    "é",
    "\u{1F600}",
    "\"",
    "`",
];

/// Everything an expression can call. A new function is a decision, so it has to be made here too.
#[test]
fn the_functions_of_expressions_are_these() {
    let functions = Sandbox::new(&[]).functions().collect::<Vec<_>>().join("\n") + "\n";
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/functions.txt");
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(golden, &functions).expect("the golden file can be written");
    }
    let expected = std::fs::read_to_string(golden).expect("there is a golden file");
    assert_eq!(functions, expected, "UPDATE_EXPECT=1 accepts the functions as they are");
}
