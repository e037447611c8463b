//! How much one address and one credential may ask, and what failures of authentication
//! cost.
//!
//! Failures are counted by address and answered slowly. A credential that is accepted is
//! never delayed for the failures of others behind the same address: no one could lock
//! them out, and a credential of 256 bits is not found by trying.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Semaphore;

use super::address::ClientAddress;
use super::buckets::{Buckets, Taken};
use crate::config;
use crate::http::problem::{Code, Problem, RETRY_AFTER_MS};

/// Most failures that are answered slowly at once; further ones are refused immediately.
const DELAYED_MAX: usize = 256;
/// Delay of the first failure of an address; each further one doubles it.
const DELAY_MIN: Duration = Duration::from_millis(10);
/// Longest delay of a failure.
const DELAY_MAX: Duration = Duration::from_secs(1);

/// Why a request or a connection was refused at the door.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// Its address sends too many requests.
    Address,
    /// Too many requests are sent with its credential.
    Credential,
    /// Authentication failed too often for its address.
    Failures,
    /// Its address has too many connections.
    Connections,
}

impl Refused {
    /// Every reason, in the order of their numbers.
    pub const ALL: [Self; 4] = [
        Self::Address,
        Self::Credential,
        Self::Failures,
        Self::Connections,
    ];

    /// Returns the name of the reason in metrics.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Credential => "credential",
            Self::Failures => "failures",
            Self::Connections => "connections",
        }
    }
}

/// How much one address and one credential may ask.
#[derive(Debug)]
pub struct Limits {
    limit_loopback: bool,
    addresses: Buckets<IpAddr>,
    credentials: Buckets<String>,
    failures: Buckets<IpAddr>,
    delayed: Semaphore,
    connections_max: u32,
    connections: Arc<Mutex<HashMap<IpAddr, u32>>>,
    refused: [AtomicU64; Refused::ALL.len()],
    failed: AtomicU64,
}

/// A connection of an address; counted until dropped.
#[derive(Debug)]
pub struct Connection {
    connections: Arc<Mutex<HashMap<IpAddr, u32>>>,
    /// Absent if it is not counted.
    network: Option<IpAddr>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        let Some(network) = self.network else { return };
        let mut connections = self.connections.lock();
        if let Some(open) = connections.get_mut(&network) {
            *open -= 1;
            if *open == 0 {
                connections.remove(&network);
            }
        }
    }
}

impl Limits {
    /// Makes the limits that the settings name.
    pub fn new(settings: &config::Doors) -> Self {
        const SECOND: Duration = Duration::from_secs(1);
        let of = settings;
        Self {
            limit_loopback: of.limit_loopback,
            addresses: Buckets::new(of.address_requests_per_second, SECOND, of.address_burst),
            credentials: Buckets::new(
                of.credential_requests_per_second,
                SECOND,
                of.credential_burst,
            ),
            failures: Buckets::new(of.failures_per_minute, 60 * SECOND, of.failures_per_minute),
            delayed: Semaphore::new(DELAYED_MAX),
            connections_max: of.connections_per_address_max,
            connections: Arc::default(),
            refused: Default::default(),
            failed: AtomicU64::new(0),
        }
    }

    /// Counts a request of an address.
    ///
    /// # Errors
    /// The address sends too many.
    pub fn address(&self, address: ClientAddress) -> Result<(), Problem> {
        if self.is_exempt(address.0) {
            return Ok(());
        }
        match self.addresses.take(&address.network()) {
            Taken::Yes(_) => Ok(()),
            Taken::Empty(left) => Err(self.refuse(
                Refused::Address,
                "doors.address_requests_per_second",
                "this address sends more requests than one may",
                left,
            )),
        }
    }

    /// Counts a request with a credential, by the name of its principal.
    ///
    /// # Errors
    /// Too many are sent with it.
    pub fn credential(&self, name: &str) -> Result<(), Problem> {
        match self.credentials.take(name) {
            Taken::Yes(_) => Ok(()),
            Taken::Empty(left) => Err(self.refuse(
                Refused::Credential,
                "doors.credential_requests_per_second",
                "more requests are sent with this credential than with one may",
                left,
            )),
        }
    }

    /// Counts a credential that was refused, and returns when its caller may be told: the
    /// later, the more often that happened to its address.
    ///
    /// # Errors
    /// It happened too often: the caller is told that instead.
    pub async fn authentication_failed(&self, address: ClientAddress) -> Result<(), Problem> {
        self.failed.fetch_add(1, Relaxed);
        if self.is_exempt(address.0) {
            return Ok(());
        }
        let refuse = |left| {
            Err(self.refuse(
                Refused::Failures,
                "doors.failures_per_minute",
                "credentials of this address were refused more often than those of one may be",
                left,
            ))
        };
        let before = match self.failures.take(&address.network()) {
            Taken::Yes(before) => before,
            Taken::Empty(left) => return refuse(left),
        };
        let Ok(_permit) = self.delayed.try_acquire() else {
            return refuse(DELAY_MAX);
        };
        tokio::time::sleep(delay(before)).await;
        Ok(())
    }

    /// Counts a connection of a peer; `None` if it has too many. What a trusted proxy opens
    /// is not its own.
    pub fn connection(&self, peer: IpAddr, is_proxy: bool) -> Option<Connection> {
        let mut connection = Connection {
            connections: Arc::clone(&self.connections),
            network: None,
        };
        if self.connections_max == 0 || is_proxy || self.is_exempt(peer) {
            return Some(connection);
        }
        let network = ClientAddress(peer).network();
        let mut connections = self.connections.lock();
        let open = connections.entry(network).or_default();
        if *open >= self.connections_max {
            drop(connections);
            self.count(Refused::Connections);
            return None;
        }
        *open += 1;
        drop(connections);
        connection.network = Some(network);
        Some(connection)
    }

    /// Returns how often each limit refused, by its name in metrics.
    pub fn refusals(&self) -> [(&'static str, u64); Refused::ALL.len()] {
        Refused::ALL.map(|it| (it.label(), self.refused[it as usize].load(Relaxed)))
    }

    /// Returns how many credentials were refused.
    pub fn failures(&self) -> u64 {
        self.failed.load(Relaxed)
    }

    fn is_exempt(&self, address: IpAddr) -> bool {
        !self.limit_loopback && address.to_canonical().is_loopback()
    }

    fn count(&self, reason: Refused) {
        self.refused[reason as usize].fetch_add(1, Relaxed);
    }

    fn refuse(&self, reason: Refused, limit: &str, why: &str, left: Duration) -> Problem {
        self.count(reason);
        let ms = u64::try_from(left.as_millis()).unwrap_or(u64::MAX).max(1);
        let detail = format!("{why}; ask again after {ms} ms");
        Problem::new(Code::RateLimited, detail)
            .with("limit", limit)
            .with(RETRY_AFTER_MS, ms)
    }
}

/// Returns the delay of a failure behind so many others.
fn delay(before: u64) -> Duration {
    let doubled = u32::try_from(before.min(10)).unwrap_or(10);
    DELAY_MIN.saturating_mul(1 << doubled).min(DELAY_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(change: impl FnOnce(&mut config::Doors)) -> Limits {
        let mut settings = config::Doors::default();
        change(&mut settings);
        Limits::new(&settings)
    }

    fn address(text: &str) -> ClientAddress {
        ClientAddress(text.parse().expect("an address"))
    }

    #[test]
    fn an_address_is_limited_and_others_are_not() {
        let limits = limits(|it| (it.address_requests_per_second, it.address_burst) = (1, 2));
        for _ in 0..2 {
            assert_eq!(limits.address(address("192.0.2.1")), Ok(()));
        }
        let refused = limits.address(address("192.0.2.1")).expect_err("the third");
        assert_eq!(refused.code, Code::RateLimited);
        assert_eq!(refused.extra["limit"], "doors.address_requests_per_second");
        let ms = refused.extra["retry_after_ms"].as_u64().expect("a number");
        assert!((1..=1000).contains(&ms), "{ms}");
        assert_eq!(limits.address(address("192.0.2.2")), Ok(()));
        for _ in 0..10 {
            assert_eq!(limits.address(address("127.0.0.1")), Ok(()), "loopback");
        }
        for host in ["2001:db8::1", "2001:db8::2"] {
            assert_eq!(limits.address(address(host)), Ok(()), "{host}");
        }
        let neighbor = limits.address(address("2001:db8::3"));
        assert!(neighbor.is_err(), "the third of a network");
        assert_eq!(limits.refusals()[0], ("address", 2));
    }

    #[test]
    fn a_credential_is_limited_from_all_addresses() {
        let limits = limits(|it| (it.credential_requests_per_second, it.credential_burst) = (1, 1));
        assert_eq!(limits.credential("key:a"), Ok(()));
        assert!(limits.credential("key:a").is_err());
        assert_eq!(limits.credential("key:b"), Ok(()));
        assert_eq!(limits.refusals()[1], ("credential", 1));
    }

    #[tokio::test(start_paused = true)]
    async fn failures_are_answered_later_and_later_and_then_refused() {
        let limits = limits(|it| it.failures_per_minute = 10);
        let clock = tokio::time::Instant::now();
        let mut took = Vec::new();
        for _ in 0..10 {
            let began = clock.elapsed();
            assert_eq!(
                limits.authentication_failed(address("192.0.2.1")).await,
                Ok(())
            );
            took.push((clock.elapsed() - began).as_millis());
        }
        assert!(took.is_sorted(), "{took:?}");
        assert!(
            took[0] < 20 && took[9] >= 1000 && took[9] < 1100,
            "{took:?}"
        );
        let began = clock.elapsed();
        let refused = limits.authentication_failed(address("192.0.2.1")).await;
        assert_eq!(refused.expect_err("too many").code, Code::RateLimited);
        assert_eq!(clock.elapsed(), began, "it is refused immediately");
        let other = limits.authentication_failed(address("192.0.2.2")).await;
        assert_eq!(other, Ok(()), "another address");
        assert_eq!(limits.failures(), 12);
    }

    #[tokio::test(start_paused = true)]
    async fn only_so_many_requests_sleep_at_once() {
        let limits = Arc::new(limits(|_| {}));
        let mut sleeping = tokio::task::JoinSet::new();
        for host in 0..1000_u32 {
            let limits = Arc::clone(&limits);
            let from = ClientAddress(IpAddr::V4((0x0a00_0000 + host).into()));
            sleeping.spawn(async move { limits.authentication_failed(from).await });
        }
        let answers = sleeping.join_all().await;
        let slow = answers.iter().filter(|answer| answer.is_ok()).count();
        assert_eq!(slow, DELAYED_MAX);
    }

    #[test]
    fn connections_are_counted_by_address_until_they_close() {
        let limits = limits(|it| it.connections_per_address_max = 2);
        let open = |text: &str, is_proxy| limits.connection(address(text).0, is_proxy);
        let first = open("192.0.2.1", false).expect("the first");
        let second = open("::ffff:192.0.2.1", false).expect("the second");
        assert!(open("192.0.2.1", false).is_none());
        assert!(open("192.0.2.2", false).is_some());
        assert!(open("192.0.2.1", true).is_some(), "a proxy");
        assert!(
            (0..9).all(|_| open("127.0.0.1", false).is_some()),
            "loopback"
        );
        drop(first);
        let third = open("192.0.2.1", false);
        assert!(third.is_some());
        drop((second, third));
        assert!(limits.connections.lock().is_empty());
        assert_eq!(limits.refusals()[3], ("connections", 1));
    }
}
