//! The codes of refusals: one name for each expected answer, the same in every interface.

use crate::wire::named;

named! {
    /// Why a verb did not do what it was asked, by a name that does not change.
    pub enum RefusalCode ("refusal code") {
        /// An argument breaks a documented bound.
        InvalidInput = "invalid_input",
        /// The key of a label breaks its rule.
        InvalidTagKey = "invalid_tag_key",
        /// A set of capabilities breaks its bounds.
        InvalidCapabilities = "invalid_capabilities",
        /// That is not a reason to block an execution.
        InvalidBlockingReason = "invalid_blocking_reason",
        /// A policy is not the JSON of one, or a member of it is out of bounds.
        InvalidPolicyJson = "invalid_policy_json",
        /// The key of a waitpoint breaks its rule.
        InvalidWaitpointKey = "invalid_waitpoint_key",
        /// An input, a result, a state, a payload or a whole body has too many bytes.
        PayloadTooLarge = "payload_too_large",
        /// The request names what the contract has and this version does not act on.
        NotOffered = "not_offered",
        /// No component and no worker handles the kind.
        UnknownKind = "unknown_kind",
        /// A route names a component that was not published.
        UnknownComponent = "unknown_component",
        /// A component that claims for itself would share a kind with another.
        MixedWorlds = "mixed_worlds",
        /// The component has too many bytes.
        ComponentTooLarge = "component_too_large",
        /// The bytes are not a component.
        NotAComponent = "not_a_component",
        /// The structure of the component is broken.
        ComponentMalformed = "component_malformed",
        /// The component imports what this host does not offer.
        ComponentImports = "component_imports",
        /// The component exports neither a handler nor a service.
        ComponentExports = "component_exports",
        /// The compiler refused the component.
        ComponentDoesNotCompile = "component_does_not_compile",
        /// The component has or needs more than it may.
        ComponentExceedsLimits = "component_exceeds_limits",
        /// The component does not fit the interfaces of this host.
        ComponentDoesNotLink = "component_does_not_link",
        /// The lane takes no new work.
        LaneDisabled = "lane_disabled",
        /// The idempotency key was used with another request.
        IdempotencyConflict = "idempotency_conflict",
        /// The id belongs to an execution that another request created.
        IdConflict = "id_conflict",
        /// No such execution, or not in the namespace of the request.
        ExecutionNotFound = "execution_not_found",
        /// The execution is finished, or does not run.
        ExecutionNotActive = "execution_not_active",
        /// The execution is in a state in which the verb cannot be applied.
        ExecutionNotEligible = "execution_not_eligible",
        /// The execution is not finished.
        ExecutionNotTerminal = "execution_not_terminal",
        /// The execution does not wait for signals.
        ExecutionNotSuspended = "execution_not_suspended",
        /// No such flow, or not in the namespace of the request.
        FlowNotFound = "flow_not_found",
        /// The flow was cancelled.
        FlowAlreadyTerminal = "flow_already_terminal",
        /// The graph of the flow is at another revision than the request expects.
        StaleGraphRevision = "stale_graph_revision",
        /// The execution is not a member of the flow.
        ExecutionNotInFlow = "execution_not_in_flow",
        /// The execution is a member of another flow.
        ExecutionAlreadyInFlow = "execution_already_in_flow",
        /// The execution is on another partition than the flow.
        PartitionMismatch = "partition_mismatch",
        /// An edge leads from an execution to itself.
        SelfReferencingEdge = "self_referencing_edge",
        /// The edges form a cycle.
        CycleDetected = "cycle_detected",
        /// The two executions are joined by an edge already.
        DependencyAlreadyExists = "dependency_already_exists",
        /// The edge or its group cannot be made.
        InvalidDependency = "invalid_dependency",
        /// Edges lead to the execution, so the policy of its group cannot change.
        EdgeGroupPolicyAlreadyFixed = "edge_group_policy_already_fixed",
        /// What the execution waits for in its flow has not come true.
        DepsNotSatisfied = "deps_not_satisfied",
        /// The flow would have more members or edges than it may.
        FlowTooLarge = "flow_too_large",
        /// A host of an earlier version uses the database, which knows no flows.
        FlowsUnavailable = "flows_unavailable",
        /// The policy of the execution allows no further replay.
        MaxReplaysExhausted = "max_replays_exhausted",
        /// No lease on the execution is held.
        NoActiveLease = "no_active_lease",
        /// The execution runs under another lease.
        StaleLease = "stale_lease",
        /// The lease was revoked.
        LeaseRevoked = "lease_revoked",
        /// The lease has expired.
        LeaseExpired = "lease_expired",
        /// The waitpoint token is not valid for the request, for any reason.
        InvalidWaitpointToken = "invalid_token",
        /// The execution has no such waitpoint, or none that is open.
        WaitpointNotFound = "waitpoint_not_found",
        /// The execution has several open waitpoints, and the request names none.
        WaitpointAmbiguous = "waitpoint_ambiguous",
        /// The credential that asked for the execution cannot approve or reject it.
        ApprovalByRequester = "approval_by_requester",
        /// The waitpoint takes no more signals.
        WaitpointClosed = "waitpoint_closed",
        /// The execution is finished and takes no more signals.
        TargetNotSignalable = "target_not_signalable",
        /// The execution accepted as many signals as its policy allows.
        SignalLimitExceeded = "signal_limit_exceeded",
        /// A new waitpoint has the key of one that is open.
        WaitpointAlreadyExists = "waitpoint_already_exists",
        /// The waitpoint is not pending, so nothing can suspend on it.
        WaitpointNotPending = "waitpoint_not_pending",
        /// The waitpoint expired before its suspension began.
        PendingWaitpointExpired = "pending_waitpoint_expired",
        /// The execution has as many open waitpoints as it may.
        WaitpointLimitExceeded = "waitpoint_limit_exceeded",
        /// The worker instance is registered for another worker.
        InstanceReassigned = "instance_reassigned",
        /// No such worker is registered, or its registration has expired.
        NotRegistered = "not_registered",
        /// The execution is granted to a worker already.
        GrantAlreadyExists = "grant_already_exists",
        /// The worker lacks capabilities.
        CapabilityMismatch = "capability_mismatch",
        /// The claim grant cannot be used.
        InvalidClaimGrant = "invalid_claim_grant",
        /// The claim grant has expired.
        ClaimGrantExpired = "claim_grant_expired",
        /// No such reclaim grant.
        GrantNotFound = "grant_not_found",
        /// The execution does not wait to be reclaimed.
        NotReclaimable = "execution_not_reclaimable",
        /// The execution was lost as often as its policy allows.
        ReclaimCapExceeded = "reclaim_cap_exceeded",
        /// The id of a key is not valid.
        InvalidKid = "invalid_kid",
        /// The secret of a key is not valid.
        InvalidSecretHex = "invalid_secret_hex",
        /// The grace of a rotation is out of range.
        InvalidGraceMs = "invalid_grace_ms",
        /// Another key has or had that id.
        RotationConflict = "rotation_conflict",
        /// Too many keys are accepted.
        TooManyKeys = "too_many_keys",
        /// The key signs new tokens.
        WaitpointKeyActive = "waitpoint_key_active",
        /// No such key.
        WaitpointKeyNotFound = "waitpoint_key_not_found",
        /// No such API key, or not in a namespace of the caller.
        ApiKeyNotFound = "api_key_not_found",
        /// An API key that is accepted has the name.
        ApiKeyNameTaken = "api_key_name_taken",
        /// The API key was revoked or has expired.
        ApiKeyEnded = "api_key_ended",
        /// An admin's API key is accepted, so no first one is made.
        AdminKeyExists = "admin_key_exists",
        /// The caller would grant a role that it does not hold there.
        RoleNotHeld = "role_not_held",
        /// No such webhook, or not in a namespace of the caller.
        WebhookNotFound = "webhook_not_found",
        /// There is a webhook of that name.
        WebhookNameTaken = "webhook_name_taken",
        /// The instance has as many webhooks as it may.
        TooManyWebhooks = "too_many_webhooks",
        /// The text is not a cursor of this list, or of these events.
        InvalidCursor = "invalid_cursor",
        /// Events after the cursor were removed.
        CursorTooOld = "cursor_too_old",
        /// The execution does not run, so nothing is appended to its streams.
        StreamClosed = "stream_closed",
        /// The lease under which a frame would be appended is not held any more.
        StaleOwnerCannotAppend = "stale_owner_cannot_append",
        /// The payload of a frame, or the summary with it, has too many bytes.
        RetentionLimitExceeded = "retention_limit_exceeded",
        /// The type of a frame breaks its rule.
        InvalidFrameType = "invalid_frame_type",
        /// The patch of a summary is nested too deeply.
        PatchDepthExceeded = "patch_depth_exceeded",
        /// The execution ended without having made the attempt.
        AttemptNotFound = "attempt_not_found",
        /// A page of a stream was asked to have more frames than one may.
        CountLimitExceedsHardCap = "count_limit_exceeds_hard_cap",
    }
}
