//! From bytes to a source.

use crate::diagnostic::{Code, Diagnostic};
use crate::limits;
use crate::source::{Source, Span};

/// Takes the bytes of a file. A byte order mark of UTF-8 at its beginning is left out.
///
/// A caller need not read more than [`limits::SOURCE_BYTES`] and one byte.
///
/// # Errors
/// The file is too large, or not UTF-8.
pub fn decode(name: &str, bytes: &[u8]) -> Result<Source, Vec<Diagnostic>> {
    if bytes.len() > limits::SOURCE_BYTES {
        let message = format!("the file has more than {} bytes", limits::SOURCE_BYTES);
        return Err(vec![
            Diagnostic::new(Code::TOO_LARGE, &Source::new(name, ""), Span::default(), message)
                .help("put large data into a file and name it under `files`, or pass it as a parameter"),
        ]);
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    std::str::from_utf8(bytes).map(|text| Source::new(name, text)).map_err(|error| {
        // What stands before the first bad byte is the same in the text that is shown.
        let source = Source::new(name, String::from_utf8_lossy(bytes));
        let at = error.valid_up_to();
        let span = Span::new(at, at + char::REPLACEMENT_CHARACTER.len_utf8());
        let message = format!("the file is not UTF-8: byte {:#04x} at offset {at}", bytes[at]);
        let help = if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
            "it looks like UTF-16: save it as UTF-8"
        } else {
            "save it as UTF-8"
        };
        vec![Diagnostic::new(Code::NOT_UTF8, &source, span, message).help(help)]
    })
}
