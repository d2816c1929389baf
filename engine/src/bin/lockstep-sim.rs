//! Runs the simulation: `lockstep-sim --seeds 1000`. `docs/simulation.md` says how to read what it prints.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::num::NonZero;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use lockstep_engine::sim::campaign::{Campaign, tell};
use lockstep_engine::sim::report::{Played, line};
use lockstep_engine::sim::scenario::{Edition, Scenario};

const HELP: &str = "\
lockstep-sim: plays random runbooks in a simulated world in which things go wrong, and checks every invariant

  lockstep-sim [--from N] [--seeds N]   plays so many seeds (1000), from this one on (1), on every processor;
                                        LOCKSTEP_REPORT=FILE appends a line of JSON about them
  lockstep-sim --seed N [--whole]       plays one seed and tells what happened; a failing one is made small first,
                                        unless --whole is given. SEED=N in the environment does the same
  --edition N                           of the random runbooks: what a seed stands for is kept for ever (the newest)

exit codes: 0 everything holds · 1 something does not · 2 wrong usage
";

/// How it is started where it was not built yet.
const COMMAND: &str = "cargo run --release -p lockstep-engine --all-features --locked --bin lockstep-sim --";

fn main() -> ExitCode {
    let mut out = io::stdout().lock();
    let outcome = match Asked::read() {
        Ok(asked) => asked.run(&mut out),
        Err(why) => writeln!(out, "{why}\n\n{HELP}").map(|()| ExitCode::from(2)),
    };
    // Whoever reads may have gone.
    outcome.unwrap_or(ExitCode::FAILURE)
}

struct Asked {
    help: bool,
    seed: Option<u64>,
    from: u64,
    seeds: u64,
    whole: bool,
    edition: Edition,
}

impl Asked {
    fn read() -> Result<Self, String> {
        let mut asked = Self { help: false, seed: None, from: 1, seeds: 1_000, whole: false, edition: Edition::NEWEST };
        if let Ok(seed) = std::env::var("SEED") {
            asked.seed = Some(number("SEED", Some(seed))?);
        }
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            match word.as_str() {
                "--help" | "-h" => asked.help = true,
                "--whole" => asked.whole = true,
                "--seed" => asked.seed = Some(number(&word, words.next())?),
                "--from" => asked.from = number(&word, words.next())?,
                "--edition" => asked.edition = edition(number(&word, words.next())?)?,
                "--seeds" => asked.seeds = number(&word, words.next())?,
                other => return Err(format!("`{other}` is no option")),
            }
        }
        Ok(asked)
    }

    fn run(&self, out: &mut impl Write) -> io::Result<ExitCode> {
        if self.help {
            write!(out, "{HELP}")?;
            return Ok(ExitCode::SUCCESS);
        }
        match self.seed {
            Some(seed) => one(self.edition, seed, !self.whole, out),
            None => many(self.edition, self.from, self.seeds, out),
        }
    }
}

fn number(option: &str, value: Option<String>) -> Result<u64, String> {
    let value = value.ok_or_else(|| format!("{option} takes a number"))?;
    value.parse().map_err(|_| format!("{option} takes a number, not `{value}`"))
}

/// The edition of this number, from 1.
fn edition(number: u64) -> Result<Edition, String> {
    let place = usize::try_from(number).ok().and_then(|number| number.checked_sub(1));
    let edition = place.and_then(|place| Edition::ALL.get(place));
    edition.copied().ok_or_else(|| format!("there are the editions 1 to {}", Edition::ALL.len()))
}

fn one(edition: Edition, seed: u64, small: bool, out: &mut impl Write) -> io::Result<ExitCode> {
    let mut campaign = Campaign::of(edition);
    let holds = campaign.play(seed);
    writeln!(out, "{}", tell(Scenario::of_edition(seed, edition), small))?;
    writeln!(out, "seed {seed}: {}", if holds { "everything holds" } else { "something does not hold" })?;
    Ok(if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Plays seeds on every processor.
fn play(edition: Edition, from: u64, seeds: u64) -> Campaign {
    let (next, end) = (AtomicU64::new(from), from.saturating_add(seeds));
    let some = || {
        let mut campaign = Campaign::of(edition);
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= end {
                return campaign;
            }
            campaign.play(seed);
        }
    };
    let mut all = Campaign::of(edition);
    thread::scope(|scope| {
        let threads = thread::available_parallelism().map_or(1, NonZero::get);
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(some)).collect();
        for worker in workers {
            all.join(worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
    });
    all
}

fn many(edition: Edition, from: u64, seeds: u64, out: &mut impl Write) -> io::Result<ExitCode> {
    let began = Instant::now();
    let campaign = play(edition, from, seeds);
    for (seed, violations) in &campaign.failed {
        let first = violations[0].to_string();
        writeln!(out, "seed {seed}: {}", first.lines().next().unwrap_or_default())?;
    }
    let seconds = began.elapsed().as_secs_f64();
    if let Some(path) = std::env::var_os("LOCKSTEP_REPORT") {
        let command = format!("{COMMAND} --from {from} --seeds {seeds}");
        let line = line(&campaign, Played { from, command: &command, seconds: began.elapsed().as_secs() });
        OpenOptions::new().append(true).create(true).open(path)?.write_all(line.as_bytes())?;
    }
    for line in campaign.coverage.lines() {
        writeln!(out, "{line}")?;
    }
    let missing = campaign.coverage.missing();
    if !missing.is_empty() {
        writeln!(out, "not reached: {}", missing.join(", "))?;
    }
    let failed = campaign.failed.len();
    writeln!(out, "{seeds} seeds from {from} in {seconds:.1} s: {failed} in which something does not hold")?;
    if let Some((seed, _)) = campaign.failed.first() {
        writeln!(out, "to see one: lockstep-sim --seed {seed}")?;
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}
