//! Codes of problems, each with its HTTP status and title: the one file that assigns
//! them. Codes of refusals are the model's, the others are of HTTP alone.

use std::fmt::Write as _;

use axum::http::StatusCode;
use model::RefusalCode;
use serde::{Serialize, Serializer};

macro_rules! codes {
    (
        http { $($(#[$doc:meta])* $variant:ident = $code:literal, $status:ident, $title:literal;)+ }
        refusals { $($refusal:ident => $refusal_status:ident, $refusal_title:literal;)+ }
    ) => {
        /// What went wrong, by a name that does not change.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code {
            $($(#[$doc])* $variant,)+
            /// A verb of the engine or the runtime refused the request.
            Refused(RefusalCode),
        }

        const OF_HTTP: &[Code] = &[$(Code::$variant,)+];

        impl Code {
            /// Returns the code on the wire.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $code,)+
                    Self::Refused(code) => code.as_str(),
                }
            }

            /// Returns the status of its problems.
            pub const fn status(self) -> StatusCode {
                match self {
                    $(Self::$variant => StatusCode::$status,)+
                    $(Self::Refused(RefusalCode::$refusal) => StatusCode::$refusal_status,)+
                }
            }

            /// Returns the title of its problems.
            pub const fn title(self) -> &'static str {
                match self {
                    $(Self::$variant => $title,)+
                    $(Self::Refused(RefusalCode::$refusal) => $refusal_title,)+
                }
            }
        }
    };
}

codes! {
    http {
        /// The body is not JSON, or not the JSON of this route.
        MalformedJson = "malformed_json", BAD_REQUEST, "The body is not the JSON expected";
        /// An id in the path is not valid.
        InvalidId = "invalid_id", BAD_REQUEST, "That is not a valid id";
        /// A parameter of the query is unknown, given twice or wrong.
        InvalidQuery = "invalid_query", BAD_REQUEST, "The query is wrong";
        /// The request is not HTTP, or its target holds bytes that must be escaped.
        MalformedRequest = "malformed_request", BAD_REQUEST, "The request is not valid HTTP";
        /// The request came without TLS to a port that speaks it.
        TlsRequired = "tls_required", BAD_REQUEST, "This port speaks TLS";
        /// The body is not what its `Content-Encoding` says.
        MalformedEncoding = "malformed_encoding", BAD_REQUEST, "The body is not what its content encoding says";
        /// The target of the request is longer than the server reads.
        UriTooLong = "uri_too_long", URI_TOO_LONG, "The address is too long";
        /// The headers are longer than the server reads.
        HeadersTooLarge = "headers_too_large", REQUEST_HEADER_FIELDS_TOO_LARGE, "The headers are too large";
        /// A page of another site made a browser send the request.
        CrossSiteRequest = "cross_site_request", FORBIDDEN, "Pages of other sites may not ask this host";
        /// The header `Host` has a name that is not this host's.
        ForeignHost = "foreign_host", FORBIDDEN, "The request is for a host of another name";
        /// The request has no valid credential.
        Unauthenticated = "unauthenticated", UNAUTHORIZED, "A valid credential is needed";
        /// The caller does not have the role that the request needs.
        RoleMissing = "role_missing", FORBIDDEN, "The caller may not do that";
        /// The caller may act in several namespaces and named none.
        NamespaceRequired = "namespace_required", UNPROCESSABLE_ENTITY, "The request must name a namespace";
        /// The connection broke or the body was cut short.
        IncompleteBody = "incomplete_body", BAD_REQUEST, "The body did not arrive whole";
        /// The handle does not name a lease of this instance.
        InvalidHandle = "invalid_handle", BAD_REQUEST, "That is not a lease of this instance";
        /// The execution has no result, or none yet.
        NoResult = "no_result", NOT_FOUND, "The execution has no result";
        /// No such component.
        ComponentNotFound = "component_not_found", NOT_FOUND, "No such component";
        /// The flow has no such edge.
        EdgeNotFound = "edge_not_found", NOT_FOUND, "The flow has no such edge";
        /// No such route.
        NotFound = "not_found", NOT_FOUND, "Nothing is here";
        /// The route has other methods.
        MethodNotAllowed = "method_not_allowed", METHOD_NOT_ALLOWED, "That method is not offered here";
        /// The body did not arrive in time.
        RequestTimeout = "request_timeout", REQUEST_TIMEOUT, "The body did not arrive in time";
        /// The body's content encoding is not understood.
        UnsupportedEncoding = "unsupported_encoding", UNSUPPORTED_MEDIA_TYPE, "That content encoding is not understood";
        /// The body's type is not accepted here.
        UnsupportedMediaType = "unsupported_media_type", UNSUPPORTED_MEDIA_TYPE, "That type of body is not accepted here";
        /// The address or the credential sends more than one may.
        RateLimited = "rate_limited", TOO_MANY_REQUESTS, "That is more than may be asked";
        /// The host has no key to encrypt secrets with, so no waitpoint key can be
        /// created or read.
        HmacSecretNotInitialized = "hmac_secret_not_initialized", SERVICE_UNAVAILABLE, "The host has no key for secrets";
        /// The host has another key than the one that secrets were encrypted with.
        SecretsKey = "secrets_key", SERVICE_UNAVAILABLE, "The host cannot read secrets";
        /// The database cannot be reached or did not answer in time.
        Unavailable = "unavailable", SERVICE_UNAVAILABLE, "The database is not available";
        /// The host is about to end.
        Draining = "draining", SERVICE_UNAVAILABLE, "The host is about to end";
        /// The request took longer than its route may.
        NoAnswer = "no_answer", SERVICE_UNAVAILABLE, "There was no answer in time";
        /// The compiler of this host did not run, or the system ended it.
        CompilerUnavailable = "compiler_unavailable", SERVICE_UNAVAILABLE, "The host could not compile the component";
        /// The host publishes as many components as it takes on.
        PublishingBusy = "publishing_busy", SERVICE_UNAVAILABLE, "The host publishes too many components already";
        /// The host is not ready to take work.
        NotReady = "not_ready", SERVICE_UNAVAILABLE, "The host is not ready";
        /// A row holds a value that this version cannot show.
        Unreadable = "unreadable", INTERNAL_SERVER_ERROR, "What is stored cannot be shown";
        /// A fault of the server.
        Internal = "internal", INTERNAL_SERVER_ERROR, "The server met a fault";
    }
    refusals {
        InvalidInput => UNPROCESSABLE_ENTITY, "An argument is out of bounds";
        InvalidTagKey => UNPROCESSABLE_ENTITY, "That is not a valid key of a label";
        InvalidCapabilities => UNPROCESSABLE_ENTITY, "Those are not valid capabilities";
        InvalidBlockingReason => UNPROCESSABLE_ENTITY, "That is not a reason to block";
        InvalidPolicyJson => UNPROCESSABLE_ENTITY, "That is not a valid policy";
        InvalidWaitpointKey => UNPROCESSABLE_ENTITY, "That is not a valid key of a waitpoint";
        PayloadTooLarge => PAYLOAD_TOO_LARGE, "The body or a payload in it is too large";
        NotOffered => UNPROCESSABLE_ENTITY, "That is not offered by this version";
        UnknownKind => UNPROCESSABLE_ENTITY, "Nothing handles that kind";
        UnknownComponent => UNPROCESSABLE_ENTITY, "That component was not published";
        MixedWorlds => UNPROCESSABLE_ENTITY, "A service shares a kind with nothing";
        ComponentTooLarge => PAYLOAD_TOO_LARGE, "The component is too large";
        NotAComponent => UNPROCESSABLE_ENTITY, "That is not a component";
        ComponentMalformed => UNPROCESSABLE_ENTITY, "The component is broken";
        ComponentImports => UNPROCESSABLE_ENTITY, "The component imports what is not offered";
        ComponentExports => UNPROCESSABLE_ENTITY, "The component fits no world";
        ComponentDoesNotCompile => UNPROCESSABLE_ENTITY, "The component does not compile";
        ComponentExceedsLimits => UNPROCESSABLE_ENTITY, "The component exceeds a limit";
        ComponentDoesNotLink => UNPROCESSABLE_ENTITY, "The component does not fit this host";
        LaneDisabled => CONFLICT, "The lane takes no new work";
        IdempotencyConflict => CONFLICT, "The idempotency key was used with another request";
        IdConflict => CONFLICT, "The id was used for another execution";
        FlowNotFound => NOT_FOUND, "No such flow";
        FlowAlreadyTerminal => CONFLICT, "The flow was cancelled";
        StaleGraphRevision => CONFLICT, "The graph of the flow has changed";
        ExecutionNotInFlow => NOT_FOUND, "The execution is not a member of the flow";
        ExecutionAlreadyInFlow => CONFLICT, "The execution is a member of another flow";
        PartitionMismatch => UNPROCESSABLE_ENTITY, "The execution is on another partition than the flow";
        SelfReferencingEdge => UNPROCESSABLE_ENTITY, "An edge leads to its own beginning";
        CycleDetected => UNPROCESSABLE_ENTITY, "The edges form a cycle";
        DependencyAlreadyExists => CONFLICT, "An edge joins these members already";
        InvalidDependency => UNPROCESSABLE_ENTITY, "That edge or group cannot be made";
        EdgeGroupPolicyAlreadyFixed => CONFLICT, "The policy of the group is fixed";
        DepsNotSatisfied => CONFLICT, "What the execution waits for has not come true";
        FlowTooLarge => UNPROCESSABLE_ENTITY, "The flow would be too large";
        FlowsUnavailable => SERVICE_UNAVAILABLE, "A host of an earlier version is running";
        ExecutionNotActive => CONFLICT, "The execution is not active";
        ExecutionNotEligible => CONFLICT, "The execution is in another state";
        ExecutionNotTerminal => CONFLICT, "The execution is not finished";
        ExecutionNotSuspended => CONFLICT, "The execution is not suspended";
        MaxReplaysExhausted => CONFLICT, "The execution was replayed as often as its policy allows";
        InvalidWaitpointToken => FORBIDDEN, "The waitpoint token is not valid";
        WaitpointNotFound => NOT_FOUND, "No such waitpoint";
        WaitpointAmbiguous => CONFLICT, "The execution has several open waitpoints";
        WaitpointClosed => CONFLICT, "The waitpoint is closed";
        TargetNotSignalable => CONFLICT, "The execution takes no more signals";
        SignalLimitExceeded => CONFLICT, "The execution accepted as many signals as its policy allows";
        ApprovalByRequester => FORBIDDEN, "Who asked for it cannot decide on it";
        WaitpointAlreadyExists => CONFLICT, "There is an open waitpoint with that key";
        WaitpointNotPending => CONFLICT, "The waitpoint is not pending";
        PendingWaitpointExpired => CONFLICT, "The waitpoint expired before its suspension";
        WaitpointLimitExceeded => CONFLICT, "The execution has too many open waitpoints";
        NoActiveLease => CONFLICT, "The execution does not run";
        StaleLease => CONFLICT, "The execution runs under another lease";
        LeaseRevoked => CONFLICT, "The lease was revoked";
        LeaseExpired => CONFLICT, "The lease has expired";
        InstanceReassigned => CONFLICT, "The instance belongs to another worker";
        NotRegistered => NOT_FOUND, "No such worker is registered";
        GrantAlreadyExists => CONFLICT, "The execution is granted already";
        CapabilityMismatch => CONFLICT, "The worker lacks capabilities";
        InvalidClaimGrant => CONFLICT, "That claim grant cannot be used";
        ClaimGrantExpired => CONFLICT, "The claim grant has expired";
        GrantNotFound => NOT_FOUND, "No such reclaim grant";
        NotReclaimable => CONFLICT, "The execution cannot be reclaimed";
        ReclaimCapExceeded => CONFLICT, "The execution was lost too often";
        ExecutionNotFound => NOT_FOUND, "No such execution";
        InvalidKid => UNPROCESSABLE_ENTITY, "That is not a valid id of a key";
        InvalidSecretHex => UNPROCESSABLE_ENTITY, "That is not a valid secret of a key";
        InvalidGraceMs => UNPROCESSABLE_ENTITY, "The grace is out of range";
        RotationConflict => CONFLICT, "There is or was another key of that name";
        TooManyKeys => CONFLICT, "Too many keys are accepted";
        WaitpointKeyActive => CONFLICT, "The key signs new tokens";
        WaitpointKeyNotFound => NOT_FOUND, "No such key";
        ApiKeyNotFound => NOT_FOUND, "No such API key";
        ApiKeyNameTaken => CONFLICT, "There is an API key of that name";
        ApiKeyEnded => CONFLICT, "The API key is not accepted any more";
        AdminKeyExists => CONFLICT, "There is an admin's API key already";
        RoleNotHeld => FORBIDDEN, "Only roles that the caller holds can be granted";
        WebhookNotFound => NOT_FOUND, "No such webhook";
        WebhookNameTaken => CONFLICT, "There is a webhook of that name";
        TooManyWebhooks => CONFLICT, "There are too many webhooks";
        InvalidCursor => BAD_REQUEST, "That is not a cursor of this list";
        CursorTooOld => GONE, "Events after the cursor are no longer kept";
        StreamClosed => CONFLICT, "The stream is closed";
        StaleOwnerCannotAppend => CONFLICT, "The lease is not held any more";
        RetentionLimitExceeded => PAYLOAD_TOO_LARGE, "The frame or the summary is too large";
        InvalidFrameType => UNPROCESSABLE_ENTITY, "That is not a valid type of a frame";
        PatchDepthExceeded => UNPROCESSABLE_ENTITY, "The patch is nested too deeply";
        AttemptNotFound => NOT_FOUND, "No such attempt";
        CountLimitExceedsHardCap => UNPROCESSABLE_ENTITY, "That is more frames than a page may have";
    }
}

impl Code {
    /// Returns every code, in the order of their names.
    pub fn all() -> Vec<Self> {
        let refused = RefusalCode::ALL.iter().copied().map(Self::Refused);
        let mut all: Vec<_> = OF_HTTP.iter().copied().chain(refused).collect();
        all.sort_unstable_by_key(|code| code.as_str());
        all
    }

    /// Returns the table of codes in `docs/http.md`, by status and name.
    pub fn table() -> String {
        let mut all = Self::all();
        all.sort_by_key(|code| code.status().as_u16());
        let mut table = String::from("| status | code | |\n|---|---|---|\n");
        for code in all {
            let (status, title) = (code.status().as_u16(), code.title());
            // Writing to a string cannot fail.
            let _ = writeln!(table, "| {status} | `{}` | {title} |", code.as_str());
        }
        table
    }
}

impl From<RefusalCode> for Code {
    fn from(code: RefusalCode) -> Self {
        Self::Refused(code)
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn codes_are_distinct_words() {
        let codes: BTreeSet<_> = Code::all().into_iter().map(Code::as_str).collect();
        assert_eq!(codes.len(), Code::all().len());
        for code in codes {
            assert!(
                code.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'),
                "{code}"
            );
        }
    }
}
