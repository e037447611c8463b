-- Classes of executions leave when nothing is of them any more.

-- Last time that a host asked for the class, at most a day ago where a host may still give
-- it to executions.
ALTER TABLE execution_class
    ADD COLUMN used_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- Since when it is known that no execution is of it; events of its last executions may
    -- be younger than their end, not than this.
    ADD COLUMN unused_since timestamptz;
