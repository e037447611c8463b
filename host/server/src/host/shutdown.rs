//! How a host is asked to end: running → draining (first SIGTERM or SIGINT) →
//! immediately (second). A third ends the process itself.

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Exit code of a process that SIGTERM ended.
const KILLED: i32 = 128 + 15;

/// How urgently the process was asked to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// It was not asked to end.
    Running,
    /// Finish running attempts, and claim no more.
    Draining,
    /// End without waiting for anything.
    Immediately,
}

/// Follows the signals of the process.
#[derive(Debug, Clone)]
pub struct Shutdown(watch::Receiver<Stage>);

impl Shutdown {
    /// Handles SIGTERM and SIGINT from now on.
    ///
    /// # Errors
    /// The handlers could not be installed.
    pub fn on_signals() -> std::io::Result<Self> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let (sender, receiver) = watch::channel(Stage::Running);
        tokio::spawn(async move {
            for stage in [Stage::Draining, Stage::Immediately] {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
                sender.send_replace(stage);
            }
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
                () = sender.closed() => return,
            }
            std::process::exit(KILLED);
        });
        Ok(Self(receiver))
    }

    /// Returns when the process is asked to end at least as urgently as `stage`.
    pub async fn reached(&self, stage: Stage) {
        let mut receiver = self.0.clone();
        // The sender exists as long as the process.
        if receiver.wait_for(|now| *now >= stage).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Returns when the process is asked to end immediately; never without signals.
pub async fn immediately(shutdown: Option<&Shutdown>) {
    match shutdown {
        Some(shutdown) => shutdown.reached(Stage::Immediately).await,
        None => std::future::pending().await,
    }
}
