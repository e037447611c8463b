//! The thread that owns the server process.
//!
//! ```text
//! starting ──► serving ──► restarting ──► serving …
//!     │           │             │ ▲
//!     ▼           ▼             ▼ │ every 5 s at last
//!   ended      stopped        failing
//! ```
//!
//! The server is spawned, awaited and restarted by one dedicated thread, which
//! ends only after the server has: the kernel stops the server when its
//! spawning *thread* ends. A failure is a run that ended within
//! [`SETTLED_AFTER`] of serving, or never served.

use super::Launcher;
use super::launch::{Readiness, Server};
use super::shared::{Phase, Shared};
use crate::error::Error;
use crate::process;
use backon::{BackoffBuilder, ExponentialBuilder};
use std::iter;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// A run that served this long is not a failure, however it ended.
const SETTLED_AFTER: Duration = Duration::from_secs(10);
/// Failures in a row after which the server is reported as failing. It is tried
/// again all the same: a disk that was full may have room again.
const FAILURES_MAX: u32 = 6;
/// The pause before a restart: none at first, then doubling between these.
const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// The pause between two questions to a server that starts, doubling between these.
const ASK_PAUSE_MIN: Duration = Duration::from_millis(5);
const ASK_PAUSE_MAX: Duration = Duration::from_millis(50);
/// How long a server may stay silent after it was spawned.
const SILENT_MAX: Duration = Duration::from_secs(60);
/// How long a server may answer that it is starting up: it replays its log, and
/// would begin again if it were killed.
const BUSY_MAX: Duration = Duration::from_secs(600);
/// The signals that stop a server, each with the time it is given. Fast: end
/// the sessions, write a checkpoint. Immediate: recover at the next start.
const STOPPING: [(libc::c_int, Duration); 3] = [
    (libc::SIGINT, Duration::from_secs(30)),
    (libc::SIGQUIT, Duration::from_secs(10)),
    (libc::SIGKILL, Duration::from_secs(10)),
];

/// A handle on the thread.
#[derive(Debug)]
pub(crate) struct Supervisor {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Supervisor {
    /// Starts the thread and waits until the server serves.
    pub fn start(launcher: Launcher) -> Result<Self, Error> {
        let shared = Arc::new(Shared::new(launcher));
        let (sender, first) = channel();
        let of_thread = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name("postgres".into())
            .spawn(move || of_thread.supervise(sender))
            .map_err(|source| Error::Io {
                what: "start a thread for",
                path: "postgres".into(),
                source,
            })?;
        let supervisor = Self {
            shared,
            thread: Some(thread),
        };
        // A thread that ends without an answer has panicked.
        first.recv().unwrap_or(Err(Error::Stopped))?;
        Ok(supervisor)
    }

    pub fn launcher(&self) -> &Launcher {
        &self.shared.launcher
    }

    pub fn restarts(&self) -> u64 {
        self.shared.lock().restarts
    }

    pub fn healthy(&self) -> Result<(), Error> {
        match &self.shared.lock().phase {
            Phase::Serving => Ok(()),
            Phase::Starting | Phase::Restarting => Err(Error::Restarting),
            Phase::Stopped => Err(Error::Stopped),
            Phase::Failing(failures, tail) => Err(Error::Failing {
                failures: *failures,
                log: self.shared.launcher.log.path.clone(),
                tail: tail.clone(),
            }),
        }
    }

    /// Stops the server, gently at first. Does nothing the second time.
    pub fn stop(&mut self) -> Result<(), Error> {
        let Some(thread) = self.thread.take() else {
            return Ok(());
        };
        self.shared.lock().stopping = true;
        self.shared.changed.notify_all();
        let mut waited = Duration::ZERO;
        for (signal, timeout) in STOPPING {
            self.shared.signal(signal);
            if self.shared.wait_for_the_end(timeout) {
                break;
            }
            waited += timeout;
        }
        if waited == Duration::ZERO {
            // The thread has announced its end; joining only waits for its return.
            let _ = thread.join();
            return Ok(());
        }
        let launcher = self.launcher();
        process::end_orphans(&launcher.settings.pgdata(), &launcher.owner)?;
        Err(Error::StopForced {
            waited_s: waited.as_secs(),
        })
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        if let Err(error) = self.stop() {
            tracing::error!(%error, "Postgres was not stopped cleanly");
        }
    }
}

impl Shared {
    /// The thread. Ends when the server was stopped or did not start.
    fn supervise(&self, first: Sender<Result<(), Error>>) {
        let _leaving = Leaving(self);
        let mut first = Some(first);
        let mut failures = 0;
        let mut pauses = restart_pauses();
        loop {
            let (error, settled) = match self.launch() {
                Ok(server) => {
                    let since = Instant::now();
                    self.serving(first.take());
                    server.wait_for_end();
                    let tail = self.launcher.log.tail(server.log_from);
                    (self.ended(server, tail), since.elapsed() >= SETTLED_AFTER)
                }
                Err(error) => (error, false),
            };
            if self.lock().stopping {
                return;
            }
            if let Some(first) = first.take() {
                // The receiver waits for exactly this.
                let _ = first.send(Err(error));
                return;
            }
            if settled {
                (failures, pauses) = (0, restart_pauses());
            }
            failures += 1;
            tracing::error!(%error, failures, "Postgres failed");
            self.enter(if failures < FAILURES_MAX {
                Phase::Restarting
            } else {
                Phase::Failing(failures, self.launcher.log.tail(0))
            });
            if let Err(error) = self.sweep() {
                tracing::error!(%error, "leftover processes may keep Postgres from starting");
            }
            // Ends early when `stop` is called.
            let pause = pauses.next().unwrap_or(PAUSE_MAX);
            if self.wait_while(pause, |state| !state.stopping).stopping {
                return;
            }
        }
    }

    fn serving(&self, first: Option<Sender<Result<(), Error>>>) {
        let mut state = self.lock();
        state.phase = Phase::Serving;
        match first {
            Some(first) => {
                let _ = first.send(Ok(()));
            }
            None => {
                state.restarts += 1;
                tracing::warn!(restarts = state.restarts, "Postgres is back");
            }
        }
    }

    fn sweep(&self) -> Result<(), Error> {
        process::end_orphans(&self.launcher.settings.pgdata(), &self.launcher.owner)
    }

    /// Spawns a server and returns it once it serves; ends it otherwise.
    fn launch(&self) -> Result<Server, Error> {
        let server = {
            let mut state = self.lock();
            if state.stopping {
                return Err(Error::Stopped);
            }
            let server = self.launcher.spawn()?;
            state.pid = Some(server.pid());
            server
        };
        match self.wait_until_serving(&server) {
            Ok(()) => Ok(server),
            Err(error) if server.has_ended() => {
                // The exit status says more than the broken connection.
                let tail = self.launcher.log.tail(server.log_from);
                let ended = self.ended(server, tail);
                Err(if matches!(error, Error::Unsafe { .. }) {
                    error
                } else {
                    ended
                })
            }
            Err(error) => {
                self.end(server);
                Err(error)
            }
        }
    }

    fn wait_until_serving(&self, server: &Server) -> Result<(), Error> {
        let since = Instant::now();
        // Slower each time, since every refused attempt is a line in the log.
        let mut pauses = pauses(ASK_PAUSE_MIN, ASK_PAUSE_MAX);
        loop {
            let answer = self.launcher.ask()?;
            if server.has_ended() || self.lock().stopping {
                return Err(Error::Stopped);
            }
            let (timeout, last) = match answer {
                Readiness::Serving => return Ok(()),
                Readiness::Silent(last) => (SILENT_MAX, last),
                Readiness::Busy(last) => (BUSY_MAX, last),
            };
            if since.elapsed() > timeout {
                return Err(Error::NotReady {
                    waited_s: timeout.as_secs(),
                    last: last.to_string(),
                    log: self.launcher.log.path.clone(),
                    tail: self.launcher.log.tail(server.log_from),
                });
            }
            thread::sleep(pauses.next().unwrap_or(ASK_PAUSE_MAX));
        }
    }

    /// Stops a server that will not be used.
    fn end(&self, server: Server) {
        for (signal, timeout) in STOPPING {
            self.signal(signal);
            let deadline = Instant::now() + timeout;
            while !server.has_ended() && Instant::now() < deadline {
                thread::sleep(Duration::from_millis(10));
            }
        }
        self.ended(server, String::new());
    }

    /// Reaps a server that has ended.
    fn ended(&self, server: Server, tail: String) -> Error {
        let mut state = self.lock();
        state.pid = None;
        let status = server.reap();
        Error::Ended {
            status,
            log: self.launcher.log.path.clone(),
            tail,
        }
    }
}

/// The pauses before restarts in a row.
fn restart_pauses() -> impl Iterator<Item = Duration> {
    iter::once(Duration::ZERO).chain(pauses(PAUSE_MIN, PAUSE_MAX))
}

/// Pauses that double from `min` to `max`, without end.
fn pauses(min: Duration, max: Duration) -> impl Iterator<Item = Duration> {
    ExponentialBuilder::new()
        .with_min_delay(min)
        .with_max_delay(max)
        .without_max_times()
        .build()
}

/// Marks the end of the thread, even by a panic.
struct Leaving<'a>(&'a Shared);

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        self.0.enter(Phase::Stopped);
    }
}
