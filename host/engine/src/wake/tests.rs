//! Waiters under tests: which ends they are told of, and what is left of them.

use futures::FutureExt as _;
use model::{ExecutionId, Outcome, Partition};

use super::{Wake, notifier};
use crate::database::Liveness;
use crate::{Tasks, random};

fn wake() -> Wake {
    Wake::start(None, &Tasks::default(), &Liveness::new())
}

fn id() -> ExecutionId {
    random::execution_id_on(Partition::new(0).expect("the first"))
}

#[test]
fn a_waiter_is_told_of_every_end_after_it_was_registered_and_of_none_before() {
    let (wake, id) = (wake(), id());
    wake.finished(&[(id, Outcome::Failed)]);
    let mut early = wake.wait_for(id);
    assert_eq!(early.ended().now_or_never(), None, "that was before");
    wake.finished(&[(self::id(), Outcome::Success), (id, Outcome::Success)]);
    let mut late = wake.wait_for(id);
    assert_eq!(early.ended().now_or_never(), Some(Some(Outcome::Success)));
    assert_eq!(early.ended().now_or_never(), None, "it is told once");
    assert_eq!(late.ended().now_or_never(), None);
    // Replayed, and ended again.
    wake.finished(&[(id, Outcome::Cancelled)]);
    for waiter in [&mut early, &mut late] {
        let told = waiter.ended().now_or_never();
        assert_eq!(told, Some(Some(Outcome::Cancelled)));
    }
    // On another host, which says only that it ended.
    wake.tell([(id, None)]);
    assert_eq!(late.ended().now_or_never(), Some(None));
}

#[test]
fn a_waiter_that_goes_away_leaves_nothing_and_takes_nothing_from_others() {
    let (wake, id) = (wake(), id());
    let gone = wake.wait_for(id);
    let mut left = wake.wait_for(id);
    drop(gone);
    wake.finished(&[(id, Outcome::Success)]);
    assert_eq!(left.ended().now_or_never(), Some(Some(Outcome::Success)));
    // One that goes away in the middle of its wait.
    assert_eq!(left.ended().now_or_never(), None);
    assert_eq!(wake.waited_for(), 1);
    drop(left);
    assert_eq!(wake.waited_for(), 0);
}

#[test]
fn other_hosts_are_told_of_an_end_once_and_only_if_they_asked() {
    let (wake, asked, other) = (wake(), id(), id());
    let said = notifier::payload(notifier::AWAITED, &[asked]);
    let (name, ids) = notifier::read(&said).expect("a notification about executions");
    assert_eq!(name, notifier::AWAITED);
    wake.inner.elsewhere.add(ids);
    let elsewhere = |ids: &[ExecutionId]| wake.inner.elsewhere.take(ids.iter().copied());
    assert_eq!(elsewhere(&[other, asked]), [asked]);
    assert_eq!(elsewhere(&[other, asked]), []);
}
