//! From Rhai's syntax tree to ours: names become slots, methods become functions of the library, and on the way
//! everything is noted that the front end checks.
//!
//! Nothing is evaluated, and no problem ends the work: all of them are found at once.

mod chain;
mod frame;
mod statement;

use std::collections::BTreeMap;
use std::sync::Arc;

use rhai::{AST, Dynamic, Expr, FnAccess, FnCallExpr, FnPtr, Module, Position, Stmt};

use self::frame::{Frame, FrameKind, Resolved};
use super::analysis::{Access, Analysis, Call};
use super::ir::{self, Function, Kind, Named, Natives, Node, Operator, Unit};
use super::library::{self, Run};
use super::parse::Positions;
use super::problem::Problem;
use crate::diagnostic::{Code, suggest};
use crate::limits::DIAGNOSTICS;
use crate::source::Span;
use crate::value::Value;

/// What a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// One expression.
    Expression,
    /// Statements.
    Script,
    /// Functions for others.
    Module,
}

/// Lowers a tree. The unit is only to be evaluated when the analysis has no problems.
pub(super) fn lower(ast: &AST, text: &str, role: Role, natives: Natives) -> (Unit, Analysis) {
    let mut lowering = Lowering {
        positions: Positions::new(text),
        bodies: bodies(ast),
        functions: Vec::new(),
        named: BTreeMap::new(),
        natives,
        frames: Vec::new(),
        analysis: Analysis::default(),
    };
    lowering.declare(ast);
    let main = lowering.main(ast, role);
    lowering.define();
    let Lowering { functions, named, natives, mut analysis, .. } = lowering;
    analysis.accesses.sort_by_key(|access| access.root_span.start);
    analysis.calls.sort_by_key(|call| call.span.start);
    analysis.problems.sort_by_key(|problem| problem.span.start);
    let functions = functions.into_iter().map(|function| function.unwrap_or_else(Function::empty)).collect();
    (Unit { text: text.to_owned(), main, functions, named, natives }, analysis)
}

/// A function of Rhai's tree: its parameters and its statements.
struct Body {
    params: Vec<String>,
    statements: Vec<Stmt>,
}

/// Rhai keeps the functions' bodies to itself but walks them one after the other; one function at a time, they can be
/// told apart.
fn bodies(ast: &AST) -> BTreeMap<String, Body> {
    let mut bodies = BTreeMap::new();
    for function in ast.iter_fn_def() {
        let mut alone = Module::new();
        alone.set_script_fn(Arc::clone(function));
        let mut statements = Vec::new();
        AST::new([], alone).walk(&mut |path| {
            if let [rhai::ASTNode::Stmt(statement)] = path {
                statements.push((*statement).clone());
            }
            true
        });
        let params = function.params.iter().map(ToString::to_string).collect::<Vec<_>>();
        bodies.insert(key(&function.name, params.len()), Body { params, statements });
    }
    bodies
}

/// Functions of one name differ by their number of parameters; closures have names of their own.
fn key(name: &str, params: usize) -> String {
    format!("{name}/{params}")
}

struct Lowering<'t> {
    positions: Positions<'t>,
    bodies: BTreeMap<String, Body>,
    functions: Vec<Option<Function>>,
    named: BTreeMap<(String, usize), Named>,
    natives: Natives,
    frames: Vec<Frame>,
    analysis: Analysis,
}

impl Lowering<'_> {
    /// Gives the named functions their places, so that they can call each other in any order.
    fn declare(&mut self, ast: &AST) {
        for function in ast.iter_functions().filter(|function| !is_closure(function.name)) {
            let index = self.functions.len();
            self.functions.push(None);
            let public = function.access == FnAccess::Public;
            self.named.insert((function.name.to_owned(), function.params.len()), Named { index, public });
            if function.this_type.is_some() {
                let body = self.bodies.get(&key(function.name, function.params.len()));
                let at = body.and_then(|body| body.statements.first()).map_or(Position::NONE, Stmt::position);
                self.unsupported(at, "a function of a type", "write a function with one more parameter");
            }
        }
    }

    /// Lowers the named functions.
    fn define(&mut self) {
        let named: Vec<_> =
            self.named.iter().map(|((name, params), named)| (key(name, *params), named.index)).collect();
        for (key, index) in named {
            let Some(Body { params, statements }) = self.bodies.remove(&key) else { continue };
            let function = self.function(FrameKind::Function, &params, &statements).0;
            self.functions[index] = Some(function);
        }
    }

    /// Lowers a body with its parameters, and tells what it captured.
    fn function(&mut self, kind: FrameKind, params: &[String], statements: &[Stmt]) -> (Function, Vec<(usize, usize)>) {
        let mut frame = Frame::new(kind);
        for param in params {
            frame.define(param, false);
        }
        self.frames.push(frame);
        let body = self.block(statements, Position::NONE);
        let frame = self.frames.pop().expect("the frame pushed above");
        let (slots, captures) = frame.finish();
        (Function { params: params.len(), slots, body }, captures)
    }

    fn main(&mut self, ast: &AST, role: Role) -> Function {
        match role {
            Role::Script => {}
            Role::Expression => {
                self.only_an_expression(ast);
                if !self.analysis.problems.is_empty() {
                    // What else there is to say follows from that.
                    self.named.clear();
                    return Function::empty();
                }
            }
            Role::Module => {
                if let Some(statement) = ast.statements().first() {
                    let span = self.positions.token(statement.position());
                    self.problem(Problem::new(
                        Code::MODULE_STATEMENT,
                        span,
                        "a module holds functions and nothing else",
                    ));
                }
                return Function::empty();
            }
        }
        self.function(FrameKind::Main, &[], ast.statements()).0
    }

    /// Notes what is more than one expression.
    fn only_an_expression(&mut self, ast: &AST) {
        let report = |lowering: &mut Self, span, message: &str, help: &str| {
            lowering.problem(Problem::new(Code::EXPRESSION_STATEMENT, span, message).help(help));
        };
        match ast.statements() {
            [] => {
                let end = Span::new(0, 0);
                self.problem(Problem::new(Code::EXPRESSION_SYNTAX, end, "an expression is missing"));
            }
            [Stmt::Expr(_) | Stmt::FnCall(..) | Stmt::If(..) | Stmt::Switch(..)] => {}
            [statement @ Stmt::Assignment(_)] => {
                let span = self.positions.token(statement.position());
                report(self, span, "an expression cannot assign", "compare with `==`");
            }
            [Stmt::Expr(_) | Stmt::FnCall(..), statement, ..] | [statement, ..] => {
                let span = self.positions.token(statement.position());
                report(
                    self,
                    span,
                    "only one expression may stand here, no statements",
                    "move statements into a `script` step, or a function of a module",
                );
            }
        }
        if let Some(function) = ast.iter_functions().find(|function| !is_closure(function.name)) {
            let message = format!("the function `{}` cannot be defined in an expression", function.name);
            report(self, Span::new(0, 1), &message, "define it in a module and name that under `imports`");
        }
    }

    fn problem(&mut self, problem: Problem) {
        if self.analysis.problems.len() < DIAGNOSTICS && !self.analysis.problems.contains(&problem) {
            self.analysis.problems.push(problem);
        }
    }

    fn unsupported(&mut self, at: Position, what: &str, help: &str) {
        let span = self.positions.token(at);
        let problem =
            Problem::new(Code::UNSUPPORTED_SYNTAX, span, format!("{what} is not part of the language of runbooks"));
        self.problem(if help.is_empty() { problem } else { problem.help(help) });
    }

    fn frame(&mut self) -> &mut Frame {
        self.frames.last_mut().expect("lowering starts with a frame")
    }

    fn node(&self, position: Position, kind: Kind) -> Node {
        Node { at: self.positions.offset(position), kind }
    }

    fn nodes(&mut self, expressions: &[Expr]) -> Vec<Node> {
        expressions.iter().map(|expression| self.expression(expression)).collect()
    }

    /// Lowers an expression.
    fn expression(&mut self, expression: &Expr) -> Node {
        let position = expression.position();
        let kind = match expression {
            Expr::Unit(_) => Kind::Const(Value::Null),
            Expr::BoolConstant(value, _) => Kind::Const(Value::Bool(*value)),
            Expr::IntegerConstant(value, _) => Kind::Const(Value::Int(*value)),
            Expr::FloatConstant(value, _) => Kind::Const(Value::Float(**value)),
            Expr::CharConstant(value, _) => Kind::Const(Value::String(value.to_string())),
            Expr::StringConstant(value, _) => Kind::Const(Value::String(value.to_string())),
            Expr::DynamicConstant(value, _) => self.constant(value, position),
            Expr::InterpolatedString(pieces, _) => Kind::Text(self.nodes(pieces)),
            Expr::Array(items, _) => Kind::List(self.nodes(items)),
            Expr::Map(entries, _) => Kind::Map(
                entries.0.iter().map(|(name, value)| (name.name.to_string(), self.expression(value))).collect(),
            ),
            Expr::Variable(variable, _, _) if !variable.2.is_empty() => {
                self.unsupported(
                    variable.2.position(),
                    "a variable of a module",
                    "make it a function without parameters",
                );
                Kind::Const(Value::Null)
            }
            Expr::Variable(variable, ..) => self.variable(&variable.1, position),
            Expr::ThisPtr(_) => {
                self.unsupported(position, "`this`", "give the value as a parameter");
                Kind::Const(Value::Null)
            }
            Expr::FnCall(call, _) => return self.call(call, position),
            Expr::Dot(..) | Expr::Index(..) => return self.chain(expression, false),
            Expr::And(operands, _) => Kind::And(self.nodes(operands)),
            Expr::Or(operands, _) => Kind::Or(self.nodes(operands)),
            Expr::Coalesce(operands, _) => Kind::Coalesce(self.coalesce(operands)),
            Expr::Stmt(block) => match block.statements() {
                [Stmt::Share(_), Stmt::Expr(curry)] => match &**curry {
                    Expr::FnCall(call, position) => return self.capturing_closure(call, *position),
                    other => return self.expression(other),
                },
                statements => return self.block(statements, block.position()),
            },
            Expr::Property(..) | Expr::MethodCall(..) | Expr::Custom(..) | _ => {
                self.unsupported(position, "this", "");
                Kind::Const(Value::Null)
            }
        };
        self.node(position, kind)
    }

    fn coalesce(&mut self, operands: &[Expr]) -> Vec<Node> {
        let last = operands.len().saturating_sub(1);
        let lowered = operands.iter().enumerate().map(|(index, operand)| match operand {
            Expr::Dot(..) | Expr::Index(..) if index < last => self.chain(operand, true),
            Expr::Variable(variable, ..) if index < last => {
                let node = self.expression(operand);
                self.mark_access(&variable.1, node.at, |access| access.guarded = true);
                node
            }
            operand => self.expression(operand),
        });
        lowered.collect()
    }

    /// Changes the note of the last use of a name at a place.
    fn mark_access(&mut self, root: &str, at: usize, change: impl FnOnce(&mut Access)) {
        let found = self.analysis.accesses.iter_mut().rev().find(|a| a.root == root && a.root_span.start == at);
        if let Some(access) = found {
            change(access);
        }
    }

    fn variable(&mut self, name: &str, position: Position) -> Kind {
        match self.resolve(name) {
            Resolved::Local { slot, .. } => Kind::Local(slot),
            Resolved::Outer => {
                let span = self.positions.token(position);
                self.analysis.accesses.push(Access {
                    root: name.to_owned(),
                    root_span: span,
                    path: Vec::new(),
                    computed: None,
                    method: None,
                    span,
                    only_compared_to_unit: false,
                    guarded: false,
                });
                Kind::Outer(name.to_owned())
            }
            Resolved::Unseen => {
                let span = self.positions.token(position);
                self.problem(
                    Problem::new(Code::NAME_IN_FUNCTION, span, format!("a function does not see `{name}`"))
                        .help("a function sees its parameters and nothing else: give the value as one"),
                );
                Kind::Const(Value::Null)
            }
        }
    }

    fn constant(&mut self, value: &Dynamic, position: Position) -> Kind {
        match value.clone().try_cast::<FnPtr>() {
            Some(function) if is_closure(function.fn_name()) => self.closure(function.fn_name(), 0),
            _ => {
                self.unsupported(position, "a function by its name", "write a closure: `|x| name(x)`");
                Kind::Const(Value::Null)
            }
        }
    }

    /// A closure that uses variables around it: Rhai makes it a call of `curry` with those in front.
    fn capturing_closure(&mut self, curry: &FnCallExpr, position: Position) -> Node {
        let kind = match curry.args.first() {
            Some(Expr::DynamicConstant(value, _)) => match value.clone().try_cast::<FnPtr>() {
                Some(function) => self.closure(function.fn_name(), curry.args.len() - 1),
                None => Kind::Const(Value::Null),
            },
            _ => Kind::Const(Value::Null),
        };
        self.node(position, kind)
    }

    fn closure(&mut self, name: &str, leading: usize) -> Kind {
        let prefix = format!("{name}/");
        let key = self.bodies.range(prefix.clone()..).next().map(|(key, _)| key.clone());
        let Some(Body { params, statements }) =
            key.filter(|key| key.starts_with(&prefix)).and_then(|key| self.bodies.remove(&key))
        else {
            return Kind::Const(Value::Null);
        };
        let params = params.get(leading..).unwrap_or_default().to_vec();
        let (function, captures) = self.function(FrameKind::Closure, &params, &statements);
        let index = self.functions.len();
        self.functions.push(Some(function));
        Kind::Closure(Box::new(ir::Closure { function: index, captures }))
    }

    /// A call that does not stand behind a dot: an operator, a function of the text, of a module or of the library.
    fn call(&mut self, call: &FnCallExpr, position: Position) -> Node {
        let name = call.name.as_str();
        // Rhai makes `a in b` a call of `contains` that looks like any other, but for what stands at its place.
        let is_in = name == "contains" && !self.positions.rest(position).starts_with(name);
        if call.op_token.is_some() || is_in {
            let kind = self.operator(call, position);
            return self.node(position, kind);
        }
        if !call.namespace.is_empty() {
            return self.module_call(call, position);
        }
        let at = self.positions.offset(position);
        let args = self.nodes(&call.args);
        let span = Span::new(at, at + name.len());
        let noted = Call { module: None, name: name.to_owned(), method: false, args: args.len(), span };
        self.analysis.calls.push(noted);
        if let Some(named) = self.named.get(&(name.to_owned(), args.len())) {
            return Node { at, kind: Kind::Call(named.index, args) };
        }
        if let Some(native) = self.natives.get(&(name, args.len())) {
            return Node { at, kind: Kind::Native(native, args) };
        }
        if let Some(counts) = self.parameter_counts(name) {
            let problem = wrong_arguments(name, &counts, args.len(), span);
            self.problem(problem);
            return Node { at, kind: Kind::Unknown(name.to_owned()) };
        }
        self.library_call(name, args, span)
    }

    /// The numbers of parameters that functions of this name in the text take.
    fn parameter_counts(&self, name: &str) -> Option<Vec<usize>> {
        let counts: Vec<_> = self.named.keys().filter(|(known, _)| known == name).map(|(_, params)| *params).collect();
        (!counts.is_empty()).then_some(counts)
    }

    fn library_call(&mut self, name: &str, mut args: Vec<Node>, span: Span) -> Node {
        let at = span.start;
        let Some(native) = library::find(name) else {
            self.unknown(name, false, span);
            return Node { at, kind: Kind::Unknown(name.to_owned()) };
        };
        if !native.takes(args.len()) {
            let problem = wrong_arguments(name, &native.parameter_counts(), args.len(), span);
            self.problem(problem);
            return Node { at, kind: Kind::Unknown(name.to_owned()) };
        }
        if let Run::Free(_) = native.run {
            return Node { at, kind: Kind::Free(native, args) };
        }
        let base = args.remove(0);
        self.check_change(native, &base, &[], span);
        let link = ir::Link { at, optional: false, guarded: false, kind: ir::LinkKind::Method(native, args) };
        Node { at, kind: Kind::Chain(Box::new(ir::Chain { base, links: vec![link] })) }
    }

    fn unknown(&mut self, name: &str, method: bool, span: Span) {
        let what = if method { "method" } else { "function" };
        let problem = Problem::new(Code::UNKNOWN_FUNCTION, span, format!("there is no {what} `{name}`"));
        let help = library::instead_of(name).map(str::to_owned).or_else(|| {
            let own = self.named.keys().filter(|_| !method).map(|(name, _)| name.as_str());
            let known = own.chain(library::names().map(|name| -> &str { name }));
            suggest(name, known).map(|close| format!("did you mean `{close}`?"))
        });
        self.problem(match help {
            Some(help) => problem.help(help),
            None => problem,
        });
    }

    fn module_call(&mut self, call: &FnCallExpr, position: Position) -> Node {
        let module = call.namespace.to_string();
        let args = self.nodes(&call.args);
        let start = self.positions.offset(call.namespace.position());
        let at = self.positions.offset(position).max(start);
        let end = start + module.len() + "::".len() + call.name.len();
        self.analysis.calls.push(Call {
            module: Some(module.clone()),
            name: call.name.to_string(),
            method: false,
            args: args.len(),
            span: Span::new(start, end),
        });
        let name = call.name.to_string();
        Node { at, kind: Kind::Module(Box::new(ir::ModuleCall { module, name, args })) }
    }

    fn operator(&mut self, call: &FnCallExpr, position: Position) -> Kind {
        match (call.name.as_str(), call.args.as_slice()) {
            ("!", [operand]) => Kind::Not(Box::new(self.expression(operand))),
            ("-", [operand]) => Kind::Negate(Box::new(self.expression(operand))),
            ("contains", [list, item]) => {
                let native = library::find("contains").expect("the library has `contains`");
                let at = self.positions.offset(position);
                let args = vec![self.expression(item)];
                let base = self.expression(list);
                let link = ir::Link { at, optional: false, guarded: false, kind: ir::LinkKind::Method(native, args) };
                Kind::Chain(Box::new(ir::Chain { base, links: vec![link] }))
            }
            (symbol @ (".." | "..="), [start, end]) => {
                let mut side = |side: &Expr| (!matches!(side, Expr::Unit(_))).then(|| self.expression(side));
                let (start, end) = (side(start), side(end));
                Kind::Range(Box::new(ir::Range { start, end, inclusive: symbol == "..=" }))
            }
            (symbol, [left, right]) if Operator::of(symbol).is_some() => {
                let operator = Operator::of(symbol).expect("asked just before");
                let operands = (self.expression(left), self.expression(right));
                if let Operator::Equal | Operator::NotEqual = operator {
                    self.note_comparison(left, right);
                }
                Kind::Binary(operator, Box::new(operands))
            }
            (symbol, operands) => {
                let help = match symbol {
                    "&" => "for both of two conditions write `&&`",
                    "|" => "for either of two conditions write `||`",
                    _ => "",
                };
                self.nodes(operands);
                self.unsupported(position, &format!("the operator `{symbol}`"), help);
                Kind::Const(Value::Null)
            }
        }
    }

    /// Notes that what stands on one side is only compared with `()` on the other.
    fn note_comparison(&mut self, left: &Expr, right: &Expr) {
        let ((operand, Expr::Unit(_)) | (Expr::Unit(_), operand)) = (left, right) else { return };
        let start = self.positions.offset(operand.start_position());
        let found = self.analysis.accesses.iter_mut().rev().find(|access| access.root_span.start == start);
        if let Some(access) = found.filter(|access| access.method.is_none() && access.computed.is_none()) {
            access.only_compared_to_unit = true;
        }
    }
}

/// Rhai's names for closures.
fn is_closure(name: &str) -> bool {
    name.starts_with("anon$")
}

fn wrong_arguments(name: &str, counts: &[usize], given: usize, span: Span) -> Problem {
    let wanted = match counts {
        [0] => "no arguments".to_owned(),
        [1] => "1 argument".to_owned(),
        [one] => format!("{one} arguments"),
        [some @ .., last] => {
            let some = some.iter().map(usize::to_string).collect::<Vec<_>>().join(", ");
            format!("{some} or {last} arguments")
        }
        [] => "other arguments".to_owned(),
    };
    Problem::new(Code::WRONG_ARGUMENTS, span, format!("`{name}` takes {wanted}, not {given}"))
}

/// The value of a literal in Rhai's tree.
fn value_of(value: &Dynamic) -> Option<Value> {
    if value.is_unit() {
        return Some(Value::Null);
    }
    if let Ok(text) = value.as_immutable_string_ref() {
        return Some(Value::String(text.to_string()));
    }
    let value = value.clone();
    value
        .as_bool()
        .map(Value::Bool)
        .or_else(|_| value.as_int().map(Value::Int))
        .or_else(|_| value.as_float().map(Value::Float))
        .or_else(|_| value.as_char().map(|value| Value::String(value.to_string())))
        .ok()
}
