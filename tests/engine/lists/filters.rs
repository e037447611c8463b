//! Every filter and combination of filters, page by page, against what was written.

use engine::{ListFilter, TimeRange};
use model::PublicState;
use testkit::{Random, database};

use crate::support::lists::population::{STATES, Written, expected, minute, read, write};

const EXECUTIONS: u32 = 360;

/// Returns a filter of some fields: each is given with a probability of one in `one_in`.
fn any_filter(random: &mut Random, one_in: usize) -> ListFilter {
    let mut given = || random.below(one_in) == 0;
    let fields: Vec<bool> = (0..8).map(|_| given()).collect();
    let range = |given: bool, random: &mut Random| {
        let from = random.below(EXECUTIONS as usize) as i64;
        let before = from + 1 + random.below(EXECUTIONS as usize) as i64;
        let [from, before] = [minute(from), minute(before)].map(Some);
        match (given, random.below(3)) {
            (false, _) => TimeRange::default(),
            (true, 0) => TimeRange { from, before: None },
            (true, 1) => TimeRange { from: None, before },
            (true, _) => TimeRange { from, before },
        }
    };
    let text = |given: bool, text: &str| given.then(|| text.to_owned());
    let mut states = Vec::new();
    if fields[0] {
        states = (0..1 + random.below(3))
            .map(|_| *random.pick(&STATES))
            .collect();
    }
    let created = range(fields[1], random);
    let finished = range(fields[2], random);
    ListFilter {
        namespace: text(fields[3], "acme"),
        states,
        kind: text(fields[4], "other"),
        lane: text(fields[5], "night"),
        tag: fields[6].then(|| ("app.customer".to_owned(), "1".to_owned())),
        creator: text(fields[7], "bob"),
        created,
        finished,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_list_has_what_its_filter_admits_in_order_and_once() {
    let database = database().await;
    let partitions = 3;
    let mut settings = database.settings();
    settings.partitions = Some(partitions);
    let engine = engine::Engine::connect(settings)
        .await
        .expect("an engine opens");
    let mut random = Random::new();
    let all: Vec<_> = (0..EXECUTIONS)
        .map(|n| Written::any(n, partitions.into(), &mut random))
        .collect();
    write(&database, &all).await;

    let mut filters = vec![ListFilter::default()];
    filters.extend(STATES.map(|state| ListFilter {
        states: vec![state],
        ..ListFilter::default()
    }));
    filters.push(ListFilter {
        states: vec![PublicState::Resumable],
        ..ListFilter::default()
    });
    // One field at a time, then few, then many.
    for (count, one_in) in [(60, 8), (60, 4), (40, 2)] {
        filters.extend((0..count).map(|_| any_filter(&mut random, one_in)));
    }
    let mut some = 0;
    for filter in &filters {
        let expected = expected(&all, filter);
        some += usize::from(!expected.is_empty());
        let many = [7, 50, 1000];
        let limit = if expected.len() < 40 {
            1
        } else {
            *random.pick(&many)
        };
        for limit in [limit, *random.pick(&many)] {
            let read = read(&engine, filter, limit).await;
            assert_eq!(read.ids, expected, "{filter:?}, {limit} a page");
            assert_eq!(read.odd_pages, 0, "{filter:?}, {limit} a page");
        }
    }
    assert!(some > filters.len() / 2, "most filters admit something");
}
