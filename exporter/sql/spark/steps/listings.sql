-- Made from ../../steps/listings.sql: change that one, and run scripts/transpile.
CREATE TABLE listings AS
WITH counted AS (
  SELECT
    *,
    CASE
      WHEN listing IN ('repositories', 'images')
      THEN parent_id
      WHEN of_repository
      THEN SPLIT_PART(parent_id, '/', 1)
    END AS registry_id
  FROM (
    SELECT
      listing,
      parent_id,
      CASE
        WHEN listing = 'manifests' AND status = 'vanished'
        THEN 'complete'
        ELSE status
      END AS status,
      listing IN ('tags', 'manifests', 'configs', 'untagged') AS of_repository
    FROM coverage
    WHERE
      NOT listing IN ('configs', 'untagged') OR status IS DISTINCT FROM 'skipped'
  )
)
SELECT
  'total' AS scope,
  '*' AS scope_id,
  status
FROM counted
UNION ALL
SELECT
  scope,
  scope_id,
  'skipped'
FROM left_out
UNION ALL
SELECT
  'cloud',
  parent_id,
  status
FROM counted
WHERE
  listing = 'folders'
UNION ALL
SELECT
  'folder',
  parent_id,
  status
FROM counted
WHERE
  listing = 'registries'
UNION ALL
SELECT
  'cloud',
  folders.cloud_id,
  counted.status
FROM counted
JOIN folders
  ON parent_id = folder_id
WHERE
  listing = 'registries'
UNION ALL
SELECT
  'registry',
  registry_id,
  status
FROM counted
WHERE
  NOT registry_id IS NULL
UNION ALL
SELECT
  'folder',
  registries.folder_id,
  counted.status
FROM counted
JOIN registries
  USING (registry_id)
UNION ALL
SELECT
  'cloud',
  registries.cloud_id,
  counted.status
FROM counted
JOIN registries
  USING (registry_id)
UNION ALL
SELECT
  'repository',
  repository_name,
  status
FROM counted
JOIN repository_scopes
  USING (registry_id)
WHERE
  listing = 'images'
UNION ALL
SELECT
  'repository',
  parent_id,
  status
FROM counted
WHERE
  of_repository
