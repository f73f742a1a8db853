-- Made from ../../tables/size_totals.sql: change that one, and run scripts/transpile.
WITH incomplete AS (
  SELECT DISTINCT
    scope,
    scope_id,
    TRUE AS incomplete
  FROM listings
  WHERE
    status IS DISTINCT FROM 'complete'
), blind AS (
  SELECT
    registry_id,
    folder_id,
    cloud_id
  FROM registries
  WHERE
    source = 'oci' AND untagged_visible IS DISTINCT FROM TRUE
), source AS (
  SELECT
    BOOL_OR(source = 'oci') AS is_oci
  FROM registries
), seeing AS (
  SELECT
    *,
    COALESCE(
      CASE scope
        WHEN 'total'
        THEN EXISTS(
          SELECT
            *
          FROM blind
        )
        WHEN 'cloud'
        THEN cloud_id IN (
          SELECT
            cloud_id
          FROM blind
        )
        WHEN 'folder'
        THEN folder_id IN (
          SELECT
            folder_id
          FROM blind
        )
        ELSE registry_id IN (
          SELECT
            registry_id
          FROM blind
        )
      END,
      FALSE
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
  CAST(GREATEST(
    LEAST(CAST(COALESCE(repository_count, 0) AS DECIMAL(38, 0)), 9223372036854775807),
    -9223372036854775808
  ) AS BIGINT) AS repository_count,
  CAST(GREATEST(
    LEAST(CAST(COALESCE(image_count, 0) AS DECIMAL(38, 0)), 9223372036854775807),
    -9223372036854775808
  ) AS BIGINT) AS image_count,
  CAST(GREATEST(
    LEAST(CAST(COALESCE(tagged_image_count, 0) AS DECIMAL(38, 0)), 9223372036854775807),
    -9223372036854775808
  ) AS BIGINT) AS tagged_image_count,
  CASE
    WHEN NOT is_blind
    THEN CAST(GREATEST(
      LEAST(CAST(COALESCE(untagged_image_count, 0) AS DECIMAL(38, 0)), 9223372036854775807),
      -9223372036854775808
    ) AS BIGINT)
  END AS untagged_image_count,
  CAST(GREATEST(
    LEAST(CAST(COALESCE(tag_count, 0) AS DECIMAL(38, 0)), 9223372036854775807),
    -9223372036854775808
  ) AS BIGINT) AS tag_count,
  CAST(GREATEST(
    LEAST(CAST(COALESCE(layer_count, 0) AS DECIMAL(38, 0)), 9223372036854775807),
    -9223372036854775808
  ) AS BIGINT) AS layer_count,
  CAST(GREATEST(
    LEAST(CAST(COALESCE(blob_count, 0) AS DECIMAL(38, 0)), 9223372036854775807),
    -9223372036854775808
  ) AS BIGINT) AS blob_count,
  CAST(GREATEST(
    LEAST(CAST(COALESCE(logical_size, 0) AS DECIMAL(38, 0)), 9223372036854775807),
    -9223372036854775808
  ) AS BIGINT) AS logical_size,
  CAST(GREATEST(
    LEAST(CAST(COALESCE(stored_size, 0) AS DECIMAL(38, 0)), 9223372036854775807),
    -9223372036854775808
  ) AS BIGINT) AS stored_size,
  CAST(GREATEST(
    LEAST(CAST(COALESCE(exclusive_size, 0) AS DECIMAL(38, 0)), 9223372036854775807),
    -9223372036854775808
  ) AS BIGINT) AS exclusive_size,
  CASE
    WHEN NOT is_blind
    THEN CAST(GREATEST(
      LEAST(CAST(COALESCE(untagged_size, 0) AS DECIMAL(38, 0)), 9223372036854775807),
      -9223372036854775808
    ) AS BIGINT)
  END AS untagged_size,
  CAST(GREATEST(
    LEAST(CAST(COALESCE(config_size, 0) AS DECIMAL(38, 0)), 9223372036854775807),
    -9223372036854775808
  ) AS BIGINT) AS config_size,
  oldest_image_at,
  newest_image_at,
  incomplete IS NULL AS complete,
  CASE WHEN is_oci THEN NOT is_blind END AS untagged_known,
  CASE
    WHEN is_oci
    THEN CAST(GREATEST(
      LEAST(CAST(COALESCE(index_count, 0) AS DECIMAL(38, 0)), 9223372036854775807),
      -9223372036854775808
    ) AS BIGINT)
  END AS index_count,
  CASE
    WHEN is_oci
    THEN CAST(GREATEST(
      LEAST(CAST(COALESCE(manifest_size, 0) AS DECIMAL(38, 0)), 9223372036854775807),
      -9223372036854775808
    ) AS BIGINT)
  END AS manifest_size
FROM seeing
CROSS JOIN source
LEFT JOIN sums
  USING (scope, scope_id)
LEFT JOIN incomplete
  USING (scope, scope_id)
ORDER BY
  scope NULLS LAST,
  scope_id NULLS LAST
