//! Data never becomes code: two hundred texts full of shell, quotes and templates go in as parameters of the command
//! line, and come out where a runbook puts them byte for byte. None of them is ever run.
//!
//! They go in together, so that what would cut, join or merge them is seen as well.

use std::fmt::Write as _;

use serde_json::Value as Json;

use self::payloads::payloads;
use super::case_file::Answer;
use super::server::Server;
use crate::harness::{Case, Outcome};

#[path = "../../engine/tests/worker/payloads.rs"]
mod payloads;

/// Stands between payloads that are one text; none of them holds it.
const BETWEEN: char = '\u{1f}';

/// A case with every payload in a parameter of its own, `p000` and on, and in the list `all`.
struct Payloads {
    case: Case,
    texts: Vec<String>,
    /// The runbook's declarations of them.
    params: String,
}

impl Payloads {
    fn new() -> Self {
        let mut case = Case::new();
        let texts = payloads(&case.path("witness").display().to_string());
        assert!(texts.iter().all(|text| !text.contains(BETWEEN)));
        let mut params =
            "params:\n  all: { type: list, items: string }\n  server: { type: string, default: '' }\n".to_owned();
        for (number, text) in texts.iter().enumerate() {
            let _ = writeln!(params, "  p{number:03}: string");
            case = case.param(&format!("p{number:03}"), text);
        }
        let list = serde_json::to_string(&texts).expect("texts are JSON");
        Self { case: case.param("all", &list), texts, params }
    }

    /// One line for every payload, from its parameter's name.
    fn each(&self, line: impl Fn(&str) -> String) -> String {
        (0..self.texts.len()).map(|number| line(&format!("p{number:03}"))).collect()
    }

    /// All of them in one text, as a template.
    fn one_text(&self) -> String {
        let parts: Vec<String> =
            self.each(|name| format!("${{{{ params.{name} }}}}\n")).lines().map(Into::into).collect();
        format!("\"{}\"", parts.join("\\x1f"))
    }

    fn runbook(self, steps: &str) -> Self {
        let case = self.case.runbook(&format!("{}steps:\n{steps}", self.params));
        Self { case, ..self }
    }

    fn run(&self) -> Outcome<'_> {
        let outcome = self.case.run();
        outcome.succeeds();
        assert!(!self.case.path("witness").exists(), "a payload was run");
        outcome
    }

    /// What a step printed is the payloads, each ended by a NUL.
    fn printed(&self, outcome: &Outcome, step: &str) {
        let view = outcome.step_view(step);
        let printed = view["outputs"]["stdout"].as_str().expect("it printed text");
        let found: Vec<&str> = printed.split_terminator('\0').collect();
        assert_eq!(found, self.texts, "{step}");
    }

    fn list(&self) -> Json {
        self.texts.clone().into()
    }
}

#[test]
fn the_payloads_are_harmful() {
    // The test of the test: handed to a shell as code, they leave their witness.
    let case = Case::new();
    let witness = case.path("witness");
    let texts = payloads(&witness.display().to_string());
    let case = case.file("code.sh", format!("echo {}\n", texts[0]));
    let case = case.runbook("steps: [{ shell: { file: ./code.sh } }]");
    case.run().succeeds();
    assert!(witness.exists());
}

#[test]
fn arguments_arrive_byte_for_byte() {
    let all = Payloads::new();
    let single = all.each(|name| format!("      - '${{{{ params.{name} }}}}'\n"));
    let pasted = all.each(|name| format!("      - 'x=${{{{ params.{name} }}}}'\n"));
    let all = all.runbook(&format!(
        "  - id: single
    exec:
      - printf
      - '%s\\0'
{single}
  - id: pasted
    exec:
      - printf
      - '%s\\0'
{pasted}
  - id: whole
    exec: {{ argv: '${{{{ [\"printf\", \"%s\\\\0\"] + params.all }}}}' }}
"
    ));
    let outcome = all.run();
    all.printed(&outcome, "single");
    all.printed(&outcome, "whole");
    let view = outcome.step_view("pasted");
    let pasted = view["outputs"]["stdout"].as_str().expect("it printed text");
    let expected: Vec<String> = all.texts.iter().map(|text| format!("x={text}")).collect();
    assert_eq!(pasted.split_terminator('\0').collect::<Vec<_>>(), expected);
}

#[test]
fn the_environment_arrives_byte_for_byte() {
    let all = Payloads::new();
    let env = all.each(|name| format!("      {}: '${{{{ params.{name} }}}}'\n", name.to_uppercase()));
    let uses = all.each(|name| format!(" \"${}\"", name.to_uppercase()));
    let all = all.runbook(&format!(
        "  - id: script
    shell: |
      printf '%s\\0'{uses}
    env:
{env}
"
    ));
    all.printed(&all.run(), "script");
}

#[test]
fn standard_input_arrives_byte_for_byte() {
    let all = Payloads::new();
    let text = all.one_text();
    let all = all.runbook(&format!(
        "  - {{ id: list, exec: {{ argv: [cat], stdin: '${{{{ params.all }}}}' }} }}
  - id: text
    exec:
      argv: [cat]
      stdin: {text}
  - id: script
    shell:
      script: cat
      stdin: {text}
"
    ));
    let outcome = all.run();
    assert_eq!(outcome.step_view("list")["outputs"]["json"], all.list());
    let joined = Json::from(all.texts.join(&BETWEEN.to_string()));
    assert_eq!(outcome.step_view("text")["outputs"]["stdout"], joined);
    assert_eq!(outcome.step_view("script")["outputs"]["stdout"], joined);
}

#[test]
fn bodies_of_requests_arrive_byte_for_byte() {
    let answer = |path: &str| Answer {
        path: path.to_owned(),
        code: 200,
        headers: [].into(),
        body: String::new(),
        instead: None,
    };
    let server = Server::start(vec![answer("/json"), answer("/body"), answer("/form"), answer("/query")]);
    let all = Payloads::new();
    let text = all.one_text();
    let fields = all.each(|name| format!("        {name}: '${{{{ params.{name} }}}}'\n"));
    let mut all = all.runbook(&format!(
        "  - id: json
    http: {{ method: POST, url: '${{{{ params.server }}}}/json', json: '${{{{ params.all }}}}' }}
  - id: body
    http:
      method: POST
      url: '${{{{ params.server }}}}/body'
      body: {text}
  - id: form
    http:
      method: POST
      url: '${{{{ params.server }}}}/form'
      form:
{fields}
"
    ));
    all.case = all.case.param("server", &server.url());
    all.run();
    let asked = server.asked();
    assert_eq!(asked.len(), 3);
    assert_eq!(serde_json::from_str::<Json>(&asked[0].body).expect("JSON"), all.list());
    assert_eq!(asked[1].body, all.texts.join(&BETWEEN.to_string()));
    let form: Vec<String> = asked[2].body.split('&').map(decoded).collect();
    let expected: Vec<String> = all.texts.iter().enumerate().map(|(n, text)| format!("p{n:03}={text}")).collect();
    assert_eq!(form, expected);
}

#[test]
fn what_a_step_printed_is_as_harmless() {
    // A value that went through a command, an output and a variable is still a value.
    let all = Payloads::new();
    let single = all.each(|name| format!("      - '${{{{ params.{name} }}}}'\n"));
    let count = all.texts.len();
    let all = all.runbook(&format!(
        "  - id: first
    exec:
      - printf
      - '%s\\0'
{single}    outputs: {{ list: 'stdout.split(\"\\x00\")' }}
  - set: {{ again: '${{{{ steps.first.list }}}}' }}
  - id: last
    exec: {{ argv: '${{{{ [\"printf\", \"%s\\\\0\"] + vars.again.truncate({count}) }}}}' }}
"
    ));
    all.printed(&all.run(), "last");
}

/// A field of a form as it was before it was encoded.
fn decoded(field: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = field.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits = [rest.next(), rest.next()].map(|digit| digit.expect("two digits") as char);
                u8::from_str_radix(&digits.iter().collect::<String>(), 16).expect("two hexadecimal digits")
            }
            other => other,
        });
    }
    String::from_utf8(bytes).expect("the payloads are text")
}
