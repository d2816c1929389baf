//! `config.yaml` in a data folder: what its operator has decided for everything that runs there.
//!
//! Strict: a key that nobody knows is an error with a suggestion, so that no decision is silently without effect. All
//! that is wrong is said at once, with the line.

mod groups;
mod reader;
mod server;
mod storage;

use std::io::{self, ErrorKind};
use std::path::Path;

use lockstep_dsl::source::Source;
use lockstep_dsl::yaml::{self, Mapping};
use lockstep_engine::host::Storage;
use lockstep_engine::store::folder::CONFIG_FILE;

use self::groups::Groups;
use self::reader::Reader;
pub use self::server::{Limits, Server, address};
use crate::ending::Failure;
use crate::output::text::count;
use crate::output::{self, Style};
use crate::runbook_file::{read_text, render};

/// Bytes of the file.
const FILE_BYTES: u64 = 64 * 1024;

/// What is configured.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// What the folder may hold.
    pub storage: Storage,
    /// Who is in which group.
    pub groups: Groups,
    /// How the folder is served.
    pub server: Server,
}

/// Reads that of a data folder; without a file everything is as if nothing was said.
pub fn read(data: &Path) -> Result<Config, Failure> {
    let path = data.join(CONFIG_FILE);
    // A folder that cannot be looked into cannot be opened either, and that says it better.
    let is_nowhere = |error: io::Error| {
        matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::PermissionDenied)
    };
    if path.symlink_metadata().is_err_and(is_nowhere) {
        return Ok(Config::default());
    }
    let wrong = |number: usize| {
        Failure::Invalid(format!("{} in `{}`; nothing was started", count(number, "error"), path.display()))
    };
    let source = Source::new(path.display().to_string(), read_text(&path, FILE_BYTES)?);
    let mapping = yaml::parse(&source).map_err(|diagnostics| {
        // Standard error may be gone; the exit code says enough.
        let _ = output::say(render(&diagnostics, Style { color: false }).trim_end());
        wrong(diagnostics.len())
    })?;
    let mut reader = Reader::new(&source);
    let mut config = Config::default();
    config.take(&mut reader, &mapping);
    let errors = reader.errors();
    if errors.is_empty() {
        return Ok(config);
    }
    for error in &errors {
        let _ = output::say(&format!("error: {error}"));
    }
    Err(wrong(errors.len()))
}

impl Config {
    fn take(&mut self, reader: &mut Reader<'_>, mapping: &Mapping) {
        let Self { storage, groups, server } = self;
        reader.map(
            "",
            mapping,
            &mut [
                ("storage", &mut |reader, node| *storage = storage::read(reader, node)),
                ("groups", &mut |reader, node| *groups = groups::read(reader, node)),
                ("server", &mut |reader, node| *server = server::read(reader, node)),
            ],
        );
    }

    /// The groups that a user is in.
    pub fn groups_of(&self, user: &str) -> Vec<String> {
        let own = self.groups.iter().filter(|(_, members)| members.iter().any(|member| member == user));
        own.map(|(name, _)| name.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use lockstep_dsl::value::Millis;

    use super::*;

    fn read_config(text: &str) -> (Config, Vec<String>) {
        let source = Source::new("config.yaml", text);
        let mapping = yaml::parse(&source).unwrap();
        let mut reader = Reader::new(&source);
        let mut config = Config::default();
        config.take(&mut reader, &mapping);
        (config, reader.errors())
    }

    #[test]
    fn what_is_said_is_read() {
        let text = "storage:\n  max: 10GiB\n  logs: 1GB\n  keep: { succeeded: 30d, failed: 90d }\n";
        let (config, errors) = read_config(text);
        assert_eq!(errors, [""; 0]);
        let storage = config.storage;
        assert_eq!((storage.max, storage.logs), (Some(10 << 30), Some(1_000_000_000)));
        assert_eq!((storage.keep.succeeded, storage.keep.cancelled), (Some(Millis(30 * 86_400_000)), None));
    }

    #[test]
    fn groups_have_members() {
        let (config, errors) = read_config("groups:\n  sre: [ana, ben]\n  leads: [ana]\n");
        assert_eq!(errors, [""; 0]);
        assert_eq!((config.groups_of("ana"), config.groups_of("eve")), (vec!["leads".into(), "sre".into()], vec![]));
        let (_, errors) = read_config("groups:\n  sre: ana\n  leads: ['user:ana']\n");
        assert!(errors[0].contains("config.yaml:2: `groups.sre`: a list of user names"), "{errors:#?}");
        assert!(errors[1].contains("config.yaml:3: `groups.leads`: `user:ana` is no user name"), "{errors:#?}");
    }

    #[test]
    fn how_the_folder_is_served_is_read() {
        let (config, errors) = read_config(
            "server:\n  socket_group: root\n  drain: 30s\n  listen: '[::1]:7420'\n  runbooks: /etc/runbooks\n  limits: { connections: 8, body: 2KiB, header_timeout: 500ms }\n",
        );
        assert_eq!(errors, [""; 0]);
        let server = config.server;
        assert_eq!((server.socket_group, server.drain), (Some(0), Some(Millis(30_000))));
        assert_eq!(server.listen.map(|listen| listen.port()), Some(7420));
        assert_eq!((server.limits.connections, server.limits.body), (8, 2048));
        assert_eq!(server.limits.request_timeout, Limits::default().request_timeout);
        let (_, errors) = read_config(
            "server:\n  socket_group: no-such-group\n  port: 1\n  listen: 7420\n  limits: { connections: 0, request_timeout: 0s }\n",
        );
        for (error, text) in errors.iter().zip([
            "config.yaml:2: `server.socket_group`: this machine has no group",
            "config.yaml:3: `server` has no key `port`",
            "config.yaml:4: `server.listen`: `7420` is no address",
            "config.yaml:5: `server.limits.connections`: `0` is no number above 0",
            "config.yaml:5: `server.limits.request_timeout`: must be more than nothing",
        ]) {
            assert!(error.starts_with(text), "{error:?} is not {text:?}");
        }
        assert_eq!(errors.len(), 5, "{errors:#?}");
    }

    #[test]
    fn the_reference_of_the_server_is_what_holds() {
        let document = include_str!("../../docs/server.md");
        let (_, section) = document.split_once("\n## The configuration\n").unwrap();
        let (_, block) = section.split_once("```text\n").unwrap();
        // This machine need not have the group of the example.
        let text = block.split("```").next().unwrap().replace("operators", "root");
        let (config, errors) = read_config(&text);
        assert_eq!(errors, [""; 0]);
        assert_eq!(config.server.limits, Limits::default());
        let drain = config.server.drain.map(|drain| std::time::Duration::from_millis(drain.0));
        assert_eq!(drain, Some(crate::host::Terms::default().last_words));
    }

    #[test]
    fn all_that_is_wrong_is_said_with_its_line() {
        let (_, errors) = read_config("storage:\n  lgos: 1GB\n  max: much\n  keep: { succeeded: 30 }\nservers: 1\n");
        assert_eq!(errors.len(), 4, "{errors:#?}");
        for (error, text) in errors.iter().zip([
            "config.yaml:2: `storage` has no key `lgos`; did you mean `logs`?",
            "config.yaml:3: `storage.max`: ",
            "config.yaml:4: `storage.keep.succeeded`: ",
            "config.yaml:5: there is no key `servers`; did you mean `server`?",
        ]) {
            assert!(error.starts_with(text), "{error:?} is not {text:?}");
        }
    }
}
