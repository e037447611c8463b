//! Publishing: a component is inspected, compiled for this host, stored and
//! routed to, in a task of the host.
//!
//! ```text
//!  inspect ──▶ load (compile, link, check) ──▶ store ──▶ route its kinds ──▶ done
//! ```
//!
//! Compiling may take minutes, longer than a client waits or a proxy lets it. So
//! the task belongs to the component, not to a request: requests with the same
//! bytes join it, and what came of it can be asked for afterwards. It exists only
//! in the memory of this host: it ends with the host, and the request has to be made
//! again.

mod publications;

pub(crate) use publications::Publications;
pub use publications::{NotPublished, Publication, PublishEnd, PublishProgress, Published};
