-- Describes tables, columns, constraints, indexes and types, one line each.
WITH lines AS (
    SELECT 1 AS part, c.relname::text AS subject, a.attnum::int AS place,
           format('table %s: %s %s%s%s', c.relname, a.attname,
                  format_type(a.atttypid, a.atttypmod),
                  CASE WHEN a.attnotnull THEN ' not null' ELSE '' END,
                  CASE WHEN a.attidentity <> '' THEN ' identity'
                       WHEN d.adbin IS NOT NULL THEN ' default ' || pg_get_expr(d.adbin, d.adrelid)
                       ELSE '' END) AS line
    FROM pg_class c
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'
      AND c.relname <> '_sqlx_migrations'
    UNION ALL
    SELECT 2, conrelid::regclass::text, 0,
           format('constraint %s on %s: %s', conname, conrelid::regclass, pg_get_constraintdef(oid))
    FROM pg_constraint
    WHERE connamespace = 'public'::regnamespace AND contype IN ('c', 'f', 'p', 'u')
      AND conrelid <> 0 AND conrelid <> '_sqlx_migrations'::regclass
    UNION ALL
    SELECT 3, tablename::text, 0, indexdef FROM pg_indexes
    WHERE schemaname = 'public' AND tablename <> '_sqlx_migrations'
    UNION ALL
    SELECT 4, t.typname::text, 0,
           format('enum %s: %s', t.typname,
                  (SELECT string_agg(enumlabel, ', ' ORDER BY enumsortorder)
                   FROM pg_enum WHERE enumtypid = t.oid))
    FROM pg_type t WHERE t.typnamespace = 'public'::regnamespace AND t.typtype = 'e'
)
SELECT line FROM lines ORDER BY part, subject, place, line
