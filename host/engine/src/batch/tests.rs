//! Batching under tests: what a flush may rely on, and what becomes of one that fails.

use std::sync::Arc;
use std::time::Duration;

use model::Partition;
use parking_lot::Mutex;
use tokio::time::sleep;

use super::{BatchItem, Batcher, Flush, Flushes, Monitor};
use crate::database::Liveness;
use crate::metrics::Timings;
use crate::wake::Wake;
use crate::{Error, Tasks};

struct Add(u16, u32);

impl BatchItem for Add {
    type Key = u32;
    fn partition(&self) -> Partition {
        Partition::new(self.0).expect("small")
    }
    fn key(&self) -> u32 {
        self.1
    }
}

/// A call whose flush panics.
const POISON: u32 = 1_000_001;
/// A call on a row that cannot be read.
const CORRUPT: u32 = 1_000_003;
/// A call whose flush is never answered.
const STUCK: u32 = 1_000_002;

fn monitor() -> Monitor {
    Monitor {
        tasks: Tasks::default(),
        liveness: Liveness::new(),
        flushes: Flushes::default(),
        timings: Timings::default(),
        wake: Wake::start(None, &Tasks::default(), &Liveness::new()),
    }
}

/// Checks the promises made to a statement and counts flushes.
struct Checker(Arc<Mutex<Vec<usize>>>);

impl Flush<Add> for Checker {
    type Verdict = u32;
    async fn flush(
        &self,
        p: Partition,
        batch: &[Box<Add>],
        retried: bool,
    ) -> Result<Vec<u32>, Error> {
        assert!(batch.iter().all(|call| call.partition() == p));
        assert!(
            batch.is_sorted_by(|a, b| a.1 < b.1),
            "distinct and in order"
        );
        tokio::task::yield_now().await;
        if !retried && batch.iter().any(|call| call.1 == 13) {
            return Err(Error::Unavailable("bad luck".to_owned()));
        }
        assert!(batch.iter().all(|call| call.1 != POISON), "poison");
        if batch.iter().any(|call| call.1 == CORRUPT) {
            return Err(Error::corrupt("t", "c", CORRUPT, "odd"));
        }
        if batch.iter().any(|call| call.1 == STUCK) {
            std::future::pending::<()>().await;
        }
        self.0.lock().push(batch.len());
        Ok(batch.iter().map(|call| call.1 * 2).collect())
    }
}

#[tokio::test(start_paused = true)]
async fn every_call_gets_its_own_verdict_and_calls_are_batched() {
    let sizes: Arc<Mutex<Vec<usize>>> = Arc::default();
    let batcher = Batcher::start("add", 2, true, Checker(Arc::clone(&sizes)), &monitor());
    let calls: Vec<_> = (0..600_u32).map(|n| Add((n % 3) as u16, n / 2)).collect();
    let wanted: Vec<_> = calls.iter().map(|call| call.1 * 2).collect();
    let got: Vec<_> = batcher
        .call_all(calls)
        .await
        .into_iter()
        .map(|verdict| verdict.expect("retried when unavailable"))
        .collect();
    assert_eq!(got, wanted);
    let sizes = sizes.lock().clone();
    assert_eq!(sizes.iter().sum::<usize>(), 600);
    assert!(sizes.len() < 20, "{sizes:?}");
}

#[tokio::test(start_paused = true)]
async fn only_the_call_that_panics_gets_the_fault_and_its_flushers_keep_running() {
    let monitor = monitor();
    let batcher = Batcher::start("add", 2, true, Checker(Arc::default()), &monitor);
    for round in 0..5 {
        let mut calls: Vec<_> = (0..40).map(|n| Add(0, round * 100 + n)).collect();
        calls.insert(17, Add(0, POISON));
        let mut verdicts = batcher.call_all(calls).await;
        let poisoned = verdicts.remove(17).expect_err("it panicked");
        assert!(matches!(poisoned, Error::Defect(_)), "{poisoned}");
        assert!(
            !poisoned.is_unavailable(),
            "asking again would meet it again"
        );
        for (n, verdict) in (0..).zip(verdicts) {
            assert_eq!(verdict.expect("an innocent"), (round * 100 + n) * 2);
        }
    }
    let panics = monitor.tasks.panics();
    assert!(panics[0].1 >= 5, "{panics:?}");
    let troubles = monitor.tasks.troubles();
    assert!(
        troubles.is_empty(),
        "the host is not to blame: {troubles:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_row_that_cannot_be_read_fails_only_the_call_on_it() {
    let batcher = Batcher::start("add", 1, true, Checker(Arc::default()), &monitor());
    let mut calls: Vec<_> = (0..40).map(|n| Add(0, n)).collect();
    calls.insert(17, Add(0, CORRUPT));
    let mut verdicts = batcher.call_all(calls).await;
    let corrupt = verdicts.remove(17).expect_err("it cannot be read");
    assert!(matches!(corrupt, Error::Corrupt { .. }), "{corrupt}");
    for (n, verdict) in (0..).zip(verdicts) {
        assert_eq!(verdict.expect("another row"), n * 2);
    }
}

#[tokio::test(start_paused = true)]
async fn a_flush_without_an_answer_is_abandoned_and_those_behind_it_are_served() {
    let batcher = Batcher::start("add", 1, true, Checker(Arc::default()), &monitor());
    let (stuck, other) = tokio::join!(batcher.call(Add(0, STUCK)), async {
        sleep(Duration::from_millis(1)).await;
        batcher.call(Add(0, 1)).await
    });
    let stuck = stuck.expect_err("never answered");
    assert!(stuck.is_unavailable(), "{stuck}");
    assert_eq!(other.expect("served"), 2);
}

/// A call with a payload of so many bytes.
struct Sized(u32, usize);

impl BatchItem for Sized {
    type Key = u32;
    fn partition(&self) -> Partition {
        Partition::new(0).expect("small")
    }
    fn key(&self) -> u32 {
        self.0
    }
    fn payload_bytes(&self) -> usize {
        self.1
    }
}

/// Stores a megabyte a second, and notes the bytes of each flush.
struct Slow(Arc<Mutex<Vec<usize>>>);

impl Flush<Sized> for Slow {
    type Verdict = ();
    async fn flush(&self, _: Partition, batch: &[Box<Sized>], _: bool) -> Result<Vec<()>, Error> {
        let bytes: usize = batch.iter().map(|call| call.1).sum();
        self.0.lock().push(bytes);
        sleep(Duration::from_secs(bytes as u64 >> 20)).await;
        Ok(vec![(); batch.len()])
    }
}

#[tokio::test(start_paused = true)]
async fn small_calls_do_not_wait_until_large_ones_are_stored() {
    let flushes: Arc<Mutex<Vec<usize>>> = Arc::default();
    let batcher = Batcher::start("store", 2, true, Slow(flushes.clone()), &monitor());
    let large = batcher.call_all((0..20).map(|n| Sized(n, 2 << 20)).collect());
    let small = async {
        sleep(Duration::from_millis(500)).await;
        let began = tokio::time::Instant::now();
        let verdicts = batcher.call_all((100..200).map(|n| Sized(n, 100)).collect());
        assert!(verdicts.await.iter().all(Result::is_ok));
        began.elapsed()
    };
    let (large, waited) = tokio::join!(large, small);
    assert!(waited < Duration::from_millis(100), "{waited:?}");
    assert!(large.iter().all(Result::is_ok));
    let most = flushes.lock().iter().copied().max();
    assert!(most <= Some(8 << 20), "{most:?}");
}
