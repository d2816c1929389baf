//! What the verbs have in common by which a person or program tells a run what it waits for.

use clap::Args;
use lockstep_dsl::value::Value;
use lockstep_engine::api::Request;

use super::one_run::OneRun;
use crate::context::Context;
use crate::ending::{Ending, Failure};
use crate::follow::Follower;
use crate::host::Session;
use crate::{output, runtime};

/// Says it. A run that nobody carries goes on here, and is followed.
pub fn say(one: &OneRun, context: &Context, request: impl FnOnce(String) -> Request) -> Result<Ending, Failure> {
    runtime::run(async {
        let session = Session::open(context).await?;
        let mut follower = Follower::new(context, session, one.json)?;
        let id = follower.view(&one.run).await?.id;
        follower.call(request(id.to_string())).await?;
        if follower.is_host() {
            return follower.follow(&[id]).await;
        }
        // Standard error may be gone; what was said is durable.
        let _ = output::say(&format!(
            "lockstep: run {id} goes on in another process; `{}` looks at it",
            context.command(&format!("show {id}"))
        ));
        Ok(Ending::Succeeded)
    })
}

/// Options of a verb that says yes or no.
#[derive(Debug, Args)]
pub struct Vote {
    /// Which run, and for whom.
    #[command(flatten)]
    one: OneRun,
    /// The path of the step, as `show` prints it.
    step: String,
    /// What you say to it.
    #[arg(long, value_name = "TEXT")]
    comment: Option<String>,
}

impl Vote {
    /// Says it.
    pub fn say(&self, yes: bool, context: &Context) -> Result<Ending, Failure> {
        let person = context.person()?;
        let (step, comment) = (self.step.clone(), self.comment.clone());
        say(&self.one, context, |run| Request::Vote { run, step, yes, person, comment })
    }
}

/// `name=value`, the value as JSON where it is, else as text. `option` is how it was given.
pub fn part(option: &str, text: &str) -> Result<(String, Value), Failure> {
    let (name, value) = text
        .split_once('=')
        .filter(|(name, _)| !name.is_empty())
        .ok_or_else(|| Failure::usage(format!("`{option} {text}` names no value; write `{option} NAME=VALUE`")))?;
    let value = serde_json::from_str(value).map_or_else(|_| Value::from(value), Value::from_json);
    Ok((name.to_owned(), value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_json_or_text() {
        let value = |text: &str| part("-p", text).unwrap().1;
        assert_eq!(value("bytes=1024"), Value::Int(1024));
        assert_eq!(value("name=web-1"), Value::from("web-1"));
        assert_eq!(value("id=\"7\""), Value::from("7"));
        assert_eq!(value("all=[1,2]"), Value::List(vec![Value::Int(1), Value::Int(2)]));
        assert_eq!(value("empty="), Value::from(""));
        assert!(part("-p", "bytes").is_err());
    }
}
