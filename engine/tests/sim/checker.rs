//! Every check can fail: what it looks for is put into the evidence of a simulation in which everything held.

use lockstep_engine::sim::check::{self, INVARIANTS};
use lockstep_engine::sim::evidence::{Evidence, Happened, Record};
use lockstep_engine::sim::runbook::{Kind, Step};
use lockstep_engine::sim::scenario::Scenario;
use lockstep_engine::sim::world::simulate;
use serde_json::{Value as Json, json};

/// Spoils the evidence. Says whether there was anything to spoil.
type Doctor = fn(&mut Evidence) -> bool;

const DOCTORS: &[(&str, Doctor)] = &[
    ("an acknowledged answer is durable", |evidence| {
        let answers = evidence.asked.iter_mut().filter_map(|asked| asked.answer.as_mut());
        each(answers.filter(|answer| answer.reply.get("started").is_some()), |answer| answer.durable = 0)
    }),
    ("a refused request changes nothing", |evidence| {
        let done =
            evidence.asked.iter_mut().filter(|asked| asked.what == "cancel").filter_map(|asked| asked.answer.as_mut());
        let mut done = done.filter(|answer| answer.reply == "done");
        done.next().map(|answer| answer.reply = json!({ "refused": { "kind": "invalid" } })).is_some()
    }),
    ("a read shows the durable", |evidence| {
        let answers = evidence.asked.iter_mut().filter_map(|asked| asked.answer.as_mut());
        let mut shown = answers.filter_map(|answer| answer.reply.pointer_mut("/run/steps/0/status"));
        shown.next().map(|status| *status = json!("ready")).is_some()
    }),
    ("the journal is never rewritten", |evidence| {
        evidence.openings.last_mut().map(|opening| opening.hash = [0; 32]).is_some()
    }),
    ("positions and time go on", |evidence| {
        evidence.journal.remove(2);
        true
    }),
    ("engine time goes as time does", |evidence| {
        evidence.moments.last_mut().map(|moment| moment.now += 1).is_some() && evidence.moments.len() > 1
    }),
    ("replay gives the state", |evidence| {
        evidence.differences.push("run 1 is another".to_owned());
        true
    }),
    ("nothing is quarantined", |evidence| rename(evidence, "begin", "quar")),
    ("a run uses one definition", |evidence| {
        evidence.journal.remove(0);
        true
    }),
    ("intent before effect", |evidence| each(evidence.witness.iter_mut(), |seen| seen.durable = 0)),
    ("one begin for a token", |evidence| again_in_the_world(evidence, 0)),
    ("attempts of a step never overlap", |evidence| again_in_the_world(evidence, 100)),
    ("once begins once", |evidence| twice(evidence, "go")),
    ("keys are stable", |evidence| {
        let first = evidence.witness.first().cloned();
        let other = first.and_then(|first| {
            evidence.witness.iter_mut().find(|seen| seen.path != first.path).map(|other| other.key = first.key)
        });
        other.is_some()
    }),
    ("reports say what happened", |evidence| {
        let mut ends = evidence.witness.iter_mut().filter(|seen| seen.what == Happened::Succeeded);
        ends.next().map(|seen| seen.what = Happened::Failed).is_some()
    }),
    ("nothing is left running", |evidence| {
        evidence.left_alive.push(("a run".to_owned(), 1));
        true
    }),
    ("folders are kept until the end is durable", |evidence| {
        evidence.forgotten.first_mut().map(|(_, durable)| *durable = 0).is_some()
    }),
    ("tokens grow", |evidence| {
        let mut grants = evidence.journal.iter_mut().filter(|record| record.what == "go").skip(1);
        grants.next().map(|record| record.body["token"] = json!(0)).is_some()
    }),
    ("reports are of the current token", |evidence| change(evidence, "end", |body| body["token"] = json!(77))),
    ("attempts are counted", |evidence| evidence.witness.first_mut().map(|seen| seen.number += 1).is_some()),
    ("a new attempt has a reason", |evidence| twice(evidence, "go")),
    ("a step ends once", |evidence| twice(evidence, "done")),
    ("a block ends last", |evidence| {
        let place = evidence.journal.iter().position(|record| record.what == "done");
        place.map(|place| evidence.journal.remove(place)).is_some()
    }),
    ("a run ends once", |evidence| twice(evidence, "over")),
    ("outcomes fit the steps", |evidence| {
        let mut failed = evidence.journal.iter_mut().filter(|record| record.text("outcome") == Some("failed"));
        let over = failed.find(|record| record.what == "over");
        over.map(|record| record.body["outcome"] = json!("succeeded")).is_some()
    }),
    ("every run ends", |evidence| {
        evidence.left_open.push(("a run".to_owned(), "running".to_owned()));
        true
    }),
    ("needs are met", |evidence| {
        let place = evidence.journal.iter().position(|record| record.what == "done");
        place.map(|place| evidence.journal.remove(place)).is_some()
    }),
    ("a halted block starts nothing", |evidence| {
        insert_behind(evidence, "act", "halt", json!({ "activation": 0, "cancel": false, "cause": "failure" }))
    }),
    ("nothing new after cancel", |evidence| insert_behind(evidence, "act", "cancel", json!({ "by": "user:eve" }))),
    ("a paused run begins nothing", |evidence| rename(evidence, "start", "pause")),
    ("what a person skips was asked for", |evidence| rename(evidence, "waive", "nothing")),
    ("conditions are obeyed", |evidence| {
        evidence.plans.values_mut().for_each(|plan| plan.steps.iter_mut().for_each(|step| step.when = Some(false)));
        true
    }),
    ("items are as written", |evidence| {
        each_step(evidence, |step| {
            if let Kind::Foreach { concurrency, .. } = &mut step.kind {
                *concurrency = 0;
            }
        })
    }),
    ("rounds are as written", |evidence| {
        each_step(evidence, |step| {
            if let Kind::Repeat { max, .. } = &mut step.kind {
                *max = 0;
            }
        })
    }),
    ("timers are never early", |evidence| later(evidence, 1_000_000_000, "wait")),
    ("waits are as long as written", |evidence| later(evidence, 1, "wait")),
    ("retries are as written", |evidence| later(evidence, 1_000_000_000, "retry")),
    ("limits of time hold", |evidence| {
        let stops = evidence.journal.iter_mut().filter(|record| record.what == "stop");
        each(stops.filter(|record| record.text("cause") == Some("timeout")), |record| record.time -= 1)
    }),
    ("limits of time are kept", |evidence| {
        each_step(evidence, |step| {
            step.attempt = Some(1);
            step.total = None;
        })
    }),
    ("who waits is told", |evidence| rename(evidence, "vote", "nothing")),
    ("a signal is taken once", |evidence| twice(evidence, "take")),
    ("what began is undone", |evidence| rename(evidence, "undone", "nothing")),
    ("next is as written", |evidence| each_step(evidence, |step| step.next = None)),
];

#[test]
fn every_check_finds_what_it_looks_for() {
    let doctored: Vec<&str> = DOCTORS.iter().map(|(name, _)| *name).collect();
    let named: Vec<&str> = INVARIANTS.iter().map(|(name, _)| *name).collect();
    assert_eq!(doctored, named, "one for each, in the same order");
    let sound: Vec<Evidence> =
        (1..=80).map(|seed| simulate(&Scenario::of(seed), false).expect("it compiles").evidence).collect();
    for (invariant, doctor) in DOCTORS {
        let caught = sound.iter().any(|evidence| {
            let mut evidence = evidence.clone();
            let spoilt = doctor(&mut evidence);
            spoilt && check::all(&evidence).violations.iter().any(|violation| violation.invariant == *invariant)
        });
        assert!(caught, "`{invariant}` holds whatever the evidence says");
    }
}

/// Changes every planned step.
fn each_step(evidence: &mut Evidence, mut change: impl FnMut(&mut Step)) -> bool {
    fn walk(steps: &mut [Step], change: &mut impl FnMut(&mut Step)) {
        for step in steps {
            change(step);
            step.blocks_mut().into_iter().for_each(|inner| walk(inner, change));
        }
    }
    evidence.plans.values_mut().for_each(|plan| walk(&mut plan.steps, &mut change));
    true
}

fn rename(evidence: &mut Evidence, from: &str, to: &str) -> bool {
    let found = evidence.journal.iter_mut().find(|record| record.what == from);
    found.map(|record| to.clone_into(&mut record.what)).is_some()
}

fn change(evidence: &mut Evidence, what: &str, change: impl Fn(&mut Json)) -> bool {
    let found = evidence.journal.iter_mut().find(|record| record.what == what);
    found.map(|record| change(&mut record.body)).is_some()
}

fn twice(evidence: &mut Evidence, what: &str) -> bool {
    let Some(place) = evidence.journal.iter().position(|record| record.what == what) else { return false };
    let again = evidence.journal[place].clone();
    evidence.journal.insert(place, again);
    true
}

fn insert_behind(evidence: &mut Evidence, behind: &str, what: &str, body: Json) -> bool {
    let Some(place) = evidence.journal.iter().position(|record| record.what == behind) else { return false };
    let record = Record { what: what.to_owned(), body, ..evidence.journal[place].clone() };
    evidence.journal.insert(place + 1, record);
    true
}

fn again_in_the_world(evidence: &mut Evidence, other: u64) -> bool {
    let Some(mut again) = evidence.witness.first().cloned() else { return false };
    again.attempt.1 += other;
    evidence.witness.insert(1, again);
    true
}

/// Puts the end of every wait off that is for this.
fn later(evidence: &mut Evidence, by: u64, why: &str) -> bool {
    let waits = evidence.journal.iter_mut().filter(|record| record.what == "wait");
    each(waits.filter(|record| record.text("why") == Some(why)), |record| {
        let until = record.number("until").unwrap_or(0);
        record.body["until"] = json!(until + by);
    })
}

/// Changes every one of them. Says whether there was any.
fn each<T>(items: impl Iterator<Item = T>, mut change: impl FnMut(T)) -> bool {
    let mut any = false;
    for item in items {
        change(item);
        any = true;
    }
    any
}
