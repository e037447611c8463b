//! Verifies waitpoint tokens. The MAC proves the claims of a token; whether it is still
//! valid is decided by the database, best in the statement that acts on it.

use model::{InvalidWaitpointToken, WaitpointClaims};
use time::OffsetDateTime;

use super::token::Parts;
use crate::{Declined, Engine};

/// A token that this instance signed: its claims, and what a statement that acts on it must
/// still compare.
///
/// ```sql
/// -- $kid, $expires_at of the token
/// EXISTS (SELECT FROM accepted_waitpoint_key k WHERE k.kid = $kid)
/// AND ($expires_at IS NULL OR $expires_at > clock_timestamp())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedWaitpointToken {
    /// Its claims. The instance and its generation were compared; that namespace, execution
    /// and waitpoint are those of the request, and that [`WaitpointClaims::allows`] the
    /// signal, is left to the caller.
    pub claims: WaitpointClaims,
    /// Id of the key that signed it.
    pub kid: String,
    /// First 16 hexadecimal digits of its MAC.
    pub fingerprint: String,
    /// Until when it is valid, by the database's clock; absent: as long as its waitpoint
    /// and its key.
    pub expires_at: Option<OffsetDateTime>,
}

impl Engine {
    /// Verifies the signature of a token of this instance, without asking whether its key
    /// is still accepted and whether it has expired: the statement that acts on it does.
    ///
    /// # Refusals
    /// [`InvalidWaitpointToken`], which does not say what is wrong with it.
    ///
    /// # Errors
    /// [`crate::Error::Secrets`] when the key it names cannot be read here.
    pub async fn verify_waitpoint_token_signature(
        &self,
        text: &str,
    ) -> Result<VerifiedWaitpointToken, Declined<InvalidWaitpointToken>> {
        let parts = Parts::of(text).ok_or(InvalidWaitpointToken)?;
        let key = self.waitpoint_token_key(parts.kid).await?;
        let verified = key.and_then(|key| key.verify_parts(&parts));
        let verified = verified.ok_or(InvalidWaitpointToken)?;
        let (claims, instance) = (verified.claims, self.instance());
        if (claims.instance_id, claims.generation) != (instance.id, instance.generation) {
            return Err(InvalidWaitpointToken.into());
        }
        let expires_at = match claims.expires_at_us {
            None => None,
            Some(us) => Some(moment(us).ok_or(InvalidWaitpointToken)?),
        };
        Ok(VerifiedWaitpointToken {
            expires_at,
            claims,
            kid: parts.kid.to_owned(),
            fingerprint: verified.fingerprint,
        })
    }

    /// Verifies a token and asks the database whether it is valid now. For callers that
    /// act in another statement, before which it may cease to be.
    ///
    /// # Refusals
    /// [`InvalidWaitpointToken`], which does not say what is wrong with it.
    ///
    /// # Errors
    /// As for [`Self::verify_waitpoint_token_signature`].
    pub async fn verify_waitpoint_token(
        &self,
        text: &str,
    ) -> Result<VerifiedWaitpointToken, Declined<InvalidWaitpointToken>> {
        let verified = self.verify_waitpoint_token_signature(text).await?;
        let is_valid = sqlx::query_scalar!(
            r#"SELECT EXISTS (SELECT FROM accepted_waitpoint_key WHERE kid = $1)
                  AND ($2::timestamptz IS NULL OR $2 > clock_timestamp()) AS "holds!""#,
            verified.kid,
            verified.expires_at
        )
        .fetch_one(&self.inner.reads)
        .await?;
        Ok(is_valid.then_some(verified).ok_or(InvalidWaitpointToken)?)
    }
}

/// Reads microseconds since 1970; `None` beyond the year 9999.
pub(super) fn moment(us: i64) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(us) * 1_000).ok()
}
