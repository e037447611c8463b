//! `POST /v1/leases/frames`: what a program appends to the streams of the attempts it runs.
//!
//! Frames of one lease are appended in the order of the request, each with a verdict of its
//! own. Frames that other requests append to the same stream may come between them.

use std::collections::HashMap;

use axum::extract::State;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use engine::{Appended, Engine, HandleSigner};
use model::{
    AppendMode, Fence, FrameEncoding, FrameMode, Invalid, Limits, Moment, NewFrame, Scope,
};

use super::verbs::{Answer, Asked, Items, held, many, outcome};
use crate::api::{AppendFrame, AppendOneOrMany, LeaseAnswer, LeaseEffect, LeaseOutcome};
use crate::http::App;
use crate::http::access::Caller;
use crate::http::answer::Json;
use crate::http::body::{self, Body};
use crate::http::problem::Problem;
use crate::http::query::NoQuery;

/// What was asked of one frame, or why it is not appended.
type Item = Result<(Fence, NewFrame), Problem>;

/// Appends frames to the streams of attempts.
///
/// Those of one lease are appended in their order. A frame is in the stream when the answer
/// says so; a repeat, when an answer was lost, appends it again.
#[utoipa::path(
    post, path = "/v1/leases/frames", tag = "leases",
    request_body = AppendOneOrMany,
    responses((status = 200, body = LeaseAnswer))
)]
pub async fn append(
    State(app): State<App>,
    caller: Caller,
    _: NoQuery,
    Body(asked): Body<Asked>,
) -> Answer {
    let signer = app.engine.handle_signer().await?;
    let scope = caller.scope();
    match Items::read(&asked)? {
        Items::One(text) => {
            let item = item(signer, scope, text);
            let mut verdicts = append_all(&app.engine, vec![item]).await;
            let verdict = verdicts.pop().expect("invariant: a verdict for each frame");
            Ok(Json(LeaseAnswer::One(verdict?)))
        }
        Items::Many(items) => {
            let items = items
                .iter()
                .map(|it| item(signer, scope, it.get().as_bytes()));
            many(append_all(&app.engine, items.collect()).await)
        }
    }
}

/// Reads a frame and the lease it is appended under.
fn item(signer: &HandleSigner, scope: &Scope, text: &[u8]) -> Item {
    let frame: AppendFrame = body::parse(text)?;
    let fence = held(signer, scope, &frame.lease)?;
    Ok((fence, new_frame(frame)?))
}

/// Reads a frame as a request has it.
///
/// # Errors
/// The payload is not what its encoding says, or a member does not fit the mode. The engine
/// checks the bounds of the frame.
fn new_frame(frame: AppendFrame) -> Result<NewFrame, Problem> {
    let payload = match frame.encoding {
        FrameEncoding::Utf8 => frame.payload.into_bytes(),
        FrameEncoding::Base64 => STANDARD
            .decode(&frame.payload)
            .map_err(|error| Invalid::new("payload", format!("is not valid base64: {error}")))?,
    };
    Ok(NewFrame {
        frame_type: frame.frame_type,
        payload,
        mode: mode(frame.mode, frame.ttl_ms)?,
        encoding: Some(frame.encoding),
        ts: frame.ts.map(moment).transpose()?,
        metadata: frame.metadata.map(|json| json.get().to_owned()),
        correlation_id: frame.correlation_id,
        source: frame.source,
        retention_maxlen: frame.retention_maxlen,
        max_payload_bytes: frame.max_payload_bytes,
    })
}

/// Reads milliseconds since 1970.
fn moment(ms: u64) -> Result<Moment, Invalid> {
    Moment::from_unix_ms(ms as f64).map_err(|error| Invalid::new("ts", error.to_string()))
}

fn mode(mode: FrameMode, ttl_ms: Option<u32>) -> Result<AppendMode, Invalid> {
    match (mode, ttl_ms) {
        (FrameMode::Durable, None) => Ok(AppendMode::Durable),
        (FrameMode::DurableSummary, None) => Ok(AppendMode::DurableSummary),
        (FrameMode::BestEffort, ttl_ms) => Ok(AppendMode::BestEffort {
            ttl_ms: ttl_ms.unwrap_or(Limits::BEST_EFFORT_TTL_MS_DEFAULT),
        }),
        (mode, Some(_)) => {
            let detail = format!(
                "is given for a frame of the mode {mode}, and only those of best_effort have one"
            );
            Err(Invalid::new("ttl_ms", detail))
        }
    }
}

/// Appends the frames of each lease, all leases at once; returns a verdict for each item.
async fn append_all(engine: &Engine, items: Vec<Item>) -> Vec<Result<LeaseOutcome, Problem>> {
    let mut verdicts: Vec<Option<Result<LeaseOutcome, Problem>>> = Vec::new();
    let mut by_lease: HashMap<Fence, (Vec<usize>, Vec<NewFrame>)> = HashMap::new();
    for (at, item) in items.into_iter().enumerate() {
        match item {
            Ok((fence, frame)) => {
                let (places, frames) = by_lease.entry(fence).or_default();
                places.push(at);
                frames.push(frame);
                verdicts.push(None);
            }
            Err(problem) => verdicts.push(Some(Err(problem))),
        }
    }
    let appended = by_lease.into_iter().map(async |(fence, (places, frames))| {
        let appended = engine.append_frames(fence, frames).await.into_iter();
        let verdicts = appended.map(|appended| {
            let appended = appended.map(|appended| appended_outcome(&fence, appended));
            appended.map_err(Problem::from)
        });
        let verdicts: Vec<_> = verdicts.collect();
        (places, verdicts)
    });
    for (places, of_lease) in futures::future::join_all(appended).await {
        for (at, verdict) in places.into_iter().zip(of_lease) {
            verdicts[at] = Some(verdict);
        }
    }
    let verdict = |it: Option<_>| it.expect("invariant: every frame has a lease or a problem");
    verdicts.into_iter().map(verdict).collect()
}

fn appended_outcome(fence: &Fence, appended: Appended) -> LeaseOutcome {
    LeaseOutcome {
        entry_id: Some(appended.frame_id.to_string()),
        frame_count: Some(appended.frame_count),
        summary_version: appended.summary_version,
        ..outcome(fence, LeaseEffect::Appended)
    }
}
