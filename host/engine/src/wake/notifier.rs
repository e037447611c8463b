//! Sends notifications to other hosts, at most one batch per [`PAUSE`].

use std::sync::Arc;
use std::time::Duration;

use model::ExecutionId;
use sqlx::postgres::PgConnectOptions;
use tokio::time::sleep;
use tracing::debug;

use super::Wake;
use super::local::stopped;
use crate::database::{Liveness, Pool, Session};

/// Channel on which hosts notify each other.
pub(super) const CHANNEL: &str = "flowhost";
/// Work may be ready; the event log was written to, which is said while another host
/// follows it; this host, by its name, follows it.
pub(super) const READY: &str = "ready";
pub(super) const LOGGED: &str = "logged";
pub(super) const FOLLOWS: &str = "follows";
/// First words of notifications about executions, before their ids: their lease was taken
/// from its holder, a host waits for their end, they ended.
pub(super) const LOST: &str = "lost";
pub(super) const AWAITED: &str = "awaited";
pub(super) const ENDED: &str = "ended";
/// That a host, by its name, follows streams of executions; that these changed.
pub(super) const TAILED: &str = "tailed";
pub(super) const STREAMED: &str = "streamed";
/// Longest a notification, or the order to listen, may take.
pub(super) const SEND_BOUND: Duration = Duration::from_secs(5);
/// Least time between two batches of notifications.
const PAUSE: Duration = Duration::from_millis(10);
/// Ids that one notification carries; the server's bound is 8000 bytes.
const IDS_MAX: usize = 200;

/// Makes the pool of the one connection that sends.
pub(super) fn pool(options: PgConnectOptions, session: Session, liveness: &Arc<Liveness>) -> Pool {
    Pool::new(1, SEND_BOUND, options, session, liveness)
}

/// Sends what is in the outbox, until the engine is closed.
pub(super) async fn run(wake: Wake, pool: Pool) {
    let mut stop = wake.inner.stop.subscribe();
    loop {
        tokio::select! {
            () = wake.inner.flush.notified() => {}
            () = stopped(&mut stop) => return,
        }
        let mut outbox = std::mem::take(&mut *wake.inner.outbox.lock());
        outbox.streamed.sort_unstable();
        outbox.streamed.dedup();
        let tailed = format!("{TAILED} {}", wake.inner.follower);
        let mut payloads = Vec::new();
        for (name, ids) in [
            (LOST, outbox.lost),
            (AWAITED, outbox.awaited),
            (ENDED, outbox.ended),
            (&tailed, outbox.tailed),
            (STREAMED, outbox.streamed),
        ] {
            payloads.extend(ids.chunks(IDS_MAX).map(|ids| payload(name, ids)));
        }
        if outbox.ready {
            payloads.push(READY.to_owned());
        }
        if outbox.logged {
            payloads.push(LOGGED.to_owned());
        }
        if outbox.follows_log {
            payloads.push(format!("{FOLLOWS} {}", wake.inner.follower));
        }
        for payload in payloads {
            let sent = tokio::select! {
                sent = notify(&pool, payload) => sent,
                () = stopped(&mut stop) => return,
            };
            if let Err(error) = sent {
                debug!(%error, "notification not sent; other hosts poll");
            }
        }
        sleep(PAUSE).await;
    }
}

/// Writes a notification about executions.
pub(super) fn payload(name: &str, ids: &[ExecutionId]) -> String {
    let ids: Vec<_> = ids.iter().map(ToString::to_string).collect();
    format!("{name} {}", ids.join(" "))
}

/// Reads a notification about executions: its first word and the ids.
pub(super) fn read(payload: &str) -> Option<(&str, impl Iterator<Item = ExecutionId>)> {
    let (name, ids) = payload.split_once(' ')?;
    Some((name, ids.split(' ').filter_map(|id| id.parse().ok())))
}

/// Notifies every host that listens, this one included.
pub(super) async fn notify(pool: &Pool, payload: String) -> Result<(), sqlx::Error> {
    sqlx::query!("SELECT pg_notify($1, $2) AS sent", CHANNEL, payload)
        .fetch_one(pool)
        .await
        .map(drop)
}
