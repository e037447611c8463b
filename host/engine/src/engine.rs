//! The handle on an engine, and what every verb finds behind it.

use std::fmt;
use std::sync::Arc;

use model::{ExecutionId, Limits, Outcome, Retention};
use tokio::sync::{OnceCell, broadcast, watch};

use crate::audit::{AuditBegin, AuditEnd, RefusalSums};
use crate::batch::{Batcher, Flushes, Monitor};
use crate::database::{Liveness, Pool};
use crate::dispatch::IdleWorkers;
use crate::event::{Classes, Recent};
use crate::execution::{
    CreateCall, CreateVerdict, FinishCall, FinishVerdict, Info, Infos, LastCounts, Outcomes,
    ReadCall,
};
use crate::flow::{ChangeVerdict, FlowChange, FlowTurns, OldHosts};
use crate::health::LastProbe;
use crate::lease::{EndLease, EndLeaseVerdict, ProgressCall, ProgressVerdict};
use crate::metrics::Timings;
use crate::signal::{DeliverCall, DeliverVerdict};
use crate::statements::Statements;
use crate::stream::{
    AppendCall, AppendLog, AppendLogVerdict, AppendVerdict, FrameReads, Heads, KnownStreams,
    LogReads, ReadFrames, ReadLogCall, StreamRead,
};
use crate::suspension::{SuspendCall, SuspendVerdict};
use crate::wake::Wake;
use crate::{
    CursorSeal, Error, HandleSigner, Instance, LogPage, SecretsKeys, Tasks, WakeUps, component,
    lane, reconcile, signal, waitpoint,
};

/// A handle on the engine; cheap to clone.
#[derive(Clone)]
pub struct Engine {
    pub(crate) inner: Arc<Inner>,
}

/// What the clones of a handle share.
pub(crate) struct Inner {
    pub(crate) instance: Instance,
    pub(crate) limits: Limits,
    pub(crate) retention: Retention,
    /// Connections of the verbs.
    pub(crate) verbs: Pool,
    /// Connections of reads and sweeps.
    pub(crate) reads: Pool,
    pub(crate) batchers: Batchers,
    pub(crate) caches: Caches,
    pub(crate) sweeps: reconcile::SweepState,
    pub(crate) idle_workers: IdleWorkers,
    pub(crate) classes: Arc<Classes>,
    pub(crate) recent: Recent,
    pub(crate) known_streams: Arc<KnownStreams>,
    pub(crate) heads: Heads,
    pub(crate) flow_turns: FlowTurns,
    pub(crate) old_hosts: OldHosts,
    pub(crate) wake: Wake,
    pub(crate) tasks: Tasks,
    pub(crate) timings: Timings,
    pub(crate) flushes: Flushes,
    pub(crate) liveness: Arc<Liveness>,
    pub(crate) last_probe: LastProbe,
    pub(crate) handle_signer: OnceCell<HandleSigner>,
    pub(crate) cursor_seal: OnceCell<CursorSeal>,
    pub(crate) waitpoint_keys: waitpoint::Ring,
    pub(crate) signal_counters: signal::SignalCounters,
    pub(crate) refusals: RefusalSums,
    /// Whether nothing that it writes lasts.
    pub(crate) rehearses: bool,
}

/// What an engine is assembled from.
pub(crate) struct Parts {
    pub(crate) instance: Instance,
    pub(crate) limits: Limits,
    pub(crate) retention: Retention,
    pub(crate) verbs: Pool,
    pub(crate) reads: Pool,
    pub(crate) wake: Wake,
    pub(crate) tasks: Tasks,
    pub(crate) liveness: Arc<Liveness>,
    pub(crate) secrets: Option<SecretsKeys>,
    pub(crate) rehearses: bool,
}

/// What this host remembers of the database; every entry may be a second old, and counts
/// five.
#[derive(Default)]
pub(crate) struct Caches {
    pub(crate) kinds: component::KnownKinds,
    pub(crate) lanes: lane::LaneCache,
    pub(crate) counts: LastCounts,
}

/// The verbs and reads whose calls are batched.
pub(crate) struct Batchers {
    pub(crate) create: Batcher<CreateCall, CreateVerdict>,
    pub(crate) end_lease: Batcher<EndLease, EndLeaseVerdict>,
    pub(crate) suspend: Batcher<SuspendCall, SuspendVerdict>,
    pub(crate) deliver: Batcher<DeliverCall, DeliverVerdict>,
    pub(crate) outcome: Batcher<ReadCall, Option<Outcome>>,
    pub(crate) info: Batcher<ReadCall, Option<Info>>,
    pub(crate) progress: Batcher<ProgressCall, ProgressVerdict>,
    pub(crate) finish: Batcher<FinishCall, FinishVerdict>,
    pub(crate) change_flow: Batcher<FlowChange, ChangeVerdict>,
    pub(crate) audit_begin: Batcher<AuditBegin, ()>,
    pub(crate) audit_end: Batcher<AuditEnd, ()>,
    pub(crate) append: Appends,
    pub(crate) append_log: Batcher<AppendLog, AppendLogVerdict>,
    pub(crate) frames: Batcher<ReadFrames, StreamRead>,
    pub(crate) logs: Batcher<ReadLogCall, (StreamRead, LogPage)>,
}

/// Appends to streams. All small frames of one stream have the same flusher: it knows the
/// last place of the stream.
pub(crate) struct Appends {
    pub(crate) small: [Batcher<AppendCall, AppendVerdict>; 2],
    pub(crate) large: Batcher<AppendCall, AppendVerdict>,
}

impl Batchers {
    /// Starts the flushers of each verb: how many, and whether its statement writes.
    pub(crate) fn start(on: &Statements, reads: &Pool, monitor: &Monitor) -> Self {
        Self {
            create: Batcher::start("create", 2, true, on.clone(), monitor),
            end_lease: Batcher::start("end_lease", 2, true, on.clone(), monitor),
            suspend: Batcher::start("suspend", 2, true, on.clone(), monitor),
            // One at a time: two would change what the other decided on.
            deliver: Batcher::start("deliver", 1, true, on.clone(), monitor),
            outcome: Batcher::start("outcome", 2, false, Outcomes(on.verbs.clone()), monitor),
            info: Batcher::start("info", 2, false, Infos(reads.clone()), monitor),
            progress: Batcher::start("progress", 1, true, on.clone(), monitor),
            finish: Batcher::start("finish", 1, true, on.clone(), monitor),
            change_flow: Batcher::start("change_flow", 2, true, on.clone(), monitor),
            audit_begin: Batcher::start("audit_begin", 1, true, on.clone(), monitor),
            audit_end: Batcher::start("audit_end", 1, true, on.clone(), monitor),
            append: Appends {
                small: std::array::from_fn(|_| {
                    Batcher::start("append", 1, true, on.clone(), monitor)
                }),
                large: Batcher::start("append", 1, true, on.clone(), monitor),
            },
            append_log: Batcher::start("append_log", 1, true, on.clone(), monitor),
            frames: Batcher::start("frames", 2, false, FrameReads(reads.clone()), monitor),
            logs: Batcher::start("logs", 2, false, LogReads(reads.clone()), monitor),
        }
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine")
            .field("instance", &self.inner.instance)
            .finish_non_exhaustive()
    }
}

impl Engine {
    /// Assembles an engine, and starts the flushers of its verbs.
    pub(crate) fn assemble(parts: Parts) -> Self {
        let idle_workers = IdleWorkers::default();
        let classes = Arc::new(Classes::default());
        let known_streams = Arc::new(KnownStreams::default());
        let statements = Statements {
            verbs: parts.verbs.clone(),
            wake: parts.wake.clone(),
            idle_workers: idle_workers.clone(),
            classes: classes.clone(),
            known_streams: known_streams.clone(),
        };
        let monitor = Monitor {
            tasks: parts.tasks.clone(),
            liveness: parts.liveness.clone(),
            flushes: Flushes::default(),
            timings: Timings::default(),
            wake: parts.wake.clone(),
        };
        Self {
            inner: Arc::new(Inner {
                batchers: Batchers::start(&statements, &parts.reads, &monitor),
                instance: parts.instance,
                limits: parts.limits,
                retention: parts.retention,
                verbs: parts.verbs,
                reads: parts.reads,
                caches: Caches::default(),
                sweeps: reconcile::SweepState::default(),
                idle_workers,
                classes,
                recent: Recent::default(),
                known_streams,
                heads: Heads::default(),
                flow_turns: FlowTurns::default(),
                old_hosts: OldHosts::default(),
                wake: parts.wake,
                tasks: parts.tasks,
                flushes: monitor.flushes,
                timings: monitor.timings,
                liveness: parts.liveness,
                last_probe: LastProbe::default(),
                handle_signer: OnceCell::new(),
                cursor_seal: OnceCell::new(),
                waitpoint_keys: waitpoint::Ring::new(parts.secrets, parts.instance),
                signal_counters: signal::SignalCounters::default(),
                refusals: RefusalSums::default(),
                rehearses: parts.rehearses,
            }),
        }
    }

    /// Returns the identity of this instance.
    pub fn instance(&self) -> Instance {
        self.inner.instance
    }

    /// Returns the limits that an operator set.
    pub fn limits(&self) -> Limits {
        self.inner.limits
    }

    /// Makes one round trip to the database.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when it does not answer within the pool's timeout.
    pub async fn ping(&self) -> Result<(), Error> {
        sqlx::query!("SELECT 1 AS one")
            .fetch_one(&self.inner.reads)
            .await?;
        Ok(())
    }

    /// Returns a signal that changes whenever work may have become ready.
    pub fn ready_signal(&self) -> watch::Receiver<u64> {
        self.inner.wake.ready_signal()
    }

    /// Returns a feed of executions whose lease was taken from its holder. A hint: a
    /// feed may lag, and notifications of other hosts may be lost.
    pub fn lost_leases(&self) -> broadcast::Receiver<ExecutionId> {
        self.inner.wake.lost_leases()
    }

    /// Returns the long-lived tasks of this host; others start theirs here too.
    pub fn tasks(&self) -> &Tasks {
        &self.inner.tasks
    }

    /// Returns how many connections to the database there are, and how many of them
    /// are idle.
    pub fn connections(&self) -> (usize, usize) {
        let (verbs, idle_verbs) = self.inner.verbs.sizes();
        let (reads, idle_reads) = self.inner.reads.sizes();
        (verbs + reads, idle_verbs + idle_reads)
    }

    /// Returns whether wake-ups of other hosts arrive.
    pub fn wake_ups(&self) -> WakeUps {
        self.inner.wake.state()
    }

    /// Closes every connection, in seconds even if the database does not answer. Calls in
    /// flight finish first if they can; later ones are answered
    /// [`Error::Unavailable`].
    pub async fn close(&self) {
        self.inner.wake.stop();
        tokio::join!(self.inner.reads.close(), self.inner.verbs.close());
    }
}
