-- The scopes that have a row in `size_totals`, with the scopes above each.

-- `registry` and `repository` number the registries and repositories in the order of their ids. Rows
-- that name no registry, or one that was not listed, have number 0: that is not a scope, and they
-- count only in the total.

CREATE TABLE registry_scopes AS
SELECT
    row_number() OVER (ORDER BY registry_id)::INTEGER AS registry,
    registry_id,
    folder_id,
    cloud_id,
    name
FROM registries;

-- `listed`: whether the registry's list of repositories names it, or only its images do.
CREATE TABLE repository_scopes AS
SELECT
    row_number() OVER (ORDER BY repository_name)::INTEGER AS repository,
    repository_name,
    coalesce(registry, 0) AS registry,
    registry_scopes.registry_id,
    listed
FROM (
    SELECT repository_name, any_value(registry_id) AS registry_id, bool_or(listed) AS listed
    FROM (
        SELECT repository_name, registry_id, true AS listed FROM repositories
        UNION ALL
        SELECT DISTINCT repository_name, registry_id, false FROM images
    )
    WHERE repository_name IS NOT NULL
    GROUP BY repository_name
) AS named
LEFT JOIN registry_scopes USING (registry_id);

CREATE TABLE scopes AS
SELECT
    'repository' AS scope,
    repository_name AS scope_id,
    nullif(substr(repository_name, length(registry_id) + 2), '') AS scope_name,
    registry_id,
    folder_id,
    cloud_id
FROM repository_scopes JOIN registry_scopes USING (registry, registry_id)
UNION ALL
SELECT 'registry', registry_id, name, registry_id, folder_id, cloud_id FROM registry_scopes
UNION ALL
SELECT 'folder', folder_id, name, NULL, folder_id, cloud_id FROM folders
UNION ALL
SELECT 'cloud', cloud_id, name, NULL, NULL, cloud_id FROM clouds
UNION ALL
SELECT 'total', '*', NULL, NULL, NULL, NULL;

-- A sum for a column: null becomes 0, and a sum outside of BIGINT its nearest value.
CREATE MACRO whole(number) AS
    greatest(least(coalesce(number, 0)::HUGEINT, 9223372036854775807), -9223372036854775808)::BIGINT;
