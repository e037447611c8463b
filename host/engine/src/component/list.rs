//! list: published components, newest first.

use model::Digest;

use super::ComponentRow;
use crate::row::StoredTime;
use crate::{Engine, Error, Page};

impl Engine {
    /// Lists published components, newest first. One that cannot be shown is listed by
    /// its number.
    pub async fn components(&self) -> Result<Page<ComponentRow>, Error> {
        let rows = sqlx::query!(
            r#"SELECT id, digest, octet_length(bytes)::bigint AS "size!", world, imports,
                      published_at AS "published_at: StoredTime"
               FROM component ORDER BY id DESC"#
        )
        .fetch_all(&self.inner.reads)
        .await?;
        Page::whole(rows.into_iter().map(|row| {
            Ok(ComponentRow {
                id: row.id,
                digest: digest(row.id, row.digest)?,
                size: row.size,
                world: row.world,
                imports: row.imports,
                published_at: row.published_at.read("component", "published_at", row.id)?,
            })
        }))
    }
}

/// Reads the digest of the component with this number.
pub(super) fn digest(id: i32, bytes: Vec<u8>) -> Result<Digest, Error> {
    match bytes.try_into() {
        Ok(bytes) => Ok(Digest(bytes)),
        Err(_) => Err(Error::corrupt("component", "digest", id, "not 32 bytes")),
    }
}
