-- The images, by manifest digest, that stand in several repositories.
-- $limit: count = 50 -- how many digests to show
-- none: No image stands in two repositories.
SELECT
    digest,
    max(compressed_size) AS compressed_size,
    count(DISTINCT repository_name) AS repository_count,
    count(DISTINCT registry_id) AS registry_count,
    list_sort(list(DISTINCT repository_name)) AS repositories
FROM images
WHERE digest IS NOT NULL
GROUP BY digest
HAVING repository_count > 1
ORDER BY repository_count DESC, compressed_size DESC, digest
LIMIT $limit
