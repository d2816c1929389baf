//! Every limit of the standard library's functions, with its unit and its reason. Sizes of values and the number of
//! operations are the sandbox's own.

/// Bytes that a regular expression may be compiled to, and as many again for what matching remembers. A Unicode class
/// such as `\w` takes some tens of thousands.
pub const PATTERN_BYTES: usize = 256 * 1024;

/// Bytes of one regular expression. One that is longer cannot be read by people either.
pub const PATTERN_CHARS: usize = 1_024;

/// Operations that compiling a regular expression costs, whatever it is: what [`PATTERN_BYTES`] allows takes a
/// millisecond or two.
pub const PATTERN_OPERATIONS: usize = 2_000;

/// Addresses that a network is spelt out to. A larger one is asked by `net::contains`.
pub const HOSTS: u128 = 4_096;

/// The first and the last year that times are worked out in.
pub const YEARS: std::ops::RangeInclusive<i64> = 1900..=9998;
