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

use super::socket;
use super::wire::{self, Answer, Greeting};

/// How long a host that ends waits for guests to read what is theirs. A guest that is late asks the next host.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// Listens until it is closed.
#[derive(Debug)]
pub struct Server {
    folder: PathBuf,
    close: watch::Sender<bool>,
    listening: JoinHandle<JoinSet<()>>,
}

impl Server {
    /// Listens in the folder, whose lock this process holds. Guests that are still being answered go on.
    pub fn listen(folder: &Path, engine: EngineHandle, guests: Guests) -> io::Result<Self> {
        let listener = socket::listen(folder)?;
        let (close, closing) = watch::channel(false);
        let listening = tokio::spawn(accept(listener, engine, guests.0, closing));
        Ok(Self { folder: folder.to_owned(), close, listening })
    }

    /// Takes no more guests. What they watch goes on until the engine stops.
    pub async fn deafen(self) -> Guests {
        socket::remove(&self.folder);
        self.close.send_replace(true);
        Guests(self.listening.await.unwrap_or_default())
    }
}

/// The guests that are still being answered.
#[derive(Debug, Default)]
pub struct Guests(JoinSet<()>);

impl Guests {
    /// Waits until each has read what is its own, for a while. For after the engine has stopped: then there is an end to it.
    pub async fn dismiss(mut self) {
        let all_read = async { while self.0.join_next().await.is_some() {} };
        // Who is late finds everything in the folder.
        let _ = tokio::time::timeout(LAST_WORDS, all_read).await;
    }
}

async fn accept(
    listener: UnixListener,
    engine: EngineHandle,
    mut guests: JoinSet<()>,
    closing: watch::Receiver<bool>,
) -> JoinSet<()> {
    let mut until = closing.clone();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    guests.spawn(serve(stream, engine.clone(), closing.clone()));
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
async fn serve(stream: UnixStream, engine: EngineHandle, closing: watch::Receiver<bool>) {
    let mut until = closing.clone();
    let answered = async {
        let (read, mut write) = stream.into_split();
        let mut read = BufReader::new(read);
        wire::send(&mut write, &Greeting::own()).await?;
        let request = tokio::select! {
            request = wire::receive::<Request>(&mut read) => request?,
            () = closed(&mut until) => None,
        };
        match request {
            None => Ok(()),
            Some(Request::Watch { run, patient }) => match engine.watch(&run, patient).await {
                Err(refusal) => answer(&mut write, Reply::Refused(refusal), &closing).await,
                Ok(mut events) => loop {
                    let next = tokio::select! {
                        next = events.next() => next,
                        // Guests say nothing while they watch: this is the end of one.
                        _ = read.read_u8() => None,
                    };
                    match next {
                        Some(event) => wire::send(&mut write, &Answer::Event(event)).await?,
                        None => break Ok(()),
                    }
                },
            },
            Some(request) => answer(&mut write, engine.call(request).await, &closing).await,
        }
    };
    let answered: io::Result<()> = answered.await;
    if let Err(error) = answered {
        tracing::debug!(%error, "a guest went away");
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
