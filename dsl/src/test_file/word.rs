//! What people and programs say to a step that waits for them, in place of really being asked.

use std::collections::BTreeMap;

use super::mock::Answer;
use super::read::{TestReader, data};
use crate::compile::keys::quoted;
use crate::diagnostic::Code;
use crate::value::Value;
use crate::yaml::{Mapping, Node};

/// What is said to a step that waits for somebody.
#[derive(Clone, Debug, PartialEq)]
pub enum Word {
    /// These say yes, one after the other.
    Approve {
        /// Who.
        by: Vec<String>,
        /// What they say to it.
        comment: Option<String>,
    },
    /// Somebody says no.
    Reject {
        /// Who.
        by: String,
        /// What they say to it.
        comment: Option<String>,
    },
    /// Somebody fills in what is asked for.
    Answer {
        /// Who; who asked for the run where the test does not say.
        by: Option<String>,
        /// The fields, as texts of the command line.
        fields: BTreeMap<String, String>,
    },
    /// The signal comes.
    Payload {
        /// Who sends it; who asked for the run where the test does not say.
        by: Option<String>,
        /// What it carries.
        payload: Value,
    },
}

/// The keys that say what is said; a mock has one of them.
pub(super) const WORDS: &[&str] = &["approve", "reject", "answer", "payload"];

/// What may stand beside them, and beside no other answer.
const BESIDE: &[&str] = &["by", "comment"];

impl TestReader<'_> {
    /// What is said, where a mock says something; `Err` where that is wrong, and was reported.
    pub(super) fn word(&mut self, mapping: &Mapping) -> Result<Option<Answer>, ()> {
        let said = mapping.entries.iter().find(|(key, _)| WORDS.contains(&key.text.as_str()));
        let Some((key, value)) = said else {
            let beside = mapping.entries.iter().find(|(key, _)| BESIDE.contains(&key.text.as_str()));
            return match beside {
                None => Ok(None),
                Some((key, _)) => {
                    let message = format!("`{}` goes with {}", key.text, quoted(WORDS));
                    let found = self.inner.at(Code::MOCK_FORM, key.span, message);
                    self.inner.report(found.help("such as `{ reject: 'user:ana', comment: not today }`"));
                    Err(())
                }
            };
        };
        let others = ["after", key.text.as_str()].into_iter().chain(BESIDE.iter().copied()).collect::<Vec<_>>();
        if let Some((other, _)) = mapping.entries.iter().find(|(key, _)| !others.contains(&key.text.as_str())) {
            let message = format!("`{}` and `{}` cannot both be said of one step", key.text, other.text);
            let found = self.inner.at(Code::MOCK_FORM, other.span, message).also(key.span, "the other one");
            self.inner.report(found.help("beside who says what, `after` says how long the step waits"));
            return Err(());
        }
        let by = mapping.get("by").and_then(|node| self.text(node, "`by`"));
        let comment = mapping.get("comment").and_then(|node| self.text(node, "`comment`"));
        let word = match key.text.as_str() {
            "approve" => Word::Approve { by: self.people(value).ok_or(())?, comment },
            "reject" => Word::Reject { by: self.text(value, "`reject`").ok_or(())?, comment },
            "answer" => Word::Answer { by, fields: self.fields(value, "`answer`").ok_or(())? },
            _ => Word::Payload { by, payload: data(value) },
        };
        Ok(Some(Answer::Word(word)))
    }

    /// One or several people.
    fn people(&mut self, node: &Node) -> Option<Vec<String>> {
        match node {
            Node::Sequence(sequence) => sequence.items.iter().map(|node| self.text(node, "`approve`")).collect(),
            Node::Scalar(_) | Node::Mapping(_) => Some(vec![self.text(node, "`approve`")?]),
        }
    }

    /// Fields that a person fills in, as they are typed.
    pub(super) fn fields(&mut self, node: &Node, what: &str) -> Option<BTreeMap<String, String>> {
        let mapping = self.inner.any_mapping(node, what)?;
        let text = |node: &Node| match node {
            Node::Scalar(scalar) => scalar.text.clone(),
            Node::Sequence(_) | Node::Mapping(_) => data(node).to_json().to_string(),
        };
        Some(mapping.entries.iter().map(|(key, value)| (key.text.clone(), text(value))).collect())
    }

    /// The people of each group, as in the configuration: `sre: [ana, ben]`.
    pub(super) fn groups(&mut self, node: &Node) -> BTreeMap<String, Vec<String>> {
        let Some(mapping) = self.inner.any_mapping(node, "`groups`") else { return BTreeMap::new() };
        let mut groups = BTreeMap::new();
        for (key, value) in &mapping.entries {
            let Some(sequence) = self.inner.sequence(value, "a group", "a list of names") else { continue };
            let names = sequence.items.iter().filter_map(|node| self.text(node, "a name"));
            groups.insert(key.text.clone(), names.collect());
        }
        groups
    }
}
