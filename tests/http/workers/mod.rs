//! Workers that are not components, over HTTP.

mod claims;
mod clients;
mod example;
mod leases;
