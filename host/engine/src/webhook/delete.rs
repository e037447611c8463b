//! delete-webhook: any state → nothing.

use model::WebhookRefusal;
use uuid::Uuid;

use crate::{Declined, Engine};

impl Engine {
    /// Deletes a webhook with its secrets and its place in the log. The present try may
    /// still arrive.
    ///
    /// # Refusals
    /// `webhook_not_found`, also for a repeat.
    pub async fn delete_webhook(
        &self,
        id: Uuid,
        within: Option<&str>,
    ) -> Result<(), Declined<WebhookRefusal>> {
        let deleted = sqlx::query!(
            "DELETE FROM webhook WHERE id = $1 AND ($2::text IS NULL OR namespace = $2)",
            id,
            within
        )
        .execute(&self.inner.reads)
        .await?;
        match deleted.rows_affected() {
            0 => Err(WebhookRefusal::NotFound(id.to_string()).into()),
            _ => Ok(()),
        }
    }
}
