//! The input of `http`, as the driver renders it, in types.
//!
//! `method`, `url`; `headers` and `query` are lists of `[name, value]`; `body` is `{ kind, value }` with `kind` one of
//! `text`, `json`, `form`; `expect` is a list of `[low, high]`; `auth` is `{ bearer }` or `{ user, password }`; `timeout`
//! a duration for the whole request.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lockstep_dsl::value::{Map, Value};
use lockstep_engine::worker::secret::Secrets;
use lockstep_engine::worker::{Attempt, Failure};
use reqwest::Method;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use url::Url;
use url::form_urlencoded::Serializer;

/// A request with all secrets in it. Headers that hold one are marked as sensitive.
pub(super) struct Request {
    pub method: Method,
    pub url: Url,
    pub headers: HeaderMap,
    pub body: Option<Vec<u8>>,
    /// Whether a secret stands in the body.
    pub secret_body: bool,
    pub expect: Vec<(u16, u16)>,
    pub timeout: Option<Duration>,
}

impl Request {
    pub(super) fn parse(attempt: &Attempt, secrets: &mut Secrets) -> Result<Self, Failure> {
        let input = &attempt.input;
        let mut headers = HeaderMap::new();
        for (name, value) in pairs(input, "headers")? {
            let parsed = HeaderName::from_bytes(name.as_bytes())
                .map_err(|_| Failure::invalid(format!("`{}` cannot name a header", name.escape_debug())))?;
            headers.append(parsed, header(&name, value, secrets)?);
        }
        if let Some(auth) = given(input, "auth") {
            headers.insert(AUTHORIZATION, authorization(auth, secrets)?);
        }
        for (name, value) in [("idempotency-key", &attempt.key), ("lockstep-token", &attempt.token.0.to_string())] {
            headers.insert(name, header(name, &Value::from(value.as_str()), secrets)?);
        }
        let mut secret_body = false;
        let body = match given(input, "body") {
            None => None,
            Some(body) => {
                secret_body = body.has_secret();
                let (kind, bytes) = encode(&secrets.resolve(body)?)?;
                headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static(kind));
                Some(bytes)
            }
        };
        let method = field_text(input, "method")?;
        Ok(Self {
            method: Method::from_bytes(method.as_bytes())
                .map_err(|_| Failure::invalid(format!("`{}` is no method", method.escape_debug())))?,
            url: url(input)?,
            headers,
            body,
            secret_body,
            expect: expect(input)?,
            timeout: match given(input, "timeout") {
                None => None,
                Some(Value::Duration(timeout)) => Some(Duration::from_millis(timeout.0)),
                Some(other) => return Err(wrong_type("timeout", other, "duration")),
            },
        })
    }
}

fn url(input: &Map) -> Result<Url, Failure> {
    let text = field_text(input, "url")?;
    let invalid = |why: &str| Failure::invalid(format!("`{text}` is no URL to send a request to: {why}"));
    let mut url = Url::parse(&text).map_err(|error| invalid(&error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(invalid("it begins with neither `http://` nor `https://`"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Failure::invalid("the URL holds a user name or password: they belong in `auth`"));
    }
    for (name, value) in pairs(input, "query")? {
        let value = text_of(&format!("query.{name}"), value)?;
        url.query_pairs_mut().append_pair(&name, &value);
    }
    Ok(url)
}

fn header(name: &str, value: &Value, secrets: &mut Secrets) -> Result<HeaderValue, Failure> {
    let text = text_of(&format!("headers.{name}"), &secrets.resolve(value)?)?;
    let mut header = HeaderValue::from_bytes(text.as_bytes())
        .map_err(|_| Failure::invalid(format!("`headers.{name}` holds a line break or another control character")))?;
    header.set_sensitive(value.has_secret());
    Ok(header)
}

fn authorization(auth: &Value, secrets: &mut Secrets) -> Result<HeaderValue, Failure> {
    let Value::Map(auth) = auth else { return Err(wrong_type("auth", auth, "map")) };
    let mut part = |name: &str| {
        let value = given(auth, name).ok_or_else(|| Failure::invalid(format!("`auth` has no `{name}`")))?;
        text_of(&format!("auth.{name}"), &secrets.resolve(value)?)
    };
    let text = if auth.contains_key("bearer") {
        format!("Bearer {}", part("bearer")?)
    } else {
        format!("Basic {}", STANDARD.encode(format!("{}:{}", part("user")?, part("password")?)))
    };
    let mut header = HeaderValue::from_bytes(text.as_bytes())
        .map_err(|_| Failure::invalid("`auth` holds a line break or another control character"))?;
    header.set_sensitive(true);
    Ok(header)
}

/// The body's bytes, and the content type that they have where no header names one.
fn encode(body: &Value) -> Result<(&'static str, Vec<u8>), Failure> {
    let Value::Map(body) = body else { return Err(wrong_type("body", body, "map")) };
    let value = body.get("value").unwrap_or(&Value::Null);
    match field_text(body, "kind")?.as_str() {
        "json" => Ok(("application/json", value.to_json().to_string().into_bytes())),
        "form" => {
            let Value::Map(fields) = value else { return Err(wrong_type("form", value, "map")) };
            let mut form = Serializer::new(String::new());
            for (name, value) in fields {
                form.append_pair(name, &text_of(&format!("form.{name}"), value)?);
            }
            Ok(("application/x-www-form-urlencoded", form.finish().into_bytes()))
        }
        _ => Ok(("text/plain; charset=utf-8", text_of("body", value)?.into_bytes())),
    }
}

fn expect(input: &Map) -> Result<Vec<(u16, u16)>, Failure> {
    let wrong = || Failure::invalid("`expect` is not a list of ranges of status codes");
    let Some(list) = given(input, "expect") else { return Ok(vec![(200, 299)]) };
    let Value::List(ranges) = list else { return Err(wrong()) };
    let code = |value: &Value| if let Value::Int(code) = value { u16::try_from(*code).ok() } else { None };
    let range = |range: &Value| match range {
        Value::List(ends) if ends.len() == 2 => Some((code(&ends[0])?, code(&ends[1])?)),
        _ => None,
    };
    let ranges: Option<Vec<_>> = ranges.iter().map(range).collect();
    match ranges {
        Some(ranges) if ranges.is_empty() => Ok(vec![(200, 299)]),
        Some(ranges) => Ok(ranges),
        None => Err(wrong()),
    }
}

fn pairs<'a>(input: &'a Map, name: &str) -> Result<Vec<(String, &'a Value)>, Failure> {
    let wrong = || Failure::invalid(format!("`{name}` is not a list of names and values"));
    let Some(list) = given(input, name) else { return Ok(Vec::new()) };
    let Value::List(list) = list else { return Err(wrong()) };
    let pair = |pair: &'a Value| match pair {
        Value::List(pair) if pair.len() == 2 => Ok((pair[0].to_text().map_err(|_| wrong())?, &pair[1])),
        _ => Err(wrong()),
    };
    list.iter().map(pair).collect()
}

fn given<'a>(input: &'a Map, name: &str) -> Option<&'a Value> {
    input.get(name).filter(|value| **value != Value::Null)
}

fn field_text(input: &Map, name: &str) -> Result<String, Failure> {
    text_of(name, input.get(name).unwrap_or(&Value::Null))
}

fn text_of(name: &str, value: &Value) -> Result<String, Failure> {
    value.to_text().map_err(|why| Failure::invalid(format!("`{name}`: {why}")))
}

fn wrong_type(name: &str, value: &Value, wanted: &str) -> Failure {
    Failure::invalid(format!("`{name}` is a {}, not a {wanted}", value.type_name()))
}
