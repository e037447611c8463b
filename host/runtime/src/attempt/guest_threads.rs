//! The threads guests run on: foreground threads for guests that just began, and
//! background threads for guests that compute for long.
//!
//! Leases, HTTP and the database run on other threads and never wait for a guest.
//! Among guests, one that computes only for a moment must not wait behind those that
//! compute for long. So a tick that finds a guest computing for [`SHORT`] or more asks
//! for it to be moved: the future that runs it leaves its foreground thread and is
//! polled by a background thread from then on, until the guest has ended or takes
//! another lease. There is a thread of either kind for each processor. The operating
//! system gives background threads a smaller share of a processor that foreground
//! threads, the host or a database on the same machine want too, and all of one that
//! nothing else wants.

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::oneshot;

/// How long a guest computes on a foreground thread.
pub(crate) const SHORT: Duration = Duration::from_millis(2);

/// Niceness of background threads: next to a thread of the usual niceness, one gets a
/// quarter of the processor.
const BACKGROUND_NICENESS: i32 = 5;

/// Where the future that is being polled is to be polled next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Foreground,
    Background,
}

thread_local! {
    /// The kind of this thread.
    static HERE: Cell<Place> = const { Cell::new(Place::Foreground) };
    /// Where the future that is polled on this thread asks to be polled next.
    static NEXT: Cell<Option<Place>> = const { Cell::new(None) };
}

/// The threads of a host's guests; they end when it is dropped.
pub(crate) struct GuestThreads {
    foreground: Option<Runtime>,
    background: Option<Runtime>,
}

/// Starts guests on the threads. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Guests {
    foreground: Handle,
    background: Handle,
}

impl GuestThreads {
    /// Starts as many threads of each kind as `threads` says, or as there are
    /// processors if that is 0.
    pub(crate) fn start(threads: usize) -> std::io::Result<Self> {
        let threads = match threads {
            0 => std::thread::available_parallelism()?.get(),
            threads => threads,
        };
        let builder = |name: &str| {
            let mut builder = Builder::new_multi_thread();
            builder
                .worker_threads(threads)
                .thread_name(name)
                .enable_time();
            builder
        };
        let foreground = builder("guest").build()?;
        let background = builder("guest-background")
            .on_thread_start(|| {
                HERE.set(Place::Background);
                // SAFETY: takes no pointers. A thread that cannot be made nice
                // competes with the others as an equal.
                unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, BACKGROUND_NICENESS) };
            })
            .build()?;
        Ok(Self {
            foreground: Some(foreground),
            background: Some(background),
        })
    }

    /// Returns what starts guests.
    pub(crate) fn guests(&self) -> Guests {
        let handle = |runtime: &Option<Runtime>| {
            let runtime = runtime.as_ref();
            let runtime = runtime.expect("invariant: the threads end with their owner");
            runtime.handle().clone()
        };
        Guests {
            foreground: handle(&self.foreground),
            background: handle(&self.background),
        }
    }
}

impl Drop for GuestThreads {
    fn drop(&mut self) {
        for runtime in [self.foreground.take(), self.background.take()]
            .into_iter()
            .flatten()
        {
            // Waiting for guests is not allowed where this may be dropped.
            runtime.shutdown_background();
        }
    }
}

impl Guests {
    /// Runs a future on the threads for guests, in the foreground at first. Dropping
    /// the answer does not end it; the answer is an error if it panics.
    pub(crate) fn spawn<F>(&self, future: F) -> oneshot::Receiver<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let task = async move {
            // The caller may have stopped waiting for the answer.
            let _ = answer.send(future.await);
        };
        self.poll_in(Place::Foreground, Box::pin(task));
        answered
    }

    fn poll_in(&self, place: Place, mut task: Pin<Box<dyn Future<Output = ()> + Send>>) {
        let runtime = match place {
            Place::Foreground => &self.foreground,
            Place::Background => &self.background,
        };
        let guests = self.clone();
        runtime.spawn(async move {
            let moves = poll_fn(|context| poll_here(&mut task, context)).await;
            if let Some(place) = moves {
                guests.poll_in(place, task);
            }
        });
    }
}

/// Polls a future until it has ended, or asks to be polled elsewhere.
fn poll_here(
    task: &mut Pin<Box<dyn Future<Output = ()> + Send>>,
    context: &mut Context<'_>,
) -> Poll<Option<Place>> {
    NEXT.set(None);
    if task.as_mut().poll(context).is_ready() {
        return Poll::Ready(None);
    }
    match NEXT.take() {
        Some(place) if place != HERE.get() => Poll::Ready(Some(place)),
        _ => Poll::Pending,
    }
}

/// Has the future that calls it continue in the background, after those that wait for a
/// thread there; to be awaited by a guest that computes for long.
pub(crate) async fn to_background() {
    move_to(Place::Background).await;
}

/// Has the future that calls it continue in the foreground, where it waits only if it
/// comes from the background.
pub(crate) async fn to_foreground() {
    if HERE.get() == Place::Background {
        move_to(Place::Foreground).await;
    }
}

async fn move_to(place: Place) {
    let mut asked = false;
    poll_fn(|context| {
        if std::mem::replace(&mut asked, true) {
            return Poll::Ready(());
        }
        NEXT.set(Some(place));
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn guests_that_compute_for_long_leave_the_foreground_to_those_that_just_began() {
        let threads = GuestThreads::start(1).expect("threads");
        let guests = threads.guests();
        let (release, computing) = (Arc::new(AtomicBool::new(false)), Arc::default());
        for _ in 0..4 {
            let (release, computing) = (release.clone(), Arc::<AtomicUsize>::clone(&computing));
            drop(guests.spawn(async move {
                to_background().await;
                computing.fetch_add(1, Ordering::Relaxed);
                // Keeps its thread, as a guest that computes does until the next tick.
                while !release.load(Ordering::Relaxed) {
                    std::thread::yield_now();
                }
            }));
        }
        while computing.load(Ordering::Relaxed) == 0 {
            std::thread::yield_now();
        }
        let began = guests.spawn(async { HERE.get() == Place::Foreground });
        assert!(began.blocking_recv().expect("a thread that is free"));
        assert_eq!(computing.load(Ordering::Relaxed), 1, "one at a time");
        release.store(true, Ordering::Relaxed);
    }

    #[test]
    fn a_guest_comes_back_to_the_foreground() {
        let threads = GuestThreads::start(1).expect("threads");
        let places = threads.guests().spawn(async {
            let mut places = vec![HERE.get()];
            to_background().await;
            places.push(HERE.get());
            tokio::time::sleep(Duration::from_millis(1)).await;
            places.push(HERE.get());
            to_foreground().await;
            places.push(HERE.get());
            places
        });
        let places = places.blocking_recv().expect("an answer");
        assert!(
            places
                == [
                    Place::Foreground,
                    Place::Background,
                    Place::Background,
                    Place::Foreground
                ]
        );
    }
}
