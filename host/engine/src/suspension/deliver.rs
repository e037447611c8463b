//! signal: something arrives at a waitpoint; what it satisfies goes on, suspended →
//! waiting or delayed.
//!
//! What a batch of signals does is decided on what was read, execution by
//! execution, and written by one statement if that is still true; what changed
//! meanwhile is read again. So a signal's effect is exact, and the one that
//! satisfies a condition ends the suspension in the statement that keeps it:
//! nothing is left to be done by anybody who might die first. Operators and time
//! limits that resume an execution go the same way. Locks: pending waitpoints, then
//! parked rows, then suspensions and their waitpoints. Events: `signalled`, `resumed`.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use model::{
    ExecutionId, Heard, InvalidToken, Limits, Partition, SignalEffect, SignalId, SignalRefusal,
    SuspensionCloseReason, SuspensionId, WaitpointId,
};
use time::OffsetDateTime;
use uuid::Uuid;

use super::inbox::{self, Named, Read};
use super::{Addressee, Deliver, Delivered, WaitpointRef};
use crate::coalesce::{Flush, Rider};
use crate::execution::{
    Operation, Payload, Statements, content_type, label, moving, payload_bytes, text,
};
use crate::{Answer, Engine, Error, mint};

/// Tries of one batch while others change what it was decided on.
const TRIES: u32 = 100;
/// From so many tries on, they are spread in time.
const PATIENT: u32 = 5;

/// Something that may end a suspension.
#[derive(Debug)]
pub(crate) struct DeliverCall {
    execution_id: ExecutionId,
    /// Calls of one execution are decided in the order they came.
    turn: u64,
    what: What,
}

#[derive(Debug)]
enum What {
    Signal(Box<Signal>),
    Resume(Box<Resume>),
}

#[derive(Debug)]
struct Signal {
    id: SignalId,
    waitpoint: WaitpointRef,
    right: Right,
    deliver: Deliver,
}

/// What gives the right to signal.
#[derive(Debug)]
enum Right {
    /// A token that was opened.
    Token {
        kid: String,
        expires_at: Option<OffsetDateTime>,
        namespace: String,
    },
    /// An operator.
    Operator {
        namespace: Option<String>,
        operation: Operation,
    },
}

/// Goes on without a signal.
#[derive(Debug)]
pub(crate) struct Resume {
    pub(crate) reason: SuspensionCloseReason,
    /// Only if it still waits in this suspension, whose time has passed.
    pub(crate) due: Option<SuspensionId>,
    pub(crate) delay_ms: Option<u64>,
    pub(crate) operation: Option<Operation>,
}

/// What became of a call.
#[derive(Debug)]
pub(crate) enum DeliverVerdict {
    /// Of a signal.
    Signal(Result<Delivered, SignalRefusal>),
    /// Of a wish to go on: whether it did.
    Resume(bool),
    /// The execution changed whenever it was about to be written.
    Moving,
}

impl Rider for DeliverCall {
    type Key = (ExecutionId, u64);

    fn partition(&self) -> Partition {
        self.execution_id.partition()
    }

    fn key(&self) -> Self::Key {
        (self.execution_id, self.turn)
    }
}

impl DeliverCall {
    fn new(execution_id: ExecutionId, what: What) -> Self {
        static TURN: AtomicU64 = AtomicU64::new(0);
        Self {
            execution_id,
            turn: TURN.fetch_add(1, Ordering::Relaxed),
            what,
        }
    }

    /// Builds the call of whoever resumes an execution.
    pub(crate) fn resume(execution_id: ExecutionId, resume: Resume) -> Self {
        Self::new(execution_id, What::Resume(Box::new(resume)))
    }
}

impl Engine {
    /// Delivers a signal to a waitpoint. Durable when this returns; if it
    /// satisfies the condition, the execution goes on.
    ///
    /// A repeat under the same key is a duplicate, also when the waitpoint is
    /// closed by then.
    ///
    /// # Refusals
    /// See [`SignalRefusal`].
    pub async fn signal(&self, mut deliver: Deliver) -> Answer<Delivered, SignalRefusal> {
        if let Err(invalid) = check(&mut deliver) {
            return Ok(Err(invalid.into()));
        }
        let (execution_id, waitpoint, right) = match &mut deliver.to {
            Addressee::Token {
                token,
                execution_id,
                namespace,
            } => {
                let opened = match self.open_waitpoint_token(token).await? {
                    Ok(opened) => opened,
                    Err(refusal) => return Ok(Err(refusal.into())),
                };
                let claims = opened.claims;
                let meant = execution_id.is_none_or(|id| id == claims.execution_id)
                    && namespace.as_ref().is_none_or(|it| *it == claims.namespace)
                    && claims.allows(&deliver.name);
                if !meant {
                    return Ok(Err(InvalidToken.into()));
                }
                let right = Right::Token {
                    kid: opened.kid,
                    expires_at: opened.expires_at,
                    namespace: claims.namespace,
                };
                let waitpoint = WaitpointRef::Id(claims.waitpoint_id);
                (claims.execution_id, waitpoint, right)
            }
            Addressee::Operator { operate, waitpoint } => {
                if let Err(invalid) = operate.by.check() {
                    return Ok(Err(invalid.into()));
                }
                let operation = Operation {
                    verb: "signal",
                    by: operate.by.clone(),
                };
                let right = Right::Operator {
                    namespace: operate.namespace.clone(),
                    operation,
                };
                (operate.id, waitpoint.clone(), right)
            }
        };
        let signal = Signal {
            id: SignalId(mint::random_id()),
            waitpoint,
            right,
            deliver,
        };
        let call = DeliverCall::new(execution_id, What::Signal(Box::new(signal)));
        match self.inner.deliver.call(call).await? {
            DeliverVerdict::Signal(answer) => Ok(answer),
            DeliverVerdict::Resume(_) | DeliverVerdict::Moving => Err(moving(execution_id)),
        }
    }
}

/// Checks the bounds of a signal.
fn check(deliver: &mut Deliver) -> Result<(), model::Invalid> {
    model::signal_name(&deliver.name)?;
    let max = Limits::SIGNAL_TEXT_BYTES_MAX;
    for (field, given) in [
        ("source_type", &deliver.source_type),
        ("source_identity", &deliver.source_identity),
    ] {
        if given.is_empty() {
            return Err(model::Invalid::new(field, "is empty"));
        }
        text(field, given, max)?;
    }
    for (field, given) in [
        ("signal_category", &deliver.category),
        ("correlation_id", &deliver.correlation_id),
    ] {
        text(field, given.as_deref().unwrap_or_default(), max)?;
    }
    if let Some(key) = &deliver.idempotency_key {
        if key.is_empty() {
            return Err(model::Invalid::new("idempotency_key", "is empty"));
        }
        text("idempotency_key", key, Limits::KEY_BYTES_MAX)?;
    }
    if let Some(ttl) = deliver.dedup_ttl_ms
        && !(1..=Limits::DURATION_MS_MAX).contains(&ttl)
    {
        let detail = format!("{ttl} is out of range: 1 to {}", Limits::DURATION_MS_MAX);
        return Err(model::Invalid::new("dedup_ttl_ms", detail));
    }
    if let Some(payload) = &mut deliver.payload {
        content_type("payload.content_type", &mut payload.content_type)?;
        payload_bytes("payload", payload.data.len(), Limits::SIGNAL_BYTES_MAX)?;
    }
    Ok(())
}

impl Flush<DeliverCall> for Statements {
    type Verdict = DeliverVerdict;

    async fn flush(
        &self,
        partition: Partition,
        batch: &[Box<DeliverCall>],
        retried: bool,
    ) -> Result<Vec<DeliverVerdict>, Error> {
        let mut verdicts: Vec<Option<DeliverVerdict>> = batch.iter().map(|_| None).collect();
        if retried {
            self.find_kept(partition, batch, &mut verdicts).await?;
        }
        for attempt in 0..TRIES {
            let open: Vec<usize> = (0..batch.len())
                .filter(|at| verdicts[*at].is_none())
                .collect();
            if open.is_empty() {
                break;
            }
            if attempt >= PATIENT {
                tokio::time::sleep(Duration::from_millis(3).mul_f64(mint::unit())).await;
            }
            let mut plan = self.decide(partition, batch, &open).await?;
            let applied = self.write_boxes(partition, &plan.boxes).await?;
            if plan
                .boxes
                .iter()
                .any(|it| it.wakes() && applied.contains(&it.number))
            {
                self.wake.ready();
            }
            for (at, verdict, number) in plan.verdicts.drain(..) {
                if number.is_none_or(|number| applied.contains(&number)) {
                    verdicts[at] = Some(verdict);
                }
            }
        }
        let moving = || DeliverVerdict::Moving;
        Ok(verdicts
            .into_iter()
            .map(|it| it.unwrap_or_else(moving))
            .collect())
    }
}

/// What was decided: the boxes to write, and for each call its verdict and the box
/// that must be written for it to be true.
#[derive(Default)]
struct Plan<'a> {
    boxes: Vec<Boxed<'a>>,
    verdicts: Vec<(usize, DeliverVerdict, Option<i32>)>,
}

/// What is written whole or not at all; see `deliver.sql`.
struct Boxed<'a> {
    number: i32,
    execution_id: ExecutionId,
    suspension_id: Option<SuspensionId>,
    waitpoint_id: Option<WaitpointId>,
    expected: i32,
    only_due: bool,
    epoch: u64,
    namespace: String,
    ends: Option<Ends>,
    /// What operators asked for, and more on it.
    operations: Vec<(&'a Operation, Option<String>)>,
    signals: Vec<Kept<'a>>,
}

/// How a suspension ends.
struct Ends {
    reason: SuspensionCloseReason,
    satisfiers: Vec<SignalId>,
    spent: Vec<SignalId>,
    delay_ms: Option<u64>,
    closes_waitpoints: bool,
}

/// A signal that was accepted.
struct Kept<'a> {
    signal: &'a Signal,
    waitpoint_id: WaitpointId,
    effect: SignalEffect,
}

impl Boxed<'_> {
    /// Whether the execution is ready when this is written.
    fn wakes(&self) -> bool {
        self.ends
            .as_ref()
            .is_some_and(|ends| ends.delay_ms.is_none())
    }
}

impl Statements {
    /// Decides calls on what is read now.
    async fn decide<'a>(
        &self,
        partition: Partition,
        batch: &'a [Box<DeliverCall>],
        open: &[usize],
    ) -> Result<Plan<'a>, Error> {
        let mut ids: Vec<Uuid> = open
            .iter()
            .map(|at| batch[*at].execution_id.uuid())
            .collect();
        ids.dedup();
        let mut named = Named::default();
        for at in open {
            if let What::Signal(signal) = &batch[*at].what {
                named.add(&signal.waitpoint);
            }
        }
        let mut reads = inbox::read(&self.verbs, partition, &ids, &named).await?;
        let known = self.known(partition, batch, open, &reads).await?;
        let mut plan = Plan::default();
        for &at in open {
            let call = &batch[at];
            let read = reads.get_mut(&call.execution_id);
            match &call.what {
                What::Signal(signal) => plan.signal(at, call, signal, read, known.get(&at)),
                What::Resume(resume) => plan.resume(at, call, resume, read),
            }
        }
        for boxed in &mut plan.boxes {
            let read = &reads[&boxed.execution_id];
            boxed.end(read);
        }
        // The order in which rows are locked.
        plan.boxes
            .sort_by_key(|boxed| (boxed.execution_id, boxed.waitpoint_id.map(|id| id.0)));
        Ok(plan)
    }

    /// Finds signals that were delivered before.
    async fn known(
        &self,
        partition: Partition,
        batch: &[Box<DeliverCall>],
        open: &[usize],
        reads: &HashMap<ExecutionId, Read>,
    ) -> Result<HashMap<usize, (SignalId, SignalEffect)>, Error> {
        let (mut places, mut waitpoints, mut keys) = (Vec::new(), Vec::new(), Vec::new());
        for &at in open {
            if let What::Signal(signal) = &batch[at].what
                && let Some(key) = signal.deliver.idempotency_key.as_deref()
                && let Some(read) = reads.get(&batch[at].execution_id)
                && let Ok(waitpoint) = read.find(&signal.waitpoint)
            {
                places.push(at);
                waitpoints.push(waitpoint.0);
                keys.push(key);
            }
        }
        if places.is_empty() {
            return Ok(HashMap::new());
        }
        let rows = sqlx::query_file!(
            "src/suspension/known.sql",
            partition.column(),
            &waitpoints,
            &keys as &[&str],
        )
        .fetch_all(&self.verbs)
        .await?;
        rows.into_iter()
            .map(|row| {
                let at = usize::try_from(row.number - 1).unwrap_or(0);
                let effect = label("signal", "effect", row.id, &row.effect)?;
                Ok((places[at], (SignalId(row.id), effect)))
            })
            .collect()
    }

    /// Answers calls that an earlier try of this very batch wrote.
    async fn find_kept(
        &self,
        partition: Partition,
        batch: &[Box<DeliverCall>],
        verdicts: &mut [Option<DeliverVerdict>],
    ) -> Result<(), Error> {
        let mut places = HashMap::new();
        let (mut executions, mut ids) = (Vec::new(), Vec::new());
        for (at, call) in batch.iter().enumerate() {
            if let What::Signal(signal) = &call.what {
                places.insert(signal.id.0, at);
                executions.push(call.execution_id.uuid());
                ids.push(signal.id.0);
            }
        }
        let rows = sqlx::query!(
            "SELECT g.execution_id, g.id, g.waitpoint_id, g.effect
             FROM unnest($2::uuid[], $3::uuid[]) AS w(execution_id, id)
             CROSS JOIN LATERAL (
                 SELECT g.* FROM signal g
                 WHERE g.partition = $1 AND g.execution_id = w.execution_id AND g.id = w.id
                 OFFSET 0
             ) AS g",
            partition.column(),
            &executions,
            &ids,
        )
        .fetch_all(&self.verbs)
        .await?;
        for row in rows {
            let delivered = Delivered {
                signal_id: SignalId(row.id),
                execution_id: ExecutionId::from_uuid(row.execution_id),
                waitpoint_id: WaitpointId(row.waitpoint_id),
                effect: label("signal", "effect", row.id, &row.effect)?,
                duplicate: false,
            };
            if let Some(at) = places.get(&row.id) {
                verdicts[*at] = Some(DeliverVerdict::Signal(Ok(delivered)));
            }
        }
        Ok(())
    }

    /// Writes boxes; returns the numbers of those that were as they were read.
    async fn write_boxes(
        &self,
        partition: Partition,
        boxes: &[Boxed<'_>],
    ) -> Result<Vec<i32>, Error> {
        if boxes.is_empty() {
            return Ok(Vec::new());
        }
        let c = Columns::of(boxes);
        Ok(sqlx::query_file_scalar!(
            "src/suspension/deliver.sql",
            partition.column(),
            &c.numbers,
            &c.execution_ids,
            &c.suspension_ids as &[Option<Uuid>],
            &c.waitpoint_ids as &[Option<Uuid>],
            &c.expected,
            &c.only_due,
            &c.epochs,
            &c.namespaces as &[&str],
            &c.ends,
            &c.close_reasons as &[Option<&str>],
            &c.satisfiers as &[Option<String>],
            &c.spent as &[Option<String>],
            &c.delays as &[Option<i64>],
            &c.waitpoint_reasons as &[Option<&str>],
            &c.operated,
            &c.verbs as &[&str],
            &c.actors as &[&str],
            &c.whys as &[Option<&str>],
            &c.details as &[Option<&str>],
            &c.boxes,
            &c.ids,
            &c.at_waitpoints,
            &c.names as &[&str],
            &c.categories as &[Option<&str>],
            &c.source_types as &[&str],
            &c.source_identities as &[&str],
            &c.correlations as &[Option<&str>],
            &c.payloads as &[Option<&[u8]>],
            &c.payload_types as &[Option<&str>],
            &c.effects as &[&str],
            &c.keys as &[Option<&str>],
            &c.key_ttls as &[Option<i64>],
            &c.kids as &[Option<&str>],
            &c.token_expiries as &[Option<OffsetDateTime>],
        )
        .fetch_all(&self.verbs)
        .await?)
    }
}

impl<'a> Plan<'a> {
    fn signal(
        &mut self,
        at: usize,
        call: &DeliverCall,
        signal: &'a Signal,
        read: Option<&mut Read>,
        known: Option<&(SignalId, SignalEffect)>,
    ) {
        let refuse = |plan: &mut Self, refusal| {
            plan.verdicts
                .push((at, DeliverVerdict::Signal(Err(refusal)), None));
        };
        let read = match (read, &signal.right) {
            (
                Some(read),
                Right::Token {
                    kid,
                    expires_at,
                    namespace,
                },
            ) => {
                if !read.accepts(kid, *expires_at) || read.namespace != *namespace {
                    return refuse(self, InvalidToken.into());
                }
                read
            }
            (Some(read), Right::Operator { namespace, .. })
                if namespace.as_ref().is_none_or(|it| *it == read.namespace) =>
            {
                read
            }
            _ => return refuse(self, SignalRefusal::ExecutionNotFound),
        };
        let waitpoint_id = match read.find(&signal.waitpoint) {
            Ok(found) => found,
            Err(refusal) => return refuse(self, refusal),
        };
        let delivered = |signal_id, effect, duplicate| Delivered {
            signal_id,
            execution_id: call.execution_id,
            waitpoint_id,
            effect,
            duplicate,
        };
        if let Some(&(signal_id, effect)) = known {
            let verdict = DeliverVerdict::Signal(Ok(delivered(signal_id, effect, true)));
            return self.verdicts.push((at, verdict, None));
        }
        if let Some(key) = &signal.deliver.idempotency_key
            && let Some((first, effect, number)) = self.twin(call.execution_id, waitpoint_id, key)
        {
            let verdict = DeliverVerdict::Signal(Ok(delivered(first, effect, true)));
            return self.verdicts.push((at, verdict, Some(number)));
        }
        let heard = Heard {
            waitpoint_id,
            signal_id: signal.id,
            name: signal.deliver.name.clone(),
            source_type: signal.deliver.source_type.clone(),
            source_identity: signal.deliver.source_identity.clone(),
        };
        let effect = match read.inbox.deliver(heard) {
            Ok(effect) => effect,
            Err(refusal) => return refuse(self, refusal),
        };
        let boxed = self.boxed(call.execution_id, waitpoint_id, read);
        boxed.signals.push(Kept {
            signal,
            waitpoint_id,
            effect,
        });
        if let Right::Operator { operation, .. } = &signal.right {
            let detail = format!("{} at waitpoint {waitpoint_id}", signal.deliver.name);
            boxed.operations.push((operation, Some(detail)));
        }
        let number = boxed.number;
        let verdict = DeliverVerdict::Signal(Ok(delivered(signal.id, effect, false)));
        self.verdicts.push((at, verdict, Some(number)));
    }

    fn resume(
        &mut self,
        at: usize,
        call: &DeliverCall,
        resume: &'a Resume,
        read: Option<&mut Read>,
    ) {
        let waits = read.filter(|read| {
            let waiting = read.inbox.waiting.as_ref();
            waiting.is_some_and(|waiting| resume.due.is_none_or(|due| waiting.suspension_id == due))
        });
        let Some(read) = waits.filter(|read| read.inbox.is_waiting()) else {
            return self
                .verdicts
                .push((at, DeliverVerdict::Resume(false), None));
        };
        let boxed = self.suspension(call.execution_id, read);
        boxed.only_due |= resume.due.is_some();
        let operation = resume.operation.as_ref();
        boxed.operations.extend(operation.map(|it| (it, None)));
        boxed.ends = Some(Ends {
            reason: resume.reason,
            satisfiers: Vec::new(),
            spent: Vec::new(),
            delay_ms: resume.delay_ms,
            closes_waitpoints: false,
        });
        let number = boxed.number;
        read.inbox.resume(resume.reason);
        self.verdicts
            .push((at, DeliverVerdict::Resume(true), Some(number)));
    }

    /// Finds a signal of this batch with the same key.
    fn twin(
        &self,
        execution_id: ExecutionId,
        waitpoint_id: WaitpointId,
        key: &str,
    ) -> Option<(SignalId, SignalEffect, i32)> {
        self.boxes
            .iter()
            .rev()
            .take_while(|boxed| boxed.execution_id == execution_id)
            .flat_map(|boxed| boxed.signals.iter().map(|kept| (kept, boxed.number)))
            .find(|(kept, _)| {
                kept.waitpoint_id == waitpoint_id
                    && kept.signal.deliver.idempotency_key.as_deref() == Some(key)
            })
            .map(|(kept, number)| (kept.signal.id, kept.effect, number))
    }

    /// Finds the box a waitpoint belongs to.
    fn boxed(
        &mut self,
        execution_id: ExecutionId,
        waitpoint_id: WaitpointId,
        read: &Read,
    ) -> &mut Boxed<'a> {
        if read.of_suspension.contains(&waitpoint_id) {
            return self.suspension(execution_id, read);
        }
        let expected = read.signals.get(&waitpoint_id).copied().unwrap_or(0);
        self.find_or_add(execution_id, None, Some(waitpoint_id), expected, read)
    }

    fn suspension(&mut self, execution_id: ExecutionId, read: &Read) -> &mut Boxed<'a> {
        let waiting = read.inbox.waiting.as_ref();
        let suspension_id = waiting.map(|waiting| waiting.suspension_id);
        self.find_or_add(execution_id, suspension_id, None, read.changes, read)
    }

    fn find_or_add(
        &mut self,
        execution_id: ExecutionId,
        suspension_id: Option<SuspensionId>,
        waitpoint_id: Option<WaitpointId>,
        expected: i32,
        read: &Read,
    ) -> &mut Boxed<'a> {
        let at = self.boxes.iter().rposition(|boxed| {
            boxed.execution_id == execution_id
                && boxed.suspension_id == suspension_id
                && boxed.waitpoint_id == waitpoint_id
        });
        let at = at.unwrap_or_else(|| {
            self.boxes.push(Boxed {
                number: i32::try_from(self.boxes.len()).unwrap_or(i32::MAX),
                execution_id,
                suspension_id,
                waitpoint_id,
                expected,
                only_due: false,
                epoch: read.epoch,
                namespace: read.namespace.clone(),
                ends: None,
                operations: Vec::new(),
                signals: Vec::new(),
            });
            self.boxes.len() - 1
        });
        &mut self.boxes[at]
    }
}

impl Boxed<'_> {
    /// Notes how the suspension ends, if it does.
    fn end(&mut self, read: &Read) {
        let waiting = read.inbox.waiting.as_ref();
        let Some((waiting, closing)) = waiting
            .filter(|waiting| self.suspension_id == Some(waiting.suspension_id))
            .and_then(|waiting| Some((waiting, waiting.closing.as_ref()?)))
        else {
            return;
        };
        let asked = self.ends.as_ref().and_then(|ends| ends.delay_ms);
        self.ends = Some(Ends {
            reason: closing.reason,
            satisfiers: closing.satisfiers.clone(),
            spent: closing.spent.clone(),
            delay_ms: asked.or(waiting.policy.resume_delay_ms),
            closes_waitpoints: waiting.policy.close_waitpoint_on_resume,
        });
    }
}

/// The arrays of the statement.
#[derive(Default)]
struct Columns<'a> {
    numbers: Vec<i32>,
    execution_ids: Vec<Uuid>,
    suspension_ids: Vec<Option<Uuid>>,
    waitpoint_ids: Vec<Option<Uuid>>,
    expected: Vec<i32>,
    only_due: Vec<bool>,
    epochs: Vec<i64>,
    namespaces: Vec<&'a str>,
    ends: Vec<bool>,
    close_reasons: Vec<Option<&'a str>>,
    satisfiers: Vec<Option<String>>,
    spent: Vec<Option<String>>,
    delays: Vec<Option<i64>>,
    waitpoint_reasons: Vec<Option<&'a str>>,
    operated: Vec<i32>,
    verbs: Vec<&'a str>,
    actors: Vec<&'a str>,
    whys: Vec<Option<&'a str>>,
    details: Vec<Option<&'a str>>,
    boxes: Vec<i32>,
    ids: Vec<Uuid>,
    at_waitpoints: Vec<Uuid>,
    names: Vec<&'a str>,
    categories: Vec<Option<&'a str>>,
    source_types: Vec<&'a str>,
    source_identities: Vec<&'a str>,
    correlations: Vec<Option<&'a str>>,
    payloads: Vec<Option<&'a [u8]>>,
    payload_types: Vec<Option<&'a str>>,
    effects: Vec<&'a str>,
    keys: Vec<Option<&'a str>>,
    key_ttls: Vec<Option<i64>>,
    kids: Vec<Option<&'a str>>,
    token_expiries: Vec<Option<OffsetDateTime>>,
}

impl<'a> Columns<'a> {
    fn of(boxes: &'a [Boxed<'a>]) -> Self {
        let mut columns = Self::default();
        for boxed in boxes {
            columns.push_box(boxed);
            for kept in &boxed.signals {
                columns.push_signal(boxed.number, kept);
            }
        }
        columns
    }

    fn push_box(&mut self, boxed: &'a Boxed<'a>) {
        self.numbers.push(boxed.number);
        self.execution_ids.push(boxed.execution_id.uuid());
        self.suspension_ids.push(boxed.suspension_id.map(|id| id.0));
        self.waitpoint_ids.push(boxed.waitpoint_id.map(|id| id.0));
        self.expected.push(boxed.expected);
        self.only_due.push(boxed.only_due);
        self.epochs.push(bigint(boxed.epoch));
        self.namespaces.push(&boxed.namespace);
        let ends = boxed.ends.as_ref();
        self.ends.push(ends.is_some());
        self.close_reasons.push(ends.map(|it| it.reason.as_str()));
        self.satisfiers
            .push(ends.and_then(|it| joined(&it.satisfiers)));
        self.spent.push(ends.and_then(|it| joined(&it.spent)));
        self.delays
            .push(ends.and_then(|it| it.delay_ms).map(bigint));
        self.waitpoint_reasons.push(
            ends.filter(|it| it.closes_waitpoints)
                .map(|it| it.reason.of_waitpoint().as_str()),
        );
        for (operation, detail) in &boxed.operations {
            self.operated.push(boxed.number);
            self.verbs.push(operation.verb);
            self.actors.push(&operation.by.actor);
            self.whys.push(operation.by.reason.as_deref());
            self.details.push(detail.as_deref());
        }
    }

    fn push_signal(&mut self, number: i32, kept: &'a Kept<'a>) {
        let deliver = &kept.signal.deliver;
        self.boxes.push(number);
        self.ids.push(kept.signal.id.0);
        self.at_waitpoints.push(kept.waitpoint_id.0);
        self.names.push(&deliver.name);
        self.categories.push(deliver.category.as_deref());
        self.source_types.push(&deliver.source_type);
        self.source_identities.push(&deliver.source_identity);
        self.correlations.push(deliver.correlation_id.as_deref());
        let payload: Option<&Payload> = deliver.payload.as_ref();
        self.payloads.push(payload.map(|it| it.data.as_slice()));
        self.payload_types
            .push(payload.map(|it| it.content_type.as_str()));
        self.effects.push(kept.effect.as_str());
        let key = deliver.idempotency_key.as_deref();
        self.keys.push(key);
        let ttl = deliver
            .dedup_ttl_ms
            .unwrap_or(Limits::SIGNAL_DEDUP_MS_DEFAULT);
        self.key_ttls.push(key.map(|_| bigint(ttl)));
        let (kid, expires_at) = match &kept.signal.right {
            Right::Token {
                kid, expires_at, ..
            } => (Some(kid.as_str()), *expires_at),
            Right::Operator { .. } => (None, None),
        };
        self.kids.push(kid);
        self.token_expiries.push(expires_at);
    }
}

/// Joins ids for the statement; nothing for none.
fn joined(ids: &[SignalId]) -> Option<String> {
    let texts: Vec<String> = ids.iter().map(ToString::to_string).collect();
    (!texts.is_empty()).then(|| texts.join(","))
}

fn bigint(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
