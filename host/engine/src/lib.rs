//! Every durable change, one verb per file with its SQL beside it.
//!
//! [`Engine`] is a handle on one Postgres. A verb is one statement: the guard is
//! in its `WHERE`, what it did is in its answer, and for a miss it looks once
//! more and lets `model` name the refusal. Calls in flight at the same time ride
//! together in one statement over arrays (see [`coalesce`]).
//!
//! State is the table that holds an execution's row: exactly one of `ready`,
//! `lease`, `parked` and `finished`. Time is the database's. An event is written
//! by the statement that makes it true.
//!
//! Lock order: flow, execution, pending waitpoints, lease, ready, parked, timer,
//! suspension and its waitpoints, signal, limits, event; within a statement rows are
//! locked in the order of their ids.

pub mod bench;
mod checks;
mod coalesce;
mod columns;
mod component;
mod connect;
mod crypto;
mod declined;
mod error;
mod event;
mod execution;
mod grant;
mod health;
mod lane;
mod lease;
mod listed;
mod metrics;
mod mint;
mod operate;
mod operator;
mod pool;
mod reconcile;
mod row;
mod session;
mod signal;
mod sqlstate;
mod standby;
mod statements;
mod suspension;
mod tasks;
mod tls;
mod waitpoint;
mod wake;
mod worker;

pub use checks::Payload;
pub use component::{
    ComponentRow, Kind, NewComponent, Route, RouteRefusal, WORLD_HANDLER, WORLD_SERVICE,
};
pub use connect::{Instance, MIGRATOR, Settings};
pub use crypto::{HandleSigner, HeldLease, SecretsFault, SecretsKeyError, SecretsKeys};
pub use declined::Declined;
pub use error::Error;
pub use execution::{
    Attempt, AttemptLease, Cancel, Cancelled, Counts, Create, Created, ExecutionContext,
    ExecutionInfo, HistoryEntry, ListFilter, ListPage, Progress,
};
pub use grant::{Eligible, Grant, GrantNext, IssueGrant, capability_hash};
pub use health::Trouble;
pub use lane::{Lane, Namespace};
pub use lease::{
    CancelHeld, Claim, Claimed, Complete, Delay, ExpiredLease, Fail, Failed, LeaseSummary,
    ReceivedSignal, Report, Resumption,
};
pub use listed::{Listed, Unreadable};
pub use model::{LaneState, WaitpointRef};
pub use operate::{Operate, Operator};
pub use operator::{Block, OperationEntry, Replayed, Revoke, Revoked};
pub use reconcile::{Reconcilers, SweepFigures, Sweeps};
pub use session::PLANNER;
pub use signal::{Addressee, Delivered, SendSignal, SignalInfo};
pub use standby::{Begin, Standby};
pub use suspension::{
    Binding, Suspend, Suspended, SuspendedExecution, Suspension, SuspensionInfo, SuspensionTimeout,
};
pub use tasks::Tasks;
pub use waitpoint::{
    CreateWaitpoint, MintWaitpointToken, MintedWaitpointToken, OpenWaitpoint, RotateWaitpointKey,
    RotatedWaitpointKey, SeededWaitpointKey, VerifiedWaitpointToken, WaitpointInfo, WaitpointKey,
    WaitpointToken, WaitpointTokenExpiry, WaitpointTokenKey,
};
pub use wake::WakeUps;
pub use worker::{MarkDead, MarkedDead, RegisterWorker, Registered, WorkerFilter, WorkerInfo};

use std::sync::Arc;

use model::{Limits, Retention};

/// The answer to a verb that does not return [`Declined`] yet: outside, whether it
/// could be asked at all; inside, what the engine said.
pub type Answer<T, R> = Result<Result<T, R>, Error>;

/// A handle on the engine; cheap to clone.
#[derive(Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

struct Inner {
    /// Connections of the verbs: index plans only, generic plans.
    verbs: pool::Pool,
    /// Connections of reads and sweeps.
    reads: pool::Pool,
    instance: Instance,
    limits: Limits,
    retention: Retention,
    walks: reconcile::Walks,
    looked: reconcile::Looked,
    ledgers: reconcile::Ledgers,
    timings: metrics::Timings,
    tasks: Tasks,
    health: Arc<health::Health>,
    wake: wake::Wake,
    standbys: standby::Standbys,
    known: component::Known,
    lanes: lane::Lanes,
    signals: signal::SignalCounters,
    handle_signer: tokio::sync::OnceCell<HandleSigner>,
    waitpoint_keys: waitpoint::Ring,
    create: coalesce::Coalescer<execution::CreateCall, execution::CreateVerdict>,
    end_lease: coalesce::Coalescer<lease::EndLease, lease::EndLeaseVerdict>,
    suspend: coalesce::Coalescer<suspension::SuspendCall, suspension::SuspendVerdict>,
    deliver: coalesce::Coalescer<signal::DeliverCall, signal::DeliverVerdict>,
    outcome: coalesce::Coalescer<execution::OutcomeCall, Option<model::Outcome>>,
    progress: coalesce::Coalescer<lease::ProgressCall, lease::ProgressVerdict>,
    finish: coalesce::Coalescer<execution::FinishCall, execution::FinishVerdict>,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine")
            .field("instance", &self.inner.instance)
            .finish_non_exhaustive()
    }
}

impl Engine {
    /// Returns who this instance is.
    pub fn instance(&self) -> Instance {
        self.inner.instance
    }

    /// Returns the bounds an operator set.
    pub fn limits(&self) -> Limits {
        self.inner.limits
    }

    /// Asks the database for an answer.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when there is none within the pool's timeout.
    pub async fn ping(&self) -> Result<(), Error> {
        sqlx::query!("SELECT 1 AS one")
            .fetch_one(&self.inner.reads)
            .await?;
        Ok(())
    }

    /// Returns a signal that changes whenever work may have become ready.
    pub fn ready_signal(&self) -> tokio::sync::watch::Receiver<u64> {
        self.inner.wake.ready_signal()
    }

    /// Returns a feed of executions that were taken from whoever ran them. A
    /// hint: a feed may lag, and notifications of other hosts may be lost.
    pub fn lost_leases(&self) -> tokio::sync::broadcast::Receiver<model::ExecutionId> {
        self.inner.wake.lost_leases()
    }

    /// Returns the long-lived tasks of this host; others start theirs here too.
    pub fn tasks(&self) -> &Tasks {
        &self.inner.tasks
    }

    /// Returns how many connections to the database there are, and how many of them
    /// are idle.
    pub fn connections(&self) -> (u32, usize) {
        let (verbs, idle_verbs) = self.inner.verbs.sizes();
        let (reads, idle_reads) = self.inner.reads.sizes();
        (verbs + reads, idle_verbs + idle_reads)
    }

    /// Returns whether wake-ups of other hosts arrive.
    pub fn wake_ups(&self) -> WakeUps {
        self.inner.wake.state()
    }

    /// Closes every connection, in seconds whatever the database does. Calls in
    /// flight finish first if they can; later ones are answered
    /// [`Error::Unavailable`].
    pub async fn close(&self) {
        self.inner.wake.stop();
        tokio::join!(self.inner.reads.close(), self.inner.verbs.close());
    }
}
