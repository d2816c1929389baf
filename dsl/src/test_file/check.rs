//! Holds a file of cases against the runbook that it tests.

use std::collections::BTreeMap;

use super::calls::CallParams;
use super::mock::{Answer, Mock};
use super::pattern::PathPattern;
use super::word::Word;
use super::{Case, TestFile, What};
use crate::compile::keys::{quoted, shorten};
use crate::diagnostic::{Code, Diagnostic, suggest};
use crate::graph::{Call, Graph, ItemsFrom, Kind, Node};
use crate::source::{Source, Span, Spanned};
use crate::value::Map;

/// The step with this path, of the runbook or of one that it calls.
fn find<'a>(graph: &'a Graph, path: &str) -> Option<&'a Node> {
    let called = |node: &'a Node| {
        let Kind::Call(call) = &node.kind else { return None };
        find(&graph.called_by(call).graph, path.strip_prefix(in_runs(node).as_str())?.strip_prefix('/')?)
    };
    graph.nodes.iter().find(|node| in_runs(node) == path).or_else(|| graph.nodes.iter().find_map(called))
}

/// The path of a step in runs, where all handlers of a step are its `catch`: only one of them handles a failure.
fn in_runs(node: &Node) -> String {
    let name = |part: &'_ str| if part.starts_with(SECOND_HANDLER) { CATCH.to_owned() } else { part.to_owned() };
    node.path.split('/').map(name).collect::<Vec<_>>().join("/")
}

/// A handler in paths, and what those behind the first have in the paths of a graph.
const CATCH: &str = "catch";
const SECOND_HANDLER: &str = "catch#";

/// Everything in the file that cannot be meant of this runbook.
pub fn check(file: &TestFile, source: &Source, graph: &Graph) -> Vec<Diagnostic> {
    let mut checker = Checker { source, graph, found: Vec::new() };
    if file.runbook.value != graph.runbook {
        let message = format!("the runbook beside this file is called `{}`", graph.runbook);
        let diagnostic = checker.at(Code::OTHER_RUNBOOK, file.runbook.span, message);
        checker
            .found
            .push(diagnostic.help(format!("write `test: {}`, or give the file the other one's name", graph.runbook)));
    }
    for case in &file.cases {
        checker.case(case);
    }
    let mut found = checker.found;
    crate::diagnostic::sort(&mut found);
    found
}

/// The path of the step that an act is about.
const fn step_of(what: &What) -> Option<&Spanned<String>> {
    match what {
        What::Done { step, .. }
        | What::Failed(step)
        | What::Rerun(step)
        | What::Vote { step, .. }
        | What::Answer { step, .. }
        | What::Skip { step, .. } => Some(step),
        What::Cancel | What::Retry | What::Signal { .. } | What::Pause | What::Resume => None,
    }
}

struct Checker<'a> {
    source: &'a Source,
    graph: &'a Graph,
    found: Vec<Diagnostic>,
}

impl<'a> Checker<'a> {
    fn at(&self, code: Code, span: Span, message: impl Into<String>) -> Diagnostic {
        Diagnostic::new(code, self.source, span, message)
    }

    fn case(&mut self, case: &Case) {
        for mocks in &case.mocks {
            let Some(node) = self.step(&mocks.path) else { continue };
            for mock in &mocks.attempts {
                self.mock(mock, node);
            }
        }
        for act in &case.acts {
            if let Some(step) = step_of(&act.what)
                && let Some(pattern) = PathPattern::parse(&step.value)
            {
                self.step(&Spanned::new(pattern, step.span));
            }
        }
        for path in &case.expect.never {
            self.step(path);
        }
        self.calls(case);
        for (path, step) in &case.expect.steps {
            let node = self.step(path);
            if let (Some(node), Some(params)) = (node, &step.params) {
                self.params_of_call(node, params, path.span);
            }
            if let Some(node) = node
                && !step.input.is_empty()
                && !node.kind.is_acting()
            {
                let message = format!("a step of kind `{}` has no command and no request", node.kind.name());
                let found = self.at(Code::MOCK_NOT_NEEDED, path.span, message);
                self.found.push(found.help("look at its `status`, its `outputs` or its `error`"));
            }
        }
        for path in case.expect.path.iter().flat_map(|path| path.value.iter().map(|text| (text, path.span))) {
            if let Some(pattern) = PathPattern::parse(path.0) {
                self.step(&Spanned::new(pattern, path.1));
            }
        }
    }

    /// The step that a path names.
    fn step(&mut self, path: &Spanned<PathPattern>) -> Option<&'a Node> {
        let names = path.value.names();
        let graph = self.graph;
        if let Some(node) = find(graph, &names) {
            return Some(node);
        }
        let paths: Vec<String> = graph.nodes.iter().map(in_runs).collect();
        let whole = graph.nodes.iter().position(|node| node.name == names).map(|place| paths[place].as_str());
        let help = match whole.or_else(|| suggest(&names, paths.iter().map(String::as_str))) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("`lockstep graph` prints the steps of `{}`", self.graph.runbook),
        };
        let message = format!("there is no step `{}`", shorten(&names));
        let found = self.at(Code::UNKNOWN_STEP, path.span, message).help(help);
        self.found.push(found);
        None
    }

    /// What is expected of calls.
    fn calls(&mut self, case: &Case) {
        let mut known = BTreeMap::new();
        all_called(self.graph, &mut known);
        for (name, calls) in &case.expect.calls {
            let Some(called) = known.get(name.value.as_str()) else {
                let message = format!("`{}` calls no runbook `{}`", self.graph.runbook, shorten(&name.value));
                let help = match suggest(&name.value, known.keys().copied()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None if known.is_empty() => "it has no step of kind `call`".to_owned(),
                    None => "a runbook is named as in its own first line".to_owned(),
                };
                let found = self.at(Code::NOT_CALLED, name.span, message).help(help);
                self.found.push(found);
                continue;
            };
            let params: Vec<&Map> = match &calls.params {
                None => Vec::new(),
                Some(CallParams::Each(params)) => vec![params],
                Some(CallParams::InOrder(calls)) => calls.iter().collect(),
            };
            for params in params {
                self.params(called, params, name.span);
            }
        }
    }

    /// What is expected of the parameters that a step calls a runbook with.
    fn params_of_call(&mut self, node: &Node, params: &Map, span: Span) {
        let Some(called) = self.called_by(node) else {
            let message = format!("a step of kind `{}` calls no runbook with parameters", node.kind.name());
            let found = self.at(Code::MOCK_NOT_NEEDED, span, message);
            self.found.push(found.help("look at its `status`, its `outputs` or its command"));
            return;
        };
        self.params(called, params, span);
    }

    /// Whether a runbook takes parameters of these names.
    fn params(&mut self, called: &Graph, params: &Map, span: Span) {
        for name in params.keys().filter(|name| !called.params.iter().any(|param| param.name == **name)) {
            let message = format!("`{}` takes no parameter `{}`", called.runbook, shorten(name));
            let known = called.params.iter().map(|param| param.name.as_str());
            let help = match suggest(name, known) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("its parameters stand in `{}`", called.file),
            };
            let found = self.at(Code::NOT_CALLED, span, message).help(help);
            self.found.push(found);
        }
    }

    /// The runbook that a step calls, also where the step stands in one that is called.
    fn called_by(&self, node: &Node) -> Option<&'a Graph> {
        let Kind::Call(call) = &node.kind else { return None };
        let mut graphs = vec![self.graph];
        while let Some(graph) = graphs.pop() {
            if graph.nodes.iter().any(|other| std::ptr::eq(other, node)) {
                return Some(&graph.called_by(call).graph);
            }
            graphs.extend(graph.called.iter().map(|called| called.graph.as_ref()));
        }
        None
    }

    /// Whether a step can do what a mock says.
    fn mock(&mut self, mock: &Mock, node: &Node) {
        let kind = node.kind.name();
        if let (Kind::Call(call), Answer::Outputs(outputs)) = (&node.kind, &mock.answer) {
            self.outputs_of_call(call, outputs, mock.span);
        }
        let wrong = match (&node.kind, &mock.answer) {
            (Kind::Call(_), Answer::Nothing | Answer::Outputs(_) | Answer::Error(_))
            | (Kind::Approve(_), Answer::Word(Word::Approve { .. } | Word::Reject { .. }))
            | (Kind::Ask(_), Answer::Word(Word::Answer { .. }))
            | (Kind::AwaitSignal(_), Answer::Word(Word::Payload { .. })) => None,
            (Kind::Call(_), _) => Some("the run that it calls ends by `outputs: { … }`, or by an `error`"),
            (Kind::Approve(_), _) => Some("people say `approve: WHO` or `reject: WHO` to it"),
            (Kind::Ask(_), _) => Some("somebody fills it in, by `answer: { FIELD: TEXT }`"),
            (Kind::AwaitSignal(_), _) => Some("a signal comes, by `payload: VALUE`"),
            (Kind::Shell(_) | Kind::Exec(_) | Kind::Http(_) | Kind::Foreach(_), Answer::Word(_)) => {
                Some("it waits for nobody who could say something")
            }
            (Kind::Shell(_) | Kind::Exec(_), Answer::Response(_)) => {
                Some("a command has no `code`, `headers` or `body`")
            }
            (Kind::Http(_), Answer::Command(_) | Answer::Outputs(_)) => {
                Some("a request has no `exit_code`, `stdout`, `stderr` or `outputs`")
            }
            (Kind::Shell(_) | Kind::Exec(_) | Kind::Http(_), Answer::File(_)) => Some("only a `foreach` reads a file"),
            (
                Kind::Shell(_) | Kind::Exec(_) | Kind::Http(_),
                Answer::Nothing
                | Answer::Outputs(_)
                | Answer::Json(_)
                | Answer::Command(_)
                | Answer::Response(_)
                | Answer::Error(_),
            ) => None,
            (Kind::Foreach(plan), Answer::File(_) | Answer::Error(_))
                if matches!(plan.items, ItemsFrom::File { .. }) =>
            {
                None
            }
            (Kind::Foreach(plan), _) if matches!(plan.items, ItemsFrom::File { .. }) => {
                Some("a `foreach` over a file is given the file's text, as `file`, or an `error`")
            }
            _ => {
                let message = format!("a step of kind `{kind}` does nothing outside, so there is nothing to mock");
                let found = self.at(Code::MOCK_NOT_NEEDED, mock.span, message);
                self.found.push(found.help("mock the steps inside it, or leave this out"));
                return;
            }
        };
        if let Some(wrong) = wrong {
            let found = self.at(Code::MOCK_FORM, mock.span, format!("`{}` is of kind `{kind}`: {wrong}", node.path));
            self.found.push(found);
        }
    }

    /// Whether a runbook that is called declares these outputs.
    fn outputs_of_call(&mut self, call: &Call, outputs: &Map, span: Span) {
        for name in outputs.keys().filter(|name| !call.outputs.contains(*name)) {
            let message = format!("the runbook that is called declares no output `{}`", shorten(name));
            let declared: Vec<&str> = call.outputs.iter().map(String::as_str).collect();
            let help = match suggest(name, declared.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None if declared.is_empty() => "it declares none: write `{}`".to_owned(),
                None => format!("it declares {}", quoted(&declared)),
            };
            let found = self.at(Code::MOCK_FORM, span, message).help(help);
            self.found.push(found);
        }
    }
}

/// The runbooks that a runbook calls, and those that these call, by name.
fn all_called<'a>(graph: &'a Graph, known: &mut BTreeMap<&'a str, &'a Graph>) {
    for called in &graph.called {
        known.insert(&called.graph.runbook, &called.graph);
        all_called(&called.graph, known);
    }
}
