//! Every limit on what this crate accepts, named with its unit and the reason for its size.
//!
//! A runbook that a person wrote stays far below all of them. They exist so that a hostile or generated file is refused
//! before it costs more than a moment.

/// Bytes of one runbook file. Large data belongs into `files` or parameters.
pub const SOURCE_BYTES: usize = 1024 * 1024;

/// Maps and lists inside each other. A `do` inside a `do` costs two levels, a `parallel` four.
pub const YAML_DEPTH: usize = 64;

/// Keys and values of one file, what aliases stand for included.
pub const YAML_NODES: usize = 50_000;

/// Nodes that anchors mark and aliases repeat: small things, such as a list of hosts.
pub const YAML_COPIED_NODES: usize = 10_000;

/// Bytes of one text. A longer script belongs into a file.
pub const SCALAR_BYTES: usize = 256 * 1024;

/// Bytes of one key.
pub const KEY_BYTES: usize = 256;

/// Characters that may separate nodes (`, : ? [ ] { }`) between two events of the YAML reader. The reader holds a whole
/// `[ ]` or `{ }` in memory before it says anything about it, at about 200 bytes a separator.
pub const YAML_SEPARATORS: usize = 50_000;

/// Characters of a line for which a correction is looked for.
pub const CORRECTED_LINE_CHARS: usize = 1_000;

/// Diagnostics that one file is given; the rest is counted.
pub const DIAGNOSTICS: usize = 100;

/// Bytes that the program compiled from a parameter's `pattern` may take.
pub const PATTERN_BYTES: usize = 1024 * 1024;

/// Diagnostics that are worked out for one file: some more than are shown, since a suggestion for each takes time.
pub const FINDINGS: usize = 2 * DIAGNOSTICS;

/// Names that a misspelt one is compared with, and bytes of the longest name that is compared.
pub const SUGGESTIONS: usize = 200;
/// See [`SUGGESTIONS`].
pub const SUGGESTION_BYTES: usize = 64;

/// Bytes of an id and of every other name that expressions write. Names stand in paths, one for every block.
pub const NAME_BYTES: usize = 64;

/// Expressions of one runbook. Each costs about ten microseconds to read.
pub const EXPRESSIONS: usize = 10_000;

/// Environment variables of all steps together, each counted at every step inside the block that sets it.
pub const ENVIRONMENT: usize = 100_000;

/// Bytes of all files that travel with a run.
pub const FILES_BYTES: u64 = 16 * 1024 * 1024;

/// Steps of one runbook. The order of steps is worked out with a bit for every two of them in a block.
pub const STEPS: usize = 10_000;

/// Tries of one step. More than this in a row is a loop: `until` says so more clearly.
pub const RETRY_ATTEMPTS: i64 = 1_000;

/// Steps that hold one lock at a time, and runs with one key of `concurrency`. Nothing is protected by a number above.
pub const LOCK_HOLDERS: i64 = 10_000;

/// Triggers of one runbook.
pub const TRIGGERS: usize = 1_000;

/// The factor between two delays.
pub const RETRY_FACTOR: f64 = 100.0;

/// Bytes of one file that travels with a run, and of one module.
pub const FILE_BYTES: u64 = 4 * 1024 * 1024;

/// Bytes of one expression or script. Rhai counts lines and columns in 16 bits, so no position is lost below this.
pub const EXPRESSION_BYTES: usize = 60 * 1024;

/// Expressions and blocks inside each other in the text of one. Rhai's parser needs about 13 KiB of stack a level in
/// a debug build.
pub const EXPRESSION_NESTING: usize = 64;

/// Nodes inside each other while one is evaluated, calls of functions included: a call costs about five.
/// A level needs up to 1.5 KiB of stack in a debug build.
pub const EXPRESSION_RECURSION: usize = 500;

/// Operations of one evaluation, unless the caller says otherwise: some tens of milliseconds. An operation is a node,
/// an element looked at, or 64 bytes copied, so this bounds memory too.
pub const EXPRESSION_OPERATIONS: u64 = 1_000_000;

/// Functions, closures among them, of one script or module.
pub const EXPRESSION_FUNCTIONS: usize = 200;

/// Lists and maps inside each other in a value that an expression builds. JSON is read to a depth of 128.
pub const VALUE_DEPTH: usize = 160;

/// Elements of one list or map that an expression builds. The lines of the largest output are 256 Ki.
pub const VALUE_ELEMENTS: usize = 300_000;

/// Bytes of one text that an expression builds: some of the largest outputs (256 KiB) together.
pub const VALUE_TEXT_BYTES: usize = 8 * 1024 * 1024;

/// Rounds that a `repeat` may ask for: what goes on longer is a schedule.
pub const ROUNDS: i64 = 1_000_000;

/// Items that a `foreach` may name as a number.
pub const ITEMS: i64 = 1_000_000_000;

/// Items that are handed to the steps of a `foreach` at a time.
pub const BATCH: i64 = 1_000;

/// Bytes of the name of a signal: it is typed by people, and stands in every list of what a run waits for.
pub const SIGNAL_BYTES: usize = 100;

/// Bytes of what names a lock: it stands in every line about who waits for it.
pub const LOCK_KEY_BYTES: usize = 256;

/// Runbooks that call each other, the first not counted.
pub const CALL_DEPTH: usize = 8;

/// Runbooks that travel with one because of `call`, each counted as often as it is called from another place.
pub const CALLED_RUNBOOKS: usize = 100;

/// Ways in which the `$or` of one event pattern can be met together: what `EventBridge` allows too.
pub const PATTERN_WAYS: usize = 1_000;
