-- Made from ../../tables/blobs.sql: change that one, and run scripts/transpile.
SELECT
  GET(
    (
      SELECT
        ARRAY_SORT(COLLECT_LIST(NAMED_STRUCT('by', registry, 'value', registry_id))).value
      FROM registry_scopes
    ),
    registry - 1
  ) AS registry_id,
  digest,
  CASE WHEN is_config THEN 'config' ELSE 'layer' END AS kind,
  size,
  reference_count - surplus AS image_count,
  reference_count,
  repository_count
FROM (
  SELECT
    registry,
    digest,
    is_config,
    size,
    COALESCE(surplus, 0) AS surplus,
    reference_count,
    repository_count
  FROM held
  LEFT JOIN repeats
    USING (is_config, registry, digest)
  ORDER BY
    registry NULLS LAST
)
