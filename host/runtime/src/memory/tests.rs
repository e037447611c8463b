//! Claims about the budget: small sandboxes beside big ones, order, and that none waits
//! for ever.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;

use super::{
    Admission, Allowance, Demand, GrowthRefusal, PoolBound, PoolSize, Reservation, SandboxBudget,
};

const MIB: u64 = 1 << 20;
/// Long enough not to end by itself where a test is about something else.
const WAIT: Duration = Duration::from_secs(4);

fn budget(sandboxes: u32, memories: u32, mib: u64) -> Arc<SandboxBudget> {
    let size = PoolSize {
        sandboxes,
        memories,
        tables: memories * 2,
        memory_kept_bytes: 0,
        table_kept_bytes: 0,
        bound: PoolBound::Asked,
    };
    SandboxBudget::with_growth_wait_max(&size, mib * MIB, WAIT)
}

fn demand(memories: u64, bytes: u64) -> Demand {
    Demand {
        memories,
        tables: memories,
        bytes,
        metered_bytes: bytes,
    }
}

fn open(budget: &Arc<SandboxBudget>, memories: u64, bytes: u64) -> JoinHandle<Arc<Reservation>> {
    let budget = budget.clone();
    tokio::spawn(async move { budget.reserve(&demand(memories, bytes)).await })
}

fn grow(reservation: &Arc<Reservation>, more: u64) -> JoinHandle<Result<(), GrowthRefusal>> {
    let reservation = reservation.clone();
    tokio::spawn(async move { reservation.grow(more).await })
}

/// Lets everything that can run do so.
async fn settle() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

async fn given(opening: JoinHandle<Arc<Reservation>>) -> Arc<Reservation> {
    tokio::time::timeout(Duration::from_secs(5), opening)
        .await
        .expect("its resources are free")
        .expect("it does not panic")
}

#[tokio::test]
async fn sandboxes_that_do_not_fit_wait_in_order_and_claims_pause() {
    let budget = budget(2, 8, 100);
    let first = budget.reserve(&demand(1, MIB)).await;
    let second = budget.reserve(&demand(1, MIB)).await;
    assert_eq!(budget.admission(), Admission::All);
    let third = open(&budget, 1, MIB);
    settle().await;
    let fourth = open(&budget, 1, MIB);
    settle().await;
    assert_eq!(budget.occupancy().opening, 2);
    assert!(budget.try_reserve(&demand(1, MIB)).is_none());
    drop(first);
    let third = given(third).await;
    assert!(!fourth.is_finished());
    assert_eq!(budget.admission(), Admission::None);
    let emptied = budget.queue_emptied();
    drop(second);
    let fourth = given(fourth).await;
    emptied.await;
    assert_eq!(budget.admission(), Admission::All);
    drop((third, fourth));
    let empty = budget.occupancy();
    assert_eq!((empty.sandboxes, empty.bytes), (0, 0));
}

#[tokio::test]
async fn an_abandoned_wait_keeps_neither_its_place_nor_its_reservation() {
    let budget = budget(1, 8, 100);
    let first = budget.reserve(&demand(1, MIB)).await;
    let gone = open(&budget, 1, MIB);
    settle().await;
    gone.abort();
    settle().await;
    assert_eq!(budget.admission(), Admission::All);
    // Granted and not taken: the same.
    let granted = open(&budget, 1, MIB);
    settle().await;
    granted.abort();
    drop(first);
    settle().await;
    assert_eq!(budget.occupancy().sandboxes, 0);
    assert!(budget.try_reserve(&demand(1, MIB)).is_some());
}

#[tokio::test]
async fn sandboxes_of_many_memories_leave_some_for_those_of_few() {
    let budget = budget(64, 64, 1000);
    let mut big = Vec::new();
    while let Some(reservation) = budget.try_reserve(&demand(8, MIB)) {
        big.push(reservation);
    }
    assert_eq!(big.len(), 6, "48 of 64 memories");
    let waiting = open(&budget, 8, MIB);
    settle().await;
    assert!(!waiting.is_finished());
    assert_eq!(budget.admission(), Admission::Small);
    let small: Vec<_> = (0..10)
        .map_while(|_| budget.try_reserve(&demand(1, MIB)))
        .collect();
    assert_eq!(small.len(), 10, "they pass it");
    big.pop();
    drop(given(waiting).await);
}

#[tokio::test]
async fn big_sandboxes_are_not_overtaken_for_ever() {
    let budget = budget(1000, 4000, 100);
    // Small ones take all there is.
    let mut small = std::collections::VecDeque::new();
    while let Some(reservation) = budget.try_reserve(&demand(1, MIB)) {
        small.push_back(reservation);
    }
    assert_eq!(small.len(), 100);
    let big = open(&budget, 1, 40 * MIB);
    settle().await;
    // Each that ends is replaced immediately; still the big one opens.
    let began = Instant::now();
    while !big.is_finished() {
        assert!(
            began.elapsed() < Duration::from_secs(10),
            "{:?}",
            budget.occupancy()
        );
        small.pop_front();
        if let Some(reservation) = budget.try_reserve(&demand(1, MIB)) {
            small.push_back(reservation);
        }
        tokio::task::yield_now().await;
    }
    assert!(budget.occupancy().bytes <= 100 * MIB);
}

#[tokio::test]
async fn growth_waits_for_sandboxes_that_end() {
    let budget = budget(10, 40, 100);
    let first = budget.reserve(&demand(1, MIB)).await;
    let second = budget.reserve(&demand(1, MIB)).await;
    assert_eq!(first.grow(60 * MIB).await, Ok(()));
    let growth = grow(&second, 60 * MIB);
    settle().await;
    assert!(!growth.is_finished());
    assert_eq!(budget.occupancy().growing, 1);
    drop(first);
    assert_eq!(growth.await.expect("no panic"), Ok(()));
    assert_eq!(budget.occupancy().bytes, 61 * MIB);
    second.shrink(60 * MIB);
    assert_eq!(budget.occupancy().bytes, MIB);
    drop(second);
    assert_eq!(budget.occupancy().bytes, 0);
}

#[tokio::test]
async fn when_all_wait_for_each_other_the_youngest_is_stopped_immediately() {
    let budget = budget(10, 40, 100);
    let began = Instant::now();
    let oldest = budget.reserve(&demand(1, 30 * MIB)).await;
    let youngest = budget.reserve(&demand(1, 30 * MIB)).await;
    let oldest_growth = grow(&oldest, 30 * MIB);
    settle().await;
    let youngest_growth = grow(&youngest, 30 * MIB);
    assert_eq!(
        youngest_growth.await.expect("no panic"),
        Err(GrowthRefusal::BudgetExhausted)
    );
    assert!(!oldest_growth.is_finished());
    drop(youngest);
    assert_eq!(oldest_growth.await.expect("no panic"), Ok(()));
    assert!(began.elapsed() < Duration::from_secs(5));
    assert_eq!(budget.occupancy().refused, 1);
}

#[tokio::test]
async fn growth_that_stays_impossible_is_refused_after_the_wait() {
    let budget = budget(10, 40, 100);
    let sleeper = budget.reserve(&demand(1, 60 * MIB)).await;
    let second = budget.reserve(&demand(1, MIB)).await;
    assert_eq!(
        second.grow(60 * MIB).await,
        Err(GrowthRefusal::BudgetExhausted)
    );
    assert_eq!(budget.occupancy().growing, 0);
    drop(sleeper);
    assert_eq!(second.try_grow(60 * MIB), Ok(()));
}

#[tokio::test]
async fn a_small_sandbox_that_lacks_bytes_has_a_waiting_big_one_stopped() {
    let budget = budget(100, 400, 40);
    let sleeper = budget.reserve(&demand(1, 2 * MIB)).await;
    let hogs: Vec<_> = {
        let mut hogs = Vec::new();
        while let Some(reservation) = budget.try_reserve(&demand(1, 2 * MIB)) {
            hogs.push(reservation);
        }
        hogs
    };
    let growths: Vec<_> = hogs.iter().map(|hog| grow(hog, 10 * MIB)).collect();
    settle().await;
    let small = open(&budget, 1, MIB);
    settle().await;
    let stopped: Vec<_> = growths.iter().map(JoinHandle::is_finished).collect();
    assert_eq!(stopped.iter().filter(|it| **it).count(), 1, "{stopped:?}");
    assert_eq!(stopped.last(), Some(&true), "the youngest");
    assert_eq!(
        budget.occupancy().refused,
        1,
        "and no other before it is closed"
    );
    let mut hogs = hogs;
    hogs.pop();
    let small = given(small).await;
    drop((small, sleeper));
}

#[tokio::test]
async fn more_than_one_sandbox_may_hold_is_refused_without_a_wait() {
    let budget = budget(10, 40, 100);
    let reservation = budget.reserve(&demand(1, MIB)).await;
    let never = reservation.grow(80 * MIB).await;
    assert_eq!(never, Err(GrowthRefusal::ExceedsShare { max: 75 * MIB }));
    assert_eq!(budget.never_fits(&demand(1, 70 * MIB)), None);
    let why = budget.never_fits(&demand(1, 80 * MIB)).expect("too much");
    assert!(why.contains("runtime.memory_bytes_max"), "{why}");
    assert!(budget.never_fits(&demand(40, MIB)).is_some());
}

/// Any sequence of openings, growth and ends completes, and leaves the budget unused.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn in_random_sequences_none_waits_for_ever_and_nothing_is_lost() {
    let budget = budget(20, 50, 64);
    let sandboxes = (0..400_u64).map(|n| {
        let budget = budget.clone();
        tokio::spawn(async move {
            let n = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let reservation = budget
                .reserve(&demand(1 + n % 8, (n >> 8) % (30 * MIB)))
                .await;
            for step in 0..4 {
                let more = (n >> (16 + step)) % (12 * MIB);
                if reservation.grow(more).await.is_err() {
                    return;
                }
                let used = budget.occupancy();
                assert!(used.bytes <= used.bytes_max && used.sandboxes <= used.sandboxes_max);
                tokio::task::yield_now().await;
                reservation.shrink(more / 2);
            }
        })
    });
    for sandbox in futures::future::join_all(sandboxes).await {
        sandbox.expect("no panic");
    }
    let empty = budget.occupancy();
    assert_eq!(
        (empty.sandboxes, empty.bytes, empty.opening, empty.growing),
        (0, 0, 0, 0)
    );
}

#[tokio::test]
async fn bytes_of_the_reservation_are_drawn_before_the_budget_is_asked() {
    let budget = budget(10, 40, 100);
    let reservation = budget.reserve(&demand(1, MIB)).await;
    let mut allowance = Allowance::of(reservation.clone());
    assert_eq!(allowance.draw(MIB), Ok(()));
    assert_eq!(budget.occupancy().bytes, MIB);
    assert_eq!(allowance.draw(1), Ok(()));
    assert_eq!(allowance.draw_waiting(1000).await, Ok(()));
    assert_eq!(budget.occupancy().bytes, MIB + (64 << 10));
    assert_eq!(allowance.draw_waiting(50 * MIB).await, Ok(()));
    assert_eq!(
        allowance.draw(60 * MIB),
        Err(GrowthRefusal::ExceedsShare { max: 75 * MIB })
    );
    allowance.release(50 * MIB);
    assert!(
        budget.occupancy().bytes < 2 * MIB,
        "{:?}",
        budget.occupancy()
    );
    drop((reservation, allowance));
    assert_eq!(budget.occupancy().bytes, 0);
    assert_eq!(Allowance::default().draw(1 << 60), Ok(()));
}
