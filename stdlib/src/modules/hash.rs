//! `std/hash`: checksums, and bytes as text.
//!
//! A secret's value is not known when expressions are evaluated, so nothing here can be computed of one.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use lockstep_dsl::expr::{Arguments, Fault, NativeFunction, StdModule};
use lockstep_dsl::value::Value;
use ring::{digest, hmac};

pub const MODULE: StdModule = StdModule {
    import: "std/hash",
    about: "Checksums of text, in hexadecimal, and bytes as text. Nothing can be computed of a secret, whose value is \
            not known before it is used.",
    text: include_str!("../rhai/hash.rhai"),
    natives: &[
        NativeFunction {
            signature: "hash::sha256(text: string) -> string",
            docs: "The SHA-256 of a text.\n    hash::sha256(\"abc\").truncate(16) // => \"ba7816bf8f01cfea\"",
            run: |given| {
                let digest = digest::digest(&digest::SHA256, given.text(0)?.as_bytes());
                Ok(hexadecimal(digest.as_ref()).into())
            },
        },
        NativeFunction {
            signature: "hash::sha512(text: string) -> string",
            docs: "The SHA-512 of a text.\n    hash::sha512(\"abc\").truncate(16) // => \"ddaf35a193617aba\"",
            run: |given| {
                let digest = digest::digest(&digest::SHA512, given.text(0)?.as_bytes());
                Ok(hexadecimal(digest.as_ref()).into())
            },
        },
        NativeFunction {
            signature: "hash::sha1(text: string) -> string",
            docs: "The SHA-1 of a text, for the names of Git and what is older. It protects nothing.\n    \
                   hash::sha1(\"abc\") // => \"a9993e364706816aba3e25717850c26c9cd0d89d\"",
            run: |given| {
                let digest = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, given.text(0)?.as_bytes());
                Ok(hexadecimal(digest.as_ref()).into())
            },
        },
        NativeFunction {
            signature: "hash::md5(text: string) -> string",
            docs: "The MD5 of a text, for checksums that others publish. It protects nothing.\n    \
                   hash::md5(\"abc\") // => \"900150983cd24fb0d6963f7d28e17f72\"",
            run: |given| Ok(hexadecimal(&md5::compute(given.text(0)?.as_bytes()).0).into()),
        },
        NativeFunction {
            signature: "hash::blake3(text: string) -> string",
            docs: "The BLAKE3 of a text.\n    hash::blake3(\"abc\").truncate(16) // => \"6437b3ac38465133\"",
            run: |given| Ok(blake3::hash(given.text(0)?.as_bytes()).to_hex().to_string().into()),
        },
        NativeFunction {
            signature: "hash::crc32(text: string) -> int",
            docs: "The CRC-32 of a text, as zip and gzip have it.\n    hash::crc32(\"123456789\") // => 3421780262",
            run: |given| Ok(Value::Int(crc32fast::hash(given.text(0)?.as_bytes()).into())),
        },
        NativeFunction {
            signature: "hash::hmac_sha256(key: string, text: string) -> string",
            docs: "The HMAC of a text by a key that is no secret.\n    \
                   hash::hmac_sha256(\"Jefe\", \"what do ya want for nothing?\").truncate(16) // => \"5bdcc146bf60754e\"",
            run: |given| {
                let key = hmac::Key::new(hmac::HMAC_SHA256, given.text(0)?.as_bytes());
                Ok(hexadecimal(hmac::sign(&key, given.text(1)?.as_bytes()).as_ref()).into())
            },
        },
        NativeFunction {
            signature: "hash::base64(text: string) -> string",
            docs: "A text's bytes in base64.\n    hash::base64(\"user:pass\") // => \"dXNlcjpwYXNz\"",
            run: |given| Ok(STANDARD.encode(given.text(0)?).into()),
        },
        NativeFunction {
            signature: "hash::base64_url(text: string) -> string",
            docs: "A text's bytes in the base64 of addresses and tokens: `-` and `_`, and no `=`.\n    \
                   hash::base64_url(\"a?b>c\") // => \"YT9iPmM\"",
            run: |given| Ok(URL_SAFE_NO_PAD.encode(given.text(0)?).into()),
        },
        NativeFunction {
            signature: "hash::from_base64(text: string) -> string",
            docs: "The text that base64 of either form stands for. Bytes that are no UTF-8 are `invalid`.\n    \
                   hash::from_base64(\"dXNlcjpwYXNz\") // => \"user:pass\"\n    \
                   hash::from_base64(\"YT9iPmM\") // => \"a?b>c\"",
            run: from_base64,
        },
        NativeFunction {
            signature: "hash::hex(text: string) -> string",
            docs: "A text's bytes in hexadecimal.\n    hash::hex(\"né\") // => \"6ec3a9\"",
            run: |given| {
                let text = given.text(0)?;
                given.will_build(text.len().saturating_mul(2))?;
                Ok(hexadecimal(text.as_bytes()).into())
            },
        },
        NativeFunction {
            signature: "hash::from_hex(text: string) -> string",
            docs: "The text that hexadecimal digits stand for. Bytes that are no UTF-8 are `invalid`.\n    \
                   hash::from_hex(\"6ec3a9\") // => \"né\"",
            run: from_hex,
        },
    ],
};

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn from_base64(given: &mut Arguments<'_, '_>) -> Result<Value, Fault> {
    // Blanks and line breaks are how others wrap it, and `=` at the end says nothing.
    let plain: String = given.text(0)?.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    let plain = plain.trim_end_matches('=').replace('+', "-").replace('/', "_");
    let bytes = URL_SAFE_NO_PAD.decode(plain).map_err(|error| given.invalid(format!("this is not base64: {error}")))?;
    text(given, bytes)
}

fn from_hex(given: &mut Arguments<'_, '_>) -> Result<Value, Fault> {
    let digits = given.text(0)?;
    let wrong = || given.invalid("the text is not pairs of hexadecimal digits");
    if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) || digits.len() % 2 == 1 {
        return Err(wrong());
    }
    let pairs = (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16));
    let bytes = pairs.collect::<Result<Vec<_>, _>>().map_err(|_| wrong())?;
    text(given, bytes)
}

fn text(given: &Arguments<'_, '_>, bytes: Vec<u8>) -> Result<Value, Fault> {
    String::from_utf8(bytes).map(Value::from).map_err(|_| given.invalid("the bytes are not UTF-8 text"))
}
