//! The ways in: each with its path, its method and what it is for. `docs/server.md` lists them, and a test compares.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use lockstep_engine::host::EngineHandle;
use serde_json::json;
use tokio::sync::watch;

use super::metrics::Metrics;
use crate::config::Limits;
use crate::server::librarian::Status;
use crate::server::pulse::Pulse;

/// What routes answer from.
#[derive(Clone, Debug)]
pub struct State {
    /// The engine.
    pub engine: EngineHandle,
    /// Whether it is alive.
    pub pulse: Pulse,
    /// The runbooks, where a folder of them is served.
    pub library: Option<watch::Receiver<Arc<Status>>>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Whether the server goes.
    pub stopping: watch::Receiver<bool>,
}

/// A way in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// Whether the process is alive.
    Health,
    /// Whether it does its work.
    Readiness,
    /// What it has done.
    Metrics,
}

impl Route {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Health, Self::Readiness, Self::Metrics];

    /// Its path.
    pub const fn path(self) -> &'static str {
        match self {
            Self::Health => "/healthz",
            Self::Readiness => "/readyz",
            Self::Metrics => "/metrics",
        }
    }

    /// Its method. What can be got can be asked for by HEAD as well.
    pub const fn method(self) -> Method {
        match self {
            Self::Health | Self::Readiness | Self::Metrics => Method::GET,
        }
    }

    fn handler(self, state: State) -> MethodRouter {
        match self {
            Self::Health => get(move || async move { health(&state) }),
            Self::Readiness => get(move || async move { readiness(&state) }),
            Self::Metrics => get(move || async move { metrics(&state) }),
        }
    }
}

/// All ways in, within limits.
pub fn router(state: &State, limits: Limits) -> Router {
    let routes = Route::ALL
        .into_iter()
        .fold(Router::new(), |router, route| router.route(route.path(), route.handler(state.clone())));
    let counted = Arc::clone(&state.metrics);
    routes
        .fallback(|| async {
            let routes = Route::ALL.map(|route| format!("{} {}", route.method(), route.path())).join("`, `");
            problem(StatusCode::NOT_FOUND, "there is nothing here", &format!("there are `{routes}`"))
        })
        .method_not_allowed_fallback(|| async {
            problem(StatusCode::METHOD_NOT_ALLOWED, "this path is not asked so", "`Allow` says how it is")
        })
        .layer(middleware::from_fn(move |request: Request, next: Next| {
            let counted = Arc::clone(&counted);
            async move {
                let route = Route::ALL.into_iter().find(|route| route.path() == request.uri().path());
                let response = bounded(limits, request, next).await;
                counted.answered(route, response.status());
                response
            }
        }))
}

/// Answers within the limits of time and size.
async fn bounded(limits: Limits, request: Request, next: Next) -> Response {
    let announced = request.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    if announced.is_some_and(|bytes: u64| bytes > limits.body) {
        let help = format!("a body may have {} bytes", limits.body);
        return problem(StatusCode::PAYLOAD_TOO_LARGE, "this is too large", &help);
    }
    match tokio::time::timeout(limits.request_timeout, next.run(request)).await {
        Ok(response) => response,
        Err(_) => problem(StatusCode::SERVICE_UNAVAILABLE, "this takes too long", "try it again later"),
    }
}

fn health(state: &State) -> Response {
    match state.pulse.is_missed() {
        None => answer(StatusCode::OK, &json!({ "status": "ok" })),
        Some(since) => answer(StatusCode::SERVICE_UNAVAILABLE, &json!({ "status": "stuck", "reason": stuck(since) })),
    }
}

fn readiness(state: &State) -> Response {
    let mut reasons = Vec::new();
    if *state.stopping.borrow() {
        reasons.push("the server is stopping".to_owned());
    }
    reasons.extend(state.pulse.is_missed().map(stuck));
    if state.engine.figures().is_full {
        reasons.push("nothing can be stored; runs stand still until there is room".to_owned());
    }
    let library = state.library.as_ref().map(|library| Arc::clone(&library.borrow()));
    let runbooks = library
        .as_ref()
        .map(|library| json!({ "loaded": library.runbooks, "broken": library.broken, "error": library.failure }));
    let (status, code) =
        if reasons.is_empty() { ("ready", StatusCode::OK) } else { ("unready", StatusCode::SERVICE_UNAVAILABLE) };
    answer(code, &json!({ "status": status, "reasons": reasons, "runbooks": runbooks }))
}

fn stuck(since: Duration) -> String {
    format!("the engine has not answered for {} s", since.as_secs())
}

fn metrics(state: &State) -> Response {
    let library = state.library.as_ref().map(|library| Arc::clone(&library.borrow()));
    let text = state.metrics.text(&state.engine.figures(), library.as_deref());
    let mut response = Response::new(Body::from(text));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(Metrics::CONTENT_TYPE));
    response
}

/// What could not be done, and what to do instead.
fn problem(status: StatusCode, message: &str, help: &str) -> Response {
    answer(status, &json!({ "error": { "message": message, "help": help } }))
}

fn answer(status: StatusCode, body: &serde_json::Value) -> Response {
    let headers = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")];
    (status, headers, format!("{body}\n")).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_is_documented_and_none_that_is_not_there() {
        let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/server.md")).unwrap();
        let rows = text.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`').map(|(route, _)| route));
        let documented: Vec<&str> = rows.filter(|route| route.contains(" /")).collect();
        let known = Route::ALL.map(|route| format!("{} {}", route.method(), route.path()));
        assert_eq!(documented, known);
    }
}
