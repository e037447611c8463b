//! list: published components, newest first.

use model::{Digest, Limits};

use super::ComponentRow;
use crate::row::StoredTime;
use crate::{Engine, Error, Page};

impl Engine {
    /// Lists published components, newest first, those before the one of a number; at most
    /// `limit`, which is at most [`Limits::PAGE_MAX`]. One that cannot be shown is listed
    /// by its number.
    pub async fn components(
        &self,
        after: Option<i32>,
        limit: u32,
    ) -> Result<Page<ComponentRow, i32>, Error> {
        let limit = limit.min(Limits::PAGE_MAX);
        let rows = sqlx::query!(
            r#"SELECT id, digest, octet_length(bytes)::bigint AS "size!", world, imports,
                      published_at AS "published_at: StoredTime"
               FROM component WHERE id < $1 ORDER BY id DESC LIMIT $2"#,
            after.unwrap_or(i32::MAX),
            i64::from(limit) + 1,
        )
        .fetch_all(&self.inner.reads)
        .await?;
        let rows = rows.into_iter().map(|row| {
            let read = || {
                Ok(ComponentRow {
                    id: row.id,
                    digest: digest(row.id, row.digest)?,
                    size: row.size,
                    world: row.world,
                    imports: row.imports,
                    published_at: row.published_at.read("component", "published_at", row.id)?,
                })
            };
            (row.id, read())
        });
        Page::read(limit, rows)
    }
}

/// Reads the digest of the component with this number.
pub(super) fn digest(id: i32, bytes: Vec<u8>) -> Result<Digest, Error> {
    match bytes.try_into() {
        Ok(bytes) => Ok(Digest(bytes)),
        Err(_) => Err(Error::corrupt("component", "digest", id, "not 32 bytes")),
    }
}
