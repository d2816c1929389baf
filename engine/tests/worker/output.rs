//! Output in any amount and of any bytes.

use lockstep_dsl::value::Value;
use lockstep_engine::worker::Stream;
use lockstep_engine::worker::limits::OUTPUT_BYTES;
use lockstep_engine::worker::log::{Event, LogReader};

use crate::support::Case;

#[tokio::test]
async fn streams_are_told_apart_and_parsed() {
    let case = Case::shell("printf '{\"a\": [1, 2.5]}\\n'; echo oops >&2");
    let outputs = case.outputs().await;
    assert_eq!(outputs["stdout"], Value::from("{\"a\": [1, 2.5]}"));
    assert_eq!(outputs["stderr"], Value::from("oops"));
    assert_eq!(outputs["json"].to_json().to_string(), r#"{"a":[1,2.5]}"#);
    assert_eq!(case.log().last(), Some(&Event::End));
}

#[tokio::test]
async fn bytes_that_are_no_text_stay_in_the_log() {
    let case = Case::shell(r"printf 'a\377\000b\n'");
    assert_eq!(case.outputs().await["stdout"], Value::from("a\u{fffd}\0b"));
    assert_eq!(case.logged(Stream::Stdout), b"a\xff\0b\n");
}

#[tokio::test]
async fn a_line_without_an_end_is_reported_when_the_command_ends() {
    let case = Case::shell("printf 'first\\r\\n\\nlast'");
    case.outputs().await;
    assert_eq!(case.lines(), ["first", "last"]);
}

#[tokio::test]
async fn one_gigabyte_passes_in_bounded_memory_and_space() {
    let before = peak_memory();
    let case = Case::shell("head -c 1073741824 /dev/zero; echo; echo end");
    let outputs = case.outputs().await;
    assert_eq!(outputs["truncated"], Value::Bool(true));
    assert!(!outputs.contains_key("lines") && !outputs.contains_key("json"));
    let Value::String(stdout) = &outputs["stdout"] else { panic!("text") };
    assert_eq!(stdout.len(), OUTPUT_BYTES);
    assert!(stdout.ends_with("\0\nend"));

    let (mut kept, mut dropped) = (0, 0);
    let mut reader = LogReader::open(&case.attempt.log).unwrap();
    while let Some(entry) = reader.next_entry().unwrap() {
        match entry.event {
            Event::Output { bytes, .. } => kept += bytes.len() as u64,
            Event::Dropped(count) => dropped += count,
            Event::Lost(count) => panic!("{count} bytes lost"),
            Event::End => {}
        }
    }
    assert_eq!(kept + dropped, 1_073_741_824 + 5);
    assert!(dropped > 0);
    let on_disk: u64 = case.folder.path().read_dir().unwrap().map(|file| file.unwrap().metadata().unwrap().len()).sum();
    assert!(on_disk <= 64 * 1024 * 1024, "{on_disk} bytes");
    let grown = peak_memory() - before;
    // The tests that run beside it in this process are measured too; holding what was printed would take a million KiB.
    assert!(grown < 256 * 1024, "{grown} KiB");
}

/// The most memory this process has had, in KiB.
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}
