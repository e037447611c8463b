//! Two verbs on one execution, in an order that is forced, and what one after the
//! other comes to.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Write as _;
use std::time::Duration;

use engine::{Block, Create, CreateWaitpoint, Engine, OpenWaitpoint, Suspend, SuspensionTimeout};
use model::{BlockingReason, ExecutionId, Fence, LeaseId};
use sqlx::{Executor as _, PgConnection};
use testkit::{Answered, Database};

use super::ask::{Ask, ask, claim, from};
use super::places::Place;
use crate::support::flows;
use crate::support::lists;
use crate::support::waiting::{self, deliver, single, sources, suspend, suspended};
use crate::support::work::{self, create, operate};

/// What two verbs answered and what became of the execution.
pub(super) type Outcome = (String, String, String);

pub(super) struct Rig {
    pub(super) database: Database,
    engines: [Engine; 2],
    control: PgConnection,
    /// Holds the locks that verbs wait for.
    holder: PgConnection,
    /// Waits for a lock between two others, and lets go.
    between: Option<PgConnection>,
    /// What was asked one after the other came to.
    known: HashMap<Turns, (Vec<String>, String)>,
    cases: u32,
}

/// Where, and what is asked there.
type Turns = (Place, Vec<Ask>);

/// One execution for one case.
#[derive(Clone)]
pub(super) struct Case {
    pub(super) lane: String,
    pub(super) fence: Fence,
    /// Where signals for it arrive, if anywhere.
    pub(super) waitpoint: Option<OpenWaitpoint>,
}

impl Rig {
    pub(super) async fn new() -> Self {
        let database = testkit::database().await;
        let engines = [database.engine().await, database.engine().await];
        let mut control = database.connection().await;
        let holder = database.connection().await;
        let between = Some(database.connection().await);
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
            holder,
            between,
            known: HashMap::new(),
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
        let created = engine.create(request).await.answered();
        let id = created.expect("created").id();
        let mut fence = Fence {
            execution_id: id,
            lease_id: LeaseId(uuid::Uuid::nil()),
            epoch: 1,
            attempt: 0,
        };
        let mut waitpoint = None;
        match place {
            Place::Waiting => {}
            Place::Blocked => {
                let block = Block {
                    operate: operate(id),
                    reason: BlockingReason::PausedByOperator,
                    detail: None,
                };
                engine.block(block).await.accepted();
            }
            Place::Due => {
                self.sql("UPDATE parked SET wake_at = clock_timestamp()", id)
                    .await
            }
            _ => {
                fence = claim(engine, &lane).await.expect("claimed");
            }
        }
        let [engine, _] = &self.engines;
        match place {
            Place::Children => {
                flows::park_for_child(engine, fence).await;
            }
            Place::Terminal => {
                let answer = engine.complete(work::complete(fence, "first")).await;
                answer.accepted();
            }
            Place::Expired => {
                let lapse = "UPDATE lease SET expires_at = clock_timestamp() - interval '1 s'";
                self.sql(lapse, id).await;
            }
            Place::Early => {
                let create = CreateWaitpoint {
                    fence,
                    key: "door".to_owned(),
                    expires_in_ms: None,
                    signal_names: Vec::new(),
                };
                let made = engine.create_waitpoint(create).await;
                let made = made.accepted();
                deliver(engine, from(waiting::signal(&made.token, "hint"), "a")).await;
                waitpoint = Some(made);
            }
            Place::Suspended => {
                let request = suspend(fence, single("door", "open"));
                waitpoint = suspended(engine, request).await.waitpoints.pop();
            }
            Place::Overdue(behavior) => {
                let request = Suspend {
                    timeout: Some(SuspensionTimeout::InMs(3_600_000)),
                    timeout_behavior: Some(behavior),
                    ..suspend(fence, sources("door", 2))
                };
                let mut suspension = suspended(engine, request).await;
                let door = suspension.waitpoints.remove(0);
                deliver(engine, from(waiting::signal(&door.token, "hint"), "a")).await;
                waitpoint = Some(door);
                self.sql("UPDATE parked SET wake_at = clock_timestamp()", id)
                    .await;
            }
            _ => {}
        }
        Case {
            lane,
            fence,
            waitpoint,
        }
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
        let info = info.answered().expect("known");
        let mut operations: Vec<_> = lists::operations(&self.engines[0], id)
            .await
            .into_iter()
            .map(|operation| operation.verb)
            .collect();
        operations.sort();
        let waited = match self.waited(id).await {
            waited if waited.is_empty() => String::new(),
            waited => format!(" {waited:?}"),
        };
        format!(
            "{} {} attempts {} retries {} reclaims {} replays {} priority {} {operations:?}{waited}",
            info.public_state,
            info.blocking_reason,
            info.attempts,
            info.retries,
            info.reclaims,
            info.replays,
            info.priority
        )
    }

    /// Says what it waited for, and what it received.
    async fn waited(&self, id: ExecutionId) -> Vec<String> {
        let engine = &self.engines[0];
        let mut waited = Vec::new();
        for it in lists::waitpoints(engine, id).await {
            let reason = it.close_reason.map_or("", |reason| reason.as_str());
            let (key, state, signals) = (it.key, it.state, it.signals);
            waited.push(format!("{key} {state} {reason} {signals}"));
        }
        for it in lists::suspensions(engine, id).await {
            let reason = it.close_reason.map_or("open", |reason| reason.as_str());
            waited.push(format!("{reason} by {}", it.satisfiers.len()));
        }
        for it in lists::signals(engine, id).await {
            waited.push(format!("{} {}", it.signal.name, it.effect));
        }
        waited
    }

    /// Asks for the verbs one after the other, or for one alone.
    async fn in_turn(&mut self, place: Place, asks: &[Ask]) -> (Vec<String>, String) {
        let turns = (place, asks.to_vec());
        if let Some(known) = self.known.get(&turns) {
            return known.clone();
        }
        let case = self.arrange(place).await;
        let mut answers = Vec::new();
        for &what in asks {
            answers.push(ask(&self.engines[0], what, &case).await);
        }
        let seen = self.seen(&case).await;
        self.known.insert(turns, (answers.clone(), seen.clone()));
        (answers, seen)
    }

    /// Returns what a pair may come to.
    pub(super) async fn allowed(
        &mut self,
        place: Place,
        first: Ask,
        second: Ask,
    ) -> BTreeSet<Outcome> {
        let mut allowed = BTreeSet::new();
        let (answers, seen) = self.in_turn(place, &[first, second]).await;
        allowed.insert((answers[0].clone(), answers[1].clone(), seen));
        let (answers, seen) = self.in_turn(place, &[second, first]).await;
        allowed.insert((answers[1].clone(), answers[0].clone(), seen));
        if first.passes_over() {
            let (answers, seen) = self.in_turn(place, &[second]).await;
            allowed.insert((first.passed_over(), answers[0].clone(), seen));
        }
        if second.passes_over() {
            let (answers, seen) = self.in_turn(place, &[first]).await;
            allowed.insert((answers[0].clone(), second.passed_over(), seen));
        }
        if first.passes_over() && second.passes_over() {
            let (_, seen) = self.in_turn(place, &[]).await;
            allowed.insert((first.passed_over(), second.passed_over(), seen));
        }
        allowed
    }

    /// Counts the statements that wait for a lock.
    async fn waiting(&mut self) -> i64 {
        sqlx::query_scalar(
            "SELECT count(*) FROM pg_stat_activity
             WHERE datname = current_database() AND pid <> pg_backend_pid()
               AND wait_event_type = 'Lock'",
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

    pub(super) async fn behind_a_lock(&mut self, place: Place, first: Ask, second: Ask) -> Outcome {
        let case = self.arrange(place).await;
        let id = case.fence.execution_id;
        let mut locks = "BEGIN".to_owned();
        for table in ["ready", "lease", "parked", "finished", "waitpoint"] {
            write!(
                locks,
                "; SELECT FROM {table} WHERE execution_id = '{id}' FOR UPDATE"
            )
            .expect("a string takes text");
        }
        self.hold(&locks).await;
        let asked = self.start(&case, first, 0);
        self.until_waiting(1, || asked.is_finished()).await;
        let other = self.start(&case, second, 1);
        let both = 2 - i64::from(asked.is_finished());
        self.until_waiting(both, || other.is_finished()).await;
        self.hold("ROLLBACK").await;
        self.outcome(&case, asked, other).await
    }

    async fn hold(&mut self, statements: &str) {
        let done = self.holder.execute(sqlx::AssertSqlSafe(statements)).await;
        done.expect("done");
    }

    pub(super) async fn before_the_commit(
        &mut self,
        place: Place,
        first: Ask,
        second: Ask,
    ) -> Outcome {
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

    /// Every verb writes events with what else it writes: who has the table keeps
    /// the statement from beginning, and keeps no statement from reading. Locks are given in
    /// the order they are asked for.
    pub(super) async fn after_the_reading(
        &mut self,
        place: Place,
        first: Ask,
        second: Ask,
    ) -> Outcome {
        const LOCK: &str = "BEGIN; LOCK TABLE event IN ACCESS EXCLUSIVE MODE";
        let case = self.arrange(place).await;
        self.hold(LOCK).await;
        let asked = self.start(&case, first, 0);
        self.until_waiting(1, || asked.is_finished()).await;
        let mut between = self.between.take().expect("it was put back");
        let parting = tokio::spawn(async move {
            between.execute(LOCK).await.expect("locked");
            between.execute("ROLLBACK").await.expect("let go");
            between
        });
        let two = 2 - i64::from(asked.is_finished());
        self.until_waiting(two, || false).await;
        let other = self.start(&case, second, 1);
        self.until_waiting(two + 1, || other.is_finished()).await;
        self.hold("ROLLBACK").await;
        self.between = Some(parting.await.expect("parted"));
        self.outcome(&case, asked, other).await
    }

    pub(super) async fn together(&mut self, place: Place, first: Ask, second: Ask) -> Outcome {
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

    fn start(&self, case: &Case, what: Ask, engine: usize) -> tokio::task::JoinHandle<String> {
        let engine = self.engines[engine].clone();
        let case = case.clone();
        tokio::spawn(async move { ask(&engine, what, &case).await })
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
