//! Appends a batch: decide, write if unchanged, and answer each call.

use std::collections::HashSet;

use model::{AppendRefusal, ExecutionId, Fence, Partition};

use super::call::{AppendCall, AppendVerdict};
use super::group::{Group, Write};
use super::known::Known;
use super::trim::{EXCESS, trim};
use crate::Error;
use crate::batch::Flush;
use crate::statements::{Statements, TRIES, conflict};

impl Flush<AppendCall> for Statements {
    type Verdict = AppendVerdict;

    async fn flush(
        &self,
        partition: Partition,
        batch: &[Box<AppendCall>],
        retried: bool,
    ) -> Result<Vec<AppendVerdict>, Error> {
        let mut round = Round {
            statements: self,
            partition,
            batch,
            verdicts: vec![None; batch.len()],
            changed: HashSet::new(),
            excessive: Vec::new(),
        };
        for _ in 0..TRIES {
            // An earlier try may be applied until its place has passed.
            if retried {
                round.recognize().await?;
            }
            if !round.run().await? {
                break;
            }
        }
        self.wake.streamed(round.changed.iter().copied());
        trim(&self.verbs, partition, &round.excessive).await;
        let unanswered = batch[0].fence.execution_id;
        let verdicts = round.verdicts.into_iter();
        let answered: Option<Vec<AppendVerdict>> = verdicts.collect();
        answered.ok_or_else(|| conflict(unanswered))
    }
}

/// A batch while it is answered.
struct Round<'a> {
    statements: &'a Statements,
    partition: Partition,
    batch: &'a [Box<AppendCall>],
    verdicts: Vec<Option<AppendVerdict>>,
    /// Executions that were appended to.
    changed: HashSet<ExecutionId>,
    /// Streams with many trimmed frames.
    excessive: Vec<(ExecutionId, u32)>,
}

impl<'a> Round<'a> {
    /// Answers the calls that an earlier try of this batch has appended.
    async fn recognize(&mut self) -> Result<(), Error> {
        let statements = self.statements;
        let mut found = statements.recognize(self.partition, self.batch).await?;
        for (verdict, call) in self.verdicts.iter_mut().zip(self.batch) {
            if let Some(appended) = found.remove(&call.token) {
                self.changed.insert(call.fence.execution_id);
                *verdict = Some(Ok(appended));
            }
        }
        Ok(())
    }

    /// Tries to append once for each execution; returns whether calls are left.
    async fn run(&mut self) -> Result<bool, Error> {
        let batch = self.batch;
        let open = batch.iter().map(Box::as_ref).enumerate();
        let groups = Group::of(open.filter(|(index, _)| self.verdicts[*index].is_none()));
        if groups.is_empty() {
            return Ok(false);
        }
        let fences: Vec<Fence> = groups.iter().map(|group| group.fence).collect();
        let writes = self.decide(groups).await?;
        let written = self.write(&writes).await?;
        let missed: Vec<Fence> = fences
            .into_iter()
            .filter(|fence| !written.contains(&fence.execution_id))
            .collect();
        if !missed.is_empty() {
            self.refuse(&missed).await?;
        }
        Ok(self.verdicts.iter().any(Option::is_none))
    }

    /// Decides what is written, and refuses patches that are too much.
    async fn decide(&mut self, groups: Vec<Group<'a>>) -> Result<Vec<Write<'a>>, Error> {
        let statements = self.statements;
        let mut states = statements.stream_states(self.partition, &groups).await?;
        let mut writes = Vec::with_capacity(groups.len());
        for group in groups {
            let Some(state) = states.remove(&group.fence.execution_id) else {
                continue;
            };
            let (write, refused) = group.decide(state);
            writes.extend(write);
            for (index, refusal) in refused {
                self.verdicts[index] = Some(Err(refusal));
            }
        }
        Ok(writes)
    }

    /// Writes, answers the calls that were, and returns the executions. Calls on them
    /// under other fences are refused, since these are not held.
    async fn write(&mut self, writes: &[Write<'a>]) -> Result<HashSet<ExecutionId>, Error> {
        if writes.is_empty() {
            return Ok(HashSet::new());
        }
        let statements = self.statements;
        let left = statements.append(self.partition, writes).await?;
        let mut written = HashSet::with_capacity(left.len());
        for write in writes {
            let stream = write.group.stream();
            let Some(left) = left.get(&stream.0).copied() else {
                statements.known_streams.forget(stream);
                continue;
            };
            written.insert(stream.0);
            let known = Known {
                place: Some(left.place),
                ..write.known
            };
            statements.known_streams.set(stream, known);
            if left.excess >= EXCESS {
                self.excessive.push(stream);
            }
            for (index, appended) in write.answers(left) {
                self.verdicts[index] = Some(Ok(appended));
            }
        }
        self.changed.extend(&written);
        for (verdict, call) in self.verdicts.iter_mut().zip(self.batch) {
            if verdict.is_none() && written.contains(&call.fence.execution_id) {
                *verdict = Some(Err(AppendRefusal::StaleOwner));
            }
        }
        Ok(written)
    }

    /// Refuses the calls on executions to which nothing was written, unless their lease
    /// holds: then another append came first, and they are decided again.
    async fn refuse(&mut self, missed: &[Fence]) -> Result<(), Error> {
        let observed = self.statements.observe(self.partition, missed).await?;
        let missed: HashSet<ExecutionId> = missed.iter().map(|it| it.execution_id).collect();
        for (verdict, call) in self.verdicts.iter_mut().zip(self.batch) {
            let fence = &call.fence;
            if verdict.is_some() || !missed.contains(&fence.execution_id) {
                continue;
            }
            *verdict = match observed.get(&fence.execution_id) {
                Some(it) if it.observed.holds(fence, false) => None,
                Some(it) => Some(Err(AppendRefusal::of(&it.observed, fence))),
                None => Some(Err(AppendRefusal::ExecutionNotFound)),
            };
        }
        Ok(())
    }
}
