-- Attempt streams: frames that the holder of a lease appends, and logs of attempts while
-- they run.

-- How a frame is kept; each mode is counted and trimmed by itself.
CREATE TYPE frame_mode AS ENUM ('durable', 'durable_summary', 'best_effort');

-- One row per attempt that appended. An append locks it, so that ids are given in the order
-- of the commits, whatever clocks say. No column that an append changes is in an index.
CREATE TABLE stream (
    partition    smallint NOT NULL,
    execution_id uuid NOT NULL,
    attempt      integer NOT NULL,
    -- Of the last frame: its milliseconds since 1970, shifted by 20 bits, and its number
    -- among the frames of that millisecond.
    place        bigint NOT NULL,
    -- Of each mode: how many frames were appended, up to which of them they are trimmed and
    -- can't be read any more, up to which the rows are removed, and the place of that one.
    durable                 bigint NOT NULL,
    durable_trimmed         bigint NOT NULL,
    durable_removed         bigint NOT NULL DEFAULT 0,
    durable_removed_place   bigint NOT NULL DEFAULT 0,
    summary                 bigint NOT NULL,
    summary_trimmed         bigint NOT NULL,
    summary_removed         bigint NOT NULL DEFAULT 0,
    summary_removed_place   bigint NOT NULL DEFAULT 0,
    best_effort             bigint NOT NULL,
    best_effort_trimmed     bigint NOT NULL,
    best_effort_removed     bigint NOT NULL DEFAULT 0,
    best_effort_removed_place bigint NOT NULL DEFAULT 0,
    -- How long frames of best effort can be read after the time of their id; null before
    -- the first.
    best_effort_ttl_ms integer,
    -- How long the stream is kept after the end of its attempt; as long as the execution
    -- when null.
    ttl_ms       bigint,
    -- When something of it may have to be removed.
    due_at       timestamptz,
    -- Whether its execution was removed.
    orphaned     boolean NOT NULL DEFAULT false,
    PRIMARY KEY (partition, execution_id, attempt),
    CONSTRAINT stream_durable_in_order CHECK (
        durable_removed <= durable_trimmed AND durable_trimmed <= durable),
    CONSTRAINT stream_summary_in_order CHECK (
        summary_removed <= summary_trimmed AND summary_trimmed <= summary),
    CONSTRAINT stream_best_effort_in_order CHECK (
        best_effort_removed <= best_effort_trimmed AND best_effort_trimmed <= best_effort),
    CONSTRAINT stream_best_effort_has_a_ttl CHECK (
        best_effort = 0 OR best_effort_ttl_ms IS NOT NULL)
) WITH (
    fillfactor = 60,
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000,
    autovacuum_vacuum_cost_delay = 0
);
CREATE INDEX stream_due ON stream (due_at) WHERE due_at IS NOT NULL;

-- Insert and delete only. The mode is in the key before the place, so that what trims or
-- hides one mode never walks another.
CREATE TABLE stream_frame (
    partition    smallint NOT NULL,
    execution_id uuid NOT NULL,
    attempt      integer NOT NULL,
    mode         frame_mode NOT NULL,
    place        bigint NOT NULL,
    -- Its number among the frames of its mode, from one.
    ordinal      bigint NOT NULL,
    -- Drawn for each call, so that a repeated statement recognizes what an earlier try
    -- appended.
    token        bigint NOT NULL,
    -- The time that its writer gave it.
    ts           timestamptz,
    -- Whether the payload is text where only text is possible.
    is_text      boolean NOT NULL,
    frame_type   text NOT NULL,
    payload      bytea NOT NULL,
    metadata     text,
    correlation_id text,
    source       text,
    PRIMARY KEY (partition, execution_id, attempt, mode, place),
    CONSTRAINT stream_frame_type_in_range CHECK (octet_length(frame_type) BETWEEN 1 AND 64),
    CONSTRAINT stream_frame_payload_in_range CHECK (octet_length(payload) <= 1048576),
    CONSTRAINT stream_frame_metadata_in_range CHECK (octet_length(metadata) <= 8192)
);

-- What the frames of mode `durable_summary` of a stream have made.
CREATE TABLE stream_summary (
    partition    smallint NOT NULL,
    execution_id uuid NOT NULL,
    attempt      integer NOT NULL,
    -- How many of them: `stream.summary`.
    version      bigint NOT NULL,
    document     bytea NOT NULL,
    first_applied_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (partition, execution_id, attempt),
    CONSTRAINT stream_summary_in_range CHECK (octet_length(document) <= 262144)
) WITH (fillfactor = 60);

-- What leases that last have logged so far; once a lease has ended, what was recorded with
-- its end takes precedence.
CREATE TABLE live_log (
    partition    smallint NOT NULL,
    execution_id uuid NOT NULL,
    epoch        bigint NOT NULL,
    -- Bytes of the log of the lease before these.
    at_byte      bigint NOT NULL,
    text         bytea NOT NULL,
    PRIMARY KEY (partition, execution_id, epoch, at_byte),
    CONSTRAINT live_log_text_in_range CHECK (octet_length(text) BETWEEN 1 AND 65536)
);
