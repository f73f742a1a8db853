-- The registries, the largest first.
-- stored_size is what is billed: each layer once in its registry. untagged_size is what deleting
-- the untagged images would free.
-- none: There are no registries.
SELECT
    coalesce(scope_name, scope_id) AS registry_name,
    repository_count,
    image_count,
    untagged_image_count,
    stored_size,
    untagged_size,
    complete,
    scope_id AS registry_id,
    folder_id
FROM size_totals
WHERE scope = 'registry'
ORDER BY stored_size DESC, registry_id
