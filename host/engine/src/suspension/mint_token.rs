//! A token for a waitpoint, for an operator who has none.

use model::WaitpointRefusal;

use super::{OpenWaitpoint, WaitpointRef};
use crate::operate::Operate;
use crate::{Answer, Engine, MintToken, TokenExpiry};

impl Engine {
    /// Makes another token for an open waitpoint; those made before stay good.
    /// Who asked is kept with the execution.
    ///
    /// # Refusals
    /// See [`WaitpointRefusal`].
    pub async fn mint_waitpoint_token(
        &self,
        operate: Operate,
        waitpoint: WaitpointRef,
        signal_names: Vec<String>,
        expiry: TokenExpiry,
    ) -> Answer<OpenWaitpoint, WaitpointRefusal> {
        if let Err(invalid) = operate.by.check() {
            return Ok(Err(invalid.into()));
        }
        let (read, id) = match self.find_open(&operate, &waitpoint).await? {
            Ok(found) => found,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let wanted = MintToken {
            namespace: read.namespace.clone(),
            execution_id: operate.id,
            waitpoint_id: id,
            signal_names,
            expiry,
        };
        let minted = match self.mint_waitpoint_tokens(&[wanted]).await? {
            Ok(minted) => minted,
            Err(invalid) => return Ok(Err(invalid.into())),
        };
        let key = read.inbox.waitpoints.iter().find(|it| it.id == id);
        let (Some(minted), Some(key)) = (minted.into_iter().next(), key) else {
            return Ok(Err(WaitpointRefusal::WaitpointNotFound));
        };
        // Noted before it is handed out.
        sqlx::query!(
            "INSERT INTO operation (partition, execution_id, verb, actor, reason, detail, epoch)
             VALUES ($1, $2, 'mint_token', $3, $4, $5, $6)",
            operate.id.partition().column(),
            operate.id.uuid(),
            operate.by.actor,
            operate.by.reason,
            format!("{} ({} {})", key.key, minted.kid, minted.fingerprint),
            read.epoch as i64,
        )
        .execute(&self.inner.verbs)
        .await?;
        Ok(Ok(OpenWaitpoint {
            id,
            key: key.key.clone(),
            token: minted.token,
            expires_at: minted.expires_at,
            existing: true,
        }))
    }
}
