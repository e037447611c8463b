//! Spreads the polls of workers that started together.

use std::time::Duration;

/// Random factors around pauses, seeded by the id of a worker.
pub(crate) struct Jitter(u64);

impl Jitter {
    pub(crate) fn new(instance_id: &str) -> Self {
        let seed = instance_id
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
            });
        Self(seed | 1)
    }

    /// Returns between three and five quarters of `pause`.
    pub(crate) fn around(&mut self, pause: Duration) -> Duration {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        pause.mul_f64(0.75 + (self.0 % 1000) as f64 / 2000.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn polls_are_spread_around_their_pause() {
        let mut jitter = Jitter::new("worker-1");
        let pauses: Vec<_> = (0..100)
            .map(|_| jitter.around(Duration::from_secs(1)).as_millis())
            .collect();
        assert!(
            pauses.iter().all(|ms| (750..1250).contains(ms)),
            "{pauses:?}"
        );
        assert!(pauses.iter().any(|ms| *ms < 900) && pauses.iter().any(|ms| *ms > 1100));
    }
}
