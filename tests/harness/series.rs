//! A series of rounds that differ by chance, and can be repeated.

use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

/// How many rounds of a series are played at once.
const AT_ONCE: u32 = 4;
/// The same, where a round waits more than it works.
const WIDE: u32 = 12;

/// Rounds of one seed. `LOCKSTEP_ROUNDS` and `LOCKSTEP_SEED` say how many and which; both are printed.
pub struct Series {
    seed: u64,
    /// How many.
    pub rounds: u32,
    at_once: u32,
}

impl Series {
    /// A series of so many rounds, unless the environment says otherwise.
    pub fn of(rounds: u32) -> Self {
        let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().expect("a number"));
        let rounds = number("LOCKSTEP_ROUNDS").map_or(rounds, |rounds| u32::try_from(rounds).expect("fewer rounds"));
        let seed = number("LOCKSTEP_SEED").unwrap_or_else(|| {
            u64::from(std::process::id()) << 20
                | u64::from(std::time::UNIX_EPOCH.elapsed().map_or(0, |since| since.subsec_nanos()))
        });
        println!("LOCKSTEP_SEED={seed} LOCKSTEP_ROUNDS={rounds}");
        Self::new(seed, rounds)
    }

    /// A series of this seed and length.
    pub const fn new(seed: u64, rounds: u32) -> Self {
        Self { seed, rounds, at_once: AT_ONCE }
    }

    /// The same for rounds that wait more than they work: more of them are played at once.
    pub const fn wide(self) -> Self {
        Self { at_once: WIDE, ..self }
    }

    /// What all chance in it comes from.
    pub const fn seed(&self) -> u64 {
        self.seed
    }

    /// Plays all rounds, and gives what came of each; a round is told its name and its own source of chance.
    pub fn play<T: Send>(&self, round: impl Fn(&str, &mut Random) -> T + Sync) -> Vec<T> {
        self.play_numbered(|_, name, random| round(name, random))
    }

    /// The same for rounds that are told their number too, counted from 0.
    pub fn play_numbered<T: Send>(&self, round: impl Fn(u32, &str, &mut Random) -> T + Sync) -> Vec<T> {
        let next = AtomicU32::new(0);
        let some = || {
            let mut results = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= self.rounds {
                    return results;
                }
                let name = format!("round {number} of LOCKSTEP_SEED={}", self.seed);
                let mut random = Random(self.seed ^ (u64::from(number) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
                results.push(round(number, &name, &mut random));
            }
        };
        thread::scope(|scope| {
            let workers: Vec<_> = (0..self.at_once).map(|_| scope.spawn(some)).collect();
            let join = |worker: thread::ScopedJoinHandle<'_, Vec<T>>| {
                worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            };
            workers.into_iter().flat_map(join).collect()
        })
    }
}

/// A source of chance: the same seed gives the same numbers.
pub struct Random(u64);

impl Random {
    /// A number below `below`.
    pub fn below(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % below
    }
}
