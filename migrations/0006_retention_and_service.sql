-- How long what has ended is kept, and how lanes and namespaces share service.

-- An execution with a retention of its own has a timer of this kind from its
-- creation on; `due_at` is the earliest it may leave.
ALTER TYPE timer_kind ADD VALUE 'retention';

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
