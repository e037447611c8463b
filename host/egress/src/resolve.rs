//! From the name of a host to its addresses.

use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::Semaphore;

/// Lookups of a system that run at once; each holds a thread, also after its time.
const LOOKUPS_MAX: usize = 16;

/// An answer about a name that is still being asked for.
pub type Resolved<'a> = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send + 'a>>;

/// Resolves names. Each request asks once, and vets what it gets.
pub trait Resolve: Send + Sync {
    /// Returns the addresses of a name, in the order in which they are to be tried.
    fn resolve<'a>(&'a self, name: &'a str) -> Resolved<'a>;
}

/// Asks the resolver of the system: its files and its DNS.
#[derive(Debug)]
pub struct SystemResolver(Arc<Semaphore>);

impl Default for SystemResolver {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(LOOKUPS_MAX)))
    }
}

impl Resolve for SystemResolver {
    fn resolve<'a>(&'a self, name: &'a str) -> Resolved<'a> {
        let lookups = Arc::clone(&self.0);
        let name = name.to_owned();
        Box::pin(async move {
            let lookup = lookups.acquire_owned().await;
            let lookup = lookup.expect("invariant: the semaphore is never closed");
            // The lookup cannot be stopped, so it keeps its place until it returns, and a
            // resolver that hangs does not occupy ever more threads.
            let asked = tokio::task::spawn_blocking(move || {
                let found = std::net::ToSocketAddrs::to_socket_addrs(&(name.as_str(), 0));
                drop(lookup);
                found.map(|found| found.map(|address| address.ip()).collect())
            });
            asked.await.map_err(io::Error::other)?
        })
    }
}
