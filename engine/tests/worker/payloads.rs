//! Two hundred texts that would do harm if anything took them for code.

/// Replaced by the path of a file that no payload may ever bring into being.
const WITNESS: &str = "{witness}";

/// What a payload tries to run.
const COMMANDS: [&str; 8] = [
    "touch {witness}",
    ": > {witness}",
    "echo owned>{witness}",
    "sh -c 'touch {witness}'",
    "/usr/bin/env touch \"{witness}\"",
    "eval touch {witness}",
    "touch${IFS}{witness}",
    "{touch,{witness}}",
];

/// How it tries to get out of its place; `@` stands for the command.
const SHAPES: [&str; 25] = [
    "; @ ;",
    "& @ &",
    "| @",
    "|| @ #",
    "&& @",
    "$(@)",
    "`@`",
    "\"; @; \"",
    "'; @; '",
    "\\'; @; #",
    "\n@\n",
    "\r\n@\r\n",
    "x\t;\t@\t",
    "$( (@) )",
    "${x:-$(@)}",
    "\"$(@)\"",
    "<(@)",
    ">(@)",
    "$'\\n'@",
    "*; @; [a-z]?",
    "-e @ --",
    "${{ @ }}",
    "%s%n$(@)\\0",
    "\u{202e}ä; @ \u{0085}\u{2028}@",
    "() { :; }; @",
];

/// The payloads, each with the witness's path in it.
pub fn payloads(witness: &str) -> Vec<String> {
    let fill = |shape: &str, command: &str| shape.replace('@', command).replace(WITNESS, witness);
    let all: Vec<String> =
        SHAPES.iter().flat_map(|shape| COMMANDS.iter().map(move |command| fill(shape, command))).collect();
    assert_eq!(all.len(), 200);
    all
}
