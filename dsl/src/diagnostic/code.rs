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
