//! `server`: how `lockstep serve` serves the folder.

use lockstep_dsl::scalar;
use lockstep_dsl::value::Millis;
use lockstep_dsl::yaml::Node;

use super::reader::Reader;
use crate::users;

/// How the folder is served; what is left out is as `lockstep serve --help` says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Server {
    /// The number of the group that may ask over the folder's socket, beside the folder's user and root.
    pub socket_group: Option<u32>,
    /// How long a server that stops waits for those whom it answers.
    pub drain: Option<Millis>,
}

/// Reads it; what is wrong is left out.
pub fn read(reader: &mut Reader<'_>, node: &Node) -> Server {
    let Some(mapping) = reader.expect_map("server", node) else { return Server::default() };
    let mut server = Server::default();
    let Server { socket_group, drain } = &mut server;
    reader.map(
        "server",
        mapping,
        &mut [
            ("socket_group", &mut |reader, node| *socket_group = reader.expect("socket_group", node, group)),
            ("drain", &mut |reader, node| *drain = reader.expect("drain", node, scalar::duration)),
        ],
    );
    server
}

fn group(name: &str) -> Result<u32, String> {
    users::group_id(name).ok_or_else(|| format!("this machine has no group `{name}`"))
}
