//! The names an expression sees, as the caller has them: values are borrowed, and only what is named is copied.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::value::{Map, Timestamp, Value};

/// The names of the scope and the time of the evaluation.
#[derive(Clone, Debug, Default)]
pub struct Scope<'s> {
    /// What `now()` gives.
    pub now: Timestamp,
    /// Few, so a list; sorted by name.
    names: Vec<(Cow<'s, str>, Branch<'s>)>,
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
        Self { now, names: Vec::new() }
    }

    /// Adds or replaces a name.
    #[must_use]
    pub fn with(mut self, name: impl Into<Cow<'s, str>>, branch: impl Into<Branch<'s>>) -> Self {
        self.set(name, branch);
        self
    }

    /// Adds or replaces a name.
    pub fn set(&mut self, name: impl Into<Cow<'s, str>>, branch: impl Into<Branch<'s>>) {
        let (name, branch) = (name.into(), branch.into());
        match self.place(&name) {
            Ok(place) => self.names[place].1 = branch,
            Err(place) => self.names.insert(place, (name, branch)),
        }
    }

    /// What a name stands for.
    pub fn get(&self, name: &str) -> Option<&Branch<'s>> {
        self.place(name).ok().map(|place| &self.names[place].1)
    }

    /// The names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(|(name, _)| &**name)
    }

    fn place(&self, name: &str) -> Result<usize, usize> {
        self.names.binary_search_by(|(known, _)| known.as_ref().cmp(name))
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
