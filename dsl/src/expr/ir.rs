//! What expressions are lowered to: Rhai's syntax tree with names resolved to slots, methods to functions of the
//! library, and positions to byte offsets.
//!
//! Nothing here knows Rhai. A tree is immutable and shared by every evaluation.

use std::collections::BTreeMap;

use super::library::Native;
use super::module::NativeFunction;
use crate::value::Value;

/// One compiled text: an expression, a script or a module.
#[derive(Debug)]
pub(super) struct Unit {
    /// What it was compiled from, for positions in errors.
    pub text: String,
    /// Its statements; `()` for a module.
    pub main: Function,
    /// Its functions, closures among them.
    pub functions: Vec<Function>,
    /// The named functions by name and number of parameters.
    pub named: BTreeMap<(String, usize), Named>,
    /// The functions in Rust of a module that ships with the program, likewise.
    pub natives: Natives,
}

/// Functions in Rust by name and number of parameters.
pub(super) type Natives = BTreeMap<(&'static str, usize), &'static NativeFunction>;

/// A function that text can name.
#[derive(Clone, Copy, Debug)]
pub(super) struct Named {
    /// Its place in [`Unit::functions`].
    pub index: usize,
    /// Whether other units may call it.
    pub public: bool,
}

/// A body with its own slots.
#[derive(Debug)]
pub(super) struct Function {
    /// The first slots are parameters.
    pub params: usize,
    /// Slots in all.
    pub slots: usize,
    /// What it evaluates to.
    pub body: Node,
}

impl Function {
    /// A function that gives `()`.
    pub const fn empty() -> Self {
        Self { params: 0, slots: 0, body: Node { at: 0, kind: Kind::Const(Value::Null) } }
    }
}

/// One node of the tree.
#[derive(Debug)]
pub(super) struct Node {
    /// Byte offset that errors point at.
    pub at: usize,
    /// What it is.
    pub kind: Kind,
}

/// The kinds of nodes. Statements are nodes too: their value is `()`.
#[derive(Debug)]
pub(super) enum Kind {
    /// A literal.
    Const(Value),
    /// A variable of the function.
    Local(usize),
    /// A name of the scope the caller gives.
    Outer(String),
    /// Text with values in it.
    Text(Vec<Node>),
    /// `[a, b]`.
    List(Vec<Node>),
    /// `#{ a: 1 }`.
    Map(Vec<(String, Node)>),
    /// `!a`.
    Not(Box<Node>),
    /// `-a`.
    Negate(Box<Node>),
    /// `a + b` and its like.
    Binary(Operator, Box<(Node, Node)>),
    /// `a && b`.
    And(Vec<Node>),
    /// `a || b`.
    Or(Vec<Node>),
    /// `a ?? b`.
    Coalesce(Vec<Node>),
    /// `a..b` and `a..=b`.
    Range(Box<Range>),
    /// `a.b[c].d(e)`.
    Chain(Box<Chain>),
    /// A call of a function of the same unit.
    Call(usize, Vec<Node>),
    /// A call of a function of the library that has no receiver.
    Free(&'static Native, Vec<Node>),
    /// A call of a function in Rust of the same module.
    Native(&'static NativeFunction, Vec<Node>),
    /// `text::slug(x)`.
    Module(Box<ModuleCall>),
    /// A function or method that does not exist. The front end refuses it long before it is evaluated.
    Unknown(String),
    /// `|x| x + y`.
    Closure(Box<Closure>),
    /// `{ a; b }`: the value of the last.
    Block(Vec<Node>),
    /// `if`: condition, then, else.
    If(Box<(Node, Node, Node)>),
    /// `switch`.
    Switch(Box<Switch>),
    /// `while` and `loop`: condition, body.
    While(Box<(Node, Node)>),
    /// `do { } while` and `do { } until`.
    Do(Box<DoLoop>),
    /// `for x in y`.
    For(Box<ForLoop>),
    /// `let`: slot and value.
    Let(usize, Box<Node>),
    /// `a.b = c` and `a += b`.
    Assign(Box<Assign>),
    /// `break` with its value.
    Break(Option<Box<Node>>),
    /// `continue`.
    Continue,
    /// `return` with its value.
    Return(Option<Box<Node>>),
    /// `throw` with its value.
    Throw(Option<Box<Node>>),
    /// `try { } catch (e) { }`.
    Try(Box<Try>),
}

/// Operators of two operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    Power,
}

impl Operator {
    /// The operator with this spelling.
    pub fn of(symbol: &str) -> Option<Self> {
        Some(match symbol {
            "==" => Self::Equal,
            "!=" => Self::NotEqual,
            "<" => Self::Less,
            "<=" => Self::LessOrEqual,
            ">" => Self::Greater,
            ">=" => Self::GreaterOrEqual,
            "+" => Self::Add,
            "-" => Self::Subtract,
            "*" => Self::Multiply,
            "/" => Self::Divide,
            "%" => Self::Remainder,
            "**" => Self::Power,
            _ => return None,
        })
    }

    /// Its spelling.
    pub const fn symbol(self) -> &'static str {
        match self {
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Remainder => "%",
            Self::Power => "**",
        }
    }
}

/// `start..end`; what is left out is `None`.
#[derive(Debug)]
pub(super) struct Range {
    pub start: Option<Node>,
    pub end: Option<Node>,
    pub inclusive: bool,
}

/// Something, and what is taken from it step by step.
#[derive(Debug)]
pub(super) struct Chain {
    pub base: Node,
    pub links: Vec<Link>,
}

/// One step of a [`Chain`].
#[derive(Debug)]
pub(super) struct Link {
    /// Byte offset of the name or index.
    pub at: usize,
    /// `?.` and `?[`: the whole chain is `()` where it is applied to `()`.
    pub optional: bool,
    /// The chain ends here and `??` follows: what is missing is `()`.
    pub guarded: bool,
    pub kind: LinkKind,
}

/// What a [`Link`] takes.
#[derive(Debug)]
pub(super) enum LinkKind {
    /// `.name` and `["name"]`.
    Key(String),
    /// `[expression]`.
    Index(Node),
    /// `.method(args)`.
    Method(&'static Native, Vec<Node>),
    /// A method that does not exist.
    Unknown(String),
}

/// A call of a function of another module.
#[derive(Debug)]
pub(super) struct ModuleCall {
    pub module: String,
    pub name: String,
    pub args: Vec<Node>,
}

/// A function value: which function, and which variables of the enclosing one it shares.
#[derive(Debug)]
pub(super) struct Closure {
    pub function: usize,
    /// Slots of the enclosing function, each with the closure's own slot.
    pub captures: Vec<(usize, usize)>,
}

/// `switch`: the value, the cases in order, and what holds for none.
#[derive(Debug)]
pub(super) struct Switch {
    pub value: Node,
    pub cases: Vec<Case>,
    pub otherwise: Option<Node>,
}

/// One case of a [`Switch`].
#[derive(Debug)]
pub(super) struct Case {
    pub labels: Vec<Label>,
    pub guard: Option<Node>,
    pub body: Node,
}

/// What a [`Case`] holds for.
#[derive(Debug)]
pub(super) enum Label {
    Value(Value),
    /// Closed on both sides.
    Range(i64, i64),
}

/// `do { body } while condition`.
#[derive(Debug)]
pub(super) struct DoLoop {
    pub body: Node,
    pub condition: Node,
    /// The loop goes on while the condition equals this.
    pub goes_on: bool,
}

/// `for (item, counter) in iterable { body }`.
#[derive(Debug)]
pub(super) struct ForLoop {
    pub item: usize,
    pub counter: Option<usize>,
    pub iterable: Node,
    pub body: Node,
}

/// An assignment to a variable or to something in it.
#[derive(Debug)]
pub(super) struct Assign {
    pub slot: usize,
    /// Only keys and indices.
    pub links: Vec<Link>,
    /// `+=`; `None` for `=`.
    pub operator: Option<Operator>,
    pub value: Node,
}

/// `try { body } catch (error) { handler }`.
#[derive(Debug)]
pub(super) struct Try {
    pub body: Node,
    pub error: Option<usize>,
    pub handler: Node,
}
