//! The live tree, on a terminal of its own.

use std::process::Command;

use crate::harness::{Case, Gate};

fn gated(rest: &str) -> (Case, Gate) {
    let case = Case::new();
    let gate = case.gate("gate");
    let text = format!(
        "steps:\n  - {{ id: first, shell: 'echo one' }}\n  - {{ id: stand, title: A step that stands, shell: \"echo 'last words'; {}\" }}\n{rest}",
        gate.script()
    );
    (case.runbook(&text), gate)
}

#[test]
fn the_tree_moves_and_ends_in_a_summary() {
    let (case, gate) = gated("  - { id: later, shell: 'echo three' }\noutputs: { text: steps.later.stdout }\n");
    let mut terminal = case.terminal(100, 30);
    gate.arrival();
    terminal.shows("last words");
    // It turns while the step stands.
    terminal.shows("⠋").shows("⠙");
    gate.open();
    assert_eq!(terminal.exits(), 0);
    let screen = terminal.screen(100).join("\n");
    for line in ["  ✓ first", "  ✓ stand  A step that stands", "  ✓ later", "succeeded after", "text = three"] {
        assert!(screen.contains(line), "{line:?} on\n{screen}");
    }
    assert_eq!(screen.matches("✓ first").count(), 1, "the tree is drawn over itself:\n{screen}");
}

#[test]
fn what_fails_is_explained_below_the_tree() {
    let case = Case::new().runbook("steps:\n  - { id: bad, shell: 'echo why >&2; exit 4', retry: { attempts: 2, delay: 300ms, jitter: none } }\n  - { id: never, shell: 'true' }\n");
    let mut terminal = case.terminal(100, 30);
    terminal.shows("attempt 2 of 2 in");
    assert_eq!(terminal.exits(), 1);
    let screen = terminal.screen(100).join("\n");
    for line in ["✗ bad", "– never", "| why", "lockstep retry "] {
        assert!(screen.contains(line), "{line:?} on\n{screen}");
    }
}

#[test]
fn a_narrow_terminal_cuts_lines_and_a_changed_one_is_drawn_anew() {
    let (case, gate) = gated("");
    let mut terminal = case.terminal(120, 30);
    gate.arrival();
    terminal.shows("last words");
    terminal.resize(20, 30);
    terminal.shows("…");
    gate.open();
    assert_eq!(terminal.exits(), 0);
    let tree: Vec<_> = terminal.screen(120).into_iter().filter(|line| line.contains("stand")).collect();
    assert!(tree.iter().all(|line| line.chars().count() < 20), "{tree:?}");
}

#[test]
fn more_steps_than_rows_show_those_that_matter() {
    let (case, gate) = gated(
        &(0..40)
            .fold(String::new(), |text, number| text + format!("  - {{ id: s{number}, shell: 'true' }}\n").as_str()),
    );
    let mut terminal = case.terminal(80, 8);
    gate.arrival();
    terminal.shows("stand").shows("steps not shown");
    gate.open();
    assert_eq!(terminal.exits(), 0);
    let screen = terminal.screen(80).join("\n");
    assert!((0..40).all(|number| screen.contains(&format!("✓ s{number} "))), "at the end all are there:\n{screen}");
}

#[test]
fn no_color_leaves_the_tree_and_takes_the_colours() {
    let (case, gate) = gated("");
    let case = case.env("NO_COLOR", "1");
    let mut terminal = case.terminal(80, 24);
    gate.arrival();
    terminal.shows("⠙");
    gate.open();
    assert_eq!(terminal.exits(), 0);
    let sequences: Vec<_> = terminal.seen.split("\x1b[").skip(1).collect();
    let colours =
        sequences.iter().filter(|rest| rest.trim_start_matches(|c: char| c.is_ascii_digit()).starts_with('m'));
    assert_eq!(colours.count(), 0, "{:?}", terminal.seen);
    assert!(!sequences.is_empty(), "the tree moves all the same");
}

#[test]
fn without_utf_8_signs_are_ascii() {
    let (case, gate) = gated("");
    let case = case.env("LANG", "C");
    let mut terminal = case.terminal(80, 24);
    gate.arrival();
    terminal.shows("last words");
    gate.open();
    assert_eq!(terminal.exits(), 0);
    assert!(terminal.seen.is_ascii(), "{:?}", terminal.seen);
}

#[test]
fn ctrl_c_on_the_keyboard_cancels_and_twice_leaves() {
    let (case, gate) = gated("");
    let mut terminal = case.terminal(100, 24);
    gate.arrival();
    terminal.shows("last words");
    terminal.types(b"\x03");
    terminal.shows("once more leaves it to be resumed");
    assert_eq!(terminal.exits(), 4);
    assert!(terminal.screen(100).join("\n").contains("cancelled after"));
}

#[test]
fn control_characters_of_a_log_are_signs_on_a_terminal() {
    let case = Case::new().runbook(r#"steps: [{ id: a, shell: "printf 'a\\033]0;evil\\007b\\n'" }]"#);
    case.run().succeeds();
    let logs: Command = case.command(["logs", "last", "a"]);
    let mut terminal = crate::harness::Terminal::start(&logs, 80, 24);
    assert_eq!(terminal.exits(), 0);
    assert_eq!(terminal.seen, "a^[]0;evil^Gb\r\n");
}
