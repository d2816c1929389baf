//! What is expected of the runbooks that a run calls.

use super::expect::Expect;
use super::read::TestReader;
use crate::compile::keys::Keys;
use crate::source::Spanned;
use crate::value::Map;
use crate::yaml::{Mapping, Node};

/// What is expected of the calls of one runbook.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CallsExpect {
    /// How often it is called.
    pub times: Option<usize>,
    /// With which parameters; those that are left out are not looked at.
    pub params: Option<CallParams>,
}

/// Parameters of several calls.
#[derive(Clone, Debug, PartialEq)]
pub enum CallParams {
    /// Every call has these.
    Each(Map),
    /// The first call has the first of these, and so on; there are no others.
    InOrder(Vec<Map>),
}

/// Calls of one runbook that a test can expect.
const MAX_CALLS: i64 = 1_000_000;

const CALLS: Keys = Keys {
    of: "what is expected of calls",
    known: &["times", "params"],
    later: &[],
    hints: &[("count", "how often it is called stands under `times`"), ("with", "parameters stand under `params`")],
};

impl TestReader<'_> {
    /// `calls`: by the name of the runbook, how often it is called, or `{ times, params }`.
    pub(super) fn calls(&mut self, mapping: &Mapping, expect: &mut Expect) {
        let Some(calls) = mapping.get("calls").and_then(|node| self.inner.any_mapping(node, "`calls`")) else { return };
        for (key, value) in &calls.entries {
            if let Some(calls) = self.calls_of_one(value) {
                expect.calls.push((Spanned::new(key.text.clone(), key.span), calls));
            }
        }
    }

    fn calls_of_one(&mut self, node: &Node) -> Option<CallsExpect> {
        if let Node::Scalar(_) = node {
            return Some(CallsExpect { times: Some(self.times(node)?), params: None });
        }
        let mapping = self.inner.mapping(node, &CALLS)?;
        if mapping.entries.is_empty() {
            self.expects_nothing(node.span());
            return None;
        }
        let times = match mapping.get("times") {
            Some(node) => Some(self.times(node)?),
            None => None,
        };
        let params = match mapping.get("params") {
            None => None,
            Some(Node::Sequence(sequence)) => {
                let calls = sequence.items.iter().map(|node| self.map(node, "the parameters of a call"));
                Some(CallParams::InOrder(calls.collect::<Option<_>>()?))
            }
            Some(node) => Some(CallParams::Each(self.map(node, "`params`")?)),
        };
        Some(CallsExpect { times, params })
    }

    fn times(&mut self, node: &Node) -> Option<usize> {
        let times = self.inner.integer(node, "how often it is called", 0, MAX_CALLS)?;
        usize::try_from(times.value).ok()
    }
}
