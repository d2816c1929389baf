//! Runs the simulation: `lockstep-sim --seeds 1000`. `docs/simulation.md` says how to read what it prints.

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Instant;

use lockstep_engine::sim::campaign::{Campaign, tell};

const HELP: &str = "\
lockstep-sim: plays random runbooks in a simulated world in which things go wrong, and checks every invariant

  lockstep-sim [--from N] [--seeds N]   plays so many seeds (1000), from this one on (1)
  lockstep-sim --seed N [--whole]       plays one seed and tells what happened; a failing one is made small first,
                                        unless --whole is given. SEED=N in the environment does the same

exit codes: 0 everything holds · 1 something does not · 2 wrong usage
";

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
}

impl Asked {
    fn read() -> Result<Self, String> {
        let mut asked = Self { help: false, seed: None, from: 1, seeds: 1_000, whole: false };
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
            Some(seed) => one(seed, !self.whole, out),
            None => many(self.from, self.seeds, out),
        }
    }
}

fn number(option: &str, value: Option<String>) -> Result<u64, String> {
    let value = value.ok_or_else(|| format!("{option} takes a number"))?;
    value.parse().map_err(|_| format!("{option} takes a number, not `{value}`"))
}

fn one(seed: u64, small: bool, out: &mut impl Write) -> io::Result<ExitCode> {
    let mut campaign = Campaign::default();
    let holds = campaign.play(seed);
    writeln!(out, "{}", tell(seed, small))?;
    writeln!(out, "seed {seed}: {}", if holds { "everything holds" } else { "something does not hold" })?;
    Ok(if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn many(from: u64, seeds: u64, out: &mut impl Write) -> io::Result<ExitCode> {
    let began = Instant::now();
    let mut campaign = Campaign::default();
    for seed in from..from.saturating_add(seeds) {
        if !campaign.play(seed)
            && let Some((seed, violations)) = campaign.failed.last()
        {
            let first = violations[0].to_string();
            writeln!(out, "seed {seed}: {}", first.lines().next().unwrap_or_default())?;
        }
    }
    let seconds = began.elapsed().as_secs_f64();
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
