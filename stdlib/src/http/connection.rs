//! Sees how far the connection of a request has come: what decides whether a failed request was certainly not sent.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll};

use tower::{Layer, Service};

tokio::task_local! {
    static CURRENT: Connection;
}

const UNTOUCHED: u8 = 0;
const OPENING: u8 = 1;
const OPEN: u8 = 2;

/// How far the first connection of one attempt is. Cloning shares it.
#[derive(Clone, Default)]
pub(super) struct Connection(Arc<AtomicU8>);

impl Connection {
    /// Watches the connection that `request` opens. It must not use one that is open already.
    pub(super) async fn watch<T>(&self, request: impl Future<Output = T>) -> T {
        CURRENT.scope(self.clone(), request).await
    }

    /// Whether nothing can have been sent: the connection, TLS included, was still being opened.
    pub(super) fn is_opening(&self) -> bool {
        self.0.load(Ordering::SeqCst) == OPENING
    }
}

/// Tells the [`Connection`] of the task about its connector.
#[derive(Clone)]
pub(super) struct Watch;

/// A connector under watch.
#[derive(Clone)]
pub(super) struct Watched<S>(S);

impl<S> Layer<S> for Watch {
    type Service = Watched<S>;

    fn layer(&self, connector: S) -> Watched<S> {
        Watched(connector)
    }
}

impl<S, R> Service<R> for Watched<S>
where
    S: Service<R>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: R) -> Self::Future {
        let watcher = CURRENT.try_with(Clone::clone).ok();
        let opening = self.0.call(request);
        Box::pin(async move {
            if let Some(Connection(state)) = &watcher {
                // What was open once stays so: a redirect's connection says nothing of the first.
                let _ = state.compare_exchange(UNTOUCHED, OPENING, Ordering::SeqCst, Ordering::SeqCst);
            }
            let opened = opening.await;
            if let (Some(Connection(state)), Ok(_)) = (&watcher, &opened) {
                state.store(OPEN, Ordering::SeqCst);
            }
            opened
        })
    }
}
