//! Every problem the API reports, with its stable code; the one place that
//! assigns HTTP statuses.
//!
//! What a fault says stays in the log: a problem never carries SQL, a path or a
//! backtrace.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use model::{Invalid, Outcome, StateKind};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use super::transport::{coding, text};

/// Most bytes of the detail of a problem.
pub const DETAIL_BYTES_MAX: usize = 4 << 10;
/// Most bytes of a text among its further members.
pub const MEMBER_BYTES_MAX: usize = 1 << 10;
/// When to ask again what could not be answered now, in seconds.
const RETRY_AFTER: &str = "1";

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $code:literal, $status:ident, $title:literal;)+) => {
        /// What went wrong, by a name that does not change.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code { $($(#[$doc])* $variant,)+ }

        impl Code {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// Returns the code on the wire.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $code,)+ }
            }

            /// Returns the status it is sent with.
            pub const fn status(self) -> StatusCode {
                match self { $(Self::$variant => StatusCode::$status,)+ }
            }

            /// Returns what every problem with this code is called.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)+ }
            }
        }
    };
}

codes! {
    /// The body is no JSON, or not the JSON that belongs here.
    MalformedJson = "malformed_json", BAD_REQUEST, "The body is not the JSON expected";
    /// The id in the path is none.
    InvalidId = "invalid_id", BAD_REQUEST, "That is no id";
    /// A parameter of the query is unknown, given twice or wrong.
    InvalidQuery = "invalid_query", BAD_REQUEST, "The query is wrong";
    /// The cursor is none of this list.
    InvalidCursor = "invalid_cursor", BAD_REQUEST, "That is not a cursor of this list";
    /// The request is not HTTP, or its address holds bytes that none may.
    MalformedRequest = "malformed_request", BAD_REQUEST, "The request is not valid HTTP";
    /// The body is not what its `Content-Encoding` says.
    MalformedEncoding = "malformed_encoding", BAD_REQUEST, "The body is not what its content encoding says";
    /// The address is longer than the server reads.
    UriTooLong = "uri_too_long", URI_TOO_LONG, "The address is too long";
    /// The headers are longer than the server reads.
    HeadersTooLarge = "headers_too_large", REQUEST_HEADER_FIELDS_TOO_LARGE, "The headers are too large";
    /// A page of another site made a browser send the request.
    CrossSiteRequest = "cross_site_request", FORBIDDEN, "Pages of other sites may not ask this host";
    /// The header `Host` has a name that is not this host's.
    ForeignHost = "foreign_host", FORBIDDEN, "The request is for a host of another name";
    /// The connection broke or the body was cut short.
    IncompleteBody = "incomplete_body", BAD_REQUEST, "The body did not arrive whole";
    /// An argument breaks a documented bound.
    InvalidInput = "invalid_input", UNPROCESSABLE_ENTITY, "An argument is out of bounds";
    /// The contract has that, and this version does not act on it.
    NotOffered = "not_offered", UNPROCESSABLE_ENTITY, "That is not offered by this version";
    /// Nothing handles the kind.
    UnknownKind = "unknown_kind", UNPROCESSABLE_ENTITY, "Nothing handles that kind";
    /// A route names a component that was not published.
    UnknownComponent = "unknown_component", UNPROCESSABLE_ENTITY, "That component was not published";
    /// A component that claims for itself would share a kind.
    MixedWorlds = "mixed_worlds", UNPROCESSABLE_ENTITY, "A worker component shares a kind with nothing";
    /// The component has too many bytes.
    ComponentTooLarge = "component_too_large", PAYLOAD_TOO_LARGE, "The component is too large";
    /// The bytes are something else than a component.
    NotAComponent = "not_a_component", UNPROCESSABLE_ENTITY, "That is no component";
    /// The component's structure is broken.
    ComponentMalformed = "component_malformed", UNPROCESSABLE_ENTITY, "The component is broken";
    /// The component imports what this host does not offer.
    ComponentImports = "component_imports", UNPROCESSABLE_ENTITY, "The component imports what is not offered";
    /// The component exports neither a handler nor a service.
    ComponentExports = "component_exports", UNPROCESSABLE_ENTITY, "The component fits no world";
    /// The compiler refused the component.
    ComponentDoesNotCompile = "component_does_not_compile", UNPROCESSABLE_ENTITY, "The component does not compile";
    /// The component has or needs more than it may.
    ComponentExceedsLimits = "component_exceeds_limits", UNPROCESSABLE_ENTITY, "The component exceeds a limit";
    /// The component does not fit the interfaces of this host.
    ComponentDoesNotLink = "component_does_not_link", UNPROCESSABLE_ENTITY, "The component does not fit this host";
    /// The lane takes no new work.
    LaneDisabled = "lane_disabled", CONFLICT, "The lane takes no new work";
    /// The key was used with another request.
    IdempotencyConflict = "idempotency_conflict", CONFLICT, "The idempotency key was used with another request";
    /// The id belongs to an execution that another request made.
    IdConflict = "id_conflict", CONFLICT, "The id was used for another execution";
    /// The execution ended some other way first.
    ExecutionNotActive = "execution_not_active", CONFLICT, "The execution is not active";
    /// The execution is in no state in which that can be done.
    ExecutionNotEligible = "execution_not_eligible", CONFLICT, "The execution is in another state";
    /// The execution is not finished.
    ExecutionNotTerminal = "execution_not_terminal", CONFLICT, "The execution is not finished";
    /// The execution waits for no signal.
    ExecutionNotSuspended = "execution_not_suspended", CONFLICT, "The execution is not suspended";
    /// The policy of the execution allows no further replay.
    MaxReplaysExhausted = "max_replays_exhausted", CONFLICT, "The execution was replayed as often as its policy allows";
    /// The token is not good for this, whatever is wrong with it.
    InvalidToken = "invalid_token", FORBIDDEN, "The waitpoint token is not valid";
    /// The execution has no such waitpoint, or none that is open.
    WaitpointNotFound = "waitpoint_not_found", NOT_FOUND, "No such waitpoint";
    /// The execution has several open waitpoints, and none was named.
    WaitpointAmbiguous = "waitpoint_ambiguous", CONFLICT, "The execution has several open waitpoints";
    /// The waitpoint takes no more signals.
    WaitpointClosed = "waitpoint_closed", CONFLICT, "The waitpoint is closed";
    /// The execution is finished.
    TargetNotSignalable = "target_not_signalable", CONFLICT, "The execution takes no more signals";
    /// The execution accepted as many signals as its policy allows.
    SignalLimitExceeded = "signal_limit_exceeded", CONFLICT, "The execution accepted as many signals as its policy allows";
    /// A waitpoint that is to be new has the key of one that is open.
    WaitpointAlreadyExists = "waitpoint_already_exists", CONFLICT, "There is an open waitpoint with that key";
    /// The waitpoint can be suspended on no more.
    WaitpointNotPending = "waitpoint_not_pending", CONFLICT, "The waitpoint is not pending";
    /// The time the waitpoint waited for its suspension is over.
    PendingWaitpointExpired = "pending_waitpoint_expired", CONFLICT, "The waitpoint expired before its suspension";
    /// The execution has as many open waitpoints as it may.
    WaitpointLimitExceeded = "waitpoint_limit_exceeded", CONFLICT, "The execution has too many open waitpoints";
    /// Nobody holds a lease on the execution.
    NoActiveLease = "no_active_lease", CONFLICT, "The execution does not run";
    /// Another lease is held.
    StaleLease = "stale_lease", CONFLICT, "The execution runs under another lease";
    /// The lease was taken away.
    LeaseRevoked = "lease_revoked", CONFLICT, "The lease was revoked";
    /// The lease lapsed.
    LeaseExpired = "lease_expired", CONFLICT, "The lease has expired";
    /// The handle of a lease is none of this instance.
    InvalidHandle = "invalid_handle", BAD_REQUEST, "That is no lease of this instance";
    /// The instance belongs to another worker.
    InstanceReassigned = "instance_reassigned", CONFLICT, "The instance belongs to another worker";
    /// No such worker, or its time has passed.
    NotRegistered = "not_registered", NOT_FOUND, "No such worker is registered";
    /// The execution is granted to a worker.
    GrantAlreadyExists = "grant_already_exists", CONFLICT, "The execution is granted already";
    /// The worker lacks capabilities.
    CapabilityMismatch = "capability_mismatch", CONFLICT, "The worker lacks capabilities";
    /// The claim grant cannot be used.
    InvalidClaimGrant = "invalid_claim_grant", CONFLICT, "That claim grant cannot be used";
    /// The claim grant lapsed.
    ClaimGrantExpired = "claim_grant_expired", CONFLICT, "The claim grant has expired";
    /// No such reclaim grant.
    GrantNotFound = "grant_not_found", NOT_FOUND, "No such reclaim grant";
    /// The execution does not wait to be reclaimed.
    NotReclaimable = "not_reclaimable", CONFLICT, "The execution cannot be reclaimed";
    /// The execution was lost as often as its policy allows.
    ReclaimCapExceeded = "reclaim_cap_exceeded", CONFLICT, "The execution was lost too often";
    /// No such execution.
    ExecutionNotFound = "execution_not_found", NOT_FOUND, "No such execution";
    /// The execution has no result, or none yet.
    NoResult = "no_result", NOT_FOUND, "The execution has no result";
    /// No such component.
    ComponentNotFound = "component_not_found", NOT_FOUND, "No such component";
    /// No such route.
    NotFound = "not_found", NOT_FOUND, "Nothing is here";
    /// The route has other methods.
    MethodNotAllowed = "method_not_allowed", METHOD_NOT_ALLOWED, "That method is not offered here";
    /// The body did not arrive in time.
    RequestTimeout = "request_timeout", REQUEST_TIMEOUT, "The body did not arrive in time";
    /// The body is larger than its route accepts.
    PayloadTooLarge = "payload_too_large", PAYLOAD_TOO_LARGE, "The body is too large";
    /// The body's content encoding is not understood.
    UnsupportedEncoding = "unsupported_encoding", UNSUPPORTED_MEDIA_TYPE, "That content encoding is not understood";
    /// The body's type is not accepted here.
    UnsupportedMediaType = "unsupported_media_type", UNSUPPORTED_MEDIA_TYPE, "That type of body is not accepted here";
    /// The name of a key is none.
    InvalidKid = "invalid_kid", UNPROCESSABLE_ENTITY, "That is no name of a key";
    /// The secret of a key is none.
    InvalidSecretHex = "invalid_secret_hex", UNPROCESSABLE_ENTITY, "That is no secret of a key";
    /// The grace of a rotation is out of range.
    InvalidGraceMs = "invalid_grace_ms", UNPROCESSABLE_ENTITY, "The grace is out of range";
    /// The name of a key is taken.
    RotationConflict = "rotation_conflict", CONFLICT, "There is or was another key of that name";
    /// Too many keys are accepted.
    TooManyKeys = "too_many_keys", CONFLICT, "Too many keys are accepted";
    /// The key signs.
    WaitpointKeyActive = "waitpoint_key_active", CONFLICT, "The key signs new tokens";
    /// No such key.
    WaitpointKeyNotFound = "waitpoint_key_not_found", NOT_FOUND, "No such key";
    /// The host has no key to encrypt secrets with, or another one.
    SecretsKey = "secrets_key", SERVICE_UNAVAILABLE, "The host cannot read secrets";
    /// The database cannot be reached or did not answer in time.
    Unavailable = "unavailable", SERVICE_UNAVAILABLE, "The database is not available";
    /// The host is about to end.
    Draining = "draining", SERVICE_UNAVAILABLE, "The host is about to end";
    /// The request took longer than any may.
    NoAnswer = "no_answer", SERVICE_UNAVAILABLE, "There was no answer in time";
    /// The compiler of this host did not run, or was ended by the system.
    CompilerUnavailable = "compiler_unavailable", SERVICE_UNAVAILABLE, "The host could not compile the component";
    /// The host publishes as many components as it takes on.
    PublishingBusy = "publishing_busy", SERVICE_UNAVAILABLE, "The host publishes too many components already";
    /// The host is not ready to take work.
    NotReady = "not_ready", SERVICE_UNAVAILABLE, "The host is not ready";
    /// A row holds what this version cannot show.
    Unreadable = "unreadable", INTERNAL_SERVER_ERROR, "What is stored cannot be shown";
    /// A fault of the server.
    Internal = "internal", INTERNAL_SERVER_ERROR, "The server met a fault";
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self.as_str())
    }
}

/// A problem, as it is sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    /// What went wrong.
    pub code: Code,
    /// A sentence for people, about this occurrence.
    pub detail: String,
    /// Further members, such as `existing`.
    pub extra: Map<String, Value>,
}

impl Problem {
    /// Builds one; a detail that is too long is cut, as it may repeat what was given.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        let mut detail = detail.into();
        text::shorten(&mut detail, DETAIL_BYTES_MAX);
        Self {
            code,
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

    /// Adds where the execution is.
    #[must_use]
    pub(super) fn in_state(self, state: StateKind, outcome: Option<Outcome>) -> Self {
        let problem = self.with("state", state.as_str());
        match outcome {
            Some(outcome) => problem.with("outcome", outcome.as_str()),
            None => problem,
        }
    }

    /// Builds the problem of an id that names no execution.
    pub fn no_execution(id: impl std::fmt::Display) -> Self {
        Self::new(
            Code::ExecutionNotFound,
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
            Code::PayloadTooLarge,
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
            let soon = HeaderValue::from_static(RETRY_AFTER);
            headers.insert(header::RETRY_AFTER, soon);
        }
        if self.code == Code::UnsupportedEncoding {
            let accepted = HeaderValue::from_static(coding::ACCEPTED);
            headers.insert(header::ACCEPT_ENCODING, accepted);
        }
        // The next request finds another host, if there are several behind one name.
        if self.code == Code::Draining {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

impl From<Invalid> for Problem {
    fn from(invalid: Invalid) -> Self {
        Self::new(Code::InvalidInput, invalid.to_string()).with("field", invalid.field)
    }
}

impl<R> From<engine::Declined<R>> for Problem
where
    Self: From<R>,
{
    fn from(declined: engine::Declined<R>) -> Self {
        match declined {
            engine::Declined::Refused(refusal) => refusal.into(),
            engine::Declined::Fault(fault) => fault.into(),
        }
    }
}

impl From<engine::Error> for Problem {
    fn from(error: engine::Error) -> Self {
        Self::from(&error)
    }
}

impl From<&engine::Error> for Problem {
    fn from(error: &engine::Error) -> Self {
        // Says what to set, and nothing of what is in the database.
        if let engine::Error::Secrets(fault) = error {
            tracing::error!(%error, "secrets cannot be read");
            return Self::new(Code::SecretsKey, fault.to_string());
        }
        if error.is_unavailable() {
            tracing::warn!(%error, "the database is not available");
            return Self::new(
                Code::Unavailable,
                "the database cannot be reached or did not answer in time; whether the request took effect is unknown: ask again, a create with the same idempotency key or id",
            );
        }
        tracing::error!(%error, "a request failed");
        // Names the row, so that it can be repaired, and nothing of the others.
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
    use std::collections::BTreeSet;

    #[test]
    fn codes_are_distinct_words() {
        let codes: BTreeSet<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(codes.len(), Code::ALL.len());
        for code in codes {
            assert!(
                code.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'),
                "{code}"
            );
        }
    }

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
    fn whatever_may_be_asked_again_says_when() {
        for code in Code::ALL {
            let response = Problem::new(*code, "").into_response();
            let told = response.headers().contains_key(header::RETRY_AFTER);
            let again = matches!(code.status().as_u16(), 429 | 503);
            assert_eq!(told, again, "{code:?}");
        }
    }

    #[test]
    fn what_a_problem_repeats_is_bounded() {
        let given = "é".repeat(1 << 20);
        let problem = Problem::new(Code::InvalidInput, given.as_str()).with("field", given);
        let response = serde_json::to_vec(&problem).expect("writes");
        assert!(response.len() < DETAIL_BYTES_MAX + MEMBER_BYTES_MAX + 512);
        let invalid = Invalid::new("kind", "x".repeat(1 << 20));
        assert!(Problem::from(invalid).detail.len() <= DETAIL_BYTES_MAX);
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
