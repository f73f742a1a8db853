-- The images whose later occurrences differ from the first, and the columns that differ, together
-- with those that an earlier attempt found.

WITH configs AS (
    SELECT
        occurrences.image_id,
        occurrences.occurrence,
        -- Null if the occurrence has no config.
        CASE WHEN places.image_id IS NOT NULL
            THEN {'id': blob_id, 'digest': places.digest, 'size': size, 'urls': urls}
        END AS content
    FROM occurrences
    LEFT JOIN occurring_configs AS configs USING (image_id, occurrence)
    LEFT JOIN places_config_blobs AS places
        ON places.part = configs.part AND places.part_row = configs.part_row
),

comparisons AS (
    SELECT
        image_id,
        later.registry_id IS DISTINCT FROM first.registry_id
        OR later.repository_name IS DISTINCT FROM first.repository_name AS repository,
        later.digest IS DISTINCT FROM first.digest AS digest,
        later.compressed_size IS DISTINCT FROM first.compressed_size AS compressed_size,
        later.layer_count IS DISTINCT FROM first.layer_count AS layers,
        later.config_digest IS DISTINCT FROM first.config_digest AS config,
        later.tags IS DISTINCT FROM first.tags AS tags,
        later.created_at IS DISTINCT FROM first.created_at AS created_at
    FROM image_contents AS later JOIN image_contents AS first USING (image_id)
    WHERE first.occurrence = 1 AND later.occurrence > 1
    UNION ALL BY NAME
    SELECT image_id, true AS layers
    FROM layer_contents AS later JOIN layer_contents AS first USING (image_id, place)
    WHERE first.occurrence = 1 AND later.occurrence > 1 AND (
        later.blob_id IS DISTINCT FROM first.blob_id
        OR later.digest IS DISTINCT FROM first.digest
        OR later.size IS DISTINCT FROM first.size
        OR later.urls IS DISTINCT FROM first.urls
    )
    UNION ALL BY NAME
    SELECT image_id, later.content IS DISTINCT FROM first.content AS config
    FROM configs AS later JOIN configs AS first USING (image_id)
    WHERE first.occurrence = 1 AND later.occurrence > 1
),

differences AS (
    SELECT
        image_id,
        concat_ws(
            ', ',
            CASE WHEN bool_or(repository) THEN 'repository' END,
            CASE WHEN bool_or(digest) THEN 'digest' END,
            CASE WHEN bool_or(compressed_size) THEN 'compressed size' END,
            CASE WHEN bool_or(layers) THEN 'layers' END,
            CASE WHEN bool_or(config) THEN 'config' END,
            CASE WHEN bool_or(tags) THEN 'tags' END,
            CASE WHEN bool_or(created_at) THEN 'creation time' END
        ) AS names
    FROM comparisons
    GROUP BY image_id
    HAVING names <> ''
)

SELECT
    image_id,
    registry_id,
    repository_name,
    format('The image came {} times, and not with the same {}; the first is kept.', times, names)
        AS detail
FROM differences
JOIN (SELECT image_id, count(*) AS times FROM occurrences GROUP BY image_id) USING (image_id)
JOIN image_contents USING (image_id)
WHERE occurrence = 1 AND image_id NOT IN (SELECT image_id FROM changed)
UNION ALL
SELECT image_id, registry_id, repository_name, detail
FROM changed
ORDER BY image_id
