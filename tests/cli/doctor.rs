//! `lockstep doctor`: what it finds, what it mends, and that it changes nothing unasked.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde_json::Value as Json;

use crate::harness::Case;

const HELLO: &str = "steps: [{ id: a, shell: 'echo hello' }]\noutputs: { text: steps.a.stdout }\n";

fn findings(case: &Case, code: i32, arguments: &[&str]) -> Vec<Json> {
    let outcome = case.lockstep(["doctor", "--json"].iter().chain(arguments));
    outcome.exits(code).events()
}

/// The one finding that is more than a note; fails the test where there is none, or another one.
#[track_caller]
fn finding(case: &Case, code: i32, part: &str) -> Json {
    let all = findings(case, code, &[]);
    let (last, rest) = all.split_last().expect("a last line");
    assert_eq!((&last["type"], &last["sound"]), (&"doctor".into(), &false.into()), "{last}");
    let [one] = rest else { panic!("one finding, not {rest:#?}") };
    assert_eq!((&one["type"], &one["part"]), (&"finding".into(), &part.into()), "{one}");
    assert!(one["advice"].as_str().is_some_and(|advice| !advice.is_empty()), "{one}");
    one.clone()
}

/// Every file of a folder with its bytes.
fn content(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut content = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            content.extend(self::content(&entry.path()));
        } else {
            content.insert(entry.path(), fs::read(entry.path()).unwrap_or_default());
        }
    }
    content
}

#[test]
fn a_folder_in_order_is_sound_and_left_as_it_is() {
    let case = Case::new().runbook(HELLO);
    case.lockstep(["doctor"]).exits(2).says("there are no runs");
    assert!(!case.data().exists());
    case.run().succeeds();
    case.run().succeeds();
    let before = content(case.data());
    let outcome = case.lockstep(["doctor"]);
    outcome.exits(0).prints(": sound\n").prints("of 2 runs (0 open)").prints("2 logs").prints("a durable write takes");
    let report = findings(&case, 0, &[]).pop().unwrap();
    assert_eq!(report["held"], false, "{report}");
    assert!(report["floor"]["median_us"].as_u64() <= report["floor"]["slowest_us"].as_u64(), "{report}");
    assert!(report["room"]["free"].as_u64() > Some(0), "{report}");
    assert_eq!(content(case.data()), before);
}

#[test]
fn beside_a_run_it_says_who_holds_the_folder() {
    let case = Case::new();
    let gate = case.gate("gate");
    let case = case.runbook(&format!("steps: [{{ id: a, shell: \"{}\" }}]\n", gate.script()));
    let run = case.start();
    gate.arrival();
    let all = findings(&case, 0, &[]);
    let report = all.last().unwrap();
    assert_eq!((&report["held"], &report["checked"]["open"]), (&true.into(), &1.into()), "{report}");
    case.lockstep(["doctor"]).exits(0).prints("held by process");
    gate.open();
    run.outcome(&case).succeeds();
}

#[test]
fn damage_in_the_journal_is_named_with_its_place() {
    let case = Case::new().runbook(HELLO);
    case.run().succeeds();
    case.run().succeeds();
    let segment = case.data().join("journal/0000000001.segment");
    let mut bytes = fs::read(&segment).unwrap();
    let place = bytes.windows(5).position(|window| window == b"hello").expect("the journal holds the output");
    bytes[place] ^= 1;
    fs::write(&segment, &bytes).unwrap();
    let found = finding(&case, 5, "journal");
    assert_eq!(found["path"], segment.display().to_string());
    assert!(found["offset"].as_u64().is_some_and(|offset| offset > 0 && offset < place as u64), "{found}");
    case.lockstep(["doctor"]).exits(5).prints("damage: ").prints("at byte").prints(": damaged\n");
    // What cannot be mended without loss is left as it is.
    case.lockstep(["doctor", "--repair"]).exits(5).says("is damaged at byte");
    assert_eq!(fs::read(&segment).unwrap(), bytes);
}

#[test]
fn a_loss_is_accepted_when_a_person_asks_for_it() {
    let case = Case::new().runbook(HELLO);
    let lost = case.run().succeeds().id();
    let kept = case.run().succeeds().id();
    let before = case.show(&kept);
    let segment = case.data().join("journal/0000000001.segment");
    let mut bytes = fs::read(&segment).unwrap();
    // Where the first run's command has printed: before the record that nothing was open then.
    let rested = bytes.windows(6).position(|window| window == b"newest").expect("the end of the first");
    let place = bytes[..rested].windows(5).rposition(|window| window == b"hello").expect("the output of the first");
    bytes[place] ^= 1;
    fs::write(&segment, &bytes).unwrap();

    // What would be lost is said, and nothing is done about it.
    let outcome = case.lockstep(["doctor"]);
    outcome.exits(5).prints("would be lost: ").prints(&lost).prints("lockstep restore").prints("--accept-loss");
    outcome.does_not_print(&kept);
    let losses = findings(&case, 5, &[]).last().unwrap()["losses"].clone();
    assert_eq!(losses["gaps"][0]["runs"], serde_json::json!([lost]), "{losses}");
    case.lockstep(["runs"]).exits(5).says("is damaged at byte");
    assert_eq!(fs::read(&segment).unwrap(), bytes);

    case.lockstep(["doctor", "--accept-loss"]).exits(0).prints("repaired: ").prints(": sound\n");
    let aside = case.data().join("journal.damaged-1");
    assert_eq!(fs::read(aside.join("0000000001.segment")).unwrap(), bytes);
    let outcome = case.lockstep(["doctor"]);
    outcome.exits(0).prints("note: ").prints("journal.damaged-1").prints("accepted on").prints(&lost);

    // The one is as it was; of the other it is said what is lost, and that there is nothing to be done but to end it.
    assert_eq!(case.show(&kept), before);
    let view = case.show(&lost);
    assert_eq!((&view["status"], &view["error"]["kind"]), (&"waiting".into(), &"quarantined".into()), "{view:#}");
    case.lockstep(["show", &lost]).exits(0).prints("were lost").prints("0000000001.segment").prints("accepted on");
    case.lockstep(["history", &lost]).exits(0).prints("lost").prints("created");
    case.lockstep(["why", &lost]).exits(0).prints("were lost").prints("cancel");
    let why: Json = serde_json::from_str(&case.lockstep(["why", &lost, "--json"]).exits(0).stdout).unwrap();
    let wait = &why["waits"][0];
    assert_eq!((&wait["reason"], &wait["step"]), (&"quarantined".into(), &Json::Null), "{why:#}");
    assert_eq!(wait["next"], "nothing more is decided about it", "{why:#}");
    assert!(wait["unblock"][0]["command"].as_str().unwrap().ends_with(&format!("cancel {lost}")), "{why:#}");
    case.lockstep(["retry", &lost]).exits(2).says("were lost").says("it can only be cancelled");
    case.lockstep(["cancel", &lost]);
    assert_eq!(case.show(&lost)["status"], "failed");
    case.run().succeeds();
    assert_eq!(case.runs().len(), 3);
    // Also without what was made from the journal.
    fs::remove_dir_all(case.data().join("state")).unwrap();
    fs::remove_dir_all(case.data().join("bases")).unwrap();
    assert_eq!((&case.show(&lost)["status"], &case.show(&kept)), (&"failed".into(), &before));
    case.lockstep(["doctor", "--accept-loss"]).says("there is nothing to accept");
}

#[test]
fn a_journal_without_its_bookkeeping_is_accepted_whole() {
    let case = Case::new().runbook(HELLO);
    let id = case.run().succeeds().id();
    let before = case.show(&id);
    fs::remove_file(case.data().join("journal/HEAD")).unwrap();
    case.lockstep(["doctor"]).exits(5).prints("would be lost: no record that is known of");
    case.lockstep(["doctor", "--accept-loss"]).exits(0);
    assert_eq!(case.show(&id), before);
    case.lockstep(["doctor"]).exits(0).prints("`journal/HEAD` was damaged and nothing is known to be lost");
    case.run().succeeds();
}

#[test]
fn a_checkpoint_that_cannot_be_used_is_made_anew() {
    // As much as no engine leaves without a checkpoint.
    let case = Case::new().runbook(&format!("steps:\n{}", "  - exec: [seq, '15000']\n".repeat(16)));
    case.run().succeeds();
    let database = case.data().join("state/db");
    let mut bytes = fs::read(&database).unwrap();
    let place = bytes.windows(4).position(|window| window == b"sum/").expect("sled holds summaries");
    bytes[place + 1] ^= 1;
    fs::write(&database, &bytes).unwrap();
    assert_eq!(finding(&case, 1, "state")["grade"], "mendable");
    let repaired = findings(&case, 0, &["--repair"]);
    assert_eq!(repaired[0]["type"], "repaired", "{repaired:#?}");
    assert!(repaired.last().unwrap()["checked"]["entries"].as_u64() > Some(0), "{repaired:#?}");
    assert_eq!(findings(&case, 0, &[]).len(), 1);
    assert_eq!(case.runs().len(), 1);

    fs::remove_dir_all(case.data().join("state")).unwrap();
    assert_eq!(finding(&case, 1, "state")["grade"], "mendable");
    case.lockstep(["doctor", "--repair"]).exits(0).prints("repaired: ");
}

#[test]
fn what_is_left_over_is_removed_and_rights_are_taken_back() {
    let case = Case::new().runbook(HELLO);
    case.run().succeeds();
    fs::write(case.data().join("journal/tmp-1-0000000002.segment"), "half").unwrap();
    assert_eq!(finding(&case, 1, "journal")["grade"], "mendable");
    fs::write(case.data().join("blobs/tmp-x"), "half").unwrap();
    fs::create_dir(case.data().join("spool/06bq3v8zk7dm-1")).unwrap();
    fs::set_permissions(case.data(), fs::Permissions::from_mode(0o755)).unwrap();
    let outcome = case.lockstep(["doctor", "--repair"]);
    outcome.exits(0).prints("tmp-1-0000000002.segment").prints("tmp-x").prints("06bq3v8zk7dm-1").prints(": sound\n");
    assert_eq!(fs::metadata(case.data()).unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(fs::read_dir(case.data().join("spool")).unwrap().count(), 0);
}

#[test]
fn logs_and_blobs_that_changed_are_damage() {
    let case = Case::new().runbook(HELLO);
    let id = case.run().succeeds().id();
    let log = PathBuf::from(case.show(&id)["steps"][0]["logs"][0].as_str().unwrap());
    let whole = fs::read(&log).unwrap();
    let mut bytes = whole.clone();
    let place = bytes.windows(5).position(|window| window == b"hello").expect("the log holds the output");
    bytes[place] ^= 1;
    fs::write(&log, &bytes).unwrap();
    assert_eq!(finding(&case, 5, "logs")["path"], log.display().to_string());
    case.lockstep(["logs", "last"])
        .exits(0)
        .does_not_print("hello")
        .prints("breaks off here")
        .prints("from byte 20 on");
    fs::write(&log, &whole[..place - 17]).unwrap();
    case.lockstep(["logs", "last"]).exits(0).prints("breaks off here");
    fs::remove_file(&log).unwrap();
    case.lockstep(["logs", "last"]).exits(0).prints("there is no log of attempt 1");
    fs::write(&log, &whole).unwrap();
    assert_eq!(case.lockstep(["logs", "last", "a"]).exits(0).stdout, "hello\n");

    let name = "a".repeat(64);
    fs::write(case.data().join("blobs").join(&name), "other bytes").unwrap();
    assert!(finding(&case, 5, "blobs")["path"].as_str().is_some_and(|path| path.ends_with(&name)));
}
