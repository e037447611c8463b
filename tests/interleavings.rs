//! Pairs of verbs that meet on one execution: whatever the order of their
//! statements, both answers and what becomes of the execution are as if one had
//! come after the other.
//!
//! Two engines ask at the same time, so that nothing rides together. Three
//! schedules are forced on the server for each ordered pair:
//!
//! - *behind a lock*: the rows of the execution are locked; both statements have
//!   begun, with their snapshots, before either can change anything;
//! - *before the commit*: the first has done its work and is stopped just before
//!   it commits; the second begins then;
//! - *together*: both at once, as they come.

use std::collections::BTreeSet;
use std::time::Duration;

use engine::{Block, Cancel, Claim, Complete, Create, Delay, Engine, Revoke};
use model::{BlockingReason, ExecutionId, FailureClass, Fence, LeaseId, OperateRefusal, Verb};
use sqlx::{Connection as _, Executor as _, PgConnection};
use testkit::Database;

use crate::work::{self, create, operate, text};

/// Where an execution is when two verbs meet on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Waiting,
    Blocked,
    /// Delayed, and due.
    Due,
    Children,
    Active,
    /// Active under a lease that has lapsed.
    Lapsed,
    Terminal,
}

impl Place {
    /// Returns the verbs that meet there: those that change something and one
    /// that must not.
    fn verbs(self) -> &'static [Verb] {
        match self {
            Self::Waiting => &[
                Verb::Claim,
                Verb::Cancel,
                Verb::Expire,
                Verb::Prioritise,
                Verb::Block,
                Verb::Unblock,
            ],
            Self::Blocked | Self::Children => &[
                Verb::Unblock,
                Verb::Cancel,
                Verb::Expire,
                Verb::Prioritise,
                Verb::Claim,
            ],
            Self::Due => &[
                Verb::Promote,
                Verb::Cancel,
                Verb::Expire,
                Verb::Prioritise,
                Verb::Claim,
            ],
            Self::Active => &[
                Verb::Renew,
                Verb::Progress,
                Verb::Complete,
                Verb::Fail,
                Verb::Delay,
                Verb::WaitChildren,
                Verb::Cancel,
                Verb::Expire,
                Verb::Revoke,
                Verb::Claim,
            ],
            Self::Lapsed => &[
                Verb::Reclaim,
                Verb::Complete,
                Verb::Renew,
                Verb::Cancel,
                Verb::Revoke,
            ],
            Self::Terminal => &[Verb::Replay, Verb::Cancel, Verb::Claim, Verb::Complete],
        }
    }
}

/// Verbs that pass over rows somebody else holds at the moment.
fn passes_over(verb: Verb) -> bool {
    matches!(verb, Verb::Claim | Verb::Promote | Verb::Reclaim)
}

/// Returns what such a verb answers then. Sweeps take whatever is due, so they
/// say nothing of one execution.
fn passed_over(verb: Verb) -> String {
    if verb == Verb::Claim {
        "nothing"
    } else {
        "swept"
    }
    .to_owned()
}

/// What two verbs answered and what became of the execution.
type Outcome = (String, String, String);

struct Rig {
    database: Database,
    engines: [Engine; 2],
    control: PgConnection,
    cases: u32,
}

/// One execution for one case.
struct Case {
    lane: String,
    fence: Fence,
}

impl Rig {
    async fn new() -> Self {
        let database = testkit::database().await;
        let engines = [database.engine().await, database.engine().await];
        let mut control = database.connection().await;
        // Every verb writes its event last: there it can be stopped.
        control
            .execute(
                "CREATE FUNCTION stop_before_commit() RETURNS trigger LANGUAGE plpgsql AS
                 $$ BEGIN PERFORM pg_advisory_xact_lock_shared(42); RETURN NULL; END $$;
                 CREATE TRIGGER stop_before_commit AFTER INSERT ON event
                 FOR EACH STATEMENT EXECUTE FUNCTION stop_before_commit()",
            )
            .await
            .expect("stops are in place");
        Self {
            database,
            engines,
            control,
            cases: 0,
        }
    }

    /// Makes an execution and brings it to a place.
    async fn arrange(&mut self, place: Place) -> Case {
        self.cases += 1;
        let lane = format!("lane-{}", self.cases);
        let [engine, _] = &self.engines;
        let request = Create {
            lane: lane.clone(),
            delay_ms: (place == Place::Due).then_some(3_600_000),
            ..create("x")
        };
        let created = engine.create(request).await.expect("asked");
        let id = created.expect("created").id();
        let mut fence = Fence {
            execution_id: id,
            lease_id: LeaseId(uuid::Uuid::nil()),
            epoch: 1,
            attempt: 0,
        };
        match place {
            Place::Waiting => {}
            Place::Blocked => {
                let block = Block {
                    operate: operate(id),
                    reason: BlockingReason::PausedByOperator,
                    detail: None,
                };
                engine.block(block).await.expect("asked").expect("blocked");
            }
            Place::Due => {
                self.sql("UPDATE parked SET wake_at = clock_timestamp()", id)
                    .await
            }
            Place::Children | Place::Active | Place::Lapsed | Place::Terminal => {
                fence = claim(engine, &lane).await.expect("claimed");
            }
        }
        let [engine, _] = &self.engines;
        match place {
            Place::Children => {
                let answer = engine.wait_children(fence, Default::default()).await;
                answer.expect("asked").expect("put down");
            }
            Place::Terminal => {
                let answer = engine.complete(work::complete(fence, "first")).await;
                answer.expect("asked").expect("completed");
            }
            Place::Lapsed => {
                let lapse = "UPDATE lease SET expires_at = clock_timestamp() - interval '1 s'";
                self.sql(lapse, id).await;
            }
            _ => {}
        }
        Case { lane, fence }
    }

    async fn sql(&mut self, statement: &str, id: ExecutionId) {
        let statement = format!("{statement} WHERE execution_id = '{id}'");
        let done = self.control.execute(sqlx::AssertSqlSafe(statement)).await;
        assert_eq!(done.expect("done").rows_affected(), 1);
    }

    /// Says where the execution is, in everything a caller could see.
    async fn seen(&self, case: &Case) -> String {
        let id = case.fence.execution_id;
        let info = self.engines[0].get(id, None).await;
        let info = info.expect("asked").expect("known");
        let mut operations: Vec<_> = self.engines[0]
            .operations(id)
            .await
            .expect("asked")
            .into_iter()
            .map(|operation| operation.verb)
            .collect();
        operations.sort();
        format!(
            "{} {} attempts {} retries {} reclaims {} replays {} priority {} {operations:?}",
            info.public_state,
            info.blocking_reason,
            info.attempts,
            info.retries,
            info.reclaims,
            info.replays,
            info.priority
        )
    }

    /// Asks for the verbs one after the other, or for one alone.
    async fn in_turn(&mut self, place: Place, verbs: &[Verb]) -> (Vec<String>, String) {
        let case = self.arrange(place).await;
        let mut answers = Vec::new();
        for &verb in verbs {
            answers.push(ask(&self.engines[0], verb, &case).await);
        }
        let seen = self.seen(&case).await;
        (answers, seen)
    }

    /// Returns what a pair may come to.
    async fn allowed(&mut self, place: Place, first: Verb, second: Verb) -> BTreeSet<Outcome> {
        let mut allowed = BTreeSet::new();
        let (answers, seen) = self.in_turn(place, &[first, second]).await;
        allowed.insert((answers[0].clone(), answers[1].clone(), seen));
        let (answers, seen) = self.in_turn(place, &[second, first]).await;
        allowed.insert((answers[1].clone(), answers[0].clone(), seen));
        if passes_over(first) {
            let (answers, seen) = self.in_turn(place, &[second]).await;
            allowed.insert((passed_over(first), answers[0].clone(), seen));
        }
        if passes_over(second) {
            let (answers, seen) = self.in_turn(place, &[first]).await;
            allowed.insert((answers[0].clone(), passed_over(second), seen));
        }
        if passes_over(first) && passes_over(second) {
            let (_, seen) = self.in_turn(place, &[]).await;
            allowed.insert((passed_over(first), passed_over(second), seen));
        }
        allowed
    }

    /// Counts the engines' statements that wait for a lock.
    async fn waiting(&mut self) -> i64 {
        sqlx::query_scalar(
            "SELECT count(*) FROM pg_stat_activity
             WHERE datname = current_database() AND pid <> pg_backend_pid()
               AND application_name = 'flowhost' AND wait_event_type = 'Lock'",
        )
        .fetch_one(&mut self.control)
        .await
        .expect("counted")
    }

    /// Waits until so many statements wait, or everybody who was asked has
    /// answered.
    async fn until_waiting(&mut self, wanted: i64, done: impl Fn() -> bool) {
        for _ in 0..2_000 {
            if done() || self.waiting().await >= wanted {
                return;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        panic!("{wanted} statements neither wait nor end");
    }

    async fn behind_a_lock(&mut self, place: Place, first: Verb, second: Verb) -> Outcome {
        let case = self.arrange(place).await;
        let mut holder = self.database.connection().await;
        let mut held = holder.begin().await.expect("begun");
        for table in ["ready", "lease", "parked", "finished"] {
            let lock = format!(
                "SELECT FROM {table} WHERE execution_id = '{}' FOR UPDATE",
                case.fence.execution_id
            );
            held.execute(sqlx::AssertSqlSafe(lock))
                .await
                .expect("locked");
        }
        let asked = self.start(&case, first, 0);
        self.until_waiting(1, || asked.is_finished()).await;
        let other = self.start(&case, second, 1);
        let both = 2 - i64::from(asked.is_finished());
        self.until_waiting(both, || other.is_finished()).await;
        held.rollback().await.expect("let go");
        self.outcome(&case, asked, other).await
    }

    async fn before_the_commit(&mut self, place: Place, first: Verb, second: Verb) -> Outcome {
        let case = self.arrange(place).await;
        self.gate("pg_advisory_lock").await;
        let asked = self.start(&case, first, 0);
        self.until_waiting(1, || asked.is_finished()).await;
        let other = self.start(&case, second, 1);
        let both = 2 - i64::from(asked.is_finished());
        self.until_waiting(both, || other.is_finished()).await;
        self.gate("pg_advisory_unlock").await;
        self.outcome(&case, asked, other).await
    }

    async fn together(&mut self, place: Place, first: Verb, second: Verb) -> Outcome {
        let case = self.arrange(place).await;
        let asked = self.start(&case, first, 0);
        let other = self.start(&case, second, 1);
        self.outcome(&case, asked, other).await
    }

    async fn gate(&mut self, function: &str) {
        let statement = format!("SELECT {function}(42)");
        let done = self.control.execute(sqlx::AssertSqlSafe(statement)).await;
        done.expect("moved");
    }

    fn start(&self, case: &Case, verb: Verb, engine: usize) -> tokio::task::JoinHandle<String> {
        let engine = self.engines[engine].clone();
        let case = Case {
            lane: case.lane.clone(),
            fence: case.fence,
        };
        tokio::spawn(async move { ask(&engine, verb, &case).await })
    }

    async fn outcome(
        &self,
        case: &Case,
        first: tokio::task::JoinHandle<String>,
        second: tokio::task::JoinHandle<String>,
    ) -> Outcome {
        let first = first.await.expect("answered");
        let second = second.await.expect("answered");
        (first, second, self.seen(case).await)
    }
}

async fn claim(engine: &Engine, lane: &str) -> Option<Fence> {
    let claim = Claim {
        worker_instance_id: "test".to_owned(),
        lanes: vec![lane.to_owned()],
        kinds: None,
        capabilities: Default::default(),
        max: 1,
        lease_ttl_ms: 30_000,
    };
    let claimed = engine.claim(claim).await.expect("asked").pop()?;
    Some(claimed.fence)
}

/// Asks for a verb and returns `ok`, `nothing` or the code of the refusal.
async fn ask(engine: &Engine, verb: Verb, case: &Case) -> String {
    let fence = case.fence;
    let id = fence.execution_id;
    match verb {
        Verb::Claim => match claim(engine, &case.lane).await {
            Some(_) => "ok".to_owned(),
            None => passed_over(verb),
        },
        Verb::Promote | Verb::Reclaim => {
            engine.reconcile().await.expect("swept");
            passed_over(verb)
        }
        Verb::Renew => {
            let answer = engine.renew(&[fence], 30_000).await;
            held(answer.expect("asked").remove(0))
        }
        Verb::Progress => held(engine.progress(fence, Some(50), None).await.expect("asked")),
        Verb::Complete => {
            let complete = Complete {
                fence,
                result: text("done"),
                report: Default::default(),
            };
            held(engine.complete(complete).await.expect("asked"))
        }
        Verb::Fail => {
            let fail = work::fail(fence, FailureClass::Transient);
            held(engine.fail(fail).await.expect("asked"))
        }
        Verb::Delay => {
            let delay = Delay {
                fence,
                delay_ms: 3_600_000,
                report: Default::default(),
            };
            held(engine.delay(delay).await.expect("asked"))
        }
        Verb::WaitChildren => {
            let answer = engine.wait_children(fence, Default::default()).await;
            held(answer.expect("asked"))
        }
        Verb::Cancel => {
            let cancel = Cancel {
                id,
                namespace: None,
                reason: None,
                source: Default::default(),
                actor: Some("alice".to_owned()),
            };
            match engine.cancel(cancel).await.expect("asked") {
                Ok(_) => "ok".to_owned(),
                Err(refused) => refused.code().to_owned(),
            }
        }
        Verb::Expire => operated(engine.expire(operate(id)).await),
        Verb::Revoke => {
            let revoke = Revoke {
                operate: operate(id),
                expected_lease_id: None,
            };
            operated(engine.revoke(revoke).await)
        }
        Verb::Replay => operated(engine.replay(operate(id)).await),
        Verb::Prioritise => operated(engine.prioritise(operate(id), 7).await),
        Verb::Block => {
            let block = Block {
                operate: operate(id),
                reason: BlockingReason::PausedByPolicy,
                detail: None,
            };
            operated(engine.block(block).await)
        }
        Verb::Unblock => operated(engine.unblock(operate(id), None).await),
        Verb::Suspend | Verb::Signal | Verb::Resume => unreachable!("{verb} is not offered"),
    }
}

fn held<T>(answer: Result<T, model::LeaseRefusal>) -> String {
    match answer {
        Ok(_) => "ok".to_owned(),
        Err(refused) => refused.code().to_owned(),
    }
}

fn operated<T>(answer: engine::Answer<T, OperateRefusal>) -> String {
    match answer.expect("asked") {
        Ok(_) => "ok".to_owned(),
        Err(refused) => refused.code().to_owned(),
    }
}

async fn meet(places: &[Place]) {
    let mut rig = Rig::new().await;
    let mut wrong = Vec::new();
    for &place in places {
        for &first in place.verbs() {
            for &second in place.verbs() {
                let allowed = rig.allowed(place, first, second).await;
                let came = [
                    (
                        "behind a lock",
                        rig.behind_a_lock(place, first, second).await,
                    ),
                    (
                        "before the commit",
                        rig.before_the_commit(place, first, second).await,
                    ),
                    ("together", rig.together(place, first, second).await),
                ];
                for (schedule, outcome) in came {
                    if !allowed.contains(&outcome) {
                        wrong.push(format!(
                            "{place:?}: {first} and {second}, {schedule}:\n  {outcome:?}\n  is none of {allowed:#?}"
                        ));
                    }
                }
            }
        }
        rig.database.assert_invariants().await;
    }
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn verbs_that_meet_on_an_execution_that_waits_leave_one_order() {
    meet(&[Place::Waiting, Place::Blocked, Place::Children, Place::Due]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn verbs_that_meet_on_an_execution_that_runs_leave_one_order() {
    meet(&[Place::Active]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn verbs_that_meet_on_an_execution_that_ended_or_was_lost_leave_one_order() {
    meet(&[Place::Lapsed, Place::Terminal]).await;
}
