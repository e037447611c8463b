//! What the members of requests may hold, for the description of the API.
//!
//! A name means the same in every request, so a line here bounds all members and
//! parameters of that name, but for those of the schemas and operations named before it.
//! The numbers are the ones that the checks use. Lengths are bytes, and JSON Schema counts
//! characters: a text with others than ASCII reaches its limit earlier than described.

use std::fmt::Display;
use std::ops::RangeInclusive;

use model::{
    BlockingReason, CountKind, EdgeKind, EventFamily, ExpireReason, FailureClass,
    FlowCancellationPolicy, FlowStatus, FrameEncoding, FrameMode, LaneState, Limits, OnSatisfied,
    PRIORITY_MAX, PublicState, ResumeTarget, Role, SuspensionReason, SuspensionRequester,
    TimeoutBehavior, Visibility, WaitpointState, patterns,
};

use super::lease::WAIT_MS_MAX;

/// Longest a caller may wait for the end of an execution, in milliseconds.
pub const TIMEOUT_MS_MAX: u64 = 60_000;

/// Largest epoch of a lease, as the database can count.
pub const EPOCH_MAX: u64 = i64::MAX as u64;

/// The name of a member of a flow, as [`model::member_name`] checks it, or the id of one.
pub const MEMBER_NAME: &str = "^[A-Za-z0-9][A-Za-z0-9._-]*$";

/// What a member of a request, or a parameter, may hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bound {
    /// A text of so many bytes that matches a pattern.
    Text(RangeInclusive<usize>, &'static str),
    /// A text of at most so many bytes.
    Long(usize),
    /// A text that matches a pattern, which also bounds its length.
    Pattern(&'static str),
    /// A point in time, as [`model::Moment`] reads it.
    Time,
    /// A whole number.
    Number(RangeInclusive<u64>),
    /// One of some texts, as the schema of this name has them.
    Name(&'static str, Vec<String>),
    /// Every text, or one that its format or its own member bounds.
    Free,
}

/// How many labels an object may have.
pub const LABELS: RangeInclusive<usize> = 0..=Limits::TAGS_MAX;

/// Returns what `member` may hold in requests; `of` is the schema that has it, or the id
/// of the operation of a parameter. `None` if nothing is said about it.
pub fn bound(of: &str, member: &str) -> Option<Bound> {
    use Bound::{Free, Long, Number, Pattern, Text, Time};
    let u32_range =
        |range: RangeInclusive<u32>| Number(u64::from(*range.start())..=u64::from(*range.end()));
    Some(match (of, member) {
        ("signals_send_to_callback", _) => Free,
        ("MarkWorkerDead", "reason") => Text(1..=Limits::DEAD_REASON_BYTES_MAX, patterns::PLAIN),
        ("FailLease" | "FailOverride", "message") => Free,
        ("CreateExecution" | "executions_create", "id") => Pattern(patterns::UUID_V7),
        ("FreshWaitpoint" | "KeyedWaitpoint" | "CreateLeaseWaitpoint", "waitpoint_key") => {
            Text(0..=Limits::WAITPOINT_KEY_BYTES_MAX, patterns::PLAIN)
        }
        ("executions_wait", "timeout_ms") => Number(0..=TIMEOUT_MS_MAX),
        ("MintWaitpointToken", "expires_in_ms") => Number(0..=Limits::DURATION_MS_MAX),
        ("SetRoute" | "components_publish", "weight") => u32_range(0..=Limits::ROUTE_WEIGHT_MAX),
        ("BlockExecution", "blocking_reason") => {
            let blocks = |reason: &&BlockingReason| reason.blocked_state().is_ok();
            names(
                "OperatorBlockingReason",
                BlockingReason::ALL.iter().filter(blocks),
            )
        }
        ("SuspendLease", "requested_by") => {
            let may = |it: &&SuspensionRequester| it.check_holder().is_ok();
            names(
                "SuspensionRequester",
                SuspensionRequester::ALL.iter().filter(may),
            )
        }
        ("CreateApiKey", "name") => Text(1..=Limits::API_KEY_NAME_BYTES_MAX, patterns::IDENTIFIER),
        ("RotateApiKey", "overlap_ms") => Number(0..=Limits::API_KEY_OVERLAP_MS_MAX),
        ("CreateWebhook", "name") => Text(1..=Limits::WEBHOOK_NAME_BYTES_MAX, patterns::IDENTIFIER),
        ("RotateWebhookSecret", "overlap_ms") => Number(0..=Limits::WEBHOOK_OVERLAP_MS_MAX),
        // Their docs say which URLs and secrets are valid.
        ("CreateWebhook" | "UpdateWebhook", "url")
        | ("CreateWebhook" | "RotateWebhookSecret", "secret") => Free,
        ("WebhookFilter", "execution_id" | "flow_id") => Pattern(patterns::UUID),
        ("CreateWebhook", "family") => names("EventFamily", EventFamily::ALL),
        ("CreateFlow", "id") => Pattern(patterns::UUID_V7),
        ("CreateFlowMember", "name") | (_, "data_passing_ref") => {
            Text(1..=Limits::MEMBER_NAME_BYTES_MAX, MEMBER_NAME)
        }
        ("FlowEdge" | "FlowGroup", "upstream" | "downstream") | (_, "children") => {
            Text(1..=Limits::MEMBER_NAME_BYTES_MAX, MEMBER_NAME)
        }
        (_, "upstream" | "downstream" | "edge_id" | "added") => Pattern(patterns::UUID),
        (_, "dependency_kind") => names("EdgeKind", EdgeKind::ALL),
        (_, "on_satisfied") => names("OnSatisfied", OnSatisfied::ALL),
        (_, "cancellation_policy") => names("FlowCancellationPolicy", FlowCancellationPolicy::ALL),
        (_, "k") => Number(1..=Limits::FLOW_EDGES_MAX as u64),
        (_, "expected_graph_revision") => Number(0..=EPOCH_MAX),
        ("flows_list", "status") => names("FlowStatus", FlowStatus::ALL),
        ("flows_cancel", "wait_ms") => Number(0..=TIMEOUT_MS_MAX),
        (_, "attempt") => u32_range(0..=u32::MAX),
        ("AppendFrame", "frame_type") => Text(1..=Limits::FRAME_TYPE_BYTES_MAX, patterns::PLAIN),
        ("AppendFrame", "correlation_id" | "source") => {
            Text(1..=Limits::FRAME_NAME_BYTES_MAX, patterns::PLAIN)
        }
        ("AppendFrame", "max_payload_bytes") => u32_range(1..=Limits::FRAME_BYTES_MAX),
        ("AppendFrame", "ttl_ms") => u32_range(Limits::BEST_EFFORT_TTL_MS),
        ("AppendFrame", "payload") => Free,
        ("AppendFrame", "ts") => Number(0..=Limits::TIME_MS_MAX),
        ("streams_list_frames" | "streams_wait_frames", "limit") => {
            u32_range(1..=Limits::STREAM_PAGE_MAX)
        }
        (_, "mode") => names("FrameMode", FrameMode::ALL),
        (_, "encoding") => names("FrameEncoding", FrameEncoding::ALL),
        (_, "visibility") => names("Visibility", Visibility::ALL),
        (_, "from" | "to") => Pattern(patterns::STREAM_CURSOR),
        ("streams_wait_frames", "after") => Pattern(patterns::FRAME_CURSOR),
        ("streams_wait_frames", "last-event-id") => Pattern(patterns::LAST_FRAME),
        ("streams_get_log" | "streams_wait_log", "after") => Pattern(patterns::LOG_PLACE),
        ("streams_wait_log", "last-event-id") => Pattern(patterns::LAST_LOG_PLACE),
        ("CancelExecution", "epoch") => Number(0..=EPOCH_MAX),
        ("SetLane", "state") => names("LaneState", LaneState::ALL),
        ("executions_list", "state") => names("PublicState", PublicState::ALL),
        ("waitpoints_list", "state") => names("WaitpointState", WaitpointState::ALL),
        (_, "family") => names("EventFamily", EventFamily::ALL),
        (_, "role") => names("Role", Role::ALL),
        (_, "class" | "retryable_categories") => names("FailureClass", FailureClass::ALL),
        (_, "count_kind") => names("CountKind", CountKind::ALL),
        (_, "expire_reason") => names("ExpireReason", ExpireReason::ALL),
        (_, "expected_reason") => names("BlockingReason", BlockingReason::ALL),
        (_, "reason_code") => names("SuspensionReason", SuspensionReason::ALL),
        (_, "resume_target") => names("ResumeTarget", ResumeTarget::ALL),
        (_, "timeout_behavior") => names("TimeoutBehavior", TimeoutBehavior::ALL),
        (_, "kind" | "kinds") => Text(1..=Limits::KIND_BYTES_MAX, patterns::IDENTIFIER),
        (_, "namespace" | "namespaces") => {
            Text(1..=Limits::NAMESPACE_BYTES_MAX, patterns::IDENTIFIER)
        }
        (_, "lane" | "lanes") => Text(1..=Limits::LANE_BYTES_MAX, patterns::PRINTABLE),
        (_, "worker_id" | "worker_instance_id" | "host" | "version") => {
            Text(1..=Limits::WORKER_NAME_BYTES_MAX, patterns::PRINTABLE)
        }
        (_, "capabilities" | "required_capabilities") => {
            Text(1..=Limits::CAPABILITIES_BYTES_MAX, patterns::CAPABILITY)
        }
        (_, "content_type") => Text(0..=Limits::CONTENT_TYPE_BYTES_MAX, patterns::PRINTABLE),
        (_, "signal_name" | "signal_names" | "ByName") => {
            Text(1..=Limits::SIGNAL_NAME_BYTES_MAX, patterns::PLAIN)
        }
        (_, "waitpoint" | "waitpoints" | "waitpoint_key") => {
            Text(1..=Limits::WAITPOINT_KEY_BYTES_MAX, patterns::PLAIN)
        }
        (_, "idempotency_key") => Text(1..=Limits::KEY_BYTES_MAX, patterns::STORABLE),
        (_, "idempotency-key") => Text(1..=Limits::KEY_BYTES_MAX, patterns::PRINTABLE),
        (_, "idempotency_suffix") => {
            let suffix = Limits::KEY_BYTES_MAX - "approval:approved:".len();
            Text(1..=suffix, patterns::STORABLE)
        }
        // It is part of the key of the decision.
        ("Decide", "actor") => {
            let actor = Limits::KEY_BYTES_MAX - "approval:approved:".len();
            Text(1..=actor, patterns::STORABLE)
        }
        (_, "actor") => Text(1..=Limits::ACTOR_BYTES_MAX, patterns::STORABLE),
        (_, "creator") => Text(0..=Limits::ACTOR_BYTES_MAX, patterns::STORABLE),
        (_, "reason" | "detail" | "message") => {
            Text(0..=Limits::REASON_BYTES_MAX, patterns::STORABLE)
        }
        (_, "source_type" | "source_identity") => {
            Text(1..=Limits::SIGNAL_TEXT_BYTES_MAX, patterns::STORABLE)
        }
        (_, "signal_category" | "correlation_id") => {
            Text(0..=Limits::SIGNAL_TEXT_BYTES_MAX, patterns::STORABLE)
        }
        (_, "code") => Text(1..=Limits::FAILURE_CODE_BYTES_MAX, patterns::FAILURE_CODE),
        (_, "source") => Text(1..=Limits::CANCEL_SOURCE_BYTES_MAX, patterns::CANCEL_SOURCE),
        // One that is not valid is the name of no key.
        ("waitpoint_keys_retire", "kid")
        | ("tokens_get" | "tokens_rotate" | "tokens_revoke", "id") => Free,
        (operation, "id") if operation.starts_with("webhooks_") => Free,
        ("audit_list", "credential" | "verb") | ("tokens_list", "name") => {
            Text(1..=Limits::ACTOR_BYTES_MAX, patterns::PLAIN)
        }
        (_, "kid" | "new_kid") => Text(1..=Limits::KID_BYTES_MAX, patterns::KID),
        (_, "secret_hex" | "new_secret_hex") => {
            let bytes = Limits::KEY_SECRET_BYTES;
            Text(bytes.start() * 2..=bytes.end() * 2, patterns::HEX)
        }
        (_, "log") => Long(Limits::LOG_BYTES_MAX),
        (_, "digest") => Pattern(patterns::DIGEST),
        (
            _,
            "id" | "waitpoint_id" | "expected_lease_id" | "lease_id" | "execution_id" | "flow_id",
        ) => Pattern(patterns::UUID),
        (_, "input_base64" | "result_base64" | "payload_base64" | "state_base64") => {
            Pattern(patterns::BASE64)
        }
        (_, "tag") => Pattern(patterns::TAG),
        (
            _,
            "attempt_timeout_ms"
            | "dedup_ttl_ms"
            | "default_timeout_ms"
            | "execution_deadline_ms"
            | "expires_in_ms"
            | "retention_ms"
            | "retention_ttl_ms"
            | "timeout_ms",
        ) => Number(1..=Limits::DURATION_MS_MAX),
        (
            _,
            "dedup_window_ms" | "delay_ms" | "initial_delay_ms" | "max_delay_ms"
            | "resume_delay_ms",
        ) => Number(0..=Limits::DURATION_MS_MAX),
        (_, "grace_ms") => Number(0..=Limits::KEY_GRACE_MS_MAX),
        (_, "grant_ttl_ms") => u32_range(Limits::GRANT_TTL_MS),
        (_, "lease_ttl_ms") => u32_range(Limits::LEASE_TTL_MS),
        (_, "liveness_ttl_ms") => u32_range(Limits::LIVENESS_TTL_MS),
        (_, "limit") => u32_range(1..=Limits::PAGE_MAX),
        (_, "max") => u32_range(1..=Limits::CLAIM_MAX),
        (_, "max_reclaim_count") => u32_range(0..=Limits::RECLAIMS_MAX),
        (_, "max_retries") => u32_range(0..=Limits::RETRIES_MAX),
        (_, "multiplier_percent") => u32_range(Limits::BACKOFF_PERCENT),
        (_, "percent") => Number(0..=100),
        (_, "priority") => Number(0..=u64::from(PRIORITY_MAX)),
        (_, "wait_ms") => u32_range(0..=WAIT_MS_MAX),
        (_, "retention_maxlen") => u32_range(0..=Limits::STREAM_MAXLEN_MAX),
        (_, "weight") => {
            let weight = Limits::WEIGHT;
            Number(u64::from(*weight.start())..=u64::from(*weight.end()))
        }
        (_, "n") => u32_range(1..=u32::MAX),
        (_, "first" | "max_replay_count" | "max_signals_per_execution") => u32_range(0..=u32::MAX),
        (
            _,
            "created_after" | "created_before" | "deadline_at" | "delay_until" | "finished_after"
            | "finished_before" | "since" | "timeout_at" | "until",
        ) => Time,
        (_, "after" | "last-event-id") => Pattern(patterns::STORABLE),
        (
            _,
            "capability_hash" | "grant" | "input_text" | "lease" | "leases" | "payload_text"
            | "policy" | "prefer" | "result_text" | "state_text" | "traceparent"
            | "waitpoint_token",
        ) => Free,
        _ => return None,
    })
}

/// Returns how many items the list `member` of the schema `of` may have; `None` where
/// nothing bounds it but the size of the body.
pub fn items(of: &str, member: &str) -> Option<RangeInclusive<usize>> {
    Some(match (of, member) {
        ("ClaimWork", "kinds") => 1..=Limits::WORKER_NAMES_MAX,
        ("ClaimWork" | "RegisterNativeWorker", "kinds" | "lanes" | "namespaces") => {
            0..=Limits::WORKER_NAMES_MAX
        }
        (_, "capabilities" | "required_capabilities") => 0..=Limits::CAPABILITIES_MAX,
        (_, "executions") => 0..=Limits::CREATE_BATCH_MAX,
        (_, "members" | "added" | "groups") => 0..=Limits::FLOW_MEMBERS_MAX,
        (_, "edges") => 0..=Limits::FLOW_EDGES_MAX,
        (_, "children") => 0..=Limits::FLOW_MEMBERS_MAX,
        (_, "leases") => 0..=Limits::LEASES_MAX,
        (_, "routes") => 0..=Limits::ROUTES_MAX,
        (_, "signal_names") => 0..=Limits::WAITPOINT_TOKEN_SIGNAL_NAMES_MAX,
        _ => return None,
    })
}

fn names<T: Display>(schema: &'static str, all: impl IntoIterator<Item = T>) -> Bound {
    Bound::Name(schema, all.into_iter().map(|it| it.to_string()).collect())
}
