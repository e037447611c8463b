//! audit-end: an entry without an outcome → with one.

use model::Partition;
use uuid::Uuid;

use super::AuditId;
use super::begin::{NO_PARTITION, fitted};
use crate::batch::{BatchItem, Flush};
use crate::columns::columns;
use crate::statements::Statements;
use crate::{Engine, Error};

/// Most bytes of an outcome.
const OUTCOME_BYTES_MAX: usize = 64;

/// The outcome of an entry.
pub(crate) struct AuditEnd {
    id: Uuid,
    outcome: String,
}

impl Engine {
    /// Writes how a verb ended: `done`, or the code of the problem that was answered. The
    /// first outcome of an entry stands.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when the database does not answer; then the entry stays without
    /// an outcome.
    pub async fn audit_end(&self, id: AuditId, outcome: &str) -> Result<(), Error> {
        let call = AuditEnd {
            id: id.0,
            outcome: fitted(outcome, OUTCOME_BYTES_MAX).unwrap_or_else(|| "unnamed".to_owned()),
        };
        self.inner.batchers.audit_end.call(call).await
    }
}

impl BatchItem for AuditEnd {
    type Key = Uuid;

    fn partition(&self) -> Partition {
        NO_PARTITION
    }

    fn key(&self) -> Uuid {
        self.id
    }
}

impl Flush<AuditEnd> for Statements {
    type Verdict = ();

    async fn flush(
        &self,
        _: Partition,
        batch: &[Box<AuditEnd>],
        _retried: bool,
    ) -> Result<Vec<()>, Error> {
        columns!(
            query!(
                "UPDATE audit a SET outcome = i.outcome
                 FROM unnest($1::uuid[], $2::text[]) AS i(id, outcome)
                 WHERE a.id = i.id AND a.outcome IS NULL"
            );
            for call in batch => {
                ids = call.id;
                outcomes as &str = call.outcome.as_str();
            }
        )
        .execute(&self.verbs)
        .await?;
        Ok(vec![(); batch.len()])
    }
}
