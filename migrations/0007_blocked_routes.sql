-- Executions that wait for a worker which can run them, so that they are found
-- when one appears.
CREATE INDEX parked_without_worker ON parked (partition, execution_id)
    WHERE reason = 'waiting_for_capable_worker';

-- Executions that wait for a signal, those that have waited longest first.
CREATE INDEX parked_suspended ON parked (parked_at, execution_id) WHERE state = 'suspended';
