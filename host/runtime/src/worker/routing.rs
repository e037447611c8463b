//! Follows the routes of every kind and has their components loaded, so that
//! a claim never waits for a compiler.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use model::Digest;
use tokio::task::{Id, JoinSet};

use super::Worker;
use crate::routes::{Readiness, Routes, Target};

/// How often routes are read when nobody asks for it.
const EVERY: Duration = Duration::from_secs(1);
/// Pause before a component is loaded again whose loader panicked.
const PANIC_PAUSE: Duration = Duration::from_secs(30);

/// Reads the routes now and then until the worker drains.
pub(super) async fn follow(worker: Arc<Worker>) {
    let mut loading = Loading::default();
    while !worker.is_draining() {
        match worker.engine.kinds().await {
            Ok(kinds) => {
                let routes = kinds
                    .into_iter()
                    .map(|kind| {
                        let targets = kind.routes.into_iter().map(|route| Target {
                            component_id: route.component_id,
                            weight: route.weight,
                            component: loading.readiness(&worker, route.digest),
                        });
                        (kind.name, targets.collect())
                    })
                    .collect();
                change(&worker, Routes::new(routes));
            }
            Err(error) => tracing::debug!(%error, "routes could not be read; the last ones stay"),
        }
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            () = worker.reroute.notified() => {}
            () = loading.finished() => {}
        }
    }
}

fn change(worker: &Worker, routes: Routes) {
    let mut current = worker
        .routes
        .write()
        .unwrap_or_else(PoisonError::into_inner);
    let changed = current.claimable() != routes.claimable();
    let reassigned = current.services() != routes.services();
    *current = Arc::new(routes);
    if changed && let Some(standby) = worker.standby.get() {
        // Until the next claim says for what to stand by now.
        standby.close();
    }
    drop(current);
    if changed {
        worker.stirred.notify_one();
    }
    if reassigned {
        worker.reassigned.notify_one();
    }
}

/// Components being loaded, each at most once at a time.
#[derive(Default)]
struct Loading {
    tasks: JoinSet<()>,
    digests: HashMap<Id, Digest>,
    /// Those whose loader panicked, and when they may be loaded again.
    panicked: HashMap<Digest, Instant>,
}

impl Loading {
    /// Says whether a component can be run, and begins to load one that is
    /// not yet.
    fn readiness(&mut self, worker: &Arc<Worker>, digest: Digest) -> Readiness {
        if let Some(loaded) = worker.registry.ready(&digest) {
            return Readiness::Ready(loaded);
        }
        if let Some(refusal) = worker.registry.rejection(&digest) {
            return Readiness::Rejected(refusal.to_string());
        }
        let waits = self
            .panicked
            .get(&digest)
            .is_some_and(|at| *at > Instant::now());
        if !waits && !self.digests.values().any(|it| *it == digest) {
            let worker = worker.clone();
            let task = self.tasks.spawn(async move {
                if let Err(error) = worker.registry.prepare(&worker.engine, digest).await {
                    tracing::error!(%digest, %error, "a component cannot be run here; kinds routed to it are not claimed");
                }
            });
            self.digests.insert(task.id(), digest);
        }
        Readiness::Pending
    }

    /// Waits until one is loaded, or turned out not to be loadable.
    async fn finished(&mut self) {
        let (id, error) = match self.tasks.join_next_with_id().await {
            Some(Ok((id, ()))) => (id, None),
            Some(Err(error)) => (error.id(), Some(error)),
            None => std::future::pending().await,
        };
        let Some(digest) = self.digests.remove(&id) else {
            return;
        };
        match error {
            None => {
                self.panicked.remove(&digest);
            }
            Some(error) => {
                tracing::error!(%digest, %error, "loading a component failed; it is tried again");
                self.panicked.insert(digest, Instant::now() + PANIC_PAUSE);
            }
        }
    }
}
