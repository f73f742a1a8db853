-- The largest layers, and how many images use each.
-- $limit: count = 20 -- how many layers to show
-- none: There are no layers.
SELECT digest, registry_id, size, image_count, repository_count
FROM blobs
WHERE kind = 'layer'
ORDER BY size DESC, registry_id, digest
LIMIT $limit
