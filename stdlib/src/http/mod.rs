//! `http`: one request, and what its end means.
//!
//! *Certain* ends: no connection was made; an answer came. Of a request with effect once, an answer 502 or 504 (of a
//! proxy that does not know either), and no whole answer after the connection stood, are unknown. Of any other they are
//! certain failures, which a retry may repeat.
//!
//! Every request opens a connection of its own, so that none is lost to one that the server has just closed, and nothing
//! is sent twice beneath us. Redirects are followed here, ten at most: 301, 302 and 303 by GET, 307 and 308 as they
//! were, but never a request with effect once. What holds a secret does not go to another host.

mod connection;
mod request;

use std::error::Error as _;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use lockstep_dsl::value::{Map, Value};
use lockstep_engine::worker::learned::Withholding;
use lockstep_engine::worker::limits::OUTPUT_BYTES;
use lockstep_engine::worker::mask::Masker;
use lockstep_engine::worker::secret::Secrets;
use lockstep_engine::worker::sink::Sink;
use lockstep_engine::worker::{Action, Attempt, Failure, OnProgress, Outcome, StopSignal, Stream};
use reqwest::header::{
    AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, HeaderMap, HeaderName, HeaderValue, LOCATION,
};
use reqwest::{Certificate, Client, ClientBuilder, Method, Response, StatusCode};

use self::connection::{Connection, Watch};
use self::request::Request;

/// Bytes of an answer's body that are read; a longer one is a failure.
pub const MAX_BODY_BYTES: usize = 16 * 1024 * 1024;

/// Redirects that are followed.
pub const MAX_REDIRECTS: usize = 10;

/// For opening a connection, TLS included.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Bytes of an answer's body that an error's `data` shows.
const ERROR_BODY_BYTES: usize = 4 * 1024;

/// The action `http`.
#[derive(Default)]
pub struct Http {
    /// Trusted beside what the system trusts.
    roots: Vec<Certificate>,
    /// Made at the first request: loading the system's certificates takes a while.
    client: tokio::sync::OnceCell<Client>,
}

/// A request that was answered whole.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

/// Why there is no answer.
enum NoAnswer {
    /// Nothing was sent, or what came is certain all the same.
    Certain(Failure),
    /// The connection stood: the request may have had its effect.
    Open(Failure),
}

impl Http {
    /// Trusts the system's certificate authorities, or those that `SSL_CERT_FILE` and `SSL_CERT_DIR` name.
    pub fn new() -> Self {
        Self::default()
    }

    /// Trusts these certificate authorities too.
    pub fn with_roots(roots: Vec<Certificate>) -> Self {
        Self { roots, ..Self::default() }
    }

    async fn client(&self) -> Result<&Client, Failure> {
        let make = || async {
            let builder = || -> ClientBuilder {
                Client::builder()
                    .user_agent(concat!("lockstep/", env!("CARGO_PKG_VERSION")))
                    .connect_timeout(CONNECT_TIMEOUT)
                    .pool_max_idle_per_host(0)
                    .redirect(reqwest::redirect::Policy::none())
                    .retry(reqwest::retry::never())
                    .connector_layer(Watch)
            };
            builder().tls_certs_merge(self.roots.clone()).build().or_else(|error| {
                // A machine without certificates can still send requests without TLS.
                tracing::warn!(error = chain(&error), "no certificate authority is trusted");
                builder().tls_certs_only(self.roots.clone()).build()
            })
        };
        self.client
            .get_or_try_init(make)
            .await
            .map_err(|error| Failure::failed(format!("cannot set up TLS: {}", chain(&error))))
    }

    async fn attempt(&self, attempt: &Attempt, mut stop: StopSignal, progress: OnProgress) -> Outcome {
        let mut secrets = Secrets::of(attempt);
        let request = match Request::parse(attempt, &mut secrets) {
            Ok(request) => request,
            Err(failure) => return failure.untouched().into(),
        };
        secrets.also_mask(attempt);
        let (masker, known) = match secrets.masker().and_then(|masker| Ok((masker, secrets.values()?))) {
            Ok(both) => both,
            Err(failure) => return failure.untouched().into(),
        };
        let client = match self.client().await {
            Ok(client) => client,
            Err(failure) => return failure.untouched().into(),
        };
        if stop.is_asked() {
            return Failure::new("cancelled", "stopped before the request was sent").untouched().into();
        }
        let withholding = Withholding::of(attempt);
        let mut sink = Sink::new(&attempt.log, &masker, progress);
        if withholding.is_some() {
            sink = sink.withholding();
        }
        let answer = exchange(client, &request, attempt.once, &mut stop, &mut sink).await;
        let outcome = match (&withholding, answer) {
            // What it holds is told by parts, each of which is masked then.
            (Some(withholding), Ok(answer)) => {
                let told = conclude(Ok(answer), &request.expect, attempt.once, &Masker::nothing(), true);
                withholding.keep(told, &known)
            }
            (_, answer) => conclude(answer, &request.expect, attempt.once, &masker, false),
        };
        if let Outcome::Failed { error, .. } = &outcome {
            sink.say(&format!("{}\n", error.message));
        }
        sink.end();
        outcome
    }
}

impl Action for Http {
    fn name(&self) -> &'static str {
        "http"
    }

    fn run<'a>(
        &'a self,
        attempt: &'a Attempt,
        stop: StopSignal,
        progress: OnProgress,
    ) -> Pin<Box<dyn Future<Output = Outcome> + Send + 'a>> {
        Box::pin(self.attempt(attempt, stop, progress))
    }
}

/// Sends the request and follows redirects, until there is an answer, no time left, or the attempt is stopped.
async fn exchange(
    client: &Client,
    request: &Request,
    once: bool,
    stop: &mut StopSignal,
    sink: &mut Sink,
) -> Result<Answer, NoAnswer> {
    let connection = Connection::default();
    let timeout = request.timeout.unwrap_or(Duration::MAX);
    let end = tokio::select! {
        biased;
        answer = connection.watch(follow(client, request, once, &connection, sink)) => return answer,
        () = tokio::time::sleep(timeout) => {
            Failure::new("timeout", format!("no answer within {}", humane(timeout)))
        }
        () = stop.wait() => Failure::new("cancelled", "stopped while the answer was awaited"),
    };
    Err(if connection.is_opening() { NoAnswer::Certain(end) } else { NoAnswer::Open(end) })
}

async fn follow(
    client: &Client,
    request: &Request,
    once: bool,
    connection: &Connection,
    sink: &mut Sink,
) -> Result<Answer, NoAnswer> {
    let (mut method, mut url) = (request.method.clone(), request.url.clone());
    let (mut headers, mut body) = (request.headers.clone(), request.body.clone());
    for hop in 0..=MAX_REDIRECTS {
        let line = format!("{method} {url}\n");
        // Where an answer leads is part of it.
        if hop == 0 {
            sink.say(&line);
        } else {
            sink.take(Stream::Stderr, line.as_bytes());
        }
        let mut sending = client.request(method.clone(), url.clone()).headers(headers.clone());
        if let Some(body) = &body {
            sending = sending.body(body.clone());
        }
        let response = sending.send().await.map_err(|error| {
            let certain = hop == 0 && (connection.is_opening() || error.is_connect() || error.is_builder());
            no_answer(&error, certain)
        })?;
        let status = response.status();
        sink.say(&format!("{status}\n"));
        let target = response.headers().get(LOCATION).and_then(|to| url.join(to.to_str().ok()?).ok());
        let repeats = matches!(status.as_u16(), 307 | 308);
        let target = match target {
            Some(target) if matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308) => target,
            _ => return read(response, sink).await,
        };
        if is_in(&request.expect, status.as_u16()) || (repeats && once) || !matches!(target.scheme(), "http" | "https")
        {
            return read(response, sink).await;
        }
        if !repeats && !matches!(method, Method::GET | Method::HEAD) {
            (method, body) = (Method::GET, None);
            headers.remove(CONTENT_TYPE);
            headers.remove(CONTENT_LENGTH);
        }
        if target.origin() != url.origin() {
            if body.is_some() && request.secret_body {
                let target = if sink.withholds() { String::new() } else { format!(", `{target}`") };
                let message = format!("redirected to another host{target}, which the secret in the body is not for");
                return Err(NoAnswer::Certain(Failure::failed(message)));
            }
            headers.remove(AUTHORIZATION);
            headers.remove(COOKIE);
            let secret: Vec<_> =
                headers.iter().filter(|(_, value)| value.is_sensitive()).map(|(name, _)| name.clone()).collect();
            for name in secret {
                headers.remove(name);
            }
        }
        url = target;
    }
    Err(NoAnswer::Certain(Failure::failed(format!("redirected more than {MAX_REDIRECTS} times"))))
}

fn no_answer(error: &reqwest::Error, certain: bool) -> NoAnswer {
    if certain {
        return NoAnswer::Certain(Failure::failed(format!("no connection: {}", chain(error))).untouched());
    }
    let kind = if error.is_timeout() { "timeout" } else { "failed" };
    NoAnswer::Open(Failure::new(kind, format!("no answer: {}", chain(error))))
}

async fn read(mut response: Response, sink: &mut Sink) -> Result<Answer, NoAnswer> {
    let (status, headers) = (response.status(), response.headers().clone());
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) => {
                sink.take(Stream::Stdout, &chunk);
                body.extend_from_slice(&chunk);
            }
            Ok(None) => return Ok(Answer { status, headers, body }),
            Err(error) => {
                let message =
                    format!("{status}, but the answer broke off after {} bytes: {}", body.len(), chain(&error));
                return Err(NoAnswer::Open(Failure::failed(message)));
            }
        }
        if body.len() > MAX_BODY_BYTES {
            let message = format!("{status}, but the answer is longer than {MAX_BODY_BYTES} bytes");
            return Err(NoAnswer::Certain(Failure::new("limit", message)));
        }
    }
}

fn conclude(
    answer: Result<Answer, NoAnswer>,
    expect: &[(u16, u16)],
    once: bool,
    masker: &Masker,
    withheld: bool,
) -> Outcome {
    let answer = match answer {
        Ok(answer) => answer,
        Err(NoAnswer::Open(failure)) if once => return Outcome::Unknown { why: masker.text(&failure.message) },
        Err(NoAnswer::Open(mut failure) | NoAnswer::Certain(mut failure)) => {
            failure.message = masker.text(&failure.message);
            failure.data = data(None, "");
            return failure.into();
        }
    };
    let code = answer.status.as_u16();
    let (outputs, body) = outputs(&answer, masker);
    if is_in(expect, code) {
        return Outcome::Succeeded { outputs };
    }
    if once && matches!(code, 502 | 504) {
        return Outcome::Unknown {
            why: format!("{}: the proxy does not know what became of the request", answer.status),
        };
    }
    let message = match answer.headers.get(LOCATION).and_then(|to| to.to_str().ok()) {
        Some(to) if once && matches!(code, 307 | 308) && !withheld => {
            masker.text(&format!("{} to `{to}`: a request with effect once is not sent a second time", answer.status))
        }
        _ => answer.status.to_string(),
    };
    let error = Failure { data: data(Some(code), &body), ..Failure::failed(message) };
    Outcome::Failed { error, outputs }
}

/// Whether a status code is in one of the ranges.
fn is_in(ranges: &[(u16, u16)], code: u16) -> bool {
    ranges.iter().any(|(low, high)| (*low..=*high).contains(&code))
}

/// The outcome of an attempt whose request was not sent, as if a server had answered so. What no request can be made of
/// fails as it does when one is sent.
pub fn answered(attempt: &Attempt, code: u16, headers: &[(String, String)], body: &str) -> Outcome {
    let attempt = attempt.without_secrets();
    let request = match Request::parse(&attempt, &mut Secrets::new()) {
        Ok(request) => request,
        Err(failure) => return failure.untouched().into(),
    };
    let field = |(name, value): &(String, String)| {
        Some((HeaderName::from_bytes(name.as_bytes()).ok()?, HeaderValue::from_str(value).ok()?))
    };
    let answer = Answer {
        status: StatusCode::from_u16(code).unwrap_or_default(),
        headers: headers.iter().filter_map(field).collect(),
        body: body.as_bytes().to_vec(),
    };
    let outcome = conclude(Ok(answer), &request.expect, attempt.once, &Masker::nothing(), !attempt.taken.is_empty());
    match Withholding::of(&attempt) {
        Some(withholding) => withholding.rehearse(outcome),
        None => outcome,
    }
}

/// `code`, `headers`, `body`, `json`; and the whole body as text.
fn outputs(answer: &Answer, masker: &Masker) -> (Map, String) {
    let mut headers = Map::new();
    for name in answer.headers.keys() {
        let values = answer.headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
        let joined = values.collect::<Vec<_>>().join(", ");
        headers.insert(name.as_str().to_owned(), Value::String(masker.text(&joined)));
    }
    let body = String::from_utf8_lossy(&masker.bytes(&answer.body)).into_owned();
    let cut = body.ceil_char_boundary(body.len().saturating_sub(OUTPUT_BYTES));
    let mut outputs = Map::from([
        ("code".to_owned(), Value::Int(answer.status.as_u16().into())),
        ("headers".to_owned(), Value::Map(headers)),
        ("body".to_owned(), Value::from(&body[cut..])),
    ]);
    if cut > 0 {
        outputs.insert("truncated".to_owned(), Value::Bool(true));
    } else {
        outputs.insert("json".to_owned(), serde_json::from_str(&body).map_or(Value::Null, Value::from_json));
    }
    (outputs, body)
}

/// What an error of a request knows: the code, and the beginning of the body.
fn data(code: Option<u16>, body: &str) -> Value {
    let body = &body[..body.floor_char_boundary(ERROR_BODY_BYTES)];
    Value::Map(Map::from([
        ("code".to_owned(), code.map_or(Value::Null, |code| Value::Int(code.into()))),
        ("body".to_owned(), Value::from(body)),
    ]))
}

/// An error with its causes, without the URL, which the message need not say again.
fn chain(error: &reqwest::Error) -> String {
    let mut text = String::new();
    let mut cause = error.source();
    while let Some(error) = cause {
        let message = error.to_string();
        if !text.contains(&message) {
            text = if text.is_empty() { message } else { format!("{text}: {message}") };
        }
        cause = error.source();
    }
    if text.is_empty() { error.to_string() } else { text }
}

fn humane(duration: Duration) -> String {
    lockstep_dsl::value::Millis(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)).to_string()
}
