//! A run as the state keeps it: open while something happens to it, packed while it only waits.
//!
//! Of a million runs that wait for tomorrow almost nothing is needed until then. A packed run is its own encoding without
//! its definition's hash, squeezed to some hundred bytes; it is opened when it is looked at or changed. Packing changes
//! nothing that anybody can see. The bytes are those that a checkpoint holds.

use std::borrow::Cow;
use std::ops::Deref;
use std::sync::Arc;

use lockstep_dsl::graph::Graph;

use super::links::Links;
use super::squeeze::{squeeze, unsqueeze};
use super::state::Run;

/// A definition, as all its runs share it.
#[derive(Debug)]
pub struct Definition {
    /// [`Graph::hash`].
    pub hash: String,
    /// The graph.
    pub graph: Arc<Graph>,
    /// What is looked up in it again and again.
    pub links: Arc<Links>,
}

impl Definition {
    /// Works out what is looked up in it.
    pub fn new(hash: String, graph: Arc<Graph>) -> Arc<Self> {
        let links = Arc::new(Links::new(&graph));
        Arc::new(Self { hash, graph, links })
    }
}

/// A run in one of two forms.
#[derive(Debug)]
pub enum Kept {
    /// As it is.
    Open(Box<Run>),
    /// Encoded.
    Packed(Packed),
}

/// An encoded run.
#[derive(Debug)]
pub struct Packed {
    definition: Arc<Definition>,
    bytes: Box<[u8]>,
}

/// A look at a run, in whichever form it is kept.
#[derive(Debug)]
pub enum Look<'a> {
    /// Where it is kept.
    Kept(&'a Run),
    /// Unpacked for this look.
    Unpacked(Box<Run>),
}

impl Deref for Look<'_> {
    type Target = Run;

    fn deref(&self) -> &Run {
        match self {
            Self::Kept(run) => run,
            Self::Unpacked(run) => run,
        }
    }
}

impl Kept {
    /// To be read.
    pub fn look(&self) -> Look<'_> {
        match self {
            Self::Open(run) => Look::Kept(run),
            Self::Packed(packed) => Look::Unpacked(packed.unpack()),
        }
    }

    /// To be changed: it is open from now on.
    pub fn open(&mut self) -> &mut Run {
        if let Self::Packed(packed) = self {
            *self = Self::Open(packed.unpack());
        }
        match self {
            Self::Open(run) => run,
            Self::Packed(_) => unreachable!("it has just been opened"),
        }
    }

    /// The run itself.
    pub fn into_run(self) -> Run {
        match self {
            Self::Open(run) => *run,
            Self::Packed(packed) => *packed.unpack(),
        }
    }

    /// Packs the run, whatever it does.
    pub fn pack(&mut self, definition: &Arc<Definition>) {
        if let Self::Open(run) = self {
            debug_assert_eq!(run.definition, definition.hash, "a run is packed with its own definition");
            let bytes = encode(run);
            *self = Self::Packed(Packed { definition: Arc::clone(definition), bytes });
        }
    }

    /// The run that [`Kept::encoded`] gave these bytes of. They are not looked at before the run is.
    pub fn of_encoded(definition: &Arc<Definition>, bytes: &[u8]) -> Self {
        Self::Packed(Packed { definition: Arc::clone(definition), bytes: bytes.into() })
    }

    /// The run's state without the hash of its definition, as a checkpoint holds it.
    pub fn encoded(&mut self) -> Cow<'_, [u8]> {
        match self {
            Self::Open(run) => Cow::Owned(encode(run).into_vec()),
            Self::Packed(packed) => Cow::Borrowed(&packed.bytes),
        }
    }

    /// The hash of its definition.
    pub fn definition(&self) -> &str {
        match self {
            Self::Open(run) => &run.definition,
            Self::Packed(packed) => &packed.definition.hash,
        }
    }

    /// Whether it has ended. One that is packed has not.
    pub fn is_ended(&self) -> bool {
        match self {
            Self::Open(run) => run.is_ended(),
            Self::Packed(_) => false,
        }
    }
}

/// A run without its definition's hash, squeezed.
fn encode(run: &mut Run) -> Box<[u8]> {
    let definition = std::mem::take(&mut run.definition);
    let bytes = rmp_serde::to_vec_named(run).expect("a run has a MessagePack form");
    run.definition = definition;
    squeeze(&bytes)
}

impl Packed {
    fn unpack(&self) -> Box<Run> {
        let bytes = unsqueeze(&self.bytes).expect("what was packed can be unpacked");
        let mut run: Box<Run> = rmp_serde::from_slice(&bytes).expect("what was packed can be unpacked");
        run.definition.clone_from(&self.definition.hash);
        run.attach(Arc::clone(&self.definition.graph), Arc::clone(&self.definition.links));
        run
    }
}
