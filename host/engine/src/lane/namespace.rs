//! Namespaces that have a weight of their own: their share of a lane against that
//! of the other namespaces in it. Every other namespace has 100.

use model::Invalid;

use super::in_range;
use crate::{Answer, Engine, Error};

/// A namespace that was given a weight.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Namespace {
    /// Its name.
    pub name: String,
    /// Its share of a lane against that of others, 1 to 1000.
    pub weight: u16,
}

impl Engine {
    /// Lists the namespaces that were given a weight, by name.
    pub async fn namespaces(&self) -> Result<Vec<Namespace>, Error> {
        let rows = sqlx::query!("SELECT name, weight FROM namespace ORDER BY name")
            .fetch_all(&self.inner.reads)
            .await?;
        Ok(rows
            .into_iter()
            .map(|row| Namespace {
                name: row.name,
                weight: row.weight.unsigned_abs(),
            })
            .collect())
    }

    /// Gives a namespace a weight, 1 to 1000. Every host knows within a second.
    pub async fn set_namespace(&self, name: &str, weight: u16) -> Answer<(), Invalid> {
        if let Err(invalid) = model::namespace_name(name).and_then(|()| in_range(Some(weight))) {
            return Ok(Err(invalid));
        }
        sqlx::query!(
            "INSERT INTO namespace (name, weight) VALUES ($1, $2)
             ON CONFLICT (name) DO UPDATE
             SET weight = excluded.weight, changed_at = clock_timestamp()",
            name,
            weight as i16
        )
        .execute(&self.inner.reads)
        .await?;
        self.inner.lanes.forget();
        Ok(Ok(()))
    }
}
