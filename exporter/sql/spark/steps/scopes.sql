-- Made from ../../steps/scopes.sql: change that one, and run scripts/transpile.
CREATE TABLE registry_scopes AS
SELECT
  CAST(ROW_NUMBER() OVER (ORDER BY registry_id NULLS LAST) AS INT) AS registry,
  registry_id,
  folder_id,
  cloud_id,
  name
FROM registries
;
CREATE TABLE repository_scopes AS
SELECT
  CAST(ROW_NUMBER() OVER (ORDER BY repository_name NULLS LAST) AS INT) AS repository,
  repository_name,
  COALESCE(registry, 0) AS registry,
  registry_scopes.registry_id,
  listed
FROM (
  SELECT
    repository_name,
    ANY_VALUE(registry_id) IGNORE NULLS AS registry_id,
    BOOL_OR(listed) AS listed
  FROM (
    SELECT
      repository_name,
      registry_id,
      TRUE AS listed
    FROM repositories
    UNION ALL
    SELECT DISTINCT
      repository_name,
      registry_id,
      FALSE
    FROM images
  )
  WHERE
    NOT repository_name IS NULL
  GROUP BY
    repository_name
) AS named
LEFT JOIN registry_scopes
  USING (registry_id)
;
CREATE TABLE scopes AS
SELECT
  'repository' AS scope,
  repository_name AS scope_id,
  NULLIF(SUBSTRING(repository_name, LENGTH(registry_id) + 2), '') AS scope_name,
  registry_id,
  folder_id,
  cloud_id
FROM repository_scopes
JOIN registry_scopes
  USING (registry, registry_id)
UNION ALL
SELECT
  'registry',
  registry_id,
  name,
  registry_id,
  folder_id,
  cloud_id
FROM registry_scopes
UNION ALL
SELECT
  'folder',
  folder_id,
  name,
  NULL,
  folder_id,
  cloud_id
FROM folders
UNION ALL
SELECT
  'cloud',
  cloud_id,
  name,
  NULL,
  NULL,
  cloud_id
FROM clouds
UNION ALL
SELECT
  'total',
  '*',
  NULL,
  NULL,
  NULL,
  NULL
