//! Requests that only look: by way of the host where there is one, else in the folder itself, without taking its lock.

use std::io;

use lockstep_engine::api::{Reply, Request};
use lockstep_engine::host::ReadOnly;
use lockstep_engine::store::OpenError;

use super::guest::{Guest, Silence};
use crate::context::Context;
use crate::ending::Failure;
use crate::runtime;

/// Looks; a refusal is a failure. `None` where nothing was ever stored.
pub fn look(context: &Context, request: &Request) -> Result<Option<Reply>, Failure> {
    let asked = runtime::block_on(Guest::of(context.data()?).call(request))?;
    let reply = match asked {
        Ok(reply) => reply,
        // A host that goes away while it is asked leaves everything in the folder. One that is stopped, or of another
        // version, does not keep us from looking either.
        Err(Silence::Nobody | Silence::Mute | Silence::Stranger(_) | Silence::Broken(_)) => {
            match ReadOnly::open(context.data()?) {
                Ok(folder) => folder.call(request),
                Err(OpenError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(error.into()),
            }
        }
    };
    match reply {
        Reply::Refused(refusal) => Err(refusal.into()),
        reply => Ok(Some(reply)),
    }
}
