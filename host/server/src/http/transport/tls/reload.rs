//! Has the files compared with those in use, again and again and on SIGHUP.

use std::sync::Arc;

use engine::Tasks;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::Tls;

impl Tls {
    /// Follows the files until `stopped` says so or is dropped.
    pub fn follow(self: &Arc<Self>, tasks: &Tasks, stopped: watch::Receiver<bool>) {
        let tls = Arc::clone(self);
        tasks.spawn("certificates", move || {
            follow(Arc::clone(&tls), stopped.clone())
        });
    }
}

async fn follow(tls: Arc<Tls>, mut stopped: watch::Receiver<bool>) {
    let mut hangups = match signal(SignalKind::hangup()) {
        Ok(hangups) => Some(hangups),
        Err(error) => {
            tracing::warn!(%error, "SIGHUP is not followed; files are compared in time");
            None
        }
    };
    loop {
        let hangup = async {
            match &mut hangups {
                Some(hangups) => hangups.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = tokio::time::sleep(tls.settings.reload()) => {}
            _ = hangup => {}
            _ = stopped.wait_for(|stop| *stop) => return,
        }
        let tls = Arc::clone(&tls);
        // Files may be on a disk that is slow.
        let _ = tokio::task::spawn_blocking(move || tls.refresh()).await;
    }
}
