//! Which component runs an execution: the routes of its kind, by weight.
//!
//! The choice depends on the execution's id and the routes alone, so that every
//! attempt of an execution runs the same component while the routes stay.

use std::collections::HashMap;
use std::sync::Arc;

use model::{Digest, ExecutionId};

use crate::component::registry::Loaded;
use crate::memory::Admission;

/// A component a kind routes to.
#[derive(Clone)]
pub(crate) struct RouteTarget {
    pub(crate) component_id: i32,
    pub(crate) weight: u32,
    pub(crate) component: Readiness,
}

/// A component that claims its kinds itself, and those kinds.
#[derive(Clone)]
pub(crate) struct ServiceRoute {
    pub(crate) component_id: i32,
    pub(crate) loaded: Arc<Loaded>,
    /// The kinds routed to it, sorted.
    pub(crate) kinds: Vec<String>,
}

impl PartialEq for ServiceRoute {
    fn eq(&self, other: &Self) -> bool {
        self.component_id == other.component_id && self.kinds == other.kinds
    }
}

/// Whether a component can be run.
#[derive(Clone)]
pub(crate) enum Readiness {
    /// It is loaded and can be run.
    Ready(Arc<Loaded>),
    /// It is being loaded, or will be tried again.
    Pending,
    /// It can never be.
    Rejected(String),
}

/// The routes of every kind, as last read.
#[derive(Default)]
pub(crate) struct Routes {
    kinds: HashMap<String, Vec<RouteTarget>>,
    claimable: Vec<String>,
    /// Those of them whose sandboxes are small when they are opened.
    small: Vec<String>,
    services: HashMap<Digest, ServiceRoute>,
}

impl Routes {
    /// Collects routes. A kind is claimable once none of its components is
    /// pending and at least one is ready, unless that is a service: then the
    /// service claims it, if nothing else shares the kind.
    pub(crate) fn new(kinds: HashMap<String, Vec<RouteTarget>>) -> Self {
        let (mut claimable, mut small) = (Vec::new(), Vec::new());
        let mut services: HashMap<Digest, ServiceRoute> = HashMap::new();
        for (kind, targets) in kinds.iter().filter(|(_, targets)| is_claimable(targets)) {
            let Some(loaded) = targets.iter().find_map(RouteTarget::service) else {
                claimable.push(kind.clone());
                if live(targets).all(RouteTarget::is_small) {
                    small.push(kind.clone());
                }
                continue;
            };
            if let [target] = live(targets).collect::<Vec<_>>().as_slice() {
                services
                    .entry(loaded.digest)
                    .or_insert_with(|| ServiceRoute {
                        component_id: target.component_id,
                        loaded: loaded.clone(),
                        kinds: Vec::new(),
                    })
                    .kinds
                    .push(kind.clone());
            }
        }
        claimable.sort_unstable();
        for service in services.values_mut() {
            service.kinds.sort_unstable();
        }
        Self {
            kinds,
            claimable,
            small,
            services,
        }
    }

    /// Returns the kinds a worker may claim for handlers whose sandboxes are admitted
    /// without a wait.
    pub(crate) fn claimable_for(&self, admission: Admission) -> &[String] {
        match admission {
            Admission::All => &self.claimable,
            Admission::Small => &self.small,
            Admission::None => &[],
        }
    }

    /// Returns the kinds a worker may claim for handlers.
    pub(crate) fn claimable(&self) -> &[String] {
        &self.claimable
    }

    /// Returns the components that claim for themselves.
    pub(crate) fn services(&self) -> &HashMap<Digest, ServiceRoute> {
        &self.services
    }

    /// Returns the component that runs an execution of `kind`.
    pub(crate) fn choose(&self, kind: &str, id: ExecutionId) -> Option<&RouteTarget> {
        let targets = self.kinds.get(kind)?;
        pick(targets.iter().map(|target| target.weight), id).map(|at| &targets[at])
    }
}

impl RouteTarget {
    /// Whether no sandbox of it is a big one when it is opened.
    fn is_small(&self) -> bool {
        match &self.component {
            Readiness::Ready(loaded) => loaded.is_small,
            // Opens none.
            Readiness::Pending | Readiness::Rejected(_) => true,
        }
    }

    /// Returns the component if it is a service with a share in the kind.
    fn service(&self) -> Option<&Arc<Loaded>> {
        match &self.component {
            Readiness::Ready(loaded) if self.weight > 0 && loaded.service().is_some() => {
                Some(loaded)
            }
            _ => None,
        }
    }
}

/// Returns the targets that have a share.
fn live(targets: &[RouteTarget]) -> impl Iterator<Item = &RouteTarget> {
    targets.iter().filter(|target| target.weight > 0)
}

fn is_claimable(targets: &[RouteTarget]) -> bool {
    let mut weighted = live(targets).peekable();
    let mut ready = false;
    weighted.peek().is_some()
        && weighted.all(|target| match target.component {
            Readiness::Ready(_) => {
                ready = true;
                true
            }
            Readiness::Rejected(_) => true,
            Readiness::Pending => false,
        })
        && ready
}

/// Returns the position a weighted choice by id falls on.
fn pick(weights: impl Iterator<Item = u32> + Clone, id: ExecutionId) -> Option<usize> {
    let total: u64 = weights.clone().map(u64::from).sum();
    if total == 0 {
        return None;
    }
    let mut at = mix(id.uuid().as_u64_pair().1) % total;
    for (position, weight) in weights.enumerate() {
        let weight = u64::from(weight);
        if at < weight {
            return Some(position);
        }
        at -= weight;
    }
    None
}

/// The finalizer of SplitMix64: spreads the random half of an id evenly.
const fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::Partition;

    fn id(random: u64) -> ExecutionId {
        ExecutionId::from_parts(Partition::new(7).unwrap(), 1_700_000_000_000, random)
    }

    #[test]
    fn the_choice_is_stable_and_follows_the_weights() {
        let weights = [90_u32, 0, 10];
        let mut counts = [0; 3];
        for random in 0..10_000 {
            let at = pick(weights.iter().copied(), id(random)).unwrap();
            assert_eq!(pick(weights.iter().copied(), id(random)), Some(at));
            counts[at] += 1;
        }
        assert_eq!(counts[1], 0, "a weight of zero gets nothing");
        assert!((800..1200).contains(&counts[2]), "{counts:?}");
    }

    #[test]
    fn without_weight_there_is_no_choice() {
        assert_eq!(pick([].into_iter(), id(1)), None);
        assert_eq!(pick([0, 0].into_iter(), id(1)), None);
    }

    #[test]
    fn a_kind_is_not_claimed_while_a_component_is_pending() {
        let target = |component| RouteTarget {
            component_id: 1,
            weight: 1,
            component,
        };
        assert!(!is_claimable(&[]));
        assert!(!is_claimable(&[target(Readiness::Pending)]));
        assert!(!is_claimable(&[target(Readiness::Rejected("no".into()))]));
    }
}
