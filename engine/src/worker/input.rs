//! The input of `shell` and `exec`, as the driver renders it, in types.
//!
//! `shell` has `script` (text) or `file` (a name in `$LOCKSTEP_FILES`), and perhaps `interpreter` (a list of text).
//! `exec` has `argv`. Both may have `cwd`, `stdin`, `env` (a map) and `expect` (a list of exit codes).

use std::path::{Component, Path};

use lockstep_dsl::value::{Map, Value};

use super::Failure;
use super::secret::Secrets;

/// A command to run.
#[derive(Debug)]
pub(crate) struct Input {
    pub program: Program,
    pub cwd: Option<String>,
    /// The secrets in it are read.
    pub stdin: Option<String>,
    /// The secrets in it are read.
    pub env: Vec<(String, String)>,
    /// Exit codes that are a success.
    pub expect: Vec<i64>,
}

/// What runs.
#[derive(Debug)]
pub(crate) enum Program {
    /// A script's text; `None` for `/bin/sh -eu`.
    Script { text: String, interpreter: Option<Vec<String>> },
    /// A script among the run's files; `None` for `/bin/sh -eu`.
    File { name: String, interpreter: Option<Vec<String>> },
    /// A program and its arguments; never empty.
    Argv(Vec<String>),
}

impl Input {
    /// Reads the input of an attempt, and the secrets in it.
    pub(crate) fn parse(input: &Map, secrets: &mut Secrets) -> Result<Self, Failure> {
        let command = Self {
            program: program(input)?,
            cwd: given(input, "cwd").map(|cwd| text("`cwd`", cwd)).transpose()?,
            stdin: match given(input, "stdin") {
                Some(stdin) => Some(any_text("`stdin`", &secrets.resolve(stdin)?)?),
                None => None,
            },
            env: env(input, secrets)?,
            expect: expect(input)?,
        };
        if let Program::Script { interpreter: Some(interpreter), .. } = &command.program
            && reads_stdin(interpreter)
            && command.stdin.is_some()
        {
            return Err(Failure::invalid("the script itself is the standard input of an interpreter called with `-`"));
        }
        Ok(command)
    }
}

/// Whether an interpreter is told to read its script from standard input, as in `[python3, -]`.
pub(super) fn reads_stdin(interpreter: &[String]) -> bool {
    interpreter.len() > 1 && interpreter.last().is_some_and(|last| last == "-")
}

fn program(input: &Map) -> Result<Program, Failure> {
    if let Some(argv) = input.get("argv") {
        let argv = arguments("argv", argv)?;
        if argv[0].is_empty() {
            return Err(Failure::invalid("the program's name, the first element of `argv`, is empty"));
        }
        return Ok(Program::Argv(argv));
    }
    let interpreter = given(input, "interpreter").map(|list| arguments("interpreter", list)).transpose()?;
    if let Some(script) = given(input, "script") {
        return Ok(Program::Script { text: any_text("the script", script)?, interpreter });
    }
    let Some(file) = given(input, "file") else {
        return Err(Failure::invalid("there is neither `argv` nor `script` nor `file` to run"));
    };
    let name = text("`file`", file)?;
    if !Path::new(&name).components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir)) {
        return Err(Failure::invalid(format!("`{name}` is not inside `$LOCKSTEP_FILES`")));
    }
    Ok(Program::File { name, interpreter })
}

fn arguments(what: &str, value: &Value) -> Result<Vec<String>, Failure> {
    let Value::List(values) = value else {
        return Err(Failure::invalid(format!("`{what}` is a {}, not a list", value.type_name())));
    };
    if values.is_empty() {
        return Err(Failure::invalid(format!("`{what}` is an empty list: there is nothing to run")));
    }
    values.iter().enumerate().map(|(index, value)| text(&format!("`{what}[{index}]`"), value)).collect()
}

fn env(input: &Map, secrets: &mut Secrets) -> Result<Vec<(String, String)>, Failure> {
    match given(input, "env") {
        None => Ok(Vec::new()),
        Some(Value::Map(map)) => {
            let variable = |(name, value): (&String, &Value)| {
                if name.is_empty() || name.contains(['=', '\0']) {
                    return Err(Failure::invalid(format!("`{}` cannot name a variable", name.escape_debug())));
                }
                Ok((name.clone(), text(&format!("`env.{name}`"), &secrets.resolve(value)?)?))
            };
            map.iter().map(variable).collect()
        }
        Some(other) => Err(Failure::invalid(format!("`env` is a {}, not a map", other.type_name()))),
    }
}

fn expect(input: &Map) -> Result<Vec<i64>, Failure> {
    let wrong = || Failure::invalid("`expect` is not a list of exit codes");
    match given(input, "expect") {
        None => Ok(vec![0]),
        Some(Value::List(codes)) if codes.is_empty() => Ok(vec![0]),
        Some(Value::List(codes)) => {
            codes.iter().map(|code| if let Value::Int(code) = code { Ok(*code) } else { Err(wrong()) }).collect()
        }
        Some(_) => Err(wrong()),
    }
}

/// A field that is there and is not `()`.
fn given<'a>(input: &'a Map, name: &str) -> Option<&'a Value> {
    input.get(name).filter(|value| **value != Value::Null)
}

/// Text that the system takes as an argument, a variable or a path: it ends such text at a NUL.
fn text(what: &str, value: &Value) -> Result<String, Failure> {
    let text = any_text(what, value)?;
    if text.contains('\0') {
        return Err(Failure::invalid(format!("{what} holds a NUL, which no program can be given there")));
    }
    Ok(text)
}

fn any_text(what: &str, value: &Value) -> Result<String, Failure> {
    value.to_text().map_err(|why| Failure::invalid(format!("{what}: {why}")))
}

#[cfg(test)]
mod tests {
    use lockstep_dsl::value::{SecretPart, SecretRef, SecretText};

    use super::*;

    fn parse(json: &str) -> Result<Input, String> {
        let Value::Map(map) = Value::from_json(serde_json::from_str(json).unwrap()) else { panic!("a map") };
        Input::parse(&map, &mut Secrets::new()).map_err(|failure| {
            assert_eq!(failure.kind, "invalid");
            failure.message
        })
    }

    #[test]
    fn one_element_is_one_argument() {
        let input = parse(r#"{"argv": ["echo", "a b", 1, true, 1.5, ["x", null], {"k": "v"}]}"#).unwrap();
        let Program::Argv(argv) = input.program else { panic!("argv") };
        assert_eq!(argv, ["echo", "a b", "1", "true", "1.5", r#"["x",null]"#, r#"{"k":"v"}"#]);
        assert_eq!(input.expect, [0]);
    }

    #[test]
    fn what_cannot_be_given_to_a_program_is_named() {
        for (json, message) in [
            (r#"{"argv": "rm -rf"}"#, "`argv` is a string, not a list"),
            (r#"{"argv": []}"#, "`argv` is an empty list: there is nothing to run"),
            (r#"{"argv": [""]}"#, "the program's name, the first element of `argv`, is empty"),
            (r#"{"argv": ["a", null]}"#, "`argv[1]`: `()` has no text form"),
            (r#"{"argv": ["a", "b\u0000"]}"#, "`argv[1]` holds a NUL, which no program can be given there"),
            (r#"{"argv": ["a"], "env": {"A=B": "c"}}"#, "`A=B` cannot name a variable"),
            (r#"{"argv": ["a"], "env": {"A": null}}"#, "`env.A`: `()` has no text form"),
            (r#"{"argv": ["a"], "expect": ["1"]}"#, "`expect` is not a list of exit codes"),
            (r#"{"file": "../x.sh"}"#, "`../x.sh` is not inside `$LOCKSTEP_FILES`"),
            (r#"{"file": "/x.sh"}"#, "`/x.sh` is not inside `$LOCKSTEP_FILES`"),
            (r"{}", "there is neither `argv` nor `script` nor `file` to run"),
            (
                r#"{"script": "x", "interpreter": ["python3", "-"], "stdin": "y"}"#,
                "the script itself is the standard input of an interpreter called with `-`",
            ),
        ] {
            assert_eq!(parse(json).unwrap_err(), message, "{json}");
        }
    }

    #[test]
    fn standard_input_takes_any_value() {
        let stdin = |json: &str| parse(&format!(r#"{{"argv": ["cat"], "stdin": {json}}}"#)).unwrap().stdin;
        assert_eq!(stdin(r#""a\u0000b""#).as_deref(), Some("a\0b"));
        assert_eq!(stdin(r#"{"a": [1]}"#).as_deref(), Some(r#"{"a":[1]}"#));
        assert_eq!(stdin("null"), None);
    }

    #[test]
    fn a_secret_is_no_argument() {
        let secret = Value::Secret(SecretText(vec![SecretPart::Reference(SecretRef::Env("PATH".to_owned()))]));
        let input = Map::from([("argv".to_owned(), Value::List(vec![Value::from("echo"), secret]))]);
        let failure = Input::parse(&input, &mut Secrets::new()).unwrap_err();
        assert_eq!(failure.message, "`argv[1]`: a secret cannot become plain text here");
    }
}
