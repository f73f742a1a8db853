-- The distinct blobs of each registry, and how much they are used.
--
-- In the order of the registries alone: digests have no order worth having, and sorting them would
-- cost as much as all the rest. Registries are numbers, in the order of their ids, until it is done.

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
