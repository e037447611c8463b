//! What a request to create made before: by its idempotency key, or else by the id
//! that its caller made.
//!
//! Read only when a request made nothing, or is about to be refused.

use model::{CreateRefusal, ExecutionId, Partition, PublicState};

use super::check::policy_text;
use super::statement::CreateCall;
use super::verb::Created;
use crate::Error;
use crate::columns::columns;
use crate::database::Pool;

/// What was found for one request.
#[derive(Debug, Default)]
pub(super) struct Existing {
    /// What its key made, and what the request for that asked for.
    key: Option<(ExecutionId, Vec<u8>)>,
    /// Whether the key is still remembered.
    key_holds: bool,
    /// Whether the execution that has its id was asked for in the same way; absent if
    /// there is none.
    same_id: Option<bool>,
}

impl Existing {
    /// Returns what there is while the key, if there is one, is remembered.
    pub(super) fn while_remembered(mut self) -> Self {
        if !self.key_holds {
            self.key = None;
        }
        self
    }
}

impl CreateCall {
    /// Answers a request by what it made before; `None` if that was nothing.
    pub(super) fn made_before(
        &self,
        existing: &Existing,
        retried: bool,
    ) -> Option<Result<Created, CreateRefusal>> {
        if let Some((id, digest)) = &existing.key {
            let (id, same) = (*id, Some(digest) == self.digest.as_ref());
            // An id made here exists only if an earlier try of this very call
            // committed without its reply reaching us.
            if retried && self.minted && id == self.id {
                return Some(Ok(self.made()));
            }
            return Some(if same {
                Ok(Created::Duplicate { id })
            } else {
                Err(CreateRefusal::IdempotencyConflict { existing: id })
            });
        }
        let id = self.id;
        Some(match existing.same_id? {
            _ if self.minted => Ok(self.made()),
            true => Ok(Created::Duplicate { id }),
            false => Err(CreateRefusal::IdConflict { id }),
        })
    }

    fn made(&self) -> Created {
        let delayed = self.create.delay_ms.is_some() || self.create.delay_until.is_some();
        Created::Created {
            id: self.id,
            state: if delayed {
                PublicState::Delayed
            } else {
                PublicState::Waiting
            },
        }
    }
}

/// Finds what these requests of one partition made before, in their order.
///
/// A key counts only with an execution that has it: one taken for an id that
/// another request created at the same moment says nothing.
pub(super) async fn find(
    verbs: &Pool,
    partition: Partition,
    calls: &[&CreateCall],
) -> Result<Vec<Existing>, Error> {
    if calls.is_empty() {
        return Ok(Vec::new());
    }
    let rows = columns!(
        query!(
            r#"SELECT i.execution_id AS "keyed?", i.request_digest AS "key_digest?",
                  coalesce(i.holds, false) AS "key_holds!", e.namespace AS "namespace?",
                  e.request_digest AS "id_digest?"
           FROM unnest($2::uuid[], $3::text[], $4::text[])
               WITH ORDINALITY AS w(id, namespace, key, n)
           LEFT JOIN LATERAL (
               SELECT i.execution_id, i.request_digest,
                      i.expires_at > clock_timestamp() AS holds
               FROM idempotency i
               JOIN execution e ON e.partition = $1 AND e.id = i.execution_id
                   AND e.namespace = i.namespace AND e.idempotency_key = i.key
               WHERE i.partition = $1 AND i.namespace = w.namespace AND i.key = w.key OFFSET 0
           ) AS i ON true
           LEFT JOIN LATERAL (
               SELECT e.namespace, e.request_digest FROM execution e
               WHERE e.partition = $1 AND e.id = w.id OFFSET 0
           ) AS e ON true
           ORDER BY w.n"#,
            partition.column()
        );
        for call in calls => {
            ids = call.id.uuid();
            namespaces as &str = &call.create.namespace;
            keys as Option<&str> = call.create.idempotency_key.as_deref();
        }
    )
    .fetch_all(verbs)
    .await?;
    assert_eq!(rows.len(), calls.len(), "every request is looked for once");
    let mut found = Vec::with_capacity(rows.len());
    for (call, row) in calls.iter().zip(rows) {
        let same_id = match (row.namespace, row.id_digest) {
            (None, _) => None,
            (Some(namespace), _) if namespace != call.create.namespace => Some(false),
            (Some(_), Some(digest)) => Some(call.digest.as_ref() == Some(&digest)),
            // Made by a host of an earlier version, or under an id that was made for it.
            (Some(_), None) => Some(compare(verbs, partition, call).await?),
        };
        found.push(Existing {
            key: row
                .keyed
                .zip(row.key_digest)
                .map(|(id, digest)| (ExecutionId::from_uuid(id), digest)),
            key_holds: row.key_holds,
            same_id,
        });
    }
    Ok(found)
}

/// Whether a request asked for the execution that has its id and of which no digest is
/// kept, as far as the execution's own columns tell.
async fn compare(verbs: &Pool, partition: Partition, call: &CreateCall) -> Result<bool, Error> {
    let create = &call.create;
    let same = sqlx::query_scalar!(
        r#"SELECT (lane = $3 AND kind = $4 AND priority = $5 AND input = $6 AND input_type = $7
                   AND policy IS NOT DISTINCT FROM $8)
                  AS "same!"
           FROM execution WHERE partition = $1 AND id = $2"#,
        partition.column(),
        call.id.uuid(),
        create.lane,
        create.kind,
        create.priority as i16,
        create.input.data,
        create.input.content_type,
        policy_text(&create.policy),
    )
    .fetch_optional(verbs)
    .await?;
    Ok(same == Some(true))
}
