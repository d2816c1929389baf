//! A random runbook as the text that people would write, for the real compiler.

use std::fmt::{self, Write as _};

use super::{Effect, Ends, Items, Kind, Next, OnError, Retry, Runbook, Step};

/// The YAML of a runbook.
pub fn text(runbook: &Runbook) -> String {
    let mut out = Writer(String::new());
    out.line(0, format_args!("runbook: {}", runbook.name));
    // Constants to an expression are warned of, parameters are not.
    out.line(
        0,
        format_args!("params: {{ yes: {{ type: bool, default: true }}, no: {{ type: bool, default: false }} }}"),
    );
    if let Some(timeout) = runbook.timeout {
        out.line(0, format_args!("timeout: {timeout}ms"));
    }
    out.block(0, "steps", &runbook.steps);
    for (key, steps) in [("on_failure", &runbook.on_failure), ("finally", &runbook.finally)] {
        if !steps.is_empty() {
            out.block(0, key, steps);
        }
    }
    if runbook.outputs {
        out.line(0, format_args!("outputs: {{ first: steps.{}.status }}", runbook.steps[0].id));
    }
    out.0
}

/// The path of a file of items, up to their number.
pub const ITEMS: &str = "/data/items-";

/// So often at most a step leads back.
const BACK: u64 = 3;

/// The signal that steps await.
pub const SIGNAL: &str = "go";

struct Writer(String);

impl Writer {
    fn line(&mut self, indent: usize, line: fmt::Arguments<'_>) {
        // Text takes all that is written.
        let _ = writeln!(self.0, "{:indent$}{line}", "");
    }

    fn block(&mut self, indent: usize, key: &str, steps: &[Step]) {
        if steps.is_empty() {
            self.line(indent, format_args!("{key}: []"));
            return;
        }
        self.line(indent, format_args!("{key}:"));
        let ids: Vec<&str> = steps.iter().map(|step| step.id.as_str()).collect();
        for step in steps {
            self.step(indent + 2, step, &ids);
        }
    }

    fn step(&mut self, indent: usize, step: &Step, siblings: &[&str]) {
        self.line(indent, format_args!("- id: {}", step.id));
        let indent = indent + 2;
        self.kind(indent, step);
        if step.title {
            self.line(indent, format_args!("title: 'of ${{{{ run.id }}}}'"));
        }
        if let Some(needs) = &step.needs {
            let known: Vec<&str> = needs.iter().map(String::as_str).filter(|need| siblings.contains(need)).collect();
            self.line(indent, format_args!("needs: [{}]", known.join(", ")));
        }
        if let Some(holds) = step.when {
            self.line(indent, format_args!("when: params.{}", yes(holds)));
        }
        if step.disabled {
            self.line(indent, format_args!("disabled: waits for new disks"));
        }
        match &step.next {
            Some(Next::To(target)) if siblings.contains(&target.as_str()) => {
                self.line(indent, format_args!("next: {target}"));
            }
            Some(Next::End) => self.line(indent, format_args!("next: end")),
            Some(Next::To(_)) | None => {}
        }
        if let Some(effect) = step.effect {
            self.line(indent, format_args!("effect: {}", name_of(effect)));
        }
        if let Some(retry) = &step.retry {
            self.retry(indent, retry);
        }
        self.timeout(indent, step);
        match step.on_error {
            OnError::Fail => {}
            OnError::Continue => self.line(indent, format_args!("on_error: continue")),
            OnError::Late => self.line(indent, format_args!("on_error: late")),
        }
        if !step.catch.is_empty() {
            self.line(indent, format_args!("catch:"));
            for entry in &step.catch {
                match entry.kind {
                    Some(kind) => self.line(indent + 2, format_args!("- when: 'error.kind == \"{kind}\"'")),
                    None => self.line(indent + 2, format_args!("-")),
                }
                self.block(indent + 4, "steps", &entry.steps);
            }
        }
        if !step.finally.is_empty() {
            self.block(indent, "finally", &step.finally);
        }
        if !step.undo.is_empty() {
            self.block(indent, "undo", &step.undo);
        }
        if let Some(outputs) = step.probe {
            let outputs = if outputs { ", outputs: { told: exit_code }" } else { "" };
            self.line(indent, format_args!("probe: {{ exec: [find, out], done: 'exit_code == 0'{outputs} }}"));
        }
        if step.outputs {
            let told = if matches!(step.kind, Kind::Http(_)) { "code" } else { "exit_code" };
            self.line(indent, format_args!("outputs: {{ told: {told} }}"));
        }
        if let Some(every) = step.until {
            let holds = if matches!(step.kind, Kind::Http(_)) { "code == 200" } else { "exit_code == 0" };
            self.line(indent, format_args!("until: '{holds}'"));
            self.line(indent, format_args!("every: {every}ms"));
        }
    }

    fn kind(&mut self, indent: usize, step: &Step) {
        match &step.kind {
            Kind::Shell => self.line(indent, format_args!("shell: act")),
            Kind::Exec => self.line(indent, format_args!("exec: [act]")),
            Kind::Http(method) => {
                self.line(indent, format_args!("http: {{ method: {method}, url: 'http://example.org/' }}"));
            }
            Kind::Script(false) => self.line(indent, format_args!("script: '1 + 1'")),
            Kind::Script(true) => {
                self.line(indent, format_args!("script: 'let n = 0; while n < 6000 {{ n += 1; }} n'"));
            }
            Kind::Set => self.line(indent, format_args!("set: {{ v: '${{{{ run.id }}}}' }}")),
            Kind::Count => {
                self.line(indent, format_args!("when: '(vars.count ?? 0) < {BACK}'"));
                self.line(indent, format_args!("set: {{ count: '${{{{ (vars.count ?? 0) + 1 }}}}' }}"));
            }
            Kind::Assert(holds) => self.line(indent, format_args!("assert: params.{}", yes(*holds))),
            Kind::WaitFor(ms) => self.line(indent, format_args!("wait: {ms}ms")),
            Kind::WaitUntil(ms) => {
                self.line(indent, format_args!("wait: {{ at: '${{{{ now() + duration(\"{ms}ms\") }}}}' }}"));
            }
            Kind::Await => self.line(indent, format_args!("await: {{ signal: {SIGNAL} }}")),
            Kind::Approve(quorum) => {
                self.line(indent, format_args!("approve: {{ message: Go on?, quorum: {quorum} }}"));
            }
            Kind::Ask => {
                self.line(
                    indent,
                    format_args!("ask: {{ message: How many?, fields: {{ count: {{ type: int, optional: true }} }} }}"),
                );
            }
            Kind::Do(steps) => self.block(indent, "do", steps),
            Kind::Parallel { branches, on_fail, wins } => {
                self.line(indent, format_args!("parallel:"));
                self.line(indent + 2, format_args!("on_fail: {on_fail}"));
                if let Some(wins) = wins {
                    self.line(indent + 2, format_args!("wins: {wins}"));
                }
                self.line(indent + 2, format_args!("branches:"));
                for (name, steps) in branches {
                    self.block(indent + 4, name, steps);
                }
            }
            Kind::Switch { value, cases, otherwise } => {
                self.line(indent, format_args!("switch:"));
                if let Some(value) = value {
                    self.line(indent + 2, format_args!("value: params.{}", yes(*value)));
                }
                self.line(indent + 2, format_args!("cases:"));
                for (name, matches, steps) in cases {
                    if value.is_some() {
                        self.block(indent + 4, &format!("'{name}'"), steps);
                    } else {
                        self.line(indent + 4, format_args!("- when: params.{}", yes(*matches)));
                        self.block(indent + 6, "steps", steps);
                    }
                }
                if let Some(steps) = otherwise {
                    self.block(indent + 2, "else", steps);
                }
            }
            Kind::Foreach { items, concurrency, tolerate, on_fail, steps } => {
                self.line(indent, format_args!("foreach:"));
                match items {
                    Items::List(count) => {
                        let items: Vec<String> = (0..*count).map(|item| item.to_string()).collect();
                        self.line(indent + 2, format_args!("in: [{}]", items.join(", ")));
                    }
                    Items::Range(count) => self.line(indent + 2, format_args!("in: 0..{count}")),
                    Items::File(count) => self.line(indent + 2, format_args!("in: {{ lines: '{ITEMS}{count}' }}")),
                }
                self.line(indent + 2, format_args!("concurrency: {concurrency}"));
                self.line(indent + 2, format_args!("tolerate: {tolerate}"));
                self.line(indent + 2, format_args!("on_fail: {on_fail}"));
                self.block(indent + 2, "do", steps);
            }
            Kind::Repeat { ends, rounds, max, every, steps } => {
                self.line(indent, format_args!("repeat:"));
                match ends {
                    Ends::Until => self.line(indent + 2, format_args!("until: index + 1 >= {rounds}")),
                    Ends::While => self.line(indent + 2, format_args!("while: index < {rounds}")),
                }
                self.line(indent + 2, format_args!("max: {max}"));
                if let Some(every) = every {
                    self.line(indent + 2, format_args!("every: {every}ms"));
                }
                self.block(indent + 2, "do", steps);
            }
            Kind::Fail => self.line(indent, format_args!("fail: {{ message: on purpose, kind: failed }}")),
            Kind::Finish(false) => self.line(indent, format_args!("finish: {{}}")),
            Kind::Finish(true) => self.line(indent, format_args!("finish: {{ outputs: {{ first: run.id }} }}")),
        }
    }

    fn retry(&mut self, indent: usize, retry: &Retry) {
        let Retry { attempts, delay, factor, max_delay, jitter, when } = retry;
        let jitter = if *jitter { "full" } else { "none" };
        let when = if *when { ", when: 'error.kind == \"failed\"'" } else { "" };
        self.line(
            indent,
            format_args!(
                "retry: {{ attempts: {attempts}, delay: {delay}ms, factor: {factor}, max_delay: {max_delay}ms, jitter: {jitter}{when} }}"
            ),
        );
    }

    fn timeout(&mut self, indent: usize, step: &Step) {
        match (step.attempt, step.total) {
            (None, None) => {}
            (Some(attempt), None) => self.line(indent, format_args!("timeout: {attempt}ms")),
            (None, Some(total)) => self.line(indent, format_args!("timeout: {{ total: {total}ms }}")),
            (Some(attempt), Some(total)) => {
                self.line(indent, format_args!("timeout: {{ attempt: {attempt}ms, total: {total}ms }}"));
            }
        }
    }
}

const fn yes(holds: bool) -> &'static str {
    if holds { "yes" } else { "no" }
}

const fn name_of(effect: Effect) -> &'static str {
    match effect {
        Effect::Pure => "pure",
        Effect::Idempotent => "idempotent",
        Effect::Once => "once",
    }
}
