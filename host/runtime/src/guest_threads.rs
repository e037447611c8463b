//! The threads guests run on, and who may keep one computing.
//!
//! Leases, HTTP and the database run on other threads and never wait for a guest.
//! Among guests, one that computes only for a moment must not wait behind those that
//! compute for long: a guest that a tick finds computing for [`SHORT`] or more leaves
//! its thread and goes on once it holds a *compute slot*. There is one thread more
//! than there are slots, so one thread is always free of long computations, and
//! guests that just began, or that only have to record what they did, find it. The
//! operating system shares the processors between the threads.
//!
//! Slots are given in the order in which guests asked, for one tick each.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;

/// How long a guest computes without a compute slot.
pub(crate) const SHORT: Duration = Duration::from_millis(2);

/// The threads of a host's guests; they end when it is dropped.
pub(crate) struct GuestThreads {
    runtime: Option<Runtime>,
    slots: Arc<Semaphore>,
}

/// Starts guests on the threads. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Guests {
    runtime: Handle,
    slots: Arc<Semaphore>,
}

impl GuestThreads {
    /// Starts threads for as many long computations at a time as `computing` says,
    /// or as there are processors if that is 0; and one more.
    pub(crate) fn start(computing: usize) -> std::io::Result<Self> {
        let computing = match computing {
            0 => std::thread::available_parallelism()?.get(),
            threads => threads,
        };
        let runtime = Builder::new_multi_thread()
            .worker_threads(computing + 1)
            .thread_name("guest")
            .enable_time()
            .build()?;
        Ok(Self {
            runtime: Some(runtime),
            slots: Arc::new(Semaphore::new(computing)),
        })
    }

    /// Returns what starts guests.
    pub(crate) fn guests(&self) -> Guests {
        let runtime = self.runtime.as_ref();
        Guests {
            runtime: runtime
                .expect("invariant: the threads end with their owner")
                .handle()
                .clone(),
            slots: self.slots.clone(),
        }
    }
}

impl Drop for GuestThreads {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Waiting for guests is not allowed where this may be dropped.
            runtime.shutdown_background();
        }
    }
}

impl Guests {
    /// Runs a future on a thread for guests.
    pub(crate) fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        self.runtime.spawn(future)
    }

    /// Lets others have the thread, then waits for a compute slot; `None` once there
    /// are no more.
    pub(crate) async fn compute_slot(self) -> Option<OwnedSemaphorePermit> {
        tokio::task::yield_now().await;
        self.slots.acquire_owned().await.ok()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn long_computations_leave_a_thread_to_those_that_just_began() {
        let threads = GuestThreads::start(2).expect("threads");
        let (release, computing) = (Arc::new(Semaphore::new(0)), Arc::new(AtomicUsize::new(0)));
        for _ in 0..8 {
            let (guests, release) = (threads.guests(), release.clone());
            let computing = computing.clone();
            threads.guests().spawn(async move {
                let _slot = guests.compute_slot().await;
                computing.fetch_add(1, Ordering::Relaxed);
                // Keeps its thread, as a guest that computes does.
                while release.available_permits() == 0 {
                    std::thread::yield_now();
                }
            });
        }
        while computing.load(Ordering::Relaxed) < 2 {
            std::thread::yield_now();
        }
        let (began, begins) = mpsc::channel();
        threads.guests().spawn(async move { began.send(()) });
        begins
            .recv_timeout(Duration::from_secs(10))
            .expect("a thread that is free");
        assert_eq!(computing.load(Ordering::Relaxed), 2);
        release.add_permits(1);
    }
}
