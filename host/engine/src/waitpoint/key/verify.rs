//! Opens tokens. What a token says is proven by its code; whether it still holds
//! is decided by the database, best in the statement that acts on it.

use model::{InvalidWaitpointToken, WaitpointClaims};
use time::OffsetDateTime;

use super::token::Parts;
use crate::{Answer, Engine};

/// A token made by this instance: what it says, and what a statement that acts on
/// it must still compare.
///
/// ```sql
/// -- $kid, $expires_at of the token
/// EXISTS (SELECT FROM accepted_waitpoint_key k WHERE k.kid = $kid)
/// AND ($expires_at IS NULL OR $expires_at > clock_timestamp())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedWaitpointToken {
    /// What it says. That namespace, execution and waitpoint are those that are
    /// asked for, and that [`WaitpointClaims::allows`] the signal, is left to the
    /// caller; the instance and its generation were compared.
    pub claims: WaitpointClaims,
    /// Name of the key that signed it.
    pub kid: String,
    /// First 16 hexadecimal digits of its code.
    pub fingerprint: String,
    /// Until when it holds, by the database's clock.
    pub expires_at: Option<OffsetDateTime>,
}

impl Engine {
    /// Opens a token of this instance, without asking whether its key is still
    /// accepted and its time not over: the statement that acts on it does.
    ///
    /// # Refusals
    /// [`InvalidWaitpointToken`], whatever is wrong with it.
    ///
    /// # Errors
    /// [`crate::Error::Secrets`] when the key it names cannot be read here.
    pub async fn verify_waitpoint_token_signature(
        &self,
        text: &str,
    ) -> Answer<VerifiedWaitpointToken, InvalidWaitpointToken> {
        let Some(parts) = Parts::of(text) else {
            return Ok(Err(InvalidWaitpointToken));
        };
        let Some(key) = self.waitpoint_token_key(parts.kid).await? else {
            return Ok(Err(InvalidWaitpointToken));
        };
        Ok(key
            .verify_parts(&parts)
            .filter(|verified| {
                let (claims, instance) = (&verified.claims, self.instance());
                (claims.instance_id, claims.generation) == (instance.id, instance.generation)
            })
            .and_then(|verified| {
                Some(VerifiedWaitpointToken {
                    expires_at: match verified.claims.expires_at_us {
                        None => None,
                        Some(us) => Some(moment(us)?),
                    },
                    claims: verified.claims,
                    kid: parts.kid.to_owned(),
                    fingerprint: verified.fingerprint,
                })
            })
            .ok_or(InvalidWaitpointToken))
    }

    /// Opens a token and asks the database whether it holds now. For callers that
    /// act in another statement, between which and this one it may cease to.
    ///
    /// # Refusals
    /// [`InvalidWaitpointToken`], whatever is wrong with it.
    ///
    /// # Errors
    /// As for [`Self::verify_waitpoint_token_signature`].
    pub async fn verify_waitpoint_token(
        &self,
        text: &str,
    ) -> Answer<VerifiedWaitpointToken, InvalidWaitpointToken> {
        let verified = match self.verify_waitpoint_token_signature(text).await? {
            Ok(verified) => verified,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let holds = sqlx::query_scalar!(
            r#"SELECT EXISTS (SELECT FROM accepted_waitpoint_key WHERE kid = $1)
                  AND ($2::timestamptz IS NULL OR $2 > clock_timestamp()) AS "holds!""#,
            verified.kid,
            verified.expires_at
        )
        .fetch_one(&self.inner.reads)
        .await?;
        Ok(holds.then_some(verified).ok_or(InvalidWaitpointToken))
    }
}

/// Reads microseconds since 1970; `None` beyond the year 9999.
pub(super) fn moment(us: i64) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(us) * 1_000).ok()
}
