//! Random input that can be had again: the seed is printed, and
//! `FLOWHOST_SEED` sets it. `FLOWHOST_FUZZ_SECONDS` has a test look further.

use std::hash::{BuildHasher as _, Hasher as _};
use std::time::{Duration, Instant};

/// A source of random numbers that follow from a seed.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// Begins with the seed of the environment, or another each time.
    ///
    /// # Panics
    /// When `FLOWHOST_SEED` is not a number.
    pub fn new() -> Self {
        let seed = match std::env::var("FLOWHOST_SEED") {
            Ok(text) => text.parse().expect("FLOWHOST_SEED is a number"),
            Err(_) => std::hash::RandomState::new().build_hasher().finish(),
        };
        // Shown when the test fails.
        println!("FLOWHOST_SEED={seed}");
        Self(seed)
    }

    /// Calls with random numbers, `rounds` times, or for as long as
    /// `FLOWHOST_FUZZ_SECONDS` says.
    ///
    /// # Panics
    /// When `FLOWHOST_FUZZ_SECONDS` is not a number.
    pub fn rounds(rounds: u32, mut look: impl FnMut(&mut Self)) {
        let mut random = Self::new();
        let longer = std::env::var("FLOWHOST_FUZZ_SECONDS")
            .ok()
            .map(|text| text.parse().expect("FLOWHOST_FUZZ_SECONDS is a number"))
            .map(Duration::from_secs);
        let begun = Instant::now();
        let mut done = 0;
        while done < rounds || longer.is_some_and(|longer| begun.elapsed() < longer) {
            look(&mut random);
            done += 1;
        }
    }

    /// Returns 64 random bits.
    pub fn bits(&mut self) -> u64 {
        // SplitMix64: every seed will do.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// Returns a number below `bound`, which is above zero.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.bits() % bound as u64) as usize
    }

    /// Returns one of these.
    pub fn pick<'a, T>(&mut self, these: &'a [T]) -> &'a T {
        &these[self.below(these.len())]
    }

    /// Puts these into a random order.
    pub fn shuffle<T>(&mut self, these: &mut [T]) {
        for end in (1..these.len()).rev() {
            these.swap(end, self.below(end + 1));
        }
    }

    /// Changes bytes in a few places: flips, drops, repeats, inserts, cuts, and
    /// puts in pieces of `words`.
    pub fn mutate(&mut self, bytes: &[u8], words: &[&[u8]]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        for _ in 0..=self.below(4) {
            let at = self.below(bytes.len() + 1);
            let end = (at + self.below(9)).min(bytes.len());
            match self.below(7) {
                0 if at < bytes.len() => bytes[at] ^= 1 << self.below(8),
                1 => drop(bytes.drain(at..end)),
                2 => {
                    let piece = bytes[at..end].to_vec();
                    let to = self.below(bytes.len() + 1);
                    bytes.splice(to..to, piece);
                }
                3 => bytes.insert(at, self.bits() as u8),
                4 if self.below(4) == 0 => bytes.truncate(at),
                _ if !words.is_empty() => {
                    let word = self.pick(words).to_vec();
                    bytes.splice(at..end, word);
                }
                _ => {}
            }
        }
        bytes
    }
}

impl Default for Random {
    fn default() -> Self {
        Self::new()
    }
}
