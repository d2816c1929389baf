//! What a command's output becomes: the outputs of its step.

use std::io::Read as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use lockstep_dsl::value::{Map, Value};
use rustix::fs::OFlags;

use super::limits::{ERROR_STDERR_BYTES, OUTPUT_BYTES, OUTPUT_FILE_BYTES};
use super::mask::Masker;
use super::{Failure, Outcome};

/// The last bytes of a stream.
#[derive(Default)]
pub(crate) struct Tail {
    bytes: Vec<u8>,
    cut: bool,
}

impl Tail {
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        // Twice the limit before anything moves, so that the cost of a byte does not grow with the limit.
        if self.bytes.len() > 2 * OUTPUT_BYTES {
            // One more than are kept: the newline at the end goes away.
            self.shorten(OUTPUT_BYTES + 1);
        }
    }

    /// There was more before, which is not known.
    pub(crate) const fn cut(&mut self) {
        self.cut = true;
    }

    /// The text, without the newline at its end; bytes that are no UTF-8 are replaced. Says whether it was cut.
    pub(crate) fn into_text(mut self) -> (String, bool) {
        if self.bytes.last() == Some(&b'\n') {
            self.bytes.pop();
        }
        self.shorten(OUTPUT_BYTES);
        if self.cut {
            // Not from the middle of a character on.
            let begin = self.bytes.iter().take(3).take_while(|byte| **byte & 0xc0 == 0x80).count();
            self.bytes.drain(..begin);
        }
        let mut text = String::from_utf8_lossy(&self.bytes).into_owned();
        if text.len() > OUTPUT_BYTES {
            // Each byte that was replaced takes three.
            let begin = text.ceil_char_boundary(text.len() - OUTPUT_BYTES);
            text.drain(..begin);
            self.cut = true;
        }
        (text, self.cut)
    }

    fn shorten(&mut self, limit: usize) {
        if self.bytes.len() > limit {
            self.bytes.drain(..self.bytes.len() - limit);
            self.cut = true;
        }
    }
}

/// The last `limit` bytes of a text, from a whole character on.
fn last_bytes(text: &str, limit: usize) -> &str {
    &text[text.ceil_char_boundary(text.len().saturating_sub(limit))..]
}

/// The lines of what was printed. The newline at its very end is gone already, so that an empty last line is one.
fn lines(stdout: &str) -> Value {
    if stdout.is_empty() {
        return Value::List(Vec::new());
    }
    Value::List(stdout.split('\n').map(|line| Value::from(line.strip_suffix('\r').unwrap_or(line))).collect())
}

/// `stdout`, `stderr`, `lines` and `json`. Of output that was cut there is no `lines` and no `json`: half a document
/// means something else than the whole.
pub(crate) fn outputs(stdout: Tail, stderr: Tail) -> Map {
    let (stdout, stdout_cut) = stdout.into_text();
    let (stderr, stderr_cut) = stderr.into_text();
    let mut outputs = Map::new();
    if !stdout_cut {
        outputs.insert("json".to_owned(), serde_json::from_str(&stdout).map_or(Value::Null, Value::from_json));
        outputs.insert("lines".to_owned(), lines(&stdout));
    }
    if stdout_cut || stderr_cut {
        outputs.insert("truncated".to_owned(), Value::Bool(true));
    }
    outputs.insert("stdout".to_owned(), Value::String(stdout));
    outputs.insert("stderr".to_owned(), Value::String(stderr));
    outputs
}

/// How a process ended.
pub(crate) struct Exit {
    /// Its exit code; `None` where a signal ended it.
    pub code: Option<i64>,
    /// The signal's name.
    pub signal: Option<String>,
}

/// What the end of a command means: `expect` holds the exit codes that are a success, `from_file` is what came of
/// `$LOCKSTEP_OUTPUT`.
pub(crate) fn outcome(exit: Exit, expect: &[i64], mut outputs: Map, from_file: Result<(), Failure>) -> Outcome {
    let Exit { code, signal } = exit;
    outputs.insert("exit_code".to_owned(), code.map_or(Value::Null, Value::Int));
    let mut error = match (code, &signal) {
        (Some(code), _) if expect.contains(&code) => match from_file {
            Ok(()) => return Outcome::Succeeded { outputs },
            Err(failure) => failure,
        },
        (Some(code), _) => Failure::failed(format!("exit code {code}")),
        (None, Some(signal)) => Failure::failed(format!("killed by {signal}")),
        (None, None) => Failure::failed("the process ended without an exit code"),
    };
    error.data = error_data(code, signal, &outputs);
    Outcome::Failed { error, outputs }
}

/// What an error of a command knows, beside what the command produced.
pub(crate) fn error_data(exit_code: Option<i64>, signal: Option<String>, outputs: &Map) -> Value {
    let stderr = if let Some(Value::String(text)) = outputs.get("stderr") { text } else { "" };
    Value::Map(Map::from([
        ("exit_code".to_owned(), exit_code.map_or(Value::Null, Value::Int)),
        ("signal".to_owned(), signal.map_or(Value::Null, Value::String)),
        ("stderr".to_owned(), Value::from(last_bytes(stderr, ERROR_STDERR_BYTES))),
    ]))
}

/// Adds what the command wrote to `$LOCKSTEP_OUTPUT`.
///
/// # Errors
/// `invalid` where that is no JSON object, is too large, or names an output that every command has.
pub(crate) fn add_file(path: &Path, masker: &Masker, outputs: &mut Map) -> Result<(), Failure> {
    let wrong = |why: &str| Failure::invalid(format!("`$LOCKSTEP_OUTPUT` {why}"));
    let text = read(path).map_err(|why| wrong(&why))?;
    if text.trim_ascii().is_empty() {
        return Ok(());
    }
    let json: serde_json::Value = serde_json::from_slice(&text)
        .map_err(|error| wrong(&format!("holds no JSON: {}", masker.text(&error.to_string()))))?;
    let Value::Map(map) = masker.value(Value::from_json(json)) else {
        return Err(wrong("holds no JSON object: its keys become outputs"));
    };
    add(map, outputs)
}

/// Adds what a command gives by name.
///
/// # Errors
/// `invalid` as for [`add_file`].
pub(crate) fn add(map: Map, outputs: &mut Map) -> Result<(), Failure> {
    let wrong = |why: &str| Failure::invalid(format!("`$LOCKSTEP_OUTPUT` {why}"));
    for (name, value) in &map {
        if ["stdout", "stderr", "exit_code", "lines", "json", "truncated"].contains(&name.as_str()) {
            return Err(wrong(&format!("sets `{name}`, which every command has already")));
        }
        if value.to_json().to_string().len() > OUTPUT_BYTES {
            return Err(wrong(&format!("sets `{name}` to more than {OUTPUT_BYTES} bytes")));
        }
    }
    outputs.extend(map);
    Ok(())
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    // The command may have put anything in the file's place: a pipe must not block us, nor a link lead elsewhere.
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let file = match std::fs::OpenOptions::new().read(true).custom_flags(flags).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(format!("cannot be read: {error}")),
    };
    let metadata = file.metadata().map_err(|error| format!("cannot be read: {error}"))?;
    if !metadata.is_file() {
        return Err("is no regular file any more".to_owned());
    }
    if metadata.len() > OUTPUT_FILE_BYTES {
        return Err(format!("holds more than {OUTPUT_FILE_BYTES} bytes"));
    }
    let mut text = Vec::new();
    file.take(OUTPUT_FILE_BYTES).read_to_end(&mut text).map_err(|error| format!("cannot be read: {error}"))?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tail(bytes: &[u8]) -> Tail {
        let mut tail = Tail::default();
        for chunk in bytes.chunks(1000) {
            tail.push(chunk);
        }
        tail
    }

    #[test]
    fn one_newline_goes_and_bad_bytes_are_replaced() {
        let outputs = outputs(tail(b"a\xff\r\n\n"), tail(b""));
        assert_eq!(outputs["stdout"], Value::from("a\u{fffd}\r\n"));
        assert_eq!(outputs["lines"], Value::List(vec![Value::from("a\u{fffd}"), Value::from("")]));
        assert_eq!(outputs["json"], Value::Null);
        assert!(!outputs.contains_key("truncated"));
    }

    #[test]
    fn an_output_at_the_limit_is_whole_and_one_byte_more_is_cut() {
        let whole = outputs(tail(&[b"1".repeat(OUTPUT_BYTES), b"\n".to_vec()].concat()), tail(b""));
        assert!(whole.contains_key("lines") && !whole.contains_key("truncated"));
        let cut = outputs(tail(&"ä".repeat(OUTPUT_BYTES).into_bytes()[1..]), tail(b""));
        assert_eq!(cut["truncated"], Value::Bool(true));
        assert!(!cut.contains_key("lines") && !cut.contains_key("json"));
        let Value::String(text) = &cut["stdout"] else { panic!("text") };
        assert!(text.len() <= OUTPUT_BYTES && text.len() > OUTPUT_BYTES - 4 && text.chars().all(|c| c == 'ä'));
        let replaced = outputs(tail(&b"\xff".repeat(OUTPUT_BYTES)), tail(b""));
        let Value::String(text) = &replaced["stdout"] else { panic!("text") };
        assert!(text.len() <= OUTPUT_BYTES && replaced.contains_key("truncated"));
    }

    #[test]
    fn a_long_output_is_as_long_as_it_may_be_wherever_its_chunks_end() {
        for last in 0..3 {
            let mut tail = Tail::default();
            tail.push(&b"x".repeat(2 * OUTPUT_BYTES - last));
            tail.push(b"ab\n");
            let (text, cut) = tail.into_text();
            assert!(cut && text.len() == OUTPUT_BYTES && text.ends_with("xab"), "{} bytes", text.len());
        }
    }

    #[test]
    fn the_output_file_becomes_outputs_by_its_keys() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("output");
        let masker = Masker::new(["hunter22"]).unwrap();
        let read = |text: &str| {
            std::fs::write(&path, text).unwrap();
            let mut outputs = Map::new();
            add_file(&path, &masker, &mut outputs).map(|()| outputs).map_err(|failure| failure.message)
        };
        assert_eq!(read(" \n"), Ok(Map::new()));
        let outputs = read(r#"{"a": 1, "b": {"c": "is hunter22"}}"#).unwrap();
        assert_eq!(outputs["a"], Value::Int(1));
        assert_eq!(outputs["b"], Value::Map(Map::from([("c".to_owned(), Value::from("is ***"))])));
        assert!(read("a=1").unwrap_err().starts_with("`$LOCKSTEP_OUTPUT` holds no JSON: "));
        assert!(read("[1]").unwrap_err().contains("no JSON object"));
        assert!(read(r#"{"stdout": 1}"#).unwrap_err().contains("`stdout`"));
        let long = format!(r#"{{"a": "{}"}}"#, "x".repeat(OUTPUT_BYTES));
        assert!(read(&long).unwrap_err().contains("more than 262144 bytes"));
        assert!(read(&" ".repeat(5 * OUTPUT_BYTES)).unwrap_err().contains("more than 1048576 bytes"));
    }

    #[test]
    fn what_stands_in_the_place_of_the_output_file_cannot_hang_or_mislead() {
        let folder = tempfile::tempdir().unwrap();
        let read = |path: &Path| add_file(path, &Masker::new([]).unwrap(), &mut Map::new());
        assert_eq!(read(&folder.path().join("absent")), Ok(()));
        assert!(read(folder.path()).unwrap_err().message.contains("regular file"));
        let link = folder.path().join("link");
        std::os::unix::fs::symlink("/etc/hostname", &link).unwrap();
        assert!(read(&link).is_err());
        let pipe = folder.path().join("pipe");
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0).unwrap();
        assert!(read(&pipe).unwrap_err().message.contains("regular file"));
    }
}
