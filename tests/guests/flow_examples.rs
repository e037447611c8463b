//! The examples of flows: each graph file, run to its visible result.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use engine::{Engine, FlowMember};
use model::{FlowId, FlowStatus, PublicState};
use serde_json::{Value, json};
use testkit::{Answered, Database, database, eventually};

use crate::support::api::{Api, builder};
use crate::support::graph_file;

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

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("guest-examples/{name}/{name}.yaml"))
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

/// Runs the graph of an example, changed by `change`, to its end.
async fn run(name: &str, change: impl FnOnce(&mut Value)) -> Ran {
    let database = database().await;
    let engine = database.engine().await;
    let api = Api::start(builder(&database), &[name]).await;
    let id = graph_file::submit(&api, &file(name), change).await;
    let id: FlowId = id.parse().expect("an id");
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
    let ran = run("etl", |_| {}).await;
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
    let ran = run("race", |_| {}).await;
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
    let ran = run("quorum", |_| {}).await;
    assert_eq!(
        ran.states(),
        "decide completed, gate completed, roof completed, yard failed"
    );
    let decision = ran.result("decide").await;
    assert_eq!(decision, json!({"celsius": 18.6, "of": ["gate", "roof"]}));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_declined_card_undoes_both_bookings() {
    let ran = run("saga", |_| {}).await;
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
    let ran = run("saga", |file| {
        let hotel = &mut file["members"]["book-hotel"];
        hotel["input"] = json!({"step": "book", "what": "hotel"});
    })
    .await;
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
    let ran = run("saga", |file| {
        file["members"]["charge-card"]["input"]["limit"] = json!(500);
    })
    .await;
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
    let ran = run("map-reduce", |_| {}).await;
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
