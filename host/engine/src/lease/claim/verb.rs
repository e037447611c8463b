//! Claims: shares of the queue, partition by partition.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};

use model::{ExecutionId, Limits, Partition};
use uuid::Uuid;

use super::claimed::{Claimed, ClaimedRow, claimed};
use super::resumption::attach;
use crate::columns::columns;
use crate::lane::{PROBE_MAX, Probe, ServingLane, ServingLanes, Share};
use crate::{Engine, Error};

/// A request for work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The worker that asks; kept with the lease.
    pub worker_instance_id: String,
    /// Namespaces to claim in; absent for any.
    pub namespaces: Option<BTreeSet<String>>,
    /// Lanes to serve; empty for every lane that serves.
    pub lanes: Vec<String>,
    /// Kinds the worker can run; absent for any.
    pub kinds: Option<Vec<String>>,
    /// What the worker offers; an execution must require no more.
    pub capabilities: BTreeSet<String>,
    /// At most so many executions, and at most [`Limits::BATCH_MAX`].
    pub max: u32,
    /// Time to live of the leases in milliseconds, clamped to [`Limits::LEASE_TTL_MS`].
    pub lease_ttl_ms: u32,
}

impl Claim {
    /// Returns the time to live of the leases within bounds.
    pub(crate) fn ttl_ms(&self) -> i32 {
        lease_ttl_ms(self.lease_ttl_ms)
    }
}

/// Returns the time to live of a lease within bounds.
fn lease_ttl_ms(wanted: u32) -> i32 {
    let bounds = Limits::LEASE_TTL_MS;
    wanted.clamp(*bounds.start(), *bounds.end()) as i32
}

/// What one statement takes: shares of the queue, and what one grant promises.
#[derive(Default)]
struct Wanted<'a> {
    shares: &'a [Share],
    kinds: Option<&'a [String]>,
    capabilities: &'a [String],
    /// An execution and its grant.
    granted: Option<(Uuid, Uuid)>,
}

/// Where the next claim begins among partitions, so that none is always served
/// last.
static TURN: AtomicUsize = AtomicUsize::new(0);

/// At most so many statements by which one claim gives what some namespaces did not use
/// to those that have more.
const ROUNDS_MAX: usize = 4;

impl Engine {
    /// Claims up to `max` ready executions for a worker. Lanes share them by
    /// weight, and within a lane namespaces do; within a namespace they come by
    /// priority (high first) and time. See `lane/scheduler.rs`.
    ///
    /// # Errors
    /// [`Error::Unavailable`]: leases may have been granted that no worker knows of; they
    /// expire and are claimed again.
    pub async fn claim(&self, mut claim: Claim) -> Result<Vec<Claimed>, Error> {
        if let Some(kinds) = &mut claim.kinds {
            // The statement reads the queue of each.
            kinds.sort_unstable();
            kinds.dedup();
        }
        let service = self.serving_lanes(&claim.lanes).await?;
        let max = (claim.max as usize).min(Limits::BATCH_MAX);
        let nothing = claim.kinds.as_ref().is_some_and(Vec::is_empty)
            || claim.namespaces.as_ref().is_some_and(BTreeSet::is_empty);
        if service.lanes.is_empty() || max == 0 || nothing {
            return Ok(Vec::new());
        }
        let _timer = self.inner.timings.claim();
        let turn = TURN.fetch_add(1, Ordering::Relaxed);
        let partitions: Vec<Partition> = self.instance().partitions.all().collect();
        let mut claimed = Vec::new();
        for offset in 0..partitions.len() {
            let partition = partitions[(turn + offset) % partitions.len()];
            let wanted = max - claimed.len();
            let found = self.claim_on(partition, &claim, &service, wanted).await;
            match found {
                Ok(found) => claimed.extend(found),
                // What is leased already must not be lost with the error.
                Err(error) if claimed.is_empty() => return Err(error),
                Err(_) => break,
            }
            if claimed.len() == max {
                break;
            }
        }
        Ok(claimed)
    }

    async fn claim_on(
        &self,
        partition: Partition,
        claim: &Claim,
        service: &ServingLanes,
        max: usize,
    ) -> Result<Vec<Claimed>, Error> {
        let scheduler = self.inner.caches.lanes.scheduler(partition);
        let serving = &service.lanes;
        let weight_of = |namespace: &str| service.weight_of(namespace);
        let within = claim.namespaces.as_ref();
        let mut looked = match within {
            None => {
                let due = scheduler.lock().probes(serving, false);
                let found = self.probe(partition, &due).await?;
                scheduler.lock().found(&due, found);
                due.len() == serving.len()
            }
            Some(within) => {
                let found = self.probe_within(partition, serving, within).await?;
                scheduler.lock().have_work(found);
                true
            }
        };
        let mut claimed: Vec<Claimed> = Vec::new();
        for _ in 0..ROUNDS_MAX {
            let shares = scheduler
                .lock()
                .share(serving, within, weight_of, max - claimed.len());
            if shares.is_empty() {
                if looked || !claimed.is_empty() {
                    break;
                }
                let all = scheduler.lock().probes(serving, true);
                let found = self.probe(partition, &all).await?;
                scheduler.lock().found(&all, found);
                looked = true;
                continue;
            }
            let found = self.claim_shares(partition, claim, &shares).await;
            let mut brought: HashMap<(&str, &str), usize> = HashMap::new();
            for claimed in found.as_deref().unwrap_or_default() {
                *brought
                    .entry((&claimed.lane, &claimed.namespace))
                    .or_default() += 1;
            }
            let all_short = scheduler
                .lock()
                .settle(serving, weight_of, &shares, &brought);
            match found {
                Ok(found) => claimed.extend(found),
                Err(error) if claimed.is_empty() => return Err(error),
                Err(_) => break,
            }
            if claimed.len() == max || (all_short && !claimed.is_empty()) {
                break;
            }
        }
        Ok(claimed)
    }

    /// Finds the namespaces that have work, lane by lane.
    async fn probe(
        &self,
        partition: Partition,
        probes: &[Probe],
    ) -> Result<Vec<(String, String)>, Error> {
        if probes.is_empty() {
            return Ok(Vec::new());
        }
        let lanes: Vec<&str> = probes.iter().map(|probe| probe.lane.as_str()).collect();
        let after: Vec<&str> = probes.iter().map(|probe| probe.after.as_str()).collect();
        let rows = sqlx::query_file!(
            "src/lane/probe.sql",
            partition.column(),
            PROBE_MAX as i32,
            &lanes as &[&str],
            &after as &[&str],
        )
        .fetch_all(&self.inner.verbs)
        .await?;
        Ok(rows
            .into_iter()
            .map(|row| (row.lane, row.namespace))
            .collect())
    }

    /// Finds which of some namespaces have work, lane by lane.
    async fn probe_within(
        &self,
        partition: Partition,
        lanes: &[ServingLane],
        namespaces: &BTreeSet<String>,
    ) -> Result<Vec<(String, String)>, Error> {
        let lanes: Vec<&str> = lanes.iter().map(|lane| lane.name.as_str()).collect();
        let namespaces: Vec<&str> = namespaces.iter().map(String::as_str).collect();
        let rows = sqlx::query_file!(
            "src/lane/probe_within.sql",
            partition.column(),
            &lanes as &[&str],
            &namespaces as &[&str],
        )
        .fetch_all(&self.inner.verbs)
        .await?;
        Ok(rows
            .into_iter()
            .map(|row| (row.lane, row.namespace))
            .collect())
    }

    async fn claim_shares(
        &self,
        partition: Partition,
        claim: &Claim,
        shares: &[Share],
    ) -> Result<Vec<Claimed>, Error> {
        let capabilities: Vec<String> = claim.capabilities.iter().cloned().collect();
        let wanted = Wanted {
            shares,
            kinds: claim.kinds.as_deref(),
            capabilities: &capabilities,
            ..Wanted::default()
        };
        self.take(partition, wanted, &claim.worker_instance_id, claim.ttl_ms())
            .await
    }

    /// Claims the execution a grant promises, if the grant still holds.
    pub(crate) async fn claim_granted(
        &self,
        id: ExecutionId,
        grant_id: Uuid,
        worker_instance_id: &str,
        ttl_ms: u32,
    ) -> Result<Option<Claimed>, Error> {
        let wanted = Wanted {
            granted: Some((id.uuid(), grant_id)),
            ..Wanted::default()
        };
        let ttl_ms = lease_ttl_ms(ttl_ms);
        let taken = self.take(id.partition(), wanted, worker_instance_id, ttl_ms);
        Ok(taken.await?.pop())
    }

    async fn take(
        &self,
        partition: Partition,
        wanted: Wanted<'_>,
        worker_instance_id: &str,
        ttl_ms: i32,
    ) -> Result<Vec<Claimed>, Error> {
        let rows = columns!(
            query_file_as!(
                ClaimedRow,
                "src/lease/claim/claim.sql",
                partition.column(),
                worker_instance_id,
                ttl_ms,
                wanted.kinds,
                wanted.capabilities
            );
            for share in wanted.shares => {
                lanes as &str = &share.lane;
                namespaces as &str = &share.namespace;
                shares_max = share.max as i32;
            }
            for (execution_id, grant_id) in wanted.granted.into_iter() => {
                granted_ids = execution_id;
                grant_ids = grant_id;
            }
        )
        .fetch_all(&self.inner.verbs)
        .await?;
        let mut claimed = claimed(rows);
        if !claimed.is_empty() {
            self.inner.wake.logged();
        }
        attach(&self.inner.verbs, partition, &mut claimed).await?;
        Ok(claimed)
    }
}
