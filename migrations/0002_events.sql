-- The event log. One row per flushed batch, with one array element per event,
-- because a row per event was measured to cost a third more server time than a
-- row per batch. Events are ordered by (xid, seq, position) and read only below
-- the oldest transaction still running: sequence numbers are handed out before
-- the commit, so a reader that trusts them alone skips events.

CREATE TYPE event_kind AS ENUM (
    'created', 'acquired', 'renewed', 'released', 'expired', 'reclaimed',
    'revoked', 'retry_scheduled', 'delayed', 'promoted', 'success', 'failed',
    'cancelled', 'execution_expired', 'skipped'
);

CREATE TABLE event (
    xid           xid8 NOT NULL DEFAULT pg_current_xact_id(),
    seq           bigint GENERATED ALWAYS AS IDENTITY,
    at            timestamptz NOT NULL DEFAULT clock_timestamp(),
    partition     smallint NOT NULL,
    kinds         event_kind[] NOT NULL,
    execution_ids uuid[] NOT NULL,
    namespaces    text[] NOT NULL,
    epochs        bigint[] NOT NULL,
    -- Absent elements where no lease is concerned.
    attempts      integer[],
    lease_ids     uuid[],
    workers       text[],
    PRIMARY KEY (xid, seq)
) WITH (toast_tuple_target = 8160);
-- Nothing is gained by compressing these.
ALTER TABLE event ALTER COLUMN execution_ids SET STORAGE EXTERNAL,
                  ALTER COLUMN lease_ids SET STORAGE EXTERNAL;
