//! Chains: `a.b["c"][d].e(f)`.

use rhai::{ASTFlags, Expr};

use super::frame::Resolved;
use super::{Lowering, wrong_arguments};
use crate::diagnostic::Code;
use crate::expr::analysis::{Call, Segment};
use crate::expr::ir::{self, Kind, Link, LinkKind, Node};
use crate::expr::library::{self, Native, Run};
use crate::expr::parse::token_end;
use crate::expr::problem::Problem;
use crate::source::Span;

/// One step of a chain in Rhai's tree, which nests chains to the right.
struct Step<'e> {
    element: &'e Expr,
    indexing: bool,
    optional: bool,
}

/// The steps of a chain in the order they are taken.
fn steps(chain: &Expr) -> Vec<Step<'_>> {
    let mut steps = Vec::new();
    let mut node = chain;
    while let Expr::Index(parts, flags, _) | Expr::Dot(parts, flags, _) = node {
        let indexing = matches!(node, Expr::Index(..));
        let optional = flags.contains(ASTFlags::NEGATED);
        match &parts.rhs {
            next @ (Expr::Index(further, ..) | Expr::Dot(further, ..)) if !flags.contains(ASTFlags::BREAK) => {
                steps.push(Step { element: &further.lhs, indexing, optional });
                node = next;
            }
            element => {
                steps.push(Step { element, indexing, optional });
                break;
            }
        }
    }
    steps
}

impl Lowering<'_> {
    /// A chain; `guarded` when `??` follows it.
    pub(super) fn chain(&mut self, chain: &Expr, guarded: bool) -> Node {
        let (Expr::Index(parts, ..) | Expr::Dot(parts, ..)) = chain else {
            return self.expression(chain);
        };
        let base = self.expression(&parts.lhs);
        let steps = steps(chain);
        let noted = matches!(base.kind, Kind::Outer(_)).then(|| self.analysis.accesses.len() - 1);
        let mut in_path = noted;
        let mut links = Vec::with_capacity(steps.len());
        let last = steps.len().saturating_sub(1);
        for (index, step) in steps.iter().enumerate() {
            let (link, span) = self.link(step, &base, &links, guarded && index == last);
            if let Some(access) = in_path {
                in_path = self.note(access, &link, span).then_some(access);
            }
            links.push(link);
        }
        // A method or computed index in between does not accept `()`.
        if let Some(access) = in_path {
            self.analysis.accesses[access].guarded |= guarded;
        }
        let at = links.first().map_or(base.at, |link| link.at);
        Node { at, kind: Kind::Chain(Box::new(ir::Chain { base, links })) }
    }

    /// Adds a link to the note of an access. Tells whether the path may go on.
    fn note(&mut self, access: usize, link: &Link, span: Span) -> bool {
        let access = &mut self.analysis.accesses[access];
        access.guarded |= link.optional;
        match &link.kind {
            LinkKind::Key(name) => {
                access.path.push(Segment { name: name.clone(), span, optional: link.optional });
                access.span = access.span.to(span);
                true
            }
            LinkKind::Index(_) => {
                access.computed = Some(span);
                false
            }
            LinkKind::Method(native, _) => {
                access.method = Some((native.name.to_owned(), span));
                false
            }
            LinkKind::Unknown(name) => {
                access.method = Some((name.clone(), span));
                false
            }
        }
    }

    fn link(&mut self, step: &Step, base: &Node, before: &[Link], guarded: bool) -> (Link, Span) {
        let optional = step.optional;
        let position = step.element.start_position();
        let span = self.positions.token(position);
        let kind = match step.element {
            Expr::Property(property, _) if !step.indexing => {
                let name = property.2.to_string();
                let span = Span::new(span.start, span.start + name.len());
                return (Link { at: span.start, optional, guarded, kind: LinkKind::Key(name) }, span);
            }
            Expr::MethodCall(call, position) if !step.indexing => {
                let at = self.positions.offset(*position);
                let span = Span::new(at, at + call.name.len());
                let args = self.nodes(&call.args);
                let kind = self.method(&call.name, args, span, base, before);
                return (Link { at, optional, guarded, kind }, span);
            }
            Expr::StringConstant(key, _) => LinkKind::Key(key.to_string()),
            index => LinkKind::Index(self.expression(index)),
        };
        let span = self.to_bracket(span);
        (Link { at: span.start, optional, guarded, kind }, span)
    }

    /// From an index to where its bracket closes, as far as that can be told without parsing.
    fn to_bracket(&self, span: Span) -> Span {
        let rest = self.positions.text().get(span.end..).unwrap_or("");
        let blank = rest.len() - rest.trim_start().len();
        if rest.trim_start().starts_with(']') { Span::new(span.start, span.end + blank) } else { span }
    }

    fn method(&mut self, name: &str, args: Vec<Node>, span: Span, base: &Node, before: &[Link]) -> LinkKind {
        let noted = Call { module: None, name: name.to_owned(), method: true, args: args.len(), span };
        self.analysis.calls.push(noted);
        let Some(native) = library::find(name).filter(|native| !matches!(native.run, Run::Free(_))) else {
            if self.named.keys().any(|(known, _)| known == name) {
                let problem =
                    Problem::new(Code::UNKNOWN_FUNCTION, span, format!("`{name}` is a function, not a method"));
                self.problem(problem.help(format!("call it as `{name}(value)`")));
            } else {
                self.unknown(name, true, span);
            }
            return LinkKind::Unknown(name.to_owned());
        };
        if !native.takes(args.len() + 1) {
            let counts = native.parameter_counts();
            let behind_dot: Vec<_> = counts.iter().filter(|count| **count > 0).map(|count| count - 1).collect();
            let problem = wrong_arguments(name, &behind_dot, args.len(), span);
            self.problem(problem);
            return LinkKind::Unknown(name.to_owned());
        }
        self.check_change(native, base, before, span);
        LinkKind::Method(native, args)
    }

    /// Notes a method that would change something that can only be read.
    pub(super) fn check_change(&mut self, native: &Native, base: &Node, before: &[Link], span: Span) {
        if !matches!(native.run, Run::Change(_)) || before.iter().any(|link| !is_key_or_index(link)) {
            return;
        }
        let (name, why) = match &base.kind {
            Kind::Outer(name) => (name.clone(), "can only be read"),
            Kind::Local(_) => {
                let end = token_end(self.positions.text(), base.at);
                let name = self.positions.text().get(base.at..end).unwrap_or("").to_owned();
                match self.resolve(&name) {
                    Resolved::Local { constant: true, .. } => (name, "is a constant"),
                    _ => return,
                }
            }
            _ => return,
        };
        self.problem(
            Problem::new(Code::READ_ONLY, span, format!("`{}` would change `{name}`, which {why}", native.name))
                .help(format!("take a copy first: `let copy = {name};`")),
        );
    }
}

fn is_key_or_index(link: &Link) -> bool {
    matches!(link.kind, LinkKind::Key(_) | LinkKind::Index(_))
}
