//! noted_refusals: requests whose credential this host did not accept → summed in the
//! database. No event.
//!
//! A host notes them in memory, which costs a refused request a lock and an addition, and
//! writes its sums every few seconds; those of the last seconds are lost with the host.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};

use parking_lot::Mutex;

use crate::columns::columns;
use crate::{Engine, Error};

/// Most addresses, each with its reasons, of one writing; those beyond are summed as
/// [`OTHERS`], so that made-up addresses fill neither memory nor disk.
const SUMS_MAX: usize = 200;
/// Stands for addresses beyond that bound.
const OTHERS: &str = "others";

/// What this host refused and has not written yet: address, reason, number.
#[derive(Default)]
pub(crate) struct RefusalSums(Mutex<HashMap<(String, &'static str), u64>>);

impl Engine {
    /// Notes a request whose credential was not accepted: the address, of IPv6 its first 64
    /// bits, which one sender has to itself, and a word for why, at most 64 bytes.
    pub fn note_refusal(&self, address: IpAddr, reason: &'static str) {
        self.inner.refusals.add(shown(address), reason, 1);
    }

    /// Writes what this host noted; returns the number of sums.
    pub(crate) async fn noted_refusals(&self) -> Result<u64, Error> {
        let sums = self.inner.refusals.take();
        if sums.is_empty() {
            return Ok(0);
        }
        let written = columns!(
            query!(
                "INSERT INTO audit_refusals AS r (minute, address, reason, count)
                 SELECT date_trunc('minute', clock_timestamp(), 'UTC'), i.address, i.reason, i.count
                 FROM unnest($1::text[], $2::text[], $3::bigint[]) AS i(address, reason, count)
                 ORDER BY i.address, i.reason
                 ON CONFLICT (minute, address, reason) DO UPDATE SET count = r.count + excluded.count"
            );
            for ((address, reason), count) in &sums => {
                addresses as &str = address.as_str();
                reasons as &str = *reason;
                counts = i64::try_from(*count).unwrap_or(i64::MAX);
            }
        )
        .execute(&self.inner.reads)
        .await;
        match written {
            Ok(done) => Ok(done.rows_affected()),
            Err(error) => {
                // Whether they were written is unknown: too many are better than too few.
                for ((address, reason), count) in sums {
                    self.inner.refusals.add(address, reason, count);
                }
                Err(error.into())
            }
        }
    }
}

impl RefusalSums {
    fn add(&self, address: String, reason: &'static str, count: u64) {
        let mut sums = self.0.lock();
        let mut key = (address, reason);
        if sums.len() >= SUMS_MAX && !sums.contains_key(&key) {
            OTHERS.clone_into(&mut key.0);
        }
        *sums.entry(key).or_default() += count;
    }

    fn take(&self) -> HashMap<(String, &'static str), u64> {
        std::mem::take(&mut self.0.lock())
    }
}

fn shown(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let network = Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX));
            format!("{network}/64")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_summed_by_address_and_reason_and_bounded() {
        let sums = RefusalSums::default();
        for at in 0..1000_u32 {
            let address = IpAddr::from(std::net::Ipv4Addr::from_bits(at));
            sums.add(shown(address), "unknown_key", 2);
        }
        let taken = sums.take();
        assert_eq!(taken.len(), SUMS_MAX + 1);
        let others = (OTHERS.to_owned(), "unknown_key");
        assert_eq!(taken[&others], 2 * (1000 - SUMS_MAX as u64));
        assert_eq!(taken.values().sum::<u64>(), 2000);
        assert!(sums.take().is_empty());
    }

    #[test]
    fn addresses_of_one_sender_are_one() {
        let shown = |text: &str| shown(text.parse().expect("an address"));
        assert_eq!(shown("2001:db8::1"), "2001:db8::/64");
        assert_eq!(shown("2001:db8::1"), shown("2001:db8::ffff:1"));
        assert_eq!(shown("::ffff:10.0.0.1"), "10.0.0.1");
    }
}
