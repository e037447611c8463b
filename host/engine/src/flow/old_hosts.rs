//! Hosts of versions that know no flows: one would end a member without its flow. While one of
//! them is connected, no flow is made.

use std::time::{Duration, Instant};

use model::FlowRefusal;
use parking_lot::Mutex;

use crate::connect::{FLOWS, SESSION_NAME};
use crate::{Declined, Engine};

/// How long it is remembered that there is none.
const NONE_FOR: Duration = Duration::from_secs(10);

/// When this host last saw no such host.
#[derive(Default)]
pub(crate) struct OldHosts(Mutex<Option<Instant>>);

impl Engine {
    /// Refuses to make a flow while a host uses the database that knows none.
    pub(in crate::flow) async fn refuse_beside_old_hosts(
        &self,
    ) -> Result<(), Declined<FlowRefusal>> {
        let seen = *self.inner.old_hosts.0.lock();
        if seen.is_some_and(|seen| seen.elapsed() < NONE_FOR) {
            return Ok(());
        }
        let looked = Instant::now();
        let found = sqlx::query_scalar!(
            r#"SELECT EXISTS (
                   SELECT FROM pg_stat_activity a
                   WHERE a.datname = current_database()
                     AND split_part(a.application_name, ' ', 1) = $1
                     AND (a.application_name = $1
                          OR coalesce(substring(a.application_name FROM ' (\d{1,6})$')::integer, 0) < $2)
               ) AS "found!""#,
            SESSION_NAME,
            FLOWS
        )
        .fetch_one(&self.inner.reads)
        .await?;
        if found {
            return Err(FlowRefusal::OldHosts.into());
        }
        *self.inner.old_hosts.0.lock() = Some(looked);
        Ok(())
    }
}
