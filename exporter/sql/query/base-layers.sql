-- The first layers of images, those that most images are built on first.
-- $limit: count = 20 -- how many layers to show
-- none: There are no layers.
SELECT
    digest,
    max(size) AS size,
    count(DISTINCT image_id) AS image_count,
    count(DISTINCT repository_name) AS repository_count,
    count(DISTINCT registry_id) AS registry_count
FROM layers
WHERE position = 0
GROUP BY digest
ORDER BY image_count DESC, digest
LIMIT $limit
