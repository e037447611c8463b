//! create-waitpoint: a place for signals before anybody is suspended on it.
//!
//! Locks: the waitpoint, then the lease row. No event.

use model::{ExecutionId, Invalid, LeaseRefusal, Limits, SuspendRefusal, WaitpointId};

use super::bind::default_key;
use super::inbox::{self, Named};
use super::{CreateWaitpoint, OpenWaitpoint};
use crate::statements::{TRIES, conflict};
use crate::{Answer, Engine, Error, MintToken, TokenExpiry, mint};

impl Engine {
    /// Makes a waitpoint that is pending, so that its token can be sent out before
    /// the handler suspends; signals that come early are kept. An open waitpoint
    /// with the same key is given again with a new token, and lives at least as
    /// long.
    ///
    /// # Refusals
    /// See [`SuspendRefusal`].
    pub async fn create_waitpoint(
        &self,
        create: CreateWaitpoint,
    ) -> Answer<OpenWaitpoint, SuspendRefusal> {
        if let Err(invalid) = create.check() {
            return Ok(Err(invalid.into()));
        }
        let fence = create.fence;
        let id = WaitpointId(mint::random_id());
        for _ in 0..TRIES {
            let Some((namespace, existing, open)) = self.there(&create).await? else {
                return Ok(Err(LeaseRefusal::ExecutionNotFound.into()));
            };
            let max = Limits::WAITPOINTS_OPEN_MAX;
            if existing.is_none() && open >= max {
                return Ok(Err(SuspendRefusal::WaitpointLimitExceeded { max }));
            }
            let token = MintToken {
                namespace,
                execution_id: fence.execution_id,
                waitpoint_id: existing.unwrap_or(id),
                signal_names: create.signal_names.clone(),
                expiry: TokenExpiry::Never,
            };
            let minted = match self.mint_waitpoint_tokens(&[token]).await? {
                Ok(minted) => minted,
                Err(invalid) => return Ok(Err(invalid.into())),
            };
            let Some(minted) = minted.into_iter().next() else {
                continue;
            };
            let key = match create.key.as_str() {
                "" => default_key(id),
                key => key.to_owned(),
            };
            let ttl_ms = create
                .expires_in_ms
                .unwrap_or(Limits::WAITPOINT_PENDING_MS_DEFAULT);
            let made = sqlx::query_file!(
                "src/suspension/create_waitpoint.sql",
                fence.execution_id.partition().column(),
                fence.execution_id.uuid(),
                fence.lease_id.0,
                fence.epoch as i64,
                fence.attempt as i32,
                id.0,
                key,
                minted.kid,
                minted.fingerprint,
                i64::try_from(ttl_ms).unwrap_or(i64::MAX),
                max as i32,
                existing.map(|id| id.0),
            )
            .fetch_optional(&self.inner.verbs)
            .await?;
            if let Some(made) = made {
                return Ok(Ok(OpenWaitpoint {
                    id: WaitpointId(made.id),
                    key,
                    token: minted.token,
                    expires_at: made.expires_at,
                    existing: made.existing,
                }));
            }
            // It may have come or gone meanwhile.
            if let Err(refusal) = self.still_holds(fence).await? {
                return Ok(Err(refusal.into()));
            }
        }
        Err(conflict(fence.execution_id))
    }

    /// Reads the namespace of an execution, its open waitpoint with the key, and
    /// how many are open.
    async fn there(
        &self,
        create: &CreateWaitpoint,
    ) -> Result<Option<(String, Option<WaitpointId>, usize)>, Error> {
        let id: ExecutionId = create.fence.execution_id;
        let ids = [id.uuid()];
        let pool = &self.inner.verbs;
        let reads = inbox::read(pool, id.partition(), &ids, &Named::default()).await?;
        Ok(reads.take(id)?.map(|read| {
            let all = &read.inbox.waitpoints;
            let existing = all.iter().find(|waitpoint| waitpoint.key == create.key);
            (read.namespace, existing.map(|it| it.id), all.len())
        }))
    }

    /// Asks whether a lease holds.
    async fn still_holds(&self, fence: model::Fence) -> Answer<(), LeaseRefusal> {
        let look = self.observe(fence).await?;
        Ok(match look {
            None => Err(LeaseRefusal::ExecutionNotFound),
            Some(look) if look.observed.holds(&fence, false) => Ok(()),
            Some(look) => Err(look.observed.refusal(&fence)),
        })
    }
}

impl CreateWaitpoint {
    fn check(&self) -> Result<(), Invalid> {
        if !self.key.is_empty() {
            model::waitpoint_key(&self.key)?;
        }
        match self.expires_in_ms {
            Some(ms) if !(1..=Limits::DURATION_MS_MAX).contains(&ms) => Err(Invalid::new(
                "expires_in_ms",
                format!("{ms} is out of range: 1 to {}", Limits::DURATION_MS_MAX),
            )),
            _ => Ok(()),
        }
    }
}
