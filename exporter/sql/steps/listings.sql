-- `listings`: the listings inside each scope, and their status. A registry that is not in
-- `registries` has no folder and no cloud, so its listings count only for itself and for the total.
-- Resources that a filter left out are in no table: `left_out` names the scopes that lack them.

CREATE TABLE listings AS
SELECT 'total' AS scope, '*' AS scope_id, status FROM coverage
UNION ALL
SELECT scope, scope_id, 'skipped' FROM left_out
UNION ALL
SELECT 'cloud', parent_id, status FROM coverage WHERE listing = 'folders'
UNION ALL
SELECT 'folder', parent_id, status FROM coverage WHERE listing = 'registries'
UNION ALL
SELECT 'cloud', folders.cloud_id, coverage.status
FROM coverage JOIN folders ON parent_id = folder_id
WHERE listing = 'registries'
UNION ALL
SELECT 'registry', parent_id, status FROM coverage WHERE listing IN ('repositories', 'images')
UNION ALL
SELECT 'folder', registries.folder_id, coverage.status
FROM coverage JOIN registries ON parent_id = registry_id
WHERE listing IN ('repositories', 'images')
UNION ALL
SELECT 'cloud', registries.cloud_id, coverage.status
FROM coverage JOIN registries ON parent_id = registry_id
WHERE listing IN ('repositories', 'images')
UNION ALL
SELECT 'repository', repository_name, status
FROM coverage JOIN repository_scopes ON parent_id = registry_id
WHERE listing = 'images';
