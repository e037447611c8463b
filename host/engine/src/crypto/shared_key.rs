//! Keys that every host of this instance shares, kept in the database.
//!
//! The first host that needs a key draws it. A host that draws one at the same time finds
//! that the other was first, and uses that one.

use crate::{Engine, Error, random};

impl Engine {
    /// Returns the key of this name, drawing it if there is none.
    pub(crate) async fn shared_key(&self, name: &str) -> Result<[u8; 32], Error> {
        let fresh: [u8; 32] = random::bytes();
        sqlx::query!(
            "INSERT INTO secret (name, key) VALUES ($1, $2) ON CONFLICT DO NOTHING",
            name,
            fresh.as_slice()
        )
        .execute(&self.inner.reads)
        .await?;
        let key = sqlx::query_scalar!("SELECT key FROM secret WHERE name = $1", name)
            .fetch_one(&self.inner.reads)
            .await?;
        key.try_into()
            .map_err(|_| Error::corrupt("secret", "key", name, "not 32 bytes"))
    }
}
