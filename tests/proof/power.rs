//! Loss of power on the real program: its data folder lies on a disk that knows what was really synced.
//!
//! The program runs on a machine of its own: a namespace of processes in which it is the first, with a boot id of its
//! own, and the data folder on a [`lockstep_power`] disk. At some change or sync of that disk, chosen by the seed, the
//! power is cut: every process of the machine is killed at once, and what was not synced is dropped, torn or reordered.
//! Then the real program recovers what is left, sometimes on such a machine too, and the oracle judges.
//!
//! Takes `/dev/fuse`, and root or `fusermount3`.

use std::fs;
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};

use lockstep_power::{Losses, Power, Tree, mount};
use rustix::process::{Pid, Signal, kill_process};

use super::matrix::note;
use super::trial::{End, Trial, Violation};
use crate::harness::{Case, Process, Random, Report, Series};

const ROUNDS: u32 = 40;

#[test]
fn no_loss_of_power_loses_what_was_said() {
    let series = Series::of(ROUNDS);
    let mut report = Report::of("power", "proof::power::no_loss_of_power", &series);
    let mut span = Span::learn();
    for (cuts, losses, end) in series.play(|name, random| {
        let mut trial = on_disk(Case::new());
        let mut cuts = Cuts::default();
        let end = play(&mut trial, span, random, &mut cuts).unwrap_or_else(|why| panic!("{name}: {why}"));
        (cuts.count, cuts.losses, end)
    }) {
        report.faults("power cut", cuts);
        report.faults("write dropped", losses.dropped).faults("write torn", losses.torn);
        report.faults("write that overtook a lost one", losses.reordered).faults("name lost", losses.names);
        note(&mut report, &end);
        span.cuts += cuts;
    }
    assert!(span.cuts >= u64::from(series.rounds), "the power was not cut in every round: {}", span.cuts);
}

/// A trial whose data folder lies where a disk can be mounted.
pub fn on_disk(case: Case) -> Trial {
    let disk = case.path("disk");
    fs::create_dir(&disk).expect("a folder for the disk");
    Trial::of(case.data_folder(disk.join("data")))
}

/// How many changes and syncs of the disk an undisturbed run makes.
#[derive(Clone, Copy)]
pub struct Span {
    done: u64,
    cuts: u64,
}

impl Span {
    pub fn learn() -> Self {
        let mut trial = on_disk(Case::new());
        let command = trial.run_command();
        let mut whole = |_| 1;
        let (done, _) = Machine::default().runs(&mut trial, &[command], &mut whole).expect("a machine");
        assert_eq!(trial.settle(), Ok(End::Ended { status: "succeeded".to_owned(), doubts: 0 }));
        Self { done, cuts: 0 }
    }
}

/// What was done to a machine.
#[derive(Default)]
pub struct Cuts {
    pub count: u64,
    pub losses: Losses,
}

impl Cuts {
    fn add(&mut self, lost: Option<Losses>) {
        let Some(lost) = lost else { return };
        self.count += 1;
        self.losses.dropped += lost.dropped;
        self.losses.torn += lost.torn;
        self.losses.reordered += lost.reordered;
        self.losses.names += lost.names;
    }
}

/// A run and up to two resumes, the power cut in each. Every third time a sync fails before, the program stops because
/// of that, and goes on on the same machine.
pub fn play(trial: &mut Trial, span: Span, random: &mut Random, cuts: &mut Cuts) -> Result<End, Violation> {
    let fails = (random.below(3) == 0).then(|| random.below(SYNCS));
    let commands = if fails.is_some() {
        vec![trial.run_command(), trial.resume_command(), trial.resume_command()]
    } else {
        vec![trial.run_command()]
    };
    let machine = Machine { last: Some(1 + random.below(span.done)), fails };
    cuts.add(machine.runs(trial, &commands, &mut |below| random.below(below))?.1);
    for _ in 0..random.below(3) {
        let commands = [trial.resume_command()];
        let machine = Machine { last: Some(1 + random.below(span.done / 2)), fails: None };
        cuts.add(machine.runs(trial, &commands, &mut |below| random.below(below))?.1);
    }
    trial.settle()
}

/// About as many syncs of files as a run makes.
const SYNCS: u64 = 14;

/// What is to happen to a machine.
#[derive(Clone, Copy, Default)]
struct Machine {
    /// The change or sync of its disk at which its power is cut.
    last: Option<u64>,
    /// How many syncs of files go well before one fails.
    fails: Option<u64>,
}

impl Machine {
    /// Runs commands one after another until all have ended or the power is cut. Gives how much was done to the disk, and
    /// what was lost; the data folder then holds what is left.
    fn runs(
        self,
        trial: &mut Trial,
        commands: &[Command],
        below: &mut dyn FnMut(u64) -> u64,
    ) -> Result<(u64, Option<Losses>), Violation> {
        let Self { last, fails } = self;
        let at = trial.case.path("disk");
        let disk = Arc::new(Mutex::new(Tree::load(&at).expect("the disk's folder can be read")));
        let machine: Arc<Mutex<Option<Pid>>> = Arc::default();
        let power = {
            let machine = Arc::clone(&machine);
            Arc::new(Power::new(last, move || stop(*machine.lock().unwrap_or_else(PoisonError::into_inner))))
        };
        if let Some(after) = fails {
            power.fail_sync(after);
        }
        let boot = fs::read_to_string("/proc/sys/kernel/random/uuid").expect("the kernel gives numbers");
        fs::write(trial.case.path("boot"), boot).expect("a file in the case's folder");
        let session = mount(Arc::clone(&disk), Arc::clone(&power), &at)
            .expect("a file system can be mounted: this takes /dev/fuse, and root or `fusermount3` (package fuse3)");
        for command in commands {
            // Nothing may be cut before it is known what to stop.
            let mut process = machine.lock().unwrap_or_else(PoisonError::into_inner);
            let started = Process::start(booted(trial, command));
            *process = Some(started.pid());
            drop(process);
            let outcome = started.outcome(&trial.case);
            let said = outcome.stdout.clone();
            if !power.is_off() && fails.is_none() && outcome.code().is_none_or(|code| code > 3) {
                return Err(format!("with power it exits with {:?}:\n{}", outcome.code(), outcome.stderr));
            }
            trial.hear(&said);
        }
        session.umount_and_join().expect("nobody uses the disk any more");
        let mut disk = disk.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever shuts a machine down syncs its disks; whoever cuts its power does not.
        let lost = power.is_off().then(|| disk.lose(below));
        fs::remove_dir_all(&at).and_then(|()| fs::create_dir(&at)).expect("the disk's folder can be made anew");
        disk.store(&at).expect("what is left can be written");
        Ok((power.done(), lost))
    }
}

/// The command as the first process of a machine, whose boot id lies in the case's folder.
fn booted(trial: &Trial, command: &Command) -> Command {
    const SCRIPT: &str = "mount --bind boot /proc/sys/kernel/random/boot_id; exec \"$@\"";
    let mut machine = Command::new("unshare");
    if !rustix::process::geteuid().is_root() {
        machine.args(["--user", "--map-root-user"]);
    }
    machine.args(["--pid", "--mount", "--fork", "--kill-child", "--mount-proc", "sh", "-euc", SCRIPT, "sh"]);
    machine.arg(command.get_program()).args(command.get_args()).current_dir(trial.case.path("")).env_clear();
    machine.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    machine
}

/// Kills the first process of the machine that this process holds, and the kernel all others with it.
fn stop(machine: Option<Pid>) {
    let Some(outside) = machine else { return };
    let id = outside.as_raw_nonzero();
    let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
    for child in children.split_whitespace() {
        if let Some(first) = child.parse().ok().and_then(Pid::from_raw) {
            // It may have ended just now.
            let _ = kill_process(first, Signal::KILL);
        }
    }
}
