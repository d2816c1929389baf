//! Whatever the bytes, compiling them ends in a graph or in diagnostics that point into the file.

use lockstep_dsl::diagnostic::{Color, Diagnostic, Severity, render};
use lockstep_dsl::expr::Sandbox;
use lockstep_dsl::{NoFiles, compile, yaml};
use proptest::prelude::*;

/// A runbook that uses most of the language, so that a change anywhere hits something.
const RUNBOOK: &str = r#"runbook: storage/disk-cleanup
description: Free space
labels: { tier: gold }
params:
  host: { type: string, pattern: '[a-z0-9.-]+', default: web-1 }
  limit: { type: int, default: 85, min: 1, max: 99, check: 'value > 3' }
  mode: { type: string, enum: [soft, hard], default: soft }
  paths: { type: list, items: string, default: [/var/log] }
  token: { type: secret, optional: true }
env: { TZ: UTC }
defaults: { timeout: 10m, retry: 2 }
timeout: 2h
steps:
  - id: before
    title: 'Look at ${{ params.host }}'
    shell: |
      df --output=pcent / | tail -n 1
    env: { LIMIT: '${{ params.limit }}' }
    effect: pure
    outputs: { percent: 'stdout.trim()' }
  - id: page
    http: { method: POST, url: 'https://example.org/${{ run.id }}', json: { host: '${{ params.host }}', n: [1, null, 0.5] }, auth: { bearer: '${{ params.token }}' } }
    when: params.token != ()
    retry: { attempts: 3, delay: 1s, when: 'error.kind == "timeout"' }
    catch: [{ when: 'error.kind == "failed"', steps: [{ set: { failed: true } }] }]
  - id: fan
    parallel:
      wins: 1
      branches:
        left: [{ exec: [rm, -rf, '${{ params.paths[0] }}'] }]
        right: [{ wait: 1s }, { script: 'let x = 1; x + 1' }]
  - id: block
    needs: [fan, before]
    do:
      - id: inner
        exec: { argv: '${{ ["true"] + params.paths }}', stdin: { a: 1 }, expect: [0, 1] }
      - assert: { that: steps.inner.exit_code == 0, message: 'not ${{ params.mode }}' }
    finally: [{ shell: 'true', disabled: not yet }]
  - { id: poll, shell: 'true', effect: idempotent, until: exit_code == 0, every: 1s, on_error: late }
on_failure:
  - fail: { message: '${{ error.message }}', data: { a: 1 } }
finally:
  - shell: 'true'
    when: run.outcome != "succeeded" && (vars.failed ?? false)
outputs: { used: steps.before.percent }
"#;

/// A change of the text.
#[derive(Clone, Debug)]
enum Change {
    Replace(usize, u8),
    Insert(usize, String),
    Delete(usize, usize),
    Repeat(usize, usize),
}

fn change() -> impl Strategy<Value = Change> {
    let at = 0..RUNBOOK.len();
    let words = [
        "${{", "}}", "$${{", "`${", "\"", "'", "{", "}", "[", "]", ": ", "\n", " - ", "&a ", "*a", "steps.", "||", "ü",
        "\t", "#",
    ];
    prop_oneof![
        (at.clone(), any::<u8>()).prop_map(|(at, byte)| Change::Replace(at, byte)),
        (at.clone(), prop::sample::select(words.to_vec())).prop_map(|(at, word)| Change::Insert(at, word.to_owned())),
        (at.clone(), 1..40usize).prop_map(|(at, length)| Change::Delete(at, length)),
        (at, 1..40usize).prop_map(|(at, length)| Change::Repeat(at, length)),
    ]
}

fn apply(text: &mut Vec<u8>, change: &Change) {
    match change {
        Change::Replace(at, byte) => {
            if let Some(place) = text.get_mut(*at) {
                *place = *byte;
            }
        }
        Change::Insert(at, word) => {
            let at = (*at).min(text.len());
            text.splice(at..at, word.bytes());
        }
        Change::Delete(at, length) => {
            let at = (*at).min(text.len());
            text.drain(at..(at + length).min(text.len()));
        }
        Change::Repeat(at, length) => {
            let at = (*at).min(text.len());
            let part = text[at..(at + length).min(text.len())].to_vec();
            text.splice(at..at, part);
        }
    }
}

/// What is said about some bytes; empty when they compile without a warning.
fn check(bytes: &[u8]) -> Result<(), Vec<Diagnostic>> {
    let source = yaml::decode("mutated.yaml", bytes)?;
    let compiled = compile(&source, &NoFiles, &Sandbox::new(&[]))?;
    let again = compile(&source, &NoFiles, &Sandbox::new(&[])).expect("what compiles once compiles again");
    assert_eq!(compiled.graph.hash(), again.graph.hash(), "the same text gives the same graph");
    assert!(compiled.warnings.iter().all(|diagnostic| diagnostic.severity() == Severity::Warning));
    Ok(())
}

#[test]
fn the_runbook_that_is_changed_compiles() {
    check(RUNBOOK.as_bytes()).expect("it compiles");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn changed_runbooks_compile_or_say_why_not(changes in prop::collection::vec(change(), 1..6)) {
        let mut text = RUNBOOK.as_bytes().to_vec();
        for change in &changes {
            apply(&mut text, change);
        }
        if let Err(diagnostics) = check(&text) {
            prop_assert!(diagnostics.iter().any(|diagnostic| diagnostic.severity() == Severity::Error));
            for diagnostic in &diagnostics {
                let end = diagnostic.source.text().len();
                for (span, _) in std::iter::once(&diagnostic.primary).chain(&diagnostic.secondary) {
                    prop_assert!(span.start <= span.end && span.end <= end, "{:?} is not in the file: {:?}", span, diagnostic);
                }
            }
            prop_assert!(!render(&diagnostics, Color::Never, 100).is_empty());
        }
    }
}
