//! Workers that are not components, over HTTP.

mod claims;
mod example;
mod leases;
