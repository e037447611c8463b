//! A worker that is idle, and is given executions without a claim.

use std::sync::{Arc, Mutex};

use engine::{Claim, Claimed, DirectDispatch, Engine};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What the worker was given, each with the slot it occupies.
pub(crate) type Taken = Arc<Mutex<Vec<(Claimed, OwnedSemaphorePermit)>>>;

/// Registers a worker with so many slots; it takes nothing before it is opened.
pub(crate) fn idle_worker(engine: &Engine, slots: usize) -> (DirectDispatch, Taken) {
    let taken = Taken::default();
    let begin = {
        let taken = Arc::clone(&taken);
        move |claimed, _sent, slot| taken.lock().expect("not poisoned").push((claimed, slot))
    };
    let worker = engine.direct_dispatch(Arc::new(Semaphore::new(slots)), Box::new(begin));
    (worker, taken)
}

/// What the worker takes: the kind `echo` of the lane `default`.
pub(crate) fn wanted() -> Claim {
    Claim {
        worker_instance_id: "idle".to_owned(),
        namespaces: None,
        lanes: vec!["default".to_owned()],
        kinds: Some(vec!["echo".to_owned()]),
        capabilities: Default::default(),
        max: 0,
        lease_ttl_ms: 30_000,
    }
}
