-- Indexes for lists of executions: by kind, and by the time of their end.
--
-- The transaction locks both tables against writes while it builds the indexes, about ten
-- seconds per million executions; creations and ends wait for it and may be answered
-- `unavailable`. They are not built concurrently here, because that waits for every other
-- transaction, also of a host that waits for the lock of the migrations. An operator of a
-- large instance builds them beforehand instead, under these names with CONCURRENTLY; then
-- nothing is left to do (see docs/operate.md).

-- A large index takes longer than a statement of a host may.
SET LOCAL statement_timeout = 0;

-- Kinds are compared byte by byte, which costs a creation least.
CREATE INDEX IF NOT EXISTS execution_by_kind ON execution (kind COLLATE "C", id);
-- By outcome first, which a list of failures names and of which there are five.
CREATE INDEX IF NOT EXISTS finished_by_end ON finished (outcome, finished_at, execution_id);
