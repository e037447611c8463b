//! Sums up a CSV file of sales, or joins such sums in one report.
//!
//! Run by the flow in `etl.yaml`: members without inputs of others get a CSV file with the
//! columns `shop`, `date`, `product` and `revenue`, and sum it up, side by side; the member
//! that waits for them reads the sums by the names that its edges give them. Result: JSON. A
//! file that cannot be read fails permanently as `bad_csv`, and the message names the line.

wit_bindgen::generate!({ path: "../../wit", world: "handler" });

use std::collections::BTreeMap;

use exports::flowhost::engine::attempt::{Failure, Guest, Outcome, Task};
use flowhost::engine::claim::{Lease, LeaseError, current};
use flowhost::engine::flows::{self, FlowError};
use flowhost::engine::types::{FailureClass, Payload};
use serde::{Deserialize, Serialize};

const BEST_PRODUCTS: usize = 3;

/// A row, as far as it matters here.
#[derive(Deserialize)]
struct Sale {
    date: String,
    product: String,
    revenue: String,
}

/// The sums of one file, in cents.
#[derive(Default, Serialize, Deserialize)]
struct Sums {
    orders: u32,
    cents: i64,
    by_month: BTreeMap<String, i64>,
    by_product: BTreeMap<String, i64>,
}

#[derive(Serialize)]
struct Report {
    orders: u32,
    revenue: String,
    by_shop: BTreeMap<String, String>,
    by_month: BTreeMap<String, String>,
    best_products: Vec<String>,
}

struct Etl;

impl Guest for Etl {
    fn run(task: Task) -> Result<Outcome, Failure> {
        let lease = current();
        let inputs = flows::inputs(&lease).map_err(unread)?;
        if inputs.is_empty() {
            return Ok(completed(&sum_up(&task.input.data)?));
        }
        let mut shops = BTreeMap::new();
        for input in inputs {
            shops.insert(input.name.clone(), read(&lease, &input.name)?);
        }
        Ok(completed(&join(&shops)))
    }
}

/// Sums up one file.
fn sum_up(csv: &[u8]) -> Result<Sums, Failure> {
    let mut sums = Sums::default();
    for row in csv::Reader::from_reader(csv).deserialize() {
        let sale: Sale = row.map_err(|error| permanent("bad_csv", error.to_string()))?;
        let cents = cents(&sale.revenue).ok_or_else(|| {
            let line = sums.orders + 2;
            let message = format!("line {line}: revenue `{}` is not a valid amount", sale.revenue);
            permanent("bad_csv", message)
        })?;
        let month = sale.date.get(..7).unwrap_or(&sale.date).to_owned();
        sums.orders += 1;
        sums.cents += cents;
        *sums.by_month.entry(month).or_default() += cents;
        *sums.by_product.entry(sale.product).or_default() += cents;
    }
    Ok(sums)
}

/// Reads the sums that another member passes on under this name.
fn read(lease: &Lease, name: &str) -> Result<Sums, Failure> {
    let payload = flows::read_input(lease, name).map_err(unread)?;
    // Its edges wait for success, so there is a result.
    let payload = payload.ok_or_else(|| permanent("bad_input", format!("no result of {name}")))?;
    serde_json::from_slice(&payload.data)
        .map_err(|error| permanent("bad_input", format!("{name}: {error}")))
}

fn join(shops: &BTreeMap<String, Sums>) -> Report {
    let mut all = Sums::default();
    for sums in shops.values() {
        all.orders += sums.orders;
        all.cents += sums.cents;
        for (month, cents) in &sums.by_month {
            *all.by_month.entry(month.clone()).or_default() += cents;
        }
        for (product, cents) in &sums.by_product {
            *all.by_product.entry(product.clone()).or_default() += cents;
        }
    }
    let mut products: Vec<_> = all.by_product.into_iter().collect();
    products.sort_by_key(|(_, cents)| -cents);
    let best = products.into_iter().take(BEST_PRODUCTS);
    let amounts = |sums: &mut dyn Iterator<Item = (&String, i64)>| {
        let shown = sums.map(|(name, cents)| (name.clone(), amount(cents)));
        shown.collect()
    };
    Report {
        orders: all.orders,
        revenue: amount(all.cents),
        by_shop: amounts(&mut shops.iter().map(|(name, sums)| (name, sums.cents))),
        by_month: amounts(&mut all.by_month.iter().map(|(name, cents)| (name, *cents))),
        best_products: best.map(|(product, _)| product).collect(),
    }
}

/// Reads an amount with at most two decimals.
fn cents(amount: &str) -> Option<i64> {
    let (whole, part) = amount.split_once('.').unwrap_or((amount, "0"));
    let part: i64 = format!("{part:0<2}")
        .parse()
        .ok()
        .filter(|part| (0..100).contains(part))?;
    let whole: u32 = whole.parse().ok()?;
    Some(i64::from(whole) * 100 + part)
}

fn amount(cents: i64) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}

fn completed(value: &impl Serialize) -> Outcome {
    Outcome::Completed(Payload {
        content_type: "application/json".into(),
        data: serde_json::to_vec(value).expect("it holds nothing JSON lacks"),
    })
}

/// Only a fault of the engine that passes is worth another attempt.
fn unread(error: FlowError) -> Failure {
    match error {
        FlowError::Unavailable(_) | FlowError::Lease(LeaseError::Unavailable(_)) => Failure {
            class: FailureClass::Transient,
            code: "engine_unavailable".into(),
            message: error.to_string(),
        },
        _ => permanent("not_read", error.to_string()),
    }
}

fn permanent(code: &str, message: String) -> Failure {
    Failure {
        class: FailureClass::Permanent,
        code: code.into(),
        message,
    }
}

export!(Etl);
