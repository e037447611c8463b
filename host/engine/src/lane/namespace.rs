//! Namespaces that were given a weight: their share of a lane against that of the other
//! namespaces in it. Every other namespace has 100. No event.

use model::{Invalid, Limits};

use super::define::check_weight;
use crate::{Declined, Engine, Error, Page};

/// A namespace that was given a weight.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Namespace {
    /// Its name, unique in the instance.
    pub name: String,
    /// Its share of a lane against that of other namespaces, 1 to 1000.
    pub weight: u16,
}

impl Engine {
    /// Lists the namespaces that were given a weight, by name, those after a given one; at
    /// most `limit`, which is at most [`Limits::PAGE_MAX`].
    pub async fn namespaces(
        &self,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Page<Namespace, String>, Error> {
        let limit = limit.min(Limits::PAGE_MAX);
        let rows = sqlx::query!(
            "SELECT name, weight FROM namespace WHERE name > $1 ORDER BY name LIMIT $2",
            after.unwrap_or_default(),
            i64::from(limit) + 1,
        )
        .fetch_all(&self.inner.reads)
        .await?;
        let rows = rows.into_iter().map(|row| {
            let namespace = Namespace {
                name: row.name.clone(),
                weight: row.weight.unsigned_abs(),
            };
            (row.name, Ok(namespace))
        });
        Page::read(limit, rows)
    }

    /// Gives a namespace a weight, 1 to 1000. Every host acts on it within a second.
    ///
    /// # Refusals
    /// The name or the weight breaks a bound.
    pub async fn set_namespace(&self, name: &str, weight: u16) -> Result<(), Declined<Invalid>> {
        model::namespace_name(name)?;
        check_weight(weight)?;
        sqlx::query!(
            "INSERT INTO namespace (name, weight) VALUES ($1, $2)
             ON CONFLICT (name) DO UPDATE
             SET weight = excluded.weight, changed_at = clock_timestamp()",
            name,
            weight as i16
        )
        .execute(&self.inner.reads)
        .await?;
        self.inner.caches.lanes.forget();
        Ok(())
    }
}
