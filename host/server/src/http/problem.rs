//! Problems: the answers to requests that were not served. A refusal of the engine
//! becomes one with its own code and members.
//!
//! The text of a fault stays in the log: a problem never carries SQL, a path or a
//! backtrace.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use engine::{Declined, SecretsFault};
use model::{
    Invalid, InvalidWaitpointToken, KeyRetireRefusal, Refusal, RefusalCode, Told, WorkerRefusal,
};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

pub use super::code::Code;
use super::transport::{coding, text};

/// Most bytes of the detail of a problem.
pub const DETAIL_BYTES_MAX: usize = 4 << 10;
/// Most bytes of a text among its further members.
pub const MEMBER_BYTES_MAX: usize = 1 << 10;
/// Seconds after which to repeat a request that could not be answered now.
const RETRY_AFTER: u64 = 1;
/// The member that says so more exactly, in milliseconds, if it is known.
pub const RETRY_AFTER_MS: &str = "retry_after_ms";

/// A problem, as it is sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    /// What went wrong; it gives the status and the title.
    pub code: Code,
    /// A sentence for people, about this occurrence.
    pub detail: String,
    /// Further members, such as `existing`; which there are depends on the code.
    pub extra: Map<String, Value>,
}

impl Problem {
    /// Builds one; a detail that is too long is cut, as it may repeat what was given.
    pub fn new(code: impl Into<Code>, detail: impl Into<String>) -> Self {
        let mut detail = detail.into();
        text::shorten(&mut detail, DETAIL_BYTES_MAX);
        Self {
            code: code.into(),
            detail,
            extra: Map::new(),
        }
    }

    /// Adds a member; a text that is too long is cut.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        let mut value = value.into();
        if let Value::String(text) = &mut value {
            text::shorten(text, MEMBER_BYTES_MAX);
        }
        self.extra.insert(name.to_owned(), value);
        self
    }

    /// Builds the problem of a refusal.
    pub fn refused(refusal: &impl Refusal) -> Self {
        let Told { code, members } = refusal.told();
        let problem = Self::new(code, refusal.to_string());
        members
            .into_iter()
            .fold(problem, |problem, (name, member)| {
                problem.with(name, member)
            })
    }

    /// Builds the problem of an id that names no execution.
    pub fn no_execution(id: impl std::fmt::Display) -> Self {
        Self::new(
            RefusalCode::ExecutionNotFound,
            format!("there is no execution {id}"),
        )
    }

    /// Builds the problem of a request that a host which is about to end cannot wait
    /// for.
    pub fn draining() -> Self {
        Self::new(
            Code::Draining,
            "the host is about to end: ask again after a pause, or ask another one",
        )
    }

    /// Builds the problem of a body larger than the limit called `limit`.
    pub fn too_large(limit: &str, bytes_max: usize) -> Self {
        Self::new(
            RefusalCode::PayloadTooLarge,
            format!("the body is larger than {limit}, which is {bytes_max} bytes"),
        )
        .with("limit", limit)
        .with("bytes_max", bytes_max)
    }
}

impl Serialize for Problem {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap as _;
        let mut map = s.serialize_map(None)?;
        map.serialize_entry(
            "type",
            &format_args!("https://flowhost.dev/problems/{}", self.code.as_str()),
        )?;
        map.serialize_entry("title", self.code.title())?;
        map.serialize_entry("status", &self.code.status().as_u16())?;
        map.serialize_entry("code", &self.code)?;
        map.serialize_entry("detail", &self.detail)?;
        for (name, value) in &self.extra {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let mut response = (self.code.status(), body).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if let StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS = self.code.status()
        {
            let ms = self.extra.get(RETRY_AFTER_MS).and_then(Value::as_u64);
            let soon = HeaderValue::from(ms.map_or(RETRY_AFTER, |ms| ms.div_ceil(1000)));
            headers.insert(header::RETRY_AFTER, soon);
        }
        if self.code == Code::UnsupportedEncoding {
            let accepted = HeaderValue::from_static(coding::ACCEPTED);
            headers.insert(header::ACCEPT_ENCODING, accepted);
        }
        if self.code == Code::Unauthenticated {
            let bearer = HeaderValue::from_static("Bearer");
            headers.insert(header::WWW_AUTHENTICATE, bearer);
        }
        // For those who note how a request ended.
        response.extensions_mut().insert(self.code);
        let headers = response.headers_mut();
        // The next request finds another host, if there are several behind one name.
        if self.code == Code::Draining {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

impl<R: Refusal> From<Declined<R>> for Problem {
    fn from(declined: Declined<R>) -> Self {
        match declined {
            Declined::Refused(refusal) => Self::refused(&refusal),
            Declined::Fault(fault) => fault.into(),
        }
    }
}

/// Names the refusals that occur without a [`Declined`] around them. An `impl` for every
/// `R: Refusal` would not stand beside the one for faults: neither the trait nor their
/// type is of this crate.
macro_rules! refused {
    ($($refusal:ty),+ $(,)?) => {$(
        impl From<$refusal> for Problem {
            fn from(refusal: $refusal) -> Self {
                Self::refused(&refusal)
            }
        }
    )+};
}

refused! {
    model::ApiKeyRefusal, model::WebhookRefusal, Invalid, InvalidWaitpointToken, KeyRetireRefusal, WorkerRefusal, runtime::NotPublished, runtime::PublishRefusal,
    // Until their verbs return `Declined`.
    model::CancelRefusal, model::CreateRefusal, model::LeaseRefusal, model::OperateRefusal,
    model::SuspendRefusal, model::SignalRefusal, model::WaitpointRefusal, model::RegisterRefusal,
    model::FlowRefusal, model::FlowCancelRefusal, model::GrantRefusal, model::RedeemRefusal, model::KeyRotateRefusal, engine::RouteRefusal,
}

impl From<engine::Error> for Problem {
    fn from(error: engine::Error) -> Self {
        Self::from(&error)
    }
}

impl From<&engine::Error> for Problem {
    fn from(error: &engine::Error) -> Self {
        // The text says which setting to mend, and nothing about the database.
        if let engine::Error::Secrets(fault) = error {
            tracing::error!(%error, "secrets cannot be read");
            let code = match fault {
                SecretsFault::KeyMissing => Code::HmacSecretNotInitialized,
                SecretsFault::KeyDiffers { .. } | SecretsFault::Tampered { .. } => Code::SecretsKey,
            };
            return Self::new(code, fault.to_string());
        }
        if error.is_unavailable() {
            tracing::warn!(%error, "the database is not available");
            return Self::new(
                Code::Unavailable,
                "the database cannot be reached or did not answer in time; whether the request took effect is unknown: ask again, a create with the same idempotency key or id",
            );
        }
        tracing::error!(%error, "a request failed");
        // The text names the row, so that it can be repaired, and no other.
        if let engine::Error::Corrupt {
            table, column, id, ..
        } = &error
        {
            return Self::new(Code::Unreadable, error.to_string())
                .with("table", *table)
                .with("column", *column)
                .with("id", id.as_str());
        }
        Self::new(Code::Internal, "the server met a fault; its log says more")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_written_with_its_further_members() {
        let problem = Problem::too_large("input_bytes_max", 10);
        let value = serde_json::to_value(&problem).expect("writes");
        assert_eq!(
            value["type"],
            "https://flowhost.dev/problems/payload_too_large"
        );
        assert_eq!(value["status"], 413);
        assert_eq!(value["limit"], "input_bytes_max");
    }

    #[test]
    fn problems_that_pass_say_when_to_repeat() {
        for code in Code::all() {
            let response = Problem::new(code, "").into_response();
            let told = response.headers().contains_key(header::RETRY_AFTER);
            let again = matches!(code.status().as_u16(), 429 | 503);
            assert_eq!(told, again, "{code:?}");
        }
    }

    #[test]
    fn a_known_time_to_repeat_is_rounded_up_to_seconds() {
        for (ms, seconds) in [(1, "1"), (1000, "1"), (1001, "2"), (60_000, "60")] {
            let problem = Problem::new(Code::RateLimited, "").with(RETRY_AFTER_MS, ms);
            let response = problem.into_response();
            assert_eq!(response.headers()[header::RETRY_AFTER], seconds);
        }
    }

    #[test]
    fn what_a_problem_repeats_is_bounded() {
        let given = "é".repeat(1 << 20);
        let problem = Problem::new(RefusalCode::InvalidInput, given.as_str()).with("field", given);
        let response = serde_json::to_vec(&problem).expect("writes");
        assert!(response.len() < DETAIL_BYTES_MAX + MEMBER_BYTES_MAX + 512);
        let invalid = Invalid::new("kind", "x".repeat(1 << 20));
        assert!(Problem::from(invalid).detail.len() <= DETAIL_BYTES_MAX);
    }

    #[test]
    fn a_host_without_a_key_for_secrets_is_told_from_one_with_another() {
        let what = || "waitpoint key `k1`".to_owned();
        for (fault, code) in [
            (SecretsFault::KeyMissing, "hmac_secret_not_initialized"),
            (SecretsFault::KeyDiffers { what: what() }, "secrets_key"),
            (SecretsFault::Tampered { what: what() }, "secrets_key"),
        ] {
            let problem = Problem::from(engine::Error::from(fault));
            assert_eq!(problem.code.as_str(), code);
            assert_eq!(problem.code.status(), StatusCode::SERVICE_UNAVAILABLE);
        }
    }

    #[test]
    fn a_fault_tells_nothing_of_the_database() {
        let secret = "relation \"lease\" at /var/lib/secret";
        for error in [
            engine::Error::Unavailable(secret.to_owned()),
            engine::Error::Schema(secret.to_owned()),
        ] {
            let problem = Problem::from(error);
            assert!(!problem.detail.contains("lease\""), "{}", problem.detail);
        }
    }
}
