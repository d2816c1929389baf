//! What a hostile file costs: it is refused, or read, within 64 MB and 100 ms of one processor.
//!
//! Each file is read in a process of its own, whose peak memory and time the kernel counts. Without optimisation the
//! time may be ten times as long, which still finds whatever grows faster than the file.

use std::fs;
use std::process::Command;

use lockstep_dsl::diagnostic::{Color, render};
use lockstep_dsl::{NoFiles, compile, limits, yaml};

/// Tells the process which file to read.
const FILE: &str = "LOCKSTEP_TEST_HOSTILE_FILE";

const MEBIBYTE: usize = 1024 * 1024;
const MAX_MEMORY: u64 = 64_000_000;
/// Without optimisation it takes ten times as long, and twice that where something else runs on the other half of a core.
/// What grows with the square of a file goes far beyond.
const MAX_NANOSECONDS: u64 = 100_000_000 * if cfg!(debug_assertions) { 30 } else { 1 };

/// A name, and what makes the text.
type File = (&'static str, fn() -> String);

const FILES: &[File] = &[
    ("a list in brackets", || format!("a: [{}]\n", "x,".repeat(MEBIBYTE / 2 - 8))),
    ("pairs in brackets", || format!("a: [{}]\n", "a:,".repeat(MEBIBYTE / 3 - 8))),
    ("empty pairs in brackets", || format!("a: [{}]\n", ":,".repeat(MEBIBYTE / 2 - 8))),
    ("pairs without values", || format!("a: {{{}}}\n", "a,".repeat(limits::YAML_SEPARATORS / 2))),
    ("empty lists", || format!("a: [{}]\n", "[],".repeat(MEBIBYTE / 3 - 8))),
    ("brackets without end", || "[".repeat(MEBIBYTE)),
    ("a list of lines", || "- a\n".repeat(MEBIBYTE / 4)),
    ("lists in lists", || format!("a:\n {}", "- ".repeat(MEBIBYTE / 2 - 8))),
    ("many keys", || (0..90_000).map(|key| key.to_string() + ": x\n").collect()),
    ("one key many times", || "a: 1\n".repeat(MEBIBYTE / 5)),
    ("tags on one line", || format!("a: [{}]\n", "!a.b x,".repeat(MEBIBYTE / 8))),
    ("a billion laughs", || {
        (1..10).fold("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n".to_owned(), |text, level| {
            let below = vec![format!("*a{}", level - 1); 10].join(",");
            format!("{text}a{level}: &a{level} [{below}]\n")
        })
    }),
    ("anchors in anchors", || {
        let opening: String = (0..60).flat_map(|level| [format!("&a{level}"), " [".to_owned()]).collect();
        format!("a: {opening}{}{}\n", "x,".repeat(20_000), "]".repeat(60))
    }),
    ("many documents", || "---\na: b\n".repeat(MEBIBYTE / 9)),
    ("comments", || "# xxxxxxxxxxxxxxxxx\n".repeat(MEBIBYTE / 20)),
    ("one long word", || format!("a: {}\n", "x".repeat(MEBIBYTE - 8))),
    ("many words", || format!("a: {}\n", "x y ".repeat(MEBIBYTE / 4 - 8))),
    ("escapes", || format!("a: \"{}\"\n", "\\x41".repeat(MEBIBYTE / 4 - 8))),
    ("empty lines", || format!("a: |+\n{}", "\n".repeat(MEBIBYTE - 8))),
    ("control characters", || "\u{1}".repeat(MEBIBYTE)),
    ("wrong expressions in one line", || title(&"${{ a b }}".repeat(9_000))),
    ("calls of unknown functions in one line", || title(&"${{ frobnicate(1) }}".repeat(9_000))),
    ("expressions with unknown names in one line", || title(&"${{ params.a.b }}".repeat(9_000))),
    ("steps that need what is missing", || {
        steps(5_000, |step| format!("  - {{ id: step_{step}, needs: [setp_{step}], wait: 1s }}\n"))
    }),
    ("steps that need what has a long name", || {
        let long = "x".repeat(50);
        steps(5_000, |step| {
            format!("  - {{ id: {long}{step}, needs: [{}x], wait: 1s }}\n", long.replace('x', "xy")[..55].to_owned())
        })
    }),
    ("steps that read what is missing", || {
        steps(5_000, |step| format!("  - {{ id: step_{step}, when: steps.setp_{step}.ok, wait: 1s }}\n"))
    }),
    ("steps with unknown keys", || steps(5_000, |step| format!("  - {{ idd: step_{step}, wiat: 1s }}\n"))),
    ("steps that need all before them", || {
        steps(300, |step| {
            let before = (0..step).map(|step| format!("s{step}")).collect::<Vec<_>>().join(", ");
            format!("  - {{ id: s{step}, needs: [{before}], wait: 1s }}\n")
        })
    }),
    ("steps of one name", || steps(5_000, |_| "  - { id: a, wait: 1s }\n".to_owned())),
    ("a file far too large", || "x".repeat(100 * MEBIBYTE)),
];

/// A runbook of one step with this title.
fn title(title: &str) -> String {
    format!("runbook: a\nsteps:\n  - {{ title: '{title}', wait: 1s }}\n")
}

/// A runbook of steps by their number.
fn steps(count: usize, step: impl Fn(usize) -> String) -> String {
    (0..count).map(step).fold("runbook: a\nsteps:\n".to_owned(), |text, step| text + step.as_str())
}

#[test]
fn a_hostile_file_costs_little() {
    let mut costly = Vec::new();
    for (name, _) in FILES {
        let program = std::env::current_exe().expect("the test knows its own program");
        let output = Command::new(program)
            .args(["--exact", "budget::one_file_in_a_process_of_its_own", "--nocapture"])
            .env(FILE, name)
            .output()
            .expect("the test can start itself");
        let text = String::from_utf8_lossy(&output.stdout);
        let Some((memory, time)) = text.lines().find_map(cost) else {
            costly.push(format!("{name}: {text}{}", String::from_utf8_lossy(&output.stderr)));
            continue;
        };
        if memory > MAX_MEMORY || time > MAX_NANOSECONDS {
            costly.push(format!("{name}: {} kB, {} ms", memory / 1_000, time / 1_000_000));
        }
    }
    assert!(costly.is_empty(), "these cost too much:\n{}", costly.join("\n"));
}

#[test]
fn one_file_in_a_process_of_its_own() {
    let Ok(name) = std::env::var(FILE) else { return };
    let (_, make) = FILES.iter().find(|(file, _)| *file == name).expect("a file of the list");
    let text = make();
    let (memory, time) = (peak_memory(), processor_time());
    let printed = yaml::decode("hostile.yaml", text.as_bytes())
        .and_then(|source| compile(&source, &NoFiles, &lockstep_stdlib::sandbox()))
        .map_or_else(|problems| render(&problems, Color::Never, 80), |compiled| compiled.warnings.len().to_string());
    println!("cost {} {}", peak_memory() - memory, processor_time() - time);
    assert!(printed.len() < MEBIBYTE, "what is said about it stays readable");
}

/// Bytes and nanoseconds out of the line that the other process prints.
fn cost(line: &str) -> Option<(u64, u64)> {
    let (memory, time) = line.split_once("cost ")?.1.split_once(' ')?;
    Some((memory.parse().ok()?, time.parse().ok()?))
}

/// The most bytes that this process ever held.
fn peak_memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux says what a process holds");
    let kilobytes = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
    1024 * kilobytes.and_then(|number| number.trim().parse::<u64>().ok()).expect("VmHWM is a number of kB")
}

/// Nanoseconds that this thread ran.
fn processor_time() -> u64 {
    let status = fs::read_to_string("/proc/thread-self/schedstat").expect("Linux says how long a thread ran");
    status.split(' ').next().and_then(|number| number.parse().ok()).expect("the first field is nanoseconds")
}
