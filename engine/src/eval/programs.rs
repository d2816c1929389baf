//! The compiled expressions of the definitions in use.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use lockstep_dsl::expr::{Program, Sandbox};
use lockstep_dsl::graph::Graph;
use lockstep_dsl::value::Value;

use crate::limits::MAX_PROGRAMS;
use crate::worker::Failure;

/// Programs by the hash of their definition, compiled when they are first needed. Cloning shares them.
#[derive(Clone)]
pub(super) struct Programs {
    sandbox: Arc<Sandbox>,
    compiled: Arc<Mutex<BTreeMap<String, Arc<Program>>>>,
}

impl Programs {
    /// None compiled yet.
    pub fn new(sandbox: Arc<Sandbox>) -> Self {
        Self { sandbox, compiled: Arc::default() }
    }

    /// What reads expressions.
    pub fn sandbox(&self) -> Arc<Sandbox> {
        Arc::clone(&self.sandbox)
    }

    /// The program of a definition.
    ///
    /// # Errors
    /// The definition holds an expression that this program cannot compile: it was made by another one.
    pub fn of(&self, hash: &str, graph: &Graph) -> Result<Arc<Program>, Failure> {
        let mut compiled = self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(program) = compiled.get(hash) {
            return Ok(Arc::clone(program));
        }
        let program = Program::new(&self.sandbox, graph).map_err(|error| Failure {
            kind: "invalid".to_owned(),
            message: format!("{}:{}:{}: {error}", graph.file, error.location.line, error.location.column),
            data: Value::Null,
            untouched: false,
        })?;
        if compiled.len() >= MAX_PROGRAMS {
            compiled.clear();
        }
        let program = Arc::new(program);
        compiled.insert(hash.to_owned(), Arc::clone(&program));
        Ok(program)
    }
}
