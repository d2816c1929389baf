//! Two editions of a runbook held against each other: which steps are the same ones, and what of a step was changed.
//!
//! A step is the same one where its path is: the same name, in the same block of the same step. What stands elsewhere in
//! the file, its line, its title and how long and how often it may try are no part of what it does.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;

use super::refs::{Ref, fields};
use super::{BlockId, Expr, ExprId, Field, Graph, Kind, Module, Node, NodeId, Script, Timeout};
use crate::source::Location;

/// An earlier edition of a runbook, and a later one.
#[derive(Debug)]
pub struct Editions<'a> {
    old: &'a Graph,
    new: &'a Graph,
    nodes: Vec<Option<NodeId>>,
    blocks: Vec<Option<BlockId>>,
    /// Numbers for what steps refer to, the same in both editions where what is referred to is the same.
    named: RefCell<BTreeMap<String, u32>>,
}

/// A part of a step that was changed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// What stands under its kind's key, or that key itself.
    Kind(&'static str),
    /// What stands under one of the keys that all steps may have.
    Key(&'static str),
    /// It needs a step that it did not need.
    Needs(String),
    /// It does not need a step any more that it needed.
    NeedsNot(String),
    /// The runbook's `env`, which all commands have.
    RunbookEnv,
    /// A module of which it uses functions.
    Module(String),
    /// A file that travels with the run and that its text names.
    File(String),
}

impl Part {
    /// Whether it says that the step runs, or on what: what was asked before anything in it could begin.
    pub fn is_head(&self) -> bool {
        match self {
            Self::Kind(_) | Self::Needs(_) | Self::NeedsNot(_) => true,
            Self::Key(key) => matches!(*key, "when" | "disabled"),
            Self::RunbookEnv | Self::Module(_) | Self::File(_) => false,
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kind(key) | Self::Key(key) => write!(f, "its `{key}`"),
            Self::Needs(step) => write!(f, "it needs `{step}` now"),
            Self::NeedsNot(step) => write!(f, "it needs `{step}` no more"),
            Self::RunbookEnv => f.write_str("the runbook's `env`"),
            Self::Module(import) => write!(f, "`{import}`, of which it uses functions"),
            Self::File(name) => write!(f, "`./{name}`, which it names"),
        }
    }
}

impl<'a> Editions<'a> {
    /// Finds the steps of the earlier edition in the later one.
    pub fn new(old: &'a Graph, new: &'a Graph) -> Self {
        let (nodes, blocks) = (vec![None; old.nodes.len()], vec![None; old.blocks.len()]);
        let mut editions = Self { old, new, nodes, blocks, named: RefCell::default() };
        let own = [(old.on_failure, new.on_failure), (old.finally, new.finally)];
        let own = own.into_iter().filter_map(|(old, new)| Some((old?, new?)));
        let mut left: Vec<(BlockId, BlockId)> = own.chain([(old.main, new.main)]).collect();
        while let Some((was, is)) = left.pop() {
            editions.blocks[was.0 as usize] = Some(is);
            let by_name: BTreeMap<&str, NodeId> =
                new.block(is).steps.iter().map(|node| (new.node(*node).name.as_str(), *node)).collect();
            for node in &old.block(was).steps {
                if let Some(same) = by_name.get(old.node(*node).name.as_str()) {
                    editions.nodes[node.0 as usize] = Some(*same);
                    left.extend(editions.inside(*node, *same));
                }
            }
        }
        editions
    }

    /// The step of the later edition that has this one's path.
    pub fn node(&self, old: NodeId) -> Option<NodeId> {
        self.nodes[old.0 as usize]
    }

    /// The list of steps of the later edition that is to the same step what this one is.
    pub fn block(&self, old: BlockId) -> Option<BlockId> {
        self.blocks[old.0 as usize]
    }

    /// The later edition.
    pub const fn later(&self) -> &'a Graph {
        self.new
    }

    /// What of a step itself was changed, without the steps in its blocks; `None` where it is not there any more.
    pub fn changes(&self, old: NodeId) -> Option<Vec<Part>> {
        let same = self.node(old)?;
        let (was, is) = (self.plain(self.old, old), self.plain(self.new, same));
        let mut parts = Vec::new();
        if was.kind != is.kind {
            parts.push(Part::Kind(is.kind.name()));
        }
        let keys = [
            ("when", was.when != is.when),
            ("disabled", was.disabled != is.disabled),
            ("effect", was.effect != is.effect),
            ("on_error", was.on_error != is.on_error || was.on_error_next != is.on_error_next),
            ("next", was.next != is.next),
            ("catch", was.catch != is.catch),
            ("finally", was.finally != is.finally),
            ("undo", was.undo != is.undo),
            ("probe", was.probe != is.probe),
            ("outputs", was.outputs != is.outputs),
            ("secret_outputs", was.taken != is.taken),
            ("env", was.env != is.env),
            ("until", was.until != is.until),
        ];
        parts.extend(keys.into_iter().filter(|(_, changed)| *changed).map(|(key, _)| Part::Key(key)));
        parts.extend(self.needs(old, same));
        if matches!(is.kind, Kind::Shell(_) | Kind::Exec(_)) && self.runbook_env(self.old) != self.runbook_env(self.new)
        {
            parts.push(Part::RunbookEnv);
        }
        let texts = self.texts(old);
        parts.extend(self.modules(&texts));
        parts.extend(self.files(old, &texts));
        Some(parts)
    }

    /// The steps in the blocks of a step that was found, all the way down, and its blocks' new steps: what its result may
    /// have come of besides itself.
    pub fn below(&self, old: NodeId) -> (Vec<NodeId>, Vec<NodeId>) {
        let (mut all, mut added) = (Vec::new(), Vec::new());
        let mut left = vec![old];
        while let Some(node) = left.pop() {
            let was = self.old.node(node);
            for block in was.kind.blocks().into_iter().chain(was.handlers()) {
                left.extend(&self.old.block(block).steps);
                added.extend(self.added(block));
            }
            all.push(node);
        }
        all.remove(0);
        (all, added)
    }

    /// The steps of a block that were not in it.
    pub fn added(&self, old: BlockId) -> Vec<NodeId> {
        let Some(block) = self.block(old) else { return Vec::new() };
        let known: Vec<NodeId> = self.old.block(old).steps.iter().filter_map(|node| self.node(*node)).collect();
        self.new.block(block).steps.iter().copied().filter(|node| !known.contains(node)).collect()
    }

    /// The blocks of two steps that are the same one which are the same to them.
    fn inside(&self, old: NodeId, new: NodeId) -> Vec<(BlockId, BlockId)> {
        let of = |graph: &Graph, node: NodeId| -> Vec<BlockId> {
            let node = graph.node(node);
            node.kind.blocks().into_iter().chain(node.handlers()).collect()
        };
        let theirs = of(self.new, new);
        let same = |block: &BlockId| {
            let role = &self.old.block(*block).role;
            theirs.iter().find(|other| self.new.block(**other).role == *role).map(|other| (*block, *other))
        };
        of(self.old, old).iter().filter_map(same).collect()
    }

    fn needs(&self, old: NodeId, new: NodeId) -> Vec<Part> {
        let names = |graph: &Graph, node: NodeId| -> Vec<String> {
            graph.node(node).needs.iter().map(|need| graph.node(*need).name.clone()).collect()
        };
        let (was, is) = (names(self.old, old), names(self.new, new));
        let more = is.iter().filter(|need| !was.contains(need)).cloned().map(Part::Needs);
        let less = was.iter().filter(|need| !is.contains(need)).cloned().map(Part::NeedsNot);
        more.chain(less).collect()
    }

    /// A step without what is no part of what it does, in which references are the same where what they mean is.
    fn plain(&self, graph: &Graph, id: NodeId) -> Node {
        let mut node = graph.node(id).clone();
        node.title = None;
        node.retry.clear();
        node.timeout = Timeout::default();
        node.needs.clear();
        node.at = Location::default();
        node.each_ref(&mut |reference| self.rename(graph, reference));
        node
    }

    fn runbook_env(&self, graph: &Graph) -> Vec<(String, Field)> {
        let mut env = graph.env.clone();
        fields(&mut env, &mut |reference| self.rename(graph, reference));
        env
    }

    fn rename(&self, graph: &Graph, reference: Ref<'_>) {
        match reference {
            Ref::Expr(expr) => expr.0 = self.number(meaning(graph, *expr)),
            // What stands in it is looked at for itself.
            Ref::Block(block) => block.0 = 0,
            Ref::Node(node) => node.0 = self.number(format!("step {}", graph.node(*node).path)),
            Ref::Called(place) => {
                let called = &graph.called[*place as usize];
                *place = self.number(format!("call {} {}", called.hash, called.target));
            }
        }
    }

    fn number(&self, meaning: String) -> u32 {
        let mut named = self.named.borrow_mut();
        let next = u32::try_from(named.len()).expect("a runbook has fewer than 2^32 expressions");
        *named.entry(meaning).or_insert(next)
    }

    /// Every text of a step in which a name may stand.
    fn texts(&self, old: NodeId) -> Vec<String> {
        let mut node = self.old.node(old).clone();
        let mut texts = Vec::new();
        node.each_ref(&mut |reference| {
            if let Ref::Expr(expr) = reference {
                texts.push(self.old.expr(*expr).source.clone());
            }
        });
        let said = serde_json::to_string(&(&node.kind, &node.env));
        texts.push(said.expect("a step holds nothing that JSON cannot say"));
        texts
    }

    /// The modules with another text of which a step uses functions.
    fn modules(&self, texts: &[String]) -> Vec<Part> {
        let is_same = |module: &&Module| self.new.modules.contains(module);
        let changed = self.old.modules.iter().filter(|module| !is_same(module));
        let used = changed.filter(|module| {
            let call = format!("{}::", module.name);
            texts.iter().any(|text| text.contains(&call))
        });
        used.map(|module| Part::Module(module.import.clone())).collect()
    }

    /// The files with other bytes that a command runs, or that its text names.
    fn files(&self, old: NodeId, texts: &[String]) -> Vec<Part> {
        let kind = &self.old.node(old).kind;
        if !matches!(kind, Kind::Shell(_) | Kind::Exec(_)) {
            return Vec::new();
        }
        let runs = |name: &str| matches!(kind, Kind::Shell(shell) if shell.script == Script::File(name.to_owned()));
        let changed = self.old.files.iter().filter(|file| !self.new.files.contains(file));
        let named = changed.filter(|file| runs(&file.name) || texts.iter().any(|text| text.contains(&file.name)));
        named.map(|file| Part::File(file.name.clone())).collect()
    }
}

/// What an expression means, wherever it stands.
fn meaning(graph: &Graph, id: ExprId) -> String {
    let Expr { source, statements, lines: _, condition, steps, names } = graph.expr(id);
    let steps: Vec<(&str, &str)> =
        steps.iter().map(|(name, node)| (name.as_str(), graph.node(*node).path.as_str())).collect();
    serde_json::to_string(&(source, statements, condition, steps, names)).expect("texts have a JSON form")
}
