//! Accepts connections within limits. A client that is slow, silent or greedy loses its connection, not the others theirs.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use crate::config::Limits;
use crate::ending::Failure;

/// Bytes of the head of a request: the line and all headers.
const HEAD_BYTES: usize = 16 * 1024;

/// Headers of a request.
const MAX_HEADERS: usize = 64;

/// How long one connection may be used for requests, so that those who hold theirs for ever do not keep others out.
const CONNECTION_AGE: Duration = Duration::from_mins(10);

/// Between two tries to accept, where the process has no more room for a connection.
const PAUSE: Duration = Duration::from_millis(100);

/// Listens until it is closed.
#[derive(Debug)]
pub struct Listener {
    close: watch::Sender<bool>,
    accepting: tokio::task::JoinHandle<JoinSet<()>>,
}

/// Takes the address, so that who cannot have it hears of it before anything else is begun.
pub async fn bind(address: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(Failure::system(format!("cannot listen on {address}")))
}

impl Listener {
    /// Answers on an address that was taken.
    pub fn start(listener: TcpListener, router: Router, limits: Limits) -> Self {
        let (close, closing) = watch::channel(false);
        let accepting = tokio::spawn(accept(listener, router, limits, closing));
        Self { close, accepting }
    }

    /// Takes no more connections; those that there are end with the request at hand, or after a while.
    pub async fn close(self, patience: Duration) {
        self.close.send_replace(true);
        let Ok(mut connections) = self.accepting.await else { return };
        let all_ended = async { while connections.join_next().await.is_some() {} };
        // Who is not done by then is cut off.
        let _ = tokio::time::timeout(patience, all_ended).await;
    }
}

async fn accept(listener: TcpListener, router: Router, limits: Limits, closing: watch::Receiver<bool>) -> JoinSet<()> {
    let mut until = closing.clone();
    let room = Arc::new(Semaphore::new(limits.connections));
    let mut connections = JoinSet::new();
    loop {
        let accepted = async {
            // Without room nothing is accepted: the kernel holds a few, and refuses the rest.
            let permit = Arc::clone(&room).acquire_owned().await.map_err(io::Error::other)?;
            listener.accept().await.map(|(stream, peer)| (permit, stream, peer))
        };
        tokio::select! {
            accepted = accepted => match accepted {
                Ok((permit, stream, peer)) => {
                    let serving = serve(stream, peer, router.clone(), limits, closing.clone());
                    connections.spawn(async move {
                        serving.await;
                        drop(permit);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(PAUSE).await;
                }
            },
            // Nobody waits for what these returned.
            Some(_) = connections.join_next() => {}
            () = closed(&mut until) => return connections,
        }
    }
}

async fn serve(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    limits: Limits,
    mut closing: watch::Receiver<bool>,
) {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_timeout)
        .max_buf_size(HEAD_BYTES)
        .max_headers(MAX_HEADERS);
    let connection = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => Some(ended),
        () = tokio::time::sleep(CONNECTION_AGE) => None,
        () = closed(&mut closing) => None,
    };
    let ended = if let Some(ended) = ended {
        ended
    } else {
        // The request at hand is still answered, within its own limit.
        connection.as_mut().graceful_shutdown();
        tokio::time::timeout(limits.request_timeout, connection).await.unwrap_or(Ok(()))
    };
    if let Err(error) = ended {
        tracing::debug!(%peer, %error, "a connection ended early");
    }
}

/// Ends when the listener does.
async fn closed(closing: &mut watch::Receiver<bool>) {
    // Without a listener there is nobody to close for either.
    let _ = closing.wait_for(|closing| *closing).await;
}
