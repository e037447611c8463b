//! A program of random steps: each is asked of the engine and of the model, and both
//! must answer the same.

use engine::{Addressee, Cancel, Engine, OpenWaitpoint, SendSignal, Suspended, WaitpointRef};
use model::{ExecutionId, Fence, LeaseId, WaitpointId};
use sqlx::{AssertSqlSafe, Executor as _, PgConnection};
use testkit::{Answered, Database, Random, database, eventually};
use tokio::runtime::Handle;

use super::expected::Expected;
use super::facts::{Arrives, Asked, Place, Suspends};
use super::steps::{Step, suspend};
use crate::support::lists;
use crate::support::waiting;
use crate::support::work::{claim, complete, create, operate};

/// One execution, and what it is compared with.
struct Program<'a> {
    engine: &'a Engine,
    connection: &'a mut PgConnection,
    id: ExecutionId,
    /// The last lease there was.
    fence: Fence,
    expected: Expected,
    /// What opens each waitpoint, by its number.
    doors: Vec<OpenWaitpoint>,
}

impl Program<'_> {
    async fn step(&mut self, step: Step) {
        match step {
            Step::Claim => self.claim().await,
            Step::Create(key) => self.create(key).await,
            Step::Suspend(asked) => self.suspend(asked).await,
            Step::Signal(waitpoint, name, source, key) => {
                let mut deliver = waiting::signal(&self.doors[waitpoint].token, name);
                deliver.source_identity = source.to_owned();
                deliver.idempotency_key = key.map(str::to_owned);
                let arrives = self.expected.signal(Some(waitpoint), name, source, key);
                self.deliver(deliver, arrives).await;
            }
            Step::Operator(key, name, source) => {
                let found = self.expected.find(key);
                let arrives = self.expected.signal(found, name, source, None);
                let deliver = SendSignal {
                    to: Addressee::Operator {
                        operate: operate(self.id),
                        waitpoint: WaitpointRef::Key(key.to_owned()),
                    },
                    name: name.to_owned(),
                    category: None,
                    source_type: "test".to_owned(),
                    source_identity: source.to_owned(),
                    credential: None,
                    correlation_id: None,
                    payload: None,
                    idempotency_key: None,
                    dedup_ttl_ms: None,
                };
                self.deliver(deliver, arrives).await;
            }
            Step::Close(key) => {
                let door = WaitpointRef::Key(key.to_owned());
                let answer = self.engine.close_waitpoint(operate(self.id), door).await;
                let answer = answer.answered().map_err(|refused| refused.code());
                assert_eq!(answer, self.expected.close(key));
            }
            Step::Resume => {
                let answer = self.engine.resume(operate(self.id), None).await;
                assert_eq!(answer.answered().is_ok(), self.expected.resume());
            }
            Step::TimeOut => {
                self.sweep_after(
                    "UPDATE parked SET wake_at = clock_timestamp()
                     WHERE state = 'suspended' AND wake_at IS NOT NULL",
                )
                .await;
                self.expected.time_out();
            }
            Step::Expire => {
                self.sweep_after(
                    "UPDATE waitpoint SET expires_at = clock_timestamp()
                     WHERE state = 'pending' AND expires_at IS NOT NULL",
                )
                .await;
                self.expected.expire();
            }
            Step::LoseLease => {
                self.sweep_after("UPDATE lease SET expires_at = clock_timestamp() WHERE true")
                    .await;
                if self.expected.place == Place::Active {
                    self.expected.place = Place::Ready;
                }
            }
            Step::Cancel => {
                let cancel = Cancel {
                    id: self.id,
                    namespace: None,
                    reason: None,
                    source: Default::default(),
                    actor: None,
                };
                let answer = self.engine.cancel(cancel).await.answered();
                let over = matches!(self.expected.place, Place::Done(_));
                assert!(answer.is_ok() || over, "{answer:?}");
                self.expected.cancel();
            }
            Step::Complete => {
                if self.expected.place == Place::Active {
                    let answer = self.engine.complete(complete(self.fence, "")).await;
                    answer.accepted();
                    self.expected.place = Place::Done(model::Outcome::Success);
                }
            }
            Step::Replay => {
                let answer = self.engine.replay(operate(self.id)).await;
                assert_eq!(answer.answered().is_ok(), self.expected.replay());
            }
        }
    }

    async fn sweep_after(&mut self, moved: &str) {
        let moved = format!("{moved} AND execution_id = '{}'", self.id);
        let done = self.connection.execute(AssertSqlSafe(moved)).await;
        done.expect("time moves");
        self.engine.reconcile().await.expect("swept");
    }

    async fn claim(&mut self) {
        let try_claim = async || claim(self.engine, 1).await.pop();
        if self.expected.place != Place::Ready {
            return assert!(try_claim().await.is_none());
        }
        // A host that found nothing looks again a little later.
        let claimed = eventually("it is claimed", try_claim).await;
        self.fence = claimed.fence;
        self.expected.place = Place::Active;
        let found = claimed.resumption.as_deref();
        let expected = self.expected.resumption();
        assert_eq!(
            found.map(|it| (Some(it.reason), it.signals.iter().map(|it| it.id).collect())),
            expected.map(|it| (it.reason, self.ids(&it.satisfiers))),
        );
    }

    fn ids(&self, signals: &[usize]) -> Vec<model::SignalId> {
        let ids = signals.iter().map(|at| self.expected.signals[*at].id);
        ids.collect()
    }

    async fn create(&mut self, key: &'static str) {
        let create = waiting::create_waitpoint(self.fence, key);
        let answer = self.engine.create_waitpoint(create).await.answered();
        match self.expected.create(key) {
            None => assert!(answer.is_err()),
            Some((number, existing)) => {
                let made = answer.expect("made");
                assert_eq!(made.existing, existing);
                assert_eq!(
                    made.expires_at.is_some(),
                    self.expected.waitpoints[number].ends
                );
                self.opened(number, made);
            }
        }
    }

    /// Keeps what opens a waitpoint. One that was there has the same id.
    fn opened(&mut self, number: usize, made: OpenWaitpoint) {
        match self.doors.get_mut(number) {
            Some(known) => {
                assert_eq!(known.id, made.id);
                *known = made;
            }
            None => self.doors.push(made),
        }
        assert!(number < self.doors.len());
    }

    async fn suspend(&mut self, asked: Asked) {
        let repeats = self.expected.place != Place::Active;
        let mut request = suspend(self.fence, asked);
        if repeats {
            // Its holder would be told of the suspension it ended with.
            request.fence.lease_id = LeaseId(uuid::Uuid::nil());
        }
        let answer = waiting::try_suspend(self.engine, request).await;
        match (self.expected.suspend(asked), answer) {
            (Suspends::Refused(code), Err(refused)) => {
                assert!(code.is_empty() || code == refused.code(), "{refused}");
            }
            (
                Suspends::Satisfied(number),
                Ok(Suspended::AlreadySatisfied(engine::Satisfied {
                    resumption: found, ..
                })),
            ) => {
                let suspension = &self.expected.suspensions[number];
                let ids: Vec<_> = found.signals.iter().map(|it| it.id).collect();
                assert_eq!(Some(found.reason), suspension.reason);
                assert_eq!(ids, self.ids(&suspension.satisfiers));
            }
            (Suspends::Yes(waitpoints), Ok(Suspended::Suspended(suspension))) => {
                assert_eq!(waitpoints.len(), suspension.waitpoints.len());
                for (number, made) in waitpoints.into_iter().zip(suspension.waitpoints) {
                    self.expected.waitpoints[number].key.clone_from(&made.key);
                    self.opened(number, made);
                }
            }
            (expected, answer) => panic!("{answer:?}, not {expected:?}"),
        }
    }

    async fn deliver(&mut self, deliver: SendSignal, arrives: Arrives) {
        let answer = waiting::try_deliver(self.engine, deliver).await;
        match (arrives, answer) {
            (Arrives::Refused(code), Err(refused)) => assert_eq!(refused.code(), code),
            (Arrives::Accepted(effect), Ok(delivered)) => {
                assert_eq!((delivered.effect, delivered.duplicate), (effect, false));
                let last = self.expected.signals.last_mut().expect("it came");
                last.id = delivered.signal_id;
            }
            (Arrives::Again(at), Ok(delivered)) => {
                let first = &self.expected.signals[at];
                assert_eq!(
                    (delivered.signal_id, delivered.effect, delivered.duplicate),
                    (first.id, first.effect, true)
                );
            }
            (arrives, answer) => panic!("{answer:?}, not {arrives:?}"),
        }
    }

    /// Compares everything that can be read.
    async fn compare(&self) {
        let info = self.engine.get(self.id, None).await.answered();
        let info = info.expect("known");
        assert_eq!(info.public_state, self.expected.public());
        let found = lists::waitpoints(self.engine, self.id).await;
        assert_eq!(found.len(), self.expected.waitpoints.len());
        for found in found {
            let number = self.number(found.id);
            let expected = &self.expected.waitpoints[number];
            let signals = self.expected.signals.iter();
            let signals = signals.filter(|it| it.waitpoint == number).count();
            assert_eq!(
                (
                    found.key,
                    found.state,
                    found.close_reason,
                    found.signals as usize
                ),
                (
                    expected.key.clone(),
                    expected.state,
                    expected.reason,
                    signals
                )
            );
        }
        let found = lists::suspensions(self.engine, self.id).await.into_iter();
        let found: Vec<_> = found.map(|it| (it.close_reason, it.satisfiers)).collect();
        let expected = self.expected.suspensions.iter();
        let expected = expected.map(|it| (it.reason, self.ids(&it.satisfiers)));
        assert_eq!(found, expected.collect::<Vec<_>>());
        let found = lists::signals(self.engine, self.id).await.into_iter();
        let found: Vec<_> = found.map(|it| (it.signal.id, it.effect)).collect();
        let expected = self.expected.signals.iter();
        let expected: Vec<_> = expected.map(|it| (it.id, it.effect)).collect();
        assert_eq!(found, expected);
    }

    fn number(&self, id: WaitpointId) -> usize {
        let found = self.doors.iter().position(|door| door.id == id);
        found.expect("a waitpoint that was told of")
    }
}

/// Prints what was done if a comparison fails.
struct Trace(Vec<Step>);

impl Drop for Trace {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("after {:#?}", self.0);
        }
    }
}

async fn run(random: &mut Random, hosts: &[Engine; 2], connection: &mut PgConnection) {
    let created = hosts[0].create(create("x")).await.answered();
    let id = created.expect("created").id();
    let mut program = Program {
        engine: &hosts[0],
        connection,
        id,
        fence: Fence {
            execution_id: id,
            lease_id: LeaseId(uuid::Uuid::nil()),
            epoch: 0,
            attempt: 0,
        },
        expected: Expected::new(),
        doors: Vec::new(),
    };
    let mut trace = Trace(Vec::new());
    for _ in 0..4 + random.below(16) {
        let step = Step::draw(random, &program.expected);
        trace.0.push(step);
        program.engine = random.pick(hosts);
        program.step(step).await;
    }
    program.compare().await;
    // So that the next program claims what is its own.
    program.step(Step::Cancel).await;
}

async fn deadlocks(database: &Database) -> i64 {
    let mut connection = database.connection().await;
    let found = sqlx::query_scalar(
        "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()",
    );
    found.fetch_one(&mut connection).await.expect("counted")
}

#[tokio::test(flavor = "multi_thread")]
async fn fuzz_programs_of_waiting_do_what_they_do_in_memory() {
    let database = database().await;
    let hosts = [database.engine().await, database.engine().await];
    let mut connection = database.connection().await;
    tokio::task::block_in_place(|| {
        Random::rounds(300, |random| {
            Handle::current().block_on(run(random, &hosts, &mut connection));
        });
    });
    database.assert_invariants().await;
    for host in hosts {
        host.close().await;
    }
    assert_eq!(deadlocks(&database).await, 0);
}
