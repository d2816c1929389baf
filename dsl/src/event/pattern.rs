//! Reads a pattern: everything that is wrong with it, each with the place.

use std::collections::BTreeMap;

use super::operator::{Excluded, Operator, Range, TextTest, number_of};
use crate::limits::PATTERN_WAYS;
use crate::value::{Map, Value};

/// Which events are meant.
#[derive(Clone, Debug, PartialEq)]
pub struct Pattern {
    /// Without `$or`: it is met in one of these ways.
    pub(super) ways: Vec<Fields>,
}

/// What is asked of the fields of an object.
pub(super) type Fields = BTreeMap<String, Field>;

/// What is asked of a field.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Field {
    /// Of each of these one must match.
    pub alternatives: Vec<Vec<Operator>>,
    /// What is asked of the object that it holds.
    pub fields: Fields,
}

/// Something that is wrong with a pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{at}`: {message}")]
pub struct PatternError {
    /// The place, such as `detail.state[0].prefix`; `pattern` for the whole.
    pub at: String,
    /// What is wrong there, with what may stand instead.
    pub message: String,
}

impl Pattern {
    /// Reads a pattern, as it is written in YAML or JSON.
    ///
    /// # Errors
    /// Everything that is wrong with it. It is also wrong if the `$or` in it have more than [`PATTERN_WAYS`] ways to be
    /// met together, which is the limit of `EventBridge` as well.
    pub fn parse(pattern: &Value) -> Result<Self, Vec<PatternError>> {
        let mut reader = Reader { errors: Vec::new() };
        let ways = match pattern {
            Value::Map(fields) => reader.object("", fields),
            other => {
                reader.wrong("", format!("a pattern is a map of fields, not {}", a(other)));
                Vec::new()
            }
        };
        if reader.errors.is_empty() { Ok(Self { ways }) } else { Err(reader.errors) }
    }
}

struct Reader {
    errors: Vec<PatternError>,
}

impl Reader {
    fn wrong(&mut self, at: &str, message: impl Into<String>) {
        let at = if at.is_empty() { "pattern" } else { at }.to_owned();
        self.errors.push(PatternError { at, message: message.into() });
    }

    /// The ways in which an object is met.
    fn object(&mut self, at: &str, fields: &Map) -> Vec<Fields> {
        if fields.is_empty() {
            self.wrong(at, "names no field: an empty pattern means nothing");
        }
        let mut ways = vec![Fields::new()];
        for (name, wanted) in fields {
            let place = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
            let alternatives = match (name.as_str(), wanted) {
                ("$or", wanted) => self.or(at, &place, wanted),
                (_, Value::Map(inner)) => {
                    let below = |fields| Fields::from([(name.clone(), Field { fields, ..Field::default() })]);
                    self.object(&place, inner).into_iter().map(below).collect()
                }
                (_, Value::List(values)) => {
                    let field = Field { alternatives: vec![self.values(&place, values)], ..Field::default() };
                    vec![Fields::from([(name.clone(), field)])]
                }
                (_, other) => {
                    self.wrong(&place, format!("a field has a list of alternatives, such as `[x]`, not {}", a(other)));
                    Vec::new()
                }
            };
            if ways.len().saturating_mul(alternatives.len()) > PATTERN_WAYS {
                self.wrong(&place, format!("can be met in more than {PATTERN_WAYS} ways; ask for less in one pattern"));
                return Vec::new();
            }
            ways = ways.iter().flat_map(|way| alternatives.iter().map(move |other| joined(way, other))).collect();
        }
        ways
    }

    fn or(&mut self, at: &str, place: &str, wanted: &Value) -> Vec<Fields> {
        let Value::List(patterns) = wanted else {
            self.wrong(place, format!("has a list of patterns of which one is met, not {}", a(wanted)));
            return Vec::new();
        };
        if patterns.len() < 2 {
            self.wrong(place, "has two patterns or more; one alone stands without it");
        }
        let mut ways = Vec::new();
        for (number, pattern) in patterns.iter().enumerate() {
            match pattern {
                // What is wrong inside is named as if it stood here: it does.
                Value::Map(fields) if !fields.is_empty() => ways.extend(self.object(at, fields)),
                Value::Map(_) => self.wrong(&format!("{place}[{number}]"), "names no field"),
                other => self.wrong(&format!("{place}[{number}]"), format!("is a pattern, not {}", a(other))),
            }
        }
        ways
    }

    fn values(&mut self, at: &str, values: &[Value]) -> Vec<Operator> {
        if values.is_empty() {
            self.wrong(at, "an empty list matches nothing");
        }
        let places = values.iter().enumerate().map(|(number, value)| (format!("{at}[{number}]"), value));
        places.filter_map(|(place, value)| self.value(&place, value)).collect()
    }

    fn value(&mut self, at: &str, value: &Value) -> Option<Operator> {
        match value {
            Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::String(_) => {
                Some(Operator::Equals(value.clone()))
            }
            Value::Map(operator) => self.operator(at, operator),
            Value::List(_) | Value::Duration(_) | Value::Time(_) | Value::Secret(_) => {
                self.wrong(at, format!("a value or an operator stands here, not {}", a(value)));
                None
            }
        }
    }

    fn operator(&mut self, at: &str, operator: &Map) -> Option<Operator> {
        const NAMES: &str =
            "`prefix`, `suffix`, `equals-ignore-case`, `wildcard`, `anything-but`, `numeric`, `cidr`, `exists`";
        let [(name, wanted)] = operator.iter().collect::<Vec<_>>()[..] else {
            self.wrong(at, format!("one operator stands here: {NAMES}"));
            return None;
        };
        let place = format!("{at}.{name}");
        match (name.as_str(), wanted) {
            ("prefix" | "suffix" | "equals-ignore-case" | "wildcard", _) => {
                self.text(&place, name, wanted).map(Operator::Text)
            }
            ("anything-but", _) => self.anything_but(&place, wanted).map(Operator::AnythingBut),
            ("numeric", Value::List(bounds)) => self.numeric(&place, bounds).map(Operator::Numeric),
            ("numeric", other) => {
                self.wrong(&place, format!("has a list such as `['>', 0, '<=', 5]`, not {}", a(other)));
                None
            }
            ("cidr", Value::String(network)) => {
                let parsed = network.parse().ok();
                if parsed.is_none() {
                    self.wrong(&place, format!("`{network}` is no network; one is written as `10.0.0.0/24`"));
                }
                parsed.map(Operator::Cidr)
            }
            ("cidr", other) => {
                self.wrong(&place, format!("has a network such as `10.0.0.0/24`, not {}", a(other)));
                None
            }
            ("exists", Value::Bool(exists)) => Some(Operator::Exists(*exists)),
            ("exists", other) => {
                self.wrong(&place, format!("is `true` or `false`, not {}", a(other)));
                None
            }
            _ => {
                self.wrong(&place, format!("there is no such operator; there are {NAMES}"));
                None
            }
        }
    }

    /// An operator for text.
    fn text(&mut self, at: &str, name: &str, wanted: &Value) -> Option<TextTest> {
        if let (Value::Map(inner), "prefix" | "suffix") = (wanted, name) {
            let text = match inner.iter().collect::<Vec<_>>()[..] {
                [(key, Value::String(text))] if key == "equals-ignore-case" => text.to_lowercase(),
                _ => {
                    self.wrong(at, "has a text, or `{ equals-ignore-case: text }`");
                    return None;
                }
            };
            let ignoring_case =
                if name == "prefix" { TextTest::PrefixIgnoringCase } else { TextTest::SuffixIgnoringCase };
            return Some(ignoring_case(text));
        }
        let Value::String(text) = wanted else {
            self.wrong(at, format!("has a text, not {}", a(wanted)));
            return None;
        };
        match name {
            "prefix" => Some(TextTest::Prefix(text.clone())),
            "suffix" => Some(TextTest::Suffix(text.clone())),
            "wildcard" => match wildcard(text) {
                Ok(parts) => Some(TextTest::Wildcard(parts)),
                Err(why) => {
                    self.wrong(at, why);
                    None
                }
            },
            _ => Some(TextTest::EqualsIgnoringCase(text.to_lowercase())),
        }
    }

    fn anything_but(&mut self, at: &str, wanted: &Value) -> Option<Vec<Excluded>> {
        const WHAT: &str = "has a text, a number, a list of texts or of numbers, or one of `prefix`, `suffix`, \
                            `equals-ignore-case`, `wildcard`";
        match wanted {
            Value::String(_) | Value::Int(_) | Value::Float(_) => Some(vec![Excluded::Value(wanted.clone())]),
            Value::List(values) => {
                let texts = values.iter().all(|value| matches!(value, Value::String(_)));
                let numbers = values.iter().all(|value| number_of(value).is_some());
                if values.is_empty() || !(texts || numbers) {
                    self.wrong(at, WHAT);
                    return None;
                }
                Some(values.iter().cloned().map(Excluded::Value).collect())
            }
            Value::Map(operator) => {
                let [(name, wanted)] = operator.iter().collect::<Vec<_>>()[..] else {
                    self.wrong(at, WHAT);
                    return None;
                };
                let place = format!("{at}.{name}");
                let all = match wanted {
                    Value::List(texts) if !texts.is_empty() => texts.as_slice(),
                    other => std::slice::from_ref(other),
                };
                let is_known = matches!(name.as_str(), "prefix" | "suffix" | "equals-ignore-case" | "wildcard");
                if !is_known || all.iter().any(|text| !matches!(text, Value::String(text) if !text.is_empty())) {
                    self.wrong(&place, format!("{WHAT}, each with a text or several, none of them empty"));
                    return None;
                }
                all.iter().map(|text| self.text(&place, name, text).map(Excluded::Text)).collect()
            }
            Value::Null | Value::Bool(_) | Value::Duration(_) | Value::Time(_) | Value::Secret(_) => {
                self.wrong(at, WHAT);
                None
            }
        }
    }

    fn numeric(&mut self, at: &str, bounds: &[Value]) -> Option<Range> {
        const WHAT: &str = "has `=` and a number, or one or two bounds, the lower one first: `['>', 0, '<=', 5]`";
        let mut range = Range::default();
        let mut is_exact = false;
        for pair in bounds.chunks(2) {
            let (Some(Value::String(sign)), Some(bound)) = (pair.first(), pair.get(1).and_then(number_of)) else {
                self.wrong(at, WHAT);
                return None;
            };
            let is_first = range == Range::default();
            match sign.as_str() {
                "=" if is_first => {
                    is_exact = true;
                    range = Range { low: Some((bound, true)), high: Some((bound, true)) };
                }
                ">" | ">=" if is_first => range.low = Some((bound, sign == ">=")),
                "<" | "<=" if range.high.is_none() => range.high = Some((bound, sign == "<=")),
                _ => {
                    self.wrong(at, WHAT);
                    return None;
                }
            }
        }
        if range == Range::default() {
            self.wrong(at, WHAT);
            return None;
        }
        if let (Some((low, _)), Some((high, _)), false) = (range.low, range.high, is_exact)
            && low >= high
        {
            self.wrong(at, "no number is above the lower bound and below the upper one");
            return None;
        }
        Some(range)
    }
}

/// Both at once.
fn joined(one: &Fields, other: &Fields) -> Fields {
    let mut both = one.clone();
    for (name, field) in other {
        let known = both.entry(name.clone()).or_default();
        known.alternatives.extend(field.alternatives.iter().cloned());
        known.fields = joined(&known.fields, &field.fields);
    }
    both
}

/// The parts around the `*` of a wildcard; a backslash takes the meaning from a `*` and from itself.
fn wildcard(text: &str) -> Result<Vec<String>, &'static str> {
    let mut parts = vec![String::new()];
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        let last = parts.last_mut().expect("there is always a part");
        match character {
            '*' if characters.peek() == Some(&'*') => return Err("two `*` side by side mean no more than one"),
            '*' => parts.push(String::new()),
            '\\' => match characters.next() {
                Some(escaped @ ('*' | '\\')) => last.push(escaped),
                _ => return Err("a backslash stands before a `*` or a backslash"),
            },
            other => last.push(other),
        }
    }
    Ok(parts)
}

/// What a value is, for messages.
fn a(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Int(_) => "an int".to_owned(),
        other => format!("a {}", other.type_name()),
    }
}
