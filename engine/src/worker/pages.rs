//! Reads files that a `foreach` runs over, a page at a time.
//!
//! What has been read is journaled and never read again, so the file must stay as it was when its first page was read:
//! one that was changed meanwhile is refused, since nobody could say which items it has.

use std::fs::File;
use std::io::{BufRead, BufReader, Seek, SeekFrom};
use std::path::PathBuf;
use std::time::UNIX_EPOCH;

use lockstep_dsl::graph::PageForm;
use lockstep_dsl::value::{Map, Value};

use super::Failure;
use crate::core::run::{Answer, Page};
use crate::id::{RunId, StepNo};
use crate::limits::{MAX_ITEM_BYTES, MAX_PAGE_ITEMS, PAGE_BYTES};

/// A page to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageRead {
    /// The run whose step asks.
    pub run: RunId,
    /// The step.
    pub step: StepNo,
    /// The file.
    pub path: PathBuf,
    /// How items stand in it.
    pub form: PageForm,
    /// Bytes of it that were read before.
    pub at: u64,
    /// Its length and the moment of its last change, as they were then.
    pub identity: Option<(u64, i64)>,
    /// The names of the columns, once they are known.
    pub columns: Vec<String>,
    /// Whether all items are to be counted.
    pub count: bool,
}

impl PageRead {
    /// The page, as a value.
    ///
    /// # Errors
    /// The file cannot be read, was changed since its first page was, or does not hold what it should.
    pub fn read(&self) -> Answer {
        let page = self.open().and_then(|(file, identity, is_array)| {
            let mut reader = BufReader::new(file);
            reader.seek(SeekFrom::Start(self.at)).map_err(|error| said(&error))?;
            self.page(reader, identity, is_array)
        });
        self.answer(page)
    }

    /// The page, as if the file held this text.
    ///
    /// # Errors
    /// The text does not hold what it should.
    pub fn read_text(&self, text: &str) -> Answer {
        let from = usize::try_from(self.at).unwrap_or(usize::MAX);
        let is_array = self.form == PageForm::Json && text.trim_start().starts_with('[');
        let rest = text.as_bytes().get(from..).unwrap_or_default();
        self.answer(self.page(rest, (text.len() as u64, 0), is_array))
    }

    fn answer(&self, page: Result<Page, String>) -> Answer {
        let page = page.map_err(|why| Failure {
            kind: "invalid".to_owned(),
            message: format!("`{}`: {why}", self.path.display()),
            data: Value::Null,
            untouched: false,
        })?;
        Ok(page.to_value())
    }

    /// The file, what it is, and whether a JSON array stands in it.
    fn open(&self) -> Result<(File, (u64, i64), bool), String> {
        let mut file = File::open(&self.path).map_err(|error| said(&error))?;
        let identity = identity(&file)?;
        if self.identity.is_some_and(|before| before != identity) {
            return Err("was changed while its items were run; run over a copy of it".to_owned());
        }
        let is_array = self.form == PageForm::Json && begins_with_bracket(&mut file)?;
        Ok((file, identity, is_array))
    }

    /// The page that begins where the reader stands.
    fn page(&self, reader: impl BufRead, identity: (u64, i64), is_array: bool) -> Result<Page, String> {
        let mut items = Items { reader, at: self.at, form: self.form, columns: self.columns.clone(), is_array };
        let mut page = Page { items: Vec::new(), at: self.at, identity, columns: Vec::new(), last: false, count: None };
        while page.items.len() < MAX_PAGE_ITEMS && items.at - self.at < PAGE_BYTES as u64 {
            let Some(item) = items.next()? else {
                page.last = true;
                break;
            };
            page.items.push(item);
        }
        page.at = items.at;
        page.columns.clone_from(&items.columns);
        if self.count {
            let mut count = page.items.len() as u64;
            while !page.last && items.next()?.is_some() {
                count += 1;
            }
            page.count = Some(count);
        }
        Ok(page)
    }
}

/// What a file is: its length, and the moment of its last change in nanoseconds.
fn identity(file: &File) -> Result<(u64, i64), String> {
    let data = file.metadata().map_err(|error| said(&error))?;
    if !data.is_file() {
        return Err("is no regular file".to_owned());
    }
    let changed = data.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    Ok((data.len(), changed.and_then(|at| i64::try_from(at.as_nanos()).ok()).unwrap_or(0)))
}

fn begins_with_bracket(file: &mut File) -> Result<bool, String> {
    let mut reader = BufReader::new(file);
    loop {
        let bytes = reader.fill_buf().map_err(|error| said(&error))?;
        match bytes.iter().find(|byte| !byte.is_ascii_whitespace()) {
            Some(byte) => return Ok(*byte == b'['),
            None if bytes.is_empty() => return Ok(false),
            None => {}
        }
        let length = bytes.len();
        reader.consume(length);
    }
}

/// The items of a text in one of the forms; used also for what a step gave.
///
/// # Errors
/// The text does not hold what it should.
pub fn items_of(text: &str, form: PageForm) -> Result<Vec<Value>, String> {
    let is_array = form == PageForm::Json && text.trim_start().starts_with('[');
    let mut items = Items { reader: text.as_bytes(), at: 0, form, columns: Vec::new(), is_array };
    let mut all = Vec::new();
    while let Some(item) = items.next()? {
        all.push(item);
    }
    Ok(all)
}

/// Items one after another.
struct Items<R> {
    reader: R,
    /// Bytes read so far, from the beginning of the text.
    at: u64,
    form: PageForm,
    columns: Vec<String>,
    /// Whether JSON values stand in an array.
    is_array: bool,
}

impl<R: BufRead> Items<R> {
    fn next(&mut self) -> Result<Option<Value>, String> {
        match self.form {
            PageForm::Lines => self.line(),
            PageForm::Csv => self.record(),
            PageForm::Json => self.json(),
        }
    }

    fn peek(&mut self) -> Result<Option<u8>, String> {
        Ok(self.reader.fill_buf().map_err(|error| said(&error))?.first().copied())
    }

    fn skip(&mut self) {
        self.reader.consume(1);
        self.at += 1;
    }

    fn take(&mut self, item: &mut Vec<u8>, byte: u8) -> Result<(), String> {
        if item.len() == MAX_ITEM_BYTES {
            return Err(self.wrong(&format!("an item is longer than {MAX_ITEM_BYTES} bytes")));
        }
        item.push(byte);
        self.skip();
        Ok(())
    }

    fn wrong(&self, what: &str) -> String {
        format!("{what}, at byte {}", self.at)
    }

    fn text(&self, bytes: Vec<u8>) -> Result<String, String> {
        String::from_utf8(bytes).map_err(|_| self.wrong("an item is not UTF-8"))
    }

    fn line(&mut self) -> Result<Option<Value>, String> {
        if self.peek()?.is_none() {
            return Ok(None);
        }
        let mut line = Vec::new();
        while let Some(byte) = self.peek()? {
            if byte == b'\n' {
                self.skip();
                break;
            }
            self.take(&mut line, byte)?;
        }
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        Ok(Some(Value::String(self.text(line)?)))
    }

    fn record(&mut self) -> Result<Option<Value>, String> {
        if self.columns.is_empty() {
            let Some(columns) = self.fields()? else { return Ok(None) };
            self.columns = columns;
        }
        let before = self.at;
        let Some(fields) = self.fields()? else { return Ok(None) };
        if fields.len() != self.columns.len() {
            let (found, wanted) = (fields.len(), self.columns.len());
            return Err(format!("the record at byte {before} has {found} fields, where the first line names {wanted}"));
        }
        let named = self.columns.iter().cloned().zip(fields.into_iter().map(Value::String));
        Ok(Some(Value::Map(named.collect::<Map>())))
    }

    /// The fields of a record as RFC 4180 has them.
    fn fields(&mut self) -> Result<Option<Vec<String>>, String> {
        if self.peek()?.is_none() {
            return Ok(None);
        }
        let mut fields = Vec::new();
        loop {
            let field = if self.peek()? == Some(b'"') { self.quoted()? } else { self.unquoted()? };
            fields.push(self.text(field)?);
            match self.peek()? {
                Some(b',') => self.skip(),
                None => return Ok(Some(fields)),
                Some(b'\n') => {
                    self.skip();
                    return Ok(Some(fields));
                }
                Some(_) => return Err(self.wrong("a quoted field goes on behind its closing quote")),
            }
        }
    }

    fn unquoted(&mut self) -> Result<Vec<u8>, String> {
        let mut field = Vec::new();
        while let Some(byte) = self.peek()?.filter(|byte| !matches!(byte, b',' | b'\n')) {
            self.take(&mut field, byte)?;
        }
        if self.peek()? != Some(b',') && field.last() == Some(&b'\r') {
            field.pop();
        }
        Ok(field)
    }

    fn quoted(&mut self) -> Result<Vec<u8>, String> {
        let mut field = Vec::new();
        self.skip();
        loop {
            match self.peek()? {
                Some(b'"') => {
                    self.skip();
                    if self.peek()? != Some(b'"') {
                        break;
                    }
                    self.take(&mut field, b'"')?;
                }
                Some(byte) => self.take(&mut field, byte)?,
                None => return Err(self.wrong("a quoted field is not closed")),
            }
        }
        if self.peek()? == Some(b'\r') {
            self.skip();
        }
        Ok(field)
    }

    fn json(&mut self) -> Result<Option<Value>, String> {
        self.skip_space()?;
        if self.is_array {
            match self.peek()? {
                Some(b'[') if self.is_at_start() => self.skip(),
                Some(b',') => self.skip(),
                Some(b']') => {
                    self.skip();
                    self.skip_space()?;
                    return match self.peek()? {
                        None => Ok(None),
                        Some(_) => Err(self.wrong("there is more behind the array")),
                    };
                }
                _ => return Err(self.wrong("the array is not closed")),
            }
            self.columns = vec!["array".to_owned()];
            self.skip_space()?;
            if self.peek()? == Some(b']') {
                return self.json();
            }
        }
        let mut text = Vec::new();
        let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
        while let Some(byte) = self.peek()? {
            let ends = !in_string && depth == 0 && !text.is_empty();
            if ends && (byte.is_ascii_whitespace() || matches!(byte, b',' | b']' | b'}')) {
                break;
            }
            match byte {
                _ if escaped => escaped = false,
                b'\\' if in_string => escaped = true,
                b'"' => in_string = !in_string,
                b'[' | b'{' if !in_string => depth += 1,
                b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
                _ => {}
            }
            self.take(&mut text, byte)?;
            if depth == 0 && !in_string && matches!(byte, b']' | b'}' | b'"') {
                break;
            }
        }
        if text.is_empty() {
            return if self.is_array { Err(self.wrong("the array is not closed")) } else { Ok(None) };
        }
        let value = serde_json::from_slice(&text).map_err(|error| self.wrong(&format!("no JSON value: {error}")))?;
        Ok(Some(Value::from_json(value)))
    }

    /// Whether the array's own bracket is still to come.
    fn is_at_start(&self) -> bool {
        self.columns.is_empty()
    }

    fn skip_space(&mut self) -> Result<(), String> {
        while self.peek()?.is_some_and(|byte| byte.is_ascii_whitespace()) {
            self.skip();
        }
        Ok(())
    }
}

fn said(error: &std::io::Error) -> String {
    format!("cannot be read: {error}")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn read_all(text: &str, form: PageForm) -> Vec<Value> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("items");
        fs::write(&path, text).unwrap();
        let mut read = PageRead {
            run: RunId::new(1, 1),
            step: StepNo(0),
            path,
            form,
            at: 0,
            identity: None,
            columns: Vec::new(),
            count: true,
        };
        let (mut all, mut count) = (Vec::new(), None);
        loop {
            let page = Page::from_value(&read.read().unwrap()).unwrap();
            all.extend(page.items);
            count = count.or(page.count);
            (read.at, read.identity, read.columns, read.count) = (page.at, Some(page.identity), page.columns, false);
            if page.last {
                assert_eq!(count, Some(all.len() as u64), "the first page counts what all pages have");
                return all;
            }
        }
    }

    fn texts(values: &[Value]) -> Vec<String> {
        values.iter().map(|value| value.to_text().unwrap()).collect()
    }

    #[test]
    fn lines_are_items_also_the_empty_ones_and_one_without_an_end() {
        assert_eq!(texts(&read_all("a\n\nb\r\nc", PageForm::Lines)), ["a", "", "b", "c"]);
        assert_eq!(read_all("", PageForm::Lines).len(), 0);
    }

    #[test]
    fn pages_follow_one_another_without_a_gap() {
        let text: String = (0..5_000).map(|number| format!("line {number}")).collect::<Vec<_>>().join("\n");
        let all = read_all(&text, PageForm::Lines);
        assert_eq!((all.len(), texts(&all[4_999..])), (5_000, vec!["line 4999".to_owned()]));
        let json =
            format!("[{}]", (0..5_000).map(|number| format!("{{\"n\": {number}}}")).collect::<Vec<_>>().join(", "));
        assert_eq!(texts(&read_all(&json, PageForm::Json)[4_999..]), [r#"{"n":4999}"#]);
        let csv: String = std::iter::once("a,b".to_owned())
            .chain((0..5_000).map(|n| format!("{n},x")))
            .collect::<Vec<_>>()
            .join("\n");
        assert_eq!(texts(&read_all(&csv, PageForm::Csv)[4_999..]), [r#"{"a":"4999","b":"x"}"#]);
    }

    #[test]
    fn records_hold_commas_quotes_and_lines_in_quotes() {
        let all = read_all("name,note\r\nana,\"a, \"\"b\"\"\nc\"\r\nben,\n", PageForm::Csv);
        assert_eq!(texts(&all), [r#"{"name":"ana","note":"a, \"b\"\nc"}"#, r#"{"name":"ben","note":""}"#]);
    }

    #[test]
    fn json_is_an_array_or_one_value_after_another() {
        let expected = ["1", r#"{"a":[1,"]"]}"#, "x"];
        assert_eq!(texts(&read_all(r#" [1, {"a": [1, "]"]},"x"] "#, PageForm::Json)), expected);
        assert_eq!(texts(&read_all("1\n{\"a\": [1, \"]\"]}\n\"x\"\n", PageForm::Json)), expected);
        assert_eq!(read_all("[ ]", PageForm::Json).len(), 0);
    }

    #[test]
    fn what_does_not_fit_is_refused_with_its_place() {
        for (text, form, expected) in [
            ("a,b\n1\n", PageForm::Csv, "the record at byte 4 has 1 fields, where the first line names 2"),
            ("a\n\"x\n", PageForm::Csv, "a quoted field is not closed"),
            ("[1, 2", PageForm::Json, "the array is not closed"),
            ("[1] 2", PageForm::Json, "there is more behind the array"),
            ("{]", PageForm::Json, "no JSON value"),
        ] {
            let error = items_of(text, form).unwrap_err();
            assert!(error.contains(expected), "{text:?}: {error}");
        }
    }

    #[test]
    fn a_file_that_was_changed_is_not_read_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("items");
        fs::write(&path, "a\nb\n").unwrap();
        let read = PageRead {
            run: RunId::new(1, 1),
            step: StepNo(0),
            path,
            form: PageForm::Lines,
            at: 2,
            identity: Some((3, 0)),
            columns: Vec::new(),
            count: false,
        };
        assert!(read.read().unwrap_err().message.contains("was changed while its items were run"));
    }
}
