//! What descends from this process, found in `/proc`.
//!
//! A number that was read there may be another process's a moment later. So a process is signalled by a handle that is
//! opened first, and only when it is found to descend from this one still.

use std::collections::BTreeMap;
use std::fs;

use rustix::process::{Pid, PidfdFlags, Signal, getpid, pidfd_open, pidfd_send_signal};

/// A living process as `/proc/PID/stat` shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stat {
    parent: i32,
    group: i32,
}

/// Signals all descendants but those in this group. Says whether there were any that could be signalled.
pub(super) fn signal(signal: Signal, but: Option<Pid>) -> bool {
    let processes = living();
    let own = getpid().as_raw_nonzero().get();
    let but = but.map(|group| group.as_raw_nonzero().get());
    let mut reached = false;
    for (pid, stat) in &processes {
        if Some(stat.group) == but || !descends(*pid, own, &processes) {
            continue;
        }
        let Some(handle) = Pid::from_raw(*pid).and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok()) else {
            continue;
        };
        // Still the one that was seen: another with its number would be nobody's that we know.
        if read(*pid).is_some_and(|now| now.group == stat.group && (now.parent == stat.parent || now.parent == own)) {
            reached |= pidfd_send_signal(&handle, signal).is_ok();
        }
    }
    reached
}

/// Processes that are no zombies.
fn living() -> BTreeMap<i32, Stat> {
    let Ok(entries) = fs::read_dir("/proc") else { return BTreeMap::new() };
    let number = |entry: fs::DirEntry| entry.file_name().to_str()?.parse().ok();
    entries.flatten().filter_map(number).filter_map(|pid| Some((pid, read(pid)?))).collect()
}

fn read(pid: i32) -> Option<Stat> {
    parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// The program's name stands in parentheses, and may hold some itself.
fn parse(stat: &str) -> Option<Stat> {
    let (_, rest) = stat.rsplit_once(") ")?;
    let mut fields = rest.split(' ');
    let (state, parent, group) = (fields.next()?, fields.next()?, fields.next()?);
    let alive = !matches!(state, "Z" | "X");
    alive.then_some(Stat { parent: parent.parse().ok()?, group: group.parse().ok()? })
}

fn descends(pid: i32, from: i32, processes: &BTreeMap<i32, Stat>) -> bool {
    // Read one after the other, the table may hold a circle.
    let ancestors = std::iter::successors(Some(pid), |pid| processes.get(pid).map(|stat| stat.parent));
    ancestors.skip(1).take(processes.len()).any(|ancestor| ancestor == from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_of_a_process_is_read_behind_its_name() {
        assert_eq!(parse("12 (a) Z 1 9) S 1 7 7 0"), Some(Stat { parent: 1, group: 7 }));
        assert_eq!(parse("12 (sh) Z 1 7 7 0"), None);
        assert_eq!(parse("12 (sh"), None);
    }

    #[test]
    fn descent_is_followed_and_a_circle_ends() {
        let processes = BTreeMap::from([(5, 2), (6, 5), (7, 6), (8, 9), (9, 8)])
            .into_iter()
            .map(|(pid, parent)| (pid, Stat { parent, group: pid }))
            .collect();
        assert!(descends(7, 5, &processes) && descends(7, 2, &processes));
        assert!(!descends(5, 5, &processes) && !descends(8, 5, &processes));
    }
}
