//! The shipped runbooks, run for real by the built program: on a full file system, against services, servers and a
//! database that the test itself starts. No step is mocked, and what is looked at afterwards is the world itself.

mod certificate_expiry;
mod deploy_symlink;
mod disk_cleanup;
mod postgres_backup;
mod postgres_server;
mod process;
mod restart_unhealthy_service;
mod run;
mod set_not_null;

#[test]
fn every_shipped_runbook_passes_its_check_without_a_warning() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/runbooks");
    let checked = std::process::Command::new(env!("CARGO_BIN_EXE_lockstep")).args(["check", folder]).output();
    let checked = checked.expect("the program starts");
    let said = [checked.stdout, checked.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    assert!(checked.status.success() && !said.contains("warning"), "{said}");
}
