//! register: unknown, dead or live → live.
//!
//! Defines the kinds that the worker names, so that executions of them can be created.
//! The same request serves as a heartbeat. Locks: the worker's row, kinds. No event.

use std::collections::BTreeSet;

use model::{Invalid, Limits, RegisterRefusal, WorkerType};
use time::OffsetDateTime;

use crate::{Declined, Engine};

/// A worker as it describes itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisterWorker {
    /// Name of the process; another one after each start.
    pub worker_instance_id: String,
    /// Name of the worker, the same after a restart.
    pub worker_id: String,
    /// What runs its attempts.
    pub worker_type: WorkerType,
    /// Namespace it works for; absent for all.
    pub namespace: Option<String>,
    /// Whether only a registration for the same namespace may be taken over.
    pub keeps_namespace: bool,
    /// Lanes it serves; empty for all.
    pub lanes: BTreeSet<String>,
    /// Kinds of executions that it can run.
    pub kinds: BTreeSet<String>,
    /// Capabilities it offers to executions that require some.
    pub capabilities: BTreeSet<String>,
    /// Machine it runs on, for people; absent if not told.
    pub host: Option<String>,
    /// Its version, for people; absent if not told.
    pub version: Option<String>,
    /// Time after a registration or heartbeat for which it is taken to be live, in
    /// milliseconds, within [`Limits::LIVENESS_TTL_MS`].
    pub liveness_ttl_ms: u32,
}

/// A registration that was accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Registered {
    /// Whether the instance was live before.
    pub refreshed: bool,
    /// End of the time for which it is taken to be live.
    pub expires_at: OffsetDateTime,
}

impl Engine {
    /// Registers a worker, or extends the registration of one that is live.
    ///
    /// # Refusals
    /// See [`RegisterRefusal`].
    pub async fn register_worker(
        &self,
        worker: RegisterWorker,
    ) -> Result<Registered, Declined<RegisterRefusal>> {
        worker.check()?;
        let list = |set: &BTreeSet<String>| set.iter().cloned().collect::<Vec<_>>();
        let row = sqlx::query_file!(
            "src/worker/register.sql",
            worker.worker_instance_id,
            worker.worker_id,
            worker.worker_type.as_str(),
            worker.namespace,
            &list(&worker.lanes),
            &list(&worker.kinds),
            &list(&worker.capabilities),
            worker.host,
            worker.version,
            worker.liveness_ttl_ms as i32,
            worker.keeps_namespace,
        )
        .fetch_optional(&self.inner.reads)
        .await?;
        let row = row.ok_or(RegisterRefusal::InstanceReassigned)?;
        Ok(Registered {
            refreshed: row.was_live,
            expires_at: row.expires_at,
        })
    }
}

impl RegisterWorker {
    fn check(&self) -> Result<(), Invalid> {
        model::worker_name("worker_instance_id", &self.worker_instance_id)?;
        model::worker_name("worker_id", &self.worker_id)?;
        for (field, text) in [("host", &self.host), ("version", &self.version)] {
            if let Some(text) = text {
                model::worker_name(field, text)?;
            }
        }
        if let Some(namespace) = &self.namespace {
            model::namespace_name(namespace)?;
        }
        let max = Limits::WORKER_NAMES_MAX;
        for (field, names) in [("lanes", &self.lanes), ("kinds", &self.kinds)] {
            if names.len() > max {
                let detail = format!("{} names exceed the limit of {max}", names.len());
                return Err(Invalid::new(field, detail));
            }
        }
        self.lanes
            .iter()
            .try_for_each(|name| model::lane_name(name))?;
        self.kinds
            .iter()
            .try_for_each(|name| model::kind_name(name))?;
        model::capabilities("capabilities", &self.capabilities)?;
        let ttl = self.liveness_ttl_ms;
        model::check_range("liveness_ttl_ms", ttl, Limits::LIVENESS_TTL_MS)
    }
}
