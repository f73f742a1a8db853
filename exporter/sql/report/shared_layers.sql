-- The layers that several images of a registry use, at most `$most`: those whose sharing saves the
-- most bytes come first. Each is billed once.

SELECT
    digest,
    coalesce(nullif(scope_name, ''), layers.registry_id, '') AS registry,
    size,
    layers.image_count AS images,
    layers.repository_count AS repositories,
    saved_size
FROM (
    SELECT *, (size::HUGEINT * (image_count - 1)) AS saved_size
    FROM blobs
    WHERE kind = 'layer' AND image_count > 1 AND size > 0
    ORDER BY saved_size DESC, digest, registry_id
    LIMIT $most
) AS layers
LEFT JOIN size_totals ON scope = 'registry' AND scope_id = layers.registry_id
ORDER BY saved_size DESC, digest, registry
