//! Reads the values of secrets when an attempt starts, and remembers them only to mask them.
//!
//! A value goes where the attempt needs it and nowhere else: never into an error, a log or a file. What is printed of a
//! secret is its reference.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use lockstep_dsl::value::{Map, SecretPart, SecretRef, SecretText, Value};

use super::limits::{SECRET_BYTES, SECRETS_BYTES};
use super::mask::Masker;
use super::{Attempt, Failure, learned};
use crate::api::SecretEnvironment;

/// Why what a step learned cannot be read any more.
const LEARNED_GONE: &str = "a step of a run learned it, and it went with that run; start a new run";

/// The secrets of one attempt. Each is read once, so that all uses see the same value.
#[derive(Default)]
pub struct Secrets {
    values: BTreeMap<SecretRef, String>,
    environment: Option<Arc<SecretEnvironment>>,
    /// Where what steps learned lies.
    spool: Option<PathBuf>,
}

impl Secrets {
    /// No secret read yet.
    pub const fn new() -> Self {
        Self { values: BTreeMap::new(), environment: None, spool: None }
    }

    /// No secret of the attempt read yet.
    pub fn of(attempt: &Attempt) -> Self {
        let spool = attempt.folder.parent().map(Path::to_owned);
        Self { environment: attempt.environment.clone(), spool, ..Self::new() }
    }

    /// The value with every secret in it replaced by its text.
    ///
    /// # Errors
    /// `invalid`, naming the reference, where a secret cannot be read.
    pub fn resolve(&mut self, value: &Value) -> Result<Value, Failure> {
        Ok(match value {
            Value::Secret(text) => Value::String(self.resolve_text(text)?),
            Value::List(values) => {
                Value::List(values.iter().map(|value| self.resolve(value)).collect::<Result<_, _>>()?)
            }
            Value::Map(map) => {
                let resolve = |(key, value): (&String, &Value)| Ok((key.clone(), self.resolve(value)?));
                Value::Map(map.iter().map(resolve).collect::<Result<Map, Failure>>()?)
            }
            Value::Null
            | Value::Bool(_)
            | Value::Int(_)
            | Value::Float(_)
            | Value::String(_)
            | Value::Duration(_)
            | Value::Time(_) => value.clone(),
        })
    }

    /// Reads all other secrets of the attempt's run too, given ones and what its steps have learned, so that they are masked.
    /// One that cannot be read cannot be shown either, and is left out.
    pub fn also_mask(&mut self, attempt: &Attempt) {
        for reference in &attempt.secrets {
            if let Err(failure) = self.read(reference) {
                tracing::debug!(%reference, why = failure.message, "a secret of the run cannot be read here");
            }
        }
        let learned = self.spool.as_deref().map(|spool| learned::files(spool, attempt.run)).unwrap_or_default();
        for path in learned {
            let path = path.display().to_string();
            match read_file(&path) {
                Ok(value) => drop(self.values.insert(SecretRef::File(path), value)),
                Err(why) => tracing::debug!(path, why, "what a step learned cannot be read here"),
            }
        }
    }

    /// What masks all secrets read so far.
    ///
    /// # Errors
    /// `limit` when there are too many bytes of them to search for.
    pub fn masker(&self) -> Result<Masker, Failure> {
        self.check_size()?;
        Masker::new(self.values.values().map(String::as_str))
            .map_err(|error| Failure::new("limit", format!("cannot search for the secrets of the run: {error}")))
    }

    /// The values of all secrets read so far, for whoever masks them.
    ///
    /// # Errors
    /// As of [`Self::masker`].
    pub fn values(&self) -> Result<Vec<String>, Failure> {
        self.check_size()?;
        Ok(self.values.values().cloned().collect())
    }

    fn check_size(&self) -> Result<(), Failure> {
        let bytes: usize = self.values.values().map(String::len).sum();
        if bytes > SECRETS_BYTES {
            let message = format!("the secrets of the run have {bytes} bytes together; at most {SECRETS_BYTES}");
            return Err(Failure::new("limit", message));
        }
        Ok(())
    }

    fn resolve_text(&mut self, text: &SecretText) -> Result<String, Failure> {
        let mut whole = String::new();
        for part in &text.0 {
            match part {
                SecretPart::Plain(plain) => whole.push_str(plain),
                SecretPart::Reference(reference) => whole.push_str(self.read(reference)?),
            }
        }
        Ok(whole)
    }

    fn read(&mut self, reference: &SecretRef) -> Result<&str, Failure> {
        if !self.values.contains_key(reference) {
            let value = read(reference, self.environment.as_deref(), self.spool.as_deref())
                .map_err(|why| Failure::invalid(format!("cannot read secret `{reference}`: {why}")))?;
            self.values.insert(reference.clone(), value);
        }
        Ok(&self.values[reference])
    }
}

/// The value that a reference stands for, or why there is none.
fn read(
    reference: &SecretRef,
    environment: Option<&SecretEnvironment>,
    spool: Option<&Path>,
) -> Result<String, String> {
    let value = match (reference, environment) {
        (SecretRef::Env(name), Some(environment)) => match environment.0.get(name) {
            Some(value) => value.clone(),
            None => return Err("there was no such variable, in UTF-8, where the run was started".to_owned()),
        },
        (SecretRef::Env(name), None) => match std::env::var(name) {
            Ok(value) => value,
            Err(std::env::VarError::NotPresent) => return Err("the engine has no such variable".to_owned()),
            Err(std::env::VarError::NotUnicode(_)) => return Err("it is not UTF-8".to_owned()),
        },
        (SecretRef::File(path), _) => read_file(path)?,
        (SecretRef::Learned(name), _) => {
            let path = spool.and_then(|spool| learned::file(spool, name));
            let path = path.filter(|path| path.exists()).ok_or_else(|| LEARNED_GONE.to_owned())?;
            read_file(&path.display().to_string())?
        }
        (SecretRef::Store(_), _) => return Err("the secret store is not supported yet".to_owned()),
    };
    if value.is_empty() {
        return Err("it is empty".to_owned());
    }
    if value.len() > SECRET_BYTES {
        return Err(format!("it is longer than {SECRET_BYTES} bytes"));
    }
    Ok(value)
}

fn read_file(path: &str) -> Result<String, String> {
    // Anything but a regular file could block the engine.
    if !std::fs::metadata(path).map_err(|error| error.to_string())?.is_file() {
        return Err("it is not a regular file".to_owned());
    }
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(SECRET_BYTES as u64 + 2).read_to_end(&mut bytes))
        .map_err(|error| error.to_string())?;
    let mut text = String::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned())?;
    if text.ends_with('\n') {
        text.pop();
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(reference: SecretRef) -> Value {
        Value::Secret(SecretText(vec![SecretPart::Plain("Bearer ".to_owned()), SecretPart::Reference(reference)]))
    }

    #[test]
    fn a_file_loses_one_newline_at_its_end_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        std::fs::write(&path, " s3cret \n\n").unwrap();
        let mut secrets = Secrets::new();
        let nested = Value::List(vec![secret(SecretRef::File(path.display().to_string()))]);
        assert_eq!(secrets.resolve(&nested), Ok(Value::List(vec![Value::from("Bearer  s3cret \n")])));
        assert_eq!(secrets.masker().unwrap().text("it is  s3cret \n!"), "it is ***!");
    }

    #[test]
    fn what_cannot_be_read_is_named_by_its_reference() {
        let mut secrets = Secrets::new();
        let mut message = |reference| {
            let failure = secrets.resolve(&secret(reference)).unwrap_err();
            assert_eq!(failure.kind, "invalid");
            failure.message
        };
        assert_eq!(
            message(SecretRef::Env("LOCKSTEP_TEST_ABSENT".to_owned())),
            "cannot read secret `env:LOCKSTEP_TEST_ABSENT`: the engine has no such variable"
        );
        assert_eq!(
            message(SecretRef::File("/dev/null".to_owned())),
            "cannot read secret `file:/dev/null`: it is not a regular file"
        );
        assert!(message(SecretRef::File("/no/such".to_owned())).contains("No such file"));
        assert!(message(SecretRef::Store("db".to_owned())).contains("not supported yet"));
    }

    #[test]
    fn the_environment_of_the_engine_is_read() {
        // Cargo sets this one for every test.
        let mut secrets = Secrets::new();
        let value = secrets.resolve(&secret(SecretRef::Env("CARGO_PKG_NAME".to_owned())));
        assert_eq!(value, Ok(Value::from("Bearer lockstep-engine")));
    }
}
