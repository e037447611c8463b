//! `GET /v1/executions`: its filters, orders and bounds.

use engine::{ListFilter, TimeRange};
use model::{ExecutionId, Limits, Moment, PublicState};
use reqwest::StatusCode;
use serde_json::{Value, json};
use testkit::Database;
use time::{Duration, OffsetDateTime};

use crate::support::api::{Api, code, text};
use crate::support::http_work::start;
use crate::support::lists::population::{Written, expected, write};
use crate::support::work::now;

/// The last full second, so that times are written without fractions.
async fn last_second(database: &Database) -> OffsetDateTime {
    now(database).await.replace_nanosecond(0).expect("zero")
}

fn moment(at: OffsetDateTime) -> Moment {
    Moment::new(at).expect("a time")
}

async fn page(api: &Api, query: &str) -> Value {
    let (status, page) = api.get(&format!("/v1/executions?{query}")).await;
    assert_eq!(status, StatusCode::OK, "{query}: {page}");
    page
}

/// Reads all pages of two rows; returns the ids.
async fn ids(api: &Api, query: &str, order: &str) -> Vec<ExecutionId> {
    let mut ids = Vec::new();
    let mut after = String::new();
    loop {
        let page = page(api, &format!("limit=2&{query}{after}")).await;
        assert_eq!(page["ordered_by"], order, "{query}");
        assert_eq!(
            page["examined"],
            Value::Null,
            "{query}: nothing is cut short"
        );
        let rows = page["executions"].as_array().expect("a list");
        ids.extend(
            rows.iter()
                .map(|row| text(&row["id"]).parse::<ExecutionId>().expect("an id")),
        );
        match page["next_cursor"].as_str() {
            Some(cursor) => after = format!("&after={cursor}"),
            None => return ids,
        }
        assert_eq!(rows.len(), 2, "{query}: only the last page is short");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_filter_of_the_api_holds_for_what_is_listed() {
    let (database, api) = start().await;
    let begin = last_second(&database).await - Duration::hours(3);
    let mut all: Vec<_> = (0..12)
        .map(|n| Written::at(begin + Duration::minutes(n.into()), n, 0))
        .collect();
    for (n, one) in all.iter_mut().enumerate() {
        let finished = [
            PublicState::Failed,
            PublicState::Completed,
            PublicState::Cancelled,
        ];
        one.state = finished[n % 3];
        // Those that were created later finished earlier.
        one.finished_at = Some(begin + Duration::minutes(60 - n as i64));
        one.creator = (n % 2 == 0).then_some("alice");
        one.customer = (n % 4 < 2).then_some("42");
        one.kind = if n % 5 == 0 { "other" } else { "echo" };
        one.lane = if n % 3 == 0 { "night" } else { "default" };
        one.namespace = if n % 2 == 0 { "acme" } else { "default" };
    }
    write(&database, &all).await;
    let at = |minutes: i64| moment(begin + Duration::minutes(minutes));
    let none = ListFilter::default();
    let range = |from: Option<i64>, before: Option<i64>| TimeRange {
        from: from.map(at),
        before: before.map(at),
    };
    let word = |text: &str| Some(text.to_owned());
    for (query, filter) in [
        (String::new(), none.clone()),
        (
            "state=failed,cancelled".to_owned(),
            ListFilter {
                states: vec![PublicState::Failed, PublicState::Cancelled],
                ..none.clone()
            },
        ),
        (
            "creator=alice".to_owned(),
            ListFilter {
                creator: word("alice"),
                ..none.clone()
            },
        ),
        (
            "kind=other".to_owned(),
            ListFilter {
                kind: word("other"),
                ..none.clone()
            },
        ),
        (
            "lane=night".to_owned(),
            ListFilter {
                lane: word("night"),
                ..none.clone()
            },
        ),
        (
            "namespace=acme".to_owned(),
            ListFilter {
                namespace: word("acme"),
                ..none.clone()
            },
        ),
        (
            "tag=app.customer:42&state=failed".to_owned(),
            ListFilter {
                tag: word("app.customer").zip(word("42")),
                states: vec![PublicState::Failed],
                ..none.clone()
            },
        ),
        (
            format!("created_after={}&created_before={}", at(2), at(9)),
            ListFilter {
                created: range(Some(2), Some(9)),
                ..none.clone()
            },
        ),
        (
            format!("finished_after={}", at(52)),
            ListFilter {
                finished: range(Some(52), None),
                ..none.clone()
            },
        ),
        (
            format!("finished_before={}&state=completed,failed", at(58)),
            ListFilter {
                finished: range(None, Some(58)),
                states: vec![PublicState::Completed, PublicState::Failed],
                ..none.clone()
            },
        ),
        (
            format!("finished_after={}&tag=app.customer:42", at(52)),
            ListFilter {
                finished: range(Some(52), None),
                tag: word("app.customer").zip(word("42")),
                ..none.clone()
            },
        ),
    ] {
        let ordered_by = match filter.order() {
            engine::ListOrder::Created => "created",
            engine::ListOrder::Finished => "finished",
        };
        let expected = expected(&all, &filter);
        assert!(
            !expected.is_empty() && (query.is_empty() || expected.len() < 12),
            "{query}"
        );
        assert_eq!(ids(&api, &query, ordered_by).await, expected, "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_that_hold_for_nothing_are_refused_by_name() {
    let (_database, api) = start().await;
    let (early, late) = ("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z");
    for (query, status, named) in [
        ("state=nonsense".to_owned(), 400, "state"),
        ("state=failed,".to_owned(), 400, "state"),
        ("state=failed&state=active".to_owned(), 400, "state"),
        ("created_after=yesterday".to_owned(), 400, "created_after"),
        (
            "finished_before=0000-01-01T00:00:00Z".to_owned(),
            400,
            "finished_before",
        ),
        (
            format!("created_after={late}&created_before={early}"),
            422,
            "created_before",
        ),
        (
            format!("finished_after={late}&finished_before={late}"),
            422,
            "finished_before",
        ),
        (
            format!("created_after={late}&finished_before={early}"),
            422,
            "finished_before",
        ),
        (
            format!("finished_after={late}&state=active,waiting"),
            422,
            "finished_after",
        ),
    ] {
        let answer = api.get(&format!("/v1/executions?{query}")).await;
        let code = match status {
            400 => (400, "invalid_query"),
            _ => (422, "invalid_input"),
        };
        assert_eq!(self::code(&answer), code, "{query}: {}", answer.1);
        let blamed = [&answer.1["parameter"], &answer.1["field"]];
        assert!(blamed.contains(&&json!(named)), "{query}: {}", answer.1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_is_cut_short_says_so_and_the_next_one_continues() {
    let (database, api) = start().await;
    let begin = last_second(&database).await - Duration::days(1);
    let many = Limits::EXAMINED_MAX as u32 + 20;
    let mut all: Vec<_> = (0..many)
        .map(|n| Written::at(begin + Duration::minutes(n.into()), n, 0))
        .collect();
    for one in &mut all {
        one.state = PublicState::Completed;
        one.finished_at = Some(one.created_at);
    }
    all[7].creator = Some("carol");
    write(&database, &all).await;
    let first = page(&api, "creator=carol").await;
    assert_eq!(first["executions"], json!([]));
    assert_eq!(first["examined"], json!(Limits::EXAMINED_MAX));
    let cursor = text(&first["next_cursor"]);
    let next = page(&api, &format!("creator=carol&after={cursor}")).await;
    assert_eq!(next["executions"][0]["id"], json!(all[7].id));
    assert_eq!(
        (&next["examined"], &next["next_cursor"]),
        (&Value::Null, &Value::Null)
    );
}
