//! The runbook as its author wrote it: typed, every name with its place, nothing resolved and no default filled in.
//!
//! Steps, blocks and expressions lie in three arenas, numbered as they are in the graph that they become: a step before
//! what is inside it, all in file order. A part that could not be read is absent, so that later passes stay silent about
//! it: one cause, one diagnostic.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::expr::Analysis;
use crate::graph::{
    BlockId, Call, Called, Concurrency, Effect, ExprId, Field, Kind, Lock, Module, NodeId, OnError, Param, PinnedFile,
    Probe, Retry, Role, Trigger,
};
use crate::source::{Span, Spanned};
use crate::value::Millis;
use crate::yaml::Scalar;

/// A runbook, read but not checked.
#[derive(Debug, Default)]
pub struct Runbook {
    /// `runbook`.
    pub name: Option<Spanned<String>>,
    /// `description`.
    pub description: Option<String>,
    /// `owner`.
    pub owner: Option<String>,
    /// `labels`.
    pub labels: BTreeMap<String, String>,
    /// Where the names of the labels stand.
    pub label_spans: Vec<Spanned<String>>,
    /// `params`, in file order.
    pub params: Vec<Spanned<Param>>,
    /// `imports`, each with the functions that its text defines.
    pub imports: Vec<Import>,
    /// `files`, and the files of `shell: { file }`.
    pub files: Vec<PinnedFile>,
    /// The runbooks that `call` names, each once.
    pub called: Vec<Called>,
    /// `env`.
    pub env: Vec<(Spanned<String>, Field)>,
    /// `defaults`.
    pub defaults: Defaults,
    /// `timeout`.
    pub timeout: Option<Spanned<Millis>>,
    /// `concurrency`.
    pub concurrency: Option<Concurrency>,
    /// `triggers`.
    pub triggers: Vec<Trigger>,
    /// `steps`.
    pub main: Option<BlockId>,
    /// `on_failure`.
    pub on_failure: Option<BlockId>,
    /// `finally`.
    pub finally: Option<BlockId>,
    /// `outputs`.
    pub outputs: Vec<(Spanned<String>, ExprId)>,
    /// Every step.
    pub steps: Vec<Step>,
    /// Every list of steps.
    pub blocks: Vec<Block>,
    /// Every `next`.
    pub jumps: Vec<Jump>,
    /// Every expression.
    pub exprs: Vec<Expression>,
    /// The first step of every id of every block.
    pub ids: BTreeMap<BlockId, BTreeMap<String, NodeId>>,
}

/// A module that expressions may call.
#[derive(Debug)]
pub struct Import {
    /// What the graph carries.
    pub module: Module,
    /// Where the import stands.
    pub span: Span,
    /// The functions in it with their numbers of parameters; `None` where they are not known.
    pub functions: Option<Vec<(String, usize)>>,
}

/// `defaults`: for every acting step that does not say otherwise.
#[derive(Debug, Default)]
pub struct Defaults {
    /// `timeout`.
    pub timeout: Timeouts,
    /// `retry`.
    pub retry: Vec<Retry>,
}

/// A list of steps.
#[derive(Debug)]
pub struct Block {
    /// The step it belongs to; `None` for the runbook's own.
    pub owner: Option<NodeId>,
    /// What it is to its owner.
    pub role: Role,
    /// Its steps in file order.
    pub steps: Vec<NodeId>,
}

/// One step.
#[derive(Debug)]
pub struct Step {
    /// Its key of kind, or its whole map where it has none: the place to point at when the step as such is meant.
    pub span: Span,
    /// Its id.
    pub id: Option<Spanned<String>>,
    /// Its title.
    pub title: Option<Field>,
    /// The block it stands in.
    pub block: BlockId,
    /// Its place in its block, from 1.
    pub position: usize,
    /// What it does; `None` where that could not be read.
    pub kind: Option<Kind>,
    /// `needs` as written; `None` for the step before it.
    pub needs: Option<Vec<Spanned<String>>>,
    /// `when`.
    pub when: Option<ExprId>,
    /// `disabled`.
    pub disabled: Option<Spanned<String>>,
    /// `effect`.
    pub effect: Option<Spanned<Effect>>,
    /// `retry`.
    pub retry: Option<Spanned<Vec<Retry>>>,
    /// `timeout`.
    pub timeout: Timeouts,
    /// `on_error`.
    pub on_error: Option<Spanned<OnError>>,
    /// `catch`.
    pub catch: Vec<Handler>,
    /// `finally`, with the place of its key.
    pub finally: Option<Spanned<BlockId>>,
    /// `undo`, with the place of its key.
    pub undo: Option<Spanned<BlockId>>,
    /// `probe`, with the place of its key.
    pub probe: Option<Spanned<Probe>>,
    /// `outputs`.
    pub outputs: Vec<(Spanned<String>, ExprId)>,
    /// `secret_outputs`.
    pub secret_outputs: Vec<Spanned<String>>,
    /// `env`.
    pub env: Vec<(Spanned<String>, Field)>,
    /// `until`.
    pub until: Option<Spanned<ExprId>>,
    /// `every`.
    pub every: Option<Spanned<Millis>>,
    /// `lock`.
    pub lock: Option<Lock>,
}

/// `timeout` in its parts.
#[derive(Clone, Debug, Default)]
pub struct Timeouts {
    /// For one attempt, or one run of a block.
    pub attempt: Option<Spanned<Millis>>,
    /// From the first attempt on.
    pub total: Option<Spanned<Millis>>,
    /// Between SIGTERM and SIGKILL.
    pub grace: Option<Spanned<Millis>>,
}

/// One entry of `catch`.
#[derive(Debug)]
pub struct Handler {
    /// Where it stands.
    pub span: Span,
    /// Whether it has a `when`, also where that could not be read.
    pub has_when: bool,
    /// Only for errors for which this holds.
    pub when: Option<ExprId>,
    /// What handles it.
    pub block: BlockId,
}

/// A `next`, as written.
#[derive(Debug)]
pub struct Jump {
    /// The step behind which it goes on elsewhere.
    pub step: NodeId,
    /// When it does.
    pub origin: JumpOrigin,
    /// Where to.
    pub to: Spanned<String>,
}

/// When a `next` is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum JumpOrigin {
    /// When the step has ended well.
    Step,
    /// When it failed and nothing caught that.
    OnError,
    /// When this entry of `catch` handled its failure.
    Catch(usize),
    /// When this case of a `switch` ran; `else` is the last of them.
    Case(usize),
}

/// An expression, with the place that decides which names it sees.
#[derive(Debug)]
pub struct Expression {
    /// The scalar it is written in.
    pub scalar: Arc<Scalar>,
    /// Where it begins in the scalar's text.
    pub start: usize,
    /// Rhai.
    pub source: String,
    /// Whose it is.
    pub owner: Owner,
    /// What it is to its owner.
    pub place: Place,
    /// Whether statements are allowed.
    pub statements: bool,
    /// What it reads and calls; `None` where it could not be read.
    pub analysis: Option<Analysis>,
}

impl Expression {
    /// The names of a plain path, which is all that it is: `json.access_token`, `headers["x-token"]`.
    pub fn plain_path(&self) -> Option<Vec<&str>> {
        let [access] = self.analysis.as_ref().filter(|analysis| analysis.calls.is_empty())?.accesses.as_slice() else {
            return None;
        };
        // Behind a name in brackets the access ends before the bracket.
        let rest = self.source[access.span.end..].trim();
        let is_whole = self.source[..access.span.start].trim().is_empty() && matches!(rest, "" | "]");
        let is_plain = access.computed.is_none() && access.method.is_none();
        let is_sure = access.path.iter().all(|segment| !segment.optional);
        (is_whole && is_plain && is_sure).then(|| {
            let names = access.path.iter().map(|segment| segment.name.as_str());
            std::iter::once(access.root.as_str()).chain(names).collect()
        })
    }

    /// The place in the file of a range of bytes of the source.
    pub fn locate(&self, start: usize, end: usize) -> Span {
        self.scalar.locate(self.start + start, self.start + end)
    }

    /// Where the whole of it stands.
    pub fn span(&self) -> Span {
        self.locate(0, self.source.len())
    }
}

/// Whose an expression is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// The runbook's.
    Runbook,
    /// A parameter's, by its place in the list.
    Param(usize),
    /// A step's.
    Step(NodeId),
}

/// What an expression is to its owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// `when` of a step.
    When,
    /// `until` of a step.
    Until,
    /// A value of `outputs` of a step.
    Outputs,
    /// `done` of a `probe`.
    ProbeDone,
    /// `when` of `retry`.
    RetryWhen,
    /// `when` of an entry of `catch`.
    CatchWhen,
    /// `title`.
    Title,
    /// A value of `env`, of the runbook or of a step.
    Env,
    /// `stdin`.
    Stdin,
    /// A value of `headers`.
    Headers,
    /// `auth`.
    Auth,
    /// `body`, `json` or `form`.
    Body,
    /// An argument of `exec`.
    Argument,
    /// `cwd`.
    Cwd,
    /// `url`.
    Url,
    /// A value of `query`.
    Query,
    /// The text of `script`.
    Script,
    /// `that` of `assert`.
    That,
    /// `message` of `assert` and `fail`.
    Message,
    /// `kind` of `fail`.
    FailKind,
    /// `data` of `fail`.
    FailData,
    /// A value of `set`.
    Set,
    /// `wait`.
    Wait,
    /// Who may answer an `approve` or `ask`.
    By,
    /// `signal` of `await`.
    Signal,
    /// `key` of `lock`.
    LockKey,
    /// `key` of `concurrency`.
    ConcurrencyKey,
    /// A parameter that `call` gives.
    CallParam,
    /// A parameter that a trigger gives.
    TriggerParam,
    /// A parameter that `call` gives and that is a secret.
    CallSecret,
    /// `in` of `foreach`.
    Items,
    /// A path in `in` of `foreach`.
    ItemsPath,
    /// `while` of `repeat`.
    RepeatWhile,
    /// `until` of `repeat`.
    RepeatUntil,
    /// `value` of `switch`.
    SwitchValue,
    /// `when` of a case of `switch`.
    CaseWhen,
    /// A value of `finish.outputs`.
    FinishOutputs,
    /// A value of the runbook's `outputs`.
    RunOutputs,
    /// `default` of a parameter.
    ParamDefault,
    /// `check` of a parameter.
    ParamCheck,
}

impl Place {
    /// Whether the result must be a bool.
    pub const fn is_condition(self) -> bool {
        matches!(
            self,
            Self::When
                | Self::Until
                | Self::ProbeDone
                | Self::RetryWhen
                | Self::CatchWhen
                | Self::CaseWhen
                | Self::RepeatWhile
                | Self::RepeatUntil
                | Self::That
                | Self::ParamCheck
        )
    }

    /// Whether secrets may go here.
    pub const fn takes_secrets(self) -> bool {
        matches!(self, Self::Env | Self::Stdin | Self::Headers | Self::Auth | Self::Body | Self::CallSecret)
    }

    /// Whether it is asked after an attempt, and so sees what the attempt gave under bare names.
    pub const fn sees_result(self) -> bool {
        matches!(self, Self::Until | Self::Outputs | Self::ProbeDone | Self::RetryWhen | Self::CatchWhen)
    }

    /// Whether what stands inside its step is seen as its own: it is asked when that has ended, or before it begins anew.
    pub const fn sees_inside(self) -> bool {
        self.sees_result() || matches!(self, Self::RepeatWhile | Self::RepeatUntil)
    }

    /// Whether it is asked where the step's own error is at hand.
    pub const fn sees_own_error(self) -> bool {
        matches!(self, Self::Until | Self::RetryWhen | Self::CatchWhen)
    }

    /// As a sentence names it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::When | Self::RetryWhen | Self::CatchWhen | Self::CaseWhen => "`when`",
            Self::Until | Self::RepeatUntil => "`until`",
            Self::RepeatWhile => "`while`",
            Self::Outputs | Self::FinishOutputs | Self::RunOutputs => "`outputs`",
            Self::ProbeDone => "`done`",
            Self::Title => "a `title`",
            Self::Env => "`env`",
            Self::Stdin => "`stdin`",
            Self::Headers => "`headers`",
            Self::Auth => "`auth`",
            Self::Body => "a request body",
            Self::Argument => "an argument",
            Self::Cwd => "`cwd`",
            Self::Url => "a `url`",
            Self::Query => "`query`",
            Self::Script => "a `script`",
            Self::That => "an `assert`",
            Self::Message => "a `message`",
            Self::FailKind => "an error's `kind`",
            Self::FailData => "an error's `data`",
            Self::Set => "`set`",
            Self::Wait => "`wait`",
            Self::By => "`by`",
            Self::Signal => "`signal`",
            Self::LockKey => "the key of a `lock`",
            Self::ConcurrencyKey => "the key of `concurrency`",
            Self::CallParam | Self::CallSecret => "a parameter of a `call`",
            Self::TriggerParam => "a parameter of a trigger",
            Self::Items | Self::ItemsPath => "`in`",
            Self::SwitchValue => "the `value` of a `switch`",
            Self::ParamDefault => "a parameter's `default`",
            Self::ParamCheck => "a parameter's `check`",
        }
    }
}

impl Runbook {
    /// The step with this index.
    pub fn step(&self, id: NodeId) -> &Step {
        &self.steps[id.0 as usize]
    }

    /// The block with this index.
    pub fn block(&self, id: BlockId) -> &Block {
        &self.blocks[id.0 as usize]
    }

    /// The expression with this index.
    pub fn expr(&self, id: ExprId) -> &Expression {
        &self.exprs[id.0 as usize]
    }

    /// The runbook that a `call` calls.
    pub fn called_by(&self, call: &Call) -> &Called {
        &self.called[call.runbook as usize]
    }

    /// Every step with its index, in file order.
    pub fn steps(&self) -> impl Iterator<Item = (NodeId, &Step)> {
        (0u32..).map(NodeId).zip(&self.steps)
    }

    /// The block that a step's block stands in, with the step there that holds it.
    pub fn holder(&self, block: BlockId) -> Option<NodeId> {
        self.block(block).owner
    }

    /// A step and the steps around it, from the inside out.
    pub fn around(&self, id: NodeId) -> impl Iterator<Item = NodeId> {
        std::iter::successors(Some(id), |id| self.holder(self.step(*id).block))
    }

    /// Whether a step stands somewhere inside another.
    pub fn is_inside(&self, inner: NodeId, outer: NodeId) -> bool {
        inner != outer && self.around(inner).any(|id| id == outer)
    }

    /// The step of a block with this id.
    pub fn find(&self, block: BlockId, id: &str) -> Option<NodeId> {
        self.ids.get(&block)?.get(id).copied()
    }

    /// A step as a sentence names it: its id, or its place in its block.
    pub fn label(&self, id: NodeId) -> String {
        let step = self.step(id);
        step.id.as_ref().map_or_else(|| step.display_name(), |id| id.value.clone())
    }
}

impl Step {
    /// The name of a step without an id: `shell#3`.
    pub fn display_name(&self) -> String {
        format!("{}#{}", self.kind.as_ref().map_or("step", Kind::name), self.position)
    }

    /// Whether it holds blocks as its kind.
    pub const fn is_block(&self) -> bool {
        matches!(
            self.kind,
            Some(Kind::Do(_) | Kind::Parallel(_) | Kind::Switch(_) | Kind::Foreach(_) | Kind::Repeat(_))
        )
    }

    /// Whether it acts on the world.
    pub const fn is_acting(&self) -> bool {
        matches!(self.kind, Some(Kind::Shell(_) | Kind::Exec(_) | Kind::Http(_)))
    }
}
