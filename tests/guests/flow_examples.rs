//! The examples of flows: each graph file, run to its visible result.

use std::collections::BTreeMap;
use std::path::Path;

use engine::{Engine, FlowMember};
use model::{FlowId, FlowStatus, PublicState};
use serde_json::{Value, json};
use testkit::{Answered, Database, database, eventually};

use crate::support::api::{Api, builder, flowhost};

/// A flow that was run to its end.
struct Ran {
    _database: Database,
    api: Api,
    status: FlowStatus,
    members: BTreeMap<String, FlowMember>,
}

impl Ran {
    fn states(&self) -> String {
        let shown = self.members.iter();
        let shown = shown.map(|(name, it)| format!("{name} {}", it.execution.public_state));
        shown.collect::<Vec<_>>().join(", ")
    }

    async fn result(&self, member: &str) -> Value {
        let id = self.members[member].execution.id.to_string();
        let (_, data) = self.api.result(&id).await;
        serde_json::from_slice(&data).expect("JSON")
    }
}

/// Submits the file of an example, in which `changes` are replaced; returns the id of the
/// flow.
async fn submit(api: &Api, name: &str, changes: &[(&str, &str)]) -> FlowId {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("guest-examples")
        .join(name);
    let path = folder.join(format!("{name}.yaml"));
    let mut text = std::fs::read_to_string(&path).expect("a file");
    for (from, to) in changes {
        assert!(text.contains(from), "{from} in {name}");
        text = text.replace(from, to);
    }
    let changed = tempfile::Builder::new()
        .suffix(".yaml")
        .tempfile()
        .expect("a file");
    let path = match changes {
        [] => path,
        _ => {
            std::fs::write(changed.path(), text).expect("written");
            changed.path().to_owned()
        }
    };
    let path = path.to_str().expect("text");
    let (code, id, errors) = flowhost(api, &["flow", "submit", path]).await;
    assert_eq!(code, 0, "{errors}");
    id.trim().parse().expect("an id")
}

async fn members(engine: &Engine, id: FlowId) -> BTreeMap<String, FlowMember> {
    let info = engine.flow(id, None).await.answered().expect("there");
    let page = engine.flow_members(&info, None, 1000).await.answered();
    let named = page.rows.into_iter().map(|member| {
        let id = member.execution.id.to_string();
        (member.name.clone().unwrap_or(id), member)
    });
    named.collect()
}

/// Runs the graph of an example, in which `changes` are replaced, to its end.
async fn run(name: &str, changes: &[(&str, &str)]) -> Ran {
    let database = database().await;
    let engine = database.engine().await;
    let api = Api::start(builder(&database), &[name]).await;
    let id = submit(&api, name, changes).await;
    let status = eventually(&format!("{name} ends"), async || {
        let info = engine.flow(id, None).await.answered().expect("there");
        (info.status != FlowStatus::Active).then_some(info.status)
    })
    .await;
    let members = members(&engine, id).await;
    database.assert_invariants().await;
    Ran {
        _database: database,
        api,
        status,
        members,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn etl_joins_the_sums_of_four_files_in_one_report() {
    let ran = run("etl", &[]).await;
    assert_eq!(ran.status, FlowStatus::Completed, "{}", ran.states());
    let report = ran.result("report").await;
    // As `samples/sales.csv` adds up, of which the four files are parts.
    assert_eq!(report["orders"], 500, "{report}");
    assert_eq!(report["revenue"], "10215.36", "{report}");
    let shops = report["by_shop"].as_object().expect("an object");
    assert_eq!(shops.len(), 4, "{report}");
    assert_eq!(report["best_products"].as_array().map(Vec::len), Some(3));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_way_to_find_a_factor_wins_and_the_others_are_cancelled() {
    let ran = run("race", &[]).await;
    assert_eq!(
        ran.states(),
        "answer completed, fermat cancelled, pollard-rho completed, trial-division cancelled"
    );
    assert_eq!(
        ran.result("answer").await,
        json!({"number": "9019431447256895383", "factors": ["2147483659", "4200000037"],
            "way": "pollard_rho"})
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn two_of_three_sensors_are_enough() {
    let ran = run("quorum", &[]).await;
    assert_eq!(
        ran.states(),
        "decide completed, gate completed, roof completed, yard failed"
    );
    let decision = ran.result("decide").await;
    assert_eq!(decision, json!({"celsius": 18.6, "of": ["gate", "roof"]}));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_declined_card_undoes_both_bookings() {
    let ran = run("saga", &[]).await;
    assert_eq!(
        ran.states(),
        "book-flight completed, book-hotel completed, cancel-flight completed, \
         cancel-hotel completed, charge-card failed, report completed"
    );
    assert_eq!(
        ran.result("report").await,
        json!({"booked": false, "charged": 0, "cancelled": ["flight", "hotel"]})
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_hotel_undoes_the_flight_alone() {
    let sold_out = ("what: hotel, price: 180", "what: hotel");
    let ran = run("saga", &[sold_out]).await;
    assert_eq!(
        ran.states(),
        "book-flight completed, book-hotel failed, cancel-flight completed, \
         cancel-hotel skipped, charge-card skipped, report completed"
    );
    let report = ran.result("report").await;
    assert_eq!(report["cancelled"], json!(["flight"]), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trip_that_can_be_paid_is_booked_and_nothing_is_undone() {
    let ran = run("saga", &[("limit: 300", "limit: 500")]).await;
    assert_eq!(ran.status, FlowStatus::Completed, "{}", ran.states());
    assert_eq!(
        ran.states(),
        "book-flight completed, book-hotel completed, cancel-flight skipped, \
         cancel-hotel skipped, charge-card completed, report completed"
    );
    assert_eq!(
        ran.result("report").await,
        json!({"booked": true, "charged": 420, "cancelled": []})
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn map_reduce_adds_up_what_its_children_counted() {
    let ran = run("map-reduce", &[]).await;
    assert_eq!(ran.status, FlowStatus::Completed, "{}", ran.states());
    let report = ran.result("count").await;
    let pieces = report["pieces"].as_u64().expect("a number");
    assert!(pieces > 5, "{report}");
    assert_eq!(ran.members.len() as u64, pieces + 1);
    let parent = ran.members["count"].execution.id;
    for (name, member) in &ran.members {
        if name.starts_with("piece-") {
            assert_eq!(member.parent_id, Some(parent), "{name}");
            assert_eq!(member.execution.public_state, PublicState::Completed);
        }
    }
    let text = include_str!("../../guest-examples/samples/harbour-master.txt");
    let letters = |c: char| !c.is_alphanumeric() && c != '\'' && c != '’';
    let words: Vec<String> = text
        .split(letters)
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect();
    assert_eq!(report["words"], words.len(), "{report}");
    let top = report["top"][0]["word"].as_str().expect("a word");
    let count = words.iter().filter(|word| *word == top).count();
    assert_eq!(report["top"][0]["count"], count, "{report}");
    assert_eq!(ran.members["count"].execution.attempts, 1);
}
