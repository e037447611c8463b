//! How a host is asked to end: running → draining (first SIGTERM or SIGINT) →
//! at once (second). A third ends the process where it stands.

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// What a process that was ended by SIGTERM answers.
const KILLED: i32 = 128 + 15;

/// How urgently the process was asked to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Not at all.
    Running,
    /// Finish what runs, take nothing new.
    Draining,
    /// Now.
    AtOnce,
}

/// Follows the signals of the process.
#[derive(Debug, Clone)]
pub struct Shutdown(watch::Receiver<Stage>);

impl Shutdown {
    /// Takes over SIGTERM and SIGINT.
    ///
    /// # Errors
    /// The handlers could not be installed.
    pub fn on_signals() -> std::io::Result<Self> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let (sender, receiver) = watch::channel(Stage::Running);
        tokio::spawn(async move {
            for stage in [Stage::Draining, Stage::AtOnce] {
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

    /// Returns when the process was asked to end at least as urgently as
    /// `stage`.
    pub async fn reached(&self, stage: Stage) {
        let mut receiver = self.0.clone();
        // The sender lives as long as the process: without it, never.
        if receiver.wait_for(|now| *now >= stage).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Returns when the process was asked to end at once; never, without signals.
pub async fn at_once(shutdown: Option<&Shutdown>) {
    match shutdown {
        Some(shutdown) => shutdown.reached(Stage::AtOnce).await,
        None => std::future::pending().await,
    }
}
