-- The clouds and folders, the largest first: who pays for what.
-- stored_size is what is billed: each layer once in its registry. untagged_size is what deleting
-- the untagged images would free.
-- none: No cloud and no folder is known: the export was told its registries.
SELECT
    scope,
    coalesce(scope_name, scope_id) AS scope_name,
    repository_count,
    image_count,
    stored_size,
    untagged_size,
    complete,
    scope_id
FROM size_totals
WHERE scope IN ('cloud', 'folder')
ORDER BY scope, stored_size DESC, scope_id
