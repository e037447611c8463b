//! close a waitpoint: it takes no more signals.
//!
//! Locks: the parked row of its suspension, then the waitpoint. No event; who did
//! it is in `operation`.

use model::{
    ExecutionId, SignalRefusal, WaitpointCloseReason, WaitpointId, WaitpointRefusal, WaitpointState,
};
use uuid::Uuid;

use super::WaitpointRef;
use super::inbox::{self, Named, Read};
use crate::operate::Operate;
use crate::statements::{TRIES, conflict};
use crate::{Answer, Engine, Error};

impl Engine {
    /// Closes a waitpoint. What it accepted still counts; what comes later is
    /// refused. Its suspension, if one waits at it, goes on waiting. Succeeds again
    /// on one that was closed by an operator.
    ///
    /// # Refusals
    /// See [`WaitpointRefusal`].
    pub async fn close_waitpoint(
        &self,
        operate: Operate,
        waitpoint: WaitpointRef,
    ) -> Answer<(), WaitpointRefusal> {
        if let Err(invalid) = operate.by.check() {
            return Ok(Err(invalid.into()));
        }
        for _ in 0..TRIES {
            let (read, id) = match self.find_open(&operate, &waitpoint).await? {
                Ok(found) => found,
                Err(WaitpointRefusal::WaitpointClosed {
                    reason: WaitpointCloseReason::ProactiveClose,
                }) => return Ok(Ok(())),
                Err(refusal) => return Ok(Err(refusal)),
            };
            let closed = sqlx::query_file_scalar!(
                "src/suspension/close_waitpoint.sql",
                operate.id.partition().column(),
                operate.id.uuid(),
                id.0,
                operate.by.actor,
                operate.by.reason,
                read.epoch as i64,
            )
            .fetch_optional(&self.inner.verbs)
            .await?;
            if closed.is_some() {
                return Ok(Ok(()));
            }
        }
        Err(conflict(operate.id))
    }

    /// Finds an open waitpoint that an operator means.
    pub(super) async fn find_open(
        &self,
        operate: &Operate,
        waitpoint: &WaitpointRef,
    ) -> Answer<(Read, WaitpointId), WaitpointRefusal> {
        let read = self.read_inbox(operate.id, waitpoint).await?;
        let read = read.filter(|read| {
            let namespace = operate.namespace.as_ref();
            namespace.is_none_or(|it| *it == read.namespace)
        });
        let Some(read) = read else {
            return Ok(Err(WaitpointRefusal::ExecutionNotFound));
        };
        let id = match read.find(waitpoint) {
            Ok(id) => id,
            Err(SignalRefusal::WaitpointAmbiguous { open }) => {
                return Ok(Err(WaitpointRefusal::WaitpointAmbiguous { open }));
            }
            Err(_) => return Ok(Err(WaitpointRefusal::WaitpointNotFound)),
        };
        let found = read.inbox.waitpoints.iter().find(|it| it.id == id);
        let closed =
            found.filter(|it| matches!(it.state, WaitpointState::Closed | WaitpointState::Expired));
        Ok(match closed {
            Some(closed) => Err(WaitpointRefusal::WaitpointClosed {
                reason: closed
                    .close_reason
                    .unwrap_or(WaitpointCloseReason::NeverCommitted),
            }),
            None => Ok((read, id)),
        })
    }

    async fn read_inbox(
        &self,
        id: ExecutionId,
        waitpoint: &WaitpointRef,
    ) -> Result<Option<Read>, Error> {
        let mut named = Named::default();
        named.add(waitpoint);
        let ids: [Uuid; 1] = [id.uuid()];
        let pool = &self.inner.verbs;
        let reads = inbox::read(pool, id.partition(), &ids, &named).await?;
        reads.take(id)
    }
}
