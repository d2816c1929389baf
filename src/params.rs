//! Parameters from the command line: `-p name=value`, `-p name=@file`, and `--params FILE`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use lockstep_dsl::graph::Graph;
use lockstep_dsl::param::{self, Given};
use lockstep_dsl::source::Source;
use lockstep_dsl::value::{Map, SecretPart, SecretRef, Value};

use crate::ending::Failure;
use crate::output::text::count;
use crate::output::{self, Style};
use crate::runbook_file::{read_text, render};

/// Bytes of a file of parameters, or of one that is a parameter.
const FILE_BYTES: u64 = 1024 * 1024;

/// What was given on the command line.
#[derive(Debug, clap::Args)]
pub struct Parameters {
    /// Give a parameter a value, by its declared type: text as it is, numbers and booleans as in YAML, lists and maps
    /// as JSON or YAML, a secret as `env:NAME` or `file:PATH`. `NAME=@FILE` takes the text of a file without its last
    /// newline; `NAME=@@x` is the text `@x`.
    #[arg(short, long = "param", value_name = "NAME=VALUE")]
    param: Vec<String>,
    /// Take parameters from a YAML or JSON file with one map; `-p` goes before it.
    #[arg(long, value_name = "FILE")]
    params: Option<PathBuf>,
}

impl Parameters {
    /// Whether none is given.
    pub const fn is_empty(&self) -> bool {
        self.param.is_empty() && self.params.is_none()
    }
}

/// The given values in their declared types, without defaults. Everything that is wrong with them is printed at once.
pub fn resolve(options: &Parameters, graph: &Graph, style: Style) -> Result<Map, Failure> {
    let mut errors = Vec::new();
    let mut given = match &options.params {
        Some(path) => read_file(path, style)?,
        None => BTreeMap::new(),
    };
    let mut named = BTreeMap::new();
    for text in &options.param {
        match read_option(text) {
            Ok((name, value)) => {
                if named.insert(name.clone(), Given::Text(value)).is_some() {
                    errors.push(format!("parameter `{name}` is given twice"));
                }
            }
            Err(error) => errors.push(error),
        }
    }
    given.append(&mut named);
    let given_names: Vec<_> = given.keys().cloned().collect();
    let values = match param::resolve(&graph.params, given) {
        Ok(resolved) => resolved.values,
        Err(wrong) => {
            errors.extend(wrong.iter().map(ToString::to_string));
            Map::new()
        }
    };
    if errors.is_empty() {
        let mut values: Map = values.into_iter().filter(|(name, _)| given_names.contains(name)).collect();
        values.values_mut().for_each(pin_secret_files);
        return Ok(values);
    }
    for error in &errors {
        // Standard error may be gone; the exit code says enough.
        let _ = output::say(&format!("error: {error}"));
    }
    Err(Failure::Invalid(format!(
        "{} in the parameters of `{}`; nothing was started",
        count(errors.len(), "error"),
        graph.runbook
    )))
}

fn read_file(path: &Path, style: Style) -> Result<BTreeMap<String, Given>, Failure> {
    let source = Source::new(path.display().to_string(), read_text(path, FILE_BYTES)?);
    param::read_file(&source).map_err(|diagnostics| {
        // Standard error may be gone; the exit code says enough.
        let _ = output::say(render(&diagnostics, style).trim_end());
        Failure::Invalid(format!("`{}` is no file of parameters; nothing was started", path.display()))
    })
}

/// The file of a secret is read when a step starts, perhaps by a process that stands elsewhere.
fn pin_secret_files(value: &mut Value) {
    let Value::Secret(text) = value else { return };
    for part in &mut text.0 {
        if let SecretPart::Reference(SecretRef::File(path)) = part
            && let Ok(absolute) = std::path::absolute(&*path)
        {
            *path = absolute.display().to_string();
        }
    }
}

/// `name=value`, or `name=@file`.
pub fn read_option(text: &str) -> Result<(String, String), String> {
    let Some((name, value)) = text.split_once('=').filter(|(name, _)| !name.is_empty()) else {
        return Err(format!("`-p {text}` names no value; write `-p NAME=VALUE`"));
    };
    let value = match value.strip_prefix('@') {
        None => value.to_owned(),
        Some(literal) if literal.starts_with('@') => literal.to_owned(),
        Some(file) => {
            let text =
                read_text(Path::new(file), FILE_BYTES).map_err(|failure| format!("parameter `{name}`: {failure}"))?;
            text.strip_suffix("\r\n").or_else(|| text.strip_suffix('\n')).unwrap_or(&text).to_owned()
        }
    };
    Ok((name.to_owned(), value))
}

#[cfg(test)]
mod tests {
    use super::read_option;

    #[test]
    fn options_are_names_and_values() {
        let both = |name: &str, value: &str| Ok((name.to_owned(), value.to_owned()));
        assert_eq!(read_option("host=web-1"), both("host", "web-1"));
        assert_eq!(read_option("query=a=b"), both("query", "a=b"));
        assert_eq!(read_option("empty="), both("empty", ""));
        assert_eq!(read_option("at=@@home"), both("at", "@home"));
        assert!(read_option("host").is_err_and(|error| error.contains("-p NAME=VALUE")));
        assert!(read_option("=x").is_err());
        assert!(read_option("x=@/no/such/file").is_err_and(|error| error.contains("no such file")));
    }
}
