//! Statements: Rhai's to ours.

use rhai::{ASTFlags, BinaryExpr, Expr, OpAssignment, Position, Stmt, SwitchCasesCollection};

use super::Lowering;
use super::frame::Resolved;
use crate::diagnostic::Code;
use crate::expr::ir::{self, Kind, Node, Operator};
use crate::expr::library::{Native, Run};
use crate::expr::problem::Problem;
use crate::source::Span;
use crate::value::Value;

impl Lowering<'_> {
    /// A block: its value is that of its last statement.
    pub(super) fn block(&mut self, statements: &[Stmt], position: Position) -> Node {
        let visible = self.frame().enter();
        let last = statements.len().saturating_sub(1);
        let mut nodes = Vec::with_capacity(statements.len());
        for (index, statement) in statements.iter().enumerate() {
            let node = self.statement(statement);
            if index < last {
                self.check_used(&node);
            }
            nodes.push(node);
        }
        self.frame().leave(visible);
        match <[Node; 1]>::try_from(nodes) {
            Ok([node]) => node,
            Err(nodes) => {
                let at = nodes.first().map_or_else(|| self.positions.offset(position), |node| node.at);
                if nodes.is_empty() {
                    return Node { at, kind: Kind::Const(Value::Null) };
                }
                Node { at, kind: Kind::Block(nodes) }
            }
        }
    }

    /// The body of a loop: nobody uses its value.
    fn body(&mut self, statements: &[Stmt], position: Position) -> Node {
        self.frame().loops += 1;
        let body = self.block(statements, position);
        self.frame().loops -= 1;
        match &body.kind {
            Kind::Block(nodes) => {
                if let Some(last) = nodes.last() {
                    self.check_used(last);
                }
            }
            _ if !statements.is_empty() => self.check_used(&body),
            _ => {}
        }
        body
    }

    fn statement(&mut self, statement: &Stmt) -> Node {
        let position = statement.position();
        let kind = match statement {
            Stmt::Expr(expression) => return self.expression(expression),
            Stmt::FnCall(call, position) => return self.call(call, *position),
            Stmt::Block(block) => return self.block(block.statements(), block.position()),
            Stmt::If(parts, _) => {
                let condition = self.expression(&parts.expr);
                let then = self.block(parts.body.statements(), parts.body.position());
                let otherwise = self.block(parts.branch.statements(), parts.branch.position());
                Kind::If(Box::new((condition, then, otherwise)))
            }
            Stmt::Switch(switch, _) => self.switch(&switch.0, &switch.1),
            Stmt::While(parts, _) => {
                let condition = match &parts.expr {
                    Expr::Unit(_) => self.node(position, Kind::Const(Value::Bool(true))),
                    condition => self.expression(condition),
                };
                let body = self.body(parts.body.statements(), parts.body.position());
                Kind::While(Box::new((condition, body)))
            }
            Stmt::Do(parts, flags, _) => {
                let body = self.body(parts.body.statements(), parts.body.position());
                let condition = self.expression(&parts.expr);
                Kind::Do(Box::new(ir::DoLoop { body, condition, goes_on: !flags.contains(ASTFlags::NEGATED) }))
            }
            Stmt::For(parts, _) => {
                let (item, counter, flow) = &**parts;
                let iterable = self.expression(&flow.expr);
                let visible = self.frame().enter();
                let counter = counter.as_ref().map(|counter| self.frame().define(&counter.name, false));
                let item = self.frame().define(&item.name, false);
                let body = self.body(flow.body.statements(), flow.body.position());
                self.frame().leave(visible);
                Kind::For(Box::new(ir::ForLoop { item, counter, iterable, body }))
            }
            Stmt::Var(parts, flags, _) => {
                let value = match &parts.1 {
                    Expr::Unit(_) => self.node(position, Kind::Const(Value::Null)),
                    value => self.expression(value),
                };
                let slot = self.frame().define(&parts.0.name, flags.contains(ASTFlags::CONSTANT));
                Kind::Let(slot, Box::new(value))
            }
            Stmt::Assignment(parts) => return self.assignment(&parts.0, &parts.1),
            Stmt::TryCatch(parts, _) => {
                let body = self.block(parts.body.statements(), parts.body.position());
                let visible = self.frame().enter();
                let error = match &parts.expr {
                    Expr::Variable(variable, ..) => Some(self.frame().define(&variable.1, false)),
                    _ => None,
                };
                let handler = self.block(parts.branch.statements(), parts.branch.position());
                self.frame().leave(visible);
                Kind::Try(Box::new(ir::Try { body, error, handler }))
            }
            Stmt::BreakLoop(value, flags, _) => {
                if flags.contains(ASTFlags::BREAK) {
                    Kind::Break(value.as_ref().map(|value| Box::new(self.expression(value))))
                } else {
                    Kind::Continue
                }
            }
            Stmt::Return(value, flags, _) => {
                let value = value.as_ref().map(|value| Box::new(self.expression(value)));
                if flags.contains(ASTFlags::BREAK) { Kind::Throw(value) } else { Kind::Return(value) }
            }
            Stmt::Import(..) => {
                self.unsupported(position, "`import`", "name the module under the runbook's `imports`");
                Kind::Const(Value::Null)
            }
            Stmt::Export(..) => {
                self.unsupported(position, "`export`", "a module offers its functions as they are");
                Kind::Const(Value::Null)
            }
            Stmt::Noop(_) | Stmt::Share(_) => Kind::Const(Value::Null),
            _ => {
                self.unsupported(position, "this statement", "");
                Kind::Const(Value::Null)
            }
        };
        self.node(position, kind)
    }

    fn switch(&mut self, value: &Expr, cases: &SwitchCasesCollection) -> Kind {
        let value = self.expression(value);
        let mut lowered: Vec<_> = cases.expressions.iter().map(|case| self.case(case)).collect();
        for case in cases.cases.values() {
            if let Some(label) = super::value_of(&case.value) {
                for &index in &case.blocks {
                    lowered[index].labels.push(ir::Label::Value(label.clone()));
                }
            }
        }
        for range in &cases.ranges {
            let (index, first, last) = match range {
                rhai::RangeCase::ExclusiveInt(range, index) => (*index, range.start, range.end.saturating_sub(1)),
                rhai::RangeCase::InclusiveInt(range, index) => (*index, *range.start(), *range.end()),
            };
            lowered[index].labels.push(ir::Label::Range(first, last));
        }
        let otherwise = cases.def_case.map(|index| {
            let unit = Node { at: 0, kind: Kind::Const(Value::Null) };
            std::mem::replace(&mut lowered[index].body, unit)
        });
        Kind::Switch(Box::new(ir::Switch { value, cases: lowered, otherwise }))
    }

    fn case(&mut self, case: &BinaryExpr) -> ir::Case {
        let guard = match &case.lhs {
            Expr::BoolConstant(true, position) if position.is_none() => None,
            guard => Some(self.expression(guard)),
        };
        ir::Case { labels: Vec::new(), guard, body: self.expression(&case.rhs) }
    }

    fn assignment(&mut self, operation: &OpAssignment, sides: &BinaryExpr) -> Node {
        let position = operation.position();
        let at = self.positions.offset(position);
        let value = self.expression(&sides.rhs);
        let operator = match operation.get_op_assignment_info() {
            None => None,
            Some((.., symbol)) => {
                let operator = Operator::of(symbol);
                if operator.is_none() {
                    self.unsupported(position, &format!("the operator `{symbol}=`"), "");
                }
                operator
            }
        };
        let target = self.expression(&sides.lhs);
        let start = self.positions.offset(sides.lhs.start_position());
        let (base, links) = match target.kind {
            Kind::Chain(chain) => (chain.base, chain.links),
            kind => (Node { at: target.at, kind }, Vec::new()),
        };
        let kind = match base.kind {
            Kind::Local(slot) if links.iter().all(is_place) => {
                Kind::Assign(Box::new(ir::Assign { slot, links, operator, value }))
            }
            Kind::Outer(name) => {
                let span = Span::new(start, start + name.len());
                self.problem(
                    Problem::new(Code::READ_ONLY, span, format!("`{name}` can only be read"))
                        .help(format!("take a copy first: `let copy = {name};`")),
                );
                Kind::Const(Value::Null)
            }
            _ => {
                let span = Span::new(start, at.max(start));
                self.problem(Problem::new(Code::READ_ONLY, span, "this cannot be assigned to"));
                Kind::Const(Value::Null)
            }
        };
        if let (Kind::Assign(assign), Some(name)) = (&kind, first_name(&sides.lhs))
            && let Resolved::Local { slot, constant: true } = self.resolve(name)
            && slot == assign.slot
        {
            let span = Span::new(start, start + name.len());
            self.problem(Problem::new(Code::READ_ONLY, span, format!("`{name}` is a constant")));
        }
        Node { at, kind }
    }

    /// Notes a statement whose value nobody uses and that does nothing else: mostly a method that gives a new value.
    fn check_used(&mut self, node: &Node) {
        let what = match &node.kind {
            Kind::Chain(chain) => match chain.links.last().map(|link| &link.kind) {
                Some(ir::LinkKind::Method(native, _)) if gives_a_new_value(native) => {
                    format!("`{}` gives a new value, which nothing uses", native.name)
                }
                Some(ir::LinkKind::Key(_) | ir::LinkKind::Index(_)) => "nothing uses this value".to_owned(),
                _ => return,
            },
            Kind::Binary(..) | Kind::Local(_) | Kind::Outer(_) | Kind::Text(_) | Kind::List(_) | Kind::Map(_) => {
                "nothing uses this value".to_owned()
            }
            Kind::Const(value) if *value != Value::Null => "nothing uses this value".to_owned(),
            _ => return,
        };
        let at = match &node.kind {
            Kind::Chain(chain) => chain.links.last().map_or(node.at, |link| link.at),
            _ => node.at,
        };
        let span = Span::new(at, crate::expr::parse::token_end(self.positions.text(), at));
        self.problem(Problem::new(Code::UNUSED_VALUE, span, what).help("assign it: `x = ...`"));
    }
}

/// Whether calling a method makes no sense but for its value.
fn gives_a_new_value(native: &Native) -> bool {
    match native.run {
        Run::Method(_) => true,
        Run::Each(_) => !matches!(native.name, "call" | "for_each"),
        Run::Free(_) | Run::Change(_) => false,
    }
}

fn is_place(link: &ir::Link) -> bool {
    matches!(link.kind, ir::LinkKind::Key(_) | ir::LinkKind::Index(_))
}

/// The variable that a target of an assignment begins with.
fn first_name(target: &Expr) -> Option<&str> {
    match target {
        Expr::Variable(variable, ..) => Some(&variable.1),
        Expr::Dot(parts, ..) | Expr::Index(parts, ..) => first_name(&parts.lhs),
        _ => None,
    }
}
