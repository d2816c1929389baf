//! The step graph: what a runbook compiles to and the only thing that the engine executes.
//!
//! A graph is immutable, refers to everything by index, knows nothing of YAML, and is stored with the runs that use it,
//! so its encoding is a contract: fields are added as optional, never renamed, never reused.
//! [`Graph::hash`] names it by content.

mod call;
mod control;
mod edition;
mod lock;
mod param;
mod people;
mod pinned;
mod refs;
mod secret;
mod trigger;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::source::Location;
use crate::value::{Millis, Value};

pub use call::{Call, Called};
pub use control::{Amount, Case, Foreach, ItemsFrom, Next, OnFail, PageForm, Parallel, Repeat, Switch};
pub use edition::{Editions, Part};
pub use lock::{Concurrency, Excess, Lock};
pub use param::{Param, ParamType};
pub use people::{Approve, Ask, Escalate};
pub use pinned::{Module, PinnedFile};
pub use secret::Taken;
pub use trigger::{Catchup, Due, Overlap, Trigger, WITHIN};

/// The version of the encoding of [`Graph`].
pub const FORMAT: u16 = 1;

/// An index into [`Graph::nodes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NodeId(pub u32);

/// An index into [`Graph::blocks`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BlockId(pub u32);

/// An index into [`Graph::exprs`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ExprId(pub u32);

/// A runbook, checked and lowered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Graph {
    /// [`FORMAT`] of the program that made it.
    pub format: u16,
    /// The runbook's name, such as `storage/disk-cleanup`.
    pub runbook: String,
    /// The file it came from, as the user wrote the path; only ever printed.
    pub file: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Who answers for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Labels as written.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Declared parameters in file order.
    pub params: Vec<Param>,
    /// Names that some `set` step sets, sorted.
    pub vars: Vec<String>,
    /// Environment of all commands.
    pub env: Vec<(String, Field)>,
    /// Rhai modules: `std/*` by name, others with their text.
    pub modules: Vec<Module>,
    /// Files that travel with the run.
    pub files: Vec<PinnedFile>,
    /// Runbooks that its steps call, each with those that it calls itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub called: Vec<Called>,
    /// Every step, blocks' children after their block.
    pub nodes: Vec<Node>,
    /// Every list of steps.
    pub blocks: Vec<Block>,
    /// Every expression.
    pub exprs: Vec<Expr>,
    /// The runbook's own steps.
    pub main: BlockId,
    /// Steps for a run that failed or timed out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_failure: Option<BlockId>,
    /// Steps that always come last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finally: Option<BlockId>,
    /// The run's outputs by name.
    pub outputs: Vec<(String, ExprId)>,
    /// Time for the whole run, from `running`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Millis>,
    /// How many runs go on at a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<Concurrency>,
    /// What starts runs of it by itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub triggers: Vec<Trigger>,
}

impl Graph {
    /// A graph without steps and without a name.
    pub fn empty() -> Self {
        Self {
            format: FORMAT,
            runbook: String::new(),
            file: String::new(),
            description: None,
            owner: None,
            labels: BTreeMap::new(),
            params: Vec::new(),
            vars: Vec::new(),
            env: Vec::new(),
            modules: Vec::new(),
            files: Vec::new(),
            called: Vec::new(),
            nodes: Vec::new(),
            blocks: Vec::new(),
            exprs: Vec::new(),
            main: BlockId(0),
            on_failure: None,
            finally: None,
            outputs: Vec::new(),
            timeout: None,
            concurrency: None,
            triggers: Vec::new(),
        }
    }
}

/// A list of steps that run in order or by what they need.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Block {
    /// The step this block belongs to; `None` for the runbook's own three.
    pub owner: Option<NodeId>,
    /// What the block is to its owner.
    pub role: Role,
    /// The steps in file order.
    pub steps: Vec<NodeId>,
}

/// What a block is to its owner, and with that what stands in paths.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Role {
    /// The runbook's `steps`.
    Main,
    /// The runbook's `on_failure`.
    OnFailure,
    /// The runbook's `finally`.
    Finally,
    /// The steps of a `do`.
    Do,
    /// A branch of a `parallel`, by name.
    Branch(String),
    /// The steps of a `repeat`, once for every round.
    Round,
    /// The steps of a `foreach`, once for every item.
    Item,
    /// A case of a `switch`: its value, `case#2` where cases have conditions, or `else`.
    Case(String),
    /// The steps of the owner's `catch` entry with this index.
    Catch(u32),
    /// The owner's own `finally`.
    StepFinally,
    /// The owner's `undo`.
    Undo,
    /// The one step of the owner's `probe`.
    Probe,
}

impl Role {
    /// Whether its steps are what their owner is there to do, within its time; the others come after that.
    pub const fn is_work(&self) -> bool {
        match self {
            Self::Do | Self::Branch(_) | Self::Round | Self::Item | Self::Case(_) => true,
            Self::Main
            | Self::OnFailure
            | Self::Finally
            | Self::Catch(_)
            | Self::StepFinally
            | Self::Undo
            | Self::Probe => false,
        }
    }
}

/// One step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Node {
    /// The id, where the step has one.
    pub id: Option<String>,
    /// The last part of its path: its id, or `shell#3` by kind and position in its block.
    pub name: String,
    /// The whole path in the file: block, branch and step names joined by `/`. Catch and finally blocks stand in it as
    /// `catch` and `finally`, the runbook's own as `on_failure` and `finally`.
    pub path: String,
    /// What people read instead of the name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<Field>,
    /// The block it stands in.
    pub block: BlockId,
    /// What it does.
    pub kind: Kind,
    /// The steps of the same block that it needs.
    pub needs: Vec<NodeId>,
    /// Asked once, when the step is ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<ExprId>,
    /// Why the step is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled: Option<String>,
    /// What may happen after an unknown outcome.
    pub effect: Effect,
    /// When and how often to try again; empty for never.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub retry: Vec<Retry>,
    /// Limits of time.
    pub timeout: Timeout,
    /// What a failure that nothing caught does.
    pub on_error: OnError,
    /// Where it goes on behind a failure that nothing caught; `on_error` is then [`OnError::Continue`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_error_next: Option<Next>,
    /// Where it goes on when the step has ended well; the step behind it where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<Next>,
    /// Handlers in order; the first that matches handles the failure.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub catch: Vec<Catch>,
    /// Steps that run when this one ends, however.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finally: Option<BlockId>,
    /// Steps that compensate what this one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo: Option<BlockId>,
    /// What finds out, after an unknown outcome, whether the effect took place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probe: Option<Probe>,
    /// Declared outputs, computed over the result on success.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outputs: Vec<(String, ExprId)>,
    /// Of a step with `secret_outputs` its outputs, in place of those above; what else its result holds is withheld.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub taken: Vec<Taken>,
    /// Environment of the commands in and below this step, outermost first, the runbook's own excluded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<(String, Field)>,
    /// Repeat until true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Until>,
    /// What it holds from its beginning to its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lock: Option<Lock>,
    /// Where the step stands in the file.
    pub at: Location,
}

impl Node {
    /// The blocks of the step that are not what its kind does: `probe`, `catch`, `finally`, `undo`, in this order.
    pub fn handlers(&self) -> impl Iterator<Item = BlockId> + '_ {
        let probe = self.probe.iter().map(|probe| probe.block);
        probe.chain(self.catch.iter().map(|entry| entry.block)).chain(self.finally).chain(self.undo)
    }
}

/// What a step does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Kind {
    /// `shell`: a script that runs exactly as written.
    Shell(Shell),
    /// `exec`: a program with arguments; no shell sees them.
    Exec(Exec),
    /// `script`: Rhai.
    Script(ExprId),
    /// `http`: one request.
    Http(Box<Http>),
    /// `set`: variables, in file order.
    Set(Vec<(String, Field)>),
    /// `assert`: a condition, and what to say when it does not hold.
    Assert {
        /// The condition.
        that: ExprId,
        /// The error's message; without it the condition's own text.
        message: Option<Field>,
    },
    /// `wait`: for a length of time.
    WaitFor(Field),
    /// `wait: { at }`: until a point in time.
    WaitUntil(Field),
    /// `await: { signal }`: until somebody sends the run a signal with this name.
    AwaitSignal(Field),
    /// `approve`: until people have said yes, or one no.
    Approve(Box<Approve>),
    /// `ask`: until a person has filled in what is asked for.
    Ask(Box<Ask>),
    /// `call`: a run of another runbook.
    Call(Box<Call>),
    /// `do`: nested steps.
    Do(BlockId),
    /// `parallel`: branches.
    Parallel(Parallel),
    /// `switch`: one of several lists of steps.
    Switch(Switch),
    /// `foreach`: steps for every item.
    Foreach(Box<Foreach>),
    /// `repeat`: steps again and again.
    Repeat(Repeat),
    /// `fail`: raises an error.
    Fail {
        /// Its message.
        message: Field,
        /// Its kind; `failed` where none is named.
        kind: Option<Field>,
        /// Its data.
        data: Option<Field>,
    },
    /// `finish`: ends the run well, with these outputs.
    Finish {
        /// In place of the runbook's outputs; `None` keeps those.
        outputs: Option<Vec<(String, ExprId)>>,
    },
}

impl Kind {
    /// The key that makes a step this kind.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Shell(_) => "shell",
            Self::Exec(_) => "exec",
            Self::Script(_) => "script",
            Self::Http(_) => "http",
            Self::Set(_) => "set",
            Self::Assert { .. } => "assert",
            Self::WaitFor(_) | Self::WaitUntil(_) => "wait",
            Self::AwaitSignal(_) => "await",
            Self::Approve(_) => "approve",
            Self::Ask(_) => "ask",
            Self::Call(_) => "call",
            Self::Do(_) => "do",
            Self::Parallel(_) => "parallel",
            Self::Switch(_) => "switch",
            Self::Foreach(_) => "foreach",
            Self::Repeat(_) => "repeat",
            Self::Fail { .. } => "fail",
            Self::Finish { .. } => "finish",
        }
    }

    /// Whether the step acts on the world, so that an attempt of it is given to a worker.
    pub const fn is_acting(&self) -> bool {
        matches!(self, Self::Shell(_) | Self::Exec(_) | Self::Http(_))
    }

    /// Whether the step waits for somebody outside the run to say something.
    pub const fn is_awaiting(&self) -> bool {
        matches!(self, Self::AwaitSignal(_) | Self::Approve(_) | Self::Ask(_))
    }

    /// The blocks directly inside, in file order; not those of `catch` and `finally`.
    pub fn blocks(&self) -> Vec<BlockId> {
        match self {
            Self::Do(block) => vec![*block],
            Self::Parallel(parallel) => parallel.branches.iter().map(|branch| branch.1).collect(),
            Self::Switch(switch) => switch.all().map(|case| case.block).collect(),
            Self::Foreach(foreach) => vec![foreach.body],
            Self::Repeat(repeat) => vec![repeat.body],
            Self::Shell(_)
            | Self::Exec(_)
            | Self::Script(_)
            | Self::Http(_)
            | Self::Set(_)
            | Self::Assert { .. }
            | Self::WaitFor(_)
            | Self::WaitUntil(_)
            | Self::AwaitSignal(_)
            | Self::Approve(_)
            | Self::Ask(_)
            | Self::Call(_)
            | Self::Fail { .. }
            | Self::Finish { .. } => Vec::new(),
        }
    }
}

/// `shell`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Shell {
    /// The script's text, or the pinned file that holds it.
    pub script: Script,
    /// The interpreter and its arguments, such as `["bash"]`; `None` for `/bin/sh -eu`.
    pub interpreter: Option<Vec<String>>,
    /// What `shell` and `exec` share.
    pub command: Command,
}

/// Where a shell's script is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Script {
    /// In the runbook.
    Inline(String),
    /// In a file beside it, pinned in [`Graph::files`] under this name.
    File(String),
}

/// `exec`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Exec {
    /// A list of fields, one an argument, or one expression that gives the whole list.
    pub argv: Field,
    /// What `shell` and `exec` share.
    pub command: Command,
}

/// What `shell` and `exec` share.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Command {
    /// Working directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<Field>,
    /// Standard input: any value, lists and maps as JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stdin: Option<Field>,
    /// Exit codes that are a success; empty means just 0.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub expect: Vec<i32>,
}

/// `http`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Http {
    /// Upper-case method.
    pub method: String,
    /// The URL.
    pub url: Field,
    /// Header fields in file order.
    pub headers: Vec<(String, Field)>,
    /// Query parameters in file order.
    pub query: Vec<(String, Field)>,
    /// The body, and how it is encoded.
    pub body: Option<(BodyKind, Field)>,
    /// Status codes that are a success, as closed ranges.
    pub expect: Vec<(u16, u16)>,
    /// Credentials.
    pub auth: Option<Auth>,
}

/// How a request body is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum BodyKind {
    /// As its text, bytes as they are.
    Text,
    /// As JSON.
    Json,
    /// As `application/x-www-form-urlencoded`; the field is a map.
    Form,
}

/// Credentials of a request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Auth {
    /// `Authorization: Bearer`.
    Bearer(Field),
    /// `Authorization: Basic`.
    Basic {
        /// User name.
        user: Field,
        /// Password.
        password: Field,
    },
}

/// What an unknown outcome allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    /// Nothing in the world changes.
    Pure,
    /// May be repeated after an unknown outcome.
    Idempotent,
    /// Never repeated unless somebody knows that it did not happen.
    Once,
}

impl Effect {
    /// As runbooks spell it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pure => "pure",
            Self::Idempotent => "idempotent",
            Self::Once => "once",
        }
    }
}

/// When and how often to try again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Retry {
    /// Tries in all, the first among them.
    pub attempts: u32,
    /// Before the second try.
    pub delay: Millis,
    /// What each further delay is multiplied by.
    pub factor: f64,
    /// No delay is longer.
    pub max_delay: Millis,
    /// Full jitter: a random delay between 0 and the computed one.
    pub jitter: bool,
    /// Only for errors for which this holds.
    pub when: Option<ExprId>,
}

/// Limits of time of a step.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timeout {
    /// For one attempt, or for a block each time it runs; `None` for no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<Millis>,
    /// From the first attempt on, delays included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<Millis>,
    /// Between SIGTERM and SIGKILL.
    pub grace: Millis,
}

/// What a failure that nothing caught does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OnError {
    /// The block fails.
    Fail,
    /// Handled: the block goes on.
    Continue,
    /// The block goes on and fails after its last step.
    Late,
}

/// One entry of `catch`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Catch {
    /// Only for errors for which this holds.
    pub when: Option<ExprId>,
    /// What handles it; may be empty.
    pub block: BlockId,
    /// Where it goes on when it was handled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<Next>,
}

/// `probe`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Probe {
    /// The block with the one step that finds out.
    pub block: BlockId,
    /// Whether the effect took place, asked over that step's result; without it an exit code of 0 says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done: Option<ExprId>,
    /// What the probed step then gives, computed over the same result.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outputs: Vec<(String, ExprId)>,
}

/// `until` and `every`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Until {
    /// The condition, asked after every try.
    pub until: ExprId,
    /// Time between tries.
    pub every: Millis,
}

/// A value that may hold expressions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Field {
    /// Holds none.
    Const(Value),
    /// Is exactly one, and keeps its type.
    Expr(ExprId),
    /// Text around expressions.
    Text(Vec<Piece>),
    /// A list with expressions inside.
    List(Vec<Field>),
    /// A map with expressions inside, in file order.
    Map(Vec<(String, Field)>),
}

/// A piece of a [`Field::Text`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Piece {
    /// As it is.
    Text(String),
    /// The text of a value.
    Expr(ExprId),
}

/// One Rhai expression, or a script's statements.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Expr {
    /// Rhai.
    pub source: String,
    /// Whether statements are allowed.
    pub statements: bool,
    /// Where each line of [`Expr::source`] begins in the runbook's file.
    pub lines: Vec<Location>,
    /// Whether the result must be a bool.
    pub condition: bool,
    /// The steps that names under `steps.` mean here: the name as written, and the step. A nested step is named by the
    /// way to it, with dots: `deploy.left.fetch` stands for what the source reads as `steps.deploy.left.fetch`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<(String, NodeId)>,
    /// The other names of the scope that the source uses: `params`, `vars`, `run`, `error`, ...
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
}

impl Graph {
    /// The step with this index.
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.0 as usize]
    }

    /// The block with this index.
    pub fn block(&self, id: BlockId) -> &Block {
        &self.blocks[id.0 as usize]
    }

    /// The expression with this index.
    pub fn expr(&self, id: ExprId) -> &Expr {
        &self.exprs[id.0 as usize]
    }

    /// Whether a step of it has secret outputs.
    pub fn learns_secrets(&self) -> bool {
        self.nodes.iter().any(|node| !node.taken.is_empty())
    }

    /// The graph's content hash: BLAKE3 of its JSON, in hexadecimal. The file's path is not part of it; the runbooks that
    /// it calls are, by their own hashes.
    pub fn hash(&self) -> String {
        let named = |called: &Called| Called { graph: Arc::new(Self::empty()), ..called.clone() };
        let called = self.called.iter().map(named).collect();
        let unnamed = Self { file: String::new(), called, ..self.clone() };
        let json = serde_json::to_vec(&unnamed).expect("a graph holds nothing that JSON cannot say");
        blake3::hash(&json).to_hex().to_string()
    }
}
