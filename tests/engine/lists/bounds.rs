//! Pages that end at the number of executions one page may look at, and say so.

use engine::{ListFilter, ListPage, TimeRange};
use model::{Limits, PublicState};
use testkit::{Answered, database};

use crate::support::lists::population::{Written, expected, minute, read, write};

/// More than two pages may look at, and not more than three.
const EXECUTIONS: u32 = 2 * Limits::EXAMINED_MAX as u32 + 200;

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_a_filter_without_an_index_says_where_it_stopped() {
    let database = database().await;
    let engine = database.engine().await;
    let mut all: Vec<_> = (0..EXECUTIONS).map(|n| Written::ready(n, 0)).collect();
    for n in [3, 4, EXECUTIONS - 2] {
        all[n as usize].creator = Some("carol");
    }
    write(&database, &all).await;
    let carol = ListFilter {
        creator: Some("carol".into()),
        ..ListFilter::default()
    };
    let page = ListPage::default();
    let first = engine.list(carol.clone(), page).await.answered();
    assert_eq!(first.examined, Some(Limits::EXAMINED_MAX));
    assert_eq!(first.len(), 1, "the newest of three");
    let stopped_at = first.next().expect("more may follow").id;
    assert_eq!(
        stopped_at,
        all[EXECUTIONS as usize - Limits::EXAMINED_MAX].id
    );
    let whole = read(&engine, &carol, 50).await;
    assert_eq!(whole.ids, expected(&all, &carol));
    assert_eq!(whole.stopped, [Limits::EXAMINED_MAX; 2]);
    // Also a full page is stopped, if nothing says whether another one follows.
    let one = engine.list(carol.clone(), ListPage { limit: 1, ..page });
    let one = one.await.answered();
    assert_eq!((one.len(), one.examined), (1, Some(Limits::EXAMINED_MAX)));
    // With an index of its own, or a range that is near the end, nothing is stopped.
    for filter in [
        ListFilter {
            kind: Some("echo".into()),
            ..ListFilter::default()
        },
        ListFilter {
            created: TimeRange {
                from: Some(minute(i64::from(EXECUTIONS) - 20)),
                before: None,
            },
            ..carol.clone()
        },
    ] {
        let read = read(&engine, &filter, 500).await;
        assert_eq!(read.ids, expected(&all, &filter));
        assert!(read.stopped.is_empty(), "{filter:?}: {read:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_driver_that_finds_fewest_is_used_whichever_that_is() {
    let database = database().await;
    let engine = database.engine().await;
    let mut all: Vec<_> = (0..EXECUTIONS).map(|n| Written::ready(n, 0)).collect();
    for (n, one) in all.iter_mut().enumerate() {
        // Most have the label, and few failed; many are of the kind, and few are active.
        one.customer = Some(if n % 100 == 0 { "rare" } else { "1" });
        one.kind = if n % 200 == 7 { "other" } else { "echo" };
        one.state = match n % 250 {
            9 => PublicState::Failed,
            17 => PublicState::Active,
            _ => PublicState::Completed,
        };
        one.finished_at = one.state.is_terminal().then_some(one.created_at);
    }
    write(&database, &all).await;
    let label = |value: &str| Some(("app.customer".to_owned(), value.to_owned()));
    for (states, kind, tag) in [
        (vec![PublicState::Failed], None, label("1")),
        (vec![PublicState::Completed], None, label("rare")),
        (vec![PublicState::Completed], Some("other"), None),
        (vec![PublicState::Active], Some("echo"), label("1")),
    ] {
        let filter = ListFilter {
            states,
            kind: kind.map(str::to_owned),
            tag,
            ..ListFilter::default()
        };
        let expected = expected(&all, &filter);
        assert!(!expected.is_empty(), "{filter:?}");
        let read = read(&engine, &filter, 50).await;
        assert_eq!(read.ids, expected, "{filter:?}");
        assert!(read.stopped.is_empty(), "{filter:?}: {:?}", read.stopped);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_is_found_among_many_that_are_suspended() {
    let database = database().await;
    let engine = database.engine().await;
    let mut all: Vec<_> = (0..5600).map(|n| Written::ready(n, 0)).collect();
    for (n, one) in all.iter_mut().enumerate() {
        (one.state, one.blocked) = match n % 1400 {
            0 => (PublicState::Waiting, true),
            1 => (PublicState::Waiting, false),
            _ => (PublicState::Suspended, false),
        };
    }
    write(&database, &all).await;
    let waiting = ListFilter {
        states: vec![PublicState::Waiting],
        ..ListFilter::default()
    };
    for limit in [1, 3, 50] {
        let read = read(&engine, &waiting, limit).await;
        assert_eq!(read.ids, expected(&all, &waiting), "{limit} a page");
        // Ten rows are read for each execution that may be looked up.
        let stopped = usize::from(limit == 50);
        assert_eq!(
            read.stopped.len(),
            stopped,
            "{limit} a page: {:?}",
            read.stopped
        );
        assert!(
            read.stopped
                .iter()
                .all(|after| *after >= 10 * Limits::EXAMINED_MAX)
        );
    }
}
