//! The doors: what a request shows of itself before any handler sees it. Its address,
//! certificate or token, and how much of each a host accepts.
//!
//! ```text
//! transport ─▶ address, certificates ─▶ limits ─▶ oidc ─▶ what it may do
//! ```
//!
//! Nothing here decides what a caller may do: a credential becomes a
//! [`model::Principal`], and the table of routes says which role it needs.

mod address;
mod all;
mod buckets;
mod certificates;
mod figures;
mod limits;
pub mod oidc;

pub use address::ClientAddress;
pub use all::Doors;
pub use certificates::{CertificateHolder, Certificates, ClientCertificate};
pub use limits::Limits;
