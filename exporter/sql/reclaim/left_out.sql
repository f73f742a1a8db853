-- The registries of which no answer can be given, each with the reason: their images are not all
-- listed, and an image that was not listed may use a layer; or no list named the registry, so what
-- is billed there is not known. `excluded` are those that scope.exclude leaves out: they have no row
-- in `registries`, and nobody expects an answer about them.

WITH used AS (
    SELECT DISTINCT registry_id FROM images WHERE registry_id IS NOT NULL
),

named AS (
    SELECT registry_id FROM registries
    UNION
    SELECT registry_id FROM listed WHERE status <> 'complete'
    UNION
    SELECT registry_id FROM used
)

SELECT
    registry_id,
    registries.name,
    CASE
        WHEN registries.registry_id IS NULL AND listed.status IS NOT DISTINCT FROM 'complete' THEN 'unknown'
        ELSE coalesce(listed.status, 'unknown')
    END AS status,
    message,
    registries.registry_id IS NULL AND used.registry_id IS NULL AND listed.status = 'skipped' AS excluded
FROM named
LEFT JOIN listed USING (registry_id)
LEFT JOIN registries USING (registry_id)
LEFT JOIN used USING (registry_id)
WHERE registries.registry_id IS NULL OR listed.status IS DISTINCT FROM 'complete'
ORDER BY registry_id
