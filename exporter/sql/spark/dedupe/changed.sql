-- Made from ../../dedupe/changed.sql: change that one, and run scripts/transpile.
WITH configs AS (
  SELECT
    occurrences.image_id,
    occurrences.occurrence,
    CASE
      WHEN NOT places.image_id IS NULL
      THEN STRUCT(blob_id AS id, places.digest AS digest, size AS size, urls AS urls)
    END AS content
  FROM occurrences
  LEFT JOIN occurring_configs AS configs
    USING (image_id, occurrence)
  LEFT JOIN places_config_blobs AS places
    ON places.part = configs.part AND places.part_row = configs.part_row
), comparisons AS (
  SELECT
    image_id,
    repository,
    digest,
    compressed_size,
    layers,
    config,
    tags,
    created_at
  FROM (
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
    FROM image_contents AS later
    JOIN image_contents AS first
      USING (image_id)
    WHERE
      first.occurrence = 1 AND later.occurrence > 1
  ) AS branch
  UNION ALL
  SELECT
    image_id,
    NULL AS repository,
    NULL AS digest,
    NULL AS compressed_size,
    layers,
    NULL AS config,
    NULL AS tags,
    NULL AS created_at
  FROM (
    SELECT
      image_id,
      TRUE AS layers
    FROM layer_contents AS later
    JOIN layer_contents AS first
      USING (image_id, place)
    WHERE
      first.occurrence = 1
      AND later.occurrence > 1
      AND (
        later.blob_id IS DISTINCT FROM first.blob_id
        OR later.digest IS DISTINCT FROM first.digest
        OR later.size IS DISTINCT FROM first.size
        OR later.urls IS DISTINCT FROM first.urls
      )
  ) AS branch
  UNION ALL
  SELECT
    image_id,
    NULL AS repository,
    NULL AS digest,
    NULL AS compressed_size,
    NULL AS layers,
    config,
    NULL AS tags,
    NULL AS created_at
  FROM (
    SELECT
      image_id,
      later.content IS DISTINCT FROM first.content AS config
    FROM configs AS later
    JOIN configs AS first
      USING (image_id)
    WHERE
      first.occurrence = 1 AND later.occurrence > 1
  ) AS branch
), differences AS (
  SELECT
    image_id,
    CONCAT_WS(
      ', ',
      CASE WHEN BOOL_OR(repository) THEN 'repository' END,
      CASE WHEN BOOL_OR(digest) THEN 'digest' END,
      CASE WHEN BOOL_OR(compressed_size) THEN 'compressed size' END,
      CASE WHEN BOOL_OR(layers) THEN 'layers' END,
      CASE WHEN BOOL_OR(config) THEN 'config' END,
      CASE WHEN BOOL_OR(tags) THEN 'tags' END,
      CASE WHEN BOOL_OR(created_at) THEN 'creation time' END
    ) AS names
  FROM comparisons
  GROUP BY
    image_id
  HAVING
    names <> ''
)
SELECT
  image_id,
  registry_id,
  repository_name,
  CONCAT(
    'The image came ',
    CAST(times AS STRING),
    ' times, and not with the same ',
    CAST(names AS STRING),
    '; the first is kept.'
  ) AS detail
FROM differences
JOIN (
  SELECT
    image_id,
    COUNT(*) AS times
  FROM occurrences
  GROUP BY
    image_id
)
  USING (image_id)
JOIN image_contents
  USING (image_id)
WHERE
  occurrence = 1 AND NOT image_id IN (
    SELECT
      image_id
    FROM changed
  )
UNION ALL
SELECT
  image_id,
  registry_id,
  repository_name,
  detail
FROM changed
ORDER BY
  image_id NULLS LAST
