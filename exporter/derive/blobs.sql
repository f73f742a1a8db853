-- The distinct blobs of each registry, and how much they are used.
--
-- The sort is what costs here, so its rows are short: registries are numbers, in the order of their
-- ids, until it is done, and 31 characters stand for a digest: the algorithm and 96 bits of it.

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
    ORDER BY registry, left(digest, 31), NOT is_config
)
