//! What `flowhost invoke` has a handler resume from: the state, the reason and the
//! signals of a suspension that never was.

use std::path::Path;

use clap::Args;
use engine::{Payload, ReceivedSignal, Resumption};
use model::{Invalid, Limits, SignalId, SuspensionCloseReason, SuspensionId, WaitpointId};
use serde::Deserialize;
use serde_json::value::RawValue;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::api::present;
use crate::cli::io::{Failure, of_extension};
use crate::http::{PAYLOAD, PayloadFields};

/// Key of the waitpoint of a signal that names none.
const WAITPOINT_KEY: &str = "waitpoint";
/// Source type of a signal that names none, as of one sent over HTTP.
const SOURCE_TYPE: &str = "api";

/// Has the handler resume, as if it had suspended before.
#[derive(Debug, Args)]
pub struct ResumptionArgs {
    /// State it saved when it suspended: JSON, or @FILE of any type [default: none]
    #[arg(long, value_name = "STATE")]
    resume_state: Option<String>,
    /// Why it resumes: satisfied, operator_resume or timed_out_auto_resume
    /// [default: satisfied with signals, operator_resume without]
    #[arg(long, value_name = "REASON", value_parser = reason)]
    resume_reason: Option<SuspensionCloseReason>,
    /// A signal it received: NAME, NAME=JSON, NAME=@FILE, or an object as in
    /// {"signal_name": "approved", "source_identity": "alice", "payload": 1}; may repeat
    #[arg(long = "signal", value_name = "SIGNAL")]
    signals: Vec<String>,
}

/// A signal in the names of the HTTP API.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct GivenSignal {
    signal_name: String,
    waitpoint_key: Option<String>,
    signal_category: Option<String>,
    source_type: Option<String>,
    source_identity: Option<String>,
    correlation_id: Option<String>,
    #[serde(default, deserialize_with = "present")]
    payload: Option<Box<RawValue>>,
    payload_text: Option<String>,
    payload_base64: Option<String>,
    content_type: Option<String>,
}

impl ResumptionArgs {
    /// Returns what the handler resumes from, if it is to resume; the state has at most
    /// the size of a result.
    pub fn read(&self, limits: &Limits) -> Result<Option<Resumption>, Failure> {
        if self.resume_state.is_none() && self.resume_reason.is_none() && self.signals.is_empty() {
            return Ok(None);
        }
        let reason = self.reason()?;
        let state = match &self.resume_state {
            Some(text) => Some(payload("--resume-state", text)?),
            None => None,
        };
        if let Some(state) = &state {
            let (bytes, max) = (state.data.len(), limits.result_bytes_max);
            if bytes > max as usize {
                return Err(Failure::usage(format!(
                    "--resume-state has {bytes} bytes; at most {max} are allowed (limits.result_bytes_max)"
                )));
            }
        }
        let max = Limits::SIGNALS_MAX as usize;
        if self.signals.len() > max {
            return Err(Failure::usage(format!(
                "--signal: at most {max} are given at once"
            )));
        }
        let now = now();
        let signals = self.signals.iter().enumerate();
        let signals = signals.map(|(at, text)| signal(text, at, now));
        let mut signals = signals.collect::<Result<Vec<_>, _>>()?;
        for at in 0..signals.len() {
            let key = &signals[at].waitpoint_key;
            let first = signals.iter().position(|it| it.waitpoint_key == *key);
            signals[at].waitpoint_id = WaitpointId(made_up(first.unwrap_or(at)));
        }
        Ok(Some(Resumption {
            suspension_id: SuspensionId(Uuid::nil()),
            reason,
            closed_at: now,
            state,
            signal_count: u32::try_from(signals.len()).unwrap_or(u32::MAX),
            signals,
        }))
    }

    /// A condition is satisfied by signals, and only then are there any.
    fn reason(&self) -> Result<SuspensionCloseReason, Failure> {
        let satisfied = SuspensionCloseReason::Satisfied;
        let with_signals = !self.signals.is_empty();
        match self.resume_reason {
            None if with_signals => Ok(satisfied),
            None => Ok(SuspensionCloseReason::OperatorResume),
            Some(reason) if (reason == satisfied) == with_signals => Ok(reason),
            Some(reason) if with_signals => Err(Failure::usage(format!(
                "a handler that resumes as {reason} gets no signals; leave out --signal"
            ))),
            Some(reason) => Err(Failure::usage(format!(
                "nothing is {reason} without a signal; add --signal NAME"
            ))),
        }
    }
}

fn reason(text: &str) -> Result<SuspensionCloseReason, String> {
    let all = SuspensionCloseReason::ALL.iter().copied();
    let known: Vec<_> = all.filter(|it| it.resumes()).collect();
    let found = known.iter().copied().find(|it| it.as_str() == text);
    found.ok_or_else(|| {
        let names: Vec<_> = known.iter().map(|it| it.as_str()).collect();
        format!("known are {}", names.join(", "))
    })
}

/// Reads JSON or, after an `@`, a file.
fn payload(option: &str, text: &str) -> Result<Payload, Failure> {
    if let Some(path) = text.strip_prefix('@') {
        let path = Path::new(path);
        let data = std::fs::read(path).map_err(|error| Failure::file("read", path, &error))?;
        return Ok(Payload::new(of_extension(path), data));
    }
    match serde_json::from_str::<serde::de::IgnoredAny>(text) {
        Ok(_) => Ok(Payload::new("application/json", text)),
        Err(error) => Err(Failure::usage(format!(
            "{option} is not valid JSON: {error}; for a file, write @FILE"
        ))),
    }
}

/// Reads the signal number `at` from zero.
fn signal(text: &str, at: usize, now: OffsetDateTime) -> Result<ReceivedSignal, Failure> {
    let wrong = |invalid: Invalid| Failure::usage(format!("--signal: {invalid}"));
    let (given, payload) = if text.starts_with('{') {
        let given: GivenSignal = serde_json::from_str(text)
            .map_err(|error| Failure::usage(format!("--signal: {error}")))?;
        let payload = given.payload().map_err(wrong)?;
        (given, payload)
    } else {
        let (name, payload) = match text.split_once('=') {
            Some((name, text)) => (name, Some(payload("the payload of --signal", text)?)),
            None => (text, None),
        };
        let signal_name = name.to_owned();
        let given = GivenSignal {
            signal_name,
            ..GivenSignal::default()
        };
        (given, payload)
    };
    let source_identity = given.source_identity;
    let signal = ReceivedSignal {
        id: SignalId(made_up(at)),
        waitpoint_id: WaitpointId(made_up(at)),
        waitpoint_key: given.waitpoint_key.unwrap_or_else(|| WAITPOINT_KEY.into()),
        name: given.signal_name,
        category: given.signal_category,
        source_type: given.source_type.unwrap_or_else(|| SOURCE_TYPE.into()),
        source_identity: source_identity.unwrap_or_else(|| format!("sender-{}", at + 1)),
        correlation_id: given.correlation_id,
        payload,
        accepted_at: now,
    };
    check(&signal).map_err(wrong)?;
    Ok(signal)
}

impl GivenSignal {
    fn payload(&self) -> Result<Option<Payload>, Invalid> {
        let fields = PayloadFields::new(
            PAYLOAD,
            &self.payload,
            &self.payload_text,
            &self.payload_base64,
            &self.content_type,
        );
        fields.given()
    }
}

/// Checks the bounds that the engine holds senders to.
fn check(signal: &ReceivedSignal) -> Result<(), Invalid> {
    model::signal_name(&signal.name)?;
    model::waitpoint_key(&signal.waitpoint_key)?;
    let max = Limits::SIGNAL_TEXT_BYTES_MAX;
    for (field, text, min) in [
        ("signal_category", signal.category.as_deref(), 0),
        ("source_type", Some(&*signal.source_type), 1),
        ("source_identity", Some(&*signal.source_identity), 1),
        ("correlation_id", signal.correlation_id.as_deref(), 0),
    ] {
        let good = |text: &str| (min..=max).contains(&text.len()) && !text.contains('\0');
        if !text.is_none_or(good) {
            let detail = format!("must be {min} to {max} bytes without U+0000");
            return Err(Invalid::new(field, detail));
        }
    }
    let max = Limits::SIGNAL_BYTES_MAX;
    let bytes = signal.payload.as_ref().map_or(0, |it| it.data.len());
    if bytes > max as usize {
        return Err(Invalid::new(
            "payload",
            format!("{bytes} bytes, at most {max}"),
        ));
    }
    Ok(())
}

/// Made-up ids are numbers from one.
fn made_up(at: usize) -> Uuid {
    Uuid::from_u128(at as u128 + 1)
}

#[expect(
    clippy::disallowed_methods,
    reason = "there is no database to ask; the handler compares it with this clock"
)]
fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}
