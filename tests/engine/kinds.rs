//! Claims of some kinds from a queue of many: in the order of priority and time across
//! the kinds, each execution once.

use std::collections::HashSet;

use engine::{Claim, Engine, GrantNext, IssueGrant};
use model::ExecutionId;
use sqlx::{PgConnection, Row as _};
use testkit::{Answered, Random};
use uuid::Uuid;

use crate::support::server::backlog::backlog;
use crate::support::work::setup;

/// Place in the order of service: rank and time in microseconds.
type Place = (i16, i64);

fn wanted(kinds: Option<Vec<String>>, max: u32) -> Claim {
    Claim {
        worker_instance_id: "test".to_owned(),
        namespaces: None,
        lanes: Vec::new(),
        kinds,
        capabilities: Default::default(),
        max,
        lease_ttl_ms: 600_000,
    }
}

async fn claim(engine: &Engine, kinds: Option<Vec<String>>, max: u32) -> Vec<ExecutionId> {
    let claimed = engine.claim(wanted(kinds, max)).await.answered();
    claimed.iter().map(|it| it.fence.execution_id).collect()
}

fn names(numbers: impl IntoIterator<Item = usize>) -> Vec<String> {
    numbers.into_iter().map(|n| format!("kind-{n}")).collect()
}

/// Reads what is ready of some kinds, or of any, in the order of service.
async fn ready(
    connection: &mut PgConnection,
    kinds: Option<&[String]>,
) -> Vec<(ExecutionId, Place)> {
    let rows = sqlx::query(
        "SELECT execution_id, rank, (extract(epoch FROM ready_at) * 1000000)::bigint AS at
         FROM ready WHERE $1::text[] IS NULL OR kind = ANY ($1) ORDER BY rank, ready_at",
    )
    .bind(kinds)
    .fetch_all(connection)
    .await
    .expect("the queue can be read");
    rows.iter()
        .map(|row| {
            let id: Uuid = row.get("execution_id");
            (ExecutionId::from_uuid(id), (row.get("rank"), row.get("at")))
        })
        .collect()
}

/// Executions of a queue whose kinds are a burst of one, a mixture, and one that comes
/// last; many have the same priority and time.
const MIXED: (&str, &str, &str) = (
    "'kind-' || CASE WHEN n < 150 THEN 3 WHEN n > 1150 THEN 49 ELSE n * 7 % 50 END",
    "9000 - n * n % 3",
    "timestamptz '2026-01-01 00:00:00Z' + n / 5 * interval '1 millisecond'",
);

#[tokio::test(flavor = "multi_thread")]
async fn claims_keep_the_order_of_priority_and_time_across_kinds() {
    let (database, engine) = setup().await;
    let mut connection = database.connection().await;
    backlog(&mut connection, 0..1200, MIXED).await;
    let mut random = Random::new();
    loop {
        let kinds = match random.below(4) {
            0 => None,
            1 => Some(names([random.below(50)])),
            2 => Some(names(0..50)),
            // Some of them more than once, in any order.
            _ => Some(names((0..random.below(40) + 2).map(|_| random.below(60)))),
        };
        let max = *random.pick(&[1, 2, 7, 30, 200]);
        let ordered = ready(&mut connection, kinds.as_deref()).await;
        let claimed = claim(&engine, kinds.clone(), max).await;
        let expected = &ordered[..ordered.len().min(max as usize)];
        let place_of = |id: &ExecutionId| {
            let found = ordered.iter().find(|(ready, _)| ready == id);
            found.unwrap_or_else(|| panic!("{id} was not asked for")).1
        };
        let got: Vec<Place> = claimed.iter().map(place_of).collect();
        let wanted: Vec<Place> = expected.iter().map(|(_, place)| *place).collect();
        assert_eq!(got, wanted, "{max} of {kinds:?}");
        let distinct: HashSet<_> = claimed.iter().collect();
        assert_eq!(distinct.len(), claimed.len(), "each is leased once");
        if ordered.is_empty() && kinds.is_none() {
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn hosts_that_claim_many_kinds_at_once_take_each_execution_once_and_leave_none() {
    const EXECUTIONS: u32 = 4000;
    let (database, engine) = setup().await;
    let mut connection = database.connection().await;
    backlog(&mut connection, 0..EXECUTIONS, MIXED).await;
    let mut hosts = vec![engine];
    for _ in 0..3 {
        hosts.push(database.engine().await);
    }
    let tasks: Vec<_> = (0..)
        .zip(hosts)
        .map(|(host, engine)| {
            tokio::spawn(async move {
                let kinds = match host {
                    0 => None,
                    1 => Some(names(0..50)),
                    2 => Some(names(0..25)),
                    _ => Some(names(25..50)),
                };
                let (mut all, mut in_vain) = (Vec::new(), 0);
                // Another claim may hold what is left for a moment.
                while in_vain < 20 {
                    let claimed = claim(&engine, kinds.clone(), 20 + host * 17).await;
                    if claimed.is_empty() {
                        in_vain += 1;
                        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
                    } else {
                        in_vain = 0;
                    }
                    all.extend(claimed);
                }
                all
            })
        })
        .collect();
    let mut all = Vec::new();
    for task in tasks {
        all.extend(task.await.expect("no host panics"));
    }
    let distinct: HashSet<_> = all.iter().collect();
    assert_eq!(distinct.len(), all.len(), "none is leased twice");
    assert_eq!(ready(&mut connection, None).await, [], "none is left");
    assert_eq!(all.len(), EXECUTIONS as usize);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_goes_past_rows_that_others_lock_in_every_kind() {
    let (database, engine) = setup().await;
    let mut connection = database.connection().await;
    backlog(&mut connection, 0..1200, MIXED).await;
    let ordered = ready(&mut connection, None).await;
    let (locked, free) = ordered.split_at(900);
    let ids: Vec<Uuid> = locked.iter().map(|(id, _)| id.uuid()).collect();
    sqlx::query("BEGIN")
        .execute(&mut connection)
        .await
        .expect("begun");
    sqlx::query("SELECT FROM ready WHERE execution_id = ANY ($1) FOR UPDATE")
        .bind(&ids)
        .execute(&mut connection)
        .await
        .expect("locked");
    let free: HashSet<ExecutionId> = free.iter().map(|(id, _)| *id).collect();
    let mut claimed = claim(&engine, Some(names(0..50)), 40).await;
    assert_eq!(
        claimed.len(),
        40,
        "a full share, although others hold the first 900"
    );
    claimed.extend(claim(&engine, None, 400).await);
    assert_eq!(claimed.into_iter().collect::<HashSet<_>>(), free);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_takes_the_first_of_the_kinds_that_fit_and_a_scan_lists_them_in_order() {
    let (database, engine) = setup().await;
    let mut connection = database.connection().await;
    backlog(&mut connection, 0..1200, MIXED).await;
    for kinds in [None, Some(names([49, 4])), Some(names(10..30))] {
        let expected = ready(&mut connection, kinds.as_deref()).await[0].1;
        let next = GrantNext {
            namespace: None,
            lane: "default".to_owned(),
            kinds: kinds.clone(),
            grant: IssueGrant {
                worker_id: "w".to_owned(),
                worker_instance_id: "w-1".to_owned(),
                capabilities: Default::default(),
                grant_ttl_ms: 60_000,
            },
        };
        let granted = engine.claim_for_worker(next).await.accepted();
        let id = granted.expect("granted").execution_id;
        let ordered = ready(&mut connection, kinds.as_deref()).await;
        let place = ordered.iter().find(|(ready, _)| *ready == id);
        assert_eq!(place.expect("of these kinds").1, expected, "{kinds:?}");
        // Out of the way of the next round.
        sqlx::query("DELETE FROM ready WHERE execution_id = $1")
            .bind(id.uuid())
            .execute(&mut connection)
            .await
            .expect("deleted");
    }
    let ordered = ready(&mut connection, None).await;
    let page = engine
        .scan_eligible("default", None, None, 100)
        .await
        .accepted();
    let priorities: Vec<u16> = page.rows.iter().map(|it| it.priority).collect();
    let expected: Vec<u16> = ordered[..100]
        .iter()
        .map(|(_, (rank, _))| 9000 - rank.unsigned_abs())
        .collect();
    assert_eq!(priorities, expected);
}
