-- Made from ../../steps/config_uses.sql: change that one, and run scripts/transpile.
CREATE TABLE config_uses AS
SELECT
  grouped.*,
  COALESCE(registry, 0) AS registry,
  XXHASH64(digest) AS digest_hash,
  TRUE AS is_config
FROM (
  SELECT
    repository,
    digest,
    MAX(size) AS size,
    MIN(size) AS smallest,
    COUNT(*) AS reference_count
  FROM config_blobs
  LEFT JOIN (
    SELECT
      repository,
      repository_name
    FROM repository_scopes
  )
    USING (repository_name)
  WHERE
    NOT digest IS NULL
  GROUP BY
    repository,
    digest
) AS grouped
LEFT JOIN repository_scopes
  USING (repository)
