//! Keeps services running: as many sandboxes of each component of the world
//! `worker` as the operator says, while a kind is routed to it.
//!
//! ```text
//! routed ──▶ post ──▶ life ──▶ it ended: pause, then another life
//!              │        │
//!              └─ no kind left, or the host drains: `next` says so,
//!                       and after the grace the life is ended
//! ```
//!
//! The pause doubles from 100 ms to 30 s and is short again once a life has
//! lasted a minute, so that a component that fails at once costs next to
//! nothing. Each life has a sandbox of its own; what the last one held is
//! recorded before the next begins.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use model::{Digest, Failure};
use tokio::sync::watch;
use tokio::task::{Id, JoinSet};

use super::Worker;
use super::service::{Service, ServiceStop};
use crate::host::{EngineSide, HostSide};
use crate::registry::Loaded;
use crate::sandbox::{self, Life, Opening};
use crate::verdict;

const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// A life of this length makes the next pause a short one.
const HEALTHY: Duration = Duration::from_secs(60);

/// What one sandbox of a component is there for.
pub(crate) struct Post {
    /// Which component.
    pub(super) digest: Digest,
    /// Its number within the instance.
    pub(super) component_id: i32,
    /// The kinds routed to it; none once it is to end.
    kinds: watch::Sender<Arc<[String]>>,
}

impl Post {
    /// Returns the kinds it claims, as they change.
    pub(super) fn kinds(&self) -> watch::Receiver<Arc<[String]>> {
        self.kinds.subscribe()
    }

    /// Whether it is to end.
    pub(super) fn is_retired(&self) -> bool {
        self.kinds.borrow().is_empty()
    }

    fn assign(&self, kinds: &[String]) {
        self.kinds.send_if_modified(|now| {
            // Whoever was told to end is not called back.
            let changes = !now.is_empty() && **now != *kinds;
            if changes {
                *now = kinds.into();
            }
            changes
        });
    }

    async fn retired(&self) {
        // The sender is here, so waiting cannot fail.
        let _ = self.kinds().wait_for(|kinds| kinds.is_empty()).await;
    }
}

/// Starts and ends services as the routes say, until the worker drains and the
/// last has ended.
pub(super) async fn supervise(worker: Arc<Worker>) {
    let mut posts: HashMap<(Digest, u32), (Arc<Post>, Id)> = HashMap::new();
    let mut tasks: JoinSet<()> = JoinSet::new();
    loop {
        let routes = worker.routes();
        let draining = worker.is_draining();
        let wanted = |digest: &Digest| (!draining).then(|| routes.services().get(digest)).flatten();
        for ((digest, _), (post, _)) in &posts {
            post.assign(wanted(digest).map_or(&[], |route| &route.kinds));
        }
        if draining && posts.is_empty() {
            break;
        }
        for (digest, route) in routes.services().iter().filter(|_| !draining) {
            for number in 0..worker.settings.services_per_component {
                if posts.contains_key(&(*digest, number)) {
                    continue;
                }
                if posts.len() >= worker.settings.services_max as usize {
                    tracing::warn!(component = %digest, kinds = ?route.kinds, "no more services may run here (worker.services_max)");
                    continue;
                }
                let post = Arc::new(Post {
                    digest: *digest,
                    component_id: route.component_id,
                    kinds: watch::Sender::new(route.kinds.as_slice().into()),
                });
                let task = tasks.spawn(keep_alive(
                    worker.clone(),
                    post.clone(),
                    route.loaded.clone(),
                ));
                posts.insert((*digest, number), (post, task.id()));
            }
        }
        drop(routes);
        tokio::select! {
            () = worker.reassigned.notified() => {}
            Some(ended) = tasks.join_next_with_id() => {
                let id = ended.map_or_else(|error| error.id(), |(id, ())| id);
                posts.retain(|_, (_, task)| *task != id);
            }
        }
    }
    worker.served_out.store(true, Ordering::Relaxed);
    worker.end_if_done();
}

/// Opens one sandbox after the other until the post is given up.
async fn keep_alive(worker: Arc<Worker>, post: Arc<Post>, loaded: Arc<Loaded>) {
    let mut pause = PAUSE_MIN;
    let component = post.digest;
    while !post.is_retired() {
        let began = Instant::now();
        tracing::info!(%component, kinds = ?*post.kinds.borrow(), "a service begins");
        let (failure, held) = live(&worker, &post, &loaded).await;
        if post.is_retired() {
            tracing::info!(%component, why = %failure.message, held, "a service has ended");
            return;
        }
        if began.elapsed() >= HEALTHY {
            pause = PAUSE_MIN;
        }
        worker
            .counters
            .service_restarts
            .fetch_add(1, Ordering::Relaxed);
        tracing::warn!(
            %component,
            code = failure.code,
            why = failure.message,
            backtrace = failure.backtrace,
            held,
            pause_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX),
            "a service ended by itself; it is started again after a pause"
        );
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = post.retired() => {}
        }
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

/// Runs one life and returns how it ended and how many leases it held then,
/// once what became of those is recorded.
async fn live(worker: &Arc<Worker>, post: &Arc<Post>, loaded: &Arc<Loaded>) -> (Failure, usize) {
    let wanted = loaded.needs.wanted(&worker.limits, 0);
    let seat = tokio::select! {
        biased;
        seat = worker.room().open(&wanted) => seat,
        () = post.retired() => return (verdict::never_served(), 0),
    };
    let service = Service::new(worker.clone(), post.clone());
    let opening = Opening {
        side: HostSide::Engine(EngineSide {
            engine: worker.engine.clone(),
            main: worker.main.clone(),
            component_id: Some(post.component_id),
            lease_ttl_ms: worker.settings.lease_ttl_ms,
            callback_prefix: worker.settings.callback_prefix.clone(),
        }),
        limits: worker.limits,
        instance_limits: worker.instance_limits,
        seat,
    };
    let running = Running::begin(service.clone());
    let mut life = worker.guests.spawn({
        let (service, loaded) = (service.clone(), loaded.clone());
        async move {
            let component = loaded.service()?;
            Some(sandbox::serve(component, &service, opening).await)
        }
    });
    let life = tokio::select! {
        life = &mut life => life,
        () = overstay(worker, post) => {
            service.stop(ServiceStop::Retired);
            life.await
        }
    };
    running.ended();
    let (failure, spent) = match life {
        Ok(Some(Life {
            answer,
            phase,
            spent,
        })) => (
            verdict::served(answer, phase, &service.stderr_tail()),
            spent,
        ),
        Ok(None) => (verdict::host_fault("it is no service"), Default::default()),
        // The host panicked; that ends this life alone.
        Err(error) => (verdict::host_fault(&error.to_string()), Default::default()),
    };
    let held = service.end(&failure, spent).await;
    (failure, held)
}

/// A life that runs. It is stopped when nothing waits for its end any more, as when
/// what keeps it alive panicked: another one takes its place.
struct Running(Option<Arc<Service>>);

impl Running {
    fn begin(service: Arc<Service>) -> Self {
        let counters = &service.worker.counters;
        counters.services.fetch_add(1, Ordering::Relaxed);
        counters.live.fetch_add(1, Ordering::Relaxed);
        Self(Some(service))
    }

    /// It has ended by itself.
    fn ended(mut self) {
        if let Some(service) = self.0.take() {
            Self::count(&service);
        }
    }

    fn count(service: &Service) {
        let counters = &service.worker.counters;
        counters.live.fetch_sub(1, Ordering::Relaxed);
        counters.services.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(service) = self.0.take() {
            Self::count(&service);
            service.stop(ServiceStop::Retired);
        }
    }
}

/// Returns when a service that was told to end has not: after the grace, or at
/// once when the host gives up.
async fn overstay(worker: &Worker, post: &Post) {
    post.retired().await;
    tokio::select! {
        () = tokio::time::sleep(worker.retire_grace()) => {}
        () = worker.gave_up() => {}
    }
}
