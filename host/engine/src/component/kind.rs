//! Kinds of executions: defining one, listing them, and whether one is known.

use std::collections::HashSet;

use model::{Invalid, Limits};
use parking_lot::Mutex;
use time::OffsetDateTime;

use super::Route;
use super::list::digest;
use crate::row::StoredTime;
use crate::{Declined, Engine, Error, Page};

/// A kind and the components that serve it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kind {
    /// Its name, unique in the instance.
    pub name: String,
    /// Time at which it was defined.
    pub created_at: OffsetDateTime,
    /// Components that serve it; empty for kinds that only workers outside serve.
    pub routes: Vec<Route>,
}

/// Kinds that this host has found in the database; a kind is never removed.
#[derive(Default)]
pub(crate) struct KnownKinds(Mutex<HashSet<String>>);

impl Engine {
    /// Defines a kind, for workers that are not components; returns whether it is new.
    ///
    /// # Refusals
    /// The name breaks a bound.
    pub async fn define_kind(&self, name: &str) -> Result<bool, Declined<Invalid>> {
        model::kind_name(name)?;
        let done = sqlx::query!(
            "INSERT INTO kind (name) VALUES ($1) ON CONFLICT DO NOTHING",
            name
        )
        .execute(&self.inner.reads)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Lists kinds by name, those after a given one, with their routes; at most `limit`,
    /// which is at most [`Limits::PAGE_MAX`]. A kind with a route that cannot be shown is
    /// listed by its name.
    pub async fn kinds(
        &self,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Page<Kind, String>, Error> {
        let limit = limit.min(Limits::PAGE_MAX);
        let kinds = self.read_kinds(after, Some(i64::from(limit) + 1)).await?;
        Page::read(limit, kinds)
    }

    /// Lists all kinds, for a host that follows their routes.
    pub async fn all_kinds(&self) -> Result<Page<Kind>, Error> {
        let kinds = self.read_kinds(None, None).await?;
        Page::whole(kinds.into_iter().map(|(_, kind)| kind))
    }

    async fn read_kinds(
        &self,
        after: Option<&str>,
        limit: Option<i64>,
    ) -> Result<Vec<(String, Result<Kind, Error>)>, Error> {
        let rows = sqlx::query!(
            r#"SELECT k.name, k.created_at AS "created_at: StoredTime",
                      r.component_id AS "component_id?", r.weight AS "weight?",
                      c.digest AS "digest?"
               FROM (SELECT k.name, k.created_at FROM kind k
                     WHERE k.name > $1 ORDER BY k.name LIMIT $2) AS k
               LEFT JOIN route r ON r.kind = k.name
               LEFT JOIN component c ON c.id = r.component_id
               ORDER BY k.name, r.component_id"#,
            after.unwrap_or_default(),
            limit,
        )
        .fetch_all(&self.inner.reads)
        .await?;
        let mut kinds: Vec<(String, Result<Kind, Error>)> = Vec::new();
        for row in rows {
            if kinds.last().is_none_or(|(last, _)| *last != row.name) {
                let created_at = row.created_at.read("kind", "created_at", &row.name);
                let kind = created_at.map(|created_at| Kind {
                    name: row.name.clone(),
                    created_at,
                    routes: Vec::new(),
                });
                kinds.push((row.name, kind));
            }
            let route = row.component_id.zip(row.weight).zip(row.digest);
            if let (Some(((id, weight), bytes)), Some((name, kind))) = (route, kinds.last_mut())
                && let Ok(readable) = kind
            {
                match digest(id, bytes) {
                    Ok(digest) => readable.routes.push(Route {
                        component_id: id,
                        digest,
                        weight: weight.unsigned_abs(),
                    }),
                    // The component itself is listed where components are.
                    Err(error) => *kind = Err(Error::corrupt("route", "component_id", name, error)),
                }
            }
        }
        Ok(kinds)
    }

    /// Whether a kind is known, to this host or to the database.
    pub(crate) async fn kind_is_known(&self, name: &str) -> Result<bool, Error> {
        let known = &self.inner.caches.kinds.0;
        if known.lock().contains(name) {
            return Ok(true);
        }
        let names = sqlx::query_scalar!("SELECT name FROM kind WHERE name = $1", name)
            .fetch_all(&self.inner.reads)
            .await?;
        let found = !names.is_empty();
        known.lock().extend(names);
        Ok(found)
    }
}
