-- Made from ../../steps/sums.sql: change that one, and run scripts/transpile.
CREATE TABLE repository_sums AS
WITH image_facts AS (
  SELECT
    registry,
    repository,
    COUNT(*) AS image_count,
    COUNT(*) FILTER(WHERE
      tag_count > 0) AS tagged_image_count,
    COUNT(*) FILTER(WHERE
      tag_count = 0 AND kind IS NULL) AS untagged_image_count,
    SUM(CAST(tag_count AS DECIMAL(38, 0))) AS tag_count,
    SUM(CAST(compressed_size AS DECIMAL(38, 0))) AS logical_size,
    MIN(created_at) AS oldest_image_at,
    MAX(created_at) AS newest_image_at,
    COUNT(*) FILTER(WHERE
      kind = 'index') AS index_count
  FROM images
  LEFT JOIN repository_scopes
    USING (repository_name)
  GROUP BY
    registry,
    repository
), unreached_facts AS (
  SELECT
    registry,
    repository,
    COUNT(*) AS untagged_image_count
  FROM unreached
  LEFT JOIN repository_scopes
    USING (repository_name)
  GROUP BY
    registry,
    repository
), manifests AS (
  SELECT
    registry,
    repository,
    UNHEX(MD5(digest)) AS digest_hash,
    manifest_size
  FROM images
  LEFT JOIN repository_scopes
    USING (repository_name)
  WHERE
    NOT kind IS NULL
), use_facts AS (
  SELECT
    registry,
    repository,
    SUM(CAST(reference_count AS DECIMAL(38, 0))) FILTER(WHERE
      NOT is_config) AS layer_count,
    COUNT(digest_hash) FILTER(WHERE
      NOT is_config) AS blob_count,
    SUM(CAST(size AS DECIMAL(38, 0))) FILTER(WHERE
      NOT is_config AND NOT digest_hash IS NULL) AS stored_size,
    SUM(CAST(size AS DECIMAL(38, 0))) FILTER(WHERE
      is_config) AS config_size
  FROM uses
  GROUP BY
    registry,
    repository
), larger_facts AS (
  SELECT
    registry,
    uses.repository,
    SUM(CAST(CAST(shared.size AS DECIMAL(38, 0)) - uses.size AS DECIMAL(38, 0))) FILTER(WHERE
      NOT is_config) AS stored_size,
    SUM(CAST(CAST(shared.size AS DECIMAL(38, 0)) - uses.size AS DECIMAL(38, 0))) FILTER(WHERE
      is_config) AS config_size
  FROM uses
  JOIN shared
    USING (is_config, registry, digest)
  WHERE
    shared.size <> shared.smallest
  GROUP BY
    registry,
    uses.repository
), held_facts AS (
  SELECT
    registry,
    repository,
    COUNT(*) FILTER(WHERE
      NOT is_config) AS held_blob_count,
    SUM(CAST(size AS DECIMAL(38, 0))) FILTER(WHERE
      NOT is_config) AS exclusive_size,
    SUM(CAST(size AS DECIMAL(38, 0))) FILTER(WHERE
      NOT is_config AND NOT tagged) AS untagged_size,
    SUM(CAST(size AS DECIMAL(38, 0))) FILTER(WHERE
      is_config) AS held_config_size
  FROM held
  GROUP BY
    registry,
    repository
), facts AS (
  SELECT
    registry,
    repository,
    image_count,
    tagged_image_count,
    untagged_image_count,
    tag_count,
    logical_size,
    oldest_image_at,
    newest_image_at,
    index_count,
    NULL AS manifest_size,
    NULL AS held_manifest_size,
    NULL AS layer_count,
    NULL AS blob_count,
    NULL AS stored_size,
    NULL AS config_size,
    NULL AS held_blob_count,
    NULL AS exclusive_size,
    NULL AS untagged_size,
    NULL AS held_config_size,
    NULL AS repository_count
  FROM (
    SELECT
      *
    FROM image_facts
  ) AS branch
  UNION ALL
  SELECT
    registry,
    repository,
    NULL AS image_count,
    NULL AS tagged_image_count,
    untagged_image_count,
    NULL AS tag_count,
    NULL AS logical_size,
    NULL AS oldest_image_at,
    NULL AS newest_image_at,
    NULL AS index_count,
    NULL AS manifest_size,
    NULL AS held_manifest_size,
    NULL AS layer_count,
    NULL AS blob_count,
    NULL AS stored_size,
    NULL AS config_size,
    NULL AS held_blob_count,
    NULL AS exclusive_size,
    NULL AS untagged_size,
    NULL AS held_config_size,
    NULL AS repository_count
  FROM (
    SELECT
      *
    FROM unreached_facts
  ) AS branch
  UNION ALL
  SELECT
    registry,
    repository,
    NULL AS image_count,
    NULL AS tagged_image_count,
    NULL AS untagged_image_count,
    NULL AS tag_count,
    NULL AS logical_size,
    NULL AS oldest_image_at,
    NULL AS newest_image_at,
    NULL AS index_count,
    manifest_size,
    NULL AS held_manifest_size,
    NULL AS layer_count,
    NULL AS blob_count,
    NULL AS stored_size,
    NULL AS config_size,
    NULL AS held_blob_count,
    NULL AS exclusive_size,
    NULL AS untagged_size,
    NULL AS held_config_size,
    NULL AS repository_count
  FROM (
    SELECT
      registry,
      repository,
      manifest_size
    FROM manifests
  ) AS branch
  UNION ALL
  SELECT
    registry,
    NULL AS repository,
    NULL AS image_count,
    NULL AS tagged_image_count,
    NULL AS untagged_image_count,
    NULL AS tag_count,
    NULL AS logical_size,
    NULL AS oldest_image_at,
    NULL AS newest_image_at,
    NULL AS index_count,
    NULL AS manifest_size,
    held_manifest_size,
    NULL AS layer_count,
    NULL AS blob_count,
    NULL AS stored_size,
    NULL AS config_size,
    NULL AS held_blob_count,
    NULL AS exclusive_size,
    NULL AS untagged_size,
    NULL AS held_config_size,
    NULL AS repository_count
  FROM (
    SELECT
      registry,
      MAX(manifest_size) AS held_manifest_size
    FROM manifests
    GROUP BY
      registry,
      digest_hash
  ) AS branch
  UNION ALL
  SELECT
    registry,
    repository,
    NULL AS image_count,
    NULL AS tagged_image_count,
    NULL AS untagged_image_count,
    NULL AS tag_count,
    NULL AS logical_size,
    NULL AS oldest_image_at,
    NULL AS newest_image_at,
    NULL AS index_count,
    NULL AS manifest_size,
    NULL AS held_manifest_size,
    layer_count,
    blob_count,
    stored_size,
    config_size,
    NULL AS held_blob_count,
    NULL AS exclusive_size,
    NULL AS untagged_size,
    NULL AS held_config_size,
    NULL AS repository_count
  FROM (
    SELECT
      *
    FROM use_facts
  ) AS branch
  UNION ALL
  SELECT
    registry,
    repository,
    NULL AS image_count,
    NULL AS tagged_image_count,
    NULL AS untagged_image_count,
    NULL AS tag_count,
    NULL AS logical_size,
    NULL AS oldest_image_at,
    NULL AS newest_image_at,
    NULL AS index_count,
    NULL AS manifest_size,
    NULL AS held_manifest_size,
    NULL AS layer_count,
    NULL AS blob_count,
    stored_size,
    config_size,
    NULL AS held_blob_count,
    NULL AS exclusive_size,
    NULL AS untagged_size,
    NULL AS held_config_size,
    NULL AS repository_count
  FROM (
    SELECT
      *
    FROM larger_facts
  ) AS branch
  UNION ALL
  SELECT
    registry,
    repository,
    NULL AS image_count,
    NULL AS tagged_image_count,
    NULL AS untagged_image_count,
    NULL AS tag_count,
    NULL AS logical_size,
    NULL AS oldest_image_at,
    NULL AS newest_image_at,
    NULL AS index_count,
    NULL AS manifest_size,
    NULL AS held_manifest_size,
    NULL AS layer_count,
    NULL AS blob_count,
    NULL AS stored_size,
    NULL AS config_size,
    held_blob_count,
    exclusive_size,
    untagged_size,
    held_config_size,
    NULL AS repository_count
  FROM (
    SELECT
      *
    FROM held_facts
  ) AS branch
  UNION ALL
  SELECT
    registry,
    repository,
    NULL AS image_count,
    NULL AS tagged_image_count,
    NULL AS untagged_image_count,
    NULL AS tag_count,
    NULL AS logical_size,
    NULL AS oldest_image_at,
    NULL AS newest_image_at,
    NULL AS index_count,
    NULL AS manifest_size,
    NULL AS held_manifest_size,
    NULL AS layer_count,
    NULL AS blob_count,
    NULL AS stored_size,
    NULL AS config_size,
    NULL AS held_blob_count,
    NULL AS exclusive_size,
    NULL AS untagged_size,
    NULL AS held_config_size,
    repository_count
  FROM (
    SELECT
      registry,
      repository,
      1 AS repository_count
    FROM repository_scopes
  ) AS branch
)
SELECT
  registry,
  repository,
  SUM(CAST(repository_count AS DECIMAL(38, 0))) AS repository_count,
  SUM(CAST(image_count AS DECIMAL(38, 0))) AS image_count,
  SUM(CAST(tagged_image_count AS DECIMAL(38, 0))) AS tagged_image_count,
  SUM(CAST(untagged_image_count AS DECIMAL(38, 0))) AS untagged_image_count,
  SUM(CAST(tag_count AS DECIMAL(38, 0))) AS tag_count,
  SUM(CAST(layer_count AS DECIMAL(38, 0))) AS layer_count,
  SUM(CAST(blob_count AS DECIMAL(38, 0))) AS blob_count,
  SUM(CAST(held_blob_count AS DECIMAL(38, 0))) AS held_blob_count,
  SUM(CAST(logical_size AS DECIMAL(38, 0))) AS logical_size,
  SUM(CAST(stored_size AS DECIMAL(38, 0))) AS stored_size,
  SUM(CAST(exclusive_size AS DECIMAL(38, 0))) AS exclusive_size,
  SUM(CAST(untagged_size AS DECIMAL(38, 0))) AS untagged_size,
  SUM(CAST(config_size AS DECIMAL(38, 0))) AS config_size,
  SUM(CAST(held_config_size AS DECIMAL(38, 0))) AS held_config_size,
  MIN(oldest_image_at) AS oldest_image_at,
  MAX(newest_image_at) AS newest_image_at,
  SUM(CAST(index_count AS DECIMAL(38, 0))) AS index_count,
  SUM(CAST(manifest_size AS DECIMAL(38, 0))) AS manifest_size,
  SUM(CAST(held_manifest_size AS DECIMAL(38, 0))) AS held_manifest_size
FROM facts
GROUP BY
  registry,
  repository
;
CREATE TABLE sums AS
SELECT
  scope,
  scope_id,
  SUM(CAST(repository_count AS DECIMAL(38, 0))) AS repository_count,
  SUM(CAST(image_count AS DECIMAL(38, 0))) AS image_count,
  SUM(CAST(tagged_image_count AS DECIMAL(38, 0))) AS tagged_image_count,
  SUM(CAST(untagged_image_count AS DECIMAL(38, 0))) AS untagged_image_count,
  SUM(CAST(tag_count AS DECIMAL(38, 0))) AS tag_count,
  SUM(CAST(layer_count AS DECIMAL(38, 0))) AS layer_count,
  SUM(CAST(blob_count AS DECIMAL(38, 0))) AS blob_count,
  SUM(CAST(logical_size AS DECIMAL(38, 0))) AS logical_size,
  SUM(CAST(stored_size AS DECIMAL(38, 0))) AS stored_size,
  SUM(CAST(exclusive_size AS DECIMAL(38, 0))) AS exclusive_size,
  SUM(CAST(untagged_size AS DECIMAL(38, 0))) AS untagged_size,
  SUM(CAST(config_size AS DECIMAL(38, 0))) AS config_size,
  MIN(oldest_image_at) AS oldest_image_at,
  MAX(newest_image_at) AS newest_image_at,
  SUM(CAST(index_count AS DECIMAL(38, 0))) AS index_count,
  SUM(CAST(manifest_size AS DECIMAL(38, 0))) AS manifest_size
FROM (
  SELECT
    scope,
    scope_id,
    registry,
    repository,
    repository_count,
    image_count,
    tagged_image_count,
    untagged_image_count,
    tag_count,
    layer_count,
    blob_count,
    held_blob_count,
    logical_size,
    stored_size,
    exclusive_size,
    untagged_size,
    config_size,
    held_config_size,
    oldest_image_at,
    newest_image_at,
    index_count,
    manifest_size,
    held_manifest_size
  FROM (
    SELECT
      'repository' AS scope,
      repository_name AS scope_id,
      repository_sums.*
    FROM repository_sums
    JOIN repository_scopes
      USING (repository)
  ) AS branch
  UNION ALL
  SELECT
    scope,
    scope_id,
    registry,
    repository,
    repository_count,
    image_count,
    tagged_image_count,
    untagged_image_count,
    tag_count,
    layer_count,
    blob_count,
    held_blob_count,
    logical_size,
    stored_size,
    exclusive_size,
    untagged_size,
    config_size,
    held_config_size,
    oldest_image_at,
    newest_image_at,
    index_count,
    manifest_size,
    held_manifest_size
  FROM (
    SELECT
      scope,
      CASE scope
        WHEN 'registry'
        THEN registry_id
        WHEN 'folder'
        THEN folder_id
        WHEN 'cloud'
        THEN cloud_id
        ELSE '*'
      END AS scope_id,
      repository_sums.*
      EXCEPT (blob_count, stored_size, config_size, manifest_size),
      held_blob_count AS blob_count,
      exclusive_size AS stored_size,
      held_config_size AS config_size,
      held_manifest_size AS manifest_size
    FROM repository_sums
    LEFT JOIN registry_scopes
      USING (registry)
    CROSS JOIN VALUES
      ('registry'),
      ('folder'),
      ('cloud'),
      ('total') AS above(scope)
  ) AS branch
)
GROUP BY
  scope,
  scope_id
