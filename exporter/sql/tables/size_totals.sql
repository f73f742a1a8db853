-- Counts and sizes of every repository, registry, folder and cloud, and of all together.

WITH incomplete AS (
    SELECT DISTINCT scope, scope_id, true AS incomplete
    FROM listings
    WHERE status IS DISTINCT FROM 'complete'
),

-- Registries that do not list untagged images. (The cloud does.)
blind AS (
    SELECT registry_id, folder_id, cloud_id
    FROM registries
    WHERE source = 'oci' AND untagged_visible IS DISTINCT FROM true
),

-- A run has one kind of source.
source AS (
    SELECT bool_or(source = 'oci') AS is_oci FROM registries
),

-- The scopes, and whether a blind registry is in them.
seeing AS (
    SELECT
        *,
        coalesce(
            CASE scope
                WHEN 'total' THEN EXISTS (FROM blind)
                WHEN 'cloud' THEN cloud_id IN (SELECT cloud_id FROM blind)
                WHEN 'folder' THEN folder_id IN (SELECT folder_id FROM blind)
                ELSE registry_id IN (SELECT registry_id FROM blind)
            END,
            false
        ) AS is_blind
    FROM scopes
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
    CASE WHEN NOT is_blind THEN whole(untagged_image_count) END AS untagged_image_count,
    whole(tag_count) AS tag_count,
    whole(layer_count) AS layer_count,
    whole(blob_count) AS blob_count,
    whole(logical_size) AS logical_size,
    whole(stored_size) AS stored_size,
    whole(exclusive_size) AS exclusive_size,
    CASE WHEN NOT is_blind THEN whole(untagged_size) END AS untagged_size,
    whole(config_size) AS config_size,
    oldest_image_at,
    newest_image_at,
    incomplete IS NULL AS complete,
    CASE WHEN is_oci THEN NOT is_blind END AS untagged_known,
    CASE WHEN is_oci THEN whole(index_count) END AS index_count,
    CASE WHEN is_oci THEN whole(manifest_size) END AS manifest_size
FROM seeing
CROSS JOIN source
LEFT JOIN sums USING (scope, scope_id)
LEFT JOIN incomplete USING (scope, scope_id)
ORDER BY scope, scope_id
