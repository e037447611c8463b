//! Components by digest, the kinds of executions, and which components serve a kind.

mod get;
mod kind;
mod list;
mod publish;
mod route;

pub use get::ComponentRow;
pub use kind::Kind;
pub(crate) use kind::KnownKinds;
pub use publish::{NewComponent, WORLD_HANDLER, WORLD_SERVICE};
pub use route::{Route, RouteRefusal};
