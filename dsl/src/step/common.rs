//! The keys that every step may have.

use crate::compile::keys::Keys;
use crate::compile::reader::Reader;
use crate::diagnostic::Code;
use crate::graph::{Effect, NodeId, OnError, Role};
use crate::runbook::{Handler, Jump, JumpOrigin, Place, Step};
use crate::source::Spanned;
use crate::yaml::{Mapping, Node};

const EFFECTS: &[(&str, Effect)] =
    &[("pure", Effect::Pure), ("idempotent", Effect::Idempotent), ("once", Effect::Once)];

const ON_ERRORS: &[(&str, OnError)] =
    &[("fail", OnError::Fail), ("continue", OnError::Continue), ("late", OnError::Late)];

const CATCH: Keys = Keys {
    of: "an entry of `catch`",
    known: &["when", "steps", "next"],
    later: &[],
    hints: &[("if", "a condition is called `when`"), ("do", "its steps stand under `steps`")],
};

impl Reader<'_> {
    /// Reads the common keys of a step into it.
    pub(super) fn common_keys(&mut self, mapping: &Mapping, id: NodeId, step: &mut Step) {
        for (key, value) in &mapping.entries {
            match key.text.as_str() {
                "id" => step.id = self.constant(value, "`id`"),
                "title" => step.title = self.text(value, "`title`", Place::Title),
                "when" => step.when = self.expression(value, "`when`", Place::When),
                "needs" => step.needs = self.needs(value),
                "disabled" => step.disabled = self.disabled(value),
                "effect" => step.effect = self.choice(value, "`effect`", EFFECTS),
                "retry" => {
                    step.retry = super::read_retry(self, value).map(|retry| Spanned::new(retry, key.span));
                }
                "timeout" => step.timeout = super::read_timeouts(self, value),
                "next" => self.jump(value, id, JumpOrigin::Step),
                "on_error" => step.on_error = self.on_error(value, id),
                "catch" => step.catch = self.catch(value, id),
                "finally" => {
                    let block = self.block(value, "`finally`", Some(id), Role::StepFinally);
                    step.finally = block.map(|block| Spanned::new(block, key.span));
                }
                "undo" => {
                    let block = self.block(value, "`undo`", Some(id), Role::Undo);
                    step.undo = block.map(|block| Spanned::new(block, key.span));
                }
                "probe" => {
                    step.probe = super::probe::read(self, value, id).map(|probe| Spanned::new(probe, key.span));
                }
                "outputs" => step.outputs = self.expressions(value, "`outputs`", Place::Outputs),
                "secret_outputs" => step.secret_outputs = self.secret_outputs(value),
                "env" => step.env = self.texts(value, "`env`", Place::Env),
                "until" => {
                    let until = self.expression(value, "`until`", Place::Until);
                    step.until = until.map(|until| Spanned::new(until, key.span));
                }
                "every" => {
                    step.every =
                        self.duration(value, "`every`").map(|every| Spanned::new(every.value, key.span.to(every.span)));
                }
                "lock" => step.lock = super::lock::read(self, value),
                _ => {}
            }
        }
    }

    fn needs(&mut self, node: &Node) -> Option<Vec<Spanned<String>>> {
        match node {
            Node::Sequence(list) => {
                Some(list.items.iter().filter_map(|item| self.constant(item, "an element of `needs`")).collect())
            }
            Node::Scalar(_) | Node::Mapping(_) => {
                self.wrong_type(node, "`needs`", "a list of ids, such as `[build, test]`");
                None
            }
        }
    }

    fn secret_outputs(&mut self, node: &Node) -> Vec<Spanned<String>> {
        let Some(list) = self.sequence(node, "`secret_outputs`", "a list of outputs, such as `[token]`") else {
            return Vec::new();
        };
        list.items.iter().filter_map(|item| self.constant(item, "an element of `secret_outputs`")).collect()
    }

    /// `disabled: <reason>`; a bare `true` gives no reason, and `false` looks as if it did.
    fn disabled(&mut self, node: &Node) -> Option<Spanned<String>> {
        let reason = self.constant(node, "`disabled`")?;
        if matches!(reason.value.as_str(), "true" | "false") {
            let diagnostic = self
                .at(Code::DISABLED_WITHOUT_REASON, reason.span, "`disabled` takes the reason why the step is left out")
                .help("write `disabled: waiting for the new disks`, or leave the key out to enable the step");
            self.report(diagnostic);
        }
        Some(reason)
    }

    /// Notes a `next`.
    pub(super) fn jump(&mut self, node: &Node, step: NodeId, origin: JumpOrigin) {
        if let Some(to) = self.constant(node, "`next`") {
            self.book.jumps.push(Jump { step, origin, to });
        }
    }

    fn on_error(&mut self, node: &Node, id: NodeId) -> Option<Spanned<OnError>> {
        if let Node::Mapping(_) = node {
            let mapping = self.mapping(node, &Keys::only("`on_error`", &["next"]))?;
            let next = self.required(mapping, "`on_error`", "next", "next: cleanup")?;
            self.jump(next, id, JumpOrigin::OnError);
            return Some(Spanned::new(OnError::Continue, mapping.span));
        }
        self.choice(node, "`on_error`", ON_ERRORS)
    }

    fn catch(&mut self, node: &Node, id: NodeId) -> Vec<Handler> {
        let Some(entries) = self.sequence(node, "`catch`", "a list of handlers, each with `when` and `steps`") else {
            return Vec::new();
        };
        let mut handlers = Vec::new();
        for (entry, index) in entries.items.iter().zip(0u32..) {
            let Some(mapping) = self.mapping(entry, &CATCH) else { continue };
            let when = mapping.get("when").and_then(|when| self.expression(when, "`when`", Place::CatchWhen));
            // No steps, or an empty list of them, handles a failure by doing nothing.
            let block = match mapping.get("steps") {
                Some(Node::Sequence(steps)) => self.block_of(&steps.items, Some(id), Role::Catch(index)),
                Some(other) => {
                    self.wrong_type(other, "`steps`", "a list of steps");
                    continue;
                }
                None => self.block_of(&[], Some(id), Role::Catch(index)),
            };
            let has_when = mapping.get("when").is_some();
            if let Some(next) = mapping.get("next") {
                self.jump(next, id, JumpOrigin::Catch(handlers.len()));
            }
            handlers.push(Handler { span: mapping.span, has_when, when, block });
        }
        handlers
    }
}
