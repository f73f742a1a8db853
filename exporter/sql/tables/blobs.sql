-- The distinct blobs of each registry, and how often they are used.
--
-- Rows are sorted by registry alone: an order of digests helps no reader, and sorting them would cost
-- as much as all the rest. Registries are numbers, in the order of their ids, until the end.

SELECT
    (SELECT list(registry_id ORDER BY registry) FROM registry_scopes)[registry] AS registry_id,
    digest,
    CASE WHEN is_config THEN 'config' ELSE 'layer' END AS kind,
    size,
    reference_count - surplus AS image_count,
    reference_count,
    repository_count
FROM (
    SELECT
        registry,
        digest,
        is_config,
        size,
        coalesce(surplus, 0) AS surplus,
        reference_count,
        repository_count
    FROM held LEFT JOIN repeats USING (is_config, registry, digest)
    ORDER BY registry
)
