//! Time a guest spends on the processor.
//!
//! Counting ticks instead would charge a guest for the ticks that passed while
//! it waited in the host.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Instant;

/// Adds up the time of one guest.
#[derive(Debug)]
pub(crate) struct CpuMeter {
    began: Instant,
    used_us: AtomicU64,
    on_since_us: AtomicU64,
}

impl CpuMeter {
    pub(crate) fn new(began: Instant) -> Self {
        Self {
            began,
            used_us: AtomicU64::new(0),
            on_since_us: AtomicU64::new(u64::MAX),
        }
    }

    /// Returns the time spent computing so far, in microseconds.
    pub(crate) fn used_us(&self) -> u64 {
        let since = self.on_since_us.load(Ordering::Relaxed);
        self.used_us.load(Ordering::Relaxed) + self.now_us().saturating_sub(since)
    }

    /// Marks that the guest gets the processor.
    fn on(&self) {
        self.on_since_us.store(self.now_us(), Ordering::Relaxed);
    }

    /// Marks that the guest leaves the processor.
    fn off(&self) {
        self.used_us.store(self.used_us(), Ordering::Relaxed);
        self.on_since_us.store(u64::MAX, Ordering::Relaxed);
    }

    fn now_us(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX)
    }
}

/// A future whose time on the processor is charged to a meter.
pub(crate) struct Metered<'a, F> {
    pub(crate) call: Pin<&'a mut F>,
    pub(crate) cpu: &'a CpuMeter,
}

impl<F: Future> Future for Metered<'_, F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        self.cpu.on();
        let answer = self.call.as_mut().poll(context);
        self.cpu.off();
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_time_on_the_processor_is_charged() {
        let cpu = CpuMeter::new(Instant::now());
        cpu.on();
        cpu.off();
        let used = cpu.used_us();
        assert!(used < 50_000);
        assert_eq!(cpu.used_us(), used);
    }
}
