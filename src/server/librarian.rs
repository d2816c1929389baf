//! Keeps the server's library as its folder is: reads it when it changes, and says what is broken for as long as it is.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use lockstep_engine::api::{Enroll, Enrolled, EnrolledView, Reply, Request};
use lockstep_engine::host::EngineHandle;
use lockstep_engine::limits::EVALUATION_STACK_BYTES;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;

use super::library::{Book, Broken, Changes, Library, Loaded, watch};
use crate::ending::Failure;

/// Who enrolls schedules, and with that who asks for the runs that they start.
const BY: &str = "server";

/// What the library holds.
#[derive(Clone, Debug, Default)]
pub struct Status {
    /// Runbooks, also those of which the file is broken.
    pub runbooks: usize,
    /// Files that cannot be used as they are.
    pub broken: Vec<Broken>,
    /// How often the folder was read.
    pub readings: u64,
    /// Why the folder could not be read when it was last looked at; everything is then as it was before.
    pub failure: Option<String>,
}

/// Asks the task that keeps the library. Cloning asks the same one.
#[derive(Clone, Debug)]
pub struct Librarian {
    status: watch::Receiver<Arc<Status>>,
    asked: mpsc::Sender<oneshot::Sender<()>>,
}

impl Librarian {
    /// Reads the folder, and keeps the library from then on.
    pub async fn start(folder: &Path, data: &Path, engine: EngineHandle) -> Result<Self, Failure> {
        let failed = || format!("cannot use the kept runbooks of `{}`", data.display());
        // Watched before it is read, so that no change falls in between.
        let changes = watch(folder);
        let library = Library::open(folder.to_owned(), data).map_err(Failure::system(failed()))?;
        let (told, status) = watch::channel(Arc::new(Status::default()));
        let mut keeper = Keeper { folder: folder.to_owned(), library: Some(library), engine, told, schedules: false };
        keeper.read(true).await;
        let (asked, asking) = mpsc::channel(1);
        tokio::spawn(keeper.keep(changes, asking));
        Ok(Self { status, asked })
    }

    /// What the library holds, now and whenever that is another thing.
    pub fn status(&self) -> watch::Receiver<Arc<Status>> {
        self.status.clone()
    }

    /// Reads the folder, whatever it looks like. Ends when that is done.
    pub async fn reload(&self) {
        let (done, is_done) = oneshot::channel();
        if self.asked.send(done).await.is_ok() {
            // A task that has gone away reads nothing any more.
            let _ = is_done.await;
        }
    }
}

struct Keeper {
    folder: PathBuf,
    /// Away while a thread of its own reads.
    library: Option<Library>,
    /// Whom schedules are enrolled with.
    engine: EngineHandle,
    told: watch::Sender<Arc<Status>>,
    /// Whether schedules are due by now.
    schedules: bool,
}

impl Keeper {
    async fn keep(mut self, mut changes: Changes, mut asking: mpsc::Receiver<oneshot::Sender<()>>) {
        loop {
            tokio::select! {
                () = changes.next() => self.read(false).await,
                asked = asking.recv() => {
                    let Some(done) = asked else { return };
                    self.read(true).await;
                    // Whoever asked may have gone.
                    let _ = done.send(());
                }
            }
        }
    }

    async fn read(&mut self, must: bool) {
        let Some(library) = self.library.take() else { return };
        let (mut library, read) = match on_thread(library, must).await {
            Ok(read) => read,
            Err(error) => {
                tracing::error!(%error, "the runbooks cannot be read any more; restart the server");
                self.tell_failure(error.to_string());
                return;
            }
        };
        match read {
            Ok(None) => {}
            Ok(Some(loaded)) => {
                let broken = self.take_in(&mut library, loaded).await;
                self.tell(&library, broken);
            }
            Err(failure) => {
                tracing::error!(folder = %self.folder.display(), error = %failure, "the folder of runbooks cannot be read; all runbooks stay as they were");
                self.tell_failure(failure.to_string());
            }
        }
        self.library = Some(library);
        if !self.schedules {
            self.start_schedules().await;
        }
    }

    /// Lets schedules be due. Only behind a reading: what was missed is caught up by the runbooks as they are. A full disk
    /// refuses it; then it is asked for again whenever the folder is looked at, which is once a minute.
    async fn start_schedules(&mut self) {
        match self.engine.call(Request::StartSchedules { by: BY.to_owned() }).await {
            Reply::Refused(refusal) => {
                tracing::error!(error = %refusal, "no schedule is due yet; it is tried again in a minute");
            }
            _ => self.schedules = true,
        }
    }

    /// Has the schedules of what is good follow it, and keeps it then: a server that dies in between does it again. What
    /// cannot be taken in is tried again, and is among what is broken until then.
    async fn take_in(&self, library: &mut Library, loaded: Loaded) -> Vec<Broken> {
        let Loaded { changed, withdrawn, mut broken } = loaded;
        let mut enrolling = JoinSet::new();
        for book in changed {
            enrolling.spawn(enroll(self.engine.clone(), book));
        }
        while let Some(enrolled) = enrolling.join_next().await {
            // A task that panics has said so; its runbook is tried again with the next reading.
            let Ok((book, enrolled)) = enrolled else { continue };
            let file = book.file.clone();
            if let Err(why) = enrolled.and_then(|()| library.keep(book).map_err(|error| error.to_string())) {
                let file = file.strip_prefix(&self.folder).unwrap_or(&file).display().to_string();
                broken.push(Broken { file, why: format!("it cannot be taken in: {why}"), kept: None });
                library.read_again();
            }
        }
        for name in withdrawn {
            let forgotten = withdraw(&self.engine, &name).await;
            if let Err(why) = forgotten.and_then(|()| library.forget(&name).map_err(|error| error.to_string())) {
                tracing::error!(runbook = name, why, "a runbook that is gone cannot be withdrawn; it is tried again");
                library.read_again();
            } else {
                tracing::info!(runbook = name, "a runbook is gone");
            }
        }
        broken
    }

    /// Says what is broken, and what is not any more, loudly and once.
    fn tell(&self, library: &Library, broken: Vec<Broken>) {
        let before = Arc::clone(&self.told.borrow());
        for one in broken.iter().filter(|one| !before.broken.contains(one)) {
            let Broken { file, why, kept } = one;
            if let Some(runbook) = kept {
                tracing::error!(file, runbook, why, "a runbook is broken; its last good version goes on");
            } else {
                tracing::error!(file, why, "a runbook is broken and not served");
            }
        }
        for one in before.broken.iter().filter(|one| !broken.iter().any(|now| now.file == one.file)) {
            tracing::info!(file = one.file, "a runbook is not broken any more");
        }
        let status = Status { runbooks: library.len(), broken, readings: before.readings + 1, failure: None };
        tracing::info!(runbooks = status.runbooks, broken = status.broken.len(), "the runbooks were read");
        self.told.send_replace(Arc::new(status));
    }

    fn tell_failure(&self, failure: String) {
        let before = Arc::clone(&self.told.borrow());
        self.told.send_replace(Arc::new(Status { failure: Some(failure), ..(*before).clone() }));
    }
}

/// Has the schedules of a runbook follow it.
async fn enroll(engine: EngineHandle, book: Book) -> (Book, Result<(), String>) {
    let cwd = Some(book.folder().display().to_string());
    let enroll = Enroll { graph: Arc::clone(&book.graph), cwd, by: BY.to_owned() };
    let enrolled = match engine.call(Request::Enroll(Box::new(enroll))).await {
        Reply::Refused(refusal) => Err(refusal.to_string()),
        Reply::Enrolled(triggers) => {
            for EnrolledView { trigger, change } in triggers.iter().filter(|it| it.change != Enrolled::Unchanged) {
                tracing::info!(runbook = book.name(), trigger, ?change, "a schedule follows its runbook");
            }
            Ok(())
        }
        other => panic!("runbooks that are enrolled are answered so, not by {other:?}"),
    };
    (book, enrolled)
}

/// Has no schedule of a runbook any more.
async fn withdraw(engine: &EngineHandle, name: &str) -> Result<(), String> {
    let request = Request::Withdraw { runbook: name.to_owned(), by: BY.to_owned() };
    match engine.call(request).await {
        Reply::Refused(refusal) => Err(refusal.to_string()),
        _ => Ok(()),
    }
}

/// Reads on a thread of its own: what nests deeply needs more stack than tasks have.
async fn on_thread(mut library: Library, must: bool) -> std::io::Result<(Library, Result<Option<Loaded>, Failure>)> {
    let (done, is_done) = oneshot::channel();
    let thread = std::thread::Builder::new().name("lockstep-library".to_owned()).stack_size(EVALUATION_STACK_BYTES);
    thread.spawn(move || {
        let read = library.read(must);
        // Whoever waits for it goes only with the process.
        let _ = done.send((library, read));
    })?;
    is_done.await.map_err(|_| std::io::Error::other("the thread that reads the runbooks has panicked"))
}
