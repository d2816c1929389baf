//! Random numbers from a seed, for what must be the same every time: faults of a disk in memory, and simulations.
//!
//! What a seed stands for never changes: seeds are written down, and play again what once went wrong.

/// Random numbers in sequence: the same for the same seed, on every machine. It needs no more state than its seed.
#[derive(Clone, Copy, Debug, Default)]
pub struct SplitMix64(pub u64);

impl SplitMix64 {
    /// The next number.
    pub const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(STRIDE);
        mix(self.0)
    }

    /// A number below `end`, which is not 0.
    pub const fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}

/// What lies between one state and the next: odd, so that all numbers are passed, and without a pattern in its bits.
pub const STRIDE: u64 = 0x9e37_79b9_7f4a_7c15;

/// Makes neighbours differ in every bit.
pub const fn mix(mut number: u64) -> u64 {
    number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_numbers_that_it_always_gave() {
        let mut random = SplitMix64(1_234_567);
        // The first numbers of the reference implementation for this seed.
        assert_eq!([random.next(), random.next()], [6_457_827_717_110_365_317, 3_203_168_211_198_807_973]);
        assert!((0..100).all(|_| random.below(3) < 3));
    }
}
