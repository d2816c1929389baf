//! Requests against real servers, good and bad ones.

#[path = "../../engine/tests/worker/payloads.rs"]
mod payloads;

use std::sync::Arc;

use lockstep_dsl::value::{Map, Millis, SecretPart, SecretRef, SecretText, Value};
use lockstep_engine::id::{RunId, Token};
use lockstep_engine::worker::{Action as _, Attempt, Failure, OnProgress, Outcome, Stopper};
use lockstep_stdlib::http::{Http, MAX_BODY_BYTES};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use wiremock::matchers::{body_string, header, method, path, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

/// An attempt to be.
struct Case {
    folder: tempfile::TempDir,
    attempt: Attempt,
}

impl Case {
    fn new(method: &str, url: &str) -> Self {
        lockstep_stdlib::install_tls();
        let folder = tempfile::tempdir().expect("a temporary folder");
        let attempt = Attempt {
            run: RunId::new(1_700_000_000_000, 1),
            runbook: "test".to_owned(),
            step: "step".to_owned(),
            action: "http".to_owned(),
            input: Map::new(),
            taken: Vec::new(),
            secrets: Vec::new(),
            environment: None,
            key: "the-key".to_owned(),
            token: Token(7),
            number: 1,
            once: method == "POST",
            grace: Millis(1_000),
            folder: folder.path().join("attempt"),
            log: folder.path().join("log"),
            files: None,
        };
        Self { folder, attempt }.input("method", method.into()).input("url", url.into())
    }

    fn input(mut self, name: &str, value: Value) -> Self {
        self.attempt.input.insert(name.to_owned(), value);
        self
    }

    fn body(self, kind: &str, value: Value) -> Self {
        self.input("body", map([("kind", kind.into()), ("value", value)]))
    }

    fn secret(&self, value: &str) -> Value {
        let file = self.folder.path().join("secret");
        std::fs::write(&file, value).expect("the secret's file");
        Value::Secret(SecretText(vec![SecretPart::Reference(SecretRef::File(file.display().to_string()))]))
    }

    async fn run_with(&self, http: &Http) -> Outcome {
        let (_stopper, stop) = Stopper::new();
        http.run(&self.attempt, stop, silent()).await
    }

    async fn outputs(&self) -> Map {
        match self.run_with(&Http::new()).await {
            Outcome::Succeeded { outputs } => outputs,
            other => panic!("{other:?}"),
        }
    }

    async fn failure(&self) -> Failure {
        match self.run_with(&Http::new()).await {
            Outcome::Failed { error, .. } => error,
            other => panic!("{other:?}"),
        }
    }

    async fn unknown(&self) -> String {
        match self.run_with(&Http::new()).await {
            Outcome::Unknown { why } => why,
            other => panic!("{other:?}"),
        }
    }
}

fn silent() -> OnProgress {
    Arc::new(|_| {})
}

fn map<const N: usize>(fields: [(&str, Value); N]) -> Value {
    Value::Map(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

fn list<const N: usize>(values: [Value; N]) -> Value {
    Value::List(values.into())
}

/// A server that reads one request's head, and then does what it is told.
async fn raw<F, R>(then: F) -> String
where
    F: FnOnce(TcpStream) -> R + Send + 'static,
    R: Future<Output = ()> + Send,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/", listener.local_addr().expect("an address"));
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.expect("a request"));
        }
        then(stream).await;
    });
    url
}

async fn answer(mut stream: TcpStream, text: &str) {
    // The client may have gone away: that is its side of the test.
    let _ = stream.write_all(text.as_bytes()).await;
}

async fn never_answer(stream: TcpStream) {
    std::future::pending::<()>().await;
    drop(stream);
}

#[tokio::test]
async fn a_request_arrives_as_declared_and_its_answer_becomes_outputs() {
    let server = MockServer::start().await;
    let answer = ResponseTemplate::new(201).set_body_string(r#"{"id": 5, "echo": "hunter22"}"#);
    Mock::given(method("PUT"))
        .and(path("/things"))
        .and(query_param("q", "a b&c=ä"))
        .and(header("x-one", "1"))
        .and(header("authorization", "Basic YW5hOmh1bnRlcjIy"))
        .and(header("idempotency-key", "the-key"))
        .and(header("lockstep-token", "7"))
        .and(header("content-type", "application/json"))
        .and(body_string(r#"{"a":[1,null]}"#))
        .respond_with(answer.insert_header("x-two", "2"))
        .expect(1)
        .mount(&server)
        .await;
    let case = Case::new("PUT", &format!("{}/things", server.uri()));
    let password = case.secret("hunter22\n");
    let case = case
        .input("query", list([list(["q".into(), "a b&c=ä".into()])]))
        .input("headers", list([list(["X-One".into(), Value::Int(1)])]))
        .input("auth", map([("user", "ana".into()), ("password", password)]))
        .body("json", map([("a", list([Value::Int(1), Value::Null]))]));
    let outputs = case.outputs().await;
    assert_eq!(outputs["code"], Value::Int(201));
    assert_eq!(outputs["json"], map([("id", Value::Int(5)), ("echo", "***".into())]));
    let Value::Map(headers) = &outputs["headers"] else { panic!("headers") };
    assert_eq!(headers["x-two"], Value::from("2"));
    let log = std::fs::read(&case.attempt.log).unwrap();
    assert!(!log.windows(8).any(|window| window == b"hunter22"));
}

#[tokio::test]
async fn an_unexpected_code_is_a_certain_failure() {
    let server = MockServer::start().await;
    Mock::given(method("POST")).respond_with(ResponseTemplate::new(409).set_body_string("taken")).mount(&server).await;
    let error = Case::new("POST", &server.uri()).failure().await;
    assert_eq!((error.kind.as_str(), error.message.as_str()), ("failed", "409 Conflict"));
    assert_eq!(error.data, map([("code", Value::Int(409)), ("body", "taken".into())]));
    let case = Case::new("POST", &server.uri()).input("expect", list([list([Value::Int(409), Value::Int(409)])]));
    assert_eq!(case.outputs().await["body"], Value::from("taken"));
}

#[tokio::test]
async fn a_proxy_that_does_not_know_leaves_a_once_request_unknown() {
    for code in [502, 504] {
        let server = MockServer::start().await;
        Mock::given(path("/")).respond_with(ResponseTemplate::new(code)).mount(&server).await;
        assert!(Case::new("POST", &server.uri()).unknown().await.starts_with(&code.to_string()));
        assert_eq!(Case::new("PUT", &server.uri()).failure().await.kind, "failed");
    }
}

#[tokio::test]
async fn no_connection_is_certain_also_for_once() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let error = Case::new("POST", &format!("http://{closed}/")).failure().await;
    assert_eq!(error.kind, "failed");
    assert!(error.message.starts_with("no connection: ") && error.message.contains("refused"), "{}", error.message);
    let error = Case::new("POST", "http://no-such-host.invalid/").failure().await;
    assert!(error.message.starts_with("no connection: "), "{}", error.message);
    // A server that speaks no TLS: the handshake fails.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move { answer(listener.accept().await.expect("a connection").0, "no TLS here\r\n").await });
    let error = Case::new("POST", &url).failure().await;
    assert!(error.message.starts_with("no connection: "), "{}", error.message);
}

#[tokio::test]
async fn a_connection_that_breaks_after_the_request_is_unknown_for_once() {
    let url = raw(|stream| async { drop(stream) }).await;
    let why = Case::new("POST", &url).body("text", "x".into()).unknown().await;
    assert!(why.starts_with("no answer: "), "{why}");
    let url = raw(|stream| async { drop(stream) }).await;
    assert_eq!(Case::new("GET", &url).failure().await.kind, "failed");

    let broken = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf";
    let url = raw(move |stream| answer(stream, broken)).await;
    let why = Case::new("POST", &url).unknown().await;
    assert!(why.starts_with("200 OK, but the answer broke off after 4 bytes"), "{why}");
    let url = raw(move |stream| answer(stream, broken)).await;
    assert_eq!(Case::new("GET", &url).failure().await.kind, "failed");
}

#[tokio::test]
async fn no_answer_in_time_is_a_timeout_or_unknown() {
    let timeout = Value::Duration(Millis(200));
    let error = Case::new("GET", &raw(never_answer).await).input("timeout", timeout.clone()).failure().await;
    assert_eq!((error.kind.as_str(), error.message.as_str()), ("timeout", "no answer within 200ms"));
    let why = Case::new("POST", &raw(never_answer).await).input("timeout", timeout).unknown().await;
    assert_eq!(why, "no answer within 200ms");
}

#[tokio::test]
async fn a_stop_before_the_connection_stands_is_certain_and_after_it_is_not() {
    // TLS towards a server that never answers: the connection never stands.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let case = Case::new("POST", &format!("https://{}/", listener.local_addr().unwrap()));
    let (stopper, stop) = Stopper::new();
    let http = Http::new();
    let stopping = async {
        let _connection = listener.accept().await.unwrap();
        stopper.stop();
        std::future::pending::<()>().await;
    };
    let outcome = tokio::select! {
        outcome = http.run(&case.attempt, stop, silent()) => outcome,
        () = stopping => unreachable!("it never ends"),
    };
    assert!(matches!(&outcome, Outcome::Failed { error, .. } if error.kind == "cancelled"), "{outcome:?}");

    let (stopper, stop) = Stopper::new();
    let url = raw(|stream| async move {
        stopper.stop();
        never_answer(stream).await;
    })
    .await;
    let outcome = http.run(&Case::new("POST", &url).attempt, stop, silent()).await;
    assert_eq!(outcome, Outcome::Unknown { why: "stopped while the answer was awaited".to_owned() });
}

#[tokio::test]
async fn only_servers_of_trusted_authorities_are_spoken_to() {
    let key = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let root = reqwest::Certificate::from_der(key.cert.der()).unwrap();
    let private = rustls::pki_types::PrivateKeyDer::try_from(key.signing_key.serialize_der()).unwrap();
    lockstep_stdlib::install_tls();
    let config = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![key.cert.der().clone()], private)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.expect("a connection");
            // A client that does not trust the server breaks the handshake off.
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.expect("a request"));
            }
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nsafe").await.expect("a reader");
            stream.shutdown().await.expect("a reader");
        }
    });
    let error = Case::new("POST", &format!("https://localhost:{port}/")).failure().await;
    assert!(error.message.starts_with("no connection: ") && error.message.contains("certificate"), "{}", error.message);
    let trusting = Http::with_roots(vec![root]);
    let outcome = Case::new("POST", &format!("https://localhost:{port}/")).run_with(&trusting).await;
    assert!(matches!(&outcome, Outcome::Succeeded { outputs } if outputs["body"] == "safe".into()), "{outcome:?}");
    let outcome = Case::new("POST", &format!("https://127.0.0.1:{port}/")).run_with(&trusting).await;
    let Outcome::Failed { error, .. } = outcome else { panic!("another name: {outcome:?}") };
    assert!(error.message.starts_with("no connection: "), "{}", error.message);
}

#[tokio::test]
async fn redirects_are_followed_and_bounded() {
    let server = MockServer::start().await;
    let to = |code, target: &str| ResponseTemplate::new(code).insert_header("location", target);
    Mock::given(path("/loop")).respond_with(to(302, "/loop")).expect(11).mount(&server).await;
    Mock::given(path("/see")).respond_with(to(303, "/seen")).mount(&server).await;
    Mock::given(method("GET")).and(path("/seen")).respond_with(ResponseTemplate::new(200)).mount(&server).await;
    Mock::given(path("/moved")).respond_with(to(307, "/put")).mount(&server).await;
    Mock::given(method("PUT"))
        .and(path("/put"))
        .and(body_string("x"))
        .respond_with(ResponseTemplate::new(200))
        .expect(1)
        .mount(&server)
        .await;
    let at = |method, path: &str| Case::new(method, &format!("{}{path}", server.uri()));
    assert_eq!(at("GET", "/loop").failure().await.message, "redirected more than 10 times");
    at("POST", "/see").body("text", "x".into()).outputs().await;
    at("PUT", "/moved").body("text", "x".into()).outputs().await;
    let error = at("POST", "/moved").body("text", "x".into()).failure().await;
    assert!(error.message.ends_with("a request with effect once is not sent a second time"), "{}", error.message);
}

#[tokio::test]
async fn secrets_do_not_follow_to_another_host() {
    let (first, other) = (MockServer::start().await, MockServer::start().await);
    let away = ResponseTemplate::new(307).insert_header("location", format!("{}/in", other.uri()));
    Mock::given(path("/")).respond_with(away).mount(&first).await;
    Mock::given(path("/in")).respond_with(ResponseTemplate::new(200)).mount(&other).await;
    let case = Case::new("PUT", &first.uri());
    let token = case.secret("hunter22");
    let case = case
        .input("auth", map([("bearer", token.clone())]))
        .input("headers", list([list(["X-Api-Key".into(), token.clone()]), list(["X-Plain".into(), "p".into()])]));
    case.outputs().await;
    let seen = &other.received_requests().await.unwrap()[0];
    assert!(seen.headers.get("authorization").is_none() && seen.headers.get("x-api-key").is_none());
    assert_eq!(seen.headers["x-plain"], "p");
    let error = case.body("form", map([("token", token)])).failure().await;
    assert!(error.message.starts_with("redirected to another host"), "{}", error.message);
}

#[tokio::test]
async fn long_answers_are_cut_and_endless_ones_refused() {
    let server = MockServer::start().await;
    let text = "x".repeat(300_000) + "end";
    Mock::given(path("/long")).respond_with(ResponseTemplate::new(200).set_body_string(&text)).mount(&server).await;
    let huge = vec![b'x'; MAX_BODY_BYTES + 1];
    Mock::given(path("/huge")).respond_with(ResponseTemplate::new(200).set_body_bytes(huge)).mount(&server).await;
    let outputs = Case::new("GET", &format!("{}/long", server.uri())).outputs().await;
    assert_eq!(outputs["body"], Value::from(&text[text.len() - 256 * 1024..]));
    assert_eq!(outputs["truncated"], Value::Bool(true));
    assert!(!outputs.contains_key("json"));
    assert_eq!(Case::new("GET", &format!("{}/huge", server.uri())).failure().await.kind, "limit");
}

#[tokio::test]
async fn bad_input_is_named_before_anything_is_sent() {
    for (case, message) in [
        (
            Case::new("GET", "ftp://x/"),
            "`ftp://x/` is no URL to send a request to: it begins with neither `http://` nor `https://`",
        ),
        (Case::new("GET", "http://u:p@x/"), "the URL holds a user name or password: they belong in `auth`"),
        (Case::new("G T", "http://x/"), "`G T` is no method"),
        (
            Case::new("GET", "http://x/").input("headers", list([list(["a".into(), "b\r\nc: d".into()])])),
            "`headers.a` holds a line break or another control character",
        ),
        (Case::new("GET", "http://x/").body("text", Value::Null), "`body`: `()` has no text form"),
    ] {
        let error = case.failure().await;
        assert_eq!((error.kind.as_str(), error.message.as_str()), ("invalid", message));
    }
}

#[tokio::test]
async fn payloads_arrive_byte_for_byte_in_bodies() {
    let server = MockServer::start().await;
    Mock::given(method("PUT")).respond_with(ResponseTemplate::new(200)).mount(&server).await;
    let folder = tempfile::tempdir().unwrap();
    let witness = folder.path().join("witness");
    let all = payloads::payloads(&witness.display().to_string());
    let joined = all.join("\0");
    let values = Value::List(all.iter().map(|payload| Value::from(payload.as_str())).collect());
    let fields: Map =
        all.iter().enumerate().map(|(n, payload)| (format!("f{n:03}"), payload.as_str().into())).collect();
    Case::new("PUT", &server.uri()).body("text", joined.as_str().into()).outputs().await;
    Case::new("PUT", &server.uri()).body("json", values.clone()).outputs().await;
    Case::new("PUT", &server.uri()).body("form", Value::Map(fields)).outputs().await;
    let seen = server.received_requests().await.unwrap();
    assert_eq!(seen[0].body, joined.as_bytes());
    assert_eq!(Value::from_json(serde_json::from_slice(&seen[1].body).unwrap()), values);
    let form: Vec<String> = url::form_urlencoded::parse(&seen[2].body).map(|(_, value)| value.into_owned()).collect();
    assert_eq!(form, all);
    assert!(!witness.exists());
}
