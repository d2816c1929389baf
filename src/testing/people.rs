//! The people of a case: who they are, and what they say to steps that wait for them.

use std::collections::BTreeMap;

use lockstep_dsl::test_file::Word;
use lockstep_dsl::value::Millis;
use lockstep_engine::core::run::Person;
use lockstep_engine::rehearsal::{Act, What};

/// The people of a case.
#[derive(Clone, Debug)]
pub struct People {
    /// Who asks for the run, and does what is said of nobody else.
    pub by: String,
    /// The members of each group, as user names.
    pub groups: BTreeMap<String, Vec<String>>,
}

impl People {
    /// Somebody, with the groups they belong to.
    pub fn person(&self, name: &str) -> Person {
        let user = name.strip_prefix("user:").unwrap_or(name);
        let is_in = |members: &Vec<String>| members.iter().any(|member| member == user || member == name);
        let groups = self.groups.iter().filter(|(_, members)| is_in(members)).map(|(group, _)| group.clone());
        Person { name: name.to_owned(), groups: groups.collect() }
    }

    /// What is said to a step that waits, so long after it began to.
    /// `signal` is the name of the signal that it waits for, where it waits for one.
    pub fn say(&self, path: &str, signal: Option<&str>, word: &Word, after: Millis) -> Vec<Act> {
        let step = path.to_owned();
        let act = |by: &str, what: What| Act { after, by: by.to_owned(), what };
        let who = |by: &Option<String>| by.clone().unwrap_or_else(|| self.by.clone());
        let vote = |by: &String, yes: bool, comment: &Option<String>| {
            let (step, comment) = (step.clone(), comment.clone());
            act(by, What::Vote { step, yes, person: self.person(by), comment })
        };
        match word {
            Word::Approve { by, comment } => by.iter().map(|by| vote(by, true, comment)).collect(),
            Word::Reject { by, comment } => vec![vote(by, false, comment)],
            Word::Answer { by, fields } => {
                let by = who(by);
                let person = self.person(&by);
                vec![act(&by, What::Answer { step, fields: fields.clone(), person })]
            }
            Word::Payload { by, payload } => {
                let signal = signal.map(|name| What::Signal { name: name.to_owned(), payload: payload.clone() });
                signal.into_iter().map(|what| act(&who(by), what)).collect()
            }
        }
    }
}
