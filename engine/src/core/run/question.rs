//! What a run asks the evaluator.

use serde::{Deserialize, Serialize};

/// What the evaluator is asked. The answer is a value of the shape given here, or a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Question {
    /// Whether the step runs: a bool.
    #[serde(rename = "when")]
    When,
    /// The step's title, where it holds expressions: a text. It is for people only, so a failure is an answer too: the
    /// step goes on without one.
    #[serde(rename = "title")]
    Title,
    /// The key that the step is to hold: a text.
    #[serde(rename = "lock")]
    Lock,
    /// The step's rendered input. Acting kinds: the map that their action documents. `wait`: a duration or a time.
    /// `script`: its value. `set`: a map. `switch`: the place of the case. `foreach`: what it runs over. `assert`: `{ ok, message }`. `fail`: `{ message, kind, data }`. `finish`: a
    /// map or `()`.
    #[serde(rename = "input")]
    Input,
    /// The declared outputs: a map.
    #[serde(rename = "outputs")]
    Outputs,
    /// Whether `until` holds: a bool.
    #[serde(rename = "until")]
    Until,
    /// Whether the retry entry with this index is for the step's error: a bool.
    #[serde(rename = "retry")]
    Retry(u32),
    /// Whether the catch entry with this index is for the step's error: a bool.
    #[serde(rename = "catch")]
    Catch(u32),
    /// The run's outputs: a map.
    #[serde(rename = "run")]
    RunOutputs,
    /// Whether `while` of a `repeat` holds: a bool.
    #[serde(rename = "while")]
    While,
    /// Whether `until` of a `repeat` holds: a bool.
    #[serde(rename = "round")]
    Round,
    /// What a step's probe found out: `{ done, outputs }`.
    #[serde(rename = "probe")]
    Probe,
    /// The next page of the file over which a `foreach` runs: a [`Page`](super::Page), as [`Page::to_value`](super::Page::to_value) says it. Not the evaluator
    /// answers, but who can read files.
    #[serde(rename = "page")]
    Page,
}
