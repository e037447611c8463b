//! route: which components serve a kind, and by what share. No event.

use std::collections::HashSet;

use model::{Digest, Invalid, Limits, Refusal, RefusalCode, Told, check_range, ensure};

use super::WORLD_SERVICE;
use crate::{Declined, Engine};

/// A component that serves a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    /// Number of the component within this instance.
    pub component_id: i32,
    /// SHA-256 of the component.
    pub digest: Digest,
    /// Its share, 0 to 10000, against the other routes; zero serves nothing.
    pub weight: u32,
}

/// Why the routes of a kind were not set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RouteRefusal {
    /// The component is not published.
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

impl Refusal for RouteRefusal {
    fn told(&self) -> Told {
        let about = |code: RefusalCode, digest| code.with("digest", digest);
        match self {
            Self::UnknownComponent(digest) => about(RefusalCode::UnknownComponent, digest),
            Self::MixedWorlds(digest) => about(RefusalCode::MixedWorlds, digest),
            Self::Invalid(invalid) => invalid.told(),
        }
    }
}

impl Engine {
    /// Sets which components serve a kind, in place of those that served it before, in
    /// one statement. Defines the kind if it is new.
    ///
    /// # Refusals
    /// See [`RouteRefusal`].
    pub async fn route(
        &self,
        kind: &str,
        routes: Vec<(Digest, u32)>,
    ) -> Result<(), Declined<RouteRefusal>> {
        check(kind, &routes)?;
        let digests: Vec<Vec<u8>> = routes.iter().map(|(digest, _)| digest.0.to_vec()).collect();
        let published = sqlx::query!(
            "SELECT digest, world FROM component WHERE digest = ANY ($1)",
            &digests
        )
        .fetch_all(&self.inner.reads)
        .await?;
        let world_of = |digest: &Digest| {
            let found = published.iter().find(|row| row.digest == digest.0);
            found.map(|row| row.world.as_str())
        };
        if let Some((digest, _)) = routes.iter().find(|(it, _)| world_of(it).is_none()) {
            return Err(RouteRefusal::UnknownComponent(*digest).into());
        }
        if let Some(digest) = shared_service(&routes, world_of) {
            return Err(RouteRefusal::MixedWorlds(digest).into());
        }
        self.define_kind(kind).await?;
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
        Ok(())
    }
}

/// Returns a component of the world `service` that would have a share in a kind beside
/// another component.
fn shared_service<'a>(
    routes: &[(Digest, u32)],
    world_of: impl Fn(&Digest) -> Option<&'a str>,
) -> Option<Digest> {
    let live = || routes.iter().filter(|(_, weight)| *weight > 0);
    let (digest, _) = live().find(|(it, _)| world_of(it) == Some(WORLD_SERVICE))?;
    (live().count() > 1).then_some(*digest)
}

fn check(kind: &str, routes: &[(Digest, u32)]) -> Result<(), Invalid> {
    model::kind_name(kind)?;
    let max = Limits::ROUTES_MAX;
    ensure("routes", routes.len() <= max, || {
        format!("at most {max} components serve one kind")
    })?;
    let mut seen = HashSet::new();
    for (digest, weight) in routes {
        check_range("weight", *weight, 0..=Limits::ROUTE_WEIGHT_MAX)?;
        ensure("routes", seen.insert(digest), || {
            format!("{digest} is named twice")
        })?;
    }
    Ok(())
}
