//! What the supervising thread shares with the handle on it.
//!
//! There is one lock, around [`State`]. It is held while a process is spawned,
//! signalled or reaped, so a signal never reaches a pid that has been reused,
//! and no server is spawned after a stop was asked for.

use crate::server::Launcher;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The server's plan and state, and word of its changes.
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

/// Where the server is, as drawn in `supervisor`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Starting,
    Serving,
    Restarting,
    Stopped,
    /// Restarting in vain; holds the failures and the last lines of the log.
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
        // The state is valid between any two of its assignments.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Signals the server, if there is one.
    pub fn signal(&self, number: libc::c_int) {
        if let Some(pid) = self.lock().pid {
            // SAFETY: kill touches no memory; the process is not reaped yet.
            unsafe { libc::kill(pid, number) };
        }
    }

    /// Waits until the thread is done; false when it is not after `patience`.
    pub fn wait_for_the_end(&self, patience: Duration) -> bool {
        let (state, _) = self
            .changed
            .wait_timeout_while(self.lock(), patience, |state| state.phase != Phase::Stopped)
            .unwrap_or_else(PoisonError::into_inner);
        state.phase == Phase::Stopped
    }

    pub fn enter(&self, phase: Phase) {
        self.lock().phase = phase;
        self.changed.notify_all();
    }
}
