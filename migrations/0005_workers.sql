-- Workers that are no components: who they are, what they may prove, and which
-- ready executions are promised to them.

-- Keys every host of this instance shares. A key is drawn by whoever needs it
-- first and never leaves the database but to hosts.
CREATE TABLE secret (
    name        text PRIMARY KEY,
    key         bytea NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT secret_has_256_bits CHECK (octet_length(key) = 32)
);

CREATE TYPE worker_type AS ENUM ('host', 'native');

-- Who said that it works, and until when that is believed. No index on the
-- expiry, so that heartbeats stay within the page; the table is as long as there
-- were workers within a day.
CREATE TABLE worker (
    worker_instance_id text PRIMARY KEY,
    worker_id       text NOT NULL,
    worker_type     worker_type NOT NULL,
    -- Absent: works for every namespace.
    namespace       text,
    -- Empty: serves every lane.
    lanes           text[] NOT NULL,
    kinds           text[] NOT NULL,
    capabilities    text[] NOT NULL,
    host            text,
    version         text,
    liveness_ttl_ms integer NOT NULL,
    registered_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    heartbeat_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at      timestamptz NOT NULL,
    dead_at         timestamptz,
    dead_reason     text,
    CONSTRAINT worker_names_in_range CHECK (
        octet_length(worker_instance_id) BETWEEN 1 AND 128
        AND octet_length(worker_id) BETWEEN 1 AND 128),
    CONSTRAINT worker_is_dead_for_a_reason CHECK ((dead_at IS NULL) = (dead_reason IS NULL))
) WITH (fillfactor = 70);

-- A grant promises a ready execution to one worker for a while. It is part of
-- the execution's row: whatever takes the row away ends the grant with it, and
-- one that lapsed binds nobody, without anybody having to clear it.
ALTER TABLE ready
    ADD COLUMN grant_id uuid,
    ADD COLUMN granted_to text,
    ADD COLUMN granted_until timestamptz,
    ADD CONSTRAINT ready_grant_is_whole CHECK (
        (grant_id IS NULL) = (granted_until IS NULL)
        AND (granted_to IS NULL) = (granted_until IS NULL));
