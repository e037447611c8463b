-- What repeats of a verb are answered from, and what outlives a lease, a change of
-- priority and a replay. Every column is empty for most rows, which then are no wider.

-- Of a lease that ended with a retry or a delay, when the execution was to go on. Of one
-- that ended with a result which a replay has removed, what that result was: SHA-256 of
-- its media type, a zero byte and its bytes. Of one whose attempt goes on under another
-- lease and has a time limit, what is left of that: kept here rather than in `ready`,
-- where each claim would pay for it.
ALTER TABLE attempt ADD COLUMN due_at timestamptz, ADD COLUMN result_digest bytea,
    ADD COLUMN left_ms bigint;

-- The only columns of `execution` that change after its creation, by verbs of operators:
-- the priority it was given later, and the last signal of the lives before this one.
ALTER TABLE execution ADD COLUMN changed_priority smallint, ADD COLUMN last_signal_before bigint,
    ADD CONSTRAINT execution_changed_priority_in_range CHECK (changed_priority BETWEEN 0 AND 9000);

CREATE OR REPLACE VIEW ended_lease AS
SELECT partition, execution_id, epoch, attempt, attempt_type, lease_id, worker_instance_id,
       acquired_at, released_at, ended, renewals, component_id, failure_class, failure_code,
       failure_message, backtrace, log, cpu_ticks, memory_peak_bytes, host_calls, bytes_out,
       wall_us, due_at, result_digest
FROM attempt
UNION ALL
SELECT partition, execution_id, lease_epoch, attempts - 1, attempt_type, lease_id,
       worker_instance_id, acquired_at, finished_at, ended, renewals, component_id, failure_class,
       failure_code, failure_message, backtrace, log, cpu_ticks, memory_peak_bytes, host_calls,
       bytes_out, wall_us, NULL, NULL
FROM finished WHERE lease_id IS NOT NULL;
