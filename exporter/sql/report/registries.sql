-- The registries, the largest first, at most `$most`; `more` counts those that have no row here.

SELECT
    scope_id AS id,
    coalesce(nullif(scope_name, ''), scope_id) AS name,
    coalesce(nullif(folders.name, ''), size_totals.folder_id, '') AS folder,
    repository_count AS repositories,
    image_count AS images,
    untagged_image_count AS untagged_images,
    stored_size,
    untagged_size,
    logical_size,
    complete
FROM size_totals LEFT JOIN folders USING (folder_id)
WHERE scope = 'registry'
ORDER BY stored_size DESC, scope_id
LIMIT $most
