//! The columns of the table of routes that bound a request: how long it may take, and
//! how large its body may be. Nothing is inferred from a path.

use std::time::Duration;

use model::Limits;

use super::App;
use super::body::{Cap, Pace};

/// Most bytes of a body on routes that take small ones, and of what stands beside a
/// payload in JSON.
const SMALL_BYTES_MAX: usize = 64 << 10;
/// Most bytes of the graph of a flow in JSON: inputs of 32 MiB as base64, and what stands beside
/// them.
const FLOW_BYTES_MAX: usize = 48 << 20;
/// Longest a caller may wait for an outcome.
pub const WAIT_MAX: Duration = Duration::from_millis(crate::api::TIMEOUT_MS_MAX);
/// What a request that waits may take beyond the longest wait.
const WAIT_SLACK: Duration = Duration::from_secs(10);

/// What bounds the requests of a route.
#[derive(Debug, Clone, Copy)]
pub struct RouteLimits {
    /// How long it may take.
    pub time: TimeLimit,
    /// How large its body may be.
    pub body: BodyLimit,
}

/// How long a request may take; longer ones are answered `no_answer`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TimeLimit {
    /// `http.request_timeout_ms`.
    Short,
    /// The longest wait a caller may ask for, and some seconds.
    Waits,
    /// `Waits` with the header `Prefer`, `Short` without it.
    MayPrefer,
    /// Both one after the other: the body may take as long as any other before the
    /// handler waits.
    Publishes,
    /// `Waits` until the answer begins; it may go on for as long as its caller reads it.
    Follows,
}

impl TimeLimit {
    /// Returns the name of the limit, as metrics have it.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Short => "short",
            Self::Waits => "waits",
            Self::MayPrefer => "may_prefer",
            Self::Publishes => "publishes",
            Self::Follows => "follows",
        }
    }

    /// Returns the limit of a request, which may have the header `Prefer`.
    pub fn of(self, app: &App, has_preference: bool) -> Duration {
        let (short, wait) = (app.http.request_timeout(), WAIT_MAX + WAIT_SLACK);
        match self {
            Self::Waits | Self::Follows => wait,
            Self::MayPrefer if has_preference => wait,
            Self::Short | Self::MayPrefer => short,
            Self::Publishes => short + wait,
        }
    }
}

/// How large the body of a request may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyLimit {
    /// The handler reads no body.
    None,
    /// 64 KiB.
    Small,
    /// `http.batch_bytes_max`, for many items at once.
    Batch,
    /// `limits.input_bytes_max`.
    Input,
    /// `limits.result_bytes_max`.
    Result,
    /// The payload of one signal.
    Signal,
    /// `limits.component_bytes_max`.
    Component,
    /// 48 MiB: the graph of a flow, whose inputs may have 32 MiB.
    Flow,
}

impl App {
    /// Returns the cap of a body that is the payload itself.
    pub fn raw_cap(&self, body: BodyLimit) -> Cap {
        let limits = self.engine.limits();
        let (limit, bytes_max) = match body {
            BodyLimit::None => ("the limit of this route", 0),
            BodyLimit::Small => ("the limit of this route", SMALL_BYTES_MAX),
            BodyLimit::Batch => ("http.batch_bytes_max", self.http.batch_bytes_max as usize),
            BodyLimit::Input => ("input_bytes_max", limits.input_bytes_max as usize),
            BodyLimit::Result => ("result_bytes_max", limits.result_bytes_max as usize),
            BodyLimit::Signal => ("the limit of a signal", Limits::SIGNAL_BYTES_MAX as usize),
            BodyLimit::Flow => ("the limit of a flow", FLOW_BYTES_MAX),
            BodyLimit::Component => ("component_bytes_max", limits.component_bytes_max as usize),
        };
        Cap {
            limit,
            bytes_max,
            timeout: self.http.request_timeout(),
            pace: Pace {
                bytes_per_second_min: self.doors.settings.body_bytes_per_second_min,
                grace: self.doors.settings.body_grace(),
            },
        }
    }

    /// Returns the cap of a body in JSON: base64 makes a payload longer by a third, and
    /// other fields stand beside it.
    pub fn json_cap(&self, body: BodyLimit) -> Cap {
        let cap = self.raw_cap(body);
        match body {
            BodyLimit::None | BodyLimit::Small | BodyLimit::Batch | BodyLimit::Flow => cap,
            _ => Cap {
                bytes_max: cap.bytes_max / 3 * 4 + SMALL_BYTES_MAX,
                ..cap
            },
        }
    }
}
