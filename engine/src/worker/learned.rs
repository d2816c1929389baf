//! What an attempt learned that is secret. It is taken out of the result where the attempt ran and kept in a file of its
//! own; the engine is given a reference, and the rest of the result is withheld.
//!
//! The files of a run lie in one folder of the spool, and only the engine's user reads them. They are synced before the
//! outcome is told, so that a reference in the journal always leads to its value. They stay for as long as the run may
//! read them: it is open, or has failed and may be retried.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use lockstep_dsl::graph::Taken;
use lockstep_dsl::value::{Map, SecretPart, SecretRef, SecretText, Value};
use serde::{Deserialize, Serialize};

use super::limits::SECRET_BYTES;
use super::mask::Masker;
use super::{Attempt, Failure, Outcome};
use crate::fault::{self, Point};
use crate::id::{RunId, Token};

/// What is said in place of what an attempt prints or is answered.
pub const WITHHELD: &str = "what this step says is withheld: it has secret outputs\n";

/// Parts of a result that commands and requests have, whatever they say.
const OWN: [&str; 9] = ["stdout", "stderr", "lines", "json", "truncated", "headers", "body", "exit_code", "code"];

/// Those of them that say how it ended, and nothing of what was said.
const ENDS: [&str; 2] = ["exit_code", "code"];

/// How the result of an attempt with secret outputs is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Withholding {
    /// What is taken of it.
    pub taken: Vec<Taken>,
    /// The run's folder of secrets.
    pub folder: PathBuf,
    /// The run.
    pub run: RunId,
    /// The attempt's token.
    pub token: Token,
}

impl Withholding {
    /// For an attempt; `None` where nothing that it says is secret.
    pub fn of(attempt: &Attempt) -> Option<Self> {
        let folder = folder(attempt.folder.parent()?, attempt.run);
        let learns = !attempt.taken.is_empty();
        learns.then(|| Self { taken: attempt.taken.clone(), folder, run: attempt.run, token: attempt.token })
    }

    /// The outcome as it may be told, once its secrets are kept. `known`: other secrets of the run, masked in what is left.
    pub fn keep(&self, outcome: Outcome, known: &[String]) -> Outcome {
        self.withhold(outcome, known, |name, value| self.write(name, value))
    }

    /// The same of an attempt that did not take place: nothing is kept.
    pub fn rehearse(&self, outcome: Outcome) -> Outcome {
        self.withhold(outcome, &[], |_, _| Ok(()))
    }

    fn withhold(
        &self,
        outcome: Outcome,
        known: &[String],
        mut keep: impl FnMut(&str, &str) -> io::Result<()>,
    ) -> Outcome {
        match outcome {
            Outcome::Succeeded { outputs } => {
                let ends = ends(&outputs);
                match self.take(outputs, known, &mut keep) {
                    Ok(outputs) => Outcome::Succeeded { outputs },
                    Err(error) => Outcome::Failed { error, outputs: ends },
                }
            }
            Outcome::Failed { error, outputs } => {
                Outcome::Failed { error: Failure { data: wordless(error.data), ..error }, outputs: ends(&outputs) }
            }
            Outcome::Unknown { why } => Outcome::Unknown { why },
        }
    }

    /// The outputs of a success, with references in place of secrets.
    fn take(
        &self,
        outputs: Map,
        known: &[String],
        keep: &mut impl FnMut(&str, &str) -> io::Result<()>,
    ) -> Result<Map, Failure> {
        let (mut secrets, mut told) = (Vec::new(), Map::new());
        for taken in &self.taken {
            let value = at(&outputs, &taken.path).ok_or_else(|| {
                let path = taken.path.join(".");
                Failure::invalid(format!("there is no `{path}` in the result to take `{}` from", taken.name))
            })?;
            if taken.secret {
                secrets.push((taken.name.as_str(), text(&taken.name, value)?));
            } else {
                told.insert(taken.name.clone(), value.clone());
            }
        }
        let texts = secrets.iter().map(|(_, value)| value.as_str()).chain(known.iter().map(String::as_str));
        let masker = Masker::new(texts)
            .map_err(|error| Failure::invalid(format!("cannot search for the secrets of the run: {error}")))?;
        let mut result = ends(&outputs);
        told.extend(outputs.into_iter().filter(|(name, _)| !OWN.contains(&name.as_str())));
        result.extend(told.into_iter().map(|(name, value)| (name, masker.value(value))));
        for (name, value) in &secrets {
            keep(name, value).map_err(|error| {
                Failure::invalid(format!("the secret `{name}` was learned and cannot be kept: {error}"))
            })?;
            let reference = SecretRef::Learned(format!("{}/{}-{name}", self.run, self.token.0));
            result.insert((*name).to_owned(), Value::Secret(SecretText(vec![SecretPart::Reference(reference)])));
        }
        Ok(result)
    }

    fn write(&self, name: &str, value: &str) -> io::Result<()> {
        let path = self.folder.join(format!("{}-{name}", self.token.0));
        fault::at(Point::SecretKeep, || {
            match DirBuilder::new().mode(0o700).create(&self.folder) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                Ok(()) | Err(_) => {}
            }
            let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path)?;
            // One newline at the end of a file is no part of the secret in it.
            file.write_all(format!("{value}\n").as_bytes())?;
            file.sync_all()?;
            File::open(&self.folder)?.sync_all()?;
            self.folder.parent().map_or(Ok(()), |spool| File::open(spool)?.sync_all())
        })
    }
}

/// The folder of a run's secrets in the spool.
pub fn folder(spool: &Path, run: RunId) -> PathBuf {
    spool.join(format!("{run}-secrets"))
}

/// The file that a reference names: `RUN/TOKEN-NAME`.
pub(super) fn file(spool: &Path, reference: &str) -> Option<PathBuf> {
    let (run, name) = reference.split_once('/')?;
    (!name.contains('/')).then(|| Some(folder(spool, run.parse().ok()?).join(name)))?
}

/// The files of all that a run has learned, in order.
pub(super) fn files(spool: &Path, run: RunId) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder(spool, run)).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    files.sort();
    files
}

/// What a path leads to; nothing where that is `()`.
fn at<'v>(outputs: &'v Map, path: &[String]) -> Option<&'v Value> {
    let (first, rest) = path.split_first()?;
    let mut value = outputs.get(first)?;
    for name in rest {
        let Value::Map(map) = value else { return None };
        value = map.get(name)?;
    }
    (*value != Value::Null).then_some(value)
}

/// A secret as the text that it is. Nothing of it is repeated in what is wrong with it.
fn text(name: &str, value: &Value) -> Result<String, Failure> {
    let text = match value {
        Value::String(_) | Value::Int(_) | Value::Float(_) | Value::Bool(_) => value.to_text().unwrap_or_default(),
        other => {
            let message = format!("the secret `{name}` is a {}; a secret is text", other.type_name());
            return Err(Failure::invalid(message));
        }
    };
    match text.len() {
        0 => Err(Failure::invalid(format!("the secret `{name}` is empty"))),
        bytes if bytes > SECRET_BYTES => {
            Err(Failure::invalid(format!("the secret `{name}` is longer than {SECRET_BYTES} bytes")))
        }
        _ => Ok(text),
    }
}

fn ends(outputs: &Map) -> Map {
    let ends = outputs.iter().filter(|(name, _)| ENDS.contains(&name.as_str()));
    ends.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// What an error knows, without what was said.
fn wordless(data: Value) -> Value {
    let Value::Map(map) = data else { return data };
    let words = ["stderr", "body"];
    let said = |name: &str| words.contains(&name);
    let cut = map.into_iter().map(|(name, value)| if said(&name) { (name, Value::from("")) } else { (name, value) });
    Value::Map(cut.collect())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn taken(name: &str, path: &[&str], secret: bool) -> Taken {
        Taken { name: name.to_owned(), path: path.iter().map(|name| (*name).to_owned()).collect(), secret }
    }

    fn withholding(spool: &Path, taken: Vec<Taken>) -> Withholding {
        let run = RunId::new(1_700_000_000_000, 7);
        Withholding { taken, folder: folder(spool, run), run, token: Token(3) }
    }

    fn answer(json: serde_json::Value) -> Map {
        Map::from([
            ("code".to_owned(), Value::Int(200)),
            ("body".to_owned(), Value::String(json.to_string())),
            ("json".to_owned(), Value::from_json(json)),
        ])
    }

    #[test]
    fn a_secret_is_kept_where_only_its_user_reads_it_and_told_by_reference() {
        let spool = tempfile::tempdir().unwrap();
        let withholding = withholding(
            spool.path(),
            vec![taken("token", &["json", "token"], true), taken("shown", &["json", "shown"], false)],
        );
        let json = serde_json::json!({ "token": "s3cret-token", "shown": "for s3cret-token and old-one", "more": 1 });
        let outcome = withholding.keep(Outcome::Succeeded { outputs: answer(json) }, &["old-one".to_owned()]);
        let Outcome::Succeeded { outputs } = outcome else { panic!("{outcome:?}") };
        assert_eq!(outputs.keys().collect::<Vec<_>>(), ["code", "shown", "token"]);
        assert_eq!(outputs["shown"], Value::from("for *** and ***"));
        let [reference] = outputs["token"].secret_references()[..] else { panic!("one reference") };
        let SecretRef::Learned(reference) = reference else { panic!("{reference:?}") };
        let path = file(spool.path(), reference).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "s3cret-token\n");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
        assert_eq!(files(spool.path(), withholding.run), [path]);
    }

    #[test]
    fn what_is_no_text_or_is_not_there_fails_without_repeating_anything() {
        let spool = tempfile::tempdir().unwrap();
        let withholding = withholding(spool.path(), vec![taken("token", &["json", "token"], true)]);
        for (json, why) in [
            (serde_json::json!({ "tokens": "s3cret" }), "there is no `json.token` in the result to take `token` from"),
            (serde_json::json!({ "token": null }), "there is no `json.token` in the result to take `token` from"),
            (serde_json::json!({ "token": ["s3cret"] }), "the secret `token` is a list; a secret is text"),
            (serde_json::json!({ "token": "" }), "the secret `token` is empty"),
        ] {
            let outcome = withholding.keep(Outcome::Succeeded { outputs: answer(json) }, &[]);
            let Outcome::Failed { error, outputs } = outcome else { panic!("{outcome:?}") };
            assert_eq!((error.kind.as_str(), error.message.as_str()), ("invalid", why));
            assert_eq!(outputs, Map::from([("code".to_owned(), Value::Int(200))]));
        }
    }

    #[test]
    fn of_a_failure_only_how_it_ended_is_told() {
        let spool = tempfile::tempdir().unwrap();
        let withholding = withholding(spool.path(), vec![taken("token", &["token"], true)]);
        let data = Map::from([("exit_code".to_owned(), Value::Int(3)), ("stderr".to_owned(), Value::from("s3cret"))]);
        let outputs = Map::from([
            ("exit_code".to_owned(), Value::Int(3)),
            ("stderr".to_owned(), Value::from("s3cret")),
            ("token".to_owned(), Value::from("s3cret")),
        ]);
        let error = Failure { data: Value::Map(data), ..Failure::failed("exit code 3") };
        let outcome = withholding.keep(Outcome::Failed { error, outputs }, &[]);
        assert!(!format!("{outcome:?}").contains("s3cret"), "{outcome:?}");
        let Outcome::Failed { outputs, .. } = outcome else { panic!("{outcome:?}") };
        assert_eq!(outputs, Map::from([("exit_code".to_owned(), Value::Int(3))]));
    }

    #[test]
    fn a_reference_leads_nowhere_else() {
        let spool = Path::new("/spool");
        let run = RunId::new(1_700_000_000_000, 7);
        assert_eq!(file(spool, &format!("{run}/3-token")), Some(folder(spool, run).join("3-token")));
        for wrong in ["", "x", "../3-token", &format!("{run}/../../etc/passwd")] {
            assert_eq!(file(spool, wrong), None, "{wrong}");
        }
    }
}
