//! The host's ear: answers guests on the folder's socket.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use lockstep_engine::api::{Refusal, RefusalKind, Reply, Request};
use lockstep_engine::host::EngineHandle;
use tokio::io::{AsyncReadExt, BufReader};
use tokio::net::unix::OwnedWriteHalf;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use super::peer::Peer;
use super::socket;
use super::terms::{MAX_GUESTS, Terms};
use super::wire::{self, Answer, Greeting};

/// Listens until it is closed.
#[derive(Debug)]
pub struct Server {
    folder: PathBuf,
    terms: Terms,
    close: watch::Sender<bool>,
    listening: JoinHandle<JoinSet<()>>,
}

impl Server {
    /// Listens in the folder, whose lock this process holds. Guests that are still being answered go on.
    pub fn listen(folder: &Path, engine: EngineHandle, guests: Guests, terms: Terms) -> io::Result<Self> {
        let listener = socket::listen(folder, terms.group)?;
        let (close, closing) = watch::channel(false);
        let host = Host { folder: folder.to_owned(), engine, terms, closing };
        let listening = tokio::spawn(accept(listener, host, guests.0));
        Ok(Self { folder: folder.to_owned(), terms, close, listening })
    }

    /// Takes no more guests. What they watch goes on until the engine stops.
    pub async fn deafen(self) -> Guests {
        socket::remove(&self.folder);
        self.close.send_replace(true);
        Guests(self.listening.await.unwrap_or_default(), self.terms)
    }
}

/// The guests that are still being answered.
#[derive(Debug, Default)]
pub struct Guests(JoinSet<()>, Terms);

impl Guests {
    /// Waits until each has read what is its own, for a while. For after the engine has stopped: then there is an end to it.
    pub async fn dismiss(mut self) {
        let all_read = async { while self.0.join_next().await.is_some() {} };
        // Who is late finds everything in the folder.
        let _ = tokio::time::timeout(self.1.last_words, all_read).await;
    }
}

/// What answering a guest takes.
#[derive(Clone, Debug)]
struct Host {
    folder: PathBuf,
    engine: EngineHandle,
    terms: Terms,
    closing: watch::Receiver<bool>,
}

async fn accept(listener: UnixListener, host: Host, mut guests: JoinSet<()>) -> JoinSet<()> {
    let mut until = host.closing.clone();
    loop {
        tokio::select! {
            accepted = listener.accept(), if guests.len() < MAX_GUESTS => match accepted {
                Ok((stream, _)) => {
                    guests.spawn(serve(stream, host.clone()));
                }
                Err(error) => {
                    // Out of file descriptors, most likely: those that there are will be given back.
                    tracing::warn!(%error, "a guest could not be let in");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            },
            // Nobody waits for what these returned.
            Some(_) = guests.join_next() => {}
            () = closed(&mut until) => return guests,
        }
    }
}

/// One connection. That a guest goes away is nothing to us.
async fn serve(stream: UnixStream, host: Host) {
    let answered: io::Result<()> = host.answer_guest(stream).await;
    if let Err(error) = answered {
        tracing::debug!(%error, "a guest went away");
    }
}

impl Host {
    async fn answer_guest(self, stream: UnixStream) -> io::Result<()> {
        let Self { folder, engine, terms, closing } = self;
        let mut until = closing.clone();
        let peer = Peer::of(&stream)?;
        let (read, mut write) = stream.into_split();
        let mut read = BufReader::new(read);
        wire::send(&mut write, &Greeting::own(terms.serves)).await?;
        if let Err(refusal) = peer.check(terms.group.is_some()) {
            tracing::warn!(why = refusal.message, "a guest was turned away");
            wire::send(&mut write, &Answer::Reply(Reply::Refused(refusal))).await?;
            // Who still writes could not read the answer if the connection were closed meanwhile.
            return tokio::io::copy(&mut read, &mut tokio::io::sink()).await.map(drop);
        }
        let request = tokio::select! {
            request = wire::receive::<Request>(&mut read) => request?,
            () = closed(&mut until) => None,
        };
        let Some(mut request) = request else { return Ok(()) };
        if let Err(refusal) = peer.sign(&mut request, &folder) {
            return wire::send(&mut write, &Answer::Reply(Reply::Refused(refusal))).await;
        }
        let Request::Watch { run, patient } = request else {
            return answer(&mut write, engine.call(request).await, &closing).await;
        };
        let mut events = match engine.watch(&run, patient).await {
            Ok(events) => events,
            Err(refusal) => return answer(&mut write, Reply::Refused(refusal), &closing).await,
        };
        loop {
            let next = tokio::select! {
                next = events.next() => next,
                // Guests say nothing while they watch: this is the end of one.
                _ = read.read_u8() => None,
            };
            match next {
                Some(event) => wire::send(&mut write, &Answer::Event(event)).await?,
                None => return Ok(()),
            }
        }
    }
}

/// A host that ends gives no answer rather than the engine's that it was closed: the guest then asks the next host.
async fn answer(write: &mut OwnedWriteHalf, reply: Reply, closing: &watch::Receiver<bool>) -> io::Result<()> {
    let is_closed = matches!(&reply, Reply::Refused(Refusal { kind: RefusalKind::Store, .. })) && *closing.borrow();
    if is_closed { Ok(()) } else { wire::send(write, &Answer::Reply(reply)).await }
}

/// Ends when the host does.
async fn closed(closing: &mut watch::Receiver<bool>) {
    // Without a server there is nobody to close for either.
    let _ = closing.wait_for(|closing| *closing).await;
}
