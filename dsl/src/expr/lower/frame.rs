//! The variables of a function while it is lowered.

use super::Lowering;

/// The variables of one function.
pub(super) struct Frame {
    kind: FrameKind,
    /// What can be seen now, innermost last.
    visible: Vec<Variable>,
    slots: usize,
    /// Slots of the frame around it that this one shares, with the own slot of each.
    captures: Vec<(usize, usize)>,
    /// Loops around the place that is being lowered.
    pub loops: usize,
}

/// What a frame sees around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FrameKind {
    /// The names of the scope.
    Main,
    /// Nothing.
    Function,
    /// The frame around it.
    Closure,
}

struct Variable {
    name: String,
    slot: usize,
    constant: bool,
}

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Resolved {
    /// A variable of the function.
    Local { slot: usize, constant: bool },
    /// A name of the scope.
    Outer,
    /// Nothing, since the function does not see the scope.
    Unseen,
}

impl Frame {
    pub fn new(kind: FrameKind) -> Self {
        Self { kind, visible: Vec::new(), slots: 0, captures: Vec::new(), loops: 0 }
    }

    /// Defines a variable from here on. Every one has a slot of its own.
    pub fn define(&mut self, name: &str, constant: bool) -> usize {
        let slot = self.slots;
        self.slots += 1;
        self.visible.push(Variable { name: name.to_owned(), slot, constant });
        slot
    }

    /// What is visible now, to be given to [`Frame::leave`].
    pub fn enter(&self) -> usize {
        self.visible.len()
    }

    /// Forgets the variables defined since [`Frame::enter`].
    pub fn leave(&mut self, visible: usize) {
        self.visible.truncate(visible);
    }

    /// The number of slots, and the slots of the frame around it that are shared. Captured variables come last, in
    /// the order of this list.
    pub fn finish(self) -> (usize, Vec<(usize, usize)>) {
        (self.slots, self.captures)
    }
}

impl Lowering<'_> {
    /// What a name stands for at this place.
    pub(super) fn resolve(&mut self, name: &str) -> Resolved {
        self.resolve_in(self.frames.len() - 1, name)
    }

    fn resolve_in(&mut self, index: usize, name: &str) -> Resolved {
        let frame = &self.frames[index];
        if let Some(variable) = frame.visible.iter().rev().find(|variable| variable.name == name) {
            return Resolved::Local { slot: variable.slot, constant: variable.constant };
        }
        match frame.kind {
            FrameKind::Main => Resolved::Outer,
            FrameKind::Function => Resolved::Unseen,
            FrameKind::Closure => match self.resolve_in(index - 1, name) {
                Resolved::Local { slot: outer, constant } => {
                    let frame = &mut self.frames[index];
                    let known = frame.captures.iter().find(|(captured, _)| *captured == outer).map(|(_, slot)| *slot);
                    let slot = known.unwrap_or_else(|| {
                        let slot = frame.slots;
                        frame.slots += 1;
                        frame.captures.push((outer, slot));
                        slot
                    });
                    Resolved::Local { slot, constant }
                }
                other => other,
            },
        }
    }
}
