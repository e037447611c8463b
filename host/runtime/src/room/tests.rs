//! Claims about who gets room: small sandboxes beside big ones, order, and that
//! nothing waits for ever.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;

use super::{Allowance, Bound, ForMore, NoRoom, PoolSize, Room, Seat, Wanted};

const MIB: u64 = 1 << 20;
/// Long enough not to end by itself where a test is about something else.
const WAIT: Duration = Duration::from_secs(4);

fn room(sandboxes: u32, memories: u32, mib: u64) -> Arc<Room> {
    let size = PoolSize {
        sandboxes,
        memories,
        tables: memories * 2,
        memory_kept_bytes: 0,
        table_kept_bytes: 0,
        bound: Bound::Asked,
    };
    Room::patient(&size, mib * MIB, WAIT)
}

fn wanted(memories: u64, bytes: u64) -> Wanted {
    Wanted {
        memories,
        tables: memories,
        bytes,
        metered_bytes: bytes,
    }
}

fn open(room: &Arc<Room>, memories: u64, bytes: u64) -> JoinHandle<Arc<Seat>> {
    let room = room.clone();
    tokio::spawn(async move { room.open(&wanted(memories, bytes)).await })
}

fn grow(seat: &Arc<Seat>, more: u64) -> JoinHandle<Result<(), NoRoom>> {
    let seat = seat.clone();
    tokio::spawn(async move { seat.grow(more).await })
}

/// Lets everything that can run do so.
async fn settle() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

async fn given(opening: JoinHandle<Arc<Seat>>) -> Arc<Seat> {
    tokio::time::timeout(Duration::from_secs(5), opening)
        .await
        .expect("there is room")
        .expect("it does not panic")
}

#[tokio::test]
async fn what_finds_no_room_waits_in_order_and_claims_pause() {
    let room = room(2, 8, 100);
    let first = room.open(&wanted(1, MIB)).await;
    let second = room.open(&wanted(1, MIB)).await;
    assert_eq!(room.for_more(), ForMore::All);
    let third = open(&room, 1, MIB);
    settle().await;
    let fourth = open(&room, 1, MIB);
    settle().await;
    assert_eq!(room.occupancy().opening, 2);
    assert!(room.try_open(&wanted(1, MIB)).is_none());
    drop(first);
    let third = given(third).await;
    assert!(!fourth.is_finished());
    assert_eq!(room.for_more(), ForMore::None);
    let cleared = room.cleared();
    drop(second);
    let fourth = given(fourth).await;
    cleared.await;
    assert_eq!(room.for_more(), ForMore::All);
    drop((third, fourth));
    let empty = room.occupancy();
    assert_eq!((empty.sandboxes, empty.bytes), (0, 0));
}

#[tokio::test]
async fn what_stops_waiting_keeps_neither_its_place_nor_its_room() {
    let room = room(1, 8, 100);
    let first = room.open(&wanted(1, MIB)).await;
    let gone = open(&room, 1, MIB);
    settle().await;
    gone.abort();
    settle().await;
    assert_eq!(room.for_more(), ForMore::All);
    // Granted and not taken: the same.
    let granted = open(&room, 1, MIB);
    settle().await;
    granted.abort();
    drop(first);
    settle().await;
    assert_eq!(room.occupancy().sandboxes, 0);
    assert!(room.try_open(&wanted(1, MIB)).is_some());
}

#[tokio::test]
async fn sandboxes_of_many_memories_leave_room_for_those_of_few() {
    let room = room(64, 64, 1000);
    let mut big = Vec::new();
    while let Some(seat) = room.try_open(&wanted(8, MIB)) {
        big.push(seat);
    }
    assert_eq!(big.len(), 6, "48 of 64 memories");
    let waiting = open(&room, 8, MIB);
    settle().await;
    assert!(!waiting.is_finished());
    assert_eq!(room.for_more(), ForMore::Small);
    let small: Vec<_> = (0..10)
        .map_while(|_| room.try_open(&wanted(1, MIB)))
        .collect();
    assert_eq!(small.len(), 10, "they pass it");
    big.pop();
    drop(given(waiting).await);
}

#[tokio::test]
async fn big_sandboxes_are_not_passed_for_ever() {
    let room = room(1000, 4000, 100);
    // Small ones take all there is.
    let mut small = std::collections::VecDeque::new();
    while let Some(seat) = room.try_open(&wanted(1, MIB)) {
        small.push_back(seat);
    }
    assert_eq!(small.len(), 100);
    let big = open(&room, 1, 40 * MIB);
    settle().await;
    // Each that ends is replaced as soon as may be; still the big one opens.
    let began = Instant::now();
    while !big.is_finished() {
        assert!(
            began.elapsed() < Duration::from_secs(10),
            "{:?}",
            room.occupancy()
        );
        small.pop_front();
        if let Some(seat) = room.try_open(&wanted(1, MIB)) {
            small.push_back(seat);
        }
        tokio::task::yield_now().await;
    }
    assert!(room.occupancy().bytes <= 100 * MIB);
}

#[tokio::test]
async fn growth_waits_for_sandboxes_that_end() {
    let room = room(10, 40, 100);
    let first = room.open(&wanted(1, MIB)).await;
    let second = room.open(&wanted(1, MIB)).await;
    assert_eq!(first.grow(60 * MIB).await, Ok(()));
    let growth = grow(&second, 60 * MIB);
    settle().await;
    assert!(!growth.is_finished());
    assert_eq!(room.occupancy().growing, 1);
    drop(first);
    assert_eq!(growth.await.expect("no panic"), Ok(()));
    assert_eq!(room.occupancy().bytes, 61 * MIB);
    second.shrink(60 * MIB);
    assert_eq!(room.occupancy().bytes, MIB);
    drop(second);
    assert_eq!(room.occupancy().bytes, 0);
}

#[tokio::test]
async fn when_all_wait_for_each_other_the_youngest_is_stopped_at_once() {
    let room = room(10, 40, 100);
    let began = Instant::now();
    let oldest = room.open(&wanted(1, 30 * MIB)).await;
    let youngest = room.open(&wanted(1, 30 * MIB)).await;
    let oldest_growth = grow(&oldest, 30 * MIB);
    settle().await;
    let youngest_growth = grow(&youngest, 30 * MIB);
    assert_eq!(youngest_growth.await.expect("no panic"), Err(NoRoom::Full));
    assert!(!oldest_growth.is_finished());
    drop(youngest);
    assert_eq!(oldest_growth.await.expect("no panic"), Ok(()));
    assert!(began.elapsed() < Duration::from_secs(5));
    assert_eq!(room.occupancy().refused, 1);
}

#[tokio::test]
async fn growth_that_nothing_makes_room_for_ends_with_its_time() {
    let room = room(10, 40, 100);
    let sleeper = room.open(&wanted(1, 60 * MIB)).await;
    let second = room.open(&wanted(1, MIB)).await;
    assert_eq!(second.grow(60 * MIB).await, Err(NoRoom::Full));
    assert_eq!(room.occupancy().growing, 0);
    drop(sleeper);
    assert_eq!(second.try_grow(60 * MIB), Ok(()));
}

#[tokio::test]
async fn a_small_sandbox_that_finds_no_room_has_one_that_waits_to_grow_stopped() {
    let room = room(100, 400, 40);
    let sleeper = room.open(&wanted(1, 2 * MIB)).await;
    let hogs: Vec<_> = {
        let mut hogs = Vec::new();
        while let Some(seat) = room.try_open(&wanted(1, 2 * MIB)) {
            hogs.push(seat);
        }
        hogs
    };
    let growths: Vec<_> = hogs.iter().map(|hog| grow(hog, 10 * MIB)).collect();
    settle().await;
    let small = open(&room, 1, MIB);
    settle().await;
    let stopped: Vec<_> = growths.iter().map(JoinHandle::is_finished).collect();
    assert_eq!(stopped.iter().filter(|it| **it).count(), 1, "{stopped:?}");
    assert_eq!(stopped.last(), Some(&true), "the youngest");
    assert_eq!(
        room.occupancy().refused,
        1,
        "and no other before it is closed"
    );
    let mut hogs = hogs;
    hogs.pop();
    let small = given(small).await;
    drop((small, sleeper));
}

#[tokio::test]
async fn what_one_may_never_hold_is_refused_and_not_waited_for() {
    let room = room(10, 40, 100);
    let seat = room.open(&wanted(1, MIB)).await;
    let never = seat.grow(80 * MIB).await;
    assert_eq!(never, Err(NoRoom::Never { max: 75 * MIB }));
    assert_eq!(room.never_fits(&wanted(1, 70 * MIB)), None);
    let why = room.never_fits(&wanted(1, 80 * MIB)).expect("too much");
    assert!(why.contains("runtime.memory_bytes_max"), "{why}");
    assert!(room.never_fits(&wanted(40, MIB)).is_some());
}

/// Any sequence of openings, growth and ends comes to its end, and the room is whole
/// again.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whatever_sandboxes_do_none_waits_for_ever_and_nothing_is_lost() {
    let room = room(20, 50, 64);
    let sandboxes = (0..400_u64).map(|n| {
        let room = room.clone();
        tokio::spawn(async move {
            let n = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let seat = room.open(&wanted(1 + n % 8, (n >> 8) % (30 * MIB))).await;
            for step in 0..4 {
                let more = (n >> (16 + step)) % (12 * MIB);
                if seat.grow(more).await.is_err() {
                    return;
                }
                let used = room.occupancy();
                assert!(used.bytes <= used.bytes_max && used.sandboxes <= used.sandboxes_max);
                tokio::task::yield_now().await;
                seat.shrink(more / 2);
            }
        })
    });
    for sandbox in futures::future::join_all(sandboxes).await {
        sandbox.expect("no panic");
    }
    let empty = room.occupancy();
    assert_eq!(
        (empty.sandboxes, empty.bytes, empty.opening, empty.growing),
        (0, 0, 0, 0)
    );
}

#[tokio::test]
async fn what_a_sandbox_was_opened_with_is_drawn_before_more_is_asked_for() {
    let room = room(10, 40, 100);
    let seat = room.open(&wanted(1, MIB)).await;
    let mut allowance = Allowance::of(seat.clone());
    assert_eq!(allowance.draw(MIB), Ok(()));
    assert_eq!(room.occupancy().bytes, MIB);
    assert_eq!(allowance.draw(1), Ok(()));
    assert_eq!(allowance.wait_for(1000).await, Ok(()));
    assert_eq!(room.occupancy().bytes, MIB + (64 << 10));
    assert_eq!(allowance.wait_for(50 * MIB).await, Ok(()));
    assert_eq!(
        allowance.draw(60 * MIB),
        Err(NoRoom::Never { max: 75 * MIB })
    );
    allowance.put_back(50 * MIB);
    assert!(room.occupancy().bytes < 2 * MIB, "{:?}", room.occupancy());
    drop((seat, allowance));
    assert_eq!(room.occupancy().bytes, 0);
    assert_eq!(Allowance::default().draw(1 << 60), Ok(()));
}
