//! register: unknown, silent or live → live.
//!
//! Makes the kinds known that the worker names, so that they can be created. The
//! same request serves as a heartbeat. Locks: the worker's row, kinds. No event.

use std::collections::BTreeSet;

use model::{Invalid, Limits, RegisterRefusal, WorkerType};
use time::OffsetDateTime;

use crate::{Answer, Engine};

/// What a worker says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisterWorker {
    /// The process; new at each start.
    pub worker_instance_id: String,
    /// The worker, over its restarts.
    pub worker_id: String,
    /// What it is.
    pub worker_type: WorkerType,
    /// Which namespace it works for; absent for all.
    pub namespace: Option<String>,
    /// Lanes it serves; empty for all.
    pub lanes: BTreeSet<String>,
    /// Kinds it can run.
    pub kinds: BTreeSet<String>,
    /// What it offers.
    pub capabilities: BTreeSet<String>,
    /// The machine it runs on, for people.
    pub host: Option<String>,
    /// Its version, for people.
    pub version: Option<String>,
    /// How long it is believed to live after a word from it, in milliseconds,
    /// within [`Limits::LIVENESS_TTL_MS`].
    pub liveness_ttl_ms: u32,
}

/// The answer to a registration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Registered {
    /// Whether the instance was live already.
    pub refreshed: bool,
    /// Until when it is believed to live.
    pub expires_at: OffsetDateTime,
}

impl Engine {
    /// Registers a worker, or hears again from one that is registered.
    ///
    /// # Refusals
    /// See [`RegisterRefusal`].
    pub async fn register_worker(
        &self,
        worker: RegisterWorker,
    ) -> Answer<Registered, RegisterRefusal> {
        if let Err(invalid) = worker.check() {
            return Ok(Err(invalid.into()));
        }
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
        )
        .fetch_optional(&self.inner.reads)
        .await?;
        Ok(match row {
            Some(row) => Ok(Registered {
                refreshed: row.was_live,
                expires_at: row.expires_at,
            }),
            None => Err(RegisterRefusal::InstanceReassigned),
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
        let (bounds, ttl) = (Limits::LIVENESS_TTL_MS, self.liveness_ttl_ms);
        if bounds.contains(&ttl) {
            return Ok(());
        }
        let detail = format!(
            "{ttl} is out of range: {} to {}",
            bounds.start(),
            bounds.end()
        );
        Err(Invalid::new("liveness_ttl_ms", detail))
    }
}
