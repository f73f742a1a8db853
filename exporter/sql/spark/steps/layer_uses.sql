-- Made from ../../steps/layer_uses.sql: change that one, and run scripts/transpile.
CREATE TABLE layer_uses AS
SELECT
  grouped.*,
  COALESCE(registry, 0) AS registry,
  CASE WHEN NOT digest IS NULL THEN XXHASH64(digest) END AS digest_hash,
  FALSE AS is_config
FROM (
  SELECT
    repository,
    CASE WHEN distributable IS DISTINCT FROM FALSE THEN digest END AS digest,
    MAX(size) AS size,
    MIN(size) AS smallest,
    COUNT(*) AS reference_count,
    MIN(position) <> MAX(position) AS moves,
    BOOL_OR(untagged IS NULL) AS tagged
  FROM layers
  LEFT JOIN (
    SELECT
      image_id,
      TRUE AS untagged
    FROM images
    WHERE
      tag_count = 0 AND kind IS NULL
    UNION ALL
    SELECT
      image_id,
      TRUE
    FROM unreached
  )
    USING (image_id)
  LEFT JOIN (
    SELECT
      repository,
      repository_name
    FROM repository_scopes
  )
    USING (repository_name)
  GROUP BY ALL
) AS grouped
LEFT JOIN repository_scopes
  USING (repository)
