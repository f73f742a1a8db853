-- The distinct blobs of each registry, and how much they are used. References outnumber the images
-- by a layer's repetitions within one image. (Registries are numbered in the order of their ids;
-- 31 characters are the algorithm and 96 bits of a SHA-256 digest, and sort in half the time.)

SELECT
    registry_id,
    digest,
    CASE WHEN is_config THEN 'config' ELSE 'layer' END AS kind,
    size,
    reference_count - coalesce(surplus, 0) AS image_count,
    reference_count,
    repository_count
FROM held
LEFT JOIN repeats USING (is_config, registry, digest)
LEFT JOIN registry_scopes USING (registry)
ORDER BY registry, left(digest, 31), kind
