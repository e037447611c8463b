//! Who may do what: whom a request is from, and where they may do what its route does.
//!
//! Each line of the table of routes says which role its callers need and where the
//! namespace comes from ([`Access`]). [`admit`] stands before every handler: it verifies the
//! credential, finds the caller's scope, and binds the request to a namespace in it. Handlers
//! get that from the [`Caller`] or through their extractors, and never from what the caller
//! wrote.
//!
//! ```text
//! bearer `fh_…` ─▶ sessions ─▶ Engine::authenticate, at most once a second for each key
//! other bearer  ─▶ doors::oidc               ╲
//! certificate   ─▶ doors::Certificates        ─▶ Principal ─▶ Scope of the role ─▶ Caller
//! none required ─▶ Principal::anybody        ╱
//! ```
//!
//! A namespace that the scope does not hold is refused by name if the caller names it, and
//! is otherwise as good as absent: the statements look for ids in the bound namespace, so an
//! execution of another one is answered like one that does not exist.

mod admit;
mod audit;
mod caller;
mod credentials;
mod document;
mod route;
mod sessions;

pub use admit::admit;
pub use caller::Caller;
pub use credentials::CredentialEnd;
pub use document::{BEARER, document, scheme, table};
pub use route::{Access, Within};
pub use sessions::Sessions;

pub(super) use route::access;
