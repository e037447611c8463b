//! publish: stores a component; the same bytes are the same component. No event.

use model::Digest;

use super::ComponentRow;
use crate::{Engine, Error};

/// The world of components that run one attempt of an execution.
pub const WORLD_HANDLER: &str = "handler";
/// The world of components that claim their executions themselves; such claims cannot
/// be shared by weight.
pub const WORLD_SERVICE: &str = "service";

/// A component to be published.
#[derive(Debug, Clone)]
pub struct NewComponent {
    /// SHA-256 of the bytes.
    pub digest: Digest,
    /// The component, as WebAssembly.
    pub bytes: Vec<u8>,
    /// World it targets: [`WORLD_HANDLER`] or [`WORLD_SERVICE`].
    pub world: String,
    /// Names of the interfaces it imports.
    pub imports: Vec<String>,
}

impl Engine {
    /// Publishes a component; returns it and whether it is new.
    pub async fn publish(&self, component: NewComponent) -> Result<(ComponentRow, bool), Error> {
        let done = sqlx::query!(
            "INSERT INTO component (digest, bytes, world, imports) VALUES ($1, $2, $3, $4)
             ON CONFLICT (digest) DO NOTHING",
            component.digest.0.as_slice(),
            component.bytes,
            component.world,
            &component.imports
        )
        .execute(&self.inner.reads)
        .await?;
        let row = self
            .component(component.digest)
            .await?
            .ok_or_else(|| Error::corrupt("component", "digest", component.digest, "vanished"))?;
        Ok((row, done.rows_affected() == 1))
    }
}
