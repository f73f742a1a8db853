-- The layers whose sharing saves the most bytes.
-- saved_size is what the layer would take in addition if each image had its own copy.
-- $limit: count = 20 -- how many layers to show
-- none: No two images of a registry share a layer.
SELECT
    digest,
    registry_id,
    size,
    image_count,
    repository_count,
    size::HUGEINT * (image_count - 1) AS saved_size
FROM blobs
WHERE kind = 'layer' AND image_count > 1
ORDER BY saved_size DESC, registry_id, digest
LIMIT $limit
