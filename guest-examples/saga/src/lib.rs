//! Books a trip whose steps are undone if a later one fails.
//!
//! Run by the flow in `saga.yaml`. Each member gets JSON with a `step`:
//!
//! | step | does | reads of other members |
//! |---|---|---|
//! | `book` | books `what` for `price`; without a price there is no room: `sold_out` | |
//! | `charge` | charges the prices of all bookings; above `limit` it fails as `card_declined` | bookings |
//! | `cancel` | cancels a booking | `booking` |
//! | `report` | says whether the trip is booked, and what was cancelled | how the others ended |
//!
//! The result is JSON. Nothing is booked or charged outside of this component; a handler
//! that does so makes each step safe to repeat, with the id of the execution as a key.

wit_bindgen::generate!({ path: "../../wit", world: "handler" });

use exports::flowhost::engine::attempt::{Failure, Guest, Outcome, Task};
use flowhost::engine::claim::{Lease, LeaseError, current};
use flowhost::engine::flows::{self, FlowError};
use flowhost::engine::types::{FailureClass, Payload};
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
#[serde(tag = "step", rename_all = "snake_case")]
enum Step {
    Book { what: String, price: Option<u32> },
    Charge { limit: u32 },
    Cancel,
    Report,
}

#[derive(Serialize, Deserialize)]
struct Booking {
    what: String,
    price: u32,
    /// The execution that booked it: the same however often its attempts are repeated.
    reference: String,
}

#[derive(Serialize, Deserialize)]
struct Charged {
    amount: u32,
}

#[derive(Serialize, Deserialize)]
struct Cancelled {
    cancelled: String,
    reference: String,
}

#[derive(Serialize)]
struct Report {
    booked: bool,
    charged: u32,
    cancelled: Vec<String>,
}

struct Saga;

impl Guest for Saga {
    fn run(task: Task) -> Result<Outcome, Failure> {
        let lease = current();
        let step: Step = serde_json::from_slice(&task.input.data)
            .map_err(|error| permanent("bad_input", error.to_string()))?;
        match step {
            Step::Book { what, price } => {
                let price = price
                    .ok_or_else(|| permanent("sold_out", format!("there is no {what} left")))?;
                Ok(completed(&Booking {
                    what,
                    price,
                    reference: task.execution_id,
                }))
            }
            Step::Charge { limit } => charge(&lease, limit),
            Step::Cancel => {
                let booking: Booking = read(&lease, "booking")?
                    .ok_or_else(|| permanent("bad_input", "there is no booking".into()))?;
                Ok(completed(&Cancelled {
                    cancelled: booking.what,
                    reference: booking.reference,
                }))
            }
            Step::Report => report(&lease),
        }
    }
}

fn charge(lease: &Lease, limit: u32) -> Result<Outcome, Failure> {
    let mut amount = 0;
    for input in flows::inputs(lease).map_err(unread)? {
        let booking: Option<Booking> = read(lease, &input.name)?;
        amount += booking.map_or(0, |booking| booking.price);
    }
    if amount > limit {
        let message = format!("{amount} is above the limit of {limit}");
        return Err(permanent("card_declined", message));
    }
    Ok(completed(&Charged { amount }))
}

fn report(lease: &Lease) -> Result<Outcome, Failure> {
    let charged: Option<Charged> = read(lease, "charge")?;
    let mut cancelled = Vec::new();
    for name in ["flight-cancelled", "hotel-cancelled"] {
        // One that was skipped has no result.
        let done: Option<Cancelled> = read(lease, name)?;
        cancelled.extend(done.map(|done| done.cancelled));
    }
    Ok(completed(&Report {
        booked: charged.is_some(),
        charged: charged.map_or(0, |charged| charged.amount),
        cancelled,
    }))
}

/// Reads what another member passes on under this name; `None` without a result.
fn read<T: for<'a> Deserialize<'a>>(lease: &Lease, name: &str) -> Result<Option<T>, Failure> {
    let Some(payload) = flows::read_input(lease, name).map_err(unread)? else {
        return Ok(None);
    };
    let read = serde_json::from_slice(&payload.data);
    read.map(Some)
        .map_err(|error| permanent("bad_input", format!("{name}: {error}")))
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

export!(Saga);
