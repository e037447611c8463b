//! Starts and ends services as the routes say.

use std::collections::HashMap;
use std::sync::Arc;

use model::Digest;
use tokio::task::{Id, JoinSet};

use super::assignment::ServiceAssignment;
use super::keep_running::keep_running;
use crate::worker::Worker;

/// Starts and ends services as the routes say, until the worker drains and the
/// last has ended.
pub(crate) async fn supervise(worker: Arc<Worker>) {
    let mut assignments: HashMap<(Digest, u32), (Arc<ServiceAssignment>, Id)> = HashMap::new();
    let mut tasks: JoinSet<()> = JoinSet::new();
    loop {
        let routes = worker.routes();
        let draining = worker.is_draining();
        let wanted = |digest: &Digest| (!draining).then(|| routes.services().get(digest)).flatten();
        for ((digest, _), (assignment, _)) in &assignments {
            assignment.assign(wanted(digest).map_or(&[], |route| &route.kinds));
        }
        if draining && assignments.is_empty() {
            break;
        }
        for (digest, route) in routes.services().iter().filter(|_| !draining) {
            for number in 0..worker.settings.services_per_component {
                if assignments.contains_key(&(*digest, number)) {
                    continue;
                }
                if assignments.len() >= worker.settings.services_max as usize {
                    tracing::warn!(component = %digest, kinds = ?route.kinds, "no more services may run here (worker.services_max)");
                    continue;
                }
                let assignment = Arc::new(ServiceAssignment::new(
                    *digest,
                    route.component_id,
                    &route.kinds,
                ));
                let task = tasks.spawn(keep_running(
                    worker.clone(),
                    assignment.clone(),
                    route.loaded.clone(),
                ));
                assignments.insert((*digest, number), (assignment, task.id()));
            }
        }
        drop(routes);
        tokio::select! {
            () = worker.services_wakeup.notified() => {}
            Some(ended) = tasks.join_next_with_id() => {
                let id = ended.map_or_else(|error| error.id(), |(id, ())| id);
                assignments.retain(|_, (_, task)| *task != id);
            }
        }
    }
    worker.services_stopped();
}
