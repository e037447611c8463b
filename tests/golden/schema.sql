-- The schema after every migration, as the database describes it.
table api_key: id uuid not null
table api_key: name text not null
table api_key: role role not null
table api_key: namespace text
table api_key: created_at timestamp with time zone not null default clock_timestamp()
table api_key: created_by text not null
table api_key: expires_at timestamp with time zone
table api_key: last_used_at timestamp with time zone
table api_key: revoked_at timestamp with time zone
table api_key: revoked_by text
table api_key_secret: hash bytea not null
table api_key_secret: key_id uuid not null
table api_key_secret: shown text not null
table api_key_secret: created_at timestamp with time zone not null default clock_timestamp()
table api_key_secret: valid_until timestamp with time zone
table attempt: partition smallint not null
table attempt: execution_id uuid not null
table attempt: epoch bigint not null
table attempt: attempt integer not null
table attempt: attempt_type attempt_type not null
table attempt: lease_id uuid not null
table attempt: worker_instance_id text not null
table attempt: acquired_at timestamp with time zone not null
table attempt: released_at timestamp with time zone not null default clock_timestamp()
table attempt: ended attempt_end not null
table attempt: renewals integer not null
table attempt: component_id integer
table attempt: failure_class failure_class
table attempt: failure_code text
table attempt: failure_message text
table attempt: backtrace text
table attempt: log bytea
table attempt: cpu_ticks integer
table attempt: memory_peak_bytes bigint
table attempt: host_calls integer
table attempt: bytes_out bigint
table attempt: wall_us bigint
table attempt: due_at timestamp with time zone
table attempt: result_digest bytea
table attempt: left_ms bigint
table audit: id uuid not null
table audit: at timestamp with time zone not null default clock_timestamp()
table audit: credential text
table audit: key_id uuid
table audit: address inet
table audit: verb text not null
table audit: namespace text
table audit: target text
table audit: note text
table audit: traceparent text
table audit: outcome text
table audit_refusals: minute timestamp with time zone not null
table audit_refusals: address text not null
table audit_refusals: reason text not null
table audit_refusals: count bigint not null
table component: id integer not null identity
table component: digest bytea not null
table component: bytes bytea not null
table component: world text not null
table component: imports text[] not null
table component: published_at timestamp with time zone not null default clock_timestamp()
table event: xid xid8 not null default pg_current_xact_id()
table event: seq bigint not null identity
table event: at timestamp with time zone not null default clock_timestamp()
table event: partition smallint not null
table event: kinds event_kind[] not null
table event: execution_ids uuid[] not null
table event: namespaces text[] not null
table event: epochs bigint[] not null
table event: attempts integer[]
table event: lease_ids uuid[]
table event: workers text[]
table event: signal_ids uuid[]
table event: stripe smallint not null default 0
table event: classes integer[]
table event: details text[]
table event_floor: singleton boolean not null default true
table event_floor: xid xid8 not null default '0'::xid8
table event_floor: seq bigint not null default 0
table event_floor: position integer not null default 0
table execution: partition smallint not null
table execution: id uuid not null
table execution: namespace text not null
table execution: lane text not null
table execution: kind text not null
table execution: priority smallint not null
table execution: flow_id uuid
table execution: creator text
table execution: idempotency_key text
table execution: traceparent text
table execution: required_capabilities text
table execution: input bytea not null
table execution: input_type text not null
table execution: policy text
table execution: attempt_timeout_ms bigint
table execution: max_reclaims integer not null
table execution: has_tags boolean not null
table execution: created_at timestamp with time zone not null default clock_timestamp()
table execution: deadline_at timestamp with time zone
table execution: changed_priority smallint
table execution: last_signal_before bigint
table execution: request_digest bytea
table execution: class_id integer
table execution_class: id integer not null identity
table execution_class: namespace text not null
table execution_class: lane text not null
table execution_class: kind text not null
table execution_class: used_at timestamp with time zone not null default clock_timestamp()
table execution_class: unused_since timestamp with time zone
table finished: partition smallint not null
table finished: execution_id uuid not null
table finished: outcome outcome not null
table finished: finished_at timestamp with time zone not null default clock_timestamp()
table finished: epoch bigint not null
table finished: attempts integer not null
table finished: retries integer not null
table finished: reclaims integer not null
table finished: replays integer not null
table finished: result bytea
table finished: result_type text
table finished: failure_class failure_class
table finished: failure_code text
table finished: failure_message text
table finished: source text
table finished: lease_id uuid
table finished: lease_epoch bigint
table finished: attempt_type attempt_type
table finished: worker_instance_id text
table finished: acquired_at timestamp with time zone
table finished: ended attempt_end
table finished: renewals integer
table finished: component_id integer
table finished: backtrace text
table finished: log bytea
table finished: cpu_ticks integer
table finished: memory_peak_bytes bigint
table finished: host_calls integer
table finished: bytes_out bigint
table finished: wall_us bigint
table flow: partition smallint not null
table flow: id uuid not null
table flow: namespace text not null
table flow: kind text not null
table flow: creator text
table flow: idempotency_key text
table flow: request_digest bytea
table flow: default_policy flow_cancellation_policy not null
table flow: version bigint not null default 0
table flow: graph_revision bigint not null default 0
table flow: node_count integer not null default 0
table flow: edge_count integer not null default 0
table flow: ended_count integer not null default 0
table flow: bad_count integer not null default 0
table flow: has_tags boolean not null default false
table flow: created_at timestamp with time zone not null default clock_timestamp()
table flow: changed_at timestamp with time zone not null default clock_timestamp()
table flow: ended_at timestamp with time zone
table flow: cancelled_at timestamp with time zone
table flow: cancel_policy flow_cancellation_policy
table flow: cancel_reason text
table flow: cancelled_by text
table flow_cancel: partition smallint not null
table flow_cancel: flow_id uuid not null
table flow_cancel: execution_id uuid not null
table flow_cancel: reason text not null
table flow_due: partition smallint not null
table flow_due: flow_id uuid not null
table flow_due: execution_id uuid not null
table flow_due: epoch bigint not null
table flow_edge: partition smallint not null
table flow_edge: flow_id uuid not null
table flow_edge: id uuid not null
table flow_edge: upstream uuid not null
table flow_edge: downstream uuid not null
table flow_edge: wait integer not null default 0
table flow_edge: kind flow_edge_kind not null
table flow_edge: data_passing_ref text
table flow_edge: state flow_edge_state not null default 'pending'::flow_edge_state
table flow_edge: created_at timestamp with time zone not null default clock_timestamp()
table flow_edge: created_by text not null
table flow_group: partition smallint not null
table flow_group: execution_id uuid not null
table flow_group: wait integer not null default 0
table flow_group: flow_id uuid not null
table flow_group: policy flow_group_policy not null
table flow_group: k integer
table flow_group: cancel_remaining boolean not null
table flow_group: total integer not null default 0
table flow_group: satisfied integer not null default 0
table flow_group: failed integer not null default 0
table flow_group: skipped integer not null default 0
table flow_group: state flow_group_state not null default 'pending'::flow_group_state
table flow_group: decided_at timestamp with time zone
table flow_group: starts_at timestamp with time zone
table flow_member: partition smallint not null
table flow_member: flow_id uuid not null
table flow_member: execution_id uuid not null
table flow_member: name text
table flow_member: request_digest bytea
table flow_member: parent_id uuid
table flow_member: outcome outcome
table flow_tag: partition smallint not null
table flow_tag: flow_id uuid not null
table flow_tag: key text not null
table flow_tag: value text not null
table idempotency: partition smallint not null
table idempotency: namespace text not null
table idempotency: key text not null
table idempotency: execution_id uuid not null
table idempotency: request_digest bytea not null
table idempotency: expires_at timestamp with time zone not null
table instance: singleton boolean not null default true
table instance: id uuid not null default gen_random_uuid()
table instance: generation integer not null default 1
table instance: partitions smallint not null default 1
table instance: created_at timestamp with time zone not null default clock_timestamp()
table kind: name text not null
table kind: created_at timestamp with time zone not null default clock_timestamp()
table lane: name text not null
table lane: state lane_state not null default 'active'::lane_state
table lane: created_at timestamp with time zone not null default clock_timestamp()
table lane: weight smallint not null default 100
table lease: partition smallint not null
table lease: execution_id uuid not null
table lease: lease_id uuid not null
table lease: epoch bigint not null
table lease: namespace text not null
table lease: lane text not null
table lease: rank smallint not null
table lease: worker_instance_id text not null
table lease: attempt integer not null
table lease: attempt_type attempt_type not null
table lease: retries integer not null
table lease: reclaims integer not null
table lease: replays integer not null
table lease: acquired_at timestamp with time zone not null default clock_timestamp()
table lease: expires_at timestamp with time zone not null
table lease: attempt_deadline_at timestamp with time zone
table lease: renewals integer not null default 0
table lease: progress_percent smallint
table lease: progress_message text
table lease: renewed_at timestamp with time zone
table lease: class_id integer
table lease: flow_id uuid
table live_log: partition smallint not null
table live_log: execution_id uuid not null
table live_log: epoch bigint not null
table live_log: at_byte bigint not null
table live_log: text bytea not null
table namespace: name text not null
table namespace: weight smallint not null
table namespace: changed_at timestamp with time zone not null default clock_timestamp()
table operation: partition smallint not null
table operation: execution_id uuid not null
table operation: seq bigint not null identity
table operation: at timestamp with time zone not null default clock_timestamp()
table operation: verb text not null
table operation: actor text not null
table operation: reason text
table operation: detail text
table operation: epoch bigint
table parked: partition smallint not null
table parked: execution_id uuid not null
table parked: state parked_state not null
table parked: reason blocking_reason not null
table parked: reason_detail text
table parked: wake_at timestamp with time zone
table parked: parked_at timestamp with time zone not null default clock_timestamp()
table parked: lane text not null
table parked: rank smallint not null
table parked: epoch bigint not null
table parked: attempts integer not null
table parked: retries integer not null
table parked: reclaims integer not null
table parked: replays integer not null
table parked: next_type attempt_type not null
table parked: resumes boolean not null
table parked: ready_at timestamp with time zone
table parked: suspension_id uuid
table parked: changes integer not null default 0
table ready: partition smallint not null
table ready: execution_id uuid not null
table ready: lane text not null
table ready: rank smallint not null
table ready: ready_at timestamp with time zone not null default clock_timestamp()
table ready: kind text not null
table ready: required_capabilities text[]
table ready: epoch bigint not null
table ready: attempts integer not null
table ready: retries integer not null
table ready: reclaims integer not null
table ready: replays integer not null
table ready: next_type attempt_type not null
table ready: resumes boolean not null
table ready: grant_id uuid
table ready: granted_to text
table ready: granted_until timestamp with time zone
table ready: namespace text not null default 'default'::text
table removed_execution: partition smallint not null
table removed_execution: execution_id uuid not null
table removed_execution: flow_id uuid
table removed_execution: tag_keys text[] not null
table removed_execution: tag_values text[] not null
table removed_execution: removed_at timestamp with time zone not null default clock_timestamp()
table route: kind text not null
table route: component_id integer not null
table route: weight integer not null
table route: changed_at timestamp with time zone not null default clock_timestamp()
table secret: name text not null
table secret: key bytea not null
table secret: created_at timestamp with time zone not null default clock_timestamp()
table signal: partition smallint not null
table signal: execution_id uuid not null
table signal: seq bigint not null identity
table signal: id uuid not null
table signal: waitpoint_id uuid not null
table signal: name text not null
table signal: category text
table signal: source_type text not null
table signal: source_identity text not null
table signal: correlation_id text
table signal: payload bytea
table signal: payload_type text
table signal: effect text not null
table signal: spent boolean not null default false
table signal: idempotency_key text
table signal: key_expires_at timestamp with time zone
table signal: token_kid text
table signal: accepted_at timestamp with time zone not null default clock_timestamp()
table stream: partition smallint not null
table stream: execution_id uuid not null
table stream: attempt integer not null
table stream: place bigint not null
table stream: durable bigint not null
table stream: durable_trimmed bigint not null
table stream: durable_removed bigint not null default 0
table stream: durable_removed_place bigint not null default 0
table stream: summary bigint not null
table stream: summary_trimmed bigint not null
table stream: summary_removed bigint not null default 0
table stream: summary_removed_place bigint not null default 0
table stream: best_effort bigint not null
table stream: best_effort_trimmed bigint not null
table stream: best_effort_removed bigint not null default 0
table stream: best_effort_removed_place bigint not null default 0
table stream: best_effort_ttl_ms integer
table stream: ttl_ms bigint
table stream: due_at timestamp with time zone
table stream: orphaned boolean not null default false
table stream_frame: partition smallint not null
table stream_frame: execution_id uuid not null
table stream_frame: attempt integer not null
table stream_frame: mode frame_mode not null
table stream_frame: place bigint not null
table stream_frame: ordinal bigint not null
table stream_frame: token bigint not null
table stream_frame: ts timestamp with time zone
table stream_frame: is_text boolean not null
table stream_frame: frame_type text not null
table stream_frame: payload bytea not null
table stream_frame: metadata text
table stream_frame: correlation_id text
table stream_frame: source text
table stream_summary: partition smallint not null
table stream_summary: execution_id uuid not null
table stream_summary: attempt integer not null
table stream_summary: version bigint not null
table stream_summary: document bytea not null
table stream_summary: first_applied_at timestamp with time zone not null default clock_timestamp()
table stream_summary: updated_at timestamp with time zone not null default clock_timestamp()
table suspension: partition smallint not null
table suspension: execution_id uuid not null
table suspension: seq bigint not null identity
table suspension: id uuid not null
table suspension: epoch bigint not null
table suspension: attempt integer not null
table suspension: replays integer not null
table suspension: reason text not null
table suspension: requested_by text not null
table suspension: condition text not null
table suspension: resume_policy text
table suspension: timeout_at timestamp with time zone
table suspension: timeout_behavior text not null
table suspension: escalated_at timestamp with time zone
table suspension: state bytea
table suspension: state_type text
table suspension: idempotency_key text
table suspension: at_once boolean not null
table suspension: created_at timestamp with time zone not null default clock_timestamp()
table suspension: closed_at timestamp with time zone
table suspension: close_reason text
table suspension: satisfiers uuid[]
table tag: partition smallint not null
table tag: execution_id uuid not null
table tag: key text not null
table tag: value text not null
table timer: partition smallint not null
table timer: execution_id uuid not null
table timer: kind timer_kind not null
table timer: due_at timestamp with time zone not null
table waitpoint: partition smallint not null
table waitpoint: execution_id uuid not null
table waitpoint: id uuid not null
table waitpoint: key text not null
table waitpoint: state waitpoint_state not null
table waitpoint: suspension_id uuid
table waitpoint: token_kid text not null
table waitpoint: token_fingerprint text not null
table waitpoint: created_at timestamp with time zone not null default clock_timestamp()
table waitpoint: activated_at timestamp with time zone
table waitpoint: closed_at timestamp with time zone
table waitpoint: close_reason text
table waitpoint: expires_at timestamp with time zone
table waitpoint: signals integer not null default 0
table waitpoint: last_signal_at timestamp with time zone
table waitpoint_key: kid text not null
table waitpoint_key: state waitpoint_key_state not null default 'active'::waitpoint_key_state
table waitpoint_key: wrapped_secret bytea not null
table waitpoint_key: wrapped_under bytea not null
table waitpoint_key: created_at timestamp with time zone not null default clock_timestamp()
table waitpoint_key: created_by text not null
table waitpoint_key: not_after timestamp with time zone
table waitpoint_key: retired_by text
table webhook: id uuid not null
table webhook: name text not null
table webhook: namespace text
table webhook: family text not null
table webhook: filter text not null
table webhook: url text not null
table webhook: secret bytea not null
table webhook: secret_under bytea not null
table webhook: old_secret bytea
table webhook: old_secret_under bytea
table webhook: old_secret_until timestamp with time zone
table webhook: state webhook_state not null default 'active'::webhook_state
table webhook: reason text
table webhook: cursor text not null
table webhook: turn uuid
table webhook: turn_until timestamp with time zone
table webhook: failures integer not null default 0
table webhook: failed_since timestamp with time zone
table webhook: next_try_at timestamp with time zone not null default clock_timestamp()
table webhook: last_try_at timestamp with time zone
table webhook: last_status integer
table webhook: last_error text
table webhook: last_delivery_at timestamp with time zone
table webhook: created_at timestamp with time zone not null default clock_timestamp()
table webhook: created_by text not null
table webhook: changed_at timestamp with time zone not null default clock_timestamp()
table webhook: changed_by text not null
table worker: worker_instance_id text not null
table worker: worker_id text not null
table worker: worker_type worker_type not null
table worker: namespace text
table worker: lanes text[] not null
table worker: kinds text[] not null
table worker: capabilities text[] not null
table worker: host text
table worker: version text
table worker: liveness_ttl_ms integer not null
table worker: registered_at timestamp with time zone not null default clock_timestamp()
table worker: heartbeat_at timestamp with time zone not null default clock_timestamp()
table worker: expires_at timestamp with time zone not null
table worker: dead_at timestamp with time zone
table worker: dead_reason text
constraint api_key_is_revoked_by_someone on api_key: CHECK (((revoked_at IS NULL) = (revoked_by IS NULL)))
constraint api_key_name_in_range on api_key: CHECK (((octet_length(name) >= 1) AND (octet_length(name) <= 64)))
constraint api_key_pkey on api_key: PRIMARY KEY (id)
constraint api_key_secret_hash_is_sha256 on api_key_secret: CHECK ((octet_length(hash) = 32))
constraint api_key_secret_key_id_fkey on api_key_secret: FOREIGN KEY (key_id) REFERENCES api_key(id) ON DELETE CASCADE
constraint api_key_secret_pkey on api_key_secret: PRIMARY KEY (hash)
constraint api_key_secret_shown_in_range on api_key_secret: CHECK (((octet_length(shown) >= 1) AND (octet_length(shown) <= 16)))
constraint attempt_pkey on attempt: PRIMARY KEY (partition, execution_id, epoch)
constraint audit_credential_in_range on audit: CHECK (((octet_length(credential) >= 1) AND (octet_length(credential) <= 512)))
constraint audit_note_in_range on audit: CHECK ((octet_length(note) <= 1024))
constraint audit_outcome_in_range on audit: CHECK (((octet_length(outcome) >= 1) AND (octet_length(outcome) <= 64)))
constraint audit_pkey on audit: PRIMARY KEY (id)
constraint audit_target_in_range on audit: CHECK ((octet_length(target) <= 1024))
constraint audit_traceparent_in_range on audit: CHECK ((octet_length(traceparent) <= 64))
constraint audit_verb_in_range on audit: CHECK (((octet_length(verb) >= 1) AND (octet_length(verb) <= 64)))
constraint audit_refusals_address_in_range on audit_refusals: CHECK (((octet_length(address) >= 1) AND (octet_length(address) <= 45)))
constraint audit_refusals_count_is_positive on audit_refusals: CHECK ((count > 0))
constraint audit_refusals_pkey on audit_refusals: PRIMARY KEY (minute, address, reason)
constraint audit_refusals_reason_in_range on audit_refusals: CHECK (((octet_length(reason) >= 1) AND (octet_length(reason) <= 64)))
constraint component_digest_is_sha256 on component: CHECK ((octet_length(digest) = 32))
constraint component_digest_key on component: UNIQUE (digest)
constraint component_pkey on component: PRIMARY KEY (id)
constraint event_pkey on event: PRIMARY KEY (stripe, xid, seq)
constraint event_floor_is_one_row on event_floor: CHECK (singleton)
constraint event_floor_pkey on event_floor: PRIMARY KEY (singleton)
constraint execution_changed_priority_in_range on execution: CHECK (((changed_priority >= 0) AND (changed_priority <= 9000)))
constraint execution_pkey on execution: PRIMARY KEY (partition, id)
constraint execution_priority_in_range on execution: CHECK (((priority >= 0) AND (priority <= 9000)))
constraint execution_class_is_one on execution_class: UNIQUE (namespace, lane, kind)
constraint execution_class_pkey on execution_class: PRIMARY KEY (id)
constraint finished_failure_only_without_success on finished: CHECK (((outcome <> 'success'::outcome) OR (failure_code IS NULL)))
constraint finished_lease_is_whole on finished: CHECK ((num_nulls(lease_id, lease_epoch, attempt_type, worker_instance_id, acquired_at, ended, renewals) = ANY (ARRAY[0, 7])))
constraint finished_pkey on finished: PRIMARY KEY (partition, execution_id)
constraint finished_result_has_a_type on finished: CHECK (((result IS NULL) = (result_type IS NULL)))
constraint finished_result_only_with_success on finished: CHECK (((outcome = 'success'::outcome) OR (result IS NULL)))
constraint flow_cancelled_by_a_policy on flow: CHECK (((cancelled_at IS NULL) = (cancel_policy IS NULL)))
constraint flow_counts_in_range on flow: CHECK ((((bad_count >= 0) AND (bad_count <= ended_count)) AND (ended_count <= node_count) AND (edge_count >= 0)))
constraint flow_kind_in_range on flow: CHECK (((octet_length(kind) >= 1) AND (octet_length(kind) <= 128)))
constraint flow_pkey on flow: PRIMARY KEY (partition, id)
constraint flow_cancel_pkey on flow_cancel: PRIMARY KEY (partition, flow_id, execution_id)
constraint flow_due_pkey on flow_due: PRIMARY KEY (partition, flow_id, execution_id, epoch)
constraint flow_edge_leads_elsewhere on flow_edge: CHECK ((upstream <> downstream))
constraint flow_edge_pkey on flow_edge: PRIMARY KEY (partition, upstream, downstream, wait)
constraint flow_edge_ref_in_range on flow_edge: CHECK (((octet_length(data_passing_ref) >= 1) AND (octet_length(data_passing_ref) <= 128)))
constraint flow_group_counts_in_range on flow_group: CHECK (((satisfied >= 0) AND (failed >= 0) AND (skipped >= 0) AND (((satisfied + failed) + skipped) <= total)))
constraint flow_group_decided_once on flow_group: CHECK (((state = 'pending'::flow_group_state) = (decided_at IS NULL)))
constraint flow_group_pkey on flow_group: PRIMARY KEY (partition, execution_id, wait)
constraint flow_group_quorum_has_k on flow_group: CHECK ((((policy = 'quorum'::flow_group_policy) = (k IS NOT NULL)) AND (k >= 1)))
constraint flow_member_name_in_range on flow_member: CHECK (((octet_length(name) >= 1) AND (octet_length(name) <= 128)))
constraint flow_member_pkey on flow_member: PRIMARY KEY (partition, flow_id, execution_id)
constraint flow_tag_pkey on flow_tag: PRIMARY KEY (partition, flow_id, key)
constraint idempotency_pkey on idempotency: PRIMARY KEY (partition, namespace, key)
constraint instance_is_one_row on instance: CHECK (singleton)
constraint instance_partitions_in_range on instance: CHECK (((partitions >= 1) AND (partitions <= 4096)))
constraint instance_pkey on instance: PRIMARY KEY (singleton)
constraint kind_name_in_range on kind: CHECK (((octet_length(name) >= 1) AND (octet_length(name) <= 128)))
constraint kind_pkey on kind: PRIMARY KEY (name)
constraint lane_name_in_range on lane: CHECK (((octet_length(name) >= 1) AND (octet_length(name) <= 64)))
constraint lane_pkey on lane: PRIMARY KEY (name)
constraint lane_weight_in_range on lane: CHECK (((weight >= 1) AND (weight <= 1000)))
constraint lease_epoch_is_positive on lease: CHECK ((epoch > 0))
constraint lease_pkey on lease: PRIMARY KEY (partition, execution_id)
constraint lease_progress_in_range on lease: CHECK (((progress_percent >= 0) AND (progress_percent <= 100)))
constraint live_log_pkey on live_log: PRIMARY KEY (partition, execution_id, epoch, at_byte)
constraint live_log_text_in_range on live_log: CHECK (((octet_length(text) >= 1) AND (octet_length(text) <= 65536)))
constraint namespace_pkey on namespace: PRIMARY KEY (name)
constraint namespace_weight_in_range on namespace: CHECK (((weight >= 1) AND (weight <= 1000)))
constraint operation_pkey on operation: PRIMARY KEY (partition, execution_id, seq)
constraint parked_children_wait_for_children on parked: CHECK (((state = 'waiting_children'::parked_state) = (reason = 'waiting_for_children'::blocking_reason)))
constraint parked_delayed_has_a_time on parked: CHECK (((state <> 'delayed'::parked_state) OR (wake_at IS NOT NULL)))
constraint parked_has_a_reason on parked: CHECK ((reason <> ALL (ARRAY['none'::blocking_reason, 'waiting_for_worker'::blocking_reason])))
constraint parked_pkey on parked: PRIMARY KEY (partition, execution_id)
constraint parked_rate_limited_by_a_limit on parked: CHECK (((state <> 'rate_limited'::parked_state) OR (reason = ANY (ARRAY['waiting_for_budget'::blocking_reason, 'waiting_for_quota'::blocking_reason]))))
constraint parked_suspended_in_one on parked: CHECK (((state = 'suspended'::parked_state) = (suspension_id IS NOT NULL)))
constraint parked_suspended_resumes on parked: CHECK (((state <> 'suspended'::parked_state) OR resumes))
constraint ready_grant_is_whole on ready: CHECK ((((grant_id IS NULL) = (granted_until IS NULL)) AND ((granted_to IS NULL) = (granted_until IS NULL))))
constraint ready_pkey on ready: PRIMARY KEY (partition, execution_id)
constraint ready_rank_in_range on ready: CHECK (((rank >= 0) AND (rank <= 9000)))
constraint ready_resumes_an_attempt on ready: CHECK (((NOT resumes) OR (attempts > 0)))
constraint removed_execution_pkey on removed_execution: PRIMARY KEY (partition, execution_id)
constraint removed_execution_tags_have_values on removed_execution: CHECK ((cardinality(tag_keys) = cardinality(tag_values)))
constraint route_component_id_fkey on route: FOREIGN KEY (component_id) REFERENCES component(id)
constraint route_kind_fkey on route: FOREIGN KEY (kind) REFERENCES kind(name)
constraint route_pkey on route: PRIMARY KEY (kind, component_id)
constraint route_weight_in_range on route: CHECK (((weight >= 0) AND (weight <= 10000)))
constraint secret_has_256_bits on secret: CHECK ((octet_length(key) = 32))
constraint secret_pkey on secret: PRIMARY KEY (name)
constraint signal_effect_is_known on signal: CHECK ((effect = ANY (ARRAY['appended_to_waitpoint'::text, 'resume_condition_satisfied'::text, 'no_op'::text, 'signal_ignored_not_in_condition'::text, 'signal_ignored_matcher_failed'::text, 'appended_to_waitpoint_duplicate'::text, 'buffered_for_pending_waitpoint'::text])))
constraint signal_key_is_forgotten on signal: CHECK (((idempotency_key IS NULL) = (key_expires_at IS NULL)))
constraint signal_payload_has_a_type on signal: CHECK (((payload IS NULL) = (payload_type IS NULL)))
constraint signal_pkey on signal: PRIMARY KEY (partition, execution_id, seq)
constraint stream_best_effort_has_a_ttl on stream: CHECK (((best_effort = 0) OR (best_effort_ttl_ms IS NOT NULL)))
constraint stream_best_effort_in_order on stream: CHECK (((best_effort_removed <= best_effort_trimmed) AND (best_effort_trimmed <= best_effort)))
constraint stream_durable_in_order on stream: CHECK (((durable_removed <= durable_trimmed) AND (durable_trimmed <= durable)))
constraint stream_pkey on stream: PRIMARY KEY (partition, execution_id, attempt)
constraint stream_summary_in_order on stream: CHECK (((summary_removed <= summary_trimmed) AND (summary_trimmed <= summary)))
constraint stream_frame_metadata_in_range on stream_frame: CHECK ((octet_length(metadata) <= 8192))
constraint stream_frame_payload_in_range on stream_frame: CHECK ((octet_length(payload) <= 1048576))
constraint stream_frame_pkey on stream_frame: PRIMARY KEY (partition, execution_id, attempt, mode, place)
constraint stream_frame_type_in_range on stream_frame: CHECK (((octet_length(frame_type) >= 1) AND (octet_length(frame_type) <= 64)))
constraint stream_summary_in_range on stream_summary: CHECK ((octet_length(document) <= 262144))
constraint stream_summary_pkey on stream_summary: PRIMARY KEY (partition, execution_id, attempt)
constraint suspension_close_reason_is_known on suspension: CHECK ((close_reason = ANY (ARRAY['satisfied'::text, 'operator_resume'::text, 'cancelled'::text, 'timed_out_fail'::text, 'timed_out_cancel'::text, 'timed_out_expire'::text, 'timed_out_auto_resume'::text])))
constraint suspension_closed_for_a_reason on suspension: CHECK (((closed_at IS NULL) = (close_reason IS NULL)))
constraint suspension_pkey on suspension: PRIMARY KEY (partition, execution_id, seq)
constraint suspension_reason_is_known on suspension: CHECK ((reason = ANY (ARRAY['waiting_for_signal'::text, 'waiting_for_approval'::text, 'waiting_for_callback'::text, 'waiting_for_tool_result'::text, 'waiting_for_operator_review'::text, 'paused_by_policy'::text, 'paused_by_budget'::text, 'step_boundary'::text, 'manual_pause'::text])))
constraint suspension_requester_is_known on suspension: CHECK ((requested_by = ANY (ARRAY['worker'::text, 'operator'::text, 'policy'::text, 'system_timeout_policy'::text])))
constraint suspension_satisfied_by_signals on suspension: CHECK (((NOT (close_reason IS DISTINCT FROM 'satisfied'::text)) = (satisfiers IS NOT NULL)))
constraint suspension_state_has_a_type on suspension: CHECK (((state IS NULL) = (state_type IS NULL)))
constraint suspension_timeout_behavior_is_known on suspension: CHECK ((timeout_behavior = ANY (ARRAY['fail'::text, 'cancel'::text, 'expire'::text, 'auto_resume_with_timeout_signal'::text, 'escalate'::text])))
constraint tag_pkey on tag: PRIMARY KEY (partition, execution_id, key)
constraint timer_pkey on timer: PRIMARY KEY (partition, execution_id, kind)
constraint waitpoint_active_is_of_a_suspension on waitpoint: CHECK (((state <> 'active'::waitpoint_state) OR (suspension_id IS NOT NULL)))
constraint waitpoint_close_reason_is_known on waitpoint: CHECK ((close_reason = ANY (ARRAY['resumed'::text, 'cancelled'::text, 'timed_out_fail'::text, 'timed_out_cancel'::text, 'timed_out_expire'::text, 'timed_out_auto_resume'::text, 'never_committed'::text, 'proactive_close'::text])))
constraint waitpoint_closed_for_a_reason on waitpoint: CHECK ((((state = ANY (ARRAY['closed'::waitpoint_state, 'expired'::waitpoint_state])) = (close_reason IS NOT NULL)) AND ((close_reason IS NULL) = (closed_at IS NULL))))
constraint waitpoint_pkey on waitpoint: PRIMARY KEY (partition, execution_id, id)
constraint waitpoint_key_ends_iff_retiring on waitpoint_key: CHECK (((state = 'retiring'::waitpoint_key_state) = (not_after IS NOT NULL)))
constraint waitpoint_key_kid_in_range on waitpoint_key: CHECK (((octet_length(kid) >= 1) AND (octet_length(kid) <= 32)))
constraint waitpoint_key_pkey on waitpoint_key: PRIMARY KEY (kid)
constraint webhook_active_has_no_reason on webhook: CHECK (((state = 'active'::webhook_state) = (reason IS NULL)))
constraint webhook_error_in_range on webhook: CHECK ((octet_length(last_error) <= 1024))
constraint webhook_failures_in_range on webhook: CHECK ((failures >= 0))
constraint webhook_filter_in_range on webhook: CHECK ((octet_length(filter) <= 4096))
constraint webhook_name_in_range on webhook: CHECK (((octet_length(name) >= 1) AND (octet_length(name) <= 64)))
constraint webhook_name_is_one on webhook: UNIQUE NULLS NOT DISTINCT (namespace, name)
constraint webhook_old_secret_is_whole on webhook: CHECK ((((old_secret IS NULL) = (old_secret_under IS NULL)) AND ((old_secret IS NULL) = (old_secret_until IS NULL))))
constraint webhook_pkey on webhook: PRIMARY KEY (id)
constraint webhook_reason_in_range on webhook: CHECK ((octet_length(reason) <= 1024))
constraint webhook_turn_is_whole on webhook: CHECK (((turn IS NULL) = (turn_until IS NULL)))
constraint webhook_url_in_range on webhook: CHECK (((octet_length(url) >= 1) AND (octet_length(url) <= 2048)))
constraint worker_is_dead_for_a_reason on worker: CHECK (((dead_at IS NULL) = (dead_reason IS NULL)))
constraint worker_names_in_range on worker: CHECK ((((octet_length(worker_instance_id) >= 1) AND (octet_length(worker_instance_id) <= 128)) AND ((octet_length(worker_id) >= 1) AND (octet_length(worker_id) <= 128))))
constraint worker_pkey on worker: PRIMARY KEY (worker_instance_id)
CREATE UNIQUE INDEX api_key_name_is_one ON public.api_key USING btree (name) WHERE (revoked_at IS NULL)
CREATE UNIQUE INDEX api_key_pkey ON public.api_key USING btree (id)
CREATE INDEX api_key_secret_of_key ON public.api_key_secret USING btree (key_id)
CREATE UNIQUE INDEX api_key_secret_current_is_one ON public.api_key_secret USING btree (key_id) WHERE (valid_until IS NULL)
CREATE UNIQUE INDEX api_key_secret_pkey ON public.api_key_secret USING btree (hash)
CREATE UNIQUE INDEX attempt_pkey ON public.attempt USING btree (partition, execution_id, epoch)
CREATE INDEX audit_newest ON public.audit USING btree (at, id)
CREATE INDEX audit_of_credential ON public.audit USING btree (credential, at, id)
CREATE UNIQUE INDEX audit_pkey ON public.audit USING btree (id)
CREATE UNIQUE INDEX audit_refusals_pkey ON public.audit_refusals USING btree (minute, address, reason)
CREATE UNIQUE INDEX component_digest_key ON public.component USING btree (digest)
CREATE UNIQUE INDEX component_pkey ON public.component USING btree (id)
CREATE UNIQUE INDEX event_pkey ON public.event USING btree (stripe, xid, seq)
CREATE UNIQUE INDEX event_floor_pkey ON public.event_floor USING btree (singleton)
CREATE INDEX execution_by_kind ON public.execution USING btree (kind COLLATE "C", id)
CREATE INDEX execution_by_namespace ON public.execution USING btree (namespace, id)
CREATE UNIQUE INDEX execution_pkey ON public.execution USING btree (partition, id)
CREATE UNIQUE INDEX execution_class_is_one ON public.execution_class USING btree (namespace, lane, kind)
CREATE UNIQUE INDEX execution_class_pkey ON public.execution_class USING btree (id)
CREATE INDEX finished_badly ON public.finished USING btree (outcome, execution_id) WHERE (outcome <> 'success'::outcome)
CREATE INDEX finished_by_end ON public.finished USING btree (outcome, finished_at, execution_id)
CREATE UNIQUE INDEX finished_pkey ON public.finished USING btree (partition, execution_id)
CREATE INDEX flow_by_namespace ON public.flow USING btree (namespace, id)
CREATE INDEX flow_empty ON public.flow USING btree (partition, changed_at) WHERE (node_count = 0)
CREATE INDEX flow_ended ON public.flow USING btree (partition, ended_at) WHERE (ended_at IS NOT NULL)
CREATE UNIQUE INDEX flow_by_key ON public.flow USING btree (partition, namespace, idempotency_key) WHERE (idempotency_key IS NOT NULL)
CREATE UNIQUE INDEX flow_pkey ON public.flow USING btree (partition, id)
CREATE UNIQUE INDEX flow_cancel_pkey ON public.flow_cancel USING btree (partition, flow_id, execution_id)
CREATE UNIQUE INDEX flow_due_pkey ON public.flow_due USING btree (partition, flow_id, execution_id, epoch)
CREATE INDEX flow_edge_into ON public.flow_edge USING btree (partition, downstream, wait)
CREATE UNIQUE INDEX flow_edge_by_id ON public.flow_edge USING btree (partition, id)
CREATE UNIQUE INDEX flow_edge_pkey ON public.flow_edge USING btree (partition, upstream, downstream, wait)
CREATE UNIQUE INDEX flow_group_pkey ON public.flow_group USING btree (partition, execution_id, wait)
CREATE INDEX flow_member_by_parent ON public.flow_member USING btree (partition, parent_id) WHERE (parent_id IS NOT NULL)
CREATE UNIQUE INDEX flow_member_by_name ON public.flow_member USING btree (partition, flow_id, name) WHERE (name IS NOT NULL)
CREATE UNIQUE INDEX flow_member_pkey ON public.flow_member USING btree (partition, flow_id, execution_id)
CREATE INDEX flow_tag_by_value ON public.flow_tag USING btree (key, value, flow_id)
CREATE UNIQUE INDEX flow_tag_pkey ON public.flow_tag USING btree (partition, flow_id, key)
CREATE INDEX idempotency_by_expiry ON public.idempotency USING btree (partition, expires_at)
CREATE UNIQUE INDEX idempotency_pkey ON public.idempotency USING btree (partition, namespace, key)
CREATE UNIQUE INDEX instance_pkey ON public.instance USING btree (singleton)
CREATE UNIQUE INDEX kind_pkey ON public.kind USING btree (name)
CREATE UNIQUE INDEX lane_pkey ON public.lane USING btree (name)
CREATE UNIQUE INDEX lease_pkey ON public.lease USING btree (partition, execution_id)
CREATE UNIQUE INDEX live_log_pkey ON public.live_log USING btree (partition, execution_id, epoch, at_byte)
CREATE UNIQUE INDEX namespace_pkey ON public.namespace USING btree (name)
CREATE UNIQUE INDEX operation_pkey ON public.operation USING btree (partition, execution_id, seq)
CREATE INDEX parked_due ON public.parked USING btree (partition, wake_at) WHERE (wake_at IS NOT NULL)
CREATE INDEX parked_suspended ON public.parked USING btree (parked_at, execution_id) WHERE (state = 'suspended'::parked_state)
CREATE INDEX parked_without_worker ON public.parked USING btree (partition, execution_id) WHERE (reason = 'waiting_for_capable_worker'::blocking_reason)
CREATE UNIQUE INDEX parked_pkey ON public.parked USING btree (partition, execution_id)
CREATE INDEX ready_queue ON public.ready USING btree (partition, lane, namespace, kind, rank, ready_at)
CREATE UNIQUE INDEX ready_pkey ON public.ready USING btree (partition, execution_id)
CREATE INDEX removed_execution_in_order ON public.removed_execution USING btree (removed_at)
CREATE UNIQUE INDEX removed_execution_pkey ON public.removed_execution USING btree (partition, execution_id)
CREATE UNIQUE INDEX route_pkey ON public.route USING btree (kind, component_id)
CREATE UNIQUE INDEX secret_pkey ON public.secret USING btree (name)
CREATE INDEX signal_by_key ON public.signal USING btree (partition, waitpoint_id, idempotency_key) WHERE (idempotency_key IS NOT NULL)
CREATE UNIQUE INDEX signal_pkey ON public.signal USING btree (partition, execution_id, seq)
CREATE INDEX stream_due ON public.stream USING btree (due_at) WHERE (due_at IS NOT NULL)
CREATE UNIQUE INDEX stream_pkey ON public.stream USING btree (partition, execution_id, attempt)
CREATE UNIQUE INDEX stream_frame_pkey ON public.stream_frame USING btree (partition, execution_id, attempt, mode, place)
CREATE UNIQUE INDEX stream_summary_pkey ON public.stream_summary USING btree (partition, execution_id, attempt)
CREATE UNIQUE INDEX suspension_by_key ON public.suspension USING btree (partition, execution_id, replays, idempotency_key) WHERE (idempotency_key IS NOT NULL)
CREATE UNIQUE INDEX suspension_open ON public.suspension USING btree (partition, execution_id) WHERE (closed_at IS NULL)
CREATE UNIQUE INDEX suspension_pkey ON public.suspension USING btree (partition, execution_id, seq)
CREATE INDEX tag_by_value ON public.tag USING btree (key, value, execution_id)
CREATE UNIQUE INDEX tag_pkey ON public.tag USING btree (partition, execution_id, key)
CREATE INDEX timer_due ON public.timer USING btree (partition, due_at)
CREATE UNIQUE INDEX timer_pkey ON public.timer USING btree (partition, execution_id, kind)
CREATE INDEX waitpoint_closed ON public.waitpoint USING btree (partition, execution_id, key, created_at) WHERE (state = ANY (ARRAY['closed'::waitpoint_state, 'expired'::waitpoint_state]))
CREATE INDEX waitpoint_closed_early ON public.waitpoint USING btree (partition, execution_id, suspension_id) WHERE ((close_reason = 'proactive_close'::text) AND (suspension_id IS NOT NULL))
CREATE INDEX waitpoint_pending ON public.waitpoint USING btree (COALESCE(expires_at, 'infinity'::timestamp with time zone), id) WHERE (state = 'pending'::waitpoint_state)
CREATE UNIQUE INDEX waitpoint_open ON public.waitpoint USING btree (partition, execution_id, key) WHERE (state = ANY (ARRAY['pending'::waitpoint_state, 'active'::waitpoint_state]))
CREATE UNIQUE INDEX waitpoint_pkey ON public.waitpoint USING btree (partition, execution_id, id)
CREATE UNIQUE INDEX waitpoint_key_active_is_one ON public.waitpoint_key USING btree (state) WHERE (state = 'active'::waitpoint_key_state)
CREATE UNIQUE INDEX waitpoint_key_pkey ON public.waitpoint_key USING btree (kid)
CREATE INDEX webhook_due ON public.webhook USING btree (next_try_at, id) WHERE (state = 'active'::webhook_state)
CREATE UNIQUE INDEX webhook_name_is_one ON public.webhook USING btree (namespace, name) NULLS NOT DISTINCT
CREATE UNIQUE INDEX webhook_pkey ON public.webhook USING btree (id)
CREATE UNIQUE INDEX worker_pkey ON public.worker USING btree (worker_instance_id)
enum attempt_end: success, failure, cancelled, expired, lease_expired, lease_revoked, released, delayed, waiting_children, suspended
enum attempt_type: initial, retry, reclaim, replay, fallback
enum blocking_reason: none, waiting_for_worker, waiting_for_retry_backoff, waiting_for_resume_delay, waiting_for_delay, waiting_for_signal, waiting_for_approval, waiting_for_callback, waiting_for_tool_result, waiting_for_children, waiting_for_budget, waiting_for_quota, waiting_for_capable_worker, waiting_for_locality_match, paused_by_operator, paused_by_policy, paused_by_flow_cancel
enum event_kind: created, acquired, renewed, released, expired, reclaimed, revoked, retry_scheduled, delayed, promoted, success, failed, cancelled, execution_expired, skipped, waiting_children, blocked, unblocked, prioritised, replayed, tagged, suspended, resumed, escalated, signalled, cleared, registered, retired, marked_dead, timed_out, flow_ended, flow_cancel_requested
enum failure_class: transient, permanent, infra_crash, timeout, cancelled
enum flow_cancellation_policy: cancel_all, cancel_pending, cancel_flow_only
enum flow_edge_kind: success_only, on_failure, always
enum flow_edge_state: pending, satisfied, impossible
enum flow_group_policy: all_of, any_of, quorum
enum flow_group_state: pending, satisfied, impossible
enum frame_mode: durable, durable_summary, best_effort
enum lane_state: active, paused, draining, disabled
enum outcome: success, failed, cancelled, expired, skipped
enum parked_state: delayed, rate_limited, waiting_children, blocked, suspended
enum role: viewer, submitter, worker, approver, operator, admin
enum timer_kind: execution_deadline, retention
enum waitpoint_key_state: active, retiring
enum waitpoint_state: pending, active, closed, expired
enum webhook_state: active, paused, stalled
enum worker_type: host, native
