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
    WRONG_TYPE = 101, "a value of the wrong type";
    MISSING_KEY = 102, "a key that must be there is missing";
    EMPTY = 103, "an empty list or map";
    NOT_ONE_OF = 104, "a word that is not one of those possible";
    NOT_SUPPORTED_YET = 105, "a part of the language that this version does not have";
    OUT_OF_RANGE = 106, "a number out of its range";
    TEMPLATE_IN_CONSTANT = 107, "an expression in fixed text";
    NULL_HERE = 108, "`null` where a value is needed";
    DURATION = 109, "a length of time that cannot be read";
    TIME = 110, "a point in time that cannot be read";
    NUMBER_OR_TEXT = 111, "a plain value that is neither clearly a number nor clearly text";
    RUNBOOK_NAME = 112, "a name that a runbook cannot have";
    NAME = 113, "a name that expressions cannot write";
    LABEL = 114, "a label that cannot be selected by";
    LOCK_KEY = 115, "a text that names no lock";

    NO_KIND = 120, "a step without a kind";
    UNKNOWN_KIND = 121, "a kind of step that does not exist";
    TWO_KINDS = 122, "a step with two kinds";
    MISPLACED_KEY = 123, "an option outside its kind";
    NOT_ON_THIS_KIND = 124, "a key that means nothing on this kind of step";
    ID = 125, "an id of the wrong form";
    DUPLICATE_ID = 126, "an id that stands twice in a block";
    RESERVED_NAME = 127, "a name that the language keeps for itself";
    DISABLED_WITHOUT_REASON = 128, "a step that is disabled without a reason";
    ENV_NAME = 129, "a name that no environment variable can have";
    ENV_RESERVED = 130, "an environment variable that the engine sets itself";

    TEMPLATE_IN_SHELL = 140, "an expression inside a shell script";
    FOLDED_SCRIPT = 141, "a folded shell script";
    EMPTY_SCRIPT = 142, "an empty script";
    SCRIPT_AND_FILE = 143, "a shell step with both a script and a file";
    EXEC_NOT_A_LIST = 144, "an `exec` that is not a list";
    EMPTY_PROGRAM = 145, "an `exec` without a program";
    TEMPLATE_IN_EXPRESSION = 146, "`${{ }}` inside an expression";
    EXPRESSION_NOT_TEXT = 147, "an expression that is not written as text";
    CONDITION_NOT_BOOL = 148, "a condition that is neither true nor false";
    WINS_OUT_OF_RANGE = 149, "a parallel step that waits for more branches than it has";
    HTTP_METHOD = 150, "an HTTP method that does not exist";
    HTTP_URL = 151, "a URL that no request can go to";
    HTTP_TWO_BODIES = 152, "a request with two bodies";
    HTTP_BODY_NOT_SENT = 153, "a body on a request that sends none";
    HTTP_EXPECT = 154, "status codes that cannot be read";
    HTTP_HEADER = 155, "a header field that cannot be sent";
    HTTP_HEADER_RESERVED = 156, "a header field that the engine sets itself";
    HTTP_TWO_CREDENTIALS = 157, "a request with two kinds of credentials";

    NEEDS_UNKNOWN = 160, "`needs` of a step that does not exist";
    NEEDS_ITSELF = 161, "a step that needs itself";
    NEEDS_CYCLE = 162, "steps that need each other";
    NEEDS_OTHER_BLOCK = 163, "`needs` of a step in another block";
    NEEDS_TWICE = 164, "`needs` that names a step twice";

    UNKNOWN_NAME = 170, "a name that does not exist";
    UNKNOWN_PARAM = 171, "a parameter that is not declared";
    UNKNOWN_STEP = 172, "a step that does not exist";
    UNKNOWN_OUTPUT = 173, "an output that the step does not have";
    UNKNOWN_VARIABLE = 174, "a variable that no step sets";
    VARIABLE_OF_BRANCH = 175, "a variable of another branch";
    UNKNOWN_FIELD = 176, "a field that does not exist";
    NOT_IN_SCOPE = 177, "a name that is not in scope here";
    BARE_NAMESPACE = 178, "a namespace used as a value";
    NESTED_STEP = 179, "a nested step that is not reached through its blocks";
    MODULE_FUNCTION = 180, "a function that the module does not have";
    UNKNOWN_MODULE = 181, "a module that does not exist, or is not imported";
    READS_ITSELF = 182, "a step that reads its own result";
    READS_LATER = 183, "a step that reads a later one";
    READS_AROUND = 184, "a step that reads the block it stands in";
    READS_BESIDE = 185, "a step that reads one that runs at the same time";
    PARAM_TOO_EARLY = 186, "a default that reads a parameter declared after it";

    SECRET_FLOW = 190, "a secret where it would be seen";
    SECRET_LITERAL = 191, "a secret that stands in the runbook";
    SECRET_OUTPUT = 192, "a secret output that cannot be taken from a result";
    WITHHELD = 193, "what is withheld of a step with secret outputs";

    RETRY_OF_ONCE = 200, "a block that would repeat a step that must run once";
    UNTIL_OF_ONCE = 201, "a repeated step that must run once";
    UNTIL_AND_RETRY = 202, "a step with both `until` and `retry`";
    EVERY_WITHOUT_UNTIL = 203, "`every` without `until`";
    TIMEOUT_ORDER = 204, "an attempt that may last longer than all of them";
    DELAY_ABOVE_MAXIMUM = 205, "a delay above its maximum";
    CATCH_UNREACHABLE = 206, "a handler that is never reached";
    FINISH_IN_BRANCH = 207, "a run that is finished inside a branch";
    FINISH_TOO_LATE = 208, "a run that is finished after its end";
    UNDO_TOO_LATE = 209, "an `undo` that never runs";
    RETRY_UNREACHABLE = 210, "a `retry` rule that is never looked at";
    PROBE_WITHOUT_MEANING = 211, "a probe of a step whose outcome need not be known";

    IMPORT_NAME = 220, "an import that expressions cannot name";
    IMPORT_TWICE = 221, "two imports of one name";
    IMPORT_NOT_TEXT = 222, "an import that is not text";
    PATH_OUTSIDE = 223, "a path that leaves the runbook's folder";
    PATH_FORM = 224, "a path that does not begin with `./`";
    FILE_MISSING = 225, "a file that does not exist";
    FILE_UNREADABLE = 226, "a file that cannot be read";
    FILE_TWICE = 227, "a file that is listed twice";

    TRIGGER_KIND = 230, "a trigger that nothing starts, or two things do";
    CRON = 231, "a line of a crontab that cannot be read";
    TIMEZONE = 232, "a time zone that does not exist";
    TRIGGER_KEY = 233, "a key that means nothing on this trigger";
    TRIGGER_TWICE = 234, "two triggers of one id";
    TRIGGER_PARAM = 235, "a parameter that the runbook does not take from a trigger";
    TRIGGER_PARAM_MISSING = 236, "a trigger without a parameter that must be given";
    TRIGGER_BOUNDS = 237, "a schedule that ends before it is ever due";

    PARAM_TYPE = 240, "a type that no parameter can have";
    PARAM_DEFAULT = 241, "a default that its own parameter refuses";
    PARAM_OPTIONAL_DEFAULT = 242, "a parameter that is optional and has a default";
    PARAM_PATTERN = 243, "a pattern that is not a regular expression";
    PARAM_PATTERN_TYPE = 244, "a pattern on a value that is not text";
    PARAM_BOUNDS_ORDER = 245, "a least value above the greatest";
    PARAM_BOUNDS_TYPE = 246, "bounds on a value that has none";
    PARAM_ENUM = 247, "allowed values that are none";
    PARAM_ITEMS = 248, "the type of elements on a value without elements";

    TOO_MANY_STEPS = 260, "too many steps";
    TOO_MANY_EXPRESSIONS = 261, "too many expressions";
    TOO_MANY_VARIABLES = 262, "too many environment variables";

    SWITCH_FORM = 270, "cases that do not fit the form of their switch";
    REPEAT_WITHOUT_END = 271, "a repeat that nothing ends";
    FOREACH_SOURCE = 272, "items that cannot be run over";

    PERSON = 280, "somebody who may answer and is nobody";
    QUORUM = 281, "more approvals than people who may approve";
    APPROVAL_PASSED_OVER = 282, "an approval that does not matter";
    APPROVAL_CAUGHT = 283, "a handler that stands in for an approval";
    NEXT_UNKNOWN = 284, "a `next` to a step that does not exist";
    NEXT_WITH_NEEDS = 285, "a `next` where `needs` orders the steps";
    NEXT_OUT_OF_REACH = 286, "a `next` to a step that cannot be reached from here";
    NEXT_WITHOUT_LOOP = 287, "a `next` that ends a loop, where there is none";

    CALL_UNKNOWN = 290, "a call of a runbook that cannot be read";
    CALL_OTHER = 291, "a file that holds another runbook than the one that is called";
    CALL_CYCLE = 292, "runbooks that call each other";
    CALL_TOO_DEEP = 293, "too many calls inside each other";
    CALL_PARAM = 294, "a parameter that the called runbook does not take";
    CALL_PARAM_MISSING = 295, "a call without a parameter that must be given";

    // 300-399: templates and expressions
EXPRESSION_SYNTAX = 300, "an expression that cannot be read";
    EXPRESSION_STATEMENT = 301, "statements where one expression belongs";
    UNSUPPORTED_SYNTAX = 302, "a part of Rhai that runbooks leave out";
    UNKNOWN_FUNCTION = 303, "a function that does not exist";
    WRONG_ARGUMENTS = 304, "a function called with the wrong number of arguments";
    READ_ONLY = 305, "a change to something that can only be read";
    UNUSED_VALUE = 306, "a value that nothing uses";
    NAME_IN_FUNCTION = 307, "a name that a function does not see";
    EXPRESSION_TOO_LARGE = 308, "an expression that is too long or nested too deeply";
    MODULE_STATEMENT = 309, "something other than functions in a module";
    TEMPLATE_UNCLOSED = 310, "an expression in text that is not closed";
    TEMPLATE_EMPTY = 311, "an expression in text that is missing";

    // 400-449: files of tests
    CASE_TWICE = 400, "two cases of one name";
    EXPECTS_NOTHING = 401, "a case that cannot fail";
    MOCK_NOT_NEEDED = 402, "a mock of a step that does nothing outside";
    MOCK_FORM = 403, "an answer that does not fit the step";
    OTHER_RUNBOOK = 404, "a test of another runbook";
    PATH = 405, "a text that is no path of a step";
    ACT_FORM = 406, "an act that is nothing or two things";
    NOT_CALLED = 407, "a test that expects a call which cannot be";

    // 900-999: warnings
    MAY_NOT_HAVE_RUN = 900, "an output of a step that may not have run";
    UNUSED_PARAM = 901, "a parameter that nothing reads";
    CONSTANT_CONDITION = 902, "a condition that never changes";
    COMPARED_WITH_BOOL = 903, "a comparison with `true` or `false`";
    UNREACHABLE_STEP = 904, "a step that is never reached";
    EFFECT_WITHOUT_MEANING = 905, "an effect on a step that has none";
    UNUSED_IMPORT = 906, "an import that nothing calls";
    UNUSED_VARIABLE = 907, "a variable that nothing reads";
    RETRY_OF_ONE = 908, "a retry that tries once";
    TIMEOUT_BEYOND_BLOCK = 909, "a timeout that something around it cuts short";
    SECRET_OVER_HTTP = 910, "a secret sent without encryption";
    ONE_BRANCH = 911, "a parallel step with one branch";
    DISABLED_NEEDED = 912, "a disabled step that others build on";
    EVENT_BY_HAND = 913, "an event in a run by hand";
    DST_UNSAID = 914, "a time that clocks leave out or repeat, and no word about it";
}

#[cfg(test)]
mod tests {
    use super::ALL;

    #[test]
    fn codes_stand_in_order_and_once() {
        assert!(ALL.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }
}
