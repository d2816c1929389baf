//! Holds a file of cases against the runbook that it tests.

use super::mock::{Answer, Mock};
use super::pattern::PathPattern;
use super::word::Word;
use super::{Case, TestFile, What};
use crate::compile::keys::shorten;
use crate::diagnostic::{Code, Diagnostic, suggest};
use crate::graph::{Graph, ItemsFrom, Kind, Node};
use crate::source::{Source, Span, Spanned};

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
        for (path, step) in &case.expect.steps {
            let node = self.step(path);
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

    /// Whether a step can do what a mock says.
    fn mock(&mut self, mock: &Mock, node: &Node) {
        let kind = node.kind.name();
        let wrong = match (&node.kind, &mock.answer) {
            (Kind::Approve(_), Answer::Word(Word::Approve { .. } | Word::Reject { .. }))
            | (Kind::Ask(_), Answer::Word(Word::Answer { .. }))
            | (Kind::AwaitSignal(_), Answer::Word(Word::Payload { .. })) => None,
            (Kind::Approve(_), _) => Some("people say `approve: WHO` or `reject: WHO` to it"),
            (Kind::Ask(_), _) => Some("somebody fills it in, by `answer: { FIELD: TEXT }`"),
            (Kind::AwaitSignal(_), _) => Some("a signal comes, by `payload: VALUE`"),
            (Kind::Shell(_) | Kind::Exec(_) | Kind::Http(_) | Kind::Foreach(_), Answer::Word(_)) => {
                Some("it waits for nobody who could say something")
            }
            (Kind::Shell(_) | Kind::Exec(_), Answer::Response(_)) => {
                Some("a command has no `code`, `headers` or `body`")
            }
            (Kind::Http(_), Answer::Command { .. }) => {
                Some("a request has no `exit_code`, `stdout`, `stderr` or `outputs`")
            }
            (Kind::Shell(_) | Kind::Exec(_) | Kind::Http(_), Answer::File(_)) => Some("only a `foreach` reads a file"),
            (
                Kind::Shell(_) | Kind::Exec(_) | Kind::Http(_),
                Answer::Nothing | Answer::Json(_) | Answer::Command { .. } | Answer::Response(_) | Answer::Error(_),
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
}
