-- Executions and everything that happens to them.
--
-- State is the table that holds an execution's row: exactly one of `ready`,
-- `lease`, `parked` and `finished` does. `execution` itself is written once.
-- Hot rows are inserted and deleted, never updated in an indexed column, so
-- that queues stay small and vacuum has little to do. Every key begins with
-- `partition`, which an execution's id carries, so that the tables can be
-- distributed by it. There are no foreign keys between these tables: each
-- check would lock the parent row.

CREATE TYPE parked_state AS ENUM (
    'delayed', 'rate_limited', 'waiting_children', 'blocked', 'suspended'
);
CREATE TYPE blocking_reason AS ENUM (
    'none', 'waiting_for_worker', 'waiting_for_retry_backoff',
    'waiting_for_resume_delay', 'waiting_for_delay', 'waiting_for_signal',
    'waiting_for_approval', 'waiting_for_callback', 'waiting_for_tool_result',
    'waiting_for_children', 'waiting_for_budget', 'waiting_for_quota',
    'waiting_for_capable_worker', 'waiting_for_locality_match',
    'paused_by_operator', 'paused_by_policy', 'paused_by_flow_cancel'
);
CREATE TYPE outcome AS ENUM ('success', 'failed', 'cancelled', 'expired', 'skipped');
CREATE TYPE attempt_type AS ENUM ('initial', 'retry', 'reclaim', 'replay', 'fallback');
CREATE TYPE attempt_end AS ENUM (
    'success', 'failure', 'cancelled', 'expired', 'lease_expired',
    'lease_revoked', 'released', 'delayed', 'waiting_children', 'suspended'
);
CREATE TYPE failure_class AS ENUM (
    'transient', 'permanent', 'infra_crash', 'timeout', 'cancelled'
);
CREATE TYPE lane_state AS ENUM ('active', 'paused', 'draining', 'disabled');

-- One row: who this instance is. `generation` grows when a database is
-- restored elsewhere, so that old cursors and handles are told apart.
CREATE TABLE instance (
    singleton   boolean PRIMARY KEY DEFAULT true,
    id          uuid NOT NULL DEFAULT gen_random_uuid(),
    generation  integer NOT NULL DEFAULT 1,
    partitions  smallint NOT NULL DEFAULT 1,
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT instance_is_one_row CHECK (singleton),
    CONSTRAINT instance_partitions_in_range CHECK (partitions BETWEEN 1 AND 4096)
);
INSERT INTO instance DEFAULT VALUES;

CREATE TABLE lane (
    name        text PRIMARY KEY,
    state       lane_state NOT NULL DEFAULT 'active',
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT lane_name_in_range CHECK (octet_length(name) BETWEEN 1 AND 64)
);
INSERT INTO lane (name) VALUES ('default');

-- What an execution is; immutable.
CREATE TABLE execution (
    partition           smallint NOT NULL,
    id                  uuid NOT NULL,
    namespace           text NOT NULL,
    lane                text NOT NULL,
    kind                text NOT NULL,
    priority            smallint NOT NULL,
    flow_id             uuid,
    creator             text,
    idempotency_key     text,
    traceparent         text,
    -- Comma-separated: capabilities hold no commas, and most rows have none.
    required_capabilities text,
    input               bytea NOT NULL,
    input_type          text NOT NULL,
    -- The frozen policy as given; absent means every default.
    policy              text,
    attempt_timeout_ms  bigint,
    max_reclaims        integer NOT NULL,
    has_tags            boolean NOT NULL,
    created_at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    deadline_at         timestamptz,
    PRIMARY KEY (partition, id),
    CONSTRAINT execution_priority_in_range CHECK (priority BETWEEN 0 AND 9000)
);
CREATE INDEX execution_by_namespace ON execution (namespace, id);

CREATE TABLE tag (
    partition    smallint NOT NULL,
    execution_id uuid NOT NULL,
    key          text NOT NULL,
    value        text NOT NULL,
    PRIMARY KEY (partition, execution_id, key)
);
CREATE INDEX tag_by_value ON tag (key, value, execution_id);

-- Keys under which creations are remembered. A key's partition is its hash, and
-- its execution is created there.
CREATE TABLE idempotency (
    partition      smallint NOT NULL,
    namespace      text NOT NULL,
    key            text NOT NULL,
    execution_id   uuid NOT NULL,
    request_digest bytea NOT NULL,
    expires_at     timestamptz NOT NULL,
    PRIMARY KEY (partition, namespace, key)
);
CREATE INDEX idempotency_by_expiry ON idempotency (partition, expires_at);

-- Waiting: insert and delete only. `rank` is 9000 − priority, so that the index
-- is in the order of service.
CREATE TABLE ready (
    partition    smallint NOT NULL,
    execution_id uuid NOT NULL,
    lane         text NOT NULL,
    rank         smallint NOT NULL,
    ready_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    kind         text NOT NULL,
    required_capabilities text[],
    epoch        bigint NOT NULL,
    attempts     integer NOT NULL,
    retries      integer NOT NULL,
    reclaims     integer NOT NULL,
    replays      integer NOT NULL,
    next_type    attempt_type NOT NULL,
    -- Whether the next lease goes on with the last attempt.
    resumes      boolean NOT NULL,
    PRIMARY KEY (partition, execution_id),
    CONSTRAINT ready_rank_in_range CHECK (rank BETWEEN 0 AND 9000),
    CONSTRAINT ready_resumes_an_attempt CHECK (NOT resumes OR attempts > 0)
) WITH (
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000,
    autovacuum_vacuum_cost_delay = 0, autovacuum_analyze_scale_factor = 0,
    autovacuum_analyze_threshold = 100000, vacuum_truncate = off
);
CREATE INDEX ready_queue ON ready (partition, lane, rank, ready_at);

-- Active: one row per running execution, the fence of whoever runs it. No index
-- on the expiry, so that renewals stay within the page; finding lapsed leases
-- reads the table, which is as long as there are executions running.
CREATE TABLE lease (
    partition    smallint NOT NULL,
    execution_id uuid NOT NULL,
    lease_id     uuid NOT NULL,
    epoch        bigint NOT NULL,
    namespace    text NOT NULL,
    lane         text NOT NULL,
    rank         smallint NOT NULL,
    worker_instance_id text NOT NULL,
    attempt      integer NOT NULL,
    attempt_type attempt_type NOT NULL,
    retries      integer NOT NULL,
    reclaims     integer NOT NULL,
    replays      integer NOT NULL,
    acquired_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at   timestamptz NOT NULL,
    attempt_deadline_at timestamptz,
    renewals     integer NOT NULL DEFAULT 0,
    progress_percent smallint,
    progress_message text,
    PRIMARY KEY (partition, execution_id),
    CONSTRAINT lease_epoch_is_positive CHECK (epoch > 0),
    CONSTRAINT lease_progress_in_range CHECK (progress_percent BETWEEN 0 AND 100)
) WITH (
    fillfactor = 70,
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000,
    autovacuum_vacuum_cost_delay = 0, autovacuum_analyze_scale_factor = 0,
    autovacuum_analyze_threshold = 100000, vacuum_truncate = off
);

-- Neither ready nor running nor finished, and why.
CREATE TABLE parked (
    partition    smallint NOT NULL,
    execution_id uuid NOT NULL,
    state        parked_state NOT NULL,
    reason       blocking_reason NOT NULL,
    reason_detail text,
    wake_at      timestamptz,
    parked_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    lane         text NOT NULL,
    rank         smallint NOT NULL,
    epoch        bigint NOT NULL,
    attempts     integer NOT NULL,
    retries      integer NOT NULL,
    reclaims     integer NOT NULL,
    replays      integer NOT NULL,
    next_type    attempt_type NOT NULL,
    resumes      boolean NOT NULL,
    PRIMARY KEY (partition, execution_id),
    CONSTRAINT parked_has_a_reason CHECK (reason NOT IN ('none', 'waiting_for_worker')),
    CONSTRAINT parked_delayed_has_a_time CHECK (state <> 'delayed' OR wake_at IS NOT NULL),
    CONSTRAINT parked_rate_limited_by_a_limit CHECK (
        state <> 'rate_limited' OR reason IN ('waiting_for_budget', 'waiting_for_quota')),
    CONSTRAINT parked_children_wait_for_children CHECK (
        (state = 'waiting_children') = (reason = 'waiting_for_children')),
    CONSTRAINT parked_suspended_resumes CHECK (state <> 'suspended' OR resumes)
);
CREATE INDEX parked_due ON parked (partition, wake_at) WHERE wake_at IS NOT NULL;

-- Terminal: append only, but for a replay. If a lease was held at the end, its
-- record is part of the row: one insert less for every execution.
CREATE TABLE finished (
    partition    smallint NOT NULL,
    execution_id uuid NOT NULL,
    outcome      outcome NOT NULL,
    finished_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    epoch        bigint NOT NULL,
    attempts     integer NOT NULL,
    retries      integer NOT NULL,
    reclaims     integer NOT NULL,
    replays      integer NOT NULL,
    result       bytea,
    result_type  text,
    failure_class failure_class,
    failure_code text,
    failure_message text,
    -- Who or what ended it, for outcomes nobody returned.
    source       text,
    -- The lease held at the end, as in `attempt`.
    lease_id     uuid,
    lease_epoch  bigint,
    attempt_type attempt_type,
    worker_instance_id text,
    acquired_at  timestamptz,
    ended        attempt_end,
    renewals     integer,
    component_id integer,
    backtrace    text,
    log          bytea,
    cpu_ticks    integer,
    memory_peak_bytes bigint,
    host_calls   integer,
    bytes_out    bigint,
    wall_us      bigint,
    PRIMARY KEY (partition, execution_id),
    CONSTRAINT finished_lease_is_whole CHECK (
        num_nulls(lease_id, lease_epoch, attempt_type, worker_instance_id, acquired_at, ended,
                  renewals) IN (0, 7)),
    CONSTRAINT finished_result_only_with_success CHECK (outcome = 'success' OR result IS NULL),
    CONSTRAINT finished_result_has_a_type CHECK ((result IS NULL) = (result_type IS NULL)),
    CONSTRAINT finished_failure_only_without_success CHECK (
        outcome <> 'success' OR failure_code IS NULL)
);
CREATE INDEX finished_badly ON finished (outcome, execution_id) WHERE outcome <> 'success';

-- Leases that ended before their execution did. An attempt that was put down and
-- taken up again has one row for each lease; (execution, attempt) is the attempt.
CREATE TABLE attempt (
    partition    smallint NOT NULL,
    execution_id uuid NOT NULL,
    epoch        bigint NOT NULL,
    attempt      integer NOT NULL,
    attempt_type attempt_type NOT NULL,
    lease_id     uuid NOT NULL,
    worker_instance_id text NOT NULL,
    acquired_at  timestamptz NOT NULL,
    released_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended        attempt_end NOT NULL,
    renewals     integer NOT NULL,
    component_id integer,
    failure_class failure_class,
    failure_code text,
    failure_message text,
    backtrace    text,
    log          bytea,
    cpu_ticks    integer,
    memory_peak_bytes bigint,
    host_calls   integer,
    bytes_out    bigint,
    wall_us      bigint,
    PRIMARY KEY (partition, execution_id, epoch)
);

-- Every ended lease, wherever its record is.
CREATE VIEW ended_lease AS
SELECT partition, execution_id, epoch, attempt, attempt_type, lease_id, worker_instance_id,
       acquired_at, released_at, ended, renewals, component_id, failure_class, failure_code,
       failure_message, backtrace, log, cpu_ticks, memory_peak_bytes, host_calls, bytes_out,
       wall_us
FROM attempt
UNION ALL
SELECT partition, execution_id, lease_epoch, attempts - 1, attempt_type, lease_id,
       worker_instance_id, acquired_at, finished_at, ended, renewals, component_id, failure_class,
       failure_code, failure_message, backtrace, log, cpu_ticks, memory_peak_bytes, host_calls,
       bytes_out, wall_us
FROM finished WHERE lease_id IS NOT NULL;

-- Points in time that hold whatever state the execution is in.
CREATE TYPE timer_kind AS ENUM ('execution_deadline');
CREATE TABLE timer (
    partition    smallint NOT NULL,
    execution_id uuid NOT NULL,
    kind         timer_kind NOT NULL,
    due_at       timestamptz NOT NULL,
    PRIMARY KEY (partition, execution_id, kind)
);
CREATE INDEX timer_due ON timer (partition, due_at);
