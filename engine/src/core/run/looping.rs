//! What is known of a step that runs its block again and again: the items of a `foreach`, the rounds of a `repeat`.
//!
//! An item that ended well is let go of, but for the newest few, which people may still look at: what later steps can see
//! of it is in the results. One that did not end well stays whole, so that a `retry` of the run can go on inside it.

use std::collections::{BTreeSet, VecDeque};

use lockstep_dsl::graph::{Amount, Foreach, PageForm};
use lockstep_dsl::value::{Map, Value};
use serde::{Deserialize, Serialize};

use super::error::RunError;
use super::record::StopCause;
use super::state::{ActivationNo, Halt};
use crate::limits::{KEPT_ITEMS, MAX_ITEMS_AT_ONCE, MAX_LOOP_ERRORS};
use crate::worker::limits::OUTPUT_BYTES;

/// A `foreach` or `repeat` that runs, or ran.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Loop {
    /// How often it began from its beginning: grows when the step is tried again.
    pub visit: u32,
    /// The last visit of a step in it, where single steps were visited again.
    #[serde(default)]
    pub deepest: u32,
    /// The index of the next item or round.
    pub next: u64,
    /// The rounds before this one do not count against `max`: they were before the last `retry` of the run.
    #[serde(default)]
    pub forgiven: u64,
    /// How many items there are in all; `None` while a file is read that was not counted.
    #[serde(default)]
    pub count: Option<u64>,
    /// Items that are known and have not begun.
    #[serde(default)]
    pub waiting: VecDeque<Value>,
    /// Numbers that are still to come, where the items are a range: the next one, and the one behind the last.
    #[serde(default)]
    pub range: Option<(i64, i64)>,
    /// The file from which further items come.
    #[serde(default)]
    pub file: Option<Pages>,
    /// What runs.
    #[serde(default)]
    pub running: BTreeSet<ActivationNo>,
    /// Items that did not end well, and are to go on after a `retry` of the run.
    #[serde(default)]
    pub again: BTreeSet<ActivationNo>,
    /// Items that did not end well.
    #[serde(default)]
    pub unwell: BTreeSet<ActivationNo>,
    /// What ended well, or belongs to a former try, and is still to be seen; oldest first.
    #[serde(default)]
    pub kept: VecDeque<ActivationNo>,
    /// Items that ended well.
    #[serde(default)]
    pub succeeded: u64,
    /// Items that failed.
    #[serde(default)]
    pub failed: u64,
    /// What came of the items.
    #[serde(default)]
    pub results: Results,
    /// The first errors of items, with their place in the order of the whole run.
    #[serde(default)]
    pub errors: Vec<(u32, RunError)>,
    /// Whether it still starts anything.
    #[serde(default)]
    pub halt: Option<Halt>,
    /// Further items cannot be read: it fails whatever `tolerate` says.
    #[serde(default)]
    pub unreadable: bool,
    /// It is over, and its outputs are those of the step.
    #[serde(default)]
    pub over: bool,
}

/// Where the items of a `foreach` come from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Items {
    /// From a value.
    #[serde(rename = "list")]
    List(Vec<Value>),
    /// Whole numbers, from the first up to the one before the second.
    #[serde(rename = "range")]
    Range(i64, i64),
    /// From a file, page by page.
    #[serde(rename = "file")]
    File {
        /// Its path.
        path: String,
        /// How items stand in it.
        form: PageForm,
    },
}

/// A file that is read page by page.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pages {
    /// Its path.
    pub path: String,
    /// How items stand in it.
    pub form: PageForm,
    /// Bytes of it that have been read.
    pub at: u64,
    /// What it was when its first page was read: its length, and when it was changed. It must stay so.
    pub identity: Option<(u64, i64)>,
    /// The names of the columns.
    #[serde(default)]
    pub columns: Vec<String>,
    /// Nothing is behind what has been read.
    pub last: bool,
}

/// A page of a file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Page {
    /// The items on it.
    pub items: Vec<Value>,
    /// Where the next one begins.
    pub at: u64,
    /// The file's length, and when it was changed.
    pub identity: (u64, i64),
    /// The names of the columns.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<String>,
    /// Nothing is behind it.
    pub last: bool,
    /// How many items the whole file has, where that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
}

/// What came of the items, in their order, as long as it is no larger than an output may be.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Results {
    /// By index; `()` for an item that has not ended.
    values: Vec<Value>,
    /// Bytes of them as JSON.
    bytes: usize,
    /// There was more, and nothing of it is kept.
    truncated: bool,
}

/// How an item ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ItemEnd {
    /// Well.
    #[serde(rename = "ok")]
    Succeeded,
    /// With an error.
    #[serde(rename = "err")]
    Failed,
    /// It was stopped before it came to an end of its own.
    #[serde(rename = "stopped")]
    Stopped,
}

impl Loop {
    /// A loop at its beginning, after so many former tries.
    pub fn begun(former: Option<&Self>) -> Self {
        let visit = former.map_or(1, |former| former.visit.max(former.deepest) + u32::from(former.has_begun()));
        let mut begun = Self { visit, ..Self::default() };
        if let Some(former) = former {
            begun.kept = former.kept.iter().chain(&former.unwell).copied().collect();
        }
        begun
    }

    /// Whether anything of it is known but that it is to be.
    pub const fn has_begun(&self) -> bool {
        self.next > 0 || self.count.is_some() || self.file.is_some()
    }

    /// Takes in what it runs over; `batch` of them at a time are one item.
    pub fn over_items(&mut self, items: &Items, batch: Option<u32>) {
        let batched = |count: u64| count.div_ceil(batch.map_or(1, u64::from));
        match items {
            Items::List(values) => {
                self.waiting = values.iter().cloned().collect();
                self.count = Some(batched(values.len() as u64));
            }
            Items::Range(from, to) => {
                self.range = Some((*from, *to));
                self.count = Some(batched(u64::try_from(i128::from(*to) - i128::from(*from)).unwrap_or(0)));
            }
            Items::File { path, form } => {
                self.file = Some(Pages {
                    path: path.clone(),
                    form: *form,
                    at: 0,
                    identity: None,
                    columns: Vec::new(),
                    last: false,
                });
            }
        }
    }

    /// Takes in a page of its file.
    pub fn take_page(&mut self, page: &Page, batch: Option<u32>) {
        let Some(file) = &mut self.file else { return };
        file.at = page.at;
        file.identity = Some(page.identity);
        file.columns.clone_from(&page.columns);
        file.last = page.last;
        self.waiting.extend(page.items.iter().cloned());
        if let Some(count) = page.count {
            self.count = Some(count.div_ceil(batch.map_or(1, u64::from)));
        }
    }

    /// Whether a further page is needed before the next item can begin: with `batch` so many values are one item.
    pub fn needs_page(&self, batch: Option<u32>) -> bool {
        let wanted = batch.map_or(1, |batch| batch as usize);
        self.file.as_ref().is_some_and(|file| !file.last) && self.waiting.len() < wanted
    }

    /// Whether an item is there that can begin.
    pub fn has_next(&self) -> bool {
        !self.again.is_empty() || !self.waiting.is_empty() || self.range.is_some_and(|(from, to)| from < to)
    }

    /// Takes the next item with its index.
    pub fn take(&mut self, batch: Option<u32>) -> (u64, Value) {
        let index = self.next;
        self.next += 1;
        let value = match batch {
            None => self.take_one().unwrap_or_default(),
            Some(batch) => Value::List((0..batch).map_while(|_| self.take_one()).collect()),
        };
        (index, value)
    }

    fn take_one(&mut self) -> Option<Value> {
        if let Some((from, to)) = &mut self.range {
            let value = *from;
            *from += 1;
            return (value < *to).then_some(Value::Int(value));
        }
        self.waiting.pop_front()
    }

    /// How many items may run at once. Percents of an unknown number are not known either.
    pub fn concurrency(&self, plan: &Foreach) -> u64 {
        let at_once = match (plan.concurrency, self.count) {
            (Amount::Count(count), _) => count,
            (Amount::Percent(_), None) => 0,
            (Amount::Percent(percent), Some(count)) => {
                // Rounds up: a percent of anything is at least one.
                u64::try_from((u128::from(count) * u128::from(percent)).div_ceil(100)).unwrap_or(u64::MAX).max(1)
            }
        };
        at_once.min(MAX_ITEMS_AT_ONCE)
    }

    /// How many items may fail. Rounds down: a percent never lets more fail than it says.
    pub fn tolerated(&self, plan: &Foreach) -> u64 {
        match (plan.tolerate, self.count) {
            (Amount::Count(count), _) => count,
            (Amount::Percent(_), None) => 0,
            (Amount::Percent(percent), Some(count)) => {
                u64::try_from(u128::from(count) * u128::from(percent) / 100).unwrap_or(u64::MAX)
            }
        }
    }

    /// Whether it has failed: more items than may, or there was no going on.
    pub fn has_failed(&self, plan: &Foreach) -> bool {
        self.unreadable || self.failed > self.tolerated(plan)
    }

    /// Notes how an item ended; `result` is what is kept of it, where results are kept.
    pub fn end(&mut self, no: ActivationNo, index: u64, end: ItemEnd, result: Option<Value>) {
        self.running.remove(&no);
        match end {
            ItemEnd::Succeeded => {
                self.succeeded += 1;
                self.unwell.remove(&no);
                self.kept.push_back(no);
            }
            ItemEnd::Failed => {
                self.failed += 1;
                self.unwell.insert(no);
            }
            ItemEnd::Stopped => {
                self.unwell.insert(no);
            }
        }
        if let Some(result) = result {
            self.results.set(index, result);
        }
    }

    /// Notes an error of an item, unless very many were noted before.
    pub fn note_error(&mut self, order: u32, error: RunError) {
        if self.errors.len() < MAX_LOOP_ERRORS {
            self.errors.push((order, error));
        }
    }

    /// What is let go of when too much is kept: half of it at once, so that this seldom happens.
    pub fn spare(&mut self) -> Vec<ActivationNo> {
        if self.kept.len() <= KEPT_ITEMS {
            return Vec::new();
        }
        self.kept.drain(..KEPT_ITEMS / 2).collect()
    }

    /// Makes it go on where it was, after a `retry` of the run.
    pub fn reopen(&mut self) {
        self.forgiven = self.next;
        self.failed = 0;
        self.errors.clear();
        self.halt = None;
        self.unreadable = false;
        self.over = false;
        self.again.append(&mut self.unwell);
        self.again.append(&mut self.running);
    }

    /// Forgets items of which this does not hold.
    pub fn retain(&mut self, is_there: impl Fn(&ActivationNo) -> bool) {
        for items in [&mut self.running, &mut self.again, &mut self.unwell] {
            items.retain(&is_there);
        }
        self.kept.retain(&is_there);
    }

    /// An item that had ended well is to go on: something in it was undone.
    pub fn take_back(&mut self, no: ActivationNo) {
        if let Some(place) = self.kept.iter().position(|kept| *kept == no) {
            self.kept.remove(place);
            self.succeeded = self.succeeded.saturating_sub(1);
            self.again.insert(no);
        }
    }

    /// The outputs of a `foreach`.
    pub fn outputs(&self, keeps_results: bool) -> Map {
        let number = |count: u64| Value::Int(i64::try_from(count).unwrap_or(i64::MAX));
        let mut outputs =
            Map::from([("succeeded".to_owned(), number(self.succeeded)), ("failed".to_owned(), number(self.failed))]);
        if keeps_results {
            outputs.insert("results".to_owned(), self.results.to_value());
            if self.results.truncated {
                outputs.insert("truncated".to_owned(), Value::Bool(true));
            }
        }
        outputs
    }
}

impl Results {
    fn set(&mut self, index: u64, result: Value) {
        if self.truncated {
            return;
        }
        let Ok(index) = usize::try_from(index) else { return };
        if self.values.len() <= index {
            self.values.resize(index + 1, Value::Null);
        }
        let size = |value: &Value| if *value == Value::Null { 0 } else { value.to_json().to_string().len() };
        self.bytes = self.bytes + size(&result) - size(&self.values[index]);
        self.values[index] = result;
        if self.bytes > OUTPUT_BYTES {
            *self = Self { truncated: true, ..Self::default() };
        }
    }

    fn to_value(&self) -> Value {
        if self.truncated {
            return Value::Null;
        }
        let shown = |value: &Value| match value {
            Value::Null => failed(&RunError::new("cancelled", "stopped before it came to an end", "")),
            other => other.clone(),
        };
        Value::List(self.values.iter().map(shown).collect())
    }
}

/// The result of an item that ended well: the outputs of its last step.
pub(super) fn succeeded(value: Value) -> Value {
    Value::Map(Map::from([("ok".to_owned(), Value::Bool(true)), ("value".to_owned(), value)]))
}

/// The result of an item that failed.
pub(super) fn failed(error: &RunError) -> Value {
    Value::Map(Map::from([("ok".to_owned(), Value::Bool(false)), ("error".to_owned(), error.to_value())]))
}

/// Whether a loop that was stopped for this cause did what it was to do.
pub(super) const fn is_wanted(cause: StopCause) -> bool {
    match cause {
        StopCause::Break => true,
        StopCause::Cancel
        | StopCause::Timeout
        | StopCause::Total
        | StopCause::Enclosing
        | StopCause::RunTimeout
        | StopCause::Failure
        | StopCause::Won
        | StopCause::Finish => false,
    }
}
