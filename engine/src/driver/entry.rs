//! A run as a checkpoint holds it: where its records are, and its state, which is read only when somebody needs it.
//!
//! Opening takes the states in as they are: what it looks at stands beside them. The digest that the journal vouches for
//! says that they are what was written.

use std::borrow::Cow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::past::Span;
use crate::core::run::{Claim, Definition, Kept, Run};
use crate::core::schedule::Tick;
use crate::encode::{Bytes, DecodeError, decode, encode};
use crate::id::StepNo;

/// A run in a checkpoint.
#[derive(Debug)]
pub(crate) struct RunEntry<'a> {
    /// Where its records are.
    pub span: Span,
    /// The hash of its definition.
    pub definition: Cow<'a, str>,
    /// Whether it has ended: it is kept because its records are not.
    pub ended: bool,
    /// What it wants and holds of what others want, too.
    pub claims: Vec<(Option<StepNo>, Claim)>,
    /// The tick that started it.
    pub tick: Option<Tick>,
    state: RunState<'a>,
}

#[derive(Debug)]
enum RunState<'a> {
    Decoded(Box<Run>),
    Encoded(&'a [u8]),
}

/// The entry's fields. The state is encoded on its own, without the definition's hash.
#[derive(Serialize, Deserialize)]
struct Fields<'a> {
    span: Span,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    definition: Option<&'a str>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    ended: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    claims: Vec<(Option<StepNo>, Claim)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tick: Option<Tick>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    state: Option<Bytes<'a>>,
    /// What stood in place of all but the span at first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    run: Option<Box<Run>>,
}

impl<'a> RunEntry<'a> {
    /// Reads all but the state.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let Fields { span, definition, ended, claims, tick, state, run } = decode(bytes)?;
        match (definition, state, run) {
            (Some(definition), Some(Bytes(state)), None) => {
                let definition = Cow::Borrowed(definition);
                Ok(Self { span, definition, ended, claims, tick, state: RunState::Encoded(state) })
            }
            (None, None, Some(run)) => {
                let definition = Cow::Owned(run.definition.clone());
                Ok(Self { span, definition, ended: run.is_ended(), claims, tick, state: RunState::Decoded(run) })
            }
            _ => Err(DecodeError::Malformed("it is no run".to_owned())),
        }
    }

    /// The bytes of an entry of a run that has ended; `state` as [`Kept::encoded`] gives it.
    pub fn encode_ended(span: Span, definition: &str, state: &[u8]) -> Vec<u8> {
        let (definition, state) = (Some(definition), Some(Bytes(state)));
        encode(&Fields { span, definition, ended: true, claims: Vec::new(), tick: None, state, run: None })
    }

    /// The same of one that is open.
    pub fn encode_open(
        span: Span,
        definition: &str,
        claims: Vec<(Option<StepNo>, Claim)>,
        tick: Option<Tick>,
        state: &[u8],
    ) -> Vec<u8> {
        let (definition, state) = (Some(definition), Some(Bytes(state)));
        encode(&Fields { span, definition, ended: false, claims, tick, state, run: None })
    }

    /// The run.
    pub fn into_kept(self, definition: &Arc<Definition>) -> Kept {
        match self.state {
            RunState::Decoded(mut run) => {
                run.attach(Arc::clone(&definition.graph), Arc::clone(&definition.links));
                let mut kept = Kept::Open(run);
                kept.pack(definition);
                kept
            }
            RunState::Encoded(state) => Kept::of_encoded(definition, state),
        }
    }
}

#[cfg(test)]
mod tests {
    use lockstep_dsl::graph::Graph;
    use lockstep_dsl::value::{Map, Timestamp};

    use super::*;
    use crate::id::{Lsn, RunId};

    const SPAN: Span = Span { first: Lsn(3), last: Lsn(9) };

    /// The fields as entries had them before a state could be left as it is.
    #[derive(Serialize)]
    struct AtFirst<'a> {
        span: Span,
        run: &'a Run,
    }

    fn run(definition: &Definition) -> Run {
        let id = RunId::new(1_700_000_000_000, 7);
        let by = "user:ana".to_owned();
        Run::new(id, definition.hash.clone(), Map::new(), by, Timestamp(1_700_000_000_000))
    }

    #[test]
    fn a_state_is_not_looked_at_before_it_is_needed() {
        let bytes = RunEntry::encode_open(SPAN, "abc", Vec::new(), None, b"\xc1 is nothing that can be decoded");
        let entry = RunEntry::decode(&bytes).unwrap();
        assert_eq!((entry.span, entry.definition.as_ref(), entry.ended), (SPAN, "abc", false));
        let definition = Definition::new("abc".to_owned(), Arc::new(Graph::empty()));
        let mut kept = entry.into_kept(&definition);
        assert_eq!(kept.encoded().as_ref(), b"\xc1 is nothing that can be decoded");
    }

    #[test]
    fn entries_of_both_forms_hold_the_same_run() {
        let definition = Definition::new("abc".to_owned(), Arc::new(Graph::empty()));
        let first = encode(&AtFirst { span: SPAN, run: &run(&definition) });
        let mut kept = RunEntry::decode(&first).unwrap().into_kept(&definition);
        let hash = kept.definition().to_owned();
        let now = RunEntry::encode_open(SPAN, &hash, Vec::new(), None, &kept.encoded());
        assert!(now.len() < first.len() + 16, "the hash stands once");
        let read = RunEntry::decode(&now).unwrap().into_kept(&definition).into_run();
        assert_eq!(encode(&read), encode(&run(&definition)));
        assert!(RunEntry::decode(&encode(&SPAN)).is_err());
    }
}
