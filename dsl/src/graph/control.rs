//! Kinds that decide which steps run, and how often.

use serde::{Deserialize, Serialize};

use super::{BlockId, ExprId, Field, NodeId};
use crate::value::Millis;

/// `parallel`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Parallel {
    /// Branches by name, in file order.
    pub branches: Vec<(String, BlockId)>,
    /// What the first failure does to the others.
    pub on_fail: OnFail,
    /// So many branches must end well, the rest is then cancelled; `None` for all.
    pub wins: Option<u32>,
}

/// `switch`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Switch {
    /// What chooses: the case whose name is its text. `None` where each case has a condition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<ExprId>,
    /// In file order; the first that matches is run.
    pub cases: Vec<Case>,
    /// Run when none matches; without it that is an error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub otherwise: Option<Case>,
}

/// One case of a `switch`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Case {
    /// The value that it is for; where the cases have conditions, its place among them: `case#2`.
    pub name: String,
    /// Its condition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<ExprId>,
    /// What it does.
    pub block: BlockId,
    /// Where it goes on behind the `switch`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<Next>,
}

/// Where it goes on behind a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Next {
    /// At the end of the step's block.
    #[serde(rename = "end")]
    End,
    /// With the next item or round of the innermost loop.
    #[serde(rename = "continue")]
    Continue,
    /// Behind the innermost loop.
    #[serde(rename = "break")]
    Break,
    /// With this step, of the step's block or of one around it.
    #[serde(rename = "step")]
    Step(NodeId),
}

impl Switch {
    /// Every case, `else` last.
    pub fn all(&self) -> impl Iterator<Item = &Case> {
        self.cases.iter().chain(&self.otherwise)
    }
}

/// `foreach`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Foreach {
    /// What it runs over.
    pub items: ItemsFrom,
    /// The name of the item in expressions.
    pub name: String,
    /// So many items run at once.
    pub concurrency: Amount,
    /// So many items may fail.
    pub tolerate: Amount,
    /// So many items are handed to the steps at a time, as a list; `None` for one by one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<u32>,
    /// What the first failure beyond `tolerate` does.
    pub on_fail: OnFail,
    /// Whether what came of each item is kept.
    pub results: bool,
    /// What is done with every item.
    pub body: BlockId,
}

/// What a `foreach` runs over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ItemsFrom {
    /// A list, a map or a range.
    Value(Field),
    /// What a step gave, as text.
    Output {
        /// How items stand in it.
        form: PageForm,
        /// The text.
        text: ExprId,
    },
    /// A file, which is read page by page.
    File {
        /// How items stand in it.
        form: PageForm,
        /// Its path.
        path: Field,
    },
}

/// How items stand in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PageForm {
    /// One a line.
    Lines,
    /// One a record of comma-separated values, whose names are in the first.
    Csv,
    /// One an element of a JSON array, or one a JSON value where there is no array around them.
    Json,
}

impl PageForm {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Lines, Self::Csv, Self::Json];

    /// As runbooks spell it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Lines => "lines",
            Self::Csv => "csv",
            Self::Json => "json",
        }
    }

    /// The form with this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|form| form.name() == name)
    }
}

/// A number of items.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Amount {
    /// So many.
    Count(u64),
    /// So many of a hundred.
    Percent(u32),
}

/// `repeat`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Repeat {
    /// Asked before each round: it goes on while this holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub goes_on: Option<ExprId>,
    /// Asked after each round: it ends when this holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<ExprId>,
    /// Time between two rounds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<Millis>,
    /// No more rounds than these.
    pub max: u32,
    /// What is done in every round.
    pub body: BlockId,
}

/// What the first failure in a fan-out does to the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OnFail {
    /// Nothing new starts, running attempts end.
    Stop,
    /// What runs is cancelled.
    Cancel,
    /// All go on; the failure counts at the end.
    Late,
}
