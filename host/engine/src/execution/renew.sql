-- Renews leases of one partition: active → active.
--
-- $1 partition, $2 execution ids, $3 lease ids, $4 epochs, $5 attempts (sorted by
-- execution id), $6 time to live (ms).
-- Only a lease that is still held and has not lapsed is renewed; the others are
-- missing in the answer.
-- Locks: the lease rows.
WITH wanted AS (
    SELECT w.*, held.address
    FROM unnest($2::uuid[], $3::uuid[], $4::bigint[], $5::integer[])
        AS w(execution_id, lease_id, epoch, attempt)
    CROSS JOIN LATERAL (
        SELECT l.ctid AS address FROM lease l
        WHERE l.partition = $1 AND l.execution_id = w.execution_id OFFSET 0
    ) AS held
),
renewed AS (
    UPDATE lease l
    SET expires_at = clock_timestamp() + $6::integer * interval '1 millisecond',
        renewals = l.renewals + 1
    FROM wanted w
    WHERE l.ctid = w.address AND l.lease_id = w.lease_id
      AND l.epoch = w.epoch AND l.attempt = w.attempt AND l.expires_at > clock_timestamp()
    RETURNING l.*
),
announced AS (
    INSERT INTO event (partition, kinds, execution_ids, namespaces, epochs, attempts, lease_ids,
                       workers)
    SELECT $1, array_agg('renewed'::event_kind), array_agg(execution_id), array_agg(namespace),
           array_agg(epoch), array_agg(attempt), array_agg(lease_id),
           array_agg(worker_instance_id)
    FROM renewed HAVING count(*) > 0
)
SELECT execution_id AS "execution_id!", expires_at AS "expires_at!" FROM renewed
