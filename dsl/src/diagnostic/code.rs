//! The registry of codes. A code is never reused and never changes its meaning; each has a page in `docs/errors/` and a
//! case in `tests/diagnostics/`.

use std::fmt;

use super::Severity;

/// The code of a diagnostic: `LS0012`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(u16);

impl Code {
    /// The number.
    pub const fn number(self) -> u16 {
        self.0
    }

    /// How bad what it names is: codes from 900 on are warnings.
    pub const fn severity(self) -> Severity {
        if self.0 >= 900 { Severity::Warning } else { Severity::Error }
    }

    /// A few words on what is wrong, the title of its page.
    pub fn title(self) -> &'static str {
        ALL.iter().find(|(code, _)| *code == self).map_or("", |(_, title)| title)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LS{:04}", self.0)
    }
}

macro_rules! codes {
    ($($name:ident = $number:literal, $title:literal;)*) => {
        impl Code {
            $(#[doc = $title] pub const $name: Self = Self($number);)*
        }

        /// Every code with its title, in order.
        pub const ALL: &[(Code, &str)] = &[$((Code::$name, $title),)*];
    };
}

codes! {
    // 1-99: the text, YAML, plain values, parameters
    YAML_SYNTAX = 1, "the file is not valid YAML";
    NEEDS_QUOTES = 2, "a value that needs quotes";
    TAB = 3, "a tab in the indentation";
    NOT_UTF8 = 4, "the file is not UTF-8";
    CONTROL_CHARACTER = 5, "a control character in the file";
    DIRECTION_CHARACTER = 6, "a character that reverses the direction of text";
    LONE_CARRIAGE_RETURN = 7, "a carriage return without a line feed";
    EMPTY_FILE = 10, "the file holds no runbook";
    NOT_A_MAP = 11, "the file does not hold a map";
    SECOND_DOCUMENT = 12, "a second document in the file";
    DIRECTIVE = 13, "a YAML directive";
    DUPLICATE_KEY = 14, "a key that is set twice";
    EMPTY_VALUE = 15, "a key or list element without a value";
    KEY_NOT_TEXT = 16, "a key that is not text";
    MERGE_KEY = 17, "a merge key";
    TAG = 18, "a tag";
    UNKNOWN_ALIAS = 19, "an alias of an anchor that does not exist";
    ALIAS_CYCLE = 20, "an alias inside what it repeats";
    TOO_LARGE = 30, "the file is too large";
    TOO_DEEP = 31, "maps and lists are nested too deeply";
    TOO_MANY_NODES = 32, "the file holds too many keys and values";
    ALIAS_BUDGET = 33, "aliases repeat too much";
    SCALAR_TOO_LONG = 34, "a text that is too long";

    // 100-299: the runbook: keys, kinds, names, order, effects
    UNKNOWN_KEY = 100, "a key that does not exist here";

    // 300-399: templates and expressions
    EXPRESSION_SYNTAX = 300, "an expression that cannot be read";

    // 900-999: warnings
}

#[cfg(test)]
mod tests {
    use super::ALL;

    #[test]
    fn codes_stand_in_order_and_once() {
        assert!(ALL.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }
}
