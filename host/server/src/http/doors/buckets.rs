//! Token buckets, one for each key, in bounded memory.
//!
//! A bucket is one number: the time at which it is full again (the *generic cell rate
//! algorithm*). A full bucket is the same as none, so it is forgotten first.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

use parking_lot::Mutex;

use crate::stopwatch::Stopwatch;

/// Most keys that are remembered at once.
pub const KEYS_MAX: usize = 1 << 16;
/// How many buckets are compared when one has to make room.
const SAMPLE: usize = 32;
/// Least pause between two searches for full buckets.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// Token buckets, one for each key.
#[derive(Debug)]
pub struct Buckets<K> {
    clock: Stopwatch,
    /// Time in which one token returns; none are taken when absent.
    interval: Option<Duration>,
    /// Time in which an empty bucket fills.
    depth: Duration,
    keys_max: usize,
    filled: Mutex<Filled<K>>,
}

#[derive(Debug)]
struct Filled<K> {
    /// When each bucket is full again.
    full_at: HashMap<K, Duration>,
    swept_at: Duration,
}

/// A token that was taken, or that there was none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// A token was taken; so many had been taken before and have not returned.
    Yes(u64),
    /// The bucket is empty for this long.
    Empty(Duration),
}

impl<K: Hash + Eq + Clone> Buckets<K> {
    /// Makes buckets of `burst` tokens, of which `tokens` return in each `per`; never empty
    /// if `tokens` is 0.
    pub fn new(tokens: u32, per: Duration, burst: u32) -> Self {
        let interval = (tokens > 0).then(|| (per / tokens).max(Duration::from_nanos(1)));
        Self {
            clock: Stopwatch::start(),
            interval,
            depth: interval.unwrap_or_default().saturating_mul(burst.max(1)),
            keys_max: KEYS_MAX,
            filled: Mutex::new(Filled {
                full_at: HashMap::new(),
                swept_at: Duration::ZERO,
            }),
        }
    }

    /// Takes a token out of the bucket of a key.
    pub fn take<Q>(&self, key: &Q) -> Taken
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        match self.interval {
            // Not even the clock is read, by what is on the path of each request.
            None => Taken::Yes(0),
            Some(_) => self.take_at(key, self.clock.elapsed()),
        }
    }

    fn take_at<Q>(&self, key: &Q, now: Duration) -> Taken
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        let Some(interval) = self.interval else {
            return Taken::Yes(0);
        };
        let mut filled = self.filled.lock();
        if let Some(full_at) = filled.full_at.get_mut(key) {
            let behind = full_at.saturating_sub(now);
            let room = self.depth.saturating_sub(interval);
            if behind > room {
                return Taken::Empty(behind - room);
            }
            *full_at = now + behind + interval;
            let taken = behind.as_nanos() / interval.as_nanos();
            return Taken::Yes(u64::try_from(taken).unwrap_or(u64::MAX));
        }
        if filled.full_at.len() >= self.keys_max {
            filled.make_room(now, self.keys_max);
        }
        filled.full_at.insert(key.to_owned(), now + interval);
        Taken::Yes(0)
    }

    /// Returns how many keys are remembered.
    #[cfg(test)]
    fn len(&self) -> usize {
        self.filled.lock().full_at.len()
    }
}

impl<K: Hash + Eq + Clone> Filled<K> {
    /// Forgets full buckets, or else one of the fullest: its key may do a little more than
    /// it should.
    fn make_room(&mut self, now: Duration, keys_max: usize) {
        if self.swept_at + SWEEP_EVERY <= now {
            self.swept_at = now;
            self.full_at.retain(|_, full_at| *full_at > now);
        }
        if self.full_at.len() >= keys_max {
            let sample = self.full_at.iter().take(SAMPLE);
            let fullest = sample.min_by_key(|(_, full_at)| **full_at);
            if let Some(key) = fullest.map(|(key, _)| key.clone()) {
                self.full_at.remove(&key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_bucket_empties_and_fills_at_its_rate() {
        // 10 a second, 3 at once.
        let buckets = Buckets::new(10, Duration::from_secs(1), 3);
        for taken in 0..3 {
            assert_eq!(buckets.take_at(&"a", MS), Taken::Yes(taken));
        }
        assert_eq!(buckets.take_at(&"a", MS), Taken::Empty(100 * MS));
        assert_eq!(buckets.take_at(&"b", MS), Taken::Yes(0), "another key");
        assert_eq!(buckets.take_at(&"a", 100 * MS), Taken::Empty(MS));
        assert_eq!(buckets.take_at(&"a", 101 * MS), Taken::Yes(2));
        assert_eq!(buckets.take_at(&"a", 101 * MS), Taken::Empty(100 * MS));
        assert_eq!(buckets.take_at(&"a", 10_000 * MS), Taken::Yes(0), "full");
        let mut passed = 0;
        for ms in 20_000..30_000_u32 {
            passed += u32::from(matches!(buckets.take_at(&"a", ms * MS), Taken::Yes(_)));
        }
        assert_eq!(passed, 102, "10 s at 10 a second, and 2 more at once");
    }

    #[test]
    fn without_a_rate_nothing_is_remembered() {
        let buckets = Buckets::new(0, Duration::from_secs(1), 1);
        for _ in 0..10 {
            assert_eq!(buckets.take_at(&1, MS), Taken::Yes(0));
        }
        assert_eq!(buckets.len(), 0);
    }

    #[test]
    fn many_keys_take_no_more_memory_than_allowed() {
        let mut buckets = Buckets::new(1, Duration::from_secs(1), 1);
        buckets.keys_max = 100;
        // One that is not full again for long.
        let mut deep = buckets.take_at(&u32::MAX, MS);
        assert_eq!(deep, Taken::Yes(0));
        for key in 0..10_000 {
            assert_eq!(buckets.take_at(&key, MS), Taken::Yes(0), "{key}");
            assert!(buckets.len() <= 100);
        }
        // Full ones leave first.
        deep = buckets.take_at(&u32::MAX, 1_900 * MS);
        assert!(matches!(deep, Taken::Yes(0) | Taken::Empty(_)), "{deep:?}");
        buckets.take_at(&(u32::MAX - 1), 1_900 * MS);
        for key in 0..200_u32 {
            buckets.take_at(&(20_000 + key), 2_100 * MS);
        }
        assert!(buckets.len() <= 100);
    }
}
