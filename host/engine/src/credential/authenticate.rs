//! authenticate: which key a text is of, if it is accepted now.

use std::collections::HashMap;

use model::{Principal, RoleGrant};
use uuid::Uuid;

use super::KeyHash;
use crate::row::{label, readable};
use crate::{Engine, Error};

impl Engine {
    /// Returns for each of these hashes, in order, the principal that holds the text; `None`
    /// if it is unknown, or its key or itself has expired or was revoked, by the database's
    /// clock. One statement reads them all.
    ///
    /// Notes the use of a key, at most once a minute; that it could not be noted, as on a
    /// database that is read-only, refuses no request.
    pub async fn authenticate(&self, hashes: &[KeyHash]) -> Result<Vec<Option<Principal>>, Error> {
        if hashes.is_empty() {
            return Ok(Vec::new());
        }
        let given: Vec<&[u8]> = hashes.iter().map(KeyHash::column).collect();
        let rows = sqlx::query!(
            r#"SELECT a.hash AS "hash!", a.id AS "id!", a.name AS "name!", a.role::text AS "role!",
                      a.namespace,
                      (a.last_used_at IS NULL
                       OR a.last_used_at <= clock_timestamp() - interval '1 minute') AS "unnoted!"
               FROM accepted_api_key a WHERE a.hash = ANY ($1)"#,
            &given as &[&[u8]]
        )
        .fetch_all(&self.inner.reads)
        .await?;
        let unnoted: Vec<Uuid> = rows
            .iter()
            .filter(|it| it.unnoted)
            .map(|it| it.id)
            .collect();
        if !unnoted.is_empty()
            && let Err(error) = self.note_use(&unnoted).await
        {
            tracing::warn!(%error, "the use of API keys could not be noted");
        }
        let accepted: HashMap<Vec<u8>, Principal> = rows
            .into_iter()
            .filter_map(|row| {
                let role = readable(label("api_key", "role", row.id, &row.role))?;
                let principal = Principal {
                    name: Some(format!("key:{}", row.name)),
                    credential_id: Some(row.id),
                    grants: vec![RoleGrant {
                        role,
                        namespace: row.namespace,
                    }],
                };
                Some((row.hash, principal))
            })
            .collect();
        let of_hash = |hash: &KeyHash| accepted.get(hash.column()).cloned();
        Ok(hashes.iter().map(of_hash).collect())
    }

    /// Notes that keys were used now. Waits for no lock: another host notes it as well, and
    /// a statement that changes a key would have every request with it wait.
    async fn note_use(&self, ids: &[Uuid]) -> Result<(), Error> {
        sqlx::query!(
            "UPDATE api_key SET last_used_at = clock_timestamp()
             WHERE id IN (SELECT id FROM api_key
                          WHERE id = ANY ($1)
                            AND (last_used_at IS NULL
                                 OR last_used_at <= clock_timestamp() - interval '1 minute')
                          FOR NO KEY UPDATE SKIP LOCKED)",
            ids
        )
        .execute(&self.inner.reads)
        .await?;
        Ok(())
    }
}
