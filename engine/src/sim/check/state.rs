//! The journal, and the state that it stands for.

use super::{Case, Findings};

/// What an opening found is still there at the end: what was once seen is never lost.
pub fn journal_is_never_rewritten(case: &Case<'_>, findings: &mut Findings) {
    for (number, opening) in case.evidence.openings.iter().enumerate() {
        let now = case.evidence.frame_hashes.get(opening.frames);
        findings.unless(now == Some(&opening.hash), || {
            format!("the {} frames that engine {} found are not there any more", opening.frames, number + 1)
        });
    }
}

/// Positions have no gap, engine time never goes back, and a frame has one moment.
pub fn positions_and_time_go_on(case: &Case<'_>, findings: &mut Findings) {
    if let Some(broken) = &case.evidence.broken {
        findings.add(broken.clone());
    }
    let mut last = (0, 0);
    for record in &case.evidence.journal {
        findings.unless(record.lsn == last.0 + 1, || format!("record {} follows {}", record.lsn, last.0));
        findings.unless(record.time >= last.1, || format!("record {} is of a time before the last", record.lsn));
        last = (record.lsn, record.time);
    }
}

/// While the machine is up engine time goes exactly as time does, whatever is done to the wall clock.
pub fn engine_time_goes_as_time(case: &Case<'_>, findings: &mut Findings) {
    let moments = &case.evidence.moments;
    for (before, after) in moments.iter().zip(moments.iter().skip(1)) {
        let (counted, passed) = (after.time.saturating_sub(before.time), after.now - before.now);
        // Of one that has journaled nothing since the machine was started the next engine knows nothing.
        let goes_on = before.boot == after.boot && (before.anchored || before.engine == after.engine);
        findings.unless(!goes_on || counted == passed, || {
            format!("engine time went {counted} ms while {passed} ms passed, until {} ms", after.now)
        });
    }
}

/// The state in memory was what the journal gives, from its beginning and from the checkpoint.
pub fn replay_gives_the_state(case: &Case<'_>, findings: &mut Findings) {
    case.evidence.differences.iter().for_each(|difference| findings.add(difference.clone()));
}

/// No bug of ours showed.
pub fn nothing_is_quarantined(case: &Case<'_>, findings: &mut Findings) {
    for record in case.evidence.journal.iter().filter(|record| record.what == "quar") {
        findings.add(format!("run {}: {}", record.run, record.text("why").unwrap_or_default()));
    }
}

/// A definition is there before the runs that use it, once, and a run comes to be once.
pub fn one_definition(case: &Case<'_>, findings: &mut Findings) {
    let mut defined: Vec<&str> = Vec::new();
    let mut created: Vec<&str> = Vec::new();
    for record in &case.evidence.journal {
        match record.what.as_str() {
            "def" => {
                let hash = record.text("hash").unwrap_or_default();
                findings
                    .unless(case.definitions.get(hash).is_some_and(|definition| !definition.nodes.is_empty()), || {
                        format!("definition {hash} cannot be read")
                    });
                defined.push(hash);
            }
            "new" => {
                let hash = record.text("definition").unwrap_or_default();
                findings.unless(defined.contains(&hash), || format!("run {} has no definition", record.run));
                findings
                    .unless(!created.contains(&record.run.as_str()), || format!("run {} is there twice", record.run));
                created.push(&record.run);
            }
            // Of no run: a checkpoint, or the rest of an engine that was closed.
            _ if record.run.is_empty() => {}
            _ => findings.unless(created.contains(&record.run.as_str()), || {
                format!("record {} is of run {}, which does not exist", record.lsn, record.run)
            }),
        }
    }
}
