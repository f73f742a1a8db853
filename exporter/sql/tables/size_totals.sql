-- Counts and sizes of every repository, registry, folder and cloud, and of all together.

WITH incomplete AS (
    SELECT DISTINCT scope, scope_id, true AS incomplete
    FROM listings
    WHERE status IS DISTINCT FROM 'complete'
)

SELECT
    scope,
    scope_id,
    scope_name,
    registry_id,
    folder_id,
    cloud_id,
    whole(repository_count) AS repository_count,
    whole(image_count) AS image_count,
    whole(tagged_image_count) AS tagged_image_count,
    whole(untagged_image_count) AS untagged_image_count,
    whole(tag_count) AS tag_count,
    whole(layer_count) AS layer_count,
    whole(blob_count) AS blob_count,
    whole(logical_size) AS logical_size,
    whole(stored_size) AS stored_size,
    whole(exclusive_size) AS exclusive_size,
    whole(untagged_size) AS untagged_size,
    whole(config_size) AS config_size,
    oldest_image_at,
    newest_image_at,
    incomplete IS NULL AS complete,
    NULL AS untagged_known,
    NULL AS index_count,
    NULL AS manifest_size
FROM scopes
LEFT JOIN sums USING (scope, scope_id)
LEFT JOIN incomplete USING (scope, scope_id)
ORDER BY scope, scope_id
