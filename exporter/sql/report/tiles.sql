-- Where the billed bytes are, as tiles that add up to the stored size of all registries.
--
-- A repository has the bytes that it alone uses (`exclusive_size`). What several repositories of a
-- registry share is a tile of the registry. The `$most_repositories` largest repositories of the
-- `$most_registries` largest registries have a tile each; the others are summed.

WITH registries AS (
    SELECT
        scope_id AS registry_id,
        coalesce(nullif(scope_name, ''), scope_id) AS registry,
        stored_size,
        row_number() OVER (ORDER BY stored_size DESC, scope_id) <= $most_registries AS shown
    FROM size_totals
    WHERE scope = 'registry' AND stored_size > 0
),

repositories AS (
    SELECT
        registry_id,
        registry,
        coalesce(nullif(scope_name, ''), scope_id) AS name,
        scope_id AS id,
        exclusive_size,
        image_count,
        row_number() OVER (ORDER BY exclusive_size DESC, scope_id) <= $most_repositories AS shown
    FROM size_totals JOIN registries USING (registry_id)
    WHERE scope = 'repository' AND registries.shown AND exclusive_size > 0
),

tiles AS (
    SELECT registry_id, registry, 'repository' AS kind, name, 1 AS count, exclusive_size AS size
    FROM repositories
    WHERE shown
    UNION ALL
    SELECT registry_id, any_value(registry), 'rest', NULL, count(*), sum(exclusive_size)
    FROM repositories
    WHERE NOT shown
    GROUP BY registry_id
    UNION ALL
    SELECT
        registry_id,
        any_value(registries.registry),
        'shared',
        NULL,
        1,
        any_value(stored_size) - sum(coalesce(exclusive_size, 0))
    FROM registries LEFT JOIN repositories USING (registry_id)
    WHERE registries.shown
    GROUP BY registry_id
    UNION ALL
    SELECT NULL, NULL, 'registries', NULL, count(*), sum(stored_size)
    FROM registries
    WHERE NOT shown
)

SELECT registry_id, registry, kind, name, count, size
FROM tiles
WHERE size > 0
ORDER BY size DESC, registry_id, kind, name
