//! Follows the routes of every kind and has their components loaded, so that
//! a claim never waits for a compiler.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use engine::Unreadable;
use model::Digest;
use tokio::task::{Id, JoinSet};

use super::Worker;
use super::routes::{Readiness, RouteTarget, Routes};
use crate::component::registry::LoadError;

/// How often routes are read without a wake-up.
const EVERY: Duration = Duration::from_secs(1);

/// Reads the routes each second, or when woken, until the worker drains.
pub(super) async fn follow(worker: Arc<Worker>) {
    let mut loading = Loading::default();
    let mut unreadable = Vec::new();
    while !worker.is_draining() {
        match worker.engine.all_kinds().await {
            Ok(kinds) => {
                if unreadable != kinds.unreadable {
                    unreadable = kinds.unreadable;
                    log_unreadable(&unreadable);
                }
                let mut missing = HashSet::new();
                let routes = kinds
                    .rows
                    .into_iter()
                    .map(|kind| {
                        let targets = kind.routes.into_iter().map(|route| {
                            let component = if route.weight > 0 {
                                loading.readiness(&worker, route.digest)
                            } else {
                                // Runs nothing, so it takes no memory.
                                Readiness::Pending
                            };
                            if route.weight > 0 && !matches!(component, Readiness::Ready(_)) {
                                missing.insert(route.digest);
                            }
                            RouteTarget {
                                component_id: route.component_id,
                                weight: route.weight,
                                component,
                            }
                        });
                        (kind.name, targets.collect())
                    })
                    .collect();
                worker.counters.unavailable.set(missing.len() as i64);
                change(&worker, Routes::new(routes));
            }
            Err(error) => tracing::debug!(%error, "routes could not be read; the last ones stay"),
        }
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            () = worker.routes_wakeup.notified() => {}
            () = loading.finished() => {}
        }
    }
}

/// Logs the kinds that cannot be read: which component serves them is not known, so this
/// host claims none of them. The others are followed as before.
fn log_unreadable(unreadable: &[Unreadable]) {
    for kind in unreadable {
        tracing::error!(
            kind = kind.id,
            detail = kind.detail,
            "the routes of a kind cannot be read; it is not claimed"
        );
    }
}

fn change(worker: &Worker, routes: Routes) {
    let mut current = worker.routes.write();
    let changed = current.claimable() != routes.claimable();
    let reassigned = current.services() != routes.services();
    *current = Arc::new(routes);
    if changed && let Some(dispatch) = worker.dispatch.get() {
        // Until the next claim says which kinds to accept now.
        dispatch.close();
    }
    drop(current);
    if changed {
        worker.claim_wakeup.notify_one();
    }
    if reassigned {
        worker.services_wakeup.notify_one();
    }
}

/// Components being loaded, each at most once at a time.
#[derive(Default)]
struct Loading {
    tasks: JoinSet<()>,
    digests: HashMap<Digest, Id>,
}

impl Loading {
    /// Says whether a component can be run, and begins to load one that is
    /// not yet. One that could not be loaded is left alone until it is tried
    /// again; meanwhile its kinds are not claimed.
    fn readiness(&mut self, worker: &Arc<Worker>, digest: Digest) -> Readiness {
        if let Some(loaded) = worker.registry.ready(&digest) {
            return Readiness::Ready(loaded);
        }
        match worker.registry.failure(&digest) {
            Some(LoadError::Rejected(refusal)) => return Readiness::Rejected(refusal.to_string()),
            Some(LoadError::Refused(_) | LoadError::Unavailable(..)) => return Readiness::Pending,
            None => {}
        }
        if !self.digests.contains_key(&digest) {
            let worker = worker.clone();
            let task = self.tasks.spawn(async move {
                if let Err(error) = worker.registry.prepare(&worker.engine, digest).await {
                    tracing::error!(%digest, %error, "a component cannot be run here; kinds routed to it are not claimed");
                }
            });
            self.digests.insert(digest, task.id());
        }
        Readiness::Pending
    }

    /// Waits until one is loaded, or turned out not to be loadable.
    async fn finished(&mut self) {
        let ended = match self.tasks.join_next_with_id().await {
            Some(Ok((id, ()))) => id,
            Some(Err(error)) => {
                tracing::error!(%error, "loading a component failed");
                error.id()
            }
            None => std::future::pending().await,
        };
        self.digests.retain(|_, id| *id != ended);
    }
}
