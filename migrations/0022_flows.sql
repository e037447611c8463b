-- Flows: graphs of executions, each on the partition of its flow.
--
-- Everything that is decided about a flow is decided on one version of its row: a host that
-- changes its graph, or resolves members that ended, reads the version, decides, and writes
-- under the lock of the row if it is unchanged. So two decisions about one flow are never
-- made on the same state, and none on an old one.

CREATE TYPE flow_edge_kind AS ENUM ('success_only', 'on_failure', 'always');
CREATE TYPE flow_edge_state AS ENUM ('pending', 'satisfied', 'impossible');
CREATE TYPE flow_group_policy AS ENUM ('all_of', 'any_of', 'quorum');
CREATE TYPE flow_group_state AS ENUM ('pending', 'satisfied', 'impossible');
CREATE TYPE flow_cancellation_policy AS ENUM ('cancel_all', 'cancel_pending', 'cancel_flow_only');

CREATE TABLE flow (
    partition    smallint NOT NULL,
    id           uuid NOT NULL,
    namespace    text COLLATE "C" NOT NULL,
    kind         text NOT NULL,
    creator      text,
    idempotency_key text,
    -- Digest of the request that made it, where a repeat can name it.
    request_digest bytea,
    -- Of a cancellation that names none, and of the children of a member that is cancelled.
    default_policy flow_cancellation_policy NOT NULL,
    -- Grows with everything that is decided about the flow.
    version      bigint NOT NULL DEFAULT 0,
    -- Grows by one with each member and each edge.
    graph_revision bigint NOT NULL DEFAULT 0,
    node_count   integer NOT NULL DEFAULT 0,
    edge_count   integer NOT NULL DEFAULT 0,
    -- Members that ended, and those of them that failed, expired or were cancelled.
    ended_count  integer NOT NULL DEFAULT 0,
    bad_count    integer NOT NULL DEFAULT 0,
    has_tags     boolean NOT NULL DEFAULT false,
    created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    changed_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- Since when all its members have ended; null while one has not, and without members.
    ended_at     timestamptz,
    cancelled_at timestamptz,
    cancel_policy flow_cancellation_policy,
    cancel_reason text,
    cancelled_by text,
    PRIMARY KEY (partition, id),
    CONSTRAINT flow_kind_in_range CHECK (octet_length(kind) BETWEEN 1 AND 128),
    CONSTRAINT flow_counts_in_range CHECK (
        bad_count BETWEEN 0 AND ended_count AND ended_count <= node_count AND edge_count >= 0),
    CONSTRAINT flow_cancelled_by_a_policy CHECK (
        (cancelled_at IS NULL) = (cancel_policy IS NULL))
) WITH (fillfactor = 70);
CREATE UNIQUE INDEX flow_by_key ON flow (partition, namespace, idempotency_key)
    WHERE idempotency_key IS NOT NULL;
CREATE INDEX flow_by_namespace ON flow (namespace, id);
CREATE INDEX flow_ended ON flow (partition, ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX flow_empty ON flow (partition, changed_at) WHERE node_count = 0;

CREATE TABLE flow_tag (
    partition smallint NOT NULL,
    flow_id   uuid NOT NULL,
    key       text NOT NULL,
    value     text NOT NULL,
    PRIMARY KEY (partition, flow_id, key)
);
CREATE INDEX flow_tag_by_value ON flow_tag (key, value, flow_id);

-- The executions of a flow.
CREATE TABLE flow_member (
    partition    smallint NOT NULL,
    flow_id      uuid NOT NULL,
    execution_id uuid NOT NULL,
    -- Unique within the flow; also the key under which its creation is remembered.
    name         text,
    -- Digest of the request that made it; null for one that was added.
    request_digest bytea,
    -- The member whose handler started it.
    parent_id    uuid,
    -- How it ended, once the flow has taken note of it.
    outcome      outcome,
    PRIMARY KEY (partition, flow_id, execution_id),
    CONSTRAINT flow_member_name_in_range CHECK (octet_length(name) BETWEEN 1 AND 128)
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX flow_member_by_name ON flow_member (partition, flow_id, name)
    WHERE name IS NOT NULL;
CREATE INDEX flow_member_by_parent ON flow_member (partition, parent_id)
    WHERE parent_id IS NOT NULL;

-- Downstream waits for upstream, in one of its groups: 0 is the one it waits in before its
-- first attempt, the others are those in which its attempts wait for children.
CREATE TABLE flow_edge (
    partition   smallint NOT NULL,
    flow_id     uuid NOT NULL,
    id          uuid NOT NULL,
    upstream    uuid NOT NULL,
    downstream  uuid NOT NULL,
    wait        integer NOT NULL DEFAULT 0,
    kind        flow_edge_kind NOT NULL,
    -- The name under which downstream reads the result of upstream.
    data_passing_ref text,
    state       flow_edge_state NOT NULL DEFAULT 'pending',
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    created_by  text NOT NULL,
    PRIMARY KEY (partition, upstream, downstream, wait),
    CONSTRAINT flow_edge_leads_elsewhere CHECK (upstream <> downstream),
    CONSTRAINT flow_edge_ref_in_range CHECK (octet_length(data_passing_ref) BETWEEN 1 AND 128)
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX flow_edge_by_id ON flow_edge (partition, id);
CREATE INDEX flow_edge_into ON flow_edge (partition, downstream, wait);

-- What an execution waits for: so many of the edges into it. Decided once.
CREATE TABLE flow_group (
    partition    smallint NOT NULL,
    execution_id uuid NOT NULL,
    wait         integer NOT NULL DEFAULT 0,
    flow_id      uuid NOT NULL,
    policy       flow_group_policy NOT NULL,
    -- Of a quorum.
    k            integer,
    cancel_remaining boolean NOT NULL,
    total        integer NOT NULL DEFAULT 0,
    satisfied    integer NOT NULL DEFAULT 0,
    failed       integer NOT NULL DEFAULT 0,
    skipped      integer NOT NULL DEFAULT 0,
    state        flow_group_state NOT NULL DEFAULT 'pending',
    decided_at   timestamptz,
    -- When its execution may begin, if it was created with a delay.
    starts_at    timestamptz,
    PRIMARY KEY (partition, execution_id, wait),
    CONSTRAINT flow_group_quorum_has_k CHECK ((policy = 'quorum') = (k IS NOT NULL) AND k >= 1),
    CONSTRAINT flow_group_counts_in_range CHECK (
        satisfied >= 0 AND failed >= 0 AND skipped >= 0 AND satisfied + failed + skipped <= total),
    CONSTRAINT flow_group_decided_once CHECK ((state = 'pending') = (decided_at IS NULL))
) WITH (fillfactor = 70);

-- Members that ended, or may have, and that their flow has to take note of: written by the
-- statement that ends them, and removed by the one that resolves what waits for them.
CREATE TABLE flow_due (
    partition    smallint NOT NULL,
    flow_id      uuid NOT NULL,
    execution_id uuid NOT NULL,
    epoch        bigint NOT NULL,
    PRIMARY KEY (partition, flow_id, execution_id, epoch)
) WITH (
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000,
    autovacuum_vacuum_cost_delay = 0, autovacuum_analyze_scale_factor = 0,
    autovacuum_analyze_threshold = 100000, vacuum_truncate = off
);

-- Members that are to be cancelled because of their flow.
CREATE TABLE flow_cancel (
    partition    smallint NOT NULL,
    flow_id      uuid NOT NULL,
    execution_id uuid NOT NULL,
    reason       text NOT NULL,
    PRIMARY KEY (partition, flow_id, execution_id)
) WITH (
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000,
    autovacuum_vacuum_cost_delay = 0, autovacuum_analyze_scale_factor = 0,
    autovacuum_analyze_threshold = 100000, vacuum_truncate = off
);

-- The flow of the execution that runs under it, so that its end needs no other read.
ALTER TABLE lease ADD COLUMN flow_id uuid;
