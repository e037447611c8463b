-- The event log as it is subscribed to: filters by namespace, lane and kind, what an event
-- says beside its kind, and a key that begins with where the row belongs.

-- A change of the primary key of a large log takes longer than a statement of a host may.
SET LOCAL statement_timeout = 0;

ALTER TYPE event_kind ADD VALUE 'cleared';
ALTER TYPE event_kind ADD VALUE 'registered';
ALTER TYPE event_kind ADD VALUE 'retired';
ALTER TYPE event_kind ADD VALUE 'marked_dead';
ALTER TYPE event_kind ADD VALUE 'timed_out';
-- Of flows, which write none yet.
ALTER TYPE event_kind ADD VALUE 'flow_ended';
ALTER TYPE event_kind ADD VALUE 'flow_cancel_requested';

-- What filters ask of an execution and what never changes of it, once for all executions
-- that agree in it: a number in each event costs less than three texts. Rows are never
-- changed or removed.
CREATE TABLE execution_class (
    id        integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    namespace text COLLATE "C" NOT NULL,
    lane      text COLLATE "C" NOT NULL,
    kind      text COLLATE "C" NOT NULL,
    CONSTRAINT execution_class_is_one UNIQUE (namespace, lane, kind)
);

-- Null for executions of hosts of the version before.
ALTER TABLE execution ADD COLUMN class_id integer;
ALTER TABLE lease ADD COLUMN class_id integer;

ALTER TABLE event
    -- Partitions that keep their events together, in ranges of 256, so that a read in
    -- order is one scan for each. A host of the version before writes to the first, where
    -- they are read all the same.
    ADD COLUMN stripe smallint NOT NULL DEFAULT 0,
    -- An element is null where the execution has no class, and its namespace is then in
    -- `namespaces`. Null for rows of hosts of the version before.
    ADD COLUMN classes integer[],
    -- What the event says beside its kind, in the words of model/event/detail.rs; null if
    -- no event of the row says more.
    ADD COLUMN details text[],
    DROP CONSTRAINT event_pkey,
    ADD PRIMARY KEY (stripe, xid, seq);

-- Of executions that were removed while events of theirs may still be read: what filters
-- ask of them and what is in no class. Those without a flow or labels have none.
CREATE TABLE removed_execution (
    partition    smallint NOT NULL,
    execution_id uuid NOT NULL,
    flow_id      uuid,
    tag_keys     text[] NOT NULL,
    tag_values   text[] NOT NULL,
    removed_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (partition, execution_id),
    CONSTRAINT removed_execution_tags_have_values CHECK (
        cardinality(tag_keys) = cardinality(tag_values))
);
CREATE INDEX removed_execution_in_order ON removed_execution (removed_at);
