-- Made from ../../tables/tags.sql: change that one, and run scripts/transpile.
SELECT
  images.registry_id,
  repository_name,
  EXPLODE(ARRAY_DISTINCT(ARRAY_COMPACT(tags))) AS tag,
  image_id,
  digest,
  created_at
FROM images
LEFT JOIN repository_scopes
  USING (repository_name)
ORDER BY
  repository NULLS LAST,
  tag NULLS LAST,
  image_id NULLS LAST
