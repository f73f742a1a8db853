-- The distinct blobs of each registry, and how much they are used.
-- References outnumber the using images by the layer's repetitions within one image.

SELECT
    registry_id,
    digest,
    kind,
    size,
    reference_count - CASE WHEN kind = 'layer' THEN coalesce(surplus, 0) ELSE 0 END AS image_count,
    reference_count,
    repository_count
FROM held LEFT JOIN repeats USING (registry_id, digest)
ORDER BY registry_id, digest, kind
