-- Registers a worker, or extends the registration of one that is live.
--
-- Parameters, nullable where marked?:
-- $1 instance, $2 worker, $3 type, $4 namespace?, $5 lanes, $6 kinds, $7 capabilities,
-- $8 machine?, $9 version?, $10 time to live (ms), $11 whether only a registration for the
-- same namespace is taken over
--
-- No row means that the instance belongs to another worker, or to one of another namespace. Kinds are inserted in the
-- order of their names, so that two workers with the same kinds do not deadlock. Event:
-- registered, unless it was live.
-- Locks: the worker's row, then kinds.
WITH existing AS (
    SELECT dead_at IS NULL AND expires_at > clock_timestamp() AS live
    FROM worker WHERE worker_instance_id = $1
),
registered AS (
    INSERT INTO worker AS w (worker_instance_id, worker_id, worker_type, namespace, lanes, kinds,
                             capabilities, host, version, liveness_ttl_ms, expires_at)
    VALUES ($1, $2, $3::text::worker_type, $4::text, $5::text[], $6::text[], $7::text[], $8::text,
            $9::text, $10::integer,
            clock_timestamp() + $10::integer * interval '1 millisecond')
    ON CONFLICT (worker_instance_id) DO UPDATE
    SET worker_type = excluded.worker_type, namespace = excluded.namespace,
        lanes = excluded.lanes, kinds = excluded.kinds, capabilities = excluded.capabilities,
        host = excluded.host, version = excluded.version,
        liveness_ttl_ms = excluded.liveness_ttl_ms, expires_at = excluded.expires_at,
        heartbeat_at = excluded.heartbeat_at, dead_at = NULL, dead_reason = NULL,
        registered_at = CASE WHEN w.dead_at IS NULL AND w.expires_at > clock_timestamp()
                             THEN w.registered_at ELSE excluded.registered_at END
    WHERE w.worker_id = excluded.worker_id
      AND (NOT $11::boolean OR w.namespace IS NOT DISTINCT FROM excluded.namespace)
    RETURNING w.worker_instance_id, w.worker_id, w.namespace, w.expires_at, w.kinds
),
kinds AS (
    INSERT INTO kind (name)
    SELECT DISTINCT served.kind FROM registered r CROSS JOIN LATERAL unnest(r.kinds) AS served(kind)
    WHERE NOT EXISTS (SELECT FROM kind k WHERE k.name = served.kind)
    ORDER BY served.kind
    ON CONFLICT DO NOTHING
),
happened AS (
    SELECT worker_instance_id, worker_id, namespace FROM registered
    WHERE NOT coalesce((SELECT live FROM existing), false)
),
events AS (
    INSERT INTO event (partition, kinds, execution_ids, namespaces, epochs, workers, details)
    SELECT 0, array_agg('registered'::event_kind), array_agg(NULL::uuid), array_agg(namespace),
           array_agg(0), array_agg(worker_instance_id), array_agg(worker_id)
    FROM happened
    HAVING count(*) > 0
)
SELECT r.expires_at AS "expires_at!", coalesce((SELECT live FROM existing), false) AS "was_live!"
FROM registered r
