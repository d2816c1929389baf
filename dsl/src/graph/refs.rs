//! Everything that a step refers to by its place in the graph, so that steps of two graphs can be held against each other.

use super::control::{Foreach, ItemsFrom, Parallel, Repeat, Switch};
use super::people::{Approve, Ask};
use super::{
    Auth, BlockId, Case, Catch, Command, Exec, ExprId, Field, Http, Kind, Lock, Next, Node, NodeId, Param, Piece,
    Probe, Retry, Script, Shell, Until,
};

/// A reference of a step.
pub(super) enum Ref<'a> {
    /// An expression.
    Expr(&'a mut ExprId),
    /// A list of steps.
    Block(&'a mut BlockId),
    /// Another step.
    Node(&'a mut NodeId),
    /// A runbook that it calls: a place in [`super::Graph::called`].
    Called(&'a mut u32),
}

pub(super) type Each<'e> = &'e mut dyn FnMut(Ref<'_>);

impl Node {
    /// Calls `each` with every reference of the step but that to the block it stands in.
    pub(super) fn each_ref(&mut self, each: Each<'_>) {
        let Self {
            id: _,
            name: _,
            path: _,
            title,
            block: _,
            kind,
            needs,
            when,
            disabled: _,
            effect: _,
            retry,
            timeout: _,
            on_error: _,
            on_error_next,
            next,
            catch,
            finally,
            undo,
            probe,
            outputs,
            taken: _,
            env,
            until,
            lock,
            at: _,
        } = self;
        if let Some(title) = title {
            field(title, each);
        }
        of_kind(kind, each);
        for need in needs {
            each(Ref::Node(need));
        }
        optional(when, each);
        for Retry { attempts: _, delay: _, factor: _, max_delay: _, jitter: _, when } in retry {
            optional(when, each);
        }
        jump(on_error_next, each);
        jump(next, each);
        for Catch { when, block, next } in catch {
            optional(when, each);
            each(Ref::Block(block));
            jump(next, each);
        }
        finally.iter_mut().chain(undo).for_each(|block| each(Ref::Block(block)));
        if let Some(Probe { block, done, outputs }) = probe {
            each(Ref::Block(block));
            optional(done, each);
            exprs(outputs, each);
        }
        exprs(outputs, each);
        fields(env, each);
        if let Some(Until { until, every: _ }) = until {
            each(Ref::Expr(until));
        }
        if let Some(Lock { key, limit: _ }) = lock {
            field(key, each);
        }
    }
}

fn of_kind(kind: &mut Kind, each: Each<'_>) {
    match kind {
        Kind::Shell(Shell { script: Script::Inline(_) | Script::File(_), interpreter: _, command }) => {
            of_command(command, each);
        }
        Kind::Exec(Exec { argv, command }) => {
            field(argv, each);
            of_command(command, each);
        }
        Kind::Script(expr) => each(Ref::Expr(expr)),
        Kind::Http(http) => of_http(http, each),
        Kind::Set(values) => fields(values, each),
        Kind::Assert { that, message } => {
            each(Ref::Expr(that));
            if let Some(message) = message {
                field(message, each);
            }
        }
        Kind::WaitFor(value) | Kind::WaitUntil(value) | Kind::AwaitSignal(value) => field(value, each),
        Kind::Approve(approve) => {
            let Approve { message, by, quorum: _, own: _, escalate } = approve.as_mut();
            field(message, each);
            let escalate = escalate.iter_mut().map(|escalate| &mut escalate.to);
            by.iter_mut().chain(escalate).for_each(|who| field(who, each));
        }
        Kind::Ask(ask) => {
            let Ask { message, fields, by } = ask.as_mut();
            field(message, each);
            for asked in fields {
                param(asked, each);
            }
            if let Some(who) = by {
                field(who, each);
            }
        }
        Kind::Call(call) => {
            each(Ref::Called(&mut call.runbook));
            fields(&mut call.params, each);
        }
        Kind::Do(block) => each(Ref::Block(block)),
        Kind::Parallel(Parallel { branches, on_fail: _, wins: _ }) => {
            for (_, block) in branches {
                each(Ref::Block(block));
            }
        }
        Kind::Switch(Switch { value, cases, otherwise }) => {
            optional(value, each);
            for Case { name: _, when, block, next } in cases.iter_mut().chain(otherwise) {
                optional(when, each);
                each(Ref::Block(block));
                jump(next, each);
            }
        }
        Kind::Foreach(foreach) => of_foreach(foreach, each),
        Kind::Repeat(Repeat { goes_on, until, every: _, max: _, body }) => {
            optional(goes_on, each);
            optional(until, each);
            each(Ref::Block(body));
        }
        Kind::Fail { message, kind, data } => {
            field(message, each);
            kind.iter_mut().chain(data).for_each(|said| field(said, each));
        }
        Kind::Finish { outputs } => outputs.iter_mut().for_each(|outputs| exprs(outputs, each)),
    }
}

fn of_command(command: &mut Command, each: Each<'_>) {
    let Command { cwd, stdin, expect: _ } = command;
    cwd.iter_mut().chain(stdin).for_each(|given| field(given, each));
}

fn of_http(http: &mut Http, each: Each<'_>) {
    let Http { method: _, url, headers, query, body, expect: _, auth } = http;
    field(url, each);
    fields(headers, each);
    fields(query, each);
    if let Some((_, body)) = body {
        field(body, each);
    }
    match auth {
        Some(Auth::Bearer(token)) => field(token, each),
        Some(Auth::Basic { user, password }) => {
            field(user, each);
            field(password, each);
        }
        None => {}
    }
}

fn of_foreach(foreach: &mut Foreach, each: Each<'_>) {
    let Foreach { items, name: _, concurrency: _, tolerate: _, batch: _, on_fail: _, results: _, body } = foreach;
    match items {
        ItemsFrom::Value(value) => field(value, each),
        ItemsFrom::Output { form: _, text } => each(Ref::Expr(text)),
        ItemsFrom::File { form: _, path } => field(path, each),
    }
    each(Ref::Block(body));
}

fn param(param: &mut Param, each: Each<'_>) {
    param.default.iter_mut().for_each(|default| field(default, each));
    optional(&mut param.check, each);
}

fn field(of: &mut Field, each: Each<'_>) {
    match of {
        Field::Const(_) => {}
        Field::Expr(expr) => each(Ref::Expr(expr)),
        Field::Text(pieces) => {
            for piece in pieces {
                match piece {
                    Piece::Text(_) => {}
                    Piece::Expr(expr) => each(Ref::Expr(expr)),
                }
            }
        }
        Field::List(list) => list.iter_mut().for_each(|element| field(element, each)),
        Field::Map(entries) => fields(entries, each),
    }
}

/// Calls `each` with every reference of named fields.
pub(super) fn fields(entries: &mut [(String, Field)], each: Each<'_>) {
    for (_, value) in entries {
        field(value, each);
    }
}

fn exprs(entries: &mut [(String, ExprId)], each: Each<'_>) {
    for (_, expr) in entries {
        each(Ref::Expr(expr));
    }
}

fn optional(expr: &mut Option<ExprId>, each: Each<'_>) {
    if let Some(expr) = expr {
        each(Ref::Expr(expr));
    }
}

fn jump(to: &mut Option<Next>, each: Each<'_>) {
    match to {
        Some(Next::Step(node)) => each(Ref::Node(node)),
        Some(Next::End | Next::Continue | Next::Break) | None => {}
    }
}
