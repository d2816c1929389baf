//! `ask`: what a person fills in.

use lockstep_dsl::graph::Kind;
use lockstep_dsl::value::Map;

use super::approval::Person;
use super::decide::Refused;
use super::record::Change;
use super::turn::Turn;

impl Turn<'_> {
    /// A person has filled in what the step asks for; the answer has the types that it asks for.
    pub fn fill_in(&mut self, path: &str, answer: Map, person: &Person) -> Result<(), Refused> {
        let step = self.asked(path, "answer", |kind| matches!(kind, Kind::Ask(_)))?;
        let right = self.right(step, person)?;
        self.emit(Change::FilledIn { step, by: person.name.clone(), right, answer });
        self.succeeded(step);
        Ok(())
    }
}
