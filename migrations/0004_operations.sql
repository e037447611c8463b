-- Verbs of operators: what they did, who they were, and the events they cause.

ALTER TYPE event_kind ADD VALUE 'waiting_children';
ALTER TYPE event_kind ADD VALUE 'blocked';
ALTER TYPE event_kind ADD VALUE 'unblocked';
ALTER TYPE event_kind ADD VALUE 'prioritised';
ALTER TYPE event_kind ADD VALUE 'replayed';
ALTER TYPE event_kind ADD VALUE 'tagged';

-- What was done to an execution without a fence, written by the statement that
-- did it.
CREATE TABLE operation (
    partition    smallint NOT NULL,
    execution_id uuid NOT NULL,
    seq          bigint GENERATED ALWAYS AS IDENTITY,
    at           timestamptz NOT NULL DEFAULT clock_timestamp(),
    verb         text NOT NULL,
    actor        text NOT NULL,
    reason       text,
    -- What changed, for people.
    detail       text,
    -- Of the execution, afterwards.
    epoch        bigint,
    PRIMARY KEY (partition, execution_id, seq)
);

-- Since when an execution that was taken out of its queue had been in it, so
-- that it returns to its place.
ALTER TABLE parked ADD COLUMN ready_at timestamptz;
