//! Decides on two of three readings.
//!
//! Run by the flow in `quorum.yaml`: members that are sensors get JSON such as
//! `{"sensor": "roof", "celsius": 18.4, "after_ms": 200}`; one without `celsius` is broken
//! and fails as `no_reading`. The member that waits for two of them has no input of its own,
//! and completes with their mean: `{"celsius": 18.6, "of": ["gate", "roof"]}`.

wit_bindgen::generate!({ path: "../../wit", world: "handler" });

use std::thread::sleep;
use std::time::Duration;

use exports::flowhost::engine::attempt::{Failure, Guest, Outcome, Task};
use flowhost::engine::claim::{Lease, LeaseError, current};
use flowhost::engine::flows::{self, FlowError};
use flowhost::engine::types::{FailureClass, Payload};
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sensor {
    sensor: String,
    celsius: Option<f64>,
    #[serde(default)]
    after_ms: u32,
}

#[derive(Serialize, Deserialize)]
struct Reading {
    celsius: f64,
}

#[derive(Serialize)]
struct Decision {
    celsius: f64,
    of: Vec<String>,
}

struct Quorum;

impl Guest for Quorum {
    fn run(task: Task) -> Result<Outcome, Failure> {
        if task.input.data.is_empty() {
            return decide(&current());
        }
        let sensor: Sensor = serde_json::from_slice(&task.input.data)
            .map_err(|error| permanent("bad_input", error.to_string()))?;
        sleep(Duration::from_millis(sensor.after_ms.into()));
        match sensor.celsius {
            Some(celsius) => Ok(completed(&Reading { celsius })),
            None => Err(permanent(
                "no_reading",
                format!("{} is broken", sensor.sensor),
            )),
        }
    }
}

/// Returns the mean of the readings that there are.
fn decide(lease: &Lease) -> Result<Outcome, Failure> {
    let (mut sum, mut of) = (0.0, Vec::new());
    for input in flows::inputs(lease).map_err(unread)? {
        // One that failed or still runs has no result.
        if let Some(result) = flows::read_input(lease, &input.name).map_err(unread)? {
            let reading: Reading = serde_json::from_slice(&result.data)
                .map_err(|error| permanent("bad_input", format!("{}: {error}", input.name)))?;
            sum += reading.celsius;
            of.push(input.name);
        }
    }
    if of.is_empty() {
        return Err(permanent("no_reading", "no sensor has a reading".into()));
    }
    let mean = sum / of.len() as f64;
    Ok(completed(&Decision {
        celsius: (mean * 10.0).round() / 10.0,
        of,
    }))
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

export!(Quorum);
