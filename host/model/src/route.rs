//! Routes of a kind to the components that serve it.

use crate::Limits;

impl Limits {
    /// Highest weight of a component among those that serve a kind.
    pub const ROUTE_WEIGHT_MAX: u32 = 10_000;
    /// Most components that serve one kind.
    pub const ROUTES_MAX: usize = 16;
}
