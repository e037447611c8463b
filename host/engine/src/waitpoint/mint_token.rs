//! mint-waitpoint-token: another token for an open waitpoint, for an operator who has
//! none.

use model::{WaitpointClaims, WaitpointRef, WaitpointRefusal};

use super::OpenWaitpoint;
use super::key::{MintWaitpointToken, WaitpointTokenExpiry};
use crate::operate::Operate;
use crate::row::bigint;
use crate::{Declined, Engine};

impl Engine {
    /// Mints another token for an open waitpoint; those minted before stay valid. The
    /// operator is recorded with the execution.
    ///
    /// # Refusals
    /// See [`WaitpointRefusal`].
    pub async fn mint_waitpoint_token(
        &self,
        operate: Operate,
        waitpoint: WaitpointRef,
        signal_names: Vec<String>,
        expiry: WaitpointTokenExpiry,
    ) -> Result<OpenWaitpoint, Declined<WaitpointRefusal>> {
        operate.by.check()?;
        WaitpointClaims::check_signal_names(&signal_names)?;
        expiry.check()?;
        let found = self.find_open_waitpoint(&operate, &waitpoint).await?;
        let token = MintWaitpointToken {
            namespace: found.namespace,
            execution_id: operate.id,
            waitpoint_id: found.id,
            signal_names,
            expiry,
        };
        let minted = self.mint_with(&self.signing_waitpoint_key().await?, &token)?;
        // Recorded before the caller gets it.
        sqlx::query!(
            "INSERT INTO operation (partition, execution_id, verb, actor, reason, detail, epoch)
             VALUES ($1, $2, 'mint_token', $3, $4, $5, $6)",
            operate.id.partition().column(),
            operate.id.uuid(),
            operate.by.actor,
            operate.by.reason,
            format!("{} ({} {})", found.key, minted.kid, minted.fingerprint),
            bigint(found.epoch),
        )
        .execute(&self.inner.verbs)
        .await?;
        Ok(OpenWaitpoint {
            id: found.id,
            key: found.key,
            token: minted.token,
            expires_at: minted.expires_at,
            existing: true,
        })
    }
}
