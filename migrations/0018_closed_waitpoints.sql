-- Indexes for closed waitpoints, so that what is read for a signal does not depend on how
-- many an execution has closed.
--
-- The transaction locks the table against writes while it builds the indexes, about ten
-- seconds per million waitpoints. An operator of a large instance builds them beforehand
-- under these names with CONCURRENTLY; then nothing is left to do (see docs/operate.md).

-- A large index takes longer than a statement of a host may.
SET LOCAL statement_timeout = 0;

-- The last one with a key, of which a caller is told that it is closed.
CREATE INDEX IF NOT EXISTS waitpoint_closed ON waitpoint (partition, execution_id, key, created_at)
    WHERE state IN ('closed', 'expired');
-- Those that an operator closed while a suspension waited at them: their signals count for
-- it still. There are few.
CREATE INDEX IF NOT EXISTS waitpoint_closed_early
    ON waitpoint (partition, execution_id, suspension_id)
    WHERE close_reason = 'proactive_close' AND suspension_id IS NOT NULL;
