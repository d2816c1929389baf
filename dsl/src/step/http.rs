//! `http`: one request.

use crate::compile::field::map;
use crate::compile::keys::Keys;
use crate::compile::reader::{Reader, find_template};
use crate::diagnostic::{Code, suggest};
use crate::graph::{Auth, BodyKind, Field, Http, Kind, NodeId};
use crate::runbook::Place;
use crate::scalar;
use crate::source::Spanned;
use crate::yaml::{Mapping, Node, Scalar};

use super::{COMMON_INSIDE, unspanned};

/// Its options.
pub const KEYS: Keys = Keys {
    of: "`http`",
    known: &["method", "url", "headers", "query", "json", "body", "form", "expect", "auth"],
    later: &[],
    hints: COMMON_INSIDE,
};

const AUTH: Keys = Keys {
    of: "`auth`",
    known: &["bearer", "basic"],
    later: &[],
    hints: &[
        ("token", "write `auth: { bearer: … }`"),
        ("user", "write `auth: { basic: { user: …, password: … } }`"),
        ("username", "write `auth: { basic: { user: …, password: … } }`"),
        ("password", "write `auth: { basic: { user: …, password: … } }`"),
    ],
};

const BASIC: Keys = Keys::only("`basic`", &["user", "password"]);

const METHODS: &[&str] = &["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

/// Header fields that keep requests apart for the one who receives them; a runbook cannot choose them.
const RESERVED: &[&str] = &["idempotency-key", "lockstep-token", "content-length", "transfer-encoding", "connection"];

const SUCCESS: (u16, u16) = (200, 299);

/// Reads `http: <url>` or its map.
pub fn read(reader: &mut Reader, node: &Node, _: NodeId) -> Option<Kind> {
    if let Node::Scalar(_) = node {
        let url = url(reader, node)?;
        return Some(Kind::Http(Box::new(Http {
            method: "GET".to_owned(),
            url,
            headers: Vec::new(),
            query: Vec::new(),
            body: None,
            expect: vec![SUCCESS],
            auth: None,
        })));
    }
    let mapping = reader.mapping(node, &KEYS)?;
    let method = mapping.get("method").map_or_else(|| Some("GET".to_owned()), |node| method(reader, node));
    let url = reader.required(mapping, "`http`", "url", "url: https://example.org/health");
    let url = url.and_then(|node| self::url(reader, node));
    let headers = mapping.get("headers").map(|node| headers(reader, node)).unwrap_or_default();
    let query =
        mapping.get("query").map(|node| unspanned(reader.texts(node, "`query`", Place::Query))).unwrap_or_default();
    let body = body(reader, mapping, method.as_deref());
    let expect = mapping.get("expect").map_or_else(|| vec![SUCCESS], |node| expect(reader, node));
    let auth = mapping.get("auth").and_then(|node| auth(reader, node));
    two_credentials(reader, mapping);
    Some(Kind::Http(Box::new(Http { method: method?, url: url?, headers, query, body, expect, auth })))
}

fn method(reader: &mut Reader, node: &Node) -> Option<String> {
    let method = reader.constant(node, "`method`")?;
    if METHODS.contains(&method.value.as_str()) {
        return Some(method.value);
    }
    let upper = method.value.to_ascii_uppercase();
    let shown = crate::compile::keys::shorten(&method.value);
    let diagnostic = reader.at(Code::HTTP_METHOD, method.span, format!("there is no method `{shown}`")).help(
        match suggest(&upper, METHODS.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("it is one of {}", crate::compile::keys::quoted(METHODS)),
        },
    );
    reader.report(diagnostic);
    None
}

/// A URL whose beginning is written out must begin as one.
fn url(reader: &mut Reader, node: &Node) -> Option<Field> {
    let field = reader.text(node, "`url`", Place::Url)?;
    let Node::Scalar(scalar) = node else { return Some(field) };
    let fixed = &scalar.text[..find_template(&scalar.text).unwrap_or(scalar.text.len())];
    let is_whole = fixed.len() == scalar.text.len();
    let rest = fixed.strip_prefix("http://").or_else(|| fixed.strip_prefix("https://"));
    let is_good = match rest {
        Some(rest) => !is_whole || (!rest.is_empty() && !rest.starts_with(['/', '?', '#']) && !rest.contains(' ')),
        None => !is_whole && fixed.is_empty(),
    };
    if is_good {
        return Some(field);
    }
    let diagnostic = reader
        .at(Code::HTTP_URL, scalar.span, "`url` must begin with `http://` or `https://` and a host")
        .help("such as `https://example.org/health`");
    reader.report(diagnostic);
    None
}

fn headers(reader: &mut Reader, node: &Node) -> Vec<(String, Field)> {
    let headers = reader.texts(node, "`headers`", Place::Headers);
    for (name, _) in &headers {
        let is_token = !name.value.is_empty()
            && name.value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte));
        if !is_token {
            let shown = crate::compile::keys::shorten(&name.value);
            let diagnostic = reader
                .at(Code::HTTP_HEADER, name.span, format!("`{shown}` cannot be the name of a header field"))
                .help("it is made of letters, digits and `-`");
            reader.report(diagnostic);
        } else if RESERVED.contains(&name.value.to_ascii_lowercase().as_str()) {
            let diagnostic = reader
                .at(Code::HTTP_HEADER_RESERVED, name.span, format!("the engine sets `{}` itself", name.value))
                .help("leave it out");
            reader.report(diagnostic);
        }
    }
    unspanned(headers)
}

fn body(reader: &mut Reader, mapping: &Mapping, method: Option<&str>) -> Option<(BodyKind, Field)> {
    let given: Vec<&(Scalar, Node)> =
        mapping.entries.iter().filter(|(key, _)| matches!(key.text.as_str(), "json" | "body" | "form")).collect();
    if let [(first, _), (second, _), ..] = given.as_slice() {
        let message = format!("a request has one body, and this one has `{}` and `{}`", first.text, second.text);
        let diagnostic = reader.at(Code::HTTP_TWO_BODIES, second.span, message).also(first.span, "the first body");
        reader.report(diagnostic);
    }
    let (key, node) = given.first()?;
    if let Some(method @ ("GET" | "HEAD")) = method {
        let diagnostic = reader
            .at(Code::HTTP_BODY_NOT_SENT, key.span, format!("a {method} request has no body"))
            .help("write `method: POST` beside it, or put the values into `query`");
        reader.report(diagnostic);
    }
    match key.text.as_str() {
        "json" => Some((BodyKind::Json, reader.any(node, "`json`", Place::Body)?)),
        "body" => Some((BodyKind::Text, reader.text_or_any(node, "`body`", Place::Body)?)),
        _ => {
            let fields = unspanned(reader.texts(node, "`form`", Place::Body));
            Some((BodyKind::Form, map(fields)))
        }
    }
}

/// `200..299`, `404`, or a list of such.
fn expect(reader: &mut Reader, node: &Node) -> Vec<(u16, u16)> {
    match node {
        Node::Sequence(list) if !list.items.is_empty() => {
            list.items.iter().filter_map(|item| range(reader, item)).collect()
        }
        Node::Scalar(_) => range(reader, node).into_iter().collect(),
        Node::Sequence(_) | Node::Mapping(_) => {
            let _ = reader.sequence(node, "`expect`", "status codes, such as `200..299` or `[200, 404]`");
            Vec::new()
        }
    }
}

fn range(reader: &mut Reader, node: &Node) -> Option<(u16, u16)> {
    let scalar = reader.scalar(node, "`expect`", "status codes, such as `200..299`")?;
    let (first, last) = scalar.text.split_once("..").unwrap_or((&scalar.text, &scalar.text));
    let code = |text: &str| {
        scalar::int(text.trim())
            .ok()
            .and_then(|code| u16::try_from(code).ok())
            .filter(|code| (100..=599).contains(code))
    };
    match (code(first), code(last)) {
        (Some(first), Some(last)) if first <= last => Some((first, last)),
        _ => {
            let diagnostic = reader
                .at(Code::HTTP_EXPECT, scalar.span, "`expect` takes status codes between 100 and 599")
                .help("such as `200..299`, `404`, or a list of them");
            reader.report(diagnostic);
            None
        }
    }
}

fn auth(reader: &mut Reader, node: &Node) -> Option<Auth> {
    let mapping = reader.mapping(node, &AUTH)?;
    match (mapping.get("bearer"), mapping.get("basic")) {
        (Some(token), None) => reader.text(token, "`bearer`", Place::Auth).map(Auth::Bearer),
        (None, Some(node)) => {
            let basic = reader.mapping(node, &BASIC)?;
            let mut part = |key: &str| {
                let node = reader.required(basic, "`basic`", key, "basic: { user: …, password: … }")?;
                reader.text(node, &format!("`{key}`"), Place::Auth)
            };
            let (user, password) = (part("user"), part("password"));
            Some(Auth::Basic { user: user?, password: password? })
        }
        (Some(_), Some(second)) => {
            let diagnostic =
                reader.at(Code::HTTP_TWO_CREDENTIALS, second.span(), "`auth` is either `bearer` or `basic`");
            reader.report(diagnostic);
            None
        }
        (None, None) => {
            if mapping.entries.is_empty() {
                let _ = reader.required(mapping, "`auth`", "bearer", "bearer: '${{ params.token }}'");
            }
            None
        }
    }
}

/// Rule: `auth` writes the `Authorization` field, so it cannot be written twice.
fn two_credentials(reader: &mut Reader, mapping: &Mapping) {
    let Some((Node::Mapping(headers), auth)) = mapping.get("headers").zip(mapping.get("auth")) else { return };
    if let Some((name, _)) = headers.entries.iter().find(|(name, _)| name.text.eq_ignore_ascii_case("authorization")) {
        let name = Spanned::new(&name.text, name.span);
        let diagnostic = reader
            .at(Code::HTTP_TWO_CREDENTIALS, name.span, format!("both `auth` and the header `{}` are given", name.value))
            .also(auth.span(), "the other credentials")
            .help("keep one of them");
        reader.report(diagnostic);
    }
}
