//! Which steps have ended when another runs.

use std::collections::BTreeMap;

use crate::graph::{BlockId, Next, NodeId, Role};
use crate::runbook::Runbook;

/// How a step that is read stands to the step that reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// It has always ended.
    Before,
    /// It may have ended; in what comes at the end of a block or of the run, any step may.
    Perhaps,
    /// It is the reader.
    Itself,
    /// The reader stands in it.
    Around,
    /// It comes later, or needs the reader.
    After,
    /// Nothing orders the two: they may run at the same time.
    Beside,
    /// The blocks' order is not known, because it is a cycle.
    Unknown,
}

/// The order of the steps of every block, as far as it is fixed.
#[derive(Debug)]
pub struct Order {
    /// Place of every step in its block.
    index: Vec<usize>,
    /// For blocks where some step has `needs`: per step, the set of steps before it.
    graphs: BTreeMap<BlockId, Closure>,
    /// Where `next` leads within a block: from the step at one place to the step at another; `None` for its end, or for
    /// somewhere outside of it.
    jumps: BTreeMap<BlockId, Vec<(usize, Option<usize>)>>,
}

/// The transitive closure of `needs` in one block.
#[derive(Debug)]
struct Closure {
    /// Words of 64 steps in a row.
    width: usize,
    /// `None` where the block has a cycle.
    before: Option<Vec<u64>>,
}

impl Order {
    /// Works the order out.
    pub fn new(book: &Runbook, needs: &[Vec<NodeId>], jumps: &[Option<(Next, BlockId)>]) -> Self {
        let mut index = vec![0; book.steps.len()];
        for block in &book.blocks {
            for (at, id) in block.steps.iter().enumerate() {
                index[id.0 as usize] = at;
            }
        }
        let mut graphs = BTreeMap::new();
        for (block, id) in book.blocks.iter().zip((0u32..).map(BlockId)) {
            if block.steps.iter().any(|step| book.step(*step).needs.is_some()) {
                graphs.insert(id, Closure::new(&block.steps, needs, &index));
            }
        }
        let mut led: BTreeMap<BlockId, Vec<(usize, Option<usize>)>> = BTreeMap::new();
        for (jump, to) in book.jumps.iter().zip(jumps) {
            let Some((next, place)) = to else { continue };
            for id in book.around(jump.step) {
                let block = book.step(id).block;
                let target = match next {
                    Next::Step(target) if block == *place => Some(index[target.0 as usize]),
                    Next::Step(_) | Next::End | Next::Continue | Next::Break => None,
                };
                led.entry(block).or_default().push((index[id.0 as usize], target));
                if block == *place {
                    break;
                }
            }
        }
        Self { index, graphs, jumps: led }
    }

    /// Whether a `next` of its block may pass over a step.
    pub fn is_passed_over(&self, book: &Runbook, id: NodeId) -> bool {
        let place = self.index[id.0 as usize];
        let jumps = self.jumps.get(&book.step(id).block);
        jumps.into_iter().flatten().any(|(from, to)| *from < place && to.is_none_or(|to| to > place))
    }

    /// Whether the needs of a block's steps run in a circle.
    pub fn has_cycle(&self, block: BlockId) -> bool {
        self.graphs.get(&block).is_some_and(|closure| closure.before.is_none())
    }

    /// How `read` stands to `reader`, when the reader's own body runs.
    pub fn relation(&self, book: &Runbook, reader: NodeId, read: NodeId) -> Relation {
        if reader == read {
            return Relation::Itself;
        }
        if let Some(undo) = undo_around(book, reader)
            && !book.around(read).any(|id| book.step(id).block == undo)
        {
            // It runs after everything else, whatever had come about by then; it stands where its step does.
            let before = book.holder(undo).filter(|step| *step != read).map(|step| self.relation(book, step, read));
            return if before == Some(Relation::Before) { Relation::Before } else { Relation::Perhaps };
        }
        if book.is_inside(reader, read) {
            // What handles a failure, or runs at the end, sees the step that it belongs to.
            return match child_block(book, reader, read) {
                Some(Role::Catch(_)) => Relation::Before,
                Some(Role::StepFinally) => Relation::Perhaps,
                _ => Relation::Around,
            };
        }
        let readers: Vec<NodeId> = book.around(reader).collect();
        for candidate in book.around(read) {
            let block = book.step(candidate).block;
            if let Some(own) = readers.iter().copied().find(|own| book.step(*own).block == block) {
                return if own == candidate {
                    within(book, own, reader, read)
                } else {
                    self.siblings(block, own, candidate)
                };
            }
        }
        apart(book, reader)
    }

    fn siblings(&self, block: BlockId, reader: NodeId, read: NodeId) -> Relation {
        let (reader, read) = (self.index[reader.0 as usize], self.index[read.0 as usize]);
        let Some(closure) = self.graphs.get(&block) else {
            let mut jumps = self.jumps.get(&block).into_iter().flatten();
            let passes =
                |(from, to): &(usize, Option<usize>)| *from < read && to.is_some_and(|to| to > read && to <= reader);
            let leads_back = |(from, to): &(usize, Option<usize>)| *from >= read && to.is_some_and(|to| to <= reader);
            return match read < reader {
                true if jumps.any(passes) => Relation::Perhaps,
                true => Relation::Before,
                false if jumps.any(leads_back) => Relation::Perhaps,
                false => Relation::After,
            };
        };
        let Some(before) = &closure.before else { return Relation::Unknown };
        let is_before =
            |first: usize, second: usize| before[second * closure.width + first / 64] >> (first % 64) & 1 == 1;
        if is_before(read, reader) {
            Relation::Before
        } else if is_before(reader, read) {
            Relation::After
        } else {
            Relation::Beside
        }
    }
}

impl Closure {
    fn new(steps: &[NodeId], needs: &[Vec<NodeId>], index: &[usize]) -> Self {
        let width = steps.len().div_ceil(64);
        let mut before = vec![0u64; width * steps.len()];
        let mut missing: Vec<usize> = steps.iter().map(|id| needs[id.0 as usize].len()).collect();
        let mut followers: Vec<Vec<usize>> = vec![Vec::new(); steps.len()];
        for (at, id) in steps.iter().enumerate() {
            for need in &needs[id.0 as usize] {
                followers[index[need.0 as usize]].push(at);
            }
        }
        let mut ready: Vec<usize> = (0..steps.len()).filter(|at| missing[*at] == 0).collect();
        let mut done = 0;
        while let Some(at) = ready.pop() {
            done += 1;
            for &follower in &followers[at] {
                for word in 0..width {
                    before[follower * width + word] |= before[at * width + word];
                }
                before[follower * width + at / 64] |= 1 << (at % 64);
                missing[follower] -= 1;
                if missing[follower] == 0 {
                    ready.push(follower);
                }
            }
        }
        Self { width, before: (done == steps.len()).then_some(before) }
    }
}

/// The outermost `undo` that a step stands in.
fn undo_around(book: &Runbook, step: NodeId) -> Option<BlockId> {
    book.around(step).map(|id| book.step(id).block).filter(|block| book.block(*block).role == Role::Undo).last()
}

/// Both stand inside one step, in different blocks of it, or the read one directly around.
fn within(book: &Runbook, around: NodeId, reader: NodeId, read: NodeId) -> Relation {
    match (child_block(book, reader, around), child_block(book, read, around)) {
        (Some(Role::Catch(_)), Some(role)) if role.is_work() => Relation::Perhaps,
        (Some(Role::StepFinally), Some(role)) if role.is_work() || matches!(role, Role::Catch(_)) => Relation::Perhaps,
        (None, Some(_)) => Relation::Before,
        _ => Relation::Beside,
    }
}

/// The reader stands in `on_failure` or `finally` of the runbook, the other in its steps.
fn apart(book: &Runbook, reader: NodeId) -> Relation {
    let outermost = book.around(reader).last().unwrap_or(reader);
    match book.block(book.step(outermost).block).role {
        Role::OnFailure | Role::Finally => Relation::Perhaps,
        Role::Main
        | Role::Do
        | Role::Branch(_)
        | Role::Case(_)
        | Role::Round
        | Role::Item
        | Role::Catch(_)
        | Role::StepFinally
        | Role::Undo
        | Role::Probe => Relation::Unknown,
    }
}

/// The role of the block of `outer` in which `inner` stands.
fn child_block(book: &Runbook, inner: NodeId, outer: NodeId) -> Option<&Role> {
    let child = book.around(inner).find(|id| book.holder(book.step(*id).block) == Some(outer))?;
    Some(&book.block(book.step(child).block).role)
}
