//! The names an expression sees, as the caller has them: values are borrowed, and only what is named is copied.

use std::collections::BTreeMap;

use crate::value::{Map, Timestamp, Value};

/// The names of the scope and the time of the evaluation.
#[derive(Clone, Debug, Default)]
pub struct Scope<'s> {
    /// What `now()` gives.
    pub now: Timestamp,
    names: BTreeMap<String, Branch<'s>>,
}

/// What a name stands for.
#[derive(Clone, Debug)]
pub enum Branch<'s> {
    /// A value that the caller keeps.
    Borrowed(&'s Value),
    /// A map that the caller keeps.
    Map(&'s Map),
    /// A value made for this evaluation.
    Owned(Value),
    /// Further names. It reads like a map.
    Names(BTreeMap<String, Branch<'s>>),
}

impl<'s> Scope<'s> {
    /// A scope without names, evaluated at this time.
    pub fn at(now: Timestamp) -> Self {
        Self { now, names: BTreeMap::new() }
    }

    /// Adds or replaces a name.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, branch: impl Into<Branch<'s>>) -> Self {
        self.set(name, branch);
        self
    }

    /// Adds or replaces a name.
    pub fn set(&mut self, name: impl Into<String>, branch: impl Into<Branch<'s>>) {
        self.names.insert(name.into(), branch.into());
    }

    /// What a name stands for.
    pub fn get(&self, name: &str) -> Option<&Branch<'s>> {
        self.names.get(name)
    }

    /// The names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.keys().map(String::as_str)
    }
}

impl<'s> From<&'s Value> for Branch<'s> {
    fn from(value: &'s Value) -> Self {
        Self::Borrowed(value)
    }
}

impl<'s> From<&'s Map> for Branch<'s> {
    fn from(map: &'s Map) -> Self {
        Self::Map(map)
    }
}

impl From<Value> for Branch<'_> {
    fn from(value: Value) -> Self {
        Self::Owned(value)
    }
}

impl<'s> From<BTreeMap<String, Branch<'s>>> for Branch<'s> {
    fn from(names: BTreeMap<String, Branch<'s>>) -> Self {
        Self::Names(names)
    }
}

impl<'s, K: Into<String>> FromIterator<(K, Branch<'s>)> for Branch<'s> {
    fn from_iter<I: IntoIterator<Item = (K, Branch<'s>)>>(names: I) -> Self {
        Self::Names(names.into_iter().map(|(name, branch)| (name.into(), branch)).collect())
    }
}
