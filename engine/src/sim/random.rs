//! Randomness from a seed, in two ways that do not disturb each other.
//!
//! A [`Dice`] is thrown one time after another, to make up a scenario. A [`fate`] depends on nothing but the seed and
//! names: what an attempt does in the world stays the same when something else is taken out of the scenario, and only
//! so can a failing one be shrunk.

use crate::random::{STRIDE, SplitMix64, mix};

/// Random choices in sequence.
#[derive(Clone, Debug)]
pub struct Dice(SplitMix64);

impl Dice {
    /// Dice of this seed.
    pub const fn new(seed: u64) -> Self {
        Self(SplitMix64(seed))
    }

    /// The next number.
    pub const fn next(&mut self) -> u64 {
        self.0.next()
    }

    /// A number below `end`, which is not 0.
    pub const fn below(&mut self, end: u64) -> u64 {
        self.0.below(end)
    }

    /// A number from `first` to `last`.
    pub const fn between(&mut self, first: u64, last: u64) -> u64 {
        first + self.below(last - first + 1)
    }

    /// True this many times in a hundred.
    pub const fn percent(&mut self, chance: u64) -> bool {
        self.below(100) < chance
    }

    /// One of the choices.
    pub fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        let place = self.below(choices.len() as u64);
        &choices[usize::try_from(place).unwrap_or(0)]
    }

    /// One of the choices, each as likely as its weight.
    pub fn weighted<'a, T>(&mut self, choices: &'a [(u64, T)]) -> &'a T {
        let total: u64 = choices.iter().map(|(weight, _)| weight).sum();
        let mut left = self.below(total);
        for (weight, choice) in choices {
            if left < *weight {
                return choice;
            }
            left -= weight;
        }
        unreachable!("what is left is below the sum of all weights")
    }
}

/// A number that depends on the seed and on names alone.
pub fn fate(seed: u64, names: &[&str], number: u64) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325 ^ seed;
    for name in names {
        for byte in name.bytes() {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        hash = mix(hash ^ 0xff);
    }
    mix(hash ^ number.wrapping_mul(STRIDE))
}
