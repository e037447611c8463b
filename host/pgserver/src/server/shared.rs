//! The state that the supervising thread shares with its handle.
//!
//! There is one lock, around [`State`]. It is held while a process is spawned,
//! signalled or reaped, so a signal never reaches a pid that has been reused,
//! and no server is spawned after a stop was asked for.

use super::Launcher;
use parking_lot::{Condvar, Mutex, MutexGuard};
use std::time::Duration;

/// How to launch the server, its state, and a notification of changes.
#[derive(Debug)]
pub(crate) struct Shared {
    pub launcher: Launcher,
    pub state: Mutex<State>,
    pub changed: Condvar,
}

/// `pid` is that of a server which is spawned and not reaped; `stopping` stays
/// true once it is.
#[derive(Debug)]
pub(crate) struct State {
    pub phase: Phase,
    pub pid: Option<libc::pid_t>,
    pub stopping: bool,
    pub restarts: u64,
}

/// The phase of the server, as drawn in `supervisor`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Starting,
    Serving,
    Restarting,
    Stopped,
    /// Restarting, after this many failures in a row, with the last lines of the log.
    Failing(u32, String),
}

impl Shared {
    pub fn new(launcher: Launcher) -> Self {
        Self {
            launcher,
            state: Mutex::new(State {
                phase: Phase::Starting,
                pid: None,
                stopping: false,
                restarts: 0,
            }),
            changed: Condvar::new(),
        }
    }

    pub fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// Signals the server, if there is one.
    pub fn signal(&self, number: libc::c_int) {
        if let Some(pid) = self.lock().pid {
            // SAFETY: kill touches no memory; the process is not reaped yet.
            unsafe { libc::kill(pid, number) };
        }
    }

    /// Waits until the thread has ended; false if it has not after `timeout`.
    pub fn wait_for_the_end(&self, timeout: Duration) -> bool {
        self.wait_while(timeout, |state| state.phase != Phase::Stopped)
            .phase
            == Phase::Stopped
    }

    /// Waits until the condition is false, or for `timeout`.
    pub fn wait_while(
        &self,
        timeout: Duration,
        condition: impl Fn(&State) -> bool,
    ) -> MutexGuard<'_, State> {
        let mut state = self.lock();
        self.changed
            .wait_while_for(&mut state, |state| condition(state), timeout);
        state
    }

    pub fn enter(&self, phase: Phase) {
        self.lock().phase = phase;
        self.changed.notify_all();
    }
}
