//! What the analysis finds.

use super::*;

/// The accesses of a text, one a line: the text they cover, what their path is, and what is known of them.
fn accesses(source: &str) -> Vec<String> {
    let analysis = Sandbox::new(&[]).analyse(source, true).expect(source);
    assert_eq!(analysis.problems, [], "{source}");
    let mut lines = Vec::new();
    for access in &analysis.accesses {
        assert_eq!(&source[access.root_span.start..access.root_span.end], access.root);
        for segment in &access.path {
            let shown = &source[segment.span.start..segment.span.end];
            assert_eq!(shown.trim_matches(['"', ' ']), segment.name);
        }
        let mut line =
            vec![source[access.span.start..access.span.end].to_owned(), " = ".to_owned(), access.root.clone()];
        line.extend(access.path.iter().map(|segment| format!("/{}", segment.name)));
        line.extend(access.computed.map(|span| format!(" computed {}", &source[span.start..span.end])));
        line.extend(access.method.as_ref().map(|(name, span)| {
            assert_eq!(&source[span.start..span.end], name);
            format!(" method {name}")
        }));
        for (flag, name) in [(access.guarded, " guarded"), (access.only_compared_to_unit, " unit")] {
            if flag {
                line.push(name.to_owned());
            }
        }
        lines.push(line.concat());
    }
    lines
}

#[test]
fn every_use_of_an_outer_name_is_found() {
    let cases: &[(&str, &[&str])] = &[
        ("a", &["a = a"]),
        ("steps.build.stdout", &["steps.build.stdout = steps/build/stdout"]),
        ("x + é(steps . b [ \"c\" ])", &[]),
        ("steps . b [ \"c\" ].d", &["steps . b [ \"c\" ].d = steps/b/c/d"]),
        ("steps[name].out", &["steps = steps computed name", "name = name"]),
        ("a.b[0].c", &["a.b = a/b computed 0"]),
        ("a.b.trim().c", &["a.b = a/b method trim"]),
        ("a.b?.trim()", &["a.b = a/b method trim guarded"]),
        ("a.b.trim() ?? c", &["a.b = a/b method trim", "c = c"]),
        ("a.b[0] ?? c", &["a.b = a/b computed 0", "c = c"]),
        ("len(a.b)", &["a.b = a/b"]),
        ("a.b ?? c", &["a.b = a/b guarded", "c = c"]),
        ("a?.b.c", &["a?.b.c = a/b/c guarded"]),
        ("a ?? b ?? c", &["a = a guarded", "b = b guarded", "c = c"]),
        ("a.b == ()", &["a.b = a/b unit"]),
        ("() != a", &["a = a unit"]),
        ("a.b == () || a.b > 1", &["a.b = a/b unit", "a.b = a/b"]),
        ("a.b.trim() == ()", &["a.b = a/b method trim"]),
        ("\"é\" + a.b", &["a.b = a/b"]),
        ("`é ${a.b} ${`${c}`}`", &["a.b = a/b", "c = c"]),
        ("\"é\\n\" +\r\n  a.b", &["a.b = a/b"]),
        ("x in a.b && c !in d", &["x = x", "a.b = a/b", "c = c", "d = d"]),
        ("#{ k: a, \"l\": [b] }", &["a = a", "b = b"]),
        ("if a { b } else { c.d }", &["a = a", "b = b", "c.d = c/d"]),
        ("switch a { 1 if b => c, _ => d }", &["a = a", "b = b", "c = c", "d = d"]),
        ("text::slug(a.b)", &["a.b = a/b"]),
        ("let x = a; x.y + z", &["a = a", "z = z"]),
        ("let a = a.b; a.c", &["a.b = a/b"]),
        ("{ let x = 1; } x", &["x = x"]),
        ("for x in a { x + y; }", &[]),
        ("for (x, i) in a.b { f.push(x + i + y); }", &[]),
        ("for x in a { let z = x + y; } x", &["a = a", "y = y", "x = x"]),
        ("xs.map(|x| x + y.z)", &["xs = xs method map", "y.z = y/z"]),
        ("xs.map(|x| x.map(|z| x + z + w))", &["xs = xs method map", "w = w"]),
        ("let n = 1; xs.map(|x| x + n)", &["xs = xs method map"]),
        ("try { a } catch (e) { e + b }", &["a = a", "b = b"]),
        ("fn f(x) { x.y } f(a)", &["a = a"]),
        ("let m = #{}; m.x = a.b; m[c] = 1; m", &["a.b = a/b", "c = c"]),
    ];
    for (source, expected) in cases {
        if expected.is_empty() {
            continue;
        }
        assert_eq!(accesses(source), *expected, "{source}");
    }
}

#[test]
fn every_call_is_found() {
    let source = "text::slug(a.trim()) + len(\"é\") + now().format(x, y).len()";
    let analysis =
        Sandbox::new(&[]).analyse("text::slug(a.trim()) + len(\"é\") + now().format(x)", false).expect(source);
    let calls: Vec<_> = analysis
        .calls
        .iter()
        .map(|call| {
            (
                call.module.as_deref(),
                call.name.as_str(),
                call.method,
                call.args,
                &source[call.span.start..call.span.end],
            )
        })
        .collect();
    assert_eq!(
        calls,
        [
            (Some("text"), "slug", false, 1, "text::slug"),
            (None, "trim", true, 0, "trim"),
            (None, "len", false, 1, "len"),
            (None, "now", false, 0, "now"),
            (None, "format", true, 1, "format"),
        ]
    );
}

/// What is said about a text: code, what it points at, message, help.
fn problems(source: &str, statements: bool) -> Vec<String> {
    let problems = match Sandbox::new(&[]).analyse(source, statements) {
        Ok(analysis) => analysis.problems,
        Err(problem) => vec![problem],
    };
    let shown = problems.into_iter().map(|problem| {
        let at = source.get(problem.span.start..problem.span.end).unwrap_or("?");
        let help = problem.help.map(|help| format!(" ({help})")).unwrap_or_default();
        format!("{} `{at}` {}{help}", problem.code, problem.message)
    });
    shown.collect()
}

#[test]
fn everything_wrong_is_found_at_once() {
    assert_eq!(
        problems("nothing(1).lenn() + params.paths.push(1) + [1].sort(1, 2)", false),
        [
            "LS0303 `nothing` there is no function `nothing`",
            "LS0303 `lenn` there is no method `lenn` (did you mean `len`?)",
            "LS0305 `push` `push` would change `params`, which can only be read (take a copy first: `let copy = params;`)",
            "LS0304 `sort` `sort` takes 0 or 1 arguments, not 2",
        ]
    );
}

#[test]
fn problems_say_what_to_do() {
    let cases: &[(&str, bool, &[&str])] = &[
        ("", false, &["LS0300 `` an expression is missing"]),
        ("a +", false, &["LS0300 `` the expression ends too early"]),
        ("(a", false, &["LS0300 `` expected `)` for a matching ( in this expression"]),
        ("a b", false, &["LS0300 `b` expected `;` to terminate this statement"]),
        ("a = 1", false, &["LS0301 `=` an expression cannot assign (compare with `==`)"]),
        (
            "let a = 1; a",
            false,
            &[
                "LS0301 `let` only one expression may stand here, no statements (move statements into a `script` step, or a function of a module)",
            ],
        ),
        (
            "a & b",
            false,
            &[
                "LS0302 `&` the operator `&` is not part of the language of runbooks (for both of two conditions write `&&`)",
            ],
        ),
        (
            "print(a)",
            false,
            &["LS0303 `print` there is no function `print` (a script says what it found through its value)"],
        ),
        ("now(1)", false, &["LS0304 `now` `now` takes no arguments, not 1"]),
        (
            "params.x = 1;",
            true,
            &["LS0305 `params` `params` can only be read (take a copy first: `let copy = params;`)"],
        ),
        ("const A = 1; A = 2;", true, &["LS0305 `A` `A` is a constant"]),
        (
            "const A = []; A.push(1); A",
            true,
            &["LS0305 `push` `push` would change `A`, which is a constant (take a copy first: `let copy = A;`)"],
        ),
        (
            "let s = \" a\"; s.trim(); s",
            true,
            &["LS0306 `trim` `trim` gives a new value, which nothing uses (assign it: `x = ...`)"],
        ),
        ("let a = 1; a == 2; a", true, &["LS0306 `==` nothing uses this value (assign it: `x = ...`)"]),
        (
            "fn f() { params.x } f()",
            true,
            &[
                "LS0307 `params` a function does not see `params` (a function sees its parameters and nothing else: give the value as one)",
            ],
        ),
        (
            "import \"x\" as y; 1",
            true,
            &[
                "LS0302 `import` `import` is not part of the language of runbooks (name the module under the runbook's `imports`)",
            ],
        ),
        ("eval(\"1\")", false, &["LS0303 `eval` there is no function `eval` (text is never evaluated)"]),
        ("this.x", false, &["LS0300 `this` `this` can only be used in functions"]),
    ];
    for (source, statements, expected) in cases {
        assert_eq!(problems(source, *statements), *expected, "{source}");
    }
}

#[test]
fn modules_offer_their_public_functions() {
    const NATIVE: NativeFunction = NativeFunction {
        signature: "text::twice(text: string) -> string",
        docs: "",
        run: |given| given.text(0).map(Value::from),
    };
    static MODULES: [StdModule; 1] =
        [StdModule { import: "std/text", about: "", text: "fn slug(x) { twice(x) }", natives: &[NATIVE] }];
    let sandbox = Sandbox::new(&MODULES);
    let info = sandbox.module("fn b(x, y) { x + y } private fn c() { 1 } fn a() { c() }").expect("it is valid");
    assert_eq!(info.functions, [("a".to_owned(), 0), ("b".to_owned(), 2)]);
    assert_eq!(info.problems, []);
    assert_eq!(sandbox.std_module("std/text").map(|info| info.functions.len()), Some(2));
    let info = sandbox.module("let x = 1;").expect("it can be read");
    assert_eq!(info.problems[0].code, crate::diagnostic::Code::MODULE_STATEMENT);
    let info = sandbox.module("fn a() { other::b() }").expect("it can be read");
    assert_eq!(info.problems[0].code, crate::diagnostic::Code::UNKNOWN_FUNCTION);
}
