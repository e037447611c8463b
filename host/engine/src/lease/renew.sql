-- Renews leases of one partition: active → active.
--
-- $1 partition, $2 time to live (ms)
-- leases: $3 execution ids (sorted), $4 lease ids, $5 epochs, $6 attempts
--
-- Only a lease that is still held and has not expired is renewed; the others are
-- missing in the answer.
-- Locks: the lease rows.
WITH input AS (
    SELECT i.*, found.address
    FROM unnest($3::uuid[], $4::uuid[], $5::bigint[], $6::integer[])
        AS i(execution_id, lease_id, epoch, attempt)
    CROSS JOIN LATERAL (
        SELECT l.ctid AS address FROM lease l
        WHERE l.partition = $1 AND l.execution_id = i.execution_id OFFSET 0
    ) AS found
),
renewed AS (
    UPDATE lease l
    SET expires_at = clock_timestamp() + $2::integer * interval '1 millisecond',
        renewals = l.renewals + 1, renewed_at = clock_timestamp()
    FROM input i
    WHERE l.ctid = i.address AND l.lease_id = i.lease_id
      AND l.epoch = i.epoch AND l.attempt = i.attempt AND l.expires_at > clock_timestamp()
    RETURNING l.*
),
happened AS (
    SELECT 'renewed'::event_kind AS kind, execution_id, class_id, namespace, epoch, attempt,
           lease_id, worker_instance_id, NULL::text AS detail
    FROM renewed
),
events AS (
    INSERT INTO event (partition, stripe, kinds, execution_ids, classes, namespaces, epochs,
                       attempts, lease_ids, workers, details)
    SELECT $1, $1 / 256, array_agg(kind), array_agg(execution_id), array_agg(class_id),
           array_agg(CASE WHEN class_id IS NULL THEN namespace END), array_agg(epoch),
           array_agg(attempt), array_agg(lease_id), array_agg(worker_instance_id),
           CASE WHEN count(detail) > 0 THEN array_agg(detail) END
    FROM happened
    HAVING count(*) > 0
)
SELECT execution_id AS "execution_id!", expires_at AS "expires_at!" FROM renewed
