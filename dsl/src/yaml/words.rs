//! The parser's complaints in other words.

/// What is said when the parser's message holds some words.
pub(super) struct Words {
    /// Part of the parser's message.
    part: &'static str,
    /// The diagnostic's message.
    pub(super) message: &'static str,
    /// What is said at the caret.
    pub(super) label: &'static str,
    /// What to do; may be empty.
    pub(super) help: &'static str,
}

/// Our words for the parser's message, where there are some.
pub(super) fn words(info: &str) -> Option<&'static Words> {
    WORDS.iter().find(|words| info.contains(words.part))
}

const WORDS: &[Words] = &[
    Words {
        part: "indentation in quoted",
        message: "a quote that is not closed before a line that is indented less",
        label: "opened here",
        help: "close it, or indent the lines of the quoted text by more than its key",
    },
    Words {
        part: "illegal placement of ':'",
        message: "a key inside a `[ ]` that is not closed",
        label: "not a place for a key",
        help: "close the `[` before this",
    },
    Words {
        part: "mapping values are not allowed",
        message: "a `:` where no key can stand",
        label: "not a key",
        help: "put text that holds `: ` in quotes; check the indentation of this line and the one before",
    },
    Words {
        part: "simple key expect",
        message: "a key without `:`",
        label: "expected `: ` here",
        help: "write `key: value`; a list element begins with `- `",
    },
    Words {
        part: "did not find expected key",
        message: "this line does not fit the map it stands in",
        label: "expected a key here",
        help: "indent keys of one map by the same number of spaces",
    },
    Words {
        part: "did not find expected '-'",
        message: "this line does not fit the list it stands in",
        label: "expected `- ` here",
        help: "indent elements of one list by the same number of spaces, each with `- `",
    },
    Words {
        part: "block sequence entries are not allowed",
        message: "a list cannot begin here",
        label: "",
        help: "begin the list on the next line",
    },
    Words {
        part: "unexpected end of stream",
        message: "a quote that is never closed",
        label: "opened here",
        help: "close it, or put the whole value in the other kind of quotes",
    },
    Words {
        part: "after double-quoted scalar",
        message: "text behind a closing quote",
        label: "the quoted text has ended before this",
        help: "put the whole value in quotes; elements of a `[ ]` are separated by commas",
    },
    Words {
        part: "unknown escape",
        message: "an unknown escape in a double-quoted text",
        label: "in this text",
        help: "write `\\\\` for a backslash, or use single quotes, in which it means itself",
    },
    Words {
        part: "hexadecimal number",
        message: "an escape with too few digits in a double-quoted text",
        label: "in this text",
        help: "`\\x` takes 2 digits, `\\u` 4, `\\U` 8",
    },
    Words {
        part: "flow mapping, did not find expected",
        message: "a `{ }` that goes on without a `,` or ends without a `}`",
        label: "expected `,` or `}`",
        help: "write what is missing, or put a value that holds any of `, [ ] { }` in quotes",
    },
    Words {
        part: "flow sequence, expected",
        message: "a `[ ]` that goes on without a `,` or ends without a `]`",
        label: "expected `,` or `]`",
        help: "write what is missing, or put a value that holds any of `, [ ] { }` in quotes",
    },
    Words {
        part: "misplaced bracket",
        message: "a closing bracket that nothing opens",
        label: "",
        help: "delete it, or put the value in quotes",
    },
    Words {
        part: "block scalar, did not find expected comment",
        message: "text behind `|` or `>`",
        label: "",
        help: "begin the text on the next line, indented",
    },
    Words {
        part: "block scalar",
        message: "a block text that is not indented as it should be",
        label: "",
        help: "indent every line of it by more than its key, with spaces",
    },
    Words {
        part: "invalid indentation",
        message: "this line is indented less than what it belongs to",
        label: "",
        help: "indent it by more than the line that opens it",
    },
    Words {
        part: "comment intercepting",
        message: "a comment inside a value of several lines",
        label: "the value would go on behind it",
        help: "put the comment on a line of its own above, or the value in quotes if ` #` is part of it",
    },
    Words {
        part: "only valid inside a block",
        message: "a `- ` inside `[ ]`",
        label: "",
        help: "separate the elements by commas, without dashes",
    },
];
