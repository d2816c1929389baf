//! What expressions give.

use super::*;

/// Every line is an expression and what it gives, as JSON.
const GIVES: &str = r#"
1 + 2 * 3                                       => 7
5 / 2                                           => 2
5.0 / 2                                         => 2.5
7 % 3                                           => 1
2 ** 10                                         => 1024
-5.abs()                                        => 5
(-5).abs()                                      => 5
"a" + 1                                         => "a1"
`x ${1 + 1} y ${"z"}`                           => "x 2 y z"
`${[1, "a"]} ${#{ a: 1 }}`                      => "[1,\"a\"] {\"a\":1}"
'c'                                             => "c"
[1, 2] + [3]                                    => [1, 2, 3]
#{ a: 1 } + #{ b: 2 }                           => {"a": 1, "b": 2}
1 == 1.0                                        => true
9007199254740993 == 9007199254740992.0          => false
-0.0 < 0.0 || -0.0 < 0 || 0 < -0.0              => false
-0.0 == 0.0 && -0.0 == 0                        => true
-1 > -1.5 && 1 < 1.5                            => true
1 < 1.5 && 2.5 > 2                              => true
"a" < "b"                                       => true
() == ()                                        => true
1 == ()                                         => false
[1, [2]] == [1, [2]]                            => true
#{ a: 1 } != #{ a: 2 }                          => true
true || params.nothing                          => true
false && params.nothing                         => false
params.host                                     => "web-1"
params["host"]                                  => "web-1"
params.nothing ?? "none"                        => "none"
params["nothing"] ?? "none"                     => "none"
params["no" + "thing"] ?? "none"                => "none"
params?.nothing                                 => null
params?.nothing ?? 1                            => 1
steps.before.error?.kind                        => null
steps.before.error?.kind?.more ?? "ok"          => "ok"
steps.before.json.disks[0].name                 => "sda"
steps.before.json.disks[-1].used                => 97
steps.before.json.disks[5] ?? "none"            => "none"
steps.before.json.none == ()                    => true
steps["before"].status                          => "succeeded"
steps.before.stdout.trim().replace("%", "").parse_int() => 97
steps.before.status == "succeeded"              => true
params.paths.len()                              => 2
len(params.paths)                               => 2
"/a" in params.paths                            => true
"/z" !in params.paths                           => true
"host" in params                                => true
2 in 1..3                                       => true
3 in 1..3                                       => false
params.paths[0..1]                              => ["/a"]
"hello"[1..3]                                   => "el"
"héllo"[1]                                      => "é"
"hello"[-1]                                     => "o"
[3, 1, 2].sort()                                => [1, 2, 3]
[3, 1, 2].sort(|a, b| b - a)                    => [3, 2, 1]
["bb", "a"].sort_by(|x| x.len())                => ["a", "bb"]
[1, 2, 3].filter(|x| x > 1).map(|x| x * 10)     => [20, 30]
[1, 2, 3].reduce(|sum, x| sum + x, 0)           => 6
params.paths.map(|p| params.host + p)           => ["web-1/a", "web-1/b"]
[1, 2].any(|x| x == 2)                          => true
[1, 2].all(|x| x == 2)                          => false
[1, 2].find(|x| x > 1)                          => 2
[1, 2].find(|x| x > 5)                          => null
[[1], [2, 3]].flatten()                         => [1, 2, 3]
["a", "b"].join("-")                            => "a-b"
["a", "b", "a"].unique()                        => ["a", "b"]
[1, 5, 3].max()                                 => 5
min(2, 1)                                       => 1
#{ b: 1, a: 2 }.keys()                          => ["a", "b"]
#{ a: 1, b: 2 }.filter(|k, v| v > 1)            => {"b": 2}
" A b ".trim().to_upper()                       => "A B"
"a,b,,c".split(",")                             => ["a", "b", "", "c"]
" a  b ".split()                                => ["a", "b"]
"a=b=c".split("=", 2)                           => ["a", "b=c"]
"5".pad_start(3, "0")                           => "005"
"abc".sub_string(1)                             => "bc"
"abc".contains("b")                             => true
"abc".index_of("z")                             => null
"{\"a\": [1, null]}".parse_json()               => {"a": [1, null]}
#{ a: [1] }.to_json()                           => "{\"a\":[1]}"
"ff".parse_int(16)                              => 255
1.5.round()                                     => 2
3.14159.round(2)                                => 3.14
7.to_float() / 2                                => 3.5
type_of(1) + type_of("") + type_of([]) + type_of(()) => "intstringlist()"
duration("1h30m")                               => "1h30m"
duration("1h") + duration("30m")                => "1h30m"
duration("10m") * 3                             => "30m"
duration("1h").minutes                          => 60
duration("1h") > duration("59m")                => true
now() - duration("1h") < now()                  => true
time("2026-01-02T00:00:00Z") - time("2026-01-01T00:00:00Z") => "1d"
(time("2026-01-02T00:00:00Z") + duration("90s")).minute => 1
time("2026-03-01T08:09:10Z").format("%Y%m%d-%H%M%S") => "20260301-080910"
size("10MiB") / 1024                            => 10240
if params.limit > 80 { "high" } else { "low" }  => "high"
switch params.host { "web-1" | "web-2" => 1, "db" => 2, _ => 3 } => 1
switch params.limit { 0..10 => "a", 80..=90 => "b", _ => "c" } => "b"
switch params.limit { 85 if params.host == "x" => 1, 85 => 2 } => 2
token != ()                                     => true
"Bearer " + token == ()                         => false
"#;

#[test]
fn expressions_give_what_they_say() {
    let mut wrong = Vec::new();
    for line in GIVES.lines().filter(|line| !line.is_empty()) {
        let (source, expected) = line.rsplit_once("=> ").expect(line);
        match eval(source.trim_end()) {
            Ok(value) if value.to_json() == json(expected).to_json() => {}
            Ok(value) => wrong.push(format!("{source} gives {}", value.to_json())),
            Err(error) => wrong.push(format!("{source} fails: {error}")),
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

/// Every line is an expression and a part of what is said about it.
const REFUSED: &str = r#"
1 == "1"                            => invalid: cannot compare an int with a string
params.limit == "85"                => invalid: cannot compare an int with a string
true < false                        => invalid: `<` does not go with a bool and a bool
() < 1                              => invalid: `<` does not go with `()` and an int
() + 1                              => invalid: `+` does not go with `()` and an int
"a" + ()                            => invalid: `+` does not go with a string and `()`
`a${()}`                            => invalid: `()` has no text form
[1] + "a"                           => invalid: `+` does not go with a list and a string
().len()                            => invalid: `()` has no method `len`
params.nothing                      => invalid: there is no `nothing`
params.hots                         => invalid: there is no `hots`
params["nothing"]                   => invalid: there is no `nothing`
params.nothing.more ?? 1            => invalid: there is no `nothing`
steps.before.error.kind             => invalid: `()` has no `kind`
nothing                             => invalid: there is no `nothing` here
params.paths[7]                     => invalid: the list has no element 7, its length is 2
params.paths["a"]                   => invalid: a list has no property `a`
params.paths[params.host]           => invalid: a list is indexed by an int, not a string
params.paths.length                 => invalid: a list has no property `length`
params[1]                           => invalid: a map is asked for a key of text, not an int
1 in ["1"]                          => invalid: cannot compare a string with an int
if params.limit { 2 }               => invalid: a condition must be a bool, not an int
params.limit && true                => invalid: a condition must be a bool, not an int
!()                                 => invalid: a condition must be a bool, not `()`
9223372036854775807 + 1             => invalid: `9223372036854775807 + 1` is too large for a whole number
2 ** 64                             => invalid: `2 ** 64` is too large for a whole number
1 / 0                               => invalid: division by zero
1 % 0                               => invalid: division by zero
1.0 / 0                             => invalid: division by zero
1e308 * 10                          => invalid: the result is not a finite number
(0.0 - 1.0).sqrt()                  => invalid: the result is not a finite number
[3, "a"].sort()                     => invalid: `<` does not go with a string and an int
"abc".parse_int()                   => invalid: `abc` is not an int
"[1".parse_json()                   => invalid: this is not JSON: EOF while parsing a list at line 1 column 2
duration("5M")                      => invalid:
duration("1s") - duration("2s")     => invalid: a duration cannot be negative
duration("1s") + 1                  => invalid: `+` does not go with a duration and an int
duration("1s") == "1s"              => invalid: cannot compare a duration with a string
duration("1s").secs                 => invalid: a duration has no `secs`
token == "x"                        => invalid: a secret can only be compared with `()`
secrets.db == token                 => invalid: a secret can only be compared with `()`
[token] == [token]                  => invalid: a secret can only be compared with `()`
token.len()                         => invalid: a secret has no method `len`
token.to_string()                   => invalid: a secret cannot become plain text here
secrets.to_json()                   => invalid: a secret cannot become plain text here
[token].join(",").to_upper()        => invalid: a secret has no method `to_upper`
`${[token]}`                        => invalid: a secret cannot become plain text here
switch params.host { 1 => 2 }       => invalid: cannot compare a string with an int
|x| x                               => invalid: a function is not a value
[|x| x]                             => invalid: a function is not a value
[1].map(1)                          => invalid: `map` needs a function, not an int
[1].map(|a, b| a)                   => invalid: the function takes 2 arguments, and is given 1
[1].filter(|a| a)                   => invalid: the function of `filter` must give a bool, not an int
"#;

#[test]
fn what_does_not_fit_is_refused() {
    let mut wrong = Vec::new();
    for line in REFUSED.lines().filter(|line| !line.is_empty()) {
        let (source, expected) = line.rsplit_once("=> ").expect(line);
        match eval(source.trim_end()) {
            Ok(value) => wrong.push(format!("{source} gives {}", value.to_json())),
            Err(error) => {
                let error = format!("{}: {}", error.kind(), error.message);
                if !error.starts_with(expected.trim_end()) {
                    wrong.push(format!("{source} {error}"));
                }
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn text_with_a_secret_in_it_is_a_secret() {
    let expected = Value::Secret(SecretText(vec![
        SecretPart::Plain("Bearer ".to_owned()),
        SecretPart::Reference(SecretRef::Env("TOKEN".to_owned())),
        SecretPart::Plain("!1".to_owned()),
    ]));
    assert_eq!(eval(r#""Bearer " + token + "!" + 1"#), Ok(expected.clone()));
    assert_eq!(eval("`Bearer ${token}!${1}`"), Ok(expected.clone()));
    assert_eq!(eval(r#"["Bearer ", token, "!1"].join()"#), Ok(expected));
    assert_eq!(eval("secrets.db"), Ok(secret()));
}

#[test]
fn scripts_compute() {
    let cases = [
        ("let sum = 0; for x in [1, 2, 3] { sum += x; } sum", "6"),
        ("let n = 0; while n < 5 { n += 2; } n", "6"),
        ("let n = 0; loop { n += 1; if n == 3 { continue; } if n > 4 { break n * 10; } }", "50"),
        ("let n = 3; do { n -= 1; } until n == 0; n", "0"),
        ("let out = []; for (x, i) in [\"a\", \"b\"] { out.push(`${i}${x}`); } out", r#"["0a", "1b"]"#),
        ("let m = #{}; m.a = 1; m[\"b\"] = [1]; m.b.push(2); m.a += 4; m", r#"{"a": 5, "b": [1, 2]}"#),
        ("let list = [1, 2, 3]; list[0] = 9; list.remove(1); list", "[9, 3]"),
        ("let copy = params; copy.host = \"x\"; [copy.host, params.host]", r#"["x", "web-1"]"#),
        ("fn twice(x) { x * 2 } fn fact(n) { if n < 2 { return 1; } n * fact(n - 1) } twice(fact(5))", "240"),
        ("let n = 0; [1, 2].for_each(|x| n += x); n", "3"),
        ("let n = 1; let add = |x| x + n; n = 10; add.call(5)", "15"),
        ("let x = 1; { let x = 2; } x", "1"),
        ("let x = if true { 1 } else { 2 }; x", "1"),
        ("let x = 1; let x = x + 1; x", "2"),
        ("const K = 2; K * 2", "4"),
        ("try { throw \"no\" } catch (e) { e.message + e.kind }", r#""nofailed""#),
        ("try { 1 / 0 } catch (e) { e.kind }", r#""invalid""#),
        ("let s = \"\"; for c in \"héy\" { s = c + s; } s", r#""yéh""#),
        ("let total = 0; for i in 0..=3 { total += i; } total", "6"),
        ("let x = params.nothing ?? 5; x", "5"),
        ("let m = #{ a: 1 }; m.b ?? 2", "2"),
        ("let m = #{ list: [3, 1] }; m.list = m.list.sort(); m", r#"{"list": [1, 3]}"#),
        ("let f = |x| |y| x + y; f.call(1).call(2)", "3"),
        ("[[1, 2], [3]].map(|xs| xs.map(|x| x * xs.len()))", "[[2, 4], [3]]"),
        ("", "null"),
        ("let a = [1]; a += [2]; a", "[1, 2]"),
        ("let s = \"a\"; s += 1; s", r#""a1""#),
        ("return 5;", "5"),
    ];
    let mut wrong = Vec::new();
    for (source, expected) in cases {
        match script(source) {
            Ok(value) if value.to_json() == json(expected).to_json() => {}
            Ok(value) => wrong.push(format!("{source} gives {}", value.to_json())),
            Err(error) => wrong.push(format!("{source} fails: {error}")),
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn what_a_script_throws_is_its_error() {
    let error = script("throw \"disk full\"").expect_err("it throws");
    assert_eq!((error.kind(), error.message.as_str(), error.data), ("failed", "disk full", None));
    let error = script("throw #{ message: \"disk full\", used: 97 }").expect_err("it throws");
    assert_eq!(error.message, "disk full");
    assert_eq!(error.data, Some(json(r#"{"message": "disk full", "used": 97}"#)));
}

#[test]
fn modules_are_called_by_name() {
    let text = "/// Makes a slug.\nfn slug(x) { clean(x).replace(\" \", \"-\") }\nprivate fn clean(x) { x.trim() }\nfn bad(x) { x.nothing }";
    let graph = graph(
        vec![expr("text::slug(\" a b \")", false), expr("1 +\n  text::bad(params)", false)],
        vec![module("text", text)],
    );
    let program = Program::new(&Sandbox::new(&[]), &graph).expect("valid");
    assert_eq!(program.eval(ExprId(0), &scope(), &Budget::default()), Ok(Value::from("a-b")));
    let error = program.eval(ExprId(1), &scope(), &Budget::default()).expect_err("there is no such key");
    assert_eq!(error.message, "in `text::bad`: there is no `nothing` (line 4, column 15 of the module)");
    assert_eq!(error.location, Some(Location { line: 11, column: 13 }));
}

#[test]
fn errors_point_into_the_runbook() {
    let error = eval("params.host != \"é\" &&\n  params.nothing").expect_err("there is no such key");
    assert_eq!(error.location, Some(Location { line: 11, column: 14 }));
    assert_eq!(fails("params.nothing"), "invalid: there is no `nothing`");
}
