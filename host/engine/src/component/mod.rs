//! Components by digest, kinds, and which components serve a kind.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use model::{Digest, Invalid, Member, Refusal, RefusalCode};
use time::OffsetDateTime;

use crate::listed::StoredTime;
use crate::{Answer, Engine, Error, Listed};

/// A component about to be published.
#[derive(Debug, Clone)]
pub struct NewComponent {
    /// SHA-256 of the bytes.
    pub digest: Digest,
    /// The component.
    pub bytes: Vec<u8>,
    /// World it targets: [`WORLD_HANDLER`] or [`WORLD_SERVICE`].
    pub world: String,
    /// What it imports.
    pub imports: Vec<String>,
}

/// A published component, without its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComponentRow {
    /// Number within this instance.
    pub id: i32,
    /// Its identity.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: i64,
    /// World it targets.
    pub world: String,
    /// What it imports.
    pub imports: Vec<String>,
    /// When it was published first.
    pub published_at: OffsetDateTime,
}

/// A kind and what serves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kind {
    /// Its name.
    pub name: String,
    /// Since when it is known.
    pub created_at: OffsetDateTime,
    /// Components that serve it; none for kinds of outside workers.
    pub routes: Vec<Route>,
}

/// A component that serves a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    /// Number of the component within this instance.
    pub component_id: i32,
    /// Its identity.
    pub digest: Digest,
    /// Its share, 0 to 10000; zero serves nothing.
    pub weight: u32,
}

/// The world of components that run one attempt of an execution.
pub const WORLD_HANDLER: &str = "handler";
/// The world of components that claim their executions themselves. What they
/// take cannot be chosen by weight.
pub const WORLD_SERVICE: &str = "service";

/// Why the routes of a kind were not set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RouteRefusal {
    /// No such component.
    #[error("component {0} is not published")]
    UnknownComponent(Digest),
    /// A component of the world `service` would share the kind.
    #[error(
        "component {0} is of the world `service` and claims its executions itself, so it cannot share a kind by weight: route the kind to it alone, or give every other component the weight 0"
    )]
    MixedWorlds(Digest),
    /// An argument breaks a bound.
    #[error(transparent)]
    Invalid(#[from] Invalid),
}

impl RouteRefusal {
    /// Returns the stable code by which every interface names it.
    pub fn code(&self) -> &'static str {
        Refusal::code(self)
    }
}

impl Refusal for RouteRefusal {
    fn refusal_code(&self) -> RefusalCode {
        match self {
            Self::UnknownComponent(_) => RefusalCode::UnknownComponent,
            Self::MixedWorlds(_) => RefusalCode::MixedWorlds,
            Self::Invalid(_) => RefusalCode::InvalidInput,
        }
    }

    fn members(&self) -> Vec<(&'static str, Member)> {
        match self {
            Self::UnknownComponent(digest) | Self::MixedWorlds(digest) => {
                vec![("digest", Member::text(digest))]
            }
            Self::Invalid(invalid) => invalid.members(),
        }
    }
}

/// Kinds this host has seen; a kind is never taken back.
#[derive(Default)]
pub(crate) struct Known(Mutex<HashSet<String>>);

impl Engine {
    /// Publishes a component; returns it and whether it is new. The same bytes
    /// are the same component.
    pub async fn publish(&self, component: NewComponent) -> Result<(ComponentRow, bool), Error> {
        let new = sqlx::query!(
            "INSERT INTO component (digest, bytes, world, imports) VALUES ($1, $2, $3, $4)
             ON CONFLICT (digest) DO NOTHING",
            component.digest.0.as_slice(),
            component.bytes,
            component.world,
            &component.imports
        )
        .execute(&self.inner.reads)
        .await?
        .rows_affected()
            == 1;
        let row = self
            .component(component.digest)
            .await?
            .ok_or_else(|| Error::corrupt("component", "digest", component.digest, "vanished"))?;
        Ok((row, new))
    }

    /// Reads one published component.
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

    /// Lists published components, newest first. One that cannot be shown is told of
    /// by its number.
    pub async fn components(&self) -> Result<Listed<ComponentRow>, Error> {
        let rows = sqlx::query!(
            r#"SELECT id, digest, octet_length(bytes)::bigint AS "size!", world, imports,
                      published_at AS "published_at: StoredTime"
               FROM component ORDER BY id DESC"#
        )
        .fetch_all(&self.inner.reads)
        .await?;
        Listed::whole(rows.into_iter().map(|row| {
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

    /// Reads the bytes of a component.
    pub async fn component_bytes(&self, digest: Digest) -> Result<Option<Vec<u8>>, Error> {
        Ok(sqlx::query_scalar!(
            "SELECT bytes FROM component WHERE digest = $1",
            digest.0.as_slice()
        )
        .fetch_optional(&self.inner.reads)
        .await?)
    }

    /// Makes a kind known, for workers that are no components; returns whether
    /// it is new.
    pub async fn define_kind(&self, name: &str) -> Answer<bool, Invalid> {
        if let Err(invalid) = model::kind_name(name) {
            return Ok(Err(invalid));
        }
        let done = sqlx::query!(
            "INSERT INTO kind (name) VALUES ($1) ON CONFLICT DO NOTHING",
            name
        )
        .execute(&self.inner.reads)
        .await?;
        Ok(Ok(done.rows_affected() == 1))
    }

    /// Lists kinds by name, with their routes. One of which a route cannot be shown is
    /// told of by its name.
    pub async fn kinds(&self) -> Result<Listed<Kind>, Error> {
        let rows = sqlx::query!(
            r#"SELECT k.name, k.created_at AS "created_at: StoredTime",
                      r.component_id AS "component_id?", r.weight AS "weight?",
                      c.digest AS "digest?"
               FROM kind k LEFT JOIN route r ON r.kind = k.name
               LEFT JOIN component c ON c.id = r.component_id
               ORDER BY k.name, r.component_id"#
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
                && let Ok(shown) = kind
            {
                match digest(id, bytes) {
                    Ok(digest) => shown.routes.push(Route {
                        component_id: id,
                        digest,
                        weight: weight.unsigned_abs(),
                    }),
                    // The component is told of where components are listed.
                    Err(error) => *kind = Err(Error::corrupt("route", "component_id", name, error)),
                }
            }
        }
        Listed::whole(kinds.into_iter().map(|(_, kind)| kind))
    }

    /// Sets which components serve a kind, replacing what served it, in one
    /// statement. Makes the kind known.
    ///
    /// # Refusals
    /// See [`RouteRefusal`].
    pub async fn route(&self, kind: &str, routes: Vec<(Digest, u32)>) -> Answer<(), RouteRefusal> {
        if let Err(invalid) = check_routes(kind, &routes) {
            return Ok(Err(invalid.into()));
        }
        let published = self.components().await?;
        if let Some((digest, _)) = routes
            .iter()
            .find(|(digest, _)| published.iter().all(|row| row.digest != *digest))
        {
            return Ok(Err(RouteRefusal::UnknownComponent(*digest)));
        }
        if let Some(digest) = shared_service(&published, &routes) {
            return Ok(Err(RouteRefusal::MixedWorlds(digest)));
        }
        if let Err(invalid) = self.define_kind(kind).await? {
            return Ok(Err(invalid.into()));
        }
        let digests: Vec<Vec<u8>> = routes.iter().map(|(digest, _)| digest.0.to_vec()).collect();
        let weights: Vec<i32> = routes.iter().map(|(_, weight)| *weight as i32).collect();
        sqlx::query!(
            "WITH wanted AS (
                 SELECT c.id, w.weight FROM unnest($2::bytea[], $3::integer[]) AS w(digest, weight)
                 JOIN component c ON c.digest = w.digest
             ),
             dropped AS (
                 DELETE FROM route WHERE kind = $1 AND component_id NOT IN (SELECT id FROM wanted)
             )
             INSERT INTO route (kind, component_id, weight) SELECT $1, id, weight FROM wanted
             ON CONFLICT (kind, component_id)
             DO UPDATE SET weight = excluded.weight, changed_at = clock_timestamp()",
            kind,
            &digests,
            &weights
        )
        .execute(&self.inner.reads)
        .await?;
        self.inner.wake.ready();
        Ok(Ok(()))
    }

    /// Whether a kind is known, to this host or to the database.
    pub(crate) async fn kind_is_known(&self, name: &str) -> Result<bool, Error> {
        let known = || {
            self.inner
                .known
                .0
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
        };
        if known().contains(name) {
            return Ok(true);
        }
        let names = sqlx::query_scalar!("SELECT name FROM kind WHERE name = $1", name)
            .fetch_all(&self.inner.reads)
            .await?;
        let found = !names.is_empty();
        known().extend(names);
        Ok(found)
    }
}

/// Returns a component of the world `service` that would have a share in a kind
/// beside another.
fn shared_service(published: &[ComponentRow], routes: &[(Digest, u32)]) -> Option<Digest> {
    let live: Vec<Digest> = routes
        .iter()
        .filter(|(_, weight)| *weight > 0)
        .map(|(digest, _)| *digest)
        .collect();
    published
        .iter()
        .filter(|row| live.len() > 1 && row.world == WORLD_SERVICE)
        .map(|row| row.digest)
        .find(|digest| live.contains(digest))
}

fn check_routes(kind: &str, routes: &[(Digest, u32)]) -> Result<(), Invalid> {
    model::kind_name(kind)?;
    if routes.len() > 16 {
        return Err(Invalid::new(
            "routes",
            "at most 16 components serve one kind",
        ));
    }
    let mut seen = HashSet::new();
    for (digest, weight) in routes {
        if *weight > 10_000 {
            return Err(Invalid::new(
                "weight",
                format!("{weight} is out of range: 0 to 10000"),
            ));
        }
        if !seen.insert(digest) {
            return Err(Invalid::new("routes", format!("{digest} is named twice")));
        }
    }
    Ok(())
}

fn digest(id: i32, bytes: Vec<u8>) -> Result<Digest, Error> {
    match bytes.try_into() {
        Ok(bytes) => Ok(Digest(bytes)),
        Err(_) => Err(Error::corrupt("component", "digest", id, "not 32 bytes")),
    }
}
