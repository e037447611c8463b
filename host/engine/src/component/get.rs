//! get: one published component, with or without its bytes.

use model::Digest;
use time::OffsetDateTime;

use crate::{Engine, Error};

/// A published component, without its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComponentRow {
    /// Number within this instance.
    pub id: i32,
    /// SHA-256 of its bytes, which identifies it.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: i64,
    /// The world it targets: `handler` or `service`.
    pub world: String,
    /// Names of the interfaces it imports.
    pub imports: Vec<String>,
    /// Time of its first publication.
    pub published_at: OffsetDateTime,
}

impl Engine {
    /// Reads one published component; `None` if there is none.
    pub async fn component(&self, digest: Digest) -> Result<Option<ComponentRow>, Error> {
        let row = sqlx::query!(
            r#"SELECT id, octet_length(bytes)::bigint AS "size!", world, imports, published_at
               FROM component WHERE digest = $1"#,
            digest.0.as_slice()
        )
        .fetch_optional(&self.inner.reads)
        .await?;
        Ok(row.map(|row| ComponentRow {
            id: row.id,
            digest,
            size: row.size,
            world: row.world,
            imports: row.imports,
            published_at: row.published_at,
        }))
    }

    /// Reads the bytes of a component; `None` if it is not published.
    pub async fn component_bytes(&self, digest: Digest) -> Result<Option<Vec<u8>>, Error> {
        Ok(sqlx::query_scalar!(
            "SELECT bytes FROM component WHERE digest = $1",
            digest.0.as_slice()
        )
        .fetch_optional(&self.inner.reads)
        .await?)
    }
}
