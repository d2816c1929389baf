//! `params`: the declared inputs, checked as far as they can be without a value.

use crate::diagnostic::{Code, suggest};
use crate::graph::{Field, Param, ParamType};
use crate::param;
use crate::runbook::{Owner, Place};
use crate::scalar;
use crate::source::Spanned;
use crate::value::Value;
use crate::yaml::{Mapping, Node};

use super::field::list;
use super::keys::{Keys, quoted, shorten};
use super::reader::Reader;

const KEYS: Keys = Keys {
    of: "a parameter",
    known: &["type", "description", "default", "optional", "enum", "pattern", "min", "max", "items", "check"],
    later: &[],
    hints: &[
        ("required", "a parameter without `default` and without `optional: true` is required"),
        ("regex", "the regular expression is called `pattern`"),
        ("values", "the allowed values are called `enum`"),
        ("choices", "the allowed values are called `enum`"),
        ("options", "the allowed values are called `enum`"),
        ("minimum", "the bounds are called `min` and `max`"),
        ("maximum", "the bounds are called `min` and `max`"),
    ],
};

const TYPES: &[(&str, ParamType)] = &[
    ("string", ParamType::String),
    ("int", ParamType::Int),
    ("float", ParamType::Float),
    ("bool", ParamType::Bool),
    ("duration", ParamType::Duration),
    ("time", ParamType::Time),
    ("size", ParamType::Size),
    ("list", ParamType::List(None)),
    ("map", ParamType::Map),
    ("secret", ParamType::Secret),
    ("any", ParamType::Any),
];

/// Types of other tools, each with the one that is meant.
const FOREIGN_TYPES: &[(&str, &str)] = &[
    ("str", "string"),
    ("text", "string"),
    ("integer", "int"),
    ("number", "float"),
    ("boolean", "bool"),
    ("array", "list"),
    ("object", "map"),
    ("dict", "map"),
    ("password", "secret"),
    ("datetime", "time"),
    ("date", "time"),
    ("bytes", "size"),
    ("choice", "string"),
    ("enum", "string"),
];

impl Reader<'_> {
    pub(super) fn params(&mut self, node: &Node) {
        let Some(mapping) = self.names(node, "`params`") else { return };
        for (key, value) in &mapping.entries {
            self.name(key, "a parameter's name");
            let owner = Owner::Param(self.book.params.len());
            let param = self.owned_by(owner, |reader| reader.param(&key.text, value));
            self.book.params.push(Spanned::new(param, key.span));
        }
    }

    /// A parameter, or a field of an `ask`, as far as it could be read; without a type it takes anything, so that nothing else is said.
    pub fn param(&mut self, name: &str, node: &Node) -> Param {
        let mut param = Param::any(name);
        if let Node::Scalar(_) = node {
            param.kind = self.param_type(node).unwrap_or(ParamType::Any);
            return param;
        }
        let Some(mapping) = self.mapping(node, &KEYS) else { return param };
        let kind = self.required(mapping, &format!("parameter `{name}`"), "type", "type: string");
        let Some(kind) = kind.and_then(|node| self.param_type(node)) else { return param };
        param.kind = kind;
        self.param_items(mapping, &mut param);
        self.param_text(mapping, &mut param);
        self.param_bounds(mapping, &mut param);
        if let Some(node) = mapping.get("enum") {
            param.choices = self.param_choices(node, &param.kind);
        }
        if let Some(node) = mapping.get("check") {
            param.check = self.expression(node, "`check`", Place::ParamCheck);
        }
        self.param_default(mapping, &mut param);
        param
    }

    fn param_type(&mut self, node: &Node) -> Option<ParamType> {
        let name = self.constant(node, "a parameter's type")?;
        if let Some((_, kind)) = TYPES.iter().find(|(word, _)| *word == name.value) {
            return Some(kind.clone());
        }
        let names: Vec<&str> = TYPES.iter().map(|(word, _)| *word).collect();
        let foreign = FOREIGN_TYPES.iter().find(|(word, _)| *word == name.value.to_lowercase()).map(|(_, kind)| *kind);
        let message = format!("there is no type `{}`", shorten(&name.value));
        let diagnostic = self.at(Code::PARAM_TYPE, name.span, message).help(
            match foreign.or_else(|| suggest(&name.value, names.iter().copied())) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("it is one of {}", quoted(&names)),
            },
        );
        self.report(diagnostic);
        None
    }

    fn param_items(&mut self, mapping: &Mapping, param: &mut Param) {
        let Some(node) = mapping.get("items") else { return };
        if !matches!(param.kind, ParamType::List(_)) {
            let message = format!("`items` is the type of a list's elements, and `{}` is no list", param.name);
            let diagnostic = self.at(Code::PARAM_ITEMS, node.span(), message).help("write `type: list` beside it");
            self.report(diagnostic);
            return;
        }
        match self.param_type(node) {
            Some(ParamType::Secret) => {
                let diagnostic = self
                    .at(Code::PARAM_ITEMS, node.span(), "a list cannot hold secrets")
                    .help("declare each secret as a parameter of its own");
                self.report(diagnostic);
            }
            Some(kind) => param.kind = ParamType::List(Some(Box::new(kind))),
            None => {}
        }
    }

    fn param_text(&mut self, mapping: &Mapping, param: &mut Param) {
        if let Some(node) = mapping.get("description") {
            param.description = self.constant(node, "`description`").map(|text| text.value);
        }
        if let Some(node) = mapping.get("optional") {
            param.optional = self.boolean(node, "`optional`").is_some_and(|optional| optional.value);
        }
        let Some(node) = mapping.get("pattern") else { return };
        let Some(scalar) = self.scalar(node, "`pattern`", "a regular expression as text") else { return };
        if param.kind == ParamType::String {
            match param::pattern(&scalar.text) {
                Ok(_) => param.pattern = Some(scalar.text.clone()),
                Err(error) => {
                    let diagnostic = self
                        .at(Code::PARAM_PATTERN, scalar.span, "`pattern` is not a regular expression")
                        .label(error)
                        .help("it must match the whole value; write `.*` where anything may stand");
                    self.report(diagnostic);
                }
            }
            return;
        }
        let message = format!("`pattern` is for text, and `{}` is of type `{}`", param.name, param.kind.name());
        let diagnostic = self.at(Code::PARAM_PATTERN_TYPE, scalar.span, message);
        self.report(diagnostic);
    }

    fn param_bounds(&mut self, mapping: &Mapping, param: &mut Param) {
        let mut bound = |key: &str| {
            let node = mapping.get(key)?;
            self.param_bound(node, key, param).map(|value| Spanned::new(value, node.span()))
        };
        let (min, max) = (bound("min"), bound("max"));
        if let (Some(min), Some(max)) = (&min, &max)
            && is_above(&min.value, &max.value)
        {
            let diagnostic = self
                .at(Code::PARAM_BOUNDS_ORDER, min.span, "`min` is above `max`, so no value is allowed")
                .also(max.span, "the greatest value");
            self.report(diagnostic);
            return;
        }
        param.min = min.map(|min| min.value);
        param.max = max.map(|max| max.value);
    }

    /// A bound is of the parameter's own type where that has an order, else a length.
    fn param_bound(&mut self, node: &Node, key: &str, param: &Param) -> Option<Value> {
        let what = format!("`{key}`");
        match &param.kind {
            ParamType::Int | ParamType::Float | ParamType::Duration | ParamType::Time | ParamType::Size => {
                match self.param_value(node, &what, &param.kind, Place::ParamDefault)? {
                    Field::Const(value) => Some(value),
                    Field::Expr(_) | Field::Text(_) | Field::List(_) | Field::Map(_) => None,
                }
            }
            ParamType::String | ParamType::List(_) | ParamType::Map => {
                self.integer(node, &what, 0, i64::MAX).map(|length| Value::Int(length.value))
            }
            ParamType::Bool | ParamType::Secret | ParamType::Any => {
                let message = format!("a parameter of type `{}` has no {what}", param.kind.name());
                let diagnostic = self.at(Code::PARAM_BOUNDS_TYPE, node.span(), message);
                self.report(diagnostic);
                None
            }
        }
    }

    fn param_choices(&mut self, node: &Node, kind: &ParamType) -> Option<Vec<Value>> {
        let values = self.sequence(node, "`enum`", "a list of the allowed values")?;
        if matches!(kind, ParamType::Secret) {
            let diagnostic = self.at(Code::PARAM_ENUM, node.span(), "a secret is known by nobody, so it has no `enum`");
            self.report(diagnostic);
            return None;
        }
        let mut choices: Vec<Value> = Vec::new();
        for item in &values.items {
            match self.param_value(item, "a value of `enum`", kind, Place::ParamDefault) {
                Some(Field::Const(value)) if choices.contains(&value) => {
                    let diagnostic = self.at(Code::PARAM_ENUM, item.span(), "a value of `enum` stands there twice");
                    self.report(diagnostic);
                }
                Some(Field::Const(value)) => choices.push(value),
                Some(_) => {
                    let diagnostic =
                        self.at(Code::PARAM_ENUM, item.span(), "a value of `enum` is fixed and holds no expression");
                    self.report(diagnostic);
                }
                None => {}
            }
        }
        (choices.len() == values.items.len()).then_some(choices)
    }

    fn param_default(&mut self, mapping: &Mapping, param: &mut Param) {
        let Some(node) = mapping.get("default") else { return };
        if param.optional {
            let message = format!("`{}` has a default, so it is never absent", param.name);
            let diagnostic = self
                .at(Code::PARAM_OPTIONAL_DEFAULT, node.span(), message)
                .help("leave out either `default` or `optional`");
            self.report(diagnostic);
        }
        let before = self.found();
        let default = self.param_value(node, "`default`", &param.kind, Place::ParamDefault);
        if let Some(Field::Const(value)) = &default
            && self.found() == before
            && let Err(error) = param::check(param, value)
        {
            let diagnostic =
                self.at(Code::PARAM_DEFAULT, node.span(), format!("the default of `{}` {error}", param.name));
            self.report(diagnostic);
        }
        param.default = default;
    }

    /// A value of a type, or a template for one.
    pub fn param_value(&mut self, node: &Node, what: &str, kind: &ParamType, place: Place) -> Option<Field> {
        match kind {
            ParamType::String => self.text(node, what, place),
            ParamType::Secret => self.secret_reference(node, what),
            ParamType::Any => self.any(node, what, place),
            ParamType::Map => match node {
                Node::Mapping(_) => self.any(node, what, place),
                Node::Scalar(_) => self.whole_template((node, place), what, "a map"),
                Node::Sequence(_) => {
                    self.wrong_type(node, what, "a map");
                    None
                }
            },
            ParamType::List(items) => match (node, items) {
                (Node::Sequence(_), None) => self.any(node, what, place),
                (Node::Sequence(sequence), Some(kind)) => {
                    let mut fields = Vec::new();
                    for item in &sequence.items {
                        fields.push(self.param_value(item, &format!("an element of {what}"), kind, place)?);
                    }
                    Some(list(fields))
                }
                (Node::Scalar(_), _) => self.whole_template((node, place), what, "a list"),
                (Node::Mapping(_), _) => {
                    self.wrong_type(node, what, "a list");
                    None
                }
            },
            ParamType::Int => {
                self.param_scalar((node, place), what, "a whole number", |text| scalar::int(text).map(Value::Int))
            }
            ParamType::Float => {
                self.param_scalar((node, place), what, "a number", |text| scalar::float(text).map(Value::Float))
            }
            ParamType::Bool => self
                .param_scalar((node, place), what, "`true` or `false`", |text| scalar::boolean(text).map(Value::Bool)),
            ParamType::Duration => self.param_scalar((node, place), what, "a length of time such as `30s`", |text| {
                scalar::duration(text).map(Value::Duration)
            }),
            ParamType::Time => {
                self.param_scalar((node, place), what, "a time such as `2030-01-31T08:00:00Z`", |text| {
                    scalar::time(text).map(Value::Time)
                })
            }
            ParamType::Size => self
                .param_scalar((node, place), what, "a size such as `10MiB`", |text| scalar::size(text).map(Value::Int)),
        }
    }

    /// A scalar of some type, or one expression for it.
    fn param_scalar(
        &mut self,
        (node, place): (&Node, Place),
        what: &str,
        wanted: &str,
        parse: impl Fn(&str) -> Result<Value, String>,
    ) -> Option<Field> {
        let scalar = self.scalar(node, what, wanted)?;
        match self.template(scalar, place)? {
            Field::Const(_) => {}
            field => return Some(field),
        }
        match parse(&scalar.text) {
            Ok(value) => Some(Field::Const(value)),
            Err(error) => {
                self.bad_scalar(Code::WRONG_TYPE, scalar, what, &error);
                None
            }
        }
    }

    /// One expression where a list or a map is wanted.
    fn whole_template(&mut self, (node, place): (&Node, Place), what: &str, wanted: &str) -> Option<Field> {
        let scalar = self.scalar(node, what, wanted)?;
        if let field @ Field::Expr(_) = self.template(scalar, place)? {
            return Some(field);
        }
        self.wrong_type(node, what, wanted);
        None
    }

    /// Rule: a runbook never holds a secret, only where it is read.
    pub fn secret_reference(&mut self, node: &Node, what: &str) -> Option<Field> {
        let text = self.constant(node, what)?;
        match param::secret_reference(&text.value) {
            Ok(value) => Some(Field::Const(value)),
            Err(error) => {
                let (wrong, instead) = error.split_once("; ").unwrap_or((&error, "write `env:NAME` or `file:PATH`"));
                let diagnostic = self.at(Code::SECRET_LITERAL, text.span, format!("{what} {wrong}")).help(instead);
                self.report(diagnostic);
                None
            }
        }
    }
}

fn is_above(min: &Value, max: &Value) -> bool {
    match (min, max) {
        (Value::Int(min), Value::Int(max)) => min > max,
        (Value::Float(min), Value::Float(max)) => min > max,
        (Value::Duration(min), Value::Duration(max)) => min > max,
        (Value::Time(min), Value::Time(max)) => min > max,
        _ => false,
    }
}
