//! The forms in which a secret may turn up in output: as it is, in base64, percent-encoded, in hexadecimal, escaped for
//! JSON or for a shell.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use base64::engine::general_purpose::{STANDARD, URL_SAFE};

use super::limits::SHORT_SECRET_BYTES;

/// All forms of a secret to search for. A secret of several lines is also searched for line by line, since tools indent
/// and prefix lines. Secrets shorter than [`SHORT_SECRET_BYTES`] are searched for as they stand only.
pub(super) fn encodings(secret: &str) -> BTreeSet<Vec<u8>> {
    let mut forms = BTreeSet::new();
    add(secret, &mut forms);
    if secret.contains('\n') {
        for line in secret.lines().map(|line| line.trim_matches(['\r', ' ', '\t'])) {
            // A short line, such as the brace that ends a JSON key, is no secret of its own.
            if line.len() >= SHORT_SECRET_BYTES {
                add(line, &mut forms);
            }
        }
        add(&secret.replace('\n', "\r\n"), &mut forms);
    }
    forms.remove(&Vec::new());
    forms
}

fn add(secret: &str, forms: &mut BTreeSet<Vec<u8>>) {
    forms.insert(secret.as_bytes().to_vec());
    if secret.len() < SHORT_SECRET_BYTES {
        return;
    }
    let mut add = |form: String| {
        if form.len() >= SHORT_SECRET_BYTES {
            forms.insert(form.into_bytes());
        }
    };
    for offset in 0..3 {
        for standard in base64_within(secret.as_bytes(), offset, &STANDARD) {
            if offset == 0 {
                // As `base64` and OpenSSL wrap it.
                add(wrapped(&standard, 76));
                add(wrapped(&standard, 64));
            }
            add(standard);
        }
        for url_safe in base64_within(secret.as_bytes(), offset, &URL_SAFE) {
            add(url_safe);
        }
    }
    // What is left as it is beside letters and digits: by RFC 3986, `encodeURIComponent`, HTML forms, and in paths.
    for (kept, plus) in [("-._~", false), ("-_.!~*'()", false), ("*-._", true), ("-._~/", false)] {
        add(percent(secret, kept, plus, false));
        add(percent(secret, kept, plus, true));
    }
    add(hex(secret.as_bytes(), false));
    add(hex(secret.as_bytes(), true));
    let json = serde_json::Value::from(secret).to_string();
    let json = &json[1..json.len() - 1];
    add(json.to_owned());
    add(json.replace('/', "\\/"));
    add(ascii_json(json, false));
    add(ascii_json(json, true));
    // As `set -x` prints it.
    add(secret.replace('\'', r"'\''"));
}

/// The characters of base64 that depend on the secret alone when `offset` other bytes, modulo 3, stand before it: where
/// more bytes follow, and where it ends the text.
fn base64_within(secret: &[u8], offset: usize, alphabet: &impl base64::Engine) -> [String; 2] {
    let mut bytes = vec![0; offset];
    bytes.extend_from_slice(secret);
    let encoded = alphabet.encode(&bytes);
    let own = &encoded[(offset * 8).div_ceil(6)..];
    let certain = bytes.len() * 8 / 6 - (offset * 8).div_ceil(6);
    [own[..certain].to_owned(), own.to_owned()]
}

fn wrapped(text: &str, width: usize) -> String {
    let lines: Vec<&str> = text.as_bytes().chunks(width).map(|line| std::str::from_utf8(line).unwrap_or("")).collect();
    lines.join("\n")
}

fn percent(secret: &str, kept: &str, plus: bool, upper: bool) -> String {
    let mut text = String::new();
    for byte in secret.bytes() {
        let _ = match byte {
            b' ' if plus => write!(text, "+"),
            _ if byte.is_ascii_alphanumeric() || kept.as_bytes().contains(&byte) => {
                write!(text, "{}", char::from(byte))
            }
            _ if upper => write!(text, "%{byte:02X}"),
            _ => write!(text, "%{byte:02x}"),
        };
    }
    text
}

fn hex(secret: &[u8], upper: bool) -> String {
    secret.iter().fold(String::new(), |mut text, byte| {
        let _ = if upper { write!(text, "{byte:02X}") } else { write!(text, "{byte:02x}") };
        text
    })
}

fn ascii_json(json: &str, upper: bool) -> String {
    let mut text = String::new();
    for character in json.chars() {
        if character.is_ascii() {
            text.push(character);
            continue;
        }
        for unit in character.encode_utf16(&mut [0; 2]) {
            let _ = if upper { write!(text, "\\u{unit:04X}") } else { write!(text, "\\u{unit:04x}") };
        }
    }
    text
}
