//! What an examination of the data folder found, for people and for programs.

use std::fmt::Write as _;

use lockstep_engine::doctor::{Finding, Grade, Losses, LostRecords, Report};
use serde_json::json;

use super::json::line;
use super::style::{Style, Tone};
use super::text::harmless_line;
use crate::ending::Failure;

/// Runs that are named on one line.
const RUNS_A_LINE: usize = 6;

/// The report as people read it: what is wrong first, then what was looked at.
pub fn text(report: &Report, repaired: &[Finding], style: Style) -> String {
    let mut text = String::new();
    let mut findings: Vec<_> = report.findings.iter().collect();
    findings.sort_by_key(|finding| (std::cmp::Reverse(finding.grade), finding.part));
    for finding in repaired {
        let _ = writeln!(text, "{} {}", style.paint(Tone::Good, "repaired:"), place(finding));
    }
    for finding in findings {
        let (tone, word) = match finding.grade {
            Grade::Note => (Tone::Faint, "note:"),
            Grade::Mendable => (Tone::Waiting, "out of order:"),
            Grade::Damage => (Tone::Bad, "damage:"),
        };
        let _ = writeln!(text, "{} {}: {}", style.paint(tone, word), place(finding), harmless_line(&finding.what));
        let _ = writeln!(text, "  help: {}", finding.advice);
    }
    if let Some(losses) = &report.losses {
        text.push_str(&lost(losses, style));
    }
    let (tone, verdict) = match report.worst() {
        None | Some(Grade::Note) => (Tone::Good, "sound"),
        Some(Grade::Mendable) => (Tone::Waiting, "out of order, and nothing is lost"),
        Some(Grade::Damage) => (Tone::Bad, "damaged"),
    };
    let data = harmless_line(&report.data.to_string_lossy());
    let _ = writeln!(text, "{data}: {}", style.paint(tone, verdict));
    let checked = &report.checked;
    let _ = writeln!(
        text,
        "  read: {} frames with {} records of {} runs ({} open), {} entries of the checkpoint, {} bases, \
         {} large values, {} spool folders, {} logs",
        checked.frames,
        checked.records,
        checked.runs,
        checked.open,
        checked.entries,
        checked.bases,
        checked.blobs,
        checked.spooled,
        checked.logs
    );
    if let Some(holder) = report.holder {
        let who = holder.map_or_else(|| "a process".to_owned(), |id| format!("process {id}"));
        let _ = writeln!(text, "  held by {who}");
    }
    if let Some(room) = report.room {
        let _ = writeln!(text, "  room: {} free of {}", bytes(room.free), bytes(room.size));
    }
    if let Some(floor) = report.floor {
        let _ = writeln!(
            text,
            "  a durable write takes {} (median of {}; the slowest took {})",
            milliseconds(floor.median_us),
            floor.writes,
            milliseconds(floor.slowest_us)
        );
    }
    text
}

/// What would be given up if the loss were accepted.
fn lost(losses: &Losses, style: Style) -> String {
    let mut text = String::new();
    let word = style.paint(Tone::Bad, "would be lost:");
    for LostRecords { path, offset, first, last, runs, .. } in &losses.gaps {
        let which = if first == last { format!("record {first}") } else { format!("the records {first} to {last}") };
        let path = harmless_line(&path.to_string_lossy());
        let _ = writeln!(text, "{word} {which} of {}, in {path} from byte {offset} on", losses.last);
        for part in runs.chunks(RUNS_A_LINE) {
            let names: Vec<String> = part.iter().map(ToString::to_string).collect();
            let _ = writeln!(text, "  of, or perhaps of: {}", names.join(", "));
        }
    }
    if losses.gaps.is_empty() {
        let _ = writeln!(text, "{word} no record that is known of");
    }
    text.push_str(
        "  help: a backup loses less: `lockstep restore` makes a folder of it. Where there is none, `lockstep doctor \
         --accept-loss` keeps all the rest; runs that are open and named here can only be cancelled then\n",
    );
    text
}

/// The report as programs read it.
pub fn json(report: &Report, repaired: &[Finding]) -> Result<(), Failure> {
    for (kind, findings) in [("repaired", repaired), ("finding", &report.findings)] {
        for finding in findings {
            let mut object = serde_json::to_value(finding).expect("a finding has text for keys");
            object["type"] = kind.into();
            line(&object)?;
        }
    }
    line(&json!({
        "type": "doctor",
        "sound": report.worst() <= Some(Grade::Note),
        "worst": report.worst(),
        "held": report.holder.is_some(),
        "holder": report.holder.flatten(),
        "checked": report.checked,
        "losses": report.losses,
        "room": report.room,
        "floor": report.floor,
    }))
}

fn place(finding: &Finding) -> String {
    let path = harmless_line(&finding.path.to_string_lossy());
    finding.offset.map_or_else(|| path.clone(), |offset| format!("{path} at byte {offset}"))
}

/// A size as people say it: `1.5 GB`.
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["bytes", "kB", "MB", "GB", "TB"];
    let (mut whole, mut tenths, mut unit) = (count, 0, 0);
    while whole >= 1000 && unit + 1 < UNITS.len() {
        (whole, tenths, unit) = (whole / 1000, whole % 1000 / 100, unit + 1);
    }
    if unit == 0 { format!("{whole} {}", UNITS[unit]) } else { format!("{whole}.{tenths} {}", UNITS[unit]) }
}

fn milliseconds(us: u64) -> String {
    format!("{}.{:03} ms", us / 1000, us % 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_said_in_the_unit_that_fits() {
        for (count, text) in
            [(0, "0 bytes"), (999, "999 bytes"), (1_000, "1.0 kB"), (1_990_000, "1.9 MB"), (5 << 40, "5.4 TB")]
        {
            assert_eq!(bytes(count), text);
        }
    }
}
