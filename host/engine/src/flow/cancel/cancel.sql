-- Cancels a flow that is at a version, and lists the members that are to be cancelled with it.
--
-- $1 partition, $2 flow, $3 version, $4 policy, $5 reason, $6 who asks
--
-- Locks: the flow.
WITH touched AS (
    UPDATE flow SET version = version + 1, changed_at = clock_timestamp(),
                    cancelled_at = clock_timestamp(),
                    cancel_policy = $4::text::flow_cancellation_policy, cancel_reason = $5::text,
                    cancelled_by = $6::text
    WHERE partition = $1 AND id = $2 AND version = $3 AND cancelled_at IS NULL
    RETURNING id, namespace
),
cancels AS (
    INSERT INTO flow_cancel (partition, flow_id, execution_id, reason)
    SELECT $1, f.id, m.execution_id, $5::text
    FROM touched f CROSS JOIN LATERAL (
        SELECT m.* FROM flow_member m WHERE m.partition = $1 AND m.flow_id = f.id OFFSET 0
    ) AS m
    WHERE m.outcome IS NULL
      AND CASE $4::text
              WHEN 'cancel_all' THEN true
              WHEN 'cancel_pending' THEN NOT EXISTS (
                  SELECT FROM lease l
                  WHERE l.partition = $1 AND l.execution_id = m.execution_id OFFSET 0)
              ELSE false
          END
    ON CONFLICT (partition, flow_id, execution_id) DO UPDATE SET reason = excluded.reason
    RETURNING execution_id
),
events AS (
    INSERT INTO event (partition, stripe, kinds, execution_ids, classes, namespaces, epochs,
                       attempts, lease_ids, workers, details)
    SELECT $1, $1 / 256, ARRAY['flow_cancel_requested'::event_kind], ARRAY[id], ARRAY[NULL::integer],
           ARRAY[namespace], ARRAY[0::bigint], ARRAY[NULL::integer], ARRAY[NULL::uuid],
           ARRAY[NULL::text], ARRAY[$4::text]
    FROM touched
)
SELECT f.id AS "applied!", c.execution_id AS "execution_id?"
FROM touched f LEFT JOIN cancels c ON true
ORDER BY 2
