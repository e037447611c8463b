//! retire-waitpoint-key: retiring → refused from now on.

use model::KeyRetireRefusal;

use crate::{Declined, Engine, Operator};

impl Engine {
    /// Has tokens of an old key refused from now on, by every host. Asking again
    /// changes nothing.
    ///
    /// # Refusals
    /// `waitpoint_key_not_found`; `waitpoint_key_active` when it signs: rotate
    /// first, with a grace of 0 to end it at once.
    pub async fn retire_waitpoint_key(
        &self,
        kid: &str,
        actor: &str,
    ) -> Result<(), Declined<KeyRetireRefusal>> {
        if model::waitpoint_kid(kid).is_err() {
            return Err(KeyRetireRefusal::KeyNotFound(kid.to_owned()).into());
        }
        Operator::check_actor(actor)?;
        let retired = sqlx::query!(
            "UPDATE waitpoint_key
             SET not_after = least(not_after, clock_timestamp()),
                 retired_by = CASE WHEN not_after > clock_timestamp() THEN $2 ELSE retired_by END
             WHERE kid = $1 AND state = 'retiring'",
            kid,
            actor
        )
        .execute(&self.inner.reads)
        .await?;
        if retired.rows_affected() == 1 {
            return Ok(());
        }
        let existing = sqlx::query!("SELECT kid FROM waitpoint_key WHERE kid = $1", kid)
            .fetch_optional(&self.inner.reads)
            .await?;
        Err(match existing {
            Some(_) => KeyRetireRefusal::KeyActive(kid.to_owned()),
            None => KeyRetireRefusal::KeyNotFound(kid.to_owned()),
        }
        .into())
    }
}
