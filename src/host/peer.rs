//! Who is at the other end of the folder's socket: the kernel says so, whatever they say themselves.
//!
//! A request is journaled under the name of the user whose process asked. Root is believed when it names somebody else:
//! it can become anybody, and says who was behind it.

use std::io;
use std::path::Path;

use lockstep_engine::api::{Refusal, RefusalKind, Request};
use lockstep_engine::core::run::Person;
use rustix::process::geteuid;
use tokio::net::UnixStream;

use crate::config;
use crate::users;

/// The process at the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    uid: u32,
}

impl Peer {
    /// Who connected.
    pub fn of(stream: &UnixStream) -> io::Result<Self> {
        Ok(Self { uid: stream.peer_cred()?.uid() })
    }

    /// Whether they may ask at all: root, the user of this process, and where the socket is opened to a group whoever
    /// the kernel let through to it.
    pub fn check(self, is_open_to_group: bool) -> Result<(), Refusal> {
        if self.uid == 0 || self.uid == geteuid().as_raw() || is_open_to_group {
            return Ok(());
        }
        Err(Refusal {
            kind: RefusalKind::Store,
            message: format!(
                "user `{}` may not ask here: the data folder belongs to `{}`",
                users::user_name(self.uid),
                users::user_name(geteuid().as_raw())
            ),
            help: vec!["ask as that user or as root; `server.socket_group` of a server lets a group in".to_owned()],
        })
    }

    /// Puts the user's own name under what they ask for, and the groups that this folder's configuration puts them in.
    pub fn sign(self, request: &mut Request, folder: &Path) -> Result<(), Refusal> {
        match signature(request) {
            Signature::None => {}
            Signature::Name(name) => self.sign_name(name),
            Signature::Person(person) => {
                self.sign_name(&mut person.name);
                let user = person.name.strip_prefix("user:").unwrap_or(&person.name);
                let config = config::read(folder).map_err(|failure| Refusal {
                    kind: RefusalKind::Store,
                    message: format!("who is in which group cannot be read: {failure}"),
                    help: Vec::new(),
                })?;
                person.groups = config.groups_of(user);
            }
        }
        Ok(())
    }

    fn sign_name(self, name: &mut String) {
        if self.uid != 0 {
            *name = format!("user:{}", users::user_name(self.uid));
        }
    }
}

/// What a request says of who asks.
enum Signature<'r> {
    /// Nothing: it only looks.
    None,
    Name(&'r mut String),
    Person(&'r mut Person),
}

fn signature(request: &mut Request) -> Signature<'_> {
    match request {
        Request::Watch { .. }
        | Request::Runs { .. }
        | Request::Show { .. }
        | Request::History { .. }
        | Request::Schedules { .. }
        | Request::Ticks { .. } => Signature::None,
        Request::Start(start) => Signature::Name(&mut start.by),
        Request::Enroll(enroll) => Signature::Name(&mut enroll.by),
        Request::Resume { by, .. }
        | Request::Cancel { by, .. }
        | Request::Pause { by, .. }
        | Request::Unpause { by, .. }
        | Request::Permit { by, .. }
        | Request::Skip { by, .. }
        | Request::Retry { by, .. }
        | Request::RetryEdited { by, .. }
        | Request::Signal { by, .. }
        | Request::Resolve { by, .. }
        | Request::Withdraw { by, .. }
        | Request::StartSchedules { by }
        | Request::PauseSchedule { by, .. }
        | Request::ResumeSchedule { by, .. } => Signature::Name(by),
        Request::Vote { person, .. } | Request::Answer { person, .. } => Signature::Person(person),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vote(name: &str) -> Request {
        let person = Person { name: name.to_owned(), groups: vec!["leads".to_owned()] };
        Request::Vote { run: "r".to_owned(), step: "s".to_owned(), yes: true, person, comment: None }
    }

    #[test]
    fn nobody_asks_in_the_name_or_the_groups_of_somebody_else() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("config.yaml"), "groups: { sre: [root, ana], leads: [eve] }\n").unwrap();
        let signed = |uid, name| {
            let mut request = vote(name);
            Peer { uid }.sign(&mut request, folder.path()).unwrap();
            let Request::Vote { person, .. } = request else { panic!("{request:?}") };
            (person.name, person.groups)
        };
        assert_eq!(signed(4_000_000_000, "user:eve"), ("user:4000000000".to_owned(), vec![]));
        // Root can be anybody, but who is in which group is not the guest's to say.
        assert_eq!(signed(0, "user:ana"), ("user:ana".to_owned(), vec!["sre".to_owned()]));

        let mut cancel = Request::Cancel { run: "r".to_owned(), by: "user:root".to_owned(), undo: false };
        Peer { uid: 4_000_000_000 }.sign(&mut cancel, folder.path()).unwrap();
        assert!(matches!(cancel, Request::Cancel { by, .. } if by == "user:4000000000"));
    }

    #[test]
    fn a_stranger_is_let_in_only_through_a_socket_that_is_open_to_a_group() {
        let stranger = Peer { uid: geteuid().as_raw() + 1 };
        assert!(stranger.check(false).is_err_and(|refusal| refusal.message.contains("may not ask here")));
        assert_eq!(stranger.check(true), Ok(()));
        assert_eq!((Peer { uid: 0 }.check(false), Peer { uid: geteuid().as_raw() }.check(false)), (Ok(()), Ok(())));
    }
}
