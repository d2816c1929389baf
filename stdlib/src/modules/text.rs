//! `std/text`: text, beyond what every string can do by itself.

use lockstep_dsl::expr::{Arguments, Fault, NativeFunction, StdModule};
use lockstep_dsl::value::{Map, Value};

use super::regex::pattern;

pub const MODULE: StdModule = StdModule {
    import: "std/text",
    about: "Text, beyond what each can do by itself (`trim`, `split`, `lines`, `replace`, `pad`, `starts_with` and \
            more need no import). Patterns are [regular expressions](https://docs.rs/regex/1/regex/#syntax) without \
            look-around and backreferences, so matching takes time in proportion to the text.",
    text: include_str!("../rhai/text.rhai"),
    natives: &[
        NativeFunction {
            signature: "text::matches(text: string, pattern: string) -> bool",
            docs: "Whether a pattern is found in a text. `^` and `$` tie it to the beginning and the end.\n    \
                   text::matches(\"web-17\", \"^web-[0-9]+$\") // => true\n    \
                   text::matches(\"Error: disk full\", \"(?i)error\") // => true",
            run: |given| {
                let text = given.text(0)?;
                Ok(pattern(given, 1, text.len())?.is_match(text).into())
            },
        },
        NativeFunction {
            signature: "text::captures(text: string, pattern: string) -> map or ()",
            docs: "What the groups of a pattern found first: named ones by their names, all by their numbers, the whole \
                   as `0`. A group that took no part is `()`, and so is the result where nothing is found.\n    \
                   text::captures(\"web-17\", \"(?P<role>[a-z]+)-([0-9]+)\").role // => \"web\"\n    \
                   text::captures(\"web-17\", \"([a-z]+)-([0-9]+)\")[\"2\"] // => \"17\"\n    \
                   text::captures(\"web\", \"[0-9]\") // => ()",
            run: captures,
        },
        NativeFunction {
            signature: "text::find_all(text: string, pattern: string) -> list",
            docs: "Everything that a pattern finds, in order; where it has a group, what the first one found.\n    \
                   text::find_all(\"10.0.0.1 and 10.0.0.2\", \"[0-9.]{8,}\") // => [\"10.0.0.1\", \"10.0.0.2\"]\n    \
                   text::find_all(\"a=1, b=2\", \"([a-z])=\") // => [\"a\", \"b\"]",
            run: find_all,
        },
        NativeFunction {
            signature: "text::replace_all(text: string, pattern: string, with: string) -> string",
            docs: "The text with everything that a pattern finds replaced; `$1` and `${name}` stand for what groups \
                   found, `$$` for a dollar sign.\n    \
                   text::replace_all(\"id=17 id=18\", \"id=([0-9]+)\", \"<$1>\") // => \"<17> <18>\"",
            run: replace_all,
        },
        NativeFunction {
            signature: "text::split_by(text: string, pattern: string) -> list",
            docs: "What stands between everything that a pattern finds.\n    \
                   text::split_by(\"a, b;c\", \"[,;] *\") // => [\"a\", \"b\", \"c\"]",
            run: |given| {
                let text = given.text(0)?;
                let pattern = pattern(given, 1, text.len())?;
                let mut parts = Vec::new();
                for part in pattern.split(text) {
                    given.charge(1)?;
                    parts.push(Value::from(part));
                }
                Ok(Value::List(parts))
            },
        },
        NativeFunction {
            signature: "text::grep(lines: list, pattern: string) -> list",
            docs: "The texts of a list in which a pattern is found. The pattern is read once for all.\n    \
                   text::grep([\"ok\", \"error: a\", \"error: b\"], \"^error\") // => [\"error: a\", \"error: b\"]",
            run: grep,
        },
        NativeFunction {
            signature: "text::slug(text: string) -> string",
            docs: "Lower case letters and digits of the Latin alphabet with `-` between them, for names of files and \
                   resources. Accents are left out.\n    \
                   text::slug(\"Größe & Übersicht (v2)\") // => \"groesse-uebersicht-v2\"\n    \
                   text::slug(\"  Crème brûlée!\") // => \"creme-brulee\"",
            run: |given| given.text(0).map(slug).map(Value::from),
        },
        NativeFunction {
            signature: "text::wrap(text: string, width: int) -> string",
            docs: "The text in lines of at most so many characters, broken between words; a longer word has a line of \
                   its own. Line breaks stay.\n    \
                   text::wrap(\"disk full on web-1\", 9) // => \"disk full\\non web-1\"",
            run: wrap,
        },
        NativeFunction {
            signature: "text::compare_versions(a: string, b: string) -> int",
            docs: "-1, 0 or 1: whether a version is older than, the same as, or newer than another. Runs of digits are \
                   compared as numbers, missing parts count as 0, what stands behind `-` makes a version older than the \
                   one without, and what stands behind `+` does not count.\n    \
                   text::compare_versions(\"v1.10.0\", \"1.9\") // => 1\n    \
                   text::compare_versions(\"2.0.0-rc.2\", \"2.0.0\") // => -1\n    \
                   text::compare_versions(\"3.4\", \"3.4.0+build7\") // => 0",
            run: |given| {
                let order = version(given.text(0)?).cmp(&version(given.text(1)?));
                Ok(Value::Int(order as i64))
            },
        },
    ],
};

fn captures(given: &mut Arguments<'_, '_>) -> Result<Value, Fault> {
    let text = given.text(0)?;
    let pattern = pattern(given, 1, text.len())?;
    let Some(found) = pattern.captures(text) else { return Ok(Value::Null) };
    let mut map = Map::new();
    for (index, name) in pattern.capture_names().enumerate() {
        let value = found.get(index).map_or(Value::Null, |part| part.as_str().into());
        if let Some(name) = name {
            map.insert(name.to_owned(), value.clone());
        }
        map.insert(index.to_string(), value);
    }
    Ok(Value::Map(map))
}

fn find_all(given: &mut Arguments<'_, '_>) -> Result<Value, Fault> {
    let text = given.text(0)?;
    let pattern = pattern(given, 1, text.len())?;
    let group = usize::from(pattern.captures_len() > 1);
    let mut all = Vec::new();
    for found in pattern.captures_iter(text) {
        given.charge(1)?;
        all.push(found.get(group).map_or(Value::Null, |part| part.as_str().into()));
    }
    Ok(Value::List(all))
}

fn replace_all(given: &mut Arguments<'_, '_>) -> Result<Value, Fault> {
    let (text, with) = (given.text(0)?, given.text(2)?);
    let pattern = pattern(given, 1, text.len())?;
    let mut result = String::new();
    let mut end = 0;
    for found in pattern.captures_iter(text) {
        let Some(whole) = found.get(0) else { continue };
        given.charge(1 + with.len() / 64)?;
        result.push_str(&text[end..whole.start()]);
        found.expand(with, &mut result);
        given.will_build(result.len())?;
        end = whole.end();
    }
    result.push_str(&text[end..]);
    Ok(result.into())
}

fn grep(given: &mut Arguments<'_, '_>) -> Result<Value, Fault> {
    let mut texts = Vec::new();
    let mut bytes = 0;
    for line in given.list(0)? {
        match line {
            Value::String(line) => {
                bytes += line.len();
                texts.push(line.as_str());
            }
            other => return Err(given.invalid(format!("the list holds {}, which is no text", other.type_name()))),
        }
    }
    let pattern = pattern(given, 1, bytes + 64 * texts.len())?;
    Ok(Value::List(texts.into_iter().filter(|line| pattern.is_match(line)).map(Value::from).collect()))
}

fn slug(text: &str) -> String {
    let mut slug = String::with_capacity(text.len());
    for letter in text.chars().flat_map(char::to_lowercase) {
        match letter {
            'a'..='z' | '0'..='9' => slug.push(letter),
            _ => match latin(letter) {
                Some(letters) => slug.push_str(letters),
                None if slug.ends_with('-') || slug.is_empty() => {}
                None => slug.push('-'),
            },
        }
    }
    slug.truncate(slug.trim_end_matches('-').len());
    slug
}

/// What stands for a letter with an accent, or a ligature.
const fn latin(letter: char) -> Option<&'static str> {
    Some(match letter {
        'à' | 'á' | 'â' | 'ã' | 'å' | 'ā' | 'ă' | 'ą' => "a",
        'ä' | 'æ' => "ae",
        'ç' | 'ć' | 'č' | 'ĉ' | 'ċ' => "c",
        'ď' | 'đ' | 'ð' => "d",
        'è' | 'é' | 'ê' | 'ë' | 'ē' | 'ė' | 'ę' | 'ě' => "e",
        'ğ' | 'ģ' | 'ĝ' | 'ġ' => "g",
        'ì' | 'í' | 'î' | 'ï' | 'ī' | 'į' | 'ı' => "i",
        'ķ' => "k",
        'ł' | 'ļ' | 'ĺ' | 'ľ' => "l",
        'ñ' | 'ń' | 'ň' | 'ņ' => "n",
        'ò' | 'ó' | 'ô' | 'õ' | 'ø' | 'ō' | 'ő' => "o",
        'ö' | 'œ' => "oe",
        'ř' | 'ŕ' => "r",
        'ś' | 'š' | 'ş' | 'ș' => "s",
        'ß' => "ss",
        'ť' | 'ţ' | 'ț' => "t",
        'þ' => "th",
        'ù' | 'ú' | 'û' | 'ū' | 'ů' | 'ű' | 'ų' => "u",
        'ü' => "ue",
        'ý' | 'ÿ' => "y",
        'ź' | 'ż' | 'ž' => "z",
        // A combining accent behind its letter.
        '\u{300}'..='\u{36f}' => "",
        _ => return None,
    })
}

fn wrap(given: &mut Arguments<'_, '_>) -> Result<Value, Fault> {
    let (text, width) = (given.text(0)?, given.count(1)?);
    if width == 0 {
        return Err(given.invalid("a line has at least one character"));
    }
    let mut wrapped = String::with_capacity(text.len());
    for (number, line) in text.split('\n').enumerate() {
        if number > 0 {
            wrapped.push('\n');
        }
        let mut column = 0;
        for word in line.split_whitespace() {
            let length = word.chars().count();
            if column > 0 && column + 1 + length > width {
                wrapped.push('\n');
                column = 0;
            }
            if column > 0 {
                wrapped.push(' ');
                column += 1;
            }
            wrapped.push_str(word);
            column += length;
        }
    }
    Ok(wrapped.into())
}

/// A version, to be compared: its numbers, and what makes it come before the one without.
type Version<'t> = (Vec<Part<'t>>, bool, Vec<Part<'t>>);

/// A part of a version. A number is newer than a word.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Part<'t> {
    Word(&'t str),
    /// Its digits without leading zeros, by length first.
    Number(usize, &'t str),
}

fn version(text: &str) -> Version<'_> {
    let text = text.trim();
    let text = text.strip_prefix(['v', 'V']).unwrap_or(text);
    let text = text.split('+').next().unwrap_or_default();
    let (release, early) = text.split_once('-').map_or((text, None), |(release, early)| (release, Some(early)));
    let mut release: Vec<_> = release.split('.').map(part).collect();
    while release.last() == Some(&Part::Number(0, "")) {
        release.pop();
    }
    (release, early.is_none(), early.into_iter().flat_map(|early| early.split(['.', '-'])).map(part).collect())
}

fn part(text: &str) -> Part<'_> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        let digits = text.trim_start_matches('0');
        Part::Number(digits.len(), digits)
    } else {
        Part::Word(text)
    }
}
