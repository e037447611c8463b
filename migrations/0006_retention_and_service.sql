-- How long what has ended is kept, and how lanes and namespaces share service.

-- An execution with a retention of its own has a timer of this kind from its
-- creation on; `due_at` is the earliest it may leave.
ALTER TYPE timer_kind ADD VALUE 'retention';

-- What leaves is found along the primary key, from its oldest end, where the
-- entries of what has left lie until they are vacuumed.
ALTER TABLE finished SET (autovacuum_vacuum_scale_factor = 0.01);

-- One row: the last place of the event log that was removed. A reader whose
-- cursor lies before it has missed events.
CREATE TABLE event_floor (
    singleton boolean PRIMARY KEY DEFAULT true,
    xid       xid8 NOT NULL DEFAULT '0',
    seq       bigint NOT NULL DEFAULT 0,
    position  integer NOT NULL DEFAULT 0,
    CONSTRAINT event_floor_is_one_row CHECK (singleton)
);
INSERT INTO event_floor DEFAULT VALUES;

-- A lane's share of service against that of other lanes, and a namespace's share
-- of a lane against that of other namespaces. A namespace without a row has 100.
ALTER TABLE lane ADD COLUMN weight smallint NOT NULL DEFAULT 100,
    ADD CONSTRAINT lane_weight_in_range CHECK (weight BETWEEN 1 AND 1000);
CREATE TABLE namespace (
    name       text PRIMARY KEY,
    weight     smallint NOT NULL,
    changed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT namespace_weight_in_range CHECK (weight BETWEEN 1 AND 1000)
);

-- The queue by namespace, so that a claim steps from one to the next. Compared
-- byte by byte, which costs least. A host of the version before puts every
-- execution under the default; they are served all the same.
ALTER TABLE ready ADD COLUMN namespace text COLLATE "C" NOT NULL DEFAULT 'default';
UPDATE ready r SET namespace = e.namespace FROM execution e
WHERE e.partition = r.partition AND e.id = r.execution_id AND e.namespace <> 'default';
DROP INDEX ready_queue;
CREATE INDEX ready_queue ON ready (partition, lane, namespace, rank, ready_at);
