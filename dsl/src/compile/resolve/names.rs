//! What the names in expressions mean.
//!
//! Names are found from the inside out: a step of the own block first, then of the blocks around it. From outside, a
//! nested step is reached through the blocks that it stands in.

use std::collections::BTreeMap;

use crate::diagnostic::{Code, Diagnostic, suggest};
use crate::expr::{Access, Analysis};
use crate::graph::{BlockId, Kind, NodeId, Role};
use crate::runbook::{Expression, Owner, Place, Runbook};
use crate::source::Span;

use super::super::keys::{quoted, shorten};
use super::super::report::Report;
use super::outputs::{self, Outputs};

/// What one expression reads.
#[derive(Clone, Debug, Default)]
pub struct Reads {
    /// The steps it reads.
    pub steps: Vec<StepRead>,
    /// The other names of the scope that it uses, sorted.
    pub names: Vec<String>,
}

/// One place where an expression reads a step.
#[derive(Clone, Debug)]
pub struct StepRead {
    /// The name as written, without `steps.`: `build`, or `deploy.left.fetch`.
    pub name: String,
    /// The step.
    pub step: NodeId,
    /// What is read of it: an output, a field such as `status`, or nothing where the step is used as a whole.
    pub field: Option<String>,
    /// Where.
    pub span: Span,
    /// Whether `?.`, `??` or a comparison with `()` stands by for the case that there is nothing.
    pub guarded: bool,
}

/// Fields of `run`.
const RUN: &[&str] = &["id", "runbook", "started", "by", "outcome"];

/// Fields of `error`.
const ERROR: &[&str] = &["kind", "message", "step", "attempt", "data", "cause"];

/// The first names of paths.
const ROOTS: &[&str] = &["params", "steps", "vars", "run", "error", "event"];

/// Resolves every expression's names.
pub fn resolve(book: &Runbook, report: &mut Report) -> Vec<Reads> {
    let index = Index::new(book);
    book.exprs
        .iter()
        .map(|expr| {
            let mut resolver = Resolver { book, index: &index, expr, report, reads: Reads::default() };
            if let Some(analysis) = &expr.analysis {
                resolver.all(analysis);
            }
            resolver.reads
        })
        .collect()
}

/// Where names are declared.
struct Index<'a> {
    /// The place of every parameter in the list.
    params: BTreeMap<&'a str, usize>,
    /// The steps that set every variable.
    variables: BTreeMap<&'a str, Vec<NodeId>>,
}

impl<'a> Index<'a> {
    fn new(book: &'a Runbook) -> Self {
        let params = book.params.iter().enumerate().map(|(at, param)| (param.value.name.as_str(), at)).collect();
        let mut variables: BTreeMap<&str, Vec<NodeId>> = BTreeMap::new();
        for (id, step) in book.steps() {
            if let Some(Kind::Set(set)) = &step.kind {
                for (name, _) in set {
                    variables.entry(name).or_default().push(id);
                }
            }
        }
        Self { params, variables }
    }
}

struct Resolver<'a, 's> {
    book: &'a Runbook,
    index: &'a Index<'a>,
    expr: &'a Expression,
    report: &'a mut Report<'s>,
    reads: Reads,
}

impl Resolver<'_, '_> {
    fn all(&mut self, analysis: &Analysis) {
        for access in &analysis.accesses {
            if self.report.is_full() {
                break;
            }
            if let Some(diagnostic) = self.access(access) {
                self.report.push(diagnostic);
            }
        }
        self.reads.names.sort();
        self.reads.names.dedup();
    }

    /// Resolves one access, and says what is wrong with it.
    fn access(&mut self, access: &Access) -> Option<Diagnostic> {
        let root = access.root.as_str();
        if let Some(problem) = self.out_of_scope(access) {
            return Some(problem);
        }
        if root != "steps" {
            self.reads.names.push(root.to_owned());
        }
        match root {
            "params" => self.param(access),
            "steps" => self.step(access),
            "vars" => self.variable(access),
            "run" => self.field(access, RUN),
            "error" => self.field(access, ERROR),
            "event" => None,
            "value" if self.expr.place == Place::ParamCheck => None,
            _ if self.is_of_loop(root) => None,
            "secrets" => Some(
                self.at(Code::NOT_SUPPORTED_YET, self.root_span(access), "`secrets` is not supported yet")
                    .help("declare a parameter of type `secret` and give it as `env:NAME` or `file:PATH`"),
            ),
            _ => self.bare(access),
        }
    }

    /// Names that exist, but not everywhere.
    fn out_of_scope(&self, access: &Access) -> Option<Diagnostic> {
        let place = self.expr.place;
        let root = access.root.as_str();
        let reason = match (root, place) {
            ("steps" | "vars", Place::ParamDefault) => "parameters are computed before any step has run",
            ("steps" | "vars", Place::ConcurrencyKey) => "it is asked before any step has run",
            ("params" | "steps" | "vars" | "run" | "error", Place::TriggerParam) => {
                "it is worked out before there is a run; `event` says what starts it"
            }
            ("params" | "steps" | "vars" | "run" | "event", Place::ParamCheck) => "a `check` sees only `value`",
            ("steps", _) if self.expr.owner == Owner::Runbook && place != Place::RunOutputs => {
                "this is the runbook's own, and stands before all of its steps; write it at the step that needs it"
            }
            ("error", _) if !self.sees_error() => {
                "there is an error only where one is handled: in `catch`, `undo`, `on_failure`, `finally`, `until`, and the `when` of `retry`"
            }
            ("run", _) if path(access).first() == Some(&"outcome") && !self.is_at_the_end() => {
                return Some(
                    self.at(Code::NOT_IN_SCOPE, self.span(access), "`run.outcome` is not known here")
                        .help("a run has an outcome only in its `finally`"),
                );
            }
            _ => return None,
        };
        let message = format!("`{root}` is not in scope in {}", place.name());
        Some(self.at(Code::NOT_IN_SCOPE, self.root_span(access), message).help(reason))
    }

    /// Whether an error is at hand: in the expressions that judge one, and in the steps that handle one.
    fn sees_error(&self) -> bool {
        if self.expr.place.sees_own_error() {
            return true;
        }
        let Owner::Step(step) = self.expr.owner else { return false };
        self.book.around(step).any(|id| match self.book.block(self.book.step(id).block).role {
            Role::OnFailure | Role::Finally | Role::Catch(_) | Role::StepFinally | Role::Undo => true,
            Role::Main | Role::Do | Role::Branch(_) | Role::Case(_) | Role::Round | Role::Item | Role::Probe => false,
        })
    }

    /// Whether the expression is asked in the runbook's `finally`.
    fn is_at_the_end(&self) -> bool {
        let Owner::Step(step) = self.expr.owner else { return false };
        self.book.around(step).any(|id| self.book.block(self.book.step(id).block).role == Role::Finally)
    }

    fn param(&self, access: &Access) -> Option<Diagnostic> {
        let name = *path(access).first()?;
        if let Some(index) = self.index.params.get(name) {
            return match self.expr.owner {
                Owner::Param(own) if *index >= own => Some(
                    self.at(Code::PARAM_TOO_EARLY, self.span(access), format!("`params.{name}` has no value yet"))
                        .help("a default sees the parameters that are declared before it"),
                ),
                _ => None,
            };
        }
        let names = self.index.params.keys().copied();
        let message = format!("there is no parameter `{}`", shorten(name));
        let diagnostic = self.at(Code::UNKNOWN_PARAM, self.segment_span(access, 0), message);
        Some(match suggest(name, names) {
            Some(near) => diagnostic.help(format!("did you mean `params.{near}`?")),
            None if self.book.params.is_empty() => {
                diagnostic.help(format!("declare it: `params: {{ {}: string }}`", shorten(name)))
            }
            None => diagnostic.help(format!("declare it under `params`, beside {}", self.param_names())),
        })
    }

    fn param_names(&self) -> String {
        const SHOWN: usize = 8;
        let names: Vec<&str> = self.book.params.iter().take(SHOWN).map(|param| param.value.name.as_str()).collect();
        quoted(&names)
    }

    fn variable(&self, access: &Access) -> Option<Diagnostic> {
        let name = *path(access).first()?;
        let setters = self.index.variables.get(name).map(Vec::as_slice).unwrap_or_default();
        let span = self.segment_span(access, 0);
        if setters.is_empty() {
            // A `set` that could not be read may be the one that is meant.
            if self.book.steps.iter().any(|step| step.kind.is_none()) {
                return None;
            }
            let names = self.index.variables.keys().copied();
            let diagnostic =
                self.at(Code::UNKNOWN_VARIABLE, span, format!("no step sets the variable `{}`", shorten(name)));
            return Some(match suggest(name, names) {
                Some(near) => diagnostic.help(format!("did you mean `vars.{near}`?")),
                None => diagnostic.help(format!("set it: `- set: {{ {}: … }}`", shorten(name))),
            });
        }
        if setters.iter().any(|setter| self.is_shared(*setter)) {
            return None;
        }
        let setter = self.book.step(setters[0]);
        Some(
            self.at(
                Code::VARIABLE_OF_BRANCH,
                span,
                format!("`{name}` is set in another branch or a loop's body, and is its own"),
            )
            .also(setter.span, "it is set here")
            .help("hand it out through the outputs of the steps there"),
        )
    }

    /// Whether what a `set` step sets can be seen here: every branch around it is around this expression too.
    fn is_shared(&self, setter: NodeId) -> bool {
        let own: Vec<BlockId> = match self.expr.owner {
            Owner::Step(step) => self.book.around(step).map(|id| self.book.step(id).block).collect(),
            Owner::Runbook | Owner::Param(_) => Vec::new(),
        };
        self.book.around(setter).map(|id| self.book.step(id).block).all(|block| {
            !matches!(self.book.block(block).role, Role::Branch(_) | Role::Round | Role::Item | Role::Undo)
                || own.contains(&block)
                // The outputs of the `parallel` itself are how a branch hands its variables out.
                || (self.expr.place.sees_inside() && self.book.holder(block).map(Owner::Step) == Some(self.expr.owner))
        })
    }

    fn field(&self, access: &Access, fields: &[&str]) -> Option<Diagnostic> {
        let name = *path(access).first()?;
        if fields.contains(&name) {
            return None;
        }
        let message = format!("`{}` has no field `{}`", access.root, shorten(name));
        let diagnostic = self.at(Code::UNKNOWN_FIELD, self.segment_span(access, 0), message);
        Some(match suggest(name, fields.iter().copied()) {
            Some(near) => diagnostic.help(format!("did you mean `{}.{near}`?", access.root)),
            None => diagnostic.help(format!("its fields are {}", quoted(fields))),
        })
    }

    /// Whether a loop around gives this name: its item, or the index.
    fn is_of_loop(&self, name: &str) -> bool {
        let Owner::Step(step) = self.expr.owner else { return false };
        if matches!(self.expr.place, Place::RepeatWhile | Place::RepeatUntil) && name == "index" {
            return true;
        }
        self.book.around(step).any(|id| {
            let block = self.book.step(id).block;
            match (&self.book.block(block).role, self.book.holder(block).map(|holder| self.book.step(holder))) {
                (Role::Round, Some(_)) => name == "index",
                // Where it could not be read, its name is not known either.
                (Role::Item, Some(holder)) => match &holder.kind {
                    Some(Kind::Foreach(foreach)) => name == "index" || name == foreach.name,
                    _ => true,
                },
                _ => false,
            }
        })
    }

    /// A name without a namespace: an output of the step's own kind, where the result is at hand.
    fn bare(&mut self, access: &Access) -> Option<Diagnostic> {
        let name = access.root.as_str();
        let mut known: Vec<&str> = Vec::new();
        if self.expr.place.sees_result()
            && let Owner::Step(step) = self.expr.owner
        {
            let Some(kind) = &self.book.step(step).kind else { return None };
            known = outputs::of_result(kind);
            if known.contains(&name) {
                let is_open = self.expr.place == Place::Outputs;
                return (!is_open && outputs::is_withheld(self.book.step(step), name))
                    .then(|| self.withheld(self.root_span(access), step, name));
            }
        }
        let message = format!("there is no name `{}` here", shorten(name));
        let diagnostic = self.at(Code::UNKNOWN_NAME, self.root_span(access), message);
        if let Some(namespace) = self.namespace_of(name) {
            return Some(diagnostic.help(format!("did you mean `{namespace}.{name}`?")));
        }
        let near = suggest(name, known.iter().copied().chain(ROOTS.iter().copied()));
        Some(match near {
            Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
            None if access.path.is_empty() => diagnostic
                .help(format!("for the text write `\"{}\"`, in quotes that YAML leaves alone", shorten(name)))
                .help(format!("names begin with {}", quoted(ROOTS))),
            None => diagnostic.help(format!("names begin with {}", quoted(ROOTS))),
        })
    }

    /// The namespace in which a name exists that was written without one.
    fn namespace_of(&self, name: &str) -> Option<&'static str> {
        if self.index.params.contains_key(name) {
            Some("params")
        } else if self.index.variables.contains_key(name) {
            Some("vars")
        } else if self.book.steps.iter().any(|step| step.id.as_ref().is_some_and(|id| id.value == name)) {
            Some("steps")
        } else {
            None
        }
    }

    /// `steps.…`: walks down as far as steps go; what follows is an output.
    fn step(&mut self, access: &Access) -> Option<Diagnostic> {
        let names = path(access);
        let Some(first) = names.first() else {
            return Some(
                self.at(Code::BARE_NAMESPACE, self.root_span(access), "`steps` must be followed by the id of a step")
                    .help("such as `steps.build.stdout`"),
            );
        };
        let scopes = self.scopes();
        let Some((mut step, mut used)) = scopes.iter().find_map(|scope| self.find(*scope, &names)) else {
            return Some(self.unknown_step(access, &scopes, first));
        };
        while let Some((next, more)) = self.find(Scope::Inside(step), &names[used..]) {
            step = next;
            used += more;
        }
        let is_branch = self.is_branch(step, names.get(used).copied());
        let field = names.get(used).filter(|_| !is_branch).map(|field| (*field).to_owned());
        let span = self.span(access);
        let name = names[..used].join(".");
        let read = StepRead { name, step, field: field.clone(), span, guarded: access.guarded };
        // Cases of a `switch` may use the same id, and the name then means the step of the case that ran.
        let others = self.in_other_cases(step);
        self.reads.steps.extend(others.into_iter().map(|step| StepRead { step, ..read.clone() }));
        self.reads.steps.push(read);
        self.output(access, step, used, field.as_deref()?)
    }

    /// Whether a name is a branch of a step, used as a whole.
    fn is_branch(&self, step: NodeId, name: Option<&str>) -> bool {
        match (&self.book.step(step).kind, name) {
            (Some(Kind::Parallel(parallel)), Some(name)) => parallel.branches.iter().any(|(branch, _)| branch == name),
            _ => false,
        }
    }

    /// Where names are looked for, from the inside out.
    fn scopes(&self) -> Vec<Scope> {
        let Owner::Step(owner) = self.expr.owner else {
            return self.book.main.map(Scope::Block).into_iter().collect();
        };
        let mut scopes = Vec::new();
        if self.expr.place.sees_inside() {
            scopes.push(Scope::Inside(owner));
        }
        for id in self.book.around(owner) {
            let block = self.book.step(id).block;
            scopes.push(Scope::Block(block));
            match (&self.book.block(block).role, self.book.holder(block)) {
                // What ends a block stands beside its steps and sees them as its own.
                (Role::StepFinally | Role::Catch(_) | Role::Undo, Some(holder)) => scopes.push(Scope::Inside(holder)),
                (Role::OnFailure | Role::Finally, _) => scopes.extend(self.book.main.map(Scope::Block)),
                _ => {}
            }
        }
        scopes
    }

    /// The step that the first of these names mean in a scope, and how many of them it took.
    fn find(&self, scope: Scope, names: &[&str]) -> Option<(NodeId, usize)> {
        let first = names.first()?;
        let block = match scope {
            Scope::Block(block) => block,
            Scope::Inside(step) => match &self.book.step(step).kind {
                Some(Kind::Do(block)) => *block,
                Some(Kind::Repeat(repeat)) => repeat.body,
                Some(Kind::Switch(switch)) => {
                    return switch.all().find_map(|case| Some((self.book.find(case.block, first)?, 1)));
                }
                Some(Kind::Parallel(parallel)) => {
                    let (_, block) = parallel.branches.iter().find(|(name, _)| name == first)?;
                    return self.book.find(*block, names.get(1)?).map(|step| (step, 2));
                }
                _ => return None,
            },
        };
        self.book.find(block, first).map(|step| (step, 1))
    }

    /// The steps of the same id in the other cases of a `switch`.
    fn in_other_cases(&self, step: NodeId) -> Vec<NodeId> {
        let own = self.book.step(step);
        let holder = self.book.holder(own.block).and_then(|holder| self.book.step(holder).kind.as_ref());
        let is_around = match self.expr.owner {
            Owner::Step(reader) => self.book.around(reader).any(|id| self.book.step(id).block == own.block),
            Owner::Runbook | Owner::Param(_) => false,
        };
        let cases = match holder {
            Some(Kind::Switch(switch)) if !is_around => Some(switch.all()),
            _ => None,
        };
        let id = own.id.as_ref().map(|id| id.value.as_str());
        let blocks = cases.into_iter().flatten().map(|case| case.block).filter(|block| *block != own.block);
        blocks.filter_map(|block| self.book.find(block, id?)).collect()
    }

    fn unknown_step(&self, access: &Access, scopes: &[Scope], name: &str) -> Diagnostic {
        let shown = shorten(name);
        // `steps.left` in the outputs of a `parallel` is the branch as a whole.
        if scopes.iter().any(|scope| matches!(scope, Scope::Inside(step) if self.is_branch(*step, Some(name)))) {
            let message = format!("branch `{shown}` must be followed by the id of a step");
            return self.at(Code::BARE_NAMESPACE, self.span(access), message);
        }
        if let Some((nested, step)) =
            self.book.steps().find(|(_, step)| step.id.as_ref().is_some_and(|id| id.value == name))
        {
            let message = format!("step `{shown}` stands in another block and is not seen from here");
            let in_items =
                self.book.around(nested).any(|id| self.book.block(self.book.step(id).block).role == Role::Item);
            let diagnostic = self
                .at(Code::NESTED_STEP, self.segment_span(access, 0), message)
                .also(step.id.as_ref().map_or(step.span, |id| id.span), "it stands here");
            return match self.outside_name(nested) {
                Some(path) => diagnostic.help(format!("reach it through its blocks: `steps.{path}`")),
                None if in_items => diagnostic.help("what ran in a `foreach` is read through its `results`"),
                None => {
                    diagnostic.help("give the blocks around it an `id`, or hand the value out through their `outputs`")
                }
            };
        }
        let ids = scopes.iter().flat_map(|scope| match scope {
            Scope::Block(block) => self.book.block(*block).steps.clone(),
            Scope::Inside(_) => Vec::new(),
        });
        let ids: Vec<&str> = ids.filter_map(|id| self.book.step(id).id.as_ref()).map(|id| id.value.as_str()).collect();
        let diagnostic =
            self.at(Code::UNKNOWN_STEP, self.segment_span(access, 0), format!("there is no step `{shown}`"));
        match suggest(name, ids.iter().copied()) {
            Some(near) => diagnostic.help(format!("did you mean `steps.{near}`?")),
            None => diagnostic.help("a step is named by its `id`; one without an `id` cannot be read"),
        }
    }

    /// The name of a nested step as it is written outside of its blocks, if all of these can be named.
    fn outside_name(&self, step: NodeId) -> Option<String> {
        let mut names = Vec::new();
        for id in self.book.around(step) {
            names.push(self.book.step(id).id.as_ref()?.value.clone());
            match &self.book.block(self.book.step(id).block).role {
                Role::Branch(branch) => names.push(branch.clone()),
                Role::Do | Role::Case(_) | Role::Round | Role::Main => {}
                Role::Item
                | Role::Catch(_)
                | Role::StepFinally
                | Role::Undo
                | Role::Probe
                | Role::OnFailure
                | Role::Finally => {
                    return None;
                }
            }
        }
        names.reverse();
        Some(names.join("."))
    }

    /// An output that the step does not have.
    fn output(&self, access: &Access, step: NodeId, used: usize, field: &str) -> Option<Diagnostic> {
        let outputs = Outputs::of(self.book, step)?;
        let label = self.book.label(step);
        if outputs::is_withheld(self.book.step(step), field) {
            return Some(self.withheld(self.segment_span(access, used), step, field));
        }
        if outputs.may_have(field) {
            return None;
        }
        let message = format!("step `{label}` has no output `{}`", shorten(field));
        let diagnostic = self.at(Code::UNKNOWN_OUTPUT, self.segment_span(access, used), message);
        Some(match outputs.near(field) {
            Some(near) if outputs.open => diagnostic
                .help(format!("did you mean `{near}`?"))
                .help(format!("if the command writes `{field}` to $LOCKSTEP_OUTPUT, declare it: `outputs: {{ {field}: output.{field} }}`")),
            Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
            None => diagnostic.help(outputs.describe()),
        })
    }

    /// A part of a result that nobody is given.
    fn withheld(&self, span: Span, step: NodeId, name: &str) -> Diagnostic {
        let own = self.book.step(step);
        let diagnostic =
            self.at(Code::WITHHELD, span, format!("`{name}` of step `{}` is withheld", self.book.label(step)));
        let why = own.secret_outputs.first().map_or(own.span, |secret| secret.span);
        let example = if matches!(own.kind, Some(Kind::Http(_))) { "json.expires_in" } else { "output.expires_in" };
        diagnostic
            .also(why, "it has secret outputs")
            .help(format!("declare what is needed of it: `outputs: {{ expires: {example} }}`"))
    }

    fn at(&self, code: Code, span: Span, message: impl Into<String>) -> Diagnostic {
        self.report.at(code, span, message)
    }

    fn span(&self, access: &Access) -> Span {
        self.expr.locate(access.span.start, access.span.end)
    }

    fn root_span(&self, access: &Access) -> Span {
        self.expr.locate(access.root_span.start, access.root_span.end)
    }

    fn segment_span(&self, access: &Access, index: usize) -> Span {
        match access.path.get(index) {
            Some(segment) => self.expr.locate(segment.span.start, segment.span.end),
            None => self.span(access),
        }
    }
}

/// Where a step is looked for.
#[derive(Clone, Copy)]
enum Scope {
    /// Among the steps of a block.
    Block(BlockId),
    /// Among what a step holds as its kind: the steps of a `do`, the branches of a `parallel`.
    Inside(NodeId),
}

fn path(access: &Access) -> Vec<&str> {
    access.path.iter().map(|segment| segment.name.as_str()).collect()
}
